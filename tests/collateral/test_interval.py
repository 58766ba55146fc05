"""Intervals of the haircuts: a plain resampling twin, worked ends, coverage on simulated bars."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral.facts import Span
from xcoll.collateral.haircuts import PARTS, interval, market
from xcoll.collateral.haircuts.interval import Resampled
from xcoll.collateral.haircuts.market import Tail
from xcoll.collateral.history import History
from xcoll.errors import ParameterError
from xcoll.estimators import tail, volatility
from xcoll.estimators.resampling import circular_blocks


def history(bars=300, freq="D", seed=0, draws=2):
    rng = np.random.default_rng(seed)
    index = pd.date_range("2020-01-01", periods=bars, freq=freq)
    returns = pd.DataFrame(0.03 * rng.standard_t(4, (bars, 2)), index, ["A", "B"])
    returns.iloc[:60, 1] = np.nan
    lows = tuple(
        returns.clip(upper=0.0) - 0.01 * rng.exponential(size=returns.shape) for _ in range(draws)
    )
    return History(returns, lows, volatility.ewma(returns))


def resampled(known, of, method="fhs", window="120D", seed=3, **size):
    return interval.resampled(
        known, of, method, window, rng=np.random.default_rng(seed), replications=40, **size
    )


@pytest.mark.parametrize("measure", ["es", "var"])
@pytest.mark.parametrize("method", ["fhs", "historical"])
@pytest.mark.parametrize(("freq", "step"), [("D", 1), ("6h", 4)])
def test_a_replication_is_the_figure_of_the_rows_it_drew(method, measure, freq, step):
    known, of, window = history(freq=freq), Tail(0.95, measure), 120
    found = resampled(known, of, method, "120D" if step == 1 else "30D", block="15D")
    rows = len(known.log_returns) - step
    picks = circular_blocks(rows, np.random.default_rng(3), 40, 15 * step)
    long_run, scores = [], []
    for low in known.lows:
        lost = tail.realised_losses(known.log_returns, low, step).iloc[:rows]
        long_run.append(lost)
        # ln of each loss at today's volatility, as `fhs` has it
        ratio = known.volatility.iloc[-1] / known.volatility.iloc[:rows]
        made = -np.expm1(np.log1p(-lost) * ratio) if method == "fhs" else lost.copy()
        made.iloc[: rows - (window - step + 1)] = np.nan
        scores.append(made)
    for asset in known.assets:
        for name, samples in {"long_run": long_run, "forecast": scores}.items():
            whole = np.mean([market.figures(x[[asset]].to_numpy(), of) for x in samples])
            for b in range(40):
                drawn = [x[[asset]].to_numpy()[picks[b]] for x in samples]
                expected = np.mean([market.figures(x, of) for x in drawn]) / whole
                assert getattr(found, name)[asset][b] == pytest.approx(expected, rel=1e-12)
    if step == 1:
        estimate = market.forecast(known, of, method, "120D")
        whole = np.mean([market.figures(x.to_numpy(), of) for x in scores], axis=0)
        np.testing.assert_allclose(estimate, whole, rtol=1e-12)


def test_the_long_run_may_look_back_less_far():
    known, of = history(), Tail(0.95)
    cut = known.since(known.now - pd.Timedelta("150D"))
    whole, part = (resampled(known, of, look_back=x) for x in (None, "150D"))
    pd.testing.assert_frame_equal(whole.forecast, part.forecast)
    # the same bars, drawn as blocks of the longer history
    rows = len(known.log_returns) - 1
    picks = circular_blocks(rows, np.random.default_rng(3), 40, 20)
    lost = [x.iloc[:rows].copy() for x in market.losses(known, of, 1)]
    for frame in lost:
        frame.loc[frame.index < cut.log_returns.index[0]] = np.nan
    base = market.long_run(cut, of)
    for b in range(40):
        drawn = np.mean([market.figures(x.to_numpy()[picks[b]], of) for x in lost], axis=0)
        np.testing.assert_allclose(part.long_run.loc[b], drawn / base, rtol=1e-12)


def test_other_methods_are_lent_the_error_of_filtered_scenarios():
    known, of = history(), Tail(0.95)
    lent, own = (resampled(known, of, method).forecast for method in ("evt", "fhs"))
    pd.testing.assert_frame_equal(lent, own)
    smooth = resampled(known, of, "volatility_weighted").forecast
    assert not np.allclose(smooth, resampled(known, of, "historical").forecast)
    # the history's own σ is exponentially weighted here, so the two methods are the same
    pd.testing.assert_frame_equal(smooth, own)


def test_all_assets_share_their_draws():
    known = history(draws=1)
    twins = History(
        known.log_returns[["A"]].assign(C=known.log_returns["A"]),
        tuple(low[["A"]].assign(C=low["A"]) for low in known.lows),
        known.volatility[["A"]].assign(C=known.volatility["A"]),
    )
    for frame in vars(resampled(twins, Tail(0.95))).values():
        np.testing.assert_array_equal(frame["A"], frame["C"])


def test_what_comes_later_moves_nothing():
    known = history()
    cut = known.log_returns.index[199]
    later = known.log_returns.copy()
    later.iloc[200:] = later.iloc[200:] - 0.5
    lows = tuple(np.minimum(low, later) for low in known.lows)
    jumped = known.volatility.copy()
    jumped.iloc[200:] = 9.0
    planted = History(later, lows, jumped)
    one, other = (resampled(x.until(cut), Tail(0.95)) for x in (known, planted))
    for name in ("forecast", "long_run"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))


def test_an_asset_that_stopped_has_a_long_run_and_no_forecast():
    known = history()
    returns = known.log_returns.copy()
    returns.iloc[-5:, 0] = np.nan
    lows = tuple(low.where(returns.notna()) for low in known.lows)
    found = resampled(
        History(returns, lows, known.volatility.where(returns.notna())), Tail(0.95), "fhs"
    )
    assert found.forecast["A"].isna().all()
    assert found.long_run["A"].notna().all()
    assert found.forecast["B"].notna().all()


PAIRS = pd.MultiIndex.from_product([["A", "wA", "S"], ["4h", "24h"]], names=["asset", "horizon"])
FOLLOWED = pd.Series({"A": "A", "wA": "A", "S": "S"})


def other(**parts):
    return pd.DataFrame(dict.fromkeys(PARTS, 0.0) | parts, index=PAIRS)


def estimates(forecast=0.1, long_run=0.2, stressed=0.3):
    index = pd.MultiIndex.from_product([["A", "S"], ["4h", "24h"]], names=["asset", "horizon"])
    values = {"forecast": forecast, "long_run": long_run, "stressed": stressed}
    table = pd.DataFrame(values, index=index)
    return table.mul(np.array([0.5, 1.0, 0.5, 1.0]), axis=0)


def spread(forecast, long_run):
    return Resampled(pd.DataFrame({"A": forecast}), pd.DataFrame({"A": long_run}))


def test_the_ends_by_hand():
    relative = np.linspace(0.5, 1.5, 101)
    drawn = spread(relative, np.ones(101))
    parts = other(liquidity=0.02, oracle=0.005)
    parts.loc["wA", "basis"] = 0.01
    kept = 0.98 * 0.995
    found = interval.intervals(estimates(), parts, drawn, FOLLOWED)
    assert found.index.tolist() == [(a, h) for a in ("A", "wA") for h in ("4h", "24h")]
    # the long run, 0.2, is above every forecast: 0.15 at most
    expected = 1 - 0.8 * kept
    np.testing.assert_allclose(found.loc[("A", "24h")], expected, rtol=1e-12)
    np.testing.assert_allclose(found.loc[("wA", "24h")], 1 - 0.8 * kept * 0.99, rtol=1e-12)
    np.testing.assert_allclose(found.loc[("A", "4h")], 1 - 0.9 * kept, rtol=1e-12)
    raw = interval.intervals(estimates(), parts, drawn, FOLLOWED, post=lambda m, *_: m)
    np.testing.assert_allclose(
        raw.loc[("A", "24h"), ["low", "high"]], [1 - 0.945 * kept, 1 - 0.855 * kept], rtol=1e-12
    )
    # where the two cross, each replication has the larger of its own two
    both = interval.intervals(estimates(forecast=0.2), parts, drawn, FOLLOWED)
    np.testing.assert_allclose(
        both.loc[("A", "24h"), ["low", "high"]], [1 - 0.8 * kept, 1 - 0.71 * kept], rtol=1e-12
    )


def test_a_tool_sees_the_three_haircuts_of_every_replication():
    drawn = spread(np.linspace(0.5, 1.5, 101), np.ones(101))

    def weighted(raw, long_run, stressed):
        assert raw.shape == long_run.shape == stressed.shape == (101, 4)
        assert (stressed["A", "24h"] == stressed["A", "24h"][0]).all()
        return raw + 0.25 * (stressed - raw).clip(lower=0.0)

    found = interval.intervals(estimates(), other(), drawn, FOLLOWED, post=weighted)
    expected = [0.055 + 0.25 * (0.3 - 0.055), 0.145 + 0.25 * (0.3 - 0.145)]
    np.testing.assert_allclose(found.loc[("A", "24h"), ["low", "high"]], expected, rtol=1e-12)


def test_the_scaling_is_a_second_layer():
    drawn = spread(np.ones(40_000), np.ones(40_000))
    scaling = {"4h": [Span(mean=0.45, low=0.36, high=0.54)]}
    found = interval.intervals(
        estimates(), other(), drawn, FOLLOWED, scaling=scaling, rng=np.random.default_rng(0)
    )
    at = found.loc[("A", "4h")]
    assert at["sampling_low"] == at["sampling_high"] == pytest.approx(0.1)
    # uniform between 0.08 and 0.12: the middle 90 % leaves out a twentieth of it at each end
    assert at["low"] == pytest.approx(0.082, abs=2e-4)
    assert at["high"] == pytest.approx(0.118, abs=2e-4)
    assert found.loc[("A", "24h"), "low"] == found.loc[("A", "24h"), "sampling_low"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0.0, 20.0), min_size=5, max_size=30),
    st.floats(0.0, 1.0), st.floats(0.0, 0.99), st.floats(0.1, 0.9),
)  # fmt: skip
def test_ends_are_haircuts_and_wider_coverage_is_wider(relative, forecast, basis, coverage):
    drawn = spread(relative, np.ones(len(relative)))
    arguments = estimates(forecast=forecast), other(basis=basis), drawn, FOLLOWED
    narrow, wide = (
        interval.intervals(*arguments, coverage=c) for c in (coverage, (1 + coverage) / 2)
    )
    assert (wide["low"] <= narrow["low"] + 1e-12).all()
    assert (narrow["low"] <= narrow["high"]).all()
    assert (narrow["high"] <= wide["high"] + 1e-12).all()
    assert wide["low"].between(0.0, 1.0).all()
    assert wide["high"].between(0.0, 1.0).all()


def test_replications_without_a_figure_are_left_out():
    drawn = spread([1.0, np.nan, 1.0], [1.0, 1.0, 1.0])
    found = interval.intervals(estimates(), other(), drawn, FOLLOWED, post=lambda m, *_: m)
    assert found.loc[("A", "24h"), "low"] == pytest.approx(0.1)
    nothing = spread([np.nan] * 3, [1.0] * 3)
    assert interval.intervals(estimates(), other(), nothing, FOLLOWED).isna().all(axis=None)


def test_stablecoins_have_the_interval_of_their_hazard():
    rows = {"asset": "S", "horizon": ["4h", "24h"], "market_low": 0.01, "market_high": [0.02, 0.04]}
    found = interval.pegged_intervals(other(oracle=0.0025), pd.DataFrame(rows))
    assert found.index.tolist() == [("S", "4h"), ("S", "24h")]
    assert found.loc[("S", "24h"), "high"] == pytest.approx(1 - 0.96 * 0.9975)
    assert found.loc[("S", "4h"), "sampling_low"] == pytest.approx(1 - 0.99 * 0.9975)


def test_bad_input():
    with pytest.raises(ParameterError, match="block is 400 bars, the history has 299 losses"):
        resampled(history(), Tail(), block="400D")
    with pytest.raises(ParameterError, match="method is 'best'"):
        resampled(history(), Tail(), method="best")
    drawn = spread([1.0], [1.0])
    scaling = {"4h": [Span(mean=1, low=1, high=1)]}
    with pytest.raises(ParameterError, match="give rng"):
        interval.intervals(estimates(), other(), drawn, FOLLOWED, scaling=scaling)
    with pytest.raises(ParameterError, match="basis part of"):
        interval.intervals(estimates(), other(basis=1.5), drawn, FOLLOWED)


def simulated(alpha, beta, nu, paths=120, bars=1460, seed=5):
    """GARCH(1,1)-t log returns, σ 3.5 % a day: the paths, their σ, and the true 97.5 % ES."""
    rng = np.random.default_rng(seed)

    def run(paths, bars):
        h, made, sigma = np.ones(paths), np.empty((bars, paths)), np.empty((bars, paths))
        for t in range(-300, bars):
            z = rng.standard_t(nu, paths) * np.sqrt((nu - 2) / nu)
            if t >= 0:
                made[t], sigma[t] = np.sqrt(h) * z, np.sqrt(h)
            h = 1 - alpha - beta + h * (alpha * z * z + beta)
        return 0.035 * made, 0.035 * sigma

    truth = tail.historical(-np.expm1(run(4000, 300)[0].ravel()), 0.975).es
    made, sigma = run(paths, bars)
    index = pd.date_range("2020-01-01", periods=bars, freq="D")
    names = [f"path{p}" for p in range(paths)]
    returns, sigma = (pd.DataFrame(x, index, names) for x in (made, sigma))
    # what was forecast at t for the bar after it
    return History(returns, (returns.clip(upper=0.0),), sigma.shift(-1).ffill()), truth


@pytest.mark.parametrize(
    ("law", "least", "most"),
    [((0.0, 0.0, 30.0), 0.80, 0.97), ((0.0, 0.0, 4.0), 0.70, 0.95), ((0.08, 0.87, 4.5), 0.55, 0.9)],
)
def test_how_often_the_interval_holds_the_truth(law, least, most):
    known, truth = simulated(*law)
    of = Tail(0.975)
    drawn = interval.resampled(
        known, of, rng=np.random.default_rng(1), replications=300, block="20D"
    )
    low, high = (market.long_run(known, of) * drawn.long_run.quantile(q) for q in (0.05, 0.95))
    inside = ((low <= truth) & (truth <= high)).mean()
    assert least <= inside <= most
    # where it misses, it is too low: few bars are beyond the level, and they cluster
    if law[0] > 0.0:
        assert (high < truth).mean() > (low > truth).mean()
