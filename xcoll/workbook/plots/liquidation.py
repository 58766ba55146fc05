"""Figures of the liquidation backtest: losses by cohort, engines in crises, who pays, what parts of
the world add.  Every book behind them is synthetic, and each figure says so.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from xcoll.workbook import words
from xcoll.workbook.plots import style
from xcoll.workbook.tables import percent

__all__ = [
    "FILLS",
    "SYNTHETIC",
    "added",
    "basis_points",
    "engines",
    "excursions",
    "formats",
    "losses",
    "types",
]

SYNTHETIC = "synthetic books, modelled lows"
# How a table shows an outcome; bad debt in basis points of the debt.
FORMATS = (
    dict.fromkeys(
        ("bad_debt", "bad_debt_at_low", "bad_debt_es", "trough_es", "in_sample", "out_of_sample"),
        "basis points",
    )
    | {"optimism": "basis points"}
    | dict.fromkeys(("penalty", "premature_penalty", "premature_debt", "lowered"), "percent2")
    | dict.fromkeys(("mean", "low", "high", "median", "p95", "worst"), "percent2")
    | dict.fromkeys(("ltv", "threshold", "bonus", "protocol_fee", "efficiency"), "percent")
    | {"capital_efficiency": "percent"}
    | dict.fromkeys(("collateral", "debt", "accounts", "repaid"), "percent")
    | dict.fromkeys(("closed", "premature", "insufficient"), "percent")
    | dict.fromkeys(
        [f"{name}{end}" for name in ("var", "es") for end in ("", "_low", "_high")], "basis points"
    )
)
FILLS = {"breach": "at the breach", "world": "in the world", "low": "at the low"}


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
    repaid = weekly[weekly["service"] == "world"].set_index("start")["repaid"]
    title = (
        f"Up to {percent(repaid.max(), 0)} of a cohort's debt was repaid by liquidations; bad debt "
        f"reached\n{1e4 * bad_debt['world'].max():.0f} bp of it in the world around, "
        f"{1e4 * bad_debt['low'].max():.0f} bp where every account is served at the bar's low"
    )
    figure, (top, bottom) = style.figure(2, height=5.4, title=title)
    top.sharex(bottom)
    top.tick_params(labelbottom=False)
    top.fill_between(repaid.index, repaid, step="post", color=style.OKABE_ITO["sky"], alpha=0.6)
    top.set_ylabel("debt repaid by\nliquidations, % of debt")
    top.set_ylim(0, 1.12 * repaid.max() if repaid.max() else 1)
    style.percent(top.yaxis)
    for fill, colour in (("low", style.CONTEXT), ("world", style.ACCENT)):
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
    basis_points(bottom)
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


def engines(crises: pd.DataFrame) -> Figure:
    """What lenders and borrowers lost under each engine in each crisis.

    `crises` is the table of `outcomes.by_crisis` with a column ``engine``.
    """
    panels = (
        ("bad_debt", 1e4, "lender: bad debt,\nbasis points of debt", ".0f"),
        ("penalty", 1e2, "borrower: penalties,\npercent of debt", ".1f"),
        ("premature", 1e2, "closed too early,\npercent of borrowers", ".1f"),
    )
    order = crises.groupby("engine")["bad_debt"].mean().sort_values().index
    worst = crises.loc[crises["bad_debt"].idxmax()]
    title = (
        f"Same accounts, same prices: {words.name(order[0])} loses its lender least, "
        f"{words.name(order[-1])} most "
        f"({1e4 * worst['bad_debt']:,.0f} bp, {worst['crisis']})"
    )
    figure, axes = style.figure(1, 3, height=1.6 + 0.4 * len(order), title=title)
    for ax, (name, scale, label, form) in zip(axes, panels, strict=True):
        wide = crises.pivot_table(name, "engine", "crisis", sort=False).loc[order] * scale
        shade = np.log1p(wide / max(wide.to_numpy().max() / 50.0, 1e-12))
        sns.heatmap(
            shade,
            annot=wide.to_numpy(),
            fmt=form,
            cmap=sns.light_palette(style.ACCENT, as_cmap=True),
            cbar=False,
            linewidths=1.5,
            annot_kws={"fontsize": 7.5},
            yticklabels=order.map(words.name),
            ax=ax,
        )
        ax.set(xlabel="crisis", ylabel="engine" if ax is axes[0] else "")
        ax.set_title(label, loc="left", fontsize=8.5)
        ax.tick_params(axis="x", rotation=90, length=0, labelsize=8)
        ax.tick_params(axis="y", rotation=0, length=0, labelleft=ax is axes[0])
    style.remark(
        figure, f"means of books opened 1, 7 and 30 days before; shades by logs; {SYNTHETIC}"
    )
    return figure


def types(table: pd.DataFrame) -> Figure:
    """Which accounts pay: penalties and bad debt by class, a year's mean of all weekly cohorts.

    `table` is `Cohorts.types`: type, class, and shares of all debt.
    """
    kinds = table["type"].unique()
    table = table.assign(
        paid=(table["penalty"] / table["debt"]).where(table["debt"] > 0),
        lost=(table["bad_debt"] / table["debt"]).where(table["debt"] > 0),
    )
    payer, loser = (table.loc[table[name].idxmax()] for name in ("paid", "lost"))
    paid = percent(payer["paid"], 2)
    title = (
        f"“{_said(payer)}” pays most in penalties, {paid} of its debt a window;"
        f"\n“{_said(loser)}” leaves most unpaid, {1e4 * loser['lost']:.0f} bp"
    )
    figure, axes = style.figure(2, len(kinds), height=4.4, title=title)
    for n, kind in enumerate(kinds):
        rows = table[table["type"] == kind]
        for row, (name, scale, hue) in enumerate(
            (("paid", 1e2, style.OKABE_ITO["blue"]), ("lost", 1e4, style.ACCENT))
        ):
            ax = axes[row * len(kinds) + n]
            ax.bar(rows["class"], scale * rows[name], color=hue, width=0.7)
            ax.grid(visible=False, axis="x")
            ax.set_ylim(0.0, 1.08 * scale * table[name].max())
            ax.tick_params(axis="x", rotation=90, labelsize=7.5, labelbottom=row == 1)
            ax.tick_params(axis="y", labelleft=n == 0)
        axes[len(kinds) + n].set_xlabel("class")
        axes[n].set_title(kind.replace("$", r"\$"), loc="left", fontsize=8.5)
    axes[0].set_ylabel("penalties,\n% of their debt")
    axes[len(kinds)].set_ylabel("bad debt,\nbp of their debt")
    style.remark(figure, f"each account stands once in every panel; {SYNTHETIC}")
    return figure


def _said(row: pd.Series) -> str:
    return f"{row['type'].removesuffix(', $')} {row['class']}"


def added(table: pd.DataFrame, units: Mapping[str, tuple[str, float]]) -> Figure:
    """What each part of the world adds, with its interval; grey where it may be nothing.

    Parameters
    ----------
    table : of `outcomes.paired`: case, outcome, mean, low, high, differs.
    units : outcome → label of its axis, and what a share is multiplied by.
    """
    table = table.replace({"case": {"nothing around": "all of these"}})
    cases = list(dict.fromkeys(table["case"]))[::-1]
    first = next(iter(units))
    single = table["case"] != "all of these"
    rows = table[(table["outcome"] == first) & table["differs"] & single]
    nothing = [case for case in cases if not table[table["case"] == case]["differs"].any()]
    most = rows.loc[rows["mean"].abs().idxmax()] if len(rows) else None
    title = "No part of the world adds anything that can be told from nothing"
    if most is not None:
        change = units[first][1] * most["mean"]
        title = f"“{most['case']}” adds most, {change:+.1f} {units[first][0].split(', ')[1]}"
    title += f";\nnothing that can be told: {', '.join(nothing)}" if nothing else ""
    figure, axes = style.figure(1, len(units), height=1.5 + 0.33 * len(cases), title=title)
    for ax, (outcome, (label, scale)) in zip(axes, units.items(), strict=True):
        here = table[table["outcome"] == outcome].set_index("case").loc[cases]
        hues = np.where(here["differs"], style.ACCENT, style.CONTEXT)
        ax.axvline(0.0, color="black", linewidth=0.8)
        ax.hlines(cases, scale * here["low"], scale * here["high"], color=hues, linewidth=2)
        ax.scatter(scale * here["mean"], cases, color=hues, s=28, zorder=3)
        ax.set_xlabel(label)
        ax.grid(visible=False, axis="y")
        ax.set_ylim(-0.6, len(cases) - 0.4)
        ax.tick_params(axis="y", labelleft=ax is axes[0])
    axes[0].set_ylabel("part of the world")
    style.remark(figure, f"90 % intervals; grey: the interval holds zero; {SYNTHETIC}")
    return figure


def excursions(table: pd.DataFrame, chosen: str) -> Figure:
    """Bad debt of the worst cohorts under each way of knowing the low inside the bar.

    `table` is long: choice, service ("world", "low"), bad_debt_es, premature; `chosen` is drawn in
    the accent.
    """
    wide = table.pivot_table("bad_debt_es", "choice", "service").sort_values("low", kind="stable")
    early = table[table["service"] == "world"].set_index("choice")["premature"]
    source = 1e4 * (wide.max() - wide.min()).max()
    service = 1e4 * (wide["low"] - wide["world"]).abs().max()
    title = (
        f"By closes alone {percent(early['close'])} of the borrowers are closed too early, by the "
        f"{chosen}'s lows {percent(early[chosen])};\nwhere the low comes from moves bad debt by up "
        f"to {source:.0f} bp, where accounts are served by up to {service:.0f} bp"
    )
    figure, (ax,) = style.figure(height=1.5 + 0.4 * len(wide), title=title)
    ax.hlines(wide.index, 1e4 * wide["world"], 1e4 * wide["low"], color="#D9D9D9", linewidth=2)
    hues = [style.ACCENT if choice == chosen else style.CONTEXT for choice in wide.index]
    for fill, mark in (("world", "o"), ("low", "<")):
        label = f"served {FILLS[fill]}"
        ax.scatter(
            1e4 * wide[fill], wide.index, color=hues, s=40, marker=mark, zorder=3, label=label
        )
    ax.set_xlim(0, 1.06e4 * max(wide.to_numpy().max(), 1e-4))
    ax.set_xlabel("bad debt of the worst cohorts, basis points of debt")
    ax.set_ylabel("low inside the bar")
    ax.grid(visible=False, axis="y")
    ax.set_ylim(-0.6, len(wide) - 0.4)
    legend = ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    for handle in legend.legend_handles:
        handle.set_color(style.CONTEXT)
    style.remark(figure, SYNTHETIC)
    return figure


def basis_points(ax: Axes, axis: str = "y") -> None:
    """Symmetric log scale, linear under one basis point, with plain numbers."""
    getattr(ax, f"set_{axis}scale")("symlog", linthresh=1)
    getattr(ax, f"set_{axis}lim")(**{"bottom" if axis == "y" else "left": 0})
    getattr(ax, f"{axis}axis").set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
