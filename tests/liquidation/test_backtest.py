"""The default study of a universe, the ways of serving it, and its variations."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from xcoll.errors import ParameterError
from xcoll.liquidation import backtest, cohorts

RATES = pd.DataFrame(
    {"ltv": [0.72, 0.66, 0.9], "threshold": [0.84, 0.78, 0.95], "bonus": 0.05, "protocol_fee": 0.1},
    index=["BTC", "ETH", "USDC"],
)
UNIVERSE = SimpleNamespace(
    collateral=["BTC", "ETH", "USDC"], debts=["BTC", "USDC", "USDT"], stablecoins=["USDC", "USDT"]
)


@pytest.fixture(scope="module")
def study():
    rng = np.random.default_rng(3)
    index = pd.date_range("2022-03-01", periods=110, freq="D")
    names = ["BTC", "ETH", "USDC", "USDT", "GONE"]
    steps = rng.normal(0, 1, (110, 5)) * [0.05, 0.06, 0.001, 0.001, 0.06]
    close = pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index, names)
    low = np.minimum(close, close.shift(1)) * [0.95, 0.95, 1, 1, 0.95]
    return backtest.default(UNIVERSE, close, low, RATES, "7D", "30D", 1.3, 1.0, 0.2, 400, rng)


def test_the_default_study(study):
    assert study.shape.health_median == 1.3
    assert study.shape.volatile == ["BTC"]
    assert set(study.shape.mix) == set(UNIVERSE.collateral)
    assert (study.calendar["kind"] == "LUNA").sum() == 3
    assert (study.weekly.calendar["kind"] == "weekly").all()


def test_portrait_shows_what_is_held_and_owed(study):
    table, facts = backtest.portrait(study)
    assert set(table["asset"]) == {"BTC", "ETH", "USDC", "USDT"}
    assert table.set_index("asset").loc["ETH", "threshold"] == 0.78
    assert np.isnan(table.set_index("asset").loc["USDT", "threshold"])
    assert table[["collateral", "debt"]].sum().tolist() == pytest.approx([1, 1])
    assert table["collateral"].is_monotonic_decreasing
    assert 2 <= facts["assets"] <= 3
    assert facts["near"] == pytest.approx(0.136, abs=0.04)  # P(0.3·exp(z) < 0.1)
    assert 0.1 < facts["top"] < 0.9
    assert facts["debt"] < facts["collateral"]


def test_services_wait_as_they_say():
    ways = backtest.services("1h", "3h", "7D")
    assert ways["path"].delay == pd.Timedelta("4h")
    assert ways["prompt"].delay_steps(pd.Timedelta("1D")) == 1
    assert (ways["breach"].delay, ways["low"].delay) == (None, None)
    with pytest.raises(ParameterError, match="queue"):
        backtest.services("1h", "3", "7D")


def test_serve_names_the_services(study):
    ways = backtest.services("1h", "3h", "7D")
    table, waits = backtest.serve(study, ways)
    assert table["service"].unique().tolist() == list(ways)
    assert len(table) == 4 * len(study.calendar)
    assert waits["path"].min() > pd.Timedelta("4h") - pd.Timedelta("1s")
    assert waits["path"].max() <= pd.Timedelta("5h") < waits["low"].max()


def test_lower_lows_close_more(study):
    ways = backtest.services("1h", "3h", "7D")
    lows = {"as given": study.low, "deeper": study.low * 0.9}
    table = backtest.by_low(study, lows, ways).set_index(["choice", "service"])
    assert table.index.tolist() == [(low, way) for low in lows for way in ("path", "low")]
    at_low = table.xs("low", level="service")["bad_debt"]
    assert at_low["deeper"] > at_low["as given"] >= 0


def test_assumptions_move_one_thing_at_a_time(study):
    table = backtest.assumptions(study, np.random.default_rng(5))
    assert table.index[0] == "as given"
    assert table.index[-1] == "with GONE"
    given = cohorts.run(study.weekly).outcomes
    assert table.loc["as given", "premature"] == pytest.approx(given["premature"].mean())
    assert table.loc["median health 1.3"].equals(table.loc["as given"])  # as it was set here
    changed = table.drop(["as given", "median health 1.3"])
    assert (changed["penalty"] != table.loc["as given", "penalty"]).all()
    assert table.loc["with GONE", "threshold"] != table.loc["as given", "threshold"]


def test_lows_by_every_choice(study):
    close = study.close.drop(columns="GONE")
    sigma = pd.DataFrame(0.05, close.index, close.columns)
    known = (close[["BTC"]] * 0.97).reindex(columns=close.columns)
    made = backtest.lows(close, sigma, known, "BTC", ["USDC", "USDT"], np.random.default_rng(7))
    assert set(made) == {"donor", "matched", "bridge", "close"}
    reached = np.minimum(close, close.shift(1))
    for choice, low in made.items():
        assert (low.iloc[1:] <= reached.iloc[1:]).to_numpy().all(), choice
    pd.testing.assert_frame_equal(made["close"], reached.where(low.notna()), check_exact=False)
    own = np.minimum(close["BTC"] * 0.97, close["BTC"].shift(1)).iloc[1:]
    np.testing.assert_allclose(made["donor"]["BTC"].iloc[1:], own)
    assert (made["donor"]["ETH"] < reached["ETH"]).iloc[2:].any()
    assert made["donor"]["USDC"].iloc[1:].equals(made["close"]["USDC"].iloc[1:])
