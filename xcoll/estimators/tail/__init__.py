"""Value at risk and expected shortfall of what a close-out can lose."""

from xcoll.estimators.tail.forecasts import (
    METHODS,
    forecasts,
    scenarios,
    walk_forward,
)
from xcoll.estimators.tail.losses import (
    LOSSES,
    close_out_losses,
    end_losses,
    path_losses,
    realised_losses,
)
from xcoll.estimators.tail.shortfall import (
    FALLBACK,
    FEW,
    Trigger,
    VarEs,
    block_bootstrap_es,
    block_bootstrap_ratio,
    historical,
    reliable_confidence,
    table,
    trigger_conditional,
)
from xcoll.estimators.tail.simulation import (
    Recursion,
    simulate,
    today,
)

__all__ = [
    "FALLBACK",
    "FEW",
    "LOSSES",
    "METHODS",
    "Recursion",
    "Trigger",
    "VarEs",
    "block_bootstrap_es",
    "block_bootstrap_ratio",
    "close_out_losses",
    "end_losses",
    "forecasts",
    "historical",
    "path_losses",
    "realised_losses",
    "reliable_confidence",
    "scenarios",
    "simulate",
    "table",
    "today",
    "trigger_conditional",
    "walk_forward",
]
