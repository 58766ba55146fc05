"""A coverage table against its plain twin, on shared, non-overlapping and picked bars."""

import numpy as np
import pandas as pd
import pytest

from xcoll.errors import DataError, EstimationError
from xcoll.estimators import evaluation
from xcoll.estimators.evaluation.table import REGRESSIONS, SUCCESSIVE, TESTS


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


def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("bars", [1, 3])
def test_coverage_counts_non_overlapping_shared_bars(bars):
    table, realised = forecasts(bars)
    found = evaluation.coverage(table, rng(), 99)
    judged = realised.iloc[51:-bars:bars]  # both methods forecast from bar 51 on
    assert found["n"].tolist() == [len(judged)] * 2
    assert found["exceedances"].tolist() == [int((judged > 1.6).sum())] * 2
    row = found.iloc[0]
    assert row["kupiec_p"] == evaluation.kupiec(row["exceedances"], row["n"], 0.05).p_value
    assert row["expected"] == pytest.approx(0.05 * len(judged))
    assert 0 < row["kupiec_mc"] <= 1
    pd.testing.assert_frame_equal(found, evaluation.coverage(table, rng(), 99))


def test_every_test_of_a_row_is_the_test_by_itself():
    table, _ = forecasts(methods=("m",))
    noise = 1 + 0.2 * np.random.default_rng(1).random(len(table))
    table = table.assign(var=1.4 * noise, es=1.8 * noise)
    row = evaluation.coverage(table, rng(), 199).iloc[0]
    L, v, e = (table.dropna()[name].to_numpy() for name in ("realised", "var", "es"))
    hits = v < L
    alone = {
        "kupiec": evaluation.kupiec(int(hits.sum()), len(L), 0.05),
        "first_failure": evaluation.first_failure(int(hits.argmax()) + 1, 0.05),
        "independence": evaluation.independence(hits),
        "conditional": evaluation.conditional_coverage(hits, 0.05),
        "duration": evaluation.duration(hits),
        "dynamic_quantile": evaluation.dynamic_quantile(hits, v, 0.05),
        "mcneil_frey": evaluation.mcneil_frey(evaluation.exceedance_residuals(L, v, e)),
        "z1": evaluation.z1(L, v, e),
        "z2": evaluation.z2(L, v, e, 0.95),
        "costanzino_curran": evaluation.costanzino_curran(
            evaluation.tail_chance(L, v, e, 0.95), 0.95
        ),
        "nolde_ziegel": evaluation.nolde_ziegel(L, v, e, 0.95),
        "es_regression": evaluation.es_regression(L, v, e, 0.95),
        "es_intercept": evaluation.es_intercept(L, v, e, 0.95),
    }
    assert tuple(alone) == TESTS
    for name, test in alone.items():
        assert (row[name], row[f"{name}_p"]) == (test.statistic, test.p_value), name
        if name not in REGRESSIONS:
            assert 0 < row[f"{name}_mc"] <= 1, name
    assert row["fz0"] == pytest.approx(evaluation.fz0(L, v, e, 0.95).mean())
    assert row["tick"] == pytest.approx(evaluation.tick(L, v, 0.95).mean())
    assert row["reason"] == ""


def test_losses_and_horizons_are_judged_apart():
    table, realised = forecasts()
    other = table.assign(loss="close_out", realised=table["realised"] + 0.5)
    found = evaluation.coverage(pd.concat([table, other]), rng(), 99)
    exceedances = found.groupby("loss")["exceedances"].first()
    assert exceedances["end"] == (realised.iloc[51:] > 1.6).sum()
    assert exceedances["close_out"] == (realised.iloc[51:] + 0.5 > 1.6).sum()


def test_a_bar_that_one_method_cannot_forecast_is_judged_for_none():
    table, realised = forecasts()
    failed = table["method"].eq("m") & (table["time"] == realised.index[100])
    table.loc[failed, ["var", "es"]] = np.nan
    found = evaluation.coverage(table, rng(), 99)
    assert found["n"].tolist() == [len(realised.iloc[51:-1]) - 1] * 2


def test_picked_bars_are_not_tested_for_independence():
    table, realised = forecasts()
    only = pd.DataFrame({"A": realised.shift(1) < -0.5})
    both = evaluation.coverage(table, rng(), 99, {"low": only})
    assert (both["sample"] == "all bars").sum() == 2
    found = both[both["sample"] == "low"]
    judged = realised[only["A"]].loc[realised.index[51] :].dropna()
    assert found["n"].tolist() == [len(judged)] * 2
    assert found["exceedances"].tolist() == [int((judged > 1.6).sum())] * 2
    successive = [f"{name}{kind}" for name in SUCCESSIVE for kind in ("", "_p", "_mc")]
    assert found[successive].isna().all().all()
    assert found["kupiec_mc"].notna().all()
    assert found["reason"].str.contains("do not follow one another").all()
    nothing = pd.DataFrame({"A": only["A"] & False})
    without = evaluation.coverage(table, rng(), 99, {"low": nothing})
    assert set(without["sample"]) == {"all bars"}


def test_a_series_without_a_hit_has_reasons_and_no_exception():
    table, _ = forecasts(n=90)
    found = evaluation.coverage(table.assign(var=9.0, es=9.5), rng(), 99)
    assert found["exceedances"].tolist() == [0, 0]
    assert found[["z1", "nolde_ziegel_mc", "duration_p", "first_failure"]].isna().all().all()
    assert found["z2"].tolist() == [1.0, 1.0]
    assert found["kupiec_mc"].notna().all()
    for said in ("no exceedance", "duration test needs two", "dynamic quantile test needs"):
        assert found["reason"].str.contains(said).all(), said


def test_rates_pool_the_assets_and_count_a_date_once():
    table, realised = forecasts(methods=("m",))
    one = evaluation.rates(table).iloc[0]
    judged = realised.iloc[50:-1]
    hit = (judged > 1.6).to_numpy()
    assert (one["n"], one["exceedances"], one["dates"]) == (len(hit), hit.sum(), len(hit))
    off = hit - 0.05
    z = off.sum() / np.sqrt((off**2).sum())
    assert one["rate_p"] == pytest.approx(2 * (1 - _normal(abs(z))))
    ratio = (hit * judged.to_numpy() / 2.0 / 0.05).mean()
    assert one["es_ratio"] == pytest.approx(ratio)
    twice = evaluation.rates(pd.concat([table, table.assign(asset="B")])).iloc[0]
    assert twice["n"] == 2 * one["n"]
    # The same asset twice says nothing new.
    same = ["dates", "rate", "rate_p", "es_ratio", "es_p", "fz0"]
    assert twice[same].tolist() == pytest.approx(one[same].tolist())
    few = evaluation.rates(table, {"early": pd.DataFrame({"A": realised.index < realised.index[55]},
                                                         index=realised.index)})  # fmt: skip
    assert np.isnan(few.loc[few["sample"] == "early", "rate_p"].item())


def _normal(z):
    from statistics import NormalDist

    return NormalDist().cdf(z)


def test_clustered_p_values_hold_their_size():
    """Assets that fall together: a test that takes them for independent would reject too often."""
    draws = np.random.default_rng(8)
    rejected = naive = 0
    for _ in range(150):
        common = draws.normal(size=(200, 1))
        losses = 0.9 * common + np.sqrt(1 - 0.81) * draws.normal(size=(200, 6))
        index = pd.date_range("2022-01-01", periods=200, name="time")
        long = pd.DataFrame(losses, index, list("ABCDEF")).melt(
            ignore_index=False, var_name="asset", value_name="realised"
        )
        table = long.reset_index().assign(
            method="m", loss="end", confidence=0.9, bars=1, var=1.2815516, es=1.7549833
        )
        row = evaluation.rates(table).iloc[0]
        rejected += row["rate_p"] < 0.05
        naive += evaluation.kupiec(int(row["exceedances"]), int(row["n"]), 0.1).p_value < 0.05
    assert rejected <= 17  # 99.9 % of a binomial of 150 at 5 %
    assert naive > 35


def test_bad_input():
    table, _ = forecasts()
    late = table["time"] >= table["time"].max() - pd.Timedelta("1D")
    with pytest.raises(EstimationError, match="two are needed"):
        evaluation.coverage(table[late], rng())
    with pytest.raises(DataError, match="realised"):
        evaluation.coverage(table.drop(columns="realised"), rng())
    with pytest.raises(DataError, match="0 rows"):
        evaluation.coverage(table.iloc[:0], rng())
    with pytest.raises(DataError, match="keep one"):
        evaluation.coverage(pd.concat([table, table]), rng())
    with pytest.raises(EstimationError, match="swap"):
        evaluation.coverage(table.assign(es=1.0), rng(), 99)
    truth = evaluation.null(10, 0.05, rng(), 19)
    series = (np.zeros(11), np.ones(11), np.ones(11))
    with pytest.raises(EstimationError, match="null of its own"):
        evaluation.judge(*series, 0.95, truth, rng())
