"""Measures against a fall: what each changes, episodes where it helps and where it hurts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.systemic.trio import (
    ASSETS,
    PARAMETERS,
    TERMS,
    books,
    calm,
    singles,
    trio,
)
from xcoll.collateral.accounts import Book
from xcoll.errors import ParameterError
from xcoll.liquidation.rulebooks import Aave, Compound, Euler, Exchange, Maker, Morpho
from xcoll.liquidation.world import Borrowers, Keepers, World
from xcoll.systemic import mitigation
from xcoll.systemic.cascade import cascade
from xcoll.systemic.episode import Episode
from xcoll.systemic.mitigation import COLUMNS, MEASURES, Measures, compare, outcomes, verdicts
from xcoll.systemic.system import Breakers, Venue

HOUR = pd.Timedelta("1h")


def path(*prices, **changes):
    """Hours of ETH (and of its staked token) at these prices, after an opening at 1."""
    rows = np.ones((len(prices) + 1, 5))
    rows[1:, 0] = rows[1:, 3] = prices
    return Episode(ASSETS, rows, rows, HOUR, **changes)


def one(held, owed, **changes):
    """A single account of ETH against USDC."""
    book = Book(
        ASSETS, np.array([[held, 0, 0, 0, 0.0]]), np.array([[0, 0, 0, 0, owed]]), np.arange(1)
    )
    return calm(Venue("one", book, PARAMETERS, **changes))


def paused(system, fall=0.10, last="6h"):
    return MEASURES["pause on a price move"](Measures(pause=fall, last=last), system)


def lost(system, *episodes):
    return [float(cascade(system, episode).bad_debt.sum()) for episode in episodes]


def test_each_measure_changes_what_it_says_and_nothing_else():
    system, given = trio(), Measures(0.11, "5h", 0.03, 0.06, 0.07, 0.4, 0.08, "3h")
    made = given.systems(system)
    assert list(made) == list(MEASURES)
    expected = {
        "pause on a price move": {"pause": 0.11, "last": "5h", "window": HOUR},
        "stop when the oracle is off": {"stop": 0.06},
        "borrowing frozen": {"freeze": 0.07, "last": "5h", "window": HOUR},
    }
    for name, changes in expected.items():
        for venue, before in zip(made[name].venues, system.venues, strict=True):
            assert venue == replace(before, breakers=Breakers(**changes))
    for venue in made["cap on liquidations"].venues:
        assert venue.breakers == Breakers(cap=0.03 * system.debt[venue.name])
    for name in ("cap on liquidations", "slower close factor", "higher haircuts before", *expected):
        assert made[name].world == system.world
        assert made[name].impact == system.impact
        assert made[name].claims == system.claims
    lender, exchange, pairs = made["slower close factor"].venues
    assert lender.engine.rules.close_factor == pytest.approx(0.5 * 0.4)
    assert exchange.engine.rules.share == pytest.approx(0.25 * 0.4)
    assert exchange.engine.tiers == system.venue("exchange").engine.tiers
    assert pairs == system.venue("pairs")
    later = made["top-up window"]
    assert later.venues == system.venues
    asked = later.world.borrowers
    assert (asked.attentive, asked.delay, asked.top_up) == (1.0, "3h", True)
    assert (asked.call, asked.budget) == (1.05, 0.05)
    assert later.world.keepers == replace(system.world.keepers, response=pd.Timedelta("3h"))
    slow = system.with_world(keepers=Keepers(response="1h"), borrowers=None)
    asked = given.systems(slow)["top-up window"].world
    assert asked.keepers.response == pd.Timedelta("4h")
    assert asked.borrowers == Borrowers(attentive=1.0, delay="3h", top_up=True)


def test_breakers_that_a_venue_has_already_stay():
    venues = [replace(venue, breakers=Breakers(cap=7.0)) for venue in trio().venues]
    made = Measures().systems(trio().changed(venues=venues))
    assert made["stop when the oracle is off"].venues[0].breakers == Breakers(cap=7.0, stop=0.05)


@pytest.mark.parametrize("engine", [Morpho(), Euler(), Compound(), Maker()])
def test_engines_without_a_close_factor_close_as_they_did(engine):
    system = calm(Venue("one", singles(np.random.default_rng(1)), PARAMETERS, engine))
    assert Measures().systems(system)["slower close factor"].venues == system.venues


def test_higher_haircuts_lower_thresholds_and_debts_alike():
    system = trio()
    made = Measures(haircut=0.1).systems(system)["higher haircuts before"]
    assert made.debt == pytest.approx({name: 0.9 * debt for name, debt in system.debt.items()})
    np.testing.assert_allclose(made.layout.health, system.layout.health, rtol=1e-12)
    for venue in made.venues:
        frame = venue.parameters.frame
        assert frame["threshold"].tolist() == pytest.approx((0.9 * TERMS["threshold"]).tolist())
        assert frame["ltv"].tolist() == pytest.approx((0.9 * TERMS["ltv"]).tolist())
        assert frame["bonus"].tolist() == TERMS["bonus"].tolist()
    deep = path(0.55)
    assert lost(made, deep)[0] < 0.7 * lost(system, deep)[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pause": 0.0}, "pause is 0; give a fraction"),
        ({"haircut": 1.0}, "haircut is 1; give a fraction"),
        ({"cap": 2.0}, r"cap is 2; give a fraction in \(0, 1\); did you mean 0\.02"),
        ({"window": "2"}, "window is '2'"),
        ({"last": "0h"}, "last is '0h'"),
    ],
)
def test_measures_are_checked(changes, message):
    with pytest.raises(ParameterError, match=message):
        Measures(**changes)


def test_a_pause_saves_in_a_fall_that_comes_back():
    """At 0.4 everything is seized and 80 − 40/1.05 is lost; paused, nothing happens until 1."""
    system = one(100.0, 80.0)
    there_and_back = path(0.4, 0.4, 1.0, 1.0)
    assert lost(system, there_and_back) == pytest.approx([80 - 40 / 1.05])
    after = cascade(paused(system), there_and_back)
    assert after.bad_debt.sum() == 0.0
    assert not after.closed.any()


def test_a_pause_costs_in_a_fall_that_goes_on():
    """At 0.85 it is closed in full without loss; paused, not before the price is 0.5."""
    system = one(100.0, 80.0)
    on_and_on = path(0.85, 0.5, 0.5, 0.5)
    assert lost(system, on_and_on) == [0.0]
    assert lost(paused(system, last="2h"), on_and_on) == pytest.approx([80 - 50 / 1.05])
    # Not paused: a fall of less than it takes, and one that is spread over hours.
    assert lost(paused(system, fall=0.2), path(0.85)) == [0.0]
    slowly = path(0.93, 0.865, 0.81)
    closed = cascade(paused(system, fall=0.08), slowly)
    assert closed.closed.all()


@pytest.mark.parametrize(("last", "first"), [("1h", 3), ("2h", 4), ("4h", 6)])
def test_a_pause_lasts_as_long_as_it_says(last, first):
    """From the step that falls on, `last` beyond it."""
    found = cascade(paused(one(100.0, 80.0), last=last), path(*[0.85] * 8))
    assert found.first_step.tolist() == [first]


def test_a_measure_without_effect_is_no_difference_at_all():
    system = trio()
    fall = pd.Series([-0.3, -0.2, -0.4, -0.3, 0], ASSETS)
    episodes = [Episode.of_shock(size * fall, over=3, after=3) for size in (0.9, 1.2, 1.5, 1.8)]
    idle = Measures(pause=0.999, stop=0.999, freeze=0.999)
    chosen = ("pause on a price move", "stop when the oracle is off", "borrowing frozen")
    made = dict.fromkeys(chosen, system) | {"same": system}
    made |= {name: idle.systems(system)[name] for name in chosen}
    found = compare(system, episodes, systems=made)
    assert found["as it is"]["closed"].min() > 0
    for name in made:
        pd.testing.assert_frame_equal(found[name], found["as it is"], check_exact=True)
    table = verdicts(found, np.random.default_rng(0))
    assert (table["verdict"] == "no difference that can be told").all()
    assert (table.drop(columns=["measure", "verdict"]) == 0.0).all(axis=None)


@pytest.mark.parametrize("engine", [Aave(), Morpho(), Euler()])
@pytest.mark.parametrize("step", ["15min", "1h", "4h"])
def test_no_more_than_the_cap_is_repaid_within_an_hour(engine, step):
    book = singles(np.random.default_rng(2))
    system = calm(Venue("one", book, PARAMETERS, engine))
    made = MEASURES["cap on liquidations"](Measures(cap=0.03), system)
    cap = 0.03 * system.debt["one"] * (pd.Timedelta(step) / HOUR)
    fall = pd.Series([-0.3, -0.3, -0.4, -0.3, 0], ASSETS)
    until = [
        cascade(made, Episode.of_shock(fall, step, 1, after)).by_venue("repaid")[0]
        for after in range(6)
    ]
    repaid = np.diff(until, prepend=0.0)
    assert (repaid <= cap * (1 + 1e-12)).all()
    assert repaid[0] == pytest.approx(cap)
    free = cascade(system, Episode.of_shock(fall, step, 1, 5)).by_venue("repaid")[0]
    assert free > 2 * cap


def test_the_cap_of_an_exchange_ends_with_the_account_that_reaches_it():
    book = singles(np.random.default_rng(2))
    system = calm(Venue("one", book, PARAMETERS, Exchange()))
    made = MEASURES["cap on liquidations"](Measures(cap=0.03), system)
    fall = pd.Series([-0.3, -0.3, -0.4, -0.3, 0], ASSETS)
    until = [
        cascade(made, Episode.of_shock(fall, "1h", 1, after)).by_venue("repaid")[0]
        for after in range(6)
    ]
    largest = book.debt.sum(axis=1).max()
    assert (np.diff(until, prepend=0.0) <= 0.03 * system.debt["one"] + largest).all()
    free = cascade(system, Episode.of_shock(fall, "1h", 1, 0)).by_venue("repaid")[0]
    assert until[0] < 0.5 * free


def test_a_cap_saves_nobody_where_prices_go_on_falling():
    system = calm(Venue("one", singles(np.random.default_rng(2)), PARAMETERS))
    made = MEASURES["cap on liquidations"](Measures(cap=0.01), system)
    slowly = path(0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
    assert lost(made, slowly)[0] > lost(system, slowly)[0]


def takers(**changes):
    """Borrowers at health 1.5 who draw down to 1.1 whenever they can."""
    system = one(100.0, 82.0 / 1.5, borrow_to=np.array([1.1]), **changes)
    return system, MEASURES["borrowing frozen"](Measures(freeze=0.05, last="3h"), system)


def test_a_freeze_stops_those_who_would_borrow_against_a_pumped_price():
    """At 3 they draw 100·3·0.82/1.1; back at 1 that is far more than what is pledged."""
    system, frozen = takers()
    pump = path(3.0, 3.0, 1.0, 1.0)
    free, stopped = cascade(system, pump), cascade(frozen, pump)
    assert free.drawn.sum() == pytest.approx(246 / 1.1 - 82 / 1.5)
    assert free.bad_debt.sum() == pytest.approx(246 / 1.1 - 100 / 1.05)
    assert stopped.drawn.sum() == 0.0
    assert stopped.bad_debt.sum() == 0.0
    calm_day = path(1.0, 1.0)  # nothing moves: nobody is stopped
    drawn = cascade(frozen, calm_day).drawn.sum()
    assert drawn == cascade(system, calm_day).drawn.sum() == pytest.approx(82 / 1.1 - 82 / 1.5)


def test_a_freeze_stops_those_who_would_borrow_against_a_manipulated_oracle():
    """The market is calm; only what the oracle shows has moved."""
    system, frozen = takers()
    feed = np.ones((1, 5, 5))
    feed[0, 1:3, 0] = 3.0
    manipulated = path(1.0, 1.0, 1.0, 1.0, feed=feed)
    free, stopped = cascade(system, manipulated), cascade(frozen, manipulated)
    assert free.drawn.sum() == pytest.approx(246 / 1.1 - 82 / 1.5)
    assert free.bad_debt.sum() == pytest.approx(246 / 1.1 - 100 / 1.05)
    assert stopped.drawn.sum() == 0.0
    assert stopped.bad_debt.sum() == 0.0


def test_a_stop_waits_until_the_oracle_is_near_the_market_again():
    """The oracle says 0.4 while the market is at 1: seizures at that price are a gift."""
    system = one(100.0, 80.0)
    feed = np.ones((1, 4, 5))
    feed[0, 1:3, 0] = 0.4
    wrong = path(1.0, 1.0, 1.0, feed=feed)
    stopped = MEASURES["stop when the oracle is off"](Measures(stop=0.3), system)
    assert cascade(system, wrong).closed.all()
    assert not cascade(stopped, wrong).closed.any()
    late = MEASURES["stop when the oracle is off"](Measures(stop=0.7), system)
    assert cascade(late, wrong).closed.all()


def test_a_slower_close_factor_sells_less_at_a_time():
    system = one(1e5, 8e4)
    slow = MEASURES["slower close factor"](Measures(slower=0.5), system)
    fall = path(0.965)  # health 0.99: half of the debt a call
    half, quarter = (cascade(s, fall).by_venue("repaid")[0] for s in (system, slow))
    assert half == pytest.approx(4e4)
    assert quarter == pytest.approx(2e4)


def test_a_window_lets_borrowers_save_themselves():
    world = World(borrowers=Borrowers(attentive=0.0, budget=1.0))
    book = books(np.random.default_rng(3))
    system = calm(Venue("one", book, PARAMETERS), world=world)
    asked = MEASURES["top-up window"](Measures(window="2h"), system)
    fall = path(*[0.85] * 6)
    before, after = cascade(system, fall), cascade(asked, fall)
    assert before.closed.sum() > 5
    assert after.closed.sum() == 0
    assert after.by_venue("added")[0] > 0


def test_outcomes_by_hand():
    system = one(100.0, 80.0)
    found = cascade(system, path(0.5))
    made = outcomes(found, 160.0)
    assert tuple(made) == COLUMNS
    assert made["bad_debt"] == pytest.approx((80 - 50 / 1.05) / 160)
    assert made["penalty"] == pytest.approx((50 - 50 / 1.05) / 160)
    assert (made["closed"], made["fall"]) == (1.0, 0.0)
    assert made["delay"] == pytest.approx(1 - (1 - 80 / 82) / 0.5)  # from where it was breached
    idle = outcomes(cascade(system, path(1.0)), 160.0)
    assert idle == dict.fromkeys(COLUMNS, 0.0)


def test_delay_is_weighted_by_what_was_repaid():
    """One is paused for two hours; the other falls in small steps and is served at once."""
    held = np.array([[100.0, 0, 0, 0, 0], [0, 100.0, 0, 0, 0]])
    book = Book(ASSETS, held, np.array([[0, 0, 0, 0, 80.0], [0, 0, 0, 0, 40.0]]), np.arange(2))
    venue = Venue("one", book, PARAMETERS, breakers=Breakers(pause=0.1, last="2h"))
    rows = np.ones((9, 5))
    rows[1:, 0] = 0.85
    rows[1:, 1] = [0.92, 0.84, 0.77, 0.70, 0.64, 0.58, 0.53, 0.50]
    found = cascade(calm(venue), Episode(ASSETS, rows, rows, HOUR))
    repaid = found.by_venue("repaid")[0]
    assert found.first_step.tolist() == [4, 8]
    weights = found.account[:, mitigation.REPAID]
    expected = (found.account[:, mitigation.WAIT] * weights).sum() / repaid
    assert outcomes(found, 120.0)["delay"] == pytest.approx(expected)
    assert 0 < expected < 4
    assert expected != pytest.approx(found.account[:, mitigation.WAIT].mean(), rel=0.05)


def test_the_fall_is_that_which_sales_add():
    system = trio()
    fall = pd.Series([-0.4, -0.4, -0.4, -0.4, 0], ASSETS)
    found = cascade(system, Episode.of_shock(fall, over=2, after=6))
    deepest = (1 + fall - found.prices.min()).max()
    assert outcomes(found, 1.0)["fall"] == pytest.approx(deepest)
    assert deepest > 0.005
    still = cascade(system.changed(impact=None), Episode.of_shock(fall, over=2, after=6))
    assert outcomes(still, 1.0)["fall"] == pytest.approx(0.0, abs=1e-12)


def test_comparison_meets_the_same_episodes():
    system = trio()
    fall = pd.Series([-0.3, -0.2, -0.4, -0.3, 0], ASSETS)
    episodes = [Episode.of_shock(size * fall, over=2, after=8) for size in (0.5, 1.0, 1.5)]
    found = compare(system, episodes, Measures(cap=0.01))
    assert list(found) == ["as it is", *MEASURES]
    debt = sum(system.debt.values())
    made = Measures(cap=0.01).systems(system)
    for name in ("cap on liquidations", "higher haircuts before"):
        for n, episode in enumerate(episodes):
            by_hand = outcomes(cascade(made[name], episode), debt)  # over the debt as it was
            assert found[name].loc[n].to_dict() == by_hand
    chosen = compare(system, episodes, systems={"mine": made["top-up window"]})
    assert list(chosen) == ["as it is", "mine"]
    pd.testing.assert_frame_equal(chosen["mine"], found["top-up window"])


def table_of(bad, penalty=0.0, delay=0.0, n=12):
    values = {"bad_debt": bad, "penalty": penalty, "delay": delay, "closed": 0.0, "fall": 0.0}
    return pd.DataFrame({k: np.broadcast_to(v, n) for k, v in values.items()})


def test_verdicts_in_words():
    mixed = 0.02 + 0.01 * np.tile([1.0, -1.0], 6)
    found = {
        "as it is": table_of(0.02, 0.05, 1.0),
        "better": table_of(0.01, 0.06, 3.0),
        "worse": table_of(0.03, 0.02, 0.5),
        "mixed": table_of(mixed, 0.05, 1.0),
        "hardly": table_of(np.r_[0.019, np.full(11, 0.02)], 0.05, 1.0),
    }
    table = verdicts(found, np.random.default_rng(0)).set_index("measure")
    assert table["verdict"].to_dict() == {
        "better": "saves lenders",
        "worse": "makes it worse for lenders",
        "mixed": "no difference that can be told",
        "hardly": "no difference that can be told",
    }
    for name in ("", "_low", "_high"):
        assert table.loc["better", f"saved{name}"] == pytest.approx(0.01)
        assert table.loc["worse", f"saved{name}"] == pytest.approx(-0.01)
        assert table.loc["better", f"cost{name}"] == pytest.approx(0.01)
        assert table.loc["better", f"delay{name}"] == pytest.approx(2.0)
        assert table.loc["worse", f"delay{name}"] == pytest.approx(-0.5)
    assert table.loc["mixed", "saved_low"] < 0 < table.loc["mixed", "saved_high"]
    wild = {"as it is": table_of(0.0, 0.0), "more": table_of(0.0, np.arange(12.0))}
    row = verdicts(wild, np.random.default_rng(0)).iloc[0]
    assert row["cost_low"] < row["cost"] < row["cost_high"]
    assert row["cost"] == pytest.approx(5.5)


def test_one_episode_is_no_evidence():
    found = {"as it is": table_of(0.02, n=1), "other": table_of(0.01, n=1)}
    row = verdicts(found, np.random.default_rng(0)).iloc[0]
    assert row["saved"] == pytest.approx(0.01)
    assert row[["saved_low", "saved_high", "cost_low", "delay_high"]].isna().all()
    assert row["verdict"] == "no difference that can be told"
