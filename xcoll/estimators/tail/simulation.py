"""Losses over several bars by drawing whole standardised bars through a variance recursion.

Filtered historical simulation (Barone-Adesi, Giannopoulos and Vosper 1999), joint across assets: a
drawn bar brings the returns and the lows of all of them, so the dependence of a day stays
together.  The drift stays inside the drawn bars; the recursion takes a zero mean, for the mean of
a daily bar is a twentieth of its σ and cannot be told from zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll._jit import own
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.tail import _kernels, portfolio, shortfall
from xcoll.estimators.tail.inputs import frames
from xcoll.estimators.tail.losses import LOSSES

__all__ = ["Recursion", "drawn_losses", "simulate", "today"]


@dataclass(frozen=True)
class Recursion:
    """Variance recursion `h' = ω + (α + γ 1[ε < 0]) ε² + β h`; scalars or one value an asset."""

    omega: float | np.ndarray
    alpha: float | np.ndarray
    beta: float | np.ndarray
    gamma: float | np.ndarray = 0.0

    @classmethod
    def ewma(cls, decay: float = 0.94) -> "Recursion":
        """RiskMetrics (1996): `h' = (1 - λ) ε² + λ h`."""
        decay = checks.fraction("decay", decay)
        return cls(0.0, 1.0 - decay, decay)

    @classmethod
    def constant(cls) -> "Recursion":
        """σ stays what it is today over the whole horizon."""
        return cls(0.0, 0.0, 1.0)

    def step(self, variance: np.ndarray, shock: np.ndarray) -> np.ndarray:
        """Variance of the next bar after a shock ε."""
        weight = self.alpha + self.gamma * (shock < 0.0)
        return self.omega + weight * shock**2 + self.beta * variance

    def table(self, assets: int) -> np.ndarray:
        """(ω, α, γ, β) × asset.

        Raises
        ------
        ParameterError : values for another number of assets, a negative or infinite one.
        """
        values = [np.asarray(v, float) for v in (self.omega, self.alpha, self.gamma, self.beta)]
        if any(value.ndim > 1 or value.size not in (1, assets) for value in values):
            raise ParameterError(
                f"the recursion has one value an asset, and not for {assets} assets; give scalars "
                "or one value for each"
            )
        found = np.ascontiguousarray([np.broadcast_to(value, assets) for value in values])
        if not (np.isfinite(found).all() and (found[[0, 1, 3]] >= 0.0).all()):
            raise ParameterError("the recursion has a negative or infinite ω, α or β")
        return found


def simulate(
    score: np.ndarray,
    low_score: np.ndarray,
    sigma: np.ndarray,
    draws: np.ndarray,
    recursion: Recursion,
) -> tuple[np.ndarray, np.ndarray]:
    """Joint paths from drawn bars.

    Parameters
    ----------
    score, low_score : bars × assets, `r_t / σ_{t-1}` and `x_t / σ_{t-1}` of the same bars.
    sigma : σ of the first simulated bar, one an asset.
    draws : paths × horizon, rows of `score`: a drawn bar brings all its assets and their lows; or
        paths × horizon × assets, where each asset has rows of its own.
    recursion : how σ answers to the drawn returns.

    Returns
    -------
    (log_returns, low) : each paths × horizon × assets; low is the log low over the last close.
    """
    variance = np.broadcast_to(np.asarray(sigma, float) ** 2, (len(draws), score.shape[1]))
    returns = np.empty((*draws.shape[:2], score.shape[1]))
    lows = np.empty_like(returns)
    columns = np.arange(score.shape[1])
    for s in range(draws.shape[1]):
        scale = np.sqrt(variance)
        rows = draws[:, s] if draws.ndim == 3 else draws[:, s, None]
        returns[:, s] = score[rows, columns] * scale
        lows[:, s] = low_score[rows, columns] * scale
        variance = recursion.step(variance, returns[:, s])
    return returns, lows


def drawn_losses(
    score: np.ndarray,
    low_score: np.ndarray,
    picks: np.ndarray,
    sigma: np.ndarray,
    recursion: np.ndarray,
    loss: str = "close_out",
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Losses of drawn bars without their paths: what `simulate` and `path_losses` say, faster.

    Parameters
    ----------
    score, low_score : asset × bar.
    picks : horizon × path, bars that all assets share, or asset × horizon × path.
    sigma : σ of the first simulated bar, one an asset.
    recursion : `Recursion.table`.
    weights : of the portfolio, by asset.

    Returns
    -------
    asset × path, and a last row for the portfolio where `weights` are given.
    """
    checks.one_of("loss", loss, LOSSES)
    return _every_loss(score, low_score, picks, sigma, recursion, weights)[loss]


def _every_loss(
    score: np.ndarray,
    low_score: np.ndarray,
    picks: np.ndarray,
    sigma: np.ndarray,
    recursion: np.ndarray,
    weights: np.ndarray | None,
) -> dict[str, np.ndarray]:
    picks = own(picks if picks.ndim == 3 else picks[None], np.int64)
    held = np.zeros(len(sigma)) if weights is None else own(weights)
    least, travelled = np.empty((2, len(sigma), picks.shape[2]))
    account = np.empty((2, picks.shape[2]))
    _kernels.joint(
        own(score),
        own(low_score),
        picks,
        own(sigma),
        own(recursion),
        held,
        least,
        travelled,
        account,
    )
    found = {"close_out": 1.0 - np.exp(least), "end": 1.0 - np.exp(travelled)}
    if weights is None:
        return found
    return {
        loss: np.concatenate([alone, total[None]])
        for (loss, alone), total in zip(found.items(), account, strict=True)
    }


def today(
    log_returns: pd.DataFrame,
    bars: int,
    confidence: float | Sequence[float],
    rng: np.random.Generator,
    *,
    volatility: pd.DataFrame | None = None,
    low: pd.DataFrame | None = None,
    weights: pd.Series | None = None,
    paths: int = 20_000,
    recursion: Recursion | None = None,
) -> pd.DataFrame:
    """VaR and ES over the next `bars` bars, from all bars that every asset has.

    Parameters
    ----------
    log_returns : time × asset.
    volatility : σ stamped t for t+1, every asset with one on the last row; EWMA 0.94 where not
        given.
    low : log excursions; closes only where not given.
    weights : by asset, for rows of the portfolio under the weights' name.
    recursion : EWMA 0.94 where not given.

    Returns
    -------
    Table: asset, loss, bars, confidence, var, es, error (Monte Carlo standard error of the ES),
    beyond (drawn bars beyond the level), root (ES of one bar times the square root of `bars`, to
    show what that rule would say; nothing uses it).

    Raises
    ------
    EstimationError : an asset without σ today, or no bar that all assets share.
    """
    levels = [checks.fraction("confidence", c) for c in np.atleast_1d(confidence).tolist()]
    checks.whole("bars", bars)
    given = frames(log_returns, volatility, low)
    previous = given.volatility.shift(1)
    score = (given.log_returns / previous).to_numpy()
    low_score = (given.low / previous).to_numpy()
    known = np.isfinite(score).all(axis=1) & np.isfinite(low_score).all(axis=1)
    sigma = given.volatility.iloc[-1]
    if sigma.isna().any() or not known.any():
        missing = ", ".join(sigma.index[sigma.isna()]) or "all assets together"
        raise EstimationError(f"no volatility for {missing} at the last bar; leave the asset out")
    names, held = list(log_returns.columns), None
    if weights is not None:
        full = portfolio.aligned(weights, log_returns.columns)
        names, held = [*names, full.name], full.to_numpy()
    recursion = (Recursion.ewma() if recursion is None else recursion).table(len(sigma))
    picks = rng.integers(0, known.sum(), (bars, checks.whole("paths", paths)))
    once = np.arange(known.sum())[None]  # one bar needs no draw
    fixed = sigma.to_numpy(), recursion, held
    ahead, first = (
        _every_loss(score[known].T, low_score[known].T, drawn, *fixed) for drawn in (picks, once)
    )
    rows = []
    for loss in LOSSES:
        several, single = (shortfall.drawn(made[loss], levels) for made in (ahead, first))
        for level, (var, es, error), (_, one_bar, _) in zip(levels, several, single, strict=True):
            count = shortfall.beyond(int(known.sum()), level)
            root = np.sqrt(bars) * one_bar
            for name, *figures in zip(names, var, es, error, root, strict=True):
                rows.append((name, loss, bars, level, *figures, count))
    rows.sort(key=lambda row: (list(LOSSES).index(row[1]), names.index(row[0])))
    columns = ["asset", "loss", "bars", "confidence", "var", "es", "error", "root", "beyond"]
    found = pd.DataFrame(rows, columns=columns)
    return found[[*columns[:-2], "beyond", "root"]]
