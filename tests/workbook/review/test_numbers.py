"""Two versions of an artifact: every number is counted once, and the furthest apart are found."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.errors import ParameterError
from xcoll.workbook.review.numbers import Alone, Tolerance, compare

EXACT = Tolerance(0.0, 0.0)


def frame(**columns):
    return pd.DataFrame(columns)


def days(*values, start="2024-01-01"):
    index = pd.date_range(start, periods=len(values), name="time", unit="us")
    return pd.DataFrame({"BTC": values}, index=index)


BASE = frame(asset=["BTC", "ETH", "ADA"], haircut=[0.1, 0.2, 0.3], bars=[1, 2, 3])

ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from([0.5, 1.0, math.nan]),
        st.floats(width=32),
        st.integers(0, 3),
    ),
    max_size=5,
)


def table(rows):
    kinds = {"name": "str", "grid": float, "value": float, "count": int}
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)


def test_a_table_against_itself():
    found = compare(BASE, BASE.copy(), EXACT)
    assert found.same
    assert (found.numbers, found.texts) == (6, 3)
    assert found.relative is found.absolute is found.strange is None


def test_one_number_is_found_with_row_column_and_both_values():
    other = BASE.copy()
    other.loc[1, "haircut"] = 0.25
    found = compare(BASE, other, Tolerance())
    assert (found.differing, found.changed, found.unlike) == (1, 0, 0)
    assert (found.relative.row, found.relative.column) == ("ETH", "haircut")
    assert (found.relative.a, found.relative.b) == (0.2, 0.25)
    assert found.relative.gap == pytest.approx(0.05 / 0.25, rel=1e-12)
    assert found.absolute.gap == pytest.approx(0.05, rel=1e-12)


def test_relative_and_absolute_differences_may_be_furthest_in_other_places():
    a, b = frame(x=[1e-6, 1e6]), frame(x=[2e-6, 1e6 + 10])
    found = compare(a, b, EXACT)
    assert (found.relative.a, found.relative.gap) == (1e-6, 0.5)
    assert (found.absolute.a, found.absolute.gap) == (1e6, 10.0)


@pytest.mark.parametrize(
    ("relative", "absolute", "differing"),
    [(0.0, 0.0, 2), (0.09, 0.0, 1), (0.1, 0.0, 0), (0.0, 0.9, 1), (0.0, 1.0, 0), (0.05, 0.5, 0)],
)
def test_the_bound_is_absolute_plus_relative_times_the_larger(relative, absolute, differing):
    a, b = frame(x=[9.0, 1.0]), frame(x=[10.0, 1.01])  # 1 of 10, and 0.01 of 1.01
    assert compare(a, b, Tolerance(relative, absolute)).differing == differing


@pytest.mark.parametrize(
    ("a", "b", "differing", "unlike"),
    [
        (math.nan, math.nan, 0, 0),
        (math.inf, math.inf, 0, 0),
        (-math.inf, math.inf, 1, 1),
        (math.nan, 1.0, 1, 1),
        (math.inf, 1.0, 1, 1),
        (math.nan, math.inf, 1, 1),
        (0.0, -0.0, 0, 0),
        (1.7e308, -1.7e308, 1, 0),
    ],
)
def test_missing_and_infinite_numbers(a, b, differing, unlike):
    loose = Tolerance(0.5, 1e300)
    for wrap in (lambda value: frame(x=[value]), lambda value: {"x": value}):
        for x, y in ((a, b), (b, a)):
            found = compare(wrap(x), wrap(y), loose)
            assert (found.differing, found.unlike) == (differing, unlike)
            assert (found.strange is not None) is bool(unlike)
            assert (found.relative is not None) is (differing > unlike)


def test_rows_are_paired_by_name_whatever_their_order():
    found = compare(BASE, BASE.iloc[::-1], EXACT)
    assert found.same


def test_rows_and_columns_of_one_side():
    other = BASE.drop(index=0).rename(columns={"bars": "days"})
    found = compare(BASE, other, EXACT)
    assert found.rows == (Alone(1, ("BTC",)), Alone())
    assert found.columns == (Alone(1, ("bars",)), Alone(1, ("days",)))
    assert found.numbers == 2
    assert not found.same


def test_a_text_that_names_no_row_is_a_text_that_changed():
    a = frame(asset=["BTC", "ETH"], value=[1.0, 2.0], verdict=["pass", "pass"], used=[True, True])
    b = a.assign(verdict=["pass", "fail"], used=[False, True])
    found = compare(a, b, EXACT)
    assert (found.changed, found.texts, found.differing) == (2, 6, 0)
    spot = next(each for each in found.examples if each.column == "verdict")
    assert (spot.row, spot.a, spot.b) == ("ETH", "pass", "fail")


def test_a_grid_of_numbers_names_rows_where_texts_do_not():
    a = frame(case=["x"] * 3, factor=[0.4, 0.6, 0.8], loss=[1.0, 2.0, 3.0])
    b = frame(case=["x"] * 3, factor=[0.6, 0.8, 1.0], loss=[2.0, 3.0, 4.0])
    found = compare(a, b, EXACT)
    # 0.6 and 0.8 are the same rows; 0.4 and 1.0 are what is left of case x, and are paired.
    assert (found.numbers, found.differing) == (6, 2)
    assert found.rows == (Alone(), Alone())


def test_results_are_no_grid():
    a = frame(account=["x"] * 3, score=[3.0, 2.0, 1.0], left=[1.0, 1.0, 1.0])
    b = a.assign(score=[3.5, 3.0, 1.5])  # one of the scores was another row's before
    found = compare(a, b, EXACT)
    assert (found.numbers, found.differing, found.absolute.gap) == (6, 3, 1.0)
    assert found.rows == (Alone(), Alone())


def test_numbers_without_names_are_known_by_their_place():
    found = compare(frame(x=[2.0, 4.0, 6.0]), frame(x=[6.0, 4.0, 2.0]), EXACT)
    assert (found.numbers, found.differing) == (3, 2)
    assert found.absolute.row == "row 1"


def test_equal_names_go_by_their_order():
    a, b = frame(name=["x", "x"], v=[1.0, 1.0]), frame(name=["x", "x", "x"], v=[1.0, 5.0, 1.0])
    found = compare(a, b, EXACT)
    assert found.numbers == 2
    assert found.rows[1].count == 1


def test_wide_and_square_tables_are_known_by_their_index():
    found = compare(days(1.0, 2.0), days(1.0, 3.0), EXACT)
    assert (found.absolute.row, found.absolute.column) == ("2024-01-02", "BTC")
    found = compare(days(1.0, 2.0), days(2.0, 3.0, start="2024-01-02"), EXACT)
    assert found.rows == (Alone(1, ("2024-01-01",)), Alone(1, ("2024-01-03",)))
    square = pd.DataFrame(np.eye(2), index=["a", "b"], columns=["a", "b"])
    found = compare(square, square.iloc[:1, :1], EXACT)
    assert found.rows[0] == Alone(1, ("b",))
    assert found.columns[0] == Alone(1, ("b",))


@pytest.mark.parametrize("other", [BASE, BASE.iloc[:1]])
def test_an_empty_table(other):
    empty = BASE.iloc[:0]
    assert compare(empty, empty, EXACT).same
    found = compare(empty, other, EXACT)
    assert found.rows == (Alone(), Alone(len(other), ("BTC", "ETH", "ADA")[: len(other)]))
    assert compare(days(), days(1.0), EXACT).rows[1].count == 1
    assert compare(pd.DataFrame(), pd.DataFrame(), EXACT).same


def test_a_column_that_changed_its_kind():
    found = compare(frame(name=["x"], v=[1.0]), frame(name=["x"], v=["much"]), EXACT)
    assert (found.numbers, found.changed) == (0, 1)
    assert compare(frame(v=[1]), frame(v=[1.0]), EXACT).same


def test_json_to_any_depth():
    a = {"x": {"y": [1.0, {"z": 2}]}, "flag": True, "none": None, "gone": 1, "e": []}
    b = {"x": {"y": [1.0, {"z": 3}]}, "flag": 1, "none": None, "new": 1, "e": [0]}
    found = compare(a, b, EXACT)
    assert (found.numbers, found.differing) == (2, 1)
    assert found.absolute.row == "x.y[1].z"
    assert [spot.row for spot in found.examples] == ["flag"]
    assert found.rows == (Alone(2, ("gone", "e")), Alone(2, ("new", "e[0]")))
    assert compare({"a.b": 1, "a": {"b": 2}}, {"a.b": 1, "a": {"b": 2}}, EXACT).numbers == 2
    assert compare({"n": 10**400}, {"n": 10**400}, EXACT).same
    assert compare({}, {}, EXACT).same


def test_a_table_has_nothing_in_common_with_a_mapping():
    found = compare(BASE, {"x": 1.0}, EXACT)
    assert [each.count for each in found.rows] == [1, 1]


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_a_tolerance_that_is_none(wrong):
    with pytest.raises(ParameterError, match="--rtol"):
        Tolerance(relative=wrong)
    with pytest.raises(ParameterError, match="--atol"):
        Tolerance(absolute=wrong)


def counts(found):
    return found.numbers, found.differing, found.unlike, found.texts, found.changed


@settings(max_examples=25)
@given(ROWS, ROWS, st.floats(0.0, 1.0))
def test_both_directions_count_the_same_and_a_wider_tolerance_no_more(left, right, limit):
    a, b = table(left), table(right)
    there, back = (compare(*pair, Tolerance(limit)) for pair in ((a, b), (b, a)))
    assert counts(there) == counts(back)
    assert there.rows[0].count == back.rows[1].count
    paired = len(a) - there.rows[0].count
    assert paired == len(b) - there.rows[1].count
    assert there.numbers == 3 * paired
    if there.relative:
        assert there.relative.gap == back.relative.gap
        assert there.absolute.gap == back.absolute.gap
    assert there.differing <= compare(a, b, EXACT).differing


@settings(max_examples=15)
@given(ROWS, st.randoms(use_true_random=False))
def test_a_table_whose_rows_have_names_is_equal_to_itself_in_any_order(rows, chance):
    named = table(rows).drop_duplicates(["name", "grid"])
    order = list(range(len(named)))
    chance.shuffle(order)
    assert compare(named, named.iloc[order], EXACT).same
