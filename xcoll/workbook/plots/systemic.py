"""Figures of stress and contagion: cascades, the network, gains, scenarios, breakers, pooling.

Every book behind them is synthetic, and each figure says so.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from xcoll.systemic.cascade import Amplification
from xcoll.systemic.reverse import Reverse
from xcoll.workbook.plots import style
from xcoll.workbook.tables import money, percent

__all__ = [
    "SYNTHETIC",
    "cascade",
    "exceedance",
    "formats",
    "gain",
    "measures",
    "network",
    "pooled",
    "reverse",
    "scenarios",
    "surface",
]

SHADES = LinearSegmentedColormap.from_list(
    "grey-blue", ["#F7F7F7", style.OKABE_ITO["sky"], style.OKABE_ITO["blue"], "#00263B"]
)
SYNTHETIC = "synthetic books; sizes of the venues assumed"
HOUR = pd.Timedelta("1h")
FORMATS = {
    **dict.fromkeys(
        ("collateral", "debt", "dollars", "sellable", "whole", "liquidatable"), "money"
    ),
    **dict.fromkeys(("owed", "paid"), "money"),
    **dict.fromkeys(("ltv", "near", "distance", "tipping", "shortfall", "fall"), "percent"),
    **dict.fromkeys(("recovery", "largest", "cost", "confidence"), "percent"),
    **dict.fromkeys(("var", "var_low", "var_high"), "basis points"),
    **dict.fromkeys(("es", "es_low", "es_high", "es_error"), "basis points"),
    **dict.fromkeys(("variance", "variance_plain"), "significant"),
}


def cascade(found: Amplification, most: int = 3) -> Figure:
    """The path of a cascade: prices from outside and with sales, sales by venue, rounds.

    `most` assets are drawn, those that sales moved furthest.
    """
    whole, outside = found.whole, found.direct.prices
    prices, hours = whole.prices, whole.prices.index / HOUR
    further = (outside.min() - prices.min()).sort_values(ascending=False)
    shown = list(further.index[:most])
    title = (
        f"Sales moved {shown[0]} {percent(further.iloc[0], 1)} further down than the outside did; "
        f"{int(found.contagion.sum()):,} of {int(whole.closed.sum()):,} accounts\nwere closed only "
        "because others were"
    )
    figure, (top, bottom) = style.figure(2, height=6.0, title=title)
    for asset in shown:
        hue, line = style.colour(asset), style.linestyle(asset)
        top.plot(hours, prices[asset], color=hue, linestyle=line, label=asset)
        top.plot(hours, outside[asset], color=hue, linestyle=":", alpha=0.8, label="_")
    top.set_ylabel("price over the opening\n(dotted: from outside alone)")
    style.percent(top.yaxis)
    style.label_ends(top)
    sold = pd.DataFrame(
        whole.made.record.sold.sum(axis=2).T, columns=whole.system.names, index=hours
    )
    sold = sold.loc[:, sold.sum() > 0.0]
    floor = np.zeros(len(sold))
    # Dark and light in turn, so that neighbours differ without colour too.
    turns = ("blue", "orange", "black", "sky", "vermillion", "yellow", "green", "purple")
    hues = [style.OKABE_ITO[hue] for hue in turns]
    for number, name in enumerate(sold):
        width = 0.9 * (hours[1] - hours[0])
        bottom.bar(hours, sold[name], width, floor, color=hues[number % len(hues)], label=name)
        floor = floor + sold[name].to_numpy()
    style.money(bottom.yaxis)
    bottom.set_ylabel("sold in a step, by venue, USD")
    bottom.set_xlabel("hours since the opening")
    bottom.legend(loc="upper right", ncols=2)
    top.sharex(bottom)
    style.remark(figure, SYNTHETIC)
    return figure


def formats(table: pd.DataFrame) -> dict[str, str]:
    """Formats of dollars and shares among the columns of `table`, for ``run.table``."""
    return {column: FORMATS[column] for column in table if column in FORMATS}


def gain(curve: pd.Series, fall: float, thinning: float) -> Figure:
    """The gain of the system's loops over a common fall, and where it passes one.

    Parameters
    ----------
    curve : gain by fall.
    fall : at which the gain is one; infinite for never.
    thinning : multiple of today's depth at which it is one today.
    """
    where = (
        f"reaches one at a common fall of {percent(fall, 1)}"
        if np.isfinite(fall)
        else f"stays under one up to a common fall of {percent(curve.index[-1], 0)}"
    )
    thin = f"{percent(thinning, 1)} of today's depth" if thinning > 0.0 else "hardly any depth"
    title = f"The gain is {curve.iloc[0]:.2f} today and {where};\nit would be one at {thin}"
    figure, (ax,) = style.figure(height=3.4, title=title)
    ax.plot(curve.index, curve, color=style.ACCENT, marker="o", markersize=3)
    ax.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
    ax.annotate(
        "feeds on itself above",
        (curve.index[-1], 1.0),
        (0, 3),
        ha="right",
        fontsize=8,
        textcoords="offset points",
    )
    if np.isfinite(fall):
        ax.axvline(fall, color=style.CONTEXT, linewidth=0.8)
    style.percent(ax.xaxis)
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel("common fall of all that is no stablecoin")
    ax.set_ylabel("gain of a round of sales")
    style.remark(figure, SYNTHETIC)
    return figure


def network(edges: pd.DataFrame, flows: pd.Series) -> Figure:
    """Assets on the left, venues on the right; width is dollars pledged, colour what was sold.

    Parameters
    ----------
    edges : rows of `dependencies.edges`; those of what is pledged are drawn.
    flows : (asset, venue) → dollars sold in an episode.
    """
    edges = edges[edges["kind"] == "collateral at"]
    assets, venues = (
        edges.groupby(side)["dollars"].sum().sort_values(ascending=False).index.tolist()
        for side in ("start", "end")
    )
    sold = flows.groupby(level=0).sum()
    biggest = sold.idxmax() if len(sold) and sold.max() > 0 else assets[0]
    title = (
        f"{biggest} is sold most: {money(float(sold.get(biggest, 0.0)))} of what "
        f"{len(venues)} venues hold of it"
    )
    figure, (ax,) = style.figure(height=6.0, title=title)
    left = {name: 1.0 - (n + 0.5) / len(assets) for n, name in enumerate(assets)}
    right = {name: 1.0 - (n + 0.5) / len(venues) for n, name in enumerate(venues)}
    widest, most = edges["dollars"].max(), max(float(flows.max()), 1e-12)
    for row in edges.itertuples():
        moved = float(flows.get((row.start, row.end), 0.0)) / most
        hue = style.ACCENT if moved > 0.02 else style.CONTEXT
        ax.plot(
            [0.0, 1.0],
            [left[row.start], right[row.end]],
            color=hue,
            alpha=0.25 + 0.65 * min(1.0, moved**0.5) if moved > 0.02 else 0.25,
            linewidth=0.4 + 9.0 * row.dollars / widest,
            solid_capstyle="butt",
        )
    for names, x, side in ((left, -0.02, "right"), (right, 1.02, "left")):
        for name, y in names.items():
            ax.annotate(name, (x, y), ha=side, va="center", fontsize=8)
    ax.set_xlim(-0.35, 1.35)
    ax.set_ylim(0.0, 1.0)
    ax.grid(visible=False)
    ax.set_xticks([0.0, 1.0], ["assets", "venues"])
    ax.set_yticks([])
    ax.set_xlabel("width: dollars pledged; orange: sold in the episode, darker for more")
    ax.set_ylabel("by dollars pledged, largest on top")
    style.remark(figure, SYNTHETIC)
    return figure


def scenarios(table: pd.DataFrame) -> Figure:
    """Bad debt by scenario and severity, basis points of debt, as a heat map of logs."""
    wide = table.pivot_table("bad_debt", "scenario", "severity", sort=False) * 1e4
    wide = wide.loc[wide.max(axis=1).sort_values(ascending=False).index]
    worst, mild = wide.index[0], int((wide.max(axis=1) < 1.0).sum())
    title = (
        f"{worst} costs most ({wide.loc[worst].max():,.0f} bp of debt at its worst); "
        f"{mild} of {len(wide)} scenarios stay under 1 bp"
    )
    figure, (ax,) = style.figure(height=0.9 + 0.27 * len(wide), title=title)
    shade = np.log10(1.0 + wide.to_numpy())
    ax.imshow(shade, cmap=SHADES, aspect="auto", vmin=0.0)
    for (row, column), value in np.ndenumerate(wide.to_numpy()):
        dark = shade[row, column] > 0.55 * shade.max()
        text = "–" if np.isnan(value) else f"{value:,.1f}" if value < 10 else f"{value:,.0f}"
        hue = "white" if dark else "black"
        ax.annotate(text, (column, row), ha="center", va="center", fontsize=8, color=hue)
    ax.set_xticks(range(wide.shape[1]), list(wide.columns))
    ax.set_yticks(range(len(wide)), list(wide.index))
    ax.set_xlabel("severity")
    ax.set_ylabel("scenario")
    ax.grid(visible=False)
    style.remark(figure, f"bad debt, basis points of debt; shades by its log; {SYNTHETIC}")
    return figure


def surface(table: pd.DataFrame) -> Figure:
    """Bad debt over shock and correlation, basis points of debt."""
    wide = table.pivot_table("bad_debt", "correlation", "size") * 1e4
    wide = wide.sort_index(ascending=False)
    last = wide.iloc[:, -1]
    title = (
        f"At a fall of {wide.columns[-1]:g} standard deviations bad debt is {last.iloc[-1]:,.1f} "
        f"bp\nat a correlation of {wide.index[-1]:g} and {last.iloc[0]:,.0f} at {wide.index[0]:g}"
    )
    figure, (ax,) = style.figure(height=3.8, title=title)
    shade = np.log10(1.0 + wide.to_numpy())
    ax.imshow(shade, cmap=SHADES, aspect="auto", vmin=0.0)
    for (row, column), value in np.ndenumerate(wide.to_numpy()):
        text = f"{value:,.1f}" if value < 10 else f"{value:,.0f}"
        hue = "white" if shade[row, column] > 0.55 * shade.max() else "black"
        ax.annotate(text, (column, row), ha="center", va="center", fontsize=8, color=hue)
    ax.set_xticks(range(wide.shape[1]), [f"{size:g}" for size in wide.columns])
    ax.set_yticks(range(len(wide)), [f"{rho:g}" for rho in wide.index])
    ax.set_xlabel("fall of the common factor, its standard deviations over a week")
    ax.set_ylabel("correlation")
    ax.grid(visible=False)
    style.remark(figure, f"mean bad debt, basis points of debt; shades by its log; {SYNTHETIC}")
    return figure


def reverse(found: Reverse, sizes: Mapping[str, float]) -> Figure:
    """The smallest shock that breaches the budget, asset by asset.

    `sizes`, asset → share of what is pledged, orders the bars.
    """
    table = found.table().set_index("asset")
    table = table.loc[sorted(table.index, key=lambda asset: sizes.get(asset, 0.0))]
    title = (
        f"A shock of {found.norm:.1f} standard deviations makes bad debt pass "
        f"{1e4 * found.budget:,.0f} bp:\n{found.words().split(';')[0]}"
    )
    figure, (ax, beside) = style.figure(1, 2, height=4.2, title=title)
    ax.barh(table.index, table["move"], color=[style.colour(a) for a in table.index])
    style.percent(ax.xaxis)
    ax.set_xlabel("move of the price within a week")
    ax.set_ylabel("asset, most pledged on top")
    beside.barh(table.index, table["sigmas"], color=style.CONTEXT)
    beside.set_yticks(range(len(table)), [""] * len(table))
    beside.set_xlabel("the same in its own standard deviations")
    beside.set_ylabel("same order")
    style.remark(figure, SYNTHETIC)
    return figure


def exceedance(samples: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Probability that bad debt of a week exceeds a loss: plain draws and pushed ones.

    `samples`, name → losses and weights.
    """
    (plain, (losses, weight)), (pushed, _) = list(samples.items())[:2]
    some = float((weight * (losses > 1e-4)).mean())
    title = (
        f"One week in {1.0 / max(some, 1e-9):,.0f} loses more than 1 bp of the debt;\n{pushed} "
        "draws reach what plain ones hardly see"
    )
    figure, (ax,) = style.figure(height=3.8, title=title)
    for (name, (loss, ratio)), hue in zip(
        samples.items(), (style.CONTEXT, style.ACCENT), strict=False
    ):
        order = np.argsort(-loss, kind="stable")
        beyond = np.cumsum(ratio[order]) / len(loss)
        seen = loss[order] > 0.0
        ax.plot(
            1e4 * loss[order][seen],
            beyond[seen],
            color=hue,
            linewidth=2.4 if name == plain else 1.4,
            label=f"{name}, {len(loss):,}",
        )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(left=1e-1)
    ax.set_ylim(1e-6, 1.0)
    ax.set_xlabel("bad debt of a week, basis points of debt (log)")
    ax.set_ylabel("probability of more (log)")
    ax.legend(title="draws", title_fontsize=8, loc="lower left")
    style.remark(figure, SYNTHETIC)
    return figure


def measures(table: pd.DataFrame) -> Figure:
    """What each breaker or measure saves lenders, costs borrowers, and delays."""
    ranked = table.sort_values("saved", kind="stable")
    helps = int((ranked["verdict"] == "saves lenders").sum())
    worse = int((ranked["verdict"] == "makes it worse for lenders").sum())
    title = (
        f"{helps} of {len(ranked)} measures save lenders, {worse} make it worse; for the rest no "
        "difference can be told"
    )
    figure, axes = style.figure(1, 3, height=3.8, title=title)
    shown = (
        ("saved", 1e4, "saved lenders,\nbp of debt"),
        ("cost", 1e4, "cost to borrowers,\nbp of debt"),
        ("delay", 1.0, "later service,\nhours"),
    )
    places = np.arange(len(ranked))
    for ax, (name, scale, label) in zip(axes, shown, strict=True):
        low, high = scale * ranked[f"{name}_low"], scale * ranked[f"{name}_high"]
        sure = (low > 0.0) | (high < 0.0)
        hues = np.where(sure, style.OKABE_ITO["blue"], style.CONTEXT)
        ax.hlines(places, low, high, colors=hues, linewidth=2.2)
        ax.scatter(scale * ranked[name], places, c=hues, zorder=3, s=22)
        ax.axvline(0.0, color="black", linewidth=0.8)
        ax.set_xlabel(label)
        ax.set_yticks(places, list(ranked["measure"]) if ax is axes[0] else [""] * len(places))
        ax.set_ylim(-0.6, len(places) - 0.4)
        ax.xaxis.set_major_locator(MaxNLocator(5))
    axes[0].set_ylabel("measure")
    style.remark(figure, f"paired means and 90 % intervals, grey where they hold zero; {SYNTHETIC}")
    return figure


def pooled(table: pd.DataFrame, turns: Mapping[str, float]) -> Figure:
    """Pooled against split accounts over correlation."""
    shown = {
        "bad_debt": ("bad debt,\nbp of debt", 1e4),
        "penalty": ("borrowers' penalties,\nbp of debt", 1e4),
        "sold": ("sold,\n% of debt", 1e2),
        "amplification": ("prices moved by sales,\n% (log)", 1e2),
    }
    bad = table[table["outcome"] == "bad_debt"].set_index("correlation")
    least = bad["difference"].iloc[[0, -1]] * 1e4
    turned = [f"{shown[o][0].split(',')[0]} at {rho:.2f}" for o, rho in turns.items() if o in shown]
    title = (
        f"Pooling changes bad debt by {least.iloc[0]:+.2f} bp at a correlation of {bad.index[0]:g} "
        f"and by {least.iloc[1]:+.2f} bp at {bad.index[-1]:g};\n"
        + (f"it turns: {', '.join(turned)}" if turned else "none of the four turns its sign")
    )
    figure, axes = style.figure(1, len(shown), height=3.6, title=title)
    for ax, (outcome, (label, scale)) in zip(axes, shown.items(), strict=True):
        rows = table[table["outcome"] == outcome].sort_values("correlation")
        rho = rows["correlation"]
        ax.plot(rho, scale * rows["split"], color=style.CONTEXT, label="split")
        ax.plot(rho, scale * rows["pooled"], color=style.ACCENT, label="pooled")
        low = scale * (rows["split"] + rows["low"])
        high = scale * (rows["split"] + rows["high"])
        ax.fill_between(rho, low, high, color=style.ACCENT, alpha=0.2)
        ax.set_ylim(bottom=0.0)
        ax.set_xlabel("correlation")
        ax.set_ylabel(label)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.3g}"))
    axes[0].legend(loc="upper right")
    style.remark(figure, f"bands: the paired 90 % interval on top of split; {SYNTHETIC}")
    return figure
