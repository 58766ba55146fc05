"""Aave's rules in plain Python: worked numbers, the rules one by one, and what always holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.liquidation import aave

ONE = np.array([1.0, 0.0])
TWO = np.array([0.0, 1.0])  # the second asset is the stable debt


def weth(price, units=10.0, debt=7_500.0, fee=0.0):
    """Example account of the methods: WETH at LT 0.825 and LB 5 % against a stablecoin."""
    return aave.serve(
        units * ONE,
        debt * TWO,
        prices=np.array([price, 1.0]),
        thresholds=np.array([0.825, 0.0]),
        bonuses=np.array([0.05, 0.0]),
        fees=np.array([fee, 0.0]),
    )


def random_account(seed, assets=4):
    """A liquidatable account with several collaterals and debts, far from the rules' edges."""
    rng = np.random.default_rng(seed)
    prices = rng.lognormal(3, 3, assets)
    held = np.where(rng.random(assets) < 0.7, rng.lognormal(9, 2, assets), 0.0)
    held[rng.integers(assets)] += rng.lognormal(9, 2)
    owed = np.where(rng.random(assets) < 0.5, rng.random(assets), 0.0)
    owed[rng.integers(assets)] += 0.1
    thresholds, bonuses = rng.uniform(0.3, 0.9, assets), rng.uniform(0.01, 0.15, assets)
    health = rng.choice([rng.uniform(0.3, 0.95), rng.uniform(0.951, 0.999)])
    owed *= held @ thresholds / health / owed.sum()
    fees = rng.uniform(0, 0.3, assets)
    return held / prices, owed / prices, prices, thresholds, bonuses, fees


def test_worked_example_at_health_099():
    result = weth(900)
    (step,) = result.calls
    assert (step.repaid, step.seized) == (3_750.0, 4.375)
    after = aave.health_factor(
        result.collateral, result.debt, np.array([900.0, 1.0]), np.array([0.825, 0.0])
    )
    assert after == pytest.approx(1.11375, abs=1e-12)
    assert not result.deficit.any()


def test_worked_example_under_water():
    result = weth(500)
    (step,) = result.calls
    assert step.repaid == pytest.approx(4_761.904762, abs=5e-7)
    assert step.seized == 10.0
    assert result.deficit[1] == pytest.approx(2_738.095238, abs=5e-7)
    assert not result.debt.any()
    assert not result.collateral.any()


def test_healthy_account_is_left_alone():
    assert weth(910).calls == ()
    assert weth(7_500 / 8.25 + 1e-9).calls == ()


@pytest.mark.parametrize(
    ("collateral", "debt", "total", "health", "repaid"),
    [
        (20_000, 10_000, 10_000, 0.96, 5_000),  # half of the whole position
        (20_000, 6_000, 10_000, 0.96, 5_000),  # half of the position, not of the reserve
        (20_000, 4_000, 10_000, 0.96, 4_000),  # a reserve under that half goes whole
        (20_000, 10_000, 10_000, 0.95, 10_000),  # at 0.95 the reserve goes whole
        (20_000, 1_999, 10_000, 0.96, 1_999),  # under $2,000 of debt
        (1_999, 9_000, 10_000, 0.96, 1_999 / 1.05),  # under $2,000 of collateral: all of it
        (3_000, 9_000, 20_000, 0.90, 3_000 / 1.05),  # capped by the balance
        (20_000, 2_500, 4_000, 0.96, 1_500),  # 2,000 would leave $500 of debt
        (3_200, 9_000, 6_000, 0.96, 2_200 / 1.05),  # 3,000 would leave $50 of collateral
    ],
)
def test_largest_repayment(collateral, debt, total, health, repaid):
    assert aave.repayment(collateral, debt, total, health, 0.05) == pytest.approx(repaid)


def test_no_dust_is_left_beside_what_stays():
    for seed in range(300):
        c, d, p, lt, lb, fee = random_account(seed)
        step = aave.call(c, d, p, p, lt, lb, fee)
        left = (c[step.collateral] - step.seized) * p[step.collateral]
        owed = (d[step.debt] - step.repaid) * p[step.debt]
        cleared = step.seized == c[step.collateral] or step.repaid == d[step.debt]
        assert cleared or min(left, owed) >= 1_000 * (1 - 1e-9)


def test_protocol_fee_is_a_share_of_the_bonus_only():
    result = weth(900, fee=0.1)
    (step,) = result.calls
    bonus = step.seized - step.repaid / 900
    assert step.fee == pytest.approx(0.1 * bonus, rel=1e-12)
    assert step.seized == weth(900).calls[0].seized


def test_keeper_takes_the_pair_that_pays_most():
    c, d, p = np.array([50.0, 50.0, 0.0]), np.array([0.0, 0.0, 60.0]), np.ones(3)
    lt, lb, none = np.array([0.5, 0.5, 0.0]), np.array([0.05, 0.10, 0.0]), np.zeros(3)
    assert aave.call(c, d, p, p, lt, lb, none).collateral == 1
    # A fee that eats most of the better bonus turns the choice.
    assert aave.call(c, d, p, p, lt, lb, np.array([0.0, 0.9, 0.0])).collateral == 0


def test_without_bonus_nobody_comes():
    result = aave.serve(10 * ONE, 7_500 * TWO, np.array([500.0, 1.0]), 0.825 * ONE, 0.0 * ONE)
    assert result.calls == ()
    assert result.debt[1] == 7_500


def test_toxic_pair_lowers_health():
    """Methods section 5: LTV 72.5 %, HF 0.855, and seizing the better asset lowers it."""
    c, d = np.array([100.0, 100.0, 0.0]), np.array([0.0, 0.0, 145.0])
    lt = np.array([0.41, 0.83, 0.0])
    before = aave.health_factor(c, d, np.ones(3), lt)
    assert before == pytest.approx(0.855, abs=5e-4)
    repaid = 10.0
    for asset, improves in ((0, True), (1, False)):
        seized = repaid * 1.05 * np.eye(3)[asset]
        after = aave.health_factor(c - seized, d - repaid * np.eye(3)[2], np.ones(3), lt)
        assert (after > before) is improves
        assert bool(before > lt[asset] * 1.05) is improves


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_health_improves_exactly_above_the_toxic_frontier(seed):
    c, d, p, lt, lb, fee = random_account(seed)
    before = aave.health_factor(c, d, p, lt)
    step = aave.call(c, d, p, p, lt, lb, fee)
    c[step.collateral] -= step.seized
    d[step.debt] -= step.repaid
    after = aave.health_factor(c, d, p, lt)
    frontier = lt[step.collateral] * (1 + lb[step.collateral])
    assert (after > before) == (before > frontier)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_every_unit_is_conserved_and_nothing_is_negative(seed):
    c, d, p, lt, lb, fee = random_account(seed)
    result = aave.serve(c, d, p, lt, lb, fee)
    seized, repaid = np.zeros_like(c), np.zeros_like(d)
    for step in result.calls:
        seized[step.collateral] += step.seized
        repaid[step.debt] += step.repaid
        assert 0 <= step.fee < step.seized
    np.testing.assert_allclose(result.collateral + seized, c, rtol=1e-12)
    np.testing.assert_allclose(result.debt + repaid + result.deficit, d, rtol=1e-12)
    assert min(result.collateral.min(), result.debt.min(), result.deficit.min()) >= 0
    assert result.calls
    # A bonus on collateral that is not there would take more than was held.
    assert (seized <= c * (1 + 1e-12)).all()
    assert result.deficit.any() <= (not result.collateral.any())


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_ends_healthy_or_with_nothing_left_to_take(seed):
    c, d, p, lt, lb, fee = random_account(seed)
    result = aave.serve(c, d, p, lt, lb, fee)
    healthy = aave.health_factor(result.collateral, result.debt, p, lt) >= 1
    assert healthy or not result.collateral.any()
