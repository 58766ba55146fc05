"""Figures of new assets: what a short history says as it grows, and how it did on known assets."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from xcoll.workbook.plots import style

__all__ = ["ageing", "judged"]

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


def ageing(tried: pd.DataFrame, assets: Sequence[str], title: str) -> Figure:
    """Figures by days since listing, one panel an asset.

    `tried` has asset, age, procedure, shrunk, naive and whole, one listing an asset.
    """
    figure, axes = style.figure(1, len(assets), height=3.6, share=True, title=title)
    for ax, asset in zip(axes, assets, strict=True):
        rows = tried[tried["asset"] == asset].sort_values("age").set_index("age")
        hue = style.colour(asset)
        ax.fill_between(rows.index, rows["shrunk"], rows["procedure"], color=hue, alpha=0.2, lw=0)
        ax.plot(rows["procedure"], color=hue, label="with add-on")
        ax.plot(rows["shrunk"], color=hue, linewidth=0.9, linestyle=(0, (4, 1.5)), label="without")
        ax.plot(rows["naive"], color="#4D4D4D", linewidth=0.9, label="own bars alone")
        ax.plot(rows["whole"], color="black", linewidth=0.9, linestyle=":", label="whole past")
        ax.set_title(f"{asset}, listed {rows['listed'].iloc[0]:%d %b %Y}", fontsize=9)
        ax.set_xlabel("days since listing")
    axes[0].set_ylim(bottom=0.0)
    axes[0].set_ylabel("loss of a day's close-out, percent")
    style.percent(axes[0].yaxis)
    axes[-1].legend(loc="lower right", ncols=2)
    style.remark(figure, MODELLED + "; the whole past is not seen by the procedure")
    return figure


def judged(tried: pd.DataFrame, title: str) -> Figure:
    """What each way said over the figure of the whole past, and what it did not cover, by age.

    `tried` is the frame of `new_assets.trial`; left the median with the 10th and 90th percentile
    of the cases, right the losses of the next 90 days beyond the figure, per thousand.
    """
    known = tried.dropna(subset=["naive", "whole"])
    ages = sorted(known["age"].unique())
    figure, (left, right) = style.figure(1, 2, height=3.4, title=title)
    for shift, (way, (hue, mark)) in zip((-0.22, 0.0, 0.22), LOOK.items(), strict=True):
        ratio = known[way] / known["whole"]
        ends = ratio.groupby(known["age"]).quantile([0.1, 0.5, 0.9]).unstack()
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
    style.remark(figure, MODELLED)
    return figure
