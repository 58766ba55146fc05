"""The frames that every tail method starts from, checked once."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll.errors import DataError, EstimationError
from xcoll.estimators import series
from xcoll.estimators.volatility import ewma

__all__ = ["Frames", "frames"]


@dataclass(frozen=True)
class Frames:
    """time × asset: log returns, forecast σ stamped t for t+1, log excursions `<= 0`."""

    log_returns: pd.DataFrame
    volatility: pd.DataFrame
    low: pd.DataFrame


def frames(
    log_returns: pd.DataFrame,
    volatility: pd.DataFrame | None = None,
    low: pd.DataFrame | None = None,
    *,
    scaled: bool = True,
) -> Frames:
    """The frames as floats, on one index and in one order of assets.

    Parameters
    ----------
    log_returns : time × asset; NaN before listing and after delisting.
    volatility : where not given, exponentially weighted (RiskMetrics 1996, decay 0.94).
    low : where not given, the close is taken for the low, `min(r_t, 0)`.
    scaled : whether σ is used; where it is neither used nor given it is NaN.

    Raises
    ------
    DataError : frames that differ in times or assets.
    EstimationError : a hole or an infinity inside a history, a σ that is not above zero, a low
        above its bar's opening.
    """
    returns = series.checked(log_returns)
    if volatility is not None:
        volatility = _like(volatility, returns, "volatility")
    else:
        volatility = ewma(returns) if scaled else returns * np.nan
    low = returns.clip(upper=0.0) if low is None else _like(low, returns, "low")
    for frame, bad, why in (
        (volatility, volatility.to_numpy() <= 0.0, "volatility of {} is zero or negative"),
        (low, low.to_numpy() > 0.0, "low of {} is above the last close, a log excursion is not"),
    ):
        if bad.any():
            row, column = np.argwhere(bad)[0]
            where = f"at {frame.index[row]}; correct it or leave the asset out"
            raise EstimationError(f"{why.format(frame.columns[column])} {where}")
    return Frames(returns, volatility, low)


def _holes(values: np.ndarray) -> np.ndarray:
    """Rows and columns of what is missing or infinite inside a column's history."""
    seen = ~np.isnan(values)
    inside = np.logical_or.accumulate(seen) & np.logical_or.accumulate(seen[::-1])[::-1]
    return np.argwhere(inside & ~np.isfinite(values))


def _like(frame: pd.DataFrame, returns: pd.DataFrame, name: str) -> pd.DataFrame:
    if not isinstance(frame, pd.DataFrame):
        raise DataError(f"{name} is a {type(frame).__name__}; give a time × asset DataFrame")
    if not (frame.index.equals(returns.index) and frame.columns.equals(returns.columns)):
        raise DataError(f"{name} and log_returns differ in times or assets; align them")
    frame = frame.astype(float)
    values = frame.to_numpy()
    for column in np.flatnonzero(~np.isfinite(values).any(axis=0)):
        raise EstimationError(f"{name} of {frame.columns[column]} is missing; leave the asset out")
    holes = _holes(values)
    if len(holes):
        row, column = holes[0]
        raise EstimationError(
            f"{name} of {frame.columns[column]} is missing or infinite at {frame.index[row]}, "
            "inside its history; complete it or leave the asset out"
        )
    return frame
