"""The market part of an asset with a short history, or with none.

    r = β'f + ε                             regression on factors, β drawn to the class (ridge)
    ln σ = class + w·(own − class)          in the same bars; w = τ²/(τ² + c/n), n bars
    proxy = β'f_t + s·z_t                   over the long history; each of the class lends its z
    ln figure = proxy + v·(own − proxy)     shape of the tail: v as w, and slower
    market part = figure · exp(z_a·√(τ²(1 − w) + ω²(1 − v)))

Everything of the asset's own is read against its class over the same bars, so that a calm month
does not pass for a calm asset.  With n → ∞ both weights go to 1, the add-on to nothing, and the
market part to the figure of the asset's own history (`market.long_run`).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from xcoll import checks
from xcoll.collateral.haircuts.market import Tail, long_run
from xcoll.collateral.history import History
from xcoll.collateral.new_assets.peers import FACTORS, LONG, Peers, log_rms, peers
from xcoll.errors import DataError, EstimationError
from xcoll.market.returns import bars_in

__all__ = ["ASSURANCE", "appraise", "appraise_one", "credibility", "proxies", "ridge"]

ASSURANCE = 0.9  # assumed: chance that the true figure is not above the one with the add-on


def credibility(prior: float, sampling: float, bars: int) -> tuple[float, float]:
    """Weight of n bars, ``w = τ²/(τ² + c/n)``, and the deviation that stays, ``τ√(1 − w)``.

    The credibility of Bühlmann (1967): mean and standard deviation of a normal prior of variance
    τ² = `prior` after n observations of variance c = `sampling` each.

    Raises
    ------
    ParameterError
        A negative variance or number of bars.
    """
    prior = checks.at_least("prior variance", prior, 0.0)
    noise = checks.at_least("variance per bar", sampling, 0.0)
    n = checks.whole("bars", bars, least=0)
    weight = n * prior / (n * prior + noise) if n and prior > 0.0 else 0.0
    return weight, (prior * (1.0 - weight)) ** 0.5


def ridge(
    f: np.ndarray, r: np.ndarray, centre: np.ndarray, variance: np.ndarray, noise: float
) -> np.ndarray:
    """Posterior mean of β in ``r = fβ + ε``, prior N(centre, diag(variance)), Var ε = `noise`.

    Parameters
    ----------
    f : ndarray, bars × factors
        No bar at all gives the centre.
    r : ndarray, bars
        Returns of the asset.
    centre, variance : ndarray, factors
        Of the prior; where the variance is 0, β is the centre.
    noise : float
        Above zero.
    """
    noise = checks.positive("variance of the residual", noise)
    root = np.sqrt(variance)
    scaled = f * root
    gram = scaled.T @ scaled + noise * np.eye(len(centre))
    return centre + root * np.linalg.solve(gram, scaled.T @ (r - f @ centre))


def appraise(
    history: History,
    like: Mapping[str, Sequence[str]],
    of: Tail,
    *,
    factors: Sequence[str] = FACTORS,
    assurance: float = ASSURANCE,
    bars: int | None = None,
) -> pd.DataFrame:
    """Market part of new assets, from what they have and from assets that they are like.

    Parameters
    ----------
    history : History
        What is known, of assets that move (pegged ones have a model of their own).  A new asset
        has NaN before its listing, or no column at all.
    like : mapping
        New asset → its class, or the one asset that is to stand for it.
    of : Tail
        Which figure of the close-out loss.
    factors : sequence of str
        Assets with long histories that move the others.
    assurance : float
        Chance, in (0, 1), that the true figure lies under the one with the add-on.
    bars : int, optional
        Horizon of the loss; a day's where it is not given.

    Returns
    -------
    DataFrame, index asset
        bars; own (figure of its own bars, NaN where it has none); class (mean figure of those that
        it is like); proxy; shrunk (proxy and own, blended); addon; market (their sum, at most 1);
        weight_volatility, weight_shape (of the own bars); deviation (of the log figure, what the
        add-on covers); sigma (volatility of a bar) and a column ``beta_`` each factor.

    Raises
    ------
    DataError
        An asset without class or proxy, or a class without a long history; too few peers.
    EstimationError
        A price that has not moved.
    """
    checks.fraction("assurance", assurance)
    for asset, names in like.items():
        if isinstance(names, str) or not list(names):
            raise DataError(
                f"{asset} has no class: give like={{{asset!r}: [symbols]}} with assets of a long "
                "history that it resembles, or with the one that is to stand for it"
            )
        if asset in factors:
            raise DataError(f"{asset} is new and a factor at once; give other factors")
    lenders = _lenders(history, like, factors)
    learned = peers(history, lenders, of, factors, bars)
    rows = {}
    for asset, names in like.items():
        own = history.of([asset]) if asset in history.assets else None
        rows[asset] = appraise_one(asset, own, names, learned, assurance)
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("asset")


def _lenders(
    history: History, like: Mapping[str, Sequence[str]], factors: Sequence[str]
) -> list[str]:
    count = history.log_returns.notna().sum()
    long = count.index[count >= bars_in(LONG, history.bar)]
    named = list(dict.fromkeys(name for names in like.values() for name in names))
    wrong = [name for name in named if name not in long or name in like]
    if wrong:
        raise DataError(
            f"{', '.join(wrong)} cannot stand for another asset: it is new itself or has less than "
            f"{LONG} of returns; name one of {', '.join(a for a in long if a not in like)}"
        )
    others = [asset for asset in long if asset not in like and asset not in factors]
    return list(dict.fromkeys([*named, *others]))


def appraise_one(
    asset: str, own: History | None, like: Sequence[str], learned: Peers, assurance: float
) -> dict[str, float]:
    """One row of `appraise`, on peers that are learned already; `own` is of the asset alone."""
    like = list(like)
    r = None if own is None else own.log_returns[asset].dropna()
    n = 0 if r is None else len(r)
    seen = learned.history.log_returns[like].reindex(r.index if n else [])
    lively = log_rms(seen).dropna().index if n else pd.Index(like)
    if lively.empty:
        raise DataError(f"none of {', '.join(like)} trades while {asset} does; name assets that do")
    room = 1.0 + 1.0 / len(lively)  # a new one lies further from a mean of few than from their own
    prior, sampling = learned.spread(like), learned.sampling(like)
    weight, left = credibility(room * prior[0], sampling[0], n)
    slow, blurred = credibility(room * prior[1], sampling[1], n)
    centre = float(learned.level[lively].mean())
    own_level = float(log_rms(r.to_frame()).iloc[0]) if n else centre
    if not np.isfinite(own_level):
        raise EstimationError(f"{asset} has not moved in {n} bars; leave its stale bars out")
    usual = float(log_rms(seen[lively]).mean()) if n else centre
    sigma = np.exp(centre + weight * (own_level - usual))
    beta = _beta(r, like, learned, room)
    stand_in = proxies(beta, sigma, like, learned)
    proxy = float(long_run(stand_in, learned.of, learned.bars).mean())
    figure = np.nan if own is None else float(long_run(own, learned.of, learned.bars).iloc[0])
    theirs = _shape(stand_in.since(r.index[0]).until(r.index[-1]), learned) if n else np.nan
    if figure > 0.0 and theirs > 0.0:
        shrunk = proxy * (figure / np.exp(own_level) / theirs) ** slow
    else:  # no bars, or such as only rose, say nothing of the tail
        shrunk = proxy
        slow, blurred = credibility(room * prior[1], sampling[1], 0)
    deviation = float(np.hypot(left, blurred))
    market = min(shrunk * np.exp(norm.ppf(assurance) * deviation), 1.0)
    return {
        "bars": n,
        "own": figure,
        "class": float(np.exp(learned.level + learned.shape)[like].mean()),
        "proxy": proxy,
        "shrunk": shrunk,
        "addon": market - shrunk,
        "market": market,
        "weight_volatility": weight,
        "weight_shape": slow,
        "deviation": deviation,
        "sigma": float(sigma),
        **{f"beta_{factor}": b for factor, b in zip(learned.factors, beta, strict=True)},
    }


def proxies(beta: np.ndarray, sigma: float, like: Sequence[str], learned: Peers) -> History:
    """Histories that the asset might have had, a column each: ``β'f_t + s·z_t``, z lent by a peer.

    `s` is what the factors leave of `sigma`; where they alone exceed it, β is cut to fit.  A low
    lies under the close as deep as the peer's did, in proportion to volatility.
    """
    f = learned.factors.to_numpy() @ beta
    systematic = float(np.mean(f[np.isfinite(f)] ** 2))
    fit = min(1.0, sigma / systematic**0.5) if systematic > 0.0 else 1.0
    s = max(sigma**2 - fit**2 * systematic, 0.0) ** 0.5
    lent, returns = learned.history.of(list(like)), {}
    for name in like:
        e = learned.residuals[name]
        size = float(np.sqrt((e**2).mean()))
        # a factor that stands for the asset has no residual of its own
        z = e / size if size > 1e-9 else e * 0.0
        returns[name] = fit * f + s * z
    r = pd.DataFrame(returns)
    scale = np.exp(log_rms(r) - learned.level[list(like)])
    fall, theirs = r.clip(upper=0.0), lent.log_returns.clip(upper=0.0)
    lows = tuple(fall + (low - theirs).mul(scale) for low in lent.lows)
    return History(r, lows, lent.volatility.mul(scale))


def _beta(r: pd.Series | None, like: list[str], learned: Peers, room: float) -> np.ndarray:
    centre = learned.betas.loc[like].mean().to_numpy()
    variance = room * learned.betas.loc[learned.circle(like)].var().to_numpy()
    if r is None:
        return centre
    f = learned.factors.reindex(r.index)
    noise = float((learned.residuals[learned.circle(like)] ** 2).mean().mean())
    known = f.notna().all(axis=1).to_numpy()
    return ridge(f.to_numpy()[known], r.to_numpy()[known], centre, variance, noise)


def _shape(part: History, learned: Peers) -> float:
    figure = long_run(part, learned.of, learned.bars).mean()
    return float(figure / np.exp(log_rms(part.log_returns).mean()))
