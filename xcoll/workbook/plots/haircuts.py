"""Figures of the haircuts: waterfall, now and over time, intervals, debt pairs."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from xcoll.workbook.plots import style
from xcoll.workbook.tables import percent

__all__ = ["HATCHES", "STEPS", "debt_pairs", "intervals", "waterfall", "waterfall_path"]

STEPS = {
    "market": style.OKABE_ITO["blue"],
    "liquidity": style.OKABE_ITO["sky"],
    "oracle": style.OKABE_ITO["orange"],
    "basis": style.OKABE_ITO["purple"],
    "contract": style.OKABE_ITO["green"],
    "anti-procyclical": "#595959",
    "rounding": "#BDBDBD",
}
# Neighbours whose colours some readers, and grey prints, cannot tell apart.
HATCHES = {"basis": "////", "oracle": "...."}
CALM = "#A6A6A6"
HORIZON_MARKS = {"1h": "o", "4h": "s", "24h": "D"}


def waterfall(shares: pd.DataFrame, title: str) -> Figure:
    """Stacked bars of the haircut's steps, one an asset, largest at the top.

    `shares` is asset × step; the steps of an asset sum to its haircut.
    """
    wide = shares.loc[shares.sum(axis=1).sort_values(kind="stable").index]
    wide = wide[[step for step in STEPS if step in wide]]
    figure, (ax,) = style.figure(height=1.2 + 0.3 * len(wide), title=title)
    left = np.zeros(len(wide))
    for part in wide:
        look = {"color": STEPS[part], "edgecolor": "white", "hatch": HATCHES.get(part)}
        ax.barh(wide.index, wide[part], left=left, height=0.7, label=part, **look)
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
    ax.set_ylabel("asset")
    ax.grid(visible=False, axis="y")
    style.percent(ax.xaxis)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    style.remark(
        figure,
        "lows and derived tokens modelled, contract points assumed; scaled under a bar",
    )
    return figure


def intervals(parameters: pd.DataFrame, plan: pd.DataFrame, published: pd.Series) -> Figure:
    """Threshold by asset at each horizon with its interval, and a venue's published threshold.

    `parameters` is asset × horizon with threshold, threshold_low and threshold_high; `plan` has the
    horizon that covers each asset's close-out, drawn in the accent; `published` is by asset.
    """
    covering = parameters.loc[list(zip(plan.index, plan["horizon"], strict=True))]
    place = {asset: row for row, (asset, _) in enumerate(covering["threshold"].sort_values().index)}
    own = covering.droplevel("horizon").loc[published.index]
    inside = published.between(own["threshold_low"], own["threshold_high"]).sum()
    title = f"{published.name} is inside our interval for {inside} of {len(published)} assets"
    figure, (ax,) = style.figure(height=1.4 + 0.36 * len(place), title=title)
    for offset, (horizon, mark) in zip((0.24, 0.0, -0.24), HORIZON_MARKS.items(), strict=True):
        rows = parameters.xs(horizon, level="horizon")
        y = rows.index.map(place) + offset
        hues = [style.ACCENT if plan.loc[a, "horizon"] == horizon else CALM for a in rows.index]
        ax.hlines(y, rows["threshold_low"], rows["threshold_high"], color=hues, linewidth=1.5)
        ax.scatter(rows["threshold"], y, marker=mark, color=hues, s=20, zorder=3)
        ax.scatter([], [], marker=mark, color=CALM, s=20, label=f"{horizon} close-out")
    ax.scatter([], [], marker="o", color=style.ACCENT, s=20, label="covers the close-out")
    rows = [place[asset] for asset in published.index]
    look = {"marker": "|", "s": 420, "linewidth": 2, "color": "black", "zorder": 4}
    ax.scatter(published, rows, label=published.name, **look)
    ax.set_yticks(range(len(place)), list(place))
    ax.set_ylim(-0.6, len(place) - 0.4)
    ax.set_xlabel("liquidation threshold, percent of collateral value (line: 90 % interval)")
    ax.set_ylabel("asset")
    ax.grid(visible=False, axis="y")
    style.percent(ax.xaxis)
    ax.legend(loc="upper left", markerscale=0.8)
    style.remark(
        figure, "horizons under a bar scaled from the day; lows and derived tokens modelled"
    )
    return figure


def waterfall_path(steps: pd.DataFrame, asset: str) -> Figure:
    """One asset's steps over time, stacked to its haircut; `steps` is time × step."""
    total, swing = steps.sum(axis=1), steps["market"].max() / steps["market"].min()
    title = (
        f"{asset}'s market part moved by a factor of {swing:.1f}, its haircut between "
        f"{percent(total.min(), 0)} and {percent(total.max(), 0)}"
    )
    wide = steps[[step for step in STEPS if step in steps and (steps[step] > 0.0).any()]]
    figure, (ax,) = style.figure(height=3.6, title=title)
    ax.stackplot(
        wide.index, wide.to_numpy().T, labels=list(wide), colors=[STEPS[step] for step in wide],
        step="post", linewidth=0.0,
    )  # fmt: skip
    ax.set_xlim(wide.index[0], wide.index[-1])
    ax.set_xlabel("date of the calibration (UTC)")
    ax.set_ylabel(f"haircut of {asset}, percent of the price")
    style.dates(ax.xaxis)
    style.percent(ax.yaxis)
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1.0, 0.5))
    style.remark(figure, "lows modelled, contract points assumed; scaled under a bar")
    return figure


def debt_pairs(thresholds: pd.DataFrame, title: str) -> Figure:
    """Heat map of LT_ij: collateral in rows, debt in columns; the diagonal is empty."""
    figure, (ax,) = style.figure(height=0.9 + 0.32 * len(thresholds), title=title)
    sns.heatmap(
        thresholds.astype(float),
        ax=ax,
        cmap="cividis",
        annot=(100 * thresholds).round(1),
        fmt=".1f",
        linewidths=0.5,
        cbar_kws={"label": "threshold, percent of collateral value", "format": "{x:.0%}"},
    )
    ax.grid(visible=False)
    ax.set_xlabel("debt asset (numbers: percent)")
    ax.set_ylabel("collateral asset")
    ax.tick_params(axis="y", rotation=0)
    style.remark(figure, "lows of the ratios modelled; scaled where the horizon is under a bar")
    return figure
