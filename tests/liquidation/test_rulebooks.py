"""A parameter set in the words of each venue."""

import math
from dataclasses import replace

import numpy as np
import pytest

from xcoll.collateral.liquidity import Tiers
from xcoll.collateral.venues import morpho_bonus
from xcoll.errors import ParameterError
from xcoll.liquidation import _kernels
from xcoll.liquidation.engines import aave, compound, exchange
from xcoll.liquidation.mapping import VENUES
from xcoll.liquidation.rulebooks import (
    MAKER,
    RULEBOOKS,
    Aave,
    Compound,
    Euler,
    Exchange,
    Maker,
    Morpho,
)

ASSETS = ["A", "B", "C"]
LT = np.array([0.8, 0.6, 0.0])  # C is no collateral
LB = np.array([0.05, 0.1, 0.0])
FEE = np.array([0.1, 0.2, 0.0])
TIERS = Tiers((1_000.0, 5_000.0), (0.8, 0.4))


def compiled(engine):
    return engine.compiled(ASSETS, LT, LB, FEE)


@pytest.mark.parametrize("name", RULEBOOKS)
def test_every_rulebook_compiles_for_every_asset(name):
    engine = RULEBOOKS[name]()
    threshold, rules = compiled(engine)
    room, fund = engine.room
    assert threshold.shape == rules.bonus.shape == rules.fee.shape == rules.extra.shape == (3,)
    assert rules.law.shape == (8,)
    assert rules.bounds.shape == rules.ratios.shape
    assert len(rules.bounds) == 3
    assert (rules.bounds[:, -1] == np.inf).all()
    assert threshold[2] == 0.0
    assert rules.code == getattr(_kernels, name.upper())
    assert room > 0
    assert fund == 0.0
    assert engine.form == name
    assert engine.form in VENUES
    for values in (rules.bonus, rules.fee, rules.extra, rules.law):
        assert values.dtype == np.float64
        assert values.flags.c_contiguous


def test_the_three_venues_of_keepers():
    keepers = {name for name, kind in RULEBOOKS.items() if kind.by_keepers}
    assert keepers == {"aave", "morpho", "euler"}


def test_aave_takes_the_set_as_it_is():
    threshold, rules = compiled(Aave())
    assert np.array_equal(threshold, LT)
    assert np.array_equal(rules.bonus, LB)
    assert np.array_equal(rules.fee, FEE)
    assert np.array_equal(rules.law[:4], aave.RULES.array())
    kinder = Aave(aave.Rules(close_factor=0.3))
    assert compiled(kinder)[1].law[0] == 0.3


def test_morpho_pays_by_its_formula_or_by_the_set():
    _, rules = compiled(Morpho())
    assert rules.bonus.tolist() == [morpho_bonus(0.8), morpho_bonus(0.6), 0.0]
    assert not rules.fee.any()
    assert np.array_equal(compiled(Morpho(by_formula=False))[1].bonus, LB)


def test_pre_liquidation_calls_earlier():
    threshold, rules = compiled(Morpho(pre=0.9, lcf1=0.1, lcf2=0.5, lif1=1.01, lif2=1.04))
    np.testing.assert_allclose(threshold, 0.9 * LT)
    assert np.array_equal(rules.extra, LT)
    assert rules.law[:5].tolist() == [1.0, 0.1, 0.5, 1.01, 1.04]
    assert compiled(Morpho())[1].law[0] == 0.0


def test_eulers_discount_is_its_own_or_that_of_the_bonus():
    assert compiled(Euler())[1].bonus.tolist() == [0.15, 0.15, 0.0]
    np.testing.assert_allclose(compiled(Euler(None))[1].bonus, LB / (1 + LB))


def test_compounds_storefront_pays_the_bonus():
    threshold, rules = compiled(Compound(0.6))
    assert np.array_equal(threshold, LT)
    for k in range(3):
        asked = compound.ask(100.0, float(rules.extra[k]), 0.6)
        assert 100.0 / asked == pytest.approx(1 + LB[k])
    with pytest.raises(ParameterError, match="above the storefront factor"):
        compiled(Compound(0.05))


def test_makers_constants_and_its_hole():
    engine = Maker()
    threshold, rules = compiled(engine)
    assert np.array_equal(threshold, LT)
    assert rules.law.tolist() == [1.10, 0.99, 90, 7_200, 0.45, 1.13, 7_500, 0.0]
    assert engine.room == (70e6, 0.0)
    assert compiled(Maker(replace(MAKER, tau=3_600.0)))[1].law[7] == 3_600.0
    assert Maker(replace(MAKER, hole=math.inf)).room == (math.inf, 0.0)


def test_an_exchange_counts_tiers_within_its_first_one():
    engine = Exchange(exchange.Rules(0.1, 1.2, 0.5, 0.02), {"B": TIERS}, fund=1e6)
    _, rules = compiled(engine)
    assert engine.room == (math.inf, 1e6)
    assert rules.law[:3].tolist() == [1.2, 0.5, 0.02]
    assert rules.bounds.tolist() == [[np.inf] * 3, [1_000, 5_000, np.inf], [np.inf] * 3]
    assert rules.ratios.tolist() == [[1.0, 0, 0], [1.0, 0.5, 0.0], [1.0, 0, 0]]


def test_schedules_of_other_assets_do_not_count():
    bounds = compiled(Exchange(tiers={"Z": TIERS}))[1].bounds
    assert (bounds == np.inf).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Morpho(pre=1.0), "pre is 1"),
        (lambda: Morpho(pre=0.9, lcf1=0.0), "lcf1 is 0"),
        (lambda: Morpho(pre=0.9, lcf1=0.5, lcf2=0.2), "lcf2 is 0.2; give at least 0.5"),
        (lambda: Morpho(pre=0.9, lif1=0.99), "lif1 is 0.99"),
        (lambda: Morpho(pre=0.9, lif2=1.001), "lif2 is 1.001; give at least 1.01"),
        (lambda: Euler(1.0), "most is 1"),
        (lambda: Compound(1.1), "storefront is 1.1"),
        (lambda: Exchange(fund=-1.0), "fund is -1"),
        (lambda: compiled(Morpho(pre=0.9, lif2=1.3)), r"lif2 is 1.3; give at most 1.25, one over"),
    ],
)
def test_bad_rules_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
