"""Bars that are missing, as runs: before the first bar, inside, after the last."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

__all__ = ["COLUMNS", "find", "runs"]

COLUMNS = ("asset", "where", "first", "last", "bars")
Run = tuple[str, int, int, int]


def runs(
    times: np.ndarray, bar: int, begin: int | None = None, end: int | None = None
) -> list[Run]:
    """Where, first, last and number of the missing bars of each run, in order.

    Parameters
    ----------
    times : starts of the bars that are there, ascending, at least one, whole bars apart.
    bar : length of a bar, in the unit of `times`.
    begin, end : window that ought to be full, its end not part of it; by default from the first
        bar to the last.
    """
    times = np.asarray(times, dtype=np.int64)
    steps = np.diff(times)
    found: list[Run] = []
    if begin is not None and (ahead := int(times[0] - begin) // bar) > 0:
        first = int(times[0]) - ahead * bar
        found.append(("before the first", first, int(times[0]) - bar, ahead))
    for place in np.flatnonzero(steps > bar):
        first, last = int(times[place]) + bar, int(times[place + 1]) - bar
        found.append(("inside", first, last, (last - first) // bar + 1))
    if end is not None and (behind := (end - int(times[-1]) - 1) // bar) > 0:
        last = int(times[-1]) + behind * bar
        found.append(("after the last", int(times[-1]) + bar, last, behind))
    return found


def find(
    closes: Mapping[str, pd.Series],
    bar: pd.Timedelta,
    begin: pd.Timestamp | None = None,
    end: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Missing bars of each asset: asset, where, first, last, bars; one row a run.

    Parameters
    ----------
    closes : by asset; a NaN is a bar that is missing.  An asset without any close has one run
        "everywhere", where `begin` and `end` are given.
    begin, end : as in `runs`.
    """
    unit, origin = pd.Timedelta(microseconds=1), pd.Timestamp(0)
    step = bar // unit
    limits = [None if time is None else (time - origin) // unit for time in (begin, end)]
    rows = []
    for asset, series in closes.items():
        times = pd.DatetimeIndex(series.dropna().index).as_unit("us").asi8
        if len(times):
            own = runs(times, step, *limits)
        elif None in limits:
            own = []
        else:
            own = [("everywhere", limits[0], limits[1] - step, (limits[1] - limits[0]) // step)]
        rows += [(asset, *run) for run in own]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    stamps = {name: pd.to_datetime(frame[name], unit="us") for name in ("first", "last")}
    return frame.assign(**stamps).astype({"asset": "str", "where": "str", "bars": "int64"})
