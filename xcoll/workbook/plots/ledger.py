"""Figures of the ledger: parameters in force against their targets, and when alerts fired."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xcoll.collateral.recalibration.proposal import RISKIER
from xcoll.workbook.plots import style
from xcoll.workbook.tables import money

__all__ = ["fired", "paths"]

WORDS = {
    "threshold": ("thresholds", "lend more", "liquidation threshold, percent of the collateral"),
    "ltv": ("LTVs", "lend more", "LTV, percent of the collateral"),
    "bonus": ("bonuses", "pay less", "bonus, percent of the debt repaid"),
    "cap": ("caps", "let in more", "supply cap, dollars"),
}
COLUMNS, TICK = 4, 0.005
KINDS = {
    "correlation": style.OKABE_ITO["blue"],
    "coverage": style.OKABE_ITO["orange"],
    "toxic frontier": style.OKABE_ITO["vermillion"],
    "lag": style.OKABE_ITO["purple"],
    "data": style.OKABE_ITO["black"],
}


def paths(table: pd.DataFrame, parameter: str, alerts: pd.DataFrame) -> Figure:
    """One parameter of every asset over the entries, a panel an asset.

    Parameters
    ----------
    table : time, asset, value (in force), target, low, high and under_way, of one parameter.
    parameter : a key of `WORDS`.
    alerts : time and asset of what was new; a mark under the panel of that asset.
    """
    assets = list(dict.fromkeys(table["asset"]))
    columns = min(COLUMNS, len(assets))
    rows = -(-len(assets) // columns)
    height = 1.45 + 1.35 * rows
    with mpl.rc_context({"figure.constrained_layout.use": False}):  # small panels, all alike
        figure, axes = style.figure(rows, columns, height=height, title=_title(table, parameter))
    top, bottom = 1.0 - 0.65 / height, 0.75 / height
    figure.subplots_adjust(0.09, bottom, 0.98, top, wspace=0.32, hspace=0.5)
    first, end = table["time"].min(), _end(table["time"])
    for place, (ax, asset) in enumerate(zip(axes, assets, strict=False)):
        mine = table[table["asset"] == asset].sort_values("time")
        _panel(ax, mine, end, style.colour(asset))
        marks = alerts.loc[alerts["asset"] == asset, "time"]
        ax.plot(marks, np.full(len(marks), 0.04), transform=ax.get_xaxis_transform(), **_MARK)
        ax.set_title(asset, fontsize=9, pad=3, y=1.0)  # placed here, not searched for
        ax.set_xlim(first - 0.02 * (end - first), end)
        _scale(ax, parameter)
        ax.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        style.dates(ax.xaxis)
        ax.xaxis.set_major_locator(AutoDateLocator(minticks=2, maxticks=4))
        ax.xaxis.set_major_formatter(ConciseDateFormatter(ax.xaxis.get_major_locator()))
        ax.tick_params(labelsize=7, labelbottom=place + columns >= len(assets))
        ax.xaxis.get_offset_text().set_size(7)
    for ax in axes[len(assets) :]:
        ax.set_visible(False)
    ax = axes[0]
    handles = [
        ax.plot([], [], color="#4D4D4D")[0],
        ax.plot([], [], marker="o", ms=4, mfc="white", mec="#4D4D4D", ls="")[0],
        ax.fill_between([], [], [], color="#4D4D4D", alpha=0.15, linewidth=0),
        ax.plot([], [], **_MARK)[0],
    ]
    words = ["in force", "target", "interval or band in which it is left alone", "new alert"]
    figure.legend(handles, words, loc="lower left", ncols=4, fontsize=8)
    figure.supylabel(WORDS[parameter][2], x=0.005, fontsize=9)
    return figure


def fired(table: pd.DataFrame) -> Figure:
    """Alerts of each entry by kind: filled where new, open where they stood before.

    `table` has time, kind and new, a row an alert.
    """
    counts = table.groupby(["kind", "time", "new"]).size()
    figure, (ax,) = style.figure(height=2.6, title=_fired(table))
    for place, (kind, hue) in enumerate(KINDS.items()):
        for fresh, face in ((False, "white"), (True, hue)):
            mine = counts[counts.index.isin([(kind, t, fresh) for t in table["time"].unique()])]
            times = mine.index.get_level_values("time")
            up = np.full(len(mine), place + (0.14 if fresh else -0.14))
            ax.scatter(times, up, s=14 + 9 * np.sqrt(mine), facecolor=face, edgecolor=hue, zorder=3)
    ax.scatter([], [], s=30, facecolor="#4D4D4D", edgecolor="#4D4D4D", label="new")
    ax.scatter([], [], s=30, facecolor="white", edgecolor="#4D4D4D", label="standing")
    ax.set_yticks(range(len(KINDS)), KINDS)
    ax.set_ylim(len(KINDS) - 0.5, -0.5)
    ax.set_xlabel("date of the entry; the larger a mark, the more alerts")
    ax.set_ylabel("kind of alert")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    style.dates(ax.xaxis)
    return figure


_MARK = {"marker": "^", "ms": 5, "color": style.ACCENT, "ls": "", "clip_on": False, "zorder": 4}


def _end(times: pd.Series) -> pd.Timestamp:
    """A little after the last entry, so that what it put in force can be seen."""
    return times.max() + max(0.05 * (times.max() - times.min()), pd.Timedelta("1D"))


def _panel(ax: Axes, mine: pd.DataFrame, end: pd.Timestamp, hue: str) -> None:
    held = pd.concat([mine, mine.tail(1).assign(time=end)])
    ax.fill_between(
        held["time"], held["low"], held["high"], step="post", color=hue, alpha=0.15, linewidth=0
    )
    ax.plot(held["time"], held["value"], drawstyle="steps-post", color=hue)
    ax.plot(mine["time"], mine["target"], ls="", marker="o", ms=2.5, mfc="white", mec=hue, mew=0.8)


def _scale(ax: Axes, parameter: str) -> None:
    """Units of the axis, and a range in which a tick looks as small as it is."""
    low, high = ax.get_ylim()
    least = 0.5 * abs(low + high) if parameter == "cap" else 10.0 * TICK
    spare = max(0.5 * (least - (high - low)), 0.0)
    ax.set_ylim(max(low - spare, 0.0), high + spare)
    style.money(ax.yaxis) if parameter == "cap" else style.percent(ax.yaxis)


def _title(table: pd.DataFrame, parameter: str) -> str:
    last = table[table["time"] == table["time"].max()]
    lax = last[last["under_way"] & (RISKIER[parameter] * (last["value"] - last["target"]) > 0.0)]
    words, verb, _ = WORDS[parameter]
    if lax.empty:
        return f"None of {len(last)} {words} {verb} than its target asks for"
    gap = (lax["value"] - lax["target"]).abs()
    far = gap.max()
    by = money(far) if parameter == "cap" else f"{100 * far:.1f} points"
    whose = lax.loc[gap.idxmax(), "asset"]
    return f"{len(lax)} of {len(last)} {words} {verb} than their targets; {whose}'s by {by}"


def _fired(table: pd.DataFrame) -> str:
    fresh = table[table["new"]]
    if fresh.empty:
        return "No alert was new at any entry"
    kinds = fresh["kind"].value_counts()
    return f"{len(fresh)} new alerts at {fresh['time'].nunique()} entries, most of {kinds.index[0]}"
