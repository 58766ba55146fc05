"""Figures of correlation: now against stress, the path with its alerts, the tails."""

import numpy as np
import pandas as pd
from matplotlib import dates as mdates
from matplotlib.figure import Figure

from xcoll.estimators.correlation import copula
from xcoll.workbook.plots import style
from xcoll.workbook.plots.volatility import mark_events
from xcoll.workbook.tables import percent

__all__ = ["average", "heat", "scores", "tails"]


def heat(matrices: dict[str, pd.DataFrame], title: str) -> Figure:
    """Correlation matrices, two in a row, on one scale: grey at zero, blue below, red above."""
    names = list(matrices)
    size = len(matrices[names[0]])
    rows = -(-len(names) // 2)
    figure, axes = style.figure(rows, 2, height=rows * (0.9 + 0.24 * size), title=title)
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for ax, name in zip(axes, names, strict=False):
        values = matrices[name].to_numpy()
        image = ax.imshow(values, cmap=style.DIVERGING, vmin=-1.0, vmax=1.0)
        for i, j in np.ndindex(values.shape):
            if i != j:
                text = f"{100 * values[i, j]:.0f}".replace("-", "−")
                hue = "white" if abs(values[i, j]) > 0.75 else "black"
                ax.text(j, i, text, ha="center", va="center", fontsize=6, color=hue)
        ax.set_xticks(range(size), matrices[name].columns, rotation=90, fontsize=7)
        ax.set_yticks(range(size), matrices[name].index, fontsize=7)
        ax.set_title(name, fontsize=9)
        ax.grid(visible=False)
        ax.tick_params(length=0)
    for ax in axes[: len(names)]:
        ax.set_ylabel("asset")
        ax.set_xlabel("asset")
    bar = figure.colorbar(image, ax=list(axes), shrink=0.6, pad=0.01)
    bar.set_label("correlation (cells: in hundredths)", fontsize=8)
    return figure


def average(
    mean: pd.DataFrame, share: pd.Series, alerts: pd.DataFrame, counts: tuple[int, int], title: str
) -> Figure:
    """Average pairwise correlation, the first factor's share, and the alerts of each day.

    Parameters
    ----------
    mean : DataFrame
        Time × estimator, at most three, the mean over pairs; the first column is the one used.
    share : Series
        First eigenvalue over the number of assets, by date.
    alerts : DataFrame
        As of `estimators.correlation.alerts`.
    counts : tuple
        Number of pairs that can alert, number of assets behind `share`.
    """
    figure, (top, middle, low) = style.figure(3, 1, height=6.0, title=title)
    hues = (style.OKABE_ITO["blue"], style.OKABE_ITO["orange"], style.CONTEXT)
    for hue, name in zip(hues, mean.columns, strict=False):
        top.plot(mean.index, mean[name], color=hue, label=name, linewidth=1.2)
    mark_events(top, mean.index, name=True)
    top.set_ylabel("mean pairwise\ncorrelation")
    style.label_ends(top, gap=0.13)

    middle.plot(share.index, share, color=style.OKABE_ITO["blue"], label="share")
    jumps = alerts[alerts["kind"] == "factor"]
    middle.plot(jumps["time"], share[jumps["time"]], "v", color=style.ACCENT, label="alert: jump")
    middle.legend(loc="lower right", ncols=2)
    style.percent(middle.yaxis)
    middle.set_ylabel(f"variance in the first\nfactor of {counts[1]} assets")

    entered = alerts[alerts["kind"] == "pair"].groupby("time").size()
    low.vlines(entered.index, 0, entered, color=style.ACCENT, linewidth=1.4)
    low.set_ylim(0, None)
    low.set_ylabel(f"pairs that enter\nan alert (of {counts[0]})")
    low.set_xlabel("date")
    for ax in (top, middle, low):
        mark_events(ax, mean.index)
        ax.set_xlim(mean.index[0], mean.index[-1])
        ax.xaxis.set_major_locator(mdates.MonthLocator(bymonth=(1, 7)))
        ax.xaxis.set_major_formatter(mdates.DateFormatter("%b %Y"))
    top.tick_params(labelbottom=False)
    middle.tick_params(labelbottom=False)
    return figure


def scores(table: pd.DataFrame, confidence: float, title: str) -> Figure:
    """Mean loss of each path over that of the best one, one panel a loss.

    `table` has loss, model, bars, difference, low, high (NaN for the best), included (flag).
    """
    losses = list(dict.fromkeys(table["loss"]))
    figure, axes = style.figure(1, len(losses), height=3.0, width=9.5, title=title)
    units = {"least variance": (1e4, "squared return, in squared percent a day")}
    for ax, loss in zip(axes, losses, strict=True):
        part = table[table["loss"] == loss].iloc[::-1].reset_index(drop=True)
        scale, unit = units.get(loss, (1.0, "minus twice the log-likelihood of a day"))
        middle, low, high = (scale * part[k].fillna(0.0) for k in ("difference", "low", "high"))
        ax.axvline(0.0, color=style.CONTEXT, linewidth=0.8)
        ax.hlines(part.index, low, high, color=style.CONTEXT, linewidth=1.4)
        for kept, fill in ((True, style.OKABE_ITO["blue"]), (False, "white")):
            which = part["included"] == kept
            words = f"in the {percent(confidence, 0)} confidence set" if kept else "not in it"
            ax.plot(
                middle[which],
                part.index[which],
                "o",
                color=style.OKABE_ITO["blue"],
                markerfacecolor=fill,
                label=words,
            )
        ax.set_yticks(part.index, part["model"])
        ax.set_ylim(-0.6, len(part) - 0.4)
        ax.set_title(f"{loss}, {part['bars'].iloc[0]:,} days", fontsize=9)
        ax.set_xlabel(f"mean loss above the best, {percent(confidence, 0)} interval\n({unit})")
    axes[0].set_ylabel("path")
    axes[0].legend(loc="upper right")
    return figure


def tails(table: pd.DataFrame, quantile: float, nu: float, title: str) -> Figure:
    """Tail dependence of each pair against its correlation, with what two copulas would give.

    `table` has rank_correlation, coefficient, low, high, stable (flag); the curves are taken at
    the same `quantile`.
    """
    figure, (ax,) = style.figure(height=4.4, title=title)
    stable = table["stable"]
    for part, hue, words in (
        (table[~stable], style.OKABE_ITO["blue"], "volatile pairs"),
        (table[stable], style.OKABE_ITO["orange"], "pairs with a stablecoin"),
    ):
        ax.vlines(
            part["rank_correlation"], part["low"], part["high"], color=hue, alpha=0.3, linewidth=1.0
        )
        ax.plot(
            part["rank_correlation"], part["coefficient"], "o", color=hue, markersize=4, label=words
        )
    rho = np.linspace(min(table["rank_correlation"].min() - 0.05, 0.0), 0.95, 100)
    curves = {
        f"t copula, {nu:.1f} degrees of freedom": (
            copula.tail(rho, nu, quantile),
            "-",
        ),
        "normal copula": (copula.tail(rho, np.inf, quantile), (0, (4, 1.5))),
        "t copula, limit at the far end of the tail": (copula.tail(rho, nu), ":"),
    }
    for words, (values, line) in curves.items():
        ax.plot(rho, values, color="#4D4D4D", linestyle=line, linewidth=1.1, label=words)
    ax.axhline(quantile, color=style.CONTEXT, linewidth=0.8)
    ax.annotate(
        "independent: the same chance as on any day",
        (0.55, quantile),
        xytext=(0, 3),
        textcoords="offset points",
        fontsize=7.5,
    )
    ax.set_ylim(0.0, 1.0)
    style.percent(ax.yaxis)
    ax.set_ylabel(f"chance that the other is in its worst {percent(quantile, 0)} too")
    ax.set_xlabel("rank correlation of the standardised residuals, sin(πτ/2)")
    ax.legend(loc="upper left")
    return figure
