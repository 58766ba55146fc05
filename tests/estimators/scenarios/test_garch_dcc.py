"""GARCH–DCC–t with jumps: what it gives back, plain twins, no look-ahead, streams, refusals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal

from tests.estimators.scenarios.samples import (
    ASSETS,
    JUMPS,
    Q_BAR,
    Q_NOW,
    SIGMA,
    bars,
    garch,
    process,
    square,
)
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators.correlation import _kernels, dcc
from xcoll.estimators.scenarios import Excess, GarchDcc, Jumps
from xcoll.estimators.volatility import fit_each

UPPER = np.triu_indices(3, 1)
WITH_AND_WITHOUT = pytest.mark.parametrize("jumps", [None, JUMPS], ids=["plain", "jumps"])


def rng(seed=0):
    return np.random.default_rng(seed)


def returns_of(paths):
    return np.diff(np.log(paths.closes), axis=1)


def assert_moments(r, sigma, R, errors=3.0):
    """Mean 0, σ and ρ of rows of returns, each within so many of its standard errors."""
    n, z = len(r), r / sigma
    assert (np.abs(z.mean(axis=0)) < errors * z.std(axis=0) / np.sqrt(n)).all()
    spread = np.sqrt((z**2).mean(axis=0))  # delta method: se(s) = se(s²) / 2s
    assert (np.abs(spread - 1.0) < errors * (z**2).std(axis=0) / 2.0 / np.sqrt(n)).all()
    assert (np.abs((r**2).mean(axis=0) / sigma - 1.0) > 0.5).all()  # σ, and not σ²
    rho = np.corrcoef(z.T)[UPPER]
    y, x = z[:, UPPER[0]], z[:, UPPER[1]]
    influence = y * x - R[UPPER] * (y**2 + x**2) / 2.0
    assert (np.abs(rho - R[UPPER]) < errors * influence.std(axis=0) / np.sqrt(n)).all()


# --- what it gives back ---------------------------------------------------------------------


@WITH_AND_WITHOUT
@pytest.mark.parametrize("nu", [9.0, np.inf])
def test_the_first_bar_gives_back_volatility_and_correlation(jumps, nu):
    made = process(jumps=jumps, nu=nu).simulate(80_000, 1, rng(1))
    R = dcc.correlation_of(Q_NOW.to_numpy())
    assert_moments(returns_of(made)[:, 0], SIGMA.to_numpy(), R)


@WITH_AND_WITHOUT
def test_every_bar_gives_them_back_where_they_are_constant(jumps):
    fixed = garch(0.0, 0.0, 1.0)
    made = process(garch=fixed, a=0.0, b=0.0, Q_now=Q_BAR, jumps=jumps).simulate(8_000, 12, rng(2))
    R = dcc.correlation_of(Q_BAR.to_numpy())
    assert_moments(returns_of(made).reshape(-1, 3), SIGMA.to_numpy(), R)


@WITH_AND_WITHOUT
def test_variance_comes_back_to_its_long_run_level(jumps):
    start = SIGMA * [0.5, 2.0, 1.0]
    paths, n = 30_000, 20
    r = returns_of(process(sigma_now=start, jumps=jumps).simulate(paths, n, rng(3)))
    ahead = SIGMA.to_numpy() ** 2 * (1 - 0.98 ** np.arange(n))[:, None]
    expected = ahead + start.to_numpy() ** 2 * (0.98 ** np.arange(n))[:, None]
    for s in (0, 1, 7, n - 1):
        error = (r[:, s] ** 2).std(axis=0) / np.sqrt(paths)
        assert (np.abs((r[:, s] ** 2).mean(axis=0) - expected[s]) < 3.0 * error).all()
    total = r.sum(axis=1) ** 2  # returns are not autocorrelated: variances add up
    error = total.std(axis=0) / np.sqrt(paths)
    assert (np.abs(total.mean(axis=0) - expected.sum(axis=0)) < 3.0 * error).all()


def test_a_fall_lifts_gjr_volatility_more_and_its_level_stays():
    paths, n = 40_000, 10
    r = returns_of(process(garch=garch(0.02, 0.12, 0.9)).simulate(paths, n, rng(4)))
    error = (r[:, -1] ** 2).std(axis=0) / np.sqrt(paths)
    assert (np.abs((r[:, -1] ** 2).mean(axis=0) - SIGMA**2) < 3.0 * error).all()
    fell = r[:, 0] < 0.0
    for k in range(3):
        after = r[:, 1, k] ** 2
        size = (r[:, 0, k] ** 2).mean()
        rise = after[fell[:, k]].mean() - after[~fell[:, k]].mean()
        assert rise == pytest.approx(0.12 * size, rel=0.35)


def test_shocks_share_their_extremes():
    joint = returns_of(process(Q_now=square(np.eye(3)), nu=4.0).simulate(60_000, 1, rng(5)))[:, 0]
    alone = returns_of(process(Q_now=square(np.eye(3)), nu=np.inf).simulate(60_000, 1, rng(5)))[
        :, 0
    ]
    together = []
    for r in (joint, alone):
        worst = r < np.quantile(r, 0.01, axis=0)
        together.append((worst[:, 0] & worst[:, 1]).sum() / worst[:, 0].sum())
    assert together[0] > 0.08  # t copula of no correlation with ν 4: 0.10 at the 1 % quantile
    assert together[1] < 0.03


def test_jumps_make_joint_falls_and_no_joint_rises():
    large = Jumps(0.01, np.ones(1), pd.Series(-6.0, ASSETS))
    plain, jumpy = (
        returns_of(process(jumps=j, nu=np.inf).simulate(50_000, 1, rng(6)))[:, 0] / SIGMA.to_numpy()
        for j in (None, large)
    )
    assert (plain < -3.5).all(axis=1).sum() < 20
    assert (jumpy < -3.5).all(axis=1).mean() == pytest.approx(0.01, rel=0.1)
    assert (jumpy > 3.5).all(axis=1).sum() < 20


# --- plain twins ----------------------------------------------------------------------------


def plain(model, x, J):
    """One path in letters: jumps taken out of and put into the factor f = ℓ'R⁻¹y / ℓ'R⁻¹ℓ."""
    Q, Q_bar = model.Q_now.to_numpy(), model.Q_bar.to_numpy()
    omega, alpha, gamma, beta = model.garch.to_numpy().T
    h, found = model.sigma_now.to_numpy() ** 2, []
    for shock, jump in zip(x, J, strict=True):
        d = np.sqrt(np.diag(Q))
        R = Q / np.outer(d, d)
        y = np.linalg.cholesky(R) @ shock
        if model.jumps is not None:
            loading = model.jumps.loadings.to_numpy()
            flat = dcc.correlation_of(Q_bar)
            share = loading @ np.linalg.inv(flat) @ loading
            share *= model.jumps.intensity * (model.jumps.sizes**2).mean()
            s = loading @ np.linalg.inv(R) @ loading
            f = loading @ np.linalg.inv(R) @ y / s
            y = y - loading * (1 - np.sqrt(1 - share)) * f + loading * np.sqrt(share / s) * jump
        r = np.sqrt(h) * y
        found.append(r)
        h = omega + alpha * r**2 + gamma * np.where(r < 0, r**2, 0.0) + beta * h
        Q = (1 - model.a - model.b) * Q_bar + model.a * np.outer(y, y) + model.b * Q
    return np.array(found)


@WITH_AND_WITHOUT
def test_paths_are_those_of_the_plain_twin(jumps):
    model = process(garch=garch(0.03, 0.1, 0.9), jumps=jumps)
    streams = rng(7).spawn(4)
    x = streams[0].standard_normal((6, 25, 3))
    x *= np.sqrt(7.0 / streams[1].chisquare(9.0, (6, 25)))[..., None]
    J = np.zeros((6, 25)) if jumps is None else jumps.draw(6, 25, streams[2])
    made = returns_of(model.simulate(6, 25, rng(7)))
    for p in range(6):
        assert_allclose(made[p], plain(model, x[p], J[p]), rtol=0, atol=1e-12)


def test_correlation_is_that_of_the_dcc_kernel():
    model = process(garch=garch(0.0, 0.0, 1.0))
    normals, mixing = rng(8).spawn(4)[:2]
    shocks = normals.standard_normal((5, 40, 3))
    scale = np.sqrt(7.0 / mixing.chisquare(9.0, (5, 40)))
    out, target = np.empty_like(shocks), Q_BAR.to_numpy().copy()
    state = (Q_NOW.to_numpy() - target) / 0.05
    assert _kernels.simulated(shocks, scale, target, 0.05, 0.9, state, out)
    made = returns_of(model.simulate(5, 40, rng(8))) / SIGMA.to_numpy()
    assert_allclose(made, out, rtol=0, atol=1e-10)


def test_lows_are_the_close_less_the_drawn_excess():
    returns, low = bars()
    sigma = pd.DataFrame(0.03, returns.index, ASSETS)
    model = process(garch=garch(0.0, 0.0, 1.0), excess=Excess.of(returns, sigma, low, 10))
    made = model.simulate(8, 15, rng(9))
    r = returns_of(made)
    drawn = model.excess.draw(r / SIGMA.to_numpy(), rng(9).spawn(4)[3].random((8, 15)))
    expected = np.minimum(r, 0.0) - drawn * SIGMA.to_numpy()
    assert_allclose(np.log(made.lows[:, 1:] / made.closes[:, :-1]), expected, atol=1e-9)
    without = replace(model, excess=None).simulate(8, 15, rng(9))
    assert_array_equal(without.closes, made.closes)
    both = np.minimum(without.closes[:, 1:], without.closes[:, :-1])
    assert_allclose(without.lows[:, 1:], both, rtol=1e-12)


@given(
    st.integers(0, 2**32 - 1), st.sampled_from([2.2, 4.0, np.inf]), st.sampled_from([None, JUMPS])
)
@settings(max_examples=25, deadline=None)
def test_lows_are_at_or_under_both_closes(seed, nu, jumps):
    returns, low = bars(120, seed % 1000)
    sigma = pd.DataFrame(0.03, returns.index, ASSETS)
    model = process(nu=nu, jumps=jumps, excess=Excess.of(returns, sigma, low))
    made = model.simulate(20, 10, rng(seed))
    assert (made.lows[:, 1:] <= np.minimum(made.closes[:, 1:], made.closes[:, :-1])).all()


# --- the fit --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["garch", "gjr"])
def test_the_fit_is_that_of_the_estimators(model):
    returns, low = bars(500)
    fitted = GarchDcc.fit(returns, low, model=model, jump_quantile=0.01)
    margins = fit_each(returns, model)
    joint = dcc.fit(margins.residuals, "t")
    for name in ("omega", "alpha", "beta"):
        assert_series_equal(fitted.garch[name], margins.params[name])
    assert (fitted.garch["gamma"] == margins.params.get("gamma", 0.0)).all()
    assert_series_equal(fitted.sigma_now, margins.volatility.iloc[-1])
    assert (fitted.a, fitted.b, fitted.nu) == (joint.a, joint.b, joint.nu)
    assert_allclose(dcc.correlation_of(fitted.Q_now.to_numpy()), joint.last, atol=1e-12)
    assert_series_equal(fitted.jumps.loadings, Jumps.fit(margins.residuals, 0.01).loadings)
    assert_frame_equal(fitted.excess.score, returns / margins.volatility.shift())
    assert fitted.bar == pd.Timedelta("1D")
    assert 0.0 < fitted.share < 1.0
    assert fitted.simulate(4, 6, rng()).closes.shape == (4, 7, 3)


def test_a_later_listing_is_understood():
    returns, low = bars(500)
    returns.iloc[:150, 2] = low.iloc[:150, 2] = np.nan
    fitted = GarchDcc.fit(returns, low, jump_quantile=0.01)
    assert_allclose(fitted.garch.loc["BTC"], GarchDcc.fit(*bars(500)).garch.loc["BTC"])
    assert fitted.excess.score["XRP"].count() == 349
    bare = GarchDcc.fit(returns, jump_quantile=None)
    assert bare.jumps is None
    assert bare.excess is None


def test_a_later_jump_changes_nothing():
    returns, low = bars(500)
    planted, deep = returns.copy(), low.copy()
    planted.iloc[450] = deep.iloc[450] = -0.8
    t = returns.index[449]
    before, after = (
        GarchDcc.fit(r.loc[:t], x.loc[:t]) for r, x in ((returns, low), (planted, deep))
    )
    for name in ("garch", "sigma_now", "Q_bar", "Q_now"):
        assert_array_equal(getattr(before, name), getattr(after, name))
    assert (before.a, before.b, before.nu) == (after.a, after.b, after.nu)
    assert_array_equal(before.jumps.loadings, after.jumps.loadings)
    one, two = (model.simulate(5, 10, rng(10)) for model in (before, after))
    assert_array_equal(one.closes, two.closes)
    assert_array_equal(one.lows, two.lows)
    t = returns.index[450]
    seen = GarchDcc.fit(planted.loc[:t], deep.loc[:t])
    assert (seen.sigma_now > before.sigma_now).all()
    assert (seen.jumps.loadings < before.jumps.loadings).all()


def test_what_was_simulated_is_estimated_again():
    truth = process(garch=garch(0.06, 0.0, 0.9), Q_now=Q_BAR, nu=7.0)
    close, _ = truth.simulate(1, 6000, rng(11)).window(0)
    again = GarchDcc.fit(np.log(close).diff().iloc[1:], jump_quantile=None)
    error = dcc.fit(fit_each(np.log(close).diff().iloc[1:]).residuals, "t").std_errors()
    assert abs(again.a - 0.05) < 3.0 * error["a"]
    assert abs(again.b - 0.9) < 3.0 * error["b"]
    assert abs(again.nu - 7.0) < 3.0 * error["nu"]
    assert_allclose(again.garch["alpha"], 0.06, atol=0.03)
    assert_allclose(again.garch["beta"], 0.9, atol=0.05)


# --- streams and refusals -------------------------------------------------------------------


def full():
    returns, low = bars()
    sigma = pd.DataFrame(0.03, returns.index, ASSETS)
    return process(jumps=JUMPS, excess=Excess.of(returns, sigma, low))


def test_streams():
    model = full()
    few, many = model.simulate(10, 30, rng(12)), model.simulate(100, 30, rng(12))
    assert_array_equal(few.closes, many.closes[:10])
    assert_array_equal(few.lows, many.lows[:10])
    assert len(np.unique(many.closes[:, 1, 0])) == 100
    one = rng(12)
    assert_array_equal(model.simulate(10, 30, one).lows, few.lows)
    assert (model.simulate(10, 30, one).closes != few.closes).any(axis=(1, 2)).all()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"a": 0.1, "b": 0.9}, ParameterError, "a \\+ b is 1; the recursion needs less than 1"),
        ({"a": -0.1}, ParameterError, "a is -0.1"),
        ({"nu": 2.0}, ParameterError, "nu is 2.0; give more than 2"),
        ({"nu": np.nan}, ParameterError, "nu is nan; give more than 2"),
        ({"Q_bar": square(np.ones((3, 3)))}, ParameterError, "Q_bar is no positive definite"),
        ({"Q_now": -Q_NOW}, ParameterError, "Q_now is no positive definite"),
        ({"Q_now": Q_NOW * np.nan}, ParameterError, "Q_now is no positive definite"),
        ({"Q_now": Q_NOW + np.triu(np.ones((3, 3)), 1)}, ParameterError, "Q_now is no positive"),
        ({"sigma_now": SIGMA - 0.05}, ParameterError, "sigma_now of BTC is -0.03"),
        ({"sigma_now": SIGMA[::-1]}, DataError, "sigma_now and garch differ in assets"),
        ({"Q_bar": Q_BAR.iloc[:2]}, DataError, "rows of Q_bar and garch differ"),
        ({"Q_now": Q_NOW.iloc[:, :2]}, DataError, "columns of Q_now and garch differ"),
        ({"garch": garch().drop(columns="gamma")}, DataError, "garch lacks the column gamma"),
        ({"garch": garch().iloc[:1]}, EstimationError, "needs two assets, not 1"),
        ({"garch": -garch()}, ParameterError, "negative or infinite"),
        ({"garch": garch() * np.nan}, ParameterError, "negative or infinite"),
        ({"garch": garch().assign(beta=0.93)}, ParameterError, "β is 1.01; give at most 1"),
        ({"garch": garch().assign(gamma=-0.1)}, ParameterError, "α \\+ γ not under 0"),
        (
            {"jumps": replace(JUMPS, loadings=JUMPS.loadings.iloc[:2])},
            DataError,
            "loadings of jumps and garch differ",
        ),
        ({"jumps": replace(JUMPS, intensity=0.2)}, EstimationError, "take .* of the variance"),
    ],
)
def test_parameters_that_are_refused(changes, error, words):
    with pytest.raises(error, match=words):
        process(**changes)


def test_simulations_that_are_refused():
    for name, arguments in {"paths": (0, 5), "bars": (5, 0)}.items():
        with pytest.raises(ParameterError, match=f"{name} is 0"):
            process().simulate(*arguments, rng())
    with pytest.raises(DataError, match="excess and garch differ"):
        process(excess=Excess(*(pd.DataFrame({"BTC": range(30)}) for _ in range(2))))


def test_histories_that_are_refused():
    returns, low = bars(300)
    hole = returns.copy()
    hole.iloc[100, 1] = np.nan
    with pytest.raises(EstimationError, match="ETH: 1 missing returns inside"):
        GarchDcc.fit(hole)
    with pytest.raises(EstimationError, match="needs two assets, the returns have 1"):
        GarchDcc.fit(returns[["BTC"]])
    with pytest.raises(EstimationError, match=r"BTC: .* GARCH cannot be fitted"):
        GarchDcc.fit(returns.iloc[:40])
    gone = returns.copy()
    gone.iloc[250:, 1] = np.nan
    with pytest.raises(EstimationError, match="ETH has no return at the last bar"):
        GarchDcc.fit(gone)
    with pytest.raises(EstimationError, match="hold 2 jumps, 3 are needed"):
        GarchDcc.fit(returns)
    with pytest.raises(DataError, match=r"the low of .* at 2020-01-01 00:00:00 is above its close"):
        GarchDcc.fit(returns, low * 0.0)
    with pytest.raises(EstimationError, match="repeat one another"):
        GarchDcc.fit(returns.assign(XRP=returns["BTC"]))
    with pytest.raises(ParameterError, match="'garch', 'gjr'"):
        GarchDcc.fit(returns, model="egarch")
