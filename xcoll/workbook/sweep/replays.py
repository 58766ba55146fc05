"""One point of a grid as a study of the liquidation floor, and its outcomes item by item."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pandas as pd

from xcoll.collateral import records
from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters
from xcoll.collateral.universe import Universe
from xcoll.errors import ParameterError
from xcoll.estimators.scenarios import GarchDcc, Paths, StationaryBootstrap
from xcoll.liquidation import backtest, cohorts, own_book
from xcoll.liquidation.cohorts import Study
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.frontier import scaled
from xcoll.liquidation.replay import Conduct, low_prices
from xcoll.liquidation.rulebooks import RULEBOOKS
from xcoll.liquidation.world import World
from xcoll.market.returns import log_returns
from xcoll.workbook.streams import stream
from xcoll.workbook.sweep.inputs import Read
from xcoll.workbook.sweep.tasks import Task, Values

__all__ = [
    "HISTORY",
    "NOTHING",
    "NO_DELAY",
    "PROCESSES",
    "SYNTHETIC",
    "WHOLE",
    "count",
    "replay",
    "size",
]

HISTORY, NO_DELAY, NOTHING, SYNTHETIC, WHOLE = "history", "0h", "nothing", "synthetic", "world"
PROCESSES = {"bootstrap": StationaryBootstrap, "garch": GarchDcc}
STRAIGHT = "low inside the bar"  # the piece of the world that lies in the prices
BLOCK = 50  # simulated paths that share a generator
SHAPE = ("health_median", "health_spread", "volatile_debt", "venue_usd")


def replay(task: Task, read: Read) -> pd.DataFrame:
    """Outcomes of a book in cohorts of history, or on simulated paths.

    Returns
    -------
    DataFrame
        One row an item: ``item`` (its number), ``consistent`` (False for thresholds that may not be
        recommended), then the columns of `Cohorts.outcomes`; ``start`` is NaT on a simulated path.
    """
    values = task.values
    study, book = _study(values, read), _held(values, read, values["factor"])
    if values["paths"] == HISTORY:
        study = replace(study, calendar=study.calendar.iloc[task.first : task.last])
        made = cohorts.run(study).outcomes if book is None else own_book.in_history(book, study)
    else:
        drawn = (study, _paths(task, study, read))
        made = (
            cohorts.simulated(*drawn).outcomes if book is None else own_book.on_paths(book, *drawn)
        )
        made["start"] = pd.Series(pd.NaT, made.index, study.close.index.dtype)
    made.insert(0, "item", np.arange(task.first, task.last))
    made.insert(1, "consistent", not study.parameters.faults)
    return made


def count(values: Values, read: Read) -> int:
    """Number of cohorts or paths of a point.

    Raises
    ------
    ParameterError
        A point that cannot be: thresholds that a factor takes away, a bound for an engine that has
        none, no cohort within the prices, a book without simulated paths.
    """
    scaled(_parameters(read), values["factor"])
    _conduct(values, World())
    book = _held(values, read)
    if values["paths"] == HISTORY:
        return len(_calendar(values, read))
    without = [] if book is None else sorted({*own_book.used(book)} - {*_simulated(read)})
    if without:
        raise ParameterError(
            f"{values['book']} uses {', '.join(without)}, which the universe neither pledges nor "
            f"owes, so there are no paths of it; leave it out, or take paths {HISTORY}"
        )
    return values["number"]


def size(values: Values, read: Read) -> int:
    """Number of accounts."""
    book = _held(values, read)
    return values["cohort_size"] if book is None else len(book)


def _study(values: Values, read: Read) -> Study:
    close = read["prices"]
    low = read.once("low", lambda: low_prices(close, read["excursions"]))
    study = backtest.default(
        _universe(read),
        close,
        low,
        _parameters(read).frame,
        rng=stream("book", values["book_seed"]),  # as in notebook 06
        size=values["cohort_size"],
        **{name: values[name] for name in ("every", "window", *SHAPE)},
    )
    world = _world(values, read) if values["service"] == WHOLE else World()
    study = replace(
        study,
        calendar=_calendar(values, read),
        parameters=scaled(study.parameters, values["factor"]),
        conduct=_conduct(values, world),
    )
    for piece in _pieces(values):
        study = backtest.PIECES[piece](study)
    return study


def _universe(read: Read) -> Universe:
    return read.once("universe", lambda: Universe.model_validate(read["universe"]))


def _parameters(read: Read) -> RiskParameters:
    def make() -> RiskParameters:
        given = read["parameters"].query("covering").set_index("asset")
        return RiskParameters(given.loc[_universe(read).collateral])

    return read.once("parameters", make)


def _calendar(values: Values, read: Read) -> pd.DataFrame:
    every, window, name = values["every"], values["window"], values["book"]

    def make() -> pd.DataFrame:
        whole = cohorts.calendar(read["prices"].index, every, window)
        book = _book(values, read)
        if book is None:
            return whole
        return own_book.openings(book, whole, cohorts.listed(read["prices"]), name)

    return read.once(f"calendar {every} {window} {name}", make)


def _book(values: Values, read: Read) -> Book | None:
    """The user's book in dollars, or None for a synthetic one."""
    name = values["book"]

    def make() -> Book:
        close = read["prices"]
        return own_book.worth(records.parse(read[name], list(close), name), close.iloc[-1])

    return None if name == SYNTHETIC else read.once(f"book {name}", make)


def _held(values: Values, read: Read, factor: float = 1.0) -> Book | None:
    """The user's book as the engine holds it; the factor moves what is split, not how many."""
    whole, form = _book(values, read), RULEBOOKS[values["engine"]].form
    if whole is None:
        return None
    name, stable = values["book"], _universe(read).stablecoins
    return read.once(
        f"book {name} at {form}, factor {factor}",
        lambda: own_book.held(whole, form, scaled(_parameters(read), factor), stable, name),
    )


def _conduct(values: Values, world: World) -> Conduct:
    conduct = backtest.services(world, values["recovery"])[values["service"]]
    return replace(conduct, engine=RULEBOOKS[values["engine"]]())


def _world(values: Values, read: Read) -> World:
    lag, answer = (None if values[x] == NO_DELAY else values[x] for x in ("oracle_lag", "answer"))
    return backtest.surroundings(
        read.once(f"depth {values['depth']}", lambda: _depth(values["depth"], read)),
        lag,
        *(values[x] for x in ("deviation", "heartbeat", "keeper_margin", "gas", "capital")),
        values["attentive"],
        answer,
        dict.fromkeys(_universe(read).stablecoins, values["interest"]),
    )


def _depth(times: float, read: Read) -> Depth:
    """Order books of a bad day as of the last calibration."""
    latest = read["estimates"].query("time == time.max()")
    sigma = latest.groupby("asset")["bad_day"].first()
    return backtest.stressed_depth(_universe(read), sigma, times)


def _pieces(values: Values) -> Collection[str]:
    """Pieces of the world that are switched off."""
    without = values["without"]
    return without.split(" + ") if values["service"] == WHOLE and without != NOTHING else ()


def _paths(task: Task, study: Study, read: Read) -> Paths:
    """Simulated paths ``first`` to ``last − 1``; each is the same in whatever task it comes."""
    values = task.values
    name, lows = values["paths"], STRAIGHT not in _pieces(values)
    process = read.once(f"{name}, lows {lows}", lambda: _fitted(name, lows, read))
    bars = study.bars + study.conduct.within_bars(study.bar)
    first = task.first // BLOCK
    blocks = [
        process.simulate(BLOCK, bars, np.random.default_rng([values["path_seed"], block]))
        for block in range(first, -(-task.last // BLOCK))
    ]
    own = slice(task.first - first * BLOCK, task.last - first * BLOCK)
    closes, low = (
        np.concatenate([getattr(block, side) for block in blocks])[own]
        for side in ("closes", "lows")
    )
    return Paths(closes, low, blocks[0].assets, study.bar)


def _fitted(name: str, lows: bool, read: Read) -> StationaryBootstrap | GarchDcc:
    assets = _simulated(read)
    returns = log_returns(read["prices"][assets]).iloc[1:]
    low = read["excursions"][assets].iloc[1:] if lows else None
    return PROCESSES[name].fit(returns, low)


def _simulated(read: Read) -> list[str]:
    """Assets of simulated paths: those that may be pledged or owed."""
    universe = _universe(read)
    return [asset for asset in read["prices"] if asset in {*universe.collateral, *universe.debts}]
