"""What each path asked for on the days that mattered, and whether it was enough the day after."""

from collections.abc import Mapping

import pandas as pd

from xcoll import checks
from xcoll.errors import DataError

__all__ = ["EVENTS", "asked_on", "side_by_side"]

# Dates of the bundled prices; the names are for tables and figures.
EVENTS: dict[str, str] = {
    "crash of May 2021": "2021-05-19",
    "LUNA": "2022-05-12",
    "FTX": "2022-11-09",
    "USDC": "2023-03-11",
}
DAY = pd.Timedelta(days=1)


def events_in(losses: pd.DataFrame, worst: int = 4) -> dict[str, str]:
    """`EVENTS` that the losses cover, or else the `worst` days of the median asset.

    `losses` are of a bar, time × asset, stamped at its beginning.
    """
    first, last = losses.index[[0, -1]]
    known = {name: day for name, day in EVENTS.items() if first < pd.Timestamp(day) <= last}
    if known:
        return known
    days = losses.median(axis=1).groupby(losses.index.normalize() + DAY).max().iloc[:-1]
    return {
        f"{day:%d %b %Y}": f"{day:%Y-%m-%d}" for day in days.nlargest(worst).index.sort_values()
    }


def asked_on(
    paths: Mapping[str, pd.DataFrame],
    losses: pd.DataFrame,
    events: Mapping[str, str] = EVENTS,
    since: str = "7D",
) -> pd.DataFrame:
    """Each path as known at the close of the day before an event, and of the day itself.

    Parameters
    ----------
    paths : mapping
        Name → haircuts in force, time × asset, stamped t and applied from the next bar on.
    losses : DataFrame
        time × asset close-out losses of the window that begins at the close of t: the day of the
        event for the reading of the day before, the day after it for that of the day itself.
    events : mapping
        Name → date.
    since : str
        Against how long before the change is taken, a duration.

    Returns
    -------
    DataFrame
        path, event, known ("day before", "day itself"), time (the reading's), asset, haircut,
        change (since then; NaN where the path is not that old), loss (NaN where it is not over),
        excess (loss less haircut; NaN likewise), covered (no excess is known).  A path without a
        haircut for an asset at that time has no row.

    Raises
    ------
    DataError
        An event before every path begins, or after the last loss.
    """
    back = checks.duration("since", since)
    rows = []
    for event, date in events.items():
        day = pd.Timestamp(date).normalize()
        for known, end in (("day before", day), ("day itself", day + DAY)):
            times = losses.index[losses.index < end]
            if times.empty or losses.index[-1] < day:
                raise DataError(f"{event}, {date}, is outside the losses; leave the event out")
            rows += [
                _read(path, losses, times[-1], back).assign(path=name, event=event, known=known)
                for name, path in paths.items()
            ]
    found = pd.concat(rows) if rows else pd.DataFrame()
    if found.empty:
        raise DataError("no path has a haircut on any of the events; give longer paths")
    found["covered"] = ~found["excess"].gt(0.0)
    columns = ["path", "event", "known", "time", "asset", "haircut", "change", "loss", "excess"]
    return found[[*columns, "covered"]].reset_index(drop=True)


def side_by_side(readings: pd.DataFrame, known: str = "day before") -> pd.DataFrame:
    """One row a path: for each event the median haircut, and how many assets lost more.

    Of `asked_on`, at the reading `known`; the columns are path and, an event, "event" and
    "event: uncovered".
    """
    rows = readings[readings["known"] == known]
    groups = rows.groupby(["path", "event"], sort=False)
    wide = pd.DataFrame(
        {
            "haircut": groups["haircut"].median(),
            "uncovered": groups["covered"].agg(lambda c: (~c).sum()),
        }
    ).unstack("event")
    events = list(dict.fromkeys(rows["event"]))
    found = {event: wide["haircut", event] for event in events}
    found |= {f"{event}: uncovered": wide["uncovered", event] for event in events}
    columns = [name for event in events for name in (event, f"{event}: uncovered")]
    order = list(dict.fromkeys(rows["path"]))
    return pd.DataFrame(found)[columns].loc[order].reset_index()


def _read(
    path: pd.DataFrame, losses: pd.DataFrame, time: pd.Timestamp, back: pd.Timedelta
) -> pd.DataFrame:
    now, then = (path.reindex([at], method="ffill").iloc[0] for at in (time, time - back))
    table = pd.DataFrame({"haircut": now, "change": now - then, "loss": losses.loc[time]})
    table = table.reindex(path.columns).assign(time=time, excess=lambda t: t["loss"] - t["haircut"])
    return table.dropna(subset="haircut").rename_axis("asset").reset_index()
