"""The two bounds: filled at a health of exactly 1, and filled at the low of the bar."""

from dataclasses import replace

import numpy as np
import pytest

from tests.liquidation.agreement import assert_agree
from tests.liquidation.cases import ENGINES, book_for, frames, market, moving, scales
from tests.liquidation.draws import Case
from tests.liquidation.worked import one_account, parameters, prices
from xcoll.liquidation.engines import Account
from xcoll.liquidation.replay import Conduct, replay
from xcoll.liquidation.world import World

BOUNDED = ["aave", "morpho", "pre-liquidation"]
# Both look for the crossing in their own way: the twin by bisection, the kernel in closed form and
# a hair of 1e-9 beyond it, so that health is under 1.  Close factors and dust multiply the gap.
CLOSE_ENOUGH = {"breach": 1e-7, "low": 1e-9}


def case_of(engine, fill, seed, interest=0.0):
    rng = np.random.default_rng(seed)
    close, low = frames(*market(rng, 13, 0.12))
    book = book_for(ENGINES[engine], rng, 30)
    world = World(interest={"S": interest} if interest else {})
    conduct = Conduct(ENGINES[engine], world, fill)
    return Case(book, close, low, conduct, 12, moving(close), scales(rng, 30))


@pytest.mark.parametrize("seed", [1, 3])
@pytest.mark.parametrize("fill", CLOSE_ENOUGH)
@pytest.mark.parametrize("engine", BOUNDED)
def test_the_bounds_agree_with_their_twin(engine, fill, seed):
    case = case_of(engine, fill, seed, interest=0.5 * (seed == 3))
    twin = case.simulate()
    assert_agree(case.replay(), twin, CLOSE_ENOUGH[fill])
    assert (twin.table["calls"] > 0).sum() >= 8


@pytest.mark.parametrize("engine", BOUNDED)
def test_whoever_is_served_at_the_breach_had_a_health_of_one(engine):
    """Until the first service all is as it was, so the moment of the breach can be looked up."""
    case = replace(case_of(engine, "breach", 4), scale=None, thresholds=None)
    result, low, twin = case.replay(), case.replay(fill="low"), case.simulate()
    served = np.flatnonzero(result.column("calls"))
    assert (result.column("since")[served] > 0).sum() >= 8
    for n in served:
        since = result.column("since")[n]
        if since == 0:
            continue  # broken at the opening
        before, share = int(since), since % 1
        worth, owed = (
            rows[before] + share * (rows[before + 1] - rows[before])
            for rows in (twin.market, twin.due)
        )
        account = Account(case.book.collateral[n], case.book.debt[n], worth, owed, twin.lt[1])
        assert account.health == pytest.approx(1, abs=1e-9)
    assert (result.column("wait") == 0).all()
    assert (low.column("wait")[served] >= 0).all()


def test_low_serves_once_a_bar_where_health_is_lowest():
    case = case_of("aave", "low", 1)
    result, twin = case.replay(), case.simulate()
    for n in np.flatnonzero(result.column("calls")):
        step = result.column("since")[n] + result.column("wait")[n]
        assert step == pytest.approx(round(step), abs=1e-6)
        start = (round(step) - 1) // 24 * 24 + 1
        health = [
            Account(
                case.book.collateral[n],
                case.book.debt[n],
                twin.market[s],
                twin.due[s],
                case.scale[n] * twin.lt[s],
            ).health
            for s in range(start, start + 24)
        ]
        assert health[round(step) - start] == pytest.approx(min(health), rel=1e-12)


def deficit(closes, lows, fill, freq="D"):
    """Units of debt that the worked account leaves, a little nearer to its threshold."""
    close, low = prices(closes, lows, freq)
    result = replay(one_account(7_900), close, low, parameters(), Conduct(fill=fill))
    return result.assets["deficit"].sum()


def test_no_path_loses_less_than_the_breach():
    rng = np.random.default_rng(3)
    total = 0.0
    for _ in range(20):
        closes = 1_000 * np.exp(np.cumsum(np.r_[0, rng.normal(-0.02, 0.08, 20)]))
        lows = np.minimum(closes, np.r_[closes[0], closes[:-1]]) * rng.uniform(0.8, 1, 21)
        lows[0] = closes[0]
        breach, path, low = (deficit(closes, lows, fill) for fill in ("breach", "path", "low"))
        assert breach <= min(path, low) + 1e-6
        total += low
    assert total > 1_000


def test_daily_bounds_hold_the_hourly_truth():
    """Hours whose days have the same closes and lows: their loss lies between the two bounds."""
    rng = np.random.default_rng(9)
    lost = {"breach": 0.0, "hourly": 0.0, "low": 0.0}
    for _ in range(60):
        moves = rng.standard_t(3, 24 * 10) * 0.012 - 0.001
        hours = 1_000 * np.exp(np.cumsum(np.r_[0, moves]))
        lost["hourly"] += deficit(hours, None, "path", "h")
        days = np.r_[hours[0], hours[24::24]]
        lows = np.r_[hours[0], [hours[k : k + 25].min() for k in range(0, 240, 24)]]
        for fill in ("breach", "low"):
            lost[fill] += deficit(days, lows, fill)
    assert lost["breach"] <= lost["hourly"] < lost["low"]
    assert lost["low"] > 1_000
