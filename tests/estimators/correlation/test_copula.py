"""The t copula: published coefficients, bivariate distributions, simulated truth."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from tests.estimators.samples import draw
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators import correlation
from xcoll.estimators.correlation import copula


def test_t_copula_limit_is_the_closed_form():
    # Embrechts, McNeil and Straumann (2002), table 1: coefficients of the bivariate t.
    assert float(copula.tail(0.0, 4.0)) == pytest.approx(0.08, abs=0.005)
    assert float(copula.tail(0.5, 4.0)) == pytest.approx(0.25, abs=0.005)
    assert float(copula.tail(0.9, 4.0)) == pytest.approx(0.63, abs=0.005)
    assert float(copula.tail(0.5, 10.0)) == pytest.approx(0.08, abs=0.005)
    expected = 2 * stats.t.cdf(-np.sqrt(5 * 0.5 / 1.5), 5)
    assert float(copula.tail(0.5, 4.0)) == pytest.approx(expected, rel=1e-12)
    assert float(copula.tail(0.5, np.inf)) == 0.0


@pytest.mark.parametrize("rho", [-0.5, 0.0, 0.7, 0.95])
def test_copula_at_a_quantile_is_the_bivariate_distribution(rho):
    q, nu, shape = 0.05, 4, [[1.0, rho], [rho, 1.0]]
    at = np.full(2, stats.norm.ppf(q))
    normal = stats.multivariate_normal(cov=shape).cdf(at) / q
    assert float(copula.tail(rho, np.inf, q)) == pytest.approx(normal, abs=1e-6)
    law = stats.multivariate_t(shape=shape, df=nu, seed=0)
    student = law.cdf(np.full(2, stats.t.ppf(q, nu)), maxpts=200_000) / q
    assert float(copula.tail(rho, nu, q)) == pytest.approx(student, abs=5e-4)


def test_copula_at_a_small_quantile_nears_its_limit():
    rho = np.array([0.2, 0.6, 0.9])
    near = copula.tail(rho, 3.0, 1e-6)
    assert_allclose(near, copula.tail(rho, 3.0), rtol=5e-3)


def test_fitted_copula_comes_back():
    fitted = copula.fit(draw(1500, 0.6, 3, nu=5))
    assert fitted.low < 5.0 < fitted.high
    off = fitted.correlation.to_numpy()[np.triu_indices(4, 1)]
    assert_allclose(off, 0.6, atol=0.06)
    normal = copula.fit(draw(1500, 0.6, 4))
    assert normal.nu > 25.0
    tail = correlation.tail_dependence(draw(20_000, 0.6, 5, nu=5), 0.05)
    expected = copula.tail(0.6, 5.0, 0.05)
    assert (np.abs(tail["coefficient"] - expected) < 3 * np.sqrt(0.25 / 1000)).all()


def test_units_and_order_do_not_matter():
    frame = draw(300, 0.5, 6, nu=4)
    fitted = copula.fit(frame)
    bent = copula.fit(np.exp(5 * frame[["ADA", "BTC", "XRP", "ETH"]]))
    assert bent.nu == pytest.approx(fitted.nu, rel=1e-3)


def test_beside_what_was_seen():
    table = correlation.tail_dependence(draw(1000, 0.5, 8))
    both = copula.beside(table, 4.0, 0.05)
    rho = table["rank_correlation"].iloc[2]
    assert both["t_copula"].iloc[2] == pytest.approx(float(copula.tail(rho, 4.0, 0.05)))
    assert both["normal_copula"].iloc[2] == pytest.approx(float(copula.tail(rho, np.inf, 0.05)))
    assert (both["t_copula"] > both["normal_copula"]).all()
    assert both.columns[:7].tolist() == table.columns.tolist()


def test_refusals():
    frame = draw(100, 0.5, 7)
    with pytest.raises(EstimationError, match="20 bars that all assets have; 30 are needed"):
        copula.fit(frame.iloc[:20])
    with pytest.raises(ParameterError, match="confidence"):
        copula.fit(frame, confidence=90)
    with pytest.raises(ParameterError, match="quantile"):
        copula.tail(0.5, 4.0, 5.0)
