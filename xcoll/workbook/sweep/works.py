"""The works that a grid can name, with their settings: names, defaults, what each may be."""

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from xcoll import checks
from xcoll.collateral import records
from xcoll.errors import ParameterError
from xcoll.liquidation import backtest
from xcoll.liquidation.rulebooks import RULEBOOKS
from xcoll.liquidation.world import World
from xcoll.workbook import books
from xcoll.workbook.sweep import replays
from xcoll.workbook.sweep.inputs import Read
from xcoll.workbook.sweep.replays import HISTORY, NO_DELAY, NOTHING, PROCESSES, SYNTHETIC, WHOLE
from xcoll.workbook.sweep.tasks import Setting, Values, Work

__all__ = ["WORKS"]

# Microseconds an account and item in the whole world, measured at 30 daily bars.
COST = {"aave": 2, "compound": 4, "euler": 2, "exchange": 3, "maker": 16, "morpho": 4}
HALF_A_SECOND = 500_000
PIECES = tuple(backtest.PIECES)
SERVICES = tuple(backtest.services(World(), "7D"))
SOURCES = (HISTORY, *PROCESSES)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ParameterError(f"{name} is {value!r}; give text, in quotes where it holds a colon")
    return value


def _duration(name: str, value: Any) -> str:
    checks.duration(name, value)
    return value


def _wait(name: str, value: Any) -> str:
    return value if value == NO_DELAY else _duration(name, value)


def _above_one(name: str, value: Any) -> float:
    checks.positive(f"{name} - 1", checks.number(name, value) - 1)
    return float(value)


def _dollars(name: str, value: Any) -> float | None:
    return None if value is None else checks.positive(name, value)


def _without(name: str, value: Any) -> str:
    if _text(name, value) != NOTHING:
        for piece in value.split(" + "):
            checks.one_of(name, piece, [NOTHING, *PIECES])
    return value


def _read_book(path: Path, read: Read) -> pd.DataFrame:
    return records.table(books.read(path, list(read["prices"])))


_least_zero = partial(checks.at_least, least=0.0)
_share = partial(checks.fraction, closed=True)
_seed = partial(checks.whole, least=0)

RULES = {
    "engine": Setting("aave", partial(checks.one_of, choices=RULEBOOKS), ", ".join(RULEBOOKS)),
    "service": Setting(
        WHOLE,
        partial(checks.one_of, choices=SERVICES),
        "in the whole world; without one: prompt, and the bounds breach and low",
    ),
    "without": Setting(
        NOTHING, _without, f"parts of the world switched off, joined by +: {'; '.join(PIECES)}"
    ),
    "factor": Setting(1.0, checks.positive, "times 1 - LT, above 0"),
    "window": Setting("30D", _duration, "a cohort lives, a duration"),
    "recovery": Setting("7D", _duration, "within which a closure was too early, a duration"),
}
# Names and defaults are those of notebook 06, so that a point of a sweep is in its tables too.
FRICTIONS = {
    "oracle_lag": Setting("1h", _wait, "from an update to a price that all see, a duration"),
    "deviation": Setting(0.005, _share, "that makes the feed update, in [0, 1]"),
    "heartbeat": Setting("1h", _duration, "after which it updates anyway, a duration"),
    "keeper_margin": Setting(0.01, _least_zero, "profit asked for, of what is repaid, at least 0"),
    "gas": Setting(30.0, _least_zero, "dollars a call, at least 0"),
    "capital": Setting(5e7, checks.positive, "dollars of all keepers in a day, above 0"),
    "depth": Setting(1.0, checks.positive, "times the depth of a bad day, above 0"),
    "attentive": Setting(0.7, _share, "borrowers who answer a margin call, in [0, 1]"),
    "answer": Setting("2h", _wait, "from the call to the answer, a duration"),
    "interest": Setting(0.05, _least_zero, "a year on stablecoins that are owed, at least 0"),
}
SHAPE = {
    "cohort_size": Setting(6_000, partial(checks.whole, least=100), "accounts, at least 100"),
    "health_median": Setting(1.6, _above_one, "health factor of the median account, above 1"),
    "health_spread": Setting(1.0, _least_zero, "deviation of log(health - 1), at least 0"),
    "volatile_debt": Setting(0.2, _share, "accounts that owe a volatile asset too, in [0, 1]"),
    "venue_usd": Setting(1e9, _dollars, "of collateral in all, above 0; null: as drawn"),
    "book_seed": Setting(6, _seed, "of the accounts, at least 0"),
}
BOOK = {"book": Setting(SYNTHETIC, _text, f"{SYNTHETIC}, or a file from the project root")}
PATHS = {
    "paths": Setting(HISTORY, partial(checks.one_of, choices=SOURCES), ", ".join(SOURCES)),
    "every": Setting("7D", _duration, "a cohort of history opens, a duration"),
    "number": Setting(200, checks.whole, "simulated paths, at least 1"),
    "path_seed": Setting(1, _seed, "of the simulated paths, at least 0"),
}


def _chunk(values: Values, read: Read) -> int:
    return HALF_A_SECOND // (COST[values["engine"]] * replays.size(values, read))


def _idle(values: Values) -> dict[str, str]:
    """Settings that change nothing, and the one that makes it so."""
    historical = values["paths"] == HISTORY
    idle = dict.fromkeys(("number", "path_seed") if historical else ("every",), "paths")
    if values["service"] != WHOLE:
        idle |= dict.fromkeys(("without", *FRICTIONS), "service")
    if values["book"] != SYNTHETIC:
        idle |= dict.fromkeys(SHAPE, "book")
    return idle


WORKS = {
    "replay": Work(
        run=replays.replay,
        settings=RULES | FRICTIONS | BOOK | SHAPE | PATHS,
        span=replays.count,
        chunk=_chunk,
        idle=_idle,
        artifacts=("prices", "excursions", "universe", "parameters", "estimates"),
        files={"book": _read_book},
    ),
}
