"""Figures of the haircuts: waterfall, intervals, dynamic path, excursion choices, debt pairs."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from xcoll.workbook.plots import style

__all__ = ["choices", "debt_pairs", "intervals", "path", "waterfall"]

STEPS = {
    "market": style.OKABE_ITO["blue"],
    "liquidity": style.OKABE_ITO["sky"],
    "oracle": style.OKABE_ITO["orange"],
    "basis": style.OKABE_ITO["purple"],
    "contract": style.OKABE_ITO["green"],
    "anti-procyclical": style.OKABE_ITO["black"],
    "rounding": style.CONTEXT,
}
HORIZON_MARKS = {"1h": "o", "4h": "s", "24h": "D"}


def waterfall(shares: pd.DataFrame, title: str, note: str = "") -> Figure:
    """Stacked bars of the haircut's steps, one an asset, largest at the top.

    `shares` is asset × step; the steps of an asset sum to its haircut.
    """
    wide = shares.loc[shares.sum(axis=1).sort_values(kind="stable").index]
    figure, (ax,) = style.figure(height=0.8 + 0.3 * len(wide), title=title)
    left = np.zeros(len(wide))
    for part in wide:
        ax.barh(wide.index, wide[part], left=left, color=STEPS[part], height=0.7, label=part)
        left = left + wide[part].to_numpy()
    for row, total in enumerate(left):
        ax.annotate(
            f"{100 * total:.1f} %",
            (total, row),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    ax.set_xlim(0.0, 1.12 * left.max())
    ax.set_xlabel("haircut, percent of the price")
    ax.grid(visible=False, axis="y")
    style.percent(ax.xaxis)
    ax.legend(ncols=1, loc="lower right", bbox_to_anchor=(1.0, 0.06 if note else 0.0))
    if note:
        style.note(ax, note)
    return figure


def intervals(parameters: pd.DataFrame, published: pd.Series, title: str, note: str = "") -> Figure:
    """Threshold by asset at each horizon with its interval, and a venue's published threshold.

    `parameters`: asset, horizon, threshold, threshold_low, threshold_high, covering (the horizon
    that covers the close-out, drawn in the accent); `published` is by asset.
    """
    order = parameters.loc[parameters["covering"]].sort_values("threshold", kind="stable")["asset"]
    place = {asset: row for row, asset in enumerate(order)}
    figure, (ax,) = style.figure(height=1.2 + 0.36 * len(place), title=title)
    for (horizon, covering), rows in parameters.groupby(["horizon", "covering"], sort=False):
        y = rows["asset"].map(place) + 0.22 * (1 - list(HORIZON_MARKS).index(horizon))
        hue = style.ACCENT if covering else style.CONTEXT
        ax.hlines(
            y, rows["threshold_low"], rows["threshold_high"], color=hue, linewidth=2.2, alpha=0.45
        )
        ax.scatter(rows["threshold"], y, marker=HORIZON_MARKS[horizon], color=hue, s=22, zorder=3)
    known = published[published.index.isin(place)]
    ax.scatter(
        known,
        [place[a] for a in known.index],
        marker="|",
        s=420,
        linewidth=2,
        color="black",
        zorder=4,
    )
    for horizon, mark in HORIZON_MARKS.items():
        ax.scatter([], [], marker=mark, color=style.CONTEXT, s=22, label=f"{horizon} close-out")
    ax.scatter(
        [], [], marker="s", color=style.ACCENT, s=22, label="horizon that covers the close-out"
    )
    ax.scatter([], [], marker="|", s=120, linewidth=2, color="black", label=published.name)
    ax.set_yticks(range(len(place)), list(place))
    ax.set_xlabel("liquidation threshold, percent of collateral value (bar: bootstrap interval)")
    ax.grid(visible=False, axis="y")
    style.percent(ax.xaxis)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=5)
    if note:
        style.note(ax, note)
    return figure


def path(
    raw: pd.DataFrame, posted: pd.DataFrame, assets: list[str], title: str, note: str = ""
) -> Figure:
    """Dynamic haircut of a few assets: raw in grey, posted with the buffer in colour."""
    figure, axes = style.figure(1, len(assets), height=3.2, share=True, title=title)
    for ax, asset in zip(axes, assets, strict=True):
        ax.plot(raw.index, raw[asset], color=style.CONTEXT, linewidth=0.8, label="raw")
        ax.plot(posted.index, posted[asset], color=style.colour(asset), label="posted")
        ax.set_title(asset)
        ax.set_ylim(bottom=0.0)
        ax.legend(loc="upper right")
        style.dates(ax.xaxis)
    axes[0].set_ylabel("haircut, percent of the price")
    style.percent(axes[0].yaxis)
    for ax in axes:
        ax.set_xlabel("date (UTC)")
    if note:
        style.note(axes[-1], note)
    return figure


def choices(haircuts: pd.DataFrame, chosen: str, title: str, note: str = "") -> Figure:
    """Haircut by asset under each excursion method; `haircuts` is asset × method."""
    wide = haircuts.sort_values(chosen, kind="stable")
    marks = dict(zip(wide.columns, "oDs^v", strict=False))
    figure, (ax,) = style.figure(height=1.0 + 0.28 * len(wide), title=title)
    ax.hlines(wide.index, wide.min(axis=1), wide.max(axis=1), color="#D9D9D9", linewidth=2)
    for method in wide:
        hue = style.ACCENT if method == chosen else style.CONTEXT
        known = wide[method].dropna()
        ax.scatter(
            known, known.index, marker=marks[method], color=hue, s=28, zorder=3, label=method
        )
    ax.set_xlabel("haircut, percent of the price")
    ax.grid(visible=False, axis="y")
    style.percent(ax.xaxis)
    ax.legend(loc="lower right", title="low inside the bar", bbox_to_anchor=(1.0, 0.07))
    if note:
        style.note(ax, note)
    return figure


def debt_pairs(thresholds: pd.DataFrame, title: str, note: str = "") -> Figure:
    """Heat map of LT_ij: collateral in rows, debt in columns; the diagonal is empty."""
    figure, ax = plt.subplots(figsize=(9.0, 0.9 + 0.32 * len(thresholds)))
    figure.suptitle(title, x=0.01, ha="left")
    sns.heatmap(
        thresholds.astype(float),
        ax=ax,
        cmap="cividis",
        annot=(100 * thresholds).round(1),
        fmt=".1f",
        linewidths=0.5,
        cbar_kws={"label": "threshold LT_ij, fraction of collateral value"},
    )
    ax.set_xlabel("debt asset (annotated: percent)")
    ax.set_ylabel("collateral asset")
    ax.tick_params(axis="y", rotation=0)
    if note:
        ax.annotate(
            note, (1.0, -0.18), xycoords="axes fraction", ha="right", fontsize=7.5, style="italic"
        )
    return figure
