"""Breakers, shut assets, feeds and delays: each on a system of which the answer is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systemic import small
from tests.systemic.draws import draw_episode, draw_system
from xcoll.liquidation.engines import exchange, maker
from xcoll.liquidation.rulebooks import Aave, Compound, Euler, Exchange, Maker, Morpho
from xcoll.liquidation.world import Keepers, Oracle, World
from xcoll.systemic.cascade import cascade
from xcoll.systemic.episode import Episode
from xcoll.systemic.system import Breakers, System

HOUR = pd.Timedelta("1h")
BY_KEEPERS = {"aave": Aave(), "morpho": Morpho(by_formula=False), "euler": Euler()}
ENGINES = {
    **BY_KEEPERS,
    "compound": Compound(),
    "maker": Maker(maker.Rules(1.0, 0.99, 90, 7_200, 0.45, 1.0, np.inf, 0.0)),
    "exchange": Exchange(exchange.Rules(maintenance=0.1)),
}


def one(engine=None, debt=76.0, **changes):
    """100 X against S, to be closed under 0.95 of the opening."""
    return replace(small.venue("one", [100, 0, 0], [0, 0, debt], engine=engine), **changes)


def path(*prices, **changes):
    market = np.ones((len(prices) + 1, 3))
    market[1:, 0] = prices
    return Episode(small.ASSETS, market, market, HOUR, **changes)


def steps(system, episode):
    return cascade(system, episode).first_step.tolist()


# Pauses.


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("last", "served"), [("1h", 3), ("3h", 5)])
def test_a_pause_shuts_from_the_fall_on_and_for_as_long_as_it_lasts(engine, last, served):
    slow = Breakers(pause=0.08, window="1h", last=last)
    episode = path(*[0.9] * 8)
    assert steps(System([one(ENGINES[engine])]), episode) == [1]
    assert steps(System([one(ENGINES[engine], breakers=slow)]), episode) == [served]


def test_a_fall_counts_within_the_window_only():
    """Five per cent an hour: 9.75 % in two."""
    slow = [Breakers(pause=0.08, window=window, last="9h") for window in ("1h", "2h")]
    episode = path(*0.95 ** np.arange(1, 7))
    assert [steps(System([one(debt=74, breakers=s)]), episode) for s in slow] == [[2], [-1]]


def test_a_pause_is_over_before_the_next_begins():
    """Shut from 1 to 3; the opening is still within the window then: shut again from 4 to 6."""
    slow = Breakers(pause=0.08, window="6h", last="2h")
    assert steps(System([one(breakers=slow)]), path(*[0.9] * 12)) == [7]


def test_sales_of_others_set_off_a_pause():
    """A sale of the first round pushes the price under the mark: the second account is spared."""
    first, last = small.venue("first", [100, 0, 0], [0, 0, 76]), one(debt=73)
    shared = small.system(first, last, dollars={"X": 2_000.0, "Y": 1e12, "S": 1e12})
    episode = path(0.94)
    assert cascade(shared, episode).first_round.tolist() == [0, 1]
    slow = Breakers(pause=0.07)
    spared = shared.changed(venues=[first, replace(last, breakers=slow)])
    assert cascade(spared, episode).first_round.tolist() == [0, -1]


def test_breakers_bind_their_own_venue_and_the_assets_it_uses():
    slow = Breakers(pause=0.08, last="9h")
    venues = [one(breakers=slow), replace(one(), name="other")]
    assert steps(System(venues), path(*[0.9] * 3)) == [-1, 1]
    market = np.ones((4, 3))
    market[1:, 0], market[1:, 1] = 0.94, 0.5  # nobody holds or owes the second
    episode = Episode(small.ASSETS, market, market, HOUR)
    assert steps(System([one(breakers=slow)]), episode) == [1]


# Stops.


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stop_waits_until_the_oracle_is_near_the_market_again(engine):
    """The oracle is three hours late: what it shows is 0.9 from step 4 on, with the market there.

    By then the market has gone up, and the two are apart until the oracle follows.
    """
    world = World(Oracle(lag="3h"))
    episode = path(0.9, 0.9, 0.9, 1.0, 0.91, 0.91, 0.9, 0.9)
    free = System([one(ENGINES[engine])], world)
    stopped = System([one(ENGINES[engine], breakers=Breakers(stop=0.05))], world)
    found = cascade(stopped, episode)
    off = np.abs(found.oracle[0, :, 0] / found.shown[:, 0] - 1)
    shown = found.oracle[0, :, 0] <= 0.95
    assert steps(free, episode) == [int(np.argmax(shown))]
    assert found.first_step.tolist() == [int(np.argmax(shown & (off <= 0.05)))]
    assert found.first_step[0] > 4


# Caps.


@pytest.mark.parametrize("engine", BY_KEEPERS)
@pytest.mark.parametrize("capital", [np.inf, 5_000.0])
def test_keepers_repay_no_more_than_the_cap_in_an_hour(engine, capital):
    held = np.outer(np.full(20, 1e4), [1, 0, 0])
    owed = np.outer(np.full(20, 7_700.0), [0, 0, 1])
    slow = Breakers(cap=1_000.0)
    venue = small.venue("one", held, owed, engine=BY_KEEPERS[engine])
    world = World(keepers=Keepers(capital=capital))
    quarters = replace(path(*[0.9] * 16), step=HOUR / 4)
    for episode, most in ((path(*[0.9] * 4), 1_000.0), (quarters, 250.0)):
        free = cascade(System([venue], world), episode)
        capped = cascade(System([replace(venue, breakers=slow)], world), episode)
        by_step = capped.made.record.sold[0, 1:, 0] / 1.05
        assert free.venues["one"].column("repaid").sum() > 4_000
        repaid = capped.venues["one"].column("repaid").sum()
        assert repaid == pytest.approx(min(4_000.0, capital), rel=1e-9)
        assert by_step.max() <= most * 1.3
        if engine != "euler":
            assert by_step.max() == pytest.approx(most, rel=1e-9)


def test_what_rounding_leaves_of_a_cap_serves_nobody():
    """The first account takes the whole cap of every hour; in the next round the second comes."""
    held, owed = np.outer([1e4, 0.05], [1, 0, 0]), np.outer([7_700.0, 0.0385], [0, 0, 1])
    dollars = {"X": 1e8, "Y": 1e12, "S": 1e12}
    for cap in np.linspace(300.1, 700.3, 60):
        venue = small.venue("one", held, owed, engine=Morpho(by_formula=False))
        venue = replace(venue, breakers=Breakers(cap=float(cap)))
        found = cascade(small.system(venue, dollars=dollars), path(*[0.9] * 5))
        assert found.first_step.tolist() == [1, -1]


def test_an_exchange_begins_no_sale_once_its_cap_is_used_up():
    held, owed = np.outer(np.full(5, 100.0), [1, 0, 0]), np.outer(np.full(5, 76.0), [0, 0, 1])
    venue = small.venue("one", held, owed, engine=Exchange(exchange.Rules(maintenance=0.1)))
    venue = replace(venue, breakers=Breakers(cap=15.0))
    found = cascade(System([venue]), path(0.9, 0.9, 0.9))
    assert found.first_step.tolist() == [1, 2, 3, -1, -1]  # each sale is of more than fifteen
    waiting = found.venues["one"].bars["waiting"]
    assert waiting.tolist() == pytest.approx([4 * 76.0, 3 * 76.0, 2 * 76.0])


# Borrowing again.


def test_who_borrows_again_has_the_health_he_wants():
    borrower = one(debt=40.0, borrow_to=np.array([1.25]))
    found = cascade(System([borrower]), path(1.0, 1.2))
    health = 0.8 * 120 / found.venues["one"].debt[0, 2]
    assert health == pytest.approx(1.25, rel=1e-6)
    assert found.drawn["one"] == pytest.approx(0.8 * 120 / 1.25 - 40.0, rel=1e-6)
    assert found.first_step.tolist() == [-1]


@pytest.mark.parametrize("move", [0.8, 1 / 0.8])
def test_a_freeze_stops_borrowing_after_a_move_either_way(move):
    slow = Breakers(freeze=0.1, window="1h", last="3h")
    borrower = one(debt=30.0, borrow_to=np.array([1.5]))
    episode = path(1.0, move, move, move, move, move * 1.1)
    free = cascade(System([borrower]), episode)
    frozen = cascade(System([replace(borrower, breakers=slow)]), episode)
    wanted = 80.0 / 1.5
    assert free.drawn["one"] == pytest.approx(0.8 * 100 * max(1, move * 1.1) / 1.5 - 30, rel=1e-6)
    if move > 1:  # shut from step 2 to 5, and then at step 6's prices
        assert frozen.drawn["one"] == pytest.approx(free.drawn["one"], rel=1e-6)
        short = cascade(
            System([replace(borrower, breakers=slow)]), path(1.0, move, move, move, move)
        )
        assert short.drawn["one"] == pytest.approx(wanted - 30, rel=1e-6)
    else:
        assert frozen.drawn["one"] == pytest.approx(wanted - 30, rel=1e-6)


def test_borrowing_again_makes_a_fall_worse():
    calm, eager = one(debt=60.0), one(debt=60.0, borrow_to=np.array([1.05]))
    episode = path(1.0, 0.9)
    assert steps(System([calm]), episode) == [-1]
    assert steps(System([eager]), episode) == [2]


# What an episode does to venues.


@pytest.mark.parametrize("engine", ENGINES)
def test_an_asset_that_is_shut_is_neither_seized_nor_sold(engine):
    shut = np.zeros((1, 6, 3), dtype=bool)
    shut[0, 1:4, 0] = True
    system = System([one(ENGINES[engine])])
    found = cascade(system, path(*[0.9] * 5, shut=shut))
    assert (found.made.record.sold[0, :4] == 0).all()
    assert found.sold["X"].sum() > 0
    assert found.venues["one"].bars["waiting"].iloc[0] == pytest.approx(76.0)


def test_a_feed_that_is_stuck_shows_what_it_showed_last():
    feed = np.ones((1, 5, 1))
    feed[0, 2:4] = np.nan
    found = cascade(System([one()]), path(0.97, 0.9, 0.9, 0.9, feed=feed))
    np.testing.assert_allclose(found.oracle[0, :, 0], [1, 0.97, 0.97, 0.97, 0.9])
    assert found.first_step.tolist() == [4]


def test_a_feed_may_show_more_or_less_than_the_market_at_one_venue():
    venues = [one(), replace(one(), name="other")]
    feed = np.full((1, 2, 3), 1.0)
    feed[0, 1, 0] = 0.9
    found = cascade(System(venues), path(1.0, feed=feed, venues=["other"]))
    assert found.first_step.tolist() == [-1, 1]
    np.testing.assert_allclose(found.oracle[:, 1, 0], [1.0, 0.9])


def test_delay_lengthens_the_response_of_those_who_pledge_the_asset():
    pair = small.venue("one", [[100, 0, 0], [0, 100, 0]], [[0, 0, 76], [0, 0, 68]])
    market = np.ones((9, 3))
    market[1:, :2] = 0.9
    world = World(keepers=Keepers(response="1h"))
    episode = Episode(small.ASSETS, market, market, HOUR, delay=np.array([[0, 3, 0]]))
    assert steps(System([pair], world), episode) == [2, 5]


def test_gas_is_dearer_for_as_long_as_the_episode_says():
    gas = np.array([1.0, 100.0, 100.0, 1.0])
    world = World(keepers=Keepers(gas=0.1))
    assert steps(System([one()], world), path(0.9, 0.9, 0.9, gas=gas)) == [3]


def test_what_lenders_lose_otherwise_is_bad_debt():
    lost = np.array([[0.0, 0.25, 0.0]])
    found = cascade(System([one(debt=40.0)]), path(1.0, 1.0, lost=lost))
    assert found.bad_debt["one"] == pytest.approx(10.0)
    assert found.rounds["deficit"].tolist() == [10.0]


def test_defaults_take_the_largest_users_first_whatever_their_venue():
    venues = [
        replace(
            small.venue(name, np.outer([500] * 2, [1, 0, 0]), np.outer(owed, [0, 0, 1])),
            users=np.array(list(users)),
        )
        for name, owed, users in (("a", [10, 40], "xy"), ("b", [45, 5], "xz"))
    ]
    default = np.array([0.0, 0.0, 0.5, 0.56])  # x owes 55 of 100
    assert steps(System(venues), path(1.0, 1.0, 1.0, default=default)) == [2, 3, 2, -1]


# Whatever the breakers.


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_nobody_sells_what_is_shut_all_along(seed):
    rng = np.random.default_rng(seed)
    system = draw_system(rng)
    episode = draw_episode(rng, system)
    asset = int(rng.integers(4))
    shut = np.zeros((1, 1, 4), dtype=bool)
    shut[0, 0, asset] = True
    found = cascade(system, episode.changed(venues=(), shut=shut, **NEUTRAL))
    assert (found.sold.to_numpy()[:, asset] == 0).all()
    for venue in system.venues:
        assert found.venues[venue.name].assets["seized"].iloc[asset] == 0


NEUTRAL = {
    "feed": np.ones((1, 1, 1)),
    "delay": np.zeros((1, 1), dtype=int),
    "lost": np.zeros((1, 1)),
}
