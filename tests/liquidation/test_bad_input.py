"""Input that a replay refuses, and what it says of it."""

import numpy as np
import pandas as pd
import pytest

from tests.liquidation.worked import book_of, one_account, parameters, prices
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation.replay import Conduct, low_prices, rates, replay, run
from xcoll.liquidation.rulebooks import Aave, Compound, Euler, Exchange, Maker, Morpho
from xcoll.liquidation.timeline import timeline
from xcoll.liquidation.world import Keepers, Oracle, World


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [(1, "ETH", np.nan), (2, "ETH", -1.0), (2, "USDC", 0.0), (1, "ETH", np.inf), (0, "ETH", 0.0)],
)
def test_bad_prices_are_named(row, column, value):
    close, low = prices([1_000, 990, 980])
    close.iloc[row, close.columns.get_loc(column)] = value
    with pytest.raises(DataError, match=f"{column} at 2022-01-0{row + 1}"):
        replay(one_account(), close, low, parameters())


@pytest.mark.parametrize("low", [985.0, np.nan, 0.0, -1.0])
def test_a_low_must_be_a_price_at_or_under_both_closes(low):
    with pytest.raises(DataError, match=r"ETH at 2022-01-03.*at or under both closes"):
        replay(one_account(), *prices([1_000, 990, 980], [1_000, 990, low]), parameters())


def test_an_asset_without_prices_is_refused():
    close, low = prices([1_000, 990])
    with pytest.raises(DataError, match="USDC"):
        replay(one_account(), close[["ETH"]], low, parameters())


@pytest.mark.parametrize("bars", [0, 2, 1.5, True])
def test_bars_are_those_that_there_are(bars):
    close, low = prices([1_000, 990])
    with pytest.raises(ParameterError, match="bars"):
        replay(one_account(), close, low, parameters(), bars=bars)


def test_one_row_is_no_bar():
    close, low = prices([1_000])
    with pytest.raises(ParameterError, match="needs 2 rows of prices or more; 1 given"):
        replay(one_account(), close, low, parameters())


@pytest.mark.parametrize("scale", [np.ones(2), np.ones((1, 1)), [np.nan], [-0.1], [np.inf]])
def test_a_scale_is_one_number_an_account(scale):
    close, low = prices([1_000, 990])
    with pytest.raises(ParameterError, match="scale must be 1 finite numbers"):
        replay(one_account(), close, low, parameters(), scale=scale)


def test_a_timeline_must_reach_as_far_as_the_times():
    close, low = prices([1_000, 990, 980])
    line = timeline(
        close.to_numpy(), low.to_numpy(), pd.Timedelta("1D"), 24, World(), list(close.columns)
    )
    given = rates(["ETH", "USDC"], parameters())
    assert len(run(one_account(), close.index, line, given, Conduct()).times) == 2
    later = pd.date_range("2022-01-01", periods=4)
    with pytest.raises(ParameterError, match="3 bars are more than the timeline has"):
        run(one_account(), later, line, given, Conduct())


@pytest.mark.parametrize(
    "changes",
    [
        {"fill": "middle"},
        {"steps": 12},
        {"steps": 25},
        {"steps": 0},
        {"steps": 24.0},
        {"within": "seven"},
        {"within": 7},
    ],
)
def test_conduct_is_checked(changes):
    with pytest.raises(ParameterError):
        Conduct(**changes)


@pytest.mark.parametrize("fill", ["breach", "low"])
@pytest.mark.parametrize(
    "world",
    [
        World(Oracle("1h")),
        World(keepers=Keepers(gas=1.0)),
        World(keepers=Keepers(capital=1e9)),
    ],
)
def test_bounds_know_no_friction(fill, world):
    with pytest.raises(ParameterError, match=f"the bound '{fill}' knows no friction"):
        Conduct(Aave(), world, fill)


@pytest.mark.parametrize("engine", [Euler(), Compound(), Maker(), Exchange()])
def test_bounds_are_for_keepers_who_come_at_the_breach(engine):
    with pytest.raises(ParameterError, match="take Aave or Morpho"):
        Conduct(engine, World(), "low")
    assert Conduct(Morpho(), World(), "low").fill == "low"


def test_accounts_that_a_venue_cannot_hold_are_named():
    assets = ["ETH", "BTC", "USDC"]
    close = pd.DataFrame(1.0, pd.date_range("2022-01-01", periods=2), assets)
    two = book_of(assets, [[1, 1, 0], [1, 0, 0]], [[0, 0, 0.5], [0, 0.2, 0.2]])
    for engine, sides in (
        (Maker(), "collaterals"),
        (Morpho(), "collaterals"),
        (Euler(), "debts"),
        (Compound(), "debts"),
    ):
        with pytest.raises(DataError, match=f"several {sides}.*mapping.split"):
            replay(two, close, close, parameters(), Conduct(engine))
    for engine in (Aave(), Exchange()):
        replay(two, close, close, parameters(), Conduct(engine))


def test_low_prices_refuses_an_excursion_above_the_close():
    close, _ = prices([1_000, 900, 990])
    excursion = pd.DataFrame({"ETH": [np.nan, np.log(0.95), -0.1]}, close.index)
    with pytest.raises(DataError, match="low of ETH at 2022-01-02"):
        low_prices(close, excursion)
    with pytest.raises(DataError, match="different times"):
        low_prices(close, excursion.iloc[1:])
