"""Measures of movement on paths that can be counted by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral.recalibration import exhaustible_buffer, measures


def daily(*columns):
    days = pd.date_range("2022-01-01", periods=len(columns[0]))
    return pd.DataFrame(dict(zip("ABC", columns, strict=False)), days, dtype=float)


def test_a_stay_is_counted_above_halfway_and_until_the_bar_that_ends_it():
    path = daily([1, 5, 5, 1, 4, 4, 4, 1], [1, 1, 1, 5, 3, 1, 1, 5], [2] * 8)
    # B: one bar above 3 in the middle lasts a day; the last bar has not lasted yet
    assert measures.longest_stay(path).tolist() == [3.0, 1.0, 0.0]
    weekly = path.set_axis(pd.date_range("2022-01-01", periods=8, freq="7D"))
    assert measures.longest_stay(weekly)["A"] == 21.0


def test_the_largest_rise_is_given_back_when_half_of_it_is():
    path = daily([1, 3, 7, 6, 4, 1, 1], [1, 2, 3, 3, 3, 3, 3], [9, 8, 7, 6, 5, 4, 3])
    assert measures.largest_rise(path, 2).tolist() == [6, 2, -2]
    # A: from 1 to 7 on the third bar; at or below 4 two bars later
    assert measures.fall_back(path, 2)["A"] == 2.0
    assert measures.fall_back(path, 2)[["B", "C"]].isna().all()


@given(st.lists(st.floats(0.01, 1.0), min_size=4, max_size=30), st.floats(0.1, 5.0))
@settings(max_examples=60, deadline=None)
def test_times_do_not_depend_on_the_level_and_fit_into_the_path(values, scale):
    path = daily(np.round(values, 3))
    span = (path.index[-1] - path.index[0]) / measures.DAY
    for measure in (measures.longest_stay, lambda frame: measures.fall_back(frame, 2)):
        found, scaled = measure(path)["A"], measure(2.0 ** np.round(np.log2(scale)) * path)["A"]
        assert found == scaled or (np.isnan(found) and np.isnan(scaled))
        assert np.isnan(found) or 0.0 <= found <= span


def test_gaps_before_a_listing_are_no_stay():
    path = daily([np.nan, np.nan, 1, 5, 5, 5, 1])
    assert measures.longest_stay(path)["A"] == 3.0
    assert measures.peak_to_trough(path)["A"] == pytest.approx(5.0)


def test_peak_to_trough_and_rise_of_the_buffer_example():
    raw = pd.DataFrame({"margin": [100.0, 100, 140, 180, 120]})
    posted = exhaustible_buffer(raw, 0.25)
    assert measures.peak_to_trough(raw)["margin"] == pytest.approx(1.8)
    assert measures.peak_to_trough(posted)["margin"] == pytest.approx(1.44)
    assert measures.largest_rise(raw, 2)["margin"] == 80
    assert measures.largest_rise(posted, 1)["margin"] == 40


def test_paths_become_rows_without_the_bars_before_a_listing():
    time = pd.date_range("2023-01-01", periods=2)
    raw = pd.DataFrame({"ETH": [0.1, 0.2], "NEW": [np.nan, 0.3]}, time)
    rows = measures.tidy_paths({"raw": raw, "posted": 2 * raw})
    assert list(rows.columns) == ["time", "asset", "raw", "posted"]
    assert len(rows) == 3
    assert rows.set_index(["asset", "time"]).loc[("NEW", time[1])].tolist() == [0.3, 0.6]
