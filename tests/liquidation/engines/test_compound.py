"""Compound: absorption, the storefront, and the factor that pays a given bonus."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.engines.samples import at_health, draw, single
from xcoll.errors import ParameterError
from xcoll.liquidation.engines import compound

LF = np.array([0.95, 0.0])


def test_the_storefront_sells_at_its_discount():
    assert compound.ask(200.0, 0.6, 0.5) == pytest.approx(160.0)
    assert compound.buy(200.0, 200.0, 0.6, 0.5) == pytest.approx(1.25)


def test_absorb_takes_the_whole_account_and_credits_what_is_over():
    absorbed = compound.absorb(single(1_000.0, 900.0, 0.895, price=100.0), LF)
    assert (absorbed.extinguished, absorbed.credit) == (900.0, pytest.approx(50.0))
    assert absorbed.seized.tolist() == [10.0, 0.0]


def test_reserves_bear_what_the_credit_does_not_cover():
    absorbed = compound.absorb(single(900.0, 1_000.0, 0.895), LF)
    assert (absorbed.extinguished, absorbed.credit) == (1_000.0, 0.0)


def test_liquidatable_under_the_liquidate_factor_only():
    assert not compound.liquidatable(single(1_000.0, 895.0, 0.895))
    assert compound.liquidatable(single(1_000.0, 895.01, 0.895))


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), health=st.floats(0.2, 3))
def test_dollars_are_conserved_and_the_healthy_are_left_alone(seed, health):
    account, bonuses, _ = draw(seed)
    account = at_health(account, health)
    factors = 1 - bonuses
    absorbed = compound.absorb(account, factors)
    if not compound.liquidatable(account):
        assert account.health >= 1
        assert (absorbed.extinguished, absorbed.credit) == (0.0, 0.0)
        assert not absorbed.seized.any()
        return
    credited = float((account.worth * factors).sum())
    assert absorbed.extinguished == account.total
    assert absorbed.credit >= 0
    paid = absorbed.extinguished + absorbed.credit
    assert paid == pytest.approx(max(account.total, credited), rel=1e-12)
    np.testing.assert_array_equal(absorbed.seized, account.collateral)


@given(bonus=st.floats(0, 0.3), storefront=st.floats(0.3, 1), price=st.floats(1e-3, 1e6))
def test_the_factor_of_a_bonus_pays_it(bonus, storefront, price):
    factor = compound.liquidation_factor(bonus, storefront)
    assert 0 <= factor <= 1
    units = compound.buy(1_000.0, price, factor, storefront)
    assert units * price == pytest.approx(1_000 * (1 + bonus), rel=1e-12)


def test_a_bonus_beyond_the_storefront_is_refused():
    with pytest.raises(ParameterError, match=r"discount of 0.2, above the storefront factor 0.1"):
        compound.liquidation_factor(0.25, 0.1)
    assert compound.liquidation_factor(0.0, 0.0) == 1.0


def test_bad_numbers_are_refused():
    with pytest.raises(ParameterError, match="liquidation is"):
        compound.absorb(single(900.0, 1_000.0, 0.895), np.array([0.95]))
    with pytest.raises(ParameterError, match="price is 0"):
        compound.ask(0.0, 0.6, 0.5)
    with pytest.raises(ParameterError, match="gives the collateral away"):
        compound.buy(1.0, 200.0, 0.0, 1.0)
