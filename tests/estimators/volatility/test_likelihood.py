"""The compiled climb: plain twins, derivatives, units, bounds, and arch on real prices."""

from pathlib import Path

import arch.data.nasdaq
import arch.data.sp500
import numpy as np
import pandas as pd
import pytest
from arch import univariate
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, special, stats

from tests.estimators.volatility.plain import plain_path, simulate
from xcoll.estimators import volatility
from xcoll.estimators.volatility import _arch, _kernels, likelihood

ROOT = Path(__file__).parents[3]
NOWHERE = np.full(7, np.inf)
KINDS = [(model, errors) for model in ("garch", "gjr") for errors in ("normal", "t")]
POINT = np.array([0.02, 0.05, 0.06, 0.12, 0.84, 5.5])


def plain_value(y, point, start, errors):
    """Log-likelihood of a point by the recursion and scipy's densities."""
    mu, omega, plus, minus, beta, nu = point
    initial = _arch.STARTS[start](y, mu)
    h = plain_path(y, mu, omega, plus, beta, initial, gamma=minus - plus)[:-1]
    if errors == "normal":
        return stats.norm.logpdf(y, mu, np.sqrt(h)).sum()
    return stats.t.logpdf(y, nu, mu, np.sqrt(h * (nu - 2) / nu)).sum()


def evaluated(y, point, start, errors):
    score, information = np.empty(6), np.empty((6, 6))
    backcast = np.nan if start == "sample" else _arch.STARTS[start](y, 0.0)
    value = _kernels.evaluate(y, point, backcast, False, errors == "t", True, score, information)
    return value, score, information


@pytest.fixture(scope="module")
def y():
    x = simulate(203, 1, nu=6)  # no multiple of the eight bars that share a logarithm
    return (x - x.mean()) / x.std()


@pytest.mark.parametrize("start", ["sample", "backcast"])
@pytest.mark.parametrize("errors", ["normal", "t"])
def test_value_and_score_are_those_of_the_plain_twin(y, start, errors):
    value, score, _ = evaluated(y, POINT, start, errors)
    backcast = np.nan if start == "sample" else _arch.STARTS[start](y, 0.0)
    assert _kernels.likelihood(y, POINT, backcast, errors == "t") == pytest.approx(value, abs=1e-9)
    assert value == pytest.approx(plain_value(y, POINT, start, errors), abs=1e-9)
    for k in range(6 if errors == "t" else 5):
        step = 1e-6 * np.eye(6)[k]
        plain = plain_value(y, POINT + step, start, errors)
        plain -= plain_value(y, POINT - step, start, errors)
        assert score[k] == pytest.approx(plain / 2e-6, rel=1e-5, abs=1e-4)
    by_bar = likelihood.contributions(y, POINT, start, errors)
    assert_allclose(by_bar.sum(axis=0)[:5], score[:5], rtol=1e-9, atol=1e-9)
    if errors == "t":
        assert by_bar[:, 5].sum() == pytest.approx(score[5], rel=1e-9)


def test_score_alone_is_the_same_score(y):
    value, score, _ = evaluated(y, POINT, "sample", "t")
    alone, untouched = np.empty(6), np.full((6, 6), 7.0)
    assert _kernels.evaluate(y, POINT, np.nan, False, True, False, alone, untouched) == value
    assert_allclose(alone, score, rtol=1e-12)


def test_tied_weights_share_one_place(y):
    point = np.array([0.02, 0.05, 0.08, 0.08, 0.84, 5.5])
    _, apart, information = evaluated(y, point, "sample", "t")
    score, tied = np.empty(6), np.empty((6, 6))
    _kernels.evaluate(y, point, np.nan, True, True, True, score, tied)
    both = np.eye(6)[[0, 1, 2, 4, 5]]
    both[2, 3] = 1.0
    assert_allclose(both @ score, both @ apart, rtol=1e-10)
    assert_allclose(both @ tied @ both.T, both @ information @ both.T, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("tied", [True, False])
def test_following_ends_where_climbing_does(tied):
    """From the maximum of a window to that of the next one, at the old one's curvature."""
    x = simulate(801, 9, nu=6, gamma=0.08, beta=0.8)
    x = (x - x.mean()) / x.std()
    point, index, matrix = np.empty(6), np.empty(6, np.int64), np.empty((6, 6))
    _kernels.search(x[:-1], 1.0, tied, True, 1e-12, -np.inf, point)
    rest, m = _kernels.measure(x[:-1], point, 1.0, tied, True, index, matrix)
    if not tied:  # in μ, ln ω, logit p, ln(ν − 2) the curvature is minus the Hessian
        coordinates = np.empty(7)
        _kernels._coordinates(point, tied, coordinates)
        values = {}
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                there, theta = coordinates.copy(), np.empty(6)
                there[0] += i * 1e-4
                there[1] += j * 1e-4
                _kernels._natural(there, tied, theta)
                values[i, j] = _kernels.likelihood(x[:-1], theta, 1.0, True)
        mixed = values[1, 1] - values[1, -1] - values[-1, 1] + values[-1, -1]
        assert matrix[0, 1] == pytest.approx(-mixed / 4e-8, rel=1e-2, abs=0.5)
        second = values[1, 0] - 2 * values[0, 0] + values[-1, 0]
        assert matrix[0, 0] == pytest.approx(-second / 1e-8, rel=1e-3)
    followed, climbed = point.copy(), point.copy()
    value, done = _kernels.follow(
        x[1:], followed, 1.0, tied, True, 1e-10, rest, index[:m], matrix[:m, :m]
    )
    other, _, _ = _kernels.climb(x[1:], climbed, 1.0, tied, True, 1e-12, -np.inf, NOWHERE)
    assert done
    assert value == pytest.approx(other, abs=1e-8)
    assert_allclose(followed, climbed, rtol=1e-4, atol=1e-7)


def test_following_gives_up_where_the_curvature_is_another():
    x = simulate(500, 10, nu=5)
    x /= x.std()
    point, index, matrix = np.empty(6), np.empty(6, np.int64), np.empty((6, 6))
    _kernels.search(x, 1.0, True, True, 1e-10, -np.inf, point)
    rest, m = _kernels.measure(x, point, 1.0, True, True, index, matrix)
    far = np.array([0.3, 0.5, 0.3, 0.3, 0.2, 30.0])
    _, done = _kernels.follow(x, far, 1.0, True, True, 1e-9, rest, index[:m], matrix[:m, :m])
    assert not done


@pytest.mark.parametrize("nu", [2.5, 5.0, 40.0])
def test_information_is_the_mean_square_of_the_score(nu):
    """At constant variance, by integrating the score of one bar over its law."""
    omega, y = 1.3, np.zeros(16)
    _, _, information = evaluated(y, np.array([0.0, omega, 0, 0, 0, nu]), "backcast", "t")
    scale = np.sqrt(omega * (nu - 2) / nu)

    def score(x):
        z2 = x**2 / omega
        w = (nu + 1) / (nu - 2 + z2)
        of_nu = special.digamma((nu + 1) / 2) - special.digamma(nu / 2)
        of_nu += (w * z2 - 1) / (nu - 2) - np.log1p(z2 / (nu - 2))
        return np.array([w * x / omega, (w * z2 - 1) / (2 * omega), of_nu / 2])

    def mean(i, j):
        def integrand(x):
            return score(x)[i] * score(x)[j] * stats.t.pdf(x, nu, 0, scale)

        return 2 * integrate.quad(integrand, 0, np.inf, limit=300)[0]

    for (i, j), found in {
        (0, 0): information[0, 0],
        (1, 1): information[1, 1],
        (1, 2): information[1, 5],
        (2, 2): information[5, 5],
    }.items():
        assert found / 16 == pytest.approx(mean(i, j), rel=1e-6, abs=1e-12)


def test_information_of_normal_errors_by_the_plain_twin(y):
    _, _, information = evaluated(y, POINT, "backcast", "normal")
    initial = _arch.STARTS["backcast"](y, 0.0)

    def path(point):
        mu, omega, plus, minus, beta, _ = point
        return plain_path(y, mu, omega, plus, beta, initial, gamma=minus - plus)[:-1]

    h = path(POINT)
    slopes = [(path(POINT + d) - path(POINT - d)) / 2e-6 for d in 1e-6 * np.eye(6)[:5]]
    expected = 0.5 * np.array([[(a * b / h**2).sum() for a in slopes] for b in slopes])
    expected[0, 0] += (1 / h).sum()
    assert_allclose(information[:5, :5], expected, rtol=1e-5, atol=1e-3)


@given(st.floats(0.02, 400.0))
@settings(max_examples=50, deadline=None)
def test_digamma_and_trigamma(x):
    assert _kernels._digamma(x) == pytest.approx(special.digamma(x), rel=1e-12, abs=1e-12)
    assert _kernels._trigamma(x) == pytest.approx(special.polygamma(1, x), rel=1e-12)


@given(
    st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=40),
    st.floats(0, 0.3),
    st.floats(0, 0.3),
    st.floats(0, 0.99),
    st.floats(1e-8, 1.0),
)
@settings(max_examples=50, deadline=None)
def test_filter_is_the_plain_recursion(x, plus, minus, beta, initial):
    out = np.empty(len(x) + 1)
    _kernels.filtered(np.array(x), np.array([0.01, 1e-5, plus, minus, beta, 5.0]), initial, out)
    expected = plain_path(x, 0.01, 1e-5, plus, beta, initial, gamma=minus - plus)
    assert_allclose(out, expected, rtol=1e-12)


@pytest.mark.parametrize("tied", [True, False])
@given(
    st.floats(2e-4, 0.9999),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(-20, 3),
    st.floats(2.06, 400),
)
@settings(max_examples=100, deadline=None)
def test_coordinates_there_and_back(tied, p, share, split, log_omega, nu):
    weights = 2 * p * share * np.array([split, 1 - split])
    if tied:
        weights[:] = p * share
    theta = np.array([0.1, np.exp(log_omega), *weights, p * (1 - share), nu])
    point, back = np.empty(7), np.empty(6)
    _kernels._coordinates(theta, tied, point)
    _kernels._natural(point, tied, back)
    assert_allclose(back, theta, rtol=1e-9, atol=1e-12)
    assert point[4:].sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("model", "errors"), KINDS)
@pytest.mark.parametrize("start", ["sample", "backcast"])
def test_the_score_vanishes_at_a_maximum(model, errors, start):
    x = simulate(1200, 3, nu=6, gamma=0.05)
    found = likelihood.maximise(x, model, errors, start)
    assert found.converged
    scale = x.std()
    y = (x - x.mean()) / scale
    params = found.params.copy()
    params[0], params[1] = (params[0] - x.mean()) / scale, params[1] / scale**2
    point = likelihood._to_point(params, model)
    by_bar = likelihood.contributions(y, point, start, errors)
    score, size = by_bar.sum(axis=0), np.sqrt((by_bar**2).sum(axis=0))
    if model == "garch":
        score[2] += score[3]
        score[3] = 0.0
    assert (np.abs(score) <= 1e-6 * np.maximum(size, 1.0)).all()


@pytest.mark.parametrize(("model", "errors"), KINDS)
@given(st.floats(-1e3, 1e3), st.sampled_from([1e-8, 1e-2, 1.0, 100.0, 1e6]))
@settings(max_examples=8, deadline=None)
def test_unit_and_place_of_the_returns_do_not_matter(model, errors, place, unit):
    x = simulate(400, 4, nu=5)
    place *= unit
    one = likelihood.maximise(x, model, errors, "backcast")
    other = likelihood.maximise(place + unit * x, model, errors, "backcast")
    units = np.ones(len(one.params))
    units[1] = unit**2
    assert_allclose(other.params[1:], (one.params * units)[1:], rtol=1e-4, atol=1e-9 * unit**2)
    assert_allclose(other.variance, one.variance * unit**2, rtol=1e-4)
    expected = one.loglikelihood - len(x) * np.log(unit)
    assert other.loglikelihood == pytest.approx(expected, abs=1e-4)


def test_a_weight_that_is_zero_is_held_and_has_no_error():
    x = simulate(1500, 5, alpha=0.0, gamma=0.2, beta=0.8)
    found = likelihood.maximise(x, "gjr", "normal", "backcast")
    errors = {kind: np.sqrt(np.diag(matrix)) for kind, matrix in found.covariance().items()}
    assert found.params[2] == pytest.approx(0.0, abs=0.03)
    if found.params[2] == 0.0:
        for values in errors.values():
            assert np.isnan(values[2])
            assert np.isfinite(np.delete(values, 2)).all()
    else:
        assert np.isfinite(errors["robust"]).all()


def test_white_noise_and_integrated_series_end_on_their_bounds():
    rng = np.random.default_rng(6)
    noise = likelihood.maximise(rng.standard_normal(300), "garch", "normal", "backcast")
    assert noise.converged
    assert min(noise.params[2:4]) < 0.02
    grows = np.concatenate([0.001 * rng.standard_normal(150), 0.1 * rng.standard_normal(150)])
    wild = likelihood.maximise(grows, "garch", "normal", "backcast")
    assert wild.on_bound
    assert "on the persistence bound" in wild.message


def test_where_the_climb_fails_arch_is_asked_and_named(monkeypatch):
    x = simulate(300, 7)
    ours = likelihood.maximise(x, "garch", "normal", "backcast")
    climb = _kernels.climb
    monkeypatch.setattr(_kernels, "climb", lambda *a: (*climb(*a)[:2], False))
    other = likelihood.maximise(x, "garch", "normal", "backcast")
    assert "did not converge in" in other.message
    assert "arch: " in other.message
    assert other.loglikelihood == pytest.approx(ours.loglikelihood, abs=1e-4)


def test_no_kernel_is_compiled_a_second_time():
    """What pandas lends is read-only, another type for numba."""
    frame = pd.DataFrame({"A": simulate(300, 11), "B": simulate(300, 12)})
    for returns in (frame, frame[["A"]], frame.iloc[::2]):
        volatility.walk_forward(returns, 100, 20)
        volatility.fit_each(returns)
        volatility.fit(returns["A"]).interval()
    for name in ("climb", "filtered", "forecasts", "refits", "search"):
        assert len(getattr(_kernels, name).signatures) == 1, name


def test_a_guess_may_only_help():
    x = simulate(500, 8, nu=5)
    alone = likelihood.maximise(x, "gjr", "t", "backcast")
    bad = np.array([0.0, 1e-3, 0.9, 0.0, 0.05, 3.0])
    for guess in (alone.params, bad):
        with_it = likelihood.maximise(x, "gjr", "t", "backcast", guess)
        assert with_it.loglikelihood == pytest.approx(alone.loglikelihood, abs=1e-7)


# --- arch on real prices ----------------------------------------------------------------------


def samples():
    """Every bundled asset, two indices, and 300 windows of all of them."""
    table = pd.read_csv(ROOT / "data" / "crypto_prices.csv", sep=";", index_col=0)
    prices = {column: table[column] for column in table if column != "SOL1-USD"}
    prices["SP500"] = arch.data.sp500.load()["Adj Close"]
    prices["NASDAQ"] = arch.data.nasdaq.load()["Adj Close"]
    whole = {name: np.log(p.dropna()).diff().dropna().to_numpy() for name, p in prices.items()}
    rng, windows = np.random.default_rng(20), {}
    names = ["SP500", "NASDAQ", *[name for name in whole if name.endswith("USD")]]
    for k in range(300):
        name = names[k % 2] if k % 3 else names[2 + k % (len(names) - 2)]
        x = whole[name]
        size = int(rng.integers(250, min(1500, len(x))))
        begin = int(rng.integers(0, len(x) - size))
        windows[f"{name}[{begin}:{begin + size}]"] = x[begin : begin + size]
    return whole | windows


@pytest.mark.parametrize(("model", "errors"), KINDS)
def test_never_under_arch_by_more_than_a_thousandth(model, errors):
    laws = {"normal": univariate.Normal, "t": univariate.StudentsT}
    for name, x in samples().items():
        ours = likelihood.maximise(x, model, errors, "backcast")
        assert ours.converged, name
        scale = x.std()
        theirs = univariate.ConstantMean(
            x / scale,
            volatility=univariate.GARCH(1, int(model == "gjr"), 1),
            distribution=laws[errors](),
            rescale=False,
        ).fit(disp="off", show_warning=False)
        value = theirs.loglikelihood - len(x) * np.log(scale)
        params = theirs.params.to_numpy()
        point = likelihood._to_point(params, model)
        p = point[2:4].mean() + point[4]
        if p > 1.0:  # arch's optimiser overstepped its own constraint: what it has on it
            point[2:5] /= p
            point[5] = max(point[5], 2.05)
            value = plain_value(x / scale, point, "backcast", errors) - len(x) * np.log(scale)
        assert ours.loglikelihood > value - 1e-3, name
