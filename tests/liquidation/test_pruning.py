"""What is skipped changes nothing: pruned against unpruned, and the two ways through time."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.agreement import assert_agree, assert_alike, assert_same
from tests.liquidation.cases import ENGINES, WORLDS, book_for, frames, market, scales
from tests.liquidation.draws import Case, daily, draw_case, jumpy, parched
from xcoll.collateral.accounts import Book
from xcoll.liquidation.replay import Conduct
from xcoll.liquidation.world import ORDERS, Borrowers, Keepers, Oracle, World

KEEPERS = ["aave", "morpho", "pre-liquidation", "euler"]
ALONE = {
    "frictionless": World(),
    "oracle": World(Oracle("90min", 0.01, "5h")),
    "response": World(keepers=Keepers("3h")),
    "margin and gas": World(keepers=Keepers(margin=0.02, gas=15.0)),
    "everything unshared": World(
        Oracle("1h", 0.005), Keepers("2h", 0.004, 3.0), None, Borrowers(delay="1h"), {"S": 0.4}
    ),
}
# The fund and the hole of the others are shared whatever the world.
UNSHARED = ["aave", "morpho", "pre-liquidation", "euler", "compound", "exchange"]


def long(engine, world, accounts=700, steps=24, bars=29, volatility=0.06):
    """More accounts than a chunk and more steps than a group of blocks, in a mild market."""
    rng = np.random.default_rng(11)
    close, low = frames(*market(rng, bars + 2, volatility))
    book = book_for(ENGINES[engine], rng, accounts)
    conduct = Conduct(ENGINES[engine], world, steps=steps)
    return Case(book, close, low, conduct, bars, None, scales(rng, accounts))


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_pruned_is_unpruned_bit_for_bit(engine, world):
    for case in (
        daily(ENGINES[engine], WORLDS[world]),
        jumpy(ENGINES[engine], WORLDS[world]),
        long(engine, WORLDS[world], accounts=80),
    ):
        assert_alike(case.replay(), case.replay(prune=False))


@pytest.mark.parametrize("volatility", [0.01, 0.15])
@pytest.mark.parametrize("fill", ["path", "breach", "low"])
def test_pruned_is_unpruned_in_several_chunks(fill, volatility):
    case = long("aave", World(), volatility=volatility)
    assert_alike(case.replay(fill=fill), case.replay(fill=fill, prune=False))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_pruned_is_unpruned_in_worlds_at_random(seed):
    case = draw_case(seed)
    assert_alike(case.replay(), case.replay(prune=False))


# Who waits unpaid is put to rest: only for keepers, and only where something is shared.


@pytest.mark.parametrize("engine", KEEPERS)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_resting_accounts_miss_nothing(engine, seed):
    case = parched(seed, engine)
    assert_alike(case.replay(), case.replay(prune=False))


@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), engine=st.sampled_from(KEEPERS))
def test_resting_accounts_agree_with_the_twin(seed, engine):
    """Always the same: in a few worlds of a thousand rounding decides whether depth is used up.

    (Seed 865 at Morpho: of a limit of a million dollars a millionth is left, or not.)
    """
    case = parched(seed, engine, accounts=4)
    assert_agree(case.replay(), case.simulate())


def slump(gas, order="first come", capital=1e15, fall=0.2, borrowers=None):
    """A fall on the first day, a slow way down after it, and at last a way up: 960 steps."""
    days = np.arange(41.0)
    price = np.where(days == 0, 1.0, 1.0 - fall) * np.exp(-0.002 * days)
    price[30:] *= np.exp(0.05 * (days[30:] - 29))
    close = np.column_stack([price, price, price, np.ones(41)])
    low = np.vstack([close[:1], np.minimum(close[1:], close[:-1])])
    dollars = np.geomspace(0.5, 5e5, 60)
    held = dollars[:, None] * np.array([1.0, 0, 0, 0])
    owed = 0.72 * dollars[:, None] * np.array([0, 0, 0, 1.0])
    book = Book(list("ABCS"), held, owed, np.arange(60))
    keepers = Keepers(gas=gas, capital=capital, order=order)
    conduct = Conduct(ENGINES["aave"], World(keepers=keepers, borrowers=borrowers))
    return Case(book, *frames(close, low), conduct, 40)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("gas", "dust"), [(0.0, 0), (40.0, 0.6), (1e6, 1.0)])
def test_dust_waits_from_the_fall_to_the_recovery(gas, dust, order):
    case = slump(gas, order)
    quick = case.replay()
    assert_alike(quick, case.replay(prune=False))
    served = quick.column("calls") > 0
    assert np.mean(~served) == pytest.approx(dust, abs=0.1)
    waiting = quick.bars["waiting"].to_numpy()
    assert waiting[0] == pytest.approx(case.book.debt[~served].sum(), rel=1e-12)
    assert (waiting[:25] == waiting[0]).all()
    assert waiting[-1] == 0.0  # the price is back: nobody waits any more


@pytest.mark.parametrize("order", ORDERS)
def test_who_waits_for_a_threshold_that_comes_back_is_seen_to_recover(order):
    """No price moves much: a threshold goes down on the 3rd day and up again on the 20th."""
    case = slump(1e6, order, fall=0.0)
    path = pd.DataFrame({"A": [0.82, 0.6, 0.82]}, case.close.index[[0, 3, 20]])
    case = replace(case, thresholds=path)
    quick = case.replay()
    assert_alike(quick, case.replay(prune=False))
    total = case.book.debt.sum()
    waiting = quick.bars["waiting"].to_numpy()
    np.testing.assert_allclose(waiting[3:20], total, rtol=1e-12)
    assert not waiting[:3].any()
    assert not waiting[20:].any()


@pytest.mark.parametrize("top_up", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_borrowers_answer_while_they_wait(order, top_up):
    """Ten days late, in the middle of a long rest, and those who do are out of it."""
    late = Borrowers(attentive=0.5, delay="10D", budget=0.5, top_up=top_up)
    case = slump(1e6, order, borrowers=late)
    quick = case.replay()
    assert_alike(quick, case.replay(prune=False))
    answered = quick.column("added") > 0
    assert 20 <= answered.sum() <= 40
    waiting = quick.bars["waiting"].to_numpy()
    assert waiting[5] == pytest.approx(case.book.debt.sum(), rel=1e-12)
    assert waiting[15] == pytest.approx(case.book.debt[~answered].sum(), rel=1e-12)


def test_dust_that_waits_agrees_with_the_twin():
    case = slump(40.0)
    few = replace(case, book=Book(*(x[::6] if n else x for n, x in enumerate(parts(case.book)))))
    assert_agree(few.replay(), few.simulate())


def parts(book):
    return book.assets, book.collateral, book.debt, np.asarray(book.ids)


def test_accounts_at_rest_are_served_when_capital_comes_back():
    """Capital for one large account a day: the others wait their turn, most of them at rest."""
    case = slump(0.0, capital=2e5)
    quick = case.replay()
    assert_alike(quick, case.replay(prune=False))
    bars = np.unique(quick.column("bar")[quick.column("calls") > 0])
    assert len(bars) >= 3


# Independent accounts run in chunks, account by account; with capital that never binds the same
# accounts run in a queue, step by step.


@pytest.mark.parametrize("world", ALONE)
@pytest.mark.parametrize("engine", UNSHARED)
def test_alone_and_in_the_queue_accounts_fare_alike(engine, world):
    plenty = replace(ALONE[world].keepers, capital=1e18)
    alone = long(engine, ALONE[world]).replay()
    together = long(engine, replace(ALONE[world], keepers=plenty)).replay()
    assert_same(alone, together, ("account", "collateral", "debt"))
    np.testing.assert_allclose(alone.units, together.units, rtol=1e-12)
    np.testing.assert_allclose(alone.by_bar, together.by_bar, rtol=1e-12, atol=1e-9)
    assert (alone.column("calls") > 0).sum() > 50


@pytest.mark.parametrize("engine", UNSHARED)
def test_the_order_of_accounts_is_irrelevant_where_nothing_is_shared(engine):
    case = long(engine, ALONE["oracle"])
    turn = np.random.default_rng(2).permutation(len(case.book))
    assets, held, owed, ids = parts(case.book)
    mixed = replace(case, book=Book(assets, held[turn], owed[turn], ids), scale=case.scale[turn])
    straight, shuffled = case.replay(), mixed.replay()
    for name in ("account", "collateral", "debt"):
        assert np.array_equal(getattr(straight, name)[turn], getattr(shuffled, name)), name
    np.testing.assert_allclose(shuffled.units, straight.units, rtol=1e-12)
    np.testing.assert_allclose(shuffled.by_bar, straight.by_bar, rtol=1e-12, atol=1e-9)


def test_a_book_of_one_account_is_its_row_of_a_larger_book():
    case = long("aave", ALONE["everything unshared"], accounts=40)
    calm = replace(case.conduct, world=replace(case.conduct.world, borrowers=None))
    whole = replace(case, conduct=calm).replay()
    assets, held, owed, ids = parts(case.book)
    for n in range(0, 40, 3):
        row = slice(n, n + 1)
        book = Book(assets, held[row], owed[row], ids[row])
        one = replace(case, conduct=calm, book=book, scale=case.scale[row]).replay()
        assert np.array_equal(one.account[0], whole.account[n])
        assert np.array_equal(one.debt[0], whole.debt[n])


def test_two_runs_of_one_book_are_the_same():
    case = daily(ENGINES["tiers and fund"], WORLDS["everything"])
    assert_same(case.replay(), case.replay(), ("account", "units", "by_bar", "collateral", "debt"))


def test_a_borrower_who_answers_while_nobody_comes_is_heard():
    close = np.ones((40, 4))
    close[2:, 0] = 0.7
    low = close.copy()
    low[2, 0] = 0.7
    book = Book(
        ["A", "B", "C", "S"],
        np.array([[100.0, 0, 0, 0]]),
        np.array([[0, 0, 0, 70.0]]),
        np.arange(1),
    )
    world = World(
        keepers=Keepers(gas=1e4, capital=1e6),
        borrowers=Borrowers(attentive=1.0, delay="100h", budget=1.0),
    )
    case = Case(book, *frames(close, low), Conduct(ENGINES["aave"], world), 38, None, np.ones(1))
    made, whole = case.replay(), case.replay(prune=False)
    assert_alike(made, whole)
    assert whole.column("added")[0] > 0.0
