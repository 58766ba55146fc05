"""Compiled loops against plain twins: sorted windows, likelihoods, joint paths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import polygamma, stdtrit
from scipy.stats import genpareto
from scipy.stats import t as student

from xcoll.estimators import tail
from xcoll.estimators.tail import _kernels
from xcoll.estimators.tail.simulation import drawn_losses

# Ties, NaN inside and repeated zeros included: a sorted window must lose the right one of equals.
SERIES = st.lists(st.sampled_from([-1.0, 0.0, 0.0, 0.5, 2.0, np.nan]), min_size=1, max_size=60)


@given(SERIES, st.integers(1, 12))
@settings(max_examples=150, deadline=None)  # the first call compiles
def test_rolling_worst_is_the_sorted_window(values, window):
    series, depth = np.array(values), min(3, window)
    found = np.full((len(series), depth), np.nan)
    _kernels.rolling_worst(series, window, found)
    for t in range(len(series)):
        past = series[max(t - window + 1, 0) : t + 1]
        if len(past) < window or np.isnan(past).any():
            assert np.isnan(found[t]).all()
        else:
            assert found[t].tolist() == sorted(past, reverse=True)[:depth]


def aged_plain(past, weights, level):
    """Largest first; `past` runs from the oldest to the newest."""
    order = np.argsort(-past, kind="stable")
    losses, weight = past[order], weights[::-1][order]
    above = np.cumsum(weight)
    k = int(np.searchsorted(above, 1 - level + 1e-12, side="right"))
    k = min(k, len(past) - 1)
    whole = above[k - 1] if k else 0.0
    return losses[k], ((losses * weight)[:k].sum() + (1 - level - whole) * losses[k]) / (1 - level)


@given(st.integers(0, 1000), st.sampled_from([0.5, 0.9, 0.99]), st.floats(0.8, 0.999))
@settings(max_examples=60, deadline=None)
def test_aged_is_the_weighted_sample(seed, level, decay):
    window = 15
    series = np.random.default_rng(seed).normal(size=40)
    weights = decay ** np.arange(window)
    weights /= weights.sum()
    var, es = np.full((1, 40), np.nan), np.full((1, 40), np.nan)
    _kernels.aged(series, window, weights, np.array([level]), var, es)
    assert np.isnan(es[0, : window - 1]).all()
    for t in range(window - 1, 40):
        expected = aged_plain(series[t - window + 1 : t + 1], weights, level)
        assert (var[0, t], es[0, t]) == pytest.approx(expected, abs=1e-12)


def test_aged_with_equal_weights_is_the_plain_es():
    series = np.random.default_rng(1).normal(size=60)
    var, es = np.full((1, 60), np.nan), np.full((1, 60), np.nan)
    _kernels.aged(series, 50, np.full(50, 1 / 50), np.array([0.9]), var, es)
    plain = tail.historical(series[10:], 0.9)
    assert (var[0, -1], es[0, -1]) == pytest.approx((plain.var, plain.es))


@pytest.mark.parametrize("x", [0.3, 1.0, 2.5, 8.0, 60.0, 1e4])
def test_polygamma(x):
    expected = float(polygamma(0, x)), float(polygamma(1, x))
    assert _kernels.polygamma(x) == pytest.approx(expected, rel=1e-10)


def two_piece_log(x, m, s, nu, skew):
    side = np.where(x > m, 1 + skew, 1 - skew)
    return student.logpdf((x - m) / (s * side), nu).sum() - len(x) * np.log(s)


def test_two_piece_likelihood_and_gradient():
    x = np.random.default_rng(0).standard_t(4, 200)
    score = np.empty(4)
    at = np.array([0.1, 1.2, 5.0, 0.2])
    value = _kernels.two_piece_score(x, *at, score)
    assert value == pytest.approx(two_piece_log(x, *at))
    scale = np.array([1.0, at[1], 1.0, 1.0])  # the second is by log s
    for i in range(4):
        step = np.zeros(4)
        step[i] = 1e-6
        slope = (two_piece_log(x, *(at + step)) - two_piece_log(x, *(at - step))) / 2e-6
        assert score[i] == pytest.approx(slope * scale[i], rel=1e-5, abs=1e-5)


def best_two_piece(x, free):
    """The same maximum by a general optimiser from several starts."""

    def cost(p):
        skew = np.tanh(p[3]) * _kernels.MOST_SKEW if free else 0.0
        nu = _kernels.LEAST_NU + np.exp(min(p[2], 5.28))
        return -two_piece_log(x, p[0], np.exp(p[1]), nu, skew)

    starts = (
        [np.median(x), np.log(x.std() * scale), 1.0, skew]
        for scale in (0.5, 1)
        for skew in (0.0, 0.5)
    )
    options = {"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-9, "fatol": 1e-9}
    return max(-minimize(cost, s, method="Nelder-Mead", options=options).fun for s in starts)


@pytest.mark.parametrize("free", [0, 1])
@pytest.mark.parametrize("seed", range(3))
def test_two_piece_walk_finds_the_maximum(free, seed):
    rng = np.random.default_rng(seed)
    x = [rng.standard_t(3, 300), rng.normal(size=300), rng.gamma(2.0, 1.0, 300)][seed]
    found, converged = np.full((300, 4), np.nan), np.zeros(300, np.int64)
    _kernels.two_piece(x, 280, free, found, converged)
    assert converged[279:].all()
    assert np.isnan(found[:279]).all()
    # A one-sided sample has a maximum wherever the mode meets one of its smallest values; they
    # lie within hundredths of one another, and so do their tails.
    slack = 0.1 if free and seed == 2 else 1e-4
    for t in (279, 299):
        window = x[t - 279 : t + 1]
        assert two_piece_log(window, *found[t]) > best_two_piece(window, free) - slack


def test_walk_does_not_depend_on_where_it_started():
    """Warm starts reach the optimum that a cold start reaches."""
    x = np.random.default_rng(5).standard_t(5, 700)
    walked, cold = np.full((700, 4), np.nan), np.full((250, 4), np.nan)
    converged = np.zeros(700, np.int64)
    _kernels.two_piece(x, 250, 1, walked, converged)
    _kernels.two_piece(x[450:].copy(), 250, 1, cold, converged[:250].copy())
    assert walked[-1] == pytest.approx(cold[-1], rel=2e-3, abs=2e-3)
    assert two_piece_log(x[450:], *walked[-1]) == pytest.approx(
        two_piece_log(x[450:], *cold[-1]), abs=1e-6
    )


def test_a_still_window_is_left_alone():
    found, converged = np.full((50, 4), np.nan), np.zeros(50, np.int64)
    _kernels.two_piece(np.zeros(50), 20, 1, found, converged)
    assert np.isnan(found).all()
    assert not converged.any()


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.4, 1.2])
def test_gpd_against_scipy(shape):
    y = genpareto.rvs(shape, scale=2.0, size=400, random_state=np.random.default_rng(3))
    found = np.array([0.1, y.mean()])
    assert _kernels.gpd(y, found) == 1
    fitted = genpareto.fit(y, floc=0)
    ours = genpareto.logpdf(y, found[0], scale=found[1]).sum()
    assert ours > genpareto.logpdf(y, fitted[0], scale=fitted[2]).sum() - 1e-8
    score = np.empty(2)
    value = _kernels.gpd_score(y, *found, score)
    assert value == pytest.approx(ours)
    assert np.abs(score).max() < 1e-5


def test_gpd_at_the_exponential_has_no_jump():
    y = np.random.default_rng(0).exponential(1.0, 100)
    scores = [np.empty(2) for _ in range(3)]
    values = [
        _kernels.gpd_score(y, shape, 1.1, score)
        for shape, score in zip((-2e-6, 5e-7, 2e-6), scores, strict=True)
    ]
    assert np.ptp(values) < 1e-2 * abs(scores[1][0])
    assert scores[0] == pytest.approx(scores[1], abs=1e-2)
    assert scores[2] == pytest.approx(scores[1], abs=1e-2)


def portfolio_plain(returns, low, weights, loss):
    """paths × bars × assets → losses of the portfolio, leg by leg."""
    travelled = np.cumsum(returns, axis=1)
    if loss == "end":
        return (-np.expm1(travelled[:, -1])) @ weights
    adverse = np.where(weights > 0, low, np.maximum(returns, 0.0))
    return ((-np.expm1(travelled - returns + adverse)) @ weights).max(axis=1)


@pytest.mark.parametrize("loss", ["end", "close_out"])
@pytest.mark.parametrize("paths", [3, 256, 700])
def test_joint_paths_are_the_plain_simulation(loss, paths):
    rng = np.random.default_rng(4)
    score = rng.standard_t(4, (60, 3))
    low_score = np.minimum(score, 0) - rng.exponential(0.3, score.shape)
    sigma, weights = np.array([0.02, 0.05, 0.03]), np.array([0.7, 0.5, -0.4])
    draws = rng.integers(0, 60, (paths, 4))
    model = tail.Recursion(np.array([1e-5, 0.0, 2e-5]), 0.08, np.array([0.9, 0.8, 0.7]), 0.05)
    found = drawn_losses(score.T, low_score.T, draws.T, sigma, model.table(3), loss, weights)
    returns, low = tail.simulate(score, low_score, sigma, draws, model)
    assert found[:3] == pytest.approx(tail.path_losses(returns, low, loss).T, abs=1e-13)
    assert found[3] == pytest.approx(portfolio_plain(returns, low, weights, loss), abs=1e-13)
    alone = drawn_losses(score.T, low_score.T, draws.T, sigma, model.table(3), loss)
    assert np.array_equal(alone, found[:3])


def test_picks_of_each_asset_apart():
    rng = np.random.default_rng(2)
    score = rng.normal(size=(2, 30))
    low = np.minimum(score, 0)
    picks = rng.integers(0, 30, (2, 3, 50))
    flat = tail.Recursion.constant().table(2)
    found = drawn_losses(score, low, picks, np.array([0.1, 0.2]), flat, "end")
    for a, sigma in enumerate((0.1, 0.2)):
        assert found[a] == pytest.approx(-np.expm1(sigma * score[a][picks[a]].sum(axis=0)))


def copula_plain(normals, scale, first, target, a, b, edges, score):
    paths, bars, n = normals.shape
    picks = np.empty((n, bars, paths), int)
    z = np.zeros(n)
    for p in range(paths):
        q = first.copy()
        for s in range(bars):
            if s:
                q = (1 - a - b) * target + a * np.outer(z, z) + b * q
            d = np.sqrt(np.diag(q))
            y = np.linalg.cholesky(q / np.outer(d, d)) @ normals[p, s] * scale[p, s]
            picks[:, s, p] = np.searchsorted(edges, y)
            z = score[np.arange(n), picks[:, s, p]]
    return picks


def test_copula_picks_are_the_plain_recursion():
    rng = np.random.default_rng(6)
    normals, scale = rng.normal(size=(40, 4, 3)), rng.uniform(0.5, 2, (40, 4))
    first = np.array([[1, 0.5, 0.2], [0.5, 1, -0.3], [0.2, -0.3, 1.0]])
    target = np.full((3, 3), 0.4) + 0.6 * np.eye(3)
    score = np.sort(rng.normal(size=(3, 20)), axis=1)
    edges = stdtrit(5.0, np.arange(1, 20) / 20)
    arguments = normals, scale, first, target, 0.05, 0.9, edges, score
    picks = np.empty((3, 4, 40), np.int64)
    assert _kernels.copula_picks(*arguments, picks) == 1
    assert np.array_equal(picks, copula_plain(*arguments))
    first[0, 1] = first[1, 0] = 1.5
    assert _kernels.copula_picks(*arguments, picks) == 0


def test_warm_up_compiles_every_kernel_once():
    _kernels.warm_up()
    for name in ("aged", "copula_picks", "gpd", "gpd_walk", "joint", "rolling_worst", "two_piece"):
        assert len(getattr(_kernels, name).signatures) == 1, name
