"""Monte Carlo null of the tests of VaR forecasts, and the model confidence set."""

import numpy as np
import pandas as pd
from arch.bootstrap import MCS
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
    size = f"{replications} simulated histories of {bars:,} bars"
    return Case("Monte Carlo null of the hit tests", size, ours, (peer,))


def best_models(tiny: bool = False) -> Case:
    """Model confidence set (Hansen, Lunde and Nason 2011) of losses whose means differ a little."""
    bars, models, replications = (200, 4, 200) if tiny else (1095, 7, 1000)
    block = round(bars ** (1 / 3))
    rng = np.random.default_rng(1)
    common, own = rng.standard_normal((bars, 1)), rng.standard_normal((bars, models))
    means = np.linspace(0.0, 0.15, models)
    losses = pd.DataFrame(common + own + means, columns=[f"model {n}" for n in range(models)])

    def ours() -> pd.DataFrame:
        return evaluation.confidence_set(losses, replications=replications, block=block)

    def arch() -> pd.Series:
        test = MCS(losses, 0.10, replications, block, "R", bootstrap="circular", seed=1)
        test.compute()
        return test.pvalues["Pvalue"]

    def agree(found: pd.DataFrame, p_values: pd.Series) -> None:
        here = found.set_index("model")["p_value"]
        apart = here - p_values.reindex(here.index)
        assert apart.abs().max() < 4.0 * np.sqrt(2.0 * 0.25 / replications), apart

    peer = Peer("arch", "arch", arch, agree)
    size = f"{bars:,} simulated losses × {models} models, {replications:,} replications"
    return Case("model confidence set", size, ours, (peer,))


CASES = (null, best_models)
