"""DCC walked forward and bar by bar: equal to fits from scratch, blind to the future, guarded."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from tests.estimators.correlation.samples import world
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators import correlation
from xcoll.estimators.correlation import dcc, likelihood
from xcoll.estimators.correlation import walk as walk_module


@pytest.fixture(scope="module")
def residuals():
    """Four assets, one listed late and one delisted early."""
    z = world(5, 420, 0.05, 0.9, 1, nu=7.0)
    z.iloc[:150, 3] = np.nan
    z.iloc[380:, 4] = np.nan
    return z


@pytest.fixture(scope="module")
def walk(residuals):
    return correlation.walk_forward(residuals, 200, errors="t", minimum=100)


@pytest.mark.parametrize("at", [199, 260, 379])
@pytest.mark.parametrize("errors", ["normal", "t"])
def test_each_day_is_a_fit_from_scratch(residuals, at, errors, monkeypatch):
    monkeypatch.setattr(walk_module, "FRESH", 1)
    z = residuals[["A0", "A1", "A2"]].iloc[: at + 1]
    walk = correlation.walk_forward(z, 200, errors=errors, minimum=180)
    fitted = dcc.fit(z.iloc[-200:], errors)
    last = walk.params.iloc[-1]
    assert walk.record["converged"].all()
    reached = walk.record["loglikelihood"].iloc[-1]
    assert reached == pytest.approx(fitted.loglikelihood, abs=1e-4)
    error = fitted.std_errors("hessian")
    assert abs(last["a"] - fitted.a) < 0.02 * error["a"]
    assert abs(last["b"] - fitted.b) < 0.02 * error["b"]
    assert_allclose(correlation.matrix(walk.correlation.iloc[-1]), fitted.last, atol=1e-3)


def test_the_warm_maximum_is_hardly_ever_a_lower_one(residuals):
    z = residuals[["A0", "A1", "A2"]]
    walk = correlation.walk_forward(z, 200, errors="t", minimum=200)
    best = [dcc.fit(z.iloc[t - 199 : t + 1], "t").loglikelihood for t in range(199, 420)]
    missed = np.array(best) - walk.record["loglikelihood"].to_numpy()
    assert missed.max() < 0.1  # two maxima that this sample can hardly tell apart
    assert (missed < 1e-4).mean() > 0.97


def test_listing_and_delisting(residuals, walk):
    path = walk.correlation
    assert path["A0~A1"].first_valid_index() == residuals.index[99]
    assert path["A0~A3"].first_valid_index() == residuals.index[249]
    assert path["A0~A4"].last_valid_index() == residuals.index[379]
    assert path["A0~A1"].iloc[99:].notna().all()
    record = walk.record.set_index("time")
    assert record.loc[residuals.index[120], ["assets", "bars"]].tolist() == [4, 121]
    assert record.loc[residuals.index[300], ["assets", "bars"]].tolist() == [4, 200]
    assert record.loc[residuals.index[360], ["assets", "bars"]].tolist() == [5, 200]
    assert record.loc[residuals.index[400], ["assets", "bars"]].tolist() == [4, 200]
    rho = correlation.matrices(path, ["A0", "A1", "A2", "A3"])
    rho = rho[np.isfinite(rho).all(axis=(1, 2))]
    assert np.linalg.eigvalsh(rho)[:, 0].min() > -1e-12
    assert (np.abs(rho) <= 1.0).all()


@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("composite", ["joint", "all"])
def test_a_planted_jump_moves_nothing_before_it(residuals, every, composite):
    options = {"refit_every": every, "errors": "t", "minimum": 150, "composite": composite}
    calm = correlation.walk_forward(residuals, 200, **options)
    moved = residuals.copy()
    moved.iloc[322] = [9.0, -9.0, 9.0, -9.0, 9.0]
    jumped = correlation.walk_forward(moved, 200, **options)
    pd.testing.assert_frame_equal(
        calm.correlation.iloc[:322], jumped.correlation.iloc[:322], check_exact=True
    )
    assert (calm.correlation.iloc[322] != jumped.correlation.iloc[322]).all()
    cut = residuals.index[322]
    before = [each.params[each.params["time"] < cut] for each in (calm, jumped)]
    pd.testing.assert_frame_equal(*before, check_exact=True)


def test_between_re_estimates_the_recursion_goes_on(residuals):
    z = residuals[["A0", "A1", "A2"]]
    walk = correlation.walk_forward(z, 200, refit_every=10, minimum=200)
    last = walk.params.iloc[-2]
    at = z.index.get_loc(last["time"])
    sample = z.iloc[at - 199 : at + 10].to_numpy()
    target = likelihood.second_moment(sample[:200])
    rows, _ = dcc.path_of(sample, target, last["a"], last["b"])
    assert_allclose(walk.correlation.iloc[at : at + 10], rows[-10:], rtol=0, atol=1e-12)
    assert len(walk.params) == len(range(199, 420, 10))


def test_expanding_uses_all_there_is(residuals):
    walk = correlation.walk_forward(residuals, 150, expanding=True, minimum=150)
    assert walk.record["bars"].iloc[-1] == 420
    assert walk.record["bars"].iloc[0] == 150


def test_an_estimate_that_fails_keeps_the_last(residuals, monkeypatch):
    z = residuals[["A0", "A1", "A2"]].iloc[:240]
    real, calls, fails = likelihood.maximise, [], (1, 10, 11)

    def failing(*args):
        found = real(*args)
        calls.extend([args] if args[3] is None else [])  # not the pairs that lead to a start
        if args[3] is None and len(calls) in fails:
            object.__setattr__(found, "converged", False)
        return found

    monkeypatch.setattr(likelihood, "maximise", failing)
    walk = correlation.walk_forward(z, 200, minimum=200)
    assert walk.correlation["A0~A1"].first_valid_index() == z.index[200]
    assert walk.record["message"].iloc[0].endswith("no path yet")
    assert walk.record["message"].iloc[9].endswith("the last parameters kept")
    kept = walk.params.set_index("time")[["a", "b"]]
    assert (kept.loc[z.index[208]] == kept.loc[z.index[207]]).all()
    monkeypatch.setattr(likelihood, "maximise", lambda *args: dead(real(*args)))

    def dead(found):
        object.__setattr__(found, "converged", False)
        return found

    with pytest.raises(EstimationError, match="none of 41 re-estimates converged"):
        correlation.walk_forward(z, 200, minimum=200)


# --- bar by bar -----------------------------------------------------------------------------


@pytest.mark.parametrize("errors", ["normal", "t"])
@pytest.mark.parametrize("composite", ["joint", "contiguous"])
def test_a_monitor_ends_where_a_fit_would(residuals, errors, composite):
    z = residuals[["A0", "A1", "A2"]]
    now = correlation.monitor(z.iloc[:300], 250, errors, composite)
    for at in range(300, 320):
        now = now.update(z.iloc[at], refit=True)
        assert now.converged
    fitted = dcc.fit(z.iloc[70:320], errors, composite)
    assert_allclose(now.params[:2], [fitted.a, fitted.b], atol=2e-3)
    assert_allclose(now.correlation, fitted.last, atol=2e-3)
    assert (now.sample == z.iloc[70:320].to_numpy()).all()


def test_without_a_refit_it_is_one_step_of_the_recursion(residuals):
    z = residuals[["A0", "A1", "A2"]]
    before = correlation.monitor(z.iloc[:300], 300)
    after = before.update(z.iloc[300]).update(z.iloc[301].to_numpy())
    rows, _ = dcc.path_of(z.iloc[:302].to_numpy(), before.target, *before.params)
    assert_allclose(after.matrix[np.triu_indices(3, 1)], rows[-1], rtol=0, atol=1e-12)
    assert (after.params == before.params).all()
    again = correlation.monitor(z.iloc[:300], 300)
    assert (before.matrix == again.matrix).all()  # the old one stays as it was


def test_refusals(residuals):
    z = residuals[["A0", "A1", "A2"]]
    with pytest.raises(EstimationError, match="no two assets have 421 bars"):
        correlation.walk_forward(z, 421, minimum=421)
    with pytest.raises(ParameterError, match="window"):
        correlation.walk_forward(z, 100, minimum=200)
    with pytest.raises(ParameterError, match="errors"):
        correlation.walk_forward(z, 250, errors="skewt")
    with pytest.raises(ParameterError, match="composite"):
        correlation.monitor(z, 200, composite="some")
    with pytest.raises(EstimationError, match="last 421 bars"):
        correlation.monitor(z, 421)
    with pytest.raises(EstimationError, match="last 200 bars"):
        correlation.monitor(residuals, 200)
    now = correlation.monitor(z, 200)
    for row in ([1.0, np.nan, 0.0], [1.0, 2.0], pd.Series({"A0": 1.0, "A1": 1.0})):
        with pytest.raises(DataError, match="3 finite numbers, for A0, A1, A2"):
            now.update(row)


def test_a_nudge_from_a_maximum_nearby_ends_at_the_maximum(residuals):
    z = residuals[["A0", "A1", "A2"]].to_numpy()
    before, after = (np.ascontiguousarray(part) for part in (z[:400], z[1:401]))
    for errors in ("normal", "t"):
        start = likelihood.maximise(before, likelihood.second_moment(before), errors)
        target = likelihood.second_moment(after)
        params, gain = likelihood.nudge(after, target, start.params)
        found = likelihood.maximise(after, target, errors, None, start.params, 1e-9)
        value = likelihood.evaluate(after, target, params)[0]
        assert 0.0 < gain < 0.2
        assert found.loglikelihood - value < 0.1 * gain
        assert np.abs(params[:2] - found.params[:2]).max() < 2e-3
