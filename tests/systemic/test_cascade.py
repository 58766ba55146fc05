"""A cascade against its plain twin, the worked example, and what holds in any system."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systemic import small
from tests.systemic.agreement import assert_cascades_agree
from tests.systemic.draws import draw_episode, draw_system
from tests.systemic.twin import simulate
from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.engines import aave, exchange
from xcoll.liquidation.rulebooks import Aave, Compound, Euler, Exchange, Morpho
from xcoll.liquidation.world import Borrowers, Keepers, Oracle, World
from xcoll.systemic.cascade import amplification, cascade
from xcoll.systemic.claims import Claims
from xcoll.systemic.episode import Episode
from xcoll.systemic.system import Impact, System, Venue

seeds = st.integers(0, 2**32 - 1)
HOUR = pd.Timedelta("1h")


def drawn(seed, **changes):
    """A system and an episode at random."""
    rng = np.random.default_rng(seed)
    system = draw_system(rng)
    return system, draw_episode(rng, system).changed(**changes)


def prices(*rows, assets=small.ASSETS):
    """An episode of hours in which the first asset takes these prices, relative to the opening."""
    market = np.ones((len(rows) + 1, len(assets)))
    market[1:, 0] = rows
    return Episode(list(assets), market, market, HOUR)


# The worked example of the methods.


@pytest.fixture(scope="module")
def worked():
    terms = {"ltv": 0.0, "threshold": [0.8, 0.0], "bonus": 0.05, "protocol_fee": 0.0}
    parameters = RiskParameters(pd.DataFrame(terms, ["X", "USD"]), recommended=False)
    held, owed = np.zeros((2, 3, 2))
    held[:, 0], owed[:, 1] = 100.0, [74.0, 70.0, 60.0]
    engine = Aave(aave.Rules(full_close_below=0.0, least_leftover=0.0))
    book = Book(["X", "USD"], held, owed, np.arange(3))
    depth = Depth(["X"], np.array([2000.0]), np.array([[1.0]]), replenish=0.0)
    system = System([Venue("aave", book, parameters, engine)], impact=Impact(depth, 1.0))
    shock = pd.Series({"X": -0.1, "USD": 0.0})
    return amplification(system, Episode.of_shock(shock))


def test_worked_example_of_the_methods(worked):
    rounds = worked.whole.rounds
    assert rounds["step"].tolist() == [1, 1]
    assert rounds["round"].tolist() == [0, 1]
    assert rounds["served"].tolist() == [1, 1]
    at = 0.9 * np.array([1.0, 1.0 - 0.0431666667])
    np.testing.assert_allclose(rounds["sold"] / at, [43.166667, 42.675492], atol=1e-6)
    assert worked.whole.prices["X"].iloc[-1] == pytest.approx(0.8244, abs=1e-4)
    by_hand = 0.9 * (1 - 0.0431666667) * (1 - 0.042675492)
    # Twice 100 units push twice by a tenth: the second is a tenth of the opening's price too.
    assert worked.whole.prices["X"].iloc[-1] == pytest.approx(by_hand, abs=1e-6)


def test_of_the_worked_example_one_of_two_is_contagion(worked):
    assert worked.direct.closed.tolist() == [True, False, False]
    assert worked.whole.closed.tolist() == [True, True, False]
    assert worked.contagion.tolist() == [False, True, False]
    assert worked.whole.first_step.tolist() == [1, 1, -1]
    assert worked.whole.first_round.tolist() == [0, 1, -1]
    assert math.isnan(worked.loss)
    fell = 1 - worked.whole.prices["X"].iloc[-1]
    assert worked.price["X"] == pytest.approx(fell / 0.1)
    assert math.isnan(worked.price["USD"])


def test_units_seized_are_what_was_sold_at_the_prices_of_the_rounds(worked):
    rounds, seized = worked.whole.rounds, worked.whole.venues["aave"].assets["seized"]
    opened = [0.9, 0.9 * (1 - rounds["fall"].iloc[0])]
    assert (rounds["sold"] / opened).sum() == pytest.approx(seized["X"], rel=1e-12)
    assert rounds["sold"].sum() == pytest.approx(worked.whole.sold["X"].sum(), rel=1e-12)


# The twin.


@pytest.mark.parametrize("decade", range(13))
def test_cascade_agrees_with_its_twin(decade):
    """Seeds are fixed: about one system in a thousand hangs on a tie that rounding decides."""
    for seed in range(10 * decade, 10 * decade + 10):
        system, episode = drawn(seed)
        assert_cascades_agree(cascade(system, episode), simulate(system, episode))


def test_what_is_drawn_is_hard():
    """What the agreement would say nothing of, did it not happen."""
    seen = dict.fromkeys(
        ("later", "turns", "deficit", "added", "drawn", "waiting", "shut", "capped"), 0
    )
    forms = set()
    for seed in range(130):
        system, episode = drawn(seed)
        found = cascade(system, episode)
        rounds = found.rounds
        seen["later"] += (found.first_round > 0).sum()
        seen["turns"] += (rounds["round"] > 1).sum()
        seen["drawn"] += (found.drawn > 0).sum()
        seen["shut"] += bool(episode.shut.any())
        for venue in system.venues:
            result = found.venues[venue.name]
            if result.column("calls").any():
                forms.add(venue.engine.form)
                seen["capped"] += venue.breakers.cap < 1_000
            seen["deficit"] += (result.column("deficit") > 0).sum()
            seen["added"] += (result.column("added") > 0).sum()
            seen["waiting"] += result.bars["waiting"].any()
    assert forms == {"aave", "compound", "euler", "exchange", "maker", "morpho"}
    assert min(seen.values()) >= 10, seen


# What is not in the rules of an engine.


def test_an_account_that_is_breached_again_within_a_step_waits_once():
    """It is dealt with once a step; an account that queued twice wrote beyond the queue."""
    depth = Depth(
        ["X", "Y", "S"], np.array([220.0]), np.array([[0.9], [0.9], [0.0]]), replenish=0.0
    )
    engine = Exchange(exchange.Rules(maintenance=0.1, share=0.25, fee=0.0))
    one = small.venue("one", [100, 0, 0], [0, 0, 75], engine=engine)
    system = System([one], impact=Impact(depth, 1.0))
    episode = prices(*[0.93] * 8)
    found = cascade(system, episode)
    assert_cascades_agree(found, simulate(system, episode))
    assert found.venues["one"].column("calls")[0] == 3


def test_a_breach_after_the_venue_has_dealt_with_the_account_is_read_at_the_end():
    """Of its own sale: nobody deals with it before the next step, but it is there."""
    engine = Exchange(exchange.Rules(maintenance=0.1, share=0.25, fee=0.0))
    one = small.venue("one", [100, 0, 0], [0, 0, 75], engine=engine)
    found = cascade(small.system(one, dollars={"X": 60.0, "Y": 1e12, "S": 1e12}), prices(0.93))
    result, price = found.venues["one"], found.market[-1, 0]
    assert 0.8 * result.collateral[0, 0] * 0.93 > result.debt[0, 2]  # restored, then pushed
    short = result.debt[0, 2] - result.collateral[0, 0] * found.prices["X"].iloc[-1]
    assert short > 0
    assert price == pytest.approx(0.93 * (1 - found.rounds["fall"].iloc[0]))
    assert result.bars["waiting"].iloc[0] == pytest.approx(result.debt[0, 2], rel=1e-12)
    assert found.bad_debt["one"] == pytest.approx(short, rel=1e-12)


def test_an_account_of_which_the_oracle_knows_nothing_keeps_its_balances():
    """It is under water at the last step, and nobody has dealt with it."""
    one = small.venue("one", [[100, 0, 0], [100, 0, 0]], [[0, 0, 70], [0, 0, 10]])
    system = System([one], World(Oracle(lag="5h")))
    result = cascade(system, prices(0.5)).venues["one"]
    assert result.column("under").tolist() == [20.0, 0.0]
    assert np.array_equal(result.collateral, one.book.collateral)
    assert np.array_equal(result.debt, one.book.debt)


def test_an_account_that_is_called_while_the_oracle_is_late_is_read_once():
    who = Borrowers(call=1.2, target=1.25, attentive=1.0, delay="5h")
    one = small.venue("one", [100, 0, 0], [0, 0, 70])
    system = System([one], World(Oracle(lag="5h"), borrowers=who))
    result = cascade(system, prices(0.5)).venues["one"]
    assert result.bars["paper"].tolist() == [20.0]
    assert result.column("under").tolist() == [20.0]


def test_who_recovers_within_a_step_does_not_wait():
    """Debt in an asset that others sell: their sales bring the account back."""
    engine = Exchange(exchange.Rules(maintenance=0.1, share=0.05, fee=0.0))
    short = small.venue("short", [0, 100, 0], [30, 0, 40], engine=engine)
    long = small.venue("long", [1000, 0, 0], [0, 0, 750])
    market = np.ones((3, 3))
    market[1:, 0], market[2, 1] = 0.9, 0.95
    dollars = {"X": 1_000.0, "Y": 1e12, "S": 1e12}
    system = small.system(short, long, dollars=dollars, world=World(keepers=Keepers(response="1h")))
    found = cascade(system, Episode(small.ASSETS, market, market, HOUR))
    assert found.first_step.tolist() == [-1, 2]
    assert 30 * 0.9 + 40 > 0.7 * 95
    assert 30 * found.prices["X"].iloc[-1] + 40 < 0.7 * 95
    assert found.venues["short"].bars["waiting"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("lasting", [0.0, 2 / 3, 1.0])
def test_what_is_not_lasting_comes_back_as_the_book_fills_up(lasting):
    one = small.venue("one", [100, 0, 0], [0, 0, 76])
    depth = replace(small.line({"X": 1_000.0, "Y": 1e9, "S": 1e9}), replenish=1.0, every=HOUR)
    found = cascade(System([one], impact=Impact(depth, lasting)), prices(0.9, 0.9))
    pushed = found.rounds["fall"].iloc[0]
    assert len(found.rounds) == 1
    assert pushed == pytest.approx(found.venues["one"].assets["seized"]["X"] / 1_000.0, rel=1e-9)
    at_once = 0.9 * (1 - lasting * pushed) * (1 - (1 - lasting) * pushed)
    np.testing.assert_allclose(
        found.prices["X"], [1.0, at_once, 0.9 * (1 - lasting * pushed)], rtol=1e-12
    )


def test_depth_that_is_gone_moves_what_is_traded_and_not_what_lasts():
    """Half the depth: what was sold is twice as deep in the book, for as long as it is."""
    one = small.venue("one", [100, 0, 0], [0, 0, 76])
    depth = replace(small.line({"X": 1_000.0, "Y": 1e9, "S": 1e9}), replenish=0.0)
    halved = np.array([1.0, 1.0, 0.5, 1.0])[:, None] * np.ones(3)
    episode = prices(0.9, 0.9, 0.9).changed(depth=halved)
    found = cascade(System([one], impact=Impact(depth, 0.0)), episode)
    pushed = found.rounds["fall"].iloc[0]
    np.testing.assert_allclose(
        found.prices["X"], [1, 0.9 * (1 - pushed), 0.9 * (1 - 2 * pushed), 0.9 * (1 - pushed)],
        rtol=1e-12,
    )  # fmt: skip
    np.testing.assert_allclose(found.market[1:, 0], 0.9)


def test_an_exchange_closes_who_defaults_and_nobody_else():
    engine = Exchange(exchange.Rules(maintenance=0.1, share=0.5, fee=0.0))
    one = small.venue("one", [[100, 0, 0]] * 3, [[0, 0, 30], [0, 0, 10], [0, 0, 20]], engine=engine)
    default = np.array([0.0, 0.3, 0.3, 0.6])
    found = cascade(System([one]), prices(1.0, 1.0, 1.0).changed(default=default))
    assert found.first_step.tolist() == [1, -1, 3]  # the largest half of the debt, then the next
    np.testing.assert_allclose(found.venues["one"].debt[:, 2], [0.0, 10.0, 0.0], atol=1e-12)


# Limits.


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_depth_without_end_is_as_no_impact(seed):
    system, episode = drawn(seed)
    deep = Depth(system.assets, np.array([1e30]), np.zeros((4, 1)), replenish=0.0)
    bare, same = (
        cascade(system.changed(impact=impact), episode) for impact in (None, Impact(deep, 1.0))
    )
    for name in ("market", "shown", "oracle", "touched", "collateral", "debt"):
        assert np.array_equal(getattr(bare, name), getattr(same, name)), name
    assert np.array_equal(bare.first_step, same.first_step)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_every_unit_is_conserved_at_every_venue(seed):
    """Collateral before + added = left + seized; debt before = left + cleared + paid + lost."""
    system, episode = drawn(seed)
    system = system.with_venues(borrow_to=None)
    found = cascade(system, episode)
    for venue in system.venues:
        result = found.venues[venue.name]
        units = result.assets
        before = venue.book.collateral.sum(axis=0) + units["added"]
        size = 1e-12 * before.max() + 1e-300
        after = result.collateral.sum(axis=0) + units["seized"]
        np.testing.assert_allclose(after, before, rtol=1e-11, atol=size)
        after = result.debt.sum(axis=0) + units["extinguished"] + units["paid"] + units["deficit"]
        np.testing.assert_allclose(after, venue.book.debt.sum(axis=0), rtol=1e-11, atol=size)
        assert (units["lot"] + units["returned"] <= units["seized"] * (1 + 1e-12)).all()


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_sales_only_lower_prices(seed):
    system, episode = drawn(seed)
    system = system.changed(claims=Claims())
    found = cascade(system, episode)
    outside = episode.market * system.opening
    assert (found.market <= outside * (1 + 1e-12)).all()
    assert (found.shown <= found.market * (1 + 1e-12)).all()
    assert (found.market > 0).all()
    assert (np.diff(found.market / outside, axis=0) <= 1e-12).all()  # what lasts never comes back


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_records_are_of_one_piece(seed):
    system, episode = drawn(seed)
    found = cascade(system, episode)
    rounds, sold = found.rounds, found.sold.to_numpy()
    size = 1e-9 * (1 + sold.sum())
    assert (sold >= -size).all()
    assert rounds["sold"].sum() == pytest.approx(sold.sum(), rel=1e-9, abs=size)
    by_step = rounds.groupby("step")["sold"].sum().reindex(range(len(sold)), fill_value=0.0)
    np.testing.assert_allclose(by_step, sold.sum(axis=1), rtol=1e-9, atol=size)
    assert not rounds[["step", "round"]].duplicated().any()
    assert rounds[["step", "round"]].apply(tuple, axis=1).is_monotonic_increasing
    closed = found.closed
    calls = np.concatenate([found.venues[name].column("calls") for name in system.names])
    assert np.array_equal(calls > 0, closed)
    assert ((found.first_round >= 0) == closed).all()
    firsts = {*zip(found.first_step[closed], found.first_round[closed], strict=True)}
    served = rounds[rounds["served"] > 0]
    assert firsts <= {*zip(served["step"], served["round"], strict=True)}
    spared = np.setdiff1d(np.arange(len(closed)), found.touched)
    start = system.layout.start
    for v, name in enumerate(system.names):
        rows = spared[(spared >= start[v]) & (spared < start[v + 1])] - start[v]
        assert not found.venues[name].account[rows].any()
        book = system.venues[v].book
        assert np.array_equal(found.venues[name].collateral[rows], book.collateral[rows])


def everything_of(found):
    record = found.made.record
    return (
        found.touched, found.collateral, found.debt, found.account, found.served, found.market,
        found.shown, found.oracle, record.units, record.by_bar, record.sold, record.rounds,
        record.drawn,
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_an_episode_leaves_no_trace_for_the_next(seed):
    system, episode = drawn(seed)
    first = cascade(system, episode)
    other = episode.changed(market=episode.market**2, due=episode.due**2)
    cascade(system, other)
    for mine, theirs in zip(
        everything_of(cascade(system, episode)), everything_of(first), strict=True
    ):
        assert np.array_equal(mine, theirs)
    anew = System(system.venues, system.world, system.impact, system.claims, system.prices)
    for mine, theirs in zip(
        everything_of(cascade(anew, episode)), everything_of(first), strict=True
    ):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("spread", [1, 2, 5, 20])
def test_deeper_books_never_fall_further_where_a_closing_sells_everything(spread):
    """LT·(1 + LB) is 1 or more: whoever is closed is closed whole, and sells the same at any price.

    Where nothing lasts the price is that of all sales together, so by induction over rounds a
    deeper book has closed no account that a shallower one has not.  What lasts depends on how many
    rounds the same sales take, and a deeper book can then fall further.
    """
    rng = np.random.default_rng(spread)
    health = 1.0 + rng.exponential(0.02 * spread, 60)
    held = np.outer(rng.lognormal(4, 1, 60), [1, 0, 0])
    owed = np.outer(0.96 * held[:, 0] / health, [0, 0, 1])
    terms = {"threshold": (0.96, 0.96, 0.0), "bonus": 0.05, "engine": Morpho(by_formula=False)}
    one = small.venue("one", held, owed, **terms)
    falls, closed = [], []
    for dollars in held.sum() * np.array([0.5, 1.0, 2.0, 5.0, 20.0, 1e3]):
        system = small.system(one, dollars={"X": dollars, "Y": 1e12, "S": 1e12}, lasting=0.0)
        found = cascade(system, Episode.of_shock(pd.Series([-0.02, 0, 0], small.ASSETS)))
        falls.append(1 - found.prices["X"].iloc[-1])
        closed.append(found.closed)
    assert (np.diff(falls) <= 1e-12).all()
    assert falls[0] > falls[-1] + 0.01
    for shallow, deep in pairwise(closed):
        assert (deep <= shallow).all()


# Venues.

ALONE = {
    "aave": Aave(),
    "euler": Euler(),
    "morpho": Morpho(),
    "exchange": Exchange(),
    "compound": Compound(),
}


def book_of(count, seed, threshold=0.8):
    rng = np.random.default_rng(seed)
    held = np.outer(rng.lognormal(5, 1, count), [1, 0, 0])
    return held, np.outer(threshold * held[:, 0] / rng.uniform(1.01, 1.4, count), [0, 0, 1])


def ways(engine):
    """One venue of forty accounts, and the same in parts at two venues, in either order."""
    held, owed = book_of(40, 8)
    parts = [
        small.venue(name, held[rows], owed[rows], engine=engine)
        for name, rows in (("a", slice(0, 15)), ("b", slice(15, 40)))
    ]
    return [small.venue("whole", held, owed, engine=engine)], parts, parts[::-1]


@pytest.mark.parametrize("engine", ALONE)
def test_number_and_order_of_venues_do_not_matter_where_only_prices_are_shared(engine):
    depth = replace(small.line({"X": 3e4, "Y": 1e12, "S": 1e12}), replenish=0.02)
    found = []
    for venues in ways(ALONE[engine]):
        system = System(venues, impact=Impact(depth, 0.5))
        found.append(cascade(system, prices(0.95, 0.9, 0.9, 0.85, 0.9)))
    whole, parts, turned = found
    assert whole.rounds["round"].max() >= 1
    for other in (parts, turned):
        np.testing.assert_allclose(other.shown, whole.shown, rtol=1e-12)
        assert other.bad_debt.sum() == pytest.approx(whole.bad_debt.sum(), abs=1e-9)
    left = [parts.venues[name].collateral for name in "ab"]
    np.testing.assert_allclose(np.concatenate(left), whole.venues["whole"].collateral, rtol=1e-9)
    for name in "ab":
        np.testing.assert_allclose(
            turned.venues[name].account, parts.venues[name].account, rtol=1e-9, atol=1e-9
        )


def test_venues_before_others_are_served_first_from_capital_they_share():
    """The other half of the rule: where a limit is shared, order matters."""
    parts = ways(Aave())[1]
    world = World(keepers=Keepers(capital=500.0, order="as in the book"))
    repaid = [
        cascade(System(venues, world), prices(0.9)).venues["a"].column("repaid").sum()
        for venues in (parts, parts[::-1])
    ]
    assert repaid[0] > repaid[1]


def test_one_wallet_answers_at_several_venues():
    held, owed = [[100, 0, 0]], [[0, 0, 70]]
    who = Borrowers(call=1.1, target=1.2, attentive=1.0, delay=None, budget=0.05)
    alone = [small.venue(name, held, owed) for name in "ab"]
    together = [replace(venue, users=np.array(["u"])) for venue in alone]
    added = [
        [
            cascade(System(v, World(borrowers=who)), prices(0.95)).venues[n].column("added")[0]
            for n in "ab"
        ]
        for v in (alone, together)
    ]
    assert added[0] == pytest.approx([3.5, 3.5])
    needs = 70 - 0.8 * 95 / 1.2
    assert added[1] == pytest.approx([needs, 7.0 - needs])


# No look into the future.


def cut(system, episode, at, jump):
    """The episode and the same with other prices after step `at`."""
    market, due = episode.market.copy(), episode.due.copy()
    market[at + 1 :] *= jump
    due[at + 1 :] *= jump[::-1]
    return cascade(system, episode), cascade(system, episode.changed(market=market, due=due))


def until(found, at):
    record, rounds = found.made.record, found.rounds
    served = np.where(found.first_step > at, -1, found.first_step)
    turn = np.where(found.first_step > at, -1, found.first_round)
    rounds = rounds[rounds["step"] <= at].to_numpy()
    return {
        "market": found.market[: at + 1], "shown": found.shown[: at + 1],
        "oracle": found.oracle[:, : at + 1], "sold": record.sold[:, : at + 1],
        "served": served, "round": turn, "rounds": rounds,
    }  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(seeds, st.floats(0, 1))
def test_nothing_at_or_before_a_step_knows_of_prices_after_it(seed, part):
    """Of steps inside bars too, but for debt that is written off: at the prices of the close."""
    system, episode = drawn(seed)
    if episode.steps > 1:
        system = system.changed(claims=replace(system.claims, receipts={}))
    at = round(part * (len(episode) - 1))
    jump = 10 ** np.random.default_rng(seed).uniform(-0.3, 0.3, 4)
    before, after = (until(found, at) for found in cut(system, episode, at, jump))
    for name in before:
        mine, theirs = before[name], after[name]
        if name == "rounds":
            mine, theirs = (
                np.delete(x, 4, axis=1) if episode.steps > 1 else x for x in (mine, theirs)
            )
        assert mine.shape == theirs.shape, name
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-12, err_msg=name)


def test_a_jump_moves_what_comes_after_it():
    system, episode = drawn(3)
    one, other = cut(system, episode, 1, np.full(4, 0.5))
    assert not np.array_equal(one.shown[2:], other.shown[2:])
