"""One fit: published benchmark, arch, densities, simulated truth, forecasts, bad input."""

from pathlib import Path

import arch
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from tests.estimators.samples import dates
from tests.estimators.volatility.plain import plain_path, simulate
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators import volatility

DATA = Path(__file__).parents[2] / "data"

# Fiorentini, Calzolari and Panattoni (1996) and McCullough and Renfro (1999) print six digits;
# the further ones, and the sandwich errors, were computed for this project.
BENCHMARK = {
    "mu": -0.0061904084,
    "omega": 0.0107613979,
    "alpha": 0.1531340618,
    "beta": 0.8059736703,
}
HESSIAN = {"mu": 0.00846212, "omega": 0.00285271, "alpha": 0.02652283, "beta": 0.03355269}
SANDWICH = {"mu": 0.00918935, "omega": 0.00649319, "alpha": 0.05353170, "beta": 0.07246145}


@pytest.fixture(scope="module")
def marks():
    return pd.read_csv(DATA / "dem2gbp.csv")["DEM2GBP"]


def test_benchmark_to_its_printed_digits(marks):
    fit = volatility.fit(marks, errors="normal", start="sample")
    assert fit.engine == "xcoll"
    for name, value in BENCHMARK.items():
        assert fit.params[name] == pytest.approx(value, rel=1e-7)
    assert fit.loglikelihood == pytest.approx(-1106.607881, abs=5e-7)
    for name in BENCHMARK:
        assert fit.std_errors("hessian")[name] == pytest.approx(HESSIAN[name], rel=2e-6)
        assert fit.std_errors("robust")[name] == pytest.approx(SANDWICH[name], rel=2e-6)


def test_start_up_is_a_choice_that_matters(marks):
    sample = volatility.fit(marks, errors="normal", start="sample")
    backcast = volatility.fit(marks, errors="normal", start="backcast")
    assert abs(backcast.params["omega"] / sample.params["omega"] - 1) > 0.05


@pytest.mark.parametrize("model", ["garch", "gjr"])
@pytest.mark.parametrize("errors", ["normal", "t"])
def test_agrees_with_arch_called_directly(marks, model, errors):
    theirs = arch.arch_model(marks, dist=errors, o=int(model == "gjr"))
    theirs = theirs.fit(disp="off", show_warning=False, tol=1e-12)
    ours = volatility.fit(marks, model, errors)
    assert ours.loglikelihood == pytest.approx(theirs.loglikelihood, abs=1e-4)
    assert_allclose(ours.params, theirs.params, rtol=5e-3, atol=1e-4)
    assert_allclose(ours.volatility[:-1], theirs.conditional_volatility[1:], rtol=1e-3)
    ahead = theirs.forecast(horizon=10, reindex=False).variance.to_numpy()[0]
    assert_allclose(ours.forecast(10), np.sqrt(ahead), rtol=1e-3)
    assert_allclose(ours.std_errors("robust"), theirs.std_err, rtol=2e-2)


def test_outer_product_errors_from_the_densities(marks):
    x = marks.to_numpy()
    fit = volatility.fit(marks, "gjr", "t", "sample")

    def densities(theta):
        mu, omega, alpha, gamma, beta, nu = theta
        h = plain_path(x, mu, omega, alpha, beta, np.mean((x - mu) ** 2), gamma)[:-1]
        return stats.t.logpdf(x, nu, mu, np.sqrt(h * (nu - 2) / nu))

    theta = fit.params.to_numpy()
    steps = np.diag(1e-6 * np.maximum(np.abs(theta), 1e-2))
    scores = np.array(
        [(densities(theta + d) - densities(theta - d)) / (2 * d.sum()) for d in steps]
    )
    expected = np.sqrt(np.diag(np.linalg.inv(scores @ scores.T)))
    assert_allclose(fit.std_errors("opg"), expected, rtol=1e-4)


@pytest.mark.parametrize("errors", ["normal", "t"])
def test_loglikelihood_is_the_sum_of_the_densities(errors):
    x = pd.Series(simulate(400, 3, nu=6), name="A")
    fit = volatility.fit(x, errors=errors, start="sample")
    mu, omega, alpha, beta = fit.params.iloc[:4]
    sigma = np.sqrt(plain_path(x, mu, omega, alpha, beta, np.mean((x - mu) ** 2)))[:-1]
    if errors == "normal":
        density = stats.norm.logpdf(x, mu, sigma)
    else:
        nu = fit.params["nu"]
        density = stats.t.logpdf(x, nu, mu, sigma * np.sqrt((nu - 2) / nu))
    assert fit.loglikelihood == pytest.approx(density.sum(), abs=1e-6)
    assert_allclose(fit.residuals, (x - mu) / sigma, rtol=1e-9)


@pytest.mark.parametrize("errors", ["normal", "t"])
def test_percent_and_fraction_give_the_same_answer(errors):
    x = pd.Series(simulate(500, 4, nu=5), name="A")
    fraction, percent = (volatility.fit(scale * x, errors=errors) for scale in (1.0, 100.0))
    unit = np.array([100.0, 1e4, 1.0, 1.0, 1.0])[: len(fraction.params)]
    assert_allclose(percent.params, fraction.params * unit, rtol=1e-6, atol=1e-12)
    assert_allclose(percent.volatility, 100 * fraction.volatility, rtol=1e-8)
    assert percent.loglikelihood == pytest.approx(
        fraction.loglikelihood - len(x) * np.log(100), abs=1e-8
    )
    assert_allclose(percent.std_errors(), fraction.std_errors() * unit, rtol=1e-5)


def test_simulated_parameters_come_back():
    x = pd.Series(simulate(6000, 5, nu=7), name="A")
    fit = volatility.fit(x, errors="t")
    truth = np.array([0.0005, 2e-5, 0.1, 0.85, 7.0])
    assert (np.abs(fit.params - truth) < 3 * fit.std_errors()).all()
    assert np.std(fit.residuals) == pytest.approx(1.0, abs=0.05)  # σ, not σ²


def test_interval_holds_the_forecast_and_widens_with_confidence(marks):
    fit = volatility.fit(marks)
    narrow, wide = fit.interval(0.5), fit.interval(0.95)
    assert wide[0] < narrow[0] < fit.volatility.iloc[-1] < narrow[1] < wide[1]


def test_interval_is_the_delta_method(marks):
    fit = volatility.fit(marks, errors="normal", start="sample")
    rng = np.random.default_rng(0)
    draws = rng.multivariate_normal(fit.params, 1e-4 * fit.covariance["hessian"], size=400)
    x = marks.to_numpy()
    ends = [np.log(plain_path(x, *theta, np.mean((x - theta[0]) ** 2))[-1]) / 2 for theta in draws]
    low, high = fit.interval(0.9, kind="hessian")
    expected = np.std(ends) / 1e-2 * stats.norm.ppf(0.95)
    assert np.log(high / low) / 2 == pytest.approx(expected, rel=0.12)


def test_interval_on_an_edge_takes_what_is_held_as_known():
    x = pd.Series(np.random.default_rng(11).standard_normal(200), name="A")  # α or β is zero
    fit = volatility.fit(x, errors="normal")
    assert fit.params[["alpha", "beta"]].min() < 1e-6
    low, high = fit.interval()
    assert np.isnan(low) == np.isnan(high)
    assert not low > fit.volatility.iloc[-1]
    assert not high < fit.volatility.iloc[-1]


def test_forecast_goes_to_the_long_run():
    fit = volatility.fit(pd.Series(simulate(1500, 6), name="A"), errors="normal")
    ahead = fit.forecast(2000)
    omega, alpha, beta = fit.params.iloc[1:]
    assert ahead.iloc[0] == pytest.approx(fit.volatility.iloc[-1], rel=1e-12)
    assert ahead.iloc[1] ** 2 == pytest.approx(omega + (alpha + beta) * ahead.iloc[0] ** 2)
    assert ahead.iloc[-1] == pytest.approx(np.sqrt(omega / (1 - alpha - beta)), rel=1e-6)


@pytest.mark.parametrize(("model", "errors"), [("garch", "t"), ("gjr", "normal")])
def test_simulated_paths_have_the_forecast_variance(model, errors):
    fit = volatility.fit(pd.Series(simulate(1500, 12, nu=8, gamma=0.05), name="A"), model, errors)
    returns, sigmas = fit.simulate(8, 60_000, np.random.default_rng(1))
    assert returns.shape == sigmas.shape == (60_000, 8)
    variance = sigmas**2
    assert_allclose(variance[:, 0], fit.volatility.iloc[-1] ** 2)
    error = variance.std(axis=0) / np.sqrt(60_000)
    ahead = fit.forecast(8).to_numpy() ** 2
    assert (np.abs(variance.mean(axis=0) - ahead) <= 4 * error + 1e-15).all()
    square = (returns - fit.params["mu"]) ** 2
    error = square.std(axis=0) / np.sqrt(60_000)
    assert (np.abs(square.mean(axis=0) - ahead) <= 4 * error).all()  # σ², not σ⁴


@pytest.mark.parametrize(
    ("model", "errors", "names"),
    [
        ("egarch", "t", ["mu", "omega", "alpha", "gamma", "beta", "nu"]),
        ("figarch", "normal", ["mu", "omega", "phi", "d", "beta"]),
        ("gjr", "skewt", ["mu", "omega", "alpha", "gamma", "beta", "nu", "lambda"]),
    ],
)
def test_other_models_by_arch_behind_the_same_face(model, errors, names):
    x = pd.Series(simulate(700, 13, nu=6, gamma=0.05), name="A", index=dates(700))
    fit = volatility.fit(x, model, errors)
    assert fit.engine == "arch"
    assert fit.params.index.tolist() == names
    assert len(fit.volatility) == len(fit.residuals) == 700
    low, high = fit.interval()
    assert low < fit.volatility.iloc[-1] < high
    returns, sigmas = fit.simulate(3, 10, np.random.default_rng(0))
    assert returns.shape == sigmas.shape == (10, 3)
    assert fit.forecast(1).iloc[0] == pytest.approx(fit.volatility.iloc[-1], rel=1e-9)


def test_persistence_bound_is_recorded():
    rng = np.random.default_rng(7)
    calm, wild = rng.standard_normal(150) * 0.001, rng.standard_normal(150) * 0.1
    fit = volatility.fit(pd.Series(np.concatenate([calm, wild]), name="A"), errors="normal")
    assert fit.on_bound
    assert "persistence bound" in fit.message


def test_result_is_frozen(marks):
    fit = volatility.fit(marks)
    with pytest.raises(AttributeError):
        fit.params = None
    with pytest.raises(ParameterError, match="choose one of"):
        fit.std_errors("jackknife")


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (np.zeros(200), EstimationError, "ETH: the return is constant over 200 bars"),
        (simulate(59, 0), EstimationError, "ETH: 59 bars are too few, 60 are needed"),
        (np.full(200, np.nan), EstimationError, "ETH: no return at all"),
        (np.r_[simulate(99, 0), np.nan, simulate(99, 1)], EstimationError, "1 missing returns"),
        (np.r_[simulate(99, 0), -np.inf], EstimationError, "infinite return"),
        (["a"] * 100, DataError, "no number"),
    ],
)
def test_fit_refuses_with_a_reason(values, error, message):
    series = pd.Series(values, index=dates(len(values)), name="ETH")
    with pytest.raises(error, match=message):
        volatility.fit(series)


def test_fit_refuses_unknown_choices(marks):
    for wrong in ({"model": "aparch"}, {"errors": "cauchy"}, {"start": "guess"}):
        with pytest.raises(ParameterError, match="choose one of"):
            volatility.fit(marks, **wrong)
