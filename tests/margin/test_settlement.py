"""Expiries and funding: what is paid, that nothing is lost on the way, and what stays as it was."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin.traded import FAR, LISTED, NEAR, NOW, PRICES, TIME, held, market
from xcoll.errors import DataError, ParameterError
from xcoll.margin.book import book
from xcoll.margin.instruments import Instruments, option, perpetual
from xcoll.margin.market import quote
from xcoll.margin.settlement import fund, settle

CALL, PUT, FUTURE = "BTC-31JAN23-40000-C", "BTC-31JAN23-40000-P", "BTC-31JAN23"
PRICE = st.floats(1.0, 1e6)
UNITS = st.floats(-100.0, 100.0)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(PRICE, UNITS, st.floats(1.0, 1e6))
def test_payoffs(price, units, entry):
    legs = {CALL: units, PUT: units, FUTURE: units}
    made, _ = held({"a": legs}, {"a": 7.0}, {FUTURE: entry})
    found = settle(made, NEAR, pd.Series({"BTC": price}))
    flows = found.flows.set_index("instrument")
    assert flows.loc[CALL, "dollars"] == units * max(price - 40_000.0, 0.0)
    assert flows.loc[PUT, "dollars"] == units * max(40_000.0 - price, 0.0)
    assert flows.loc[FUTURE, "dollars"] == units * (price - entry)
    assert (flows["price"] == price).all()
    assert (flows["quantity"] == units).all()
    assert found.cash["a"] == pytest.approx(flows["dollars"].sum(), rel=1e-12, abs=1e-9)
    assert found.book.cash.loc["a", "USD"] == pytest.approx(7.0 + found.cash["a"], rel=1e-12)
    # put–call parity of what is paid: the future entered at the strike
    parity = flows.loc[CALL, "dollars"] - flows.loc[PUT, "dollars"]
    assert parity == pytest.approx(units * (price - 40_000.0), rel=1e-12, abs=1e-9)


def test_an_option_pays_nothing_at_its_strike():
    made, _ = held({"a": {CALL: 1.0, PUT: -1.0}})
    assert (settle(made, NEAR, PRICES).flows["dollars"] == 0.0).all()


@settings(derandomize=True, deadline=None, max_examples=15)
@given(PRICE, st.lists(UNITS, min_size=3, max_size=3))
def test_what_a_long_gains_its_short_loses(price, units):
    legs = dict(zip([CALL, PUT, FUTURE], units, strict=True))
    other = {name: -q for name, q in legs.items()}
    made, _ = held({"long": legs, "short": other}, entry={FUTURE: 39_000.0})
    cash = settle(made, NEAR, pd.Series({"BTC": price})).cash
    assert cash["long"] == -cash["short"]


def test_nothing_else_is_touched():
    far = "BTC-01APR23-44000-C"
    legs = {"BTC": 1.5, CALL: -1.0, far: 2.0, "BTC-PERP": -0.5, "ETH-31JAN23": 3.0}
    entry = {"BTC-PERP": 41_000.0, "ETH-31JAN23": 1_800.0}
    cash = pd.DataFrame({"EUR": [5.0, 1.0], "USD": [-3.0, 2.0]}, index=["a", "b"])
    rows = [("a", name, q) for name, q in legs.items()] + [("b", far, -2.0)]
    positions = pd.DataFrame(rows, columns=["account", "instrument", "quantity"])
    positions["entry"] = positions["instrument"].map(entry)
    made = book(LISTED, positions, cash)
    found = settle(made, NEAR, PRICES * 1.1)
    before, after = (one.frame().set_index(["account", "instrument"]) for one in (made, found.book))
    gone = [("a", CALL), ("a", "ETH-31JAN23")]
    pd.testing.assert_frame_equal(after, before.drop(gone))
    assert list(found.book.accounts) == ["a", "b"]
    assert (found.book.cash["EUR"] == cash["EUR"]).all()
    assert found.book.cash.loc["b", "USD"] == 2.0
    paid = -4_000.0 + 3.0 * (2_200.0 - 1_800.0)
    assert found.cash["a"] == pytest.approx(paid, rel=1e-12)
    assert found.book.cash.loc["a", "USD"] == pytest.approx(paid - 3.0, rel=1e-12)
    # what is left is listed, so that it can be quoted; what is gone is not
    assert list(found.book.instruments.frame.index) == [
        name for name in LISTED.frame.index if "31JAN23" not in name
    ]
    later = quote(found.book.instruments, market(spot=PRICES * 1.1, currencies={"EUR": 1.5}))
    assert found.book.equity(later)["b"] == pytest.approx(
        2.0 + 1.5 - 2.0 * later.frame().loc[far, "mark"], rel=1e-12
    )
    assert len(made.frame()) == 6  # the book itself stays as it was


def test_an_expiry_at_the_moment_settles_and_a_later_one_does_not():
    made, _ = held({"a": {CALL: 1.0, "BTC-01APR23-40000-C": 1.0}})
    moment = pd.Timedelta("1us")
    up = PRICES * 1.1
    assert settle(made, NEAR - moment, up).flows.empty
    assert list(settle(made, NEAR, up).flows["instrument"]) == [CALL]
    assert list(settle(made, FAR - moment, up).flows["instrument"]) == [CALL]
    assert len(settle(made, FAR, up).flows) == 2


def test_before_any_expiry_the_book_is_the_same():
    made, _ = held({"a": {CALL: 1.0, "BTC": 2.0}}, {"a": 5.0})
    found = settle(made, TIME, PRICES)
    pd.testing.assert_frame_equal(found.book.frame(), made.frame())
    assert found.book.cash.loc["a", "USD"] == 5.0
    assert found.cash["a"] == 0.0
    assert list(found.flows) == ["account", "instrument", "quantity", "price", "dollars"]


def test_where_everything_expires_there_is_no_book_left():
    listed = Instruments.of([option("BTC", NEAR, 38_000.0, "call")])
    rows = pd.DataFrame({"account": ["a"], "instrument": listed.frame.index, "quantity": 2.0})
    found = settle(book(listed, rows, pd.Series({"a": 1.0, "b": 3.0})), NEAR, PRICES)
    assert found.book is None
    assert found.cash.to_dict() == {"a": 4_000.0, "b": 0.0}


def test_a_strike_in_another_currency_is_converted():
    options = [option("BTC", NEAR, 30_000.0, right, "EUR") for right in ("call", "put")]
    listed = Instruments.of([*options, perpetual("BTC")])
    names = listed.frame.index[:2]
    rows = pd.DataFrame({"account": "a", "instrument": names, "quantity": [2.0, 3.0]})
    made = book(listed, rows)
    found = settle(made, NEAR, pd.Series({"BTC": 36_000.0}), {"EUR": 1.1})
    np.testing.assert_allclose(found.flows["dollars"], [2.0 * 3_000.0, 0.0], rtol=1e-12)
    # the same that the quotes are worth a moment before
    before = quote(listed, market(currencies={"EUR": 1.1}), np.zeros(3))
    mark = before.frame().loc[names, "mark"]
    np.testing.assert_allclose(mark, [7_000.0, 0.0], rtol=1e-12)
    paid = settle(made, NEAR, PRICES, {"EUR": 1.1}).flows["dollars"]
    np.testing.assert_allclose(paid, [2.0, 3.0] * mark, rtol=1e-12)
    with pytest.raises(DataError, match=r"no rate of EUR at .*; add it to currencies"):
        settle(made, NEAR, PRICES)


def test_a_missing_price_is_named():
    made, _ = held({"a": {CALL: 1.0, "ETH-01APR23": 1.0}}, entry={"ETH-01APR23": 2_000.0})
    with pytest.raises(DataError, match=f"no settlement price for {CALL}; add its asset"):
        settle(made, NEAR, PRICES.drop("BTC"))
    assert len(settle(made, NEAR, PRICES.drop("ETH")).flows) == 1  # ETH is not needed yet
    with pytest.raises(DataError, match="no settlement price for ETH-01APR23"):
        settle(made, FAR, PRICES.drop("ETH"))
    with pytest.raises(DataError, match="no settlement price"):
        settle(made, NEAR, pd.Series(dtype=float))


def test_a_future_without_an_entry_is_named():
    made, _ = held({"a": {FUTURE: 1.0, "BTC-01APR23": 1.0}}, entry={FUTURE: 39_000.0})
    assert settle(made, NEAR, PRICES).cash["a"] == 1_000.0
    with pytest.raises(DataError, match="a position in BTC-01APR23 has no entry; give the price"):
        settle(made, FAR, PRICES)


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        (pd.Series({"BTC": np.nan}), "spot price of BTC is nan at"),
        (pd.Series({"BTC": np.inf}), "spot price of BTC is inf at"),
        (pd.Series({"BTC": -1.0}), "spot price of BTC is -1"),
        (pd.Series({"BTC": "x"}), "spot price of BTC is x"),
        (pd.Series([1.0, 2.0], ["BTC", "BTC"]), "spot price of BTC twice"),
    ],
)
def test_prices_that_are_none_are_named(prices, said):
    made, _ = held({"a": {CALL: 1.0}})
    with pytest.raises(DataError, match=said):
        settle(made, NEAR, prices)


@pytest.mark.parametrize("time", [None, "2023-01-31", 5, pd.NaT, pd.Timestamp("2023", tz="UTC")])
def test_a_time_that_is_none_is_named(time):
    made, _ = held({"a": {CALL: 1.0}})
    with pytest.raises(ParameterError, match=r"time is .*; give a Timestamp in UTC"):
        settle(made, time, PRICES)


@settings(derandomize=True, deadline=None, max_examples=15)
@given(st.floats(-2.0, 2.0), UNITS, st.floats(0.1, 1e4))
def test_funding_is_paid_by_longs_to_shorts(rate, units, hours):
    premium, funding = pd.Series({"BTC": 0.01}), pd.Series({"BTC": rate})
    legs = {"BTC-PERP": units, "BTC": 5.0, FUTURE: -2.0, CALL: 1.0, "ETH-PERP": 4.0}
    made, _ = held({"long": legs, "short": {"BTC-PERP": -units}}, {"long": 10.0})
    quotes = quote(LISTED, market(premium=premium, funding=funding), NOW.sigma)
    after = fund(made, quotes, pd.Timedelta(hours=hours))
    paid = units * 40_400.0 * rate * (hours / 8_760.0)
    assert after.cash.loc["long", "USD"] == pytest.approx(10.0 - paid, rel=1e-7, abs=1e-6)
    assert after.cash["USD"].sum() == pytest.approx(10.0, rel=1e-9)
    pd.testing.assert_frame_equal(after.frame(), made.frame())


def test_funding_adds_up_over_time_and_is_none_without_a_rate():
    made, quotes = held({"a": {"BTC-PERP": 2.0, "ETH-PERP": -3.0}}, {"a": 1.0})
    pd.testing.assert_frame_equal(fund(made, quotes, "8h").cash, made.cash)
    made, quotes = held({"a": {"BTC-PERP": 2.0}}, {"a": 1.0}, funding=pd.Series({"BTC": 0.1}))
    day, thrice = fund(made, quotes, "1D"), made
    for _ in range(3):
        thrice = fund(thrice, quotes, "8h")
    pd.testing.assert_frame_equal(day.cash, thrice.cash)
    assert day.cash.loc["a", "USD"] == pytest.approx(1.0 - 8_000.0 / 365.0)


@pytest.mark.parametrize("span", [1, "1", "x", "0D", "-1D", None, np.nan])
def test_a_span_that_is_none_is_named(span):
    made, quotes = held({"a": {"BTC-PERP": 1.0}})
    with pytest.raises(ParameterError, match=r"span is .*; give a duration"):
        fund(made, quotes, span)
