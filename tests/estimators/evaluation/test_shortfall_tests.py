"""ES tests: by hand, against plain twins, and the published critical value by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import chi2, norm, ttest_1samp
from scipy.stats import t as student

from xcoll.errors import EstimationError
from xcoll.estimators import evaluation
from xcoll.estimators.evaluation import shortfall_tests
from xcoll.estimators.evaluation.inputs import Hits


def series(n=400, seed=0, confidence=0.975, nu=5.0, too_low=0.0):
    rng, law = np.random.default_rng(seed), evaluation.Law(nu)
    sigma = 0.04 * np.exp(0.3 * rng.normal(size=n))
    kept = 1.0 - too_low
    losses = sigma * law.draw((n,), rng)
    return losses, kept * sigma * law.var(confidence), kept * sigma * law.es(confidence), sigma


def test_z1_and_z2_by_hand():
    losses = np.array([0.01, 0.30, -0.02, 0.12])
    var, es = np.full(4, 0.10), np.array([0.2, 0.2, 0.2, 0.15])
    assert evaluation.z1(losses, var, es).statistic == pytest.approx(1 - (1.5 + 0.8) / 2)
    assert evaluation.z2(losses, var, es, 0.75).statistic == pytest.approx(1 - 2.3 / (4 * 0.25))
    assert "needs two" in evaluation.z1(losses, var * 2, es * 2).reason
    none = evaluation.z2(np.zeros(4), var, es, 0.75)
    assert (none.statistic, none.p_value) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("nu", "critical"), [(np.inf, -0.70), (10.0, -0.71), (5.0, -0.74), (3.0, -0.82)]
)
def test_critical_value_of_z2(nu, critical):
    """Published: -0.70 at 5 % for 250 bars and 97.5 %, further out for heavy tails."""
    rng, law, runs = np.random.default_rng(12), evaluation.Law(nu), 200_000
    count = rng.binomial(250, 0.025, runs)
    losses = law.scale * student.isf(0.025 * rng.random(count.sum()), nu)
    total = np.bincount(np.repeat(np.arange(runs), count), losses, minlength=runs)
    z2 = 1.0 - total / (250 * 0.025 * law.es(0.975))
    assert np.quantile(z2, 0.05) == pytest.approx(critical, abs=0.01)


def test_the_pareto_null_has_nearly_the_critical_value():
    rng, law = np.random.default_rng(3), evaluation.Law()
    truth = evaluation.null(250, 0.025, rng, 100_000)
    z2 = truth.shortfall(np.full(250, law.var(0.975)), np.full(250, law.es(0.975)))["z2"]
    assert np.quantile(z2, 0.05) == pytest.approx(shortfall_tests.Z2_CRITICAL, abs=0.01)


def test_mcneil_frey_is_a_one_sided_t_test_of_residuals():
    losses, var, es, sigma = series()
    residuals = evaluation.exceedance_residuals(losses, var, es, sigma)
    hit = losses > var
    np.testing.assert_allclose(residuals, (losses - es)[hit] / sigma[hit])
    found, oracle = evaluation.mcneil_frey(residuals), ttest_1samp(residuals, 0.0)
    assert found.statistic == pytest.approx(oracle.statistic)
    one_sided = ttest_1samp(residuals, 0.0, alternative="greater").pvalue
    assert found.p_value == pytest.approx(one_sided, rel=1e-9)
    relative = evaluation.exceedance_residuals(losses, var, es)
    np.testing.assert_allclose(relative, (losses / es - 1.0)[hit])


def test_mcneil_frey_bootstrap():
    rng = np.random.default_rng(0)
    draws = np.random.default_rng(1).normal(size=40)
    near = evaluation.mcneil_frey_bootstrap(draws - draws.mean() + 0.25, rng, 4999)
    assert near == pytest.approx(
        evaluation.mcneil_frey(draws - draws.mean() + 0.25).p_value, abs=0.02
    )
    assert evaluation.mcneil_frey_bootstrap(draws + 3.0, rng, 999) == pytest.approx(0.001)
    assert evaluation.mcneil_frey_bootstrap(draws - 3.0, rng, 999) == pytest.approx(1.0, abs=0.002)
    assert np.isnan(evaluation.mcneil_frey_bootstrap(draws[:2], rng))
    assert "needs three" in evaluation.mcneil_frey(draws[:2]).reason
    assert "all the same" in evaluation.mcneil_frey(np.full(5, 0.1)).reason


@pytest.mark.parametrize("confidence", [0.9, 0.975, 0.99])
def test_costanzino_curran_has_mean_zero_and_variance_one(confidence):
    p = 1.0 - confidence
    mean = quad(lambda u: 1 - u / p, 0, p)[0]
    square = quad(lambda u: (1 - u / p) ** 2, 0, p)[0]
    u = np.random.default_rng(0).random(500)
    total = np.maximum(1 - u / p, 0).mean()
    by_hand = (total - mean) / np.sqrt((square - mean**2) / 500)
    found = evaluation.costanzino_curran(u, confidence)
    assert found.statistic == pytest.approx(by_hand)
    assert found.p_value == pytest.approx(norm.sf(by_hand))


@given(st.floats(0.01, 0.2), st.floats(1.01, 1.9), st.floats(0.001, 0.999))
@settings(max_examples=100)
def test_pareto_tail_has_the_var_and_the_es_it_was_given(var, ratio, chance):
    es = var * ratio
    one = np.array([1.0])
    loss = shortfall_tests.tail_ratio(var * one, es * one, chance * one) * es
    assert loss[0] >= var
    back = evaluation.tail_chance(loss, var * one, es * one, 0.975)
    assert back[0] == pytest.approx(0.025 * chance, rel=1e-6)
    mean, _ = quad(lambda u: float(shortfall_tests.tail_ratio(var, es, u)) * es, 0, 1, limit=200)
    assert mean == pytest.approx(es, rel=1e-3)


def dense(losses, var, es, p):
    hit = losses > var
    return np.column_stack([hit - p, hit * (losses - var) / p - (es - var)])


@pytest.mark.parametrize("seed", range(3))
def test_nolde_ziegel_against_matrices(seed):
    losses, var, es, sigma = series(seed=seed)
    V = dense(losses, var, es, 0.025)
    n, mean, omega = len(V), V.mean(axis=0), V.T @ V / len(V)
    both = evaluation.nolde_ziegel(losses, var, es, 0.975, one_sided=False)
    wald = n * mean @ np.linalg.inv(omega) @ mean
    assert both.statistic == pytest.approx(wald, rel=1e-8)
    assert both.p_value == pytest.approx(chi2.sf(wald, 2), rel=1e-6)
    one = evaluation.nolde_ziegel(losses, var, es, 0.975)
    largest = (np.sqrt(n) * mean / np.sqrt(np.diag(omega))).max()
    assert one.statistic == pytest.approx(largest, rel=1e-9)
    assert one.p_value == pytest.approx(min(2 * norm.sf(largest), 1.0), rel=1e-9)
    general = evaluation.nolde_ziegel_general(losses, var, es, sigma, 0.975)
    W = np.column_stack([V[:, 0], var * V[:, 0], V[:, 1], V[:, 1] / sigma])
    wide = n * W.mean(axis=0) @ np.linalg.inv(W.T @ W / n) @ W.mean(axis=0)
    assert general.statistic == pytest.approx(wide, rel=1e-6)
    assert general.p_value == pytest.approx(chi2.sf(wide, 4), rel=1e-5)


def test_sparse_samples_have_a_reason_and_no_number():
    losses, var, es = np.zeros(50), np.full(50, 0.1), np.full(50, 0.12)
    found = [
        evaluation.nolde_ziegel(losses, var, es, 0.99),
        evaluation.nolde_ziegel_general(losses, var, es, es, 0.99),
        evaluation.z1(losses, var, es),
        evaluation.mcneil_frey(evaluation.exceedance_residuals(losses, var, es)),
    ]
    assert all(np.isnan(test.statistic) and test.reason for test in found)
    rows = Hits.of(np.zeros((2, 50), bool))
    empty = shortfall_tests.nolde_ziegel_statistic(rows, np.zeros(0), es - var, 0.01)
    assert np.isnan(empty).all()


def test_an_es_that_is_too_low_is_found():
    losses, var, es, sigma = series(2000, 5, too_low=0.25)
    assert evaluation.z1(losses, var, es).p_value < 0.05
    assert evaluation.z2(losses, var, es, 0.975).statistic < shortfall_tests.Z2_CRITICAL
    assert evaluation.nolde_ziegel(losses, var, es, 0.975).p_value < 0.01
    assert evaluation.nolde_ziegel_general(losses, var, es, sigma, 0.975).p_value < 0.01
    chance = evaluation.tail_chance(losses, var, es, 0.975)
    assert evaluation.costanzino_curran(chance, 0.975).p_value < 0.01


def test_bad_input():
    losses, var, es, _ = series(50)
    cases = [
        ((losses, var[:-1], es), "one length"),
        ((losses[:0], var[:0], es[:0]), "one length"),
        ((np.where(np.arange(50) == 3, np.nan, losses), var, es), "missing or infinite at bar 3"),
        ((losses, var, np.where(np.arange(50) == 7, np.inf, es)), "missing or infinite at bar 7"),
        ((losses, -var, es), "not above zero"),
        ((losses, es, var), "swap the two"),
    ]
    for given_series, message in cases:
        with pytest.raises(EstimationError, match=message):
            evaluation.z2(*given_series, 0.975)
    with pytest.raises(EstimationError, match="chances"):
        evaluation.costanzino_curran(np.array([0.5, 1.5]), 0.975)
    with pytest.raises(EstimationError, match="scale"):
        evaluation.exceedance_residuals(losses, var, es, np.ones(3))
