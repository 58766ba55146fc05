"""The style sheet: one look an asset, labels that do not touch, kernels that can be warmed."""

import base64
import importlib
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

import xcoll
from xcoll.workbook.plots import style

ASSETS = [
    *("BTC", "ETH", "BNB", "ADA", "XRP", "DOGE", "LINK"),
    *("MATIC", "ALGO", "AVAX", "USDC", "USDT", "LUNA"),
]


def test_no_two_assets_look_the_same():
    looks = [(style.colour(asset), style.linestyle(asset)) for asset in ASSETS]
    assert len(set(looks)) == len(ASSETS)
    assert style.colour("SHIB") == style.CONTEXT


def test_colours_stand_apart_from_paper():
    for asset in ASSETS:
        assert sum(to_rgb(style.colour(asset))) / 3 < 0.75, asset


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [0.0, 5.0, 5.01], [3.0, 2.0, 1.0]])
def test_end_labels_keep_their_distance(values):
    _, (ax,) = style.figure()
    days = pd.date_range("2020-01-01", periods=2)
    for place, value in enumerate(values):
        ax.plot(days, [0.0, value], label=f"line {place}")
    ax.plot(days, [np.nan, np.nan], label="empty")
    style.label_ends(ax)
    heights = sorted(text.xy[1] for text in ax.texts)
    assert len(heights) == 3
    gaps = [upper - lower for lower, upper in itertools.pairwise(heights)]
    assert min(gaps) >= 0.045 - 1e-9


def test_axes_speak_in_units():
    _, (ax,) = style.figure()
    style.percent(ax.yaxis)
    style.money(ax.xaxis)
    assert ax.yaxis.get_major_formatter()(0.12, 0) == "12 %"
    assert ax.xaxis.get_major_formatter()(2.5e6, 0) == "$2.50M"


def test_every_module_of_kernels_can_be_warmed():
    names = [
        ".".join(path.relative_to(Path(xcoll.__file__).parents[1]).with_suffix("").parts)
        for path in Path(xcoll.__file__).parent.rglob("_kernels*")
    ]
    assert names
    for name in names:
        importlib.import_module(name).warm_up()


def test_a_title_goes_beside_the_picture():
    figure, (ax,) = style.figure(title="A sale loses\n\\$5M, 3 %")
    ax.plot([0.0, 1.0])
    picture, known = style._without_title(figure)
    assert known["title"] == "A sale loses $5M, 3 %"
    assert figure.get_suptitle() == ""
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert known["width"] > known["height"] > 100


def test_a_figure_without_a_title_has_none_beside_it():
    figure, (ax,) = style.figure()
    ax.plot([0.0, 1.0])
    assert style._without_title(figure)[1]["title"] == ""
