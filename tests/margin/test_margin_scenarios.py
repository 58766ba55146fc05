"""Instruments and books in scenarios, against Black's formula one by one and against plain sums."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin import cases
from xcoll.errors import DataError, ParameterError
from xcoll.margin import scenarios as engine
from xcoll.margin.book import book
from xcoll.margin.instruments import Instruments, spot
from xcoll.margin.market import quote
from xcoll.margin.options import black
from xcoll.margin.scenarios import Scenarios, uniform

seeds = st.integers(0, 2**32 - 1)


def drawn_scenarios(rng, quotes, n=7):
    groups = len(quotes.forward)
    return Scenarios(
        move=rng.uniform(-0.9, 2.0, (groups, n)),
        factor=rng.uniform(0.0, 3.0, (groups, n)) * (rng.random((groups, n)) < 0.9),
        floor=rng.choice([0.0, 0.5], n),
        elapsed=float(rng.choice([0.0, 0.01, 11 / 365, 0.2])),
    )


def drawn(seed):
    rng = np.random.default_rng(seed)
    quotes = quote(cases.listed(), cases.drawn_market(rng))
    return rng, quotes, drawn_scenarios(rng, quotes)


def plain_values(quotes, scenarios):
    """By the words of the module, with the exact pricer."""
    listed = quotes.instruments
    found = np.empty((len(listed), len(scenarios)))
    for i, s in np.ndindex(found.shape):
        g = listed.group[i]
        forward = quotes.forward[g] * (1.0 + scenarios.move[g, s])
        found[i, s] = forward
        if listed.is_option[i]:
            sigma = max(quotes.sigma[i], scenarios.floor[s]) * scenarios.factor[g, s]
            left = max(quotes.years[g] - scenarios.elapsed, 0.0)
            call = bool(listed.right[i] > 0)
            found[i, s] = black.price(forward, quotes.strike[i], sigma, left, call)
    return found


@settings(derandomize=True, deadline=None, max_examples=15)
@given(seed=seeds)
def test_values_are_those_of_black(seed):
    _, quotes, scenarios = drawn(seed)
    group = quotes.instruments.group
    forward = (quotes.forward[:, None] * (1.0 + scenarios.move))[group]
    error = np.abs(engine.values(quotes, scenarios) - plain_values(quotes, scenarios))
    assert (error <= 1e-13 * forward).all()


def test_nothing_moved_is_the_mark():
    quotes = cases.quoted()
    values = engine.values(quotes, uniform(quotes, np.zeros(1)))[:, 0]
    np.testing.assert_allclose(values, quotes.mark, rtol=1e-12, atol=1e-9)


def test_what_expires_on_the_way_is_worth_its_payoff_at_the_scenarios_forward():
    quotes = cases.quoted()
    gone = uniform(quotes, np.array([-0.3, 0.3]), 2.0, 0.5, elapsed=0.1)  # only the near expiry
    values, listed = engine.values(quotes, gone), quotes.instruments
    call, put = listed.places(["BTC-12JAN24-40000-C", "BTC-12JAN24-40000-P"])
    forward = quotes.forward[listed.group[call]] * np.array([0.7, 1.3])
    np.testing.assert_allclose(values[call], np.maximum(forward - 40_000, 0.0))
    np.testing.assert_allclose(values[put], np.maximum(40_000 - forward, 0.0))
    alive = listed.places(["BTC-28JUN24-40000-P"])[0]
    assert values[alive, 1] > 0.0


def plain_gains(book, quotes, scenarios, layout, discount):
    """Row × scenario, and by position × scenario what each adds to its row."""
    values = plain_values(quotes, scenarios)
    parts = np.zeros((len(book), len(scenarios)))
    row_of = dict(zip(layout.order, layout.row, strict=True))
    for p, s in np.ndindex(parts.shape):
        i, q = book.instrument[p], book.quantity[p]
        g = book.instruments.group[i]
        scale = 1.0
        if book.instruments.is_option[i]:
            worth = sum(
                book.quantity[o] * values[book.instrument[o], s]
                for o in range(len(book))
                if row_of[o] == row_of[p]
                and book.instruments.is_option[book.instrument[o]]
                and book.instruments.group[book.instrument[o]] == g
            )
            scale = discount[g] if worth > 0.0 else 1.0
        parts[p, s] = q * (scale * values[i, s] - quotes.mark[i])
    rows = np.zeros((len(layout.account), len(scenarios)))
    for p in range(len(book)):
        rows[row_of[p]] += parts[p]
    return rows, parts, row_of


@settings(derandomize=True, deadline=None, max_examples=12)
@given(seed=seeds, together=st.booleans(), discounted=st.booleans())
def test_gains_and_shares_are_those_of_plain_loops(seed, together, discounted):
    rng, quotes, scenarios = drawn(seed)
    book = cases.drawn_book(rng, accounts=3)
    layout = book.layout([list(cases.SPOT)] if together else ())
    discount = np.ones(len(quotes.forward))
    if discounted:
        discount = np.where(np.isfinite(quotes.years), rng.uniform(0.5, 1.0, len(discount)), 1.0)
    rows, parts, row_of = plain_gains(book, quotes, scenarios, layout, discount)
    size = np.abs(parts).max()
    given = discount if discounted else None
    gains = engine.gains(book, quotes, scenarios, layout, given)
    np.testing.assert_allclose(gains, rows, atol=1e-11 * size)
    weight = rng.uniform(0.0, 1.0, gains.shape) * (rng.random(gains.shape) < 0.5)
    shares = engine.shares(book, quotes, scenarios, layout, weight, given)
    expected = [(weight[row_of[p]] * parts[p]).sum() for p in range(len(book))]
    np.testing.assert_allclose(shares, expected, atol=1e-11 * size)
    by_row = np.bincount(layout.row, shares[layout.order], len(rows))
    np.testing.assert_allclose(by_row, (weight * gains).sum(axis=1), atol=1e-11 * size)


@settings(derandomize=True, deadline=None, max_examples=10)
@given(seed=seeds, at_once=st.sampled_from([1, 70, 100, 200]))
def test_blocks_of_scenarios_give_the_same_bits(seed, at_once):
    rng, quotes, scenarios = drawn(seed)
    book = cases.drawn_book(rng, accounts=2)
    layout, discount = book.layout(), np.full(len(quotes.forward), 0.9)
    weight = np.zeros((len(layout.account), len(scenarios)))
    weight[np.arange(len(weight)), rng.integers(0, len(scenarios), len(weight))] = 1.0
    whole = (
        engine.gains(book, quotes, scenarios, layout, discount),
        engine.shares(book, quotes, scenarios, layout, weight, discount),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "AT_ONCE", at_once)
        assert len(list(engine._blocks(quotes, scenarios))) > 1
        parts = (
            engine.gains(book, quotes, scenarios, layout, discount),
            engine.shares(book, quotes, scenarios, layout, weight, discount),
        )
    for one, two in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, two)


def test_shares_in_several_scenarios_do_not_depend_on_the_blocks():
    rng, quotes, scenarios = drawn(4)
    book = cases.drawn_book(rng, accounts=2)
    layout = book.layout()
    weight = rng.uniform(0.0, 1.0, (len(layout.account), len(scenarios)))
    whole = engine.shares(book, quotes, scenarios, layout, weight)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "AT_ONCE", 1)
        parts = engine.shares(book, quotes, scenarios, layout, weight)
    np.testing.assert_allclose(parts, whole, rtol=1e-12, atol=1e-9)


def test_uniform_moves_all_groups_of_an_asset_alike():
    quotes = cases.quoted()
    made = uniform(quotes, {"BTC": np.array([-0.1, 0.2]), "SOL": 0.7}, [0.5, 2.0], 0.1)
    btc = quotes.instruments.group_asset == "BTC"
    np.testing.assert_array_equal(made.move[btc], np.tile([-0.1, 0.2], (btc.sum(), 1)))
    np.testing.assert_array_equal(made.move[~btc], 0.0)
    np.testing.assert_array_equal(made.factor, np.tile([0.5, 2.0], (len(btc), 1)))
    np.testing.assert_array_equal(made.floor, [0.1, 0.1])
    assert len(made) == 2
    assert len(uniform(quotes, {})) == len(uniform(quotes, 0.1)) == 1
    assert len(uniform(quotes, {"BTC": 0.1, "ETH": np.array([0.1, 0.2])})) == 2


def test_by_account_adds_up_rows():
    given = book(
        cases.listed(),
        cases.rows(("a", "BTC", 1.0), ("a", "ETH", 1.0), ("b", "ETH", 1.0)),
        pd.Series({"idle": 1.0}),
    )
    layout = given.layout()
    assert engine.by_account(given, layout, np.array([1.0, 2.0, 4.0])).tolist() == [3.0, 4.0, 0.0]
    table = engine.by_account(given, layout, np.array([[1.0, 5.0], [2.0, 6.0], [4.0, 7.0]]))
    assert table.tolist() == [[3.0, 11.0], [4.0, 7.0], [0.0, 0.0]]


def test_no_scenario_is_no_column():
    quotes = cases.quoted()
    none = uniform(quotes, np.zeros(0))
    given = cases.held({"BTC": 1.0})
    assert engine.values(quotes, none).shape == (len(quotes.mark), 0)
    assert engine.gains(given, quotes, none, given.layout()).shape == (1, 0)


ONE = np.zeros((2, 3)), np.ones((2, 3)), np.zeros(3)


def changed(place, value):
    given = [part.copy() for part in ONE]
    given[place].flat[0] = value
    return Scenarios(*given)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scenarios(ONE[0], np.ones((2, 2)), ONE[2]), r"moves \(2, 3\), factors \(2, 2\)"),
        (lambda: Scenarios(*ONE[:2], np.zeros(2)), r"floors \(2,\) differ; give group × scenario"),
        (lambda: changed(0, -1.0), "a move of a price is -1; give finite ones, above -1"),
        (lambda: changed(0, np.nan), "a move of a price is nan"),
        (lambda: changed(0, np.inf), "a move of a price is inf"),
        (lambda: changed(1, -0.1), "a factor of the volatility is -0.1; .* 0 or more"),
        (lambda: changed(1, np.inf), "a factor of the volatility is inf"),
        (lambda: changed(2, -0.1), "a floor of the volatility is -0.1"),
        (lambda: Scenarios(*ONE, elapsed=-1.0), "a time is -1"),
        (lambda: Scenarios(*ONE, elapsed=np.nan), "a time is nan"),
        (
            lambda: uniform(cases.quoted(), {"BTC": np.zeros(2), "ETH": np.zeros(3)}),
            "moves, factors and floors differ in scenarios; give one of each a scenario",
        ),
        (lambda: uniform(cases.quoted(), np.zeros(2), np.ones(3)), "differ in scenarios"),
        (lambda: uniform(cases.quoted(), np.zeros(2), 1.0, np.ones(3)), "differ in scenarios"),
        (lambda: uniform(cases.quoted(), [-0.1, -2.0]), "a move of a price is -2"),
    ],
)
def test_bad_scenarios_are_named(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_scenarios_of_other_instruments_are_refused():
    quotes = cases.quoted()
    other = quote(Instruments.of([spot("BTC")]), cases.market())
    with pytest.raises(
        ParameterError, match="scenarios of 1 groups for instruments of 8; make them"
    ):
        engine.values(quotes, uniform(other, np.zeros(2)))
    given = cases.held({"BTC": 1.0})
    with pytest.raises(DataError, match="quotes of other instruments"):
        engine.gains(given, other, uniform(other, np.zeros(2)), given.layout())


def test_huge_volatility_is_the_upper_bound_and_huge_moves_are_numbers():
    quotes = cases.quoted()
    listed, which = quotes.instruments, quotes.instruments.is_option
    for sigma in (1e60, 1e308):
        wild = replace(quotes, sigma=np.where(which, sigma, np.nan))
        values = engine.values(wild, uniform(wild, np.zeros(1), 3.0))[:, 0]
        bound = np.where(listed.right > 0, quotes.forward[listed.group], quotes.strike)
        np.testing.assert_array_equal(values[which], bound[which])
    far = engine.values(quotes, uniform(quotes, np.array([1e9, -1 + 1e-12])))
    assert np.isfinite(far).all()
    assert (far >= 0.0).all()
