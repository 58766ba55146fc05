"""Intervals, models and swings of one date; caps and venues beside it; all on a synthetic world."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.collateral.world import ADDONS, MULTIPLES, UNIVERSE, history, load
from xcoll.collateral import calibration, haircuts, liquidity, venues
from xcoll.collateral.addons import ATTRIBUTES
from xcoll.collateral.calibration import beside, caps, uncertainty
from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.calibration.setting import Setting
from xcoll.collateral.explanation import STEPS
from xcoll.collateral.haircuts import market
from xcoll.collateral.haircuts.market import Tail
from xcoll.collateral.history import History
from xcoll.errors import ParameterError
from xcoll.estimators import correlation, tail

POLICY = Policy(tail=Tail(0.95), window="200D")
BASIS = calibration.basis_losses(UNIVERSE, 0.95, np.random.default_rng(3))
KNOWN = history(bars=420, start="2022-12-01", draws=2)
SETTING = Setting(KNOWN, UNIVERSE, ADDONS, MULTIPLES, BASIS)


def rng():
    return np.random.default_rng(5)


def calibrated(policy=POLICY, dates=(300, 419), setting=SETTING):
    days = setting.history.log_returns.index[list(dates)]
    return calibration.calibrate(setting, policy, days, rng())


def models(today):
    return uncertainty.models(today, rng())


@pytest.fixture(scope="module")
def study():
    return calibrated()


@pytest.fixture(scope="module")
def today(study):
    return study.on()


@pytest.fixture(scope="module")
def ends(today):
    return uncertainty.ends(today, rng(), 200)


@pytest.fixture(scope="module")
def chosen(today, ends):
    result = calibration.parameters(today, ends).droplevel("time")
    return result[result["covering"]].droplevel("horizon")


def test_every_haircut_has_an_interval_around_what_is_posted(today, ends):
    assert ends.index.equals(today.parts.index)
    posted = today.haircuts["posted"]
    assert ((ends["low"] <= posted) & (posted <= ends["high"])).all()
    moving = ~ends.index.get_level_values("asset").isin(UNIVERSE.stablecoins)
    width = (ends["high"] - ends["low"])[moving]
    assert (width > 0.0).all()
    sampling = (ends["sampling_high"] - ends["sampling_low"])[moving]
    day = ends.index.get_level_values("horizon")[moving] == "24h"
    assert (sampling[day] <= width[day] + 1e-12).all()
    assert (width[~day].groupby("asset").mean() > sampling[~day].groupby("asset").mean()).all()


def test_the_interval_is_of_what_was_known_on_its_date(study):
    then = study.on(study.plan.index[0][0])
    cut = replace(SETTING, history=KNOWN.until(then.now))
    alone = calibrated(setting=cut, dates=(300,))
    pd.testing.assert_frame_equal(alone.haircuts, then.haircuts)
    for rule in (lambda x: uncertainty.ends(x, rng(), 50), models):
        pd.testing.assert_frame_equal(rule(then), rule(alone))


@pytest.mark.parametrize("tool", ["none", "buffer", "stressed weight"])
def test_the_interval_follows_the_tool(tool):
    today = calibrated(replace(POLICY, tool=tool), dates=(419,))
    ends = uncertainty.ends(today, rng(), 100)
    posted = today.haircuts["posted"]
    assert ((ends["low"] <= posted) & (posted <= ends["high"])).all()


@pytest.mark.parametrize("tick", [1e-6, 0.005, 0.1])
def test_every_parameter_lies_inside_its_interval_whatever_the_tick(today, ends, tick):
    coarse = replace(today, policy=replace(POLICY, tick=tick))
    result = calibration.parameters(coarse, ends)
    for name in ("haircut", "threshold", "threshold_venue", "ltv"):
        assert (result[f"{name}_low"] <= result[name]).all()
        assert (result[name] <= result[f"{name}_high"]).all()


def test_the_used_model_is_the_raw_haircut(today):
    made = models(today)
    used = made[made["used"]].set_index("asset")["haircut"]
    raw = today.at_close_out(today.haircuts["raw"])[used.index]
    pd.testing.assert_series_equal(used, raw, check_names=False, rtol=1e-12)
    past = made.query("model == 'long_run' and measure == 'es' and loss == 'close_out'")
    long_run = today.at_close_out(today.haircuts["long_run"])
    expected = long_run[past["asset"]].to_numpy()
    np.testing.assert_allclose(past["haircut"], expected, rtol=1e-12)


def test_the_base_of_the_tornado_is_what_is_posted(today):
    table = uncertainty.tornado(today, rng)
    posted = today.at_close_out(today.haircuts["posted"])
    base = table.drop_duplicates("asset").set_index("asset")["base"]
    pd.testing.assert_series_equal(base[posted.index], posted, check_names=False, rtol=1e-12)
    wide = table.set_index(["input", "asset"])
    moved = wide.loc["tail.confidence"]
    assert (moved["low"] <= moved["high"]).all()
    shallow, deep = wide.loc["depth", "low"], wide.loc["depth", "high"]
    assert (shallow >= deep - 1e-12).all()


def test_caps_let_the_calibrated_position_pass_at_its_own_bonus(today, chosen):
    sizes = caps.supply(today, chosen["bonus"])
    plan = today.plan.droplevel("time")
    free = sizes["binding"].isin(["keeper's profit", "clearing time"])
    # the bonus was rounded up, so at least the position that it was made for sells at a profit
    assert (sizes["cap_usd"] >= plan["position_usd"] * (1 - 1e-9))[free].all()
    limits = sizes[[*liquidity.LIMITS, "reserve budget", "loss budget"]]
    pd.testing.assert_series_equal(sizes["cap_usd"], limits.min(axis=1), check_names=False)
    failure = ADDONS.failure(UNIVERSE.assets["WBTC"])
    expected = failure.hazard * failure.loss * sizes.loc["WBTC", "cap_usd"]
    assert sizes.loc["WBTC", "reserve"] == pytest.approx(expected)
    assert np.isnan(sizes.loc["ETH", "reserve"])
    richer = caps.supply(today, chosen["bonus"] + 0.02)
    assert (richer["cap_usd"] >= sizes["cap_usd"] - 1e-6).all()


def test_a_debt_is_capped_by_what_can_be_bought(today, chosen):
    owed = caps.borrow(today, chosen["bonus"].min())
    assert owed.index.tolist() == [d for d in UNIVERSE.debts if d in chosen.index]
    assert (owed["cap_usd"] > 0.0).all()
    assert "reserve budget" not in owed


def test_every_listing_is_explained_to_the_last_digit(today, chosen):
    published = venues.parse(load("venues.yaml"))
    listings = beside.compare(today, chosen, pd.Series(1e6, chosen.index), published)
    total = listings[list(STEPS)].sum(axis=1)
    np.testing.assert_allclose(total, listings["difference"], atol=1e-12)
    keeper = listings[listings["regime"] == "keeper"].set_index(["venue", "asset"])
    for (_, asset), ours in keeper["ours"].items():
        assert ours == chosen.loc[asset, "threshold"]
    venue = listings[listings["regime"] == "venue"].set_index(["venue", "asset"])
    for (_, asset), ours in venue["ours"].items():
        assert ours == pytest.approx(chosen.loc[asset, "threshold_venue"], abs=1e-9)
    assert listings["smart_ltv"].between(0.0, 1.0).all()
    assert listings["reads"].str.len().min() > 5


def test_a_setting_knows_what_moved_at_a_date():
    moving = SETTING.moving(KNOWN.log_returns.index[100])
    assert moving.now == KNOWN.log_returns.index[100]
    assert not set(moving.assets) & set(UNIVERSE.stablecoins)


def test_a_jump_after_the_date_moves_nothing_of_it(study):
    jumped = KNOWN.log_returns.copy()
    jumped.iloc[305] = -0.5
    lows = tuple(np.minimum(low, jumped) for low in KNOWN.lows)
    changed = replace(SETTING, history=History(jumped, lows, KNOWN.volatility))
    then = KNOWN.log_returns.index[300]
    before, after = (calibrated(setting=s, dates=(300, 419)).on(then) for s in (SETTING, changed))
    pd.testing.assert_frame_equal(before.haircuts, after.haircuts)
    pd.testing.assert_frame_equal(
        uncertainty.ends(before, rng(), 50), uncertainty.ends(after, rng(), 50)
    )


def test_a_block_longer_than_the_history_is_refused(today):
    short = calibrated(
        setting=replace(SETTING, history=KNOWN.since(KNOWN.log_returns.index[-190])), dates=(189,)
    )
    assert len(uncertainty.ends(short, rng(), 20))
    with pytest.raises(ParameterError, match="block is 500 bars"):
        haircuts.interval.resampled(
            today.setting.moving(today.now), POLICY.tail, rng=rng(), block="500D"
        )
    assert market.FALLS["larger"](0.9) == 1.0


def test_addons_are_those_of_contracts_and_of_bases(today):
    table = uncertainty.addons(today, rng).set_index(["asset", "attribute"])
    assert set(table.loc["wstETH"].index) == {*ATTRIBUTES, *haircuts.BASIS}
    assert set(table.loc["LINK"].index) == set(ATTRIBUTES)
    assert "ETH" not in table.index.get_level_values("asset")
    assert (table["worse"] >= 0.0).all()
    assert (table["better"] <= 0.0).all()
    # without jumps, half-life or σ nothing but the others is left: never more than before
    assert (table["off"] <= 1e-12).all()
    jump = table.loc[("wstETH", "jump_loss")]
    assert jump["worse"] > 0.01 > 0.0 > jump["better"]


def test_a_basis_moves_the_haircut_by_what_is_left_of_the_price(today):
    parts = today.at_close_out(today.parts)
    basis = UNIVERSE.assets["wstETH"].basis
    found = haircuts.basis_sensitivity(parts, {"wstETH": basis}, 0.95, rng)
    base = haircuts.basis_loss(basis, 0.95, rng())
    doubled = haircuts.basis_loss(
        basis.model_copy(update={"jump_loss": 2 * basis.jump_loss}), 0.95, rng()
    )
    row = parts.loc["wstETH"]
    before, after = (1 - np.prod(1 - row.drop("basis")) * (1 - loss) for loss in (base, doubled))
    assert found.loc[("wstETH", "jump_loss"), "worse"] == pytest.approx(after - before)
    assert haircuts.basis_sensitivity(parts, {}, 0.95, rng).empty


def test_the_copula_joins_where_there_is_a_correlation_path():
    moving = [a for a in KNOWN.assets if a not in UNIVERSE.stablecoins and a != "LUNA"]
    index = KNOWN.log_returns.index
    path = pd.DataFrame(0.5, index, correlation.pairs(moving))  # nothing of LUNA
    target = KNOWN.log_returns.corr()
    joined = replace(SETTING, dependence=tail.Dependence(path, target, 0.02, 0.95, 6.0))
    today = calibrated(replace(POLICY, method="dcc_t"), (419,), joined)
    fhs = calibrated(POLICY, (419,), joined)
    ratio = today.haircuts["raw"] / fhs.haircuts["raw"]
    assert np.abs(ratio - 1.0).max() < 0.2  # one bar of one asset: the same margin, drawn
    made = uncertainty.models(today, rng())
    assert set(made["model"]) >= {"dcc_t", "fhs", "long_run"}
    assert made[made["used"]]["model"].eq("dcc_t").all()
