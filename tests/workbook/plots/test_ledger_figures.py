"""Figures of the ledger: titles made from the numbers, a panel an asset, marks of alerts."""

import numpy as np
import pandas as pd
import pytest

from xcoll.workbook.monitor.alerts import KINDS
from xcoll.workbook.plots import ledger as plots

DAYS = pd.date_range("2023-06-02", periods=3, freq="7D")


def rows(asset, values, target, under_way):
    return pd.DataFrame(
        {"time": DAYS[: len(values)], "asset": asset, "value": values, "target": target,
         "low": target - 0.02, "high": target + 0.02, "under_way": under_way}
    )  # fmt: skip


TABLE = pd.concat(
    [
        rows("ETH", [0.825, 0.82, 0.815], 0.745, True),
        rows("BTC", [0.795, 0.795, 0.795], 0.79, False),
        rows("USDC", [0.78, 0.785, 0.79], 0.955, True),
    ]
)
ALERTS = pd.DataFrame({"time": DAYS[[0, 2]], "asset": ["ETH", "elsewhere"]})


def drawn(figure):
    return [ax for ax in figure.axes if ax.get_visible()]


def test_a_panel_an_asset_with_what_is_in_force_and_its_target():
    figure = plots.paths(TABLE, "threshold", ALERTS)
    assert (
        figure.get_suptitle()
        == "1 of 3 thresholds lend more than their targets; ETH's by 7.0 points"
    )
    panels = drawn(figure)
    assert [ax.get_title(loc="left") for ax in panels] == ["ETH", "BTC", "USDC"]
    held, target, marks = panels[0].get_lines()[:3]
    assert held.get_ydata().tolist() == [0.825, 0.82, 0.815, 0.815]  # which holds on after the last
    assert target.get_ydata().tolist() == [0.745] * 3
    assert len(marks.get_xdata()) == 1
    assert len(panels[1].get_lines()[2].get_xdata()) == 0
    assert "percent" in figure.get_supylabel()
    low, high = panels[1].get_ylim()
    assert high - low >= 0.05 - 1e-12  # half a point does not fill a panel


@pytest.mark.parametrize("parameter", list(plots.WORDS))
def test_every_parameter_has_its_words(parameter):
    calm = TABLE.assign(under_way=False)
    title = plots.paths(calm, parameter, ALERTS).get_suptitle()
    assert title.startswith(f"None of 3 {plots.WORDS[parameter][0]}")


def test_a_bonus_is_wrong_on_its_low_side_and_a_cap_is_said_in_dollars():
    bonus = pd.concat([rows("ETH", [0.02], 0.05, True), rows("BTC", [0.08], 0.05, True)])
    assert "1 of 2 bonuses pay less than their targets; ETH's by 3.0" in plots.paths(
        bonus, "bonus", ALERTS
    ).get_suptitle()  # fmt: skip
    cap = rows("ETH", [9e6], 7e6, True)
    assert "let in more than their targets; ETH's by $2.00M" in plots.paths(
        cap, "cap", ALERTS
    ).get_suptitle()  # fmt: skip


def test_one_entry_can_be_seen():
    (panel,) = drawn(plots.paths(rows("ETH", [0.8], 0.7, True), "threshold", ALERTS))
    held = panel.get_lines()[0]
    assert len(np.unique(held.get_xdata())) == 2
    assert panel.get_xlim()[1] > panel.get_xlim()[0]


def test_alerts_by_kind_new_ones_filled():
    assert set(plots.KINDS) == set(KINDS)
    table = pd.DataFrame(
        {"time": DAYS[[0, 0, 1]], "kind": ["lag", "lag", "data"], "new": [True, True, False]}
    )
    figure = plots.fired(table)
    assert figure.get_suptitle() == "2 new alerts at 1 entries, most of lag"
    (ax,) = figure.axes
    drawn = [one for one in ax.collections if len(one.get_offsets())]
    assert len(drawn) == 2
    assert plots.fired(table.assign(new=False)).get_suptitle() == "No alert was new at any entry"
