"""A universe to begin with: what is known is taken, what is guessed is marked."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from xcoll.collateral import universe as universes
from xcoll.errors import DataError
from xcoll.market.prices import Prices
from xcoll.workbook import files
from xcoll.workbook.feeds.skeleton import skeleton, symbols

BUNDLED = Path(__file__).resolve().parents[3] / "data" / "universe.yaml"
INDEX = pd.date_range("2022-01-01", periods=500, name="time", unit="us")


def prices(*names, volume=None):
    rng = np.random.default_rng(1)
    tables = {}
    for name in names:
        walk = 100 * np.exp(np.cumsum(0.02 * rng.standard_normal(len(INDEX))))
        tables[name] = 1 + 0.001 * rng.standard_normal(len(INDEX)) if "US" in name[:4] else walk
    close = pd.DataFrame(tables, INDEX)
    return Prices(close, volume=None if volume is None else close * 0 + volume)


def read(text):
    return universes.parse(yaml.safe_load(text), "made.yaml")


def test_symbols_are_the_base_of_a_pair_unless_two_have_it():
    assert symbols(["BTC-USD", "ETH/USDT", "wstETH", "MY-COIN"]) == {
        "BTC-USD": "BTC", "ETH/USDT": "ETH", "wstETH": "wstETH", "MY-COIN": "MY-COIN"
    }  # fmt: skip
    assert symbols(["BTC-USD", "BTC/USDT"]) == {"BTC-USD": "BTC-USD", "BTC/USDT": "BTC/USDT"}


def test_known_assets_have_their_facts_and_others_are_marked():
    text = skeleton(prices("BTC-USD", "Feather", "USDX"), BUNDLED)
    made, known = read(text), files.read_universe(BUNDLED)
    assert made.assets["BTC"].liquidity == known.assets["BTC"].liquidity
    assert made.assets["BTC"].column == "BTC-USD"
    guessed = made.assets["Feather"]
    assert (guessed.kind, guessed.roles) == ("token", ("collateral",))
    for block in (guessed.liquidity, guessed.oracle, guessed.contract, made.chains["unknown"]):
        assert block.assumed
        assert block.source.startswith("assumed, fill in: ")
    assert made.assets["USDX"].peg == 1.0
    assert made.stablecoins == made.debts[-1:] == ["USDX"]
    assert "# Assumed throughout, to be filled in: Feather, USDX." in text
    assert "the same assets: BTC." in text
    assert set(made.chains) == {"bitcoin", "unknown"}


def test_what_is_said_of_the_bundled_prices_is_not_taken():
    made = read(skeleton(prices("AVAX", "LUNA", "WBTC", "USDC"), BUNDLED))
    assert made.assets["AVAX"].listed_from is None
    assert made.assets["USDC"].suspect == ()
    assert made.assets["LUNA"].liquidity.assumed  # excluded there: another asset, for all we know
    assert made.assets["WBTC"].kind == "token"  # derived there: here it has prices of its own


def test_fetched_volumes_are_a_liquidity():
    own = prices("Feather", "USDX", volume=50.0)
    made = read(skeleton(own, BUNDLED, {"exchange": "kraken"}))
    found = made.assets["Feather"].liquidity
    daily = (own.close["Feather"] * 50.0).iloc[-365:]
    assert found.adv_usd == pytest.approx(daily.median(), rel=5e-3)
    assert found.adv_p5_usd == pytest.approx(daily.quantile(0.05), rel=5e-3)
    assert (found.venue, found.assumed) == ("kraken", False)


def test_a_universe_that_could_not_be_is_refused():
    with pytest.raises(DataError, match="no asset stays at 1"):
        skeleton(prices("BTC", "ETH"), BUNDLED)
    with pytest.raises(DataError, match="every asset stays at 1"):
        skeleton(prices("USDC", "USDT"), BUNDLED)
