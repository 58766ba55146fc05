"""Published numbers, exact sizes, and a coverage table against its plain twin."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators import evaluation

KUPIEC_250 = [
    5.025168, 1.176491, 0.108435, 0.094940, 0.769138, 1.956810,
    3.555355, 5.496990, 7.733551, 10.229031, 12.955491,
]  # fmt: skip


def published_hits():
    """1,043 bars, 57 hits, transitions N00 932, N10 53, N01 53, N11 4."""
    hits = []
    for cluster in range(53):
        hits += [False] * 10 + [True] * (2 if cluster < 4 else 1)
    return np.array(hits + [False] * (1043 - len(hits)))


@pytest.mark.parametrize(("x", "statistic"), list(enumerate(KUPIEC_250)))
def test_kupiec_at_250_bars(x, statistic):
    assert evaluation.kupiec(x, 250, 0.01).statistic == pytest.approx(statistic, abs=1e-6)


def test_published_christoffersen_example():
    hits = published_hits()
    assert (len(hits), hits.sum()) == (1043, 57)
    pof = evaluation.kupiec(57, 1043, 0.05)
    chain = evaluation.independence(hits)
    both = evaluation.conditional_coverage(hits, 0.05)
    assert (pof.statistic, pof.p_value) == pytest.approx((0.461466, 0.496939), abs=1e-6)
    assert (chain.statistic, chain.p_value) == pytest.approx((0.258663, 0.611040), abs=1e-6)
    assert both.statistic == pytest.approx(0.720130, abs=1e-6)


def test_asymptotic_kupiec_has_its_known_exact_size():
    rejected = [evaluation.kupiec(x, 250, 0.01).p_value < 0.05 for x in range(251)]
    size = binom.pmf(np.arange(251)[rejected], 250, 0.01).sum()
    assert size == pytest.approx(0.095, abs=0.0005)


def test_traffic_light_zones_and_multipliers():
    zones = [evaluation.traffic_light(x) for x in range(13)]
    assert [light.zone for light in zones] == ["green"] * 5 + ["yellow"] * 5 + ["red"] * 3
    assert [light.multiplier for light in zones] == [
        1.5, 1.5, 1.5, 1.5, 1.5, 1.70, 1.76, 1.83, 1.88, 1.92, 2.0, 2.0, 2.0,
    ]  # fmt: skip
    longer = evaluation.traffic_light(20, 1000, 0.01)
    assert longer.zone == "yellow"
    assert np.isnan(longer.multiplier)


def test_first_failure():
    likelihood = np.log(0.01 * 0.99**9) - np.log(0.1 * 0.9**9)
    assert evaluation.first_failure(10, 0.01).statistic == pytest.approx(-2 * likelihood)
    assert evaluation.first_failure(100, 0.01).statistic == pytest.approx(0.0, abs=1e-12)
    assert evaluation.first_failure(1, 0.01).statistic == pytest.approx(-2 * np.log(0.01))


@given(st.lists(st.booleans(), min_size=2, max_size=80), st.sampled_from([0.01, 0.05, 0.3]))
@settings(max_examples=100)
def test_statistics_are_plain_likelihood_ratios(sequence, p):
    hits = np.array(sequence)
    n, x = len(hits), int(hits.sum())

    def likelihood(successes, failures, rate):
        return sum(k * np.log(r) for k, r in ((successes, rate), (failures, 1 - rate)) if k > 0)

    pof = 2 * (likelihood(x, n - x, x / n) - likelihood(x, n - x, p))
    assert evaluation.kupiec(x, n, p).statistic == pytest.approx(pof, abs=1e-9)
    pairs = list(itertools.pairwise(hits))
    count = {
        key: pairs.count(key)
        for key in [(False, False), (False, True), (True, False), (True, True)]
    }
    n00, n01, n10, n11 = count.values()
    free = 0.0
    for hit, miss in ((n01, n00), (n11, n10)):
        if hit + miss:
            free += likelihood(hit, miss, hit / (hit + miss))
    tied = likelihood(n01 + n11, n00 + n10, (n01 + n11) / (n - 1))
    chain = max(2 * (free - tied), 0)
    assert evaluation.independence(hits).statistic == pytest.approx(chain, abs=1e-9)
    both = evaluation.conditional_coverage(hits, p)
    assert both.statistic == pytest.approx(pof + chain, abs=1e-9)
    assert 0.0 <= both.p_value <= 1.0


def test_monte_carlo_tests_hold_their_size():
    rng = np.random.default_rng(12)
    histories, rejected = 600, dict.fromkeys(["pof", "independence", "conditional"], 0)
    for _ in range(histories):
        hits = rng.random(250) < 0.01
        truth = evaluation.null(250, 0.01, rng, 99)
        statistics = {
            "pof": evaluation.kupiec(int(hits.sum()), 250, 0.01).statistic,
            "independence": evaluation.independence(hits).statistic,
            "conditional": evaluation.conditional_coverage(hits, 0.01).statistic,
        }
        for name, statistic in statistics.items():
            p = evaluation.monte_carlo_p_value(statistic, getattr(truth, name), rng)
            rejected[name] += p <= 0.05
    low, high = binom.ppf([0.001, 0.999], histories, 0.05)
    assert all(low <= count <= high for count in rejected.values()), rejected


def test_monte_carlo_p_value_is_the_rank_of_a_distinct_statistic():
    rng = np.random.default_rng(0)
    assert evaluation.monte_carlo_p_value(2.5, np.arange(1.0, 100.0), rng) == pytest.approx(0.98)
    assert evaluation.monte_carlo_p_value(500.0, np.arange(1.0, 100.0), rng) == pytest.approx(0.01)


def test_kupiec_rejects_a_var_that_is_a_fifth_too_low():
    rng = np.random.default_rng(1)
    p = norm.sf(0.8 * norm.ppf(0.99))
    x = rng.binomial(1000, p, 500)
    rejected = np.mean([evaluation.kupiec(int(k), 1000, 0.01).p_value < 0.01 for k in x])
    assert rejected >= 0.8


def test_fz0_is_lowest_at_the_truth():
    losses = np.random.default_rng(7).normal(size=200_000)
    var = norm.ppf(0.975)
    es = norm.pdf(var) / 0.025

    def score(v, e):
        return evaluation.fz0(
            losses, np.full_like(losses, v), np.full_like(losses, e), 0.975
        ).mean()

    best = score(var, es)
    for v, e in ((0.8, 1), (1.2, 1), (1, 0.8), (1, 1.25), (0.8, 0.8), (1.2, 1.2)):
        assert score(v * var, max(e * es, v * var)) > best
    by_hand = (3.0 - 2.0) / (0.025 * 2.5) + 2.0 / 2.5 + np.log(2.5) - 1
    assert evaluation.fz0(
        np.array([3.0]), np.array([2.0]), np.array([2.5]), 0.975
    ) == pytest.approx([by_hand])


def forecasts(bars=1, n=300, methods=("m", "k")):
    index = pd.date_range("2022-01-01", periods=n, freq="D")
    realised = pd.Series(np.random.default_rng(3).normal(size=n), index)
    realised.iloc[-bars:] = np.nan
    parts = []
    for shift, method in enumerate(methods):
        late = realised.iloc[50 + shift :]
        parts.append(
            pd.DataFrame(
                {
                    "time": late.index,
                    "asset": "A",
                    "method": method,
                    "loss": "end",
                    "confidence": 0.95,
                    "bars": bars,
                    "var": 1.6,
                    "es": 2.0,
                    "realised": late.to_numpy(),
                }
            )
        )
    return pd.concat(parts, ignore_index=True), realised


@pytest.mark.parametrize("bars", [1, 3])
def test_coverage_counts_non_overlapping_shared_bars(bars):
    table, realised = forecasts(bars)
    found = evaluation.coverage(table, np.random.default_rng(0), 99)
    judged = realised.iloc[51:-bars:bars]  # both methods forecast from bar 51 on
    assert found["n"].tolist() == [len(judged)] * 2
    assert found["exceedances"].tolist() == [int((judged > 1.6).sum())] * 2
    row = found.iloc[0]
    assert row["kupiec_p"] == evaluation.kupiec(row["exceedances"], row["n"], 0.05).p_value
    assert row["expected"] == pytest.approx(0.05 * len(judged))
    assert 0 < row["kupiec_mc"] <= 1
    again = evaluation.coverage(table, np.random.default_rng(0), 99)
    pd.testing.assert_frame_equal(found, again)


def test_losses_and_horizons_are_judged_apart():
    table, realised = forecasts()
    other = table.assign(loss="close_out", realised=table["realised"] + 0.5)
    found = evaluation.coverage(pd.concat([table, other]), np.random.default_rng(0), 99)
    exceedances = found.groupby("loss")["exceedances"].first()
    assert exceedances["end"] == (realised.iloc[51:] > 1.6).sum()
    assert exceedances["close_out"] == (realised.iloc[51:] + 0.5 > 1.6).sum()


def test_picked_bars_are_not_tested_for_independence():
    table, realised = forecasts()
    only = pd.DataFrame({"A": realised.shift(1) < -0.5})
    both = evaluation.coverage(table, np.random.default_rng(0), 99, {"low": only})
    assert (both["sample"] == "all bars").sum() == 2
    found = both[both["sample"] == "low"]
    judged = realised[only["A"]].loc[realised.index[51] :].dropna()
    assert found["n"].tolist() == [len(judged)] * 2
    assert found["exceedances"].tolist() == [int((judged > 1.6).sum())] * 2
    assert found[["independence_p", "conditional_mc", "first_failure_p"]].isna().all().all()
    assert found["kupiec_mc"].notna().all()
    nothing = pd.DataFrame({"A": only["A"] & False})
    without = evaluation.coverage(table, np.random.default_rng(0), 99, {"low": nothing})
    assert set(without["sample"]) == {"all bars"}
    pd.testing.assert_frame_equal(evaluation.ranking(both), evaluation.ranking(without))


def test_rates_pool_the_assets():
    table, _ = forecasts(methods=("m",))
    both = pd.concat([table, table.assign(asset="B", var=0.0)])
    found = evaluation.coverage(both, np.random.default_rng(0), 99)
    pooled = evaluation.rates(found)
    assert pooled["n"].tolist() == [found["n"].sum()]
    assert pooled["rate"].item() == pytest.approx(found["exceedances"].sum() / found["n"].sum())


def test_ranking_puts_the_better_score_first():
    table, _ = forecasts()
    table.loc[table["method"] == "m", ["var", "es"]] = [0.4, 0.5]
    found = evaluation.coverage(table, np.random.default_rng(0), 99)
    ranked = evaluation.ranking(found)
    assert ranked["method"].tolist() == ["k", "m"]
    assert ranked["rank"].tolist() == [1, 2]
    assert ranked["rejected"].tolist() == [0, 1]
    assert ranked["hit_ratio"].iloc[1] > 3


def test_bad_input():
    table, _ = forecasts()
    rng = np.random.default_rng(0)
    with pytest.raises(ParameterError, match="probability"):
        evaluation.kupiec(3, 250, 99)
    with pytest.raises(EstimationError, match="swap"):
        evaluation.kupiec(250, 3, 0.01)
    with pytest.raises(ParameterError, match="exceedances"):
        evaluation.kupiec(-1, 250, 0.01)
    for hits in ([], [True], [0, 1, 1], [[True, False]]):
        with pytest.raises(EstimationError, match="booleans"):
            evaluation.independence(np.array(hits))
    with pytest.raises(EstimationError, match="two are needed"):
        evaluation.coverage(table[table["time"] >= table["time"].max() - pd.Timedelta("1D")], rng)
    with pytest.raises(EstimationError, match="above zero"):
        evaluation.fz0(np.array([1.0]), np.array([1.0]), np.array([0.0]), 0.99)
