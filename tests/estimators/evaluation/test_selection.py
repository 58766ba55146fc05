"""Which method is used: scores compared, tests counted, and the rule that decides."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from xcoll.errors import DataError, ParameterError
from xcoll.estimators import evaluation

CASE = {"loss": "end", "confidence": 0.975, "bars": 1}


def forecasts(assets="ABC", n=600, seed=0):
    """Three methods: the truth, one a third too low, and the truth with noise."""
    rng, law = np.random.default_rng(seed), evaluation.Law()
    index = pd.date_range("2021-01-01", periods=n)
    parts = []
    for asset in assets:
        sigma = 0.04 * np.exp(0.3 * rng.normal(size=n))
        losses = sigma * law.draw((n,), rng)
        noise = np.exp(0.35 * rng.normal(size=n))
        for method, factor in {"noisy": noise, "true": 1.0, "low": 0.67}.items():
            var, es = factor * sigma * law.var(0.975), factor * sigma * law.es(0.975)
            parts.append(
                pd.DataFrame(
                    {"time": index, "asset": asset, "method": method, "var": var, "es": es,
                     "realised": losses}
                ).assign(**CASE)
            )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def found():
    table = forecasts()
    rng = np.random.default_rng(1)
    fell = table.pivot_table(index="time", columns="asset", values="realised") > 0.05
    picked = {"after a fall": fell.shift(1, fill_value=False)}
    return (
        table,
        evaluation.coverage(table, rng, 199, picked),
        evaluation.compare(table, picked),
        evaluation.rates(table, picked),
    )


def test_scores_are_compared_by_asset_and_pooled(found):
    table, _, compared, _ = found
    every = compared[compared["sample"] == "all bars"]
    assert set(every["asset"]) == {"A", "B", "C", "pooled"}
    row = every.query("asset == 'A' and method == 'low'").iloc[0]
    rows = table.query("asset == 'A'")
    scores = {
        method: evaluation.fz0(part["realised"], part["var"], part["es"], 0.975).to_numpy()
        for method, part in rows.groupby("method")
    }
    assert row["score"] == pytest.approx(scores["low"].mean())
    best = min(scores, key=lambda name: scores[name].mean())
    assert row["difference"] == pytest.approx((scores["low"] - scores[best]).mean())
    alone = evaluation.diebold_mariano(pd.Series(scores["low"]), pd.Series(scores[best]))
    assert row["dm_p"] == pytest.approx(alone.p_value)
    pooled = every[every["asset"] == "pooled"].set_index("method")
    assert pooled["score"].idxmin() == "true"
    assert np.isnan(pooled.loc["true", "dm_p"])
    assert pooled.loc["low", "dm_p"] < 0.01
    assert pooled["included"].to_dict() == {"true": True, "noisy": False, "low": False}
    mean = table.assign(
        score=evaluation.fz0(table["realised"], table["var"], table["es"], 0.975)
    ).groupby("method")["score"]
    assert pooled["score"].to_dict() == pytest.approx(mean.mean().to_dict())


def test_small_samples_are_not_compared(found):
    table, _, compared, _ = found
    after = compared[compared["sample"] == "after a fall"]
    assert (after["n"] >= 30).all()
    few = {"few": pd.DataFrame(True, table["time"].unique()[:20], list("ABC"))}
    assert set(evaluation.compare(table, few)["sample"]) == {"all bars"}
    assert evaluation.compare(table.query("method == 'low'")).empty


def test_tick_is_another_score(found):
    compared = evaluation.compare(found[0], score="tick")
    best = compared[compared["asset"] == "pooled"].iloc[0]
    assert best["method"] == "true"


def test_ranking_uses_the_best_score_of_those_that_pass(found):
    _, tests, compared, rated = found
    ranked = evaluation.ranking(tests, compared, rated)
    assert ranked["method"].tolist() == ["true", "noisy", "low"]
    assert ranked["rank"].tolist() == [1, 2, 3]
    assert ranked["used"].tolist() == [True, False, False]
    assert ranked["why"].iloc[0] == "best score of those that pass"
    low = ranked.iloc[2]
    assert (low["rejected"], low["rejected_es"], low["assets"]) == (3, 3, 3)
    assert low["allowed"] == binom.ppf(0.95, 3, 0.05)
    assert low["why"] == "coverage rejected 3 of 3, ES rejected 3 of 3"
    assert low["hit_ratio"] > 2
    assert low["es_ratio"] > 1.5
    assert low["dm_p"] < 0.01
    assert low["fall_p"] < 0.05
    assert low["in_set"] == 0.0
    after = rated[rated["sample"] == "after a fall"].set_index("method")
    assert low["fall_ratio"] == pytest.approx(after.loc["low", "rate"] / 0.025)


def test_a_better_score_does_not_help_a_method_that_fails(found):
    _, tests, _, _ = found
    tests = tests.copy()
    tests.loc[tests["method"] == "low", "fz0"] -= 9.0
    ranked = evaluation.ranking(tests)
    assert ranked["method"].iloc[0] == "low"
    assert ranked.loc[ranked["used"], "method"].tolist() == ["true"]
    assert ranked[["dm_p", "in_set", "fall_p"]].isna().all().all()


def test_where_none_passes_the_best_score_is_used_and_said(found):
    _, tests, _, _ = found
    ranked = evaluation.ranking(tests.assign(conditional_mc=0.001, z2_mc=0.5))
    assert ranked["used"].tolist() == [True, False, False]
    assert ranked["why"].iloc[0] == "none passes: coverage rejected 3 of 3"


def test_picked_rows_do_not_count(found):
    _, tests, _, _ = found
    every = tests[tests["sample"] == "all bars"]
    pd.testing.assert_frame_equal(evaluation.ranking(tests), evaluation.ranking(every))


def test_bad_input(found):
    table, tests, _, _ = found
    with pytest.raises(DataError, match="z2_mc"):
        evaluation.ranking(tests.drop(columns="z2_mc"))
    with pytest.raises(ParameterError, match="size"):
        evaluation.ranking(tests, size=5)
    with pytest.raises(ParameterError, match="score"):
        evaluation.compare(table, score="qlike")
