"""The look of every figure: Okabe–Ito colours, one fixed colour an asset, units on the axes."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib import dates as mdates
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from xcoll.workbook.tables import money as money_text

__all__ = [
    "ACCENT",
    "CONTEXT",
    "DIVERGING",
    "OKABE_ITO",
    "apply",
    "colour",
    "dates",
    "figure",
    "label_ends",
    "linestyle",
    "money",
    "note",
    "percent",
    "remark",
]

# Okabe and Ito (2008), Color Universal Design.
OKABE_ITO = {
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "black": "#000000",
}
ACCENT = OKABE_ITO["vermillion"]
CONTEXT = "#8C8C8C"
DIVERGING = mpl.colors.LinearSegmentedColormap.from_list(
    "blue-grey-vermillion", [OKABE_ITO["blue"], "#F2F2F2", OKABE_ITO["vermillion"]]
)

# Thirteen assets share seven hues (yellow is too pale for a line): the second holder of a hue
# is dashed, so that colour alone never tells two assets apart.
_HUES = ("orange", "blue", "green", "vermillion", "purple", "sky", "black")
_ASSETS = (
    ("BTC", "ETH", "BNB", "ADA", "XRP", "LINK", "USDC"),
    ("DOGE", "MATIC", "ALGO", "AVAX", "LUNA", "USDT", "wstETH"),
)
_LOOK = {
    asset: (OKABE_ITO[hue], line)
    for assets, line in zip(_ASSETS, ("-", (0, (4, 1.5))), strict=True)
    for asset, hue in zip(assets, _HUES, strict=True)
}


def apply(*, captioned: bool = False) -> None:
    """Set the style sheet of all figures in this process.

    Where they are `captioned`, a notebook keeps the title of a figure beside the picture and not
    in it, for a page to set as text that can be read on a phone, searched and printed.
    """
    sns.set_theme(
        context="notebook",
        style="ticks",
        palette=[OKABE_ITO[hue] for hue in _HUES],
        rc={
            "axes.axisbelow": True,
            "axes.edgecolor": "#4D4D4D",
            "axes.grid": True,
            "axes.labelsize": 9,
            "axes.linewidth": 0.8,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "figure.titlesize": 11,
            "figure.titleweight": "bold",
            "font.family": "DejaVu Sans",
            "grid.color": "#E6E6E6",
            "grid.linewidth": 0.6,
            "legend.fontsize": 8,
            "legend.frameon": False,
            "lines.linewidth": 1.4,
            "savefig.dpi": 200,
            "svg.hashsalt": "xcoll",
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
        },
    )
    try:
        shell = get_ipython()  # type: ignore[name-defined]
    except NameError:  # a plain Python process
        return
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    if shell is not None:
        set_matplotlib_formats("retina")
        if captioned:
            shell.display_formatter.formatters["image/png"].for_type(Figure, _without_title)


def _without_title(figure: Figure) -> tuple[str, dict[str, object]]:
    """The picture, and what is known of it: width, height and title."""
    from IPython.core.pylabtools import retina_figure

    title = " ".join(figure.get_suptitle().replace(r"\$", "$").split())
    figure.suptitle("")
    picture, known = retina_figure(figure, base64=True, bbox_inches="tight")
    return picture, known | {"title": title}


def colour(asset: str) -> str:
    """Fixed colour of `asset`; grey for one that has none of its own."""
    return _LOOK.get(asset, (CONTEXT, "-"))[0]


def linestyle(asset: str) -> object:
    """Fixed line style of `asset`."""
    return _LOOK.get(asset, (CONTEXT, "-"))[1]


def figure(
    rows: int = 1,
    columns: int = 1,
    *,
    height: float = 3.6,
    width: float = 8.0,
    share: bool | str = False,
    title: str | None = None,
) -> tuple[Figure, np.ndarray]:
    """A figure `width` inches wide and `height` high, and its axes as a flat array.

    `share` is that of both axes: all panels, none, or those of one "row" or "col".
    """
    made, axes = plt.subplots(
        rows, columns, figsize=(width, height), sharex=share, sharey=share, squeeze=False
    )
    if title:
        made.suptitle(title, x=0.01, ha="left")
    return made, axes.ravel()


def percent(axis: Axis, digits: int = 0) -> None:
    """Show the fractions on `axis` as percent, at steps of 1, 2 or 5."""
    if axis.get_scale() == "linear":  # a step of 2.5 would be rounded to steps of 2 and 3
        axis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:,.{digits}f} %"))


def money(axis: Axis) -> None:
    """Show the dollars on `axis` in thousands, millions or billions."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: money_text(value)))


def dates(axis: Axis) -> None:
    """Show the times on `axis` as months and years."""
    locator = mdates.AutoDateLocator(minticks=3, maxticks=8)
    axis.set_major_locator(locator)
    axis.set_major_formatter(mdates.ConciseDateFormatter(locator))


def label_ends(ax: Axes, *, gap: float = 0.045) -> None:
    """Write each line's label at its right end, moved apart where they would touch.

    Takes the place of a legend where lines are few; `gap` is the least distance between two
    labels as a share of the axis height.
    """
    ax.get_xlim(), ax.get_ylim()  # settles lazy limits before positions are read
    ends = []
    for line in ax.get_lines():
        label = str(line.get_label())
        x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata(), dtype=float)
        known = np.flatnonzero(np.isfinite(y))
        if label.startswith("_") or not len(known):
            continue
        place = ax.transAxes.inverted().transform(
            ax.transData.transform((mpl.dates.date2num(x[known[-1]]), y[known[-1]]))
            if np.issubdtype(x.dtype, np.datetime64)
            else ax.transData.transform((x[known[-1]], y[known[-1]]))
        )
        ends.append([place[1], label, line.get_color()])
    ends.sort(key=lambda end: end[0])
    for lower, upper in pairwise(ends):
        upper[0] = max(upper[0], lower[0] + gap)
    for height, label, hue in ends:
        ax.annotate(
            label,
            (1.01, height),
            xycoords="axes fraction",
            color=hue,
            fontsize=8,
            va="center",
            annotation_clip=False,
        )


REMARK = {"fontsize": 7.5, "style": "italic", "color": "#595959"}


def remark(figure: Figure, text: str) -> None:
    """Write a remark ("synthetic books") under the axes of `figure`, to the right."""
    figure.supxlabel(text, x=0.99, ha="right", **REMARK)


def note(ax: Axes, text: str) -> None:
    """Write a remark ("synthetic book", "modelled lows") into the lower right corner of `ax`."""
    ax.annotate(
        text,
        (0.99, 0.02),
        xycoords="axes fraction",
        ha="right",
        va="bottom",
        **REMARK,
    )
