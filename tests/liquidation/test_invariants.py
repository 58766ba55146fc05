"""What holds whatever the engine and the world, in worlds drawn at random."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.cases import ENGINES, RATES
from tests.liquidation.draws import draw_case
from xcoll.liquidation._kernels import ACCOUNT
from xcoll.liquidation.rulebooks import Compound, Exchange, Maker
from xcoll.liquidation.world import Keepers, World

OF_THE_SERVED = ("repaid", "seized", "fee", "wait", "calls", "premature", "credit", "covered")
seeds = st.integers(0, 2**32 - 1)
every_engine = pytest.mark.parametrize("engine", ENGINES)


@every_engine
@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_every_unit_is_conserved(engine, seed):
    """Collateral before + added = left + seized; debt before = left + cleared + paid + lost."""
    case = draw_case(seed, engine)
    result = case.replay()
    units = result.assets
    before = case.book.collateral.sum(axis=0) + units["added"]
    after = result.collateral.sum(axis=0) + units["seized"]
    np.testing.assert_allclose(after, before, rtol=1e-12)
    after = result.debt.sum(axis=0) + units["extinguished"] + units["paid"] + units["deficit"]
    np.testing.assert_allclose(after, case.book.debt.sum(axis=0), rtol=1e-12)
    parts = units["lot"] + units["returned"]
    assert (parts <= units["seized"] * (1 + 1e-12)).all()
    assert not (parts.any() and case.conduct.engine.by_keepers)


@every_engine
@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_nothing_is_negative_and_nothing_is_missing(engine, seed):
    case = draw_case(seed, engine)
    result = case.replay()
    tables = result.account, result.units, result.by_bar, result.collateral, result.debt
    for values in (*tables, np.array(result.fund)):
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    most = (case.book.collateral + result.assets["added"].to_numpy()) * (1 + 1e-12)
    assert (result.collateral <= most).all()
    assert (result.debt <= case.book.debt).all()
    spared = result.column("bar") == 0
    assert not result.account[spared][:, [ACCOUNT.index(name) for name in OF_THE_SERVED]].any()


def healths(case, twin):
    """Least health by account of the untouched book, as the oracle shows it at any step."""
    least = np.full(len(case.book), np.inf)
    for s in range(1, twin.last + 1):
        secured, total = twin.standing(s, case.book.collateral, case.book.debt)
        with np.errstate(divide="ignore", invalid="ignore"):
            least = np.fmin(least, np.where(total > 0, secured / total, np.inf))
    return least


@every_engine
@settings(max_examples=6, deadline=None)
@given(seed=seeds)
def test_nobody_is_closed_whom_the_oracle_shows_healthy(engine, seed):
    """Without borrowers an account is untouched until its first breach."""
    case = draw_case(seed, engine)
    world = replace(case.conduct.world, borrowers=None)
    case = replace(case, conduct=replace(case.conduct, world=world))
    result = case.replay()
    least = healths(case, case.simulate())
    healthy = least > 1 + 1e-9
    assert (result.column("calls")[healthy] == 0).all()
    assert np.array_equal(result.collateral[healthy], case.book.collateral[healthy])
    assert np.array_equal(result.debt[healthy], case.book.debt[healthy])
    assert (least[result.column("calls") > 0] <= 1 + 1e-9).all()


@pytest.mark.parametrize("engine", ["aave", "morpho", "pre-liquidation", "euler"])
@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_keepers_never_lose(engine, seed):
    """What they seized, less what the venue kept, pays for the debt, the margin and the gas.

    Without depth, for what a sale loses there is not in the account.
    """
    case = draw_case(seed, engine)
    world = replace(case.conduct.world, depth=None)
    result = replace(case, conduct=replace(case.conduct, world=world)).replay()
    margin, gas = world.keepers.margin, world.keepers.gas
    seized, fee, repaid, calls = (
        result.column(name) for name in ("seized", "fee", "repaid", "calls")
    )
    profit = seized - fee - (1 + margin) * repaid - gas * calls
    assert (profit >= -1e-12 * seized).all()
    assert (profit[calls > 0] > 0).all()


@every_engine
@settings(max_examples=6, deadline=None)
@given(seed=seeds)
def test_no_trade_ever_loses_money(engine, seed):
    """In depth too, as the twin's ledger has it, with which the replay agrees."""
    twin = draw_case(seed, engine).simulate()
    assert min(twin.ledger.profits, default=1.0) > 0


def settled(case, twin):
    """Accounts of which the venue has nothing left to sell."""
    return [i for i in twin.ledger.claims if i not in twin.venue.holds]


@pytest.mark.parametrize("engine", ["compound", "maker", "linear auction"])
@settings(max_examples=6, deadline=None)
@given(seed=seeds)
def test_a_venue_gets_its_claim_or_loses_it(engine, seed):
    """Claim = received + deficit − fee: every dollar that a venue put in is somewhere.

    An account can be taken over more than once; looked at are those that were so once.
    """
    case = draw_case(seed, engine)
    result, twin = case.replay(), case.simulate()
    once = result.column("calls") == 1
    for i in settled(case, twin):
        if once[i]:
            claim, received = twin.ledger.claims[i], twin.ledger.received[i]
            balance = received + result.column("deficit")[i] - result.column("fee")[i]
            size = twin.table["seized"][i] + claim
            assert balance == pytest.approx(claim, rel=1e-9, abs=1e-9 * size)


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_the_fund_and_the_lenders_bear_the_shortfall(seed):
    """Fund at the end = at the start + fees − covered; covered + deficit = debt written off."""
    case = draw_case(seed, "tiers and fund")
    result = case.replay()
    fees, covered = result.column("fee").sum(), result.column("covered").sum()
    assert result.fund == pytest.approx(300 + fees - covered, rel=1e-9, abs=1e-9)
    bars = result.bars
    assert bars["covered"].sum() == pytest.approx(covered, rel=1e-9)
    assert bars["deficit"].sum() == pytest.approx(result.column("deficit").sum(), rel=1e-9)
    dry = result.fund == 0.0
    assert dry or not result.column("deficit").any() or fees > 0


def test_the_shortfall_is_the_debt_that_was_written_off():
    """Units written off, at the price that is left after a crash in the first bar."""
    case = draw_case(5, "tiers and fund")
    crash = case.close * 0.0 + 1.0
    crash.iloc[1:, :3] = 0.5
    conduct = replace(case.conduct, world=World(), steps=1)
    crashed = replace(case, close=crash, low=crash, conduct=conduct, thresholds=None, scale=None)
    result = crashed.replay()
    written = (result.assets["deficit"] * crash.iloc[-1]).sum()
    assert written > 0
    lost = result.column("deficit").sum() + result.column("covered").sum()
    assert lost == pytest.approx(written, rel=1e-12)


@every_engine
@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_bars_add_up_to_accounts(engine, seed):
    case = draw_case(seed, engine)
    result = case.replay()
    bars, account = result.bars.sum(), result.accounts
    for bar, column in (("liquidated", "seized"), ("deficit", "deficit"), ("covered", "covered")):
        assert bars[bar] == pytest.approx(account[column].sum(), rel=1e-9, abs=1e-9)
    assert (account["bar"] <= case.bars).all()
    assert account["breach"].isna().equals(account["calls"] == 0)
    ends = account["breach"] + account["wait"]
    over = ends.dropna() - account["bar"][account["calls"] > 0] * case.conduct.steps * result.step
    assert (over <= 1e-6 * result.step).all()


@pytest.mark.parametrize("engine", ["aave", "euler"])
@settings(max_examples=15, deadline=None)
@given(seed=seeds, capital=st.floats(100.0, 2e4))
def test_no_more_capital_is_tied_up_in_a_day_than_there_is(engine, seed, capital):
    case = draw_case(seed, engine)
    conduct = replace(case.conduct, world=World(keepers=Keepers(capital=capital)), steps=1)
    case = replace(case, conduct=conduct)
    twin, result = case.simulate(), case.replay()
    spent = np.zeros(twin.last + 1)
    for s, cash in twin.spent:
        spent[s] += cash
    day = max(1, round(24 * 3_600 / twin.step.total_seconds()))
    rolling = np.convolve(spent, np.ones(day))
    assert rolling.max() <= capital * (1 + 1e-9)
    assert result.column("repaid").sum() == pytest.approx(spent.sum(), rel=1e-9)


def test_every_rulebook_is_looked_at():
    kinds = {type(engine) for engine in ENGINES.values()}
    assert kinds >= {Compound, Exchange, Maker}
    assert len(kinds) == 6
    assert (RATES.frame["bonus"] > 0).all()
