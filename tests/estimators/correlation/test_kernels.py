"""The compiled kernels against their plain twins."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tests.estimators.correlation.samples import plain_path, world
from tests.estimators.samples import draw
from xcoll.estimators import correlation
from xcoll.estimators.correlation import _kernels, likelihood

LAWS = pytest.mark.parametrize("nu", [np.inf, 6.0])


def direct(x, window):
    """Pearson's formula over each window, in extended precision; NaN where a value is missing."""
    i, j = np.triu_indices(x.shape[1], 1)
    out = np.full((len(x), len(i)), np.nan)
    for t in range(window - 1, len(x)):
        y = x[t - window + 1 : t + 1].astype(np.longdouble)
        y = y - y.mean(axis=0)
        c = y.T @ y
        with np.errstate(invalid="ignore"):
            out[t] = (c / np.sqrt(np.outer(np.diag(c), np.diag(c))))[i, j]
    return out


def shocked(x, size):
    x = x.copy()
    x[150, 0], x[163, 1] = size, -size
    return x


CASES = {
    "returns": lambda x: x,
    "offset": lambda x: x + 1e6,
    "trend": lambda x: x + np.linspace(0.0, 50.0, len(x))[:, None],
    "level": lambda x: x + np.where(np.arange(len(x)) < 200, 0.0, 1e6)[:, None],
    "outlier": lambda x: shocked(x, 1e9),
    "offset and outlier": lambda x: shocked(x + 1e6, 1e12),
    "heavy tails": lambda x: np.tan(1.5 * np.tanh(40 * x)) ** 5,
    "tiny": lambda x: x * 1e-150,
    "listed late": lambda x: np.where(np.arange(len(x))[:, None] < [0, 90, 0, 137], np.nan, x),
    "delisted": lambda x: np.where(np.arange(len(x))[:, None] > [999, 300, 999, 215], np.nan, x),
}


@pytest.mark.parametrize("case", CASES)
def test_rolling_is_the_direct_formula(case):
    x = np.ascontiguousarray(CASES[case](draw(420, 0.5, 11).to_numpy()))
    frame = pd.DataFrame(x, columns=list("ABCD"))
    ours = correlation.rolling(frame, 60).to_numpy()
    expected = direct(x, 60)
    assert (np.isfinite(ours) == np.isfinite(expected)).all()
    assert np.isfinite(ours).sum() > 500
    assert_allclose(ours, expected, rtol=0, atol=1e-10)


@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.floats(-8, 8), st.floats(0, 12))
@settings(max_examples=40, deadline=None)
def test_rolling_survives_any_offset_and_outlier(seed, window, offset, size):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((120, 3)) + np.sign(offset) * 10.0 ** abs(offset)
    x[rng.integers(120, size=3), rng.integers(3, size=3)] *= 10.0**size
    ours = correlation.rolling(pd.DataFrame(x, columns=list("ABC")), window).to_numpy()
    # The data itself carries an offset's rounding: 1e8 leaves eight digits of a unit variance.
    assert_allclose(ours, direct(x, window), rtol=0, atol=1e-10)


@LAWS
def test_law_has_the_derivatives_of_its_value(nu):
    m, step = 3.7, 1e-5
    f, f_m, f_mm, f_nu, f_nunu, f_mnu = _kernels.law(m, nu, 4)
    up, down = (_kernels.law(m + side * step, nu, 4) for side in (1, -1))
    assert f_m == pytest.approx((up[0] - down[0]) / (2 * step), rel=1e-8)
    assert f_mm == pytest.approx((up[1] - down[1]) / (2 * step), rel=1e-8, abs=1e-12)
    if np.isinf(nu):
        assert (f, f_nu, f_nunu, f_mnu) == (-m / 2, 0.0, 0.0, 0.0)
        return
    up, down = (_kernels.law(m, nu + side * step, 4) for side in (1, -1))
    assert f_nu == pytest.approx((up[0] - down[0]) / (2 * step), rel=1e-6)
    assert f_nunu == pytest.approx((up[3] - down[3]) / (2 * step), rel=1e-6)
    assert f_mnu == pytest.approx((up[1] - down[1]) / (2 * step), rel=1e-6)


@LAWS
@pytest.mark.parametrize("which", ["joint", "contiguous", "all"])
@pytest.mark.parametrize("a", [0.0, 0.06])
def test_scores_and_hessian_are_derivatives_of_the_value(nu, which, a):
    z = world(4, 90, 0.05, 0.9, 1, nu=6.0).to_numpy()
    pairs = {
        "joint": None,
        "contiguous": (np.arange(3), np.arange(1, 4)),
        "all": np.triu_indices(4, 1),
    }[which]
    target = likelihood.second_moment(z)
    params = np.array([a, 0.88, nu])[: 2 if np.isinf(nu) else 3]

    def at(x):
        return likelihood.evaluate(z, target, x, pairs)

    _, scores, hessian, _ = at(params)
    steps = np.diag(np.array([1e-6, 1e-6, 1e-5])[: len(params)])
    ends = [(at(params + step), at(params - step), 2 * step.max()) for step in steps]
    slope = [(up[0] - down[0]) / width for up, down, width in ends]
    bend = [(up[1].sum(axis=0) - down[1].sum(axis=0)) / width for up, down, width in ends]
    assert_allclose(scores.sum(axis=0), slope, rtol=1e-6, atol=1e-4)
    assert_allclose(hessian, bend, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("bars", [1, 31, 32, 33, 70])
def test_blocks_of_dates_are_seamless(bars):
    z = world(3, bars, 0.05, 0.9, 2).to_numpy()
    target = np.full((3, 3), 0.4) + 0.6 * np.eye(3)
    value, scores, _, state = likelihood.evaluate(z, target, (0.07, 0.9))
    Q = plain_path(z, target, 0.07, 0.9)
    assert_allclose(target + 0.07 * state, Q[-1], rtol=0, atol=1e-12)
    single = [
        likelihood.evaluate(z[: t + 1], target, (0.07, 0.9))[0] for t in range(bars)
    ]  # each bar's part is the difference of two samples
    assert value == pytest.approx(single[-1])
    assert scores.shape == (bars, 2)


def test_pairs_are_bivariate_joint_likelihoods():
    z = world(4, 80, 0.05, 0.9, 3).to_numpy()
    target = likelihood.second_moment(z)
    for params in ((0.05, 0.9), (0.05, 0.9, 5.0)):
        i, j = np.triu_indices(4, 1)
        both = likelihood.evaluate(z, target, params, (i, j))
        apart = []
        for k in zip(i, j, strict=True):
            pair = np.ascontiguousarray(z[:, k])
            apart.append(likelihood.evaluate(pair, target[np.ix_(k, k)].copy(), params))
        assert both[0] == pytest.approx(np.mean([one[0] for one in apart]), abs=1e-9)
        assert_allclose(both[1], np.mean([one[1] for one in apart], axis=0), atol=1e-9)
        assert_allclose(both[2], np.mean([one[2] for one in apart], axis=0), rtol=1e-9, atol=1e-7)


def test_filter_is_the_plain_recursion():
    z = world(4, 120, 0.08, 0.85, 4).to_numpy()
    target = likelihood.second_moment(z)
    rows, state = np.empty((120, 6)), np.zeros((4, 4))
    _kernels.filtered(z, target, 0.08, 0.85, state, rows)
    Q = plain_path(z, target, 0.08, 0.85)[1:]
    i, j = np.triu_indices(4, 1)
    R = Q[:, i, j] / np.sqrt(Q[:, i, i] * Q[:, j, j])
    assert_allclose(rows, R, rtol=0, atol=1e-13)
    assert_allclose(target + 0.08 * state, Q[-1], rtol=0, atol=1e-13)


def test_simulation_is_the_plain_recursion():
    rng = np.random.default_rng(5)
    shocks, mixing = rng.standard_normal((2, 6, 3)), rng.uniform(0.5, 2.0, (2, 6))
    target = np.full((3, 3), 0.4) + 0.6 * np.eye(3)
    state, made = 0.1 * np.eye(3), np.empty((2, 6, 3))
    assert _kernels.simulated(shocks, mixing, target, 0.1, 0.8, state, made)
    for p in range(2):
        S = state
        for t in range(6):
            Q = target + 0.1 * S
            R = Q / np.sqrt(np.outer(np.diag(Q), np.diag(Q)))
            z = mixing[p, t] * np.linalg.cholesky(R) @ shocks[p, t]
            assert_allclose(made[p, t], z, rtol=0, atol=1e-13)
            S = np.outer(z, z) - target + 0.8 * S


def test_a_singular_matrix_is_reported():
    target = np.ones((2, 2))
    scores, hessian = np.zeros((3, 3)), np.zeros((3, 3))
    z = np.array([[1.0, 1.0], [0.5, 0.5], [-1.0, -1.0]])
    assert np.isnan(_kernels.full(z, target, 0.05, 0.9, np.inf, np.zeros((2, 2)), scores, hessian))
    one = np.array([0]), np.array([1])
    assert np.isnan(_kernels.composite(z, target, *one, 0.05, 0.9, np.inf, scores, hessian))
    made = np.empty((1, 3, 2))
    assert not _kernels.simulated(
        z[None], np.ones((1, 3)), target, 0.05, 0.9, np.zeros((2, 2)), made
    )
