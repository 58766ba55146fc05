"""A jump that is planted at t + 1 moves nothing at or before t."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.liquidation.agreement import assert_same
from tests.liquidation.cases import ENGINES, WORLDS, book_for, frames, market, moving, scales
from tests.liquidation.draws import Case
from xcoll.collateral.liquidity import Linear
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.replay import Conduct
from xcoll.liquidation.world import Keepers, Oracle, World

BARS, PLANTED = 12, 7  # the bar of the jump: the bars up to the one before it know nothing

SEEN = World(
    Oracle("90min", 0.01, "5h"),
    Keepers("2h", 0.005, 1.0),
    WORLDS["everything"].depth,
    WORLDS["everything"].borrowers,
    {"S": 0.3},
)


def case_of(engine, world=SEEN, steps=24):
    rng = np.random.default_rng(4)
    close, low = frames(*market(rng, BARS + 1, 0.1))
    book, conduct = book_for(ENGINES[engine], rng, 40), Conduct(ENGINES[engine], world, steps=steps)
    return Case(book, close, low, conduct, BARS, moving(close), scales(rng, 40))


def planted(case, factor):
    """Prices of the second asset from the bar of the jump on, times a factor."""
    close, low = case.close.copy(), case.low.copy()
    close.iloc[PLANTED:, 1] *= factor
    low.iloc[PLANTED + 1 :, 1] *= factor
    low.iloc[PLANTED, 1] *= min(factor, 1.0)
    return replace(case, close=close, low=low)


def assert_blind(case, later, tolerance=0.0):
    """Bars before the jump agree; a replay that ends there agrees in all but what judges it."""
    before, after = case.replay(), later.replay()
    known = PLANTED - 1
    size = tolerance * before.by_bar.max()
    np.testing.assert_allclose(after.by_bar[:known], before.by_bar[:known], rtol=0, atol=size)
    assert not np.array_equal(before.by_bar[known:], after.by_bar[known:])
    ends = [replace(c, bars=known).replay() for c in (case, later)]
    names = [name for name in ends[0].accounts if name != "premature"]
    if tolerance:
        for name in names[:8]:
            np.testing.assert_allclose(ends[1].column(name), ends[0].column(name), atol=size)
    else:
        pd.testing.assert_frame_equal(*(end.accounts[names] for end in ends), check_exact=True)
        assert_same(*ends, ("units", "by_bar", "collateral", "debt"))
    assert before.by_bar[:known].any()


@pytest.mark.parametrize("steps", [24, 1])
@pytest.mark.parametrize("factor", [0.3, 1.7])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_jump_of_the_price_is_not_known_before(engine, factor, steps):
    case = case_of(engine, steps=steps)
    # Tiered collateral is summed in another way where it is ever worth more than its first tier.
    tolerance = 1e-12 if engine == "tiers and fund" and factor > 1 else 0.0
    assert_blind(case, planted(case, factor), tolerance)


@pytest.mark.parametrize("engine", ["aave", "compound", "exchange"])
def test_a_low_is_not_known_before_its_bar(engine):
    case = case_of(engine)
    low = case.low.copy()
    low.iloc[PLANTED] *= 0.4
    assert_blind(case, replace(case, low=low))


@pytest.mark.parametrize("engine", ["aave", "pre-liquidation", "exchange"])
def test_thresholds_hold_from_the_bar_after_their_time(engine):
    """A threshold that is stamped with a close is that of the next bar, not of its own."""
    case = case_of(engine)
    path = pd.DataFrame({"A": 0.8, "B": 0.7}, case.close.index)
    cut = path.copy()
    cut.iloc[PLANTED - 1 :] *= 0.5
    steady, lowered = (replace(case, thresholds=p) for p in (path, cut))
    assert_blind(steady, lowered)
    first = lowered.replay().accounts
    assert first["lowered"].any()
    assert (first.loc[first["lowered"], "bar"] >= PLANTED).all()


def test_depth_is_known_from_the_bar_after_its_time():
    case = case_of("aave", World())
    sizes = {"A": Linear(3e4), "B": Linear(3e4), "C": Linear(3e4), "S": Linear(1e8)}
    path = pd.DataFrame({"A": 1.0, "B": 1.0, "C": 1.0}, case.close.index)
    thin = path.copy()
    thin.iloc[PLANTED - 1 :] = 1e-3
    worlds = (World(depth=Depth.of(sizes, path=p)) for p in (path, thin))
    assert_blind(*(replace(case, conduct=replace(case.conduct, world=w)) for w in worlds))


def test_rows_beyond_the_replay_only_judge():
    case = case_of("aave")
    known = PLANTED - 1
    rows = slice(known + 1)
    short = replace(case, close=case.close.iloc[rows], low=case.low.iloc[rows])
    whole, cut = (replace(c, bars=known, thresholds=None).replay() for c in (case, short))
    assert_same(whole, cut, ("units", "by_bar", "collateral", "debt"))
    assert (whole.column("premature") >= cut.column("premature")).all()
    assert whole.column("premature").sum() > cut.column("premature").sum()
