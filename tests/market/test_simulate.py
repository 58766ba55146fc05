import numpy as np
import pandas as pd
import pytest

from xcoll.errors import ParameterError
from xcoll.market import returns, simulate

GARCH = {"omega": 4e-5, "alpha": 0.08, "beta": 0.88}


def three_errors(sample_sd, true, draws, kurtosis):
    """Three standard errors of a standard deviation from `draws` with this kurtosis."""
    assert abs(sample_sd - true) < 3 * true * np.sqrt((kurtosis - 1) / (4 * draws))


@pytest.mark.parametrize(("nu", "kurtosis"), [(None, 3.0), (8.0, 4.5)])
def test_correlated_paths_give_back_sigma_not_its_square_and_rho(nu, kurtosis):
    sigma = pd.Series({"BTC": 0.04, "ETH": 0.06, "LINK": 0.10})
    R = np.array([[1.0, 0.8, 0.5], [0.8, 1.0, 0.6], [0.5, 0.6, 1.0]])
    T = 40_000
    r = simulate.correlated(T, np.random.default_rng(7), sigma=sigma, correlation=R, nu=nu)
    for asset in sigma.index:
        three_errors(r[asset].std(), sigma[asset], T, kurtosis)
    rho = r.corr().to_numpy()
    error = (1 - R**2) / np.sqrt(T) * np.sqrt(kurtosis / 3.0)  # elliptical: 1 + excess/3
    assert (np.abs(rho - R) <= 3 * error + 1e-12).all()


@pytest.mark.parametrize("nu", [None, 7.0])
def test_garch_gives_back_its_standardised_errors_and_stationary_variance(nu):
    T = 60_000
    path = simulate.garch(T, np.random.default_rng(3), mu=0.001, nu=nu, **GARCH)
    z = (path["log_return"] - 0.001) / path["volatility"]
    three_errors(z.std(), 1.0, T, 3.0 if nu is None else 3.0 + 6.0 / (nu - 4.0))
    assert abs(z.mean()) < 3 / np.sqrt(T)
    # ε² is autocorrelated: the sum of its autocorrelations is bounded by 1/(1 − α − β).
    h = GARCH["omega"] / (1 - GARCH["alpha"] - GARCH["beta"])
    squares = (path["log_return"] - 0.001) ** 2
    blocks = squares.to_numpy().reshape(60, -1).mean(axis=1)
    assert abs(blocks.mean() - h) < 3 * blocks.std(ddof=1) / np.sqrt(60)


def test_garch_follows_its_recursion():
    path = simulate.garch(300, np.random.default_rng(1), **GARCH)
    r, h = path["log_return"].to_numpy(), path["volatility"].to_numpy() ** 2
    expected = GARCH["omega"] + GARCH["alpha"] * r[:-1] ** 2 + GARCH["beta"] * h[:-1]
    assert np.allclose(h[1:], expected, rtol=1e-12)
    assert h[0] == pytest.approx(GARCH["omega"] / (1 - GARCH["alpha"] - GARCH["beta"]))


def test_the_same_generator_state_gives_the_same_path():
    one, two = (simulate.garch(50, np.random.default_rng(5), nu=5.0, **GARCH) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    other = simulate.garch(50, np.random.default_rng(6), nu=5.0, **GARCH)
    assert not np.allclose(one, other)


def test_a_multivariate_t_shares_its_extremes_and_a_normal_does_not():
    def together(nu):
        z = simulate.innovations(50_000, np.random.default_rng(2), assets=2, nu=nu)
        return np.corrcoef(z[:, 0] ** 2, z[:, 1] ** 2)[0, 1]

    assert together(6.0) > 0.1
    assert abs(together(None)) < 0.02


def test_prices_follow_the_returns():
    path = simulate.garch(20, np.random.default_rng(4), **GARCH)[["log_return"]]
    close = simulate.to_prices(path, 50.0)
    assert len(close) == 21
    assert close.iloc[0, 0] == 50.0
    pd.testing.assert_frame_equal(returns.log_returns(close).iloc[1:], path, check_freq=False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"alpha": 0.2, "beta": 0.9}, r"alpha \+ beta is 1.1"),
        ({"omega": 0.0}, "omega"),
        ({"alpha": -0.1}, "alpha"),
        ({"nu": 2.0}, "more than 2"),
    ],
)
def test_garch_without_a_variance_is_refused(change, words):
    with pytest.raises(ParameterError, match=words):
        simulate.garch(10, np.random.default_rng(0), **{**GARCH, **change})


@pytest.mark.parametrize(
    ("R", "words"),
    [
        (np.eye(3), "shape"),
        (np.array([[1.0, 0.2], [0.3, 1.0]]), "symmetric"),
        (np.array([[2.0, 0.2], [0.2, 1.0]]), "ones on its diagonal"),
        (np.array([[1.0, 1.0], [1.0, 1.0]]) * [[1, -1], [-1, 1]] + 0.0, "positive definite"),
    ],
)
def test_a_matrix_that_is_no_correlation_is_refused(R, words):
    with pytest.raises(ParameterError, match=words):
        simulate.correlated(5, np.random.default_rng(0), sigma=pd.Series([0.1, 0.2]), correlation=R)
