from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.collateral.world import ADDONS
from xcoll.collateral import comparison, universe, venues
from xcoll.collateral.governance import Governance
from xcoll.errors import ParameterError

DATA = Path(__file__).parents[2] / "data"
UNIVERSE = universe.parse(yaml.safe_load((DATA / "universe.yaml").read_text(encoding="utf-8")))
VENUES = venues.parse(yaml.safe_load((DATA / "venues.yaml").read_text(encoding="utf-8")))
RESULT = pd.DataFrame(
    {
        "threshold": [0.80, 0.75, 0.60],
        "threshold_low": [0.78, 0.72, 0.55],
        "threshold_high": [0.84, 0.79, 0.65],
        "threshold_venue": [0.81, 0.76, 0.61],
        "ltv": [0.70, 0.60, 0.45],
        "ltv_low": [0.68, 0.57, 0.40],
        "ltv_high": [0.73, 0.63, 0.50],
        "bonus": [0.05, 0.05, 0.10],
        "market": [0.10, 0.17, 0.30],
        "horizon": ["4h", "4h", "24h"],
    },
    ["ETH", "wstETH", "ADA"],
)
TODAY = VENUES.today("aave-v3-ethereum", UNIVERSE)


def test_venues_are_compared_in_their_own_regime():
    beside = comparison.against_venues(RESULT, VENUES, UNIVERSE.stablecoins)
    assert "compound-v3-weth" not in set(beside["venue"])  # owed in Ether, not in dollars
    assert set(beside["asset"]) == {"ETH", "wstETH"}
    rows = beside[beside["asset"] == "ETH"].set_index("venue")
    assert rows.loc["aave-v3-ethereum", "published"] == 0.83
    assert rows.loc["aave-v3-ethereum", "difference"] == 0.80 - 0.83
    assert rows.loc["compound-v3-usdc", "regime"] == "venue"
    assert rows.loc["compound-v3-usdc", "ours"] == 0.81


def test_no_change_inside_the_interval_and_steps_outside():
    table = comparison.recommend(RESULT, TODAY, Governance(0.005, 0.005, "3D"))
    table = table.set_index(["asset", "parameter"])
    eth = table.loc[("ETH", "threshold")]
    assert (eth["today"], eth["recommended"], eth["change"], eth["proposals"]) == (0.83, 0.83, 0, 0)
    assert eth["why"] == "today is inside the interval"
    assert eth["days"] == 0.0
    staked = table.loc[("wstETH", "threshold")]  # 0.81 today, 0.75 ours, [0.72, 0.79]
    assert staked["recommended"] == 0.75
    assert staked["change"] == pytest.approx(-0.06)
    assert staked["proposals"] == 12
    assert staked["days"] == 33.0
    assert staked["next"] == pytest.approx(0.805)
    assert staked["why"] == "a 4h close-out loses 17.0 % of the price"
    assert "ADA" not in table.index.get_level_values("asset")
    with pytest.raises(ParameterError, match="publishes no asset"):
        comparison.recommend(RESULT.loc[["ADA"]], TODAY, Governance())


def test_an_ltv_never_exceeds_the_recommended_threshold():
    today = TODAY.assign(ltv=0.79)
    wide = RESULT.assign(ltv_high=0.80, ltv_low=0.5)
    table = comparison.recommend(wide, today, Governance()).set_index(["asset", "parameter"])
    assert table.loc[("wstETH", "threshold"), "recommended"] == 0.75
    assert table.loc[("wstETH", "ltv"), "recommended"] == 0.75


def test_assumptions_list_what_the_universe_marks():
    found = comparison.assumptions(UNIVERSE, ADDONS).set_index(["asset", "fact"])
    assert ("wstETH", "basis") in found.index
    assert ("BTC", "liquidity") not in found.index
    assert UNIVERSE.assets["BNB"].oracle.assumed
    assert ("BNB", "oracle") in found.index
    assert found["source"].str.len().min() > 3


def test_other_readings_are_thresholds_and_say_what_would_turn():
    result = pd.DataFrame(
        {
            "asset": ["ETH"] * 3 + ["ADA"] * 3,
            "horizon": ["1h", "4h", "24h"] * 2,
            "threshold": [0.82, 0.745, 0.71, 0.8, 0.75, 0.67],
            "bonus": [0.02] * 3 + [0.05] * 3,
            "covering": [False, True, False, False, False, True],
        }
    )
    moves = pd.DataFrame(
        [
            (a, i, low, high)
            for a, low, high in (("ETH", 0.2, 0.3), ("ADA", 0.25, 0.4))
            for i in ("tail.confidence", "look_back")
        ],
        columns=["asset", "input", "low", "high"],
    )
    sale = pd.Series({"ETH": 0.01, "ADA": 0.04})
    levels = comparison.other_readings(result, moves, sale, Governance(tick=0.005))
    assert levels.columns.tolist()[:3] == ["1h", "4h", "24h"]
    by_hand = np.floor(0.8 / 0.99 / 1.02 / 0.005) * 0.005
    assert levels.loc["ETH", "ES 97.5 %"] == pytest.approx(by_hand)
    assert levels.loc["ADA", "two years of history"] == levels.loc["ADA", "ES 99.5 %"]
    changes = pd.DataFrame({"today": [0.78, 0.67], "change": [-0.035, 0.0]}, ["ETH", "ADA"])
    turns = comparison.turned(levels, changes)
    assert turns.index.tolist() == ["ETH"]  # what does not change cannot turn
    assert turns.loc["ETH"].tolist() == [True, False, False, True, False, False]
