import numpy as np
import pandas as pd
import pytest

from xcoll.collateral import baskets
from xcoll.collateral.baskets import account, tail_weights
from xcoll.errors import ParameterError
from xcoll.estimators import tail


def test_legs_that_follow_one_price_share_a_column():
    found = account(
        {"wstETH": 0.7, "BTC": 0.3, "ETH": -0.5, "USDC": 0.0}, {"wstETH": "ETH", "WBTC": "BTC"}
    )
    assert found.weights.to_dict() == {"wstETH": 0.7, "BTC": 0.3, "ETH": -0.5}
    assert found.assets == ["ETH", "BTC"]
    assert found.column.tolist() == [0, 1, 0]
    np.testing.assert_allclose(found.net, [0.2, 0.3])
    assert found.held.tolist() == [True, True, False]


@pytest.mark.parametrize("name", baskets.ACCOUNTS)
def test_sample_accounts_are_accounts(name):
    assert account(baskets.ACCOUNTS[name]).weights.clip(lower=0.0).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"BTC": 0.5, "ETH": 0.4}, "sums to 0.9; give fractions"),
        ({"BTC": 50.0, "ETH": 50.0}, "sums to 100"),
        ({"BTC": -1.0}, "sums to 0"),
        ({}, "sums to 0"),
        ({"BTC": 1.0, "ETH": np.nan}, "weight of ETH is nan"),
        ({"BTC": 1.0, "ETH": -np.inf}, "weight of ETH is -inf"),
        (pd.Series([0.5, 0.5], ["BTC", "BTC"]), "names BTC twice"),
    ],
)
def test_faulty_weights_are_refused(weights, words):
    with pytest.raises(ParameterError, match=words):
        account(weights)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.975, 0.99, 0.999])
def test_tail_weights_are_the_es(confidence):
    losses = np.random.default_rng(0).standard_t(3, 777)
    weights = tail_weights(losses, confidence)
    assert weights.sum() == pytest.approx(1.0, abs=1e-14)
    assert weights @ losses == pytest.approx(tail.historical(losses, confidence).es, abs=1e-13)
    assert (weights >= 0.0).all()


def test_equal_losses_on_the_edge_weigh_alike():
    # ten losses at 75 %: two and a half of them, one beyond the edge and three on it
    weights = tail_weights(np.array([0, 2, 0, 2, 0, 2, 0, 3, 0, 0.0]), 0.75)
    np.testing.assert_allclose(weights[[1, 3, 5]], 0.5 / 2.5)
    assert weights[7] == pytest.approx(1 / 2.5)
