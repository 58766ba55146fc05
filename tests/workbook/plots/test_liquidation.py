"""Figures of the liquidation backtest: their titles say what the numbers say."""

import numpy as np
import pandas as pd
import pytest

from xcoll.workbook.plots import liquidation, thresholds


@pytest.fixture
def crises():
    rows = []
    for engine, scale in (("aave", 1.0), ("maker", 3.0), ("exchange", 0.0)):
        for n, crisis in enumerate(("first", "second")):
            rows.append((engine, crisis, scale * 1e-3 / (n + 1), 0.02 * scale, 0.1))
    return pd.DataFrame(rows, columns=["engine", "crisis", "bad_debt", "penalty", "premature"])


def test_engines_are_ranked_and_every_cell_is_written(crises):
    figure = liquidation.engines(crises)
    assert "exchange loses its lender least, Maker most (30 bp, first)" in figure.get_suptitle()
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["exchange", "Aave", "Maker"]
    written = [text.get_text() for text in figure.axes[0].texts]
    assert written == ["0", "0", "10", "5", "30", "15"]
    assert [text.get_text() for text in figure.axes[1].texts][-1] == "6.0"


def test_types_stand_in_their_own_panels_at_their_own_rates():
    table = pd.DataFrame(
        {
            "type": ["size, $", "size, $", "debt"],
            "class": ["small", "large", "stable"],
            "debt": [0.2, 0.8, 1.0],
            "bad_debt": [0.0002, 0.0, 0.0002],
            "penalty": [0.001, 0.008, 0.009],
        }
    )
    figure = liquidation.types(table)
    assert "“size large” pays most in penalties, 1.00 %" in figure.get_suptitle()
    assert "“size small” leaves most unpaid, 10 bp" in figure.get_suptitle()
    top = figure.axes[0]
    assert [bar.get_height() for bar in top.patches] == pytest.approx([0.5, 1.0])
    assert [bar.get_height() for bar in figure.axes[2].patches] == pytest.approx([10.0, 0.0])
    assert len(figure.axes[1].patches) == 1


def paired(case, mean, differs):
    return {
        "case": case,
        "outcome": "bad_debt",
        "mean": mean,
        "low": mean - 1e-4,
        "high": mean + 1e-4,
        "differs": differs,
    }


UNITS = {"bad_debt": ("bad debt, bp of debt", 1e4)}


def test_what_adds_nothing_is_said_and_grey():
    table = pd.DataFrame(
        [
            paired("oracle", 3e-4, True),
            paired("depth", 0.5e-4, False),
            paired("nothing around", 9e-4, True),
        ]
    )
    figure = liquidation.added(table, UNITS)
    title = figure.get_suptitle()
    assert title.startswith("“oracle” adds most, +3.0 bp of debt")
    assert title.endswith("nothing that can be told: depth")
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["all of these", "depth", "oracle"]
    none = liquidation.added(table[table["case"] == "depth"], UNITS)
    assert none.get_suptitle().startswith("No part of the world adds anything")


@pytest.fixture
def points():
    factors = pd.Index([0.5, 1.0, 1.5], name="factor")
    return pd.DataFrame(
        {
            "threshold": [0.9, 0.8, 0.7],
            "capital_efficiency": [0.7, 0.6, 0.5],
            "premature": [0.03, 0.04, 0.05],
            "insufficient": [0.02, 0.01, 0.0],
            "premature_penalty": [0.001, 0.002, 0.003],
            "bad_debt": [0.002, 0.001, 0.0],
            "bad_debt_es": [0.02, 0.004, 0.0],
            "consistent": [False, True, True],
            "chosen": [False, True, False],
        },
        index=factors,
    )


def test_the_trade_off_speaks_in_dollars(points):
    figure = thresholds.trade_off(points, 1e9)
    title = figure.get_suptitle().replace("\\", "")
    assert "4.0 % of the borrowers are closed too early, 1.0 % too late" in title
    assert "costs borrowers $2.00M a window, the second the lender $1.00M" in title
    right = figure.axes[1]
    assert right.get_lines()[1].get_ydata().tolist() == [0.0, 1e6, 2e6]


def test_the_frontier_shows_all_points_within_its_axes(points):
    figure = thresholds.frontier(points, points.drop(columns="chosen"), 0.005)
    assert figure.get_suptitle().startswith("60.0 % of the collateral can be borrowed within 50 bp")
    (ax,) = figure.axes
    left, right = ax.get_xlim()
    assert left < 0.0 < 200.0 < right
    assert "may not be recommended" in " ".join(t.get_text() for t in ax.get_legend().get_texts())


def test_published_sets_stand_beside_ours(points):
    sets = pd.DataFrame(
        {
            "venue": ["a", "a", "b", "b"],
            "whose": ["theirs", "ours"] * 2,
            "capital_efficiency": [0.8, 0.6, 0.5, 0.6],
            "bad_debt_es": [0.01, 0.001, 0.002, 0.001],
        }
    )
    figure = thresholds.published(sets, points, "a", 0.005)
    title = figure.get_suptitle().replace("\n", " ")
    assert title == (
        "1 of 2 venues lend more than ours on the book that they list, 1 of them "
        "lose more than the budget in the worst cohorts"
    )
    left, right = figure.axes
    assert left.get_xlim()[1] > 200.0
    assert "60 % → 80 %" in [text.get_text() for text in right.texts]


@pytest.mark.parametrize("sure", [True, False])
def test_no_gain_is_said_where_intervals_hold_zero(sure):
    table = pd.DataFrame(
        {
            "judged_on": np.repeat(["second half", "first half", "both"], 2),
            "es": [0.001, 0.005] * 3,
            "gain": 0.012,
            "low": 0.002 if sure else -0.01,
            "high": 0.03,
            "is_gain": sure,
        }
    )
    title = thresholds.gains(table).get_suptitle()
    assert title == (
        "At 50 bp of bad debt choosing jointly changes borrowing power by +1.2 points\n"
        + ("(+0.2 to +3.0): a gain" if sure else "(-1.0 to +3.0): no gain that can be told")
    )
