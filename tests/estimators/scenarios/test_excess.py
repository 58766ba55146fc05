"""Lows drawn from the excess of history: a plain twin, what neighbours share, refusals."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.estimators.samples import dates
from tests.estimators.scenarios.samples import ASSETS, bars
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators.scenarios import Excess


def plain(known, excess, z, u, k):
    """One draw: the k historical bars about the place of z in the order of scores, ranked."""
    order = sorted(range(len(known)), key=lambda bar: known[bar])
    place = sum(score < z for score in known)
    start = min(max(place - k // 2, 0), len(known) - k)
    return sorted(excess[bar] for bar in order[start : start + k])[int(u * k)]


def sample(n=90):
    rng = np.random.default_rng(0)
    score = pd.DataFrame(rng.standard_normal((n, 3)), dates(n), ASSETS)
    excess = pd.DataFrame(rng.gamma(0.5, 0.5, (n, 3)), dates(n), ASSETS)
    score.iloc[:20, 1] = np.nan  # a later listing
    excess.iloc[:25, 2] = np.nan  # lows known from later on
    return score, excess


@pytest.mark.parametrize("neighbours", [1, 7, 20, 65])
def test_draws_are_those_of_the_plain_twin(neighbours):
    score, excess = sample()
    rng = np.random.default_rng(1)
    z, u = 2.0 * rng.standard_normal((6, 5, 3)), rng.random((6, 5))
    drawn = Excess(score, excess, neighbours).draw(z, u)
    for column, asset in enumerate(ASSETS):
        known = score[asset].notna() & excess[asset].notna()
        past = score.loc[known, asset].tolist(), excess.loc[known, asset].tolist()
        for p, s in np.ndindex(u.shape):
            assert drawn[p, s, column] == plain(*past, z[p, s, column], u[p, s], neighbours)


def test_a_bars_wick_reaches_all_assets_together():
    score, excess = sample()
    u = np.linspace(0.0, 1.0, 50, endpoint=False)[:, None]
    drawn = Excess(score, excess).draw(np.zeros((50, 1, 3)), u)[:, 0]
    assert (np.diff(drawn, axis=0) >= 0.0).all()
    assert (drawn[-1] > drawn[0]).all()


def test_the_excess_depends_on_the_return_of_the_bar():
    score, _ = sample(2000)
    known = Excess(score, 0.1 + score**2)
    drawn = known.draw(np.full((1, 1, 3), 2.0), np.array([[0.5]]))
    assert_allclose(drawn, 4.1, atol=0.4)
    calm = known.draw(np.full((1, 1, 3), 0.0), np.array([[0.5]]))
    assert_allclose(calm, 0.1, atol=0.01)


def test_beyond_history_the_most_extreme_bars_lend():
    score, excess = sample()
    known = Excess(score, excess, 10)
    far = known.draw(np.full((1, 1, 3), -40.0), np.array([[0.999]]))[0, 0]
    for column, asset in enumerate(ASSETS):
        pair = pd.DataFrame({"z": score[asset], "e": excess[asset]}).dropna()
        assert far[column] == pair.nsmallest(10, "z")["e"].max()


def test_history_gives_back_its_own_mean_excess():
    returns, low = bars(600)
    sigma = pd.DataFrame(0.03, returns.index, returns.columns)
    known = Excess.of(returns, sigma, low)
    score = (returns / sigma.shift()).iloc[1:].to_numpy()
    drawn = known.draw(np.repeat(score[None], 50, 0), np.random.default_rng(2).random((50, 599)))
    truth = (returns.clip(upper=0.0) - low).iloc[1:].to_numpy() / 0.03
    error = drawn.mean(axis=1).std(axis=0) / np.sqrt(50)
    # Bars at the two ends belong to more runs of neighbours than others: not exactly unbiased.
    assert (np.abs(drawn.mean(axis=(0, 1)) - truth.mean(axis=0)) < 3.0 * error + 0.01).all()


def test_excess_is_measured_with_the_volatility_before_the_bar():
    returns, low = bars(60)
    sigma = pd.DataFrame(np.linspace(0.01, 0.02, 60)[:, None] * np.ones(3), returns.index, ASSETS)
    known = Excess.of(returns, sigma, low)
    assert known.score.iloc[0].isna().all()
    assert_allclose(known.score.iloc[7], returns.iloc[7] / sigma.iloc[6])
    expected = (returns.iloc[7].clip(upper=0.0) - low.iloc[7]) / sigma.iloc[6]
    assert_allclose(known.excess.iloc[7], expected)


def test_refusals():
    score, excess = sample()
    with pytest.raises(EstimationError, match="XRP has 65 bars with a known low, 66 are needed"):
        Excess(score, excess, 66)
    with pytest.raises(DataError, match="score and excess differ"):
        Excess(score, excess.iloc[1:])
    with pytest.raises(DataError, match="score and excess differ"):
        Excess(score, excess[ASSETS[::-1]])
    with pytest.raises(DataError, match="ETH has an excess under zero"):
        Excess(score, excess - [0.0, 1.0, 0.0])
    with pytest.raises(ParameterError, match="neighbours"):
        Excess(score, excess, 0)
    assert_array_equal(Excess(score, excess, 65).score, score)
