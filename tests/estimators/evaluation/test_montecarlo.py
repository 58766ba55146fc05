"""Monte Carlo p-values: ranks, and simulated statistics against the tests themselves."""

import numpy as np
import pytest

from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators import evaluation
from xcoll.estimators.evaluation import montecarlo, shortfall_tests


def test_monte_carlo_p_value_is_the_rank_of_a_distinct_statistic():
    rng = np.random.default_rng(0)
    assert evaluation.monte_carlo_p_value(2.5, np.arange(1.0, 100.0), rng) == pytest.approx(0.98)
    assert evaluation.monte_carlo_p_value(500.0, np.arange(1.0, 100.0), rng) == pytest.approx(0.01)


def test_ties_are_broken_evenly():
    rng = np.random.default_rng(1)
    p_values = [evaluation.monte_carlo_p_value(1.0, np.ones(99), rng) for _ in range(2000)]
    assert np.mean(p_values) == pytest.approx(0.505, abs=0.03)
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=0.02)


def test_what_cannot_be_compared_is_missing():
    rng = np.random.default_rng(0)
    assert np.isnan(evaluation.monte_carlo_p_value(np.nan, np.arange(99.0), rng))
    mostly = np.where(np.arange(99) < 18, 1.0, np.nan)
    assert np.isnan(evaluation.monte_carlo_p_value(0.0, mostly, rng))
    enough = np.where(np.arange(99) < 19, 1.0, np.nan)
    assert evaluation.monte_carlo_p_value(2.0, enough, rng) == pytest.approx(1 / 20)


def test_simulated_statistics_are_those_of_the_tests():
    rng = np.random.default_rng(2)
    truth = evaluation.null(200, 0.03, rng, 30)
    law = evaluation.Law()
    sigma = 0.05 * np.exp(0.2 * rng.normal(size=200))
    var, es = sigma * law.var(0.97), sigma * law.es(0.97)
    beyond, foreseen = truth.shortfall(var, es), truth.dynamic_quantile(var)
    for row in range(30):
        span = slice(truth.hits.offsets[row], truth.hits.offsets[row + 1])
        places = truth.hits.bars[span]
        losses = np.zeros(200)
        losses[places] = (
            shortfall_tests.tail_ratio(var[places], es[places], truth.chance[span]) * es[places]
        )
        hits = losses > var
        assert hits.sum() == len(places)
        alone = {
            "kupiec": evaluation.kupiec(len(places), 200, 0.03),
            "independence": evaluation.independence(hits),
            "conditional": evaluation.conditional_coverage(hits, 0.03),
            "duration": evaluation.duration(hits),
        }
        for name, test in alone.items():
            assert truth.statistics[name][row] == pytest.approx(
                test.statistic, abs=1e-12, nan_ok=True
            )
        tests = {
            "z1": evaluation.z1(losses, var, es),
            "z2": evaluation.z2(losses, var, es, 0.97),
            "nolde_ziegel": evaluation.nolde_ziegel(losses, var, es, 0.97),
        }
        for name, test in tests.items():
            assert beyond[name][row] == pytest.approx(test.statistic, rel=1e-9, nan_ok=True)
        single = evaluation.dynamic_quantile(hits, var, 0.03).statistic
        assert foreseen[row] == pytest.approx(single, abs=1e-12)
        chance = evaluation.tail_chance(losses, var, es, 0.97)
        total = np.maximum(1 - chance / 0.03, 0).sum()
        assert truth.tail_coverage[row] == pytest.approx(total, rel=1e-6)


def test_the_same_seed_gives_the_same_null():
    first = evaluation.null(50, 0.1, np.random.default_rng(9), 20)
    second = evaluation.null(50, 0.1, np.random.default_rng(9), 20)
    np.testing.assert_array_equal(first.chance, second.chance)
    np.testing.assert_array_equal(first.hits.bars, second.hits.bars)
    assert set(first.statistics) == set(montecarlo.HIT_TESTS)


def test_bad_input():
    rng = np.random.default_rng(0)
    with pytest.raises(ParameterError, match="replications"):
        evaluation.null(250, 0.01, rng, 18)
    with pytest.raises(ParameterError, match="probability"):
        evaluation.null(250, 1.0, rng)
    with pytest.raises(EstimationError, match="simulate"):
        evaluation.monte_carlo_p_value(1.0, np.array([]), rng)
