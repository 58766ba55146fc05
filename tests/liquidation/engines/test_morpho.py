"""Morpho: the incentive, plain liquidation, and pre-liquidation between its bounds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.engines.samples import single
from xcoll.errors import ParameterError
from xcoll.liquidation.engines import Morpho, PreLiquidation, keeper, morpho, serve

LLTVS = np.array([0.86, 0.0])
PRE = PreLiquidation(np.array([0.80, 0.0]), lcf1=0.1, lcf2=0.5, lif1=1.01, lif2=1.04)
PLAIN, EARLY = Morpho.by_formula(LLTVS), Morpho.by_formula(LLTVS, PRE)


@pytest.mark.parametrize(
    ("lltv", "factor"), [(0.86, 1.043841), (0.77, 1.074114), (0.625, 1.126761), (0.385, 1.15)]
)
def test_incentive_factor(lltv, factor):
    assert morpho.incentive_factor(lltv) == pytest.approx(factor, abs=5e-7)
    engine = Morpho.by_formula(np.array([lltv, 0.0]))
    assert engine.incentive(single(100.0, 99.0, lltv), 0) == morpho.incentive_factor(lltv)
    assert engine.incentives[1] == 1  # no market: nobody comes


def test_any_share_may_be_closed_and_all_of_it_is():
    account = single(1_000.0, 870.0, 0.86)
    for most in (1e-6, 400.0, 870.0):
        assert PLAIN.repayment(account, 0, 1, most) == most
    (step,) = serve(PLAIN, account).calls
    assert (step.repaid, step.fee) == (870.0, 0.0)
    assert step.seized == pytest.approx(870 / 0.958)


def test_bad_debt_is_borne_at_once():
    result = serve(PLAIN, single(1_000.0, 990.0, 0.86))
    (step,) = result.calls
    assert step.seized == 1_000.0
    assert step.repaid == pytest.approx(958.0)
    assert result.deficit[1] == pytest.approx(32.0)


def test_liquidatable_above_lltv_only():
    assert not PLAIN.liquidatable(single(1_000.0, 860.0, 0.86))
    assert PLAIN.liquidatable(single(1_000.0, np.nextafter(860.0, 861), 0.86))


@pytest.mark.parametrize(
    ("debt", "share", "incentive"),
    [
        (800.0, 0.0, 1.01),  # at pre-LLTV: not yet
        (815.0, 0.2, 1.0175),
        (830.0, 0.3, 1.025),  # half way
        (845.0, 0.4, 1.0325),
        (861.0, 1.0, 1 / 0.958),  # above LLTV: the plain rules
    ],
)
def test_pre_liquidation_is_linear_between_its_bounds(debt, share, incentive):
    account = single(1_000.0, debt, 0.80)
    assert EARLY.thresholds[0] == 0.80
    assert EARLY.repayment(account, 0, 1) == pytest.approx(share * debt)
    assert EARLY.incentive(account, 0) == pytest.approx(incentive)


def test_from_lltv_on_the_plain_rules_hold():
    quarter = Morpho.by_formula(
        np.array([0.5, 0.0]), PreLiquidation(np.array([0.25, 0.0]), 0.1, 0.5, 1.0, 1.04)
    )
    account = single(1_000.0, 500.0, 0.25)
    assert account.health == 0.5  # an LTV of exactly LLTV
    assert quarter.repayment(account, 0, 1) == 500.0
    assert quarter.incentive(account, 0) == quarter.incentives[0]
    below = single(1_000.0, np.nextafter(500.0, 0), 0.25)
    assert quarter.repayment(below, 0, 1) == pytest.approx(250.0)
    assert quarter.incentive(below, 0) == pytest.approx(1.04)


def test_one_call_of_pre_liquidation():
    account = single(1_000.0, 830.0, 0.80)
    step = keeper.call(EARLY, account)
    assert step.repaid == pytest.approx(249.0)
    assert step.seized == pytest.approx(249 * 1.025)
    later = account.after(0, 1, step.seized, step.repaid)
    assert later.total / later.worth.sum() == pytest.approx(581 / (1_000 - 255.225))
    assert not EARLY.liquidatable(later)


@settings(max_examples=200, deadline=None)
@given(
    lltv=st.floats(0.3, 0.95),
    gap=st.floats(0.01, 0.2),
    x=st.floats(1e-6, 1 - 1e-6),
    lcf=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)),
    reach=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
)
def test_pre_liquidation_lowers_the_ltv_until_it_is_under_the_bound(lltv, gap, x, lcf, reach):
    lif1, lif2 = (1 + r * (1 / lltv - 1) * 0.999 for r in sorted(reach))
    pre = PreLiquidation(np.array([lltv - gap, 0.0]), *sorted(lcf), lif1, lif2)
    engine = Morpho.by_formula(np.array([lltv, 0.0]), pre)
    debt = 1_000 * (lltv - gap * (1 - x))
    account = single(1_000.0, debt, lltv - gap)
    factor = lif1 + x * (lif2 - lif1)
    share = min(lcf) + x * (max(lcf) - min(lcf))
    assert engine.incentive(account, 0) == pytest.approx(factor, rel=1e-6)
    assert engine.repayment(account, 0, 1) == pytest.approx(share * debt, rel=1e-6)
    result = serve(engine, account)
    left = replace(account, collateral=result.collateral, debt=result.debt)
    assert not engine.liquidatable(left)
    assert not result.deficit.any()
    assert left.total <= 1_000 * (lltv - gap)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lcf1": 0.0}, "lcf1 is 0"),
        ({"lcf2": 0.05}, "lcf2 is 0.05; give at least 0.1"),
        ({"lcf2": 1.5}, "lcf2 is 1.5"),
        ({"lif1": 0.99}, "lif1 is 0.99"),
        ({"lif2": 1.005}, "lif2 is 1.005; give at least 1.01"),
        ({"lif2": 1.2}, r"lif2 is 1.2; give at most 1.16279, one over the LLTV"),
        ({"lltvs": np.array([0.86, 0.0])}, "pre-LLTVs are .* under the LLTVs"),
        ({"lltvs": np.array([0.8, 0.1])}, "0 where there is no market"),
        ({"lltvs": np.array([0.8])}, "pre_lltvs is .*give 2 finite numbers"),
    ],
)
def test_bad_terms_are_refused(changed, message):
    with pytest.raises(ParameterError, match=message):
        Morpho.by_formula(LLTVS, replace(PRE, **changed))


def test_an_incentive_under_one_is_refused():
    with pytest.raises(ParameterError, match=r"give 1 \+ LB"):
        Morpho(LLTVS, np.array([0.05, 0.0]))
