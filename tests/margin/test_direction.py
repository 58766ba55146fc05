"""Wrong way and right way: signs and liquidation moves in closed form, and what is told."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.margin.traded import DERIVE, PLAIN, PRICES, market
from xcoll.errors import DataError, ParameterError
from xcoll.margin.direction import accounts, compare
from xcoll.margin.draws import Basis, draw
from xcoll.margin.market import quote
from xcoll.margin.standing import stand

DAY = pd.Timedelta("1D")
POSITION, MARGIN, HAIRCUT = 100_000.0, 30_000.0, 0.1
M = MARGIN / POSITION


def drawn(opposite=False, still=False, n=500):
    """Draws of a day; ETH follows BTC, or moves against it."""
    rng = np.random.default_rng(4)
    index = pd.date_range("2021-01-01", periods=n)
    btc = rng.standard_normal(n)
    eth = (-1.0 if opposite else 1.0) * (0.8 * btc + 0.6 * rng.standard_normal(n))
    stable = rng.standard_normal(n)
    score = pd.DataFrame({"BTC": 0.0 * btc if still else btc, "ETH": eth, "USDC": stable}, index)
    sigma = pd.Series({"BTC": 0.04, "ETH": 0.05, "USDC": 0.0005})

    return draw(score, 0.0 * score, sigma, sigma, 1, DAY, n, rng, basis=Basis(0.0, 0.0))


MARKET = market(
    spot=pd.concat([PRICES, pd.Series({"USDC": 1.0})]),
    haircut=pd.Series({"BTC": HAIRCUT, "ETH": 0.2, "USDC": 0.01}),
)
KEPT = ["USD", "BTC", "ETH", "USDC"]


@pytest.fixture(scope="module")
def found():
    table = compare(MARKET, DERIVE, drawn(), "BTC", POSITION, MARGIN, KEPT)
    return table.set_index(["side", "kept"])


def test_one_account_a_side_and_collateral():
    made = accounts(MARKET, "BTC", POSITION, MARGIN, KEPT)
    quotes = quote(made.instruments, MARKET)
    assert list(made.accounts) == [
        f"{side}, in {one}" for side in ("long", "short") for one in KEPT
    ]
    equity = made.equity(quotes)
    np.testing.assert_allclose(equity, MARGIN, rtol=1e-12)
    line = made.frame().query("instrument == 'BTC-PERP'").set_index("account")["quantity"]
    assert (line.abs() * quotes.frame().loc["BTC-PERP", "mark"]).to_numpy() == pytest.approx(1e5)
    assert list(np.sign(line)) == [1.0] * 4 + [-1.0] * 4


def test_the_position_is_of_the_dollars_asked_for_whatever_the_premium():
    dear = replace(MARKET, premium=pd.Series({"BTC": 0.25}))
    made = accounts(dear, "BTC", POSITION, MARGIN, ["USD"])
    assert made.quantity[0] == pytest.approx(POSITION / 50_000.0)


def test_own_asset_is_wrong_way_for_a_long_and_right_way_for_a_short(found):
    way = found["way"]
    assert way["long", "BTC"] == way["long", "ETH"] == "wrong"
    assert way["short", "BTC"] == way["short", "ETH"] == "right"
    assert (way.xs("USD", level="kept") == "none").all()
    assert (way.xs("USDC", level="kept") == "none").all()
    assert found.loc[("long", "BTC"), "beta"] == pytest.approx(1.0, rel=1e-12)
    assert found.loc[("short", "BTC"), "beta"] == pytest.approx(-1.0, rel=1e-12)
    assert found.loc[("long", "USD"), "beta"] == 0.0


def test_beta_is_the_slope_of_the_losses(found):
    draws = drawn()
    btc, eth = draws.price[:, 0], draws.price[:, 1]
    slope = np.polyfit(btc, eth, 1)[0]
    assert found.loc[("long", "ETH"), "beta"] == pytest.approx(slope, rel=1e-9)
    assert found.loc[("short", "ETH"), "beta"] == pytest.approx(-slope, rel=1e-9)


def test_what_moves_against_the_position_turns_the_way_round():
    turned = compare(MARKET, PLAIN, drawn(opposite=True), "BTC", POSITION, MARGIN, ["ETH"])
    assert list(turned["way"]) == ["right", "wrong"]


def test_liquidation_moves_in_closed_form(found):
    # 15 % range and 2 % on top of every unit that is held or owed
    moves = {
        ("long", "USD"): (1.0 - M) / (1.0 - 0.17),
        ("long", "BTC"): 1.0 / (1.0 - 0.17 + M * (1.0 - HAIRCUT)),
        ("short", "USD"): (1.0 + M) / (1.0 + 0.17),
        # all of the collateral hedges: the requirement is of 1 − m units net, 1 + m gross
        ("short", "BTC"): 1.0 / (1.15 * (1.0 - M) + 0.02 * (1.0 + M)),
    }
    for key, level in moves.items():
        assert found.loc[key, "move"] == pytest.approx(level - 1.0, rel=1e-10)
    assert abs(found.loc[("long", "BTC"), "move"]) < abs(found.loc[("long", "USD"), "move"])
    assert found.loc[("short", "BTC"), "move"] > found.loc[("short", "USD"), "move"]


def test_a_short_that_is_covered_by_its_collateral_is_closed_nowhere():
    table = compare(MARKET, PLAIN, drawn(), "BTC", POSITION, POSITION, ["BTC"])
    assert np.isnan(table.set_index("side").loc["short", "move"])


def test_an_account_that_is_short_of_margin_is_closed_at_once():
    table = compare(MARKET, PLAIN, drawn(), "BTC", POSITION, 5_000.0, ["USD"])
    assert (table["move"] == 0.0).all()
    assert (table["excess"] < 0.0).all()


def test_health_and_excess_are_those_of_the_standing(found):
    made = accounts(MARKET, "BTC", POSITION, MARGIN, KEPT)
    frame = stand(made, quote(made.instruments, MARKET), DERIVE).frame
    for column in ("health", "excess"):
        np.testing.assert_array_equal(found[column], frame[column])


def test_what_a_close_out_takes_by_a_plain_loop():
    draws, margin = drawn(), 7_000.0
    table = compare(MARKET, PLAIN, draws, "BTC", POSITION, margin, ["USD", "BTC", "ETH"])
    for row in table.itertuples():
        sign = 1.0 if row.side == "long" else -1.0
        lost = []
        for btc, eth, _ in draws.price:
            pledged = {"USD": 0.0, "BTC": btc, "ETH": eth}[row.kept]
            lost.append(-sign * POSITION * btc - margin * pledged)
        chance = np.mean(np.array(lost) >= margin)
        assert row.lost == pytest.approx(chance)
        assert row.error == pytest.approx(np.sqrt(chance * (1.0 - chance) / 500))
        assert row.es == pytest.approx(np.mean(sorted(lost)[-5:]) / margin, rel=1e-9)
    by = table.set_index(["side", "kept"])
    assert by.loc[("long", "BTC"), "es"] > by.loc[("long", "USD"), "es"]
    assert by.loc[("short", "BTC"), "es"] < by.loc[("short", "USD"), "es"]
    assert by["lost"].max() > 0.0


def test_a_position_that_never_moves_has_no_way():
    with warnings.catch_warnings(action="error"):
        table = compare(MARKET, PLAIN, drawn(still=True), "BTC", POSITION, MARGIN, ["ETH"])
    assert list(table["way"]) == ["none", "none"]
    assert table["beta"].isna().all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"position": 0.0}, "position is 0; give a number above zero"),
        ({"position": np.nan}, "position is nan; give a finite number"),
        ({"position": "x"}, "position is 'x'; give a finite number"),
        ({"collateral": -1.0}, "collateral is -1; give a number above zero"),
        ({"collateral": np.inf}, "collateral is inf; give a finite number"),
        ({"kept": []}, "kept is .*; give a list of assets or 'USD', each once"),
        ({"kept": ["BTC", "BTC"]}, "kept is .*; give a list of assets or 'USD', each once"),
        ({"kept": ["USD", "USD"]}, "kept is .*; give a list of assets or 'USD', each once"),
        ({"kept": "USD"}, "kept is 'USD'; give a list of assets"),
    ],
)
def test_arguments_that_are_none_are_named(given, said):
    usual = {"asset": "BTC", "position": 1e5, "collateral": 3e4, "kept": ["USD"]}
    with pytest.raises(ParameterError, match=said):
        accounts(MARKET, **(usual | given))
    with pytest.raises(ParameterError, match=said):
        compare(MARKET, DERIVE, drawn(), **(usual | given))


def test_assets_without_a_price_a_haircut_or_draws_are_named():
    for given in ({"asset": "XRP"}, {"kept": ["XRP"]}):
        usual = {"asset": "BTC", "position": 1e5, "collateral": 3e4, "kept": ["USD"]}
        with pytest.raises(DataError, match="no spot price of XRP"):
            accounts(MARKET, **(usual | given))
    bare = replace(MARKET, haircut=MARKET.haircut.drop("ETH"))
    with pytest.raises(DataError, match="no haircut of ETH, which is collateral"):
        compare(bare, DERIVE, drawn(), "BTC", POSITION, MARGIN, ["ETH"])
    few = replace(drawn(), assets=("BTC", "XRP", "USDC"))
    with pytest.raises(DataError, match="no draws of ETH"):
        compare(MARKET, DERIVE, few, "BTC", POSITION, MARGIN, ["ETH"])
