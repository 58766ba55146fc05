"""Rolling cohorts: a fresh book of the same shape every week at that week's prices.

BTC, ETH and most others never closed under their March 2020 low again, so one book from January
2020 would have all its breaches before April 2020, and May 2021, LUNA and FTX would test nothing.
Here every week opens a book that runs 30 days, and each crisis adds books that open 1, 7 and 30
days before it.  Weekly cohorts overlap and are averaged; crisis cohorts are shown one by one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.accounts import Book, Draws, Shape, dollars
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import DataError, ParameterError
from xcoll.estimators.scenarios import Paths
from xcoll.liquidation import mapping
from xcoll.liquidation._kernels import BARS, UNITS
from xcoll.liquidation.account_types import BORNE, by_class, by_type, classes, types_of
from xcoll.liquidation.outcomes import Opening, measure, opening
from xcoll.liquidation.replay import Conduct, Rates, Replay, rates
from xcoll.liquidation.replay import run as run_book
from xcoll.liquidation.timeline import Timeline, timeline

__all__ = [
    "CRISES",
    "Baskets",
    "Cohorts",
    "Study",
    "Window",
    "bad_debt",
    "calendar",
    "compare",
    "efficiency",
    "fresh",
    "listed",
    "mapped",
    "run",
    "simulated",
    "together",
    "windows",
]

# First day of the fall; UTC dates of the bundled daily closes.
CRISES = {
    "COVID crash": "2020-03-12",
    "May 2021": "2021-05-19",
    "LUNA": "2022-05-09",
    "FTX": "2022-11-08",
    "USDC depeg": "2023-03-10",
}


USUAL = ("weekly", "path")  # cohorts that are averaged; those before a crisis are shown apart


class Baskets(Protocol):
    """What scales the thresholds of each account to the haircut of its own basket."""

    def scale(self, book: Book, time: pd.Timestamp) -> np.ndarray:
        """Multiplier of the thresholds by account, of a book in units of one dollar's worth."""

    @property
    def drawn(self) -> bool:
        """Whether borrowers draw against the scaled thresholds, or owe what they would owe."""


@dataclass(frozen=True)
class Study:
    """All that a backtest rests on; vary it with `dataclasses.replace`.

    Attributes
    ----------
    close, low : time × asset prices, and the lowest price of each bar.
    calendar : openings, as `calendar()` makes them.
    draws, shape : the accounts, the same for every cohort.
    parameters : thresholds, bonuses and fees; borrowers draw against these thresholds.
    universe : time × asset, True where the asset may be held or owed; see `listed`.
    conduct : engine, world, and how breaches are served.
    window : life of a cohort.
    thresholds : time × asset, a path of thresholds; borrowers draw against those in force when
        their cohort opens.  None where the thresholds of `parameters` hold throughout.
    drawn : thresholds that borrowers drew against, where they are not those in force: the same
        loans under another set.
    venue_usd : dollars of collateral at the opening, to which all accounts are scaled; None for the
        sizes of the shape.  It matters where depth is finite and where rules are in dollars.
    baskets : judges each account by the haircut of its own basket; None for thresholds by asset.
    """

    close: pd.DataFrame
    low: pd.DataFrame
    calendar: pd.DataFrame
    draws: Draws
    shape: Shape
    parameters: RiskParameters
    universe: pd.DataFrame
    conduct: Conduct = field(default_factory=Conduct)
    window: str | pd.Timedelta = "30D"
    thresholds: pd.DataFrame | None = None
    drawn: pd.Series | None = None
    venue_usd: float | None = None
    baskets: Baskets | None = None

    @property
    def weekly(self) -> "Study":
        """The same study without the cohorts that open before a crisis."""
        return replace(self, calendar=self.calendar.query("kind == 'weekly'"))

    @property
    def crises(self) -> "Study":
        """The same study with only the cohorts that open before a crisis."""
        return replace(self, calendar=self.calendar.query("kind != 'weekly'"))

    @property
    def bar(self) -> pd.Timedelta:
        """Length of a bar."""
        return self.close.index[1] - self.close.index[0]

    @property
    def bars(self) -> int:
        """Bars of a window."""
        return int(checks.duration("window", self.window) / self.bar)


@dataclass(frozen=True)
class Cohorts:
    """Outcomes of many cohorts.

    Attributes
    ----------
    outcomes : one row a cohort; columns ``start``, ``kind`` ("weekly" or a crisis),
        ``days_before`` (0 for weekly) and those of `outcomes.measure`.
    waits : ``wait``, from breach to service, and ``repaid`` dollars of every account served in
        weekly cohorts or on simulated paths.
    losses : cohorts × bars, bad debt of each bar as a share of the debt at the opening; what is
        still missing at the end counts in the last bar.
    types : means over weekly cohorts or paths by type of account: ``type``, ``class`` and
        `account_types.BORNE` as shares of the debt at the opening.
    assets : by asset, means over the same of dollars ``seized`` and ``deficit`` over the debt at
        the opening, at the prices of the opening.
    """

    outcomes: pd.DataFrame
    waits: pd.DataFrame
    losses: np.ndarray
    types: pd.DataFrame
    assets: pd.DataFrame


def calendar(
    index: pd.DatetimeIndex,
    every: str | pd.Timedelta = "7D",
    window: str | pd.Timedelta = "30D",
    crises: Mapping[str, str] | None = None,
    before: tuple[int, ...] = (1, 7, 30),
) -> pd.DataFrame:
    """Openings of the cohorts whose whole window lies inside `index`.

    Returns
    -------
    DataFrame
        Columns ``start`` (a time of `index`: the book is sized at that close and lives from the
        next bar on), ``kind`` and ``days_before``; weekly cohorts first, in time.  A crisis that
        `index` does not cover has no cohort.

    Raises
    ------
    ParameterError
        `index` is shorter than one window.
    """
    step, span = checks.duration("every", every), checks.duration("window", window)
    latest = index[-1] - span
    weekly = pd.date_range(index[0], latest, freq=step)
    weekly = index[index.isin(weekly)]
    if weekly.empty:
        raise ParameterError(
            f"prices from {index[0]} to {index[-1]} hold no window of {window}; give more rows"
        )
    rows = [(start, "weekly", 0) for start in weekly]
    for name, day in (CRISES if crises is None else crises).items():
        for days in before:
            start = pd.Timestamp(day) - pd.Timedelta(days=days)
            if start in index and start <= latest:
                rows.append((start, name, days))
    return pd.DataFrame(rows, columns=["start", "kind", "days_before"])


def listed(
    close: pd.DataFrame,
    history: str | pd.Timedelta = "30D",
    collapse: float = 0.9,
) -> pd.DataFrame:
    """Assets that a venue would accept at each time, as known then.

    An asset is listed once it has prices for the whole of `history`.  The listing rule removes it
    for good on the day on which it has lost more than `collapse` of its highest close over
    `history`; LUNA goes on 2022-05-11.

    Returns
    -------
    DataFrame of bool, time × asset.
    """
    checks.fraction("collapse", collapse)
    bar = close.index[1] - close.index[0]
    bars = max(int(checks.duration("history", history) / bar), 1)
    known = close.notna()
    aged = known.rolling(bars, min_periods=1).sum() >= min(bars, len(close))
    aged |= known.cummin()  # listed before the data begin
    highest = close.rolling(bars, min_periods=1).max()
    removed = (close < (1 - collapse) * highest).cummax()
    return known & aged & ~removed


def mapped(study: Study, known: np.ndarray | None = None) -> mapping.Mapped:
    """The accounts of `study` as its engine holds them, in units of one dollar's worth.

    `known`: assets that are listed, by asset of the shape; all where not given.
    """
    shape, form = study.shape, mapping.VENUES[study.conduct.engine.form]
    known = np.ones(len(shape.assets), dtype=bool) if known is None else known
    names = [asset for asset, there in zip(shape.assets, known, strict=True) if there]
    drawn = study.parameters.frame["threshold"] if study.drawn is None else study.drawn
    owable = [asset for asset in shape.stable if asset in names] if form.named else None
    return mapping.split(
        fresh(study, names, drawn), study.conduct.engine.form, _ones(shape), drawn, owable
    )


def _ones(shape: Shape) -> pd.Series:
    return pd.Series(1.0, shape.assets)


def fresh(study: Study, names: list[str], thresholds: pd.Series) -> Book:
    """The accounts of `study` when the assets `names` are listed, drawn against `thresholds`.

    In units of one dollar's worth, before any engine's mapping.
    """
    sides = dollars(study.draws, study.shape, thresholds, names)
    if study.venue_usd is not None:
        factor = checks.positive("venue_usd", study.venue_usd) / sides[0].sum()
        sides = tuple(side * factor for side in sides)
    return Book(list(study.shape.assets), *sides, np.arange(len(study.draws.size)))


@dataclass(frozen=True)
class _Ready:
    """The book of a listing as the engine holds it, and what is known of its original accounts."""

    book: Book
    start: Opening
    fresh: Book
    parent: np.ndarray
    threshold: np.ndarray

    @cached_property
    def types(self) -> pd.DataFrame:
        """Classes of the original accounts."""
        return types_of(self.fresh, self.threshold)

    @cached_property
    def owed(self) -> np.ndarray:
        """Debt by class of account."""
        return by_class(self.types.iloc[self.parent], [self.book.debt.sum(axis=1)])


def _books(study: Study, known: np.ndarray, thresholds: pd.Series) -> _Ready:
    """The book that opens with the assets `known`, in units of one dollar's worth."""
    shape, engine = study.shape, study.conduct.engine
    names = [asset for asset, there in zip(shape.assets, known, strict=True) if there]
    drawn = thresholds if study.drawn is None else study.drawn
    book = whole = fresh(study, names, drawn)
    parent = whole.ids
    form = mapping.VENUES[engine.form]
    if form.one_collateral or form.one_debt:
        held = mapped(replace(study, drawn=drawn), known)
        book, parent = held.book, held.parent
    lt = drawn.reindex(shape.assets).fillna(0.0).to_numpy(dtype=float)
    return _Ready(book, opening(book, study.parameters, thresholds), whole, parent, lt)


def _judged(
    ready: _Ready, study: Study, time: pd.Timestamp, given: Rates
) -> tuple[_Ready, np.ndarray | None]:
    """The book, and the scale of its thresholds, where accounts are judged by their baskets."""
    if study.baskets is None:
        return ready, None
    scale = study.baskets.scale(ready.book, time)
    if not study.baskets.drawn:
        return ready, scale
    book = replace(ready.book, debt=ready.book.debt * scale[:, None])
    counted = replace(book, collateral=book.collateral * scale[:, None])
    thresholds = pd.Series(given.threshold, book.assets)
    power, share = opening(counted, study.parameters, thresholds), counted.collateral.sum()
    share /= book.collateral.sum()
    start = replace(
        ready.start,
        debt=float(book.debt.sum()),
        capital_efficiency=power.capital_efficiency * float(share),
        threshold=power.threshold * float(share),
    )
    return replace(ready, book=book, start=start), scale


@dataclass(frozen=True)
class Window:
    """Prices of one cohort, relative to its opening.

    Attributes
    ----------
    times : its opening, its bars, and those in which a closed account might have recovered.
    known : by asset, whether it is listed at the opening.
    line : prices by step, as the study's world shows them.
    """

    times: pd.DatetimeIndex
    known: np.ndarray
    line: Timeline


def windows(study: Study) -> list[Window]:
    """The windows of the study's calendar; they depend on its prices and world alone.

    Raises
    ------
    ParameterError
        A cohort lies outside the prices.
    DataError
        An asset that was listed at an opening lacks a price within the window.
    """
    close, shape, conduct = study.close, study.shape, study.conduct
    bars = study.bars
    reach = bars + conduct.within_bars(study.bar) + 1
    starts = close.index.get_indexer(study.calendar["start"])
    if (starts < 0).any() or (starts + bars >= len(close)).any():
        raise ParameterError("a cohort lies outside the prices; make the calendar of these prices")
    here = study.universe[shape.assets].to_numpy()[starts]
    closes, lows = (frame[shape.assets].to_numpy(dtype=float) for frame in (close, study.low))
    made = []
    for first, known in zip(starts, here, strict=True):
        # Whoever is not listed has no weight; any finite price will do for it.
        window = slice(first, first + reach)
        close_index = np.where(known, closes[window] / closes[first], 1.0)
        low_index = np.where(known, lows[window] / closes[first], 1.0)
        low_index[0] = 1.0
        _complete(close_index, low_index, close.index[first], shape.assets)
        line = timeline(
            close_index, low_index, study.bar, conduct.steps, conduct.world, shape.assets
        )
        made.append(Window(close.index[window], known, line))
    return made


def run(study: Study, prices: Sequence[Window] | None = None) -> Cohorts:
    """Replay every cohort of `study` and measure what happened to it.

    Parameters
    ----------
    prices : `windows` of the same calendar, prices and world, where they are at hand.

    Notes
    -----
    The book of a cohort is in units of one dollar's worth at its opening, and its prices are
    relative to the opening: the same as units and dollars, without sizing each book anew.  At a
    venue that cannot hold every account the book is what `mapping.split` leaves of it.

    Raises
    ------
    ParameterError, DataError
        See `windows`.
    """
    kinds = study.calendar["kind"]
    made = zip(_replays(study, prices or windows(study)), kinds, strict=True)
    found = [_measured(ready, result, kind) for (ready, result), kind in made]
    return _collected(study.calendar.reset_index(drop=True), study.shape.assets, found)


def bad_debt(study: Study, prices: Sequence[Window]) -> np.ndarray:
    """The column ``bad_debt`` of `run`, without all the rest; `prices` are its `windows`."""
    lost = []
    for ready, result in _replays(study, prices):
        dollars_lost = result.column("deficit").sum() + result.column("under").sum()
        lost.append(float(dollars_lost) / ready.start.debt)
    return np.array(lost)


def _replays(study: Study, prices: Sequence[Window]) -> Iterator[tuple[_Ready, Replay]]:
    """Each cohort's book and what became of it."""
    shape, path = study.shape, study.thresholds
    given = rates(shape.assets, study.parameters)
    books: dict[bytes, _Ready] = {}
    for window in prices:
        if path is not None:
            given = rates(shape.assets, study.parameters, path, window.times)
        times = window.times[: study.bars + 1]
        key = window.known.tobytes() + given.threshold.tobytes()
        if key not in books:
            books[key] = _books(study, window.known, pd.Series(given.threshold, shape.assets))
        ready, scale = _judged(books[key], study, times[0], given)
        yield ready, run_book(ready.book, times, window.line, given, study.conduct, scale)


def efficiency(study: Study) -> np.ndarray:
    """Borrowing power a dollar of collateral when each cohort opens, by cohort; nothing is run.

    Baskets and a moving path of thresholds are left out: it is that of `study.parameters`.
    """
    thresholds = study.parameters.frame["threshold"]
    rows = study.close.index.get_indexer(study.calendar["start"])
    here = study.universe[study.shape.assets].to_numpy()[rows]
    listings, which = np.unique(here, axis=0, return_inverse=True)
    made = [_books(study, known, thresholds).start.capital_efficiency for known in listings]
    return np.array(made)[which.ravel()]


def simulated(study: Study, paths: Paths) -> Cohorts:
    """One cohort on every simulated path, with all assets of the paths listed.

    `study` gives the accounts, the parameters and the conduct; its prices are not used, and assets
    that the paths do not have are neither held nor owed.  ``start`` is the number of the path.

    Raises
    ------
    ParameterError
        A study with a path of thresholds or with baskets, which belong to dates.
    """
    if study.thresholds is not None or study.baskets is not None:
        raise ParameterError("thresholds by date and baskets need dates; give a study without them")
    shape = study.shape
    bars = min(int(checks.duration("window", study.window) / paths.bar), paths.bars)
    known = np.isin(shape.assets, paths.assets)
    column = [paths.assets.index(asset) for asset in np.asarray(shape.assets)[known]]
    given = rates(shape.assets, study.parameters)
    ready = _books(study, known, pd.Series(given.threshold, shape.assets))
    times = pd.date_range("2000-01-01", periods=bars + 1, freq=paths.bar, unit="us")
    found = []
    for closes, lows in zip(paths.closes, paths.lows, strict=True):
        index = np.ones((2, len(closes), len(shape.assets)))
        index[0][:, known], index[1][:, known] = closes[:, column], lows[:, column]
        line = timeline(*index, paths.bar, study.conduct.steps, study.conduct.world, shape.assets)
        result = run_book(ready.book, times, line, given, study.conduct)
        found.append(_measured(ready, result, "path"))
    calendar = pd.DataFrame({"start": range(len(paths)), "kind": "path", "days_before": 0})
    return _collected(calendar, shape.assets, found)


def _measured(ready: _Ready, result: Replay, kind: str) -> tuple:
    """One row of outcomes, waits, losses by bar, and what types and assets bore."""
    waits = result.waits if kind in USUAL else result.waits[:, :0]
    losses = result.by_bar[:, BARS.index("deficit")].copy()
    losses[-1] += result.column("under").sum()
    borne = np.hstack([ready.owed, by_type(result, ready.types, ready.parent)])
    units = result.units[[UNITS.index("seized"), UNITS.index("deficit")]]
    debt = ready.start.debt
    return measure(ready.start, result), waits, losses / debt, borne / debt, units / debt


def _collected(calendar: pd.DataFrame, assets: list[str], found: list[tuple]) -> Cohorts:
    rows, waits, losses, borne, units = zip(*found, strict=True)
    outcomes = pd.concat([calendar, pd.DataFrame(list(rows))], axis=1)
    usual = calendar["kind"].isin(USUAL).to_numpy()
    usual = usual if usual.any() else ~usual  # crises alone are averaged all the same
    types = pd.DataFrame(np.array(borne)[usual].mean(axis=0), columns=list(BORNE))
    by_asset = pd.DataFrame(np.array(units)[usual].mean(axis=0).T, columns=["seized", "deficit"])
    by_asset.insert(0, "asset", assets)
    wait, repaid = np.hstack(waits)
    return Cohorts(
        outcomes,
        pd.DataFrame({"wait": wait.astype("timedelta64[ns]"), "repaid": repaid}),
        np.array(losses),
        pd.concat([classes(), types], axis=1),
        by_asset,
    )


def compare(cases: Mapping[str, Study], by: str = "case") -> pd.DataFrame:
    """Outcomes of several studies under each other, with their names in a first column `by`."""
    return together({name: run(study) for name, study in cases.items()}, by)


def together(cases: Mapping[str, Cohorts], by: str) -> pd.DataFrame:
    """Outcomes of several cohorts under each other, with their names in a first column `by`."""
    made = {name: found.outcomes for name, found in cases.items()}
    return pd.concat(made, names=[by]).reset_index(by).reset_index(drop=True)


def _complete(close: np.ndarray, low: np.ndarray, start: pd.Timestamp, assets: list[str]) -> None:
    bad = ~((close > 0) & (low > 0) & np.isfinite(close) & (low <= close)).all(axis=0)
    if bad.any():
        names = ", ".join(np.asarray(assets)[bad])
        raise DataError(
            f"{names} was listed when the cohort of {start} opened and lacks a price or a low "
            "inside its window; end its listing earlier in `universe`, or complete the prices"
        )
