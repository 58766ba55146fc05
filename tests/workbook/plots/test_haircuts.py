"""Figures of haircuts: titles made from the numbers, a stack that sums, ticks of a venue."""

import numpy as np
import pandas as pd
import pytest

from xcoll.workbook.plots import haircuts


def test_the_waterfall_of_a_week_is_stacked_to_its_haircut():
    index = pd.date_range("2021-01-03", periods=3, freq="7D")
    steps = pd.DataFrame({"market": [0.1, 0.2, 0.05], "oracle": 0.01, "basis": 0.0}, index)
    figure = haircuts.waterfall_path(steps, "ETH")
    (ax,) = figure.axes
    drawn = [text.get_text() for text in ax.get_legend().get_texts()]
    assert drawn == ["oracle", "market"]  # what is nowhere is not named
    assert "by a factor of 4.0" in figure.get_suptitle()
    assert "ETH" in ax.get_ylabel()
    top = ax.collections[-1].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx(0.21)


def test_intervals_count_what_lies_inside():
    horizons = ("1h", "4h", "24h")
    index = pd.MultiIndex.from_product([["ETH", "ADA"], horizons], names=["asset", "horizon"])
    level = np.array([0.85, 0.75, 0.70, 0.8, 0.7, 0.65])
    frame = pd.DataFrame(
        {"threshold": level, "threshold_low": level - 0.05, "threshold_high": level + 0.05}, index
    )
    plan = pd.DataFrame({"horizon": ["4h", "24h"]}, ["ETH", "ADA"])
    published = pd.Series({"ETH": 0.79, "ADA": 0.8}, name="Venue")
    figure = haircuts.intervals(frame, plan, published)
    assert figure.get_suptitle() == "Venue is inside our interval for 1 of 2 assets"
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["ADA", "ETH"]
    marks = {c.get_label(): c.get_offsets() for c in ax.collections if c.get_label() == "Venue"}
    assert sorted(marks["Venue"][:, 0].tolist()) == [0.79, 0.8]
