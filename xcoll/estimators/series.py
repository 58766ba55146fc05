"""What every estimator asks of its returns: dated, finite, and without holes inside a listing."""

import numpy as np
import pandas as pd

from xcoll.errors import DataError, EstimationError

__all__ = ["checked", "listed"]


def checked(returns: pd.DataFrame) -> pd.DataFrame:
    """Wide returns as a float64 frame that an estimator can walk through.

    Parameters
    ----------
    returns : DataFrame
        time × asset; NaN before an asset's listing and after its delisting.

    Raises
    ------
    DataError
        No rows or columns, a column name twice, or a time index that is unsorted or repeats.
    EstimationError
        An infinity, or NaN between the first and the last return of an asset.
    """
    if not isinstance(returns, pd.DataFrame):
        raise DataError(f"returns are a {type(returns).__name__}; give a time × asset DataFrame")
    if returns.empty:
        raise DataError(f"returns are empty ({returns.shape[0]} rows, {returns.shape[1]} assets)")
    if not returns.columns.is_unique:
        twice = returns.columns[returns.columns.duplicated()][0]
        raise DataError(f"returns hold the column {twice!r} twice; keep one")
    try:
        frame = returns.astype(float)
    except (TypeError, ValueError):
        frame = pd.DataFrame({asset: _floats(returns[asset], asset) for asset in returns})
    known = np.isfinite(frame.to_numpy())
    stretches = known[0].astype(int) + (known[1:] & ~known[:-1]).sum(axis=0)
    ordered = frame.index.is_monotonic_increasing and frame.index.is_unique
    faulty = (stretches != 1) | np.isinf(frame.to_numpy()).any(axis=0) | (not ordered)
    for place in np.flatnonzero(faulty):
        listed(frame.iloc[:, place])  # says what is wrong
    return frame


def listed(returns: pd.Series) -> pd.Series:
    """The stretch of `returns` from its first to its last value; holes inside are refused.

    Raises
    ------
    DataError
        The index is unsorted or repeats.
    EstimationError
        No value at all, an infinity, or NaN inside the stretch.
    """
    asset = returns.name
    if not returns.index.is_monotonic_increasing or not returns.index.is_unique:
        raise DataError(f"{asset}: the time index is unsorted or repeats; sort it, drop repeats")
    values = _floats(returns, asset)
    if np.isinf(values).any():
        where = values.index[np.isinf(values)][0]
        raise EstimationError(f"{asset}: infinite return at {where}; check the price for a zero")
    first, last = values.first_valid_index(), values.last_valid_index()
    if first is None:
        raise EstimationError(f"{asset}: no return at all; leave the asset out")
    stretch = values.loc[first:last]
    if stretch.isna().any():
        holes = stretch.index[stretch.isna()]
        raise EstimationError(
            f"{asset}: {len(holes)} missing returns inside the series, the first at {holes[0]};"
            " fill the gap in the prices or start the asset after it"
        )
    return stretch


def _floats(series: pd.Series, asset: object) -> pd.Series:
    try:
        return series.astype(float)
    except (TypeError, ValueError) as error:
        raise DataError(f"{asset}: returns hold something that is no number ({error})") from error
