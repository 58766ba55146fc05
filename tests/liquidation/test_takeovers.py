"""One service at a time at venues that sell: Compound, Maker and an exchange."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.services import ASSETS, served, terms
from xcoll.collateral.liquidity import Tiers
from xcoll.liquidation.engines import Account, compound, exchange, maker
from xcoll.liquidation.rulebooks import Compound, Exchange, Maker
from xcoll.liquidation.world import Keepers, World

STABLE = np.array([0.0, 0.0, 0.0, 1.0])
RULES = maker.Rules(
    buf=1.10, cut=0.97, step=600, tail=9_000, cusp=0.60, chop=1.13, hole=1e9, dust=300
)


def dollars(result, n, *names):
    return [result.column(name)[n] for name in names]


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), storefront=st.floats(0.3, 1.0))
def test_compound_absorbs_and_sells_like_the_readable_rules(seed, storefront):
    rng = np.random.default_rng(seed)
    prices, _, lt, lb, _ = terms(rng)
    lb[3], lt[3], prices[3] = 0.0, 0.0, 1.0
    factors = np.array([compound.liquidation_factor(float(b), storefront) for b in lb])
    accounts = []
    for _ in range(20):
        held = np.append(rng.lognormal(8, 2, 3) * (rng.random(3) < 0.7), 0.0)
        held[0] += 1.0
        owed = held @ lt / rng.uniform(0.4, 0.9999)
        accounts.append(Account(held / prices, owed * STABLE, prices, prices, lt))
    result = served(Compound(storefront), accounts, lb, np.zeros(4))
    for n, account in enumerate(accounts):
        absorbed = compound.absorb(account, factors)
        received = float(absorbed.seized @ (prices * (1 - storefront * (1 - factors))))
        lost = absorbed.extinguished + absorbed.credit - received
        assert dollars(result, n, "repaid", "credit") == pytest.approx(
            [account.total, absorbed.credit], rel=1e-9
        )
        size = account.worth.sum()
        assert dollars(result, n, "deficit", "fee") == pytest.approx(
            [max(0.0, lost), max(0.0, -lost)], rel=1e-9, abs=1e-9 * size
        )
        assert result.column("seized")[n] == pytest.approx(size, rel=1e-9)
    assert not result.collateral.any()
    assert not result.debt.any()
    assert not result.assets["lot"].any()


def vault(worth, owed, lt):
    return Account(np.eye(4)[0] * worth, owed * STABLE, np.ones(4), np.ones(4), lt)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_maker_sends_vaults_to_auction_like_the_readable_rules(seed):
    """Small rooms and vaults about the dust: parts, whole vaults beyond the room, refusals."""
    rng = np.random.default_rng(seed)
    lt, none = np.array([0.7, 0.0, 0.0, 0.0]), np.zeros(4)
    rules = replace(RULES, hole=float(rng.choice([200.0, 339.0, 1_500.0, 8_000.0, 1e9])))
    owed = rng.choice([150.0, 299.99, 300.0, 339.0, 600.0, 640.0, 2_000.0, 9_000.0], 12)
    accounts = [vault(debt * rng.uniform(1.0, 1.4), debt, lt) for debt in owed]
    result = served(Maker(rules), accounts, none, none)
    room = rules.hole
    for n, account in enumerate(accounts):
        auction = maker.bark(account.collateral[0], account.total, 1.0, rules, room)
        due, lot, tab = (auction.due, auction.lot, auction.tab) if auction else (0.0, 0.0, 0.0)
        room = max(0.0, room - tab)
        assert dollars(result, n, "repaid", "seized") == pytest.approx([due, lot], rel=1e-9)
        assert result.debt[n, 3] == pytest.approx(account.total - due, rel=1e-9, abs=1e-9)
        assert result.collateral[n, 0] == pytest.approx(
            account.collateral[0] - lot, rel=1e-9, abs=1e-9
        )
        assert result.column("calls")[n] == (auction is not None)
        room = 0.0 if room < 1e-9 else room
    assert result.assets.loc["A", "lot"] == pytest.approx(result.column("seized").sum(), rel=1e-12)


@pytest.mark.parametrize(
    ("tau", "stairs"),
    [
        (None, math.ceil(math.log(1 / 1.1) / math.log(0.97))),  # 1.1·0.97^n ≤ 1
        (7_000.0, math.ceil((1 - 1 / 1.1) * 7_000 / 600)),
    ],
)
@pytest.mark.parametrize("margin", [0.0, 0.05])
def test_an_auction_sells_at_the_first_stair_that_pays(tau, stairs, margin):
    """Closed form at a price that stays: the tab is paid, the lot is gone, or both to the cent."""
    lt, none = np.array([0.7, 0.0, 0.0, 0.0]), np.zeros(4)
    ask = 1.1 * 0.97**stairs if tau is None else 1.1 * (1 - stairs * 600 / tau)
    while ask * (1 + margin) > 1:
        stairs += 1
        ask = 1.1 * 0.97**stairs if tau is None else 1.1 * (1 - stairs * 600 / tau)
    owed = 1_000.0
    accounts = [vault(worth, owed, lt) for worth in (1_400.0, 1_300.0, 1_130 / ask, 1_100.0, 900.0)]
    world = World(keepers=Keepers(margin=margin))
    result = served(Maker(replace(RULES, tau=tau)), accounts, none, none, world, bars=4)
    for n, account in enumerate(accounts):
        lot = account.collateral[0]
        paid = min(1.13 * owed, lot * ask)
        back = max(0.0, lot - 1.13 * owed / ask)
        assert dollars(result, n, "fee", "deficit", "credit") == pytest.approx(
            [max(0.0, paid - owed), max(0.0, owed - paid), back], abs=1e-9
        )
    assert result.column("credit")[0] > 0
    assert result.column("deficit")[-1] > 0
    assert result.assets.loc["A", "returned"] == pytest.approx(result.column("credit").sum())
    assert not result.assets["lot"].any()


SCHEDULES = {
    "A": Tiers((1_000.0, 4_000.0, 20_000.0), (0.95, 0.8, 0.5)),
    "C": Tiers((500.0, 2_000.0), (0.9, 0.6)),
}


def within(schedule):
    """The schedule over its first tier, whose ratio is in the thresholds."""
    return Tiers(schedule.bounds_usd, tuple(r / schedule.ratios[0] for r in schedule.ratios))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.1, 0.25, 1.0]),
    fee=st.sampled_from([0.0, 0.01]),
    tiered=st.booleans(),
)
def test_an_exchange_sells_a_step_like_the_readable_rules(seed, share, fee, tiered):
    """Balances on the bounds of the tiers, a fund that runs dry, positions under water."""
    rng = np.random.default_rng(seed)
    lt, none = np.array([0.8, 0.7, 0.6, 0.9]), np.zeros(4)
    rules = exchange.Rules(maintenance=0.1, share=share, fee=fee)
    tiers = [within(SCHEDULES[a]) if tiered and a in SCHEDULES else None for a in ASSETS]
    prices, accounts = rng.lognormal(0, 2, 4), []
    for _ in range(12):
        held = rng.choice([0.0, 500.0, 999.99, 1_000.0, 1_000.01, 2_000.0, 4_000.0, 3e4], 4)
        held[0] += 10.0
        counts = exchange.counted(held, tiers) @ lt
        owed = np.append(rng.random(3) * (rng.random(3) < 0.5), 1.0)
        owed *= counts / rng.choice([1.2, 0.99999, rng.uniform(0.2, 0.999)]) / owed.sum()
        accounts.append(Account(held / prices, owed / prices, prices, prices, lt))
    result = served(Exchange(rules, SCHEDULES if tiered else {}, fund=40.0), accounts, none, none)
    fund = exchange.Fund(40.0)
    for n, account in enumerate(accounts):
        sale = exchange.step(account, tiers, rules)
        fund = fund.add(sale.fee)
        fund, covered, lost = fund.pay(sale.shortfall)
        size = account.worth.sum() + account.total
        np.testing.assert_allclose(
            result.collateral[n] * prices, sale.account.worth, rtol=0, atol=1e-9 * size
        )
        left = 0.0 * sale.account.owed if sale.shortfall else sale.account.owed
        np.testing.assert_allclose(result.debt[n] * prices, left, rtol=0, atol=1e-9 * size)
        names = ("repaid", "fee", "credit", "covered", "deficit", "seized")
        mine = dollars(result, n, *names)
        theirs = [
            sale.repaid, sale.fee, sale.surplus, covered, lost, sale.sold @ prices
        ]  # fmt: skip
        assert mine == pytest.approx(theirs, rel=1e-9, abs=1e-9 * size)
    assert result.fund == pytest.approx(fund.balance, rel=1e-9, abs=1e-9)
