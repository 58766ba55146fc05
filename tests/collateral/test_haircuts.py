import datetime
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from xcoll.collateral import haircuts
from xcoll.collateral.facts import Basis, Contract
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


def contract(**changes):
    facts = {
        "source": "made up for a test",
        "date": datetime.date(2025, 3, 31),
        "depth": 0,
        "upgradeable": False,
        "oracles": 0,
        "deployed": datetime.date(2017, 1, 1),
        "audits": 4,
    }
    return Contract(**(facts | changes))


def test_contract_addon_reads_the_stated_table():
    assert haircuts.contract_addon(None).sum() == 0.0
    assert haircuts.contract_addon(contract()).sum() == 0.0
    young = contract(
        depth=7, upgradeable=True, oracles=1, deployed=datetime.date(2024, 9, 30), audits=0
    )
    assert haircuts.contract_addon(young).to_dict() == {
        "depth": 0.01,
        "upgradeable": 0.005,
        "oracles": 0.0025,
        "age": 0.01,
        "audits": 0.01,
    }


def test_the_contract_table_punishes_in_one_direction():
    better_when_more = {"age", "audits"}
    for name, steps in haircuts.CONTRACT_POINTS.items():
        starts, points = zip(*steps, strict=True)
        assert list(starts) == sorted(set(starts))
        for left, right in itertools.pairwise(points):
            assert left > right if name in better_when_more else left < right


def test_contract_addon_refuses_a_contract_from_the_future():
    with pytest.raises(ParameterError, match="age is -"):
        haircuts.contract_addon(contract(deployed=datetime.date(2026, 1, 1)))


def basis(**changes):
    facts = {
        "source": "made up for a test",
        "date": datetime.date(2023, 12, 31),
        "half_life_days": 20.0,
        "sigma_daily": 0.002,
        "jump_rate": 0.0,
        "jump_loss": 0.06,
        "worst": 0.06,
        "worst_day": datetime.date(2022, 6, 18),
        "redemption": "5D",
    }
    return Basis(**(facts | changes))


def test_basis_without_jumps_is_a_stationary_gaussian():
    decay = 2.0 ** (-1 / 20)
    deviation = 0.002 / math.sqrt(1 - decay**2)
    expected = deviation * norm.pdf(norm.ppf(0.99)) / 0.01
    found = haircuts.basis_loss(basis(), 0.99, np.random.default_rng(1), years=2000)
    # 730,000 days, each worth about 1/57 of an independent one: some 130 points beyond 99 %
    assert found == pytest.approx(expected, rel=0.06)


def test_basis_jumps_lie_beyond_the_level_when_they_last_long_enough():
    jumpy = basis(jump_rate=0.25, sigma_daily=1e-6)
    found = haircuts.basis_loss(jumpy, 0.99, np.random.default_rng(1), years=2000)
    # one event in four years, halved every 20 days: the worst 1 % of days are the first 14.6 after
    # it, and the mean of 2^(−t/20) over them is 0.78; two events at once are rare
    days = np.arange(15)
    assert found == pytest.approx(0.06 * np.mean(2.0 ** (-days / 20)), rel=0.06)
    once = haircuts.basis_loss(jumpy, 0.99, np.random.default_rng(2))
    assert once == haircuts.basis_loss(jumpy, 0.99, np.random.default_rng(2))
    assert haircuts.basis_loss(basis(sigma_daily=0.0), 0.99, np.random.default_rng(1)) == 0.0


def test_failure_reserve():
    assert haircuts.failure_reserve(0.02, 0.8, 1e7) == pytest.approx(160_000)
    with pytest.raises(ParameterError, match=r"hazard is 2.*0\.02"):
        haircuts.failure_reserve(2.0, 0.8, 1e7)
    with pytest.raises(ParameterError, match="exposure is -1"):
        haircuts.failure_reserve(0.02, 0.8, -1)


def test_basel_examples():
    assert haircuts.basel_haircut(0.15, 10, 5) == pytest.approx(0.106066, abs=5e-7)
    assert haircuts.basel_haircut(0.15, 10, 10) == 0.15
    assert haircuts.basel_exposure(1000, 1200, 0.0, 0.15, 0.08) == pytest.approx(76.0)
    assert haircuts.basel_exposure(100, 1200, 0.0, 0.15, 0.08) == 0.0
    with pytest.raises(ParameterError, match=r"haircut is 15.*0\.15"):
        haircuts.basel_haircut(15, 10, 5)
