"""Figures of new assets: who is drawn where, and what the reader is told."""

import numpy as np
import pandas as pd
import pytest

from xcoll.workbook.plots import new_assets


@pytest.fixture
def tried():
    rows = [
        (asset, age, 0.4 - age / 1000, 0.3, age / 1000, 0.3, 0.25, 0.0, age / 10, 1.0, 90)
        for asset in ("BNB", "LINK")
        for age in (30.0, 90.0)
    ]
    names = ["asset", "age", "procedure", "shrunk", "naive", "class", "whole"]
    beyond = ["beyond_procedure", "beyond_naive", "beyond_class", "days"]
    return pd.DataFrame(rows, columns=[*names, *beyond]).assign(listed=pd.Timestamp("2021-06-01"))


def remark(figure):
    return figure.get_supxlabel()


def test_judged_shows_the_median_ratio_and_the_losses_beyond(tried):
    figure = new_assets.judged(tried)
    assert "reach the figure of the whole past in 0 %" in figure.get_suptitle().replace(
        "\u00a0", " "
    )
    left, right, *_ = figure.axes
    ratios = {  # in the order of the legend, 30 then 90 days
        text.get_text(): marks.get_offsets()[:, 0]
        for text, marks in zip(right.get_legend().get_texts(), left.collections[1::2], strict=True)
    }
    np.testing.assert_allclose(ratios["its own bars alone"], [0.12, 0.36])
    np.testing.assert_allclose(ratios["procedure with add-on"], [1.48, 1.24])
    rates = [text.get_text() for text in right.texts]
    assert rates == ["33.3", "100.0", "11.1", "11.1", "0.0", "0.0"]
    assert [t.get_text() for t in left.get_yticklabels()] == ["30 days old", "90 days old"]
    assert "log" in left.get_xlabel()
    assert "lows modelled" in remark(figure)


def test_every_asset_has_its_own_row_the_shortest_first(tried):
    tried.loc[tried["asset"] == "LINK", "procedure"] /= 2.0
    figure = new_assets.judged(tried)
    assert "least for LINK: 0.62 times it" in figure.get_suptitle()
    own, procedure = figure.axes[2:]
    assert [text.get_text() for text in own.get_yticklabels()] == ["LINK", "BNB"]
    assert [text.get_text() for text in own.texts] == ["0.12 ×", "0.36 ×"] * 2
    assert [text.get_text() for text in procedure.texts] == ["0.74 ×", "0.62 ×", "1.48 ×", "1.24 ×"]
    assert own.get_title(loc="left") == "its own bars alone, over the whole past"
    few = tried.drop(index=tried.index[tried["asset"].eq("LINK") & tried["age"].eq(90)])
    assert [text.get_text() for text in new_assets.judged(few).axes[2].texts][:1] == ["0.12 ×"]
    assert len(new_assets.judged(few).axes[2].texts) == 3
    assert "least for" not in new_assets.judged(tried[tried["asset"] == "BNB"]).get_suptitle()
