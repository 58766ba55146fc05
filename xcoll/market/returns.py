"""Simple and log returns, and the arithmetic of bars and years."""

from collections.abc import Hashable

import numpy as np
import pandas as pd

from xcoll.checks import duration
from xcoll.errors import DataError, ParameterError

__all__ = ["annualise", "bars_in", "bars_per_year", "log_returns", "simple_returns"]

YEAR = pd.Timedelta(days=365)  # crypto trades every day: 365 days, 8,760 hours


def log_returns(close: pd.DataFrame) -> pd.DataFrame:
    """`ln(P_t / P_{t-1})`, stamped t.

    Parameters
    ----------
    close : DataFrame, time × asset
        Positive prices; NaN where an asset is not listed or missing.

    Returns
    -------
    DataFrame, time × asset
        As long as `close`: the first row is NaN, and so are the rows at and after a NaN price.

    Raises
    ------
    DataError
        A price is not above zero or not finite.
    """
    return np.log(_checked(close)).diff()


def simple_returns(close: pd.DataFrame) -> pd.DataFrame:
    """`P_t / P_{t-1} - 1`, stamped t; the same shape, NaN rule and errors as `log_returns`."""
    return _checked(close).pct_change(fill_method=None)


def bars_per_year(bar: pd.Timedelta) -> float:
    """Bars of length `bar` in a year of 365 days: 365 for days, 8,760 for hours."""
    return YEAR / duration("bar", bar)


def bars_in(horizon: str | pd.Timedelta, bar: pd.Timedelta) -> int:
    """Whole bars in `horizon`.

    Raises
    ------
    ParameterError
        `horizon` is shorter than a bar, or no multiple of it.
    """
    span, step = duration("horizon", horizon), duration("bar", bar)
    bars, rest = divmod(span, step)
    if bars < 1:
        raise ParameterError(
            f"the horizon {horizon} is shorter than a bar of the prices ({_words(step)}); "
            "give shorter bars, or scale the one-bar figure and mark it as scaled"
        )
    if rest != pd.Timedelta(0):
        raise ParameterError(
            f"the horizon {horizon} is no multiple of a bar ({_words(step)}); "
            f"take {_words(bars * step)} or {_words((bars + 1) * step)}"
        )
    return int(bars)


def annualise(
    sigma_per_bar: float | pd.Series | pd.DataFrame, bar: pd.Timedelta
) -> float | pd.Series | pd.DataFrame:
    """`σ·√(bars a year)`: a quote for volatility, never a way to scale a loss."""
    return sigma_per_bar * np.sqrt(bars_per_year(bar))


def _checked(close: pd.DataFrame) -> pd.DataFrame:
    bad = (close <= 0) | np.isinf(close)
    for asset in close.columns[bad.any()]:
        at: Hashable = bad.index[bad[asset]][0]
        raise DataError(
            f"{asset} at {at}: the price {close[asset].loc[at]} is not a positive finite number; "
            "correct it, or pass the prices through quality.check with repair"
        )
    return close


def _words(span: pd.Timedelta) -> str:
    hours = span / pd.Timedelta(hours=1)
    return f"{hours / 24:g}D" if hours % 24 == 0 else f"{hours:g}h"
