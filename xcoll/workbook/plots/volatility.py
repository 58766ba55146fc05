"""Figures of volatility: its paths, where it stands now, which model forecasts it best."""

import itertools

import numpy as np
import pandas as pd
from matplotlib import dates as mdates
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from xcoll.workbook import words
from xcoll.workbook.plots import style
from xcoll.workbook.tables import percent

__all__ = ["EVENTS", "differences", "mark_events", "now", "paths", "survivors"]

HUES = ["sky", "blue", "orange", "vermillion"]  # two models without leverage, two with
SHADES = LinearSegmentedColormap.from_list("pale-sky", ["#EDF4FA", style.OKABE_ITO["sky"]])

# Days that readers of these markets know by name; press of the day.
EVENTS = {
    "March 2020": pd.Timestamp("2020-03-12"),
    "May 2021": pd.Timestamp("2021-05-19"),
    "Terra": pd.Timestamp("2022-05-09"),
    "FTX": pd.Timestamp("2022-11-08"),
    "USDC": pd.Timestamp("2023-03-11"),
}


def mark_events(ax: Axes, index: pd.DatetimeIndex, *, name: bool = False) -> None:
    """A thin line at each known event inside `index`, with its name above the axes if asked."""
    for event, day in EVENTS.items():
        if index[0] <= day <= index[-1]:
            ax.axvline(day, color="#BDBDBD", linewidth=0.7, zorder=0)
            if name:
                ax.annotate(
                    event,
                    (mdates.date2num(day), 1.005),
                    xycoords=("data", "axes fraction"),
                    fontsize=7.5,
                    color="#595959",
                    ha="center",
                    va="bottom",
                )


def paths(
    volatility: pd.DataFrame,
    benchmark: pd.DataFrame,
    stable: list[str],
    title: str,
    columns: int = 4,
) -> Figure:
    """Forecast volatility a year, one panel an asset, over the exponentially weighted one in grey.

    Both frames are time × asset and annualised.  The axes are logarithmic, and shared by all
    panels but those of the assets in `stable`, which have a scale of their own.
    """
    rows = -(-volatility.shape[1] // columns)
    figure, axes = style.figure(rows, columns, height=0.8 + 1.5 * rows, title=title)
    both = pd.concat([volatility, benchmark])
    calm = both.columns.isin(stable)
    limits = {
        group: (0.8 * part.min(axis=None), 1.25 * part.max(axis=None))
        for group, part in ((False, both.loc[:, ~calm]), (True, both.loc[:, calm]))
    }
    for ax, asset in zip(axes, volatility, strict=False):
        mark_events(ax, volatility.index)
        ax.plot(benchmark.index, benchmark[asset], color=style.CONTEXT, linewidth=0.8, zorder=2)
        ax.plot(
            volatility.index, volatility[asset], color=style.colour(asset), linewidth=1.0, zorder=3
        )
        ax.set_yscale("log")
        ax.set_ylim(limits[asset in stable])
        ax.set_title(f"{asset} (own scale)" if asset in stable else asset, fontsize=9)
        _percent_log(ax, ticks=[0.001, 0.01, 0.1, 1.0, 10.0] if asset in stable else None)
        ax.set_xlim(volatility.index[0], volatility.index[-1])
        ax.xaxis.set_major_locator(mdates.YearLocator())
        ax.xaxis.set_major_formatter(mdates.DateFormatter("%Y"))
    for ax in axes[volatility.shape[1] :]:
        ax.set_visible(False)
    for ax in axes[max(volatility.shape[1] - columns, 0) : volatility.shape[1]]:
        ax.set_xlabel("date")
    keys = [
        Line2D(
            [], [], color=style.OKABE_ITO["blue"], label="forecast handed over (asset's colour)"
        ),
        Line2D([], [], color=style.CONTEXT, label="exponential weights"),
        Line2D([], [], color="#BDBDBD", linewidth=0.7, label="in order: " + ", ".join(EVENTS)),
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=3)
    figure.supylabel("volatility a year, percent of price (log scale)", fontsize=9)
    return figure


def now(table: pd.DataFrame, title: str) -> Figure:
    """Volatility for the next bar by asset, with its interval.

    `table` has asset, volatility, low, high (all a year); assets without an interval are drawn
    hollow.
    """
    shown = table.sort_values("volatility", ignore_index=True)
    figure, (ax,) = style.figure(height=0.9 + 0.28 * len(shown), title=title)
    for row, item in shown.iterrows():
        known = np.isfinite(item["low"])
        hue = style.colour(item["asset"])
        if known:
            ax.plot([item["low"], item["high"]], [row, row], color=hue, linewidth=4, alpha=0.35)
        ax.plot(item["volatility"], row, "o", color=hue, markerfacecolor=hue if known else "white")
        ax.annotate(
            percent(item["volatility"], 0 if item["volatility"] > 0.05 else 1),
            (item["high"] if known else item["volatility"], row),
            xytext=(7, 0),
            textcoords="offset points",
            fontsize=8,
            va="center",
        )
    ax.set_xscale("log")
    _percent_log(ax, axis="x", ticks=[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0])
    ax.set_xlabel(
        "volatility a year for the next bar, with the interval of its parameters (log scale)"
    )
    ax.set_ylabel("asset")
    ax.set_yticks(range(len(shown)), shown["asset"])
    ax.grid(visible=False, axis="y")
    return figure


def differences(scores: pd.DataFrame, title: str) -> Figure:
    """Mean loss of each model less that of the benchmark, with intervals; left is better.

    `scores` has asset, model, difference, low, high; the axis is linear within 0.1 of zero and
    logarithmic beyond.
    """
    scored = scores.dropna(subset="difference")
    models = list(scored["model"].unique())
    hues = dict(zip(models, itertools.cycle(style.OKABE_ITO[name] for name in HUES), strict=False))
    assets = list(dict.fromkeys(scored["asset"]))
    figure, (ax,) = style.figure(height=1.2 + 0.42 * len(assets), title=title)
    ax.axvline(0.0, color="black", linewidth=0.8)
    shifts = zip(np.linspace(-0.27, 0.27, len(models)), models, itertools.cycle("osD^"))
    for shift, model, mark in shifts:
        part = scored[scored["model"] == model].set_index("asset").reindex(assets)
        rows = np.arange(len(assets))[::-1] - shift
        ax.hlines(rows, part["low"], part["high"], color=hues[model], linewidth=1.4)
        look = {"color": hues[model], "markersize": 4, "label": words.name(model)}
        ax.plot(part["difference"], rows, mark, **look)
    ax.set_xscale("symlog", linthresh=0.1, linscale=1.5)
    ax.xaxis.set_major_locator(FixedLocator([-100, -10, -1, -0.1, -0.05, 0, 0.05, 0.1, 1, 10, 100]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    ax.set_xlabel(
        "QLIKE less that of exponential weights, nats a bar (linear within ±0.1, then log); "
        "left of zero is better"
    )
    ax.set_ylabel("asset")
    ax.set_yticks(np.arange(len(assets))[::-1], assets)
    ax.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=len(models))
    return figure


def survivors(scores: pd.DataFrame, confidence: float, title: str) -> Figure:
    """Which models may be the best of each asset: the p-values of the model confidence set.

    `scores` has asset, model, score, p_set, included.  What is left out of the set at
    `confidence` is blank, the least mean loss framed.
    """
    grid, kept = (
        scores.pivot_table(value, "asset", "model", sort=False) for value in ("p_set", "included")
    )
    best = scores.loc[scores.groupby("asset", sort=False)["score"].idxmin()]
    figure, (ax,) = style.figure(height=1.4 + 0.27 * len(grid), title=title)
    shades = ax.pcolormesh(
        np.where(kept > 0.0, grid, np.nan), cmap=SHADES, vmin=0.0, vmax=1.0, edgecolor="white"
    )
    shades.set_linewidth(1.0)
    for row, asset in enumerate(grid.index):
        for column, model in enumerate(grid):
            alive = kept.loc[asset, model] > 0.0
            ax.text(
                column + 0.5,
                row + 0.5,
                f"{grid.loc[asset, model]:.2f}" if alive else "out",
                ha="center",
                va="center",
                fontsize=8,
                color="black" if alive else "#8C8C8C",
            )
    for asset, model in zip(best["asset"], best["model"], strict=True):
        corner = (grid.columns.get_loc(model), grid.index.get_loc(asset))
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="black", linewidth=1.4))
    ax.set_xticks(np.arange(grid.shape[1]) + 0.5, map(words.name, grid.columns))
    ax.set_yticks(np.arange(len(grid)) + 0.5, grid.index)
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.set_ylabel("asset")
    ax.set_xlabel(
        f"model: p-value of its place in the {percent(confidence, 0)} confidence set; "
        "framed: the least mean QLIKE"
    )
    return figure


def _percent_log(ax: Axes, axis: str = "y", ticks: list[float] | None = None) -> None:
    line = getattr(ax, f"{axis}axis")
    line.set_major_locator(FixedLocator(ticks or [0.2, 1.0, 5.0, 20.0, 100.0]))
    line.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:,.10g} %"))
    line.set_minor_locator(NullLocator())
