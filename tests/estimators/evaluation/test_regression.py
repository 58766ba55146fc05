"""ES regression against a linear programme, statsmodels, and simulated truth."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import linprog
from scipy.stats import chi2

from xcoll.errors import EstimationError
from xcoll.estimators import evaluation


def drawn(n=600, seed=0, nu=6.0, confidence=0.95):
    rng, law = np.random.default_rng(seed), evaluation.Law(nu)
    sigma = 0.04 * np.exp(0.4 * rng.normal(size=n))
    return sigma * law.draw((n,), rng), sigma * law.var(confidence), sigma * law.es(confidence)


def check_loss(y, x, level, a, b):
    u = y - a - b * x
    return float((u * (level - (u < 0))).sum())


@pytest.mark.parametrize("level", [0.5, 0.9, 0.975])
@pytest.mark.parametrize("seed", range(3))
def test_quantile_regression_solves_the_linear_programme(seed, level):
    y, x, _ = drawn(200, seed)
    n = len(y)
    cost = np.concatenate([np.zeros(4), np.full(n, level), np.full(n, 1 - level)])
    one = np.ones((n, 1))
    A = np.hstack([one, -one, x[:, None], -x[:, None], np.eye(n), -np.eye(n)])
    best = linprog(cost, A_eq=A, b_eq=y, bounds=(0, None), method="highs").fun
    a, b = evaluation.quantile_regression(y, x, level)
    assert check_loss(y, x, level, a, b) == pytest.approx(best, rel=1e-7)


def test_es_regression_is_weighted_least_squares_of_the_pseudo_losses():
    losses, var, es = drawn()
    found = evaluation.es_regression(losses, var, es, 0.95)
    a, b = evaluation.quantile_regression(losses, es, 0.95)
    q = a + b * es
    Z = q + np.maximum(losses - q, 0) / 0.05
    fit = sm.WLS(Z, sm.add_constant(es), weights=es**-2).fit(cov_type="HC0")
    assert (found.intercept, found.slope) == pytest.approx(tuple(fit.params), rel=1e-8)
    assert (found.intercept_error, found.slope_error) == pytest.approx(tuple(fit.bse), rel=1e-6)
    wald = fit.wald_test((np.eye(2), [0.0, 1.0]), use_f=False, scalar=True)
    assert found.statistic == pytest.approx(float(wald.statistic), rel=1e-6)
    assert found.p_value == pytest.approx(float(chi2.sf(wald.statistic, 2)), rel=1e-5)


def test_true_forecasts_have_intercept_zero_and_slope_one():
    losses, var, es = drawn(200_000, 1)
    for auxiliary in (False, True):
        found = evaluation.es_regression(losses, var, es, 0.95, auxiliary=auxiliary)
        assert abs(found.intercept) < 4 * found.intercept_error
        assert abs(found.slope - 1.0) < 4 * found.slope_error
        assert found.slope_error < 0.05
    assert abs(evaluation.es_intercept(losses, var, es, 0.95).statistic) < 4


def test_forecasts_that_are_too_low_are_found_and_too_high_is_no_fault_of_the_one_sided():
    losses, var, es = drawn(4000, 2)
    low = evaluation.es_regression(losses, 0.7 * var, 0.7 * es, 0.95)
    assert low.slope == pytest.approx(1 / 0.7, abs=0.25)
    assert low.p_value < 0.001
    assert evaluation.es_intercept(losses, 0.7 * var, 0.7 * es, 0.95).p_value < 0.001
    assert evaluation.es_intercept(losses, 1.3 * var, 1.3 * es, 0.95).p_value > 0.95


def test_units_do_not_matter():
    losses, var, es = drawn(500, 3)
    first = evaluation.es_regression(losses, var, es, 0.95)
    second = evaluation.es_regression(100 * losses, 100 * var, 100 * es, 0.95)
    assert second.statistic == pytest.approx(first.statistic, rel=1e-5)


def test_sparse_constant_and_bad_input():
    losses, var, es = drawn(90)
    for test in (evaluation.es_regression, evaluation.es_intercept):
        found = test(losses, var, es, 0.95)
        assert np.isnan(found.p_value)
        assert "needs five" in found.reason
    losses, var, es = drawn(300)
    flat = np.full(300, 0.1)
    assert "constant" in evaluation.es_regression(losses, flat, 1.2 * flat, 0.95).reason
    with pytest.raises(EstimationError, match="swap"):
        evaluation.es_regression(losses, es, var, 0.95)


def test_intercept_is_the_mean_of_pseudo_losses_over_the_forecast():
    losses, var, es = drawn(400, 4)
    q = var + np.sort(losses - var)[380 - 1]
    off = q + np.maximum(losses - q, 0) / 0.05 - es
    found = evaluation.es_intercept(losses, var, es, 0.95)
    assert found.intercept == pytest.approx(off.mean())
    assert found.statistic == pytest.approx(np.sqrt(400) * off.mean() / off.std())
