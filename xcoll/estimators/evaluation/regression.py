"""ES regression: do realised tails rise one for one with the forecast?

Bayer and Dimitriadis (2022) regress VaR and ES of the losses on the forecasts,

    VaR_t = a0 + a1 e_t,   ES_t = b0 + b1 e_t,   H0: (b0, b1) = (0, 1)     strict
    VaR_t = a0 + a1 v_t,   ES_t = b0 + b1 e_t,   same H0                   auxiliary
    VaR_t = a0 + v_t,      ES_t = b0 + e_t,      H0: b0 <= 0, one-sided     intercept

In the intercept test they take one constant for the quantile of L_t - e_t; with forecasts that
move that quantile is no constant, which makes b0 positive under a true model (a constant over v_t
does not).  They minimise FZ0 by a search.  Here it is two steps, with the same limit law: the
quantile regression exactly, then least squares of `Z = q + (L - q)⁺/p` on (1, e) with the weights
1/e² that FZ0 has under H0 (Barendse 2020).  The second step's error does not depend on the first's
to first order, so White's covariance holds as it is.

The laws are asymptotic: with ten losses beyond the level the tests reject a true model far more
often than they say (`study.size_of_tests` says how often), and nothing cheap simulates them,
because they need the law of all losses and not of the tail alone.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, ndtr

from xcoll.estimators.evaluation.inputs import Result, aligned, share

__all__ = ["LEAST_BEYOND", "Regression", "es_intercept", "es_regression", "quantile_regression"]

LEAST_BEYOND = 5.0  # expected losses beyond the level under which no regression is run


@dataclass(frozen=True)
class Regression(Result):
    """Wald test of an ES regression with its coefficients b0, b1 and their standard errors."""

    intercept: float = np.nan
    slope: float = np.nan
    intercept_error: float = np.nan
    slope_error: float = np.nan


def es_regression(
    losses: np.ndarray, var: np.ndarray, es: np.ndarray, confidence: float, auxiliary: bool = False
) -> Regression:
    """Strict ES regression, χ²(2); with `auxiliary` the quantile is regressed on the VaR instead.

    Missing where under five losses are expected beyond the level, or where the ES is constant.
    """
    L, v, e = aligned(losses, var, es)
    p = share(confidence)
    if few := _few(len(L), p):
        return few
    x = v if auxiliary else e
    if np.ptp(e) <= 1e-9 * e.max() or np.ptp(x) <= 1e-9 * x.max():
        return Regression(np.nan, np.nan, "the forecasts are constant, no regression on them")
    a0, a1 = quantile_regression(L, x, confidence)
    q = a0 + a1 * x
    Z = q + np.maximum(L - q, 0.0) / p
    # Both sides over e: the weights 1/e².
    X = np.column_stack([1.0 / e, np.ones_like(e)])
    bread = np.linalg.inv(X.T @ X)
    b = bread @ (X.T @ (Z / e))
    scores = X * (Z / e - X @ b)[:, None]
    covariance = bread @ (scores.T @ scores) @ bread
    off = b - [0.0, 1.0]
    wald = float(off @ np.linalg.solve(covariance, off))
    error = np.sqrt(np.diag(covariance))
    return Regression(wald, float(chdtrc(2, wald)), "", *b.tolist(), *error.tolist())


def es_intercept(
    losses: np.ndarray, var: np.ndarray, es: np.ndarray, confidence: float
) -> Regression:
    """Intercept ES regression, one-sided against an ES that is too low, by N(0, 1).

    Missing where under five losses are expected beyond the level.
    """
    L, v, e = aligned(losses, var, es)
    p = share(confidence)
    if few := _few(len(L), p):
        return few
    q = v + _quantile(L - v, 1.0 - p)[0]
    off = q + np.maximum(L - q, 0.0) / p - e
    error = off.std() / np.sqrt(len(off))
    if error <= 0.0:
        return Regression(np.nan, np.nan, "the losses do not move against their forecasts")
    statistic = float(off.mean() / error)
    chance = float(ndtr(-statistic))
    return Regression(statistic, chance, "", float(off.mean()), np.nan, float(error))


def quantile_regression(y: np.ndarray, x: np.ndarray, level: float) -> tuple[float, float]:
    """Intercept and slope of the `level` quantile of y on one regressor, exactly.

    For a given slope the best intercept is a quantile of `y - b x`, and what is left is convex in
    b: its derivative is bisected down to rounding (Koenker and Bassett 1978 for the problem).
    """

    def slope_of_loss(b: float) -> float:
        u = y - b * x
        a, boundary = _quantile(u, level)
        below = u < a
        part = level * len(y) - below.sum()
        return float(x[below].sum() + part * x[boundary] - level * x.sum())

    low, high = 0.0, 2.0
    for _ in range(40):
        if slope_of_loss(low) <= 0.0:
            break
        low, high = low - 2.0 * (high - low), low
    for _ in range(40):
        if slope_of_loss(high) >= 0.0:
            break
        low, high = high, high + 2.0 * (high - low)
    while high - low > 1e-9 * max(1.0, abs(high)):
        b = 0.5 * (low + high)
        low, high = (b, high) if slope_of_loss(b) < 0.0 else (low, b)
    b = 0.5 * (low + high)
    return float(_quantile(y - b * x, level)[0]), b


def _quantile(u: np.ndarray, level: float) -> tuple[float, int]:
    """The smallest value with a share of at least `level` at or under it, and where it stands."""
    k = max(int(np.ceil(round(level * len(u), 9))) - 1, 0)
    place = int(np.argpartition(u, k)[k])
    return float(u[place]), place


def _few(n: int, p: float) -> Regression | None:
    if n * p >= LEAST_BEYOND:
        return None
    reason = f"{n * p:.1f} losses expected beyond the level, an ES regression needs five"
    return Regression(np.nan, np.nan, reason)
