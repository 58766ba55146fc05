"""Figures of accounts: ES by law of dependence, its allocation to the legs, wrong-way risk."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xcoll.workbook.plots import style
from xcoll.workbook.tables import percent

__all__ = ["allocations", "risks", "wrong_ways"]

# Law → mark, colour, height within its row, words.
LAWS = {
    "fhs": ("o", style.ACCENT, 0.2, "whole days (fhs)"),
    "dcc_t": ("s", style.OKABE_ITO["blue"], 0.07, "t copula, today"),
    "stress high": ("^", style.OKABE_ITO["orange"], -0.07, "t copula, high stress"),
    "stress low": ("v", style.OKABE_ITO["sky"], -0.2, "t copula, low stress"),
    "one": ("|", "black", 0.0, "all at their worst"),
}
MODELLED = "lows and highs modelled; volatility of today"


def risks(table: pd.DataFrame, title: str | None = None) -> Figure:
    """ES of each account under the five laws, against the sum of its parts.

    `table` has the rows of `baskets.risks`; accounts keep their order.
    """
    order = table["account"].unique()
    place = {name: row for row, name in enumerate(order[::-1])}
    fhs = table[table["law"] == "fhs"].set_index("account")
    figure, (ax,) = style.figure(
        height=1.6 + 0.42 * len(order), title=title or _benefits(fhs["benefit"])
    )
    parts = fhs["parts"]
    ax.barh(
        parts.index.map(place),
        parts,
        height=0.62,
        color="#E3E3E3",
        label="sum of the parts",
    )
    for law, (mark, hue, height, words) in LAWS.items():
        rows = table[table["law"] == law]
        y = rows["account"].map(place) + height
        filled = {"s": 150, "linewidth": 2.0} if mark == "|" else {"s": 26}
        ax.errorbar(rows["es"], y, xerr=1.96 * rows["error"], fmt="none", ecolor=hue, elinewidth=1)
        ax.scatter(rows["es"], y, marker=mark, color=hue, zorder=3, label=words, **filled)
    ax.set_yticks(list(place.values()), list(place))
    ax.set_xlim(left=0.0)
    ax.set_xlabel(
        "expected shortfall of a day, % of the collateral's value (line: 95 % Monte Carlo)"
    )
    ax.set_ylabel("account")
    ax.grid(visible=False, axis="y")
    style.percent(ax.xaxis)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    style.remark(figure, MODELLED)
    return figure


def _benefits(benefit: pd.Series) -> str:
    most, least = benefit.idxmax(), benefit[benefit > 0.0].idxmin()
    return (
        f"Joint days save {percent(benefit[least], 0)} ({least}) to {percent(benefit[most], 0)} "
        f"({most}) of the summed risk"
    )


def allocations(table: pd.DataFrame, title: str | None = None) -> Figure:
    """ES of each account as a stack of its legs' allocations, with the sum of parts beside it.

    `table` has the rows of `baskets.allocations`; what pays in the tail stands left of zero.
    """
    order = table["account"].unique()
    figure, (ax,) = style.figure(height=1.6 + 0.48 * len(order), title=title or _largest(table))
    wide = table.groupby("account")["alone"].sum().max()
    for row, name in enumerate(order[::-1]):
        legs = table[table["account"] == name]
        _stack(ax, row, legs, wide)
        total, parts = legs["allocation"].sum(), legs["alone"].sum()
        ax.plot([total, total], [row - 0.4, row + 0.4], color="black", linewidth=2.0, zorder=4)
        ax.plot(parts, row, marker="D", color=style.CONTEXT, markersize=5, zorder=4)
    ax.plot([], [], color="black", linewidth=2.0, label="ES of the account")
    ax.plot([], [], "D", color=style.CONTEXT, markersize=5, label="sum of the parts")
    ax.axvline(0.0, color="#4D4D4D", linewidth=0.8)
    ax.set_yticks(range(len(order)), order[::-1])
    ax.set_xlabel("allocated expected shortfall of a day, % of the collateral's value")
    ax.set_ylabel("account")
    ax.grid(visible=False, axis="y")
    style.percent(ax.xaxis)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    style.remark(figure, f"hatched: owed; {MODELLED}")
    return figure


def _stack(ax: Axes, row: int, legs: pd.DataFrame, wide: float) -> None:
    ends = {1.0: 0.0, -1.0: 0.0}
    for leg in legs.itertuples():
        side = np.sign(leg.allocation) or 1.0
        ax.barh(
            row,
            leg.allocation,
            left=ends[side],
            height=0.62,
            color=style.colour(leg.asset),
            edgecolor="white",
            linewidth=0.8,
            hatch="///" if leg.weight < 0.0 else None,
        )
        if abs(leg.allocation) > 0.04 * wide:
            ax.text(
                ends[side] + leg.allocation / 2,
                row,
                leg.asset,
                rotation=0 if abs(leg.allocation) > 0.15 * wide else 90,
                ha="center",
                va="center",
                fontsize=6.5,
                color="white",
                fontweight="bold",
                bbox={"facecolor": style.colour(leg.asset), "edgecolor": "none", "pad": 0.8}
                if leg.weight < 0.0  # over the hatches
                else None,
            )
        ends[side] += leg.allocation


def _largest(table: pd.DataFrame) -> str:
    hedges = table[table["alone"] > 0.0]  # what is netted with a leg of the same price is no hedge
    hedge = hedges.loc[hedges["allocation"].idxmin()]
    if hedge["allocation"] >= 0.0:
        return "Every leg adds to the tail of its account"
    return (
        f"{'Owed ' if hedge['weight'] < 0.0 else ''}{hedge['asset']} takes "
        f"{percent(-hedge['allocation'])} of the collateral's value off the tail of "
        f"“{hedge['account']}”"
    )


def wrong_ways(table: pd.DataFrame, law: str = "fhs", title: str | None = None) -> Figure:
    """ES of accounts that owe, joint against independent, in dollars and in units of the debt.

    `table` has the rows of `baskets.wrong_ways`; `law` is the one that is drawn.
    """
    rows = table[table["law"] == law]
    own = rows[rows["unit"] == "dollar"].set_index("account")
    dollars, error = own["addon"], own["error"]
    order = dollars.index[::-1]
    place = {name: row for row, name in enumerate(order)}
    worst, best = dollars.idxmax(), dollars.idxmin()
    heading = (
        f"What ties debt to collateral takes {percent(-dollars[best])} off the tail of “{best}”;\n"
        + (
            f"in “{worst}” it adds {percent(dollars[worst])} (± {percent(1.96 * error[worst])})"
            if dollars[worst] > max(1.96 * error[worst], 5e-4)  # what rounds to nothing is nothing
            else "it adds to no account's tail"
        )
    )
    panels = {
        "dollar": "net account, dollars",
        "debt": "collateral, in units of what is owed",
    }
    figure, axes = style.figure(
        1, 2, height=1.7 + 0.42 * len(order), share=True, title=title or heading
    )
    for ax, (unit, words) in zip(axes, panels.items(), strict=True):
        own = rows[rows["unit"] == unit]
        y = own["account"].map(place)
        ax.hlines(y, own["independent"], own["joint"], color="#BFBFBF", linewidth=3)
        ax.scatter(own["independent"], y, color=style.CONTEXT, marker="s", s=34, zorder=3)
        ax.scatter(own["joint"], y, color=style.ACCENT, s=34, zorder=4)
        ax.set_title(words, fontsize=9)
        ax.set_xlabel("expected shortfall of a day, %")
        ax.grid(visible=False, axis="y")
    axes[0].scatter([], [], color=style.CONTEXT, marker="s", s=34, label="debt independent")
    axes[0].scatter([], [], color=style.ACCENT, s=34, label="joint")
    axes[0].set_yticks(list(place.values()), list(place))
    axes[0].set_ylim(-0.6, len(order) - 0.4)
    axes[0].set_ylabel("account")
    axes[0].set_xlim(left=-0.004)
    style.percent(axes[0].xaxis)
    axes[0].legend(loc="best")
    style.remark(figure, f"law: {LAWS[law][-1]}; {MODELLED}")
    return figure
