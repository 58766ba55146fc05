"""Joint price paths with lows, drawn from history or from a fitted process."""

from xcoll.estimators.scenarios.excess import Excess
from xcoll.estimators.scenarios.garch_dcc import GarchDcc
from xcoll.estimators.scenarios.jumps import Jumps
from xcoll.estimators.scenarios.paths import Paths, history
from xcoll.estimators.scenarios.stationary import (
    StationaryBootstrap,
    automatic_block,
    stationary_rows,
)

__all__ = [
    "Excess",
    "GarchDcc",
    "Jumps",
    "Paths",
    "StationaryBootstrap",
    "automatic_block",
    "history",
    "stationary_rows",
]
