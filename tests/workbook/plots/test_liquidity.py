"""Figures of liquidity: their titles are made from the numbers, their axes are named."""

import numpy as np
import pandas as pd
import pytest

from xcoll.collateral import liquidity
from xcoll.workbook.plots import liquidity as plots

MODELS = {
    "ETH": liquidity.DepthTable((1e5, 1e6, 1e7), (0.001, 0.01, 0.1), "ETH"),
    "BTC": liquidity.SquareRoot(0.05, 1e8),
    "ADA": liquidity.SquareRoot(0.1, 1e7),
}
LIMITS = pd.DataFrame(
    {"keeper's profit": [1e6, 4e6, 3e5], "clearing time": [5e6, 2e6, 2e5],
     "loss budget": [np.inf, 1.5e7, np.inf]},
    ["ETH", "BTC", "ADA"],
)  # fmt: skip
SIZES = np.geomspace(1e4, 2e7, 80)


def test_impact():
    caps = liquidity.caps(LIMITS)
    figure = plots.impact(liquidity.curves(MODELS, SIZES), caps)
    # 1 % by the quote, 0.05·√(2/100), 0.1·√(0.2/10)
    assert figure.get_suptitle() == (
        "A sale at the cap loses 0.7 % (BTC) to 1.4 % (ADA) of its value on a bad day"
    )
    drawn = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in drawn] == [
        r"BTC, cap \$2.00M", r"ETH, cap \$1.00M", r"ADA, cap \$200k"
    ]  # fmt: skip
    assert [ax.texts[0].get_text() for ax in drawn] == [
        "clearing time", "keeper's profit", "clearing time"
    ]  # fmt: skip
    dot = drawn[1].collections[0].get_offsets()[0]
    assert dot.tolist() == pytest.approx([1e6, 0.01], rel=0.01)
    assert all(ax.get_xscale() == ax.get_yscale() == "log" for ax in drawn)
    assert all("log" in ax.get_xlabel() for ax in drawn)
    assert "modelled" in figure.get_supxlabel()


def test_an_asset_without_a_cap_is_left_out():
    caps = liquidity.caps(LIMITS).drop("ADA")
    figure = plots.impact(liquidity.curves(MODELS, SIZES), caps)
    assert sum(ax.axison for ax in figure.axes) == 2


def test_addons():
    changes = pd.DataFrame(
        {
            "asset": ["WBTC", "WBTC", "USDT", "USDT", "WBTC"],
            "attribute": ["depth", "audits"] * 2 + ["jump_rate"],
            "better": [-0.001, 0.0, -0.002, 0.0, -0.01],
            "worse": [0.002, 0.003, 0.004, 0.002, 0.03],
            "off": [-0.002, 0.0, -0.005, -0.004, -0.02],
        }
    )
    figure = plots.addons(changes)
    assert figure.get_suptitle() == (
        "The add-on that weighs most is “jump rate”: a step worse adds 3.0 points to the haircut "
        "of WBTC"
    )
    drawn = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in drawn] == ["depth", "audits", "jump rate"]
    assert [label.get_text() for label in drawn[0].get_yticklabels()] == ["WBTC", "USDT"]
    assert [label.get_text() for label in drawn[2].get_yticklabels()] == ["WBTC"]
    assert all("percentage points" in ax.get_xlabel() for ax in drawn[1:])
    assert "assumed" in figure.legends[0].get_title().get_text()
    assert sorted(bar.get_width() for bar in drawn[0].patches) == [
        -0.002, -0.001, 0.002, 0.004
    ]  # fmt: skip
    alone = plots.addons(changes[changes["attribute"] != "jump_rate"])
    assert len(alone.axes) == 2
