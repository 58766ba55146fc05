"""Prices inside the bars, what the oracle shows of them, and interest."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.cases import ASSETS, market
from tests.liquidation.twin_prices import path_of, shown
from xcoll.liquidation._kernels import GROUP, LANE
from xcoll.liquidation.timeline import timeline
from xcoll.liquidation.world import Oracle, World

DAY = pd.Timedelta("1D")


def line_of(world=None, steps=24, bars=40, volatility=0.2, seed=4):
    close, low = market(np.random.default_rng(seed), bars, volatility)
    return close, low, timeline(close, low, DAY, steps, world or World(), ASSETS)


@pytest.mark.parametrize("steps", [24, 26, 48])
def test_the_path_goes_over_the_low_to_the_close(steps):
    close, low, line = line_of(steps=steps)
    half = steps // 2
    assert line.market.shape == (40 * steps + 1, 4)
    assert np.array_equal(line.market[::steps], close)
    assert np.array_equal(line.due[::steps], close)
    assert np.array_equal(line.market[half::steps], low[1:])
    bars = line.market[1:].reshape(40, steps, 4)
    before = np.concatenate([close[:-1, None], bars], axis=1)
    assert (bars >= low[1:, None]).all()
    assert (np.diff(before[:, : half + 1], axis=1) <= 0).all()
    assert (np.diff(before[:, half:], axis=1) >= -1e-15).all()


@pytest.mark.parametrize("steps", [1, 24, 26])
def test_prices_agree_with_the_twin(steps):
    close, low, line = line_of(steps=steps)
    down, up = path_of(close, low, steps)
    np.testing.assert_allclose(line.market, down, rtol=1e-12)
    np.testing.assert_allclose(line.due, up, rtol=1e-12)


def test_what_is_owed_runs_straight():
    close, _, line = line_of()
    up = line.due[1:].reshape(40, 24, 4)
    ends = np.stack([close[:-1], close[1:]])
    assert (up >= ends.min(axis=0)[:, None] * (1 - 1e-12)).all()
    assert (up <= ends.max(axis=0)[:, None] * (1 + 1e-12)).all()
    rates = np.diff(np.log(line.due), axis=0).reshape(40, 24, 4)
    expected = np.log(close[1:] / close[:-1])[:, None] / 24
    np.testing.assert_allclose(rates, np.broadcast_to(expected, rates.shape), atol=1e-12)


def test_one_step_a_bar_is_its_close():
    close, _, line = line_of(steps=1)
    for rows in (line.market, line.due, line.oracle, line.owed):
        assert np.array_equal(rows, close)


def test_an_instant_oracle_shows_the_market():
    *_, line = line_of()
    assert line.oracle is line.market
    assert line.owed is line.due


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    lag=st.sampled_from([None, "30min", "90min", "5h"]),
    deviation=st.sampled_from([0.0, 0.005, 0.03, 0.5]),
    heartbeat=st.sampled_from([None, "1h", "6h", "100h"]),
    steps=st.sampled_from([1, 24]),
)
def test_an_oracle_agrees_with_the_twin(seed, lag, deviation, heartbeat, steps):
    oracle = Oracle(lag, deviation, heartbeat)
    _, _, line = line_of(World(oracle), steps, 6, 0.1, seed)
    for mine, price in ((line.oracle, line.market), (line.owed, line.due)):
        np.testing.assert_array_equal(mine, shown(price, oracle, line.step))


def test_a_worked_feed():
    """3 % of deviation or five hours, and two hours until all see it."""
    price = np.array([100, 101, 102, 103, 104, 104, 104, 104, 104, 100.0])[:, None]
    oracle = Oracle("2h", 0.03, "5h")
    seen = oracle.observe(price, pd.Timedelta("1h"))
    posted = [100, 100, 100, 103, 103, 103, 103, 103, 104, 100]
    assert seen[:, 0].tolist() == [100, 100, *posted[:-2]]


def test_a_feed_is_never_farther_off_than_it_may_be():
    *_, line = line_of(World(Oracle(deviation=0.02)))
    assert (np.abs(line.market / line.oracle - 1) < 0.02).all()
    assert (line.oracle != line.market).any()


def test_interest_grows_what_is_owed_and_nothing_else():
    rates = {"S": 0.3, "B": 2.0}
    _, _, plain = line_of(World(Oracle("2h")))
    _, _, line = line_of(World(Oracle("2h"), interest=rates))
    years = np.arange(len(line.due)) / 24 / 365
    for column, asset in enumerate(ASSETS):
        growth = np.exp(rates.get(asset, 0.0) * years)
        np.testing.assert_allclose(line.due[:, column], plain.due[:, column] * growth, rtol=1e-12)
        np.testing.assert_allclose(line.owed[:, column], plain.owed[:, column] * growth, rtol=1e-12)
    assert np.array_equal(line.market, plain.market)
    assert np.array_equal(line.oracle, plain.oracle)


def test_thresholds_of_a_bar_hold_in_its_steps():
    _, _, line = line_of(bars=3)
    path = np.array([[0.8, 0.7, 0.6, 0.5], [0.4, 0.3, 0.2, 0.1], [0.9, 0.9, 0.9, 0.9]])
    prices = line.prices(path, path[0])
    lt = prices.trigger / line.oracle
    np.testing.assert_allclose(lt[0], path[0], rtol=1e-12)
    for bar in range(3):
        rows = lt[1 + 24 * bar : 25 + 24 * bar]
        np.testing.assert_allclose(rows, np.broadcast_to(path[bar], rows.shape), rtol=1e-12)
    steady = line.prices(path[0], path[0])
    assert np.array_equal(steady.trigger, line.oracle * path[0])


def test_blocks_bound_the_prices_that_they_stand_for():
    """The search may skip only by these bounds, so they are what pruning rests on."""
    *_, line = line_of(World(Oracle("2h", 0.01), interest={"S": 3.0}), bars=60)
    prices = line.prices(np.full(4, 0.8), np.full(4, 0.8))
    rows = np.concatenate([prices.trigger, -prices.owed], axis=1)
    least = np.concatenate(
        [np.minimum(prices.trigger, prices.market), -np.maximum(prices.owed, prices.due)], axis=1
    )
    groups = -(-len(rows) // (LANE * GROUP))
    assert groups >= 5
    for s in range(1, len(rows)):
        block, group = s // LANE, s // (LANE * GROUP)
        assert np.array_equal(prices.lines[block, :, s % LANE], rows[s])
        assert (prices.floors[group, :, block % GROUP] <= least[s]).all()
        assert (prices.wide[group] <= least[s]).all()
        assert (prices.tall[group] >= rows[s]).all()
    span = slice(LANE * GROUP, 2 * LANE * GROUP)
    assert np.array_equal(prices.wide[1], least[span].min(axis=0))
    assert np.array_equal(prices.tall[1], rows[span].max(axis=0))
