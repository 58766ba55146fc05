"""Ledoit–Wolf: numbers of two other implementations, the formula by hand, its limits, bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tests.estimators.correlation.samples import waves
from tests.estimators.samples import draw
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators import correlation

SCALED = pd.DataFrame(waves()[:40] * [1.0, 2.0, 0.5, 1.5], columns=list("ABCD"))


def test_identity_target_is_that_of_scikit_learn():
    # scikit-learn 1.9.1, LedoitWolf().fit(SCALED): shrinkage_ and the first row of covariance_.
    made = correlation.ledoit_wolf(SCALED, "identity")
    assert made.intensity == pytest.approx(0.13613897038422906, abs=1e-12)
    row = [1.0946032036888536, 0.6074678129282733, 0.11363422956792513, 0.4166493010777207]
    assert_allclose(made.covariance.iloc[0], row, rtol=0, atol=1e-12)


def test_constant_target_is_that_of_pyportfolioopt():
    # PyPortfolioOpt 1.6.0, _ledoit_wolf_constant_correlation, given the covariance over T:
    # shrinkage and the first row of the covariance.
    x = np.exp(waves()[:60] * [0.2, 0.5, 0.9, 0.4])
    x[:, 0] -= 0.5 * x[:, 3]
    made = correlation.ledoit_wolf(pd.DataFrame(x))
    assert made.intensity == pytest.approx(0.4565167911746991, abs=1e-12)
    row = [0.05436710648030826, 0.004770091716804773, 0.016119868711772026, -0.02881557581995938]
    assert_allclose(made.covariance.iloc[0], row, rtol=0, atol=1e-12)


def test_constant_target_by_the_papers_sums():
    x = draw(60, 0.4, 3).to_numpy()
    x = x - x.mean(axis=0)
    bars, n = x.shape
    S = x.T @ x / bars
    r = np.mean([S[i, j] / np.sqrt(S[i, i] * S[j, j]) for i in range(n) for j in range(n) if i < j])
    F = np.array(
        [
            [S[i, i] if i == j else r * np.sqrt(S[i, i] * S[j, j]) for j in range(n)]
            for i in range(n)
        ]
    )
    pi = rho = 0.0
    for i in range(n):
        for j in range(n):
            part = np.mean((x[:, i] * x[:, j] - S[i, j]) ** 2)
            pi += part
            if i == j:
                rho += part
                continue
            of_i = np.mean((x[:, i] ** 2 - S[i, i]) * (x[:, i] * x[:, j] - S[i, j]))
            of_j = np.mean((x[:, j] ** 2 - S[j, j]) * (x[:, i] * x[:, j] - S[i, j]))
            rho += r / 2 * np.sqrt(S[j, j] / S[i, i]) * of_i
            rho += r / 2 * np.sqrt(S[i, i] / S[j, j]) * of_j
    delta = min(1.0, max(0.0, (pi - rho) / ((F - S) ** 2).sum() / bars))
    made = correlation.ledoit_wolf(pd.DataFrame(x))
    assert made.intensity == pytest.approx(delta, abs=1e-12)
    assert_allclose(made.covariance, delta * F + (1 - delta) * S, rtol=0, atol=1e-15)


@given(st.integers(0, 2**32 - 1), st.integers(30, 200), st.sampled_from(["constant", "identity"]))
@settings(max_examples=30, deadline=None)
def test_always_a_correlation_matrix(seed, bars, target):
    made = correlation.ledoit_wolf(draw(bars, 0.5, seed, nu=4), target)
    assert 0.0 <= made.intensity <= 1.0
    assert made.bars == bars
    assert (np.diag(made.correlation) == 1.0).all()
    assert np.linalg.eigvalsh(made.correlation)[0] > 0.0
    assert_allclose(made.correlation, made.correlation.T)


def test_more_bars_shrink_less_and_units_do_not_matter():
    few, many = (correlation.ledoit_wolf(draw(bars, 0.5, 4), "identity") for bars in (60, 6000))
    assert few.intensity > many.intensity
    frame = draw(100, 0.5, 5)
    scaled = correlation.ledoit_wolf(frame * [1.0, 100.0, 0.01, 3.0])
    assert_allclose(scaled.correlation, correlation.ledoit_wolf(frame).correlation, atol=1e-12)


def test_more_assets_than_bars_are_still_regular():
    rng = np.random.default_rng(6)
    x = pd.DataFrame(rng.standard_normal((40, 60)) + rng.standard_normal((40, 1)))
    assert np.linalg.eigvalsh(x.corr())[0] < 1e-10
    assert np.linalg.eigvalsh(correlation.ledoit_wolf(x, "identity").correlation)[0] > 0.01


def test_a_late_listing_leaves_its_own_bars():
    frame = draw(200, 0.5, 7)
    frame.iloc[:120, 2] = np.nan
    made, cut = correlation.ledoit_wolf(frame), correlation.ledoit_wolf(frame.iloc[120:])
    assert made.bars == 80
    pd.testing.assert_frame_equal(made.correlation, cut.correlation)


def test_refusals():
    frame = draw(100, 0.5, 8)
    with pytest.raises(EstimationError, match="29 bars that all assets have; 30 are needed"):
        correlation.ledoit_wolf(frame.iloc[:29])
    with pytest.raises(EstimationError, match="ETH: constant"):
        correlation.ledoit_wolf(frame.assign(ETH=0.01))
    with pytest.raises(ParameterError, match="'constant', 'identity'"):
        correlation.ledoit_wolf(frame, "zero")
