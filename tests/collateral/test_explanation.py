"""Venues explained: a split that sums exactly, and readings that can be read back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral import explanation, haircuts, thresholds, universe, venues
from xcoll.collateral.explanation import STEPS, cross_check, explain, logarithmic_mean, readings
from xcoll.collateral.governance import Governance
from xcoll.collateral.haircuts.market import Tail, figures
from xcoll.errors import DataError, ParameterError

DATA = Path(__file__).parents[2] / "data"
UNIVERSE = universe.parse(yaml.safe_load((DATA / "universe.yaml").read_text(encoding="utf-8")))
VENUES = venues.parse(yaml.safe_load((DATA / "venues.yaml").read_text(encoding="utf-8")))
RULES = Governance(tick=0.005)
FINE = Governance(tick=1e-9, step=1e-9)
ASSETS = ["ETH", "WBTC", "wstETH"]
PARTS = pd.DataFrame(
    [
        [0.22, 0.01, 0.005, 0.0, 0.0],
        [0.18, 0.02, 0.005, 0.01, 0.003],
        [0.22, 0.01, 0.005, 0.05, 0.0125],
    ],
    ASSETS,
    list(haircuts.PARTS),
)
ALL_BARS = pd.Series([0.12, 0.10, 0.12], ASSETS)
POSTED = haircuts.haircut(PARTS) + pd.Series([0.0, 0.02, 0.01], ASSETS)
BONUS = pd.Series([0.03, 0.035, 0.03], ASSETS)


def split(parts=PARTS, all_bars=ALL_BARS, posted=POSTED, bonus=BONUS, rules=RULES):
    return explain(parts, all_bars, posted, bonus, rules, VENUES, UNIVERSE.stablecoins)


def row(table, venue, asset):
    (found,) = table[(table["venue"] == venue) & (table["asset"] == asset)].to_dict("records")
    return found


@given(a=st.floats(0.01, 1.0), b=st.floats(0.01, 1.0))
def test_the_logarithmic_mean_lies_between(a, b):
    mean = float(logarithmic_mean(np.array([a]), np.array([b]))[0])
    assert min(a, b) * (1 - 1e-12) <= mean <= max(a, b) * (1 + 1e-12)
    assert mean == pytest.approx(float(logarithmic_mean(np.array([b]), np.array([a]))[0]))
    assert mean * np.log(a / b) == pytest.approx(a - b, abs=1e-14)


fractions = st.floats(0.0, 0.5)


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.lists(fractions, min_size=5, max_size=5), min_size=3, max_size=3),
    all_bars=st.lists(fractions, min_size=3, max_size=3),
    bonus=st.lists(st.floats(0.0, 0.3), min_size=3, max_size=3),
    more=st.floats(0.0, 0.9),
)
def test_the_steps_sum_to_the_difference(values, all_bars, bonus, more):
    parts = pd.DataFrame(values, ASSETS, list(haircuts.PARTS))
    raw = haircuts.haircut(parts)
    posted = raw + more * (0.99 - raw)
    series = (pd.Series(x, ASSETS) for x in (all_bars, bonus))
    found = split(parts, next(series), posted, next(series), FINE)
    np.testing.assert_allclose(found[list(STEPS)].sum(axis=1), found["difference"], atol=1e-12)


def test_ours_is_the_threshold_of_its_regime_rounded_down():
    found = split()
    final = haircuts.with_posted(PARTS, POSTED)
    keeper = RULES.down(thresholds.threshold(final, BONUS, "keeper"))
    venue = RULES.down(thresholds.threshold(final, BONUS, "venue"))
    for line in found.itertuples():
        assert line.ours == (keeper if line.regime == "keeper" else venue)[line.asset]
        assert line.difference == line.published - line.ours
    assert set(found["asset"]) == set(ASSETS)
    assert "compound-v3-weth" not in set(found["venue"])  # owed in Ether


def test_the_steps_of_one_listing_by_hand():
    found = row(split(rules=FINE), "aave-v3-ethereum", "WBTC")
    ours = (1 - POSTED["WBTC"]) / (1 - 0.02) / 1.035
    assert found["ours"] == pytest.approx(ours, abs=2e-9)
    mean = (0.78 - ours) / np.log(0.78 / ours)
    kept = (1 - haircuts.haircut(PARTS)["WBTC"]) / (1 - POSTED["WBTC"])
    by_hand = {
        "sale": 1.035 / 1.05,
        "falls": 0.90 / 0.82,
        "horizon and confidence": 0.78 * 1.05 / 0.90,
        "oracle": 1 / 0.995,
        "basis": 1 / 0.99,
        "contract": 1 / 0.997,
        "anti-procyclical": kept,
    }
    for step, ratio in by_hand.items():
        assert found[step] == pytest.approx(mean * np.log(ratio), abs=1e-8)
    assert found["rounding"] == pytest.approx(0.0, abs=1e-8)
    assert found["room"] == pytest.approx(1 - 0.78 * 1.05)
    assert found["market"] == pytest.approx(0.18)
    assert (found["ltv"], found["bonus"]) == (0.73, 0.05)


def test_where_the_venue_sells_our_liquidity_part_is_set_against_its_discount():
    found = row(split(rules=FINE), "compound-v3-usdc", "WBTC")
    assert found["regime"] == "venue"
    discount = 0.5 * (1 - 0.95)
    ours = 1 - POSTED["WBTC"]
    mean = (0.77 - ours) / np.log(0.77 / ours)
    assert found["sale"] == pytest.approx(mean * np.log((1 - discount) / (1 - 0.02)), abs=1e-8)
    assert found["room"] == pytest.approx(1 - 0.77 / (1 - discount))


def test_a_venue_that_publishes_what_we_say_gives_up_nothing():
    parts = PARTS.assign(market=1 - 0.83 * 1.05, liquidity=0.0, oracle=0.0, basis=0.0, contract=0.0)
    same = pd.Series(1 - 0.83 * 1.05, ASSETS)
    bonus = pd.Series(0.05, ASSETS)
    found = row(split(parts, same, haircuts.haircut(parts), bonus), "aave-v3-ethereum", "ETH")
    assert found["ours"] == 0.83
    for step in STEPS:
        assert found[step] == pytest.approx(0.0, abs=1e-12)


def test_what_is_missing_or_impossible_is_named():
    with pytest.raises(DataError, match="no bonus for wstETH"):
        split(bonus=BONUS.drop("wstETH"))
    with pytest.raises(ParameterError, match="posted haircut of ETH is under"):
        split(posted=POSTED.where(POSTED.index != "ETH", 0.1))
    with pytest.raises(ParameterError, match="all_bars of WBTC is 12"):
        split(all_bars=ALL_BARS.where(ALL_BARS.index != "WBTC", 12.0))
    with pytest.raises(ParameterError, match="a threshold of ETH at aave-v3-ethereum is zero"):
        split(posted=POSTED.where(POSTED.index != "ETH", 0.999))


LADDERS = {
    "after a fall": pd.DataFrame(
        {"1h": [0.10, 0.08, 0.10], "4h": [0.2, 0.16, 0.2], "24h": [0.3, 0.24, 0.3]}, ASSETS
    ),
    "all bars": pd.DataFrame(
        {"1h": [0.04, 0.03, 0.04], "4h": [0.09, 0.07, 0.09], "24h": [0.2, 0.16, 0.2]}, ASSETS
    ),
}
FOLLOWED = pd.Series({"ETH": "ETH", "WBTC": "BTC", "wstETH": "ETH"})


@pytest.fixture(scope="module")
def losses():
    rng = np.random.default_rng(4)
    index = pd.date_range("2021-01-01", periods=700, freq="D")
    draws = [pd.DataFrame(0.02 * rng.exponential(size=(700, 2)), index) for _ in range(2)]
    for draw in draws:
        draw.columns = ["BTC", "ETH"]
        draw.iloc[-1] = np.nan  # no bar after the last
    return draws


def test_readings_can_be_read_back(losses):
    table = split()
    of, scale = Tail(), pd.Series([1.5, 1.2, 1.5], ASSETS)
    for place, room in enumerate((0.10, 0.2, 0.15, 0.12, 0.14)):
        table.loc[place, "room"] = room
    found = readings(table, LADDERS, losses, scale, of, FOLLOWED)
    for place, line in table.iterrows():
        for name, ladder in LADDERS.items():
            hours, knots = found.loc[place, f"hours, {name}"], ladder.loc[line["asset"]]
            if hours == 0.0:
                assert line["room"] < knots["1h"]
            elif np.isinf(hours):
                assert line["room"] > knots["24h"]
            else:
                back = np.interp(np.log(hours), np.log([1, 4, 24]), np.log(knots))
                assert np.exp(back) == pytest.approx(line["room"], rel=1e-9)
        level = found.loc[place, "confidence"]
        if np.isfinite(level):
            source = FOLLOWED[line["asset"]]
            sample = np.column_stack([x[source].dropna() for x in losses])
            figure = figures(sample, Tail(level)).mean()
            assert figure * scale[line["asset"]] == pytest.approx(line["room"], abs=1e-7)
    assert np.isfinite(found["confidence"]).sum() > 3


def test_readings_in_words(losses):
    table = split().iloc[:3].assign(room=[0.10, 0.01, 0.9], asset="ETH")
    found = readings(table, LADDERS, losses, pd.Series(1.5, ASSETS), Tail(), FOLLOWED)
    said = found["reads"].tolist()
    assert said[0].startswith("1h after a fall, 5.1h all bars; ES ")
    assert said[1] == "under 1h after a fall, under 1h all bars"
    assert said[2] == "over 24h after a fall, over 24h all bars"
    assert found["confidence"].isna().tolist() == [False, True, True]
    pegged = readings(
        table.iloc[:1],
        LADDERS,
        [x[["BTC"]] for x in losses],
        pd.Series(1.5, ASSETS),
        Tail(),
        FOLLOWED,
    )
    assert np.isnan(pegged.loc[0, "confidence"])


def test_readings_ask_for_a_market_part_that_rises(losses):
    args = losses, pd.Series(1.5, ASSETS), Tail(), FOLLOWED
    with pytest.raises(ParameterError, match="of 'x' must rise"):
        readings(split(), {"x": LADDERS["all bars"][["24h", "1h"]]}, *args)
    with pytest.raises(DataError, match="'x' of ETH does not rise"):
        readings(split(), {"x": LADDERS["all bars"].assign(**{"4h": 0.01})}, *args)


def test_the_cross_check_is_smart_ltv_with_the_bonus_of_the_venue():
    # Worked example: l 10⁶, d 2·10⁵, σ 0.10, β 0.05, c 3.
    table = split()
    aave = table[(table["venue"] == "aave-v3-ethereum") & (table["asset"] == "ETH")]
    sigma, cap = pd.Series(0.10, ASSETS), pd.Series(2e5, ASSETS)
    found = cross_check(aave, sigma, pd.Series(1e6, aave.index), cap)
    assert found["smart_ltv"].item() == pytest.approx(0.8244465748, abs=1e-10)
    dry = cross_check(aave, sigma, pd.Series(0.0, aave.index), cap)
    assert dry["smart_ltv"].item() == 0.0
    whole = cross_check(table, sigma, pd.Series(1e6, table.index), cap)
    assert whole.index.equals(table.index)
    with pytest.raises(ParameterError, match="confidence factor is -1"):
        cross_check(table, sigma, pd.Series(1e6, table.index), cap, -1.0)


def test_the_steps_are_named_once():
    assert set(explanation.STEPS) <= set(split().columns)
    assert len(set(STEPS)) == len(STEPS)
