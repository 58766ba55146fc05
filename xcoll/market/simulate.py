"""Seeded simulation of returns whose parameters are known: the tests' ground truth.

Everything here is synthetic, and whatever shows it has to say so.
"""

import numpy as np
import pandas as pd

from xcoll.checks import at_least, positive, whole
from xcoll.errors import ParameterError

__all__ = ["correlated", "garch", "innovations", "to_prices"]


def innovations(
    bars: int, rng: np.random.Generator, *, assets: int = 1, nu: float | None = None
) -> np.ndarray:
    """Independent draws of mean 0 and variance 1, shape (bars, assets).

    Normal, or with `nu` (above 2) a Student t: `z·√((ν−2)/χ²_ν)`, one χ² a bar, so that the
    assets of a bar share their extremes.
    """
    z = rng.standard_normal((whole("bars", bars), whole("assets", assets)))
    if nu is None:
        return z
    if nu <= 2:
        raise ParameterError(f"nu is {nu:g}; a t with a variance needs more than 2")
    return z * np.sqrt((nu - 2.0) / rng.chisquare(nu, size=(bars, 1)))


def garch(
    bars: int,
    rng: np.random.Generator,
    *,
    omega: float,
    alpha: float,
    beta: float,
    mu: float = 0.0,
    nu: float | None = None,
    index: pd.DatetimeIndex | None = None,
) -> pd.DataFrame:
    """GARCH(1,1): `h_t = ω + α ε²_{t-1} + β h_{t-1}`, `r_t = μ + √h_t z_t`.

    Parameters
    ----------
    bars : int
        Length; the first bar starts at the stationary variance `ω/(1−α−β)`.
    omega, alpha, beta : float
        ω above 0, α and β not below 0, α + β under 1; per-bar units (not percent).
    nu : float, optional
        Degrees of freedom of the standardised t; normal without.
    index : DatetimeIndex, optional
        Defaults to days from 2020-01-01.

    Returns
    -------
    DataFrame, time × (`log_return`, `volatility`)
        `volatility` is `√h_t`, the standard deviation of the same bar's return.

    Raises
    ------
    ParameterError
        Parameters outside the ranges above.
    """
    positive("omega", omega), at_least("alpha", alpha, 0.0), at_least("beta", beta, 0.0)
    if alpha + beta >= 1.0:
        raise ParameterError(f"alpha + beta is {alpha + beta:g}; below 1 there is a variance")
    z = innovations(bars, rng, nu=nu)[:, 0]
    h, epsilon = np.empty(bars), np.empty(bars)
    h[0] = omega / (1.0 - alpha - beta)
    epsilon[0] = np.sqrt(h[0]) * z[0]
    for t in range(1, bars):
        h[t] = omega + alpha * epsilon[t - 1] ** 2 + beta * h[t - 1]
        epsilon[t] = np.sqrt(h[t]) * z[t]
    return pd.DataFrame(
        {"log_return": mu + epsilon, "volatility": np.sqrt(h)}, index=_index(index, bars)
    )


def correlated(
    bars: int,
    rng: np.random.Generator,
    *,
    sigma: pd.Series,
    correlation: pd.DataFrame | np.ndarray,
    nu: float | None = None,
    index: pd.DatetimeIndex | None = None,
) -> pd.DataFrame:
    """Log returns with constant volatilities and correlations, `r_t = σ ∘ (L z_t)`, `R = L L'`.

    L is the factor of the *correlation*: σ is applied once, after it.

    Parameters
    ----------
    sigma : Series
        Volatility a bar, by asset, above 0.
    correlation : asset × asset
        Positive definite, ones on the diagonal.
    nu : float, optional
        Degrees of freedom of a multivariate t scaled to variance 1; normal without.

    Returns
    -------
    DataFrame, time × asset

    Raises
    ------
    ParameterError
        A shape that does not fit, a diagonal that is not 1, or no positive definite matrix.
    """
    R = np.asarray(correlation, dtype=float)
    if R.shape != (len(sigma), len(sigma)) or not np.allclose(R, R.T):
        raise ParameterError(f"correlation has shape {R.shape}; give a symmetric matrix, as sigma")
    if not np.allclose(np.diag(R), 1.0) or (np.asarray(sigma) <= 0).any():
        raise ParameterError("give a correlation with ones on its diagonal, and sigma above zero")
    try:
        L = np.linalg.cholesky(R)
    except np.linalg.LinAlgError as error:
        raise ParameterError("correlation is not positive definite; repair it first") from error
    z = innovations(bars, rng, assets=len(sigma), nu=nu)
    return pd.DataFrame(
        (z @ L.T) * np.asarray(sigma, dtype=float), index=_index(index, bars), columns=sigma.index
    )


def to_prices(log_returns: pd.DataFrame, start: float = 100.0) -> pd.DataFrame:
    """Closes that begin at `start` one bar before the first return, and follow `log_returns`."""
    index = log_returns.index
    before = index[:1] - (index[1] - index[0])
    path = pd.concat([pd.DataFrame(0.0, before, log_returns.columns), log_returns])
    return positive("start", start) * np.exp(path.cumsum())


def _index(index: pd.DatetimeIndex | None, bars: int) -> pd.DatetimeIndex:
    if index is None:
        return pd.date_range("2020-01-01", periods=bars, freq="D", name="time", unit="us")
    if len(index) != bars:
        raise ParameterError(f"index has {len(index)} timestamps for {bars} bars; give one a bar")
    return index
