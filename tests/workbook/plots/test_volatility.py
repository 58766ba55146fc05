"""Figures of volatility: who is drawn where, what the reader is told, names on the axes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from xcoll.workbook.plots import volatility


@pytest.fixture
def scores():
    rows = [
        ("BTC", "ewma", 1.0, np.nan, np.nan, np.nan, 0.04, False),
        ("BTC", "garch-t", 0.9, -0.1, -0.3, 0.1, 1.0, True),
        ("BTC", "gjr-t", 0.95, -0.05, -0.2, 0.1, 0.31, True),
        ("ETH", "ewma", 2.0, np.nan, np.nan, np.nan, 1.0, True),
        ("ETH", "garch-t", 2.5, 0.5, 0.1, 0.9, 0.0, False),
        ("ETH", "gjr-t", 2.4, 0.4, 0.1, 0.7, 0.02, False),
    ]
    columns = ["asset", "model", "score", "difference", "low", "high", "p_set", "included"]
    return pd.DataFrame(rows, columns=columns)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_survivors_shows_p_values_and_frames_the_best(scores):
    figure = volatility.survivors(scores, 0.9, "Who may be best")
    (ax,) = figure.axes
    assert texts(ax) == ["out", "1.00", "0.31", "1.00", "out", "out"]
    frames = [p.get_xy() for p in ax.patches if isinstance(p, Rectangle)]
    assert frames == [(1, 0), (0, 1)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["BTC", "ETH"]
    assert "90 %" in ax.get_xlabel()
    assert figure.get_suptitle() == "Who may be best"


def test_differences_leaves_the_benchmark_out_and_keeps_the_models_apart(scores):
    figure = volatility.differences(scores, "Is any better?")
    (ax,) = figure.axes
    drawn = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    assert set(drawn) == {"GARCH, t errors", "GJR, t errors"}
    garch, gjr = drawn["GARCH, t errors"], drawn["GJR, t errors"]
    assert garch.get_xdata().tolist() == [-0.1, 0.5]
    assert garch.get_color() != gjr.get_color()
    assert garch.get_marker() != gjr.get_marker()
    assert (garch.get_ydata() > gjr.get_ydata()).all()
    assert "QLIKE" in ax.get_xlabel()
