"""Missing bars against sets."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from xcoll.workbook.feeds import gaps


@given(
    st.sets(st.integers(0, 20), min_size=1), st.integers(1, 5), st.integers(0, 4),
    st.integers(-30, 20), st.integers(0, 60),
)  # fmt: skip
def test_runs_are_all_that_is_missing_of_a_window(places, bar, phase, begin, length):
    times = np.array(sorted(places)) * bar + phase
    begin = min(begin, int(times[0]))
    end = max(begin + length, int(times[-1]) + 1)
    grid = {time for time in range(phase - 60 * bar, phase + 60 * bar, bar) if begin <= time < end}
    found = gaps.runs(times, bar, begin, end)
    told = [time for _, first, last, _ in found for time in range(first, last + 1, bar)]
    assert set(told) == grid - set(times.tolist())
    assert len(told) == len(set(told)) == sum(count for *_, count in found)
    inner = [run for run in found if run[0] == "inside"]
    assert gaps.runs(times, bar) == inner
    assert all(times[0] < first <= last < times[-1] for _, first, last, _ in inner)


def test_the_table_names_asset_place_and_number():
    index = pd.date_range("2023-01-02", periods=5, unit="us")
    close = pd.DataFrame({"A": [1, np.nan, np.nan, 1, 1], "B": [np.nan] * 5}, index)
    day = pd.Timedelta("1D")
    begin, end = pd.Timestamp("2023-01-01"), pd.Timestamp("2023-01-08")
    found = gaps.find(dict(close.items()), day, begin, end)
    assert found.to_numpy().tolist() == [
        ["A", "before the first", begin, begin, 1],
        ["A", "inside", pd.Timestamp("2023-01-03"), pd.Timestamp("2023-01-04"), 2],
        ["A", "after the last", pd.Timestamp("2023-01-07"), pd.Timestamp("2023-01-07"), 1],
        ["B", "everywhere", begin, pd.Timestamp("2023-01-07"), 7],
    ]
    assert len(gaps.find(dict(close.items()), day)) == 1
    none = gaps.find({}, day)
    assert list(none) == list(gaps.COLUMNS)
    assert none["first"].dtype.kind == "M"
