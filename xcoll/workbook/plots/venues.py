"""Figures of venues: what they publish beside ours, and what the difference is made of."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from xcoll.collateral.explanation import STEPS
from xcoll.workbook import words
from xcoll.workbook.plots import style
from xcoll.workbook.plots.haircuts import HATCHES
from xcoll.workbook.plots.haircuts import STEPS as PARTS

__all__ = ["explanation", "published"]

# The colours of the waterfall, where a step belongs to a part of it.
HUES = {
    "sale": PARTS["liquidity"],
    "falls": PARTS["market"],
    "horizon and confidence": style.OKABE_ITO["vermillion"],
    **{step: PARTS[step] for step in STEPS[3:]},
}
WORDS = {
    "sale": "sale (bonus)",
    "falls": "market: falls",
    "horizon and confidence": "market: horizon, confidence",
}
REMARK = "lows modelled, contract points and derived tokens assumed; dates of the two differ"


def _names(table: pd.DataFrame) -> list[str]:
    return [f"{row.token}, {words.name(row.venue)}" for row in table.itertuples()]


def published(table: pd.DataFrame) -> Figure:
    """Threshold and LTV of each listing beside ours and SmartLTV, one row a listing.

    `table` has venue, token, asset, ltv, published, ours and smart_ltv.
    """
    rows = table.sort_values(["asset", "published"], ascending=False).reset_index(drop=True)
    above = (rows["smart_ltv"] > rows["published"]).sum()
    title = f"SmartLTV lies above {above} of {len(rows)} published thresholds"
    figure, (ax,) = style.figure(height=1.5 + 0.3 * len(rows), title=title)
    ends = rows[["published", "ours"]]
    ax.hlines(rows.index, ends.min(axis=1), ends.max(axis=1), color="#D9D9D9", linewidth=3)
    looks = {
        "published": ("black", "|", 260, "published threshold"),
        "ltv": ("#4D4D4D", "x", 30, "published LTV"),
        "ours": (style.ACCENT, "D", 34, "our threshold"),
        "smart_ltv": (style.OKABE_ITO["blue"], "^", 30, "SmartLTV (cross-check)"),
    }
    for column, (hue, mark, size, label) in looks.items():
        ax.scatter(
            rows[column], rows.index, color=hue, marker=mark, s=size, zorder=3, label=label,
            linewidth=2 if mark == "|" else 1,
        )  # fmt: skip
    ax.set_yticks(rows.index, _names(rows))
    ax.set_ylim(-0.7, len(rows) - 0.3)
    ax.set_xlabel("share of the collateral's value, percent")
    ax.set_ylabel("token and venue")
    ax.grid(visible=False, axis="y")
    style.percent(ax.xaxis)
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4, markerscale=0.8)
    style.remark(figure, REMARK)
    return figure


def explanation(table: pd.DataFrame) -> Figure:
    """What makes a published threshold higher (right) or lower (left) than ours, in points.

    `table` has venue, token, difference and the columns `explanation.STEPS`, which sum to it.
    """
    rows = table.sort_values("difference").reset_index(drop=True)
    higher = (rows["difference"] > 0.0).sum()
    title = f"{higher} of {len(rows)} published thresholds are higher than ours"
    points = 100.0 * rows[list(STEPS)]
    figure, (ax,) = style.figure(height=1.7 + 0.32 * len(rows), title=title)
    right, left = np.zeros(len(rows)), np.zeros(len(rows))
    for step in STEPS:
        width = points[step].to_numpy()
        if np.abs(width).max() < 1e-9:  # percent points: a step that nobody takes
            continue
        start = np.where(width > 0.0, right, left)
        ax.barh(
            rows.index, width, left=start, height=0.7, color=HUES[step], edgecolor="white",
            hatch=HATCHES.get(step), label=WORDS.get(step, step),
        )  # fmt: skip
        right, left = right + np.maximum(width, 0.0), left + np.minimum(width, 0.0)
    total = 100.0 * rows["difference"]
    ax.scatter(
        total, rows.index, marker="D", s=30, color="white", edgecolor="black", zorder=4,
        label="published less ours",
    )  # fmt: skip
    for place, value in total.items():
        ax.annotate(
            f"{value:+.1f}".replace("-", "−"), (right[place], place), (5, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    ax.axvline(0.0, color="black", linewidth=0.8)
    ax.set_xlim(1.08 * left.min() - 1.0, 1.15 * right.max() + 1.0)
    ax.set_yticks(rows.index, _names(rows))
    ax.set_ylim(-0.7, len(rows) - 0.3)
    ax.set_xlabel("points of threshold: what the venue gives up (right) or adds (left)")
    ax.set_ylabel("token and venue")
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=4)
    style.remark(figure, REMARK)
    return figure
