"""Forecast scores: closed forms, statsmodels' HAC errors, alignment in time."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.errors import ParameterError
from xcoll.estimators import evaluation
from xcoll.estimators.volatility import scores


def dates(n):
    return pd.date_range("2020-01-01", periods=n, freq="D")


def wide(values, name="A"):
    return pd.DataFrame({name: values}, index=dates(len(values)))


@pytest.fixture(scope="module")
def world():
    """Returns of a known, slowly moving σ; one forecast is right, one 30 % too low."""
    rng = np.random.default_rng(0)
    sigma = 0.02 * np.exp(0.5 * np.sin(np.arange(1500) / 40))
    returns = wide(np.r_[0.0, sigma[:-1] * rng.standard_normal(1499)])
    return returns, {"right": wide(sigma), "low": wide(0.7 * sigma)}


def test_losses_by_hand():
    volatility, proxy = wide([0.1, 0.2, 0.3]), wide([9.0, 0.02, 0.01])
    qlike = scores.losses(volatility, proxy)["A"]
    assert np.isnan(qlike.iloc[0])
    assert qlike.iloc[1] == pytest.approx(np.log(0.01) + 2.0)
    assert qlike.iloc[2] == pytest.approx(np.log(0.04) + 0.25)
    mse = scores.losses(volatility, proxy, "mse")["A"]
    assert mse.iloc[2] == pytest.approx(0.03**2)


@pytest.mark.parametrize("loss", ["qlike", "mse"])
@given(
    proxies=st.lists(st.floats(0.0, 4.0), min_size=3, max_size=30).filter(
        lambda values: np.mean(values) > 0.05
    ),
    off=st.floats(1.05, 5.0),
    below=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_loss_is_least_at_the_mean_of_the_proxy(loss, proxies, off, below):
    truth = np.mean(proxies)
    wrong = truth / off if below else truth * off
    proxy = wide(proxies)

    def score(variance):
        return scores.LOSSES[loss](wide(np.full(len(proxies), variance)), proxy)["A"].mean()

    assert score(truth) < score(wrong)


def test_forecast_is_scored_on_the_next_bar_only(world):
    returns, forecasts = world
    before = scores.losses(forecasts["right"], returns**2)
    moved = returns.copy()
    moved.iloc[700] += 1.0
    after = scores.losses(forecasts["right"], moved**2)
    changed = (before["A"] != after["A"]) & before["A"].notna()
    assert changed[changed].index.tolist() == [returns.index[700]]


def test_the_right_forecast_wins(world):
    returns, forecasts = world
    table = scores.compare(forecasts, returns**2, benchmark="right").set_index("model")
    assert table.loc["low", "difference"] > 0
    assert table.loc["low", "low"] > 0
    assert table.loc["low", "p_value"] < 0.01
    assert table["bars"].eq(1499).all()
    assert np.isnan(table.loc["right", "p_value"])
    assert table.loc["low", "p_best"] == table.loc["low", "p_value"]
    assert table["included"].to_dict() == {"right": True, "low": False}
    best = scores.ranking(table.reset_index()).iloc[0]
    assert (best["best"], best["rival"], best["verdict"]) == ("right", "low", "clear")
    assert (best["survivors"], best["survive"], best["bars"]) == (1, "right", 1499)
    assert best["difference"] == pytest.approx(-table.loc["low", "difference"])


def test_compare_holds_the_tests_of_the_evaluation_room(world):
    returns, forecasts = world
    near = forecasts | {"near": 1.02 * forecasts["right"]}
    table = scores.compare(near, returns**2, benchmark="low", confidence=0.8).set_index("model")
    scored = pd.DataFrame({k: scores.losses(v, returns**2)["A"] for k, v in near.items()})
    places = evaluation.confidence_set(scored, 0.2).set_index("model")
    assert table["p_set"].to_dict() == places["p_value"].to_dict()
    assert table["included"].to_dict() == places["included"].to_dict()
    test = evaluation.diebold_mariano(scored["near"], scored["right"])
    assert table.loc["near", "p_best"] == test.p_value
    assert np.isnan(table.loc["right", "p_best"])
    test = evaluation.diebold_mariano(scored["near"], scored["low"])
    assert (table.loc["near", "low"], table.loc["near", "high"]) == test.interval(0.8)


@pytest.mark.parametrize(
    ("p_best", "included", "verdict", "survive"),
    [
        ([np.nan, 0.2, 0.001], [True, False, False], "clear", "a"),
        ([np.nan, 0.04, 0.3], [True, False, True], "likely", "a, c"),
        ([np.nan, 0.4, 0.001], [True, True, False], "open", "a, b"),
    ],
)
def test_how_sure_a_winner_is(p_best, included, verdict, survive):
    rows = pd.DataFrame({"asset": "A", "model": ["a", "b", "c"], "score": [1.0, 1.5, 2.0]})
    rows = rows.assign(bars=99, p_best=p_best, included=included).iloc[::-1]
    row = scores.ranking(rows).iloc[0]
    assert (row["best"], row["rival"], row["difference"]) == ("a", "b", -0.5)
    assert (row["verdict"], row["survive"]) == (verdict, survive)
    assert row["survivors"] == sum(included)


def test_compare_uses_the_bars_that_all_models_have(world):
    returns, forecasts = world
    late = {"right": forecasts["right"], "low": forecasts["low"].iloc[300:].reindex(returns.index)}
    table = scores.compare(late, returns**2, benchmark="right")
    assert table["bars"].eq(1199).all()


def test_compare_leaves_out_assets_without_a_proxy(world):
    returns, forecasts = world
    none = wide(np.full(len(returns), np.nan), "B")
    both = {name: frame.assign(B=0.01) for name, frame in forecasts.items()}
    table = scores.compare(both, pd.concat([returns**2, none], axis=1), benchmark="right")
    assert table["asset"].unique().tolist() == ["A"]


def test_table_holds_every_loss_and_proxy(world):
    returns, forecasts = world
    proxies = {"squared return": returns**2, "absolute": returns.abs() ** 2}
    table = scores.table(forecasts, proxies, benchmark="right")
    assert table.columns[:4].tolist() == ["asset", "model", "proxy", "loss"]
    assert len(table) == 2 * 2 * 2
    part = table[(table["proxy"] == "absolute") & (table["loss"] == "mse")]
    alone = scores.compare(forecasts, returns**2, "mse", "right")
    assert part["score"].tolist() == alone["score"].tolist()
    none = scores.table(forecasts, proxies | {"range": np.nan * returns}, benchmark="right")
    pd.testing.assert_frame_equal(none, table)


def test_standing_counts_winners_and_survivors(world):
    returns, forecasts = world
    table = scores.table(forecasts, {"squared return": returns**2}, benchmark="right")
    twice = pd.concat([table, table.assign(asset="B", included=True)])
    standing = scores.standing(twice).set_index("loss")
    assert standing.loc["qlike"].to_dict() == {
        "proxy": "squared return",
        "assets": 2,
        "most_often": "right",
        "wins": 2,
        "alone": 1,
        "survivors": 1.5,
    }
    assert standing.index.tolist() == ["qlike", "mse"]


def test_pooled_counts_a_day_once(world):
    returns, forecasts = world
    one = scores.pooled(forecasts, returns**2, benchmark="right").iloc[1]
    twice = scores.pooled(
        {
            name: pd.concat([frame, frame.set_axis(["B"], axis=1)], axis=1)
            for name, frame in forecasts.items()
        },
        pd.concat([returns, returns.set_axis(["B"], axis=1)], axis=1) ** 2,
        benchmark="right",
    ).iloc[1]
    assert one["model"] == "low"
    assert one["low"] < one["difference"] < one["high"]
    assert twice.p_value == pytest.approx(one.p_value)
    assert twice.difference == pytest.approx(one.difference)
    assert one.difference > 0
    assert not one.included
    assert one.bars == twice.bars == 1499


def test_pooled_takes_an_asset_on_the_bars_that_all_models_forecast(world):
    returns, forecasts = world
    both = pd.concat([returns, returns.set_axis(["B"], axis=1)], axis=1)
    sigmas = {k: pd.concat([v, v.set_axis(["B"], axis=1)], axis=1) for k, v in forecasts.items()}
    sigmas["low"].loc[returns.index[:1400], "B"] = np.nan
    sigmas["right"].loc[returns.index[:1400], "B"] = 10.0  # would be seen if it were counted
    pooled = scores.pooled(sigmas, both**2, benchmark="right")
    alone = scores.pooled(forecasts, returns**2, benchmark="right")
    pd.testing.assert_frame_equal(pooled.iloc[:, 1:], alone.iloc[:, 1:])


def test_parkinson_gives_back_the_variance_of_a_brownian_bar():
    rng = np.random.default_rng(3)
    steps = 0.02 / np.sqrt(2000) * rng.standard_normal((3000, 2000))
    path = np.cumsum(steps, axis=1)
    high, low = np.exp(np.maximum(path.max(axis=1), 0)), np.exp(np.minimum(path.min(axis=1), 0))
    variance = scores.parkinson(wide(high), wide(low))["A"].mean()
    assert variance == pytest.approx(0.02**2, rel=0.05)  # (ln x)², not ln x²


def test_refusals(world):
    returns, forecasts = world
    with pytest.raises(ParameterError, match="loss"):
        scores.losses(returns, returns, "mae")
    with pytest.raises(ParameterError, match="benchmark"):
        scores.compare(forecasts, returns**2, benchmark="ewma")
