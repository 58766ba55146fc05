"""Figures of new assets: what a short history says as it grows, and how it did on known assets."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from xcoll.workbook.plots import style
from xcoll.workbook.tables import percent

__all__ = ["judged"]

LOOK = {
    "naive": (style.CONTEXT, "s"),
    "class": (style.OKABE_ITO["sky"], "^"),
    "procedure": (style.ACCENT, "D"),
}
SAID = {
    "naive": "its own bars alone",
    "class": "mean of its class",
    "procedure": "procedure with add-on",
}
MODELLED = "lows modelled; each asset plays one listed later than it was"


def judged(tried: pd.DataFrame) -> Figure:
    """What each way said over the figure of the whole past, and what it did not cover, by age.

    `tried` is the frame of `new_assets.trial`; left the median with the 10th and 90th percentile
    of the cases, right the losses of the next 90 days beyond the figure, per thousand.  Below, the
    median over each asset's dates of what its own bars and what the procedure said.
    """
    known = tried.dropna(subset=["naive", "whole"])
    ages = sorted(known["age"].unique())
    first = known[known["age"] == ages[0]]
    reached = {way: (first[way] >= first["whole"]).mean() for way in ("naive", "procedure")}
    title = (
        f"At {ages[0]:.0f} days own bars alone reach the figure of the whole past in "
        f"{percent(reached['naive'], 0)} of cases,\nthe procedure in "
        f"{percent(reached['procedure'], 0)}"
    )
    ratios = known[[*LOOK]].div(known["whole"], axis=0)
    medians = ratios.groupby([known["asset"], known["age"]]).median().unstack("age")
    least = medians["procedure"].min(axis=1).sort_values(kind="stable")
    if least.iloc[0] < 1.0:
        title += f", least for {least.index[0]}: {least.iloc[0]:.2f} times it"
    figure, (left, right, *below) = style.figure(2, 2, height=4.6 + 0.26 * len(least), title=title)
    for shift, (way, (hue, mark)) in zip((-0.22, 0.0, 0.22), LOOK.items(), strict=True):
        ends = ratios[way].groupby(known["age"]).quantile([0.1, 0.5, 0.9]).unstack()
        y = np.arange(len(ages)) + shift
        left.hlines(y, ends[0.1], ends[0.9], color=hue, linewidth=1.6)
        left.scatter(ends[0.5], y, color=hue, marker=mark, s=26, zorder=3)
        sums = known.groupby("age")[[f"beyond_{way}", "days"]].sum()
        rate = 1000.0 * sums[f"beyond_{way}"] / sums["days"]
        right.scatter(rate, y, color=hue, marker=mark, s=26, zorder=3, label=SAID[way])
        for height, value in zip(y, rate, strict=True):
            right.annotate(
                f"{value:.1f}", (value, height), (6, 0), textcoords="offset points",
                va="center", fontsize=8,
            )  # fmt: skip
    left.axvline(1.0, color="black", linewidth=0.8)
    left.set_xscale("log")
    left.xaxis.set_major_locator(FixedLocator([0.25, 0.5, 1.0, 2.0]))
    left.xaxis.set_minor_locator(NullLocator())
    left.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ×"))
    left.set_xlabel("said, over the figure of the whole past (log; 10 to 90 %)")
    right.set_xlabel("losses beyond it, per thousand of the next 90 days")
    right.set_xlim(0.0, 1.15 * right.get_xlim()[1])
    for ax in (left, right):
        ax.set_yticks(range(len(ages)), [f"{age:g} days old" for age in ages])
        ax.set_ylim(len(ages) - 0.5, -0.5)
        ax.grid(visible=False, axis="y")
    right.set_yticklabels([])
    left.set_ylabel("age")
    right.legend(loc="lower right")
    for ax, way in zip(below, ("naive", "procedure"), strict=True):
        _shade(ax, medians.loc[least.index, way])
        ax.set_title(f"{SAID[way]}, over the whole past", fontsize=9)
    below[1].set_yticklabels([])
    below[0].set_ylabel("asset")
    style.remark(figure, MODELLED)
    return figure


def _shade(ax: Axes, table: pd.DataFrame) -> None:
    ratio = table.to_numpy()
    shade = np.log2(ratio)
    ax.imshow(shade, cmap=style.DIVERGING.reversed(), vmin=-2.0, vmax=2.0, aspect="auto")
    for row, column in np.argwhere(np.isfinite(shade)):
        hue = "white" if abs(shade[row, column]) > 1.3 else "black"
        said = f"{ratio[row, column]:.2f} ×"
        ax.text(column, row, said, ha="center", va="center", fontsize=8, color=hue)
    ax.set_yticks(range(len(table)), table.index)
    ax.set_xticks(range(table.shape[1]), [f"{age:g} days" for age in table])
    ax.set_xlabel("age")
    ax.tick_params(length=0)
    ax.grid(visible=False)
