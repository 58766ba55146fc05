"""The health of mixed accounts: its two ends in closed form, what hedges, what a call asks for."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin.traded import DERIVE, LISTED, PRICES, RULES, STANDARD, held, market
from xcoll.errors import DataError, ParameterError
from xcoll.margin.book import book
from xcoll.margin.instruments import Instruments, perpetual, spot
from xcoll.margin.market import quote
from xcoll.margin.rules.covered import Covered
from xcoll.margin.standing import excess, stand, top_up

CALL, PUT = "BTC-31JAN23-44000-C", "BTC-01APR23-36000-P"
MIXED = {
    "a": {"BTC": 1.0, "BTC-PERP": -0.5, CALL: -0.2, "ETH": 3.0},
    "b": {"BTC": 0.3, "BTC-PERP": -0.5, PUT: 2.0, "ETH-31JAN23": -4.0, "ETH": 10.0},
    "c": {"BTC-PERP": 1.0, CALL: -3.0},
    "d": {"ETH": -2.0, "BTC": 0.2},
}
CASH = {"a": -20_000.0, "b": 500.0, "c": 90_000.0, "d": 0.0, "e": 7.0}
UNITS = st.floats(-5.0, 5.0).map(lambda x: round(x, 3))


def test_without_derivatives_it_is_the_health_factor_of_a_lender():
    made, quotes = held({"a": {"BTC": 1.5, "ETH": 4.0}}, {"a": -45_000.0})
    found = stand(made, quotes, DERIVE).frame.loc["a"]
    counts = 1.5 * 40_000.0 * 0.9 + 4.0 * 2_000.0 * 0.8
    assert found["health"] == pytest.approx(counts / 45_000.0, rel=1e-14)
    assert found["excess"] == pytest.approx(counts - 45_000.0, rel=1e-14)
    assert found["maintenance"] == found["initial"] == found["in_use"] == 0.0


def test_without_collateral_it_is_equity_over_margin():
    made, quotes = held({"a": {"BTC-PERP": 2.0}}, {"a": 9_000.0}, {"BTC-PERP": 38_000.0})
    found = stand(made, quotes, DERIVE).frame.loc["a"]
    margin = 2.0 * 40_000.0 * (0.15 + 0.02)
    assert found["maintenance"] == pytest.approx(margin, rel=1e-14)
    assert found["initial"] == pytest.approx(1.3 * margin, rel=1e-14)
    assert found["derivatives"] == pytest.approx(4_000.0, rel=1e-14)
    assert found["health"] == pytest.approx(13_000.0 / margin, rel=1e-14)
    assert found["excess_initial"] == pytest.approx(13_000.0 - 1.3 * margin, rel=1e-13)


def test_a_loss_and_a_loan_are_borne_beside_the_requirement():
    made, quotes = held({"a": {"BTC": 1.0, "BTC-PERP": 0.1}}, {"a": -5e3}, {"BTC-PERP": 45e3})
    found = stand(made, quotes, DERIVE).frame.loc["a"]
    bears = 500.0 + 5_000.0 + 0.17 * 4_000.0
    assert found["health"] == pytest.approx(36_000.0 / bears, rel=1e-14)
    assert found["derivatives"] == pytest.approx(-500.0)


def test_the_columns_add_up():
    made, quotes = held(MIXED, CASH)
    standing = stand(made, quotes, DERIVE)
    f = standing.frame
    equity = f["collateral"] + f["in_use"] + f["derivatives"] + f["cash"]
    np.testing.assert_allclose(f["equity"], equity, rtol=1e-12)
    np.testing.assert_allclose(f["equity"], made.equity(quotes), rtol=1e-12)
    counts = f["counted"] + f["in_use"] + f["derivatives"] + f["cash"]
    np.testing.assert_allclose(f["excess"], counts - f["maintenance"], rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(f["excess_initial"], counts - f["initial"], rtol=1e-11, atol=1e-9)
    needed = DERIVE.requirement(standing.netted, quotes).accounts
    np.testing.assert_array_equal(f["maintenance"], needed["maintenance"])
    assert list(f.index) == ["a", "b", "c", "d", "e"]
    assert f.loc["e", "health"] == np.inf


@pytest.mark.parametrize("rule", [*RULES.values(), Covered()], ids=lambda rule: rule.name)
def test_the_fast_way_has_the_same_numbers(rule):
    made, quotes = held(MIXED, CASH)
    frame = stand(made, quotes, rule).frame
    np.testing.assert_allclose(excess(made, quotes, rule), frame["excess"], rtol=1e-12, atol=1e-8)


def test_spot_in_use_by_hand():
    made, quotes = held(MIXED, CASH)
    delta = pd.Series(quotes.delta, LISTED.frame.index)
    used = stand(made, quotes, DERIVE).netted.frame().set_index(["account", "instrument"])
    used = used["quantity"]
    short = 0.5 + 0.2 * delta[CALL]
    assert used["a", "BTC"] == pytest.approx(short, rel=1e-14)  # part of the one unit
    assert used["b", "BTC"] == 0.3  # all of it: the hedge needs more
    assert used["b", "ETH"] == 4.0  # a short future on the other asset
    assert used["a", "ETH"] == 0.0  # nothing short in it
    assert used["d", "BTC"] == 0.0
    assert used["d", "ETH"] == -2.0  # spot that is owed stays a position


@settings(derandomize=True, deadline=None, max_examples=30)
@given(
    st.tuples(UNITS, UNITS, UNITS, UNITS),
    st.floats(0.0, 5.0),
    st.floats(-1e5, 1e5),
)
def test_spot_in_use_never_exceeds_what_is_held_or_short(legs, units, cash):
    names = ["BTC-PERP", "BTC-31JAN23", CALL, PUT]
    mine = dict(zip(names, legs, strict=True))
    made, quotes = held({"a": mine | {"BTC": units}}, {"a": cash})
    standing = stand(made, quotes, DERIVE)
    used = standing.netted.quantity[-1]
    delta = pd.Series(quotes.delta, LISTED.frame.index)
    short = max(-sum(q * delta[name] for name, q in mine.items()), 0.0)
    assert used == pytest.approx(min(units, short), abs=1e-12)
    f = standing.frame.loc["a"]
    assert f["collateral"] + f["in_use"] == pytest.approx(units * 40_000.0, abs=1e-8)
    assert f["counted"] <= f["collateral"]
    assert (f["excess"] >= 0.0) == (f["health"] >= 1.0) or abs(f["excess"]) < 1e-7


@settings(derandomize=True, deadline=None, max_examples=15)
@given(st.sampled_from(sorted(MIXED)), st.floats(-1e6, 1e6))
def test_cash_moves_the_excess_dollar_for_dollar(account, dollars):
    made, quotes = held(MIXED, CASH)
    before = stand(made, quotes, DERIVE).frame
    added = made.holding(made.quantity, np.where(made.accounts == account, dollars, 0.0))
    after = stand(added, quotes, DERIVE).frame
    moved = after["excess"] - before["excess"]
    expected = np.where(before.index == account, dollars, 0.0)
    np.testing.assert_allclose(moved, expected, atol=1e-7)


@pytest.mark.parametrize("account", sorted(MIXED))
def test_health_is_one_where_the_excess_is_zero(account):
    made, quotes = held(MIXED, CASH)
    gap = stand(made, quotes, DERIVE).frame.loc[account, "excess"]
    level = made.holding(made.quantity, np.where(made.accounts == account, -gap, 0.0))
    found = stand(level, quotes, DERIVE).frame.loc[account]
    assert found["excess"] == pytest.approx(0.0, abs=1e-9)
    assert found["health"] == pytest.approx(1.0, rel=1e-12)
    cent = np.where(made.accounts == account, 0.01, 0.0)
    for sign in (-1.0, 1.0):
        moved = stand(level.holding(level.quantity, sign * cent), quotes, DERIVE).frame
        assert np.sign(moved.loc[account, "health"] - 1.0) == sign


@pytest.mark.parametrize("level", ["initial", "maintenance"])
def test_the_units_of_a_margin_call_bring_the_excess_to_zero(level):
    column = {"initial": "excess_initial", "maintenance": "excess"}[level]
    made, quotes = held(
        {"long": {"BTC-PERP": 1.0}, "option": {PUT: -2.0}, "fine": {"BTC": 1.0}}, {"long": 100.0}
    )
    standing = stand(made, quotes, DERIVE)
    called = top_up(standing, quotes, level)
    assert list(called.index) == ["long", "option"]
    assert list(called.columns) == ["dollars", "BTC", "ETH"]
    np.testing.assert_allclose(called["dollars"], -standing.frame.loc[called.index, column])
    for asset in ("BTC", "ETH"):
        for account in called.index:
            legs = {"long": {"BTC-PERP": 1.0}, "option": {PUT: -2.0}}[account]
            legs |= {asset: called.loc[account, asset]}
            cash = {account: 100.0 if account == "long" else 0.0}
            topped = stand(*held({account: legs}, cash), DERIVE).frame
            assert topped.loc[account, column] == pytest.approx(0.0, abs=1e-8)


def test_a_margin_call_asks_nothing_of_an_account_that_stands():
    made, quotes = held({"a": {"BTC": 1.0}})
    called = top_up(stand(made, quotes, DERIVE), quotes)
    assert called.empty
    assert list(called.columns) == ["dollars", "BTC", "ETH"]


def test_an_asset_that_counts_for_nothing_or_has_no_price_is_not_asked_for():
    haircut = pd.Series({"BTC": 1.0, "ETH": 0.2, "XRP": 0.3})
    made, quotes = held({"a": {"BTC-PERP": 1.0}}, haircut=haircut)
    assert list(top_up(stand(made, quotes, DERIVE), quotes).columns) == ["dollars", "ETH"]


@settings(derandomize=True, deadline=None, max_examples=30)
@given(
    st.lists(st.floats(0.0, 1.0), min_size=2, max_size=2),
    st.floats(-3.0, 3.0),
    st.floats(0.0, 3.0),
    st.sampled_from([DERIVE, STANDARD]),
)
def test_more_haircut_never_raises_the_excess(haircuts, line, units, rule):
    low, high = sorted(haircuts)
    made, quotes = held({"a": {"BTC-PERP": line, "BTC": units}})
    mild, hard = (
        replace(quotes, market=replace(quotes.market, haircut=pd.Series({"BTC": haircut})))
        for haircut in (low, high)
    )
    assert excess(made, hard, rule)[0] <= excess(made, mild, rule)[0] + 1e-9


def test_spot_in_use_needs_no_haircut_but_collateral_does():
    none = pd.Series(dtype=float)
    made, quotes = held({"a": {"BTC": 1.0, "BTC-PERP": -1.0}}, haircut=none)
    assert stand(made, quotes, DERIVE).frame.loc["a", "in_use"] == 40_000.0
    made, quotes = held({"a": {"BTC": 1.0, "BTC-PERP": -0.9}}, haircut=none)
    for call in (stand, excess):
        with pytest.raises(DataError, match="no haircut of BTC, which is collateral; add it"):
            call(made, quotes, DERIVE)


def test_two_quotations_of_one_spot_share_the_hedge():
    listed = Instruments.of([spot("BTC"), spot("BTC", "EUR"), perpetual("BTC")])
    rows = [("a", "BTC", 0.6), ("a", "BTC-EUR", 0.2), ("a", "BTC-PERP", -0.4)]
    made = book(listed, pd.DataFrame(rows, columns=["account", "instrument", "quantity"]))
    standing = stand(made, quote(listed, market(currencies={"EUR": 1.1})), DERIVE)
    np.testing.assert_allclose(standing.netted.quantity, [0.3, 0.1, -0.4], rtol=1e-14)
    assert standing.frame.loc["a", "counted"] == pytest.approx(0.4 * 40_000.0 * 0.9)


def test_a_loan_in_another_currency_is_converted():
    made = book(LISTED, pd.DataFrame(columns=["account", "instrument", "quantity"]),
                pd.DataFrame({"USD": [10.0], "EUR": [-3.0]}, index=["a"]))  # fmt: skip
    quotes = quote(LISTED, market(currencies={"EUR": 1.1}))
    found = stand(made, quotes, DERIVE).frame.loc["a"]
    assert found["cash"] == pytest.approx(6.7)
    assert found["health"] == np.inf
    with pytest.raises(DataError, match="no rate of EUR"):
        stand(made, quote(LISTED, market()), DERIVE)


@pytest.mark.parametrize("level", ["", "excess", None, 1])
def test_an_unknown_level_is_named(level):
    made, quotes = held({"a": {"BTC-PERP": 1.0}})
    with pytest.raises(ParameterError, match=r"level is .*choose one of 'initial', 'maintenance'"):
        top_up(stand(made, quotes, DERIVE), quotes, level)


def test_quotes_of_other_instruments_are_refused():
    made, _ = held({"a": {"BTC-PERP": 1.0}})
    other = quote(Instruments.of([spot("ETH"), perpetual("ETH")]), market())
    for call in (stand, excess):
        with pytest.raises(DataError, match="other instruments"):
            call(made, other, DERIVE)


def test_no_position_and_huge_ones():
    made, quotes = held({}, {"a": 0.0, "b": -5.0})
    found = stand(made, quotes, DERIVE).frame
    assert list(found["health"]) == [np.inf, 0.0]
    assert list(found["excess"]) == [0.0, -5.0]
    made, quotes = held({"a": {"BTC": 1e12, "BTC-PERP": -1e12}})
    found = stand(made, quotes, DERIVE).frame.loc["a"]
    assert found["excess"] == pytest.approx(1e12 * PRICES["BTC"] * (1.0 - 0.04), rel=1e-12)
