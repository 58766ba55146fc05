import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral import liquidity, thresholds
from xcoll.errors import ParameterError

# an hour to wait, three of the four left to trade
PLAN = pd.DataFrame({"queue": [0.5], "total": [1.5], "horizon": ["4h"]}, ["ETH"])
ADV = pd.Series({"ETH": 8e8})
BONUS = pd.Series({"ETH": 0.05})
POOL = liquidity.ConstantProduct(1e8)


def limits(market=POOL, plan=PLAN, adv=ADV, bonus=BONUS, **changes):
    given = {"participation": 0.1, "keeper_margin": 0.01, "gas_share": 0.001, "protocol_fee": 0.1}
    found = liquidity.limits({"ETH": market}, adv, plan, bonus, **(given | changes))
    assert list(found.columns) == list(liquidity.LIMITS)
    return found.loc["ETH"]


@settings(max_examples=60, deadline=None)
@given(st.floats(0.0, 0.5), st.floats(0.0, 0.05), st.floats(0.0, 0.01), st.floats(0.0, 0.5))
def test_what_a_keeper_bears_is_the_inverse_of_its_bonus(impact, margin, gas, fee):
    bonus = thresholds.keeper_bonus(impact, margin, gas, fee)
    back = liquidity.bearable_impact(bonus, margin, gas, fee)
    assert back == pytest.approx(impact, abs=1e-12)


def test_the_profit_limit_by_hand():
    # (1 + 0.045)(1 − x) = 1.011, x = 0.0325…; a pool loses x at R·x/(1 − x)
    x = 1 - 1.011 / 1.045
    found = limits()
    assert found["keeper's profit"] == pytest.approx(1e8 * x / (1 - x))
    assert np.isinf(found["largest quote"])
    q = found["keeper's profit"]
    assert (1 + 0.05 * 0.9) * (1 - POOL.impact(q)) == pytest.approx(1.011)
    # a dollar more does not pay
    assert (1 + 0.05 * 0.9) * (1 - POOL.impact(q + 1)) < 1.011


def test_a_debt_is_what_the_dollars_buy():
    x = 1 - 1.011 / 1.045
    bought = limits(side="buy")["keeper's profit"]
    assert bought == pytest.approx(1e8 * x)
    # from the other side of the pool: R·p/(R + p) for p dollars, repaid at 1 + LB(1 − f)
    p = bought / (1 - x)
    assert 1e8 * p / (1e8 + p) == pytest.approx(bought)
    assert 1.045 * bought == pytest.approx(1.011 * p)


def test_the_time_limit_by_hand():
    # three hours at a tenth of 800M a day
    assert limits()["clearing time"] == pytest.approx(1e7)
    late = PLAN.assign(total=4.5)
    assert limits(plan=late)["clearing time"] == 0.0
    at_once = limits(plan=PLAN.assign(horizon="24h"))
    assert at_once["clearing time"] == pytest.approx(8e7 * 23 / 24)


def test_quotes_that_end_are_a_limit_of_their_own():
    quotes = liquidity.DepthTable((1e6, 5e6), (0.001, 0.01))
    found = limits(quotes)
    assert found["largest quote"] == 5e6
    assert np.isinf(found["keeper's profit"])
    assert limits(quotes, side="buy")["largest quote"] == pytest.approx(0.99 * 5e6)
    steep = limits(liquidity.DepthTable((1e6, 5e6), (0.001, 0.2)))
    assert np.isinf(steep["largest quote"])
    assert 1e6 < steep["keeper's profit"] < 5e6


def test_a_bonus_that_pays_for_nothing_allows_nothing():
    assert limits(bonus=pd.Series({"ETH": 0.01}))["keeper's profit"] == 0.0
    assert limits(liquidity.DepthTable((1e6,), (0.04,)))["keeper's profit"] == 0.0
    free = limits(bonus=pd.Series({"ETH": 0.0}), keeper_margin=0.0, gas_share=0.0)
    assert free["keeper's profit"] == 0.0  # what costs nothing is not sold, the pool has an impact


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 0.2), st.floats(1.0, 3.0), st.floats(0.1, 1.0))
def test_caps_rise_with_bonus_depth_and_participation(bonus, more, depth):
    at = limits(bonus=pd.Series({"ETH": bonus}))
    assert (limits(bonus=pd.Series({"ETH": bonus * more})) >= at).all()
    assert (limits(POOL.stressed(depth), bonus=pd.Series({"ETH": bonus})) <= at).all()
    assert (limits(bonus=pd.Series({"ETH": bonus}), participation=0.05) <= at).all()


def test_the_smallest_limit_binds():
    table = pd.DataFrame(
        {"clearing time": [3.0, 5.0], "keeper's profit": [4.0, 2.0], "loss budget": [np.inf, 2.0]},
        ["ETH", "BTC"],
    )
    found = liquidity.caps(table)
    assert found["cap_usd"].to_dict() == {"ETH": 3.0, "BTC": 2.0}
    assert found["binding"].to_dict() == {"ETH": "clearing time", "BTC": "keeper's profit"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocol_fee": -0.1}, "protocol fee is -0.1"),
        ({"keeper_margin": -0.01}, "keeper margin is -0.01"),
        ({"gas_share": -0.001}, "gas share is -0.001"),
        ({"participation": 0.0}, "selling rate is 0"),
        ({"bonus": pd.Series({"ETH": -0.01})}, "bonus is -0.01"),
        ({"bonus": pd.Series({"BTC": 0.01})}, r"no bonus of \['ETH'\]"),
        ({"bonus": pd.Series({"ETH": np.nan})}, r"no bonus of \['ETH'\]"),
        ({"adv": pd.Series({"ETH": np.nan})}, r"no volume of \['ETH'\]"),
        ({"adv": pd.Series({"ETH": 0.0})}, "average daily volume is 0"),
        ({"plan": PLAN.rename({"ETH": "BTC"})}, r"no close-out of \['ETH'\]"),
        ({"side": "hold"}, "side is 'hold'; choose one of 'sell', 'buy'"),
    ],
)
def test_bad_limits_are_named(changes, words):
    with pytest.raises(ParameterError, match=words):
        limits(**changes)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "clearing time of ETH is nan"),
        (-1.0, "clearing time of ETH is -1; give dollars"),
        (np.inf, r"nothing limits \['ETH'\]"),
    ],
)
def test_bad_caps_are_named(value, words):
    with pytest.raises(ParameterError, match=words):
        liquidity.caps(pd.DataFrame({"clearing time": [value]}, ["ETH"]))


def test_curves_end_with_the_quotes():
    quotes = liquidity.DepthTable((1e6, 5e6), (0.001, 0.01))
    law = liquidity.SquareRoot(1.0, 1e6)
    found = liquidity.curves({"ETH": quotes, "BTC": law}, np.array([1e5, 1e6, 5e6, 6e6]))
    assert found["ETH"].tolist()[:3] == [0.001, 0.001, 0.01]
    assert np.isnan(found.loc[6e6, "ETH"])
    assert found["BTC"].notna().tolist() == [True, False, False, False]
    assert found.index.name == "size_usd"
