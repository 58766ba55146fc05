"""What does not fit is named with its fix; what is extreme is borne."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.systemic import small
from xcoll.collateral.accounts import Book
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.rulebooks import Aave, Compound, Euler, Exchange, Maker, Morpho
from xcoll.liquidation.world import Keepers, World
from xcoll.systemic.cascade import amplification, cascade
from xcoll.systemic.claims import Claims, Receipt
from xcoll.systemic.episode import LEAST, Episode
from xcoll.systemic.system import Breakers, Impact, System, Venue

HOUR = pd.Timedelta("1h")
ENGINES = [Aave(), Morpho(), Euler(), Compound(), Maker(), Exchange()]


def one(name="one", **changes):
    return replace(small.venue(name, [100, 0, 0], [0, 0, 70]), **changes)


def flat(rows=3, assets=small.ASSETS, **changes):
    market = np.ones((rows, len(assets)))
    return Episode(list(assets), market, market, HOUR, **changes)


def with_price(row, column, price):
    market = np.ones((3, 3))
    market[row, column] = price
    return market


# Episodes.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"market": np.ones((3, 2))}, r"market has shape \(3, 2\); give 2 rows or more × 3"),
        ({"market": np.ones((1, 3)), "due": np.ones((1, 3))}, "the opening first"),
        ({"due": np.ones((4, 3))}, r"due has shape \(4, 3\)"),
        ({"market": with_price(1, 1, np.nan)}, "Y at step 1: market is nan; give positive prices"),
        ({"market": with_price(2, 0, 0.0)}, "X at step 2: market is 0.0.*1e-09 for one that goes"),
        ({"due": with_price(2, 2, np.inf)}, "S at step 2: due is inf"),
        ({"market": with_price(1, 0, -1.0)}, "X at step 1: market is -1.0"),
        ({"market": with_price(0, 0, 2.0)}, "market does not open at 1; divide the prices by row"),
        ({"depth": np.ones(3)}, r"depth has shape \(3,\); give \(3, 3\), or 1 in place of any"),
        ({"gas": np.ones(2)}, r"gas has shape \(2,\); give \(3,\)"),
        ({"feed": np.ones((2, 3, 3))}, r"feed has shape \(2, 3, 3\); give \(1, 3, 3\)"),
        ({"shut": np.zeros((1, 3, 2), dtype=bool)}, "shut has shape"),
        ({"delay": np.zeros((1, 2), dtype=int)}, "delay has shape"),
        ({"lost": np.zeros((1, 2))}, "lost has shape"),
        ({"default": np.zeros(2)}, "default has shape"),
    ],
)
def test_episodes_of_the_wrong_shape_or_price_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        flat().changed(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": np.array([[1.0, 1.0, 0.0]])}, "depth of the episode is 0.0.*take 0.01"),
        ({"depth": np.full((1, 1), np.nan)}, "depth of the episode is nan"),
        ({"gas": np.array([-1.0])}, "gas of the episode is -1.0; give numbers from 0 on"),
        ({"feed": np.zeros((1, 1, 1))}, "feed of the episode is 0.0.*or NaN for a feed that is"),
        ({"delay": np.full((1, 1), -1)}, "delay of the episode is -1; give numbers whole steps"),
        ({"lost": np.full((1, 1), 1.5)}, r"lost of the episode is 1.5; give numbers in \[0, 1\]"),
        ({"lost": np.full((1, 1), np.nan)}, "lost of the episode is nan"),
        ({"default": np.array([2.0])}, "default of the episode is 2.0"),
        ({"default": np.array([0.0, 0.5, 0.4])}, "default of the episode is 0.4.*never fall"),
        ({"steps": 0}, "steps is 0"),
        ({"step": 60}, "step is 60; give a duration with its unit"),
        ({"attentive": 1.5}, "attentive is 1.5"),
        ({"capital": -1.0}, "capital is -1"),
    ],
)
def test_episodes_out_of_range_are_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        flat().changed(**changes)


@pytest.mark.parametrize(
    ("shock", "words", "message"),
    [
        (-1.2, {}, "shock of X is -120%, beyond −100 %.*give −1 for a loss of everything"),
        (np.nan, {}, "shock of X is nan; give a finite number"),
        (np.inf, {}, "shock of X is inf"),
        (-0.1, {"over": 0}, "over is 0"),
        (-0.1, {"after": -1}, "after is -1"),
        (-0.1, {"step": "1"}, "step is '1'"),
    ],
)
def test_shocks_that_no_price_can_take_are_refused(shock, words, message):
    with pytest.raises(ParameterError, match=message):
        Episode.of_shock(pd.Series({"X": shock}), **words)


def test_a_shock_unfolds_at_a_constant_log_rate_and_stays():
    episode = Episode.of_shock(pd.Series({"X": -0.36, "Y": 0.21, "S": -1.0}), over=2, after=1)
    np.testing.assert_allclose(
        episode.market,
        [[1, 1, 1], [0.8, 1.1, LEAST**0.5], [0.64, 1.21, LEAST], [0.64, 1.21, LEAST]],
    )
    assert len(episode) == 3


# Venues and systems.


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pause": 0.0}, "pause is 0"),
        ({"pause": 1.5}, "pause is 1.5"),
        ({"freeze": -0.1}, "freeze is -0.1"),
        ({"freeze": np.nan}, "freeze is nan"),
        ({"window": 3}, "window is 3; give a duration"),
        ({"last": "0h"}, "last is"),
        ({"cap": 0.0}, "cap is 0.0; give a number above zero, or infinity"),
        ({"cap": np.nan}, "cap is nan"),
        ({"stop": -1.0}, "stop is -1.0"),
    ],
)
def test_breakers_out_of_range_are_refused(changes, message):
    with pytest.raises(ParameterError, match=message):
        Breakers(**changes)


def test_impacts_out_of_range_are_refused():
    depth = small.line({"X": 1e3})
    with pytest.raises(ParameterError, match=r"lasting is 1.2"):
        Impact(depth, 1.2)
    with pytest.raises(ParameterError, match="memory is 5"):
        Impact(depth, memory=5)
    with pytest.raises(ParameterError, match="sizes of the levels must ascend from above zero"):
        Depth(["X"], np.array([0.0]), np.array([[0.5]]))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"users": np.array([1, 2])}, DataError, "one: users has 2 rows for 1 accounts"),
        ({"borrow_to": np.ones(3)}, DataError, "one: borrow_to has 3 rows for 1 accounts"),
        (
            {"borrow_to": np.array([1.0])},
            ParameterError,
            "one: borrow_to is 1; give health factors",
        ),
        ({"borrow_to": np.array([np.nan])}, ParameterError, "borrow_to is nan"),
    ],
)
def test_venues_that_do_not_fit_their_accounts_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        one(**changes)


def test_systems_that_do_not_hold_together_are_refused():
    other = small.venue("other", [1, 0], [0, 1], assets=["X", "S"], threshold=(0.8, 0.0))
    with pytest.raises(DataError, match="a system needs a venue; give at least one"):
        System([])
    with pytest.raises(DataError, match="venues one, one: give each a name of its own"):
        System([one(), one()])
    with pytest.raises(DataError, match="other has the assets X, S, one X, Y, S; give all books"):
        System([one(), other])
    with pytest.raises(DataError, match="S"):
        System([one()], prices=pd.Series({"X": 1.0, "Y": 1.0}))
    with pytest.raises(DataError, match="X"):
        System([one()], prices=pd.Series({"X": np.nan, "Y": 1.0, "S": 1.0}))
    with pytest.raises(ParameterError, match="no venue of the system; choose one of one"):
        System([one()], claims=Claims(receipts={"Y": Receipt("two", 1.0)}))
    with pytest.raises(ParameterError, match=r"venue is 'two'.*one"):
        System([one()]).venue("two")


def test_accounts_that_an_engine_cannot_hold_are_refused():
    two = small.venue("one", [50, 50, 0], [0, 0, 10], engine=Morpho())
    with pytest.raises(DataError, match=r"1 accounts have several collaterals.*morpho cannot hold"):
        cascade(System([two]), flat())


def test_episodes_of_another_system_are_refused():
    system = System([one()])
    with pytest.raises(DataError, match="the episode has the assets X, S, the system X, Y, S"):
        cascade(system, flat(assets=["X", "S"]))
    with pytest.raises(
        DataError, match=r"the assets Y, X, S, the system X, Y, S; .* the same order"
    ):
        cascade(system, flat(assets=["Y", "X", "S"]))
    with pytest.raises(DataError, match="the episode names two, which the system does not have"):
        cascade(system, flat(venues=["two"]))
    path = pd.DataFrame({"X": [1.0]}, [pd.Timestamp("2021-01-01")])
    dated = replace(small.line({"X": 1e3}), path=path)
    for bad in (system.with_world(depth=dated), system.changed(impact=Impact(dated))):
        with pytest.raises(
            ParameterError, match=r"path by date.*give its multiples as the episode"
        ):
            cascade(bad, flat())


def test_a_refused_episode_leaves_the_system_whole():
    system = System([one()])
    episode = flat(4)
    before = cascade(system, episode.changed(market=with_price_of(0.8)))
    with pytest.raises(ParameterError):
        cascade(system.changed(impact=Impact(replace(small.line({"X": 1e3}), path=DATED))), episode)
    again = cascade(system, episode.changed(market=with_price_of(0.8)))
    assert np.array_equal(before.account, again.account)


DATED = pd.DataFrame({"X": [1.0]}, [pd.Timestamp("2021-01-01")])


def with_price_of(price):
    market = np.ones((4, 3))
    market[1:, 0] = price
    return market


# What is extreme.


def finite(found):
    for name, result in found.venues.items():
        for values in (result.account, result.units, result.by_bar, result.collateral, result.debt):
            assert np.isfinite(values).all(), name
            assert (values >= 0).all(), name
    assert np.isfinite(found.prices).all(axis=None)
    assert (found.shown > 0).all()
    assert np.isfinite(found.bad_debt).all()


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.form)
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e15])
@pytest.mark.parametrize("price", [LEAST, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize("lasting", [0.0, 1.0])
def test_one_account_of_any_size_at_any_price(engine, size, price, lasting):
    venue = small.venue("one", [100 * size, 0, 0], [0, 0, 74 * size], engine=engine)
    system = small.system(venue, dollars={"X": 500.0, "Y": 1.0, "S": 1.0}, lasting=lasting)
    market = np.ones((6, 3))
    market[1:, 0] = np.minimum(1.0, price) if price <= 1 else price
    market[3:, 2] = 1.1
    found = cascade(system, Episode(small.ASSETS, market, market, HOUR))
    finite(found)
    result = found.venues["one"]
    left = result.collateral[0, 0] + result.units[0, 0]
    assert left == pytest.approx(100 * size, rel=1e-9)


def test_one_asset_pledged_against_itself():
    book = Book(["X"], np.array([[100.0]]), np.array([[79.0]]), np.arange(1))
    system = System([Venue("one", book, small.parameters((0.8,), assets=["X"]), Aave())])
    market = np.array([[1.0], [0.5], [2.0]])
    found = cascade(system, Episode(["X"], market, market, HOUR))
    assert found.first_step.tolist() == [-1]
    lower = cascade(system, Episode(["X"], market, np.ones((3, 1)), HOUR))
    assert lower.first_step.tolist() == [1]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.form)
def test_nobody_without_debt_is_touched(engine):
    venue = small.venue("one", [[100, 0, 0], [0, 0, 0]], np.zeros((2, 3)), engine=engine)
    default = np.array([0.0, 1.0, 1.0])
    market = np.array([[1.0, 1, 1], [LEAST, 1, 1], [1, 1, 1]])
    episode = Episode(small.ASSETS, market, market, HOUR, default=default)
    with np.errstate(all="raise"):
        found = cascade(small.system(venue, dollars={"X": 1.0}), episode)
    assert len(found.touched) == 0
    finite(found)


def test_an_asset_that_nobody_uses_needs_no_price():
    held, owed = [100, 0, 0], [0, 0, 76]
    prices = pd.Series({"X": 2.0, "S": 2.0})
    market = np.ones((2, 3))
    market[1, 0], market[1, 1] = 0.9, LEAST
    system = System([small.venue("one", held, owed)], prices=prices)
    found = cascade(system, Episode(small.ASSETS, market, market, HOUR))
    finite(found)
    assert found.first_step.tolist() == [1]


def test_an_asset_without_a_market_is_sold_to_nobody():
    """Any sale takes nearly all of its price."""
    depth = small.line({"Y": 1e9, "S": 1e9})
    found = cascade(System([one()], impact=Impact(depth, 1.0)), Episode.of_shock(SHOCK))
    assert found.prices["X"].iloc[-1] == pytest.approx(0.85 * 0.01, rel=1e-6)


SHOCK = pd.Series({"X": -0.15, "Y": 0.0, "S": 0.0})


def test_capital_of_zero_serves_nobody():
    system = System([one()], World(keepers=Keepers(capital=100.0)))
    assert cascade(system, Episode.of_shock(SHOCK)).closed.tolist() == [True]
    assert cascade(system, Episode.of_shock(SHOCK, capital=0.0)).closed.tolist() == [False]


def test_many_rounds_come_to_rest():
    """Five hundred accounts, each brought to its level by the sale of the one before."""
    held, owed = small.near(0.002, 500, worth=100.0)
    venue = small.venue("one", held, owed, engine=Morpho(by_formula=False))
    system = small.system(venue, dollars={"X": 3e4, "Y": 1e12, "S": 1e12})
    found = amplification(system, Episode.of_shock(SHOCK * 0.01 / 0.15))
    assert found.whole.unsettled == 0
    assert found.contagion.sum() > 20
    assert found.direct.closed.sum() < 10
    finite(found.whole)
