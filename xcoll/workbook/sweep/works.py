"""The works that a grid can name; all that a sweep knows of the floors below is here."""

import hashlib
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.thresholds import RiskParameters
from xcoll.collateral.universe import Universe
from xcoll.liquidation import backtest, cohorts
from xcoll.liquidation.frontier import scaled
from xcoll.liquidation.replay import FILLS, Conduct, low_prices
from xcoll.liquidation.world import Keepers, Oracle, World
from xcoll.workbook.sweep.tasks import Read, Setting, Task, Values, Work

__all__ = ["WORKS"]

HALF_A_SECOND = 1_500_000  # accounts × cohorts, measured at 30 daily bars
NONE = "0h"  # no delay


def replay_cohorts(task: Task, read: Read) -> pd.DataFrame:
    """Outcomes of the cohorts of `task`, weekly ones and those before a crisis.

    Returns
    -------
    DataFrame
        One row a cohort: ``consistent`` (False for thresholds that may not be recommended), then
        the columns of `Cohorts.outcomes`.  Books are synthetic.
    """
    values = task.values
    close = read["prices"]
    study = backtest.default(
        Universe.model_validate(read["universe"]),
        close,
        low_prices(close, read["excursions"]),
        _given(read),
        rng=_book_rng(values["book_seed"]),
        size=values["cohort_size"],
        **{name: values[name] for name in ("every", "window", *SHAPE)},
    )
    study = replace(
        study,
        calendar=study.calendar.iloc[task.first : task.last],
        parameters=scaled(study.parameters, values["factor"]),
        conduct=_conduct(values),
    )
    outcomes = cohorts.run(study).outcomes
    outcomes.insert(0, "consistent", not study.parameters.faults)
    return outcomes


def _conduct(values: Values) -> Conduct:
    """Aave's rules; ``path`` in a world with delays, the bounds in one without."""
    oracle, keepers = Oracle(_lag(values["oracle_delay"])), Keepers(_lag(values["response"]))
    world = World(oracle, keepers) if values["fill"] == "path" else World()
    return Conduct(world=world, fill=values["fill"], within=values["recovery"])


def _lag(value: str) -> str | None:
    return None if value == NONE else value


def _count_cohorts(values: Values, read: Read) -> int:
    collateral = Universe.model_validate(read["universe"]).collateral
    scaled(RiskParameters(_given(read).loc[collateral]), values["factor"])
    return len(cohorts.calendar(read["prices"].index, values["every"], values["window"]))


def _given(read: Read) -> pd.DataFrame:
    return read["parameters"].query("covering").set_index("asset")


def _book_rng(seed: int) -> np.random.Generator:
    # The generator of `Run.rng("book", seed)`, so that a book is that of notebook 06.
    label = int.from_bytes(hashlib.sha256(b"book").digest()[:8], "little")
    return np.random.default_rng([seed, label])


def _duration(name: str, value: str) -> str:
    checks.duration(name, value)
    return value


def _wait(name: str, value: str) -> str:
    return value if value == NONE else _duration(name, value)


def _above_one(name: str, value: float) -> float:
    checks.positive(f"{name} - 1", checks.number(name, value) - 1)
    return float(value)


SHAPE = {
    "health_median": Setting(1.6, _above_one),
    "health_spread": Setting(1.0, partial(checks.at_least, least=0.0)),
    "volatile_debt": Setting(0.2, partial(checks.fraction, closed=True)),
}
WORKS = {
    # Names and defaults of notebook 06, so that a point of a sweep is in its tables too.
    "cohorts": Work(
        run=replay_cohorts,
        settings={
            "factor": Setting(1.0, checks.positive),  # times 1 − LT
            "oracle_delay": Setting("1h", _wait),  # from a breach to a price that shows it
            "response": Setting(NONE, _wait),  # from there to a keeper's call
            "fill": Setting("path", partial(checks.one_of, choices=FILLS)),  # only "path" waits
            "recovery": Setting("7D", _duration),
            **SHAPE,
            "cohort_size": Setting(10_000, partial(checks.whole, least=100)),
            "book_seed": Setting(6, partial(checks.whole, least=0)),
            "every": Setting("7D", _duration),
            "window": Setting("30D", _duration),
        },
        span=_count_cohorts,
        chunk=lambda values: HALF_A_SECOND // values["cohort_size"],
        artifacts=("prices", "excursions", "universe", "parameters"),
    ),
}
