"""Volatility walked forward: recursions, records, fallback, look-ahead, bad input."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from tests.estimators.samples import dates
from tests.estimators.volatility.plain import holed, plain_path, simulate
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators import volatility
from xcoll.estimators.volatility import _arch, _kernels, likelihood


@pytest.fixture(scope="module")
def walk(frame):
    return volatility.walk_forward(frame, window=200, refit_every=40, minimum=120, errors="normal")


def test_forecasts_are_the_recursion_at_the_recorded_parameters(frame, walk):
    params = walk.params.pivot_table(index=["asset", "time"], columns="parameter", values="value")
    for asset in frame:
        series = frame[asset].dropna()
        refits = [series.index.get_loc(time) for time in params.loc[asset].index]
        assert refits == list(range(119, len(series), 40))
        assert walk.volatility[asset].first_valid_index() == series.index[119]
        for t in refits:
            theta = params.loc[(asset, series.index[t]), ["mu", "omega", "alpha", "beta"]]
            begin, stop = max(0, t - 199), min(t + 40, len(series))
            past = series.iloc[begin : t + 1].to_numpy()
            past = past - past.mean()
            weights = 0.94 ** np.arange(75)
            initial = weights @ past[:75] ** 2 / weights.sum()
            path = plain_path(series.iloc[begin:stop], *theta, initial)
            ours = walk.volatility[asset][series.index[t:stop]]
            assert_allclose(ours, np.sqrt(path[t - begin + 1 :]), rtol=1e-9)


def test_refit_is_as_good_as_a_fit_of_its_window(frame, walk):
    for row in walk.record.itertuples():
        window = frame[row.asset][: row.time].dropna().tail(row.bars)
        alone = volatility.fit(window, errors="normal")
        assert row.converged
        assert row.loglikelihood > alone.loglikelihood - 1e-3


def test_residuals_divide_by_the_forecast_of_the_bar_before(frame, walk):
    t = 250
    expected = (frame.iloc[t] - walk.mean.iloc[t - 1]) / walk.volatility.iloc[t - 1]
    assert_allclose(walk.residuals.iloc[t], expected)
    assert np.nanstd(walk.residuals["A"]) == pytest.approx(1.0, abs=0.15)


def test_listing_bounds_the_forecasts(frame, walk):
    assert walk.volatility["B"].isna().to_numpy()[:159].all()
    assert walk.volatility["B"].isna().to_numpy()[-25:].all()
    assert walk.volatility["B"].notna().to_numpy()[159:-25].all()


def test_expanding_uses_all_bars_since_listing(frame):
    walk = volatility.walk_forward(frame[["A"]], 100, 100, errors="normal", expanding=True)
    assert walk.record["bars"].tolist() == [100, 200, 300]
    rolled = volatility.walk_forward(frame[["A"]], 100, 100, errors="normal")
    assert rolled.record["bars"].tolist() == [100, 100, 100]


def test_result_and_record_columns(walk):
    assert walk.params.columns.tolist() == ["time", "asset", "parameter", "value"]
    assert walk.record.columns.tolist() == [
        "time",
        "asset",
        "bars",
        "engine",
        "converged",
        "on_bound",
        "loglikelihood",
        "message",
    ]
    with pytest.raises(AttributeError):
        walk.volatility = None


@pytest.mark.parametrize("jump", [-0.6, 3.0])
def test_a_planted_jump_moves_nothing_before_it(frame, walk, jump):
    at = 245
    moved = frame.copy()
    moved.iloc[at] += jump
    again = volatility.walk_forward(moved, 200, 40, minimum=120, errors="normal")
    before, cut = slice(None, at), frame.index[at]
    for name in ("volatility", "mean", "residuals"):
        ours, theirs = getattr(walk, name), getattr(again, name)
        pd.testing.assert_frame_equal(ours.iloc[before], theirs.iloc[before], check_exact=True)
    for name in ("params", "record"):
        ours, theirs = getattr(walk, name), getattr(again, name)
        pd.testing.assert_frame_equal(
            ours[ours.time < cut], theirs[theirs.time < cut], check_exact=True
        )
    assert (again.volatility.iloc[at] > walk.volatility.iloc[at]).all()


def stubborn(monkeypatch, rows):
    """The compiled refits, but those of `rows` are said not to have converged."""
    compiled = _kernels.refits

    def refits(*arguments):
        points, values, converged, fresh = compiled(*arguments)
        converged[rows] = False
        return points, values, converged, fresh

    monkeypatch.setattr(_kernels, "refits", refits)


def test_what_does_not_converge_is_left_to_arch_on_the_record(frame, walk, monkeypatch):
    stubborn(monkeypatch, [1])
    again = volatility.walk_forward(frame[["A"]], 200, 40, minimum=120, errors="normal")
    assert again.record["engine"].tolist()[:3] == ["xcoll", "arch", "xcoll"]
    assert again.record["converged"].all()
    assert again.record["message"][1].startswith("did not converge; arch: ")
    ours = walk.record.query("asset == 'A'")["loglikelihood"].to_numpy()
    assert_allclose(again.record["loglikelihood"], ours, atol=1e-3)
    assert_allclose(again.volatility["A"], walk.volatility["A"], rtol=5e-3)


def test_where_arch_fails_too_the_last_parameters_are_kept(frame, monkeypatch):
    stubborn(monkeypatch, [1])
    nothing = _arch.estimate(np.zeros(100), "garch", "normal", "backcast")
    monkeypatch.setattr(_arch, "estimate", lambda *_: nothing)
    walk = volatility.walk_forward(frame[["A"]], 200, 80, minimum=120, errors="normal")
    assert walk.record["converged"].tolist() == [True, False, True, True]
    assert f"parameters of {frame.index[119]:%Y-%m-%d} kept" in walk.record["message"][1]
    assert walk.params["time"].nunique() == 3
    assert walk.mean["A"].iloc[199] == walk.mean["A"].iloc[119]
    assert walk.volatility["A"].iloc[119:].notna().all()


@pytest.mark.parametrize("model", ["garch", "gjr"])
def test_another_maximum_is_found_within_twenty_bars(model):
    frame = pd.DataFrame({"A": simulate(420, 21, nu=4, gamma=0.1, beta=0.75)}, index=dates(420))
    walk = volatility.walk_forward(frame, 250, model=model)
    missed = 0
    for row in walk.record.itertuples():
        alone = volatility.fit(frame["A"][: row.time].tail(250), model=model)
        under = alone.loglikelihood - row.loglikelihood > 1e-5
        missed = missed + 1 if under else 0
        assert missed < 20
        assert not (under and row.message.startswith("searched"))


def test_a_maximum_that_a_large_bar_opens_is_found():
    x = simulate(600, 22)
    x[450] = 0.6  # thirty standard deviations
    walk = volatility.walk_forward(pd.DataFrame({"A": x}, index=dates(600)), 300, errors="normal")
    at = walk.record["bars"].size - 600 + 450
    alone = volatility.fit(pd.Series(x[151:451], name="A"), errors="normal")
    assert walk.record["loglikelihood"][at] == pytest.approx(alone.loglikelihood, abs=1e-4)


@pytest.mark.parametrize("start", ["sample", "backcast"])
def test_filter_between_refits_starts_as_the_refit_did(start):
    x = simulate(300, 23)
    walk = volatility.walk_forward(
        pd.DataFrame({"A": x}, index=dates(300)), 200, 100, errors="normal", start=start
    )
    theta = walk.params["value"].to_numpy()[:4]
    initial = _arch.STARTS[start](x[:200], theta[0])
    path = plain_path(x[:299], *theta, initial)
    assert_allclose(walk.volatility["A"].iloc[199:299], np.sqrt(path[200:]), rtol=1e-10)


def test_models_of_arch_walk_too():
    frame = pd.DataFrame({"A": simulate(310, 24, nu=5)}, index=dates(310))
    walk = volatility.walk_forward(frame, 250, 40, model="egarch")
    assert walk.record["engine"].tolist() == ["arch", "arch"]
    assert walk.volatility["A"].iloc[249:].notna().all()
    alone = volatility.fit(frame["A"].iloc[:250], model="egarch")
    assert walk.volatility["A"].iloc[249] == pytest.approx(alone.volatility.iloc[-1], rel=1e-6)
    moved = frame.copy()
    moved.iloc[270] = 0.3
    again = volatility.walk_forward(moved, 250, 40, model="egarch")
    pd.testing.assert_series_equal(again.volatility["A"][:270], walk.volatility["A"][:270])


def test_last_fills_forward_only():
    points = np.array([[np.nan, 1], [1, 2], [np.nan, 3], [4, 5]])
    assert_allclose(likelihood._last(points), [[np.nan, 1], [1, 2], [1, 2], [4, 5]])


def test_constant_stretch_keeps_the_parameters_and_says_why():
    x = np.concatenate([simulate(100, 9), np.zeros(100), simulate(50, 10)])
    frame = pd.DataFrame({"A": x}, index=dates(250))
    walk = volatility.walk_forward(frame, 60, 30, errors="normal")
    stale = walk.record.loc[walk.record["time"].isin(frame.index[[179]])].iloc[0]
    assert not stale["converged"]
    assert "the return is constant over 60 bars; parameters of" in stale["message"]
    assert walk.mean["A"].iloc[179] == walk.mean["A"].iloc[178]


def test_walk_forward_refuses(frame):
    with pytest.raises(EstimationError, match=r"B: 295 bars, the first refit needs 320"):
        volatility.walk_forward(frame, 320)
    with pytest.raises(EstimationError, match="A: 1 missing returns inside the series"):
        volatility.walk_forward(holed(frame, 100), 100)
    with pytest.raises(EstimationError, match="none of 2 refits converged"):
        volatility.walk_forward(frame[["A"]] * 0.0, 180, 180)
    with pytest.raises(DataError, match="unsorted or repeats"):
        volatility.walk_forward(frame.iloc[::-1], 100)
    with pytest.raises(DataError, match="unsorted or repeats"):
        volatility.walk_forward(pd.concat([frame, frame.tail(1)]), 100)
    with pytest.raises(DataError, match="twice"):
        volatility.walk_forward(frame[["A", "A"]], 100)
    with pytest.raises(DataError, match="empty"):
        volatility.walk_forward(frame.iloc[:0], 100)
    with pytest.raises(DataError, match="give a time × asset DataFrame"):
        volatility.walk_forward(frame["A"], 100)
    for wrong in ({"window": 5}, {"refit_every": 0}, {"refit_every": 1.5}, {"minimum": 3}):
        with pytest.raises(ParameterError, match="whole number"):
            volatility.walk_forward(frame, **({"window": 100} | wrong))
