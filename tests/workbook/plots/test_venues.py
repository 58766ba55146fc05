"""Figures of venues: the bars sum to the mark, and every listing is named."""

import numpy as np
import pandas as pd
import pytest

from xcoll.collateral.explanation import STEPS
from xcoll.workbook import words
from xcoll.workbook.plots import venues


@pytest.fixture
def table():
    rng = np.random.default_rng(1)
    steps = pd.DataFrame(0.03 * rng.standard_normal((3, len(STEPS))), columns=list(STEPS))
    steps["anti-procyclical"] = [0.0, 1e-17, 0.0]
    return steps.assign(
        venue=["aave", "morpho", "aave"],
        token=["WETH", "WBTC", "LINK"],
        asset=["ETH", "WBTC", "LINK"],
        ltv=[0.8, 0.86, 0.66],
        published=[0.83, 0.86, 0.71],
        ours=[0.75, 0.8, 0.62],
        smart_ltv=[0.93, 0.92, 0.9],
        difference=steps.sum(axis=1),
    )


def test_explanation_stacks_to_both_sides_and_marks_the_sum(table):
    figure = venues.explanation(table)
    higher = (table["difference"] > 0).sum()
    assert figure.get_suptitle().startswith(f"{higher} of 3 published")
    (ax,) = figure.axes
    order = table.sort_values("difference")
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        f"{r.token}, {words.name(r.venue)}" for r in order.itertuples()
    ]
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "anti-procyclical" not in shown  # nobody takes that step
    assert len(shown) == len(STEPS)
    sums = np.zeros(3)
    for bars in ax.containers:
        for place, bar in enumerate(bars):
            sums[place] += bar.get_width()
    np.testing.assert_allclose(sums, 100 * order["difference"], atol=1e-9)
    marks = ax.collections[0].get_offsets()
    np.testing.assert_allclose(marks[:, 0], 100 * order["difference"])
    labels = [text.get_text() for text in ax.texts]
    assert labels == [f"{100 * d:+.1f}".replace("-", "−") for d in order["difference"]]
    assert "points" in ax.get_xlabel()
    assert "assumed" in figure.get_supxlabel()


def test_published_draws_every_listing_with_all_four(table):
    figure = venues.published(table)
    (ax,) = figure.axes
    drawn = {marks.get_label(): marks.get_offsets()[:, 0] for marks in ax.collections[1:]}
    order = table.sort_values(["asset", "published"], ascending=False)
    np.testing.assert_allclose(drawn["published threshold"], order["published"])
    np.testing.assert_allclose(drawn["our threshold"], order["ours"])
    np.testing.assert_allclose(drawn["published LTV"], order["ltv"])
    np.testing.assert_allclose(drawn["SmartLTV (cross-check)"], order["smart_ltv"])
    assert figure.get_suptitle() == "SmartLTV lies above 3 of 3 published thresholds"
    assert "percent" in ax.get_xlabel()
