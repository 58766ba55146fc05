"""Books of positions: layout, value, equity, and what is no book."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin import cases
from xcoll.errors import DataError
from xcoll.margin.book import book
from xcoll.margin.instruments import Instruments, spot
from xcoll.margin.market import quote

seeds = st.integers(0, 2**32 - 1)
FORWARD = 40_000 * math.exp(0.08 * 11 / 365)


def test_value_and_equity_by_hand():
    positions = cases.rows(
        ("ann", "BTC", -0.5),
        ("ann", "BTC-PERP", 2.0),
        ("ann", "BTC-12JAN24", -1.0),
        ("ann", "BTC-12JAN24-40000-C", -3.0),
        ("bob", "BTC-PERP", -1.0),
    ).assign(entry=[1.0, 39_000.0, 41_000.0, 5.0, np.nan])
    given = book(cases.listed(), positions, pd.Series({"ann": 1_000.0}))
    quotes = cases.quoted()
    call = quotes.mark[given.instruments.places(["BTC-12JAN24-40000-C"])[0]]
    expected = [-20_000.0, 2 * (40_040 - 39_000), 41_000 - FORWARD, -3 * call, 0.0]
    np.testing.assert_allclose(given.value(quotes), expected, rtol=1e-13)
    equity = given.equity(quotes)
    assert equity["ann"] == pytest.approx(1_000 + sum(expected), rel=1e-13)
    assert equity["bob"] == 0.0
    assert given.is_linear.tolist() == [False, True, True, False, True]
    assert given.is_held.tolist() == [False] * 5  # spot that is owed is not held


def test_entered_fixes_entries_that_were_unknown_and_no_other():
    positions = cases.rows(("a", "BTC-PERP", 1.0), ("a", "ETH-PERP", 1.0))
    given = book(cases.listed(), positions.assign(entry=[np.nan, 1_900.0]))
    quotes = cases.quoted()
    entered = given.entered(quotes)
    np.testing.assert_array_equal(entered.entry, [quotes.mark[1], 1_900.0])
    np.testing.assert_array_equal(entered.value(quotes), given.value(quotes))
    gained = entered.equity(quotes.moved(0.1)) - entered.equity(quotes)
    assert gained.iloc[0] == pytest.approx(4_004.0 + 199.6)
    assert math.isnan(given.entry[0])


def test_cash_counts_in_its_currency():
    cash = pd.DataFrame({"USD": [10.0, 0.0], "EUR": [-4.0, 2.0]}, index=["a", "idle"])
    given = book(cases.listed(), cases.rows(("a", "BTC", 1.0)), cash)
    market = cases.market(currencies={"EUR": 1.25})
    np.testing.assert_allclose(given.cash_dollars(market), [5.0, 2.5])
    quotes = quote(given.instruments, market)
    np.testing.assert_allclose(given.equity(quotes), [40_005.0, 2.5])
    assert list(given.accounts) == ["a", "idle"]
    with pytest.raises(DataError, match=r"no rate of EUR at 2024.*add it to currencies"):
        given.equity(cases.quoted())


def test_an_account_without_cash_has_none():
    given = book(
        cases.listed(), cases.rows(("a", "BTC", 1.0), ("b", "BTC", 2.0)), pd.Series({"b": 7})
    )
    assert given.cash["USD"].tolist() == [0.0, 7.0]
    bare = book(cases.listed(), cases.rows(("a", "BTC", 1.0)))
    assert bare.cash.shape == (1, 0)
    assert bare.equity(cases.quoted())["a"] == 40_000.0


def test_a_book_of_cash_alone():
    given = book(cases.listed(), cases.rows(), pd.Series({"a": 5.0, "b": -1.0}))
    assert len(given) == 0
    assert given.equity(cases.quoted()).to_dict() == {"a": 5.0, "b": -1.0}
    layout = given.layout()
    assert len(layout.row) == len(layout.account) == len(layout.strikes) == 0


@settings(derandomize=True, deadline=None, max_examples=20)
@given(seed=seeds, sets=st.sampled_from([(), (("BTC", "ETH"),), (("ETH",),)]))
def test_the_layout_is_that_of_plain_loops(seed, sets):
    rng = np.random.default_rng(seed)
    given = cases.drawn_book(rng, accounts=int(rng.integers(1, 4)))
    layout, frame = given.layout(sets), given.frame()
    of = {asset: " + ".join(assets) for assets in sets for asset in assets}
    assert sorted(layout.order) == list(range(len(given)))
    keys = []
    for place in layout.order:
        row = given.instruments.frame.loc[frame.loc[place, "instrument"]]
        strike = 0.0 if math.isnan(row["strike"]) else row["strike"]
        unit = of.get(row["asset"], row["asset"])
        group = given.instruments.group[given.instrument[place]]
        keys.append((given.account[place], unit, group, strike))
    assert keys == sorted(keys)
    rows = [key[:2] for n, key in enumerate(keys) if not n or key[:2] != keys[n - 1][:2]]
    named = zip(layout.account, np.array(layout.units)[layout.unit], strict=True)
    assert [(int(account), unit) for account, unit in named] == rows
    assert layout.row.tolist() == [rows.index(key[:2]) for key in keys]
    assert layout.group.tolist() == [key[2] for key in keys]
    assert layout.instrument.tolist() == given.instrument[layout.order].tolist()
    for starts, depth in ((layout.groups, 3), (layout.strikes, 4)):
        first = [n for n, key in enumerate(keys) if not n or key[:depth] != keys[n - 1][:depth]]
        assert starts.tolist() == first


def test_a_layout_is_made_once_and_shared_by_other_quantities():
    given = cases.held({"BTC": 1.0, "ETH": 2.0})
    layout = given.layout()
    assert given.layout() is layout
    assert given.holding(np.array([5.0, 0.0])).layout() is layout
    assert given.apart().layout() is not layout
    assert given.layout([["BTC", "ETH"]]).units == ("BTC + ETH",)


def test_frame_gives_back_what_was_given():
    positions = cases.rows(("b", "ETH", 1.0), ("a", "BTC-PERP", -2.0)).assign(entry=[np.nan, 3e4])
    given = book(cases.listed(), positions)
    pd.testing.assert_frame_equal(given.frame(), positions, check_dtype=False)
    assert list(given.accounts) == ["b", "a"]


def test_apart_is_an_account_a_position():
    given = cases.held({"BTC": 1.0, "BTC-PERP": -2.0}, cash=50.0)
    apart = given.apart()
    assert list(apart.accounts) == [0, 1]
    quotes = cases.quoted()
    np.testing.assert_array_equal(apart.equity(quotes), given.value(quotes))


def test_holding_changes_quantities_and_adds_cash():
    given = cases.held({"BTC": 1.0, "BTC-PERP": -2.0}, cash=50.0)
    other = given.holding([0.5, 0.0], cash=[25.0])
    assert other.quantity.tolist() == [0.5, 0.0]
    assert other.cash.loc["a", "USD"] == 75.0
    assert given.cash.loc["a", "USD"] == 50.0
    euros = book(
        cases.listed(), cases.rows(("a", "BTC", 1.0)), pd.DataFrame({"EUR": [1.0]}, index=["a"])
    )
    assert euros.holding([1.0], cash=[2.0]).cash.loc["a"].to_dict() == {"EUR": 1.0, "USD": 2.0}
    with pytest.raises(DataError, match="3 quantities for 2 positions; align them"):
        given.holding(np.ones(3))


def test_only_is_the_account_alone():
    rng = np.random.default_rng(3)
    given, quotes = cases.drawn_book(rng, accounts=3), cases.quoted()
    equity = given.equity(quotes)
    for name in given.accounts:
        one = given.only(name)
        assert list(one.accounts) == [name]
        assert one.equity(quotes)[name] == equity[name]
    with pytest.raises(DataError, match="no account 'zoe'; there are account 0, account 1"):
        given.only("zoe")


def test_quotes_of_other_instruments_are_refused():
    given = cases.held({"BTC": 1.0})
    other = quote(Instruments.of([spot("ETH"), spot("BTC")]), cases.market())
    for ask in (given.value, given.equity, given.check):
        with pytest.raises(
            DataError, match=r"quotes of other instruments.*quote book\.instruments"
        ):
            ask(other)
    again = quote(Instruments(cases.listed().frame), cases.market())  # the same by another name
    assert given.equity(again)["a"] == 40_000.0


def bad(**columns):
    positions = cases.rows(("a", "BTC", 1.0), ("b", "ETH", 2.0)).assign(**columns)
    return book(cases.listed(), positions)


GOOD = cases.rows(("a", "BTC", 1.0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: book(cases.listed(), cases.rows()), "the book holds no account; give a position"),
        (lambda: book(cases.listed(), GOOD[["account"]]), r"lack the columns \['instrument', 'qu"),
        (lambda: book([], GOOD), "there is no instrument"),
        (
            lambda: bad(instrument=["BTC", "DOGE"]),
            "unknown instrument 'DOGE'; listed are BTC, BTC-P",
        ),
        (lambda: bad(instrument=["BTC", None]), "unknown instrument"),
        (lambda: bad(account="a", instrument="BTC"), "account a holds BTC twice; add them up"),
        (lambda: bad(account=["a", None]), "row 1 of the positions has no account; name it"),
        (lambda: bad(account=[np.nan, "a"]), "row 0 of the positions has no account"),
        (
            lambda: bad(quantity=[1.0, np.nan]),
            "account b has a quantity of nan in ETH; give a finite",
        ),
        (lambda: bad(quantity=[np.inf, 1.0]), "account a has a quantity of inf in BTC"),
        (lambda: bad(quantity=["x", 1.0]), "account a has a quantity of nan in BTC"),
        (
            lambda: bad(entry=[0.0, 1.0]),
            "a has an entry of 0 in BTC; give a finite number above zero",
        ),
        (lambda: bad(entry=[np.nan, -1.0]), "account b has an entry of -1 in ETH"),
        (lambda: bad(entry=[np.inf, np.nan]), "account a has an entry of inf"),
        (lambda: bad(entry=["cheap", None]), "account a has an entry of nan in BTC"),
        (
            lambda: book(cases.listed(), GOOD, pd.Series({"a": np.nan})),
            "cash of a is not finite; write",
        ),
        (lambda: book(cases.listed(), GOOD, pd.Series({"a": np.inf})), "cash of a is not finite"),
        (lambda: book(cases.listed(), GOOD, pd.Series({"a": "much"})), "cash of a is not finite"),
        (
            lambda: book(cases.listed(), GOOD, pd.Series([1, 2], ["a", "a"])),
            "cash of a is there twice",
        ),
        (
            lambda: book(
                cases.listed(), GOOD, pd.DataFrame([[1, 2]], index=["a"], columns=["EUR", "EUR"])
            ),
            "the cash has EUR twice; add its columns up",
        ),
    ],
)
def test_bad_books_are_named(make, message):
    with pytest.raises(DataError, match=message):
        make()
