"""Figures of accounts: who is drawn where, what the reader is told, names on the axes."""

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from xcoll.workbook.plots import baskets, style


@pytest.fixture
def risks():
    rows = []
    for account, es in {"two coins": 0.14, "ether owed": 0.06}.items():
        for law, times in zip(baskets.LAWS, (1.0, 0.9, 1.05, 0.8, 1.5), strict=True):
            rows.append((account, law, 0.9 * es * times, es * times, 0.001, 1.5 * es, 1 / 3, 0.01))
    columns = ["account", "law", "var", "es", "error", "parts", "benefit", "benefit_error"]
    found = pd.DataFrame(rows, columns=columns)
    found.loc[found["account"] == "ether owed", "benefit"] = 0.5
    return found


@pytest.fixture
def allocations():
    rows = [
        ("two coins", "BTC", 0.5, 0.08, 0.07),
        ("two coins", "ETH", 0.5, 0.08, 0.07),
        ("ether owed", "BTC", 1.0, 0.14, 0.12),
        ("ether owed", "ETH", -0.6, 0.07, -0.05),
        ("staked", "wstETH", 1.0, 0.14, 0.14),
        ("staked", "ETH", -0.8, -0.11, -0.11),
    ]
    return pd.DataFrame(rows, columns=["account", "asset", "weight", "alone", "allocation"])


def test_risks_stand_on_the_row_of_their_account(risks):
    figure = baskets.risks(risks)
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["ether owed", "two coins"]
    drawn = {c.get_label(): c.get_offsets() for c in ax.collections if c.get_label()[0] != "_"}
    assert set(drawn) == {words for *_, words in baskets.LAWS.values()}
    fhs = drawn["whole days (fhs)"]
    assert [round(x, 3) for x, _ in fhs] == [0.14, 0.06]
    assert [round(y) for _, y in fhs] == [1, 0]
    widths = sorted(round(bar.get_width(), 3) for bar in ax.patches)
    assert widths == [0.09, 0.21]
    assert "save 33 % (two coins) to 50 % (ether owed)" in figure.get_suptitle()
    assert "shortfall" in ax.get_xlabel()
    assert "modelled" in figure.get_supxlabel()


def test_allocations_stack_to_the_es_and_hedges_stand_left(allocations):
    figure = baskets.allocations(allocations)
    (ax,) = figure.axes
    bars = ax.patches
    assert [round(bar.get_x() + bar.get_width(), 3) for bar in bars] == [
        0.14, -0.11, 0.12, -0.05, 0.07, 0.14,
    ]  # fmt: skip
    assert [bar.get_hatch() for bar in bars] == [None, "///", None, "///", None, None]
    assert to_hex(bars[-2].get_facecolor()) == style.colour("BTC").lower()
    totals = [line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1]
    for total in (0.14, 0.07, 0.03):
        assert any(abs(total - each) < 1e-9 for each in totals)
    assert "Owed ETH takes 5.0 %" in figure.get_suptitle()  # not what is netted
    assert "hatched: owed" in figure.get_supxlabel()


def test_without_a_hedge_every_leg_adds(allocations):
    figure = baskets.allocations(allocations.iloc[:2])
    assert figure.get_suptitle() == "Every leg adds to the tail of its account"


def test_wrong_ways_show_both_units_of_one_law():
    rows = [
        (name, law, unit, joint, 0.14, joint - 0.14, 0.001, 0.0)
        for name, joint in {"hedged": 0.06, "wrong": 0.17}.items()
        for law in ("fhs", "one")
        for unit in ("dollar", "debt")
    ]
    columns = ["account", "law", "unit", "joint", "independent", "addon", "error", "debt_move"]
    table = pd.DataFrame(rows, columns=columns)
    figure = baskets.wrong_ways(table, "one")
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "net account, dollars", "collateral, in units of what is owed",
    ]  # fmt: skip
    assert "takes 8.0 % off the tail of “hedged”" in figure.get_suptitle()
    assert "in “wrong” it adds 3.0 % (± 0.2 %)" in figure.get_suptitle()
    assert "all at their worst" in figure.get_supxlabel()
    unsure = baskets.wrong_ways(table.assign(error=0.02), "fhs")
    assert "adds to no account's tail" in unsure.get_suptitle()
