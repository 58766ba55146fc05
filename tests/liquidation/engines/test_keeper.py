"""What holds for every engine whose accounts are closed by keepers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.engines.samples import ENGINES, at_health, draw
from xcoll.liquidation.engines import Aave, Account, Euler, keeper, serve

every_engine = pytest.mark.parametrize("make", ENGINES.values(), ids=ENGINES)
seeds = st.integers(0, 2**32 - 1)


def world(make, seed):
    account, bonuses, fees = draw(seed)
    return make(account.thresholds, bonuses, fees), account


@every_engine
@settings(max_examples=80, deadline=None)
@given(seed=seeds)
def test_units_are_conserved_and_nothing_is_negative(make, seed):
    engine, account = world(make, seed)
    result = serve(engine, account)
    seized, repaid = np.zeros(4), np.zeros(4)
    for step in result.calls:
        seized[step.collateral] += step.seized
        repaid[step.debt] += step.repaid
        assert min(step.repaid, step.seized) > 0
        assert 0 <= step.fee < step.seized
    np.testing.assert_allclose(result.collateral + seized, account.collateral, rtol=1e-12)
    np.testing.assert_allclose(result.debt + repaid + result.deficit, account.debt, rtol=1e-12)
    assert min(result.collateral.min(), result.debt.min(), result.deficit.min()) >= 0
    assert not (result.deficit.any() and result.collateral.any())


@every_engine
@settings(max_examples=80, deadline=None)
@given(seed=seeds)
def test_every_call_pays_its_price_and_no_bonus_on_what_is_not_there(make, seed):
    engine, account = world(make, seed)
    for step in serve(engine, account).calls:
        k, j = step.collateral, step.debt
        assert step.seized <= account.collateral[k]
        assert step.repaid <= account.debt[j]
        seized, repaid = step.seized * account.prices[k], step.repaid * account.debt_prices[j]
        assert seized == pytest.approx(repaid * engine.incentive(account, k), rel=1e-12)
        bonus = (step.seized - repaid / account.prices[k]) * engine.fees[k]
        assert step.fee == pytest.approx(bonus, rel=1e-9, abs=1e-12 * step.seized)
        account = account.after(k, j, step.seized, step.repaid)


@every_engine
@settings(max_examples=80, deadline=None)
@given(seed=seeds)
def test_ends_healthy_or_with_nothing_left_to_take(make, seed):
    engine, account = world(make, seed)
    result = serve(engine, account)
    left = replace(account, collateral=result.collateral, debt=result.debt)
    assert result.calls
    assert not engine.liquidatable(left)
    assert left.total == 0 or left.collateral.any()


@every_engine
@settings(max_examples=80, deadline=None)
@given(seed=seeds)
def test_health_improves_exactly_above_the_frontier_of_the_pair(make, seed):
    engine, account = world(make, seed)
    for step in serve(engine, account).calls:
        k, j = step.collateral, step.debt
        frontier = account.thresholds[k] * engine.incentive(account, k)
        later = account.after(k, j, step.seized, step.repaid)
        if later.total > 0:
            repaid = step.repaid * account.debt_prices[j]
            change = repaid * (account.health - frontier) / (account.total - repaid)
            assert later.health == pytest.approx(account.health + change, rel=1e-9)
            assert (later.health > account.health) == (account.health > frontier)
        account = later


@every_engine
@settings(max_examples=50, deadline=None)
@given(seed=seeds, health=st.floats(1 + 1e-9, 5))
def test_a_healthy_account_is_left_alone(make, seed, health):
    engine, account = world(make, seed)
    healthy = at_health(account, health)
    assert not engine.liquidatable(healthy)
    assert not any(engine.repayment(healthy, k, j) for k in range(4) for j in range(4))
    result = serve(engine, healthy)
    assert result.calls == ()
    np.testing.assert_array_equal(result.debt, healthy.debt)


@every_engine
@settings(max_examples=80, deadline=None)
@given(seed=seeds, share=st.floats(0, 2))
def test_a_keeper_never_repays_more_than_it_wants_nor_than_the_rules_let_it(make, seed, share):
    engine, account = world(make, seed)
    for k in range(4):
        for j in range(4):
            limit = engine.repayment(account, k, j)
            bound = min(account.owed[j], account.worth[k] / engine.incentive(account, k))
            assert 0 <= limit <= bound
            most = share * limit
            assert 0 <= engine.repayment(account, k, j, most) <= min(limit, most)
            assert engine.repayment(account, k, j, limit) == limit


@every_engine
@settings(max_examples=50, deadline=None)
@given(seed=seeds)
def test_what_is_cleared_is_cleared_to_the_last_bit(make, seed):
    engine, account = world(make, seed)
    for k in np.flatnonzero(account.worth):
        for j in np.flatnonzero(account.owed):
            all_held = account.worth[k] / engine.incentive(account, k)
            assert keeper.fill(engine, account, k, j, all_held).seized == account.collateral[k]
            assert keeper.fill(engine, account, k, j, account.owed[j]).repaid == account.debt[j]


@every_engine
@settings(max_examples=50, deadline=None)
@given(seed=seeds)
def test_the_keeper_takes_the_pair_that_pays_most(make, seed):
    engine, account = world(make, seed)
    profits = {}
    for k in range(4):
        for j in range(4):
            step = keeper.fill(engine, account, k, j, engine.repayment(account, k, j))
            gain = (step.seized - step.fee) * account.prices[k]
            profits[k, j] = gain - step.repaid * account.debt_prices[j]
    step = keeper.call(engine, account)
    best = max(profits.values())
    assert profits[step.collateral, step.debt] == pytest.approx(best, rel=1e-9)


def test_of_equal_profits_the_first_pair_counts_collaterals_before_debts():
    account = Account(
        np.array([50.0, 50.0, 0.0, 0.0]),
        np.array([0.0, 0.0, 60.0, 60.0]),
        np.ones(4),
        np.ones(4),
        np.array([0.5, 0.5, 0.0, 0.0]),
    )
    none = np.zeros(4)
    first = keeper.call(Aave(account.thresholds, np.array([0.05, 0.05, 0, 0]), none), account)
    assert (first.collateral, first.debt) == (0, 2)
    better = Aave(account.thresholds, np.array([0.05, 0.10, 0, 0]), none)
    assert keeper.call(better, account).collateral == 1
    # A fee that eats most of the better bonus turns the choice.
    taxed = Aave(account.thresholds, better.bonuses, np.array([0.0, 0.9, 0, 0]))
    assert keeper.call(taxed, account).collateral == 0


def test_without_a_bonus_or_with_all_of_it_as_fee_nobody_comes():
    account = Account(np.array([10.0, 0]), np.array([0, 7_500.0]), *2 * [np.array([500.0, 1])],
                      np.array([0.825, 0]))  # fmt: skip
    for bonus, fee in ((0.0, 0.0), (0.05, 1.0)):
        engine = Aave(account.thresholds, np.array([bonus, 0]), np.array([fee, 0]))
        result = serve(engine, account)
        assert result.calls == ()
        assert result.debt[1] == 7_500
        assert not result.deficit.any()


@pytest.mark.parametrize("other", [Aave, Euler])
def test_toxic_pair_lowers_health(other):
    """Methods section 5: LTV 72.5 %, HF 0.855, and seizing the better asset lowers it."""
    account = Account(
        np.array([100.0, 100.0, 0.0]),
        np.array([0.0, 0.0, 145.0]),
        np.ones(3),
        np.ones(3),
        np.array([0.41, 0.83, 0.0]),
    )
    rates = np.array([0.05, 0.05, 0.0])
    engine = Aave(account.thresholds, rates, 0 * rates)
    if other is Euler:
        engine = Euler(account.thresholds, rates / 1.05)
    assert account.total / account.worth.sum() == 0.725
    assert account.health == pytest.approx(0.855, abs=5e-4)
    for k, improves in ((0, True), (1, False)):
        assert engine.incentive(account, k) == pytest.approx(1.05)
        step = keeper.fill(engine, account, k, 2, repay=10.0)
        later = account.after(k, 2, step.seized, step.repaid)
        assert (later.health > account.health) is improves
        assert bool(account.health > account.thresholds[k] * 1.05) is improves
