"""Answers of exchanges: judged, put in order, joined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcoll.errors import DataError
from xcoll.workbook.feeds import pages

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_672_531_200_000  # 2023-01-01
GOOD = [START, 10.0, 12.0, 9.0, 11.0, 5.0]  # time, open, high, low, close, volume


def row(**fields):
    names = dict(zip(pages.ANSWER, GOOD, strict=True)) | fields
    return [names[name] for name in pages.ANSWER]


def test_an_answer_is_kept_as_low_high_close_volume():
    page, repeated = pages.judge([row()], DAY, "x")
    assert page.tolist() == [[START, 9.0, 12.0, 11.0, 5.0]]
    assert repeated == 0


@given(st.permutations(range(6)), st.lists(st.integers(0, 5), max_size=6))
def test_order_and_equal_copies_lose_nothing(order, again):
    rows = [row(time=START + place * DAY, close=10.0 + place / 10) for place in range(6)]
    page, repeated = pages.judge([rows[i] for i in [*order, *again]], DAY, "x")
    assert page.tolist() == pages.judge(rows, DAY, "x")[0].tolist()
    assert repeated == len(again)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("<html>", "'<html>' where a list"),
        ({"code": 1}, "where a list"),
        (None, "None where a list"),
        ([None], "None where a bar"),
        (["123456"], "'123456' where a bar"),
        ([GOOD[:5]], "where a bar"),
        ([row(close="11")], "close is '11'"),
        ([row(close=None)], "close is None"),
        ([row(high=True)], "high is True"),
        ([row(low=float("nan"))], "low is nan"),
        ([row(volume=float("inf"))], "volume is inf"),
        ([row(open=0)], "2023-01-01 has a price that is not above zero"),
        ([row(low=-3.0)], "price that is not above zero .*low -3"),
        ([row(high=8.0)], "high under its low"),
        ([row(volume=-1.0)], "negative volume"),
        ([row(time=START // 1000)], "no milliseconds"),
        ([row(time=START * 1000)], "no milliseconds"),
        ([row(time=START + 1)], "begins where no bar of 1 days"),
        (
            [row(), row(time=START + DAY), row(time=START + DAY + HOUR)],
            "2023-01-02 01:00:00 begins",
        ),
        ([row(), row(close=10.5)], "two bars of 2023-01-01 that differ, close 11 and 10.5"),
    ],
)
def test_nonsense_is_refused_by_name(answer, said):
    with pytest.raises(DataError, match=said) as caught:
        pages.judge(answer, DAY, "kraken BTC/USD")
    assert str(caught.value).startswith("kraken BTC/USD: ")
    assert "ask again later" in str(caught.value)


def test_days_may_begin_at_another_hour_but_all_at_the_same():
    late = [row(time=START + 16 * HOUR + place * DAY) for place in range(3)]
    assert len(pages.judge(late, DAY, "x")[0]) == 3
    with pytest.raises(DataError, match="begins where no bar"):
        pages.judge(late, DAY, "x", phase=0)
    with pytest.raises(DataError, match="begins where no bar"):
        pages.judge([row(time=START + HOUR // 2)], HOUR, "x")


def test_no_volume_is_unknown_and_no_bar_is_no_fault():
    page, _ = pages.judge([row(volume=None), row(time=START + DAY)], DAY, "x")
    assert np.isnan(page[0, -1])
    assert page[1, -1] == 5.0
    assert pages.judge([], DAY, "x")[0].shape == (0, 5)


bars = st.dictionaries(st.integers(0, 9), st.integers(1, 3), max_size=10)


def page(held):
    rows = [[time, 1.0, 4.0, float(close), np.nan] for time, close in sorted(held.items())]
    return np.array(rows, dtype=float).reshape(-1, 5)


@given(bars, bars)
def test_join_is_the_union_or_names_what_differs(one, other):
    differ = sorted(time for time in one.keys() & other.keys() if one[time] != other[time])
    if differ:
        with pytest.raises(DataError, match="differ, close") as caught:
            pages.join(page(one), page(other), "x")
        assert f"close {one[differ[0]]} and {other[differ[0]]}" in str(caught.value)
    else:
        both, repeated = pages.join(page(one), page(other), "x")
        np.testing.assert_array_equal(both, page(one | other))
        assert repeated == len(one.keys() & other.keys())


def test_within_has_its_begin_and_not_its_end():
    held = page({1: 1, 2: 1, 3: 1})
    assert pages.within(held, 1, 3)[:, 0].tolist() == [1, 2]
