"""VaR and ES: closed forms, plain twins, coherence, and forecasts that do not see ahead."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators import tail
from xcoll.estimators.tail import shortfall

SAMPLES = st.lists(st.floats(-0.5, 0.9), min_size=2, max_size=60)
LEVELS = st.sampled_from([0.5, 0.9, 0.95, 0.975, 0.99])


def market(bars=120, assets=("A", "B"), seed=0):
    rng = np.random.default_rng(seed)
    index = pd.date_range("2021-01-01", periods=bars, freq="D")
    returns = pd.DataFrame(rng.standard_t(5, (bars, len(assets))) * 0.03, index, list(assets))
    volatility = pd.DataFrame(0.03 * np.exp(rng.normal(0, 0.2, returns.shape)), index, list(assets))
    low = returns.clip(upper=0) - abs(rng.normal(0, 0.01, returns.shape))
    returns.iloc[0], low.iloc[0] = np.nan, np.nan
    return returns, volatility, low


def walk(frames, window, *args, **options):
    """`tail.walk_forward` of (returns, volatility, low)."""
    returns, volatility, low = frames
    return tail.walk_forward(returns, window, *args, volatility=volatility, low=low, **options)


def rockafellar_uryasev(losses, confidence):
    """ES as the minimum over c of c + E(L - c)+ / (1 - α); the minimum is at a sample point."""
    return min(c + np.mean(np.maximum(losses - c, 0)) / (1 - confidence) for c in losses)


@given(SAMPLES, LEVELS)
@settings(max_examples=100)
def test_es_is_the_rockafellar_uryasev_minimum(sample, confidence):
    losses = np.array(sample)
    found = tail.historical(losses, confidence)
    assert found.es == pytest.approx(rockafellar_uryasev(losses, confidence), abs=1e-12)
    assert found.var <= found.es + 1e-12
    assert found.var in losses
    # the smallest loss whose distribution function reaches α
    assert np.mean(losses <= found.var) >= confidence - 1e-12
    below = losses[losses < found.var]
    assert below.size == 0 or np.mean(losses <= below.max()) < confidence


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=50), LEVELS)
@settings(max_examples=100)
def test_es_is_coherent(pairs, confidence):
    x, y = np.array(pairs).T

    def es(losses):
        return tail.historical(losses, confidence).es

    assert es(x + y) <= es(x) + es(y) + 1e-12
    assert es(3 * x) == pytest.approx(3 * es(x), abs=1e-12)
    assert es(x + 0.2) == pytest.approx(es(x) + 0.2, abs=1e-12)
    assert es(np.maximum(x, y)) >= es(x) - 1e-12


def test_boundary_loss_enters_with_its_fraction():
    losses = np.arange(1, 151) / 150
    found = tail.historical(losses, 0.99)  # 1.5 losses beyond the level
    assert found.var == pytest.approx(149 / 150)
    assert found.es == pytest.approx((1.0 + 0.5 * 149 / 150) / 1.5)
    assert found.beyond == 1.5


def test_thousand_losses_hold_exactly_ten_beyond_99_percent():
    found = tail.historical(np.arange(1000) / 1000, 0.99)
    assert found.beyond == 10.0
    assert found.var == pytest.approx(0.989)
    assert found.es == pytest.approx(np.arange(990, 1000).mean() / 1000)


def test_large_normal_sample_meets_closed_form_within_its_error():
    losses = np.random.default_rng(3).normal(0.0, 0.02, 400_000)
    found = tail.historical(losses, 0.99)
    truth = 0.02 * norm.pdf(norm.ppf(0.99)) / 0.01
    assert abs(found.es - truth) < 4 * found.error
    assert found.error < 0.01 * truth


def test_few_losses_fall_back_to_the_lower_level():
    assert tail.reliable_confidence(1000, 0.99) == 0.99
    assert tail.reliable_confidence(999, 0.99) == 0.975
    assert tail.reliable_confidence(50, 0.95) == 0.95


def test_losses_by_hand():
    index = pd.date_range("2022-01-01", periods=4, freq="D")
    price = pd.Series([100.0, 90.0, 95.0, 80.0], index)
    lows = pd.Series([np.nan, 85.0, 70.0, 78.0], index)
    returns = np.log(price / price.shift()).to_frame("A")
    low = np.log(lows / price.shift()).to_frame("A")
    end = tail.end_losses(returns, 2)["A"]
    assert end.iloc[:2].tolist() == pytest.approx([0.05, 1 - 80 / 90])
    assert end.iloc[2:].isna().all()
    worst = tail.close_out_losses(returns, low, 2)["A"]
    assert worst.iloc[:2].tolist() == pytest.approx([0.30, 1 - 70 / 90])
    assert tail.close_out_losses(returns, low, 1)["A"].iloc[:3].tolist() == pytest.approx(
        [0.15, 1 - 70 / 90, 1 - 78 / 95]
    )


@given(st.integers(0, 50), st.integers(1, 5))
@settings(max_examples=25)
def test_close_out_is_never_under_the_end_loss(seed, bars):
    returns, _, low = market(40, seed=seed)
    end, worst = (tail.realised_losses(returns, low, bars, loss) for loss in ("end", "close_out"))
    pd.testing.assert_frame_equal(end.isna(), worst.isna())
    assert (worst.dropna() >= end.dropna() - 1e-12).all().all()
    assert (worst.dropna() >= 0).all().all()


@pytest.mark.parametrize("loss", ["close_out", "end"])
@pytest.mark.parametrize("bars", [1, 3])
def test_historical_walk_forward_is_the_plain_twin(loss, bars):
    returns, volatility, low = market()
    found = walk((returns, volatility, low), 40, [0.9, 0.95], bars, "historical", loss)
    known = tail.realised_losses(returns, low, bars, loss).shift(bars)
    for t, row in enumerate(returns.index):
        for level in (0.9, 0.95):
            past = known.iloc[max(t - 39, 0) : t + 1]
            rows = found[(found["time"] == row) & (found["confidence"] == level)]
            if len(past) < 40 or past.isna().any(axis=None):
                assert rows.empty
                continue
            for asset, es in rows.set_index("asset")["es"].items():
                assert es == pytest.approx(rockafellar_uryasev(past[asset].to_numpy(), level))
            assert list(rows["asset"]) == ["A", "B"]
    assert (found["beyond"] == np.where(found["confidence"] == 0.9, 4.0, 2.0)).all()


@pytest.mark.parametrize("loss", ["close_out", "end"])
def test_filtered_walk_forward_is_the_plain_twin(loss):
    returns, volatility, low = market()
    found = walk((returns, volatility, low), 40, 0.95, 1, "fhs", loss)
    move = low if loss == "close_out" else returns
    assert len(found) == 2 * (120 - 40)
    for t in (40, 77, 119):
        for asset in "AB":
            past = range(t - 39, t + 1)
            score = [move[asset].iloc[s] / volatility[asset].iloc[s - 1] for s in past]
            losses = 1 - np.exp(np.array(score) * volatility[asset].iloc[t])
            row = found[(found["time"] == returns.index[t]) & (found["asset"] == asset)]
            assert row["es"].item() == pytest.approx(rockafellar_uryasev(losses, 0.95))


@pytest.mark.parametrize("method", ["historical", "fhs"])
@pytest.mark.parametrize("bars", [1, 3])
@pytest.mark.parametrize("loss", ["close_out", "end"])
def test_planted_jump_moves_no_earlier_forecast(method, bars, loss):
    returns, volatility, low = market()
    at = 90
    jumped = [frame.copy() for frame in (returns, volatility, low)]
    jumped[0].iloc[at], jumped[1].iloc[at], jumped[2].iloc[at] = -2.0, 1.0, -3.0

    def forecast(frames):
        rng = np.random.default_rng(1)
        return walk(frames, 40, 0.95, bars, method, loss, rng=rng, paths=200)

    before, after = forecast((returns, volatility, low)), forecast(jumped)
    cut = returns.index[at]
    pd.testing.assert_frame_equal(before[before["time"] < cut], after[after["time"] < cut])
    later = before["time"] >= cut
    assert not np.allclose(before.loc[later, "es"], after.loc[later, "es"])


def test_simulation_is_the_plain_recursion():
    rng = np.random.default_rng(5)
    score, low_score = rng.normal(size=(30, 2)), -abs(rng.normal(size=(30, 2)))
    sigma, draws = np.array([0.02, 0.05]), rng.integers(0, 30, (6, 4))
    model = tail.Recursion(np.array([1e-5, 2e-5]), 0.08, np.array([0.9, 0.8]), gamma=0.05)
    returns, low = tail.simulate(score, low_score, sigma, draws, model)
    losses = {loss: tail.path_losses(returns, low, loss) for loss in ("end", "close_out")}
    for path in range(6):
        for a in range(2):
            h, price, worst = sigma[a] ** 2, 1.0, 1.0
            for s in range(4):
                drawn = draws[path, s]
                worst = min(worst, price * np.exp(np.sqrt(h) * low_score[drawn, a]))
                eps = np.sqrt(h) * score[drawn, a]
                price *= np.exp(eps)
                h = (1e-5, 2e-5)[a] + (0.08 + 0.05 * (eps < 0)) * eps**2 + (0.9, 0.8)[a] * h
            assert losses["end"][path, a] == pytest.approx(1 - price)
            assert losses["close_out"][path, a] == pytest.approx(1 - worst)


def test_each_asset_may_draw_bars_of_its_own():
    rng = np.random.default_rng(6)
    score, low_score = rng.normal(size=(30, 3)), -abs(rng.normal(size=(30, 3)))
    sigma, draws = np.array([0.02, 0.05, 0.03]), rng.integers(0, 30, (6, 4, 3))
    model = tail.Recursion(1e-5, 0.08, 0.9, gamma=0.05)
    together = tail.simulate(score, low_score, sigma, draws, model)
    for a in range(3):
        alone = tail.simulate(score[:, [a]], low_score[:, [a]], sigma[[a]], draws[..., a], model)
        for both, one in zip(together, alone, strict=True):
            np.testing.assert_array_equal(both[..., a], one[..., 0])
    shared = tail.simulate(score, low_score, sigma, draws[..., 0], model)
    repeated = np.repeat(draws[..., :1], 3, axis=2)
    again = tail.simulate(score, low_score, sigma, repeated, model)
    np.testing.assert_array_equal(shared, again)


def test_simulated_normal_bars_at_constant_sigma_meet_the_closed_form():
    rng = np.random.default_rng(8)
    score = rng.normal(size=(20_000, 1))
    score /= score.std()
    score -= score.mean()
    draws = rng.integers(0, len(score), (100_000, 4))
    returns, _ = tail.simulate(
        score, np.minimum(score, 0), [0.01], draws, tail.Recursion.constant()
    )
    found = tail.historical(-returns.sum(axis=1)[:, 0], 0.975)
    truth = 0.02 * norm.pdf(norm.ppf(0.975)) / 0.025
    assert abs(found.es - truth) < 4 * found.error + 0.01 * truth


def test_drawn_bar_brings_all_assets_together():
    score = np.random.default_rng(2).normal(size=(50, 1)) @ np.ones((1, 3))
    draws = np.random.default_rng(3).integers(0, 50, (100, 3))
    returns, low = tail.simulate(score, score, np.full(3, 0.02), draws, tail.Recursion.ewma(0.9))
    assert np.array_equal(returns[..., 0], returns[..., 2])
    assert np.array_equal(returns, low)


def test_scenarios_rescale_each_bar_to_the_last_sigma():
    returns, volatility, low = market()
    rescaled = tail.scenarios(returns, method="fhs", volatility=volatility, low=low)
    plain = tail.scenarios(returns, 2, volatility=volatility, low=low)
    t = 50
    expected = 1 - np.exp(low["A"].iloc[t] / volatility["A"].iloc[t - 1] * volatility["A"].iloc[-1])
    assert rescaled["A"].iloc[t] == pytest.approx(expected)
    assert plain["A"].iloc[t] == pytest.approx(
        tail.close_out_losses(returns, low, 2)["A"].iloc[t - 2]
    )
    with pytest.raises(ParameterError, match="simulate"):
        tail.scenarios(returns, 2, "fhs", volatility=volatility, low=low)


def test_bootstrap_with_one_block_only_rotates_the_sample():
    sample = np.random.default_rng(0).normal(size=200)
    es = tail.historical(sample, 0.95).es
    found = tail.block_bootstrap_es(sample, 0.95, np.random.default_rng(1), 50, block=200)
    assert found == pytest.approx((es, es))


def test_bootstrap_is_seeded_and_covers():
    truth = norm.pdf(norm.ppf(0.95)) / 0.05
    rng, inside = np.random.default_rng(4), 0
    for _ in range(150):
        low, high = tail.block_bootstrap_es(rng.normal(size=400), 0.95, rng, 200, block=5)
        inside += low <= truth <= high
    # the percentile interval of an ES falls somewhat short of its nominal 90 %
    assert 0.75 <= inside / 150 <= 0.97
    sample = rng.normal(size=300)
    twice = [tail.block_bootstrap_es(sample, 0.95, np.random.default_rng(9)) for _ in range(2)]
    assert twice[0] == twice[1]


def test_bootstrap_blocks_widen_the_interval_of_clustered_losses():
    clustered = np.repeat(np.random.default_rng(6).normal(size=60), 10)
    widths = [
        np.diff(tail.block_bootstrap_es(clustered, 0.95, np.random.default_rng(1), block=block))[0]
        for block in (1, 20)
    ]
    assert widths[1] > 1.5 * widths[0]


def test_bootstrapped_ratio_is_exact_for_a_scaled_copy():
    truth = np.random.default_rng(6).exponential(size=300)
    rng = np.random.default_rng(0)
    assert tail.block_bootstrap_ratio(0.8 * truth, truth, 0.95, rng) == pytest.approx((0.8, 0.8))
    noisy = truth * np.random.default_rng(7).uniform(0.7, 0.9, 300)
    low, high = tail.block_bootstrap_ratio(noisy, truth, 0.95, rng)
    point = tail.historical(noisy, 0.95).es / tail.historical(truth, 0.95).es
    assert 0.7 < low < point < high < 0.9
    with pytest.raises(EstimationError, match="pair"):
        tail.block_bootstrap_ratio(truth[1:], truth, 0.95, rng)


def test_trigger_by_hand():
    index = pd.date_range("2022-01-01", periods=400, freq="D")
    returns = pd.DataFrame(0.01, index, ["A", "B"])
    returns.iloc[10:210:2] = -0.05  # falls of 2.5 σ
    volatility = pd.DataFrame(0.02, index, ["A", "B"])
    losses = pd.DataFrame(0.02, index, ["A", "B"]).where(returns > 0, 0.06)
    found = tail.trigger_conditional(
        losses, returns, volatility, 0.9, 2.0, pd.Series(1.0, ["A", "B"])
    )
    assert (found.bars, found.dates, found.confidence) == (200, 100, 0.9)
    assert found.es_after == pytest.approx(0.06)
    assert found.es_all == pytest.approx(0.06)
    calm = tail.trigger_conditional(losses, returns, volatility, 0.5, 2.0, volatility)
    share = 199.5 / 399  # σ of the first bar is unknown; a quarter of the rest follows a fall
    assert calm.multiplier == pytest.approx(3.0 / ((100 * 3 + (share * 399 - 100) * 1) / 199.5))
    both = tail.triggers(losses, returns, volatility, 0.5).set_index("scale")["multiplier"]
    assert both["forecast"] == calm.multiplier
    assert both["long run"] == tail.trigger_conditional(losses, returns, volatility, 0.5).multiplier
    few = tail.trigger_conditional(losses, returns, volatility, 0.99)
    assert few.confidence == 0.975
    with pytest.raises(EstimationError, match="threshold"):
        tail.trigger_conditional(losses, returns, volatility, threshold=4)


@pytest.mark.parametrize(
    ("losses", "error"),
    [
        ([], EstimationError),
        ([0.1, np.nan], EstimationError),
        ([0.1, np.inf], EstimationError),
        (np.ones((3, 3)), EstimationError),
    ],
)
def test_bad_samples(losses, error):
    with pytest.raises(error, match="finite"):
        tail.historical(np.array(losses))
    with pytest.raises(error, match="finite"):
        tail.block_bootstrap_es(np.array(losses), 0.99, np.random.default_rng(0))


def test_bad_arguments():
    returns, _, low = market()
    with pytest.raises(ParameterError, match=r"did you mean 0\.99"):
        tail.historical([0.1, 0.2], 99)
    with pytest.raises(ParameterError, match=r"did you mean 0\.99"):
        tail.walk_forward(returns, 40, 99)
    with pytest.raises(ParameterError, match="choose one of"):
        tail.walk_forward(returns, 40, method="magic")
    with pytest.raises(ParameterError, match="choose one of"):
        tail.realised_losses(returns, low, 1, "both")
    with pytest.raises(ParameterError, match="rng"):
        tail.walk_forward(returns, 40, bars=3, method="fhs")
    with pytest.raises(EstimationError, match="A has 119 losses, the window needs 500"):
        tail.walk_forward(returns, 500)
    with pytest.raises(ParameterError, match="block"):
        tail.block_bootstrap_es([0.1, 0.2], 0.9, np.random.default_rng(0), block=3)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_hole_inside_a_history_names_the_asset(place, value):
    frames = [frame.copy() for frame in market()]
    frames[place].iloc[60, 1] = value
    with pytest.raises(EstimationError, match="B"):
        walk(frames, 40)


def test_misaligned_or_useless_frames():
    returns, volatility, low = market()
    with pytest.raises(DataError, match="volatility"):
        walk((returns, volatility.iloc[1:], low), 40)
    with pytest.raises(DataError, match="low"):
        walk((returns, volatility, low[["B", "A"]]), 40)
    with pytest.raises(EstimationError, match="zero"):
        walk((returns, volatility * 0.0, low), 40)
    with pytest.raises(EstimationError, match="A is missing"):
        walk((returns, volatility * np.nan, low), 40)
    with pytest.raises(DataError):
        walk((returns.iloc[::-1], volatility.iloc[::-1], low.iloc[::-1]), 40)


def test_late_listing_and_delisting_give_no_rows():
    returns, volatility, low = market()
    for frame in (returns, volatility, low):
        frame.iloc[:30, 0] = np.nan
        frame.iloc[100:, 1] = np.nan
    for method, bars in (("historical", 1), ("fhs", 1), ("fhs", 2)):
        frames, rng = (returns, volatility, low), np.random.default_rng(0)
        found = walk(frames, 40, 0.9, bars, method, rng=rng, paths=50)
        times = found.groupby("asset")["time"].agg(["min", "max"])
        assert times.loc["A", "min"] >= returns.index[69]
        assert times.loc["B", "max"] <= returns.index[99]
        assert len(times) == 2


def test_rows_with_nan_are_not_taken_for_small_losses():
    largest = shortfall.worst(np.array([[1.0, np.nan, 3.0], [1.0, 2.0, 3.0]]), 2)
    assert np.isnan(largest[0]).all()
    assert largest[1].tolist() == [3.0, 2.0]


def test_forecasts_carry_what_followed():
    returns, volatility, low = market()
    rng = np.random.default_rng(0)
    frames = {"volatility": volatility, "low": low}
    methods = ("historical", "fhs")
    found = tail.forecasts(returns, 40, [0.9, 0.95], (1, 3), methods, rng=rng, paths=100, **frames)
    keys = ["method", "loss", "bars", "confidence"]
    assert len(found[keys].drop_duplicates()) == 2 * 2 * 2 * 2
    for (bars, loss), rows in found.groupby(["bars", "loss"]):
        followed = tail.realised_losses(returns, low, bars, loss)
        expected = [followed.loc[row.time, row.asset] for row in rows.itertuples()]
        np.testing.assert_array_equal(rows["realised"], expected)
    assert found.loc[found["time"] == returns.index[-1], "realised"].isna().all()
    single = tail.walk_forward(returns, 40, 0.95, 1, "fhs", "end", **frames)
    same = found.query("confidence == 0.95 and bars == 1 and method == 'fhs' and loss == 'end'")
    assert same["es"].to_numpy() == pytest.approx(single["es"].to_numpy())


def test_table_of_losses_leaves_missing_bars_out():
    losses = pd.DataFrame(np.random.default_rng(1).exponential(0.02, (1100, 2)), columns=["A", "B"])
    losses.iloc[:400, 1] = np.nan
    found = tail.table(losses, [0.99, 0.95], np.random.default_rng(2), 100).set_index(
        ["asset", "confidence"]
    )
    assert found["observations"].tolist() == [1100, 1100, 700, 700]
    assert found["confidence_used"].tolist() == [0.99, 0.95, 0.975, 0.95]
    assert found.loc[("B", 0.95), "es"] == tail.historical(losses["B"].dropna(), 0.95).es
    assert (found["es_low"] < found["es"]).all()
    assert (found["es"] < found["es_high"]).all()


def test_today_of_one_bar_is_the_filtered_sample():
    returns, volatility, low = market(600)
    frames = {"volatility": volatility, "low": low}
    found = tail.today(returns, 1, 0.95, np.random.default_rng(0), paths=50_000, **frames)
    assert (found["root"] - found["es"]).abs().to_numpy() == pytest.approx(
        np.zeros(len(found)), abs=4 * found["error"].max()
    )
    exact = tail.scenarios(returns, method="fhs", **frames)["B"].dropna()
    row = found.query("asset == 'B' and loss == 'close_out'").iloc[0]
    assert row["es"] == pytest.approx(tail.historical(exact, 0.95).es, abs=4 * row["error"])
    assert row["root"] == pytest.approx(tail.historical(exact, 0.95).es)  # each bar once, no draw
    assert row["beyond"] == pytest.approx(0.05 * 599)
    several = tail.today(returns, 5, 0.95, np.random.default_rng(0), paths=5000, **frames)
    pair = several.pivot_table(index="asset", columns="loss", values="es")
    assert (pair["close_out"] > pair["end"]).all()
    volatility.iloc[-1, 0] = np.nan
    with pytest.raises(EstimationError, match="A"):
        tail.today(returns, 5, 0.95, np.random.default_rng(0), **frames)
