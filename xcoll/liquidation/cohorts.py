"""Rolling cohorts: a fresh book of the same shape every week at that week's prices.

BTC, ETH and most others never closed under their March 2020 low again, so one book from January
2020 would have all its breaches before April 2020, and May 2021, LUNA and FTX would test nothing.
Here every week opens a book that runs 30 days, and each crisis adds books that open 1, 7 and 30
days before it.  Weekly cohorts overlap and are averaged; crisis cohorts are shown one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.accounts import Book, Draws, Shape, dollars
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation.outcomes import Opening, measure, opening
from xcoll.liquidation.replay import Conduct, rates, replay_arrays

__all__ = ["CRISES", "Cohorts", "Study", "calendar", "compare", "listed", "run"]

# First day of the fall; UTC dates of the bundled daily closes.
CRISES = {
    "COVID crash": "2020-03-12",
    "May 2021": "2021-05-19",
    "LUNA": "2022-05-09",
    "FTX": "2022-11-08",
    "USDC depeg": "2023-03-10",
}


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
    conduct : how breaches are served.
    window : life of a cohort.
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

    @property
    def weekly(self) -> "Study":
        """The same study without the cohorts that open before a crisis."""
        return replace(self, calendar=self.calendar.query("kind == 'weekly'"))


@dataclass(frozen=True)
class Cohorts:
    """Outcomes of many cohorts.

    Attributes
    ----------
    outcomes : one row a cohort; columns ``start``, ``kind`` ("weekly" or a crisis),
        ``days_before`` (0 for weekly) and those of `outcomes.measure`.
    waits : times from breach to service of all accounts served in weekly cohorts.
    """

    outcomes: pd.DataFrame
    waits: pd.Series


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


def run(study: Study) -> Cohorts:
    """Replay every cohort of `study` and measure what happened to it.

    Notes
    -----
    The book of a cohort is in units of one dollar's worth at its opening, and its prices are
    relative to the opening: the same as units and dollars, without sizing each book anew.

    Raises
    ------
    ParameterError
        A cohort lies outside the prices.
    DataError
        An asset that was listed at an opening lacks a price within the window.
    """
    close, shape, parameters = study.close, study.shape, study.parameters
    bar = close.index[1] - close.index[0]
    bars = int(checks.duration("window", study.window) / bar)
    reach = bars + study.conduct.within_bars(bar) + 1
    starts = close.index.get_indexer(study.calendar["start"])
    if (starts < 0).any() or (starts + bars >= len(close)).any():
        raise ParameterError("a cohort lies outside the prices; make the calendar of these prices")
    here = study.universe[shape.assets].to_numpy()[starts]
    closes, lows = (frame[shape.assets].to_numpy(dtype=float) for frame in (close, study.low))
    books: dict[bytes, tuple[Book, Opening]] = {}
    rate = rates(shape.assets, parameters)
    rows, waits = [], []
    for first, kind, known in zip(starts, study.calendar["kind"], here, strict=True):
        if known.tobytes() not in books:
            assets = [asset for asset, there in zip(shape.assets, known, strict=True) if there]
            sides = dollars(study.draws, shape, parameters.frame["threshold"], assets)
            fresh = Book(list(shape.assets), *sides, np.arange(len(study.draws.size)))
            books[known.tobytes()] = fresh, opening(fresh, parameters)
        book, start = books[known.tobytes()]
        # Whoever is not listed has no weight; any finite price will do for it.
        window = slice(first, first + reach)
        close_index = np.where(known, closes[window] / closes[first], 1.0)
        low_index = np.where(known, lows[window] / closes[first], 1.0)
        low_index[0] = 1.0
        _complete(close_index, low_index, close.index[first], shape.assets)
        times = close.index[first : first + bars + 1]
        result = replay_arrays(book, times, close_index, low_index, rate, study.conduct)
        rows.append(measure(start, result))
        waits.append(result.waits if kind == "weekly" else result.waits[:0])
    table = pd.concat([study.calendar.reset_index(drop=True), pd.DataFrame(rows)], axis=1)
    return Cohorts(table, pd.Series(np.concatenate(waits), name="wait"))


def compare(cases: Mapping[str, Study], by: str = "case") -> pd.DataFrame:
    """Outcomes of several studies under each other, with their names in a first column `by`."""
    made = {name: run(study).outcomes for name, study in cases.items()}
    return pd.concat(made, names=[by]).reset_index(by).reset_index(drop=True)


def _complete(close: np.ndarray, low: np.ndarray, start: pd.Timestamp, assets: list[str]) -> None:
    bad = ~((close > 0) & (low > 0) & np.isfinite(close) & (low <= close)).all(axis=0)
    if bad.any():
        names = ", ".join(np.asarray(assets)[bad])
        raise DataError(
            f"{names} was listed when the cohort of {start} opened and lacks a price or a low "
            "inside its window; end its listing earlier in `universe`, or complete the prices"
        )
