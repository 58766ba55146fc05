"""The journal: what was written comes back, wherever it was cut off."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xcoll.errors import DataError
from xcoll.workbook.feeds.part import Part

PAGES = [
    ("BTC/USD", (10, 30), np.array([[10, 0.1, 3.0, 1 / 3, np.nan], [20, 1.0, 3.0, 2.0, 1e-8]])),
    ("ETH/USD", (10, 20), np.array([[10, 1.0, 3.0, 2.0, 5.0]])),
    ("BTC/USD", (30, 50), np.array([[40, 1.0, 3.0, 2.0, 5.0]])),
]


def filled(path, **more):
    part = Part(path, "kraken", "1d", **more)
    for page in PAGES:
        part.append(*page)
    return part


def same(found, wanted):
    found = list(found)
    assert [one[:2] for one in found] == [one[:2] for one in wanted]
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one[2], other[2])


def test_pages_come_back_to_the_last_digit(tmp_path):
    filled(tmp_path / "a.part")
    part = Part(tmp_path / "a.part", "kraken", "1d")
    same(part.pages(), PAGES)
    assert not part.anew
    part.remove()
    same(Part(tmp_path / "a.part", "kraken", "1d").pages(), [])


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 1000))
def test_a_journal_cut_anywhere_loses_at_most_the_page_that_was_cut(tmp_path, place):
    path = tmp_path / "a.part"
    filled(path, anew=True)
    content = path.read_bytes()
    place %= len(content) + 1
    path.write_bytes(content[:place])
    whole = max(0, content[:place].count(b"\n") - 1)
    part = Part(path, "kraken", "1d")
    same(part.pages(), PAGES[:whole])
    part.append(*PAGES[2])  # and it goes on from there
    same(Part(path, "kraken", "1d").pages(), [*PAGES[:whole], PAGES[2]])


def test_a_journal_of_another_fetch_is_left_alone(tmp_path):
    path = tmp_path / "a.part"
    filled(path)
    before = path.read_bytes()
    for exchange, bar in (("binance", "1d"), ("kraken", "1h")):
        with pytest.raises(DataError, match="unfinished fetch of kraken, bars of 1d"):
            Part(path, exchange, bar)
    assert path.read_bytes() == before


def test_a_fetch_that_replaces_says_so_to_the_one_that_goes_on(tmp_path):
    filled(tmp_path / "a.part")
    assert list(Part(tmp_path / "a.part", "kraken", "1h", anew=True).pages()) == []
    filled(tmp_path / "a.part", anew=True)
    assert Part(tmp_path / "a.part", "kraken", "1d").anew


@pytest.mark.parametrize("text", ["hello\n", "[]\n", '{"exchange": "kraken", "bar": "1d"}\n{}\n'])
def test_what_is_no_journal_is_named(tmp_path, text):
    path = tmp_path / "a.part"
    path.write_text(text)
    with pytest.raises(DataError, match=r"a.part: line [12] is no page"):
        list(Part(path, "kraken", "1d").pages())
