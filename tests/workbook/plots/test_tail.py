"""Figures of tail risk: their titles are made from the numbers, their axes are named."""

import numpy as np
import pandas as pd

from xcoll.estimators import tail
from xcoll.workbook.plots import tail as plots


def words(figure):
    return figure.get_suptitle()


def named(figure):
    """Every visible axes, or the figure for all of them, has a label on x and y."""
    axes = [ax for ax in figure.axes if ax.axison]
    assert axes
    assert any(ax.get_xlabel() for ax in axes)
    assert figure.get_supylabel() or any(
        ax.get_ylabel() or ax.get_yticklabels()[0].get_text() for ax in axes
    )


def test_exceedances():
    index = pd.date_range("2022-01-01", periods=100, freq="D")
    rows = [
        pd.DataFrame(
            {"time": index, "asset": "BTC", "method": method, "loss": "close_out",
             "confidence": 0.9, "bars": 1, "var": var, "es": 0.2,
             "realised": np.arange(100) / 1000}
        )
        for method, var in (("fhs", 0.0895), ("historical", 0.0795))
    ]  # fmt: skip
    table = pd.concat(rows)
    figure = plots.exceedances(table, ["BTC"])
    named(figure)
    assert words(figure) == (
        "Losses exceed the VaR on 10.0 % (filtered historical) and 20.0 % (historical) of all "
        "bars, where 10.0 % is promised"
    )
    assert figure.axes[0].get_title(loc="left") == "BTC: 10 of 100 bars"


def test_coverage_and_ranking():
    tests = pd.DataFrame(
        {"asset": ["BTC", "BTC", "ETH", "ETH"], "method": ["fhs", "normal"] * 2,
         "confidence": 0.99, "exceedances": [10, 30, 12, 40], "expected": 10.0,
         "z2": [0.1, -2.5, -0.2, -9.0], "conditional_mc": [0.5, 0.01, 0.4, 0.001],
         "z2_mc": [0.6, 0.01, 0.04, 0.001]}
    )  # fmt: skip
    figure = plots.coverage(tests)
    named(figure)
    assert words(figure) == (
        "Coverage is rejected for 0 of 2 series with the method “filtered historical”, for 2 with "
        "“normal”; chance rejects 5 %"
    )
    left, right = figure.axes[:2]
    assert {text.get_text() for text in left.texts} == {"1.0", "3.0×", "1.2", "4.0×"}
    assert {text.get_text() for text in right.texts} == {"0.9", "3.5×", "1.2×", "10.0×"}
    part = plots.coverage(tests.iloc[[0, 2, 3]])
    assert "–" in {text.get_text() for text in part.axes[0].texts}
    ranked = pd.DataFrame(
        {"method": ["evt", "fhs", "normal"], "fz0": [-1.5, -1.45, -1.0], "rank": [1, 2, 3],
         "dm_p": [np.nan, 0.6, 0.01], "in_set": [2.0, 2.0, 0.0], "assets": 2,
         "used": [False, True, False], "hit_ratio": [1.1, 1.0, 2.0],
         "fall_ratio": [2.0, 1.5, 4.0], "confidence": 0.99}
    )  # fmt: skip
    figure = plots.ranking(ranked)
    named(figure)
    assert words(figure) == (
        "“filtered historical” is used: 1 of 3 methods score worse beyond chance, and after a "
        "fall it fails 1.5 times as often as promised"
    )
    assert [text.get_text().strip() for text in figure.axes[0].texts] == [
        "in 0 of 2 sets, p 0.01", "in 2 of 2 sets, p 0.60", "in 2 of 2 sets",
    ]  # fmt: skip
    plots.ranking(ranked.assign(dm_p=np.nan, in_set=np.nan, fall_ratio=np.nan))


def test_excursion_figures():
    choices = ["close", "bridge", "matched", "donor", "donor, corrected"]
    table = pd.DataFrame(
        {"asset": "BTC", "choice": choices, "es": [0.1, 0.12, 0.15, 0.18, 0.2],
         "es_low": 0.05, "es_high": 0.3}
    )  # fmt: skip
    figure = plots.excursions(table)
    named(figure)
    assert "miss 50 % to 50 %" in words(figure)
    truth = pd.DataFrame(
        {"half": "first half judged", "confidence": 0.975, "ratio": [0.6, 0.7, 0.9, 1.0],
         "low": 0.5, "high": 1.2, "choice": ["close", "bridge", "matched", "matched, corrected"]}
    )  # fmt: skip
    figure = plots.against_truth(truth, "BTC")
    named(figure)
    assert "60 %" in words(figure)
    assert "90 %" in words(figure)
    assert "too few known lows" in words(plots.against_truth(truth.iloc[:0], "BTC"))


def test_close_out_and_after_fall():
    rows = [
        ("BTC", "1h", 0.05, True, "historical"),
        ("BTC", "4h", 0.1, True, "historical"),
        ("BTC", "24h", 0.2, False, "historical"),
    ]
    table = pd.DataFrame(rows, columns=["asset", "horizon", "es", "scaled", "method"]).assign(
        confidence=0.99, es_low=0.04, es_high=0.3, es_trigger=0.25
    )
    figure = plots.close_out(table)
    named(figure)
    assert words(figure) == (
        "A close-out within an hour risks 5 %, within a day 20 % (median asset, ES 99.0 %)"
    )
    assert any("scaled" in text.get_text() for text in figure.axes[0].texts)
    losses = pd.DataFrame({"BTC": np.linspace(0, 4, 50)})
    trigger = tail.Trigger(1.5, 3.0, 2.0, 0.975, 10, 10, 0.25)
    figure = plots.after_fall(losses, losses > 3, trigger)
    named(figure)
    assert "1.50 times" in words(figure)
