"""Prices as one frozen container, read from a wide or a long table."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll.errors import DataError

__all__ = ["Fault", "Prices", "bar_length", "faults", "layout", "parse", "prove", "until"]

TIME = ("time", "date", "datetime", "timestamp")
ASSET = ("asset", "symbol", "ticker")
FIELDS = ("close", "low", "high", "volume")


@dataclass(frozen=True)
class Prices:
    """Closes, and where known lows, highs and volumes, all time × asset.

    The index is UTC without a zone, sorted and unique; values are positive float64, NaN where
    an asset is not listed or the value is unknown.  `layout` alone gives a container for which
    this is not proved yet.
    """

    close: pd.DataFrame
    low: pd.DataFrame | None = None
    high: pd.DataFrame | None = None
    volume: pd.DataFrame | None = None

    @property
    def assets(self) -> list[str]:
        """Symbols, in column order."""
        return list(self.close.columns)

    @property
    def bar(self) -> pd.Timedelta:
        """Length of a bar."""
        return bar_length(self.close.index)

    @property
    def start(self) -> pd.Timestamp:
        """First bar."""
        return self.close.index[0]

    @property
    def end(self) -> pd.Timestamp:
        """Last bar."""
        return self.close.index[-1]

    @property
    def lows(self) -> pd.DataFrame:
        """`low`, all NaN where no lows are known."""
        return self.close * np.nan if self.low is None else self.low

    @property
    def highs(self) -> pd.DataFrame:
        """`high`, all NaN where no highs are known."""
        return self.close * np.nan if self.high is None else self.high

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables that are known, by field name."""
        known = {field: getattr(self, field) for field in FIELDS}
        return {field: table for field, table in known.items() if table is not None}

    def select(self, assets: list[str]) -> Prices:
        """The same prices for `assets` only, in that order; `DataError` where one is missing."""
        missing = [asset for asset in assets if asset not in self.close.columns]
        if missing:
            raise DataError(f"no prices for {', '.join(missing)}; there are {_listed(self.assets)}")
        return self.replace(**{field: table[assets] for field, table in self.tables.items()})

    def replace(self, **tables: pd.DataFrame) -> Prices:
        """A copy with some tables exchanged."""
        return dataclasses.replace(self, **tables)


@dataclass(frozen=True)
class Fault:
    """Something wrong with a table of prices: what, at which rows, and how to mend it."""

    asset: str
    check: str
    times: pd.DatetimeIndex
    value: float
    message: str


def bar_length(index: pd.DatetimeIndex) -> pd.Timedelta:
    """The most frequent spacing of `index`, the shortest where several are as frequent.

    Raises
    ------
    DataError
        Fewer than two timestamps.
    """
    spacing = index[1:] - index[:-1]
    spacing = spacing[spacing > pd.Timedelta(0)]
    if len(spacing) == 0:
        raise DataError(f"{len(index)} timestamp(s) have no spacing; give at least two bars")
    return pd.Series(spacing).mode().iloc[0]


def parse(
    frame: pd.DataFrame, source: str = "prices", columns: Mapping[str, str] | None = None
) -> Prices:
    """A wide or long table as `Prices`, or an error: nothing is repaired.

    Parameters
    ----------
    frame : DataFrame
        Wide (a time column or index, one column an asset) or long (time, asset, close, optionally
        low, high, volume; other columns are not used).
    source : str
        File name for the messages.
    columns : mapping, optional
        Names in the file → names here, for columns as for asset symbols.

    Raises
    ------
    DataError
        Naming `source`, the column or asset, the rows and the fix.
    """
    return prove(layout(frame, source, columns), source)


def prove(prices: Prices, source: str = "prices") -> Prices:
    """`prices` as they are; `DataError` names the first of their `faults`."""
    for fault in faults(prices):
        raise DataError(f"{source}: {fault.message}")
    return prices


def until(
    prices: Prices, day: datetime.date, source: str = "prices", *, reach: bool = True
) -> Prices:
    """The bars up to the end of `day`, as if the table had ended there.

    Parameters
    ----------
    prices : Prices
        In any order, not yet proved: what is wrong after `day` is not looked at.
    reach : bool
        Whether the bars have to reach `day`.

    Raises
    ------
    DataError
        Bars that end before `day`, which names the last one, or that begin after it.
    """
    index = prices.close.index
    if reach and index.max() < pd.Timestamp(day):
        raise DataError(
            f"{source}: the last bar is {index.max()}, before {day}; give a date up to it, or "
            "prices that reach further"
        )
    known = index < pd.Timestamp(day) + pd.Timedelta(days=1)
    if not known.any():
        raise DataError(
            f"{source}: no bar up to {day}, the first one is {index.min()}; give a later date"
        )
    return prices.replace(**{field: table[known] for field, table in prices.tables.items()})


def layout(
    frame: pd.DataFrame, source: str = "prices", columns: Mapping[str, str] | None = None
) -> Prices:
    """The table's numbers in place, their order, uniqueness and range not yet proved.

    Raises `DataError` for what no rule can repair: a table without rows, a missing column, text
    where a number belongs, times that cannot be read or that mix time zones.
    """
    if frame.empty:
        raise DataError(f"{source}: the table has no rows; give at least two bars")
    table = frame.rename(columns=dict(columns or {}))
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise DataError(f"{source}: two columns for {twice[0]}; remove one")
    names = {str(name).strip().lower(): name for name in table.columns}
    times, table = _times(table, names, source)
    if times.nunique() < 2:
        raise DataError(f"{source}: one timestamp only, {times[0]}; give at least two bars")
    if any(name in names for name in ASSET):
        return _long(table, times, names, source, dict(columns or {}))
    if "close" in names:
        raise DataError(
            f"{source}: a close but no asset column; add a column `asset` that says whose bars "
            "these are, or give one column an asset"
        )
    if table.columns.empty:
        raise DataError(f"{source}: no column of prices; give one column an asset")
    return Prices(_numbers(table, source).set_axis(times))


def faults(prices: Prices) -> list[Fault]:
    """What is wrong and can be repaired: order, duplicates, and values that are no prices."""
    found: list[Fault] = []
    index = prices.close.index
    back = index[1:][index[1:] < index[:-1]]
    if len(back):
        found.append(
            Fault(
                "all assets",
                "unsorted",
                back,
                float(len(back)),
                f"timestamps are not in order at {_shown(back)}; sort the rows by time",
            )
        )
    twice = index[index.duplicated()].unique()
    if len(twice):
        found.append(
            Fault(
                "all assets",
                "duplicate",
                twice,
                float(len(twice)),
                f"several rows for {_shown(twice)}; keep one row a timestamp (and asset)",
            )
        )
    for field, table in prices.tables.items():
        bad = np.isinf(table) | ((table < 0) if field == "volume" else (table <= 0))
        for asset in table.columns[bad.any()]:
            times = index[bad[asset]]
            value = float(table[asset].to_numpy()[bad[asset]][0])
            found.append(
                Fault(
                    asset,
                    f"{field} out of range",
                    times,
                    value,
                    f"{asset}: {field} of {value:g} at {_shown(times)}; a {field} is a finite "
                    f"number {'of at least' if field == 'volume' else 'above'} zero: correct it, "
                    "or leave it empty",
                )
            )
    return found


def _times(
    table: pd.DataFrame, names: dict[str, str], source: str
) -> tuple[pd.DatetimeIndex, pd.DataFrame]:
    column = next((names[name] for name in TIME if name in names), None)
    if column is not None:
        raw, table = pd.Series(table[column].to_numpy()), table.drop(columns=column)
    elif isinstance(table.index, pd.DatetimeIndex):
        raw = pd.Series(table.index)
    else:
        raise DataError(
            f"{source}: no column of times; name one of them `time` or `date` "
            f"(the columns are {_listed(table.columns)})"
        )
    if raw.isna().any():
        raise DataError(f"{source}: no time in {_rows(raw.isna())}; write it or remove the row")
    if isinstance(raw.dtype, pd.DatetimeTZDtype):
        return pd.DatetimeIndex(raw.dt.tz_convert("UTC").dt.tz_localize(None)).as_unit("us"), table
    if pd.api.types.is_numeric_dtype(raw):
        raise DataError(f"{source}: times are numbers; write dates such as 2023-12-31T08:00")
    if not pd.api.types.is_datetime64_dtype(raw):
        raw = _stamps(raw.astype(str).str.strip(), source)
    return pd.DatetimeIndex(raw, name="time").as_unit("us"), table


def _stamps(text: pd.Series, source: str) -> pd.Series:
    zone = text.str.extract(r"\d{2}:\d{2}.*?(Z|[+-]\d{2}:?\d{2})$", expand=False).fillna("none")
    zone = zone.replace({"Z": "+00:00"})
    other = zone != zone.iloc[0]
    if other.any():
        raise DataError(
            f"{source}: mixed time zones, {zone.iloc[0]} in row 1 and {zone[other].iloc[0]} in "
            f"{_rows(other)}; write all times in one zone, best UTC"
        )
    stamps = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
    if stamps.isna().any():
        raise DataError(
            f"{source}: {text[stamps.isna()].iloc[0]!r} in {_rows(stamps.isna())} is no date; "
            "write dates as 2023-12-31 or 2023-12-31T08:00"
        )
    return stamps


def _long(
    table: pd.DataFrame,
    times: pd.DatetimeIndex,
    names: dict[str, str],
    source: str,
    columns: dict[str, str],
) -> Prices:
    if "close" not in names:
        raise DataError(
            f"{source}: a long table needs a column `close`; the columns are "
            f"{_listed(table.columns)}"
        )
    asset = table[next(names[name] for name in ASSET if name in names)].reset_index(drop=True)
    if asset.isna().any():
        raise DataError(f"{source}: no asset in {_rows(asset.isna())}; write it or remove the row")
    known = [field for field in FIELDS if field in names]
    values = _numbers(table[[names[field] for field in known]], source).set_axis(known, axis=1)
    asset = asset.astype(str).replace(columns)
    rows = values.reset_index(drop=True).assign(time=times, asset=asset)
    # A copy number keeps duplicates apart, so that they are found later and not averaged here.
    rows["copy"] = rows.groupby(["time", "asset"], sort=False).cumcount()
    cells = rows.set_index(["time", "copy", "asset"])
    # a pivot table would average copies
    wide = cells.unstack("asset").sort_index()
    if not all(part.is_monotonic_increasing for _, part in rows.groupby("asset")["time"]):
        wide = wide.reindex(pd.MultiIndex.from_frame(rows[["time", "copy"]].drop_duplicates()))
    index = pd.DatetimeIndex(wide.index.get_level_values("time"), name="time").as_unit("us")
    wide, order = wide.set_axis(index), list(dict.fromkeys(asset))
    return Prices(**{field: wide[field][order].rename_axis(columns=None) for field in known})


def _numbers(table: pd.DataFrame, source: str) -> pd.DataFrame:
    numbers = {}
    for column in table.columns:
        raw = table[column]
        number = pd.to_numeric(raw, errors="coerce")
        text = (number.isna() & raw.notna()).to_numpy()
        if raw.dtype in (bool, object):
            text = text | raw.map(lambda value: isinstance(value, bool)).to_numpy()
        if text.any():
            raise DataError(
                f"{source}: column {column} holds {raw.to_numpy()[text.argmax()]!r} in "
                f"{_rows(text)}; write a number with a decimal point, or leave it empty"
            )
        numbers[str(column)] = number.to_numpy(dtype=np.float64)
    return pd.DataFrame(numbers, index=table.index)


def _rows(mask: pd.Series | np.ndarray) -> str:
    places = np.flatnonzero(np.asarray(mask)) + 1
    shown = ", ".join(map(str, places[:3]))
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return f"row{'s' if len(places) > 1 else ''} {shown}{more}"


def _shown(times: pd.DatetimeIndex) -> str:
    more = f" and {len(times) - 3} more" if len(times) > 3 else ""
    return ", ".join(str(time) for time in times[:3]) + more


def _listed(names: object) -> str:
    names = [str(name) for name in names]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
