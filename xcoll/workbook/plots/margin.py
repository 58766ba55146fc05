"""Figures of derivatives: volatility surface, margins side by side, their price, and their past.

The books are examples and volatility is modelled; each figure says so.
"""

import numpy as np
import pandas as pd
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from xcoll.margin.regimes import CROSS, ISOLATED
from xcoll.workbook.plots import style
from xcoll.workbook.tables import money, percent

__all__ = [
    "MODELLED",
    "coverage",
    "directions",
    "excess",
    "margins",
    "price_of_saving",
    "smiles",
    "through_time",
]

MODELLED = "sample books, volatility modelled"
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
FIXED = {
    ISOLATED: "black",
    CROSS: style.CONTEXT,
    "simulated": style.OKABE_ITO["blue"],
    "simulated VaR": style.OKABE_ITO["sky"],
    "long run": style.OKABE_ITO["yellow"],
    "floored": style.OKABE_ITO["purple"],
}
HUES = ("vermillion", "orange", "green")  # of the venues' rules, in their order


def _look(names: list[str]) -> dict[str, tuple[str, str]]:
    """Mark and colour of each regime or rule: the same in every figure."""
    others = [name for name in names if name not in FIXED]
    hues = FIXED | {name: style.OKABE_ITO[HUES[n % len(HUES)]] for n, name in enumerate(others)}
    return {name: (MARKS[n % len(MARKS)], hues[name]) for n, name in enumerate(names)}


def smiles(table: pd.DataFrame, title: str) -> Figure:
    """Volatility over strike by expiry, a panel an asset.

    `table` has asset, days, strike (over the forward) and sigma.
    """
    assets = table["asset"].unique()
    figure, axes = style.figure(1, len(assets), height=3.6, share=True, title=title)
    days = sorted(table["days"].unique())
    shades = [style.OKABE_ITO[name] for name in ("vermillion", "orange", "green", "sky", "blue")]
    lines = ("-", (0, (5, 1.5)), "-.", (0, (2, 1)), (0, (8, 2)))
    for ax, asset in zip(axes, assets, strict=True):
        for n, term in enumerate(days):
            part = table[(table["asset"] == asset) & (table["days"] == term)]
            look = {"color": shades[n % len(shades)], "linestyle": lines[n % len(lines)]}
            ax.plot(part["strike"], part["sigma"], label=f"{term:g} days", **look)
        ax.set_title(asset, fontsize=9)
        ax.set_xlabel("strike over the forward")
        style.percent(ax.xaxis)
    axes[0].set_ylabel("implied volatility a year")
    style.percent(axes[0].yaxis)
    axes[-1].legend(loc="upper right")
    style.remark(figure, "modelled from the forecast of volatility; premium and smile assumed")
    return figure


def margins(table: pd.DataFrame, first: str, net: str) -> Figure:
    """Maintenance margin of each book under each regime, dollars.

    Parameters
    ----------
    table : account, regime and maintenance; regimes keep their order.
    first, net : regimes that the title sets against each other.
    """
    wide = table.pivot_table("maintenance", "account", "regime", sort=False, observed=True)
    wide = wide.sort_values(first)
    look = _look(list(wide.columns))
    total = 1.0 - wide[net].sum() / wide[first].sum()
    title = f"Net, all books together need {percent(total, 0)} less than {first} ({net})"
    figure, (ax,) = style.figure(height=1.4 + 0.38 * len(wide), title=title)
    y = np.arange(len(wide))
    ax.hlines(y, wide.min(axis=1), wide.max(axis=1), color="#D9D9D9", linewidth=2, zorder=1)
    for n, (name, (mark, hue)) in enumerate(look.items()):
        ax.scatter(wide[name], y, marker=mark, s=34, color=hue, label=name, zorder=3 + n, alpha=0.9)
    ax.set_yticks(y, wide.index)
    ax.set_ylabel("book")
    ax.set_xlabel("maintenance margin, USD")
    style.money(ax.xaxis)
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower right")
    style.remark(figure, MODELLED)
    return figure


def excess(table: pd.DataFrame, account: str, asset: str) -> Figure:
    """Excess of one account over moves of an asset × factors of all volatility.

    `table` has move, volatility and excess (dollars), one row a state.
    """
    wide = table.pivot_table("excess", "volatility", "move").sort_index(ascending=False)
    closed = (wide.to_numpy() < 0.0).mean()
    today = wide.columns[np.abs(wide.columns).argmin()]
    same = wide.index[np.abs(wide.index - 1.0).argmin()]
    least = wide.stack().idxmin()
    title = (
        f"“{account}” is closed in {percent(closed, 0)} of these states; worst is {asset} "
        f"{percent(least[1], 0)}\nwith volatility × {least[0]:g}, {money(wide.min().min())}; today "
        f"it has {money(wide.loc[same, today])}"
    ).replace("$", r"\$")
    figure, (ax,) = style.figure(height=3.8, title=title)
    far = np.abs(wide.to_numpy()).max()
    drawn = ax.pcolormesh(
        wide.columns,
        wide.index,
        wide.to_numpy(),
        cmap=style.DIVERGING.reversed(),
        norm=TwoSlopeNorm(0.0, -far, far),
        shading="nearest",
    )
    if (wide.to_numpy() < 0.0).any() and (wide.to_numpy() > 0.0).any():
        ax.contour(wide.columns, wide.index, wide.to_numpy(), [0.0], colors="black", linewidths=1.4)
    ax.plot([today], [same], marker="+", color="black", markersize=10)
    ax.grid(visible=False)
    ax.set_xlabel(f"move of {asset}")
    ax.set_ylabel("volatility, times today's")
    style.percent(ax.xaxis)
    bar = figure.colorbar(drawn, ax=ax)
    bar.set_label("excess over maintenance, USD")
    style.money(bar.ax.yaxis)
    style.remark(figure, f"line: closed beyond; cross: today; {MODELLED}")
    return figure


def directions(table: pd.DataFrame, asset: str, title: str) -> Figure:
    """How far the asset moves until an account is closed, by side and by what margin is kept in.

    `table` has the rows of `direction.compare`.
    """
    order = list(dict.fromkeys(table["kept"]))[::-1]
    figure, axes = style.figure(1, 2, height=1.6 + 0.4 * len(order), share=True, title=title)
    hues = {
        "wrong": style.ACCENT,
        "right": style.OKABE_ITO["blue"],
        "none": style.CONTEXT,
    }
    far = table["move"].abs().max()
    for ax, (side, part) in zip(axes, table.groupby("side", sort=False), strict=True):
        for row in part.itertuples():
            y = order.index(row.kept)
            reach = row.move if np.isfinite(row.move) else 0.0
            ax.barh(y, reach, color=hues[row.way], height=0.6)
            said = percent(row.move, 0) if np.isfinite(row.move) else "not closed"
            inside = 0.0 if not np.isfinite(row.move) else reach
            ax.annotate(
                said,
                (inside, y),
                (4 if inside >= 0.0 else -4, 0),
                textcoords="offset points",
                va="center",
                ha="left" if inside >= 0.0 else "right",
                fontsize=8,
            )
        ax.set_title(f"{side} {asset}", fontsize=9)
        ax.set_xlabel(f"move of {asset} that closes it")
        ax.axvline(0.0, color="#4D4D4D", linewidth=0.8)
        ax.grid(visible=False, axis="y")
    axes[0].set_xlim(-1.35 * far, 1.35 * far)
    axes[0].set_yticks(range(len(order)), order)
    axes[0].set_ylabel("margin kept in")
    style.percent(axes[0].xaxis)
    for way, words in {"wrong": "wrong way", "right": "right way", "none": "cash"}.items():
        axes[1].barh([0], [0], color=hues[way], label=words)
    axes[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    style.remark(figure, "same position, same dollars of margin; other assets stay")
    return figure


def price_of_saving(table: pd.DataFrame, title: str) -> Figure:
    """What a regime asks for against what it leaves uncovered, sums over all books.

    `table` has account, regime, maintenance, uncovered, probability, as of `Regimes.tail`.
    """
    by_regime = table.groupby("regime", sort=False)
    total = by_regime[["maintenance", "uncovered"]].sum().join(by_regime["probability"].max())
    look = _look(list(total.index))
    figure, axes = style.figure(1, 3, height=1.8 + 0.28 * len(total), title=title)
    y = np.arange(len(total))[::-1]
    panels = {
        "maintenance": ("asked for, all books, USD", style.money),
        "uncovered": ("left uncovered, all books,\nES 99 %, USD", style.money),
        "probability": ("chance that a book's margin\ndoes not suffice, worst book", None),
    }
    for ax, (column, (words, unit)) in zip(axes, panels.items(), strict=True):
        values = total[column]
        ax.barh(y, values, color=[look[name][1] for name in total.index], height=0.62)
        for at, value in zip(y, values, strict=True):
            said = money(value).replace("$", r"\$") if unit else percent(value)
            ax.annotate(said, (value, at), (3, 0), textcoords="offset points", va="center",
                        fontsize=7.5)  # fmt: skip
        ax.set_xlim(0.0, 1.35 * max(values.max(), 1e-9))
        ax.set_xlabel(words)
        ax.set_yticks([])
        ax.set_xticks([])
        ax.grid(visible=False)
    axes[0].set_yticks(y, total.index)
    axes[0].set_ylabel("regime")
    style.remark(figure, MODELLED)
    return figure


def through_time(table: pd.DataFrame, name: str, title: str) -> Figure:
    """Margins of one book under several rules through time, with what the next close-out lost.

    `table` has time, rule, margin and loss of this book.
    """
    figure, (ax,) = style.figure(height=3.8, title=title)
    look = _look(list(dict.fromkeys(table["rule"])))
    losses = table.drop_duplicates("time").set_index("time")["loss"]
    lost = losses[losses > 0.0]
    ax.vlines(lost.index, 0.0, lost, color="#BDBDBD", linewidth=0.8, zorder=1)
    for rule, part in table.groupby("rule", sort=False):
        ax.plot(part["time"], part["margin"], color=look[rule][1], label=rule, linewidth=1.2)
    ax.set_ylabel(f"margin of “{name}”, USD\n(grey: loss of the next day)")
    ax.set_xlabel("date")
    ax.set_ylim(bottom=0.0)
    style.money(ax.yaxis)
    style.dates(ax.xaxis)
    style.label_ends(ax)
    style.remark(figure, MODELLED)
    return figure


def coverage(table: pd.DataFrame, title: str) -> Figure:
    """Losses above the margin by book and rule, against what one in a hundred promises.

    `table` has book, rule, hits and expected, as of `outcomes.judge`.
    """
    wide = table.pivot_table("hits", "book", "rule", sort=False)
    expected = table["expected"].max()
    figure, (ax,) = style.figure(height=1.4 + 0.34 * len(wide), title=title)
    look = _look(list(wide.columns))
    y = np.arange(len(wide))[::-1]
    height = 0.8 / len(look)
    for n, (rule, (_, hue)) in enumerate(look.items()):
        ax.barh(
            y + (0.5 * (len(look) - 1) - n) * height,
            wide[rule],
            height,
            color=hue,
            label=rule,
        )
    ax.axvline(expected, color="black", linestyle=":", linewidth=1.0)
    ax.annotate(
        f"one in a hundred: {expected:.0f}",
        (expected, 1.0),
        (3, -2),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        fontsize=8,
        va="top",
    )
    ax.set_yticks(y, wide.index)
    ax.set_ylabel("book")
    ax.set_xlabel("days on which the loss passed the margin")
    ax.grid(visible=False, axis="y")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    style.remark(figure, MODELLED)
    return figure
