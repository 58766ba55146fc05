"""The explorer: every setting is there before, sliders only choose, a report gets one figure."""

import itertools

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from xcoll.errors import DataError
from xcoll.workbook import explorer
from xcoll.workbook.plots import explorer as plots
from xcoll.workbook.plots import style


@pytest.fixture(autouse=True)
def styled():
    style.apply()
    yield
    plt.close("all")


@pytest.fixture
def table():
    """Frontiers by hand: looser buffers lend more and lose more."""
    rows = [
        (horizon, bonus, factor, 1 - factor / 2, 1 - factor / 2, 4e-3 / factor / bonus, factor < 1)
        for horizon, bonus, factor in itertools.product(
            ("4h", "24h"), (0.5, 1.0, 2.0), (0.5, 1.0, 1.5)
        )
    ]
    names = ["horizon", "bonus", "factor", "capital_efficiency", "threshold", "bad_debt_es"]
    made = pd.DataFrame(rows, columns=[*names, "hollow"])
    return made.assign(premature=0.04, insufficient=0.01, consistent=~made["hollow"])


def test_a_report_shows_every_frontier_at_once(table):
    explorer.explore(table)
    (figure,) = map(plt.figure, plt.get_fignums())
    assert [ax.get_title("left") for ax in figure.axes] == ["close-out of 4h", "close-out of 24h"]
    assert all(len(ax.get_lines()) == 3 for ax in figure.axes)
    assert "20 to 80 bp" in figure.get_suptitle()


def test_a_setting_is_told_in_words_and_marked(table):
    figure = plots.setting(table, 0.5, 2.0, "24h")
    assert "75.0 % can be borrowed" in figure.get_suptitle()
    assert "leave 40 bp unpaid" in figure.get_suptitle()
    left, right = figure.axes
    assert left.collections[-1].get_offsets().tolist() == [[40.0, 0.75]]
    assert [line.get_label() for line in right.get_lines()][:2] == [
        "closed too early",
        "closed too late",
    ]


def test_sliders_start_at_the_calibration_and_redraw(table, monkeypatch):
    drawn, shown = [], []
    monkeypatch.setattr(explorer.lab, "at_work", lambda: True)
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.setattr(plots, "setting", lambda table, **chosen: drawn.append(chosen))
    explorer.explore(table)
    assert drawn == [{"factor": 1.0, "bonus": 1.0, "horizon": "4h"}]
    (box,) = shown
    sliders = {one.description: one for one in box.children[0].children}
    assert [label for label, _ in sliders["1 − LT"].options] == ["× 0.5", "× 1", "× 1.5"]
    sliders["close-out"].value = "24h"
    sliders["bonus"].value = 2.0
    assert drawn[-1] == {"factor": 1.0, "bonus": 2.0, "horizon": "24h"}
    assert len(drawn) == 3


@pytest.mark.parametrize(
    ("rows", "words"), [(slice(0, 0), "it is empty"), (slice(1, None), r"0\.5.*is missing")]
)
def test_a_grid_with_holes_is_refused(table, rows, words):
    with pytest.raises(DataError, match=words):
        explorer.explore(table.iloc[rows])
