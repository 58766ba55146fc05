"""Figures of the explorer: what threshold, bonus and horizon do to the frontier, all at once or
one setting at a time.  The book is synthetic, and each figure says so.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xcoll.workbook.plots import style
from xcoll.workbook.plots.liquidation import SYNTHETIC, basis_points
from xcoll.workbook.tables import percent

__all__ = ["frontiers", "setting"]

WORST = "bad debt of the worst cohorts,\nbasis points of debt (symmetric log)"
POWER = "borrowing power, % of collateral"
HUES = ("sky", "blue", "green", "orange", "purple", "black")


def frontiers(table: pd.DataFrame) -> Figure:
    """Every frontier of `table`: a panel a horizon, a line a bonus, a point a threshold.

    Parameters
    ----------
    table : of `liquidation.explorer.grid`: horizon, bonus, factor, capital_efficiency,
        bad_debt_es (share of debt), consistent.
    """
    horizons = list(dict.fromkeys(table["horizon"]))
    spread = table.pivot_table(
        index=["horizon", "bonus"], columns="factor", values="bad_debt_es", sort=False
    )
    middle = min(spread.columns, key=lambda factor: abs(factor - 1.0))
    worst = 1e4 * spread[middle]
    title = (
        f"At buffers {middle:g} times those of 05 the worst cohorts leave {worst.min():.0f} to "
        f"{worst.max():.0f} bp unpaid,\nby bonus and horizon"
    )
    figure, axes = style.figure(1, len(horizons), height=3.9, share=True, title=title)
    for ax, horizon in zip(axes, horizons, strict=True):
        rows = table[table["horizon"] == horizon]
        for hue, (bonus, line) in zip(HUES, rows.groupby("bonus"), strict=False):
            _line(ax, line, style.OKABE_ITO[hue], f"bonus × {bonus:g}")
        ax.set_title(f"close-out of {horizon}", fontsize=9)
        _axes(ax)
    for ax in axes[1:]:
        ax.set_ylabel("")
    axes[0].legend(loc="lower right")
    style.remark(figure, f"open marks: LT·(1 + LB) ≥ 1, never recommended; {SYNTHETIC}")
    return figure


def setting(table: pd.DataFrame, factor: float, bonus: float, horizon: str) -> Figure:
    """One setting on its frontier, with the other bonuses behind it, and who pays for it.

    Parameters
    ----------
    table : as `frontiers` takes it, with premature and insufficient (shares of borrowers).
    factor, bonus : of the buffers, and of the bonus.
    horizon : of the close-out.

    Raises
    ------
    KeyError
        For a setting that `table` does not hold.
    """
    rows = table[table["horizon"] == horizon]
    mine = rows[rows["bonus"] == bonus].set_index("factor").sort_index()
    here = mine.loc[factor]
    title = (
        f"Buffers × {factor:g}, bonus × {bonus:g}, close-out of {horizon}: "
        f"{percent(here['capital_efficiency'])} can be borrowed,\nthe worst cohorts leave "
        f"{1e4 * here['bad_debt_es']:.0f} bp unpaid, {percent(here['premature'])} of borrowers "
        "are closed too early"
    )
    figure, (left, right) = style.figure(1, 2, height=4.2, title=title)
    for other, line in rows.groupby("bonus"):
        if other != bonus:
            _line(left, line, style.CONTEXT, "_", linewidth=0.8)
    _line(left, mine.reset_index(), style.OKABE_ITO["blue"], f"bonus × {bonus:g}")
    left.scatter(
        1e4 * here["bad_debt_es"],
        here["capital_efficiency"],
        s=130,
        facecolor="none",
        edgecolor=style.ACCENT,
        linewidth=2,
        zorder=4,
    )
    _axes(left)
    for name, label, hue, mark in (
        ("premature", "closed too early", style.OKABE_ITO["blue"], "o"),
        ("insufficient", "closed too late", style.ACCENT, "s"),
    ):
        right.plot(mine["threshold"], mine[name], marker=mark, ms=4, color=hue, label=label)
    right.axvline(here["threshold"], color="black", linewidth=0.8, linestyle=":")
    right.set_ylim(bottom=0)
    right.set_xlabel("average threshold of the book, percent")
    right.set_ylabel("borrowers, percent")
    style.percent(right.xaxis)
    style.percent(right.yaxis, 1)
    right.legend(loc="best")
    style.remark(figure, f"circle and dotted line: the setting; grey: other bonuses; {SYNTHETIC}")
    return figure


def _line(ax: Axes, rows: pd.DataFrame, hue: str, label: str, linewidth: float = 1.4) -> None:
    rows = rows.sort_values("factor")
    x, y = 1e4 * rows["bad_debt_es"], rows["capital_efficiency"]
    ax.plot(x, y, color=hue, label=label, linewidth=linewidth)
    for consistent, face in ((True, hue), (False, "white")):
        part = rows["consistent"] == consistent
        ax.scatter(x[part], y[part], facecolor=face, edgecolor=hue, s=18, zorder=3)


def _axes(ax: Axes) -> None:
    basis_points(ax, axis="x")
    ax.set_xlim(left=-0.15)
    ax.set_xlabel(WORST)
    ax.set_ylabel(POWER)
    style.percent(ax.yaxis)
