"""One service at a time: the compiled rules of keepers' venues against the readable ones."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.services import served, terms
from xcoll.liquidation import engines
from xcoll.liquidation.engines import Account, PreLiquidation, serve
from xcoll.liquidation.mapping import VENUES
from xcoll.liquidation.rulebooks import Aave, Euler, Morpho
from xcoll.liquidation.world import Keepers, World

KEEPERS = {
    "aave": (Aave(), lambda lt, lb, fee: engines.Aave(lt, lb, fee)),
    "morpho": (Morpho(), lambda lt, lb, fee: engines.Morpho.by_formula(lt)),
    "calibrated morpho": (Morpho(by_formula=False), lambda lt, lb, fee: engines.Morpho(lt, 1 + lb)),
    "pre-liquidation": (
        Morpho(pre=0.9, lcf1=0.1, lcf2=0.6, lif1=1.01, lif2=1.02),
        lambda lt, lb, fee: engines.Morpho.by_formula(
            lt, PreLiquidation(0.9 * lt, 0.1, 0.6, 1.01, 1.02)
        ),
    ),
    "euler": (Euler(), lambda lt, lb, fee: engines.Euler(lt, np.full(4, 0.15))),
    "calibrated euler": (Euler(None), lambda lt, lb, fee: engines.Euler(lt, lb / (1 + lb))),
}


def drawn(rng, name, prices, debt_prices, lt):
    """A liquidatable account as the engine can hold it, of balances over six decades."""
    form = VENUES[KEEPERS[name][0].form]
    held = np.where(rng.random(4) < 0.7, rng.lognormal(8.5, 2.5, 4), 0.0)
    held[rng.integers(4)] += rng.lognormal(8, 2)
    owed = np.where(rng.random(4) < 0.5, rng.random(4), 0.0)
    owed[rng.integers(4)] += 0.1
    if form.one_collateral:
        held *= held == held.max()
    if form.one_debt:
        owed *= owed == owed.max()
    health = rng.choice([rng.uniform(0.3, 0.95), rng.uniform(0.951, 0.999999)])
    owed *= held @ lt / health / owed.sum()
    return Account(held / prices, owed / debt_prices, prices, debt_prices, lt)


def assert_served_alike(name, accounts, lt, lb, fee):
    """`accounts` bear the thresholds at which the engine's keepers come first."""
    rules, readable = KEEPERS[name]
    engine = readable(lt, lb, fee)
    result = served(rules, [replace(a, thresholds=lt) for a in accounts], lb, fee)
    prices, debt_prices = accounts[0].prices, accounts[0].debt_prices
    sums = {"seized": np.zeros(4), "extinguished": np.zeros(4), "deficit": np.zeros(4)}
    for n, account in enumerate(accounts):
        plain = serve(engine, account)
        size = max(account.worth.max(), account.total)
        for mine, theirs, price in (
            (result.collateral[n], plain.collateral, prices),
            (result.debt[n], plain.debt, debt_prices),
        ):
            np.testing.assert_allclose(mine * price, theirs * price, atol=1e-9 * size, rtol=0)
        assert result.column("calls")[n] == len(plain.calls)
        dollars = {"repaid": 0.0, "seized": 0.0, "fee": 0.0, "deficit": plain.deficit @ debt_prices}
        for call in plain.calls:
            dollars["repaid"] += call.repaid * debt_prices[call.debt]
            dollars["seized"] += call.seized * prices[call.collateral]
            dollars["fee"] += call.fee * prices[call.collateral]
            sums["seized"][call.collateral] += call.seized
            sums["extinguished"][call.debt] += call.repaid
        sums["deficit"] += plain.deficit
        for column, value in dollars.items():
            assert result.column(column)[n] == pytest.approx(value, rel=1e-9, abs=1e-9 * size)
    for column, value in sums.items():
        np.testing.assert_allclose(result.assets[column], value, rtol=1e-9)
    return result


@pytest.mark.parametrize("name", KEEPERS)
@settings(max_examples=70, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_services_agree_with_the_readable_rules(name, seed):
    rng = np.random.default_rng(seed)
    prices, debt_prices, lt, lb, fee = terms(rng)
    first = KEEPERS[name][1](lt, lb, fee).thresholds
    accounts = [drawn(rng, name, prices, debt_prices, first) for _ in range(25)]
    result = assert_served_alike(name, accounts, lt, lb, fee)
    assert (result.column("calls") > 0).all()


def test_aave_agrees_on_every_edge_of_its_close_factor():
    """Dust, $2,000 on either side and HF 0.95, to the bit under and over."""
    edges = [1.0, 999.0, 1_000.0, 1_999.99, 2_000.0, 2_000.01, 2_500.0, 9e6]
    healths = [0.2, np.nextafter(0.95, 0), 0.95, np.nextafter(0.95, 1), 0.9999]
    lt, lb = np.array([0.0, 0.0, 0.0, 0.5]), np.array([0.05, 0.0, 0.0, 0.05])
    accounts = [
        Account(
            np.array([worth, 0.0, 0.0, 2 * health * (owed + other)]),
            np.array([0.0, owed, other, 0.0]),
            np.ones(4),
            np.ones(4),
            lt,
        )
        for worth, owed, other, health in product(edges, edges, [0.0, 2_000.0, 5e4], healths)
    ]
    halves = [a for a in accounts if a.health > 0.95]
    assert {a.health for a in accounts} > {0.95}
    assert len(halves) > len(accounts) / 4
    assert_served_alike("aave", accounts, lt, lb, np.full(4, 0.1))


def single(worth, owed, lt):
    return Account(np.eye(4)[0] * worth, np.eye(4)[1] * owed, np.ones(4), np.ones(4), lt)


def test_euler_at_a_health_of_exactly_one():
    """Whoever is at 1 may be closed, but the discount is zero and nobody comes."""
    lt, none = np.array([0.75, 0.0, 0.0, 0.0]), np.zeros(4)
    owed = [np.nextafter(750.0, 0), 750.0, np.nextafter(750.0, 1e3), 750.75, 900.0]
    accounts = [single(1_000.0, debt, lt) for debt in owed]
    assert [a.health <= 1 for a in accounts] == [False, True, True, True, True]
    result = assert_served_alike("euler", accounts, lt, none, none)
    assert result.column("calls").tolist() == [0, 0, 1, 1, 1]
    assert result.bars["waiting"].tolist() == [750.0]


def test_morpho_at_lltv_and_pre_lltv():
    lltv = np.array([0.5, 0.0, 0.0, 0.0])
    for name, bound in (("morpho", 500.0), ("pre-liquidation", 450.0)):
        first = lltv * bound / 500.0
        debts = [np.nextafter(bound, 0), bound, np.nextafter(bound, 1e3), 475.0, 500.0, 500.1]
        accounts = [single(1_000.0, debt, first) for debt in debts]
        result = assert_served_alike(name, accounts, lltv, np.zeros(4), np.zeros(4))
        assert result.column("calls")[:2].tolist() == [0, 0]
        assert (result.column("calls")[debts.index(500.1)]) == 1


@pytest.mark.parametrize("name", KEEPERS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_one_call_improves_health_exactly_above_the_toxic_frontier(name, seed):
    """``HF > LT_k·(1 + LB_k)`` of the pair seized, whatever the size of the call."""
    rng = np.random.default_rng(seed)
    prices, debt_prices, lt, lb, fee = terms(rng)
    engine = KEEPERS[name][1](lt, lb, fee)
    accounts = [drawn(rng, name, prices, debt_prices, engine.thresholds) for _ in range(30)]
    result = served(KEEPERS[name][0], [replace(a, thresholds=lt) for a in accounts], lb, fee)
    checked = 0
    for n, before in enumerate(accounts):
        taken = before.collateral - result.collateral[n]
        after = Account(
            result.collateral[n], result.debt[n], prices, debt_prices, before.thresholds
        )
        if result.column("calls")[n] != 1 or after.total == 0:
            continue
        (k,) = np.flatnonzero(taken)
        rate = engine.incentive(before, k)
        repaid, seized = result.column("repaid")[n], result.column("seized")[n]
        assert seized == pytest.approx(repaid * rate, rel=1e-9)  # the bonus is there, all of it
        assert seized <= before.worth[k] * (1 + 1e-12)
        frontier = before.thresholds[k] * rate
        if abs(before.health / frontier - 1) > 1e-9:
            assert (after.health > before.health) == (before.health > frontier)
            checked += 1
    assert checked > 0 or name != "aave"


def test_seizing_the_better_collateral_of_a_toxic_pair_lowers_health():
    """Methods section 5: an LTV of 72.5 %, HF 0.855, and a bonus on the LT of 0.83 only."""
    lt, none = np.array([0.41, 0.83, 0.0, 0.0]), np.zeros(4)
    account = Account(
        np.array([100.0, 100.0, 0, 0]), 145 * np.eye(4)[2], np.ones(4), np.ones(4), lt
    )
    for k, improves in ((0, True), (1, False)):
        result = served(Aave(), [account], 0.05 * np.eye(4)[k], none)
        assert result.column("calls").tolist() == [1]
        left = replace(account, collateral=result.collateral[0], debt=result.debt[0])
        assert (left.health > account.health) is improves
        assert bool(account.health > lt[k] * 1.05) is improves


@pytest.mark.parametrize(("margin", "calls"), [(0.07, 1), (0.079, 1), (0.081, 0), (0.1, 0)])
@pytest.mark.parametrize("ahead", [0.5, 1.0, 2.0])
def test_the_margin_is_a_share_of_what_the_debt_costs(margin, calls, ahead):
    """At an oracle that is behind on both sides a bonus of 8 % is still worth 8 %."""
    lt, bonus, none = np.array([0.8, 0, 0, 0]), np.array([0.08, 0, 0, 0]), np.zeros(4)
    world = World(keepers=Keepers(margin=margin))
    result = served(Aave(), [single(1_000.0, 900.0, lt)], bonus, none, world, ahead=ahead)
    assert result.column("calls").tolist() == [calls]
    assert result.column("repaid")[0] == pytest.approx(calls * 900 * ahead)
    assert result.column("seized")[0] == pytest.approx(calls * 900 * 1.08 * ahead)
