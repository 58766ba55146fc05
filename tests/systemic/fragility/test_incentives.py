"""Rates, bearable losses and frontiers of every engine, the frontier by its own definition."""

import math

import numpy as np
import pytest

from tests.systemic.small import system, venue
from xcoll.collateral.venues import morpho_bonus
from xcoll.liquidation.rulebooks import Aave, Euler, Maker, Morpho
from xcoll.liquidation.world import Keepers, World
from xcoll.systemic.fragility.incentives import bearable, frontier, rate

ONE = ([[100, 0, 0]], [[0, 0, 50]])


def of(engine, **terms):
    return system(venue("one", *ONE, engine=engine, **terms))


def test_a_keeper_is_paid_the_bonus_less_the_fee_and_stops_where_his_margin_is_gone():
    made = of(Aave(), threshold=(0.83, 0.0, 0.0), fee=0.1)
    made = made.changed(world=World(keepers=Keepers(margin=0.01)))
    assert rate(made).loc["one", "X"] == pytest.approx(1.05)
    assert bearable(made).loc["one", "X"] == pytest.approx(1 - 1.01 / 1.045)
    assert frontier(made).loc["one", "X"] == pytest.approx(0.8715)
    for table in (rate(made), bearable(made), frontier(made)):
        assert table.loc["one", ["Y", "S"]].isna().all()


def test_a_margin_over_the_bonus_bears_no_loss():
    made = of(Aave()).changed(world=World(keepers=Keepers(margin=0.2)))
    assert bearable(made).loc["one", "X"] == pytest.approx(1 - 1.2 / 1.05)


def test_morpho_pays_by_its_formula_and_maker_its_chop():
    assert rate(of(Morpho(), threshold=(0.86, 0, 0))).loc["one", "X"] == 1 + morpho_bonus(0.86)
    assert rate(of(Maker())).loc["one", "X"] == Maker().rules.chop


def test_pre_liquidation_is_judged_by_the_threshold_at_which_it_begins():
    early = of(Morpho(by_formula=False, pre=0.9), threshold=(0.8, 0, 0))
    assert frontier(early).loc["one", "X"] == pytest.approx(0.9 * 0.8 * 1.05)


@pytest.mark.parametrize(("most", "at"), [(0.15, math.sqrt(0.83)), (0.05, 0.83 / 0.95)])
def test_eulers_frontier_moves_with_its_discount(most, at):
    made = of(Euler(most), threshold=(0.83, 0, 0))
    assert rate(made).loc["one", "X"] == pytest.approx(1 / (1 - most))
    assert frontier(made).loc["one", "X"] == pytest.approx(at)
    for health, helps in ((at + 1e-4, True), (at - 1e-4, False)):
        assert (after(health, 0.83, 1 / (1 - min(1 - health, most))) > health) == helps


@pytest.mark.parametrize("engine", [Aave(), Morpho(by_formula=False), Maker()])
def test_the_frontier_is_where_a_small_seizure_leaves_health_alone(engine):
    made = of(engine, threshold=(0.83, 0, 0))
    at, paid = frontier(made).loc["one", "X"], rate(made).loc["one", "X"]
    assert after(at, 0.83, paid) == pytest.approx(at, rel=1e-9)
    assert after(at + 0.01, 0.83, paid) > at + 0.01
    assert after(at - 0.01, 0.83, paid) < at - 0.01


def after(health, LT, paid, repaid=1e-3):
    """Health of a debt of 1 after a small repayment."""
    collateral = health / LT
    return (collateral - repaid * paid) * LT / (1 - repaid)


def test_rows_are_venues():
    both = system(
        venue("lower", *ONE, bonus=0.05), venue("higher", *ONE, bonus=0.08, threshold=(0.5, 0, 0))
    )
    assert list(rate(both)["X"]) == pytest.approx([1.05, 1.08])
    assert list(frontier(both)["X"]) == pytest.approx([0.84, 0.54])
    assert np.isnan(frontier(both).loc["higher", "Y"])
