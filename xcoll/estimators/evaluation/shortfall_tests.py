"""Is the mean loss beyond the VaR the one that was promised?

    McNeil–Frey         exceedance residuals (L - ES)/s have mean zero      2000
    Z1                  1 - mean of L/ES over hits                          Acerbi–Székely 2014
    Z2                  1 - Σ L·1[L > VaR] / (n p ES)                       Acerbi–Székely 2014
    Costanzino–Curran   mean of (1 - u/p)·1[u <= p], u the tail chance of L 2015
    Nolde–Ziegel        both identification functions have mean zero        2017

Z1 and Z2 are negative where the ES is too low, as in the paper; all are one-sided
against an ES that is too low (Nolde–Ziegel by choice).

Z1, Z2, Costanzino–Curran and Nolde–Ziegel can be simulated only from a law of the losses, and a
table of VaR and ES holds none.  The law taken is the Pareto tail that has this VaR and this ES,

    P(L > x | L > VaR) = (x / VaR)^(-1/ξ),   ξ = 1 - VaR/ES,

the power tail with nothing left to choose.  It is heavier than a normal tail with the same two
numbers, so its p-values are a little cautious where losses are normal.
"""

import numpy as np
from scipy.special import chdtrc, ndtr, stdtr

from xcoll.errors import EstimationError
from xcoll.estimators.evaluation.inputs import Hits, Result, aligned, missing, share

__all__ = [
    "Z2_CRITICAL",
    "costanzino_curran",
    "exceedance_residuals",
    "mcneil_frey",
    "mcneil_frey_bootstrap",
    "nolde_ziegel",
    "nolde_ziegel_general",
    "nolde_ziegel_statistic",
    "tail_chance",
    "tail_ratio",
    "z1",
    "z2",
]

Z2_CRITICAL = -0.70  # Acerbi and Székely 2014: 5 %, 250 bars, 97.5 %, for many tails


def exceedance_residuals(
    losses: np.ndarray, var: np.ndarray, es: np.ndarray, scale: np.ndarray | None = None
) -> np.ndarray:
    """`(L - ES) / s` of the hits, s the forecast σ where given, else the ES itself."""
    L, v, e = aligned(losses, var, es)
    s = e if scale is None else aligned(scale, scale, scale)[0]
    if s.shape != L.shape:
        raise EstimationError(f"scale has {s.size} values for {L.size} losses; give one a bar")
    hit = v < L
    return (L[hit] - e[hit]) / s[hit]


def mcneil_frey(residuals: np.ndarray) -> Result:
    """Is the mean of exceedance residuals above zero (McNeil and Frey 2000)?  One-sided.

    The asymptotic p-value is Student's; the one of the authors is `mcneil_frey_bootstrap`.
    Missing with fewer than three exceedances, or residuals that do not differ.
    """
    x = len(residuals)
    if x < 3:
        return missing(f"{x} exceedances, McNeil–Frey needs three")
    error = residuals.std(ddof=1) / np.sqrt(x)
    if error <= 1e-12 * np.abs(residuals).max():
        return missing("the exceedance residuals are all the same")
    statistic = float(residuals.mean() / error)
    return Result(statistic, float(stdtr(x - 1, -statistic)))


def mcneil_frey_bootstrap(
    residuals: np.ndarray, rng: np.random.Generator, replications: int = 999
) -> float:
    """p-value of `mcneil_frey` from resampled centred residuals (Efron and Tibshirani 1993).

    Resamples whose values are all the same have no statistic and are counted as not above.
    """
    found = mcneil_frey(residuals)
    if found.reason:
        return np.nan
    x = len(residuals)
    drawn = (residuals - residuals.mean())[rng.integers(0, x, (replications, x))]
    error = drawn.std(axis=1, ddof=1) / np.sqrt(x)
    above = drawn.mean(axis=1) >= found.statistic * error
    return float((1 + (above & (error > 0.0)).sum()) / (replications + 1))


def z1(losses: np.ndarray, var: np.ndarray, es: np.ndarray) -> Result:
    """Acerbi and Székely's first statistic, whatever the number of hits; missing without any.

    The asymptotic p-value is that of the mean's t ratio.
    """
    L, v, e = aligned(losses, var, es)
    hit = v < L
    x = int(hit.sum())
    if x < 2:
        return missing(f"{x} exceedances, Z1 needs two")
    return _mean_below_zero(1.0 - L[hit] / e[hit])


def z2(losses: np.ndarray, var: np.ndarray, es: np.ndarray, confidence: float) -> Result:
    """Acerbi and Székely's second statistic, of size and number of the exceedances together.

    Under -0.70 it is rejected at 5 % for 250 bars and 97.5 %; the asymptotic p-value is that of
    the mean's t ratio, and one where there is no exceedance.
    """
    L, v, e = aligned(losses, var, es)
    return _mean_below_zero(1.0 - (v < L) * L / (share(confidence) * e))


def tail_ratio(var: np.ndarray, es: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """`L / ES` of a hit whose chance of a larger loss, given a hit, is `chance`: Pareto tail."""
    return var / es * chance ** (var / es - 1.0)


def tail_chance(
    losses: np.ndarray, var: np.ndarray, es: np.ndarray, confidence: float
) -> np.ndarray:
    """Forecast chance u of a loss above the realised one, by the Pareto tail; one without a hit.

    Methods that forecast a whole law know u better: take one less the probability transform.
    """
    L, v, e = aligned(losses, var, es)
    xi = np.maximum(1.0 - v / e, 1e-9)
    return np.where(v < L, share(confidence) * np.maximum(L / v, 1.0) ** (-1.0 / xi), 1.0)


def costanzino_curran(chance: np.ndarray, confidence: float) -> Result:
    """Coverage of the whole tail beyond the level, by N(0, 1), one-sided.

    `Z = √n (mean H - p/2) / √(p (4 - 3p) / 12)`, `H = (1 - u/p) 1[u <= p]`.

    Parameters
    ----------
    chance : u, the forecast chance of a loss at least as large as the realised one
        (`tail_chance`, or 1 - the probability integral transform).
    """
    u, p = np.asarray(chance, float), share(confidence)
    if u.ndim != 1 or not u.size or not ((u >= 0.0) & (u <= 1.0)).all():
        raise EstimationError("chances are one row of numbers in [0, 1], one a bar")
    H = np.maximum(1.0 - u / p, 0.0)
    statistic = np.sqrt(len(u)) * (H.mean() - p / 2.0) / np.sqrt(p * (4.0 - 3.0 * p) / 12.0)
    return Result(float(statistic), float(ndtr(-statistic)))


def nolde_ziegel(
    losses: np.ndarray, var: np.ndarray, es: np.ndarray, confidence: float, one_sided: bool = True
) -> Result:
    """Conditional calibration with the test function one.

    `V = (1[L > v] - p, 1[L > v](L - v)/p - (e - v))` has mean zero under a true model and above
    zero where VaR and ES are too low.  One-sided (the paper's super-calibration): the larger of
    the two t ratios `√n V̄_i / √Ω_ii`, with Bonferroni's p-value `2 (1 - Φ)`.  Two-sided:
    `n V̄' Ω^-1 V̄ ~ χ²(2)`.  Ω is the mean of V V'.

    The two-sided statistic is largest where there are *few* hits, for then Ω is small: its
    Monte Carlo version has next to no power against a forecast that is too low.

    Missing without an exceedance.
    """
    L, v, e = aligned(losses, var, es)
    rows, p = Hits.of(v < L), share(confidence)
    if not len(rows.bars):
        return missing("no exceedance, Nolde–Ziegel needs one")
    statistic = float(
        nolde_ziegel_statistic(rows, (L - v)[rows.bars], e - v, p, one_sided=one_sided)[0]
    )
    if np.isnan(statistic):
        return missing("the two identification functions are collinear")
    p_value = min(2.0 * ndtr(-statistic), 1.0) if one_sided else chdtrc(2, statistic)
    return Result(statistic, float(p_value))


def nolde_ziegel_general(
    losses: np.ndarray, var: np.ndarray, es: np.ndarray, volatility: np.ndarray, confidence: float
) -> Result:
    """Conditional calibration with test functions `(V1, |v| V1, V2, V2/σ)`, two-sided, χ²(4).

    Missing with fewer than five exceedances, under which the four moments cannot be told apart.
    """
    L, v, e = aligned(losses, var, es)
    sigma = aligned(volatility, volatility, volatility)[0]
    p, hit = share(confidence), v < L
    if hit.sum() < 5:
        return missing(f"{hit.sum()} exceedances, the general Nolde–Ziegel test needs five")
    calibration = hit - p, hit * (L - v) / p - (e - v)
    V = np.column_stack(
        [calibration[0], v * calibration[0], calibration[1], calibration[1] / sigma]
    )
    V = V / np.sqrt((V**2).mean(axis=0))
    omega, mean = V.T @ V / len(V), V.mean(axis=0)
    if np.linalg.cond(omega) > 1e12:
        return missing("the test functions are collinear: VaR or σ hardly move")
    statistic = float(len(V) * mean @ np.linalg.solve(omega, mean))
    return Result(statistic, float(chdtrc(4, statistic)))


def nolde_ziegel_statistic(
    hits: Hits, excess: np.ndarray, spread: np.ndarray, p: float, one_sided: bool = True
) -> np.ndarray:
    """Statistic of every row of hits; NaN without a hit, two-sided also where Ω is singular.

    Parameters
    ----------
    excess : L - VaR, one a hit.
    spread : ES - VaR, one a bar, the same for all rows.
    """
    n, x = hits.observations, hits.count
    d, y = spread[hits.bars], excess / p
    # Sums over bars of V1, V2 and their products; a bar without a hit has V = (-p, -spread).
    a, b = x - n * p, hits.total(y) - spread.sum()
    aa = x * (1.0 - 2.0 * p) + n * p * p
    bb = (spread**2).sum() + hits.total(y * y - 2.0 * d * y)
    undefined = np.full(len(x), np.nan)
    if one_sided:
        first = np.divide(a, np.sqrt(aa), out=undefined.copy(), where=x > 0)
        second = np.divide(b, np.sqrt(bb), out=undefined, where=(x > 0) & (bb > 0.0))
        return np.fmax(first, second)
    ab = hits.total(y - d - excess) + p * spread.sum()
    determinant = aa * bb - ab * ab
    known = (x > 0) & (determinant > 1e-12 * aa * bb)
    quadratic = bb * a * a - 2.0 * ab * a * b + aa * b * b
    # n V̄'Ω^-1 V̄ with sums for means: both n cancel.
    return np.divide(quadratic, determinant, out=undefined, where=known)


def _mean_below_zero(values: np.ndarray) -> Result:
    statistic = float(values.mean())
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    if error <= 0.0:
        return Result(statistic, 1.0 if statistic >= 0.0 else 0.0)
    return Result(statistic, float(ndtr(statistic / error)))
