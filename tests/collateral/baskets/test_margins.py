import numpy as np
import pandas as pd

from tests.collateral.baskets.samples import history
from xcoll.collateral.baskets import highs
from xcoll.collateral.baskets.margins import margins
from xcoll.collateral.thresholds.pairs import Bars

PAST = history(300, draws=2)


def test_margins_hold_each_bar_once_a_draw():
    given = margins(PAST, ["ETH", "USDC"], PAST.log_returns.clip(lower=0.0) + 0.01)
    before = PAST.volatility[["ETH", "USDC"]].shift(1).to_numpy()[1:]
    moved = PAST.log_returns[["ETH", "USDC"]].to_numpy()[1:]
    assert given.bars == 299
    assert len(given.score) == len(given.low) == len(given.high) == 598
    np.testing.assert_array_equal(given.score[:299], moved / before)
    np.testing.assert_array_equal(given.score[299:], given.score[:299])
    np.testing.assert_array_equal(given.high[299:], given.high[:299])
    for draw, low in enumerate(PAST.lows):
        expected = low[["ETH", "USDC"]].to_numpy()[1:] / before
        np.testing.assert_array_equal(given.low[299 * draw :][:299], expected)
    np.testing.assert_array_equal(given.sigma, PAST.volatility[["ETH", "USDC"]].iloc[-1])
    assert margins(PAST, ["BTC"]).high is None


def test_highs_mirror_the_donor():
    close = 100.0 * np.exp(PAST.log_returns.cumsum())
    top = np.maximum(close, close.shift(1).fillna(100.0)) * 1.01
    only = pd.DataFrame(np.nan, close.index, close.columns)
    known = Bars(close, only, only.assign(BTC=top["BTC"]), PAST.volatility, "BTC", ["USDC"])
    found = highs(known, PAST.log_returns, PAST.volatility, np.random.default_rng(0))
    rises = PAST.log_returns.clip(lower=0.0)
    assert (found >= rises - 1e-12).all(axis=None)
    pd.testing.assert_series_equal(found["USDC"], rises["USDC"], check_names=False)
    own = np.log(top["BTC"] / close["BTC"].shift(1))[1:]
    np.testing.assert_allclose(found["BTC"][1:], own, atol=1e-12)
    lent = (found - rises) / PAST.volatility.shift(1)
    np.testing.assert_allclose(lent["ETH"][1:], lent["BTC"][1:], atol=1e-12)
