"""Asking again, and when to stop."""

import pytest

from xcoll.errors import DataError
from xcoll.workbook.feeds.patience import Patience, TransientError, persist


def failing(times, after=0.0):
    left = [times]

    def ask():
        left[0] -= 1
        if left[0] >= 0:
            raise TransientError("kraken: HTTP 500", after)
        return "bars"

    return ask


def patience(waits, draw=1.0, **changes):
    return Patience(wait=waits.append, draw=lambda: draw, **changes)


def test_waits_double_up_to_the_longest_and_half_of_each_is_drawn():
    waits, told = [], []
    assert persist(failing(5), patience(waits, longest=6.0), told.append) == "bars"
    assert waits == [1.0, 2.0, 4.0, 6.0, 6.0]
    assert told[1] == "kraken: HTTP 500; try 3 of 7 in 2 s"
    waits.clear()
    persist(failing(3), patience(waits, draw=0.0))
    assert waits == [0.5, 1.0, 2.0]


def test_what_the_exchange_asks_for_comes_on_top():
    waits = []
    persist(failing(2, after=30.0), patience(waits))
    assert waits == [31.0, 32.0]


def test_tries_are_bounded_and_the_last_failure_is_told():
    waits = []
    with pytest.raises(DataError, match="kraken: HTTP 500, 3 times in a row; what was fetched is"):
        persist(failing(9), patience(waits, tries=3))
    assert len(waits) == 2


def test_a_long_ban_is_told_and_not_waited_for():
    waits = []
    with pytest.raises(DataError, match="left alone for 60 minutes"):
        persist(failing(1, after=3600.0), patience(waits))
    assert not waits


def test_other_errors_are_nobodys_to_repeat():
    with pytest.raises(ZeroDivisionError):
        persist(lambda: 1 / 0, patience([]))
