"""Figures of uncertainty: their titles are made from the numbers, their axes are named."""

import numpy as np
import pandas as pd
import pytest

from xcoll.workbook.plots import uncertainty as plots


def named(figure):
    assert all(ax.get_xlabel() for ax in figure.axes)
    assert figure.axes[0].get_ylabel()


POSTED = pd.DataFrame(
    {"haircut": [0.2, 0.4], "low": [0.15, 0.3], "high": [0.27, 0.5],
     "sampling_low": [0.16, 0.3], "sampling_high": [0.24, 0.5]},
    index=["BTC", "WBTC"],
)  # fmt: skip


def test_intervals_in_front_of_the_band():
    models = pd.DataFrame(
        {"asset": ["BTC", "BTC", "WBTC", "WBTC", "WBTC"],
         "model": ["fhs", "evt", "fhs", "evt", "t"],
         "haircut": [0.1, 0.3, 0.2, 0.5, np.nan], "used": [True, False, True, False, False]}
    )  # fmt: skip
    figure = plots.intervals(POSTED.iloc[::-1], models)
    named(figure)
    # widths of 12 and 20 points, bands of 20 and 30
    assert figure.get_suptitle() == (
        "Other bars of history leave the median haircut open by 16 points, other models by up to 25"
    )
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["BTC", "WBTC"]
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.2, 0.3])
    used = next(c for c in ax.collections if c.get_label() == "forecast in use")
    np.testing.assert_allclose(used.get_offsets(), [[0.1, 0], [0.2, 1]])
    alone = plots.intervals(POSTED, models.iloc[:0])
    assert alone.get_suptitle().endswith("open by 16 points")


TORNADO = pd.DataFrame(
    {"asset": ["BTC"] * 3 + ["ETH"],
     "input": ["window", "tail.confidence", "position_usd", "window"],
     "low_value": ["200D", "0.975", "2500000", "200D"],
     "high_value": ["730D", "0.995", "1e7", "730D"],
     "low": [0.21, 0.15, 0.2, 0.1], "high": [0.22, 0.26, 0.2, 0.4], "base": [0.2] * 3 + [0.3],
     "swing": [0.02, 0.11, 0.0, 0.3]}
)  # fmt: skip


def test_tornado():
    figure = plots.tornado(TORNADO, "BTC")
    named(figure)
    assert figure.get_suptitle() == (
        "The confidence moves BTC's haircut most, by 11.0 points around 20.0 %"
    )
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "position, dollars", "look-back of the forecast", "confidence",
    ]  # fmt: skip
    words = {text.get_text(): text.xy[0] for text in ax.texts}
    assert words["2.5M"] == words["10M"] == pytest.approx(0.2)
    assert words["0.995"] == pytest.approx(0.26)
    # bars start at the base; those of one side lie under each other, no bar hides another
    boxes = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in ax.patches]
    assert boxes[1][0] >= boxes[4][1] or boxes[4][0] >= boxes[1][1]
    median = plots.tornado(TORNADO[TORNADO["asset"] == "ETH"].assign(asset="median"))
    assert "moves the median haircut most, by 30.0 points around 30.0 %" in median.get_suptitle()


def test_stablecoins():
    rows = [
        (asset, horizon, flag, size + flag * 0.01, size, size + 0.03, 3 + 2 * flag, 10.5)
        for flag in (False, True)
        for asset in ("USDC", "USDT")
        for horizon, size in (("1h", 0.002), ("24h", 0.02))
    ]
    columns = [
        "asset",
        "horizon",
        "suspects",
        "market",
        "market_low",
        "market_high",
        "events",
        "years",
    ]
    figure = plots.pegged(pd.DataFrame(rows, columns=columns))
    named(figure)
    assert figure.get_suptitle() == (
        "The suspect prints would lift a stablecoin's loss within 24h from 2.0 % to 3.0 %"
    )
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["USDC", "USDT"]
    labels = [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]
    assert labels == ["without them: 3 breaks", "with them: 5 breaks"]
