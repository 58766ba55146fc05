"""Liquidation prices: closed forms, roots put back into the market, and where there is none."""

import numpy as np
import pandas as pd
import pytest

from tests.margin.traded import DERIVE, LISTED, NOW, PLAIN, PRICES, RULES, held, market
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.margin.levels import liquidation_prices, nearest, surface
from xcoll.margin.market import quote
from xcoll.margin.standing import excess

CALL, PUT = "BTC-31JAN23-44000-C", "BTC-31JAN23-36000-P"
ENTRY = {"BTC-PERP": 41_000.0, "ETH-PERP": 1_900.0}
BOOKS = {
    "long": ({"BTC-PERP": 2.0}, 20_000.0),
    "short": ({"BTC-PERP": -2.0, "ETH-PERP": 1.0}, 20_000.0),
    "strangle": ({CALL: -5.0, PUT: -5.0}, 60_000.0),
    "hedged": ({"BTC": 1.0, "BTC-PERP": -0.6, CALL: -1.0, PUT: -1.0}, -9_000.0),
    "pair": ({"ETH": 60.0, "BTC-PERP": -1.0, "ETH-PERP": 20.0}, -30_000.0),
}


def at(book, account, rule, moves, volatility=1.0):
    """Excess and equity of `account` in a market that is made anew."""
    there = market(spot=PRICES * (1.0 + pd.Series(moves).reindex(PRICES.index).fillna(0.0)))
    quotes = quote(LISTED, there, NOW.sigma * volatility)
    mine = book.entered(NOW)
    place = mine.accounts.get_loc(account)
    return excess(mine, quotes, rule)[place], mine.equity(quotes).iloc[place]


@pytest.mark.parametrize(
    ("account", "rule"),
    [
        ("long", "deribit-standard"),
        ("short", "derive-portfolio"),
        ("strangle", "deribit-standard"),
        ("hedged", "deribit-portfolio"),
        ("hedged", "derive-portfolio"),
        ("pair", "deribit-standard"),
    ],
)
def test_at_a_liquidation_price_the_excess_is_zero_and_before_it_is_not(account, rule):
    (legs, cash), rule = BOOKS[account], RULES[rule]
    made, quotes = held({account: legs}, {account: cash}, ENTRY)
    found = liquidation_prices(made, quotes, rule, account)
    assert set(found.index) == {LISTED.frame.loc[name, "asset"] for name in legs}
    assert found[["down", "up"]].notna().any(axis=None)
    start = at(made, account, rule, {})[0]
    assert start > 0.0
    for asset, row in found.iterrows():
        assert row["price"] == PRICES[asset]
        for side, end in (("down", -0.95), ("up", 3.0)):
            move = row[f"{side}_move"]
            if np.isfinite(move):
                left, equity = at(made, account, rule, {asset: row[side] / PRICES[asset] - 1.0})
                assert abs(left) <= 1e-8 * abs(equity)
                assert row[side] == pytest.approx(PRICES[asset] * (1.0 + move), rel=1e-15)
                assert (move < 0.0) == (side == "down")
                end = 0.999 * move
            for between in np.linspace(0.0, end, 5)[1:]:
                assert at(made, account, rule, {asset: between})[0] > 0.0


def test_a_perpetual_with_cash_in_closed_form():
    units, cash, entry = 3.7, 31_000.0, 41_000.0
    made, quotes = held(
        {"long": {"BTC-PERP": units}, "short": {"BTC-PERP": -units}},
        {"long": cash, "short": cash},
        {"BTC-PERP": entry},
    )
    long = liquidation_prices(made, quotes, DERIVE, "long").loc["BTC"]
    short = liquidation_prices(made, quotes, DERIVE, "short").loc["BTC"]
    down = (entry * units - cash) / (units * (1.0 - 0.15 - 0.02))
    up = (entry * units + cash) / (units * (1.0 + 0.15 + 0.02))
    assert long["down"] == pytest.approx(down, rel=1e-12)
    assert short["up"] == pytest.approx(up, rel=1e-12)
    assert np.isnan(long["up"])
    assert np.isnan(short["down"])
    assert np.isnan(long["up_move"])


def test_a_loan_against_spot_in_closed_form():
    made, quotes = held({"a": {"BTC": 2.0}}, {"a": -50_000.0})
    found = liquidation_prices(made, quotes, DERIVE, "a").loc["BTC"]
    assert found["down"] == pytest.approx(50_000.0 / (2.0 * (1.0 - 0.1)), rel=1e-12)
    assert np.isnan(found["up"])


def test_of_two_collaterals_each_falls_alone():
    made, quotes = held({"a": {"BTC": 1.0, "ETH": 20.0}}, {"a": -50_000.0})
    found = liquidation_prices(made, quotes, PLAIN, "a")["down"]
    assert found["BTC"] == pytest.approx((50_000.0 - 20.0 * 2_000.0 * 0.8) / 0.9, rel=1e-12)
    assert found["ETH"] == pytest.approx((50_000.0 - 40_000.0 * 0.9) / (20.0 * 0.8), rel=1e-12)


def test_what_is_hedged_is_closed_nowhere():
    made, quotes = held({"a": {"BTC": 1.0, "BTC-PERP": -1.0}, "b": {"BTC": 1.0}})
    for account in "ab":
        found = liquidation_prices(made, quotes, PLAIN, account)
        assert found[["down", "up"]].isna().all(axis=None)


def test_what_is_closed_already_is_closed_at_todays_price():
    made, quotes = held({"a": {"BTC-PERP": 1.0}, "b": {"BTC-PERP": 1.0}}, {"b": 6_799.0})
    for account in "ab":  # b is a dollar short
        found = liquidation_prices(made, quotes, DERIVE, account).loc["BTC"]
        assert found["down"] == found["up"] == found["price"] == 40_000.0
        assert found["down_move"] == found["up_move"] == 0.0


def test_without_an_entry_a_position_gains_from_todays_mark_on():
    premium = pd.Series({"BTC": 0.01})
    found = [
        liquidation_prices(*held({"a": {"BTC-PERP": 1.0}}, {"a": 9e3}, entry, premium=premium),
                           DERIVE, "a")
        for entry in (None, {"BTC-PERP": 40_400.0})
    ]  # fmt: skip
    pd.testing.assert_frame_equal(*found)
    assert found[0].loc["BTC", "down"] == pytest.approx(
        (40_400.0 - 9_000.0) / (1.01 - 0.15 * 1.01 - 0.02), rel=1e-12
    )


def test_more_volatility_brings_the_levels_of_a_strangle_nearer():
    legs, cash = BOOKS["strangle"]
    made, quotes = held({"a": legs}, {"a": cash})
    calm, wild = (
        liquidation_prices(made, quotes, DERIVE, "a", factor).loc["BTC"] for factor in (1.0, 1.3)
    )
    assert calm["down"] < wild["down"] < 40_000.0 < wild["up"] < calm["up"]
    for side in ("down_move", "up_move"):
        left, equity = at(made, "a", DERIVE, {"BTC": wild[side]}, 1.3)
        assert abs(left) <= 1e-8 * equity


def test_the_nearest_of_all_levels():
    legs, cash = BOOKS["pair"]
    made, quotes = held({"a": legs}, {"a": cash}, ENTRY)
    found = liquidation_prices(made, quotes, PLAIN, "a")
    asset, move = nearest(found)
    assert move == found.loc[asset].filter(like="move").loc[lambda x: x.abs().idxmin()]
    assert (found[["down_move", "up_move"]].abs().min() >= abs(move)).all()
    by_hand = {"down_move": [-0.5, np.nan], "up_move": [0.2, 0.6]}
    assert nearest(pd.DataFrame(by_hand, index=["BTC", "ETH"])) == ("BTC", 0.2)
    made, quotes = held({"a": {"BTC": 1.0}})
    with pytest.raises(EstimationError, match="no move of a single asset closes the account"):
        nearest(liquidation_prices(made, quotes, PLAIN, "a"))


def test_cash_alone_has_no_level():
    made, quotes = held({"a": {"BTC-PERP": 1.0}}, {"b": 1.0})
    found = liquidation_prices(made, quotes, DERIVE, "b")
    assert found.empty
    assert list(found.columns) == ["price", "down", "up", "down_move", "up_move"]


@pytest.mark.parametrize("account", BOOKS)
def test_the_surface_is_the_excess_in_every_state(account):
    legs, cash = BOOKS[account]
    made, quotes = held({account: legs}, {account: cash}, ENTRY)
    moves, factors = [-0.5, 0.0, 0.3], [0.0, 0.7, 2.0]
    found = surface(made, quotes, DERIVE, account, "BTC", moves, factors)
    assert found.shape == (3, 3)
    for (move, factor), value in found.stack().items():
        expected, equity = at(made, account, DERIVE, {"BTC": move}, factor)
        assert value == pytest.approx(expected, abs=1e-10 * abs(equity))


def test_a_surface_of_one_state_and_of_none():
    made, quotes = held({"a": {"BTC-PERP": 1.0}}, {"a": 10_000.0})
    one = surface(made, quotes, DERIVE, "a", "BTC", -0.1, 1.0)
    assert one.loc[-0.1, 1.0] == pytest.approx(6_000.0 - 0.17 * 36_000.0)
    assert surface(made, quotes, DERIVE, "a", "BTC", [], [1.0]).empty
    flat = surface(made, quotes, DERIVE, "a", "ETH", [-0.9, 5.0], [1.0])
    assert np.allclose(flat, 3_200.0, rtol=1e-12)  # it has nothing in ETH


@pytest.mark.parametrize(
    ("moves", "factors", "said"),
    [
        ([0.1, -1.0], [1.0], "move is -1; give one above -1"),
        ([np.nan], [1.0], "move is nan; give a finite number"),
        ([np.inf], [1.0], "move is inf; give a finite number"),
        (["x"], [1.0], "move is .*; give a finite number"),
        ([0.1], [-0.1], "factor is -0.1; give at least 0"),
        ([0.1], [np.nan], "factor is nan"),
    ],
)
def test_states_that_are_none_are_named(moves, factors, said):
    made, quotes = held({"a": {"BTC-PERP": 1.0}})
    with pytest.raises(ParameterError, match=said):
        surface(made, quotes, DERIVE, "a", "BTC", moves, factors)


@pytest.mark.parametrize("volatility", [-1.0, np.nan, np.inf, "x", None])
def test_a_bad_factor_of_volatility_is_named(volatility):
    made, quotes = held({"a": {"BTC-PERP": 1.0}})
    with pytest.raises(ParameterError, match="volatility is"):
        liquidation_prices(made, quotes, DERIVE, "a", volatility)


def test_unknown_accounts_and_assets_are_named_with_those_there_are():
    made, quotes = held({"a": {"BTC-PERP": 1.0}})
    with pytest.raises(DataError, match="no account 'x'; there are a"):
        liquidation_prices(made, quotes, DERIVE, "x")
    with pytest.raises(DataError, match="no account 'x'; there are a"):
        surface(made, quotes, DERIVE, "x", "BTC", [0.1], [1.0])
    with pytest.raises(ParameterError, match="no position on XRP; BTC, ETH are"):
        surface(made, quotes, DERIVE, "a", "XRP", [0.1], [1.0])
