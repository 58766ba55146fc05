"""Paths judged: plain twins, planted days, a haircut that is right and one that is too low."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student

from xcoll.collateral.haircuts.market import Tail
from xcoll.collateral.recalibration.judge import HELD, coverage, judged, promised
from xcoll.errors import DataError, ParameterError
from xcoll.estimators import evaluation

DAYS = pd.date_range("2022-01-01", periods=120, name="time")


def constant(value, assets=("BTC", "ETH"), days=DAYS):
    return pd.DataFrame(value, days, list(assets))


def one(table, path, asset="all"):
    return table.set_index(["path", "asset"]).loc[(path, asset)]


def test_the_promise_of_an_es_is_the_share_of_losses_beyond_it():
    assert promised(Tail(0.99, "var")) == pytest.approx(0.01)
    assert promised(Tail(0.975, "es")) == pytest.approx(0.01)
    beyond_normal = norm.sf(norm.pdf(norm.ppf(0.99)) / 0.01)
    assert beyond_normal == pytest.approx(0.0038, abs=5e-5)
    q, nu = student.ppf(0.99, 4), 4
    beyond_t = student.sf(student.pdf(q, nu) / 0.01 * (nu + q * q) / (nu - 1), nu)
    for truth in (beyond_normal, beyond_t):
        assert 0.75 * promised(Tail()) < truth <= promised(Tail())


def test_a_loss_meets_the_haircut_that_was_in_force_when_it_began():
    losses = constant(0.05)
    losses.iloc[50] = [0.30, 0.25]
    late = constant(0.20)
    late.iloc[51:] = 0.40  # known one close too late
    early = constant(0.20)
    early.iloc[50:] = 0.40
    found = coverage({"late": late, "early": early}, losses, Tail())
    assert one(found, "late")[["exceedances", "worst_excess", "mean_excess"]].tolist() == (
        pytest.approx([2, 0.10, 0.075])
    )
    assert one(found, "late", "ETH")["worst_excess"] == pytest.approx(0.05)
    assert one(found, "early")[["exceedances", "worst_excess", "mean_excess"]].tolist() == [0, 0, 0]


def test_a_weekly_path_stands_until_the_next_date_and_assets_apart_are_left_out():
    rng = np.random.default_rng(1)
    losses = constant(0.0, ("BTC", "ETH", "NEW")) + rng.random((120, 3)) * 0.3
    weekly = constant(0.2).iloc[::7] + rng.random((18, 2)) * 0.1
    daily = weekly.reindex(DAYS, method="ffill")
    found = coverage({"weekly": weekly, "daily": daily}, losses, Tail())
    assert set(found["asset"]) == {"all", "BTC", "ETH"}
    first, second = (
        found[found["path"] == name].drop(columns="path") for name in ("weekly", "daily")
    )
    assert first.reset_index(drop=True).equals(second.reset_index(drop=True))


@given(st.integers(0, 100_000), st.sampled_from([1, 3]))
@settings(max_examples=25, deadline=None)
def test_a_plain_twin(seed, bars):
    rng = np.random.default_rng(seed)
    losses = constant(0.0) + rng.random((120, 2)) ** 4
    losses.iloc[:40, 1] = np.nan
    path = constant(0.0) + 0.3 + 0.2 * rng.random((120, 2))
    path.iloc[-3:] = np.nan
    of = Tail(0.9, "var")
    row = one(judged({"p": path}, {bars: losses}, of), "p")
    pairs = [
        (float(path.iloc[t, i]), float(losses.iloc[t, i]))
        for t in range(120)
        for i in range(2)
        if not np.isnan(path.iloc[t, i]) and not np.isnan(losses.iloc[t, i])
    ]
    over = [loss - H for H, loss in pairs if loss > H]
    assert (row["bars"], row["exceedances"]) == (len(pairs), len(over))
    assert row["expected"] == pytest.approx(0.1 * len(pairs))
    assert row["rate"] == pytest.approx(len(over) / len(pairs))
    assert row["worst_excess"] == pytest.approx(max(over, default=0.0))
    assert row["mean_excess"] == pytest.approx(np.mean(over) if over else 0.0)
    assert row["capital_efficiency"] == pytest.approx(np.mean([1 - H for H, _ in pairs]))
    need = [min(row["multiple"] * H, 1.0) for H, _ in pairs]
    assert row["above_need"] == pytest.approx(np.mean([H for H, _ in pairs]) - np.mean(need))
    # the smallest multiple that keeps the promise
    for times, kept in ((1.0 + 1e-9, True), (1.0 - 1e-9, False)):
        more = sum(loss > times * row["multiple"] * H for H, loss in pairs)
        assert (more <= row["expected"]) == kept
    hits = evaluation.exceedances(losses, path)
    seen = evaluation.exceedance_rate(hits, 0.1, bars)
    found = row[["p", "bound", "design"]].tolist()
    assert found == pytest.approx([seen.more, seen.bound, seen.design], rel=1e-9)
    apart = evaluation.sub_samples(hits, 0.1, bars)["adjusted"].min()
    assert row["p_apart"] == pytest.approx(apart, rel=1e-9)


@given(st.floats(0.3, 1.6), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_a_higher_path_is_exceeded_less_and_holds_more(scale, seed):
    rng = np.random.default_rng(seed)
    losses = constant(0.0) + rng.random((120, 2)) ** 4
    base = constant(0.0) + 0.3 + 0.2 * rng.random((120, 2))
    table = judged({"base": base, "scaled": scale * base}, {1: losses}, Tail(0.9))
    first, second = one(table, "base"), one(table, "scaled")
    assert second["multiple"] == pytest.approx(first["multiple"] / scale)
    low, high = (first, second) if scale >= 1.0 else (second, first)
    assert high["exceedances"] <= low["exceedances"]
    assert high["capital_efficiency"] <= low["capital_efficiency"] + 1e-12
    assert high["above_need"] >= low["above_need"] - 1e-12
    assert second["peak_to_trough"] == pytest.approx(first["peak_to_trough"])
    assert second["largest_rise"] == pytest.approx(scale * first["largest_rise"])


def test_a_haircut_at_the_true_es_passes_and_one_a_third_too_low_does_not():
    rng, n, q = np.random.default_rng(2), 4000, student.ppf(0.99, 4)
    es = student.pdf(q, 4) / 0.01 * (4 + q * q) / 3
    days = pd.date_range("2010-01-01", periods=n)
    common = rng.standard_t(4, (n, 1))
    own = np.where(rng.random((n, 4)) < 0.7, common, rng.standard_t(4, (n, 4)))
    losses = constant(0.02 * own, "ABCD", days)
    right = constant(0.02 * es, "ABCD", days)
    table = judged({"right": right, "low": right * 2 / 3}, {1: losses}, Tail())
    assert one(table, "right")["p"] > 0.05
    assert one(table, "right")["exceedances"] <= one(table, "right")["bound"]
    assert one(table, "low")["p"] < 0.01
    assert one(table, "low")["exceedances"] > one(table, "low")["bound"]
    assert one(table, "right")["design"] > 1.5  # assets that fall together
    assert one(table, "low")["multiple"] == pytest.approx(1.5 * one(table, "right")["multiple"])
    assert one(table, "low")["above_need"] < 0.0


def test_paths_are_compared_on_the_windows_that_all_of_them_cover():
    losses = constant(0.1)
    losses.iloc[5] = 0.9
    late = constant(0.2).iloc[10:]
    table = judged({"early": constant(0.2), "late": late}, {1: losses}, Tail())
    assert one(table, "early")["bars"] == one(table, "late")["bars"] == 220
    assert one(table, "early")["exceedances"] == 0
    alone = judged({"early": constant(0.2)}, {1: losses}, Tail())
    assert one(alone, "early")["exceedances"] == 2


def test_longer_windows_stand_beside_and_movement_is_that_of_the_median_asset():
    rng = np.random.default_rng(3)
    losses = {h: constant(0.0, "ABC") + h * 0.1 * rng.random((120, 3)) for h in (1, 3)}
    path = constant(0.15, "ABC")
    path.iloc[60:, 0] = 0.20
    path.iloc[60:90, 1] = 0.30
    path.iloc[60:, 2] = 0.45
    table = judged({"p": path}, losses, Tail(0.9, "var"))
    judged_by = [column for column in table if column not in HELD]
    assert judged_by == [*coverage({"p": path}, losses[1], Tail(0.9, "var")), "rate_3", "p_3"]
    assert set(HELD) < set(table)
    whole = one(table, "p")
    apart = one(coverage({"p": path}, losses[3], Tail(0.9, "var"), 3), "p")
    assert (whole["rate_3"], whole["p_3"]) == (apart["rate"], apart["p"])
    assert whole["peak_to_trough"] == pytest.approx(2.0)
    assert whole["largest_rise"] == pytest.approx(0.15)
    assert one(table, "p", "B")["fall_back"] == 30.0
    assert np.isnan(one(table, "p", "A")["fall_back"])
    assert np.isnan(whole["fall_back"])  # two of three never came back
    assert whole["longest_stay"] == 59.0


def test_bad_input():
    losses, path = constant(0.1), constant(0.2)
    with pytest.raises(DataError, match="no path to judge"):
        coverage({}, losses, Tail())
    with pytest.raises(DataError, match="no loss to judge by"):
        judged({"p": path}, {}, Tail())
    with pytest.raises(DataError, match="no asset has losses and a haircut"):
        coverage({"p": path.add_prefix("x")}, losses, Tail())
    wrong = path.copy()
    wrong.iloc[7, 1] = 20.0
    with pytest.raises(DataError, match=r"ETH at 2022-01-08 00:00:00 in the path 'p' is 20; give"):
        coverage({"p": wrong}, losses, Tail())
    with pytest.raises(DataError, match="BTC has 29 windows"):
        coverage({"p": path.iloc[-29:]}, losses, Tail())
    with pytest.raises(ParameterError, match="span is '30'"):
        judged({"p": path}, {1: losses}, Tail(), span="30")
