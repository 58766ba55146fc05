"""Windows against sets of whole numbers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from xcoll.workbook.feeds import windows

window = st.tuples(st.integers(0, 30), st.integers(0, 30))


def inside(found):
    return {point for begin, end in found for point in range(begin, end)}


@given(st.lists(window), window)
def test_add_covers_both_and_keeps_windows_apart(many, new):
    covered = []
    for one in many:
        covered = windows.add(covered, one)
    made = windows.add(covered, new)
    assert inside(made) == inside([*many, new])
    assert all(begin < end for begin, end in made)
    assert all(one[1] < other[0] for one, other in pairwise(made))


@given(window, st.lists(window))
def test_missing_is_what_is_wanted_and_not_covered(wanted, many):
    covered = []
    for one in many:
        covered = windows.add(covered, one)
    left = windows.missing(wanted, covered)
    assert inside(left) == inside([wanted]) - inside(many)
    assert left == sorted(left)
    assert all(begin < end for begin, end in left)
