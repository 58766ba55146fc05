"""Figures of the calibration report."""

import pandas as pd
from matplotlib.figure import Figure

from xcoll.collateral.liquidity import HORIZONS
from xcoll.workbook.plots import style

__all__ = ["readings"]

MARKS = "osD^vPX"


def readings(levels: pd.DataFrame, recommendation: pd.DataFrame, title: str) -> Figure:
    """Threshold of each listed asset under other readings, beside today's.

    `levels` is asset × reading, horizons ("4h") and others ("ES 97.5 %"), at most seven;
    `recommendation` has asset, today, recommended, low and high.
    """
    rows = recommendation.sort_values("recommended").reset_index(drop=True)
    figure, (ax,) = style.figure(height=1.3 + 0.36 * len(rows), title=title)
    for y, row in rows.iterrows():
        ax.hlines(y, row["low"], row["high"], color=style.ACCENT, linewidth=5, alpha=0.25)
    for mark, name in zip(MARKS, levels, strict=False):
        horizon = name in HORIZONS
        ax.scatter(
            levels.loc[rows["asset"], name], rows.index + (0.16 if horizon else -0.16), marker=mark,
            s=30, facecolor=style.CONTEXT if horizon else "white", edgecolor=style.CONTEXT,
            label=f"{name} close-out" if horizon else name, zorder=3,
        )  # fmt: skip
    look = {"s": 300, "linewidth": 2.2, "zorder": 4}
    ax.scatter(rows["today"], rows.index, marker="|", color="black", label="today", **look)
    ax.scatter(
        rows["recommended"], rows.index, marker="|", color=style.ACCENT, label="recommended", **look
    )
    ax.set_yticks(rows.index, rows["asset"])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlabel("liquidation threshold, percent of collateral value (band: 90 % interval)")
    ax.set_ylabel("asset")
    ax.grid(visible=False, axis="y")
    style.percent(ax.xaxis)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), markerscale=0.7, labelspacing=0.9)
    style.remark(
        figure,
        "horizons under a bar scaled from the day; lows and derived tokens modelled",
    )
    return figure
