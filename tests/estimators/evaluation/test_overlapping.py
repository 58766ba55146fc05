"""Rates of overlapping windows: statsmodels' clusters, exact laws, size and power by simulation."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.sandwich_covariance import cov_nw_groupsum

from tests.estimators.samples import dates
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators import evaluation


def frame(values, start="2020-01-01"):
    values = np.asarray(values, dtype=float)
    names = [f"a{k}" for k in range(values.shape[1])]
    return pd.DataFrame(values, pd.date_range(start, periods=len(values)), names)


def overlapping_sums(bars, windows, assets, garch, rng):
    """Sums over `bars` of successive t losses, correlated over assets, one set a window."""
    n, nu, burn = windows + bars - 1, 4.0, 200 if garch else 0
    common, own = rng.standard_normal((n + burn, 1)), rng.standard_normal((n + burn, assets))
    scale = np.sqrt((nu - 2.0) / rng.chisquare(nu, (n + burn, 1)))
    z = scale * (np.sqrt(0.6) * common + np.sqrt(0.4) * own)
    if garch:
        h = np.ones(assets)
        for t, shock in enumerate(z.copy()):
            z[t] = np.sqrt(h) * shock
            h = 0.03 + 0.07 * z[t] ** 2 + 0.90 * h
    path = np.vstack([np.zeros(assets), np.cumsum(z[burn:], axis=0)])
    return path[bars:] - path[:-bars]


def test_an_exceedance_is_above_its_limit_where_both_are_known():
    losses = frame([[0.1, np.nan], [0.3, 0.2], [0.2, 0.2]])
    limits = frame([[0.2, 0.2], [0.2, np.nan], [0.2, 0.1]])
    found = evaluation.exceedances(losses, limits)
    assert found.fillna(-1.0).to_numpy().tolist() == [[0, -1], [1, -1], [0, 1]]


@given(st.integers(0, 60), st.sampled_from([0.004, 0.01, 0.3]))
@settings(max_examples=40, deadline=None)
def test_one_asset_without_lags_is_the_exact_binomial_test(x, p):
    hits = frame(np.isin(np.arange(60), np.arange(x))[:, None])
    found = evaluation.exceedance_rate(hits, p, lags=0)
    assert found.exceedances == x
    if 0 < x < 60:
        assert found.design == pytest.approx(1.0, abs=1e-12)
        more, fewer, both = (
            binomtest(x, 60, p, alternative=side).pvalue
            for side in ("greater", "less", "two-sided")
        )
        assert (found.more, found.fewer) == pytest.approx((more, fewer), abs=1e-12)
        assert found.two_sided <= 2.0 * both + 1e-9
        assert found.bound == binom.ppf(0.95, 60, p)
    assert (found.exceedances > found.bound) == (found.more <= 0.05)


@pytest.mark.parametrize("lags", [0, 1, 7])
def test_the_variance_is_that_of_statsmodels_with_dates_as_clusters(lags):
    rng = np.random.default_rng(4)
    common = rng.random((300, 1)) < 0.05
    hits = frame((common & (rng.random((300, 4)) < 0.7)) | (rng.random((300, 4)) < 0.02))
    found = evaluation.exceedance_rate(hits, 0.05, lags=lags)
    stacked = hits.to_numpy().ravel()
    fitted = sm.OLS(stacked, np.ones(stacked.size)).fit()
    when = np.repeat(np.arange(300), 4)
    if lags == 0:
        theirs = fitted.get_robustcov_results(
            "cluster", groups=when, use_correction=False, df_correction=False
        ).cov_params()
    else:
        theirs = cov_nw_groupsum(fitted, lags, when, use_correction=0)
    n, r = stacked.size, stacked.mean()
    assert found.design == pytest.approx(float(theirs[0, 0]) * n / (r * (1.0 - r)), rel=1e-9)
    assert found.design > 1.5


def test_a_plain_twin_of_the_design_and_of_the_p_value():
    rng = np.random.default_rng(5)
    table = (rng.random((80, 3)) < 0.1).astype(float)
    table[:30, 2] = np.nan  # listed late
    table[40:43] = 1.0  # one fall, three assets, three windows
    found = evaluation.exceedance_rate(frame(table), 0.05, bars=3, lags=4)
    known = [[cell for cell in row if not np.isnan(cell)] for row in table]
    n, x = sum(map(len, known)), sum(map(sum, known))
    y = [sum(row) - x / n * len(row) for row in known]
    V = sum(value**2 for value in y)
    for k in range(1, 5):
        V += 2 * (1 - k / 5) * sum(y[t] * y[t - k] for t in range(k, 80))
    d = V / (n * x / n * (1 - x / n))
    assert (found.windows, found.exceedances) == (n, x)
    assert found.design == pytest.approx(d, rel=1e-12)
    # the beta function at whole numbers of trials is the binomial sum: between its neighbours here
    low, high = (binom.sf(side, int(n / d), 0.05) for side in (np.ceil(x / d), np.floor(x / d) - 1))
    assert low < found.more < high


def test_windows_without_an_exceedance_count_least():
    none = evaluation.exceedance_rate(frame(np.zeros((100, 4))), 0.01, bars=3)
    assert none.design == 12.0  # three windows and four assets are one
    assert (none.exceedances, none.more) == (0, 1.0)
    assert none.fewer == pytest.approx(0.99 ** (400 / 12), rel=1e-9)
    every = evaluation.exceedance_rate(frame(np.ones((100, 4))), 0.01)
    assert every.more == pytest.approx(0.01**100, rel=1e-9)
    assert every.fewer == 1.0


@pytest.mark.parametrize(("assets", "garch"), [(1, False), (4, False), (4, True)])
def test_the_size_under_overlap_is_near_five_percent_where_kupiec_is_far_off(assets, garch):
    rng, runs, p = np.random.default_rng(6 + assets + garch), 200, 0.01
    quantile = np.quantile(
        np.concatenate([overlapping_sums(3, 20_000, 1, garch, rng) for _ in range(10)]), 1 - p
    )
    ours, fewer, split, plain = 0, 0, 0, 0
    for _ in range(runs):
        hits = frame(overlapping_sums(3, 1000, assets, garch, rng) > quantile)
        found = evaluation.exceedance_rate(hits, p, bars=3)
        ours += found.more < 0.05
        fewer += found.fewer < 0.05
        split += evaluation.sub_samples(hits, p, bars=3)["adjusted"].min() < 0.05
        plain += evaluation.kupiec(found.exceedances, found.windows, p).p_value < 0.05
    assert binom.cdf(ours, runs, 0.05) > 0.005  # not far under
    assert ours / runs < 0.09
    assert plain / runs > (0.12 if assets == 1 else 0.3)
    assert fewer / runs < (0.25 if garch else 0.12)
    assert garch or split / runs < 0.06


def test_a_rate_twice_too_high_is_found():
    rng, runs, p = np.random.default_rng(8), 100, 0.01
    quantile = np.quantile(overlapping_sums(3, 200_000, 1, False, rng), 1 - 2 * p)
    ours, split = 0, 0
    for _ in range(runs):
        hits = frame(overlapping_sums(3, 1460, 4, False, rng) > quantile)
        ours += evaluation.exceedance_rate(hits, p, bars=3).more < 0.05
        split += evaluation.sub_samples(hits, p, bars=3)["adjusted"].min() < 0.05
    assert ours / runs > 0.8
    assert ours >= split > 0.4 * runs


@given(st.integers(1, 4), st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_sub_samples_are_binomial_and_hold_every_window_once(bars, seed):
    rng = np.random.default_rng(seed)
    table = np.where(rng.random((50, 2)) < 0.1, np.nan, rng.random((50, 2)) < 0.1)
    found = evaluation.sub_samples(frame(table), 0.05, bars)
    assert len(found) == 2 * bars
    assert found["windows"].sum() == np.isfinite(table).sum()
    assert found["exceedances"].sum() == np.nansum(table)
    for row in found.itertuples():
        exact = binomtest(row.exceedances, row.windows, 0.05, alternative="greater").pvalue
        assert row.p == pytest.approx(exact, abs=1e-12)
        series = table[row.start :: bars, int(row.asset[1:])]
        assert row.exceedances == np.nansum(series)
    assert found["adjusted"].to_numpy() == pytest.approx(
        multipletests(found["p"], method="holm")[1], abs=1e-12
    )


@given(st.integers(0, 10_000), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_bound_and_p_value_agree_and_assets_may_change_places(seed, bars):
    rng = np.random.default_rng(seed)
    hits = frame(rng.random((60, 3)) < 0.08)
    found = evaluation.exceedance_rate(hits, 0.05, bars)
    assert 0.0 <= found.more <= 1.0
    assert 0.0 <= found.fewer <= 1.0
    assert found.design >= 1.0
    assert (found.exceedances > found.bound) == (found.more <= found.size)
    order = rng.permutation(3)
    other = evaluation.exceedance_rate(hits.iloc[:, order], 0.05, bars)
    assert other.more == pytest.approx(found.more, abs=1e-12)


def test_bad_input():
    few = pd.DataFrame({"BTC": np.zeros(29)}, dates(29))
    with pytest.raises(EstimationError, match="29 dates; at least 30"):
        evaluation.exceedance_rate(few, 0.01)
    enough = pd.DataFrame({"BTC": np.zeros(40)}, dates(40))
    with pytest.raises(EstimationError, match="40 lags on 40 dates"):
        evaluation.exceedance_rate(enough, 0.01, lags=40)
    with pytest.raises(EstimationError, match="hit of BTC at 2020-01-02 00:00:00 is 0"):
        evaluation.exceedance_rate(enough.assign(BTC=0.3 * (np.arange(40) == 1)), 0.01)
    with pytest.raises(EstimationError, match="unsorted"):
        evaluation.sub_samples(enough.iloc[::-1], 0.01)
    with pytest.raises(EstimationError, match="no window"):
        evaluation.sub_samples(enough * np.nan, 0.01)
    with pytest.raises(ParameterError, match="probability is 1; give a fraction"):
        evaluation.exceedance_rate(enough, 1)
    with pytest.raises(ParameterError, match="bars is 0"):
        evaluation.sub_samples(enough, 0.01, bars=0)
