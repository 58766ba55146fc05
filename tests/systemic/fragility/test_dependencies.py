"""The graph of assets and venues, edge by edge."""

import pandas as pd
import pytest

from tests.systemic.small import system, venue
from xcoll.systemic.claims import Claims, Receipt
from xcoll.systemic.fragility.dependencies import KINDS, edges

PRICES = pd.Series([2.0, 1.0, 1.0], ["X", "Y", "S"])


def table(*venues, **rest):
    made = edges(system(*venues, prices=PRICES, **rest))
    assert list(made.columns) == ["start", "end", "kind", "dollars", "count"]
    assert list(made["kind"].cat.categories) == list(KINDS)
    return {(r.start, r.end, r.kind): (r.dollars, r.count_) for r in renamed(made)}


def renamed(made):
    return made.rename(columns={"count": "count_"}).itertuples()


ONE = venue("one", [[30, 0, 0], [10, 5, 0]], [[0, 0, 20], [0, 0, 0]], users=["ann", "bob"])
TWO = venue("two", [[0, 40, 0], [5, 0, 0]], [[0, 0, 9], [1, 0, 3]], users=["ann", "bob"])
SIX = venue("six", [[0, 1, 0], [0, 1, 0]], [[0, 0, 0.5], [0, 0, 0.25]], users=["ann", "bob"])


def test_books_and_users_by_hand():
    assert table(ONE, TWO, SIX) == {
        ("X", "one", "collateral at"): (80, 2),
        ("Y", "one", "collateral at"): (5, 1),
        ("S", "one", "debt at"): (20, 1),
        ("X", "two", "collateral at"): (10, 1),
        ("Y", "two", "collateral at"): (40, 1),
        ("X", "two", "debt at"): (2, 1),
        ("S", "two", "debt at"): (12, 2),
        ("Y", "six", "collateral at"): (2, 2),
        ("S", "six", "debt at"): (0.75, 2),
        ("one", "two", "same user"): (29, 1),  # ann; bob owes nothing at one
        ("one", "six", "same user"): (20.5, 1),
        ("two", "six", "same user"): (9 + 5 + 0.75, 2),
    }


def test_distinct_users_tie_nothing():
    alone = venue("one", [[1, 0, 0]], [[0, 0, 1]]), venue("two", [[1, 0, 0]], [[0, 0, 1]])
    assert not any(kind == "same user" for *_, kind in table(*alone))


def test_claims_are_weighed_by_what_is_pledged_and_may_owe():
    looped = Claims({"X": {"Y": 3.0, "S": -2.0}}, {"Y": Receipt("one", 1e6)})
    found = table(ONE, TWO, claims=looped)
    assert found["X", "Y", "claim on"] == (pytest.approx(90 * 3), 3)
    assert found["X", "S", "claim on"] == (pytest.approx(-90 * 2), 3)
    assert found["Y", "one", "receipt of"] == (45, 2)


def test_what_stands_behind_is_weighed_at_its_price():
    found = table(ONE, TWO, claims=Claims({"Y": {"X": 1.0, "S": -1.0}}))  # 2 dollars less 1
    assert found["Y", "X", "claim on"] == (pytest.approx(45 * 2), 2)
    assert found["Y", "S", "claim on"] == (pytest.approx(-45), 2)


def test_a_claim_on_nothing_worth_anything_is_no_edge():
    found = table(ONE, claims=Claims({"X": {"Y": 0.0}, "S": {"Y": 1.0}}))
    assert not any(kind == "claim on" for *_, kind in found)  # and nobody pledges S
