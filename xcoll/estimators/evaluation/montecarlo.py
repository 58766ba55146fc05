"""Exact p-values by simulation (Dufour 2006): where a statistic ranks among those of a true model.

A true model's hits are independent with the promised probability, whatever the losses: that is
all that the coverage tests need.  The ES tests need the losses of hits too; they are drawn from
the Pareto tail with the forecast VaR and ES (`shortfall_tests`).  The dynamic quantile test is
simulated beside the VaR forecasts as they were made: exact where these do not follow from the
hits, close where they do.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.evaluation import shortfall_tests
from xcoll.estimators.evaluation.hits import (
    conditional_statistic,
    first_failure_statistic,
    independence_statistic,
    kupiec_statistic,
)
from xcoll.estimators.evaluation.inputs import Hits
from xcoll.estimators.evaluation.quantile import LAGS, dynamic_quantile_statistic
from xcoll.estimators.evaluation.waits import duration_statistic

__all__ = ["HIT_TESTS", "Null", "monte_carlo_p_value", "null"]

# Statistics of hit sequences alone.
HIT_TESTS: dict[str, Callable[[Hits, float], np.ndarray]] = {
    "kupiec": kupiec_statistic,
    "first_failure": first_failure_statistic,
    "independence": independence_statistic,
    "conditional": conditional_statistic,
    "duration": duration_statistic,
}
LEAST = 19  # simulated values under which a p-value cannot reach 5 %


@dataclass(frozen=True)
class Null:
    """Simulated hit sequences of a true model and their statistics.

    Attributes
    ----------
    hits : the sequences, one a replication.
    chance : uniform, one a hit: how far out in the tail its loss lies.
    probability : of a hit.
    statistics : name of a hit test → one value a replication, NaN where it is undefined.
    """

    hits: Hits
    chance: np.ndarray
    probability: float
    statistics: dict[str, np.ndarray]

    @property
    def tail_coverage(self) -> np.ndarray:
        """Σ H of Costanzino–Curran, in which their statistic rises."""
        return self.hits.total(1.0 - self.chance)

    def dynamic_quantile(self, var: np.ndarray, lags: int = LAGS) -> np.ndarray:
        """Dynamic quantile statistics beside the forecasts `var`."""
        return dynamic_quantile_statistic(self.hits, var, self.probability, lags)[0]

    def shortfall(self, var: np.ndarray, es: np.ndarray) -> dict[str, np.ndarray]:
        """Z1, Z2 and Nolde–Ziegel statistics under the Pareto tails of `var` and `es`."""
        bars, x = self.hits.bars, self.hits.count
        v, e = var[bars], es[bars]
        ratio = shortfall_tests.tail_ratio(v, e, self.chance)
        total = self.hits.total(ratio)
        mean = np.divide(total, x, out=np.full(len(x), np.nan), where=x > 1)
        return {
            "z1": 1.0 - mean,
            "z2": 1.0 - total / (self.hits.observations * self.probability),
            "nolde_ziegel": shortfall_tests.nolde_ziegel_statistic(
                self.hits, ratio * e - v, es - var, self.probability
            ),
        }


def null(
    observations: int, probability: float, rng: np.random.Generator, replications: int = 999
) -> Null:
    """Hit sequences of a true model and the statistics of the tests of hits.

    Raises
    ------
    ParameterError : fewer than two bars, or than 19 replications, with which no p-value is 5 %.
    """
    n = checks.whole("observations", observations, least=2)
    p = checks.fraction("probability", probability)
    rows = checks.whole("replications", replications, least=LEAST)
    hits = Hits.of(rng.random((rows, n)) < p)
    statistics = {name: statistic(hits, p) for name, statistic in HIT_TESTS.items()}
    return Null(hits, rng.random(len(hits.bars)), p, statistics)


def monte_carlo_p_value(statistic: float, simulated: np.ndarray, rng: np.random.Generator) -> float:
    """Exact p-value of Dufour (2006): rank among the simulated, ties broken at random.

    The statistics are discrete and ties are common; without the uniform draws that break them
    the test would be conservative.  A test that a sparse sample cannot carry is compared with
    the samples that can: simulated NaN are left out.  NaN where the statistic is missing, or where
    fewer than 19 simulated values are left.
    """
    values = np.asarray(simulated, float)
    if values.ndim != 1 or not values.size:
        raise EstimationError("simulated statistics are one row, at least one; simulate first")
    known = values[~np.isnan(values)]
    if np.isnan(statistic) or len(known) < LEAST:
        return np.nan
    ties = np.abs(known - statistic) <= 1e-12 + 1e-9 * abs(statistic)
    above = (known > statistic) & ~ties
    tied = rng.random(int(ties.sum())) >= rng.random()
    return float((1 + above.sum() + tied.sum()) / (len(known) + 1))
