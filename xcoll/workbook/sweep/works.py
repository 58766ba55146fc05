"""The works that a grid can name, with their settings: names, defaults, what each may be."""

from collections.abc import Callable
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
from xcoll.systemic.present import LENDERS
from xcoll.workbook import books
from xcoll.workbook.sweep import replays, systems
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


def _lenders(name: str, value: Any) -> str:
    for lender in _text(name, value).split(" + "):
        checks.one_of(name, lender, LENDERS)
    return value


def _or_as_run(guard: Callable[..., object]) -> Callable[[str, Any], object]:
    """None stands for what the run assumes."""
    return lambda name, value: None if value is None else guard(name, value)


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


_AS_RUN = "; null: as in notebook 07 of the run"
SYSTEM = {
    name: Setting(None, _or_as_run(guard), note + _AS_RUN)
    for name, (guard, note) in {
        "collateral_usd": (checks.positive, "pledged at all lenders, above 0"),
        "size": (partial(checks.whole, least=100), "accounts a lender, at least 100"),
        "overlap": (_share, "of a lender's users are at the first one too, in [0, 1]"),
        "derived": (_share, "of an asset's weight is pledged in tokens of it, in [0, 1]"),
        "size_spread": (checks.positive, "of the log sizes of accounts, above 0"),
        "takers": (_share, "accounts that borrow again when they can, in [0, 1]"),
        "looped_usd": (_least_zero, "of looped staked tokens, at least 0"),
        "receipts_usd": (_least_zero, "of receipts pledged elsewhere, at least 0"),
        "lasting": (_share, "of a price move stays, in [0, 1]"),
        "seed": (_seed, "of the accounts, at least 0"),
    }.items()
}
SHOCKS = {
    "lenders": Setting(" + ".join(LENDERS), _lenders, "names joined by +"),
    "horizon": Setting("7D", _duration, "of the law of moves, a duration"),
    "calm": Setting(0.1, _share, "weight of today's correlation beside the stressed, in [0, 1]"),
    "step": Setting("4h", _duration, "of an episode, a duration"),
    "over": Setting(2, checks.whole, "steps of the fall, at least 1"),
    "after": Setting(2, _seed, "steps at its prices, at least 0"),
    "draws": Setting(10_000, checks.whole, "shocks, at least 1"),
    "draw_seed": Setting(1, _seed, "of the shocks, at least 0"),
}


def _chunk_of_shocks(values: Values, read: Read) -> int:
    return max(HALF_A_SECOND * 10 // systems.accounts(values, read), 1)


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
    "shocks": Work(
        run=systems.shocks,
        settings=SYSTEM | SHOCKS,
        span=systems.count,
        chunk=_chunk_of_shocks,
        artifacts=(
            "universe",
            "residuals",
            "correlation_now",
            "correlation_stress_high",
            "parameters",
            "estimates",
            "backtest_setting",
            "system_setting",
        ),
    ),
}
