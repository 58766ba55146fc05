"""Laws of a standardised loss: closed forms, quadrature, published densities, domains."""

from itertools import pairwise

import numpy as np
import pytest
from arch.univariate import SkewStudent
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gammaln
from scipy.stats import genpareto, norm
from scipy.stats import t as student

from xcoll.errors import ParameterError
from xcoll.estimators.tail.laws import FINE, LAWS, MOVED, NONE, inside

LEVELS = np.array([0.9, 0.975, 0.99])
SIGMA = 0.06


def sample(n=450, seed=0):
    return np.random.default_rng(seed).standard_t(5, n) + 0.1


def last(name, scores, window=400):
    params, notes = LAWS[name].fit(scores, window)
    return params[-1:], notes[-1]


def tail_of(name, params, levels=LEVELS, sigma=SIGMA):
    """Quantiles and `1 - E[exp(-σ s) | s > q]` of one set of parameters."""
    law = LAWS[name]
    quantiles = law.quantile(params, levels)
    es = 1 - law.shrunk(params, levels, quantiles, np.full(len(params), sigma))
    return quantiles[0], es[0]


@pytest.mark.parametrize("name", LAWS)
def test_es_is_the_mean_of_the_quantiles_beyond(name):
    params, note = last(name, sample())
    assert note == FINE
    _, es = tail_of(name, params)
    for level, found in zip(LEVELS, es, strict=True):

        def lost(v, level=level):
            quantile = LAWS[name].quantile(params, np.array([1 - (1 - level) * v**3]))[0, 0]
            return -np.expm1(-SIGMA * quantile) * 3 * v**2

        assert found == pytest.approx(quad(lost, 0, 1, epsabs=1e-10, limit=200)[0], abs=1e-8)


def test_normal_closed_form_by_hand():
    params, _ = last("normal", sample())
    scores = sample()[-400:]
    assert params[0] == pytest.approx([scores.mean(), scores.std()])
    quantiles, es = tail_of("normal", params)
    law = norm(*params[0])
    assert quantiles == pytest.approx(law.ppf(LEVELS))
    for q, found in zip(quantiles, es, strict=True):
        mean = law.expect(lambda s: -np.expm1(-SIGMA * s), lb=q, conditional=True)
        assert found == pytest.approx(mean, rel=1e-6)
    # For a small σ the simple loss is the log loss: σ times the textbook ES.
    _, small = tail_of("normal", params, sigma=1e-7)
    textbook = scores.mean() + scores.std() * norm.pdf(norm.ppf(LEVELS)) / (1 - LEVELS)
    assert small / 1e-7 == pytest.approx(textbook, rel=1e-5)


def test_t_against_scipy():
    params, _ = last("t", sample())
    mode, scale, nu, skew = params[0]
    assert skew == 0.0
    scores = sample()[-400:]
    ours = student.logpdf(scores, nu, mode, scale).sum()
    assert ours > student.logpdf(scores, *student.fit(scores)).sum() - 1e-5
    law = student(nu, mode, scale)
    quantiles, es = tail_of("t", params)
    assert quantiles == pytest.approx(law.ppf(LEVELS))
    for q, found in zip(quantiles, es, strict=True):
        mean = law.expect(lambda s: -np.expm1(-SIGMA * s), lb=q, conditional=True)
        assert found == pytest.approx(mean, rel=1e-6)


def hansen(params):
    """(mode, scale, ν, skew) as mean, standard deviation, ν and λ of Hansen's density."""
    mode, scale, nu, skew = params
    c = np.exp(gammaln((nu + 1) / 2) - gammaln(nu / 2)) / np.sqrt(np.pi * (nu - 2))
    a = 4 * skew * c * (nu - 2) / (nu - 1)
    b = np.sqrt(1 + 3 * skew**2 - a**2)
    deviation = scale * b * np.sqrt(nu / (nu - 2))
    return mode + a / b * deviation, deviation, nu, skew


def test_skewed_t_is_hansens():
    """arch's `SkewStudent`, standardised to mean zero and variance one, is the oracle."""
    scores = sample() + np.random.default_rng(1).exponential(1.0, 450)
    params, note = last("skewed_t", scores)
    assert note == FINE
    mean, deviation, nu, skew = hansen(params[0])
    window = scores[-400:]
    law = SkewStudent()
    z = (window - mean) / deviation
    theirs = law.loglikelihood(np.array([nu, skew]), z, np.ones(400)) - 400 * np.log(deviation)
    side = np.where(window > params[0, 0], 1 + skew, 1 - skew)
    ours = student.logpdf((window - params[0, 0]) / (params[0, 1] * side), nu) - np.log(
        params[0, 1]
    )
    assert ours.sum() == pytest.approx(theirs, abs=1e-6)
    quantiles, _ = tail_of("skewed_t", params)
    expected = mean + deviation * law.ppf(LEVELS, np.array([nu, skew]))
    assert quantiles == pytest.approx(expected, rel=1e-6)
    low = LAWS["skewed_t"].quantile(params, np.array([0.01, 0.2]))[0]
    expected = mean + deviation * law.ppf(np.array([0.01, 0.2]), np.array([nu, skew]))
    assert low == pytest.approx(expected, rel=1e-6)


def test_cornish_fisher_by_hand():
    params = np.array([[0.5, 2.0, -0.4, 1.2]])
    z = norm.ppf(0.99)
    w = z - 0.4 / 6 * (z**2 - 1) + 1.2 / 24 * (z**3 - 3 * z) - 0.16 / 36 * (2 * z**3 - 5 * z)
    assert LAWS["cornish_fisher"].quantile(params, np.array([0.99]))[0, 0] == pytest.approx(
        0.5 + 2 * w
    )


def test_cornish_fisher_has_the_moments_of_the_sample():
    scores = sample(seed=2)
    params, note = last("cornish_fisher", scores)
    assert note == FINE
    levels = (np.arange(400_000) + 0.5) / 400_000
    drawn = LAWS["cornish_fisher"].quantile(params, levels)[0]
    window = scores[-400:]

    def moments(x):
        z = (x - x.mean()) / x.std()
        return x.mean(), x.std(), (z**3).mean(), (z**4).mean()

    assert moments(drawn) == pytest.approx(moments(window), rel=5e-3, abs=1e-3)


@given(st.floats(-3, 3), st.floats(-1, 9))
@settings(max_examples=200, deadline=None)
def test_domain_is_where_the_quantile_rises(skew, kurtosis):
    params = np.array([[0.0, 1.0, skew, kurtosis]])
    levels = norm.cdf(np.linspace(-8, 8, 4001))
    slope = np.diff(LAWS["cornish_fisher"].quantile(params, levels)[0])
    valid = bool(inside(np.array([skew]), np.array([kurtosis]))[0])
    if valid:
        assert (slope >= -1e-9).all()
    elif abs(skew) > 0.2 or kurtosis > 8.5 or kurtosis < -0.5:  # a dip narrower than the grid
        a, c = kurtosis / 8 - skew**2 / 6, 1 - kurtosis / 8 + 5 * skew**2 / 36
        roots = np.roots([a, skew / 3, c])
        real = roots[np.abs(roots.imag) < 1e-9].real
        if (np.abs(real) < 7).any() and np.ptp(real) > 0.1:
            assert (slope < 0).any()


def test_outside_the_domain_the_nearest_law_on_the_ray_is_marked():
    scores = np.random.default_rng(0).normal(size=400)
    scores[::100] = 40.0  # kurtosis near 90
    params, note = last("cornish_fisher", scores)
    assert note == MOVED
    assert inside(params[:, 2], params[:, 3])[0]
    assert params[0, 3] > 2.0  # as heavy as the domain lets it be, not the normal
    assert np.isfinite(tail_of("cornish_fisher", params)[1]).all()


def test_evt_against_scipy():
    scores = sample()
    params, note = last("evt", scores)
    assert note == FINE
    threshold, shape, scale, share = params[0]
    window = np.sort(scores[-400:])
    assert threshold == window[-41]
    assert share == 0.1
    fitted = genpareto.fit(window[-40:] - threshold, floc=0)
    ours = genpareto.logpdf(window[-40:] - threshold, shape, scale=scale).sum()
    theirs = genpareto.logpdf(window[-40:] - threshold, fitted[0], scale=fitted[2]).sum()
    assert ours > theirs - 1e-7
    quantiles, _ = tail_of("evt", params)
    beyond = 1 - (1 - LEVELS) / 0.1
    assert quantiles == pytest.approx(threshold + genpareto.ppf(beyond, shape, scale=scale))


def test_evt_has_a_finite_es_even_without_a_mean():
    params = np.array([[1.0, 1.4, 0.8, 0.1]])
    quantiles, es = tail_of("evt", params)
    assert ((-np.expm1(-SIGMA * quantiles) < es) & (es < 1)).all()


def test_evt_refuses_small_windows_and_levels_under_its_threshold():
    with pytest.raises(ParameterError, match="window of 200 bars"):
        LAWS["evt"].fit(sample(), 199)
    assert np.isnan(LAWS["evt"].quantile(np.array([[1.0, 0.1, 0.8, 0.1]]), np.array([0.85]))).all()


@pytest.mark.parametrize("name", LAWS)
def test_a_still_series_has_no_law(name):
    params, notes = LAWS[name].fit(np.zeros(300), 250)
    assert (notes[249:] == NONE).all()
    assert np.isnan(params[249:, 1]).all()


@pytest.mark.parametrize("name", LAWS)
@given(st.floats(0.01, 50))
@settings(max_examples=8, deadline=None)
def test_quantiles_scale_with_the_scores(name, unit):
    one, other = (last(name, k * sample())[0] for k in (1.0, unit))
    pair = [LAWS[name].quantile(p, LEVELS)[0] for p in (one, other)]
    assert pair[1] == pytest.approx(unit * pair[0], rel=2e-3)


@pytest.mark.parametrize("name", LAWS)
def test_es_rises_with_level_and_sigma_and_stays_under_one(name):
    params, _ = last(name, sample())
    levels = np.array([0.9, 0.95, 0.975, 0.99, 0.999])
    found = [tail_of(name, params, levels, sigma) for sigma in (0.01, 0.1, 1.0, 5.0)]
    for (quantiles, es), sigma in zip(found, (0.01, 0.1, 1.0, 5.0), strict=True):
        assert (np.diff(es) > -1e-12).all()
        assert (es <= 1.0).all()
        assert (es >= -np.expm1(-sigma * quantiles) - 1e-12).all()
    for (_, less), (_, more) in pairwise(found):
        assert (more >= less - 1e-12).all()
