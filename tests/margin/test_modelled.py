"""The modelled surface: its limits at the money, its smile, and that it has no arbitrage."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from xcoll.errors import DataError, ParameterError
from xcoll.margin.modelled import Implied
from xcoll.margin.options import arbitrage
from xcoll.margin.options.surface import Surface, ssvi

VARIANCE = st.floats(0.01, 4.0)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(VARIANCE, VARIANCE, st.floats(1.0, 1.5))
def test_at_the_money_it_goes_from_the_forecast_to_the_long_run(variance, long_run, premium):
    model = Implied(premium=premium)
    now, near, far = model.at_the_money(variance, long_run, np.array([0.0, 1e-9, 1e9]))
    assert now == pytest.approx(premium * np.sqrt(variance), rel=1e-14)
    assert near == pytest.approx(premium * np.sqrt(variance), rel=1e-6)
    assert far == pytest.approx(premium * np.sqrt(long_run), rel=1e-6)
    path = model.at_the_money(variance, long_run, np.geomspace(1e-3, 1e3, 50))
    assert (np.diff(path) * np.sign(long_run - variance) >= -1e-14).all()


@pytest.mark.parametrize("years", [0.01, 30 / 365, 0.7, 5.0])
def test_it_is_the_mean_of_a_variance_that_halves_its_way_back(years):
    v, w, life = 0.8, 0.3, 45.0 / 365.0
    mean = quad(lambda t: w + (v - w) * 0.5 ** (t / life), 0.0, years)[0] / years
    found = Implied(premium=1.2, half_life="45D").at_the_money(v, w, years)
    assert found == pytest.approx(1.2 * np.sqrt(mean), rel=1e-9)


@settings(derandomize=True, deadline=None, max_examples=40)
@given(VARIANCE, st.floats(1.01, 3.0), VARIANCE, st.floats(0.01, 3.0))
def test_more_variance_is_more_volatility(variance, more, other, years):
    atm = Implied().at_the_money
    assert atm(variance, other, years) < atm(more * variance, other, years)
    assert atm(other, variance, years) < atm(other, more * variance, years)


def test_numbers_and_arrays_broadcast():
    model = Implied()
    table = model.at_the_money(np.array([[0.2], [0.9]]), 0.5, np.array([0.0, 0.1, 1.0]))
    assert table.shape == (2, 3)
    for (i, j), value in np.ndenumerate(table):
        assert value == model.at_the_money([0.2, 0.9][i], 0.5, [0.0, 0.1, 1.0][j])
    assert np.shape(model.at_the_money(0.2, 0.5, 0.1)) == ()
    none = np.zeros(0)
    assert model.at_the_money(none, none, none).shape == (0,)
    assert np.isnan(model.at_the_money(np.nan, 0.5, 0.1))


def test_the_smile_is_ssvi_at_the_forecast():
    model = Implied(rho=-0.3, eta=0.9, gamma=0.4)
    k, years = np.linspace(-0.8, 0.8, 9), 0.2
    atm = model.at_the_money(0.5, 0.6, years)
    found = model.sigma(0.5, 0.6, years, k)
    assert found[4] == pytest.approx(atm, rel=1e-14)
    np.testing.assert_allclose(found**2 * years, ssvi(k, atm**2 * years, -0.3, 0.9, 0.4))
    assert found[0] > found[-1] > found[4]  # rho below 0: low strikes are dearer


def test_the_surfaces_are_those_of_ssvi_and_of_sigma():
    model = Implied(premium=1.15, half_life="20D", rho=-0.2, tenors=("7D", "60D", "365D"))
    v, w = pd.Series({"BTC": 0.7, "ETH": 0.4}), pd.Series({"ETH": 0.5, "BTC": 0.3})
    found, years = model.surfaces(v, w), np.array([7.0, 60.0, 365.0]) / 365.0
    assert list(found) == ["BTC", "ETH"]
    for asset, surface in found.items():
        atm = model.at_the_money(v[asset], w[asset], years)
        same = Surface.from_ssvi(asset, years, atm, -0.2, 1.0, 0.5)
        assert surface.asset == asset
        for T, level in zip(years, atm, strict=True):
            k = np.sqrt(level**2 * T) * np.linspace(-4.0, 4.0, 33)
            np.testing.assert_array_equal(surface.sigma(T, k), same.sigma(T, k))
            direct = model.sigma(v[asset], w[asset], T, k)
            np.testing.assert_allclose(surface.sigma(T, k), direct, rtol=1e-4)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(
    st.floats(0.02, 3.0),
    st.floats(0.02, 3.0),
    st.sampled_from(["3D", "30D", "200D"]),
    st.floats(-0.7, 0.7),
    st.floats(0.1, 1.0),
)
def test_no_forecast_makes_an_arbitrage(variance, long_run, half_life, rho, eta):
    model = Implied(half_life=half_life, rho=rho, eta=eta)
    surface = model.surfaces(pd.Series({"X": variance}), pd.Series({"X": long_run}))["X"]
    report = arbitrage.checks(surface, k=np.linspace(-1.0, 1.0, 21))
    assert report["passed"].all(), report[~report["passed"]]
    # the total variance at the money rises at every time, not only between the tenors
    T = np.geomspace(1e-3, 10.0, 200)
    assert (np.diff(model.at_the_money(variance, long_run, T) ** 2 * T) > 0.0).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"premium": 0.0}, "premium is 0; give a number above zero"),
        ({"premium": np.nan}, "premium is nan"),
        ({"premium": "x"}, "premium is 'x'"),
        ({"half_life": "x"}, "half_life is 'x'; give a duration"),
        ({"half_life": "0D"}, "half_life is '0D'; give a duration above zero"),
        ({"half_life": 30}, "half_life is 30; give a duration with its unit"),
        ({"rho": 1.0}, "rho is 1; give a correlation"),
        ({"rho": np.nan}, "rho is nan"),
        ({"eta": -1.0}, "eta is -1"),
        ({"eta": 1.9}, "eta is 1.9, so that .* give at most"),
        ({"gamma": 0.6}, "gamma is 0.6; give at most 1/2"),
        ({"tenors": ("7D", "x")}, "tenor is 'x'; give a duration"),
        ({"tenors": (7,)}, "tenor is 7; give a duration with its unit"),
    ],
)
def test_assumptions_that_are_none_are_named(given, said):
    with pytest.raises(ParameterError, match=said):
        Implied(**given)


@pytest.mark.parametrize("given", [(-0.1, 0.2, 0.3), (0.1, -0.2, 0.3), (0.1, 0.2, [0.1, -1.0])])
def test_what_is_under_zero_is_refused(given):
    with pytest.raises(ParameterError, match="under zero; give 0 or more"):
        Implied().at_the_money(*given)


def test_an_option_that_expires_now_has_no_smile():
    with pytest.raises(ParameterError, match="theta"):
        Implied().sigma(0.1, 0.2, 0.0, 0.1)


GOOD = pd.Series({"BTC": 0.5, "ETH": 0.6})


@pytest.mark.parametrize(
    ("variance", "long_run", "said"),
    [
        (GOOD, GOOD[:1], "no long-run variance of ETH above zero"),
        (GOOD * np.nan, GOOD, "no variance of BTC above zero"),
        (GOOD, GOOD * [1.0, 0.0], "no long-run variance of ETH above zero"),
        (GOOD * [1.0, -1.0], GOOD, "no variance of ETH above zero"),
    ],
)
def test_a_variance_that_is_missing_is_named(variance, long_run, said):
    with pytest.raises(DataError, match=said):
        Implied().surfaces(variance, long_run)


def test_tenors_have_to_ascend_and_be_some():
    with pytest.raises(DataError, match="falls from"):
        Implied(tenors=("30D", "7D")).surfaces(GOOD, GOOD)
    with pytest.raises(DataError, match="has no smiles; give one or more"):
        Implied(tenors=()).surfaces(GOOD, GOOD)
    assert Implied().surfaces(GOOD[:0], GOOD) == {}
