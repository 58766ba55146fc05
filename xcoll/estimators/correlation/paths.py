"""Correlation: paths, matrices now and in stress, tail dependence, alerts.

A path is a frame time × pair; a pair "BTC~ETH" names its assets in column order.  What is stamped
t uses returns up to and including t.  A pair is NaN until both assets have enough common bars.
"""

from collections.abc import Sequence
from itertools import combinations
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from scipy import stats
from scipy.signal import lfilter

from xcoll import checks
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators.series import checked

__all__ = [
    "alerts",
    "assets_of",
    "ewma",
    "first_eigenvalue_share",
    "matrix",
    "nearest",
    "pairs",
    "rank_correlation",
    "rolling",
    "stressed",
    "tail_dependence",
]

LEAST_BARS = 30  # common bars of a pair before its first value


def pairs(assets: Sequence[str]) -> list[str]:
    """Names of all pairs, first before second in the order of `assets`."""
    odd = [asset for asset in assets if "~" in str(asset)]
    if odd:
        raise DataError(f"the asset name {odd[0]!r} holds a ~, which separates a pair; rename it")
    return [f"{i}~{j}" for i, j in combinations(assets, 2)]


def assets_of(path: pd.DataFrame | pd.Series) -> list[str]:
    """Assets of a path (or of one row of it), in the order in which they appear."""
    names = path.columns if isinstance(path, pd.DataFrame) else path.index
    return list(dict.fromkeys(asset for pair in names for asset in pair.split("~")))


def rolling(returns: pd.DataFrame, window: int) -> pd.DataFrame:
    """Pearson correlation over the last `window` bars.

    Parameters
    ----------
    returns : DataFrame
        time × asset; NaN before listing and after delisting.

    Returns
    -------
    DataFrame
        time × pair; NaN until both assets have `window` bars, and where one was constant.

    Raises
    ------
    ParameterError
        Fewer rows than `window`.
    """
    frame = _frame(returns)
    window = checks.whole("window", window, 3)
    if len(frame) < window:
        raise ParameterError(f"the window is {window} bars, the returns have {len(frame)} rows")
    slices = sliding_window_view(frame.to_numpy(), window, axis=0)  # (time, asset, window)
    z = slices - slices.mean(axis=2, keepdims=True)
    spread = np.where(np.ptp(slices, axis=2) > 0.0, np.sqrt((z**2).sum(axis=2)), np.nan)
    z /= spread[:, :, None]
    i, j = np.triu_indices(frame.shape[1], k=1)
    path = pd.DataFrame(np.nan, frame.index, pairs(list(frame.columns)))
    path.iloc[window - 1 :] = np.clip((z @ z.transpose(0, 2, 1))[:, i, j], -1.0, 1.0)
    return path


def ewma(returns: pd.DataFrame, decay: float = 0.94, minimum: int = LEAST_BARS) -> pd.DataFrame:
    """RiskMetrics correlation: exponential weights, zero mean, over the bars a pair has in common.

        ρ_t = Σ λ^k r_{i,t−k} r_{j,t−k} / √(Σ λ^k r²_{i,t−k} · Σ λ^k r²_{j,t−k})

    Parameters
    ----------
    returns : DataFrame
        time × asset; NaN before listing and after delisting.
    decay : float
        λ in (0, 1); RiskMetrics Technical Document (1996) has 0.94 for days.
    minimum : int
        Common bars of a pair before its first value; NaN until then, and after a delisting.
    """
    checks.fraction("decay", decay)
    frame = _frame(returns)
    x = frame.to_numpy()
    i, j = np.triu_indices(frame.shape[1], k=1)
    both = np.isfinite(x[:, i]) & np.isfinite(x[:, j])
    first, second = np.where(both, x[:, i], 0.0), np.where(both, x[:, j], 0.0)

    def weighted(values: np.ndarray) -> np.ndarray:
        return lfilter([1.0], [1.0, -decay], values, axis=0)

    scale = np.sqrt(weighted(first**2) * weighted(second**2))
    known = both & (both.cumsum(axis=0) >= checks.whole("minimum", minimum, 2)) & (scale > 0.0)
    rho = np.divide(weighted(first * second), scale, where=known, out=np.full(scale.shape, np.nan))
    return pd.DataFrame(np.clip(rho, -1.0, 1.0), frame.index, pairs(list(frame.columns)))


def matrix(row: pd.Series, assets: Sequence[str] | None = None) -> pd.DataFrame:
    """One row of a path as a symmetric matrix with a unit diagonal.

    Raises
    ------
    EstimationError
        A pair of `assets` (default: all of the path) is missing or NaN.
    """
    assets = assets_of(row) if assets is None else list(assets)
    made = pd.DataFrame(np.eye(len(assets)), index=assets, columns=assets)
    for i, j in combinations(assets, 2):
        value = row.get(f"{i}~{j}", row.get(f"{j}~{i}", np.nan))
        if not np.isfinite(value):
            raise EstimationError(f"no correlation of {i} and {j}; leave one of them out")
        made.loc[i, j] = made.loc[j, i] = value
    return made


def nearest(
    correlation: pd.DataFrame, floor: float = 1e-8, tolerance: float = 1e-10
) -> pd.DataFrame:
    """The nearest correlation matrix in the Frobenius norm (Higham 2002, algorithm 3.3).

    Alternating projections with Dykstra's correction between the matrices with eigenvalues of at
    least `floor` and those with a unit diagonal.  A matrix that is in both comes back unchanged.

    Raises
    ------
    EstimationError
        Not symmetric, not finite, or no convergence in 10,000 projections.
    """
    a = correlation.to_numpy(dtype=float)
    if not np.isfinite(a).all() or not np.allclose(a, a.T, rtol=0.0, atol=1e-12):
        raise EstimationError("the matrix to repair is not symmetric and finite")
    if np.array_equal(np.diag(a), np.ones(len(a))) and np.linalg.eigvalsh(a)[0] >= floor:
        return correlation.copy()
    y, correction = a.copy(), np.zeros_like(a)
    for _ in range(10_000):
        r = y - correction
        values, vectors = np.linalg.eigh(r)
        x = (vectors * np.maximum(values, floor)) @ vectors.T
        correction = x - r
        previous, y = y, x.copy()
        np.fill_diagonal(y, 1.0)
        if np.abs(y - previous).max() < tolerance:
            made = (y + y.T) / 2.0
            return pd.DataFrame(made, index=correlation.index, columns=correlation.columns)
    raise EstimationError("no nearest correlation matrix after 10,000 projections")


def stressed(
    path: pd.DataFrame, quantile: float, assets: Sequence[str] | None = None
) -> pd.DataFrame:
    """Each off-diagonal at a quantile of its own path, repaired to the nearest correlation matrix.

    A high and a low one belong together: a book that is long one asset and owes another loses
    when they part.

    Parameters
    ----------
    path : DataFrame
        time × pair.
    quantile : float
        In (0, 1): 0.95 for the high matrix, 0.05 for the low one.

    Raises
    ------
    EstimationError
        A pair without a single value.
    """
    checks.fraction("quantile", quantile)
    return nearest(matrix(path.quantile(quantile), assets))


def first_eigenvalue_share(path: pd.DataFrame, assets: Sequence[str] | None = None) -> pd.Series:
    """Share of the variance that the first common factor has, by date.

    The largest eigenvalue of the correlation matrix over the number of assets; NaN where a pair
    of `assets` (default: all of the path) has no value yet.
    """
    assets = assets_of(path) if assets is None else list(assets)
    column = {pair: k for k, pair in enumerate(path.columns)}
    rho = np.ones((len(path), len(assets), len(assets)))
    for (a, i), (b, j) in combinations(enumerate(assets), 2):
        at = column.get(f"{i}~{j}", column.get(f"{j}~{i}"))
        if at is None:
            raise EstimationError(f"the path has no pair of {i} and {j}; leave one of them out")
        rho[:, a, b] = rho[:, b, a] = path.iloc[:, at]
    share = pd.Series(np.nan, index=path.index, name="first_eigenvalue_share")
    known = np.isfinite(rho).all(axis=(1, 2))
    share[known] = np.linalg.eigvalsh(rho[known])[:, -1] / len(assets)
    return share


def alerts(
    path: pd.DataFrame,
    assets: Sequence[str] | None = None,
    quantile: float = 0.95,
    jump_quantile: float = 0.99,
    minimum: int = 250,
) -> pd.DataFrame:
    """Days on which correlation left its own past.

    A "pair" alert is the bar on which a pair rises above the `quantile` of its path up to the bar
    before; a "factor" alert is a rise of the first eigenvalue's share, over one bar, above the
    `jump_quantile` of the changes up to the bar before.

    Parameters
    ----------
    path : DataFrame
        time × pair.
    assets : sequence, optional
        Of the first eigenvalue (default: all of the path).
    minimum : int
        Values of a pair's past before its first alert.

    Returns
    -------
    DataFrame
        time, kind ("pair" or "factor"), name, value, threshold, in order of time; the value of a
        factor alert is the change of the share.
    """
    checks.fraction("quantile", quantile)
    checks.fraction("jump_quantile", jump_quantile)
    least = checks.whole("minimum", minimum, 2)
    known = path.expanding(min_periods=least).quantile(quantile).shift(1)
    above = path > known
    entered = above & ~above.shift(1, fill_value=False)
    change = first_eigenvalue_share(path, assets).diff().to_frame("first_eigenvalue_share")
    limit = change.expanding(min_periods=least).quantile(jump_quantile).shift(1)
    found = [
        _events("pair", path, known, entered),
        _events("factor", change, limit, change > limit),
    ]
    together = pd.concat(found, ignore_index=True)
    return together.sort_values(["time", "kind", "name"], kind="stable", ignore_index=True)


def tail_dependence(
    returns: pd.DataFrame, quantile: float = 0.05, confidence: float = 0.9
) -> pd.DataFrame:
    """How often one asset is in its lower tail when the other one is, from ranks.

        λ = #{rank_i ≤ k and rank_j ≤ k} / k,      k = ⌊quantile · n⌋

    Parameters
    ----------
    returns : DataFrame
        time × asset; returns, or standardised residuals for the part that is not volatility.
    quantile : float
        Share of the common bars that counts as the tail.
    confidence : float
        Of the interval (Wilson 1927; it takes the tail days as independent).

    Returns
    -------
    DataFrame
        pair, bars (in common), rank_correlation (sin(πτ/2) by Kendall's τ), tail_bars (k),
        coefficient, low, high.

    Raises
    ------
    EstimationError
        Two assets with fewer than five common bars in the tail.
    """
    checks.fraction("quantile", quantile)
    z = NormalDist().inv_cdf(0.5 + checks.fraction("confidence", confidence) / 2)
    frame = _frame(returns)
    names = pairs(list(frame.columns))
    rows = []
    for pair, (i, j) in zip(names, combinations(frame.columns, 2), strict=True):
        common = frame[[i, j]].dropna().to_numpy()
        k = int(quantile * len(common))
        if k < 5:
            raise EstimationError(
                f"{pair}: {len(common)} common bars leave {k} in the tail, 5 are needed;"
                " raise the quantile or leave one out"
            )
        share = float((stats.rankdata(common, axis=0) <= k).all(axis=1).sum()) / k
        middle = (share + z**2 / (2 * k)) / (1 + z**2 / k)
        half = z * np.sqrt(share * (1 - share) / k + z**2 / (4 * k**2)) / (1 + z**2 / k)
        rho = rank_correlation(common)
        rows.append([pair, len(common), rho, k, share, middle - half, middle + half])
    columns = ["pair", "bars", "rank_correlation", "tail_bars", "coefficient", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def rank_correlation(both: np.ndarray) -> float:
    """Correlation of the elliptical copula of two columns, sin(πτ/2) by Kendall's τ."""
    return float(np.sin(np.pi * stats.kendalltau(both[:, 0], both[:, 1]).statistic / 2.0))


def _frame(returns: pd.DataFrame) -> pd.DataFrame:
    frame = checked(returns)
    if frame.shape[1] < 2:
        raise EstimationError(f"correlation needs two assets, the returns have {frame.shape[1]}")
    return frame


def _events(
    kind: str, values: pd.DataFrame, threshold: pd.DataFrame, when: pd.DataFrame
) -> pd.DataFrame:
    at, which = np.nonzero(when.to_numpy())
    return pd.DataFrame(
        {
            "time": values.index[at],
            "kind": pd.Series([kind] * len(at), dtype="str"),
            "name": pd.Series(values.columns[which], dtype="str"),
            "value": values.to_numpy()[at, which],
            "threshold": threshold.to_numpy()[at, which],
        }
    )
