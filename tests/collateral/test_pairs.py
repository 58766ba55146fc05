import numpy as np
import pandas as pd
import pytest

from xcoll.collateral import thresholds
from xcoll.collateral.haircuts import PARTS
from xcoll.collateral.thresholds import pairs
from xcoll.errors import DataError, ParameterError
from xcoll.estimators import tail, volatility


@pytest.fixture(scope="module")
def history():
    rng = np.random.default_rng(7)
    index = pd.date_range("2020-01-01", periods=700, freq="D")
    common = 0.04 * rng.standard_t(4, 700)
    noise = 0.01 * rng.standard_normal((700, 3))
    returns = pd.DataFrame(
        {"BTC": common, "TWIN": common + noise[:, 0], "ODD": -common + noise[:, 1]}, index
    )
    returns["USD"] = 0.0005 * rng.standard_normal(700)
    close = 100 * np.exp(returns.cumsum())
    reach = np.exp(0.02 * rng.random(700))
    low = pd.DataFrame(np.nan, index, close.columns)
    high = low.copy()
    before = close["BTC"].shift(1).fillna(100)
    low["BTC"] = np.minimum(close["BTC"], before) / reach
    high["BTC"] = np.maximum(close["BTC"], before) * reach
    return pairs.Bars(close, low, high, volatility.ewma(np.log(close).diff()), "BTC", ["USD"])


def es(history, debt, seed=1):
    return pairs.ratio_shortfall(history, debt, 1, 0.99, np.random.default_rng(seed))


def test_a_hedged_collateral_loses_less_and_an_opposed_one_more(history):
    found = es(history, "BTC")
    assert "BTC" not in found
    own = tail.close_out_losses(np.log(history.close).diff(), history.falls.low.to_frame(), 1)
    alone = tail.historical(own["BTC"].dropna(), 0.99).es
    assert found["TWIN"] < 0.6 * alone < found["ODD"]
    pd.testing.assert_series_equal(found, es(history, "BTC"))


def test_a_pegged_collateral_fears_the_rises_of_the_debt(history):
    rises = history.rises
    fallen = np.log(history.close["BTC"]).diff().dropna()
    np.testing.assert_allclose(rises.log_returns.dropna(), -fallen, atol=1e-12)
    steeper = np.log(history.high["BTC"] / history.close["BTC"].shift(1)).dropna()
    np.testing.assert_allclose(-rises.low.dropna(), steeper, atol=1e-12)
    # a debt whose highs reach further is the more dangerous one for a dollar
    far = pairs.Bars(history.close, history.low, history.high * 1.05, history.sigma, "BTC", ["USD"])
    assert es(far, "BTC")["USD"] > es(history, "BTC")["USD"] + 0.02
    pd.testing.assert_series_equal(es(far, "BTC").drop("USD"), es(history, "BTC").drop("USD"))


def test_pair_threshold_counts_both_feeds():
    other = pd.DataFrame(0.0, ["ETH", "BTC"], list(PARTS)).assign(oracle=[0.005, 0.01])
    market = pd.DataFrame({"BTC": [0.1, np.nan]}, ["ETH", "BTC"])
    bonus = pd.Series({"ETH": 0.05, "BTC": 0.05})
    found = pairs.debt_pairs(market, other, bonus, other.assign(market=0.1))
    assert found.loc["ETH", "BTC"] == pytest.approx(0.9 * 0.995 * 0.99 / 1.05)
    assert np.isnan(found.loc["BTC", "BTC"])
    dollar = thresholds.threshold(other.assign(market=0.1), bonus)
    assert found["USD"].to_dict() == dollar.to_dict()
    assert found.loc["ETH", "BTC"] < found.loc["ETH", "USD"]


def test_faulty_debts_are_named(history):
    with pytest.raises(DataError, match="the debt SOL has no prices"):
        es(history, "SOL")
    other = pd.DataFrame(0.0, ["ETH"], list(PARTS))
    market = pd.DataFrame({"BTC": [0.1]}, ["ETH"])
    with pytest.raises(ParameterError, match="no parts of the debt BTC"):
        pairs.debt_pairs(market, other, pd.Series({"ETH": 0.05}), other)


def test_what_one_threshold_leaves_unpriced():
    levels = pd.DataFrame(
        {"USD": [0.8, 0.9], "BTC": [0.85, 0.72], "ETH": [np.nan, 0.9]}, ["ETH", "USDC"]
    )
    found = pairs.unpriced(levels)
    assert list(zip(found["asset"], found["debt"], strict=True)) == [
        ("USDC", "BTC"), ("USDC", "ETH"), ("ETH", "BTC"),
    ]  # fmt: skip
    assert found["difference"].tolist() == pytest.approx([-0.18, 0.0, 0.05])
    assert found["uncovered"].tolist() == pytest.approx([0.2, 0.0, 0.0])
    assert found["alone"].tolist() == [0.9, 0.9, 0.8]
    with pytest.raises(ParameterError, match="no column USD"):
        pairs.unpriced(levels.drop(columns="USD"))


def test_uncovered_is_what_a_close_out_at_the_calibrated_loss_leaves_open():
    """A loan at LT_i against j, closed when the ratio has lost its market part and feeds lag."""
    other = pd.DataFrame(0.0, ["USDC", "ETH"], list(PARTS)).assign(oracle=[0.0025, 0.005])
    bonus, loss = pd.Series({"USDC": 0.04, "ETH": 0.05}), 0.15
    market = pd.DataFrame({"ETH": [loss, np.nan]}, ["USDC", "ETH"])
    levels = pairs.debt_pairs(market, other, bonus, other.assign(market=[0.01, 0.2]))
    row = pairs.unpriced(levels).iloc[0]
    proceeds = (1 - loss) * (1 - 0.0025) * (1 - 0.005) / 1.04  # of one unit, bonus paid
    assert row["uncovered"] == pytest.approx(1 - proceeds / row["alone"])
