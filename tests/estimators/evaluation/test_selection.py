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


def test_ranking_uses_a_method_that_passes(found):
    _, tests, compared, rated = found
    ranked = evaluation.ranking(tests, compared, rated)
    assert ranked["method"].tolist() == ["true", "noisy", "low"]
    assert ranked["rank"].tolist() == [1, 2, 3]
    assert ranked["used"].tolist() == [True, False, False]
    assert ranked["why"].iloc[0] == "best that passes"
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


def decided(rejected, p_values, incumbent=None, fz0=(-1.0, -0.9, -0.8)):
    """Ranking of three methods on ten assets; `rejected` assets fail coverage of each."""
    rows, pooled = [], []
    for method, k, p, score in zip("abc", rejected, p_values, fz0, strict=True):
        keys = {"sample": "all bars", "method": method, **CASE}
        rows += [
            {"asset": asset, "conditional_mc": 0.01 if asset < k else 0.5, "z2_mc": 0.5, "z2": 0.0,
             "exceedances": 5, "expected": 5.0, "fz0": score} | keys
            for asset in range(10)
        ]  # fmt: skip
        pooled.append({"asset": "pooled", "dm_p": p, "included": True} | keys)
    return evaluation.ranking(
        pd.DataFrame(rows), pd.DataFrame(pooled), incumbent=incumbent
    ).set_index("method")


def test_a_better_score_does_not_help_a_method_that_fails():
    ranked = decided((5, 0, 0), (np.nan, 0.5, 0.01))
    assert ranked["used"].to_dict() == {"a": False, "b": True, "c": False}
    assert ranked["why"].tolist() == [
        "coverage rejected 5 of 10",
        "best that passes",
        "passes, scores worse",
    ]


def test_the_method_in_use_stays_unless_it_fails_or_is_worse():
    stays = decided((0, 0, 2), (np.nan, 0.5, 0.3), "c")
    assert stays["used"].tolist() == [False, False, True]
    assert stays["why"].tolist() == [
        "passes, no better beyond chance",
        "passes, no better beyond chance",
        "in use, passes, none scores better beyond chance",
    ]
    worse = decided((0, 0, 0), (np.nan, 0.5, 0.01), "c")
    assert worse["used"].tolist() == [True, False, False]
    fails = decided((0, 0, 3), (np.nan, 0.5, 0.3), "c")
    assert fails["used"].tolist() == [True, False, False]
    assert fails.loc["c", "why"] == "coverage rejected 3 of 10"
    absent = decided((0, 0, 0), (np.nan, 0.5, 0.3), "d")
    assert absent["used"].tolist() == [True, False, False]


def test_where_none_passes_it_is_said():
    ranked = decided((9, 5, 7), (np.nan, 0.5, 0.5))
    assert ranked["used"].to_dict() == {"a": True, "b": False, "c": False}
    assert ranked.loc["a", "why"] == "none passes: coverage rejected 9 of 10"


def test_without_a_comparison_nothing_is_shown_to_be_worse(found):
    ranked = evaluation.ranking(found[1])
    assert ranked.loc[ranked["used"], "method"].tolist() == ["true"]
    easy = found[1].assign(z2_mc=0.5, conditional_mc=0.5)
    assert evaluation.ranking(easy, incumbent="low").query("used")["method"].item() == "low"
    assert ranked[["dm_p", "in_set", "fall_p"]].isna().all().all()


def test_picked_rows_do_not_count(found):
    _, tests, _, _ = found
    every = tests[tests["sample"] == "all bars"]
    pd.testing.assert_frame_equal(evaluation.ranking(tests), evaluation.ranking(every))


def test_assets_that_a_method_lacks_do_not_count(found):
    table, tests, _, _ = found
    lacks = (tests["method"] == "noisy") & (tests["asset"] == "C")
    ranked = evaluation.ranking(tests[~lacks])
    pd.testing.assert_frame_equal(ranked, evaluation.ranking(tests[tests["asset"] != "C"]))
    lacks = (table["method"] == "noisy") & (table["asset"] == "C")
    pooled = evaluation.compare(table[~lacks]).query("asset == 'pooled'")
    fewer = evaluation.compare(table[table["asset"] != "C"]).query("asset == 'pooled'")
    assert pooled["score"].tolist() == fewer["score"].tolist()
    compared = evaluation.compare(table)
    sets = evaluation.ranking(tests[tests["asset"] != "C"], compared)["in_set"]
    assert sets.between(0, 2).all()
    assert sets.max() == 2
    nothing = tests[(tests["method"] == "noisy") | (tests["asset"] == "C")]
    nothing = nothing[~((nothing["method"] == "noisy") & (nothing["asset"] == "C"))]
    with pytest.raises(DataError, match="every method"):
        evaluation.ranking(nothing)


def test_bad_input(found):
    table, tests, _, _ = found
    with pytest.raises(DataError, match="z2_mc"):
        evaluation.ranking(tests.drop(columns="z2_mc"))
    with pytest.raises(ParameterError, match="size"):
        evaluation.ranking(tests, size=5)
    with pytest.raises(ParameterError, match="score"):
        evaluation.compare(table, score="qlike")
