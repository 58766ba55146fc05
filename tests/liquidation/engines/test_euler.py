"""Euler: the discount that grows as health falls, cool-off and ramp."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.liquidation.engines.samples import single
from xcoll.errors import ParameterError
from xcoll.liquidation.engines import Euler, euler, serve

ENGINE = Euler(np.array([0.8, 0.0]), np.array([0.15, 0.0]))


@pytest.mark.parametrize(
    ("health", "discount"), [(0.99, 0.01), (0.9, 0.1), (0.85, 0.15), (0.5, 0.15), (1.0, 0.0)]
)
def test_discount_is_what_health_lacks_up_to_the_maximum(health, discount):
    account = single(1_000.0, 800 / health, 0.8)
    assert ENGINE.discount(account, 0) == pytest.approx(discount, abs=1e-12)
    assert ENGINE.incentive(account, 0) == pytest.approx(1 / (1 - discount))


def test_liquidatable_at_one_but_nothing_pays_there():
    account = single(1_000.0, 800.0, 0.8)
    assert account.health == 1.0
    assert ENGINE.liquidatable(account)
    assert ENGINE.repayment(account, 0, 1) == 800.0
    assert ENGINE.repayment(account, 0, 1, most=300.0) == 300.0
    assert serve(ENGINE, account).calls == ()
    assert not ENGINE.liquidatable(single(1_000.0, np.nextafter(800.0, 0), 0.8))


def test_whole_position_is_eligible():
    account = single(1_000.0, 820.0, 0.8)
    (step,) = serve(ENGINE, account).calls
    assert step.repaid == 820.0
    assert step.seized == pytest.approx(820 / account.health)


def test_seized_value_is_capped_by_the_balance():
    account = single(1_000.0, 900.0, 0.8)  # a health of 8/9: repaying 900 would seize 1,012.5
    result = serve(ENGINE, account)
    (step,) = result.calls
    assert step.seized == 1_000.0
    assert step.repaid == pytest.approx(1_000 * 8 / 9)
    assert result.deficit[1] == pytest.approx(900 - 8_000 / 9)


@given(worth=st.floats(1, 1e9), health=st.floats(0.01, 1), threshold=st.floats(0.1, 0.95))
def test_seizing_pays_back_the_debt_over_the_discount_factor(worth, health, threshold):
    account = single(worth, worth * threshold / health, threshold)
    engine = Euler(account.thresholds, np.array([0.15, 0.0]))
    factor = max(min(health, 1.0), 0.85)
    repaid = min(account.total, worth * factor)
    assert engine.repayment(account, 0, 1) == pytest.approx(repaid, rel=1e-9)


def test_maximum_is_by_asset():
    engine = Euler(np.array([0.8, 0.8]), np.array([0.15, 0.05]))
    account = single(1_000.0, 900.0, 0.8)
    assert engine.discount(account, 0) == pytest.approx(1 / 9)
    assert engine.discount(account, 1) == 0.05
    with pytest.raises(ParameterError, match="discounts below 1"):
        Euler(np.array([0.8]), np.array([1.0]))


def test_cooling_ends_when_its_time_is_over():
    assert euler.cooling(0.0, 1.0)
    assert not euler.cooling(1.0, 1.0)
    assert not euler.cooling(0.0, 0.0)
    with pytest.raises(ParameterError, match="elapsed"):
        euler.cooling(-1.0, 1.0)


@pytest.mark.parametrize(
    ("initial", "target", "elapsed", "ltv"),
    [
        (0.80, 0.70, 0.0, 0.80),
        (0.80, 0.70, 25.0, 0.775),
        (0.80, 0.70, 100.0, 0.70),
        (0.80, 0.70, 500.0, 0.70),
        (0.70, 0.80, 0.0, 0.80),  # a rise holds at once
    ],
)
def test_ramp(initial, target, elapsed, ltv):
    assert euler.ramp(initial, target, elapsed, 100.0) == pytest.approx(ltv, abs=1e-15)


def test_ramp_without_duration_is_a_step():
    assert euler.ramp(0.8, 0.7, 0.0, 0.0) == 0.7
