"""What holds for every rule: contributions, totals, order, accounts, cash, and signs."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin import cases
from xcoll.errors import DataError
from xcoll.margin.book import book
from xcoll.margin.instruments import Instruments, perpetual, spot
from xcoll.margin.market import quote

RULES = sorted(cases.rules())
seeds = st.integers(0, 39)  # few enough to be drawn once for all rules
properties = settings(derandomize=True, deadline=None, max_examples=6)
each = pytest.mark.parametrize("rule", [cases.rules()[name] for name in RULES], ids=RULES)


@cache
def drawn(seed, spreads=False):
    rng = np.random.default_rng(seed)
    quotes = quote(cases.listed(), cases.drawn_market(rng))
    given = cases.drawn_spreads(rng) if spreads else cases.drawn_book(rng, accounts=3, legs=10)
    return given, quotes


@each
@properties
@given(seed=seeds, spreads=st.booleans())
def test_contributions_add_up_to_the_requirement(rule, seed, spreads):
    given, quotes = drawn(seed, spreads)
    found = rule.requirement(given, quotes)
    accounts = found.accounts
    gross = np.bincount(given.account, np.abs(found.positions), len(accounts))
    summed = np.bincount(given.account, found.positions, len(accounts))
    np.testing.assert_allclose(summed, accounts["maintenance"], atol=1e-9 * gross.max() + 1e-9)
    np.testing.assert_allclose(
        accounts["loss"] + accounts["contingency"], accounts["maintenance"], rtol=1e-12, atol=1e-9
    )
    by_account = found.binding.groupby("account")["loss"].sum().reindex(accounts.index)
    np.testing.assert_allclose(by_account, accounts["loss"], rtol=1e-12, atol=1e-9)
    assert len(found.positions) == len(given)


@each
@properties
@given(seed=seeds)
def test_totals_are_the_requirement_and_never_negative(rule, seed):
    given, quotes = drawn(seed)
    accounts = rule.requirement(given, quotes).accounts
    np.testing.assert_allclose(rule.totals(given, quotes), accounts["maintenance"], rtol=1e-12)
    assert list(accounts.index) == list(given.accounts)
    assert (accounts["maintenance"] >= 0.0).all()
    assert (accounts["initial"] >= accounts["maintenance"]).all()
    assert (accounts["contingency"] >= 0.0).all()


@each
@properties
@given(seed=seeds)
def test_the_order_of_positions_does_not_matter(rule, seed):
    given, quotes = drawn(seed)
    order = np.random.default_rng(seed).permutation(len(given))
    one, two = (
        rule.requirement(given, quotes),
        rule.requirement(cases.shuffled(given, order), quotes),
    )
    pd.testing.assert_frame_equal(two.accounts, one.accounts, rtol=1e-9, atol=1e-6)
    # a long and a short that are worth the same may share a loss of rounding either way
    scale = one.positions.abs().max()
    np.testing.assert_allclose(two.positions, one.positions.to_numpy()[order], atol=1e-9 * scale)


@each
@properties
@given(seed=seeds)
def test_accounts_do_not_influence_each_other(rule, seed):
    given, quotes = drawn(seed)
    whole = rule.requirement(given, quotes)
    for n, name in enumerate(given.accounts):
        alone = rule.requirement(given.only(name), quotes)
        pd.testing.assert_frame_equal(
            alone.accounts, whole.accounts.loc[[name]], rtol=1e-12, atol=1e-9, check_names=False
        )
        mine = whole.positions.to_numpy()[given.account == n]
        np.testing.assert_allclose(alone.positions, mine, rtol=1e-12, atol=1e-9)


@each
@properties
@given(seed=seeds, cash=st.floats(-1e6, 1e6))
def test_cash_moves_the_excess_by_itself_and_the_requirement_not_at_all(rule, seed, cash):
    given, quotes = drawn(seed)
    richer = given.holding(given.quantity, np.full(3, cash))
    np.testing.assert_array_equal(rule.totals(richer, quotes), rule.totals(given, quotes))
    moved = cases.excess(rule, richer, quotes) - cases.excess(rule, given, quotes)
    np.testing.assert_allclose(moved, cash, rtol=1e-9, atol=1e-6)


@each
@properties
@given(
    place=st.integers(0, 11),
    asset=st.sampled_from(["BTC", "ETH"]),
    units=st.floats(1e-3, 1e3),
)
def test_a_long_option_needs_no_more_than_its_premium(rule, place, asset, units):
    quotes = cases.quoted()
    options = cases.listed().frame.query("kind == 'option' and asset == @asset").index
    given = cases.held({options[place]: units})
    premium = given.value(quotes)[0]
    assert 0.0 < rule.totals(given, quotes)[0] <= premium * (1 + 1e-12)


@each
def test_an_account_without_positions_needs_nothing(rule):
    quotes = cases.quoted()
    idle = book(cases.listed(), cases.rows(), pd.Series({"a": 5.0, "b": -5.0}))
    found = rule.requirement(idle, quotes)
    assert found.accounts.to_numpy().tolist() == [[0.0] * 4] * 2
    assert len(found.positions) == 0
    np.testing.assert_array_equal(rule.totals(idle, quotes), [0.0, 0.0])
    beside = book(cases.listed(), cases.rows(("c", "BTC", 1.0)), pd.Series({"a": 5.0}))
    needed = rule.requirement(beside, quotes).accounts["maintenance"]
    assert needed["c"] > 0.0
    assert needed["a"] == 0.0


@each
def test_a_position_of_no_units_needs_nothing(rule):
    names = list(cases.listed().frame.index)
    given = cases.held(dict.fromkeys(names, 0.0))
    found = rule.requirement(given, cases.quoted())
    assert found.accounts["maintenance"].tolist() == [0.0]
    np.testing.assert_array_equal(found.positions, np.zeros(len(names)))


@each
def test_one_position_contributes_all(rule):
    for name in ("BTC", "ETH-PERP", "BTC-28JUN24", "ETH-12JAN24-2600-C"):
        found = rule.requirement(cases.held({name: -1.0}), cases.quoted())
        total = found.accounts.loc["a", "maintenance"]
        assert total > 0.0
        assert found.positions[0] == pytest.approx(total, rel=1e-9)


@each
def test_quotes_of_other_instruments_are_refused(rule):
    given = cases.held({"BTC-PERP": 1.0})
    other = quote(Instruments.of([spot("ETH"), perpetual("ETH")]), cases.market())
    for ask in (rule.requirement, rule.totals):
        with pytest.raises(
            DataError, match=r"quotes of other instruments.*quote book\.instruments"
        ):
            ask(given, other)


@each
def test_a_rule_has_a_name(rule):
    assert isinstance(rule.name, str)
    assert rule.name
