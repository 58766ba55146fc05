import math

import pandas as pd
import pytest

from xcoll.collateral import recalibration


def test_peak_to_trough_and_rise_of_the_buffer_example():
    raw = pd.DataFrame({"margin": [100.0, 100, 140, 180, 120]})
    posted = recalibration.exhaustible_buffer(raw, 0.25)
    assert recalibration.peak_to_trough(raw)["margin"] == pytest.approx(1.8)
    assert recalibration.peak_to_trough(posted)["margin"] == pytest.approx(1.44)
    assert recalibration.largest_rise(raw, 2)["margin"] == 80
    assert recalibration.largest_rise(posted, 1)["margin"] == 40


def test_paths_become_rows_without_the_bars_before_a_listing():
    time = pd.date_range("2023-01-01", periods=2)
    raw = pd.DataFrame({"ETH": [0.1, 0.2], "NEW": [math.nan, 0.3]}, time)
    rows = recalibration.tidy_paths({"raw": raw, "posted": 2 * raw})
    assert list(rows.columns) == ["time", "asset", "raw", "posted"]
    assert len(rows) == 3
    assert rows.set_index(["asset", "time"]).loc[("NEW", time[1])].tolist() == [0.3, 0.6]
