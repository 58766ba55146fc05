"""Whatever an exchange makes of its pages, the walk comes back with every bar of the window."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.errors import DataError
from xcoll.workbook.feeds import walk as walking
from xcoll.workbook.feeds.pages import EMPTY
from xcoll.workbook.feeds.windows import add

BAR = 10


def bars(places):
    rows = [[place * BAR, 1.0, 3.0, 2.0 + place / 100, 1.0] for place in sorted(places)]
    return np.array(rows).reshape(-1, 5)


class Made:
    """An exchange with these bars; each answer may be cut, holed or empty, by the draw."""

    def __init__(self, places, limit, manner, moods=()):
        self.places, self.limit, self.manner = sorted(places), limit, manner
        self.moods, self.asked, self.well = list(moods), [], True

    def __call__(self, since):
        self.asked.append(since)
        found = {
            "from": [p for p in self.places if p * BAR >= since][: self.limit],
            "window": [p for p in self.places if since <= p * BAR < since + self.limit * BAR],
            "last": self.places[-self.limit :],
        }[self.manner]
        mood = self.moods.pop(0) if self.moods and self.well else "well"
        self.well = mood == "well"  # never badly twice in a row
        if mood == "cut":
            found = found[: len(found) // 2]
        elif mood == "holed":
            found = found[::2]
        elif mood == "empty":
            found = []
        return bars(found)


def all_of(ask, window, limit, last=EMPTY, **more):
    covered, came = [], []
    for settled, page in walking.walk(ask, window, BAR, limit, last, **more):
        covered = add(covered, settled)
        came += page.tolist()
    return covered, came


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.integers(0, 60), max_size=60), st.integers(2, 9),
    st.sampled_from(["from", "window"]),
    st.lists(st.sampled_from(["well", "cut", "holed", "empty"]), max_size=12), st.booleans(),
)  # fmt: skip
def test_every_bar_comes_once_and_in_order(places, limit, manner, moods, begun):
    window = (20 * BAR, 50 * BAR)
    last = bars({19} & places) if begun else EMPTY
    ask = Made(places, limit, manner, moods)
    covered, came = all_of(ask, window, limit, last)
    wanted = bars(place for place in places if 20 <= place < 50)
    assert came == wanted.tolist()
    # settled up to the last bar, and no further: a newer one may come yet
    assert covered == ([(window[0], int(wanted[-1, 0]) + BAR)] if len(wanted) else [])
    assert len(ask.asked) < 300


def test_an_exchange_that_gives_its_last_bars_whatever_is_asked():
    covered, came = all_of(Made(range(100), 30, "last"), (20 * BAR, 100 * BAR), 30)
    assert came == bars(range(70, 100)).tolist()
    assert covered == [(20 * BAR, 100 * BAR)]


def test_pages_overlap_by_a_bar_and_a_rewritten_one_is_found():
    ask = Made(range(40), 5, "from")
    all_of(ask, (0, 12 * BAR), 5)
    assert ask.asked[:3] == [0, 4 * BAR, 8 * BAR]
    held = bars([9]) + [0, 0, 0, 0.5, 0]
    with pytest.raises(DataError, match=r"two bars of .* that differ, close 2.59 and 2.09"):
        all_of(ask, (10 * BAR, 20 * BAR), 5, held)


def test_what_was_missing_at_first_is_counted():
    counts = Counter()
    ask = Made(range(10), 10, "from", ["holed"])
    _, came = all_of(ask, (0, 10 * BAR), 10, counts=counts)
    assert len(came) == 10
    assert counts["healed"] == 5


def test_a_bar_that_is_missing_twice_is_asked_for_no_more():
    ask = Made(set(range(20)) - {4, 9}, 30, "from")
    _, came = all_of(ask, (0, 20 * BAR), 30)
    assert len(came) == 18
    assert ask.asked == [0, 4 * BAR]
