"""Stablecoins' market part: against the estimators' own table, as known at a date, by hand."""

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from xcoll.collateral import universe as universes
from xcoll.collateral.facts import Depeg, Suspect
from xcoll.collateral.haircuts import pegged
from xcoll.collateral.haircuts.market import Tail
from xcoll.collateral.history import History
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators import volatility
from xcoll.estimators.tail import close_out, close_out_losses, depeg

FILE = Path(__file__).resolve().parents[2] / "data" / "universe.yaml"
COINS = ["USDC", "USDT"]
HORIZONS = ("1h", "4h", "24h")


@pytest.fixture(scope="module")
def universe():
    return universes.parse(yaml.safe_load(FILE.read_text(encoding="utf-8")), FILE.name)


def history(bars=1461, first="2020-01-01", freq="D", levels=None):
    """Prices around the peg, or at `levels`: day → price of USDC."""
    rng = np.random.default_rng(0)
    index = pd.date_range(first, periods=bars, freq=freq)
    prices = pd.DataFrame(1.0 + 0.001 * rng.standard_normal((bars, 2)), index, COINS)
    for day, level in (levels or {}).items():
        prices.loc[day, "USDC"] = level
    returns = np.log(prices).diff()
    return History(returns, (returns.clip(upper=0.0),) * 2, volatility.ewma(returns))


@pytest.mark.parametrize("measure", ["es", "var"])
def test_the_same_as_the_table_of_the_estimators(universe, measure):
    known = history()
    fiat = depeg.recorded(universe.depegs, pegged.SINCE, known.now)
    years = 2 * (known.now - pd.Timestamp(pegged.SINCE)) / depeg.YEAR
    model = depeg.fit([1 - event.low for event in fiat], years)
    doubts = {coin: universe.assets[coin].suspect for coin in COINS}
    calm = depeg.without(known.log_returns, doubts)
    shares = {horizon: universe.intraday.share(horizon) for horizon in HORIZONS}
    losses = close_out_losses(calm, calm.clip(upper=0.0))
    table = close_out.of_stablecoins(model, losses, 0.99, shares).set_index(["asset", "horizon"])
    found = pegged.pegged(known, universe, Tail(0.99, measure), HORIZONS)
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found.stack(), table[measure][found.stack().index], rtol=1e-13)
    if measure == "es":
        wide = pegged.pegged_table(known, universe, Tail(), HORIZONS).query("~suspects")
        wide = wide.set_index(["asset", "horizon"])
        for end in ("", "_low", "_high"):
            expected = table[f"es{end}"][wide.index]
            np.testing.assert_allclose(wide[f"market{end}"], expected, rtol=1e-13)


def test_breaks_are_those_recorded_by_then(universe):
    known = history()
    depths = {"2022-05-11": (0.15,), "2022-05-12": (0.15, 0.05), "2023-03-11": (0.15, 0.123, 0.05)}
    for day, expected in depths.items():
        found = pegged.breaks(known.until(day), universe)
        assert found.depths == pytest.approx(expected)
        years = 2 * (pd.Timestamp(day) - pd.Timestamp("2018-10-01")).days / 365
        assert found.hazard == pytest.approx(len(expected) / years)
    later = pegged.breaks(known, universe, since="2019-01-01")
    assert later.depths == pytest.approx((0.123, 0.05))


def test_what_comes_later_moves_nothing(universe):
    day = "2021-06-30"
    event = Depeg(
        token="USDC", backing="fiat", day=datetime.date(2021, 7, 1), low=0.5,
        source="made up for a test", date=datetime.date(2021, 7, 1),
    )  # fmt: skip
    planted = universe.model_copy(update={"depegs": (*universe.depegs, event)})
    known, crashed = history(), history(levels={"2021-07-01": 0.5})
    for suspects in (False, True):
        one = pegged.pegged(known.until(day), universe, Tail(), HORIZONS, suspects=suspects)
        other = pegged.pegged(crashed.until(day), planted, Tail(), HORIZONS, suspects=suspects)
        pd.testing.assert_frame_equal(one, other)
    after = pegged.pegged(crashed.until("2021-07-01"), planted, Tail(), HORIZONS)
    assert (after > one).all(axis=None)


def test_a_coin_is_watched_from_when_it_was_deployed(universe):
    young = universe.assets["USDC"].contract.model_copy(
        update={"deployed": datetime.date(2020, 10, 1)}
    )
    coin = universe.assets["USDC"].model_copy(update={"contract": young})
    changed = universe.model_copy(update={"assets": universe.assets | {"USDC": coin}})
    known = history().until("2022-10-01")
    assert pegged.breaks(known, universe).years == pytest.approx(2 * 1461 / 365)
    assert pegged.breaks(known, changed).years == pytest.approx((1461 + 730) / 365)


def test_suspect_prints_count_when_asked(universe):
    # the only suspect spans of the price below: USDC at 0.97 for two days, and above its peg
    spans = [("2020-03-12", "2020-03-13"), ("2020-03-17", "2020-03-18")]
    doubts = tuple(
        Suspect(first=first, last=last, reason="made up for a test",
                source="made up for a test", date=datetime.date(2023, 12, 31))
        for first, last in spans
    )  # fmt: skip
    assets = dict(universe.assets)
    assets["USDC"] = assets["USDC"].model_copy(update={"suspect": doubts})
    assets["USDT"] = assets["USDT"].model_copy(update={"suspect": ()})
    told = universe.model_copy(update={"assets": assets})
    prices = {
        "2020-01-01": 1.02, "2020-03-12": 1.05, "2020-03-13": 0.995, "2020-03-17": 0.975,
        "2020-03-18": 0.97,
    }  # fmt: skip
    known = history(levels=prices)
    assert pegged.breaks(known, told).depths == pytest.approx((0.15, 0.123, 0.05))
    with_them = pegged.breaks(known, told, suspects=True)
    assert with_them.depths == pytest.approx((0.15, 0.123, 0.05, 0.03), abs=3e-4)
    # before the last of them was printed, the break is not yet as deep
    early = pegged.breaks(known.until("2020-03-17"), told, suspects=True)
    assert early.depths == pytest.approx((0.15, 0.025), abs=5e-4)
    none = pegged.breaks(known, told, since="2020-03-19", suspects=True)
    assert none.depths == pytest.approx((0.123, 0.05))
    of = Tail(0.99)
    without, counted = (
        pegged.pegged(known, told, of, ("24h",), suspects=flag)["24h"] for flag in (False, True)
    )
    # ordinary days: the fall from 1.05, which is in no believed print, and the break itself
    believed = known.log_returns["USDC"].drop(pd.to_datetime(
        ["2020-03-12", "2020-03-13", "2020-03-14", "2020-03-17", "2020-03-18", "2020-03-19"]
    )).dropna()  # fmt: skip
    every = known.log_returns["USDC"].dropna()
    for sample, found, model in (
        (believed, without, pegged.breaks(known, told)), (every, counted, with_them)
    ):  # fmt: skip
        losses = -np.expm1(sample.clip(upper=0.0)).to_numpy()
        expected = depeg.var_es(model, "24h", 0.99, losses)[1]
        assert found["USDC"] == pytest.approx(expected, rel=1e-12)
    assert (counted > without).all()


def test_the_table_has_both_and_their_interval(universe):
    table = pegged.pegged_table(history(), universe, Tail(), HORIZONS)
    assert table["suspects"].tolist() == [False] * 6 + [True] * 6
    assert (table["market_low"] <= table["market"]).all()
    assert (table["market"] <= table["market_high"]).all()
    first = table.iloc[0]
    assert (first["events"], first["hazard"]) == (3, pytest.approx(3 / first["years"]))
    assert table.columns.tolist() == [
        "asset", "horizon", "suspects", "market", "market_low", "market_high", "events", "years",
        "hazard", "hazard_low", "hazard_high",
    ]  # fmt: skip


def test_bars_under_a_day_give_the_losses_of_a_day(universe):
    known = history(bars=400, first="2022-06-01", freq="6h")
    found = pegged.pegged(known, universe, Tail(0.9), ("24h",))["24h"]
    r = known.log_returns["USDT"].to_numpy()[1:]
    paths = np.lib.stride_tricks.sliding_window_view(r, 4)
    low = np.minimum(r, 0.0)
    lows = np.lib.stride_tricks.sliding_window_view(low, 4)
    worst = (np.cumsum(paths, axis=1) - paths + lows).min(axis=1)
    expected = depeg.var_es(pegged.breaks(known, universe), "24h", 0.9, -np.expm1(worst))[1]
    assert found["USDT"] == pytest.approx(expected, rel=1e-12)


def test_bad_input(universe):
    known = history(bars=200)
    names = {"USDC": "BTC"}
    moving = History(
        known.log_returns.rename(columns=names),
        tuple(low.rename(columns=names) for low in known.lows),
        known.volatility.rename(columns=names),
    )
    with pytest.raises(ParameterError, match="BTC has no peg in the universe"):
        pegged.pegged(moving, universe, Tail(), HORIZONS)
    with pytest.raises(ParameterError, match=r"since is 2021-01-01, the last bar 2020-07-18"):
        pegged.pegged(known, universe, Tail(), HORIZONS, since="2021-01-01")
    with pytest.raises(EstimationError, match="no depeg event"):
        pegged.pegged(known, universe, Tail(), HORIZONS, since="2020-01-01")
    with pytest.raises(ParameterError, match="horizon 2h has no measured"):
        pegged.pegged(known, universe, Tail(), ("2h",))
