"""The depeg model: exact Poisson interval, closed form against simulation and plain samples."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators import tail
from xcoll.estimators.tail import depeg


def test_hazard_and_its_garwood_interval():
    model = depeg.fit([0.05, 0.15, 0.12], 10.0)
    assert model.hazard == pytest.approx(0.3)
    assert model.depths == (0.15, 0.12, 0.05)
    # the ends are the means at which three events or more, three or fewer, have 5 %
    assert poisson.sf(2, model.low * 10) == pytest.approx(0.05)
    assert poisson.cdf(3, model.high * 10) == pytest.approx(0.05)


def test_closed_form_by_hand():
    model = depeg.fit([0.10, 0.20], 1.0)
    q = 1 - np.exp(-2 / 365)
    var, es = depeg.var_es(model, "1D", 0.99)
    assert var == 0.0
    assert es == pytest.approx(q * 0.15 / 0.01)
    var, es = depeg.var_es(model, "1D", 1 - q)
    assert (var, es) == pytest.approx((0.0, 0.15))
    var, es = depeg.var_es(model, "1D", 1 - 0.75 * q)
    assert var == 0.10
    assert es == pytest.approx((0.5 * 0.20 + 0.25 * 0.10) / 0.75)


@given(
    st.lists(st.floats(-0.05, 0.05), min_size=5, max_size=40), st.sampled_from([0.9, 0.975, 0.99])
)
@settings(max_examples=60)
def test_no_hazard_leaves_the_ordinary_sample(ordinary, confidence):
    model = depeg.fit([0.1], 5.0)
    found = depeg.var_es(model, "1D", confidence, np.array(ordinary), hazard=0.0)
    plain = tail.historical(np.array(ordinary), confidence)
    assert found == pytest.approx((plain.var, plain.es), abs=1e-9)


def test_mixture_against_simulation():
    rng = np.random.default_rng(0)
    model = depeg.fit([0.04, 0.10, 0.30], 1.5)
    ordinary = rng.normal(0, 0.004, 1000)
    var, es = depeg.var_es(model, "3D", 0.975, ordinary)
    n = 2_000_000
    broken = rng.random(n) < 1 - np.exp(-model.hazard * 3 / 365)
    drawn = np.where(broken, rng.choice(model.depths, n), rng.choice(ordinary, n))
    simulated = tail.historical(drawn, 0.975)
    assert es == pytest.approx(simulated.es, abs=4 * simulated.error)
    assert var == pytest.approx(simulated.var, abs=2e-4)


@given(st.floats(0.0, 3.0), st.floats(0.0, 3.0))
@settings(max_examples=50)
def test_es_rises_with_hazard_and_horizon(one, other):
    model = depeg.fit([0.05, 0.12], 4.0)
    low, high = sorted((one, other))
    es = [depeg.var_es(model, "4h", 0.99, hazard=rate)[1] for rate in (low, high)]
    assert es[0] <= es[1] + 1e-12
    assert es[1] <= depeg.var_es(model, "1D", 0.99, hazard=high)[1] + 1e-12
    assert es[1] <= max(model.depths)


def test_doubtful_prices_take_two_returns_each():
    index = pd.date_range("2020-03-10", periods=6, freq="D")
    returns = pd.DataFrame(0.01, index, ["S", "T"])
    span = SimpleNamespace(first=date(2020, 3, 12), last=date(2020, 3, 13))
    kept = depeg.without(returns, {"S": [span], "T": []})
    assert kept["S"].isna().tolist() == [False, False, True, True, True, False]
    assert kept["T"].notna().all()
    assert returns.notna().all().all()


def test_recorded_events_of_a_class_and_period():
    def event(day, backing="fiat"):
        return SimpleNamespace(day=date.fromisoformat(day), low=0.9, backing=backing)

    events = [event("2018-10-14"), event("2018-10-15"), event("2022-05-13", "algorithmic")]
    found = depeg.recorded([*events, event("2023-03-11")], "2018-10-15", date(2023, 3, 11))
    assert [e.day.year for e in found] == [2018, 2023]


def test_bad_input():
    with pytest.raises(EstimationError, match="no depeg event"):
        depeg.fit([], 3.0)
    with pytest.raises(ParameterError, match="depth"):
        depeg.fit([12.0], 3.0)
    with pytest.raises(ParameterError, match="years"):
        depeg.fit([0.1], 0.0)
    model = depeg.fit([0.1], 3.0)
    with pytest.raises(ParameterError, match=r"did you mean 0\.99"):
        depeg.var_es(model, "1D", 99)
    with pytest.raises(ParameterError, match="unit"):
        depeg.var_es(model, "24", 0.99)
    with pytest.raises(EstimationError, match="finite"):
        depeg.var_es(model, "1D", 0.99, np.array([0.1, np.nan]))
    with pytest.raises(ParameterError, match="hazard"):
        depeg.var_es(model, "1D", 0.99, hazard=-1.0)
