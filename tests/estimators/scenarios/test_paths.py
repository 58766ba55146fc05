"""The result type: openings, lows, frames of one path, and what it refuses."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from tests.estimators.scenarios.samples import ASSETS, bars
from xcoll.errors import DataError, EstimationError
from xcoll.estimators.scenarios import Paths, history
from xcoll.estimators.tail.losses import path_losses

DAY = pd.Timedelta("1D")


def small():
    rng = np.random.default_rng(0)
    returns = 0.1 * rng.standard_normal((4, 6, 3))
    low = np.minimum(returns, 0.0) - 0.05 * rng.random(returns.shape)
    return returns, low, Paths.of(returns, low, ASSETS, DAY)


def test_worked_path():
    returns, low = np.log([[[1.1], [0.5]]]), np.log([[[0.9], [0.4]]])
    paths = Paths.of(returns, low, ["BTC"], DAY)
    assert_allclose(paths.closes[0, :, 0], [1.0, 1.1, 0.55], rtol=1e-15)
    assert_allclose(paths.lows[0, :, 0], [1.0, 0.9, 0.44], rtol=1e-15)
    assert (len(paths), paths.bars) == (1, 2)


def test_worst_low_is_the_close_out_loss():
    returns, low, paths = small()
    worst = 1.0 - paths.lows[:, 1:].min(axis=1)
    assert_allclose(worst, path_losses(returns, low, "close_out"), atol=1e-12)
    end = 1.0 - paths.closes[:, -1]
    assert_allclose(end, path_losses(returns, low, "end"), atol=1e-12)


def test_a_window_is_one_path_with_dates():
    _, _, paths = small()
    close, low = replace(paths, bar=pd.Timedelta("4h")).window(2, "2021-05-19")
    assert_array_equal(close, paths.closes[2])
    assert_array_equal(low, paths.lows[2])
    assert list(close) == list(low) == ASSETS
    assert close.index.equals(low.index)
    assert close.index[[0, 1]].tolist() == [
        pd.Timestamp("2021-05-19 00:00"),
        pd.Timestamp("2021-05-19 04:00"),
    ]
    with pytest.raises(IndexError):
        paths.window(4)


moves = arrays(float, (3, 5, 2), elements=st.floats(-3.0, 3.0))


@given(moves, arrays(float, (3, 5, 2), elements=st.floats(0.0, 2.0)))
@settings(deadline=None)
def test_lows_are_at_or_under_both_closes(returns, excess):
    paths = Paths.of(returns, np.minimum(returns, 0.0) - excess, ["A", "B"], DAY)
    assert (paths.lows[:, 1:] <= paths.closes[:, 1:]).all()
    assert (paths.lows[:, 1:] <= paths.closes[:, :-1]).all()
    assert (paths.lows > 0.0).all()
    assert (paths.closes[:, 0] == 1.0).all()
    assert (paths.lows[:, 0] == 1.0).all()


def test_refusals():
    returns, low, paths = small()
    with pytest.raises(DataError, match="ETH has a low above one of its closes"):
        Paths.of(returns, np.where(returns < 0.0, [1.0, 0.5, 1.0], 1.0) * low, ASSETS, DAY)
    with pytest.raises(DataError, match="BTC has a low above one of its closes"):
        Paths.of(np.full((1, 1, 1), 0.3), np.full((1, 1, 1), 0.1), ["BTC"], DAY)
    for field in ("closes", "lows"):
        bad = getattr(paths, field).copy()
        bad[3, 0, 2] = 1.5
        with pytest.raises(DataError, match="XRP, path 3, bar 0: does not open at 1"):
            replace(paths, **{field: bad})
        for value in (np.nan, np.inf, 0.0, -1.0):
            bad = getattr(paths, field).copy()
            bad[1, 2, 0] = value
            with pytest.raises(DataError, match="BTC, path 1, bar 2: has a price that is no pos"):
                replace(paths, **{field: bad})
    for cell in ((0, int(returns[0, :, 1].argmin()), 1), (0, int(returns[0, :, 1].argmax()), 1)):
        path, bar, asset = cell  # a low above the lower one of two closes: the last, the first
        bad = paths.lows.copy()
        reached = min(paths.closes[path, bar, asset], paths.closes[path, bar + 1, asset])
        bad[path, bar + 1, asset] = np.nextafter(reached, np.inf)
        with pytest.raises(DataError, match=f"ETH, path 0, bar {bar + 1}: has a low above one"):
            replace(paths, lows=bad)
    with pytest.raises(DataError, match="for 2 assets; give paths"):
        replace(paths, assets=("A", "B"))
    with pytest.raises(DataError, match="give paths"):
        replace(paths, lows=paths.lows[:, 1:])


def test_history_knows_its_lows():
    returns, low = bars(70)
    assert_array_equal(history(returns).low, returns.clip(upper=0.0))
    assert_array_equal(history(returns, low).low, low)
    bad = low.copy()
    bar = int(returns["ETH"].argmin())
    bad.iloc[bar, 1] = returns.iloc[bar, 1] + 1e-6
    with pytest.raises(DataError, match=f"the low of ETH at {returns.index[bar]} is above its"):
        history(returns, bad)
    with pytest.raises(DataError, match="low and log_returns differ"):
        history(returns, low[["ETH", "BTC", "XRP"]])
    hole = returns.copy()
    hole.iloc[30, 2] = np.nan
    with pytest.raises(EstimationError, match="XRP: 1 missing returns inside"):
        history(hole)
