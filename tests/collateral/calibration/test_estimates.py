"""What prices say at a date: by hand, in order, and blind to what comes later."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.collateral.world import ADDONS, MULTIPLES, UNIVERSE, history
from xcoll.collateral import calibration
from xcoll.collateral.calibration import estimates
from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.calibration.setting import Setting
from xcoll.collateral.haircuts import market
from xcoll.collateral.haircuts.market import Tail
from xcoll.collateral.history import History
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators import correlation, tail

POLICY = Policy(tail=Tail(0.95), window="200D")


def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def known():
    return history(draws=2)


@pytest.fixture(scope="module")
def table(known):
    return estimates.at(known, UNIVERSE, POLICY, MULTIPLES, rng())


def test_losses_are_the_market_parts_at_each_horizon(known, table):
    moving = known.of([a for a in known.assets if a not in UNIVERSE.stablecoins])
    for name, rule in (
        ("forecast", lambda: market.forecast(moving, POLICY.tail, "fhs", "200D")),
        ("long_run", lambda: market.long_run(moving, POLICY.tail)),
        ("stressed", lambda: market.stressed(moving, POLICY.tail)),
    ):
        day = rule()["ETH"]
        fall = MULTIPLES["forecast" if name == "forecast" else "long_run"]
        for horizon in ("1h", "4h", "24h"):
            expected = day * UNIVERSE.intraday.share(horizon) * max(fall[horizon], 1.0)
            assert table.loc[("ETH", horizon), name] == pytest.approx(expected, rel=1e-12)
    assert table["scaled"].groupby("horizon").first().to_dict() == {
        "1h": True, "4h": True, "24h": False,
    }  # fmt: skip


def test_a_pegged_asset_has_one_loss_whatever_todays_volatility(table):
    pegged = table.loc[UNIVERSE.stablecoins]
    assert (pegged["forecast"] == pegged["long_run"]).all()
    assert (pegged["forecast"] == pegged["stressed"]).all()
    assert pegged["forecast"].between(0.0, 0.2).all()


def test_the_week_is_the_larger_of_past_and_paths(known, table):
    low = [tail.close_out_losses(known.log_returns, low, 7) for low in known.lows]
    past = np.mean([np.sort(x["BTC"].dropna())[::-1][int(0.05 * (len(x) - 7))] for x in low])
    assert table.loc[("BTC", "24h"), "week"] >= past
    for factor in (0.01, 5.0):
        sigma = known.volatility.copy()
        sigma.iloc[-1] *= factor
        found = estimates.excursion_quantile(
            History(known.log_returns, known.lows, sigma), POLICY, rng()
        )["BTC"]
        assert found == pytest.approx(past) if factor < 1.0 else found > 2.0 * past


def test_paths_of_the_week_agree_with_the_plain_simulation():
    known = history(bars=300, assets=["BTC", "ETH"])
    last = known.volatility.iloc[-1:] * 5.0  # so that the paths decide
    shaken = History(known.log_returns, known.lows, pd.concat([known.volatility.iloc[:-1], last]))
    found = estimates.excursion_quantile(shaken, POLICY, rng(), paths=4000)
    score = (known.log_returns.iloc[1:] / shaken.volatility.shift(1).iloc[1:]).to_numpy()
    low = (known.lows[0].iloc[1:] / shaken.volatility.shift(1).iloc[1:]).to_numpy()
    keep = np.isfinite(score).all(axis=1)
    generator = rng()
    picks = generator.integers(0, keep.sum(), (7, 4000)).T
    paths = tail.simulate(score[keep], low[keep], last.to_numpy()[0], picks, tail.Recursion.ewma())
    by_hand = np.sort(tail.path_losses(*paths), axis=0)[::-1][200]
    np.testing.assert_allclose(found, by_hand, rtol=1e-9)


def test_a_young_asset_is_drawn_over_its_own_past_and_the_others_are_not_cut():
    known = history(bars=400, assets=["BTC", "ETH", "AVAX"])
    returns = known.log_returns.copy()
    returns.loc[returns.index[:250], "AVAX"] = np.nan
    lows = tuple(low.where(returns.notna()) for low in known.lows)
    sigma = known.volatility.where(returns.notna())
    young = History(returns, lows, sigma)
    old = young.of(["BTC", "ETH"])
    both, alone = (estimates.excursion_quantile(h, POLICY, rng()) for h in (young, old))
    assert both["BTC"] == alone["BTC"]
    assert np.isfinite(both["AVAX"])


def test_nothing_at_a_date_moves_when_the_next_bar_jumps(known):
    now = known.log_returns.index[350]
    jumped = known.log_returns.copy()
    jumped.iloc[351] = -0.6
    lows = tuple(np.minimum(low, jumped) for low in known.lows)
    sigma = known.volatility.copy()
    sigma.iloc[351:] *= 3.0
    changed = History(jumped, lows, sigma)
    dates = known.log_returns.index[[300, 350]]
    before, after = (
        estimates.walk(h, dates, UNIVERSE, POLICY, MULTIPLES, rng()) for h in (known, changed)
    )
    pd.testing.assert_frame_equal(before, after)
    later = known.log_returns.index[[352]]
    moved = estimates.walk(changed, later, UNIVERSE, POLICY, MULTIPLES, rng())
    assert (moved["long_run"].xs("BTC", level="asset") > 0.1).any()
    assert now in before.index.get_level_values("time")


def test_an_asset_joins_when_it_has_the_minimum_and_leaves_when_it_stops():
    known = history(bars=400, assets=["BTC", "ETH", "LUNA"])
    returns = known.log_returns.copy()
    returns.loc[returns.index[:100], "ETH"] = np.nan
    returns.loc[returns.index[300:], "LUNA"] = np.nan
    lows = tuple(low.where(returns.notna()) for low in known.lows)
    moved = History(returns, lows, known.volatility)
    dates = returns.index[[200, 290, 399]]
    found = estimates.walk(moved, dates, UNIVERSE, POLICY, MULTIPLES, rng(), minimum="150D")
    there = found.index.to_frame(index=False).groupby("time")["asset"].unique().map(list).tolist()
    assert there == [["BTC", "LUNA"], ["BTC", "ETH", "LUNA"], ["BTC", "ETH"]]


def test_a_shorter_look_back_forgets():
    known = history(bars=700, assets=["BTC", "ETH"])
    returns = known.log_returns.copy()
    returns.iloc[50] = -0.5
    crashed = History(returns, tuple(np.minimum(x, returns) for x in known.lows), known.volatility)
    long, short = (
        estimates.at(
            crashed, UNIVERSE, Policy(tail=Tail(0.99), look_back=back), MULTIPLES, rng()
        ).xs("24h", level="horizon")
        for back in (None, "365D")
    )
    assert (long["long_run"] > short["long_run"]).all()
    assert (long["forecast"] == short["forecast"]).all()


def test_weekly_dates_end_at_the_last_bar_and_have_a_past():
    known = history(bars=300, assets=["BTC"])
    dates = estimates.weekly(known, "2021-09-01")
    assert dates[-1] == known.now
    assert (np.diff(dates) == np.timedelta64(7, "D")).all()
    assert dates[0] >= pd.Timestamp("2021-09-01") > dates[0] - pd.Timedelta("7D")
    early = estimates.weekly(known, "2020-01-01")
    assert early[0] >= known.log_returns.index[180] > early[0] - pd.Timedelta("7D")
    assert len(estimates.walk(known, early[:1], UNIVERSE, POLICY, MULTIPLES, rng()))
    with pytest.raises(ParameterError, match="the history ends at"):
        estimates.weekly(known, "2022-01-01")
    with pytest.raises(ParameterError, match="100 bars, a calibration needs 180D"):
        estimates.weekly(history(bars=100, assets=["BTC"]), "2021-01-01")


def test_multiples_are_measured_from_a_bar_on_and_published_below():
    trigger = pd.DataFrame({"scale": ["long run", "forecast"], "multiplier": [1.2, 0.9]})
    daily = estimates.multiples(UNIVERSE, trigger, pd.Timedelta("1D"))
    assert daily.loc["4h"].tolist() == [UNIVERSE.intraday.multiple("4h").mean] * 2
    assert daily.loc["24h"].to_dict() == {"forecast": 0.9, "long_run": 1.2}
    hourly = estimates.multiples(UNIVERSE, trigger, pd.Timedelta("1h"))
    assert (hourly["long_run"] == 1.2).all()


def test_what_cannot_be_estimated_is_named(known):
    with pytest.raises(EstimationError, match="no date to calibrate at"):
        estimates.walk(known, [], UNIVERSE, POLICY, MULTIPLES, rng())
    blind = History(known.log_returns, known.lows, known.volatility.assign(ADA=np.nan))
    with pytest.raises(EstimationError, match=r"ADA has no volatility today.*new_assets"):
        estimates.excursion_quantile(blind, POLICY, rng())
    with pytest.raises(DataError, match="no asset has a return"):
        estimates.walk(known, [pd.Timestamp("2019-01-01")], UNIVERSE, POLICY, MULTIPLES, rng())


def joining(known, **starts):
    """A copula whose correlation is known from the bar on at which each asset starts."""
    moving = [a for a in known.assets if a not in UNIVERSE.stablecoins]
    path = pd.DataFrame(0.5, known.log_returns.index, correlation.pairs(moving))
    for asset, start in starts.items():
        path.loc[path.index[:start], [pair for pair in path if asset in pair.split("~")]] = np.nan
    return tail.Dependence(path, known.log_returns.corr(), nu=6.0)


def test_an_asset_joins_with_the_first_forecast_of_the_method():
    known = history(bars=420, assets=["BTC", "ETH", "LINK", "USDC"])
    dates = known.log_returns.index[[300, 350, 419]]
    copula = replace(POLICY, method="dcc_t")

    def walked(**starts):
        return estimates.walk(
            known, dates, UNIVERSE, copula, MULTIPLES, rng(), dependence=joining(known, **starts)
        )

    whole, later = walked(), walked(LINK=340)
    assert (dates[0], "LINK", "24h") in whole.index
    there = later.index.get_level_values("asset") == "LINK"
    assert set(later.index.get_level_values("time")[there]) == set(dates[1:])
    assert later["forecast"].notna().all()
    never = walked(LINK=420)
    there = never.index.get_level_values("asset") == "LINK"
    assert never["forecast"][there].isna().all()
    assert len(never) == len(whole)
    setting = Setting(known, UNIVERSE, ADDONS, MULTIPLES, {}, joining(known, LINK=420))
    with pytest.raises(EstimationError, match=r"dcc_t has a forecast of LINK on none"):
        calibration.calibrate(setting, copula, dates, rng())


def test_a_forecast_that_goes_missing_is_an_error():
    known = history(bars=420, assets=["BTC", "ETH", "LINK", "USDC"])
    path = joining(known)
    path.correlation.iloc[350, :] = np.nan
    dates = known.log_returns.index[[300, 350, 419]]
    with pytest.raises(EstimationError, match=r"dcc_t has no forecast of BTC over 1h on .* before"):
        estimates.walk(
            known, dates, UNIVERSE, replace(POLICY, method="dcc_t"), MULTIPLES, rng(),
            dependence=path,
        )  # fmt: skip


def test_alone_a_copula_is_its_margin():
    known = history(bars=420, assets=["BTC", "ETH"])
    dates = known.log_returns.index[[300, 419]]
    copula = replace(POLICY, method="dcc_t")
    found, fhs = (
        estimates.market_targets(known, dates, UNIVERSE, policy, MULTIPLES, rng())
        for policy in (copula, POLICY)
    )
    pd.testing.assert_frame_equal(found.raw, fhs.raw)
    # and of many draws the margin of the copula is that of fhs
    drawn = [
        market.forecast(
            known, POLICY.tail, "dcc_t", POLICY.window, 1, dependence=joining(known),
            rng=np.random.default_rng(seed),
        )
        for seed in range(40)
    ]  # fmt: skip
    drawn = pd.DataFrame(drawn)
    error = drawn.std() / np.sqrt(len(drawn))
    exact = market.forecast(known, POLICY.tail, "fhs", POLICY.window, 1)
    assert ((drawn.mean() - exact).abs() < 4.0 * error).all()
    assert (error < 0.01 * exact).all()


def test_market_targets_are_the_losses_of_the_walk():
    known = history(bars=420, assets=["BTC", "ETH", "USDC", "LUNA"])
    dates = known.log_returns.index[[300, 419]]
    walked = estimates.walk(known, dates, UNIVERSE, POLICY, MULTIPLES, rng())
    found = estimates.market_targets(known, dates, UNIVERSE, POLICY, MULTIPLES, rng())
    wide = walked.xs("24h", level="horizon").drop("USDC", level="asset")
    for name, column in (("raw", "forecast"), ("long_run",) * 2, ("stressed",) * 2):
        expected = wide[column].unstack("asset")
        frame = getattr(found, name)
        pd.testing.assert_frame_equal(frame, expected[frame.columns], check_names=False)
    with pytest.raises(EstimationError, match="no date to calibrate at"):
        estimates.market_targets(known, [], UNIVERSE, POLICY, MULTIPLES, rng())
