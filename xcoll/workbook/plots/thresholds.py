"""Figures of the choice of thresholds: too early against too late, the frontier, the venues' own
sets, and what choosing jointly gains.  Every book is synthetic, and each figure says so.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xcoll.workbook import words
from xcoll.workbook.plots import style
from xcoll.workbook.plots.liquidation import SYNTHETIC, basis_points
from xcoll.workbook.tables import money, percent

__all__ = ["frontier", "gains", "published", "trade_off"]

WORST = "bad debt of the worst cohorts (expected shortfall), basis points of debt (symmetric log)"
POWER = "capital efficiency: borrowing\npower, % of collateral"


def trade_off(points: pd.DataFrame, debt: float) -> Figure:
    """Premature and insufficient closures over the threshold, and what each costs in dollars.

    Parameters
    ----------
    points : by factor, with ``threshold`` (average of the book), ``premature`` and ``insufficient``
        (shares of borrowers), ``premature_penalty`` and ``bad_debt`` (shares of the debt), and
        ``chosen``.
    debt : dollars owed at the opening.
    """
    chosen = points.index[points["chosen"]][0]
    here = points.loc[chosen]
    early, late = (debt * here[name] for name in ("premature_penalty", "bad_debt"))
    title = (
        f"At the chosen thresholds {percent(here['premature'])} of the borrowers are closed too "
        f"early, {percent(here['insufficient'])} too late;\nthe first costs borrowers "
        f"{money(early)} a window, the second the lender {money(late)}"
    ).replace("$", r"\$")
    rows = points.sort_values("threshold")
    figure, (left, right) = style.figure(1, 2, height=3.9, title=title)
    lines = (
        (left, "premature", 1.0, "closed too early", style.OKABE_ITO["blue"], "o"),
        (left, "insufficient", 1.0, "closed too late", style.ACCENT, "s"),
        (right, "premature_penalty", debt, "borrowers: too early", style.OKABE_ITO["blue"], "o"),
        (right, "bad_debt", debt, "lender: too late", style.ACCENT, "s"),
    )
    for ax, name, scale, label, hue, mark in lines:
        ax.plot(rows["threshold"], scale * rows[name], marker=mark, ms=4, color=hue, label=label)
    for ax in (left, right):
        ax.axvline(here["threshold"], color="black", linewidth=0.8, linestyle=":")
        ax.set_ylim(bottom=0)
        ax.set_xlabel("average threshold of the book, percent")
        style.percent(ax.xaxis)
        ax.legend(loc="best")
    left.set_ylabel("borrowers, percent")
    style.percent(left.yaxis, 1)
    right.set_ylabel("dollars a window")
    style.money(right.yaxis)
    owed = money(debt).replace("$", r"\$")
    style.remark(figure, f"dotted: chosen; {owed} owed; {SYNTHETIC}")
    return figure


def frontier(world: pd.DataFrame, low: pd.DataFrame, budget: float) -> Figure:
    """Capital efficiency against the bad debt of the worst cohorts.

    `world` and `low` are by factor with ``capital_efficiency``, ``bad_debt_es``, ``consistent``
    and, in `world`, ``chosen``; `low` is the bound with every account served at its bar's low.
    """
    chosen = world.index[world["chosen"]][0]
    kept = world.loc[chosen, "capital_efficiency"]
    title = (
        f"{percent(kept)} of the collateral can be borrowed within {1e4 * budget:g} bp of bad debt "
        f"in the worst cohorts:\nbuffers {chosen:g} times those of 05"
    )
    figure, (ax,) = style.figure(height=4.4, title=title)
    ax.plot(
        1e4 * low["bad_debt_es"],
        low["capital_efficiency"],
        color=style.CONTEXT,
        marker="<",
        ms=5,
        linestyle=":",
        label="all served at the low, no other friction",
    )
    ax.plot(
        1e4 * world["bad_debt_es"],
        world["capital_efficiency"],
        color=style.OKABE_ITO["blue"],
        label="served in the world around",
    )
    for consistent, face in ((True, style.OKABE_ITO["blue"]), (False, "white")):
        rows = world[world["consistent"] == consistent]
        ax.scatter(
            1e4 * rows["bad_debt_es"],
            rows["capital_efficiency"],
            facecolor=face,
            edgecolor=style.OKABE_ITO["blue"],
            s=36,
            zorder=3,
            label=None if consistent or rows.empty else "may not be recommended: LT·(1 + LB) ≥ 1",
        )
    for factor, row in world.iterrows():
        ax.annotate(
            f"{factor:g}" + (" (as in 05)" if factor == 1 else ""),
            (1e4 * row["bad_debt_es"], row["capital_efficiency"]),
            (-9, 4),
            textcoords="offset points",
            fontsize=7.5,
            color="#595959",
            ha="right",
        )
    ax.scatter(
        1e4 * world.loc[chosen, "bad_debt_es"],
        kept,
        s=130,
        facecolor="none",
        edgecolor=style.ACCENT,
        linewidth=2,
        zorder=4,
        label="chosen",
    )
    ax.margins(x=0.05, y=0.09)
    _budget(ax, budget)
    ax.legend(loc="lower right")
    style.remark(figure, f"numbers: buffer as a multiple of the given one; {SYNTHETIC}")
    return figure


def published(sets: pd.DataFrame, swept: pd.DataFrame, venue: str, budget: float) -> Figure:
    """The sets of venues beside ours, each on the part of the book that it lists.

    Parameters
    ----------
    sets : of `published.pairs`: venue, whose, capital_efficiency, bad_debt_es.
    swept : ours at several buffers on the listing and the engine of `venue`, by factor.
    budget : bad-debt ES that is accepted.
    """
    wide = sets.set_index(["venue", "whose"])
    theirs, ours = (wide.xs(name, level="whose") for name in ("theirs", "ours"))
    looser = theirs["capital_efficiency"] > ours["capital_efficiency"]
    over = looser & (theirs["bad_debt_es"] > budget)
    title = (
        f"{looser.sum()} of {len(theirs)} venues lend more than ours on the book that they list, "
        f"{over.sum()} of them\nlose more than the budget in the worst cohorts"
    )
    figure, (left, right) = style.figure(1, 2, height=4.6, title=title)
    left.plot(
        1e4 * swept["bad_debt_es"],
        swept["capital_efficiency"],
        color=style.OKABE_ITO["blue"],
        marker="o",
        ms=4,
    )
    for factor, row in swept.iterrows():
        left.annotate(
            f"{factor:g}",
            (1e4 * row["bad_debt_es"], row["capital_efficiency"]),
            (6, -10),
            textcoords="offset points",
            fontsize=7.5,
            color="#595959",
        )
    point = theirs.loc[venue]
    left.scatter(
        1e4 * point["bad_debt_es"],
        point["capital_efficiency"],
        s=70,
        color=style.ACCENT,
        marker="D",
    )
    left.annotate(
        "its own set",
        (1e4 * point["bad_debt_es"], point["capital_efficiency"]),
        (-8, 6),
        textcoords="offset points",
        fontsize=8,
        color=style.ACCENT,
        ha="right",
    )
    left.set_title(
        f"{words.name(venue)}:\nours at several buffers, and its own", loc="left", fontsize=8.5
    )
    left.margins(x=0.08, y=0.12)
    _budget(left, budget)
    names = ours.index[::-1]
    for ax_name, table, hue, mark in (
        ("ours", ours, style.OKABE_ITO["blue"], "o"),
        ("theirs", theirs, style.ACCENT, "D"),
    ):
        right.scatter(
            1e4 * table.loc[names, "bad_debt_es"], names, color=hue, marker=mark, label=ax_name
        )
    right.hlines(
        names,
        1e4 * ours.loc[names, "bad_debt_es"],
        1e4 * theirs.loc[names, "bad_debt_es"],
        color="#D9D9D9",
        zorder=0,
    )
    right.set_yticks(range(len(names)), names.map(words.name))
    for n, name in enumerate(names):
        right.annotate(
            f"{percent(ours.loc[name, 'capital_efficiency'], 0)} → "
            f"{percent(theirs.loc[name, 'capital_efficiency'], 0)}",
            (1.0, n),
            (4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=7.5,
            va="center",
            annotation_clip=False,
        )
    basis_points(right, "x")
    right.set_xlabel("bad debt of the worst cohorts,\nbasis points of debt (symmetric log)")
    right.set_title("right: power to borrow, ours → theirs", loc="left", fontsize=8.5)
    right.grid(visible=False, axis="y")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2)
    left.set_xlabel("bad debt of the worst cohorts,\nbasis points of debt (symmetric log)")
    style.remark(figure, f"each venue's own engine; {SYNTHETIC}")
    return figure


def gains(table: pd.DataFrame) -> Figure:
    """What choosing all thresholds at once gains, out of sample at the same bad-debt ES.

    `table` is `choice.Comparison.gains`.
    """
    both = table[table["judged_on"] == "both"]
    last = both.loc[both["es"].idxmax()]
    change, low, high = (round(100 * float(last[x]), 1) + 0.0 for x in ("gain", "low", "high"))
    title = (
        f"At {1e4 * last['es']:g} bp of bad debt choosing jointly changes borrowing power by "
        f"{change:+.1f} points\n({low:+.1f} to {high:+.1f}): "
        + ("a gain" if last["is_gain"] else "no gain that can be told")
    )
    figure, axes = style.figure(1, 3, height=3.6, share=True, title=title)
    for ax, (name, rows) in zip(axes, table.groupby("judged_on", sort=False), strict=True):
        places = np.arange(len(rows))
        hues = np.where(rows["is_gain"], style.ACCENT, style.CONTEXT)
        ax.axhline(0.0, color="black", linewidth=0.8)
        ax.vlines(places, 100 * rows["low"], 100 * rows["high"], color=hues, linewidth=2)
        ax.scatter(places, 100 * rows["gain"], color=hues, s=28, zorder=3)
        ax.set_xticks(places, [f"{1e4 * es:g}" for es in rows["es"]])
        ax.set_xlabel("bad-debt ES of both, bp of debt")
        ax.set_title("mean of both" if name == "both" else f"judged on the {name}", fontsize=8.5)
        ax.grid(visible=False, axis="x")
        ax.set_xlim(-0.6, len(rows) - 0.4)
    axes[0].set_ylabel("gain of choosing jointly,\npoints of borrowing power")
    style.remark(figure, f"90 % of draws in blocks; grey: holds zero or less; {SYNTHETIC}")
    return figure


def _budget(ax: Axes, budget: float) -> None:
    """Axes of a frontier with the budget shaded."""
    ax.axvspan(0, 1e4 * budget, color=style.OKABE_ITO["green"], alpha=0.08)
    basis_points(ax, axis="x")
    ax.set_xlim(left=-0.15)
    ax.set_xlabel(WORST)
    ax.set_ylabel(POWER)
    style.percent(ax.yaxis)
    ax.annotate(
        "within the budget",
        (0.0, 0.97),
        (6, 0),
        va="top",
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        fontsize=7.5,
        color=style.OKABE_ITO["green"],
    )
