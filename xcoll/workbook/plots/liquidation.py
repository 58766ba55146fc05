"""Figures of the liquidation backtest: losses by cohort, choices of the low, premature against
insufficient, and the frontier.  Every book behind them is synthetic, and each figure says so.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from xcoll.workbook.plots import style
from xcoll.workbook.tables import percent

__all__ = ["excursions", "formats", "frontier", "losses", "trade_off"]

SYNTHETIC = "synthetic books, modelled lows, unlimited keepers"
# How a table shows an outcome; bad debt in basis points of the debt.
FORMATS = (
    dict.fromkeys(
        ("bad_debt", "bad_debt_at_low", "bad_debt_es", "trough_es", "in_sample", "out_of_sample"),
        "basis points",
    )
    | {"optimism": "basis points", "penalty": "percent2"}
    | dict.fromkeys(("mean", "low", "high", "median", "p95", "worst"), "percent2")
    | dict.fromkeys(("ltv", "threshold", "bonus", "protocol_fee", "efficiency"), "percent")
    | dict.fromkeys(("collateral", "debt", "accounts", "repaid"), "percent")
    | dict.fromkeys(("closed", "premature", "insufficient"), "percent")
)
FILLS = {"breach": "at the breach", "path": "on the path", "low": "at the low"}


def formats(table: pd.DataFrame) -> dict[str, str]:
    """Formats of the outcomes among the columns of `table`, for ``run.table``."""
    return {column: FORMATS[column] for column in table if column in FORMATS}


def losses(weekly: pd.DataFrame, crises: Mapping[str, str]) -> Figure:
    """Debt repaid by liquidations and bad debt, by the date on which a cohort opens.

    Parameters
    ----------
    weekly : outcomes of weekly cohorts with a column ``service`` ("breach", "path", "low").
    crises : name → date; drawn as vertical lines.
    """
    bad_debt = weekly.pivot_table("bad_debt", "start", "service")
    repaid = weekly[weekly["service"] == "path"].set_index("start")["repaid"]
    title = (
        f"Up to {percent(repaid.max(), 0)} of a cohort's debt was repaid by liquidations; bad debt "
        f"reached\n{1e4 * bad_debt['path'].max():.2f} bp of it on the path, "
        f"{1e4 * bad_debt['low'].max():.0f} bp where every account is served at the bar's low"
    )
    figure, (top, bottom) = style.figure(2, height=5.4, title=title)
    top.sharex(bottom)
    top.tick_params(labelbottom=False)
    top.fill_between(repaid.index, repaid, step="post", color=style.OKABE_ITO["sky"], alpha=0.6)
    top.set_ylabel("debt repaid by\nliquidations, % of debt")
    top.set_ylim(0, 1.12 * repaid.max() if repaid.max() else 1)
    style.percent(top.yaxis)
    for fill, colour in (("low", style.CONTEXT), ("path", style.ACCENT)):
        bottom.step(
            bad_debt.index, 1e4 * bad_debt[fill], where="post", color=colour, label=FILLS[fill]
        )
    bottom.fill_between(
        bad_debt.index,
        1e4 * bad_debt["breach"],
        1e4 * bad_debt["low"],
        step="post",
        color=style.CONTEXT,
        alpha=0.25,
        label="between the bounds",
    )
    _basis_points(bottom)
    bottom.set_ylabel("bad debt, basis points\nof debt (symmetric log)")
    bottom.set_xlabel("opening of the cohort, which then runs its window (UTC)")
    legend = bottom.legend(loc="upper right", title="accounts served", title_fontsize=8)
    legend.set(frame_on=True, zorder=5)
    legend.get_frame().set(edgecolor="none", alpha=1.0)
    for ax in (top, bottom):
        ax.set_xlim(bad_debt.index[0], bad_debt.index[-1])
        style.dates(ax.xaxis)
        for date in crises.values():
            ax.axvline(pd.Timestamp(date), color="black", linewidth=0.8, linestyle=":")
    for name, day in crises.items():
        date = pd.Timestamp(day)
        if bad_debt.index[0] <= date <= bad_debt.index[-1]:
            top.annotate(
                name,
                (date, 1.0),
                (3, -2),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                fontsize=7.5,
                rotation=90,
                ha="left",
                va="top",
            )
    style.remark(figure, SYNTHETIC)
    return figure


def excursions(table: pd.DataFrame, chosen: str) -> Figure:
    """Bad debt of the worst cohorts under each way of knowing the low inside the bar.

    `table` is long: choice, service ("path", "low"), bad_debt_es, premature; `chosen` is drawn in
    the accent.
    """
    wide = table.pivot_table("bad_debt_es", "choice", "service").sort_values("low", kind="stable")
    early = table[table["service"] == "path"].set_index("choice")["premature"]
    title = (
        f"By closes alone {percent(early['close'])} of the borrowers are closed too early, by the "
        f"{chosen}'s lows {percent(early[chosen])};\nwhere accounts are served matters more to bad "
        "debt than where the low came from"
        if wide["low"].min() > wide["path"].max()
        else f"By closes alone {percent(early['close'])} of the borrowers are closed too early, by "
        f"the {chosen}'s lows {percent(early[chosen])}"
    )
    figure, (ax,) = style.figure(height=1.5 + 0.4 * len(wide), title=title)
    ax.hlines(wide.index, 1e4 * wide["path"], 1e4 * wide["low"], color="#D9D9D9", linewidth=2)
    hues = [style.ACCENT if choice == chosen else style.CONTEXT for choice in wide.index]
    for service, mark in (("path", "o"), ("low", "<")):
        label = f"served {FILLS[service]}"
        ax.scatter(
            1e4 * wide[service], wide.index, color=hues, s=40, marker=mark, zorder=3, label=label
        )
    ax.set_xscale("symlog", linthresh=1)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.set_xlim(left=0)
    ax.set_xlabel("bad debt of the worst cohorts, basis points of debt (symmetric log)")
    ax.set_ylabel("low inside the bar")
    ax.grid(visible=False, axis="y")
    ax.set_ylim(-0.6, len(wide) - 0.4)
    legend = ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    for handle in legend.legend_handles:
        handle.set_color(style.CONTEXT)
    style.remark(figure, SYNTHETIC)
    return figure


def trade_off(points: pd.DataFrame) -> Figure:
    """Premature and insufficient closures over the threshold.

    `points` is by factor with ``threshold`` (average of the book), ``premature`` and
    ``insufficient`` (shares of borrowers), the same by value, ``premature_debt`` and ``bad_debt``
    (shares of the debt), and ``chosen``.
    """
    chosen = points.index[points["chosen"]][0]
    title = (
        f"The threshold hardly changes who is closed too early "
        f"({percent(points['premature'].min())} to {percent(points['premature'].max())});\n"
        f"it decides who is closed too late ({percent(points['insufficient'].min())} to "
        f"{percent(points['insufficient'].max())})"
        if np.ptp(points["premature"]) < np.ptp(points["insufficient"])
        else f"Closed too early: {percent(points['premature'].min())} to "
        f"{percent(points['premature'].max())} of the borrowers; too late: "
        f"{percent(points['insufficient'].min())} to {percent(points['insufficient'].max())}"
    )
    rows = points.sort_values("threshold")
    figure, (left, right) = style.figure(1, 2, height=3.7, title=title)
    for ax, names, ylabel in (
        (left, ("premature", "insufficient"), "borrowers, percent"),
        (right, ("premature_debt", "bad_debt"), "percent of debt"),
    ):
        early, late = names
        ax.plot(rows["threshold"], rows[early], marker="o", ms=4, color=style.OKABE_ITO["blue"])
        ax.plot(rows["threshold"], rows[late], marker="s", ms=4, color=style.ACCENT)
        ax.axvline(points.loc[chosen, "threshold"], color="black", linewidth=0.8, linestyle=":")
        highest = rows[list(names)].max(axis=None)
        ax.set_ylim(-0.03 * highest, 1.15 * highest)
        ax.set_xlabel("average threshold of the book, percent")
        ax.set_ylabel(ylabel)
        style.percent(ax.xaxis)
        style.percent(ax.yaxis, 0 if highest > 0.05 else 1)
    place = rows.iloc[len(rows) // 6]
    for ax, name, text, colour in (
        (left, "premature", "closed too early", style.OKABE_ITO["blue"]),
        (left, "insufficient", "closed too late", style.ACCENT),
        (right, "premature_debt", "repaid too early", style.OKABE_ITO["blue"]),
        (right, "bad_debt", "lost: bad debt", style.ACCENT),
    ):
        ax.annotate(
            text,
            (place["threshold"], place[name]),
            (0, 6),
            textcoords="offset points",
            color=colour,
            fontsize=8,
            ha="center",
            va="bottom",
        )
    left.annotate(
        "chosen",
        (points.loc[chosen, "threshold"], 0.5),
        (-3, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        rotation=90,
        fontsize=8,
        ha="right",
        va="center",
    )
    style.remark(figure, SYNTHETIC)
    return figure


def frontier(path: pd.DataFrame, low: pd.DataFrame, budget: float) -> Figure:
    """Capital efficiency against the bad debt of the worst cohorts.

    `path` and `low` are by factor with ``capital_efficiency``, ``bad_debt_es``, ``consistent`` and,
    in `path`, ``chosen``; `low` is the bound with every account served at its bar's low.
    """
    chosen = path.index[path["chosen"]][0]
    efficiency = path["capital_efficiency"]
    title = (
        f"{percent(efficiency[chosen])} of the collateral can be borrowed within "
        f"{1e4 * budget:g} bp of bad debt:\nbuffers {chosen:g} times those of 05"
    )
    figure, (ax,) = style.figure(height=4.4, title=title)
    ax.axvspan(0, 1e4 * budget, color=style.OKABE_ITO["green"], alpha=0.08)
    ax.plot(
        1e4 * low["bad_debt_es"],
        low["capital_efficiency"],
        color=style.CONTEXT,
        marker="<",
        ms=5,
        linestyle=":",
        label="bound: served at the low",
    )
    ax.plot(
        1e4 * path["bad_debt_es"],
        path["capital_efficiency"],
        color=style.OKABE_ITO["blue"],
        label="served on the path",
    )
    for consistent, face in ((True, style.OKABE_ITO["blue"]), (False, "white")):
        rows = path[path["consistent"] == consistent]
        ax.scatter(
            1e4 * rows["bad_debt_es"],
            rows["capital_efficiency"],
            facecolor=face,
            edgecolor=style.OKABE_ITO["blue"],
            s=36,
            zorder=3,
            label=None if consistent or rows.empty else "may not be recommended: LT·(1 + LB) ≥ 1",
        )
    for factor, row in path.iterrows():
        ax.annotate(
            f"{factor:g}" + (" (as in 05)" if factor == 1 else ""),
            (1e4 * row["bad_debt_es"], row["capital_efficiency"]),
            (7, -11),
            textcoords="offset points",
            fontsize=7.5,
            color="#595959",
        )
    point = path.loc[chosen]
    ax.scatter(
        1e4 * point["bad_debt_es"],
        point["capital_efficiency"],
        s=130,
        facecolor="none",
        edgecolor=style.ACCENT,
        linewidth=2,
        zorder=4,
        label="chosen",
    )
    _basis_points(ax, axis="x")
    ax.set_xlim(left=-0.15)
    ax.margins(y=0.09)
    ax.set_xlabel(
        "bad debt of the worst cohorts (expected shortfall), basis points of debt (symmetric log)"
    )
    ax.set_ylabel("capital efficiency: borrowing\npower, % of collateral")
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
    ax.legend(loc="lower right")
    style.remark(figure, f"numbers: buffer as a multiple of the given one; {SYNTHETIC}")
    return figure


def _basis_points(ax: Axes, axis: str = "y") -> None:
    """Symmetric log scale, linear under one basis point, with plain numbers."""
    getattr(ax, f"set_{axis}scale")("symlog", linthresh=1)
    getattr(ax, f"set_{axis}lim")(**{"bottom" if axis == "y" else "left": 0})
    getattr(ax, f"{axis}axis").set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
