"""Checks on prices: each finding is a row that says what was done about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from xcoll.errors import DataError
from xcoll.market.findings import Row, runs, tabulate
from xcoll.market.prices import Fault, Prices, faults, layout

__all__ = ["Rules", "Suspect", "attach_bars", "check"]

ROUNDING = 1e-6  # relative: sources print six decimals; a close outside a bar by less is no finding
MAD_TO_SIGMA = 1.4826  # a normal's standard deviation over its median absolute deviation


@dataclass(frozen=True)
class Suspect:
    """Prints from `first` to `last` that are kept and flagged."""

    asset: str
    first: pd.Timestamp
    last: pd.Timestamp
    reason: str


@dataclass(frozen=True)
class Rules:
    """What is expected of the prices, and what may be done where they differ.

    assets: symbols that must be there, and no others (empty: whatever the file holds).
    ignored: columns left out, with the reason.  listed_from, delisted_after: first and last bar
    kept.  suspect: prints kept and flagged.  pegs: price that a stablecoin promises.
    stale_bars: equal closes in a row that count as stale.  outlier_z: see `check`.
    depeg: distance from the peg, as a fraction, that is off it.  bars_tolerance: see `attach_bars`.
    repair: repair what can be repaired instead of stopping.  fill_bars: longest gap that a repair
    fills with the last close (0: gaps stay missing).
    """

    assets: tuple[str, ...] = ()
    ignored: Mapping[str, str] = field(default_factory=dict)
    listed_from: Mapping[str, pd.Timestamp] = field(default_factory=dict)
    delisted_after: Mapping[str, pd.Timestamp] = field(default_factory=dict)
    suspect: tuple[Suspect, ...] = ()
    pegs: Mapping[str, float] = field(default_factory=dict)
    stale_bars: int = 3
    outlier_z: float = 20.0
    depeg: float = 0.01
    bars_tolerance: float = 0.005
    repair: bool = False
    fill_bars: int = 0


def check(
    prices: pd.DataFrame | Prices,
    rules: Rules,
    source: str = "prices",
    columns: Mapping[str, str] | None = None,
) -> tuple[Prices, pd.DataFrame]:
    """Clean prices, and a report of all that was found.

    Parameters
    ----------
    prices : DataFrame or Prices
        A wide or long table as `prices.parse` takes it, or prices already laid out.
    rules : Rules
        Expectations and thresholds.
    source, columns
        As in `prices.parse`.

    Returns
    -------
    Prices
        On a grid without holes: a missing bar is a row of NaN.
    DataFrame
        asset, check, start, end, bars, value, action; one row a finding.  `value` is what was
        measured: bars missing or stale, the largest robust z, the price furthest from the peg.
        The robust z of an asset's log return is its distance from the median return of all
        assets without a peg in that bar, over 1.4826 times that distance's own median absolute
        value (at least three such assets).

    Raises
    ------
    DataError
        A fault that no rule repairs, or any fault while `rules.repair` is off: unsorted or
        duplicate timestamps, prices that are not positive and finite, timestamps off the grid,
        an expected asset without prices, a column that nobody expects, one asset only.
    """
    raw = prices if isinstance(prices, Prices) else layout(prices, source, columns)
    rows: list[Row] = []
    clean = _expected(raw, rules, source, rows)
    clean = _mended(clean, rules, source, rows)
    clean = _gridded(clean, source, rows)
    clean = _listed(clean, rules, rows)
    clean = _inside_bars(clean, rows)
    stale = list(_stale(clean, rules))  # before a gap is filled with equal closes
    clean = _gaps(clean, rules, rows)
    for name in clean.close:
        if clean.close[name].notna().sum() < 2:
            raise DataError(f"{source}: {name} has fewer than two prices; add them or leave it out")
    rows += stale
    rows += _outliers(clean, rules)
    rows += _depegs(clean, rules)
    rows += _suspects(clean, rules)
    return clean, tabulate(rows)


def attach_bars(
    prices: Prices, bars: Prices, tolerance: float, source: str = "bars"
) -> tuple[Prices, pd.DataFrame]:
    """Lows and highs from a second source of `bars`, where both agree on the close.

    A bar whose close differs by more than `tolerance` (fraction) lends nothing, and so does a
    missing one; each is a row of the report.  Where the close of `prices` lies outside an
    agreeing bar, the bar is widened to it: a low is at most the close.  Other assets stay NaN.

    Raises
    ------
    DataError
        `bars` has an asset that `prices` has not, no lows and highs, another bar length, or no
        common bar.
    """
    if bars.low is None or bars.high is None:
        raise DataError(f"{source}: bars need a column low and a column high")
    unknown = [asset for asset in bars.assets if asset not in prices.assets]
    if unknown:
        raise DataError(
            f"{source}: no prices for {', '.join(unknown)}; name an asset of the prices, or leave "
            "the bars out"
        )
    if bars.bar != prices.bar:
        raise DataError(
            f"{source}: a bar lasts {bars.bar}, one of the prices {prices.bar}; give bars of the "
            "same length, or leave them out"
        )
    own = prices.close[bars.assets]
    common = own.index.intersection(bars.close.index)
    if common.empty:
        raise DataError(
            f"{source}: no bar in common with the prices ({prices.start} to {prices.end}); give "
            "bars of that time, or leave them out"
        )
    close, low, high = (table.reindex(own.index) for table in (bars.close, bars.low, bars.high))
    blank = pd.DataFrame(np.nan, prices.close.index, prices.close.columns)
    lows = blank if prices.low is None else prices.low.copy()
    highs = blank.copy() if prices.high is None else prices.high.copy()
    rows: list[Row] = []
    for asset in bars.assets:
        span = pd.Series((own.index >= common[0]) & (own.index <= common[-1]), own.index)
        gap = close[asset] / own[asset] - 1.0
        missing = span & (low[asset].isna() | high[asset].isna() | gap.isna())
        differs = span & ~missing & (gap.abs() > tolerance)
        good = span & ~missing & ~differs
        beyond = np.maximum(low[asset] - own[asset], own[asset] - high[asset]) / own[asset]
        wider = good & (beyond > ROUNDING)
        rows += runs(asset, "bar missing", missing, gap, "low and high left out")
        rows += runs(asset, "bar differs", differs, gap, "low and high left out")
        rows += runs(asset, "close outside bar", wider, beyond, "bar widened to the close")
        lows[asset] = np.minimum(low[asset], own[asset]).where(good, lows[asset])
        highs[asset] = np.maximum(high[asset], own[asset]).where(good, highs[asset])
        largest = float(gap[good].abs().max())
        taken = "lows and highs taken; value: largest gap between the closes"
        rows.append((asset, "bars", common[0], common[-1], int(good.sum()), largest, taken))
    return prices.replace(low=lows, high=highs), tabulate(rows)


def _expected(prices: Prices, rules: Rules, source: str, rows: list[Row]) -> Prices:
    known = set(rules.assets)
    there = prices.assets
    missing = [asset for asset in rules.assets if asset not in there]
    if missing:
        raise DataError(
            f"{source}: no column of prices for {', '.join(missing)}; add it, or take the asset "
            f"out of the universe (the file has {', '.join(there[:20])})"
        )
    keep = [asset for asset in there if asset not in rules.ignored]
    spare = [asset for asset in keep if known and asset not in known]
    if spare and not rules.repair:
        raise DataError(
            f"{source}: column {', '.join(spare)} is no asset of the universe; add it there, or "
            "name it under `ignored` with the reason"
        )
    reasons = {**dict.fromkeys(spare, "not in the universe"), **rules.ignored}
    for asset in there:
        if asset in reasons:
            times = prices.close[asset].dropna().index
            span = times if len(times) else prices.close.index
            rows.append(
                (asset, "left out", span.min(), span.max(), len(times), np.nan,
                 f"column left out: {reasons[asset]}")
            )  # fmt: skip
    kept = list(rules.assets) or keep
    if len(kept) < 2:
        raise DataError(
            f"{source}: one asset only ({', '.join(kept) or 'none'}); collateral is compared "
            "across assets: give at least two"
        )
    return prices.select(kept)


def _mended(prices: Prices, rules: Rules, source: str, rows: list[Row]) -> Prices:
    found = faults(prices)
    if found and not rules.repair:
        rest = f" ({len(found) - 1} more faults)" if len(found) > 1 else ""
        raise DataError(f"{source}: {found[0].message}{rest}")
    actions = {"unsorted": "sorted", "duplicate": "last copy kept"}
    rows += [_row(fault, actions.get(fault.check, "set to missing")) for fault in found]
    tables = {}
    for name, table in prices.tables.items():
        bad = np.isinf(table) | ((table < 0) if name == "volume" else (table <= 0))
        table = table.mask(bad).sort_index(kind="stable")
        tables[name] = table.groupby(level=0).last()  # the last copy that holds a value
    return prices.replace(**tables)


def _row(fault: Fault, action: str) -> Row:
    times = fault.times
    return fault.asset, fault.check, times.min(), times.max(), len(times), fault.value, action


def _gridded(prices: Prices, source: str, rows: list[Row]) -> Prices:
    index, bar = prices.close.index, prices.bar
    off = index[(index - index[0]) % bar != pd.Timedelta(0)]
    if len(off):
        raise DataError(
            f"{source}: {off[0]} is off the grid of bars of {bar} that starts at {index[0]} "
            f"({len(off)} such rows); give bars of one length"
        )
    grid = pd.date_range(index[0], index[-1], freq=bar, name=index.name, unit="us")
    absent = pd.Series(~grid.isin(index), grid)
    blank = pd.Series(np.nan, grid)
    rows += runs("all assets", "missing bar", absent, blank, "row of missing values added")
    return prices.replace(**{name: table.reindex(grid) for name, table in prices.tables.items()})


def _listed(prices: Prices, rules: Rules, rows: list[Row]) -> Prices:
    tables = {name: table.copy() for name, table in prices.tables.items()}
    index = prices.close.index
    for asset in prices.assets:
        first, last = rules.listed_from.get(asset), rules.delisted_after.get(asset)
        early = index < first if first is not None else np.zeros(len(index), bool)
        late = index > last if last is not None else np.zeros(len(index), bool)
        for name, cut in (("before listing", early), ("after delisting", late)):
            held = pd.Series(cut & prices.close[asset].notna().to_numpy(), index)
            rows += runs(asset, name, held, prices.close[asset], "removed")
        for table in tables.values():
            table.loc[early | late, asset] = np.nan
        known = tables["close"][asset].dropna().index
        if len(known) and known[0] > index[0]:
            bars = int((index < known[0]).sum())
            rows.append(
                (asset, "late listing", index[0], known[0], bars, float(bars), "kept: starts late")
            )
        if len(known) and known[-1] < index[-1]:
            bars = int((index > known[-1]).sum())
            rows.append(
                (asset, "delisted", known[-1], index[-1], bars, float(bars), "kept: ends early")
            )
    return prices.replace(**tables)


def _inside_bars(prices: Prices, rows: list[Row]) -> Prices:
    tables = prices.tables
    for name, wrong in (("low", "__gt__"), ("high", "__lt__")):
        if name in tables:
            bad = getattr(tables[name], wrong)(prices.close)
            for asset in bad.columns[bad.any()]:
                rows += runs(
                    asset, f"{name} beyond close", bad[asset], tables[name][asset], "set to missing"
                )
            tables[name] = tables[name].mask(bad)
    return prices.replace(**tables)


def _gaps(prices: Prices, rules: Rules, rows: list[Row]) -> Prices:
    close = prices.close.copy()
    for asset in prices.assets:
        series = close[asset]
        hole = series.isna() & series.ffill().notna() & series.bfill().notna()
        length = hole.groupby((~hole).cumsum()).transform("sum")
        fill = hole & (length <= rules.fill_bars) & rules.repair
        rows += runs(asset, "gap", hole & ~fill, length, "left missing")
        rows += runs(asset, "gap", fill, length, "filled with the last close")
        close[asset] = series.where(~fill, series.ffill())
    return prices.replace(close=close)


def _stale(prices: Prices, rules: Rules) -> Iterator[Row]:
    for asset in prices.assets:
        series = prices.close[asset]
        same = series.diff().eq(0)
        start = same | same.shift(-1, fill_value=False)
        length = start.groupby((~same).cumsum()).transform("sum").where(start, 0)
        yield from runs(asset, "stale", length >= rules.stale_bars, length, "kept")


def _outliers(prices: Prices, rules: Rules) -> Iterator[Row]:
    floating = [asset for asset in prices.assets if asset not in rules.pegs]
    if len(floating) < 3:
        return
    returns = np.log(prices.close[floating]).diff()
    distance = returns.sub(returns.median(axis=1), axis=0)
    scale = MAD_TO_SIGMA * distance.abs().median()
    z = distance / scale.where(scale > 0)
    for asset in floating:
        yield from runs(asset, "outlier", z[asset].abs() > rules.outlier_z, z[asset], "kept")


def _depegs(prices: Prices, rules: Rules) -> Iterator[Row]:
    for asset, peg in rules.pegs.items():
        if asset in prices.close:
            price = prices.close[asset]
            off = (price / peg - 1.0).abs() > rules.depeg
            for row in runs(asset, "off peg", off, price - peg, "kept"):
                yield (*row[:5], row[5] + peg, row[6])


def _suspects(prices: Prices, rules: Rules) -> Iterator[Row]:
    for print_ in rules.suspect:
        if print_.asset in prices.close:
            price = prices.close[print_.asset].loc[print_.first : print_.last].dropna()
            if len(price):
                furthest = price.loc[(price - price.median()).abs().idxmax()]
                yield (
                    print_.asset, "suspect print", price.index[0], price.index[-1], len(price),
                    float(furthest), f"kept, flagged: {print_.reason}",
                )  # fmt: skip
