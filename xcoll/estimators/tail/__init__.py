"""Value at risk and expected shortfall of what a close-out can lose."""

from xcoll.estimators.tail.copula import Dependence
from xcoll.estimators.tail.losses import (
    LOSSES,
    close_out_losses,
    end_losses,
    path_losses,
    realised_losses,
)
from xcoll.estimators.tail.methods import METHODS
from xcoll.estimators.tail.portfolio import portfolio_losses
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
    triggers,
)
from xcoll.estimators.tail.simulation import (
    Recursion,
    drawn_losses,
    simulate,
    today,
)
from xcoll.estimators.tail.walk import forecasts, scenarios, walk_forward

__all__ = [
    "FALLBACK",
    "FEW",
    "LOSSES",
    "METHODS",
    "Dependence",
    "Recursion",
    "Trigger",
    "VarEs",
    "block_bootstrap_es",
    "block_bootstrap_ratio",
    "close_out_losses",
    "drawn_losses",
    "end_losses",
    "forecasts",
    "historical",
    "path_losses",
    "portfolio_losses",
    "realised_losses",
    "reliable_confidence",
    "scenarios",
    "simulate",
    "table",
    "today",
    "trigger_conditional",
    "triggers",
    "walk_forward",
]
