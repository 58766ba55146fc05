"""Parts of the kernels against the plain functions that they are twins of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.cases import THIN
from xcoll.collateral.liquidity import Tiers
from xcoll.liquidation._kernels import depth as levels
from xcoll.liquidation._kernels import loops, search
from xcoll.liquidation._kernels.state import LANE, ROWS

SCHEDULES = (Tiers((1_000.0, 4_000.0, 20_000.0), (0.95, 0.8, 0.5)), Tiers((500.0,), (0.9,)))
BOUNDS = np.array([[1_000.0, 4_000.0, 20_000.0, np.inf], [500.0, np.inf, np.inf, np.inf]])
RATIOS = np.array([[0.95, 0.8, 0.5, 0.0], [0.9, 0.0, 0.0, 0.0]])

sizes = st.just(0.0) | st.floats(1e-3, 1e7)
depths = st.floats(0.01, 10.0)
assets = st.integers(0, 3)


@settings(max_examples=300, deadline=None)
@given(a=assets, q=sizes, sold=sizes, depth=depths)
def test_a_sale_costs_what_the_book_says(a, q, sold, depth):
    mine = levels.sale_cost(THIN.size, THIN.loss, a, depth, sold, q)
    theirs = THIN.cost(THIN.assets[a], q, sold, depth)
    assert mine == pytest.approx(theirs, rel=1e-9, abs=1e-12 * (q + sold))
    assert 0 <= mine <= q


@settings(max_examples=300, deadline=None)
@given(a=assets, sold=sizes, depth=depths, most=st.floats(0.0, 1.1))
def test_as_much_sells_as_the_book_says(a, sold, depth, most):
    mine = levels.sale_room(THIN.size, THIN.loss, a, depth, sold, most)
    theirs = THIN.room(THIN.assets[a], most, sold, depth)
    assert mine == pytest.approx(theirs, rel=1e-12, abs=2e-12 * (sold + theirs))


def test_on_the_bounds_of_levels_too():
    for q in THIN.size[::16]:
        for sold in (0.0, THIN.size[40], THIN.size[41]):
            mine = levels.sale_cost(THIN.size, THIN.loss, 0, 1.0, sold, q)
            assert mine == pytest.approx(THIN.cost("A", q, sold), rel=1e-12)
    for loss in np.unique(THIN.loss[1])[::16]:
        mine = levels.sale_room(THIN.size, THIN.loss, 1, 1.0, 0.0, loss)
        assert mine == THIN.room("B", loss)


@settings(max_examples=300, deadline=None)
@given(
    row=st.integers(0, 1),
    value=sizes | st.sampled_from([500.0, 1_000.0, 4_000.0, 20_000.0]),
    wanted=st.floats(1e-3, 2e4),
)
def test_tiers_count_what_they_say_and_back(row, value, wanted):
    schedule = SCHEDULES[row]
    counts = levels.counted(BOUNDS, RATIOS, row, value)
    assert counts == pytest.approx(schedule.counted(value), rel=1e-12, abs=1e-12)
    more = levels.worth_counting(BOUNDS, RATIOS, row, value, wanted)
    most = schedule.counted(1e9)
    if np.isinf(more):
        assert counts + wanted > most * (1 - 1e-12)
    else:
        assert schedule.counted(value + more) == pytest.approx(counts + wanted, rel=1e-9)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(0.1, 2.0), level=st.floats(1.0, 1.5))
def test_margins_are_what_an_account_has_over_what_it_needs(seed, scale, level):
    rng = np.random.default_rng(seed)
    held, owed = (rng.lognormal(3, 2, 4) * (rng.random(4) < 0.6) for _ in range(2))
    trigger, due = rng.lognormal(0, 1, (LANE, 4)), rng.lognormal(0, 1, (LANE, 4))
    lines = np.concatenate([trigger, -due], axis=1).T[None].copy()
    row, weight = np.zeros(8 + ROWS, dtype=np.int64), np.zeros(8 + ROWS)
    margin = np.empty(LANE)
    count = search.weigh(held, owed, scale, level, row, weight)
    assert count % ROWS == 0
    search.margins(lines, 0, row, weight, count, margin)
    expected = scale * trigger @ held - level * due @ owed
    size = scale * trigger @ held + level * due @ owed
    np.testing.assert_allclose(margin, expected, rtol=0, atol=3e-12 * size.max())
    assert (margin <= expected + 1e-15 * size).all()  # a hair on the safe side
    start, stop = sorted(rng.integers(0, LANE + 1, 2))
    under = [x for x in range(start, stop) if margin[x] < 0]
    assert search.first_under(margin, start, stop) == (under[0] if under else stop)


@given(st.lists(st.integers(0, 1_000), max_size=60))
def test_ascend_sorts(values):
    array = np.array([*values, -1], dtype=np.int64)
    loops.ascend(array, len(values))
    assert array.tolist() == [*sorted(values), -1]


@given(st.lists(st.integers(0, 99), unique=True, max_size=60), st.integers(0, 60))
def test_join_merges_by_turn(order, cut):
    """Both lists are in order of their turns; the queue has room for both."""
    turn = np.argsort(np.random.default_rng(7).permutation(100)).astype(np.int64)
    first, second = (sorted(part, key=lambda i: turn[i]) for part in (order[:cut], order[cut:]))
    queue = np.full(60, -1, dtype=np.int64)
    queue[: len(first)] = first
    total = loops.join(turn, queue, len(first), np.array([*second, 0], dtype=np.int64), len(second))
    assert total == len(order)
    assert queue[:total].tolist() == sorted(order, key=lambda i: turn[i])
