import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral import haircuts, thresholds
from xcoll.collateral.haircuts import PARTS
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import ParameterError

PART = st.floats(1e-6, 0.6)


def row(values):
    return pd.DataFrame([values], columns=list(PARTS), index=["ETH"], dtype=float)


def parameters(**changes):
    values = {"ltv": 0.7, "threshold": 0.8, "bonus": 0.05, "protocol_fee": 0.1} | changes
    return pd.DataFrame([values], index=["ETH"])


def test_bonus_solves_the_keeper_condition():
    # (1 + LB)(1 − 0.02) = 1.02 → LB = 4.0816… %
    assert thresholds.keeper_bonus(0.02, 0.02) == pytest.approx(1.02 / 0.98 - 1, rel=1e-14)


@settings(max_examples=80, deadline=None)
@given(st.floats(0.0, 0.9), st.floats(0.0, 0.1), st.floats(0.0, 0.1), st.floats(0.0, 0.9))
def test_keeper_breaks_even_at_the_bonus_exactly(impact, margin, gas, fee):
    bonus = thresholds.keeper_bonus(impact, margin, gas, fee)
    kept = (1 + bonus * (1 - fee)) * (1 - impact)
    assert kept == pytest.approx(1 + gas + margin, rel=1e-12)
    assert thresholds.keeper_bonus(impact, margin + 0.01, gas, fee) > bonus


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-0.01, 0.01), "impact is -0.01"),
        ((0.01, -0.01), "keeper margin is -0.01"),
        ((0.01, 0.01, -0.01), "gas share is -0.01"),
        ((0.01, 0.01, 0.0, -0.1), "protocol fee is -0.1"),
        ((0.01, 0.01, 0.0, 1.0), "no bonus pays"),
        ((1.0, 0.01), "no bonus pays"),
        ((2.0, 0.01), r"impact is 2.*0\.02"),
    ],
)
def test_fees_and_impacts_out_of_range_are_refused(arguments, message):
    with pytest.raises(ParameterError, match=message):
        thresholds.keeper_bonus(*arguments)


def test_the_cost_of_selling_is_counted_once():
    parts = row([0.2, 0.03, 0.005, 0.01, 0.002])
    bonus = pd.Series({"ETH": 0.05})
    keeper = thresholds.threshold(parts, bonus, "keeper")["ETH"]
    assert keeper == pytest.approx(0.8 * 0.995 * 0.99 * 0.998 / 1.05, rel=1e-14)
    assert keeper == thresholds.threshold(parts.assign(liquidity=0.3), bonus, "keeper")["ETH"]
    venue = thresholds.threshold(parts, bonus, "venue")["ETH"]
    assert venue == 1 - haircuts.haircut(parts)["ETH"]
    with pytest.raises(ParameterError, match="'broker'; choose one of 'keeper', 'venue'"):
        thresholds.threshold(parts, bonus, "broker")
    with pytest.raises(ParameterError, match=r"bonus of ETH is -0\.01"):
        thresholds.threshold(parts, pd.Series({"ETH": -0.01}))
    with pytest.raises(ParameterError, match="bonus of ETH is nan"):
        thresholds.threshold(parts, pd.Series({"BTC": 0.05}))


@settings(max_examples=80, deadline=None)
@given(PART, PART, st.floats(0, 0.1), st.floats(0, 0.1), st.floats(0, 0.1), st.floats(0, 1))
def test_the_set_is_consistent_whatever_the_parts(market, impact, oracle, basis, contract, q):
    parts = row([market, impact, oracle, basis, contract])
    bonus = pd.Series({"ETH": thresholds.keeper_bonus(impact, 0.01, 0.001, 0.1)})
    LT = thresholds.threshold(parts, bonus)
    LTV = thresholds.loan_to_value(LT, pd.Series({"ETH": q}))
    assert LT["ETH"] * (1 + bonus["ETH"]) < 1
    assert 0 <= LTV["ETH"] <= LT["ETH"]
    more = thresholds.threshold(parts.assign(market=market + 0.1), bonus)
    assert more["ETH"] < LT["ETH"]


def test_a_recommendation_must_be_consistent_and_a_published_set_is_warned_about():
    assert RiskParameters(parameters()).faults == []
    assert RiskParameters(parameters(ltv=0.8)).faults == []  # LTV = LT, as on Morpho Blue
    toxic = parameters(threshold=0.96, ltv=0.9)
    with pytest.raises(ParameterError, match=r"refused: ETH: threshold·\(1 \+ bonus\) is 1\.0080"):
        RiskParameters(toxic)
    assert len(RiskParameters(toxic, recommended=False).faults) == 1
    above = parameters(ltv=0.81)
    with pytest.raises(ParameterError, match=r"LTV 0\.8100 is above its threshold 0\.8000"):
        RiskParameters(above)
    assert len(RiskParameters(above, recommended=False).faults) == 1


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (parameters(threshold=1.2), "threshold of ETH is 1.2; give a fraction"),
        (parameters(bonus=-0.05), "bonus of ETH is -0.05"),
        (parameters(protocol_fee=-0.1), "protocol_fee of ETH is -0.1"),
        (parameters(ltv=math.nan), "ltv of ETH is nan"),
        (parameters(ltv=math.inf), "ltv of ETH is inf"),
        (parameters().drop(columns="bonus"), r"lack the columns \['bonus'\]"),
        (parameters().iloc[:0], "at least one asset"),
        (pd.concat([parameters(), parameters()]), "one row an asset"),
    ],
)
def test_bad_parameters_are_named(frame, message):
    for recommended in (True, False):
        with pytest.raises(ParameterError, match=message):
            RiskParameters(frame, recommended=recommended)


def test_other_thresholds_keep_the_distance_of_the_ltv():
    base = RiskParameters(parameters())
    moved = base.with_thresholds(pd.Series({"ETH": 0.9}))
    assert moved.frame.loc["ETH", "ltv"] == pytest.approx(0.7 * 0.9 / 0.8)
    assert not moved.recommended
    assert moved.assets == ["ETH"]


def test_seizing_the_better_asset_lowers_health():
    LT, LB = np.array([0.41, 0.83]), np.array([0.05, 0.05])
    collateral, debt = np.array([[100.0, 100.0]]), np.array([145.0])
    health = (collateral @ LT / debt)[0]
    assert debt[0] / collateral.sum() == pytest.approx(0.725)
    assert health == pytest.approx(0.855, abs=5e-4)
    verdict = thresholds.toxic(collateral, debt, LT, LB)[0]
    assert verdict.tolist() == [False, True]
    for k in range(2):  # the definition itself: liquidate one dollar and look at the health
        seized = collateral[0].copy()
        seized[k] -= 1.0 * (1 + LB[k])
        after = seized @ LT / (debt[0] - 1.0)
        assert (after < health) == verdict[k]


def test_toxic_pairs_find_the_better_asset_of_the_example():
    frame = pd.concat(
        {
            "poor": parameters(ltv=0.3, threshold=0.41).loc["ETH"],
            "good": parameters(ltv=0.7, threshold=0.83).loc["ETH"],
            "best": parameters(ltv=0.7, threshold=0.90).loc["ETH"],
        },
        axis=1,
    ).T
    verdict = thresholds.toxic_pairs(RiskParameters(frame), 124 / 145)
    assert verdict.loc["good", "poor"]
    assert not verdict.loc["poor", "good"]
    assert verdict.loc["best", "good"]
    assert not np.diag(verdict).any()
    assert not thresholds.toxic_pairs(RiskParameters(frame), 1.0).any(axis=None)
    with pytest.raises(ParameterError, match="health is 0"):
        thresholds.toxic_pairs(RiskParameters(frame), 0.0)


def test_what_is_not_held_or_not_owed_is_not_toxic():
    verdict = thresholds.toxic(
        np.array([[10.0, 0.0], [10.0, 5.0]]), np.array([100.0, 0.0]), [0.8, 0.8], [0.05, 0.05]
    )
    assert verdict.tolist() == [[True, False], [False, False]]


def test_single_collateral_is_toxic_from_one_over_one_plus_bonus():
    debt = np.array([0.9523, 0.9525])  # 1/1.05 = 0.95238
    verdict = thresholds.toxic(np.ones((2, 1)), debt, [0.8], [0.05])
    assert verdict[:, 0].tolist() == [False, True]


def test_smart_ltv_matches_its_published_form():
    assert thresholds.smart_ltv(0.10, 1e6, 2e5, 3, 0.05) == pytest.approx(0.8244465748, abs=5e-11)
    assert thresholds.smart_ltv(5.0, 1e6, 2e5, 3, 0.05) == 0.0
    with pytest.raises(ParameterError, match="liquidity is 0"):
        thresholds.smart_ltv(0.10, 0.0, 2e5, 3, 0.05)
