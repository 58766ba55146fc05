"""Is a rate of exceedance kept, where windows overlap, assets fall together and hits cluster?

Losses over h bars from every bar share h − 1 of them with the next, so that a single fall is
counted up to h times, once more for each asset that falls with it: the exact binomial law of the
count is far off.  Two answers, one that uses every window and one that assumes nothing.

`exceedance_rate` uses all windows.  The assets of a date are one observation,
``y_t = Σ_i (I_ti − r)`` with r the rate seen, and the variance of the count is its HAC sum

    V = Σ_t y_t² + 2 Σ_k (1 − k/(L + 1)) Σ_t y_t y_{t−k},     d = V / (n r (1 − r)),

so that d windows count as one.  The p-value is the exact binomial one of x/d exceedances in n/d
trials, which stays right at the handful of exceedances where a normal law of the rate does not
(Rao and Scott 1992; Korn and Graubard 1998).  Bartlett weights with ``L = 1.3 √T`` (Lazarus, Lewis,
Stock and Watson 2018) in place of the equal ones over h − 1 lags of Hansen and Hodrick (1980):
these can be negative, and see no clusters beyond the overlap.

`sub_samples` takes the h series of windows that do not overlap, each asset by itself, with the
exact binomial p of each, corrected for their number by Holm (1979): valid whatever the dependence
between assets and between series, as long as an asset's own windows are independent, which they
are not where volatility clusters and the limit does not follow it.
"""

import bisect
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betainc

from xcoll import checks
from xcoll.errors import EstimationError

__all__ = ["Rate", "exceedance_rate", "exceedances", "sub_samples"]

LEAST_BARS = 30  # under a month of days a HAC sum has nothing to go by


@dataclass(frozen=True)
class Rate:
    """Exceedances of a limit and whether they are more, or fewer, than promised.

    Attributes
    ----------
    exceedances, windows : int
        How many of how many, over all assets.
    expected, rate : float
        Promised number, and share seen.
    design : float
        Windows that count as one, at least 1.
    bound : int
        Largest number of exceedances that is not rejected one-sided at `size`.
    more, fewer : float
        One-sided p-values: of at least, and of at most, as many exceedances.
    size : float
        Of the test behind `bound`.
    """

    exceedances: int
    windows: int
    expected: float
    rate: float
    design: float
    bound: int
    more: float
    fewer: float
    size: float

    @property
    def two_sided(self) -> float:
        """Twice the smaller one-sided p-value, at most 1."""
        return min(1.0, 2.0 * min(self.more, self.fewer))


def exceedances(losses: pd.DataFrame, limits: pd.DataFrame) -> pd.DataFrame:
    """1 where a loss is above its limit, 0 where not, NaN where either is unknown; time × asset.

    Both frames are stamped at the decision: the limit in force at the close of t, the loss of the
    window that begins there.
    """
    known = losses.notna() & limits.notna()
    return losses.gt(limits).astype(float).where(known)


def exceedance_rate(
    hits: pd.DataFrame,
    probability: float,
    bars: int = 1,
    lags: int | None = None,
    size: float = 0.05,
) -> Rate:
    """Is the pooled rate of exceedance the `probability` that was promised?

    Parameters
    ----------
    hits : DataFrame
        time × asset, 1, 0 or NaN (unknown), as of `exceedances`, every bar in time order.
    probability : float
        Promised for each window, in (0, 1).
    bars : int
        Bars of a window: 1 does not overlap.
    lags : int, optional
        Of the HAC sum; by default the larger of ``1.3 √T`` and twice the window.  0 with one asset
        is the exact binomial test.
    size : float
        Of the test behind the bound, in (0, 1).

    Returns
    -------
    Rate
        Without an exceedance, or with nothing else, no cluster can be seen: all windows that
        overlap and all assets of a date then count as one.

    Raises
    ------
    EstimationError
        Fewer than 30 dates with a window, as few dates as lags, or values other than 1, 0 and NaN.

    Notes
    -----
    Simulated on 1,460 dates of overlapping sums, 1 and 11 assets (correlation 0.6), Student t with
    4 degrees of freedom, at 0.4 and 1 %: `more` rejects 2 to 6 % of true rates at 5 %, where the
    plain one-sided binomial test rejects 12 to 33 %; also where volatility clusters (GARCH) and the
    limit does not follow it.  `fewer` rejects 2 to 12 % of independent losses, and up to 23 % where
    volatility clusters, for a calm sample hides its clusters: judge by `more`.
    """
    table = _checked(hits)
    p, h = checks.fraction("probability", probability), checks.whole("bars", bars)
    checks.fraction("size", size)
    listed = np.isfinite(table).sum(axis=1)
    n, T = int(listed.sum()), int((listed > 0).sum())
    if T < LEAST_BARS:
        raise EstimationError(f"exceedances on {T} dates; at least {LEAST_BARS} are needed")
    L = (
        max(int(np.ceil(1.3 * np.sqrt(T))), 2 * h)
        if lags is None
        else checks.whole("lags", lags, 0)
    )
    if L >= T:
        raise EstimationError(f"{L} lags on {T} dates; take fewer lags, or shorter windows")
    x = int(np.nansum(table))
    r = x / n
    y = np.nansum(table, axis=1) - r * listed
    V = float(y @ y) + 2.0 * sum(
        (1.0 - k / (L + 1)) * float(y[k:] @ y[:-k]) for k in range(1, L + 1)
    )
    d = max(V / (n * r * (1.0 - r)), 1.0) if 0 < x < n else h * n / T

    def chance(k: float) -> float:  # of at least k exceedances
        return float(_at_least(k, n, p, d))

    return Rate(
        exceedances=x,
        windows=n,
        expected=n * p,
        rate=r,
        design=d,
        bound=bisect.bisect_left(range(n + 1), x=True, key=lambda k: chance(k) <= size) - 1,
        more=chance(x),
        fewer=1.0 - chance(x + d),
        size=size,
    )


def sub_samples(hits: pd.DataFrame, probability: float, bars: int = 1) -> pd.DataFrame:
    """Exact binomial p of every series of windows that do not overlap, one asset each.

    Parameters
    ----------
    hits, probability, bars
        As of `exceedance_rate`.

    Returns
    -------
    DataFrame
        asset, start (bars after the first, 0 … bars − 1), windows, exceedances, p (one-sided, of at
        least as many), adjusted (Holm).  The smallest `adjusted` is the p-value that the rate is
        kept everywhere; a series without a window is left out.

    Raises
    ------
    EstimationError
        No window at all, or values other than 1, 0 and NaN.
    """
    table = _checked(hits)
    p, h = checks.fraction("probability", probability), checks.whole("bars", bars)
    counts = {
        (asset, start): (int(np.isfinite(series).sum()), int(np.nansum(series)))
        for column, asset in enumerate(hits.columns)
        for start in range(h)
        for series in [table[start::h, column]]
    }
    rows = [(*key, n, x) for key, (n, x) in counts.items() if n]
    if not rows:
        raise EstimationError("no window has both a loss and a limit; align the two frames")
    found = pd.DataFrame(rows, columns=["asset", "start", "windows", "exceedances"])
    chance = _at_least(found["exceedances"].to_numpy(), found["windows"].to_numpy(), p, 1.0)
    return found.assign(p=chance, adjusted=_holm(chance))


def _at_least(x: float | np.ndarray, n: int | np.ndarray, p: float, d: float) -> np.ndarray:
    # P(X ≥ x) of n/d trials, X in units of 1/d: the regularised incomplete beta function
    x, n = np.asarray(x, dtype=float), np.asarray(n)
    none, all_ = x <= 0.0, x > n
    inside = np.where(none | all_, 1.0, x)
    chance = betainc(inside / d, (n - inside) / d + 1.0, p)
    return np.where(none, 1.0, np.where(all_, 0.0, chance))


def _holm(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _checked(hits: pd.DataFrame) -> np.ndarray:
    if not hits.index.is_monotonic_increasing or not hits.index.is_unique:
        raise EstimationError("the times of the hits are unsorted or repeat; sort them")
    table = hits.to_numpy(dtype=float)
    wrong = np.isfinite(table) & (table != 0.0) & (table != 1.0) | np.isinf(table)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise EstimationError(
            f"hit of {hits.columns[column]} at {hits.index[row]} is {table[row, column]:g}; "
            "give 1, 0 or NaN, as `exceedances` does"
        )
    return table
