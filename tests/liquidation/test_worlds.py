"""The compiled replay against its plain twin, for every engine in every world."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.agreement import assert_agree
from tests.liquidation.cases import ENGINES, WORLDS, everything
from tests.liquidation.draws import daily, draw_case, jumpy
from xcoll.liquidation.world import ORDERS

LIMITED = [name for name, engine in ENGINES.items() if engine.form != "exchange"]


@cache
def simulated(make, engine, world):
    return make(ENGINES[engine], WORLDS[world]).simulate()


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("engine", ENGINES)
def test_replay_agrees_with_its_twin(engine, world):
    for make in (daily, jumpy):
        twin = simulated(make, engine, world)
        assert_agree(make(ENGINES[engine], WORLDS[world]).replay(), twin)
        assert (twin.table["calls"] > 0).sum() >= 2
        if twin.world.borrowers is not None:
            assert (twin.table["added"] > 0).sum() >= 2


@pytest.mark.parametrize("top_up", [False, True])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("engine", ENGINES)
def test_replay_agrees_whatever_the_order_and_the_answer(engine, order, top_up):
    case = jumpy(ENGINES[engine], everything(order, top_up), accounts=15)
    assert_agree(case.replay(), case.simulate())


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_replay_agrees_with_its_twin_in_worlds_at_random(seed):
    case = draw_case(seed)
    assert_agree(case.replay(), case.simulate())


# What the agreement above would say nothing of, did it not happen.


@pytest.mark.parametrize("engine", LIMITED)
def test_limits_bind(engine):
    met = {
        world: {b for make in (daily, jumpy) for b in simulated(make, engine, world).ledger.bound}
        for world in ("depth", "capital", "everything")
    }
    assert "depth" in met["depth"]
    assert "capital" in met["capital"]
    assert met["everything"] >= {"capital", "depth"}
    if engine == "maker":
        assert "hole" in met["capital"]


@pytest.mark.parametrize("engine", ENGINES)
def test_accounts_wait_are_lowered_and_leave_deficits(engine):
    twins = [simulated(make, engine, "everything") for make in (daily, jumpy)]
    assert sum(twin.ledger.waits for twin in twins) > 20
    assert sum(twin.table["lowered"].sum() for twin in twins) >= 1
    assert sum((twin.table["deficit"] > 0).sum() for twin in twins) >= 1
    if "auction" in engine or engine == "maker":
        assert sum(twin.ledger.resets for twin in twins) > 5


def test_the_fund_pays_and_runs_dry():
    twin = simulated(jumpy, "tiers and fund", "depth")
    assert twin.venue.fund.balance < min(twin.table["deficit"].sum(), 300.0)
    assert (twin.table["covered"] > 0).sum() >= 2
    assert (twin.table["deficit"] > 0).sum() >= 2
