"""Figures of recalibrated haircuts: paths of the tools, their trade-off, memory, delisting.

Each title is the figure's answer, made from the table that is drawn.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from xcoll.collateral.recalibration.measures import peak_to_trough
from xcoll.workbook.plots import style
from xcoll.workbook.tables import percent

__all__ = ["delisting", "formats", "memory", "paths", "trade_off"]

# How a table shows a judged path or a reading.
FORMATS = (
    dict.fromkeys(("expected", "design", "multiple", "peak_to_trough"), "significant")
    | dict.fromkeys(("p", "p_apart"), "number")
    | dict.fromkeys(("longest_stay", "fall_back"), "whole")
    | dict.fromkeys(("haircut", "loss", "capital_efficiency", "worst_excess"), "percent")
    | {"rate": "percent2", "mean_excess": "percent", "covered": "flag"}
    | dict.fromkeys(("change", "excess", "worst", "above_need", "largest_rise"), "points")
)
TOOLS = {
    "none": style.OKABE_ITO["black"],
    "buffer": style.OKABE_ITO["blue"],
    "stressed weight": style.OKABE_ITO["orange"],
    "floor": style.OKABE_ITO["green"],
}
RULES = {"immediate": "o", "guarded": "s", "ramped": "^"}
SIGNS = {
    "target": ("v", "the target passes the limit"),
    "loss": ("X", "a loss passes the haircut in force"),
    "in force": ("D", "the haircut in force passes the limit"),
}
DAY = pd.Timedelta("1D")
MODELLED = "lows modelled"


def formats(table: pd.DataFrame) -> dict[str, str]:
    """Formats of the columns of a judged path or a reading, for ``run.table``."""
    known = {column: column.rstrip("_0123456789") for column in table}  # p_3 is a p
    return {column: FORMATS[name] for column, name in known.items() if name in FORMATS}


def paths(
    in_force: Mapping[str, pd.DataFrame], raw: pd.DataFrame, assets: Sequence[str], horizon: str
) -> Figure:
    """Haircut in force of a few assets under each tool, and in grey the raw target.

    Parameters
    ----------
    in_force : tool → haircuts, time × asset.
    raw : raw targets, time × asset, drawn as steps.
    assets : the columns of panels; those without a path are left out.
    horizon : of the close-out, for the axis.
    """
    shown = [asset for asset in assets if asset in raw] or raw.columns[:3].tolist()
    swing = {tool: peak_to_trough(path[shown]).median() for tool, path in in_force.items()}
    least = min(swing, key=swing.get)
    title = (
        f"“{least}” moves least: its highest haircut is {swing[least]:.1f} times its "
        f"lowest, where\nthe raw one's is {peak_to_trough(raw[shown]).median():.1f} times "
        f"(median of the {len(shown)} assets)"
    )
    figure, axes = style.figure(
        len(in_force), len(shown), height=1.2 + 1.45 * len(in_force), share=True, title=title
    )
    grid = axes.reshape(len(in_force), len(shown))
    for row, (tool, path) in zip(grid, in_force.items(), strict=True):
        for ax, asset in zip(row, shown, strict=True):
            ax.step(raw.index, raw[asset], where="post", color="#B3B3B3", lw=0.8, label="raw")
            hue = style.colour(asset)
            ax.plot(path.index, path[asset], color=hue, label="in force")
            style.percent(ax.yaxis)
            style.dates(ax.xaxis)
        row[0].set_ylabel(tool)
    for ax, asset in zip(grid[0], shown, strict=True):
        ax.set_title(asset)
    grid[0, -1].legend(loc="upper right", ncols=2)
    grid[0, 0].set_ylim(bottom=0.0)  # the axes are shared: only once all lines are drawn
    figure.supylabel(f"haircut by tool, {horizon} close-out, percent of the price", fontsize=9)
    for ax in grid[-1]:
        ax.set_xlabel("date (UTC)")
    style.remark(figure, MODELLED)
    return figure


def trade_off(judged: pd.DataFrame) -> Figure:
    """Capital efficiency of each path against its exceedances, and against its largest rise.

    `judged` is one row a path, of `recalibration.judged` for all assets; paths are named "tool" or
    "tool, rule".  A path exceeded more often than its bound is drawn open.
    """
    rows = judged.assign(
        tool=[path.split(", ")[0] for path in judged["path"]],
        rule=[path.partition(", ")[2] for path in judged["path"]],
        ratio=judged["exceedances"] / judged["expected"],
        kept=judged["exceedances"] <= judged["bound"],
    )
    figure, (left, right) = style.figure(1, 2, height=4.4, title=_traded(rows))
    right.sharey(left)
    for row in rows.itertuples():
        hue = TOOLS.get(row.tool, style.OKABE_ITO["black"])
        face = hue if row.kept else "white"
        look = {"s": 58, "color": face, "edgecolor": hue, "linewidth": 1.6, "zorder": 3}
        mark = RULES.get(row.rule, "o")
        left.scatter(row.ratio, row.capital_efficiency, marker=mark, **look)
        right.scatter(row.largest_rise, row.capital_efficiency, marker=mark, **look)
    left.axvline(1.0, color="black", linewidth=0.8, linestyle=":")
    left.set_xlim(0.0, 1.1 * max(rows["ratio"].max(), 1.0))
    left.set_xlabel("exceedances, times the promised number")
    left.set_ylabel("capital efficiency: mean of 1 − H, percent")
    left.annotate(
        "as promised",
        (1.0, 0.98),
        (-3, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        rotation=90,
        fontsize=7.5,
        ha="right",
        va="top",
    )
    right.set_xlim(0.0, 1.1 * rows["largest_rise"].max())
    right.set_xlabel("largest rise in 30 days, points (median asset)")
    right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
    right.tick_params(labelleft=False)
    style.percent(left.yaxis)
    for tool in dict.fromkeys(rows["tool"]):
        hue = TOOLS.get(tool, style.OKABE_ITO["black"])
        right.scatter([], [], color=hue, s=40, label=tool)
    for rule in dict.fromkeys(filter(None, rows["rule"])):
        right.scatter([], [], marker=RULES.get(rule, "o"), color="#4D4D4D", s=40, label=rule)
    if not rows["kept"].all():
        right.scatter(
            [], [], facecolor="white", edgecolor="#4D4D4D", s=40, label="over its 95 % bound"
        )
    right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    style.remark(figure, MODELLED)
    return figure


def memory(table: pd.DataFrame, bar: str, until: str | pd.Timestamp) -> Figure:
    """What one bar still moves on later dates, and the weeks until it is forgotten, by tool.

    Parameters
    ----------
    table : of `recalibration.remembered`: tool, asset, date, difference, forgotten (NaT: not by the
        end).
    bar : date of the bar.
    until : last day compared.
    """
    tools = list(dict.fromkeys(table["tool"]))
    by_asset = table.groupby(["tool", "asset"], sort=False)["forgotten"].first()
    kept = by_asset.isna()
    weeks = (by_asset.fillna(pd.Timestamp(until)) - pd.Timestamp(bar)) / (7 * DAY)
    figure, (left, right) = style.figure(1, 2, height=3.9, title=_remembered(weeks, kept, bar))
    for tool in tools:
        rows = table[table["tool"] == tool]
        wide = rows.pivot_table(index="date", columns="asset", values="difference")
        median = wide.median(axis=1)
        left.plot(median.index, median, marker="o", ms=3.5, color=_hue(tool), label=tool)
    left.axhline(0.0, color="black", linewidth=0.8)
    left.set_xlabel("date (UTC)")
    left.set_ylabel(f"haircut with {bar} less without,\npoints of the price (median asset)")
    left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
    style.dates(left.xaxis)
    style.label_ends(left, gap=0.06)
    for place, tool in enumerate(tools):
        mine, open_ = weeks[tool], kept[tool]
        offset = np.linspace(-0.22, 0.22, len(mine)) if len(mine) > 1 else np.zeros(1)
        y = place + offset
        for still, mark in ((False, "o"), (True, ">")):
            drawn = (open_ == still).to_numpy()
            right.scatter(mine[drawn], y[drawn], marker=mark, s=18, color=_hue(tool), alpha=0.8)
        if open_.mean() <= 0.5:
            right.scatter(mine.median(), place, marker="|", s=500, color="black", zorder=4)
    right.scatter([], [], marker="o", s=18, color="#4D4D4D", label="an asset")
    right.scatter([], [], marker="|", s=120, color="black", label="the median asset")
    if kept.any():
        right.scatter([], [], marker=">", s=18, color="#4D4D4D", label="not by the last day")
    right.set_yticks(range(len(tools)), tools)
    right.set_ylim(len(tools) - 0.5, -0.5)
    right.set_xlim(left=0.0)
    right.grid(visible=False, axis="y")
    right.set_xlabel("weeks until the difference stays under a tick")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, handletextpad=0.2)
    style.remark(figure, MODELLED)
    return figure


def delisting(
    asset: str,
    price: pd.Series,
    targets: Mapping[str, pd.Series],
    signs: pd.DataFrame,
    limit: float,
    since: str | pd.Timestamp,
) -> Figure:
    """Price of an asset that goes to zero, what each tool asked for, and when each sign came.

    Parameters
    ----------
    asset : its name.
    price : closes from `since` on, dollars; drawn until two weeks after the first sign, if any.
    targets : tool → haircut asked for.
    signs : of `recalibration.signs`: tool, what, said, price_left.
    limit : haircut beyond which it is no collateral.
    since : date that prices are set against.
    """
    said = signs.dropna(subset="said")
    if len(said):
        price = price.loc[: said["said"].min() + pd.Timedelta("14D")]
    figure, (top, bottom) = style.figure(
        2, height=5.2, title=_gone(asset, said, pd.Timestamp(since))
    )
    top.sharex(bottom)
    top.tick_params(labelbottom=False)
    top.plot(price.index, price, color="black")
    for what, (mark, label) in SIGNS.items():
        rows = said[said["what"] == what].drop_duplicates("said")
        rows = rows[rows["said"].isin(price.index)]
        if len(rows):
            hues = [_hue(tool) for tool in rows["tool"]]
            top.scatter(rows["said"], price[rows["said"]], marker=mark, s=52, color=hues, zorder=4)
            top.scatter([], [], marker=mark, s=40, color="#4D4D4D", label=label)
    top.set_yscale("log")
    top.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"${value:g}"))
    top.yaxis.set_minor_formatter(NullFormatter())
    top.set_ylabel(f"{asset} price, dollars\n(log axis)")
    if top.get_legend_handles_labels()[1]:
        top.legend(loc="lower left")
    drawn = price.index[[0, -1]]
    for tool, path in targets.items():
        known = path.loc[drawn[0] : drawn[-1]].dropna()
        bottom.step(known.index, known, where="post", color=_hue(tool), label=tool)
    bottom.axhline(limit, color="black", linewidth=0.8, linestyle=":")
    _on_line(bottom, limit, f"limit {percent(limit, 0)}")
    bottom.set_ylim(0.0, 1.04)
    bottom.set_xlim(*drawn)
    bottom.set_ylabel("haircut asked for,\npercent of the price")
    bottom.set_xlabel("date (UTC)")
    bottom.legend(loc="upper left")
    style.percent(bottom.yaxis)
    style.dates(bottom.xaxis)
    style.remark(
        figure, "lows modelled; a sign is drawn in the colour of the first tool that gave it"
    )
    return figure


def _hue(tool: str) -> str:
    return TOOLS.get(tool, style.OKABE_ITO["purple"])


def _traded(rows: pd.DataFrame) -> str:
    kept = rows[rows["kept"]]
    if kept.empty:
        return f"None of {len(rows)} paths stays within its bound; the fewest exceedances are " + (
            f"{rows['ratio'].min():.1f} times the promised"
        )
    frees = kept.loc[kept["capital_efficiency"].idxmax()]
    calm = kept.sort_values(["largest_rise", "capital_efficiency"], ascending=[True, False]).iloc[0]
    return (
        f"{len(kept)} of {len(rows)} paths stay within their bound; of those “{frees['path']}” "
        f"leaves most to borrow ({percent(frees['capital_efficiency'], 0)}),\n"
        f"and “{calm['path']}” rises least within 30 days ({100 * calm['largest_rise']:.1f} points)"
    )


def _remembered(weeks: pd.Series, kept: pd.Series, bar: str) -> str:
    median = weeks.groupby(level=0, sort=False).median()
    never = kept.groupby(level=0, sort=False).mean() > 0.5
    lasting = ", ".join(never.index[never])
    gone = median[~never]
    said = "; ".join(f"{tool} {value:.0f}" for tool, value in gone.items())
    first = f"Weeks until {bar} is forgotten by the median asset: {said}" if len(gone) else ""
    last = f"{lasting}: not within {weeks.max():.0f} weeks" if lasting else ""
    return ";\n".join(filter(None, (first, last)))


def _gone(asset: str, said: pd.DataFrame, since: pd.Timestamp) -> str:
    if said.empty:
        return f"No rule said that {asset} must go"
    first = said.loc[said["said"].idxmin()]
    held = said[said["what"] == "in force"].sort_values("said").head(1)
    late = [
        f"a haircut in force passed the limit on {row.said.day} {row.said:%B %Y}, "
        f"with {100 * row.price_left:.1g} % left"
        for row in held.itertuples()
    ]
    return (
        f"The first sign that {asset} must go came on {first['said'].day} {first['said']:%B %Y}, "
        f"with {percent(first['price_left'], 0)} of its price of {since.day} {since:%B} left;\n"
        + (late[0] if late else "no haircut in force ever passed the limit")
    )


def _on_line(ax: Axes, height: float, text: str) -> None:
    ax.annotate(
        text,
        (1.0, height),
        (-2, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        fontsize=7.5,
        ha="right",
        va="bottom",
    )
