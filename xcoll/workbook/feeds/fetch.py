"""Bars of an exchange, page by page: what is new is asked for, all else is kept.

Pages go to a journal as they come (`part`), and into the data when all are there.  A bar is kept
once it is over by the exchange's clock, whatever this machine's says.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd

from xcoll.errors import DataError, ParameterError
from xcoll.market.prices import Prices
from xcoll.workbook.feeds import gaps, store
from xcoll.workbook.feeds.deliver import Delivered, deliver
from xcoll.workbook.feeds.exchange import Exchange
from xcoll.workbook.feeds.pages import COLUMNS, EMPTY, join, judge, stamp
from xcoll.workbook.feeds.part import Part
from xcoll.workbook.feeds.patience import Patience, persist
from xcoll.workbook.feeds.store import Own
from xcoll.workbook.feeds.walk import walk
from xcoll.workbook.feeds.windows import Window, add, missing
from xcoll.workbook.progress import Progress

__all__ = ["Fetched", "fetch"]

T = TypeVar("T")


@dataclass(frozen=True)
class Fetched:
    """What came of a fetch.

    Attributes
    ----------
    made : the data as they stand now.
    skew, measured : seconds that the exchange's clock is ahead of this machine's, and by what.
    pages : pages that were kept.
    counts : bars that were "repeated" (equal copies in an answer, dropped), "unfinished" (not
        over by the exchange's clock, dropped), "outside" (not asked for, dropped) and "healed"
        (missing at first, there when asked for again).
    """

    made: Delivered
    skew: float
    measured: str
    pages: int
    counts: Counter[str]


def fetch(
    exchange: Exchange,
    own: Own,
    symbols: Sequence[str],
    *,
    bar: str,
    since: pd.Timestamp,
    until: pd.Timestamp | None = None,
    patience: Patience,
    progress: Progress,
    replace: bool = False,
) -> Fetched:
    """Bring the data of one name up to date with an exchange, and say which bars are missing.

    Parameters
    ----------
    symbols : markets as ccxt calls them, BTC/USD; each becomes the asset that is its base.
    bar : length of a bar, as ccxt writes it: 1h, 1d.
    since, until : starts of the first bar and of the one after the last, UTC; by default up to now.
    replace : fetch all anew, and let what stands under the name give way in the end.

    Raises
    ------
    ParameterError
        A symbol or bar that the exchange has not, with near ones.
    DataError
        The exchange does not answer, answers nonsense or contradicts itself; other data stand
        under the name; a market without a bar in that time.  What was fetched before is kept.
    """
    with own.held():
        part = Part(own.part, exchange.name, bar, anew=replace)
        held = _Held() if part.anew else _read(own, exchange.name, bar)
        for symbol, window, page in part.pages():
            held.take(symbol, window, page, f"{own.part.name}, {symbol}")
        asking = _Asking(exchange, bar, patience, progress)
        held.assets = exchange.assets([*held.bars, *symbols], held.assets)
        begin, end = _milliseconds(since), asking.now - asking.step + 1
        if until is not None:
            end = min(end, _milliseconds(until))
        if end <= begin:
            raise ParameterError(f"no bar of {bar} was over between {since} and now; ask earlier")
        pages = sum(asking.update(symbol, (begin, end), held, part) for symbol in symbols)
        empty = [symbol for symbol in symbols if symbol not in held.bars]
        if empty:
            raise DataError(
                f"{exchange.name} has no bar of {', '.join(empty)} from {since} on; leave "
                f"{'them' if len(empty) > 1 else 'it'} out, or give another --since (what was "
                "fetched of the others is kept)"
            )
        told = {
            "exchange": exchange.name,
            "bar": bar,
            "symbols": {
                symbol: {"asset": held.assets[symbol], "covered": held.covered[symbol]}
                for symbol in held.bars
            },
            "clock": {"ahead_seconds": round(asking.skew, 3), "measured": asking.measured},
            "counts": dict(asking.told),
        }
        prices = held.prices()
        asked = [held.assets[symbol] for symbol in symbols]
        missed = _gaps(prices, asking.step, asked, begin, end)
        # Pages only ever add to what was held, or that was to give way: so it is replaced.
        made = deliver(own, prices, {"fetch": told}, replace=True, missing=missed)
        part.remove()
    return Fetched(made, asking.skew, asking.measured, pages, asking.told)


@dataclass
class _Held:
    """By symbol: its asset, its bars and the windows that they settle."""

    assets: dict[str, str] = field(default_factory=dict)
    bars: dict[str, np.ndarray] = field(default_factory=dict)
    covered: dict[str, list[Window]] = field(default_factory=dict)

    def take(self, symbol: str, window: Window, page: np.ndarray, place: str) -> None:
        self.bars[symbol], _ = join(self.bars.get(symbol, EMPTY), page, place)
        self.covered[symbol] = add(self.covered.get(symbol, []), window)

    def prices(self) -> Prices:
        frames = {}
        for symbol, page in self.bars.items():
            times = page[:, 0].astype("datetime64[ms]")
            index = pd.DatetimeIndex(times, name="time").as_unit("us")
            frames[self.assets[symbol]] = pd.DataFrame(page[:, 1:], index, list(COLUMNS[1:]))
        tables = {
            name: pd.DataFrame({asset: frame[name] for asset, frame in frames.items()}).sort_index()
            for name in COLUMNS[1:]
        }
        if tables["volume"].isna().all(axis=None):
            del tables["volume"]
        return Prices(**tables)


class _Asking:
    """The exchange, opened, with its clock read once; the bars of one length."""

    def __init__(
        self, exchange: Exchange, bar: str, patience: Patience, progress: Progress
    ) -> None:
        self.exchange, self.bar = exchange, bar
        self.patience, self.progress = patience, progress
        self.counts: Counter[str] = Counter()
        self.dropped: dict[str, set[tuple[str, float]]] = {"unfinished": set(), "outside": set()}
        self.patiently(exchange.open)
        self.step = exchange.bar(bar)
        self.skew, self.measured = self.patiently(exchange.skew)
        self.now = int((exchange.now() + self.skew) * 1000)

    @property
    def told(self) -> Counter[str]:
        """How many bars were dropped or healed; each once, however often it was answered."""
        return +(self.counts + Counter({why: len(bars) for why, bars in self.dropped.items()}))

    def patiently(self, question: Callable[[], T]) -> T:
        return persist(question, self.patience, self.progress.line)

    def update(self, symbol: str, wanted: Window, held: _Held, part: Part) -> int:
        """Ask for what is missing of `wanted`, page by page into the journal; how many pages."""
        place, limit, kept = f"{self.exchange.name} {symbol}", self.exchange.limit(symbol), 0
        self.progress.began(symbol)
        for window in missing(wanted, held.covered.get(symbol, [])):
            bars = held.bars.get(symbol, EMPTY)
            last = bars[bars[:, 0] == window[0] - self.step]
            ask = partial(self.page, symbol, held, place, limit, wanted)
            pages = walk(ask, window, self.step, limit, last, place=place, counts=self.counts)
            for settled, page in pages:
                part.append(symbol, settled, page)
                held.take(symbol, settled, page, place)
                kept += 1
                there = len(held.bars[symbol])
                total = max(there, (wanted[1] - wanted[0]) // self.step)
                self.progress.cell(symbol, there, total, stamp(page[-1, 0]))
        self.progress.ended(symbol, f"{len(held.bars.get(symbol, EMPTY)):,} bars")
        return kept

    def page(
        self, symbol: str, held: _Held, place: str, limit: int, wanted: Window, since: int
    ) -> np.ndarray:
        """The bars from `since` on that are over, judged; they start as those that are held."""
        bars = held.bars.get(symbol, EMPTY)
        phase = int(bars[0, 0]) % self.step if len(bars) else None
        answer = self.patiently(lambda: self.exchange.page(symbol, self.bar, since, limit))
        page, repeated = judge(answer, self.step, place, phase)
        self.counts["repeated"] += repeated
        over = page[:, 0] + self.step <= self.now
        outside = over & ((page[:, 0] < wanted[0]) | (page[:, 0] >= wanted[1]))
        for why, which in (("unfinished", ~over), ("outside", outside)):
            self.dropped[why] |= {(symbol, time) for time in page[which, 0].tolist()}
        return page[over & ~outside]


def _read(own: Own, exchange: str, bar: str) -> _Held:
    """What an earlier fetch of the same exchange and bar left under this name."""
    if not own.data.exists():
        return _Held()
    if moved := store.changed(own.data):
        raise DataError(moved)
    made = own.described().get("fetch")
    if not isinstance(made, dict):
        raise DataError(
            f"{own.name}: prices that were not fetched stand under this name; take another "
            "--name, or give --replace to exchange them"
        )
    if (made.get("exchange"), made.get("bar")) != (exchange, bar):
        raise DataError(
            f"{own.name}: bars of {made.get('bar')} of {made.get('exchange')} stand under this "
            "name; take another --name, or give --replace to exchange them"
        )
    prices, held = own.prices(), _Held()
    try:
        for symbol, one in made["symbols"].items():
            held.assets[symbol] = one["asset"]
            held.bars[symbol] = _bars(prices, one["asset"])
            held.covered[symbol] = [(begin, end) for begin, end in one["covered"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{own.card.name}: it does not say which symbols and windows were fetched ({error!r}); "
            "fetch all anew with --replace"
        ) from error
    return held


def _bars(prices: Prices, asset: str) -> np.ndarray:
    known = prices.close[asset].dropna().index
    times = known.as_unit("ms").asi8.astype(float)
    fields = [
        prices.tables[name].loc[known, asset].to_numpy()
        if name in prices.tables
        else np.full(len(known), np.nan)
        for name in COLUMNS[1:]
    ]
    return np.column_stack([times, *fields])


def _gaps(prices: Prices, step: int, asked: Sequence[str], begin: int, end: int) -> pd.DataFrame:
    """Missing bars: of what was asked for in the whole window, of the rest inside its bars."""
    bar = pd.Timedelta(step, unit="ms")
    first, last = (pd.Timestamp(time, unit="ms") for time in (begin, end))
    rest = [asset for asset in prices.assets if asset not in asked]
    found = [
        gaps.find(dict(prices.close[list(asked)].items()), bar, first, last),
        gaps.find(dict(prices.close[rest].items()), bar),
    ]
    return pd.concat(found, ignore_index=True)


def _milliseconds(time: pd.Timestamp) -> int:
    return (time - pd.Timestamp(0)) // pd.Timedelta(milliseconds=1)
