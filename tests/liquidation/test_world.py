"""Oracles, keepers, borrowers and the whole: their terms and guards."""

import numpy as np
import pandas as pd
import pytest

from tests.liquidation.cases import THIN
from xcoll.errors import ParameterError
from xcoll.liquidation.world import ORDERS, Borrowers, Keepers, Oracle, World, steps_of

HOUR = pd.Timedelta("1h")


@pytest.mark.parametrize(
    ("duration", "step", "steps"),
    [
        (None, HOUR, 0),
        ("1h", HOUR, 1),
        ("90min", HOUR, 2),
        ("1s", HOUR, 1),
        ("1D", HOUR, 24),
        (pd.Timedelta("7D"), HOUR, 168),
    ],
)
def test_durations_are_rounded_up_to_whole_steps(duration, step, steps):
    assert steps_of(duration, step) == steps


@pytest.mark.parametrize("bar", ["1h", "4h", "1D"])
@pytest.mark.parametrize("steps", [24, 26, 28, 34, 96])
def test_a_bar_is_its_own_steps_even_where_they_are_no_whole_time(bar, steps):
    """A day in 26 steps is 3,323.08 seconds a step, kept rounded; no step more may come of it."""
    step = pd.Timedelta(bar) / steps
    assert steps_of(bar, step) == steps
    assert steps_of(pd.Timedelta(bar) * 100, step) == 100 * steps
    assert steps_of(pd.Timedelta(bar) / 2, step) == steps // 2


def test_an_oracle_without_lag_and_deviation_shows_the_market():
    assert Oracle().instant
    assert Oracle(heartbeat="1h").instant
    assert not Oracle("1min").instant
    assert not Oracle(deviation=0.01).instant
    price = np.ones((3, 2))
    assert Oracle().observe(price, HOUR) is price


def test_means_are_a_share_of_the_debt_of_the_attentive():
    debt = np.linspace(100, 1_000, 10_000)
    means = Borrowers(attentive=0.7, budget=0.25, seed=3).means(debt)
    attentive = means > 0
    assert attentive.mean() == pytest.approx(0.7, abs=3 * np.sqrt(0.21 / 10_000))
    np.testing.assert_allclose(means[attentive], 0.25 * debt[attentive])
    assert np.array_equal(means, Borrowers(attentive=0.7, budget=0.25, seed=3).means(debt))
    assert not np.array_equal(means, Borrowers(attentive=0.7, budget=0.25, seed=4).means(debt))
    assert not Borrowers(attentive=0.0).means(debt).any()
    assert Borrowers(attentive=1.0).means(debt).all()


def test_whoever_answers_one_call_level_answers_another():
    """Draws are by account, not by what is asked, so policies compare the same people."""
    debt = np.full(500, 100.0)
    few, many = (Borrowers(attentive=share, seed=1).means(debt) > 0 for share in (0.3, 0.6))
    assert (many | ~few).all()


@pytest.mark.parametrize(
    ("world", "frictionless", "shared"),
    [
        (World(), True, False),
        (World(Oracle("1h")), False, False),
        (World(keepers=Keepers("1h")), False, False),
        (World(keepers=Keepers(margin=0.01)), False, False),
        (World(keepers=Keepers(gas=1.0)), False, False),
        (World(keepers=Keepers(capital=1e6)), False, True),
        (World(depth=THIN), False, True),
        (World(keepers=Keepers(order="largest first")), True, False),
        (World(borrowers=Borrowers()), True, False),
        (World(interest={"S": 0.1}), True, False),
    ],
)
def test_what_a_world_is(world, frictionless, shared):
    assert world.frictionless is frictionless
    assert world.shared is shared


def test_the_debt_index_starts_at_one_and_grows_without_a_break():
    index = World(interest={"B": 0.5}).index(["A", "B"], 8_761, HOUR)
    assert (index[:, 0] == 1.0).all()
    assert index[0, 1] == 1.0
    assert index[-1, 1] == pytest.approx(np.exp(0.5))
    np.testing.assert_allclose(index[1:, 1] / index[:-1, 1], np.exp(0.5 / 8_760))


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (Oracle, {"lag": "0h"}, "lag is"),
        (Oracle, {"lag": 3}, "lag is 3"),
        (Oracle, {"heartbeat": "soon"}, "heartbeat is"),
        (Oracle, {"deviation": -0.1}, "deviation is -0.1"),
        (Oracle, {"deviation": 2.0}, "did you mean 0.02"),
        (Keepers, {"response": "-1h"}, "response is"),
        (Keepers, {"margin": -0.01}, "margin is"),
        (Keepers, {"gas": -1.0}, "gas is"),
        (Keepers, {"gas": np.nan}, "gas is"),
        (Keepers, {"capital": 0.0}, "capital is 0.0; give dollars above zero"),
        (Keepers, {"capital": np.nan}, "capital is nan"),
        (Keepers, {"order": "last come"}, "order is"),
        (Borrowers, {"call": 1.0}, "call is 1; give a health factor above 1"),
        (Borrowers, {"call": 1.3, "target": 1.2}, "target is 1.2; give at least 1.3"),
        (Borrowers, {"attentive": 1.1}, "attentive is"),
        (Borrowers, {"delay": 2}, "delay is 2"),
        (Borrowers, {"budget": -1.0}, "budget is"),
        (World, {"interest": {"S": -0.1}}, "interest of S is -0.1"),
    ],
)
def test_bad_terms_are_refused_by_name(kind, changes, message):
    with pytest.raises(ParameterError, match=message):
        kind(**changes)


def test_the_orders_are_three():
    assert len(ORDERS) == len(set(ORDERS)) == 3
    assert Keepers().order == ORDERS[0]
