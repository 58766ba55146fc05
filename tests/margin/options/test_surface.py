"""The surface against plain twins: between and outside expiries, deltas, SSVI, bad input."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.margin.options.surface import Smile, Surface, ssvi

YEARS = (7 / 365, 0.25, 1.0)


def quoted():
    """Three expiries quoted at five deltas each, so at strikes of their own."""
    shape = np.array([1.2, 1.07, 1.0, 1.03, 1.1])
    deltas = [-0.1, -0.25, 0.5, 0.25, 0.1]
    smiles = [
        Smile.by_delta(T, deltas, s * shape, "signed")
        for T, s in zip(YEARS, (0.8, 0.7, 0.65), strict=True)
    ]
    return Surface("ETH", tuple(smiles))


def plain_sigma(surface, T, k):
    """One volatility, by the words of the module."""
    first, last = surface.smiles[0], surface.smiles[-1]
    for end, outside in ((first, first.years >= T), (last, last.years <= T)):
        if outside:
            return math.sqrt(end.curve(k * math.sqrt(end.years / T)) / end.years)
    for one, two in pairwise(surface.smiles):
        if one.years <= T < two.years:
            share = (T - one.years) / (two.years - one.years)
            return math.sqrt(((1.0 - share) * one.curve(k) + share * two.curve(k)) / T)
    raise AssertionError


def test_sigma_is_that_of_the_plain_twin_everywhere():
    surface, rng = quoted(), np.random.default_rng(1)
    T = np.concatenate([YEARS, np.exp(rng.uniform(np.log(1e-3), np.log(4.0), 400))])
    k = rng.normal(0.0, 0.6, len(T))
    expected = [plain_sigma(surface, *place) for place in zip(T, k, strict=True)]
    np.testing.assert_allclose(surface.sigma(T, k), expected, rtol=1e-12)


def test_quotes_are_given_back():
    surface = quoted()
    for smile in surface.smiles:
        np.testing.assert_allclose(surface.sigma(smile.years, smile.k), smile.sigma, rtol=1e-13)


def test_places_are_broadcast():
    surface = quoted()
    T, k = np.array([[0.01], [0.1], [3.0]]), np.array([-0.5, 0.0, 0.2, 0.9])
    grid = surface.sigma(T, k)
    assert grid.shape == (3, 4)
    for i, j in np.ndindex(grid.shape):
        assert surface.sigma(T[i, 0], k[j]) == grid[i, j]
    assert surface.sigma(0.1, 0.0).shape == ()
    assert surface.sigma([0.1, 0.2], 0).shape == (2,)
    assert surface.sigma([], []).shape == (0,)
    assert surface.k_of_delta([], []).shape == (0,)


def test_derivatives_are_those_of_the_variance():
    surface, h = quoted(), 1e-4
    T, k = np.array([[0.01], [0.1], [1.0], [2.0]]), np.linspace(-1.0, 1.0, 41) + 0.0123
    below, here, above = (surface.variance(T, k + step) for step in (-h, 0.0, h))
    slope, bend = surface.variance(T, k, 1), surface.variance(T, k, 2)
    np.testing.assert_allclose(slope, (above - below) / (2 * h), atol=1e-6)
    np.testing.assert_allclose(bend, (above - 2 * here + below) / h**2, atol=2e-3)


def test_a_single_quote_is_one_volatility_everywhere():
    surface = Surface("BTC", (Smile(0.5, [0.0], [0.7]),))
    T, k = np.array([[0.01], [0.5], [9.0]]), np.linspace(-2.0, 2.0, 9)
    np.testing.assert_allclose(surface.sigma(T, k), 0.7, rtol=1e-14)


def test_variance_grows_with_time_before_between_and_after_the_expiries():
    surface = Surface.from_ssvi("BTC", YEARS, [0.8, 0.7, 0.65], -0.4, 1.3, 0.4)
    T = np.exp(np.linspace(np.log(1e-3), np.log(4.0), 300))
    w = surface.variance(T[:, None], np.linspace(-2.0, 2.0, 81))
    assert (np.diff(w, axis=0) > 0.0).all()


def test_delta_is_that_of_black():
    surface = quoted()
    T, k = 0.3, np.linspace(-1.0, 1.0, 21)
    total = surface.sigma(T, k) * math.sqrt(T)
    np.testing.assert_allclose(surface.delta(T, k), ndtr((-k + total**2 / 2) / total), rtol=1e-13)


def test_the_strike_of_a_quoted_delta_is_the_quoted_strike():
    surface = quoted()
    for smile in surface.smiles:
        k = surface.k_of_delta(smile.years, [0.9, 0.75, 0.5, 0.25, 0.1])
        np.testing.assert_allclose(k, smile.k, rtol=1e-10, atol=1e-13)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(T=st.floats(1e-4, 5.0), delta=st.floats(1e-6, 1.0 - 1e-6))
def test_the_strike_of_a_delta_has_that_delta(T, delta):
    surface = Surface.from_ssvi("BTC", YEARS, [0.8, 0.7, 0.65], -0.4, 1.3, 0.4)
    assert surface.delta(T, surface.k_of_delta(T, delta)) == pytest.approx(delta, rel=1e-9)


def test_deltas_are_solved_for_any_shape():
    surface = quoted()
    T, delta = np.array([[0.02], [0.6]]), np.array([0.2, 0.5, 0.8])
    k = surface.k_of_delta(T, delta)
    assert k.shape == (2, 3)
    assert (np.diff(k, axis=1) < 0.0).all()
    np.testing.assert_allclose(surface.delta(T, k), np.broadcast_to(delta, (2, 3)), rtol=1e-12)


def test_a_delta_that_no_strike_has_is_named():
    steep = Surface("LUNA", (Smile(1.0, [-0.1, 0.1], [0.5, 0.9]),))
    assert steep.smiles[0].slopes[1] > 2.0
    with pytest.raises(EstimationError, match=r"no strike of LUNA at 1 years has a delta of 0\.1"):
        steep.k_of_delta(1.0, [0.9, 0.1])


@settings(derandomize=True, deadline=None, max_examples=30)
@given(factor=st.floats(0.1, 3.0))
def test_a_scaled_surface_has_every_volatility_scaled(factor):
    surface = quoted()
    T, k = np.array([[0.01], [0.1], [2.0]]), np.linspace(-0.3, 0.3, 7)
    np.testing.assert_allclose(
        surface.scaled(factor).sigma(T, k), factor * surface.sigma(T, k), rtol=1e-12
    )


def test_scaling_returns_a_copy():
    surface = quoted()
    before = surface.sigma(0.3, 0.1)
    assert surface.scaled(2.0).asset == "ETH"
    assert surface.sigma(0.3, 0.1) == before


def raw_svi(k, a, b, rho, m, sigma):
    return a + b * (rho * (k - m) + math.sqrt((k - m) ** 2 + sigma**2))


@settings(derandomize=True, deadline=None)
@given(
    k=st.floats(-3.0, 3.0),
    theta=st.floats(1e-4, 2.0),
    rho=st.floats(-0.95, 0.95),
    share=st.floats(0.05, 1.0),
    gamma=st.floats(0.01, 0.5),
)
def test_ssvi_is_the_raw_svi_that_the_paper_says_it_is(k, theta, rho, share, gamma):
    eta = share * 2.0 / (1.0 + abs(rho))
    phi = eta / (theta**gamma * (1.0 + theta) ** (1.0 - gamma))
    a, b = theta / 2.0 * (1.0 - rho**2), theta * phi / 2.0
    m, sigma = -rho / phi, math.sqrt(1.0 - rho**2) / phi
    expected = raw_svi(k, a, b, rho, m, sigma)
    assert ssvi(k, theta, rho, eta, gamma) == pytest.approx(expected, rel=1e-9)


def test_ssvi_by_hand():
    # θ = 0.25, γ = 1/2: φ = 0.8/(0.5 √1.25) = 1.4310835; at k = −0.2, φk = −0.2862167.
    root = math.sqrt((-0.2862167 - 0.5) ** 2 + 0.75)
    expected = 0.125 * (1.0 + 0.5 * 0.2862167 + root)
    assert ssvi(-0.2, 0.25, -0.5, 0.8, 0.5) == pytest.approx(expected, rel=1e-7)
    np.testing.assert_allclose(ssvi(0.0, [0.01, 0.3], 0.4, 1.2, 0.3), [0.01, 0.3], rtol=1e-14)


def test_a_modelled_surface_is_ssvi():
    sigma, parameters = np.array([0.8, 0.7, 0.65]), (-0.4, 1.3, 0.4)
    surface = Surface.from_ssvi("BTC", YEARS, sigma, *parameters)
    for T, s in zip(YEARS, sigma, strict=True):
        k = np.linspace(-6.0, 6.0, 301) * s * math.sqrt(T)
        expected = np.sqrt(ssvi(k, s**2 * T, *parameters) / T)
        np.testing.assert_allclose(surface.sigma(T, k), expected, rtol=1e-4)
        assert surface.sigma(T, 0.0) == pytest.approx(s, rel=1e-12)


def test_one_volatility_serves_all_expiries_of_a_modelled_surface():
    surface = Surface.from_ssvi("BTC", [0.1, 0.5], 0.6, 0.0, 1.0, 0.5)
    np.testing.assert_allclose(surface.sigma([0.1, 0.3, 0.5], 0.0), 0.6, rtol=1e-12)


def modelled(years=YEARS, sigma=(0.8, 0.7, 0.65), rho=-0.4, eta=1.3, gamma=0.4, **more):
    return Surface.from_ssvi("BTC", years, sigma, rho, eta, gamma, **more)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Surface("BTC", ()), DataError, "surface of BTC has no smiles"),
        (lambda: Surface("BTC", (0.5,)), DataError, "surface of BTC has no smiles"),
        (
            lambda: Surface("BTC", (Smile(1.0, [0.0], [0.5]), Smile(0.5, [0.0], [0.5]))),
            DataError,
            "smiles of BTC: 0.5 years come after 1",
        ),
        (
            lambda: Surface("BTC", (Smile(1.0, [0.0], [0.5]), Smile(1.0, [0.0], [0.6]))),
            DataError,
            "each expiry once",
        ),
        (lambda: quoted().sigma(0.0, 0.1), ParameterError, "years: element 0 is 0"),
        (lambda: quoted().sigma([0.1, -0.1], 0.1), ParameterError, "years: element 1 is -0.1"),
        (lambda: quoted().sigma(math.nan, 0.1), ParameterError, "years: element 0 is nan"),
        (lambda: quoted().sigma(math.inf, 0.1), ParameterError, "years: element 0 is inf"),
        (lambda: quoted().sigma(0.1, [0.0, math.nan]), ParameterError, "k: element 1 is nan"),
        (lambda: quoted().sigma(0.1, "a"), ParameterError, "k is .*'a'.*give numbers"),
        (lambda: quoted().delta(0.1, -math.inf), ParameterError, "k: element 0 is -inf"),
        (lambda: quoted().k_of_delta(0.1, [0.5, 1.0]), ParameterError, "delta: element 1 is 1"),
        (lambda: quoted().k_of_delta(0.1, -0.25), ParameterError, "delta: element 0 is -0.25"),
        (lambda: quoted().k_of_delta(0.0, 0.5), ParameterError, "years: element 0 is 0"),
        (lambda: quoted().scaled(0.0), ParameterError, "factor is 0"),
        (lambda: quoted().scaled(math.nan), ParameterError, "factor is nan"),
        (lambda: modelled(rho=1.0), ParameterError, "rho is 1"),
        (lambda: modelled(eta=0.0), ParameterError, "eta is 0"),
        (lambda: modelled(eta=1.43), ParameterError, "give at most 1.429"),
        (lambda: modelled(gamma=0.51), ParameterError, "gamma is 0.51"),
        (lambda: modelled(gamma=0.0), ParameterError, "gamma is 0"),
        (lambda: modelled(sigma=(0.8, 0.7)), DataError, "give one row"),
        (lambda: modelled(sigma=(0.8, 0.1, 0.65)), DataError, "of BTC falls from"),
        (lambda: modelled(sigma=(0.8, -0.7, 0.65)), DataError, "0.25 years: sigma.0. is -0.7"),
        (lambda: modelled(years=(0.0, 0.1, 0.2)), ParameterError, "0 years has expired"),
        (lambda: modelled(years=(1.0, 0.25, 2.0), sigma=(0.1, 0.5, 0.5)), DataError, "come after"),
        (lambda: modelled(sigma=(0.8, math.nan, 0.65)), ParameterError, "atm_sigmas: element 1"),
        (lambda: modelled(years=("7D", "1M", "1Y")), ParameterError, "years is .*give numbers"),
        (lambda: modelled(years=(), sigma=()), DataError, "surface of BTC has no smiles"),
        (lambda: modelled(deviations=[1.0, 0.0]), DataError, "ascending order"),
        (lambda: ssvi(0.0, 0.0, 0.0, 1.0, 0.5), ParameterError, "theta: element 0 is 0"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_the_largest_eta_that_a_message_allows_is_allowed():
    for rho in np.linspace(-0.9, 0.9, 19):
        assert ssvi(0.1, 0.2, rho, 2.0 / (1.0 + abs(rho)), 0.5) > 0.0
