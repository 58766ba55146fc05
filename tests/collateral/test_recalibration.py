import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral import recalibration
from xcoll.errors import ParameterError


def test_exhaustible_buffer_of_a_quarter():
    raw = pd.DataFrame({"margin": [100.0, 100, 140, 180, 120]})
    posted = recalibration.exhaustible_buffer(raw, 0.25)
    assert posted["margin"].tolist() == [125, 125, 140, 180, 150]
    assert recalibration.peak_to_trough(raw)["margin"] == pytest.approx(1.8)
    assert recalibration.peak_to_trough(posted)["margin"] == pytest.approx(1.44)
    assert recalibration.largest_rise(raw, 2)["margin"] == 80
    assert recalibration.largest_rise(posted, 1)["margin"] == 40


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=20), st.floats(0.0, 0.5))
def test_the_buffer_stays_between_the_raw_value_and_the_full_buffer(raw, buffer):
    path = pd.DataFrame({"ETH": raw})
    posted = recalibration.exhaustible_buffer(path, buffer)
    assert (posted >= path).all(axis=None)
    assert (posted <= path * (1.0 + buffer) + 1e-12).all(axis=None)
    assert (recalibration.exhaustible_buffer(path, buffer, ceiling=1.0) <= 1.0).all(axis=None)


def test_the_buffer_looks_at_nothing_to_come_and_waits_for_a_late_listing():
    raw = pd.DataFrame({"late": [math.nan, 0.2, 0.3, 0.1], "full": [0.2, 0.3, 0.2, 0.1]})
    posted = recalibration.exhaustible_buffer(raw)
    assert posted["late"].isna().tolist() == [True, False, False, False]
    assert posted["late"].iloc[1] == pytest.approx(0.25)
    planted = raw.copy()
    planted.iloc[3] = 0.9
    pd.testing.assert_frame_equal(
        recalibration.exhaustible_buffer(planted).iloc[:3], posted.iloc[:3]
    )


def test_procyclicality_names_each_path_and_measure():
    raw = pd.DataFrame({"ETH": [0.1, 0.3, 0.2], "BTC": [0.1, 0.1, 0.1]})
    found = recalibration.procyclicality({"raw": raw, "posted": raw + 0.1}, 1)
    assert found.loc["ETH"].round(9).tolist() == [3.0, 2.0, 0.2, 0.2]
    assert found.loc["BTC", "largest rise, raw"] == 0.0


def test_paths_become_rows_without_the_bars_before_a_listing():
    time = pd.date_range("2023-01-01", periods=2)
    raw = pd.DataFrame({"ETH": [0.1, 0.2], "NEW": [math.nan, 0.3]}, time)
    rows = recalibration.tidy_paths({"raw": raw, "posted": 2 * raw})
    assert list(rows.columns) == ["time", "asset", "raw", "posted"]
    assert len(rows) == 3
    assert rows.set_index(["asset", "time"]).loc[("NEW", time[1])].tolist() == [0.3, 0.6]


def test_a_negative_buffer_is_refused():
    with pytest.raises(ParameterError, match="buffer is -0"):
        recalibration.exhaustible_buffer(pd.DataFrame({"ETH": [0.1]}), -0.1)
