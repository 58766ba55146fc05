"""Do the forecasts hold?  Tests of VaR and ES forecasts, and their scores."""

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
    "LikelihoodRatio",
    "Null",
    "TrafficLight",
    "conditional_coverage",
    "coverage",
    "first_failure",
    "fz0",
    "independence",
    "judge",
    "kupiec",
    "monte_carlo_p_value",
    "null",
    "ranking",
    "rates",
    "traffic_light",
]
