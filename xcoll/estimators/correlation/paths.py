"""Paths of correlation by a rolling window and by exponential weights.

A path is a frame time × pair; a pair "BTC~ETH" names its assets in column order.  What is stamped
t uses returns up to and including t.  A pair is NaN until both assets have enough common bars.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from xcoll import checks
from xcoll._jit import own
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators.correlation import _kernels
from xcoll.estimators.series import checked

__all__ = ["LEAST_BARS", "assets_of", "ewma", "matrices", "matrix", "pairs", "rolling", "several"]

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

    One pass with sliding sums about the window's own mean, taken afresh at least every `window`
    bars: within 1e-13 of the direct formula, also right after a huge return has left the window.

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
    frame = several(returns)
    window = checks.whole("window", window, 3)
    if len(frame) < window:
        raise ParameterError(f"the window is {window} bars, the returns have {len(frame)} rows")
    names = pairs(list(frame.columns))
    path = np.full((len(frame), len(names)), np.nan)
    _kernels.rolling(own(frame.to_numpy()), window, path)
    return pd.DataFrame(path, frame.index, names, copy=False)


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
    frame = several(returns)
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


def matrices(path: pd.DataFrame, assets: Sequence[str] | None = None) -> np.ndarray:
    """All rows of a path as matrices, time × asset × asset; NaN where a pair has no value.

    Raises
    ------
    EstimationError
        The path has no column of a pair of `assets` (default: all of the path).
    """
    assets = assets_of(path) if assets is None else list(assets)
    column = {pair: k for k, pair in enumerate(path.columns)}
    values = path.to_numpy(dtype=float)
    rho = np.ones((len(path), len(assets), len(assets)))
    for (a, i), (b, j) in combinations(enumerate(assets), 2):
        at = column.get(f"{i}~{j}", column.get(f"{j}~{i}"))
        if at is None:
            raise EstimationError(f"the path has no pair of {i} and {j}; leave one of them out")
        rho[:, a, b] = rho[:, b, a] = values[:, at]
    return rho


def several(returns: pd.DataFrame) -> pd.DataFrame:
    """Returns of two assets or more, as `series.checked` wants them."""
    frame = checked(returns)
    if frame.shape[1] < 2:
        raise EstimationError(f"correlation needs two assets, the returns have {frame.shape[1]}")
    return frame
