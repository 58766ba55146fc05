"""Losses of correlation forecasts: plain twins, the truth wins, no look-ahead."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from tests.estimators.correlation.samples import world
from tests.estimators.samples import draw
from xcoll.errors import EstimationError
from xcoll.estimators import correlation

NAMES = ["A0~A1", "A0~A2", "A1~A2"]


@pytest.fixture(scope="module")
def residuals():
    return world(3, 3000, 0.0, 0.0, 1, rho=0.6)


def constant(residuals, rho):
    return pd.DataFrame(rho, index=residuals.index, columns=NAMES)


def test_likelihood_loss_is_that_of_the_normal_law(residuals):
    path = correlation.ewma(residuals, 0.97)
    loss = correlation.likelihood_loss(path, residuals)
    for t in (100, 700):
        R = correlation.matrix(path.iloc[t - 1])
        log_density = stats.multivariate_normal(cov=R).logpdf(residuals.iloc[t])
        assert loss.iloc[t] == pytest.approx(-2 * log_density - 3 * np.log(2 * np.pi))
    assert loss.first_valid_index() == residuals.index[30]


def test_minimum_variance_loss_by_hand(residuals):
    path = correlation.ewma(residuals, 0.97)
    sigma = pd.DataFrame(0.02, residuals.index, residuals.columns) * [1.0, 2.0, 3.0]
    returns = residuals * sigma
    loss = correlation.minimum_variance_loss(path, sigma, returns)
    for t in (100, 700):
        H = (
            np.diag(sigma.iloc[t - 1])
            @ correlation.matrix(path.iloc[t - 1])
            @ np.diag(sigma.iloc[0])
        )
        weights = np.linalg.solve(H, np.ones(3))
        weights /= weights.sum()
        assert loss.iloc[t] == pytest.approx((weights @ returns.iloc[t]) ** 2)


def test_the_truth_has_the_lowest_loss(residuals):
    sigma = pd.DataFrame(1.0, residuals.index, residuals.columns) * [1.0, 1.5, 2.5]
    for loss in (
        lambda path: correlation.likelihood_loss(path, residuals),
        lambda path: correlation.minimum_variance_loss(path, sigma, residuals * sigma),
    ):
        truth = loss(constant(residuals, 0.6)).mean()
        assert truth < loss(constant(residuals, 0.3)).mean()
        assert truth < loss(constant(residuals, 0.85)).mean()


def test_a_bar_is_scored_by_the_forecast_before_it(residuals):
    path = constant(residuals, 0.5)
    moved = path.copy()
    moved.iloc[400] = 0.9
    one, other = (correlation.likelihood_loss(each, residuals) for each in (path, moved))
    assert np.flatnonzero((one != other) & one.notna()).tolist() == [401]


def test_missing_values_and_refusals(residuals):
    holed = residuals.copy()
    holed.iloc[:50, 1] = np.nan
    loss = correlation.likelihood_loss(constant(residuals, 0.5), holed)
    assert loss.isna().sum() == 50
    with pytest.raises(EstimationError, match=r"2020-01-02.* not positive definite"):
        correlation.likelihood_loss(constant(residuals, -0.9), residuals)
    with pytest.raises(EstimationError, match="no pair of BTC and ETH"):
        correlation.likelihood_loss(constant(residuals, 0.5), draw(3000, 0.5, 2))
    rho = correlation.matrices(constant(residuals, 0.5))
    assert_allclose(rho[0], [[1, 0.5, 0.5], [0.5, 1, 0.5], [0.5, 0.5, 1]])


def test_rivals_side_by_side(residuals):
    sigma = pd.DataFrame(1.0, residuals.index, residuals.columns) * [1.0, 1.5, 2.5]
    paths = {f"{rho:.1f}": constant(residuals, rho) for rho in (0.1, 0.6, 0.9)}
    paths["0.1"] = paths["0.1"].iloc[200:]  # a path that starts later cuts the others' bars
    table = correlation.compare(paths, residuals, sigma, residuals * sigma)
    assert table["loss"].tolist() == ["likelihood"] * 3 + ["least variance"] * 3
    assert (table["bars"] == len(residuals) - 201).all()
    for kind, part in table.groupby("loss", sort=False):
        assert part["model"].iloc[0] == "0.6", kind
        assert part["score"].is_monotonic_increasing
        assert part["difference"].isna().tolist() == [True, False, False]
        assert (part["low"].iloc[1:] > 0.0).all()
        assert part["included"].tolist() == [True, False, False]
        differences = part["score"].iloc[1:] - part["score"].iloc[0]
        assert_allclose(part["difference"].iloc[1:], differences)
    loss = correlation.likelihood_loss(paths["0.6"], residuals).iloc[201:]
    assert table["score"].iloc[0] == pytest.approx(loss.mean())
