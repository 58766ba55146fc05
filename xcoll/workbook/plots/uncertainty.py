"""Figures of uncertainty: intervals within the model band, the tornado, stablecoins' breaks."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xcoll.workbook.plots import style
from xcoll.workbook.tables import percent

__all__ = ["intervals", "pegged", "tornado"]

BAND = "#D9D9D9"
INPUTS = {
    "tail.confidence": "confidence",
    "window": "look-back of the forecast",
    "look_back": "look-back of the long run",
    "horizon": "close-out horizon",
    "depth": "depth of a bad day, times",
    "participation": "share of volume sold",
    "position_usd": "position, dollars",
}


def intervals(posted: pd.DataFrame, models: pd.DataFrame) -> Figure:
    """Posted haircut of each asset with its interval, in front of the band of models.

    Parameters
    ----------
    posted : DataFrame, index asset
        haircut, low, high, sampling_low, sampling_high, fractions.
    models : DataFrame
        asset, model, haircut, used; assets without rows are drawn without a band.
    """
    shown = posted.sort_values("haircut", kind="stable")
    place = pd.Series(np.arange(len(shown)), shown.index)
    known = models[models["asset"].isin(place.index)].dropna(subset="haircut")
    band = known.groupby("asset")["haircut"].agg(["min", "max"])
    width = 100 * (shown["high"] - shown["low"]).median()
    spread = 100 * (band["max"] - band["min"]).median()
    other = f", other models by up to {spread:.0f}" if len(band) else ""
    figure, (ax,) = style.figure(
        height=1.5 + 0.32 * len(shown),
        title=f"Other bars of history leave the median haircut open by {width:.0f} points{other}",
    )
    ax.barh(
        place[band.index], band["max"] - band["min"], left=band["min"], height=0.62, color=BAND,
        label="every model of the market part",
    )  # fmt: skip
    ax.scatter(
        known["haircut"], place[known["asset"]], marker="|", s=40, linewidth=0.8, color="#A6A6A6",
        label="one model",
    )  # fmt: skip
    used = known[known["used"]]
    ax.scatter(
        used["haircut"], place[used["asset"]], marker="D", s=18, facecolor="white", zorder=4,
        edgecolor="black", linewidth=0.9, label="forecast in use",
    )  # fmt: skip
    colours = [style.colour(asset) for asset in shown.index]
    ax.hlines(place, shown["low"], shown["high"], color=colours, linewidth=1.2)
    ax.hlines(place, shown["sampling_low"], shown["sampling_high"], color=colours, linewidth=4)
    ax.scatter(shown["haircut"], place, color=colours, edgecolor="white", s=46, zorder=3)
    context = "#4D4D4D"
    ax.plot([], [], "o", color=context, label="posted")
    ax.plot([], [], color=context, linewidth=4, label="90 %, resampled bars")
    ax.plot([], [], color=context, linewidth=1.2, label="and ranges of the scaling")
    ax.set_yticks(place, place.index)
    ax.set_ylim(-0.6, len(place) - 0.4)
    ax.set_xlim(left=0.0)
    ax.set_xlabel("haircut at the covering horizon, percent of the price")
    ax.set_ylabel("asset")
    ax.grid(visible=False, axis="y")
    style.percent(ax.xaxis)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    style.remark(
        figure,
        "lows and derived tokens modelled, scaled under a bar; the interval is the least that is "
        "open, stablecoins: of the hazard",
    )
    return figure


def tornado(table: pd.DataFrame, asset: str = "median") -> Figure:
    """Moves of one asset's haircut, input by input, the largest at the top.

    Parameters
    ----------
    table : DataFrame
        As `sensitivity.tornado` or, for ``"median"``, `sensitivity.median` gives it.
    asset : str
        Which rows.
    """
    rows = table[table["asset"] == asset].sort_values("swing", kind="stable")
    names = [INPUTS.get(name, name) for name in rows["input"]]
    top, base = rows.iloc[-1], rows["base"].iloc[0]
    whose = "the median haircut" if asset == "median" else f"{asset}'s haircut"
    figure, (ax,) = style.figure(
        height=1.3 + 0.42 * len(rows),
        title=f"The {names[-1]} moves {whose} most, by {100 * top['swing']:.1f} points "
        f"around {percent(base)}",
    )
    y = np.arange(len(rows))
    ends = {"low": style.OKABE_ITO["sky"], "high": style.OKABE_ITO["orange"]}
    span = rows[["low", "high", "base"]].to_numpy()
    reach = max(span.max() - span.min(), 1e-3)
    same = np.sign(rows["low"] - base) * np.sign(rows["high"] - base) > 0
    offsets = np.where(same, 0.19, 0.0)  # two moves to one side lie under each other
    for (end, hue), side in zip(ends.items(), (1, -1), strict=True):
        move = (rows[end] - base).to_numpy()
        height = np.where(same, 0.34, 0.62)
        ax.barh(y + side * offsets, move, left=base, height=height, color=hue)
        for row, (value, reached) in enumerate(zip(rows[f"{end}_value"], rows[end], strict=True)):
            right = reached > base or (reached == base and side < 0)
            ax.annotate(
                _value(value), (reached, row + side * offsets[row]), (4 if right else -4, 0),
                textcoords="offset points", va="center", ha="left" if right else "right",
                fontsize=8,
            )  # fmt: skip
    ax.axvline(base, color="black", linewidth=0.9)
    ax.set_yticks(y, names)
    ax.set_xlim(span.min() - 0.18 * reach, span.max() + 0.18 * reach)
    ax.set_xlabel("haircut, percent of the price")
    ax.set_ylabel("input, one moved at a time")
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))  # whole percents
    style.percent(ax.xaxis, 0 if reach > 0.05 else 1)
    style.remark(figure, f"line: the calibration as it is, {percent(base)}; lows modelled")
    return figure


def _value(text: str) -> str:
    try:
        number = float(text)
    except ValueError:
        return text
    return f"{number / 1e6:g}M" if abs(number) >= 1e5 else f"{number:g}"


def pegged(table: pd.DataFrame) -> Figure:
    """Market part of stablecoins by horizon, without and with the suspect prints.

    Parameters
    ----------
    table : DataFrame
        asset, horizon, suspects, market, market_low, market_high, as `pegged_table` gives it.
    """
    assets, horizons = table["asset"].unique(), table["horizon"].unique()
    longest = table[table["horizon"] == max(horizons, key=pd.Timedelta)]
    without, counted = (
        percent(longest.loc[longest["suspects"] == flag, "market"].mean()) for flag in (False, True)
    )
    events = table.groupby("suspects")["events"].first()
    figure, axes = style.figure(
        1, len(assets), height=1.6 + 0.4 * len(horizons), share=True,
        title=f"The suspect prints would lift a stablecoin's loss within "
        f"{longest['horizon'].iloc[0]} from {without} to {counted}",
    )  # fmt: skip
    looks = {
        False: (style.OKABE_ITO["blue"], "o", f"without them: {events[False]} breaks"),
        True: (style.OKABE_ITO["orange"], "s", f"with them: {events[True]} breaks"),
    }
    for ax, asset in zip(axes, assets, strict=True):
        for flag, (hue, mark, label) in looks.items():
            rows = table[(table["asset"] == asset) & (table["suspects"] == flag)]
            y = np.arange(len(rows)) + (-0.15 if flag else 0.15)
            ax.hlines(y, rows["market_low"], rows["market_high"], color=hue, linewidth=2)
            ax.scatter(rows["market"], y, color=hue, marker=mark, s=30, zorder=3, label=label)
        ax.set_yticks(np.arange(len(horizons)), horizons)
        ax.set_title(asset)
        ax.set_xlabel("market part, percent of the price")
        ax.grid(visible=False, axis="y")
    axes[0].set_xlim(left=0.0)
    axes[0].set_ylim(-0.5, len(horizons) - 0.5)
    axes[0].set_ylabel("close-out horizon")
    style.percent(axes[0].xaxis, 1)
    axes[-1].legend(loc="lower right")
    years = table["years"].iloc[0]
    style.remark(
        figure,
        f"line: 90 % interval of the hazard over {years:.1f} asset-years; under a day scaled",
    )
    return figure
