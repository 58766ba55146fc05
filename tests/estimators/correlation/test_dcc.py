"""DCC: other packages at fixed parameters, simulated truth, optimality, unequal histories."""

import itertools

import numpy as np
import pandas as pd
import pymgarch.estimation
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from tests.estimators.correlation.samples import plain_loglikelihood, plain_path, waves, world
from tests.estimators.samples import draw
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators import correlation
from xcoll.estimators.correlation import dcc, likelihood

# --- the likelihood -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "value"),
    [
        ((0.05, 0.90), -1043.52704447331),
        ((0.12, 0.60), -1008.043544478574),
        ((0.05, 0.90, 6.0), -1086.638792727953),
        ((0.03, 0.95, 12.5), -1072.9001067138188),
    ],
)
def test_loglikelihood_is_that_of_multiarch(params, value):
    # multiarch 0.2.0, sum of _kernels.dcc_loglik_obs on `waves`, its target z'z/T, Q0 the target.
    z = waves()
    ours = likelihood.evaluate(z, likelihood.second_moment(z), params)[0]
    assert ours == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize("assets", [2, 5, 10])
@pytest.mark.parametrize("nu", [np.inf, 7.5])
def test_loglikelihood_is_that_of_pymgarch(assets, nu):
    z = world(assets, 600, 0.05, 0.9, assets, nu=5.0).to_numpy()
    target, _ = pymgarch.estimation.correlation_targets(z)
    layout = pymgarch.estimation.ParamLayout(asymmetric=False, studentt=np.isfinite(nu))
    for a, b in [(0.02, 0.97), (0.1, 0.8), (0.0, 0.5), (0.3, 0.0)]:
        params = np.array([a, b, nu])[: layout.size]
        theirs = pymgarch.estimation.stage2_llt(params, z, target, None, layout).sum()
        ours = likelihood.evaluate(z, target, params)[0]
        assert ours == pytest.approx(theirs, abs=1e-8)


@pytest.mark.parametrize("nu", [np.inf, 5.0])
def test_loglikelihood_is_that_of_scipys_laws(nu):
    z = world(3, 60, 0.1, 0.8, 1, nu=6.0).to_numpy()
    target = likelihood.second_moment(z)
    params = (0.1, 0.8) if np.isinf(nu) else (0.1, 0.8, nu)
    plain = plain_loglikelihood(z, target, 0.1, 0.8, nu)
    assert likelihood.evaluate(z, target, params)[0] == pytest.approx(plain, abs=1e-8)


# --- the maximum ----------------------------------------------------------------------------


def test_no_grid_point_is_higher():
    z = world(4, 800, 0.05, 0.9, 2, nu=6.0)
    for errors, composite in itertools.product(("normal", "t"), ("joint", "all")):
        fitted = dcc.fit(z, errors, composite)
        assert fitted.converged
        _, pairs = dcc.likelihood_of(composite, 4)
        tail = () if errors == "normal" else (fitted.nu,)
        for a in np.linspace(0.0, 0.3, 13):
            for b in np.linspace(0.0, 0.99 - a, 13):
                value = likelihood.evaluate(
                    z.to_numpy(), fitted.target.to_numpy(), (a, b, *tail), pairs
                )[0]
                assert value <= fitted.loglikelihood + 1e-8


def test_a_fit_is_not_under_that_of_pymgarch():
    import scipy.optimize

    z = world(5, 700, 0.04, 0.93, 3, nu=8.0)
    fitted = dcc.fit(z, "t")
    target, _ = pymgarch.estimation.correlation_targets(z.to_numpy())
    layout = pymgarch.estimation.ParamLayout(asymmetric=False, studentt=True)

    def negative(x):
        values = pymgarch.estimation.stage2_llt(x, z.to_numpy(), target, None, layout)
        return 1e10 if values is None else -values.sum()

    theirs = scipy.optimize.minimize(negative, [0.05, 0.9, 8.0], method="Nelder-Mead")
    ours = likelihood.maximise(z.to_numpy(), target, "t")
    assert ours.loglikelihood >= -theirs.fun - 1e-6
    assert_allclose(ours.params, theirs.x, rtol=2e-3)
    # The target with variances as they are, not set to one, is another model, but a near one.
    assert_allclose([fitted.a, fitted.b], ours.params[:2], atol=5e-3)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("errors", ["normal", "t"])
def test_every_start_ends_at_the_same_place(seed, errors):
    frame = draw(400, 0.5, seed, nu=5) / 0.02
    z = np.ascontiguousarray(frame / frame.std())
    target = likelihood.second_moment(z)
    best = likelihood.maximise(z, target, errors)
    assert best.converged
    for start in ((0.01, 0.9), (0.2, 0.7), (0.05, 0.93)):
        guess = np.array([*start, 5.0] if errors == "t" else start)
        other = likelihood.maximise(z, target, errors, None, guess)
        assert other.converged
        assert other.loglikelihood <= best.loglikelihood + 0.5  # of the local maxima, no worse one


def test_on_the_bounds():
    # Draws without dynamics, whose maximum lies on a side of the triangle.
    found = {}
    for seed in (0, 2, 3):
        frame = draw(400, 0.5, seed, nu=5)
        z = (frame / frame.std()).to_numpy()
        for errors in ("normal", "t"):
            best = likelihood.maximise(z, likelihood.second_moment(z), errors)
            assert best.converged
            assert "Newton" in best.message
            found[seed, errors] = best
    assert found[0, "normal"].params[0] == found[0, "t"].params[0] == 0.0
    assert "b is not identified" in found[0, "normal"].message
    assert found[2, "normal"].params[1] == found[3, "t"].params[1] == 0.0
    assert all(found[key].on_bound for key in [(0, "normal"), (0, "t"), (2, "normal"), (3, "t")])
    assert not found[2, "t"].on_bound


def test_a_normal_world_has_no_tail():
    fitted = dcc.fit(world(4, 1500, 0.04, 0.92, 5), "t")
    assert fitted.converged
    assert fitted.nu > 40
    normal = dcc.fit(world(4, 1500, 0.04, 0.92, 5))
    assert normal.nu == np.inf
    assert fitted.loglikelihood >= normal.loglikelihood - 0.05


def test_a_stalled_newton_goes_on_elsewhere(monkeypatch):
    monkeypatch.setattr(likelihood, "STEPS", 1)
    z = world(3, 400, 0.05, 0.9, 6).to_numpy()
    found = likelihood.maximise(z, likelihood.second_moment(z), guess=np.array([0.3, 0.1]))
    assert found.message.startswith("SLSQP (")
    monkeypatch.undo()
    best = likelihood.maximise(z, likelihood.second_moment(z))
    assert found.loglikelihood == pytest.approx(best.loglikelihood, abs=1e-3)


@pytest.mark.parametrize("composite", ["joint", "contiguous", "all"])
def test_true_parameters_are_within_three_standard_errors(composite):
    fitted = dcc.fit(world(6, 4000, 0.04, 0.93, 7, nu=8.0), "t", composite)
    error = fitted.std_errors()
    truth = pd.Series({"a": 0.04, "b": 0.93, "nu": 8.0})
    found = pd.Series({"a": fitted.a, "b": fitted.b, "nu": fitted.nu})
    assert ((found - truth).abs() < 3 * error).all()
    assert error["a"] < 0.006
    assert fitted.composite == composite


def test_standard_errors_of_a_true_law_agree():
    fitted = dcc.fit(world(4, 6000, 0.05, 0.9, 8))
    kinds = [fitted.std_errors(kind) for kind in ("hessian", "opg", "robust")]
    assert_allclose(kinds[0], kinds[1], rtol=0.15)
    assert_allclose(kinds[0], kinds[2], rtol=0.15)
    with pytest.raises(ParameterError, match="kind"):
        fitted.std_errors("exact")


def test_many_assets_take_the_composite_likelihood():
    z = world(dcc.MANY, 300, 0.04, 0.9, 9)
    assert dcc.fit(z).composite == "contiguous"
    assert dcc.fit(z.iloc[:, 1:]).composite == "joint"
    wide = dcc.fit(world(60, 40, 0.02, 0.9, 10))  # more assets than bars
    assert wide.converged
    assert np.linalg.eigvalsh(wide.last)[0] > -1e-12


# --- paths ----------------------------------------------------------------------------------


def test_path_is_engles_recursion_at_the_estimate():
    z = world(4, 300, 0.05, 0.9, 11)
    fitted = dcc.fit(z)
    Q = plain_path(z.to_numpy(), fitted.target.to_numpy(), fitted.a, fitted.b)[1:]
    R = Q / np.sqrt(np.einsum("ti,tj->tij", *[np.diagonal(Q, axis1=1, axis2=2)] * 2))
    assert_allclose(correlation.matrices(fitted.correlation), R, rtol=0, atol=1e-12)
    assert_allclose(fitted.last, R[-1], rtol=0, atol=1e-12)
    assert fitted.correlation.columns.tolist() == correlation.pairs(list(z))


@given(st.integers(0, 2**32 - 1), st.sampled_from(["normal", "t"]))
@settings(max_examples=15, deadline=None)
def test_every_matrix_is_a_correlation_matrix(seed, errors):
    rng = np.random.default_rng(seed)
    z = pd.DataFrame(rng.standard_t(3, (200, 4)) @ rng.normal(size=(4, 4)), columns=list("ABCD"))
    z /= z.std()
    z.iloc[: rng.integers(1, 120), 2] = np.nan
    R = correlation.matrices(dcc.fit(z, errors).correlation)
    R = R[np.isfinite(R).all(axis=(1, 2))]
    assert len(R) >= 80
    assert (np.abs(R) <= 1.0).all()
    assert np.linalg.eigvalsh(R)[:, 0].min() > -1e-12


def test_scales_of_residuals_do_not_matter_to_the_path():
    z = world(3, 500, 0.05, 0.9, 12).to_numpy()
    scaled = z * [0.5, 1.0, 2.0]
    one, other = (dcc.path_of(x, dcc.target_of(x), 0.05, 0.9)[0] for x in (z, scaled))
    assert_allclose(one, other, rtol=0, atol=1e-12)


def test_a_later_asset_joins_at_what_the_others_let_expect():
    z = world(4, 900, 0.05, 0.9, 13)
    late = z.copy()
    late.iloc[:500, 1] = np.nan
    fitted = dcc.fit(late)
    assert fitted.bars == 400
    first = fitted.correlation["A0~A1"].first_valid_index()
    assert first == z.index[500]
    assert fitted.correlation["A0~A2"].notna().all()
    # An asset that repeats an earlier one but for noise has that one's path from its first bar.
    rng = np.random.default_rng(14)
    z["A3"] = z["A0"] + 0.01 * rng.standard_normal(len(z))
    z.iloc[:500, 3] = np.nan
    twin = dcc.fit(z, composite="all").correlation
    assert_allclose(twin["A1~A3"].iloc[500:], twin["A0~A1"].iloc[500:], atol=0.02)


def test_target_of_unequal_histories_is_the_maximum_likelihood():
    # EM on a normal law with monotone missing values has Stambaugh's estimate as its fixed point.
    z = world(3, 300, 0.0, 0.0, 15, rho=0.7).to_numpy().copy()
    z[:180, 2] = np.nan
    target = dcc.target_of(z)
    beta = np.linalg.solve(target[:2, :2], target[:2, 2])
    rest = target[2, 2] - beta @ target[:2, 2]
    filled = np.where(np.isfinite(z), z, 0.0)
    filled[:180, 2] = z[:180, :2] @ beta
    again = filled.T @ filled / 300
    again[2, 2] += 180 / 300 * rest
    assert_allclose(again, target, rtol=0, atol=1e-12)


def test_a_delisted_asset_leaves():
    z = world(3, 600, 0.05, 0.9, 16)
    z.iloc[400:, 0] = np.nan
    fitted = dcc.fit(z)
    assert fitted.correlation["A0~A1"].last_valid_index() == z.index[399]
    assert fitted.last.columns.tolist() == ["A1", "A2"]
    assert fitted.simulate(3, 4, np.random.default_rng(0)).shape == (4, 3, 2)


# --- simulation -----------------------------------------------------------------------------


@pytest.mark.parametrize("errors", ["normal", "t"])
def test_simulated_paths_give_back_volatility_and_correlation(errors):
    fitted = dcc.fit(world(3, 2000, 0.04, 0.92, 17, nu=9.0), errors)
    sigma = np.array([0.02, 0.05, 0.10])
    paths = 40_000
    first = sigma * fitted.simulate(1, paths, np.random.default_rng(18))[:, 0]
    spread = first.std(axis=0)
    kurtosis = ((first / spread) ** 4).mean(axis=0)
    assert (np.abs(spread / sigma - 1) < 3 * np.sqrt((kurtosis - 1) / 4 / paths)).all()
    upper = np.triu_indices(3, 1)
    rho = fitted.last.to_numpy()[upper]
    error = (1 - rho**2) / np.sqrt(paths) * (1.5 if errors == "t" else 1.0)
    assert (np.abs(np.corrcoef(first.T)[upper] - rho) < 3 * error).all()


def test_a_long_simulation_comes_back_to_its_parameters():
    fitted = dcc.fit(world(4, 3000, 0.05, 0.9, 19, nu=7.0), "t")
    long = fitted.simulate(6000, 1, np.random.default_rng(20))[0]
    again = dcc.fit(pd.DataFrame(long, columns=fitted.last.columns), "t")
    error = again.std_errors()
    assert abs(again.a - fitted.a) < 3 * error["a"]
    assert abs(again.b - fitted.b) < 3 * error["b"]
    assert abs(again.nu - fitted.nu) < 3 * error["nu"]


def test_simulation_repeats_with_its_seed():
    fitted = dcc.fit(world(3, 300, 0.05, 0.9, 21))
    one, two = (fitted.simulate(5, 7, np.random.default_rng(1)) for _ in range(2))
    assert (one == two).all()


# --- bad input ------------------------------------------------------------------------------


def test_refusals():
    z = world(3, 200, 0.05, 0.9, 22)
    with pytest.raises(EstimationError, match=r"A0: mean square under 0\.02; give standardised"):
        dcc.fit(z * [0.02, 1.0, 1.0])
    with pytest.raises(EstimationError, match="A0, A2 repeat one another"):
        dcc.fit(z.assign(A2=-z["A0"]))
    with pytest.raises(EstimationError, match="singular: an asset repeats"):
        dcc.fit(z.assign(A2=z["A0"]), composite="all")
    with pytest.raises(EstimationError, match="singular: an asset repeats"):
        correlation.walk_forward(z.assign(A2=z["A0"]), 150, minimum=150)
    with pytest.raises(EstimationError, match="20 bars that all assets have; 30 are needed"):
        dcc.fit(z.iloc[:20])
    with pytest.raises(EstimationError, match="needs two assets"):
        dcc.fit(z[["A0"]])
    with pytest.raises(EstimationError, match="A1: 1 missing returns inside"):
        dcc.fit(z.where(~((z.index == z.index[50])[:, None] & (z.columns == "A1"))))
    with pytest.raises(EstimationError, match="infinite"):
        dcc.fit(z.replace(z.iloc[9, 0], np.inf))
    with pytest.raises(DataError, match="empty"):
        dcc.fit(z.iloc[:0])
    with pytest.raises(DataError, match="rename"):
        dcc.fit(z.rename(columns={"A0": "A~0"}))
    with pytest.raises(ParameterError, match="'normal', 't'"):
        dcc.fit(z, "skewt")
    with pytest.raises(ParameterError, match="'all', 'contiguous', 'joint'"):
        dcc.fit(z, composite="pairs")
    with pytest.raises(ParameterError, match="paths"):
        dcc.fit(z).simulate(5, 0, np.random.default_rng(0))
    gap = z.copy()
    gap.iloc[100:, 0], gap.iloc[:120, 1] = np.nan, np.nan
    with pytest.raises(EstimationError, match="0 bars that all assets have"):
        dcc.fit(gap)
