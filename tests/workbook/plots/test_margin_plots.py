"""Figures of derivatives: every book and regime is drawn, and titles are computed."""

import numpy as np
import pandas as pd
import pytest

from xcoll.margin.regimes import CROSS, ISOLATED
from xcoll.workbook.plots import margin, style

REGIMES = (ISOLATED, CROSS, "some venue", "simulated")


@pytest.fixture
def tail():
    rows = [
        (book, regime, 100.0 * (k + 1) / (n + 1), n / 10, 0.01 * n, 0.001, 5.0 * n)
        for k, book in enumerate(("box", "strangle"))
        for n, regime in enumerate(REGIMES)
    ]
    columns = ["account", "regime", "maintenance", "saving", "probability", "error", "uncovered"]
    return pd.DataFrame(rows, columns=columns)


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_smiles_have_a_panel_an_asset_and_a_line_an_expiry():
    table = pd.DataFrame(
        [(a, d, k, 0.5 + 0.1 * k) for a in ("BTC", "ETH") for d in (7, 30) for k in (0.8, 1.0)],
        columns=["asset", "days", "strike", "sigma"],
    )
    figure = margin.smiles(table, "said")
    assert figure.get_suptitle() == "said"
    assert [ax.get_title("left") for ax in figure.axes] == ["BTC", "ETH"]
    assert all(len(ax.get_lines()) == 2 for ax in figure.axes)


def test_margins_say_what_netting_saves(tail):
    figure = margin.margins(tail, ISOLATED, "some venue")
    assert figure.get_suptitle().startswith("Net, all books together need 67 % less than isolated")
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["box", "strangle"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(REGIMES)


def test_a_regime_has_one_colour_in_every_figure(tail):
    first = margin.price_of_saving(tail, "a").axes[0].patches
    again = margin.price_of_saving(tail[tail["regime"] != CROSS], "a").axes[0].patches
    assert [one.get_facecolor() for one in first][::2] != [one.get_facecolor() for one in first][
        1::2
    ]
    assert first[2].get_facecolor() == again[1].get_facecolor()  # the venue's
    assert first[3].get_facecolor() == again[2].get_facecolor()  # the simulated one


def test_the_price_of_a_saving_is_summed_over_books(tail):
    figure = margin.price_of_saving(tail, "said")
    asked, left, chance = figure.axes
    assert [bar.get_width() for bar in asked.patches] == pytest.approx([300, 150, 100, 75])
    assert [bar.get_width() for bar in left.patches] == pytest.approx([0, 10, 20, 30])
    assert [bar.get_width() for bar in chance.patches] == pytest.approx([0, 0.01, 0.02, 0.03])
    assert words(chance)[-1] == "3.0 %"


def test_excess_says_where_the_account_is_closed():
    moves, factors = [-0.5, 0.0, 0.5], [1.0, 2.0]
    table = pd.DataFrame(
        [(m, f, 1000.0 * m + 200.0 - 50.0 * f) for m in moves for f in factors],
        columns=["move", "volatility", "excess"],
    )
    figure = margin.excess(table, "a", "BTC")
    title = figure.get_suptitle()
    assert "closed in 33 % of these states" in title
    assert "worst is BTC -50 %\nwith volatility × 2" in title
    assert r"\$150" in title  # today's, and no formula
    assert figure.axes[0].get_xlabel() == "move of BTC"


def test_directions_write_what_is_never_closed():
    table = pd.DataFrame(
        {
            "side": ["long", "long", "short", "short"],
            "kept": ["USD", "BTC", "USD", "BTC"],
            "way": ["none", "wrong", "none", "right"],
            "move": [-0.2, -0.1, 0.2, np.nan],
        }
    )
    long, short = margin.directions(table, "BTC", "said").axes
    assert words(long) == ["-20 %", "-10 %"]
    assert words(short) == ["20 %", "not closed"]
    assert long.patches[1].get_facecolor() == pytest.approx(
        tuple(int(style.ACCENT[n : n + 2], 16) / 255 for n in (1, 3, 5)) + (1.0,)
    )


def test_margins_through_time_stand_over_the_losses():
    times = pd.date_range("2021-01-01", periods=4)
    table = pd.DataFrame(
        {
            "time": [*times, *times],
            "rule": ["grid"] * 4 + ["simulated"] * 4,
            "margin": [5.0, 5, 5, 5, 3, 4, 6, 4],
            "loss": [1.0, -2, 4, 0] * 2,
        }
    )
    (ax,) = margin.through_time(table, "box", "said").axes
    assert [line.get_label() for line in ax.get_lines()] == ["grid", "simulated"]
    drawn = ax.collections[0].get_segments()
    assert [segment[1][1] for segment in drawn] == [1.0, 4.0]  # gains are no losses


def test_coverage_marks_what_was_promised():
    table = pd.DataFrame(
        {
            "book": ["box", "box", "put", "put"],
            "rule": ["grid", "simulated VaR"] * 2,
            "hits": [0, 0, 1, 9],
            "expected": [10.0] * 4,
        }
    )
    (ax,) = margin.coverage(table, "said").axes
    assert words(ax) == ["one in a hundred: 10"]
    assert sorted(bar.get_width() for bar in ax.patches) == [0, 0, 1, 9]
