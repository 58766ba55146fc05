"""What an account knows of itself, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from tests.liquidation.engines.samples import draw, single
from xcoll.errors import ParameterError
from xcoll.liquidation.engines import Account, settle


def test_values_in_dollars_with_prices_of_their_own_on_either_side():
    account = Account(
        collateral=np.array([2.0, 1.0]),
        debt=np.array([0.5, 30.0]),
        prices=np.array([90.0, 10.0]),
        debt_prices=np.array([100.0, 1.0]),
        thresholds=np.array([0.5, 0.8]),
    )
    assert account.worth.tolist() == [180.0, 10.0]
    assert account.owed.tolist() == [50.0, 30.0]
    assert (account.total, account.secured) == (80.0, 98.0)
    assert account.health == 98.0 / 80.0


def test_health_is_infinite_without_debt():
    assert single(100.0, 0.0, 0.8).health == np.inf


def test_after_leaves_the_account_as_it_was():
    account = single(100.0, 50.0, 0.8, price=10.0)
    later = account.after(0, 1, seized=4.0, repaid=20.0)
    assert (later.collateral[0], later.debt[1]) == (6.0, 30.0)
    assert (account.collateral[0], account.debt[1]) == (10.0, 50.0)
    assert later.health == 60 * 0.8 / 30


def test_only_debt_without_any_collateral_is_written_off():
    account, _, _ = draw(1)
    same, none = settle(account)
    assert same is account
    assert not none.any()
    bare, deficit = settle(replace(account, collateral=np.zeros(4)))
    assert not bare.debt.any()
    np.testing.assert_array_equal(deficit, account.debt)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("collateral", [1.0, -1.0]),
        ("debt", [np.nan, 1.0]),
        ("debt", [1.0]),
        ("debt_prices", [np.inf, 1.0]),
        ("thresholds", [0.8, 1.1]),
    ],
)
def test_bad_numbers_are_refused_by_name(field, value):
    with pytest.raises(ParameterError, match=rf"^{field} is .*give 2 finite numbers"):
        replace(single(100.0, 50.0, 0.8), **{field: np.array(value)})
