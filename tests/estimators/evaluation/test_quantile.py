"""Dynamic quantile test against least squares written out."""

import numpy as np
import pytest
from scipy.stats import chi2

from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators import evaluation
from xcoll.estimators.evaluation import quantile
from xcoll.estimators.evaluation.inputs import Hits


def twin(hits, var, p, lags):
    """Hit'X (X'X)^+ X'Hit / p(1-p) with demeaned lagged hits, as in the paper."""
    hit = hits - p
    rows = range(lags, len(hits))
    X = np.array([[1.0, *(hit[t - k] for k in range(1, lags + 1)), var[t]] for t in rows])
    y = hit[lags:]
    fitted = X @ np.linalg.lstsq(X, y, rcond=1e-10)[0]
    return fitted @ fitted / (p * (1 - p)), np.linalg.matrix_rank(X, tol=1e-8)


@pytest.mark.parametrize("lags", [0, 1, 4])
@pytest.mark.parametrize("seed", range(4))
def test_statistic_is_the_regression_of_the_paper(seed, lags):
    rng = np.random.default_rng(seed)
    hits = rng.random(300) < 0.04
    var = 0.05 * np.exp(0.3 * rng.normal(size=300))
    statistic, rank = twin(hits, var, 0.025, lags)
    found = evaluation.dynamic_quantile(hits, var, 0.025, lags)
    assert found.statistic == pytest.approx(statistic, rel=1e-9)
    assert found.p_value == pytest.approx(chi2.sf(statistic, rank), rel=1e-7)


def test_regressors_that_add_nothing_cost_no_freedom():
    hits, constant = np.zeros(200, bool), np.full(200, 0.1)
    statistic, rank = quantile.dynamic_quantile_statistic(Hits.of(hits), constant, 0.01)
    assert rank.tolist() == [1]
    assert statistic[0] == pytest.approx(196 * 0.01**2 / (0.01 * 0.99))
    hits[-1] = True  # a hit on the last bar is no lag of anything
    _, rank = quantile.dynamic_quantile_statistic(Hits.of(hits), np.arange(1.0, 201.0), 0.01)
    assert rank.tolist() == [2]
    hits[50] = True
    _, rank = quantile.dynamic_quantile_statistic(Hits.of(hits), np.arange(1.0, 201.0), 0.01)
    assert rank.tolist() == [6]


def test_rows_do_not_disturb_each_other_and_units_do_not_matter():
    rng = np.random.default_rng(5)
    table, var = rng.random((30, 150)) < 0.05, rng.random(150) + 0.5
    together, _ = quantile.dynamic_quantile_statistic(Hits.of(table), var, 0.05)
    alone = [evaluation.dynamic_quantile(row, var, 0.05).statistic for row in table]
    np.testing.assert_array_equal(together, alone)
    percent, _ = quantile.dynamic_quantile_statistic(Hits.of(table), 100 * var, 0.05)
    np.testing.assert_allclose(percent, together, rtol=1e-9)


def test_hits_that_follow_the_forecast_are_found():
    rng = np.random.default_rng(6)
    var = 0.05 * np.exp(0.5 * rng.normal(size=1000))
    late = rng.random(1000) < np.where(var > np.median(var), 0.0, 0.05)
    assert evaluation.kupiec(int(late.sum()), 1000, 0.025).p_value > 0.1
    assert evaluation.dynamic_quantile(late, var, 0.025).p_value < 0.01


def test_short_series_and_bad_input():
    hits = np.zeros(59, bool)
    assert "needs 60" in evaluation.dynamic_quantile(hits, np.ones(59), 0.01).reason
    hits = np.zeros(100, bool)
    with pytest.raises(EstimationError, match="shape"):
        evaluation.dynamic_quantile(hits, np.ones(99), 0.01)
    with pytest.raises(EstimationError, match="finite"):
        evaluation.dynamic_quantile(hits, np.full(100, np.nan), 0.01)
    with pytest.raises(ParameterError, match="lags"):
        evaluation.dynamic_quantile(hits, np.ones(100), 0.01, -1)
