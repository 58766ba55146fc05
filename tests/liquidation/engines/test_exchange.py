"""The centralised venue: tiers, the share that a step sells, and who bears what is missing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from tests.liquidation.engines.samples import at_health, draw, single
from xcoll.collateral.liquidity import Tiers
from xcoll.errors import ParameterError
from xcoll.liquidation.engines import exchange
from xcoll.liquidation.engines import settle as write_off

BINANCE = Tiers((100e6, 120e6, 150e6, 180e6, 200e6), (1.0, 0.975, 0.95, 0.90, 0.85))
NONE = (None, None)
RULES = exchange.Rules(maintenance=0.1, release=1.05, share=1.0, fee=0.02)


def drawn(seed, health):
    """A random account, with tiers that some of its collaterals reach beyond."""
    account, _, _ = draw(seed)
    rng = np.random.default_rng(seed + 1)
    tiers = []
    for worth in account.worth:
        bounds = np.cumsum(rng.uniform(0.1, 0.8, 3)) * max(worth, 1.0)
        ratios = np.sort(rng.uniform(0.1, 1, 3))[::-1]
        tiers.append(Tiers(tuple(bounds), tuple(ratios)) if rng.random() < 0.6 else None)
    counts = exchange.health(account, tiers)
    return at_health(account, account.health * health / counts), tiers


def test_tiers_of_binance():
    worth = np.array([100e6, 120e6, 150e6, 250e6, 120e6])
    counted = exchange.counted(worth, (*4 * [BINANCE], None))
    assert counted.tolist() == pytest.approx([100e6, 119.5e6, 148e6, 192e6, 120e6])


def test_threshold_is_the_ratio_over_one_plus_maintenance():
    assert RULES.thresholds(np.array([0.95, 0.0])) == pytest.approx([0.95 / 1.1, 0.0])


def test_health_counts_what_the_tiers_count():
    account = single(120e6, 100e6, 1 / 1.1)
    assert exchange.health(account, (BINANCE, None)) == pytest.approx(119.5 / 110)
    assert exchange.health(account, NONE) == pytest.approx(120 / 110)
    assert exchange.health(single(1.0, 0.0, 0.9), NONE) == np.inf


def test_worked_step_without_fee():
    """1,080 against 1,000 at LT 1/1.1: (1,080 − x)/1.1 = 1.05·(1,000 − x) in dollars sold."""
    rules = exchange.Rules(maintenance=0.1, release=1.05)
    account = single(1_080.0, 1_000.0, 1 / 1.1, price=10.0)
    sale = exchange.step(account, NONE, rules)
    assert sale.proceeds == pytest.approx((1_155 - 1_080) / (1.155 - 1))
    assert sale.sold[0] == pytest.approx(sale.proceeds / 10)
    assert (sale.fee, sale.shortfall) == (0.0, 0.0)
    assert sale.account.health == pytest.approx(1.05)


def test_at_most_the_share_goes_in_one_step():
    account = single(1_080.0, 1_000.0, 1 / 1.1)
    rules = exchange.Rules(maintenance=0.1, share=0.1)
    sale = exchange.step(account, NONE, rules)
    assert sale.sold[0] == pytest.approx(108.0)
    assert account.health < sale.account.health < 1.05
    steps = 1
    while exchange.liquidatable(sale.account, NONE):
        sale, steps = exchange.step(sale.account, NONE, rules), steps + 1
    assert steps > 1
    assert sale.account.health >= 1


def test_the_bankrupt_are_sold_whole_whatever_the_share():
    rules = replace(RULES, share=0.1)
    sale = exchange.step(single(1_000.0, 990.0, 1 / 1.1), NONE, rules)
    assert not sale.account.collateral.any()
    assert (sale.fee, sale.repaid) == (pytest.approx(20.0), pytest.approx(980.0))
    assert sale.shortfall == pytest.approx(10.0)
    settled, deficit = write_off(sale.account)
    assert deficit[1] == pytest.approx(10.0)
    assert settled.total == 0.0


def test_sale_prices_under_the_oracle_make_bankrupt():
    account = single(1_080.0, 1_000.0, 1 / 1.1, price=10.0)
    sale = exchange.step(account, NONE, RULES, sale_prices=np.array([9.0, 1.0]))
    assert sale.proceeds == pytest.approx(972.0)
    assert sale.shortfall == pytest.approx(1_000 - 972 * 0.98)


def test_proceeds_of_the_caller_are_what_is_repaid_with():
    account = single(1_080.0, 1_000.0, 1 / 1.1)
    sale = exchange.sell(account, RULES, 0.5, proceeds=500.0)
    assert (sale.fee, sale.repaid, sale.surplus, sale.shortfall) == (10.0, 490.0, 0.0, 0.0)
    assert (sale.account.collateral[0], sale.account.debt[1]) == (540.0, pytest.approx(510.0))
    rich = exchange.sell(account, RULES, 1.0, proceeds=2_000.0)
    assert (rich.repaid, rich.surplus, rich.shortfall) == (1_000.0, 960.0, 0.0)
    assert not rich.account.debt.any()


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 2),
    health=st.floats(0.3, 0.9999),
    release=st.floats(1, 1.5),
    fee=st.floats(0, 0.1),
    discount=st.floats(0, 0.2),
)
def test_the_share_is_the_smallest_that_restores(seed, health, release, fee, discount):
    account, tiers = drawn(seed, health)
    rules = exchange.Rules(0.1, release, 1.0, fee)
    sale_prices = account.prices * (1 - discount)
    cash = (account.collateral @ sale_prices) * (1 - fee)
    x = exchange.share(account, tiers, rules, sale_prices)
    if cash <= account.total:
        assert x == 1.0
        return

    def excess(part):
        kept = exchange.counted((1 - part) * account.worth, tiers) @ account.thresholds
        return float(kept) - release * (account.total - part * cash)

    assert x == pytest.approx(brentq(excess, 0, 1, xtol=1e-14), abs=1e-9)
    assert 0 < x < 1
    after = exchange.step(account, tiers, rules, sale_prices).account
    if after.total > 1e-6 * account.total:
        assert exchange.health(after, tiers) == pytest.approx(release, rel=1e-6)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 2),
    health=st.floats(0.3, 1.5),
    share=st.floats(0.05, 1),
    fee=st.floats(0, 0.1),
    fund=st.floats(0, 1e5),
)
def test_dollars_and_units_are_conserved(seed, health, share, fee, fund):
    account, tiers = drawn(seed, health)
    rules = exchange.Rules(0.1, 1.05, share, fee)
    sale = exchange.step(account, tiers, rules)
    left = sale.account
    np.testing.assert_allclose(left.collateral + sale.sold, account.collateral, rtol=1e-12)
    assert left.total + sale.repaid == pytest.approx(account.total, rel=1e-12)
    assert sale.fee + sale.repaid + sale.surplus == pytest.approx(sale.proceeds, rel=1e-12)
    assert sale.proceeds == pytest.approx(float(sale.sold @ account.prices), rel=1e-12)
    assert min(left.collateral.min(), left.debt.min(), sale.fee, sale.repaid) >= 0
    assert sale.surplus == pytest.approx(0.0, abs=1e-9 * account.total)
    held = account.collateral > 0
    assert np.ptp((sale.sold / np.where(held, account.collateral, 1))[held]) < 1e-12
    owes = account.debt > 0
    assert np.ptp((left.debt / np.where(owes, account.debt, 1))[owes]) < 1e-12
    if exchange.health(account, tiers) >= 1:
        assert not sale.sold.any()
        assert left.total == account.total
        return
    if sale.shortfall == 0:
        assert exchange.health(left, tiers) > exchange.health(account, tiers)
    else:
        assert not left.collateral.any()
        assert left.total == pytest.approx(sale.shortfall, rel=1e-9)
    after, paid, socialised = exchange.Fund(fund).add(sale.fee).pay(sale.shortfall)
    assert paid + socialised == pytest.approx(sale.shortfall, rel=1e-12)
    assert after.balance + paid == pytest.approx(fund + sale.fee, rel=1e-12)
    assert min(paid, socialised, after.balance) >= 0
    assert socialised == 0 or after.balance == 0


def test_the_fund_pays_first():
    assert exchange.Fund(100.0).pay(30.0) == (exchange.Fund(70.0), 30.0, 0.0)
    assert exchange.Fund(100.0).pay(130.0) == (exchange.Fund(0.0), 100.0, 30.0)
    with pytest.raises(ParameterError, match="balance is -1"):
        exchange.Fund(-1.0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"release": 0.99}, "release is 0.99"),
        ({"share": 0.0}, "share is 0"),
        ({"share": 1.1}, "share is 1.1"),
        ({"fee": 1.0}, "1 - fee is 0"),
        ({"fee": -0.1}, "fee is -0.1"),
        ({"maintenance": -0.1}, "maintenance"),
    ],
)
def test_bad_rules_are_refused(changed, message):
    with pytest.raises(ParameterError, match=message):
        replace(RULES, **changed)


def test_tiers_are_one_an_asset():
    with pytest.raises(ValueError, match="zip"):
        exchange.health(single(1.0, 0.5, 0.9), (None,))
