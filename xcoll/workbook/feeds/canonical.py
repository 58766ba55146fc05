"""The one form that own prices are kept in, how files are united in it, and how two sets differ.

Long: ``time, asset, close`` and, where known, ``low, high, volume``; sorted by time, times in UTC
without a zone, one row a bar and asset.  `market.prices.parse` reads it.  What is put in order
here loses nothing: rows are sorted and equal copies dropped, each with its row among the findings;
nothing else is mended.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from xcoll.errors import DataError
from xcoll.market.findings import Row, tabulate
from xcoll.market.prices import FIELDS, Prices, faults

__all__ = ["day", "difference", "settle", "table", "unite"]

ALL = "all assets"


def table(prices: Prices) -> pd.DataFrame:
    """`prices` in the canonical form."""
    fields = {name: part.stack() for name, part in prices.tables.items()}
    frame = pd.concat(fields, axis=1).dropna(how="all").rename_axis(["time", "asset"])
    order = {asset: place for place, asset in enumerate(prices.assets)}
    frame = frame.reset_index().astype({"asset": "str"})
    rank = frame["asset"].map(order)
    return frame.iloc[np.lexsort((rank, frame["time"]))].reset_index(drop=True)


def settle(raw: Prices, source: str) -> tuple[Prices, pd.DataFrame]:
    """`raw` sorted and without equal copies, and a finding for each of the two.

    Raises
    ------
    DataError
        Every fault of `raw` that this does not mend, a line each: copies that differ, values that
        are no prices; or bars of several lengths.
    """
    found: list[Row] = []
    wrong = []
    for fault in faults(raw):
        row = (fault.asset, fault.check, fault.times.min(), fault.times.max(), len(fault.times),
               fault.value)  # fmt: skip
        if fault.check == "unsorted":
            found.append((*row, "sorted"))
        elif fault.check == "duplicate" and not (differ := _copies(raw)):
            found.append((*row, "equal copies dropped"))
        else:
            wrong += differ if fault.check == "duplicate" else [fault.message]
    if wrong:
        raise DataError("\n  ".join([f"{source}: {wrong[0]}", *wrong[1:]]))
    clean = Prices(**{name: part.groupby(level=0).first() for name, part in raw.tables.items()})
    _on_grid(clean.close.index, clean.start, clean.bar, source)
    return clean, tabulate(found)


def unite(parts: Mapping[str, Prices]) -> Prices:
    """All assets and times of `parts`, settled prices by the name of their file.

    Raises
    ------
    DataError
        Bars of several lengths or grids, with the files; values of one bar and asset on which two
        files disagree, with both files, how many and the first.
    """
    names = list(parts)
    lengths = {name: parts[name].bar for name in names}
    for name in names[1:]:
        if lengths[name] != lengths[names[0]]:
            raise DataError(
                f"{names[0]} has bars of {lengths[names[0]]}, {name} of {lengths[name]}; import "
                "them under two names"
            )
        _on_grid(parts[name].close.index[:1], parts[names[0]].start, lengths[name],
                 f"{name} beside {names[0]}")  # fmt: skip
    disagree = [
        told
        for place, name in enumerate(names)
        for earlier in names[:place]
        for told in _conflicts(earlier, parts[earlier], name, parts[name])
    ]
    if disagree:
        fix = "correct one of the two, or import them under two names"
        raise DataError("\n  ".join([f"{disagree[0]}; {fix}", *disagree[1:]]))
    order = list(dict.fromkeys(asset for part in parts.values() for asset in part.assets))
    tables = {}
    for field in FIELDS:
        known = [part.tables[field] for part in parts.values() if field in part.tables]
        if known:
            whole = known[0]
            for other in known[1:]:
                whole = whole.combine_first(other)
            index = pd.DatetimeIndex(whole.index, name="time").as_unit("us")
            tables[field] = whole.set_axis(index).reindex(columns=order)
    index = tables["close"].index
    return Prices(**{field: part.reindex(index) for field, part in tables.items()})


def difference(old: Prices, new: Prices) -> list[str]:
    """What `new` has other than `old`, in words; empty where both say the same."""
    told = []
    for names, word in ((_extra(new, old), "added"), (_extra(old, new), "gone")):
        if names:
            told.append(f"{len(names)} asset{'s' * (len(names) > 1)} {word}: {', '.join(names)}")
    both = [asset for asset in old.assets if asset in new.assets]
    if not both:
        return told
    fields = [f for f in FIELDS if f in old.tables or f in new.tables]
    index = old.close.index.union(new.close.index)
    before, after = (
        np.stack(
            [
                part.tables[f].reindex(index=index, columns=both).to_numpy()
                if f in part.tables
                else np.full((len(index), len(both)), np.nan)
                for f in fields
            ]
        )
        for part in (old, new)
    )
    came, went = (~np.isnan(after) & np.isnan(before)), (np.isnan(after) & ~np.isnan(before))
    changed = ~np.isnan(before) & ~np.isnan(after) & (before != after)
    for mask, word in ((came, "added"), (went, "gone"), (changed, "changed")):
        cells = mask.any(axis=0)
        if cells.any():
            row, column = np.argwhere(cells)[0]
            field = int(mask[:, row, column].argmax())
            values = [f"{v:.10g}" for v in (before[field, row, column], after[field, row, column])
                      if not np.isnan(v)]  # fmt: skip
            count = int(cells.sum())
            told.append(
                f"{count:,} bar{'s' * (count > 1)} {word}, the first of {both[column]} at "
                f"{day(index[row])}: {fields[field]} {' is now '.join(values)}"
            )
    return told


def day(time: pd.Timestamp) -> str:
    """`time` as a date, with the time of day where there is one."""
    return str(time).removesuffix(" 00:00:00")


def _extra(one: Prices, other: Prices) -> list[str]:
    return [asset for asset in one.assets if asset not in other.assets]


def _on_grid(index: pd.DatetimeIndex, start: pd.Timestamp, bar: pd.Timedelta, source: str) -> None:
    off = index[(index - start) % bar != pd.Timedelta(0)]
    if len(off):
        raise DataError(
            f"{source}: {day(off[0])} is off the grid of bars of {bar} that starts at "
            f"{day(start)} ({len(off)} such rows); give bars of one length"
        )


def _copies(raw: Prices) -> list[str]:
    """Where copies of one bar differ, a line a field and asset."""
    told = []
    for field, part in raw.tables.items():
        again = part[part.index.duplicated(keep=False)]
        least, most = again.groupby(level=0).min(), again.groupby(level=0).max()
        for asset in again.columns[(most > least).any()]:
            times = least.index[most[asset] > least[asset]]
            one, other = least.loc[times[0], asset], most.loc[times[0], asset]
            told.append(
                f"{asset} has several rows for {day(times[0])} that differ, {field} {one:.10g} "
                f"and {other:.10g} ({len(times)} such bars); keep the right one"
            )
    return told


def _conflicts(one: str, first: Prices, other: str, second: Prices) -> list[str]:
    told = []
    for field in first.tables.keys() & second.tables.keys():
        left, right = first.tables[field].align(second.tables[field], join="inner")
        clash = left.notna() & right.notna() & (left != right)
        for asset in left.columns[clash.any()]:
            time = clash.index[clash[asset]][0]
            told.append(
                f"{one} and {other} disagree on {int(clash[asset].sum()):,} bars of {asset}, the "
                f"first at {day(time)}: {field} {left.loc[time, asset]:.10g} and "
                f"{right.loc[time, asset]:.10g}"
            )
    return sorted(told)
