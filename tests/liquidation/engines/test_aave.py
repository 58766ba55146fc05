"""Aave: worked numbers, the close factor, and dust."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.engines.samples import draw, single
from xcoll.errors import ParameterError
from xcoll.liquidation.engines import Aave, Account, aave, keeper, serve

BONUSES, NONE = np.array([0.05, 0.0]), np.zeros(2)


def weth(price, fee=0.0):
    """Example account of the methods: 10 WETH, LT 0.825, LB 5 %, a debt of 7,500."""
    account = single(10 * price, 7_500.0, 0.825, price)
    return account, serve(Aave(account.thresholds, BONUSES, np.array([fee, 0.0])), account)


def pair(collateral, debt, total, health):
    """An account with these dollars in asset 0 and debt 1, and the rest in two other assets."""
    account = Account(
        np.array([collateral, 0.0, 0.0, 2 * health * total]),
        np.array([0.0, debt, total - debt, 0.0]),
        np.ones(4),
        np.ones(4),
        np.array([0.0, 0.0, 0.0, 0.5]),
    )
    assert account.health == pytest.approx(health, rel=1e-15)
    return Aave(account.thresholds, np.array([0.05, 0, 0, 0.05]), np.zeros(4)), account


def test_worked_example_at_health_099():
    account, result = weth(900)
    (step,) = result.calls
    assert account.health == pytest.approx(0.99)
    assert (step.repaid, step.seized, step.fee) == (3_750.0, 4.375, 0.0)
    later = account.after(0, 1, step.seized, step.repaid)
    assert later.health == pytest.approx(1.11375, abs=1e-12)
    assert not result.deficit.any()


def test_worked_example_under_water():
    _, result = weth(500)
    (step,) = result.calls
    assert step.repaid == pytest.approx(4_761.904762, abs=5e-7)
    assert step.seized == 10.0
    assert result.deficit[1] == pytest.approx(2_738.095238, abs=5e-7)
    assert not result.debt.any()
    assert not result.collateral.any()


def test_the_fee_is_a_share_of_the_bonus_only():
    _, result = weth(900, fee=0.1)
    (step,) = result.calls
    assert step.seized == 4.375
    assert step.fee == pytest.approx(0.1 * (4.375 - 3_750 / 900), rel=1e-12)


@pytest.mark.parametrize(
    ("collateral", "debt", "total", "health", "repaid"),
    [
        (20_000, 10_000, 10_000, 0.96, 5_000),  # half of the whole position
        (20_000, 6_000, 10_000, 0.96, 5_000),  # half of the position, not of the reserve
        (20_000, 4_000, 10_000, 0.96, 4_000),  # a reserve under that half goes whole
        (20_000, 10_000, 10_000, 0.95, 10_000),  # at 0.95 the reserve goes whole
        (20_000, 1_999, 3_000, 0.96, 1_999),  # under $2,000 of debt: all, though half is 1,500
        (1_999, 9_000, 10_000, 0.96, 1_999 / 1.05),  # under $2,000 of collateral: all of it
        (3_000, 9_000, 20_000, 0.90, 3_000 / 1.05),  # capped by the balance
        (20_000, 2_500, 4_000, 0.96, 1_500),  # 2,000 would leave $500 of debt
        (3_200, 6_000, 6_000, 0.96, 2_200 / 1.05),  # 3,000 would leave $50 of collateral
        (20_000, 10_000, 10_000, 1.00, 0),  # healthy
    ],
)
def test_largest_repayment(collateral, debt, total, health, repaid):
    engine, account = pair(collateral, debt, total, health)
    assert engine.repayment(account, 0, 1) == pytest.approx(repaid)


@pytest.mark.parametrize(
    ("collateral", "debt", "health", "most", "repaid"),
    [
        (20_000, 10_000, 0.90, 4_000, 4_000),
        (20_000, 10_000, 0.90, 9_500, 9_000),  # 9,500 would leave $500 of debt
        (10_600, 10_500, 0.90, 10_000, 9_600 / 1.05),  # 10,000 would leave $100 of collateral
        (20_000, 10_000, 0.96, 7_000, 5_000),  # the close factor is less
        (20_000, 900, 0.90, 900, 900),  # clears the debt
        (20_000, 900, 0.90, 899, 0),  # neither clears it nor leaves enough
        (1_050, 5_000, 0.90, 1_000, 1_000),  # clears the collateral
        (1_050, 5_000, 0.90, 999, 50 / 1.05),  # or leaves $1,000 of it
        (1_000, 5_000, 0.90, 900, 0),
        (20_000, 10_000, 0.90, 0, 0),
    ],
)
def test_largest_repayment_of_a_keeper_with_less(collateral, debt, health, most, repaid):
    engine, account = pair(collateral, debt, debt, health)
    assert engine.repayment(account, 0, 1, most) == pytest.approx(repaid)


@settings(max_examples=300, deadline=None)
@given(
    collateral=st.floats(100, 10_000),
    debt=st.floats(100, 10_000),
    other=st.floats(0, 10_000),
    health=st.sampled_from([0.9, 0.97]),
    most=st.floats(0, 12_000),
)
def test_no_admissible_amount_is_larger(collateral, debt, other, health, most):
    engine, account = pair(collateral, debt, debt + other, health)
    repay = engine.repayment(account, 0, 1, most)
    limit = min(debt, most)
    if health > 0.95 and min(collateral, debt) >= 2_000:
        limit = min(limit, (debt + other) / 2)
    clears = np.array([debt, collateral / 1.05])
    amounts = np.concatenate([np.linspace(0, limit, 20_001), clears[clears <= limit]])
    left, owed = collateral - 1.05 * amounts, debt - amounts
    cleared = np.isin(amounts, clears)
    good = (left >= -1e-9) & (cleared | (np.minimum(left, owed) >= 1_000) | (amounts == 0))
    assert repay <= limit
    assert repay == pytest.approx(amounts[good].max(), abs=limit / 20_000 + 1e-9)
    assert repay >= amounts[good].max() - 1e-9


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.01, 1))
def test_no_dust_is_left_beside_what_stays(seed, share):
    account, bonuses, fees = draw(seed)
    engine = Aave(account.thresholds, bonuses, fees)
    for k in np.flatnonzero(account.worth):
        for j in np.flatnonzero(account.owed):
            most = share * engine.repayment(account, k, j)
            repay = engine.repayment(account, k, j, most)
            step = keeper.fill(engine, account, k, j, repay)
            later = account.after(k, j, step.seized, step.repaid)
            cleared = later.collateral[k] == 0 or later.debt[j] == 0
            left = min(later.worth[k], later.owed[j])
            assert repay == 0 or cleared or left >= 1_000 * (1 - 1e-9)


def test_bad_rules_are_refused():
    with pytest.raises(ParameterError, match="close_factor is 0"):
        aave.Rules(close_factor=0)
    with pytest.raises(ParameterError, match="full_close_below"):
        aave.Rules(full_close_below=500)  # under the leftover: calls could leave nothing to repay
    with pytest.raises(ParameterError, match="bonuses is"):
        Aave(NONE, np.array([-0.05, 0.0]), NONE)
    with pytest.raises(ParameterError, match="fees is"):
        Aave(NONE, BONUSES, np.zeros(3))
