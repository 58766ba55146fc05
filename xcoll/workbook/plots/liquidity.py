"""Figures of liquidity and add-ons: impact by size, the limits of a cap, points of a contract."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from xcoll.collateral.addons import ATTRIBUTES
from xcoll.workbook.plots import style
from xcoll.workbook.tables import money, percent

__all__ = ["addons", "impact"]

COLUMNS = 4
LIMITS = {
    "keeper's profit": "o",
    "largest quote": ">",
    "clearing time": "s",
    "reserve budget": "D",
    "loss budget": "^",
}
MARKETS = (
    "quotes at a crisis's depth, else the square-root law on a quiet day's volume: modelled;"
    " budgets assumed"
)


def impact(curves: pd.DataFrame, caps: pd.DataFrame) -> Figure:
    """Impact by size, one panel an asset on shared logarithmic axes, with the cap marked.

    `curves` is size × asset in fractions, NaN beyond the largest quote; `caps` is by asset, with
    cap_usd and binding.  Assets without a cap are left out; the largest cap comes first.
    """
    order = caps["cap_usd"].sort_values(ascending=False, kind="stable").index
    shown = [asset for asset in order if asset in curves]
    at_cap = pd.Series(
        {a: np.interp(caps.loc[a, "cap_usd"], curves.index, curves[a].ffill()) for a in shown}
    )
    most, least = at_cap.idxmax(), at_cap.idxmin()
    rows = -(-len(shown) // COLUMNS)
    figure, axes = style.figure(
        rows, COLUMNS, height=0.9 + 1.75 * rows, share=True,
        title=f"A sale at the cap loses {percent(at_cap[least])} ({least}) to "
        f"{percent(at_cap[most])} ({most}) of its value on a bad day",
    )  # fmt: skip
    for ax, asset in zip(axes, shown, strict=False):
        size = caps.loc[asset, "cap_usd"]
        ax.plot(
            curves.index, curves[asset], color=style.colour(asset), linestyle=style.linestyle(asset)
        )
        ax.plot([size, size], [1e-9, at_cap[asset]], color=style.CONTEXT, linewidth=0.8)
        ax.scatter([size], [at_cap[asset]], color="black", s=16, zorder=3)
        ax.set_title(f"{asset}, cap {_dollars(size)}", fontsize=9)
        ax.text(
            0.03, 0.95, caps.loc[asset, "binding"],
            transform=ax.transAxes, va="top", fontsize=8, color="#4D4D4D",
        )  # fmt: skip
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    axes[0].set(xscale="log", yscale="log", ylim=(1e-4, 1.0))
    for ax in axes:
        ax.minorticks_off()  # a hundred of them a panel, each drawn for seconds in all
    axes[0].set_xlim(curves.index[0], curves.index[-1])
    style.money(axes[0].xaxis)
    axes[0].yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda x, _: f"{100 * x:g} %"))
    for row in range(rows):
        axes[row * COLUMNS].set_ylabel("impact (log)")
    for ax in axes[max(len(shown) - COLUMNS, 0) : len(shown)]:
        ax.set_xlabel("sold at once (log)")
        ax.xaxis.set_tick_params(labelbottom=True)
    style.remark(figure, MARKETS)
    return figure


def addons(changes: pd.DataFrame) -> Figure:
    """Change of the haircut with each add-on: contract points above, basis parameters below.

    `changes` has the columns asset, attribute, points, better, worse and off, fractions of the
    haircut; one panel an attribute, one row an asset, each row of panels on its own scale.
    """
    points = changes["attribute"].isin(ATTRIBUTES)
    kinds = [rows for rows in (changes[points], changes[~points]) if len(rows)]
    worst = changes.loc[changes["worse"].idxmax()]
    moved = f"{100 * worst['worse']:.1f} points to the haircut of {worst['asset']}"
    height = 1.6 + sum(0.7 + 0.24 * rows["asset"].nunique() for rows in kinds)
    most = _words(worst["attribute"])
    figure, axes = style.figure(
        len(kinds), max(rows["attribute"].nunique() for rows in kinds), height=height, share="row",
        title=f"The add-on that weighs most is “{most}”: a step worse adds {moved}",
    )  # fmt: skip
    for row, panels in zip(kinds, axes.reshape(len(kinds), -1), strict=True):
        _changes(row, panels)
    handles, labels = axes[0].get_legend_handles_labels()
    remark = "contract points and basis parameters assumed; unrounded haircut"
    legend = figure.legend(handles, labels, loc="outside lower left", ncols=3)
    legend.set_title(remark, prop={"size": 7.5, "style": "italic"})
    return figure


def _changes(rows: pd.DataFrame, panels: np.ndarray) -> None:
    assets = list(dict.fromkeys(rows["asset"]))
    attributes = list(dict.fromkeys(rows["attribute"]))
    place = pd.Series(range(len(assets)), assets)
    for ax, attribute in zip(panels, attributes, strict=False):
        own = rows[rows["attribute"] == attribute].set_index("asset")
        at, blue = place[own.index], style.OKABE_ITO["blue"]
        ax.barh(
            at, own["worse"], color=style.ACCENT, height=0.6, label="one step worse, or doubled"
        )
        ax.barh(at, own["better"], color=blue, height=0.6, label="one step better, or halved")
        ax.scatter(own["off"], at, marker="D", color="black", s=14, zorder=3, label="not counted")
        ax.axvline(0.0, color="#4D4D4D", linewidth=0.8)
        ax.set_title(_words(attribute), fontsize=9)
        ax.grid(visible=False, axis="y")
    for ax in panels[len(attributes) :]:
        ax.set_axis_off()
    panels[0].set_yticks(place, assets)
    panels[0].set_ylabel("asset")
    panels[0].xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda x, _: f"{100 * x:+.1f}"))
    middle = panels[len(attributes) // 2]
    middle.set_xlabel("change of the haircut, percentage points of the price")


def _words(attribute: str) -> str:
    return attribute.replace("_days", "").replace("_daily", " of a day").replace("_", " ")


def _dollars(value: float) -> str:
    return money(value).replace("$", r"\$")  # two of them in a title would be a formula
