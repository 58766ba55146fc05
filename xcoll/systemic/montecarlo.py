"""The distribution of bad debt over a horizon: plain draws, and draws pushed into the far tail.

With ``w = f/q`` the likelihood ratio of the law over what was drawn from,

    P(L > x)  = mean(w·1{L > x})
    VaR_α     : the smallest x with P(L > x) ≤ 1 − α
    ES_α      = VaR_α + mean(w·(L − VaR_α)⁺)/(1 − α)          (Rockafellar and Uryasev, 2002)

whose error is that of the mean, for ES does not change with VaR to first order.

Draws are pushed along one direction u, towards a shock that costs much.  With ``y = u·z`` the
distance of a shock along it, in standard deviations,

    q(y) = s·f(y) + (1 − s)·g(y),     g Lomax from 0.6·r on with scale r and exponent 3,

r the distance of that shock; all other coordinates follow y as under the law itself, so that the
weight is ``f(y)/q(y)``, a number of one dimension, and never above 1/s (Hesterberg, 1995).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from xcoll import checks
from xcoll.errors import EstimationError, ParameterError
from xcoll.systemic.shocks import Law

__all__ = ["Sample", "by_venue", "draw", "tail", "var_es"]

ROUNDING = 1e-9  # of a probability
NEAR, EXPONENT = 0.6, 3.0  # where pushed draws begin, and how fast they thin out


@dataclass(frozen=True)
class Sample:
    """Draws of log moves with their weights.

    Attributes
    ----------
    moves : draw × asset.
    weight : likelihood ratio by draw; 1 for plain draws.
    """

    moves: np.ndarray
    weight: np.ndarray


def draw(
    law: Law,
    count: int,
    rng: np.random.Generator,
    toward: np.ndarray | None = None,
    itself: float = 0.2,
) -> Sample:
    """`count` draws, of the law alone or pushed towards a shock.

    Parameters
    ----------
    toward : log moves by asset, such as those of `reverse.search`; None for plain draws.
    itself : share s of the draws that is the law's own, in (0, 1).
    """
    checks.whole("count", count)
    if toward is None:
        return Sample(law.draw(count, rng), np.ones(count))
    checks.fraction("itself", itself)
    toward = np.asarray(toward, dtype=float)
    if toward.shape != (len(law.assets),) or not toward.any():
        raise ParameterError(
            f"toward has shape {toward.shape}; give one log move for each of {len(law.assets)} "
            "assets, some of them not zero"
        )
    aim = law.whiten(toward)[0]
    r = float(np.linalg.norm(aim))
    u, z = aim / r, law.whiten(law.draw(count, rng))
    far = stats.lomax(EXPONENT, loc=NEAR * r, scale=r)
    own = z @ u
    y = np.where(rng.random(count) < itself, own, far.rvs(count, random_state=rng))
    across = z - np.outer(own, u)
    if np.isfinite(law.nu):  # how wide the others are depends on how far y is
        across *= np.sqrt((law.nu - 2.0 + y**2) / (law.nu - 2.0 + own**2))[:, None]
    density = law.along(y)
    weight = density / (itself * density + (1.0 - itself) * far.pdf(y))
    return Sample((across + np.outer(y, u)) @ law.root.T, weight)


def var_es(losses: np.ndarray, weight: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """VaR, ES and the standard error of ES of weighted losses.

    Parameters
    ----------
    losses, weight : by draw; losses positive, weights with mean 1.

    Raises
    ------
    EstimationError
        What lies beyond VaR (where it is zero: what loses anything) is worth fewer than ten draws,
        ``(Σw)²/Σw²`` (Kish, 1965).
    """
    alpha = 1.0 - checks.fraction("confidence", confidence)
    n = len(losses)
    order = np.argsort(-losses, kind="stable")
    beyond = np.cumsum(weight[order]) / n  # P(L ≥ x) at the sorted losses
    place = int(np.searchsorted(beyond, alpha * (1.0 + ROUNDING), side="right"))
    var = float(losses[order[min(place, n - 1)]])
    there = weight[order[:place]] if var > 0.0 else weight[losses > 0.0]
    count = there.sum() ** 2 / max((there**2).sum(), 1e-300)  # draws of one weight worth as much
    if count < 10.0 and losses.any():
        raise EstimationError(
            f"what lies beyond the {confidence:.3%} quantile is worth {count:.1f} draws of {n}; "
            "give more, or push them towards a shock that costs about as much as the quantile"
        )
    excess = weight * np.maximum(losses - var, 0.0) / alpha
    return var, var + float(excess.mean()), float(excess.std(ddof=1) / np.sqrt(n))


def tail(
    samples: dict[str, tuple[np.ndarray, np.ndarray]],
    confidences: list[float],
    level: float = 0.90,
    replications: int = 400,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """VaR and ES with intervals of several samples.

    Parameters
    ----------
    samples : name → losses and weights.
    level : of the intervals: of VaR by a bootstrap of the draws, of ES by its standard error.
    rng : of the bootstrap.

    Returns
    -------
    DataFrame
        ``case``, ``confidence``, ``draws``, ``var``, ``var_low``, ``var_high``, ``es``, ``es_low``,
        ``es_high``, ``es_error``, ``variance`` (of one draw for ES: error² × draws) and
        ``variance_plain`` (what that of a plain draw would be, by the same weighted draws).
    """
    rng = np.random.default_rng(0) if rng is None else rng
    z, rows = stats.norm.ppf(0.5 + level / 2.0), []
    for name, (losses, weight) in samples.items():
        n = len(losses)
        picks = [rng.integers(0, n, n) for _ in range(replications)]
        for confidence in confidences:
            var, es, error = var_es(losses, weight, confidence)
            again = [_quantile(losses[p], weight[p], confidence) for p in picks]
            low, high = np.quantile(again, [0.5 - level / 2.0, 0.5 + level / 2.0])
            excess = np.maximum(losses - var, 0.0) / (1.0 - confidence)
            plain = float((weight * excess**2).mean() - (weight * excess).mean() ** 2)
            ends = (es - z * error, es + z * error, error, error**2 * n, plain)
            rows.append((name, confidence, n, var, low, high, es, *ends))
    columns = ["case", "confidence", "draws", "var", "var_low", "var_high", "es", "es_low"]
    return pd.DataFrame(
        rows, columns=[*columns, "es_high", "es_error", "variance", "variance_plain"]
    )


def by_venue(
    losses: pd.DataFrame, weight: np.ndarray, confidence: float, level: float = 0.90
) -> pd.DataFrame:
    """VaR and ES of each column of `losses`, draw × venue.

    Returns
    -------
    DataFrame
        ``venue``, ``confidence``, ``losing`` (draws that lose anything), ``var``, ``es``,
        ``es_low``, ``es_high``; NaN where too few draws lose for a number, see `var_es`.
    """
    z, rows = stats.norm.ppf(0.5 + level / 2.0), []
    for venue, column in losses.items():
        lost = column.to_numpy(dtype=float)
        try:
            var, es, error = var_es(lost, weight, confidence)
        except EstimationError:
            var = es = error = float("nan")
        losing = int(np.count_nonzero(lost))
        low = np.maximum(es - z * error, 0.0)  # nobody gains
        rows.append((venue, confidence, losing, var, es, low, es + z * error))
    columns = ["venue", "confidence", "losing", "var", "es", "es_low", "es_high"]
    return pd.DataFrame(rows, columns=columns)


def _quantile(losses: np.ndarray, weight: np.ndarray, confidence: float) -> float:
    order = np.argsort(-losses, kind="stable")
    beyond = np.cumsum(weight[order]) / len(losses)
    place = int(np.searchsorted(beyond, (1.0 - confidence) * (1.0 + ROUNDING), side="right"))
    return float(losses[order[min(place, len(losses) - 1)]])
