"""Figures of the calibration report."""

import pandas as pd
from matplotlib.figure import Figure

from xcoll.workbook.plots import style

__all__ = ["readings"]

MARKS = {"1h": "o", "4h": "s", "24h": "D"}


def readings(levels: pd.DataFrame, recommendation: pd.DataFrame, title: str) -> Figure:
    """Threshold of each listed asset under other horizons and losses, beside today's.

    `levels` is asset × reading ("4h", "4h (all bars)" …); `recommendation` has asset, today,
    recommended, low and high.
    """
    rows = recommendation.sort_values("recommended").reset_index(drop=True)
    figure, (ax,) = style.figure(height=1.4 + 0.5 * len(rows), title=title)
    for y, row in rows.iterrows():
        ax.hlines(y, row["low"], row["high"], color=style.ACCENT, linewidth=5, alpha=0.25)
    for horizon, mark in MARKS.items():
        for shift, suffix, face in ((0.16, "", style.CONTEXT), (-0.16, " (all bars)", "white")):
            x = levels.loc[rows["asset"], horizon + suffix]
            ax.scatter(
                x, rows.index + shift, marker=mark, s=30, facecolor=face, edgecolor=style.CONTEXT,
                label=f"{horizon}{suffix or ' (after a fall)'}", zorder=3,
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
