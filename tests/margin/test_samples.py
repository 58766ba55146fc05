"""Sample books: the bundled file, how books are struck, and what a wrong file is told."""

import numpy as np
import pandas as pd
import pytest

from tests.margin.traded import DATA, PRICES, TIME
from xcoll.errors import DataError, ParameterError
from xcoll.margin.samples import among, parse, struck
from xcoll.workbook.files import read_yaml

PERPETUAL = {"kind": "perpetual", "asset": "BTC", "dollars": -1_000.0}
FUTURE = {"kind": "future", "asset": "BTC", "dollars": 500.0, "days": 30}
OPTION = {
    "kind": "option",
    "asset": "ETH",
    "dollars": 100.0,
    "days": 7.5,
    "strike": 1.1,
    "right": "put",
}


def books(**legs):
    """Parsed books of the given legs."""
    return parse({"books": {name: {"why": "a test", "legs": each} for name, each in legs.items()}})


@pytest.fixture(scope="module")
def bundled():
    return parse(read_yaml(DATA / "books.yaml"), "books.yaml")


def test_the_bundled_books_are_all_struck(bundled):
    made = struck(bundled, TIME, PRICES)
    assert list(made.accounts) == list(bundled)
    assert len(made) == sum(len(sample.legs) for sample in bundled.values())
    assert {"long perpetual", "covered call", "box", "calendar", "mixed account"} <= set(bundled)
    assert all(sample.why for sample in bundled.values())
    cash = {name: sample.cash for name, sample in bundled.items()}
    assert made.cash["USD"].to_dict() == cash
    assert cash["mixed account"] < 0.0


def test_legs_are_fractions_of_the_price_of_the_day():
    made = struck(books(a=[PERPETUAL, FUTURE, OPTION]), TIME, PRICES)
    frame = made.instruments.frame
    assert list(frame.index) == ["BTC-PERP", "BTC-31JAN23", "ETH-08JAN23-2200-P"]
    np.testing.assert_allclose(made.quantity, [-1e3 / 4e4, 500.0 / 4e4, 100.0 / 2e3], rtol=1e-15)
    assert frame.loc["BTC-31JAN23", "expiry"] == TIME + pd.Timedelta("30D")
    assert frame.loc["ETH-08JAN23-2200-P", "expiry"] == TIME + pd.Timedelta("7.5D")
    assert frame.loc["ETH-08JAN23-2200-P", "strike"] == pytest.approx(2_200.0)
    assert np.isnan(made.entry).all()


def test_struck_on_another_day_the_terms_are_the_same():
    made = struck(books(a=[PERPETUAL, OPTION]), TIME + pd.Timedelta("100D"), 2.0 * PRICES)
    option = made.instruments.frame.iloc[1]
    assert option["strike"] == pytest.approx(4_400.0)
    assert option["expiry"] == TIME + pd.Timedelta("107.5D")
    np.testing.assert_allclose(made.quantity * [8e4, 4e3], [-1_000.0, 100.0], rtol=1e-15)


def test_books_share_their_instruments():
    made = struck(books(a=[PERPETUAL], b=[PERPETUAL, FUTURE], c=[FUTURE]), TIME, PRICES)
    assert len(made.instruments) == 2
    assert list(made.frame()["account"]) == ["a", "b", "b", "c"]


def test_two_times_of_one_day_are_not_one_instrument():
    later = FUTURE | {"days": 30.4}
    with pytest.raises(DataError, match="book b: another BTC-31JAN23 expires at another time"):
        struck(books(a=[FUTURE], b=[later]), TIME, PRICES)


def test_among_leaves_out_what_has_no_prices(bundled):
    kept, left = among(bundled, ["BTC"])
    assert set(kept) | set(left) == set(bundled)
    assert all(leg.asset == "BTC" for sample in kept.values() for leg in sample.legs)
    assert "pair of perpetuals" in left
    with pytest.raises(DataError, match=r"book 'collar' is not there: .*name one of these"):
        among(bundled, ["BTC"], ["collar"])
    with pytest.raises(DataError, match=r"no book is left: .* none have prices"):
        among(bundled, ["XRP"])


@pytest.mark.parametrize(
    ("spot", "said"),
    [
        (PRICES.drop("BTC"), "book a: no price of BTC; leave the book out"),
        (PRICES * np.nan, "book a: no price of BTC"),
        (PRICES * 0.0, "book a: no price of BTC"),
        (PRICES * -1.0, "book a: no price of BTC"),
        (PRICES * np.inf, "book a: no price of BTC"),
        (pd.Series({"BTC": "x"}), "book a: no price of BTC"),
        (pd.Series(dtype=float), "book a: no price of BTC"),
        (pd.concat([PRICES, PRICES]), "the price of BTC twice"),
    ],
)
def test_prices_that_are_none_are_named(spot, said):
    with pytest.raises(DataError, match=said):
        struck(books(a=[PERPETUAL]), TIME, spot)


def test_a_leg_twice_is_named():
    with pytest.raises(DataError, match="account a holds BTC-PERP twice; add them up"):
        struck(books(a=[PERPETUAL, PERPETUAL]), TIME, PRICES)


@pytest.mark.parametrize("time", ["2023-01-01", None, 5, pd.NaT])
def test_a_time_that_is_none_is_named(time):
    with pytest.raises(ParameterError, match=r"time is .*; give a Timestamp"):
        struck(books(a=[FUTURE]), time, PRICES)


def test_no_books_at_all():
    with pytest.raises(DataError, match="there is no instrument"):
        struck({}, TIME, PRICES)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dollars": np.nan}, "legs > 0 > dollars: Input should be a finite number"),
        ({"dollars": np.inf}, "legs > 0 > dollars: Input should be a finite number"),
        ({"dollars": "many"}, "legs > 0 > dollars: .*; the file has 'many'"),
        ({"kind": "swap"}, "legs > 0 > kind: Input should be 'spot', 'perpetual'"),
        ({"asset": ""}, "legs > 0 > asset: String should have at least 1 character"),
        ({"size": 1}, "legs > 0 > size: unknown field; remove it or correct its spelling"),
        ({"strike": 1.0}, "legs > 0: a leg of kind perpetual has no use for strike"),
        ({"days": 3}, "legs > 0: a leg of kind perpetual has no use for days"),
        ({"right": "call"}, "legs > 0: a leg of kind perpetual has no use for right"),
        ({"kind": "future"}, "legs > 0: a leg of kind future lacks days"),
        ({"kind": "future", "days": 0}, "legs > 0 > days: Input should be greater than 0"),
        ({"kind": "option", "days": 3}, "legs > 0: a leg of kind option lacks strike"),
    ],
)
def test_a_leg_at_fault_is_named_with_its_book(change, said):
    document = {"books": {"mine": {"why": "a test", "legs": [PERPETUAL | change]}}}
    with pytest.raises(DataError, match="^books.yaml: books > mine > " + said):
        parse(document, "books.yaml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"strike": -1.0}, "strike: Input should be greater than 0; the file has -1"),
        ({"strike": "x"}, "strike: Input should be a valid number"),
        ({"right": "up"}, "right: Input should be 'call' or 'put'; the file has 'up'"),
    ],
)
def test_an_option_at_fault_is_named(change, said):
    document = {"books": {"mine": {"why": "a test", "legs": [PERPETUAL, OPTION | change]}}}
    with pytest.raises(DataError, match="books > mine > legs > 1 > " + said):
        parse(document)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "the file holds no table of fields"),
        ([], "the file holds no table of fields"),
        ({}, "books: required field is missing; add it"),
        ({"books": {}}, "books: Dictionary should have at least 1 item"),
        ({"books": {"a": {"why": "a test", "legs": []}}}, "legs: List should have at least 1"),
        ({"books": {"a": {"legs": [PERPETUAL]}}}, "why: required field is missing"),
        ({"books": {"a": {"why": "", "legs": [PERPETUAL]}}}, "why: String should have at least 3"),
        ({"books": {"a": {"why": "abc", "legs": [PERPETUAL], "cash": np.nan}}}, "cash: Input"),
        ({"books": [1]}, "books: Input should be a valid dictionary"),
    ],
)
def test_a_file_at_fault_is_named(document, said):
    with pytest.raises(DataError, match="^my.yaml: .*" + said):
        parse(document, "my.yaml")
