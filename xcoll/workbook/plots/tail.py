"""Figures of tail risk: forecasts against losses, coverage, excursion choices, close-out loss.

Each title is the figure's answer, made from the table that is drawn.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from xcoll.estimators.tail.shortfall import Trigger
from xcoll.workbook import words
from xcoll.workbook.plots import style
from xcoll.workbook.tables import percent

__all__ = [
    "after_fall",
    "against_truth",
    "close_out",
    "coverage",
    "exceedances",
    "excursions",
    "ranking",
]

# Columns that a page has room for, and their formats.
TESTS = {
    "asset": "text",
    "n": "whole",
    "exceedances": "whole",
    "kupiec_p": "number",
    "kupiec_mc": "number",
    "conditional_mc": "number",
    "duration_mc": "number",
    "dynamic_quantile_mc": "number",
    "mcneil_frey_mc": "number",
    "z2": "number",
    "z2_mc": "number",
    "costanzino_curran_mc": "number",
    "nolde_ziegel_mc": "number",
    "traffic_light": "text",
}
RANKING = {
    "method": "text",
    "rejected": "whole",
    "rejected_es": "whole",
    "hit_ratio": "number",
    "es_ratio": "number",
    "fz0": "number",
    "dm_p": "number",
    "in_set": "whole",
    "fall_ratio": "number",
    "fall_p": "number",
    "why": "text",
}
CLOSE_OUT = {
    "asset": "text",
    "es": "percent",
    "es_low": "percent",
    "es_high": "percent",
    "es_raw": "percent",
    "es_trigger": "percent",
    "error": "percent2",
    "matched_share": "percent",
    "beyond": "significant",
    "confidence_used": "percent",
    "method": "text",
}
AHEAD = {
    "asset": "text",
    "es": "percent2",
    "error": "percent2",
    "var": "percent2",
    "root": "percent2",
}
LINES = (style.OKABE_ITO["blue"], style.OKABE_ITO["sky"])  # the marked method, the other
CHOICES = {
    "close": ("s", style.CONTEXT),
    "bridge": ("^", style.OKABE_ITO["sky"]),
    "matched": ("D", style.OKABE_ITO["orange"]),
    "donor": ("o", style.OKABE_ITO["blue"]),
    "donor, corrected": ("o", style.ACCENT),
    "matched, corrected": ("D", style.ACCENT),
}
HORIZONS = {"1h": "v", "4h": "s", "24h": "o"}


def exceedances(forecasts: pd.DataFrame, assets: list[str]) -> Figure:
    """Realised losses, the VaR of each method, and the losses above the best method's VaR.

    `forecasts` is long (time, asset, method, var, realised) at one level, loss and horizon, of two
    methods, the first the one whose exceedances are marked.  Bars that both forecast are drawn.
    """
    methods = list(dict.fromkeys(forecasts["method"]))
    made = forecasts.groupby(["asset", "time"])["method"].transform("size")
    forecasts = forecasts[made == len(methods)]
    share = {}
    for method, rows in forecasts.groupby("method"):
        known = rows.dropna(subset=["realised"])
        share[method] = (known["realised"] > known["var"]).mean()
    level = 1.0 - forecasts["confidence"].iloc[0]
    said = " and ".join(f"{percent(share[method])} ({words.name(method)})" for method in methods)
    title = f"Losses exceed the VaR on {said} of all bars, where {percent(level)} is promised"
    figure, axes = style.figure(
        len(assets), height=0.6 + 1.55 * len(assets), share=True, title=title
    )
    for ax, asset in zip(axes, assets, strict=True):
        rows = forecasts[forecasts["asset"] == asset]
        var = rows.pivot_table(index="time", columns="method", values="var")
        lost = rows.groupby("time")["realised"].first()
        hit = lost > var[methods[0]]
        ax.vlines(lost.index, 0.0, lost, color="#C9C9C9", linewidth=0.7)
        for method, hue in zip(methods, LINES, strict=True):
            ax.plot(var.index, var[method], color=hue, linewidth=1.1, label=words.name(method))
        ax.scatter(
            lost.index[hit],
            lost[hit],
            color=style.ACCENT,
            s=14,
            zorder=4,
            linewidths=0,
            label=f"above the VaR, {words.name(methods[0])}",
        )
        judged = (var[methods[0]].notna() & lost.notna()).sum()
        ax.set_title(f"{asset}: {hit.sum()} of {judged:,} bars", fontsize=9)
        style.percent(ax.yaxis)
    axes[0].set_ylim(bottom=0.0)
    axes[0].legend(ncols=3, loc="upper right")
    style.dates(axes[-1].xaxis)
    axes[-1].set_xlabel("bar at whose close the forecast was made")
    figure.supylabel("loss to the lowest print (lows modelled), percent", fontsize=9)
    return figure


def coverage(table: pd.DataFrame) -> Figure:
    """Exceedances and tail losses over what was promised, asset × method, crosses where rejected.

    `table` holds the rows of `evaluation.coverage` of one sample, loss, level and horizon.
    """
    failed = (table["conditional_mc"] < 0.05).groupby(table["method"]).sum().sort_values()
    ratio = table["exceedances"] / table["expected"]
    order = ratio.groupby(table["method"]).mean().sub(1.0).abs().sort_values().index
    n = table["asset"].nunique()
    title = (
        f"Coverage is rejected for {failed.iloc[0]} of {n} series with the method "
        f"“{words.name(failed.index[0])}”, for {failed.iloc[-1]} with "
        f"“{words.name(failed.index[-1])}”; chance rejects {percent(0.05, 0)}"
    )
    figure, axes = style.figure(1, 2, height=2.1 + 0.27 * n, share=True, title=title)
    panels = {
        "exceedances over promised": (ratio, "conditional_mc"),
        "tail loss over promised ES": (1.0 - table["z2"], "z2_mc"),
    }
    level = percent(table["confidence"].iloc[0])
    for ax, (name, (values, test)) in zip(axes, panels.items(), strict=True):
        wide = table.assign(value=values).pivot_table(
            index="asset", columns="method", values="value"
        )
        wide = wide.reindex(list(dict.fromkeys(table["asset"])))[order]
        p_value = table.pivot_table(index="asset", columns="method", values=test, dropna=False)
        shown = np.log2(wide.clip(lower=0.25, upper=4.0))
        image = ax.imshow(shown, cmap=style.DIVERGING, vmin=-2.0, vmax=2.0, aspect="auto")
        for (row, column), value in np.ndenumerate(wide.to_numpy()):
            rejected = p_value.loc[wide.index[row], wide.columns[column]] < 0.05
            ax.text(
                column,
                row,
                "–" if np.isnan(value) else f"{value:.1f}{'×' if rejected else ''}",
                ha="center",
                va="center",
                fontsize=6.8,
                fontweight="bold" if rejected else "normal",
                color="white" if abs(shown.iloc[row, column]) > 1.3 else "black",
            )
        ax.set_title(f"{name}, {level}", fontsize=9)
        names = [words.name(name) for name in order]
        ax.set_xticks(range(len(order)), names, rotation=35, ha="right", fontsize=7.5)
        ax.tick_params(length=0)
        ax.set_xlabel("method")
        ax.grid(visible=False)
    axes[0].set_yticks(range(n), wide.index)
    axes[0].set_ylabel("series")
    bar = figure.colorbar(image, ax=axes, shrink=0.8, ticks=[-2, -1, 0, 1, 2])
    bar.ax.set_yticklabels(["¼", "½", "1", "2", "4"], fontsize=8)
    bar.set_label("ratio (grey: as promised)", fontsize=8)
    style.remark(figure, "× rejected at 5 %, Monte Carlo; – no forecast; lows modelled")
    return figure


def ranking(table: pd.DataFrame) -> Figure:
    """Score behind the best and exceedances over promised, all bars and after a fall, by method.

    `table` holds the rows of `evaluation.ranking` of one loss, level and horizon.
    """
    rows = table.sort_values("rank", ascending=False, ignore_index=True)
    used = rows.loc[rows["used"], "method"].iloc[0]
    behind = rows["fz0"] - rows["fz0"].min()
    apart = (rows["dm_p"] < 0.05).sum()
    fell = rows.loc[rows["used"], "fall_ratio"].iloc[0]
    title = (
        f"“{words.name(used)}” is used: {apart} of {len(rows)} methods score worse beyond chance, "
        f"and after a fall it fails {fell:.1f} times as often as promised"
    )
    figure, (left, right) = style.figure(1, 2, height=1.2 + 0.27 * len(rows), title=title)
    y = np.arange(len(rows))
    hues = [style.ACCENT if name == used else style.OKABE_ITO["blue"] for name in rows["method"]]
    left.hlines(y, 0.0, behind, color=hues, linewidth=1.6)
    left.scatter(behind, y, color=hues, s=26, zorder=3, linewidths=0)
    for place, row in rows.iterrows():
        p = "" if pd.isna(row["dm_p"]) else f", p {row['dm_p']:.2f}"
        known = "" if pd.isna(row["in_set"]) else f"in {row['in_set']:.0f} of {row['assets']} sets"
        left.annotate(
            f"  {known}{p}", (behind[place], place), fontsize=7, va="center", color="#4D4D4D"
        )
    left.set_yticks(y, rows["method"].map(words.name))
    left.set_ylabel("method, best score on top")
    left.set_xlim(-0.02 * max(behind.max(), 0.01), 1.6 * max(behind.max(), 0.01))
    left.set_xlabel("mean FZ0 score above the best (p: Diebold–Mariano)")
    looks = {"hit_ratio": ("o", "all bars", 1.0), "fall_ratio": ("D", "after a fall", 0.55)}
    for column, (marker, label, alpha) in looks.items():
        right.scatter(rows[column], y, marker=marker, color=hues, s=26, alpha=alpha, linewidths=0)
        right.scatter([], [], marker=marker, color="#4D4D4D", s=26, alpha=alpha, label=label)
    right.axvline(1.0, color="#4D4D4D", linewidth=0.9)
    right.set_xlim(left=0.0)
    right.set_yticks(y, [])
    right.set_xlabel(f"exceedances of the {percent(rows['confidence'].iloc[0])} VaR over promised")
    right.legend(loc="upper right")
    for ax in (left, right):
        ax.grid(visible=False, axis="y")
    style.remark(figure, "sets: model confidence sets at 10 %, one an asset; lows modelled")
    return figure


def excursions(table: pd.DataFrame) -> Figure:
    """ES of the close-out loss by asset and excursion choice, with bootstrap intervals.

    `table`: asset, choice (a key of `CHOICES`), es, es_low, es_high.
    """
    order = table[table["choice"] == "donor"].sort_values("es", kind="stable")["asset"].tolist()
    es = table.pivot_table(index="asset", columns="choice", values="es")
    missed = 1.0 - es["close"] / es["donor, corrected"]
    span = f"{percent(missed.min(), 0)} to {percent(missed.max(), 0)}"
    title = f"Closes alone miss {span} of the loss that the donor finds"
    figure, (ax,) = style.figure(height=1.2 + 0.42 * len(order), title=title)
    choices = [choice for choice in CHOICES if choice in set(table["choice"])]
    for step, choice in enumerate(choices):
        marker, hue = CHOICES[choice]
        rows = table[table["choice"] == choice].set_index("asset").loc[order]
        y = np.arange(len(order)) + 0.17 * (step - (len(choices) - 1) / 2)
        ax.hlines(y, rows["es_low"], rows["es_high"], color=hue, linewidth=1.3, alpha=0.55)
        ax.scatter(
            rows["es"], y, marker=marker, color=hue, s=22, linewidths=0, zorder=3, label=choice
        )
    ax.set_yticks(range(len(order)), order)
    ax.set_ylabel("asset")
    ax.set_xlabel("ES of the loss to the lowest print within a bar, percent (bars: 90 % interval)")
    style.percent(ax.xaxis)
    ax.set_xlim(left=0.0)
    ax.grid(visible=False, axis="y")
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], loc="lower right", bbox_to_anchor=(1.0, 0.04))
    style.note(ax, "every low but the donor's own is modelled")
    return figure


def against_truth(table: pd.DataFrame, asset: str) -> Figure:
    """ES by excursion choice over the true ES, judged on each half, with intervals.

    `table`: half, choice, ratio, low, high; the band is 0.90 to 1.10.
    """
    if table.empty:
        figure, (ax,) = style.figure(
            height=1.0, title=f"{asset} has too few known lows to judge by"
        )
        ax.set_axis_off()
        return figure
    halves = list(dict.fromkeys(table["half"]))
    mean = table.groupby("choice")["ratio"].mean()
    title = (
        f"On {asset} closes reach {percent(mean['close'], 0)} of the true loss, the bridge "
        f"{percent(mean['bridge'], 0)}, matched draws {percent(mean['matched'], 0)}"
    )
    figure, axes = style.figure(1, len(halves), height=2.6, share=True, title=title)
    choices = [choice for choice in CHOICES if choice in set(table["choice"])]
    for ax, half in zip(axes, halves, strict=True):
        rows = table[table["half"] == half].set_index("choice").loc[choices]
        ax.axvspan(0.90, 1.10, color="#ECECEC", zorder=0)
        ax.axvline(1.0, color="#4D4D4D", linewidth=0.9)
        for place, (choice, row) in enumerate(rows.iterrows()):
            marker, hue = CHOICES[choice]
            ax.hlines(place, row["low"], row["high"], color=hue, linewidth=2.0, alpha=0.55)
            ax.scatter(row["ratio"], place, marker=marker, color=hue, s=34, linewidths=0, zorder=3)
        ax.set_title(half, fontsize=9)
        ax.set_xlabel("ES over the true ES, ratio (bars: 90 % interval)")
        ax.grid(visible=False, axis="y")
    axes[0].set_yticks(range(len(choices)), choices)
    axes[0].set_ylabel("low inside the bar")
    axes[0].set_ylim(-1.0, len(choices) - 0.4)
    level = table["confidence"].min()
    style.note(axes[-1], f"ES {percent(level)} of the loss to the lowest print; draws modelled")
    return figure


def after_fall(losses: pd.DataFrame, fell: pd.DataFrame, trigger: Trigger) -> Figure:
    """Survival functions of the losses of all bars and of bars after a fall, in units of σ.

    `losses` and `fell` (booleans) are time × asset; the ES of `trigger` are drawn as lines.
    """
    sample, fall = losses.to_numpy(), fell.to_numpy()
    every, after = sample[np.isfinite(sample)], sample[np.isfinite(sample) & fall]
    marks = trigger.es_all, trigger.es_after
    title = (
        f"After a fall the ES {percent(trigger.confidence)} of the next bar is "
        f"{trigger.multiplier:.2f} times that of all bars"
    )
    figure, (ax,) = style.figure(height=3.4, title=title)
    looks = {"all bars": (every, style.CONTEXT), "after a fall": (after, style.ACCENT)}
    for (label, (sample, hue)), mark in zip(looks.items(), marks, strict=True):
        ordered = np.sort(sample)
        share = 1.0 - np.arange(len(ordered)) / len(ordered)
        ax.step(ordered, share, where="post", color=hue, label=f"{label} ({len(ordered):,} bars)")
        ax.axvline(mark, color=hue, linewidth=1.0, linestyle=(0, (2, 2)))
        ax.annotate(
            f" ES {mark:.2f} σ",
            (mark, 0.93 if hue == style.ACCENT else 0.83),
            xycoords=("data", "axes fraction"),
            color=hue,
            fontsize=8,
        )
    ax.set_yscale("log")
    ax.set_xlim(left=0.0)
    ax.set_ylim(bottom=0.2 / len(every))
    ax.set_xlabel("loss to the lowest print of the next bar, in units of the asset's long-run σ")
    ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    ax.set_ylabel("bars that lose more, percent (log scale)")
    ax.legend(loc="lower left")
    style.note(ax, "lows modelled")
    return figure


def close_out(table: pd.DataFrame) -> Figure:
    """ES of the close-out loss by asset and horizon; hollow where scaled, a tick after a fall.

    `table`: asset, horizon, es, es_low, es_high, es_trigger, scaled.
    """
    day = table[table["horizon"] == "24h"].sort_values("es", kind="stable")
    middle = table[table["method"] == "historical"].groupby("horizon")["es"].median()
    title = (
        f"A close-out within an hour risks {percent(middle['1h'], 0)}, within a day "
        f"{percent(middle['24h'], 0)} (median asset, ES {percent(table['confidence'].iloc[0])})"
    )
    order = day["asset"].tolist()
    figure, (ax,) = style.figure(height=1.4 + 0.36 * len(order), title=title)
    hues = dict(zip(HORIZONS, ("sky", "blue", "black"), strict=True))
    for step, (horizon, marker) in enumerate(HORIZONS.items()):
        rows = table[table["horizon"] == horizon].set_index("asset").loc[order]
        hue = style.OKABE_ITO[hues[horizon]]
        y = np.arange(len(order)) + 0.24 * (1 - step)
        ax.hlines(y, rows["es_low"], rows["es_high"], color=hue, linewidth=1.6, alpha=0.5)
        scaled = rows["scaled"].to_numpy()
        for hollow in (True, False):
            ax.scatter(
                rows["es"][scaled == hollow],
                y[scaled == hollow],
                marker=marker,
                s=24,
                facecolors="white" if hollow else hue,
                edgecolors=hue,
                zorder=3,
            )
        ax.scatter(rows["es_trigger"], y, marker="|", s=70, color=style.ACCENT, zorder=4)
        ax.scatter([], [], marker=marker, s=24, color=hue, label=f"{horizon} close-out")
    ax.scatter([], [], marker="o", facecolors="white", edgecolors="black", s=24, label="scaled")
    ax.scatter([], [], marker="|", s=70, color=style.ACCENT, label="after a fall")
    handles, _ = ax.get_legend_handles_labels()
    handles.append(Patch(color=style.CONTEXT, alpha=0.5, label="90 % interval"))
    ax.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 0.05))
    ax.set_yticks(range(len(order)), order)
    ax.set_ylabel("asset")
    ax.set_xlabel("ES of the loss to the lowest print, percent of the price")
    style.percent(ax.xaxis)
    ax.set_xlim(left=0.0)
    ax.grid(visible=False, axis="y")
    style.note(ax, "lows and depegs modelled; hollow marks scaled from the day")
    return figure
