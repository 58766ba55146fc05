"""Do the forecasts hold?  Tests of VaR and ES forecasts, their scores, and which one to use."""

from xcoll.estimators.evaluation.comparison import (
    DieboldMariano,
    confidence_set,
    diebold_mariano,
    long_run_variance,
)
from xcoll.estimators.evaluation.hits import (
    TrafficLight,
    conditional_coverage,
    first_failure,
    independence,
    kupiec,
    traffic_light,
)
from xcoll.estimators.evaluation.inputs import Hits, Result
from xcoll.estimators.evaluation.montecarlo import Null, monte_carlo_p_value, null
from xcoll.estimators.evaluation.overlapping import (
    Rate,
    exceedance_rate,
    exceedances,
    sub_samples,
)
from xcoll.estimators.evaluation.quantile import dynamic_quantile
from xcoll.estimators.evaluation.regression import (
    Regression,
    es_intercept,
    es_regression,
    quantile_regression,
)
from xcoll.estimators.evaluation.scores import fz0, tick
from xcoll.estimators.evaluation.selection import compare, ranking
from xcoll.estimators.evaluation.shortfall_tests import (
    costanzino_curran,
    exceedance_residuals,
    mcneil_frey,
    mcneil_frey_bootstrap,
    nolde_ziegel,
    nolde_ziegel_general,
    tail_chance,
    z1,
    z2,
)
from xcoll.estimators.evaluation.study import (
    Law,
    ParetoLaw,
    hit_chance,
    kupiec_power,
    kupiec_rejects,
    size_and_power,
    size_of_tests,
)
from xcoll.estimators.evaluation.table import TESTS, coverage, judge, rates
from xcoll.estimators.evaluation.waits import duration

__all__ = [
    "TESTS",
    "DieboldMariano",
    "Hits",
    "Law",
    "Null",
    "ParetoLaw",
    "Rate",
    "Regression",
    "Result",
    "TrafficLight",
    "compare",
    "conditional_coverage",
    "confidence_set",
    "costanzino_curran",
    "coverage",
    "diebold_mariano",
    "duration",
    "dynamic_quantile",
    "es_intercept",
    "es_regression",
    "exceedance_rate",
    "exceedance_residuals",
    "exceedances",
    "first_failure",
    "fz0",
    "hit_chance",
    "independence",
    "judge",
    "kupiec",
    "kupiec_power",
    "kupiec_rejects",
    "long_run_variance",
    "mcneil_frey",
    "mcneil_frey_bootstrap",
    "monte_carlo_p_value",
    "nolde_ziegel",
    "nolde_ziegel_general",
    "null",
    "quantile_regression",
    "ranking",
    "rates",
    "size_and_power",
    "size_of_tests",
    "sub_samples",
    "tail_chance",
    "tick",
    "traffic_light",
    "z1",
    "z2",
]
