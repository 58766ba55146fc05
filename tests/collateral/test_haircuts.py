import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral import haircuts
from xcoll.collateral.governance import Governance
from xcoll.collateral.haircuts import PARTS
from xcoll.errors import ParameterError

FRACTIONS = st.lists(st.floats(0.0, 1.0), min_size=5, max_size=5)


def row(values):
    return pd.DataFrame([values], columns=list(PARTS), index=["ETH"], dtype=float)


def test_haircut_is_the_product_worked_by_hand():
    # 1 − 0.8·0.98·0.995·0.99·1 = 1 − 0.7722792 …
    parts = row([0.2, 0.02, 0.005, 0.01, 0.0])
    assert haircuts.haircut(parts)["ETH"] == pytest.approx(1 - 0.8 * 0.98 * 0.995 * 0.99, abs=1e-15)
    share = haircuts.shares(parts).loc["ETH"]
    logs = {part: math.log(1 - parts.loc["ETH", part]) for part in PARTS}
    for part in PARTS:
        expected = haircuts.haircut(parts)["ETH"] * logs[part] / sum(logs.values())
        assert share[part] == pytest.approx(expected, abs=1e-15)


@settings(max_examples=200, deadline=None)
@given(FRACTIONS)
def test_shares_sum_to_the_haircut(values):
    parts = row(values)
    H, share = haircuts.haircut(parts)["ETH"], haircuts.shares(parts).loc["ETH"]
    assert 0.0 <= H <= 1.0
    assert (share >= 0.0).all()
    assert share.sum() == pytest.approx(H, rel=1e-12, abs=1e-300)


@settings(max_examples=60, deadline=None)
@given(FRACTIONS, st.permutations(range(5)))
def test_the_order_of_the_parts_does_not_matter(values, order):
    parts = row(values)
    swapped = row([values[k] for k in order])
    assert haircuts.haircut(swapped)["ETH"] == pytest.approx(
        haircuts.haircut(parts)["ETH"], abs=1e-12
    )
    share, other = haircuts.shares(parts).loc["ETH"], haircuts.shares(swapped).loc["ETH"]
    for place, k in enumerate(order):
        assert other.iloc[place] == pytest.approx(share.iloc[k], rel=1e-9, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(FRACTIONS, st.integers(0, 4), st.floats(0.0, 1.0))
def test_the_haircut_rises_with_each_part(values, k, share):
    larger = list(values)
    larger[k] += share * (1.0 - larger[k])
    assert haircuts.haircut(row(larger))["ETH"] >= haircuts.haircut(row(values))["ETH"] - 1e-15


def test_parts_that_are_all_zero_or_one():
    assert haircuts.shares(row([0.0] * 5)).loc["ETH"].tolist() == [0.0] * 5
    assert haircuts.shares(row([1, 0.5, 0, 0, 1])).loc["ETH"].tolist() == [0.5, 0, 0, 0, 0.5]
    # the limit of the formula, which is slow: ln grows slowly
    near = haircuts.shares(row([1 - 1e-15, 0.5, 0, 0, 1 - 1e-15])).loc["ETH"]
    assert near["market"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("fault", [-0.01, 1.01, 99.0, math.nan, math.inf])
def test_a_part_outside_its_range_is_named(fault):
    with pytest.raises(ParameterError, match="basis part of ETH"):
        haircuts.haircut(row([0.1, 0.1, 0.1, fault, 0.1]))


def test_a_missing_part_is_named():
    with pytest.raises(ParameterError, match=r"lacks its parts \['contract'\]"):
        haircuts.haircut(row([0.1] * 5).drop(columns="contract"))


@settings(max_examples=60, deadline=None)
@given(FRACTIONS, st.floats(0.0, 1.0), st.sampled_from([0.0025, 0.005, 0.01]))
def test_the_waterfall_sums_to_a_multiple_of_the_tick(values, extra, tick):
    parts = row(values)
    posted = haircuts.haircut(parts) + extra * (1.0 - haircuts.haircut(parts))
    steps = haircuts.waterfall(parts, Governance(tick=tick, step=0.01), posted).loc["ETH"]
    assert list(steps.index) == [*PARTS, *haircuts.ADJUSTMENTS]
    ticks = steps.sum() / tick
    assert ticks == pytest.approx(round(ticks), abs=1e-6)
    assert -1e-12 <= steps["rounding"] <= tick


def test_the_waterfall_refuses_an_asset_without_a_floor():
    with pytest.raises(ParameterError, match="no floor for"):
        haircuts.waterfall(row([0.1] * 5), Governance(), pd.Series({"BTC": 0.2}))


def test_posted_parts_give_the_posted_haircut():
    parts = row([0.2, 0.02, 0.005, 0.01, 0.0])
    posted = haircuts.haircut(parts) + 0.05
    raised = haircuts.with_posted(parts, posted)
    assert haircuts.haircut(raised)["ETH"] == pytest.approx(posted["ETH"], abs=1e-15)
    assert raised.drop(columns="market").equals(parts.drop(columns="market"))
    same = haircuts.with_posted(parts, haircuts.haircut(parts))
    assert same["market"]["ETH"] == pytest.approx(0.2, abs=1e-15)


def test_rounding_keeps_what_is_on_the_tick():
    on_tick = pd.Series([k * 0.005 for k in range(201)])
    governance = Governance(tick=0.005, step=0.005)
    for rounded in (governance.up(on_tick), governance.down(on_tick)):
        np.testing.assert_allclose(rounded, on_tick, atol=1e-12)
    between = pd.Series([0.1501, 0.1549])
    assert governance.up(between).tolist() == [0.155, 0.155]
    assert governance.down(between).tolist() == [0.15, 0.15]
    assert governance.steps(pd.Series([0.0, 0.005, -0.012])).tolist() == [0, 1, 3]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tick": 0.01, "step": 0.005}, "tick 0.01 is larger than the step 0.005"),
        ({"tick": 0.0}, "tick is 0"),
        ({"step": 5}, r"step is 5.*0\.05"),
        ({"delay": "3"}, "delay is '3'"),
    ],
)
def test_governance_refuses_rules_that_cannot_be_followed(fields, message):
    with pytest.raises(ParameterError, match=message):
        Governance(**fields)


def test_basel_examples():
    assert haircuts.basel_haircut(0.15, 10, 5) == pytest.approx(0.106066, abs=5e-7)
    assert haircuts.basel_haircut(0.15, 10, 10) == 0.15
    assert haircuts.basel_exposure(1000, 1200, 0.0, 0.15, 0.08) == pytest.approx(76.0)
    assert haircuts.basel_exposure(100, 1200, 0.0, 0.15, 0.08) == 0.0
    with pytest.raises(ParameterError, match=r"haircut is 15.*0\.15"):
        haircuts.basel_haircut(15, 10, 5)
