"""Compound Poisson jumps: their estimator by hand, their moments, what a jump does."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from tests.estimators.samples import dates
from tests.estimators.scenarios.samples import ASSETS, JUMPS, Q_BAR
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators.correlation.dcc import correlation_of
from xcoll.estimators.scenarios import Jumps

R = correlation_of(Q_BAR.to_numpy())


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_estimator_by_hand():
    residuals = pd.DataFrame(0.1 * rng().standard_normal((1000, 3)), dates(1000), ASSETS)
    falls = {10: [-8.0, -4.0, -6.0], 500: [-10.0, -6.0, -8.0], 501: [-4.0, -2.0, -3.0]}
    for bar, size in falls.items():
        residuals.iloc[bar] = size
    rest = np.delete(np.arange(1000), list(falls))
    squares = (residuals.iloc[rest] ** 2).sum() + [180.0, 56.0, 109.0]
    z = np.array(list(falls.values())) / np.sqrt(squares.to_numpy() / 1000.0)
    size = z.mean(axis=1) / z.mean()
    found = Jumps.fit(residuals, 0.003)
    assert found.intensity == 0.003
    assert_allclose(found.sizes, size, rtol=1e-12)
    for asset, fell in zip(ASSETS, z.T, strict=True):
        best = (size * fell).sum() / (size * size).sum()
        assert found.loadings[asset] == pytest.approx(best, rel=1e-12)


@given(st.integers(0, 2**32 - 1), st.floats(1.0, 60.0), st.sampled_from([0.01, 0.1, 0.4]))
@settings(deadline=None)
def test_jumps_never_take_more_than_the_whole(seed, depth, quantile):
    residuals = rng(seed).standard_t(3, (300, 4)) @ rng(seed + 1).normal(size=(4, 4))
    residuals[7] = -depth * rng(seed + 2).random(4)
    frame = pd.DataFrame(residuals, dates(300))
    matrix = correlation_of(residuals.T @ residuals)
    assert 0.0 < Jumps.fit(frame, quantile).share(matrix) < 1.0


def test_planted_jumps_are_found():
    n, loading = 20_000, np.array([-6.0, -9.0, -7.0])
    jumped = np.flatnonzero(rng(1).random(n) < 0.005)
    residuals = rng(2).standard_normal((n, 3))
    residuals[jumped] += loading
    scale = np.sqrt((residuals**2).mean(axis=0))
    found = Jumps.fit(pd.DataFrame(residuals, dates(n), ASSETS), len(jumped) / n)
    assert found.intensity == pytest.approx(len(jumped) / n)
    assert (np.abs(found.loadings * scale - loading) < 3.0 / np.sqrt(len(jumped))).all()


def test_bars_that_an_asset_lacks_are_left_out():
    residuals = pd.DataFrame(rng(3).standard_normal((900, 3)), dates(900), ASSETS)
    whole = Jumps.fit(residuals.iloc[300:], 0.01)
    residuals.iloc[:300, 1] = np.nan
    residuals.iloc[5, [0, 2]] = -50.0
    late = Jumps.fit(residuals, 0.01)
    assert late.intensity == whole.intensity
    assert_array_equal(late.loadings, whole.loadings)


def test_draws_have_mean_zero_variance_one_and_poisson_counts():
    paths = 400_000
    drawn = JUMPS.draw(paths, 1, rng(4)).ravel()
    error = drawn.std() / np.sqrt(paths)
    assert abs(drawn.mean()) < 3.0 * error
    assert abs((drawn**2).mean() - 1.0) < 3.0 * (drawn**2).std() / np.sqrt(paths)
    none = np.isclose(drawn, drawn.min(), atol=1e-12).mean()
    assert abs(none - np.exp(-0.02)) < 3.0 * np.sqrt(0.02 / paths)
    # One jump of each size, equally often.
    second = np.sqrt(0.02 * np.mean(JUMPS.sizes**2))
    for size in JUMPS.sizes:
        share = np.isclose(drawn, (size - 0.02) / second, atol=1e-9).mean()
        expected = 0.02 * np.exp(-0.02) / 3
        # A jump of 1.0, or none but two of others, are as good as one of their sum.
        assert abs(share - expected) < 3.0 * np.sqrt(expected / paths) + 1e-6


def test_a_jump_moves_an_asset_by_its_loading():
    share = JUMPS.share(R)
    L = np.linalg.cholesky(R)[None]
    second = np.sqrt(0.02 * np.mean(JUMPS.sizes**2))
    one, none = np.array([(1.4 - 0.02) / second]), np.array([-0.02 / second])
    still = np.zeros((1, 3))
    moved = L @ (JUMPS.into(still, one, L, share) - JUMPS.into(still, none, L, share))[..., None]
    assert_allclose(moved[0, :, 0], 1.4 * JUMPS.loadings, rtol=1e-12)


def test_the_share_in_closed_form():
    # Equal loadings on an equicorrelated market: ℓ'R⁻¹ℓ = n ℓ² / (1 + (n − 1) ρ).
    even = Jumps(0.01, np.ones(4), pd.Series(-4.0, list("ABCDE")))
    R = np.full((5, 5), 0.6) + 0.4 * np.eye(5)
    assert even.share(R) == pytest.approx(0.01 * 5 * 16 / (1 + 4 * 0.6), rel=1e-12)


@pytest.mark.parametrize("matrix", [R, np.eye(3), correlation_of(np.full((3, 3), 0.9) + np.eye(3))])
def test_shocks_keep_the_unit_covariance_at_any_correlation(matrix):
    paths = 300_000
    L = np.broadcast_to(np.linalg.cholesky(matrix), (paths, 3, 3))
    x, J = rng(5).standard_normal((paths, 3)), JUMPS.draw(paths, 1, rng(6))[:, 0]
    w = JUMPS.into(x, J, L, 0.4)
    each = w[:, :, None] * w[:, None, :]
    error = each.std(axis=0) / np.sqrt(paths)
    assert (np.abs(each.mean(axis=0) - np.eye(3)) < 3.5 * error).all()
    assert (np.abs(w.mean(axis=0)) < 3.5 / np.sqrt(paths)).all()
    skew = ((L[0] @ w.T) ** 3).mean(axis=1)
    assert (skew < -0.1).all()  # jumps fall


def test_a_path_is_the_same_for_any_number_of_paths():
    assert_array_equal(JUMPS.draw(200, 40, rng(7))[:10], JUMPS.draw(10, 40, rng(7)))


def test_refusals():
    residuals = pd.DataFrame(rng().standard_normal((300, 3)), dates(300), ASSETS)
    with pytest.raises(EstimationError, match=r"300 bars .* hold 2 jumps, 3 are needed"):
        Jumps.fit(residuals, 0.005)
    with pytest.raises(ParameterError, match="quantile"):
        Jumps.fit(residuals, 0.0)
    residuals.iloc[9, 1] = np.nan
    with pytest.raises(EstimationError, match="ETH: 1 missing returns inside"):
        Jumps.fit(residuals)
    for intensity in (0.0, -0.1, np.nan):
        with pytest.raises(ParameterError, match="intensity"):
            replace(JUMPS, intensity=intensity)
    with pytest.raises(DataError, match="sizes of jumps"):
        replace(JUMPS, sizes=np.array([]))
    with pytest.raises(DataError, match="loadings of jumps"):
        replace(JUMPS, loadings=JUMPS.loadings.where(JUMPS.loadings > -4.0))
    with pytest.raises(DataError, match="loadings of jumps"):
        replace(JUMPS, loadings=0.0 * JUMPS.loadings)
