"""From estimates and facts to one consistent set, at one date and along a path."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from tests.collateral.world import ADDONS, MULTIPLES, UNIVERSE, history
from xcoll.collateral import calibration, haircuts, liquidity, recalibration, thresholds
from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.calibration.setting import Setting
from xcoll.collateral.haircuts.market import Tail
from xcoll.errors import ParameterError

POLICY = Policy(tail=Tail(0.95), window="200D")
PLEDGED = calibration.pledged(UNIVERSE)
BASIS = calibration.basis_losses(UNIVERSE, 0.95, np.random.default_rng(3))
COLUMNS = ["haircut", "threshold", "threshold_venue", "ltv"]


KNOWN = history(bars=420, start="2022-12-01")


def made(policy=POLICY, known=KNOWN, dates=None):
    setting = Setting(known, UNIVERSE, ADDONS, MULTIPLES, BASIS)
    dates = known.log_returns.index[[300, 360, 419]] if dates is None else dates
    return calibration.calibrate(setting, policy, dates, np.random.default_rng(5))


@pytest.fixture(scope="module")
def study():
    return made()


def bad_day(value=0.08):
    return pd.Series(value, PLEDGED.index)


def test_a_derived_token_follows_its_underlying():
    assert PLEDGED["wstETH"] == "ETH"
    assert PLEDGED["ETH"] == "ETH"
    assert "LUNA" not in PLEDGED


def test_close_outs_add_their_parts_and_cut_the_position():
    plan = calibration.close_outs(UNIVERSE, bad_day(), POLICY, pd.Timestamp("2023-12-31"))
    hours = plan["oracle"] + plan["queue"] + plan["finality"]
    np.testing.assert_allclose(hours, plan["total"])
    # ETH: one heartbeat of 1 h, 5M at a tenth of 612M a day, two epochs of 384 s
    eth = plan.loc["ETH"]
    assert eth["total"] == pytest.approx(1 + 24 * 5e6 / 61.2e6 + 768 / 3600, abs=1e-6)
    assert eth["horizon"] == "4h"
    assert eth["impact"] == pytest.approx(0.0042)  # the quote of 10M, at half the depth
    assert plan.loc["ALGO", "position_usd"] < 5e6
    assert plan.loc["ALGO", "total"] == pytest.approx(24)
    assert plan.loc["wstETH", "redemption"] == pytest.approx(5 * 24)
    assert plan.loc["ETH", "redemption"] == 0.0


def test_the_market_of_a_day_is_that_of_the_day():
    then = calibration.close_outs(UNIVERSE, bad_day(), POLICY, pd.Timestamp("2021-05-19"))
    now = calibration.close_outs(UNIVERSE, bad_day(), POLICY, pd.Timestamp("2023-12-31"))
    assert then["assumed"].all()  # nothing was measured before 2022
    assert not now.loc["BTC", "assumed"]
    assert then.loc["BTC", "queue"] == pytest.approx(now.loc["BTC", "queue"] * 1329 / 2663)
    assert then.loc["BNB", "impact"] < now.loc["BNB", "impact"]


def test_the_policy_moves_time_and_cost():
    day = pd.Timestamp("2023-12-31")
    base = calibration.close_outs(UNIVERSE, bad_day(), POLICY, day)
    quick = Policy(oracle_wait="30min")
    assert calibration.close_outs(UNIVERSE, bad_day(), quick, day).loc["BNB", "oracle"] == 0.5
    deep = Policy(depth=2.0)
    assert (
        calibration.close_outs(UNIVERSE, bad_day(), deep, day)["impact"] <= base["impact"]
    ).all()
    fixed = Policy(horizon="24h")
    assert (calibration.close_outs(UNIVERSE, bad_day(), fixed, day)["horizon"] == "24h").all()


def test_parts_come_from_the_facts(study):
    parts = study.on().parts.droplevel("time").xs("24h", level="horizon")
    assert parts.loc["ETH", "oracle"] == 0.005
    assert parts.loc["ETH", ["basis", "contract"]].tolist() == [0.0, 0.0]
    assert parts.loc["wstETH", "basis"] == BASIS["wstETH"] > 0.02
    assert parts.loc["wstETH", "contract"] == pytest.approx(0.0150)  # a year younger than its facts
    haircuts.check_parts(study.parts)


def test_a_derived_token_has_the_market_of_its_underlying(study):
    now = study.on().parts.droplevel("time")["market"]
    assert now.xs("wstETH").tolist() == now.xs("ETH").tolist()
    expected = study.estimates.xs((study.now, "ETH"), level=("time", "asset"))["forecast"]
    assert now.xs("ETH").tolist() == expected.tolist()


def test_a_token_joins_on_the_day_it_was_deployed():
    dates = pd.DatetimeIndex(["2022-06-01", "2022-10-07"])
    there = made(known=history(bars=420, start="2021-09-01"), dates=dates).plan.index
    assert (dates[1], "sfrxETH") in there
    assert (dates[0], "sfrxETH") not in there
    assert (dates[0], "wstETH") in there


def test_haircuts_of_each_market_and_what_the_tool_posts(study):
    row = study.haircuts.loc[(study.now, "LINK", "24h")]
    parts = study.parts.loc[(study.now, "LINK", "24h")]
    kept = np.prod(1.0 - parts.drop("market"))
    losses = study.estimates.loc[(study.now, "LINK", "24h")]
    for name, loss in (("raw", "forecast"), ("long_run", "long_run"), ("stressed", "stressed")):
        assert row[name] == pytest.approx(1 - (1 - losses[loss]) * kept)
    assert row["posted"] == max(row["raw"], row["long_run"])
    for tool in recalibration.TOOLS:
        other = made(Policy(tail=Tail(0.95), window="200D", tool=tool))
        targets = other.targets("24h")
        posted = recalibration.post(targets, tool)
        found = other.haircuts["posted"].xs("24h", level="horizon").unstack("asset")
        pd.testing.assert_frame_equal(found[posted.columns], posted, check_names=False)


def test_targets_are_at_each_close_outs_own_horizon(study):
    own = study.targets()
    for asset in ("BTC", "LINK"):
        horizon = study.plan.loc[(study.now, asset), "horizon"]
        expected = study.haircuts.loc[(study.now, asset, horizon)]
        assert own.raw.loc[study.now, asset] == expected["raw"]
    assert study.covering.groupby(["time", "asset"]).sum().eq(1).all()


def test_the_waterfall_of_every_date_sums_to_the_posted_haircut(study):
    steps = study.waterfall
    total = POLICY.governance.up(study.haircuts["posted"])
    np.testing.assert_allclose(steps.sum(axis=1), total, atol=1e-12)
    assert (steps["anti-procyclical"] >= -1e-15).all()
    assert steps.index.get_level_values("time").nunique() == 3


def test_the_set_is_consistent_ordered_and_on_the_tick(study):
    now = study.on()
    other = haircuts.haircut(now.parts.assign(market=0.0))
    posted = now.haircuts["posted"]
    ends = pd.DataFrame({"low": 0.8 * posted + 0.2 * other, "high": 0.8 * posted + 0.2})
    result = calibration.parameters(now, ends).droplevel("time")
    for name in COLUMNS:
        assert (result[f"{name}_low"] <= result[name] + 1e-12).all()
        assert (result[name] <= result[f"{name}_high"] + 1e-12).all()
        ticks = result[name] / 0.005
        np.testing.assert_allclose(ticks, ticks.round(), atol=1e-6)
    assert (result["threshold"] * (1 + result["bonus"]) < 1).all()
    assert (result["ltv"] <= result["threshold"]).all()
    chosen = result[result["covering"]].droplevel("horizon").assign(protocol_fee=0.1)
    assert thresholds.RiskParameters(chosen).faults == []
    longer = result["threshold"].xs("24h", level="horizon")
    assert (longer <= result["threshold"].xs("1h", level="horizon")).all()
    eth = result.loc[("ETH", "24h")]
    posted = study.haircuts.loc[(study.now, "ETH", "24h"), "posted"]
    liquidity_part = study.parts.loc[(study.now, "ETH", "24h"), "liquidity"]
    by_hand = (1 - posted) / (1 - liquidity_part) / (1 + eth["bonus"])
    assert 0 <= by_hand - eth["threshold"] < 0.005
    assert eth["threshold_venue"] == pytest.approx(1 - eth["haircut"])


def test_parameters_of_every_date_need_no_interval(study):
    result = calibration.parameters(study)
    assert list(result) == [*COLUMNS, "bonus", "covering", "scaled", "modelled"]
    assert result["modelled"].groupby("asset").first()[["ETH", "wstETH"]].tolist() == [False, True]
    assert result["scaled"].groupby("horizon").all().tolist() == [True, False, True]
    assert len(result) == len(study.parts)
    week = study.week.loc[(study.now, "BTC")]
    row = result.loc[(study.now, "BTC", "4h")]
    assert 0 <= row["threshold"] * (1 - week) - row["ltv"] < 0.005


def test_bonuses_pay_the_keeper_and_lie_on_the_tick():
    impact = pd.Series({"A": 0.0, "B": 0.05})
    bonus = calibration.bonuses(impact, POLICY)
    least = [thresholds.keeper_bonus(loss, 0.01, 0.001, 0.1) for loss in impact]
    assert (bonus >= least).all()
    assert (bonus - least < 0.005).all()


def test_the_ranked_method_is_found_or_asked_for():
    ranking = pd.DataFrame(
        [("close_out", 0.99, 1, "fhs", True), ("close_out", 0.99, 1, "evt", False),
         ("close_out", 0.99, 3, "evt", True)],
        columns=["loss", "confidence", "bars", "method", "used"],
    )  # fmt: skip
    assert calibration.ranked(ranking, Tail(0.99), 1) == "fhs"
    assert calibration.ranked(ranking, Tail(0.99), 3) == "evt"
    assert calibration.ranked(ranking, Tail(0.95), 1, "historical") == "historical"
    with pytest.raises(ParameterError, match="no method was ranked"):
        calibration.ranked(ranking, Tail(0.95), 1)


def test_estimates_of_nothing_that_may_be_pledged_are_refused():
    with pytest.raises(ParameterError, match="may be pledged; give one roles"):
        made(known=history(bars=420, assets=["LUNA"]))


def test_rows_at_each_close_outs_own_horizon(study):
    several, today = study.at_close_out(study.parts), study.on().at_close_out(study.on().parts)
    assert several.index.names == ["time", "asset"]
    assert today.index.names == ["asset"]
    horizon = study.plan.loc[(study.now, "LINK"), "horizon"]
    assert today.loc["LINK"].tolist() == study.parts.loc[(study.now, "LINK", horizon)].tolist()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": "guess"}, "method is 'guess'"),
        ({"window": "400"}, "window is '400'"),
        ({"look_back": "0D"}, "look back is '0D'; give a duration above zero"),
        ({"falls": "never"}, "falls is 'never'"),
        ({"position_usd": 0.0}, "position is 0"),
        ({"participation": 1.5}, "participation is 1.5"),
        ({"oracle_wait": "-1h"}, "oracle wait is '-1h'"),
        ({"depth": 0.0}, "depth is 0"),
        ({"horizon": "2h"}, "horizon is '2h'"),
        ({"keeper_margin": -0.01}, "keeper margin is -0.01"),
        ({"gas_share": -0.01}, "gas share is -0.01"),
        ({"protocol_fee": -0.1}, "protocol fee is -0.1"),
        ({"closure_probability": 0.0}, "closure probability is 0"),
        ({"tool": "hope"}, "tool is 'hope'"),
        ({"tick": 0.0}, "tick is 0"),
    ],
)
def test_a_policy_that_is_none_is_refused(given, message):
    with pytest.raises(ParameterError, match=message):
        Policy(**given)


def test_a_policy_survives_a_file():
    policy = Policy(tail=Tail(0.95, "var", "end"), window="100D", horizon="4h", tool="buffer")
    assert Policy.of(json.loads(json.dumps(dataclasses.asdict(policy)))) == policy


def test_horizons_are_those_of_liquidity(study):
    assert set(study.parts.index.get_level_values("horizon")) == set(liquidity.HORIZONS)
