"""The market part against the walk of the estimators, samples written out, and its own rules."""

import numpy as np
import pandas as pd
import pytest

from xcoll.collateral.haircuts import market
from xcoll.collateral.haircuts.market import Tail
from xcoll.collateral.history import History
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators import tail, volatility


def history(bars=700, assets=("A", "B"), freq="D", seed=0, draws=2):
    rng = np.random.default_rng(seed)
    index = pd.date_range("2020-01-01", periods=bars, freq=freq)
    returns = pd.DataFrame(0.03 * rng.standard_t(4, (bars, len(assets))), index, list(assets))
    lows = tuple(
        returns.clip(upper=0.0) - 0.01 * rng.exponential(size=returns.shape) for _ in range(draws)
    )
    return History(returns, lows, volatility.ewma(returns))


@pytest.mark.parametrize("measure", ["es", "var"])
@pytest.mark.parametrize("loss", ["close_out", "end"])
@pytest.mark.parametrize("method", [m for m in tail.METHODS if m != "dcc_t"])
def test_forecast_is_the_last_of_the_walk_forward(method, loss, measure):
    known, of = history(), Tail(0.975, measure, loss)
    expected = 0.0
    for low in known.lows:
        made = tail.walk_forward(
            known.log_returns, 400, 0.975, 1, method, loss, volatility=known.volatility, low=low
        )
        last = made[made["time"] == known.now].set_index("asset")[measure]
        expected = expected + last / len(known.lows)
    found = market.forecast(known, of, method, "400D")
    # the maximum of a likelihood is climbed from another start here
    climbed = method in ("evt", "t", "skewed_t")
    np.testing.assert_allclose(found, expected[found.index], rtol=1e-4 if climbed else 1e-12)


def test_a_younger_asset_is_forecast_from_what_it_has():
    known = history(bars=500)
    returns = known.log_returns.copy()
    returns.loc[returns.index[:300], "B"] = np.nan
    lows = tuple(low.where(returns.notna()) for low in known.lows)
    young = History(returns, lows, volatility.ewma(returns))
    found = market.forecast(young, Tail(0.9), "fhs", "400D")
    alone = young.of(["B"]).since(returns.index[300])
    assert found["B"] == pytest.approx(market.forecast(alone, Tail(0.9), "fhs", "400D")["B"])
    assert found["A"] == pytest.approx(market.forecast(known, Tail(0.9), "fhs", "400D")["A"])


def test_long_run_is_the_shortfall_of_all_bars():
    known = history(bars=300)
    losses = [-np.expm1(low["A"].to_numpy()[1:]) for low in known.lows]
    worst = [np.sort(x)[::-1] for x in losses]
    # 299 losses at 90 %: 29 whole ones and nine tenths of the next
    by_hand = np.mean([(w[:29].sum() + 0.9 * w[29]) / 29.9 for w in worst])
    assert market.long_run(known, Tail(0.9))["A"] == pytest.approx(by_hand, rel=1e-12)


def test_the_worst_year_is_not_milder_than_the_last_and_finds_a_planted_one():
    known = history(bars=900)
    returns = known.log_returns.copy()
    returns.iloc[300:500] *= 5.0
    lows = tuple(np.minimum(low, returns) for low in known.lows)
    crashed = History(returns, lows, known.volatility)
    last = market.long_run(crashed.since(crashed.now - pd.Timedelta("364D")), Tail(0.95))
    worst = market.stressed(crashed, Tail(0.95), span="365D", every="7D")
    assert (worst > 1.5 * last).all()
    assert (worst >= market.long_run(crashed, Tail(0.95))).all()


def test_a_history_shorter_than_the_span_is_one_span():
    known = history(bars=100)
    pd.testing.assert_series_equal(
        market.stressed(known, Tail(0.9)), market.long_run(known, Tail(0.9)), check_names=False
    )


def test_nothing_after_the_cut_is_seen():
    known = history()
    now = known.log_returns.index[600]
    changed = known.log_returns.copy()
    changed.loc[changed.index > now] -= 0.5
    jumped = History(changed, tuple(np.minimum(x, changed) for x in known.lows), known.volatility)
    for rule in (market.long_run, market.stressed, market.forecast):
        before, after = (rule(h.until(now), Tail(0.95)) for h in (known, jumped))
        pd.testing.assert_series_equal(before, after)


def test_horizons_are_measured_where_bars_allow_and_scaled_below():
    shares = {"1h": 0.23, "4h": 0.45, "24h": 1.0}

    def estimate(bars):
        return pd.Series({"A": float(bars)})

    daily = market.at_horizons(estimate, pd.Timedelta("1D"), shares)
    assert daily.loc["A"].tolist() == [0.23, 0.45, 1.0]
    hourly = market.at_horizons(estimate, pd.Timedelta("1h"), shares)
    assert hourly.loc["A"].tolist() == [1.0, 4.0, 24.0]


def test_a_method_is_silent_of_an_asset_that_is_shorter_than_its_shortest_window():
    known = history(bars=400)
    young = known.log_returns.copy()
    young.iloc[:-190, 1] = np.nan
    short = History(young, known.lows, volatility.ewma(young))
    assert tail.METHODS["evt"].least == 200
    found = market.forecast(short, Tail(0.95), "evt", "300D")
    assert np.isfinite(found["A"])
    assert np.isnan(found["B"])
    assert market.forecast(short, Tail(0.95), "t", "300D").notna().all()


def test_figures_take_each_column_over_its_own_losses():
    losses = np.array([[0.1, np.nan], [0.3, 0.2], [0.2, np.nan], [np.nan, 0.4]])
    assert market.figures(losses, Tail(0.5)).tolist() == pytest.approx([0.8 / 3, 0.4])
    assert market.figures(losses, Tail(0.5, "var")).tolist() == pytest.approx([0.2, 0.2])
    assert np.isnan(market.figures(np.full((3, 1), np.nan), Tail())).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"confidence": 1.0}, "confidence is 1"),
        ({"confidence": 99}, "did you mean 0.99"),
        ({"measure": "mean"}, "measure is 'mean'"),
        ({"loss": "worst"}, "loss is 'worst'"),
    ],
)
def test_a_tail_that_is_none_is_refused(given, message):
    with pytest.raises(ParameterError, match=message):
        Tail(**given)


def test_a_history_says_what_is_wrong_with_it():
    known = history(bars=50)
    with pytest.raises(DataError, match="needs lows"):
        History(known.log_returns, (), known.volatility)
    with pytest.raises(DataError, match="volatility and log_returns differ"):
        History(known.log_returns, known.lows, known.volatility.iloc[1:])
    with pytest.raises(DataError, match="lows and log_returns differ"):
        History(known.log_returns, (known.lows[0][["A"]],), known.volatility)
    with pytest.raises(DataError, match="C has no history"):
        known.of(["C"])
    with pytest.raises(DataError, match="no asset has a return"):
        known.until("2019-01-01")
    with pytest.raises(EstimationError, match="two bars with a forecast volatility"):
        market.forecast(known.until("2020-01-03"), Tail(0.9))


def test_a_cut_leaves_out_what_was_not_listed_and_of_keeps_order():
    known = history(bars=60)
    returns = known.log_returns.copy()
    returns.loc[returns.index[:30], "B"] = np.nan
    lows = tuple(low.where(returns.notna()) for low in known.lows)
    young = History(returns, lows, known.volatility)
    assert young.until("2020-01-20").assets == ["A"]
    assert young.until("2020-02-20").assets == ["A", "B"]
    assert young.of(["B", "A"]).assets == ["B", "A"]
    returns.loc[returns.index[50:], "A"] = np.nan
    gone = History(returns, tuple(x.where(returns.notna()) for x in lows), known.volatility)
    assert gone.trading == ["B"]
