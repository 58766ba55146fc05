"""Figures of the market data: coverage, paths, pegs, and what a close hides."""

import numpy as np
import pandas as pd
from matplotlib import dates as mdates
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from xcoll.workbook.plots import style

__all__ = ["coverage", "paths", "pegs", "wicks"]

# Check of the quality table → marker, colour and words for the legend.
MARKS = {
    "outlier": ("o", style.CONTEXT, "outlier (kept)"),
    "off peg": ("s", style.OKABE_ITO["sky"], "off the peg (kept)"),
    "suspect print": ("D", style.OKABE_ITO["orange"], "suspect print (kept, flagged)"),
    "before listing": ("X", style.ACCENT, "price before listing (removed)"),
    "bar differs": ("v", style.OKABE_ITO["purple"], "bar at odds with the close (low left out)"),
    "bar missing": ("v", style.OKABE_ITO["blue"], "bar missing (no low)"),
    "gap": ("P", style.OKABE_ITO["black"], "gap"),
}


def coverage(close: pd.DataFrame, quality: pd.DataFrame, title: str) -> Figure:
    """When each asset has prices (bars), and where the checks found something (marks).

    `close` is time × asset; `quality` is the report of `market.quality.check`.
    """
    figure, (ax,) = style.figure(height=1.6 + 0.25 * close.shape[1], title=title)
    rows = {asset: row for row, asset in enumerate(reversed(close.columns))}
    for asset, row in rows.items():
        known = close[asset].notna()
        for _, run in known[known].groupby((~known).cumsum()[known]):
            start, end = run.index[0], run.index[-1]
            ax.barh(row, end - start, left=start, height=0.55, color="#D9D9D9", zorder=1)
    for check, (marker, hue, words) in MARKS.items():
        found = quality[(quality["check"] == check) & quality["asset"].isin(list(rows))]
        if len(found):
            height = found["asset"].map(rows)
            ax.hlines(height, found["start"], found["end"], color=hue, linewidth=3, zorder=2)
            ax.scatter(
                found["start"] + (found["end"] - found["start"]) / 2,
                height,
                marker=marker,
                s=26,
                color=hue,
                label=words,
                linewidths=0,
                zorder=3,
            )
    ax.set_yticks(list(rows.values()), list(rows))
    ax.set_xlabel("date of the bar")
    ax.set_ylabel("asset")
    ax.grid(visible=False, axis="y")
    style.dates(ax.xaxis)
    ax.legend(ncols=3, loc="upper left", bbox_to_anchor=(0.0, -0.14))
    return figure


def paths(close: pd.DataFrame, title: str, columns: int = 7) -> Figure:
    """Each asset's price, 100 at its first bar, over the others in grey; logarithmic axes."""
    index = 100.0 * close / close.bfill().iloc[0]
    count, rows = index.shape[1], -(-index.shape[1] // columns)
    figure, axes = style.figure(rows, columns, height=0.6 + 1.8 * rows, share=True, title=title)
    for place, (ax, asset) in enumerate(zip(axes, index, strict=False)):
        ax.plot(index.index, index.drop(columns=asset), color="#E0E0E0", linewidth=0.5, zorder=1)
        ax.plot(index.index, index[asset], color=style.colour(asset), linewidth=1.1, zorder=3)
        ax.set_yscale("log")
        ax.set_title(asset, fontsize=9)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        ax.xaxis.set_major_locator(mdates.AutoDateLocator(minticks=2, maxticks=3))
        ax.xaxis.set_major_formatter(mdates.ConciseDateFormatter(ax.xaxis.get_major_locator()))
        ax.xaxis.get_offset_text().set_visible(False)
        ax.tick_params(axis="x", labelsize=7, labelbottom=place >= count - columns)
    for ax in axes[count:]:
        ax.set_visible(False)
    figure.supylabel("price, 100 at the first bar (log scale)", fontsize=9)
    figure.supxlabel("date of the close", fontsize=9)
    return figure


def pegs(close: pd.DataFrame, quality: pd.DataFrame, tolerance: float, title: str) -> Figure:
    """Stablecoins: price with the band that counts as on the peg, suspect prints marked.

    `close` holds the stablecoins only; `tolerance` is the half width of the band, a fraction.
    """
    names = list(close.columns)
    figure, axes = style.figure(len(names), height=2.3 * len(names), share=True, title=title)
    for ax, asset in zip(axes, names, strict=True):
        ax.axhspan(1.0 - tolerance, 1.0 + tolerance, color="#EFEFEF", zorder=0)
        ax.plot(close.index, close[asset], color=style.colour(asset), linewidth=0.9)
        found = quality[(quality["asset"] == asset) & (quality["check"] == "suspect print")]
        doubted = pd.concat(
            [close[asset].loc[row.start : row.end] for row in found.itertuples()]
            or [close[asset].iloc[:0]]
        )
        believed = close[asset].drop(doubted.index)
        believed = believed[(believed - 1.0).abs() > tolerance]
        ax.scatter(
            doubted.index,
            doubted,
            marker="x",
            s=22,
            color=style.ACCENT,
            linewidths=1.1,
            label="suspect print (kept, flagged)",
            zorder=4,
        )
        ax.scatter(
            believed.index,
            believed,
            s=18,
            facecolors="none",
            edgecolors="black",
            label=f"more than {100 * tolerance:g} % off the peg",
            zorder=3,
        )
        ax.set_title(asset, fontsize=9)
        ax.set_ylabel("price, dollars")
        style.dates(ax.xaxis)
    axes[0].legend(loc="upper right")
    axes[-1].set_xlabel("date of the close")
    return figure


def wicks(close_fall: pd.Series, low_fall: pd.Series, title: str, bars: int = 15) -> Figure:
    """The deepest bars by their low: the fall to the close beside the fall to the low.

    Both are fractions of the last close, losses positive, stamped by the same bar.
    """
    worst = low_fall.dropna().nlargest(bars).index[::-1]
    figure, (ax,) = style.figure(height=1.3 + 0.25 * len(worst), title=title)
    rows = np.arange(len(worst))
    close, low = close_fall[worst].clip(lower=0.0), low_fall[worst]
    ax.hlines(rows, close, low, color=style.CONTEXT, linewidth=1.6, zorder=1)
    ax.scatter(
        close, rows, color=style.OKABE_ITO["blue"], s=34, label="to the close", clip_on=False
    )
    ax.scatter(low, rows, color=style.ACCENT, marker="<", s=40, label="to the low")
    written = "%d %b %Y" if (worst == worst.normalize()).all() else "%d %b %Y %H:%M"
    ax.set_yticks(rows, worst.strftime(written))
    ax.set_xlim(left=0.0)
    ax.set_xlabel("loss from the last close, percent (a bar that closed higher stands at zero)")
    ax.set_ylabel("date of the bar")
    style.percent(ax.xaxis)
    ax.legend(loc="lower right")
    return figure
