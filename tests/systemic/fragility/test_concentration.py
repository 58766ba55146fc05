"""Herfindahl indices: closed forms, bounds, and whose position it is."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.systemic.small import system, venue
from xcoll.errors import DataError
from xcoll.systemic.fragility.concentration import concentration, herfindahl, user_names

parts = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=12).filter(lambda x: sum(x) > 1e-3)


@settings(max_examples=100, deadline=None)
@given(parts, st.floats(1e-3, 1e6))
def test_herfindahl_lies_between_even_and_single_whatever_the_unit(x, unit):
    H = herfindahl(np.array(x))
    assert 1 / len(x) - 1e-12 <= H <= 1 + 1e-12
    assert herfindahl(np.array(x) * unit) == pytest.approx(H)
    assert herfindahl(np.array([*x, 0.0])) == pytest.approx(H)


@settings(max_examples=50, deadline=None)
@given(parts)
def test_merging_two_parts_concentrates(x):
    assume(len(x) > 1 and min(x[:2]) > 1e-3 * sum(x))
    assert herfindahl(np.array([x[0] + x[1], *x[2:]])) > herfindahl(np.array(x))


def test_herfindahl_by_hand():
    assert herfindahl(np.full(8, 3.0)) == pytest.approx(1 / 8)
    assert herfindahl(np.array([3.0, 1.0])) == pytest.approx(10 / 16)
    assert math.isnan(herfindahl(np.zeros(3)))
    with pytest.raises(DataError, match="part 1 is -1; give finite parts"):
        herfindahl(np.array([1.0, -1.0]))
    with pytest.raises(DataError, match="part 0 is nan"):
        herfindahl(np.array([math.nan, 1.0]))


def shared():
    """Two venues; ann has accounts at both, and two at the second."""
    first = venue("first", [[30, 0, 0], [0, 10, 0]], [[0, 0, 20], [0, 0, 0]], users=["ann", "bob"])
    second = venue(
        "second",
        [[10, 0, 0], [20, 0, 0], [0, 30, 0]],
        [[0, 0, 5], [0, 0, 5], [0, 10, 0]],
        users=["ann", "ann", "cy"],
    )
    return system(first, second)


def test_accounts_of_one_user_are_one_position():
    table = concentration(shared())
    row = table.loc[("all", "collateral by user")]
    assert row["dollars"] == 100
    assert row["parts"] == 3
    assert row["herfindahl"] == pytest.approx((60**2 + 10**2 + 30**2) / 100**2)
    assert row["effective"] == pytest.approx(100**2 / (60**2 + 10**2 + 30**2))
    assert (row["largest"], row["name"]) == (0.6, "ann")
    assert table.loc[("second", "collateral by user"), "herfindahl"] == pytest.approx(0.5)
    assert table.loc[("first", "debt by user"), "herfindahl"] == 1.0
    assert table.loc[("all", "debt by user"), "largest"] == pytest.approx(30 / 40)


def test_assets_are_weighed_in_dollars_venue_by_venue():
    table = concentration(shared())
    X, Y = table.loc[("first", "collateral by asset")], table.loc[("all", "collateral by asset")]
    assert X["herfindahl"] == pytest.approx(0.75**2 + 0.25**2)
    assert (Y["largest"], Y["name"], Y["parts"]) == (0.6, "X", 2)
    assert table.loc[("second", "debt by asset"), "herfindahl"] == pytest.approx(0.5)


def test_prices_count():
    made = shared().changed(prices=pd.Series([2.0, 1.0, 1.0], ["X", "Y", "S"]))
    assert concentration(made).loc[("all", "collateral by asset"), "dollars"] == 160


def test_a_venue_without_debt_has_no_concentration_of_it():
    made = system(venue("idle", [[1, 0, 0]], [[0, 0, 0]]))
    row = concentration(made).loc[("idle", "debt by asset")]
    assert row["dollars"] == 0
    assert row["parts"] == 0
    assert row["name"] == ""
    assert math.isnan(row["herfindahl"])
    assert math.isnan(row["effective"])
    assert math.isnan(row["largest"])


def test_who_has_no_name_is_called_by_venue_and_account():
    named = venue("a", [[1, 0, 0]], [[0, 0, 0]], users=["ann"])
    bare = venue("b", [[1, 0, 0], [1, 0, 0]], [[0, 0, 0]] * 2)
    assert user_names(system(named, bare)) == ["ann", "b 0", "b 1"]
    assert user_names(system(bare)) == ["b 0", "b 1"]
