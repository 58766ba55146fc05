"""Figures of speed: how many times as long the others take."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from xcoll.workbook.plots import style
from xcoll.workbook.tables import FORMATS

__all__ = ["faster", "fastest", "growth", "named", "ratio", "ratios", "sentences", "summary"]

OWN = "xcoll-workbook"  # another way of ours is shown, and is no peer


def ratio(value: float) -> str:
    """A ratio with at most three digits: 0.83×, 5.2×, 164×."""
    return (
        f"{value:.2f}×" if value < 0.995 else f"{value:.1f}×" if value < 9.95 else f"{value:,.0f}×"
    )


def fastest(timings: pd.DataFrame) -> pd.DataFrame:
    """For each case the installed peer that needs the least time, in the order of the table."""
    known = timings.dropna(subset=["peer"])
    return known.loc[known.groupby("case", sort=False)["peer"].idxmin()]


def faster(timings: pd.DataFrame) -> pd.DataFrame:
    """The rows in which the peer is the faster one."""
    return timings[timings["faster"] < 1.0]


def named(timings: pd.DataFrame) -> pd.Series:
    """Each peer with the version of its package."""
    return (timings["against"] + " (" + timings["version"] + ")").str.removesuffix(" ()")


def sentences(timings: pd.DataFrame) -> str:
    """One line a case: our time, and that of the fastest peer that is installed."""
    number = FORMATS["significant"]
    lines = [
        f"- {row.case}: {number(row.ours)} {row.unit}; {row.against}: {number(row.peer)} "
        f"{row.unit}, {ratio(row.faster)}"
        for row in fastest(timings).itertuples()
    ]
    return "\n".join(lines) or "No peer is installed; `make peers` installs them."


def summary(timings: pd.DataFrame) -> str:
    """What one subject's timings say, as the title of their figure."""
    best = fastest(timings[timings["package"] != OWN])
    if best.empty:
        return "No peer is installed"
    low, high = ratio(best["faster"].min()), ratio(best["faster"].max())
    much = low if low == high else f"{low} to {high}"
    return f"{best['subject'].iloc[0].capitalize()}: the fastest peer needs {much} our time"


def ratios(timings: pd.DataFrame, machine: str) -> Figure:
    """One bar a peer, grouped by case: time of the peer over ours, on a logarithmic axis.

    A bar to the left of one, in the accent, is a peer that is faster.  Peers that are not
    installed keep their place without a bar.
    """
    places, heads, y = [], [], 0.0
    for _, rows in timings.groupby("case", sort=False):
        heads.append((y, rows["case"].iloc[0], rows["size"].iloc[0]))
        places += [y + 1.0 + step for step in range(len(rows))]
        y = places[-1] + 1.6
    figure, (ax,) = style.figure(height=1.2 + 0.25 * y, width=8.0, title=summary(timings))
    known = timings["faster"].notna().to_numpy()
    value = timings["faster"].fillna(1.0).to_numpy()
    colours = np.where(value < 1.0, style.ACCENT, style.OKABE_ITO["blue"])
    ax.barh(places, value - 1.0, left=1.0, height=0.72, color=colours)
    ax.set_xscale("log")
    low, high = min(value.min(), 1.0), max(value.max(), 2.0)
    ax.set_xlim(low / (1.6 if low < 1.0 else 1.05), high * (high / low) ** 0.22)
    for place, here, there in zip(places, known, value, strict=True):
        text = ratio(there) if here else "not installed"
        ax.annotate(
            text,
            (max(there, 1.0), place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color="black" if here else style.CONTEXT,
        )
    for place, case, size in heads:
        ax.annotate(
            f"{case}, {size}",
            (0, place),
            (4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8,
            fontweight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0},
        )
    ax.set_yticks(places, named(timings))
    ax.set_ylim(y - 0.8, -0.7)
    ax.axvline(1.0, color="#4D4D4D", linewidth=0.8)
    ax.grid(visible=False, axis="y")
    steps = (1.0, 2.0, 5.0) if high / low < 50.0 else (1.0,)
    ax.xaxis.set_major_locator(LogLocator(subs=steps))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at:,g}×"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("time of the peer over ours (logarithmic; under 1× the peer is faster)")
    ax.set_ylabel("peer")
    style.remark(figure, machine)
    return figure


def growth(table: pd.DataFrame, machine: str) -> Figure:
    """Seconds over accounts and over steps on logarithmic axes, with lines of slope one.

    `table` is ``way``, ``over``, ``accounts``, ``steps``, ``seconds``.
    """
    slopes = []
    figure, axes = style.figure(1, 2, height=3.8)
    for ax, over in zip(axes, ("accounts", "steps"), strict=True):
        rows = table[table["over"] == over]
        for (way, line), hue in zip(
            rows.groupby("way", sort=False), (style.OKABE_ITO["blue"], style.ACCENT), strict=False
        ):
            x, y = line[over].to_numpy(dtype=float), line["seconds"].to_numpy()
            ax.plot(x, y, marker="o", ms=4, color=hue, label=way)
            ax.plot(x, y[-1] * x / x[-1], color=hue, linewidth=0.8, linestyle=":")
            slopes.append(np.polyfit(np.log(x), np.log(y), 1)[0])
        ax.set(xscale="log", yscale="log", xlabel=f"{over} (logarithmic)")
        ax.set_xticks(np.unique(rows[over]), minor=False)
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.tick_params(axis="x", rotation=45)
        fixed = "steps" if over == "accounts" else "accounts"
        sizes = " and ".join(f"{count:,}" for count in rows[fixed].unique())
        ax.set_title(f"{sizes} {fixed}", loc="left", fontsize=8.5)
    axes[0].set_ylabel("seconds (logarithmic)")
    axes[1].legend(loc="upper left")
    figure.suptitle(
        f"Cost grows no faster than the book: exponents {min(slopes):.2f} to {max(slopes):.2f}"
        if max(slopes) <= 1.05
        else f"Cost grows with exponents {min(slopes):.2f} to {max(slopes):.2f}",
        x=0.01,
        ha="left",
    )
    style.remark(figure, f"dotted: proportional; {machine}")
    return figure
