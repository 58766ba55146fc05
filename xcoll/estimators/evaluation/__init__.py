"""Do the forecasts hold?  Tests of VaR and ES forecasts, and their scores."""

from xcoll.estimators.evaluation.comparison import (
    DieboldMariano,
    confidence_set,
    diebold_mariano,
    long_run_variance,
)
from xcoll.estimators.evaluation.coverage import (
    LikelihoodRatio,
    Null,
    TrafficLight,
    conditional_coverage,
    coverage,
    first_failure,
    fz0,
    independence,
    judge,
    kupiec,
    monte_carlo_p_value,
    null,
    ranking,
    rates,
    traffic_light,
)

__all__ = [
    "DieboldMariano",
    "LikelihoodRatio",
    "Null",
    "TrafficLight",
    "conditional_coverage",
    "confidence_set",
    "coverage",
    "diebold_mariano",
    "first_failure",
    "fz0",
    "independence",
    "judge",
    "kupiec",
    "long_run_variance",
    "monte_carlo_p_value",
    "null",
    "ranking",
    "rates",
    "traffic_light",
]
