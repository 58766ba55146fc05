from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from xcoll.collateral import calibration, haircuts, liquidity, thresholds, universe
from xcoll.collateral.governance import Governance
from xcoll.errors import ParameterError

DATA = Path(__file__).parents[2] / "data"
UNIVERSE = universe.parse(yaml.safe_load((DATA / "universe.yaml").read_text(encoding="utf-8")))
PLEDGED = calibration.pledged(UNIVERSE)
RULES = Governance(tick=0.005)


@pytest.fixture(scope="module")
def sigma():
    index = pd.date_range("2022-01-01", periods=100, freq="D")
    rng = np.random.default_rng(3)
    values = rng.uniform(0.03, 0.06, (100, len(UNIVERSE.priced)))
    return pd.DataFrame(values, index, UNIVERSE.priced)


@pytest.fixture(scope="module")
def plan(sigma):
    return calibration.close_outs(UNIVERSE, sigma, 5e6, 0.1, "1h")


@pytest.fixture(scope="module")
def other(plan):
    return calibration.other_parts(UNIVERSE, plan["impact"], 0.99, np.random.default_rng(1))


@pytest.fixture(scope="module")
def close_out():
    rows = []
    for k, asset in enumerate(UNIVERSE.collateral):
        for horizon in liquidity.HORIZONS:
            es = (0.1 + 0.01 * k) * UNIVERSE.intraday.share(horizon)
            rows.append((asset, horizon, 0.99, es, 1.5 * es, 0.8 * es, 1.3 * es, horizon != "24h"))
    names = ["asset", "horizon", "confidence", "es", "es_trigger", "es_low", "es_high", "scaled"]
    return pd.DataFrame(rows, columns=names)


@pytest.fixture(scope="module")
def tails(close_out):
    return calibration.tails(close_out, UNIVERSE, 0.99)


@pytest.fixture(scope="module")
def parts(tails, other):
    return calibration.all_parts(tails, other, "larger")


def set_of(parts, tails, plan, floor=0.0, week=0.2):
    bonus = calibration.bonuses(plan["impact"], 0.01, 0.001, 0.1, RULES)
    floors = pd.Series(floor, index=parts.index)
    weekly = pd.Series(week, index=UNIVERSE.collateral)
    return calibration.parameters(parts, tails, floors, bonus, weekly, UNIVERSE, RULES)


def test_a_derived_token_follows_its_underlying():
    assert PLEDGED["wstETH"] == "ETH"
    assert PLEDGED["ETH"] == "ETH"
    assert "LUNA" not in PLEDGED


def test_close_outs_add_their_parts_and_cap_the_position(plan):
    hours = plan["oracle"] + plan["queue"] + plan["finality"]
    np.testing.assert_allclose(hours, plan["total"])
    # ETH: one heartbeat of 1 h, 5M at a tenth of 612M a day, two epochs of 384 s
    eth = plan.loc["ETH"]
    assert eth["total"] == pytest.approx(1 + 24 * 5e6 / 61.2e6 + 768 / 3600, abs=1e-6)
    assert eth["horizon"] == "4h"
    assert eth["impact"] == pytest.approx(0.0042)  # the quote of 10M, at half the depth
    assert plan.loc["ALGO", "position_usd"] < 5e6
    assert plan.loc["ALGO", "total"] == pytest.approx(24)
    assert (plan["total"] <= 24 + 1e-6).all()
    assert plan.loc["USDC", "reserve"] == pytest.approx(0.005 * 5e6)
    assert np.isnan(plan.loc["ETH", "reserve"])


def test_a_long_heartbeat_is_cut_at_the_longest_wait(sigma):
    assert UNIVERSE.assets["BNB"].oracle.heartbeat == "24h"
    waits = calibration.close_outs(UNIVERSE, sigma, 5e6, 0.1, "30min")["oracle"]
    assert waits["BNB"] == 0.5
    with pytest.raises(ParameterError, match="oracle wait is '1'"):
        calibration.close_outs(UNIVERSE, sigma, 5e6, 0.1, "1")


def test_parts_come_from_the_facts(other):
    assert other.loc["ETH", "oracle"] == 0.005
    assert other.loc["ETH", ["basis", "contract"]].tolist() == [0.0, 0.0]
    assert other.loc["wstETH", "basis"] > 0.02
    assert other.loc["wstETH", "contract"] == pytest.approx(0.0125)
    assert (other["market"] == 0.0).all()
    haircuts.check_parts(other)


def test_tails_lend_the_underlyings_loss(tails, parts):
    pd.testing.assert_series_equal(tails.loc["wstETH", "es"], tails.loc["ETH", "es"])
    assert (parts["market"] == tails["es_trigger"]).all()


def test_the_market_part_is_the_larger_loss_and_survives_a_missing_one(tails, other):
    calm = tails.assign(es_trigger=0.5 * tails["es"])
    assert calibration.all_parts(calm, other, "larger")["market"].equals(tails["es"])
    missing = tails.assign(es_trigger=np.nan)
    assert calibration.all_parts(missing, other, "larger")["market"].equals(tails["es"])
    with pytest.raises(ParameterError, match="choose one of 'larger'"):
        calibration.all_parts(tails, other, "largest")


def test_a_level_that_was_not_estimated_is_named(close_out):
    with pytest.raises(ParameterError, match=r"confidence 0\.95 .* known are \[0\.99\]"):
        calibration.tails(close_out, UNIVERSE, 0.95)
    with pytest.raises(ParameterError, match="ETH"):
        calibration.tails(close_out[close_out["asset"] != "ETH"], UNIVERSE, 0.99)


def test_the_set_is_consistent_ordered_and_on_the_tick(parts, tails, plan):
    result = set_of(parts, tails, plan)
    for name in ("haircut", "threshold", "threshold_venue", "ltv"):
        assert (result[f"{name}_low"] <= result[name] + 1e-12).all()
        assert (result[name] <= result[f"{name}_high"] + 1e-12).all()
        ticks = result[name] / 0.005
        np.testing.assert_allclose(ticks, ticks.round(), atol=1e-6)
    assert (result["threshold"] * (1 + result["bonus"]) < 1).all()
    assert (result["ltv"] <= result["threshold"]).all()
    chosen = calibration.covering(result, plan).assign(protocol_fee=0.1)
    assert thresholds.RiskParameters(chosen).faults == []
    assert chosen.index.tolist() == PLEDGED.index.tolist()
    longer = result["threshold"].xs("24h", level="horizon")
    assert (longer <= result["threshold"].xs("1h", level="horizon")).all()
    assert result["modelled"].groupby("asset").first()["wstETH"]
    eth, market = result.loc[("ETH", "24h")], parts.loc[("ETH", "24h")]
    by_hand = (1 - market["market"]) * (1 - market["oracle"]) / (1 + eth["bonus"])
    assert 0 <= by_hand - eth["threshold"] < 0.005
    assert eth["threshold_venue"] == pytest.approx(1 - eth["haircut"])


def test_the_anti_procyclical_floor_reaches_every_result(parts, tails, plan):
    low, raised = set_of(parts, tails, plan), set_of(parts, tails, plan, floor=0.6)
    assert (raised["haircut"] == 0.6).all()
    assert (raised["haircut_low"] == 0.6).all()
    assert (raised["threshold_venue"] == 0.4).all()
    assert (raised["threshold"] < low["threshold"]).all()


def test_by_horizon_puts_both_losses_side_by_side(parts, tails, plan):
    bonus = calibration.bonuses(plan["impact"], 0.01, 0.001, 0.1, RULES)
    levels = calibration.by_horizon(parts, tails, bonus, RULES)
    result = set_of(parts, tails, plan)
    assert levels["4h"].to_dict() == result["threshold"].xs("4h", level="horizon").to_dict()
    assert (levels["4h (all bars)"] >= levels["4h"]).all()


def test_the_dynamic_path_is_the_waterfall_of_each_day(other):
    times = pd.date_range("2023-01-01", periods=3, freq="D")
    rows = pd.DataFrame(
        [
            (t, a, m, k, 0.99, 1, 0.1 + 0.01 * i)
            for i, t in enumerate(times)
            for a in ("ETH", "USDC")
            for m in ("fhs", "historical")
            for k in ("close_out", "end")
        ],
        columns=["time", "asset", "method", "loss", "confidence", "bars", "es"],
    )
    rows.loc[rows["method"] == "historical", "es"] = 0.9
    ranking = pd.DataFrame(
        [
            (k, level, 1, m, m == "fhs" and k == "close_out")
            for m in ("historical", "fhs")
            for k in ("close_out", "end")
            for level in (0.99, 0.95)
        ],
        columns=["loss", "confidence", "bars", "method", "used"],
    )
    path = calibration.dynamic(rows, ranking, other, UNIVERSE, 0.99, 1)
    assert set(path.columns.get_level_values("asset")) == {"ETH", "wstETH", "sfrxETH"}
    kept = 1 - haircuts.haircut(other)["ETH"]
    np.testing.assert_allclose(path["ETH", "24h"], 1 - (1 - np.array([0.1, 0.11, 0.12])) * kept)
    np.testing.assert_allclose(path["ETH", "4h"].iloc[0], 1 - (1 - 0.045) * kept)
    with pytest.raises(ParameterError, match="no tail forecast with"):
        calibration.dynamic(rows, ranking, other, UNIVERSE, 0.975, 1)


def test_parts_come_back_from_the_rows_of_the_waterfall(parts):
    rows = haircuts.long(parts, haircuts.waterfall(parts, RULES))
    back = calibration.parts_of(rows).reindex(parts.index)
    pd.testing.assert_frame_equal(back, parts)
    total = rows.groupby(["asset", "horizon"])["share"].sum().reindex(parts.index)
    np.testing.assert_allclose(total, RULES.up(haircuts.haircut(parts)), atol=1e-12)
