"""The engine on arch: arch itself, plain recursions, units, forecasts, bad starts, bad input."""

import warnings
from dataclasses import replace
from pathlib import Path

import arch
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import gammaln

from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.volatility import _arch
from xcoll.estimators.volatility._arch_likelihood import End, Likelihood

DATA = Path(__file__).parents[2] / "data"
THEIRS = {
    "garch": {"vol": "GARCH"},
    "gjr": {"vol": "GARCH", "o": 1},
    "egarch": {"vol": "EGARCH", "o": 1},
    "figarch": {"vol": "FIGARCH"},
}
PAIRS = [(model, errors) for model in _arch.MODELS for errors in _arch.ERRORS]


@pytest.fixture(scope="module")
def marks():
    return pd.read_csv(DATA / "dem2gbp.csv")["DEM2GBP"].to_numpy()


@pytest.fixture(scope="module")
def x(marks):
    return marks[:700]


@pytest.fixture(scope="module")
def fits(x):
    return {
        (model, errors): _arch.estimate(x, model, errors, "backcast") for model, errors in PAIRS
    }


def plain_variance(x, model, theta, initial):
    """Each model's recursion one bar at a time, in the unit of `x`; the last is the forecast."""
    mu, *rest = theta
    eps = x - mu
    if model == "egarch":
        omega, alpha, gamma, beta = rest
        h = [np.exp(omega + beta * np.log(initial))]
        for e in eps:
            z = e / np.sqrt(h[-1])
            shock = alpha * (abs(z) - np.sqrt(2 / np.pi)) + gamma * z
            h.append(np.exp(omega + shock + beta * np.log(h[-1])))
        return np.array(h)
    if model == "figarch":
        omega, phi, d, beta = rest
        delta, weights = d, [phi - beta + d]
        for i in range(2, 1001):
            before, delta = delta, delta * (i - 1 - d) / i
            weights.append(beta * weights[-1] + delta - phi * before)
        past = np.r_[np.full(1000, initial), eps**2][::-1]
        last = len(eps)
        return np.array(
            [omega / (1 - beta) + np.dot(weights, past[last - t :][:1000]) for t in range(last + 1)]
        )
    omega, alpha, *gamma, beta = rest
    gamma = gamma[0] if gamma else 0.0
    h = [omega + (alpha + gamma / 2 + beta) * initial]
    for e in eps:
        h.append(omega + (alpha + gamma * (e < 0)) * e**2 + beta * h[-1])
    return np.array(h)


def log_density(z, errors, shape):
    """Of the standardised error; Hansen (1994) for the skewed t."""
    if errors == "normal":
        return stats.norm.logpdf(z)
    nu = shape[0]
    skew = shape[1] if len(shape) > 1 else 0.0
    log_c = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(np.pi * (nu - 2))
    a = 4 * skew * np.exp(log_c) * (nu - 2) / (nu - 1)
    b = np.sqrt(1 + 3 * skew**2 - a**2)
    side = np.where(z < -a / b, 1 - skew, 1 + skew)
    return np.log(b) + log_c - (nu + 1) / 2 * np.log1p(((b * z + a) / side) ** 2 / (nu - 2))


@pytest.mark.parametrize(("model", "errors"), PAIRS)
def test_agrees_with_arch_called_directly(x, fits, model, errors):
    ours = fits[model, errors]
    theirs = arch.arch_model(x, dist=errors, rescale=False, **THEIRS[model]).fit(
        disp="off", show_warning=False, tol=1e-9
    )
    assert ours.converged
    assert -1e-6 < ours.loglikelihood - theirs.loglikelihood < 1e-2  # never the lower one
    assert len(ours.params) == len(theirs.params) == len(ours.names)
    scale = np.sqrt(np.diag(ours.covariance()["hessian"]))
    assert (np.abs(ours.params - theirs.params) < 0.05 * scale).all()
    assert_allclose(ours.variance[:-1], theirs.conditional_volatility**2, rtol=5e-3)
    ahead = theirs.forecast(horizon=1, reindex=False).variance.to_numpy()[0, 0]
    assert ours.variance[-1] == pytest.approx(ahead, rel=5e-3)


@pytest.mark.parametrize("start", ["sample", "backcast"])
@pytest.mark.parametrize(
    ("model", "errors"), [("garch", "t"), *((model, "skewt") for model in THEIRS)]
)
def test_likelihood_and_variance_are_the_plain_ones_in_the_unit_of_the_returns(
    x, model, errors, start
):
    percent = 0.01 * x[:300]
    fit = _arch.estimate(percent, model, errors, start)
    variance_names = len(_arch.MODELS[model].calm)
    theta, shape = fit.params[: 1 + variance_names], fit.params[1 + variance_names :]
    initial = _arch.STARTS[start](percent, theta[0])
    plain = plain_variance(percent, model, theta, initial)
    assert_allclose(fit.variance, plain, rtol=1e-7)
    z = (percent - theta[0]) / np.sqrt(plain[:-1])
    density = log_density(z, errors, shape) - 0.5 * np.log(plain[:-1])
    assert fit.loglikelihood == pytest.approx(density.sum(), abs=1e-6)


def test_sample_start_has_the_digits_of_the_benchmark(marks):
    # Fiorentini, Calzolari and Panattoni (1996); further digits and the sandwich: this project
    fit = _arch.estimate(marks, "garch", "normal", "sample")
    assert_allclose(fit.params, [-0.0061904084, 0.0107613979, 0.1531340618, 0.8059736703], 1e-6)
    assert fit.loglikelihood == pytest.approx(-1106.607881, abs=1e-6)
    errors = {kind: np.sqrt(np.diag(matrix)) for kind, matrix in fit.covariance().items()}
    hessian = [0.00846212, 0.00285271, 0.02652283, 0.03355269]
    sandwich = [0.00918935, 0.00649319, 0.05353170, 0.07246145]
    assert_allclose(errors["hessian"], hessian, rtol=5e-5)
    assert_allclose(errors["robust"], sandwich, rtol=1e-4)
    robust = fit.covariance()["hessian"] @ np.linalg.solve(
        fit.covariance()["opg"], fit.covariance()["hessian"]
    )
    assert_allclose(robust, fit.covariance()["robust"], rtol=1e-6)


@pytest.mark.parametrize(("model", "errors"), PAIRS)
def test_percent_and_fraction_give_the_same_answer(x, fits, model, errors):
    percent, fraction = fits[model, errors], _arch.estimate(x / 100, model, errors, "backcast")
    expected = dict(zip(percent.names, percent.params, strict=True))
    slope = np.eye(len(percent.params))
    slope[0, 0] = 1e-2
    expected["mu"] /= 100
    if model == "egarch":
        expected["omega"] += (1 - expected["beta"]) * np.log(1e-4)
        slope[1, percent.names.index("beta")] = -np.log(1e-4)
    else:
        expected["omega"] *= 1e-4
        slope[1, 1] = 1e-4
    width = np.sqrt(np.diag(slope @ percent.covariance()["hessian"] @ slope.T))
    assert (np.abs(fraction.params - list(expected.values())) < 1e-3 * width).all()
    assert_allclose(np.sqrt(np.diag(fraction.covariance()["hessian"])), width, rtol=1e-2)
    # EGARCH's |e| has a corner in μ at every return: its maximum is only as sharp as that
    near = 1e-3 if model == "egarch" else 1e-4
    assert_allclose(fraction.variance, percent.variance * 1e-4, rtol=near)
    gained = fraction.loglikelihood - percent.loglikelihood
    assert gained == pytest.approx(len(x) * np.log(100), abs=1e-5)


@pytest.mark.parametrize("model", ["egarch", "figarch"])
def test_path_at_other_parameters_is_the_plain_one(x, fits, model):
    fit = fits[model, "normal"]
    moved = fit.params + np.array([0.01, 0.002, 0.01, -0.01, -0.02])
    initial = _arch.STARTS["backcast"](x, moved[0])
    assert_allclose(fit.path(moved), plain_variance(x, model, moved, initial), rtol=1e-9)
    fewer = _arch.path(x[:250], moved, model, "normal", "backcast")
    initial = _arch.STARTS["backcast"](x[:250], moved[0])
    assert_allclose(fewer, plain_variance(x[:250], model, moved, initial), rtol=1e-9)


# --- forecasts ------------------------------------------------------------------------------


def test_garch_forecasts_are_the_closed_form(fits):
    fit = fits["gjr", "t"]
    _, omega, alpha, gamma, beta, _ = fit.params
    ahead = fit.forecast_variance(30)
    assert ahead[0] == pytest.approx(fit.variance[-1])
    assert_allclose(ahead[1:], omega + (alpha + gamma / 2 + beta) * ahead[:-1], rtol=1e-9)


@pytest.mark.parametrize(("model", "errors"), [("egarch", "normal"), ("figarch", "normal")])
def test_forecast_is_the_mean_of_the_simulated_variances(fits, model, errors):
    fit = fits[model, errors]
    ahead = fit.forecast_variance(12)
    assert ahead[0] == pytest.approx(fit.variance[-1], rel=1e-9)
    returns, variances = fit.simulate(12, 20_000, np.random.default_rng(0))
    assert returns.shape == variances.shape == (20_000, 12)
    noise = variances.std(0) / np.sqrt(20_000)
    assert (np.abs(variances.mean(0) - ahead) <= 4 * noise + 1e-12).all()


@pytest.mark.parametrize(
    ("model", "errors"), [("egarch", "skewt"), ("gjr", "t"), ("garch", "skewt")]
)
def test_simulated_returns_have_their_variance(fits, model, errors):
    fit = fits[model, errors]
    returns, variances = fit.simulate(3, 40_000, np.random.default_rng(1))
    z = (returns - fit.params[0]) / np.sqrt(variances)
    assert_allclose(z.mean(0), 0.0, atol=4 / np.sqrt(40_000))
    assert_allclose(z.std(0), 1.0, atol=0.05)  # σ, not σ²
    again = fit.simulate(3, 40_000, np.random.default_rng(1))[0]
    assert (again == returns).all()


def test_egarch_with_t_errors_has_no_mean_to_forecast(fits):
    fit = fits["egarch", "t"]
    assert fit.forecast_variance(1)[0] == pytest.approx(fit.variance[-1])
    with pytest.raises(EstimationError, match="no mean"):
        fit.forecast_variance(2)


# --- starts and their record ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "errors"), [("gjr", "t"), ("egarch", "skewt"), ("garch", "normal")]
)
def test_a_guess_leads_to_the_same_maximum_even_from_outside_the_bounds(x, fits, model, errors):
    fit = fits[model, errors]
    wild = fit.params.copy()
    wild[fit.names.index("beta")] = 1.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # arch warns when it throws a starting point away
        for guess in (fit.params, wild):
            warm = _arch.estimate(x, model, errors, "backcast", guess)
            assert warm.message == "warm start converged"
            assert warm.loglikelihood == pytest.approx(fit.loglikelihood, abs=1e-5)


def test_the_persistence_bound_is_recorded_and_other_starts_are_tried():
    rng = np.random.default_rng(0)
    x = np.exp(np.linspace(0, 4, 800)) * rng.standard_normal(800)  # a variance that only grows
    fit = _arch.estimate(x, "garch", "normal", "backcast")
    assert fit.on_bound
    assert fit.params[2:4].sum() > 1 - 1e-6
    assert fit.message == (
        "cold start converged on the persistence bound;"
        " calm start converged on the persistence bound"
    )


def ends(monkeypatch, *given):
    """The climbs end as `given`: log-likelihood, converged, on_bound."""
    queue, climb = list(given), Likelihood.climb

    def scripted(self, name, first):
        loglikelihood, converged, on_bound = queue.pop(0)
        end = climb(self, name, first)
        return replace(
            end,
            loglikelihood=loglikelihood,
            converged=converged,
            on_bound=on_bound,
            message=f"{name} scripted",
        )

    monkeypatch.setattr(Likelihood, "climb", scripted)
    return queue


@pytest.mark.parametrize(
    ("given", "tried", "kept"),
    [
        ([(5.0, True, False)], 1, 5.0),
        ([(5.0, False, False), (4.0, True, False)], 2, 4.0),
        ([(5.0, True, True), (7.0, True, True), (6.0, True, False)], 3, 7.0),
        ([(5.0, False, False), (7.0, False, False), (6.0, False, False)], 3, 7.0),
    ],
)
def test_the_best_converged_start_is_kept_and_all_are_named(x, monkeypatch, given, tried, kept):
    guess = np.array([0.0, 0.01, 0.1, 0.85])
    queue = ends(monkeypatch, *given)
    fit = _arch.estimate(x, "garch", "normal", "backcast", guess)
    assert not queue
    assert fit.loglikelihood == pytest.approx(kept - len(x) * np.log(x.std()))
    assert fit.converged == any(converged for _, converged, _ in given)
    named = [f"{name} start scripted" for name in ("warm", "cold", "calm")][:tried]
    assert fit.message == "; ".join(named)


def test_an_optimiser_that_stops_short_is_not_believed(x, monkeypatch):
    maximise = Likelihood._maximise

    class Stopped:
        def __init__(self, result):
            self.params, self.loglikelihood = result.params, result.loglikelihood
            self.convergence_flag = 9

    monkeypatch.setattr(Likelihood, "_maximise", lambda self, at: Stopped(maximise(self, at)))
    fit = _arch.estimate(x, "garch", "normal", "backcast")
    assert not fit.converged
    assert fit.message == (
        "cold start stopped with optimiser status 9; calm start stopped with optimiser status 9"
    )
    assert isinstance(Likelihood(x, "garch", "normal", "sample").climb("a start", None), End)


# --- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (np.zeros(0), "0 bars are too few"),
        (np.linspace(-1, 1, 59), "59 bars are too few"),
        (np.full(100, 0.01), "constant over 100 bars"),
        (np.r_[np.nan, np.linspace(-1, 1, 99)], "NaN"),
        (np.r_[np.inf, np.linspace(-1, 1, 99)], "infinite"),
        (1e200 * np.linspace(-1, 1, 99), "beyond 1e100"),
    ],
)
def test_what_cannot_be_fitted_says_why(bad, said):
    fit = _arch.estimate(bad, "gjr", "skewt", "sample")
    assert said in fit.message == _arch.unfit(bad)
    assert not fit.converged
    assert np.isnan(fit.params).all()
    assert fit.names == ["mu", "omega", "alpha", "gamma", "beta", "nu", "lambda"]
    assert len(fit.variance) == len(bad) + 1
    assert np.isnan(fit.covariance()["opg"]).all()
    with pytest.raises(EstimationError, match="nothing to forecast with"):
        fit.forecast_variance(1)


@pytest.mark.parametrize(
    "wrong", [("arch", "t", "sample"), ("gjr", "ged", "sample"), ("gjr", "t", "")]
)
def test_unknown_choices_are_refused(x, wrong):
    with pytest.raises(ParameterError, match="choose one of"):
        _arch.estimate(x, *wrong)


def test_bars_and_paths_are_whole_numbers(fits):
    with pytest.raises(ParameterError, match="bars"):
        fits["garch", "t"].forecast_variance(0)
    with pytest.raises(ParameterError, match="paths"):
        fits["garch", "t"].simulate(3, 0, np.random.default_rng(0))
