"""The stationary bootstrap: block lengths, joint bars, closed forms of its moments, refusals."""

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import optimal_block_length
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chisquare

from tests.estimators.scenarios.samples import ASSETS, bars
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.scenarios import StationaryBootstrap, automatic_block, stationary_rows


def rng(seed=0):
    return np.random.default_rng(seed)


def lengths(rows, of):
    """Lengths of the blocks of one long series, the last one, which is cut off, left out."""
    new = np.flatnonzero(np.diff(rows) % of != 1) + 1
    return np.diff(np.concatenate([[0], new]))


def circular(x, lags):
    """Autocovariances of a series whose end is joined to its start."""
    e = x - x.mean()
    return np.array([(e * np.roll(e, -k)).mean() for k in range(lags)])


def waves(n=240, phi=0.8):
    """An autoregression, and a second asset that has its shocks a bar later."""
    shocks = rng(1).standard_normal(n)
    x = np.zeros(n)
    for t in range(1, n):
        x[t] = phi * x[t - 1] + shocks[t]
    index = pd.date_range("2020-01-01", periods=n, freq="D")
    return pd.DataFrame({"A": 0.01 * x, "B": 0.01 * np.roll(shocks, 1)}, index)


# --- blocks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1.5, 4.0, 12.0])
def test_block_lengths_are_geometric(block):
    of = 10**9  # so many rows that a block begins where the last one ended only by a miracle
    found = lengths(stationary_rows(of, 1, 60_000, block, rng(2))[0], of)
    p = 1.0 / block
    error = np.sqrt(1.0 - p) / p / np.sqrt(len(found))
    assert abs(found.mean() - block) < 3.0 * error
    longest = int(np.log(20.0 / len(found)) / np.log(1.0 - p))
    classes = np.arange(1, longest + 1)
    seen = np.bincount(np.minimum(found, longest), minlength=longest + 1)[1:]
    expected = p * (1.0 - p) ** (classes - 1)
    expected[-1] = (1.0 - p) ** (longest - 1)
    assert chisquare(seen, expected * len(found)).pvalue > 0.001


def test_blocks_begin_anywhere_and_go_round():
    rows = stationary_rows(7, 50_000, 3, 4.0, rng(3))
    for bar in range(3):
        assert chisquare(np.bincount(rows[:, bar], minlength=7)).pvalue > 0.001
    last = rows[:, 0] == 6
    gone_on = (rows[last, 1] == 0).mean()
    expected = 0.75 + 0.25 / 7
    assert abs(gone_on - expected) < 3.0 * np.sqrt(expected * (1 - expected) / last.sum())


def test_blocks_of_one_bar_and_blocks_without_end():
    whole = stationary_rows(11, 4, 25, 1e12, rng(4))
    assert_array_equal(np.diff(whole, axis=1) % 11, 1)
    single = stationary_rows(11, 20_000, 2, 1.0, rng(4))
    table = np.bincount(single[:, 0] * 11 + single[:, 1], minlength=121)
    assert chisquare(table).pvalue > 0.001


# --- moments --------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1.0, 5.0, 20.0])
def test_moments_of_a_resample_are_its_closed_forms(block):
    returns = waves()
    boot = StationaryBootstrap.fit(returns, block=block)
    paths, n = 20_000, 12
    made = np.diff(np.log(boot.simulate(paths, n, rng(5)).closes), axis=1)
    kept = (1.0 - 1.0 / block) ** np.arange(n)
    for column, asset in enumerate(returns):
        x, drawn = returns[asset].to_numpy(), made[..., column]
        gamma = circular(x, n)
        total = drawn.sum(axis=1)
        weights = np.concatenate([[n], 2.0 * np.arange(n - 1, 0, -1)])
        variance = (weights * kept * gamma).sum()
        assert abs(total.mean() - n * x.mean()) < 3.0 * np.sqrt(variance / paths)
        squares = (total - n * x.mean()) ** 2
        assert abs(squares.mean() - variance) < 3.0 * squares.std() / np.sqrt(paths)
        for lag in range(n):
            each = ((drawn - x.mean()) * np.roll(drawn - x.mean(), -lag, axis=1))[:, : n - lag]
            each = each.mean(axis=1)
            assert abs(each.mean() - kept[lag] * gamma[lag]) < 4.0 * each.std() / np.sqrt(paths)


def test_planted_dependence_survives():
    returns = waves(600)
    boot = StationaryBootstrap.fit(returns, block=25.0)
    made = np.diff(np.log(boot.simulate(400, 400, rng(6)).closes), axis=1)
    # The second asset has the first one's shocks a bar later: a planted lead of one bar.
    shock = made[:, 1:, 0] - 0.8 * made[:, :-1, 0]
    lead = np.corrcoef(shock[:, :-1].ravel(), made[:, 2:, 1].ravel())[0, 1]
    same = np.corrcoef(shock.ravel(), made[:, 1:, 1].ravel())[0, 1]
    assert lead > 0.85
    assert abs(same) < 0.1


def test_a_drawn_bar_brings_the_returns_and_lows_of_all_assets():
    returns, low = bars()
    boot = StationaryBootstrap.fit(returns, low, block=6.0)
    paths = boot.simulate(30, 40, rng(7))
    rows = stationary_rows(len(returns), 30, 40, 6.0, rng(7))
    assert_allclose(np.diff(np.log(paths.closes), axis=1), returns.to_numpy()[rows], atol=1e-12)
    reached = np.log(paths.lows[:, 1:] / paths.closes[:, :-1])
    assert_allclose(reached, low.to_numpy()[rows], atol=1e-12)
    assert paths.assets == tuple(ASSETS)
    assert paths.bar == pd.Timedelta("1D")


# --- block length ---------------------------------------------------------------------------


def test_the_automatic_length_is_the_longest_of_politis_and_white():
    returns, _ = bars(500)
    each = [optimal_block_length(f)["stationary"].max() for f in (returns, returns.abs())]
    assert automatic_block(returns) == max(1.0, *each)
    assert StationaryBootstrap.fit(returns).block == automatic_block(returns)


def test_dependence_asks_for_longer_blocks():
    noise = pd.DataFrame({"A": rng(8).standard_normal(2000)})
    clusters = noise.mul(np.repeat(rng(9).uniform(0.2, 3.0, 40), 50), axis=0)
    trend = waves(2000)[["A"]]
    assert automatic_block(noise) < 6.0
    assert automatic_block(clusters) > 15.0
    assert automatic_block(trend) > 15.0


# --- samples, streams, refusals -------------------------------------------------------------


def test_bars_that_an_asset_lacks_are_never_drawn():
    returns, low = bars(200)
    returns.iloc[:8] = returns.iloc[:8].assign(ETH=np.nan)
    returns.iloc[0] = np.nan
    low = low.where(returns.notna())
    returns.iloc[195:, 2] = low.iloc[195:, 2] = np.nan
    low.iloc[8:10, 1] = np.nan  # its first lows are unknown
    boot = StationaryBootstrap.fit(returns, low, block=5.0)
    assert boot.lost == 7 + 2 + 5  # the first row is of no asset
    assert boot.log_returns.index[[0, -1]].equals(returns.index[[10, 194]])
    drawn = np.diff(np.log(boot.simulate(200, 30, rng(10)).closes), axis=1).reshape(-1, 3)
    distance = np.abs(drawn[:, None, 0] - returns["BTC"].to_numpy()[10:195]).min(axis=1)
    assert distance.max() < 1e-12


def test_a_later_jump_changes_nothing():
    returns, low = bars(300)
    planted, deep = returns.copy(), low.copy()
    planted.iloc[250] = deep.iloc[250] = -0.9
    t = returns.index[249]
    before, after = (
        StationaryBootstrap.fit(r.loc[:t], x.loc[:t]) for r, x in ((returns, low), (planted, deep))
    )
    assert before.block == after.block
    one, two = (boot.simulate(20, 30, rng(11)) for boot in (before, after))
    assert_array_equal(one.closes, two.closes)
    assert_array_equal(one.lows, two.lows)
    seen = StationaryBootstrap.fit(planted, deep).simulate(20, 30, rng(11))
    assert np.diff(np.log(seen.closes), axis=1).min() < -0.85 < returns.min(axis=None)


def test_streams():
    returns, low = bars()
    boot = StationaryBootstrap.fit(returns, low)
    few, many = boot.simulate(10, 30, rng(12)), boot.simulate(100, 30, rng(12))
    assert_array_equal(few.closes, many.closes[:10])
    assert_array_equal(few.lows, many.lows[:10])
    assert len(np.unique(many.closes[:, -1, 0])) == 100
    one = rng(12)
    assert_array_equal(boot.simulate(10, 30, one).closes, few.closes)
    assert (boot.simulate(10, 30, one).closes != few.closes).any(axis=(1, 2)).all()
    assert (boot.simulate(10, 30, rng(13)).closes != few.closes).any(axis=(1, 2)).all()


def test_one_asset_is_enough():
    returns, low = bars()
    paths = StationaryBootstrap.fit(returns[["ETH"]], low[["ETH"]]).simulate(3, 5, rng())
    assert paths.closes.shape == (3, 6, 1)


def test_refusals():
    returns, low = bars()
    boot = StationaryBootstrap.fit(returns)
    for name, arguments in {"paths": (0, 5), "bars": (5, 0)}.items():
        with pytest.raises(ParameterError, match=f"{name} is 0"):
            boot.simulate(*arguments, rng())
    with pytest.raises(ParameterError, match=r"paths is 2\.5"):
        boot.simulate(2.5, 5, rng())
    with pytest.raises(ParameterError, match=r"block is 0\.5; give at least 1"):
        StationaryBootstrap.fit(returns, block=0.5)
    with pytest.raises(EstimationError, match="59 bars that all assets have, 60 are needed"):
        StationaryBootstrap.fit(returns.iloc[:59])
    late = returns.assign(ETH=returns["ETH"].where(returns.index > returns.index[-41]))
    with pytest.raises(EstimationError, match=r"40 bars .* leave out ETH, which has the fewest"):
        StationaryBootstrap.fit(late)
    hole = returns.copy()
    hole.iloc[50, 0] = np.nan
    with pytest.raises(EstimationError, match="BTC: 1 missing returns inside"):
        StationaryBootstrap.fit(hole)
    with pytest.raises(EstimationError, match="low of BTC is missing or infinite"):
        StationaryBootstrap.fit(returns, low.mask(hole.isna()))
    with pytest.raises(EstimationError, match="XRP does not move, so no block length"):
        StationaryBootstrap.fit(returns.assign(XRP=0.0))
    assert StationaryBootstrap.fit(returns.assign(XRP=0.0), block=5.0).block == 5.0
