"""Pooled and split: what splitting keeps, when pooling cannot lose more, and when it does."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.systemic.trio import (
    APART,
    ASSETS,
    LAW,
    MOVING,
    PARAMETERS,
    TERMS,
    calm,
    depth,
    singles,
    trio,
)
from tests.systemic.trio import books as trio_books
from xcoll.collateral.accounts import Book
from xcoll.errors import ParameterError
from xcoll.liquidation.rulebooks import Aave, Exchange, Morpho
from xcoll.liquidation.world import Borrowers, World
from xcoll.systemic import pooling, shocks
from xcoll.systemic.cascade import cascade
from xcoll.systemic.episode import Episode
from xcoll.systemic.pooling import OUTCOMES, borrowing_gain, compare, levels, split, turn
from xcoll.systemic.shocks import Law, Shocks
from xcoll.systemic.system import Impact, Venue

JUMP = Shocks("1h", 1, 6)
WILD = replace(LAW, covariance=4 * LAW.covariance)


def books(rng, size=100, shape=APART):
    return trio_books(rng, size=size, shape=shape)


def account(held, owed):
    return Book(ASSETS, np.array([held], float), np.array([owed], float), np.arange(1))


def one(book, engine=None, **changes):
    return calm(Venue("one", book, PARAMETERS, engine or Aave()), **changes)


def test_positions_keep_the_health_and_the_balances_of_their_account():
    book = books(np.random.default_rng(1))
    venue = Venue("one", book, PARAMETERS, users=np.arange(100), borrow_to=np.arange(100) + 1.5)
    system = calm(venue)
    apart = split(system)
    made, parent = apart.venues[0], apart.venues[0].users
    assert ((made.book.collateral > 0).sum(axis=1) == 1).all()
    np.testing.assert_allclose(apart.layout.health, system.layout.health[parent], rtol=1e-12)
    for side in ("collateral", "debt"):
        units = np.zeros((100, 5))
        np.add.at(units, parent, getattr(made.book, side))
        np.testing.assert_allclose(units, getattr(book, side), rtol=1e-12)
    assert made.borrow_to.tolist() == (parent + 1.5).tolist()
    assert len(made.book) > 200
    assert made.engine == venue.engine


def test_what_is_not_accepted_is_left_out():
    book = account([5e4, 0, 3e4, 0, 2e4], [0, 0, 0, 0, 5e4])
    apart = split(one(book))
    made = apart.venues[0].book
    assert made.collateral.sum(axis=0).tolist() == [5e4, 0, 3e4, 0, 0]
    assert made.debt.sum() == pytest.approx(5e4)
    health = (5e4 * 0.82 + 3e4 * 0.68) / 5e4
    assert apart.layout.health.tolist() == pytest.approx([health, health])


def test_pooled_and_split_owe_the_same_where_collateral_is_owed_too():
    """5 of 10 owed in ETH by someone who pledges ETH: nothing of it may get lost by splitting."""
    book = account([5e4, 0, 5e4, 0, 0], [2e4, 0, 0, 0, 2e4])
    system = one(book)
    apart = split(system)
    assert sum(apart.debt.values()) == pytest.approx(4e4)
    assert apart.layout.held.sum() == pytest.approx(1e5)
    np.testing.assert_allclose(apart.layout.health, system.layout.health[0])


def test_splitting_in_dollars_at_other_prices():
    prices = pd.Series([2_000.0, 30_000.0, 7.0, 2_100.0, 1.0], ASSETS)
    book = books(np.random.default_rng(2))
    units = Book(
        ASSETS, book.collateral / prices.to_numpy(), book.debt / prices.to_numpy(), book.ids
    )
    system = one(units, prices=prices)
    apart = split(system)
    by_user = np.bincount(apart.layout.users, apart.layout.owed)
    np.testing.assert_allclose(by_user, system.layout.owed, rtol=1e-12)
    health = apart.layout.health[np.unique(apart.layout.users, return_index=True)[1]]
    np.testing.assert_allclose(health, system.layout.health, rtol=1e-12)


def test_positions_belong_to_the_user_of_their_account():
    system = trio(shape=APART)
    apart = split(system)
    for before, after in zip(system.venues, apart.venues, strict=True):
        owed = pd.Series(before.book.debt.sum(axis=1)).groupby(before.users).sum()
        still = pd.Series(after.book.debt.sum(axis=1)).groupby(after.users).sum()
        pd.testing.assert_series_equal(owed[still.index], still, check_names=False)


def test_users_of_venues_that_name_none_stay_apart():
    """Account 0 of one venue and account 0 of another are not the same person."""
    book = books(np.random.default_rng(3))
    system = calm(Venue("one", book, PARAMETERS), Venue("two", book, PARAMETERS))
    assert len(np.unique(system.layout.users)) == 200
    assert len(np.unique(split(system).layout.users)) == 200


@pytest.mark.parametrize("engine", [Aave(), Morpho(), Exchange()])
def test_with_one_collateral_an_account_both_are_the_same(engine):
    system = one(singles(np.random.default_rng(4)), engine, impact=Impact(depth(3e5)))
    system = system.with_world(depth=depth(3e5), borrowers=Borrowers(budget=0.1))
    apart = split(system)
    np.testing.assert_array_equal(apart.layout.held, system.layout.held)
    np.testing.assert_array_equal(apart.layout.lent, system.layout.lent)
    moves = 2.0 * LAW.draw(60, np.random.default_rng(0))
    found, theirs = (shocks.run(s, MOVING, moves) for s in (system, apart))
    np.testing.assert_array_equal(found.sums, theirs.sums)
    np.testing.assert_array_equal(found.price, theirs.price)
    assert (found.column("lost") > 0).any()
    assert (found.price < 0.98 * found.outside).any()
    table = compare(system, {0.5: LAW}, 40, np.random.default_rng(1))
    assert (table[["difference", "low", "high"]] == 0.0).all(axis=None)
    assert not table["differs"].any()


@pytest.mark.parametrize("seed", range(4))
def test_in_one_jump_without_impact_pooling_never_loses_more(seed):
    """In a jump lenders lose ``max(0, D − Σ C/(1 + LB))``, which is never more for a sum than for
    its parts: the loss of one is convex, and twice as much for twice the account.
    """
    rng = np.random.default_rng(seed)
    book = books(rng)
    system = one(book)
    apart = split(system)
    assert sum(apart.debt.values()) == pytest.approx(sum(system.debt.values()))
    moves = 2.0 * LAW.draw(300, rng)
    found, theirs = (shocks.run(s, MOVING, moves, JUMP) for s in (system, apart))
    pooled, single = found.column("lost").sum(axis=1), theirs.column("lost").sum(axis=1)
    assert (pooled <= single + 1e-9).all()
    assert (pooled < 0.8 * single).mean() > 0.1
    cover = found.outside @ (book.collateral / (1.0 + TERMS["bonus"].to_numpy())).T
    by_hand = np.maximum(found.outside @ book.debt.T - cover, 0.0).sum(axis=1)
    np.testing.assert_allclose(pooled, by_hand, rtol=1e-9, atol=1e-6)


def test_over_several_steps_pooling_can_lose_more():
    """Half in ETH, half in BTC, health 1.2.  ETH falls by a quarter: its position alone is closed
    in time, the pooled account is still healthy, and loses when ETH then falls to a tenth.
    """
    system = one(account([5e4, 5e4, 0, 0, 0], [0, 0, 0, 0, 8e4 / 1.2]))
    path = np.ones((3, 5))
    path[1:, 0] = [0.75, 0.1]
    path[1:, 3] = path[1:, 0]
    episode = Episode(ASSETS, path, path, pd.Timedelta("1h"))
    pooled, apart = cascade(system, episode), cascade(split(system), episode)
    assert pooled.first_step.tolist() == [2]
    assert apart.first_step.tolist() == [1, -1]
    assert apart.bad_debt.sum() == 0.0
    left = 5e3 / 1.05 + 5e4 / 1.06
    assert pooled.bad_debt.sum() == pytest.approx(8e4 / 1.2 - left)


def test_what_is_sold_together_spreads_a_fall():
    """A pooled account that is closed sells what did not fall, too; that of the split one stays."""
    book = account([5e4, 5e4, 0, 0, 0], [0, 0, 0, 0, 7.8e4])
    markets = Impact(depth(1e6))
    episode = Episode.of_shock(pd.Series([-0.6, 0, 0, -0.6, 0], ASSETS), "1h", 1, 2)
    pooled, apart = (
        cascade(s, episode) for s in (one(book, impact=markets), split(one(book, impact=markets)))
    )
    assert pooled.prices["BTC"].min() < 0.999
    assert apart.prices["BTC"].min() == 1.0
    assert pooled.bad_debt.sum() < apart.bad_debt.sum()


def test_outcomes_of_shocks():
    system = trio()
    found = shocks.run(system, MOVING, -0.3 + LAW.draw(20, np.random.default_rng(2)))
    table = pooling.outcomes(found)
    assert list(table) == list(OUTCOMES)
    assert table["bad_debt"].tolist() == found.bad_debt.tolist()
    assert table["sold"].tolist() == pytest.approx(
        (found.sold.sum(axis=1) / found.debt.sum()).tolist()
    )
    assert (table["closed"] % 1 == 0).all()
    deeper = np.log(found.outside / found.price).mean(axis=1)
    assert table["amplification"].tolist() == pytest.approx(deeper.tolist())
    assert (table["amplification"] > 0).all()
    still = pooling.outcomes(shocks.run(trio(lasting=None), MOVING, np.full((1, 3), -0.4)))
    assert still["amplification"].tolist() == pytest.approx([0.0], abs=1e-12)


def test_comparison_by_hand():
    system = one(books(np.random.default_rng(5)), impact=Impact(depth()))
    laws = levels(WILD, [0.2, 0.9])
    table = compare(system, laws, 150, np.random.default_rng(7), JUMP)
    assert table[["correlation", "outcome"]].to_numpy().tolist() == [
        [rho, outcome] for rho in (0.2, 0.9) for outcome in OUTCOMES
    ]
    seed = int(np.random.default_rng(7).integers(2**32))
    rows = table.set_index(["correlation", "outcome"])
    for rho, law in laws.items():  # both levels and both systems see the same draws
        moves = law.draw(150, np.random.default_rng(seed))
        for name, system_of in (("pooled", system), ("split", split(system))):
            means = pooling.outcomes(shocks.run(system_of, MOVING, moves, JUMP)).mean()
            means["closed"] /= len(system_of.layout.owed)
            for outcome in OUTCOMES:
                assert rows.loc[(rho, outcome), name] == pytest.approx(means[outcome], rel=1e-12)
    np.testing.assert_allclose(table["difference"], table["pooled"] - table["split"], atol=1e-15)
    assert (table["low"] <= table["difference"]).all()
    assert (table["difference"] <= table["high"]).all()
    assert (table["differs"] == ((table["low"] > 0) | (table["high"] < 0))).all()
    assert rows.loc[(0.2, "bad_debt"), "differs"]
    assert rows.loc[(0.2, "bad_debt"), "difference"] < 0
    again = compare(system, laws, 150, np.random.default_rng(7), JUMP)
    pd.testing.assert_frame_equal(table, again)


def test_intervals_are_those_of_paired_differences():
    system = one(books(np.random.default_rng(5)))
    law = levels(WILD, [0.7])[0.7]
    table = compare(system, {0.7: law}, 200, np.random.default_rng(3), JUMP).set_index("outcome")
    moves = law.draw(200, np.random.default_rng(int(np.random.default_rng(3).integers(2**32))))
    both = [shocks.run(s, MOVING, moves, JUMP).bad_debt for s in (system, split(system))]
    gap = both[0] - both[1]
    half = 1.645 * gap.std(ddof=1) / 200**0.5
    row = table.loc["bad_debt"]
    assert row["high"] - row["low"] == pytest.approx(2 * half, rel=0.2)
    unpaired = 1.645 * np.hypot(both[0].std(), both[1].std()) / 200**0.5
    assert half < 0.8 * unpaired


def differences(*gaps, rho=(0.0, 0.3, 0.6, 0.9)):
    rows = [(r, "sold", gap) for r, gap in zip(rho, gaps, strict=True)]
    rows += [(r, "closed", 1.0) for r in rho]
    table = pd.DataFrame(rows, columns=["correlation", "outcome", "difference"])
    return table.sample(frac=1.0, random_state=1)


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ((-2.0, -1.0, 1.0, 4.0), 0.45),
        ((-3.0, 1.0, 1.0, 1.0), 0.225),
        ((4.0, 3.0, 2.0, -1.0), 0.8),
        ((-1.0, 1.0, -1.0, 1.0), 0.15),  # the first
    ],
)
def test_the_turn_by_hand(gaps, expected):
    assert turn(differences(*gaps), "sold") == pytest.approx(expected)


@pytest.mark.parametrize("gaps", [(1.0, 2.0, 3.0, 4.0), (-1.0, -1.0, -1.0, -1.0), (0.0,) * 4])
def test_no_turn(gaps):
    assert np.isnan(turn(differences(*gaps), "sold"))
    assert np.isnan(turn(differences(*gaps), "closed"))


def test_a_turn_exactly_at_a_level():
    assert turn(differences(-1.0, 0.0, 1.0, 2.0), "sold") == pytest.approx(0.3)


def test_levels_of_correlation():
    made = levels(LAW, [0.0, 0.5, 0.99])
    assert list(made) == [0.0, 0.5, 0.99]
    for rho, law in made.items():
        assert law.sigma.tolist() == pytest.approx(LAW.sigma.tolist())
        correlation = law.covariance / np.outer(law.sigma, law.sigma)
        assert correlation[np.triu_indices(3, 1)].tolist() == pytest.approx([rho] * 3)
        assert np.linalg.eigvalsh(law.covariance)[0] > 0
        assert (law.nu, list(law.assets)) == (LAW.nu, MOVING)
    with pytest.raises(ParameterError, match=r"a correlation of 1 leaves no law.*0\.99"):
        levels(LAW, [0.5, 1.0])
    for bad in (-0.1, 1.1):
        with pytest.raises(ParameterError, match=r"correlation is .* give a fraction in \[0, 1\]"):
            levels(LAW, [bad])
    many = Law([str(n) for n in range(12)], np.eye(12))
    assert np.linalg.eigvalsh(levels(many, [0.3])[0.3].covariance)[0] == pytest.approx(0.7)


def test_nothing_is_gained_where_there_is_nothing_to_pool():
    system = one(singles(np.random.default_rng(6)))
    gain = borrowing_gain(system, WILD, 200, np.random.default_rng(0), unfolding=JUMP)
    assert gain == pytest.approx(0.0, abs=0.7 / 2**8)


def test_the_gain_is_what_makes_both_lose_alike():
    book = books(np.random.default_rng(6))
    system, count = one(book), 300
    law = levels(WILD, [0.2])[0.2]
    gain = borrowing_gain(system, law, count, np.random.default_rng(0), unfolding=JUMP)
    assert 0.01 < gain < 0.24
    moves = law.draw(count, np.random.default_rng(0))

    def worst(one_of):
        return np.sort(shocks.run(one_of, MOVING, moves, JUMP).bad_debt)[-15:].mean()

    wanted, step = worst(split(system)), 0.7 / 2**8
    assert worst(pooling.scaled(system, 1 + gain - step)) < wanted
    assert worst(pooling.scaled(system, 1 + gain + step)) > wanted
    more = borrowing_gain(system, law, count, np.random.default_rng(0), unfolding=JUMP, steps=12)
    assert more == pytest.approx(gain, abs=step)


def test_scaled_debts():
    system = trio()
    more = pooling.scaled(system, 1.1)
    assert more.debt == pytest.approx({name: 1.1 * debt for name, debt in system.debt.items()})
    np.testing.assert_allclose(more.layout.health, system.layout.health / 1.1, rtol=1e-12)
    with pytest.raises(ParameterError, match="factor is 0"):
        pooling.scaled(system, 0.0)


def test_a_gain_that_nobody_can_tell():
    """Where even the worst shocks cost nothing, any debt is as good as another."""
    system = one(singles(np.random.default_rng(6)))
    tiny = replace(LAW, covariance=1e-8 * LAW.covariance)
    assert np.isnan(borrowing_gain(system, tiny, 50, np.random.default_rng(0)))


def test_borrowers_answer_alike_pooled_and_split():
    """The attentive are the same people, and what each set aside is the same."""
    system = trio(world=World(borrowers=Borrowers(attentive=0.5, budget=0.1)), shape=APART)
    apart = split(system)
    assert sum(apart.debt.values()) == pytest.approx(sum(system.debt.values()))
    labels = [np.concatenate([v.users for v in s.venues]) for s in (system, apart)]
    means = []
    for one_of, label in zip((system, apart), labels, strict=True):
        layout = one_of.layout
        wallet = one_of.world.borrowers.means(np.bincount(layout.users, layout.owed))
        means.append(pd.Series(wallet[layout.users], label).groupby(level=0).first())
    pd.testing.assert_series_equal(*means)
