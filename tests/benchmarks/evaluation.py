"""Monte Carlo null of the tests of VaR forecasts."""

import numpy as np
from scipy.special import xlogy

from tests.benchmarks.measure import Case, Peer
from xcoll.estimators import evaluation

CHANCE = 0.01


def _kupiec(hits: np.ndarray) -> float:
    """Likelihood ratio of Kupiec (1995)."""
    n, x = len(hits), hits.sum()
    free = xlogy(x, x / n) + xlogy(n - x, 1.0 - x / n)
    return 2.0 * (free - xlogy(x, CHANCE) - xlogy(n - x, 1.0 - CHANCE))


def null(tiny: bool = False) -> Case:
    """Statistics of all tests of hits on histories of a true model (Dufour 2006)."""
    bars, replications = (250, 50) if tiny else (1000, 999)

    def ours() -> evaluation.Null:
        rng = np.random.default_rng(1)
        return evaluation.null(bars, CHANCE, rng, replications)

    def numpy() -> np.ndarray:
        hits = np.random.default_rng(1).random((replications, bars)) < CHANCE
        return np.array([_kupiec(row) for row in hits])

    def agree(found: evaluation.Null, statistics: np.ndarray) -> None:
        np.testing.assert_allclose(found.statistics["kupiec"], statistics, atol=1e-9)

    peer = Peer(
        "numpy", "numpy", numpy, agree, remark="Kupiec's statistic only, a history at a time"
    )
    size = f"{replications} histories of {bars:,} bars"
    return Case("Monte Carlo null of the hit tests", size, ours, (peer,))


CASES = (null,)
