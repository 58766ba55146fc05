"""How long one bar stays in the haircut: the same walk over a history with and without it."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from xcoll import checks
from xcoll.collateral.haircuts import tall
from xcoll.collateral.history import History
from xcoll.collateral.recalibration.guard import immediate
from xcoll.collateral.recalibration.tools import EMIR, TOOLS, Damping, Targets, post
from xcoll.errors import DataError, ParameterError

__all__ = ["differences", "forgotten", "remembered", "remembered_bar", "without"]


def remembered_bar(log_returns: pd.DataFrame, bar: str | pd.Timestamp) -> pd.Timestamp:
    """`bar`, or where there is none so stamped the worst of the median asset's first half."""
    time = pd.Timestamp(bar)
    if time in log_returns.index:
        return time
    return log_returns.iloc[: len(log_returns) // 2].median(axis=1).idxmin()


def without(
    history: History,
    bar: str | pd.Timestamp,
    refit: Callable[[pd.DataFrame], pd.DataFrame],
) -> History:
    """The history as if `bar` had not been: its row left out, volatility estimated anew.

    Parameters
    ----------
    history : History
        What was known.
    bar : str or Timestamp
        Stamp of the bar.
    refit : callable
        Log returns (time × asset) → forecast volatility of the same shape, stamped t for the bar
        after t.

    Raises
    ------
    DataError
        The history has no such bar.
    """
    time = pd.Timestamp(bar)
    if time not in history.log_returns.index:
        first, last = history.log_returns.index[[0, -1]]
        raise DataError(f"the history has no bar at {time}; it has {first} to {last}")
    returns = history.log_returns.drop(index=time)
    lows = tuple(low.drop(index=time) for low in history.lows)
    return History(returns, lows, refit(returns))


def differences(
    walk: Callable[[History], Targets],
    known: History,
    removed: History,
    days: pd.DatetimeIndex,
    damping: Damping = EMIR,
) -> dict[str, pd.DataFrame]:
    """Posted haircut with the bar less that without it, by tool.

    Parameters
    ----------
    walk : callable
        Calibrates a history date by date; its stamps need not be the same in both.
    known, removed : History
        With and without the bar.
    days : DatetimeIndex
        When the two are compared; on each the last calibration counts.
    damping : Damping
        Sizes of the tools.

    Returns
    -------
    dict
        Tool → days × asset, as fractions; NaN where either is not known.
    """
    with_bar, without_bar = walk(known), walk(removed)
    return {
        tool: immediate(post(with_bar, tool, damping), days)
        - immediate(post(without_bar, tool, damping), days)
        for tool in TOOLS
    }


def forgotten(difference: pd.DataFrame, tick: float) -> pd.Series:
    """First day from which a difference stays under the tick for good, by asset.

    Parameters
    ----------
    difference : DataFrame, days × asset
        NaN where it is not known.
    tick : float
        Differences of less than it are none.

    Returns
    -------
    Series
        The first day known where it never reached the tick; NaT where it still did on the last
        one known, or where nothing is known.
    """
    size = difference.abs().round(12)
    least = checks.fraction("tick", tick)
    found = {}
    for asset, path in size.items():
        path = path.dropna()
        beyond = path.index[path >= least]
        under = path.index if beyond.empty else path.index[path.index > beyond[-1]]
        found[asset] = under[0] if len(under) else pd.NaT
    dates = pd.Series(found, index=size.columns, dtype=size.index.dtype, name="forgotten")
    return dates.rename_axis("asset")


def remembered(
    differences: Mapping[str, pd.DataFrame], dates: Sequence[str | pd.Timestamp], tick: float
) -> pd.DataFrame:
    """What was left of the bar on some dates, and when it was forgotten.

    Parameters
    ----------
    differences : mapping
        Tool → days × asset, from `differences`.
    dates : sequence
        Days of them.
    tick : float
        Differences of less than it are none.

    Returns
    -------
    DataFrame
        tool, asset, date, difference (a fraction), forgotten (NaT: not by the end).  Left out
        are dates on which the difference is not known, and assets that no tool moved by a tick:
        listed after the bar, or pegged.

    Raises
    ------
    ParameterError
        A date that is none of the days.
    """
    wanted = pd.DatetimeIndex([pd.Timestamp(date) for date in dates], name="date")
    rows, moved = [], set()
    for tool, difference in differences.items():
        missing = wanted.difference(difference.index)
        if len(missing):
            raise ParameterError(f"{missing[0]} is none of the days compared; choose one of them")
        moved |= set(difference.columns[(difference.abs().round(12) >= tick).any()])
        left = tall(difference.loc[wanted].rename_axis("date"), "asset", "difference")
        gone = left["asset"].map(forgotten(difference, tick))
        rows.append(left.assign(tool=tool, forgotten=gone))
    table = pd.concat(rows)[["tool", "asset", "date", "difference", "forgotten"]]
    return table[table["asset"].isin(moved)].reset_index(drop=True)
