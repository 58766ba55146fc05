"""Figures of recalibrated haircuts: titles made from the numbers, every path and sign drawn."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from xcoll.collateral.recalibration.delisting import SIGNS
from xcoll.collateral.recalibration.guard import RULES
from xcoll.collateral.recalibration.tools import TOOLS
from xcoll.workbook.plots import recalibration as plots
from xcoll.workbook.plots import style

DAYS = pd.date_range("2022-04-20", periods=40)


def named(figure):
    """Axes have labels, and the figure says what is modelled."""
    assert any(ax.get_xlabel() for ax in figure.axes)
    assert figure.get_supylabel() or all(ax.get_ylabel() for ax in figure.axes)
    assert "modelled" in figure.get_supxlabel()


def judged(rows):
    columns = ["path", "exceedances", "expected", "bound", "capital_efficiency", "largest_rise"]
    return pd.DataFrame(rows, columns=columns)


def test_every_tool_rule_and_sign_has_its_own_look():
    assert set(plots.TOOLS) == set(TOOLS)
    assert set(plots.RULES) == set(RULES)
    assert set(plots.SIGNS) == set(SIGNS)
    assert len(set(plots.TOOLS.values())) == len(plots.TOOLS)


def test_formats_know_a_window_by_its_number():
    table = pd.DataFrame(columns=["path", "p", "p_3", "rate_12", "change", "time"])
    assert plots.formats(table) == {
        "p": "number", "p_3": "number", "rate_12": "percent2", "change": "points"
    }  # fmt: skip


def test_paths():
    raw = pd.DataFrame({"BTC": [0.1, 0.5, 0.2], "ETH": [0.2, 0.6, 0.2]}, DAYS[:3])
    in_force = {"none": raw, "floor": raw.clip(lower=0.25), "buffer": raw.iloc[1:] * 1.1}
    figure = plots.paths(in_force, raw, ["ETH", "LUNA", "BTC"], "24h")
    assert figure.get_suptitle() == (
        "“floor” moves least: its highest haircut is 2.2 times its lowest, where\n"
        "the raw one's is 4.0 times (median of the 2 assets)"
    )
    named(figure)
    assert "24h" in figure.get_supylabel()
    grid = np.reshape(figure.axes, (3, 2))
    assert [ax.get_ylabel() for ax in grid[:, 0]] == ["none", "floor", "buffer"]
    assert [ax.get_title(loc="left") for ax in grid[0]] == ["ETH", "BTC"]
    grey, coloured = grid[1, 1].get_lines()
    assert grey.get_ydata().tolist() == [0.1, 0.5, 0.2]
    assert coloured.get_ydata().tolist() == [0.25, 0.5, 0.25]
    assert coloured.get_color() == style.colour("BTC")
    assert grid[0, 0].get_ylim()[0] == 0.0


def test_trade_off():
    table = judged(
        [
            ("none, guarded", 20, 10.0, 15, 0.80, 0.05),
            ("buffer, immediate", 12, 10.0, 15, 0.75, 0.30),
            ("buffer, guarded", 15, 10.0, 15, 0.76, 0.05),
            ("floor, guarded", 2, 10.0, 15, 0.60, 0.05),
        ]
    )
    figure = plots.trade_off(table)
    named_axes = [ax.get_xlabel() for ax in figure.axes]
    assert all(named_axes)
    assert figure.get_suptitle() == (
        "3 of 4 paths stay within their bound; of those “buffer, guarded” leaves most to borrow "
        "(76 %),\n"
        "and “buffer, guarded” rises least within 30 days (5.0 points)"
    )
    left, right = figure.axes
    drawn = [tuple(np.round(dots.get_offsets()[0], 9)) for dots in left.collections]
    assert drawn == [(2.0, 0.8), (1.2, 0.75), (1.5, 0.76), (0.2, 0.6)]
    faces = [to_hex(dots.get_facecolor()[0]).upper() for dots in left.collections]
    assert faces[0] == "#FFFFFF"
    assert faces[3] == plots.TOOLS["floor"].upper()
    legend = [text.get_text() for text in right.get_legend().get_texts()]
    assert legend == ["none", "buffer", "floor", "guarded", "immediate", "over its 95 % bound"]
    none = plots.trade_off(table.assign(bound=1))
    assert none.get_suptitle().startswith("None of 4 paths stays within its bound; the fewest")
    alone = plots.trade_off(table.assign(path=["none", "buffer", "floor", "other"]))
    assert "over its 95 % bound" in [t.get_text() for t in alone.axes[1].get_legend().get_texts()]


def test_memory():
    bar, end = pd.Timestamp("2020-03-12"), pd.Timestamp("2022-02-10")  # a hundred weeks
    rows = [
        (tool, asset, date, difference, gone)
        for tool, weeks in (("none", (10, 20)), ("floor", (None, None)))
        for asset, week in zip(("BTC", "ETH"), weeks, strict=True)
        for gone in [pd.NaT if week is None else bar + pd.Timedelta(weeks=week)]
        for date, difference in ((pd.Timestamp("2020-06-01"), 0.1), (end, 0.02))
    ]
    table = pd.DataFrame(rows, columns=["tool", "asset", "date", "difference", "forgotten"])
    figure = plots.memory(table, "2020-03-12", end)
    assert figure.get_suptitle() == (
        "Weeks until 2020-03-12 is forgotten by the median asset: none 15;\n"
        "floor: not within 100 weeks"
    )
    left, right = figure.axes
    lines = {line.get_label(): list(line.get_ydata()) for line in left.get_lines()}
    assert lines["none"] == pytest.approx([0.1, 0.02])
    assert "2020-03-12" in left.get_ylabel()
    assert "weeks" in right.get_xlabel()
    assert [tick.get_text() for tick in right.get_yticklabels()] == ["none", "floor"]
    drawn = np.concatenate([dots.get_offsets()[:, 0] for dots in right.collections])
    assert {10.0, 20.0, 15.0, 100.0} <= set(np.round(np.ma.getdata(drawn), 9))
    whole = plots.memory(table.dropna(), "2020-03-12", end)
    assert whole.get_suptitle().endswith("none 15")


def test_delisting():
    price = pd.Series(np.geomspace(80, 1e-4, 40), DAYS)
    target = pd.Series([0.3, 0.4, 1.0], DAYS[[0, 14, 28]])
    rows = [
        ("none", "target", DAYS[28], 0.02),
        ("none", "loss", DAYS[20], 0.5),
        ("none", "in force", pd.NaT, np.nan),
        ("floor", "loss", DAYS[20], 0.5),
        ("floor", "in force", DAYS[34], 1e-4),
    ]
    signs = pd.DataFrame(rows, columns=["tool", "what", "said", "price_left"])
    figure = plots.delisting("LUNA", price, {"none": target}, signs, 0.5, "2022-05-08")
    named(figure)
    assert figure.get_suptitle() == (
        "The first sign that LUNA must go came on 10 May 2022, with 50 % of its price of 8 May "
        "left;\na haircut in force passed the limit on 24 May 2022, with 0.01 % left"
    )
    top, bottom = figure.axes
    assert top.get_yscale() == "log"
    assert "log axis" in top.get_ylabel()
    marked = [dots for dots in top.collections if len(dots.get_offsets())]
    assert [len(dots.get_offsets()) for dots in marked] == [1, 1, 1]
    assert bottom.get_lines()[0].get_ydata().tolist() == [0.3, 0.4, 1.0]
    never = plots.delisting("LUNA", price, {"none": target}, signs[:3], 0.5, "2022-05-08")
    assert never.get_suptitle().endswith("no haircut in force ever passed the limit")
    silent = plots.delisting("LUNA", price, {"none": target}, signs[2:3], 0.5, "2022-05-08")
    assert silent.get_suptitle() == "No rule said that LUNA must go"
    assert len(silent.axes[0].get_lines()[0].get_ydata()) == len(price)
    late = signs[:1].assign(said=DAYS[4])
    cut = plots.delisting("LUNA", price, {"none": target}, late, 0.5, "2022-05-08")
    assert len(cut.axes[0].get_lines()[0].get_ydata()) == 4 + 14 + 1
