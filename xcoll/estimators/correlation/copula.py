"""The t copula: its degrees of freedom from ranks, and the tail dependence that it implies."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.correlation.dependence import rank_correlation
from xcoll.estimators.correlation.paths import LEAST_BARS
from xcoll.estimators.correlation.stress import nearest
from xcoll.estimators.series import checked

__all__ = ["TCopula", "beside", "fit", "tail"]


def tail(rho: float | np.ndarray, nu: float, quantile: float | None = None) -> np.ndarray:
    """Lower-tail dependence of a t copula, C(q, q)/q, or its limit for q → 0 without a `quantile`.

    The limit is `2 T_{ν+1}(−√((ν + 1)(1 − ρ)/(1 + ρ)))` (Embrechts, McNeil and Straumann 2002).
    At a quantile the conditional copula is integrated by Gauss–Legendre; ν = ∞ is the normal
    copula, whose limit is 0 but which is not 0 at a quantile.
    """
    rho = np.asarray(rho, dtype=float)
    if quantile is None:
        if np.isinf(nu):
            return np.where(rho < 1.0, 0.0, 1.0)
        return 2.0 * special.stdtr(nu + 1.0, -np.sqrt((nu + 1.0) * (1.0 - rho) / (1.0 + rho)))
    checks.fraction("quantile", quantile)
    nodes, weights = np.polynomial.legendre.leggauss(64)
    u = quantile * ((nodes + 1.0) / 2.0) ** 2  # denser at zero, where the integrand bends
    weights = weights * (nodes + 1.0) / 2.0  # du = q (1 + node)/2 dnode, divided by q
    across = np.sqrt(1.0 - rho[..., None] ** 2)
    if np.isinf(nu):
        at, limit = special.ndtri(u), special.ndtri(quantile)
        inner = special.ndtr((limit - rho[..., None] * at) / across)
    else:
        at, limit = special.stdtrit(nu, u), special.stdtrit(nu, quantile)
        width = np.sqrt((nu + at**2) / (nu + 1.0)) * across
        inner = special.stdtr(nu + 1.0, (limit - rho[..., None] * at) / width)
    return inner @ weights


@dataclass(frozen=True)
class TCopula:
    """A t copula: correlation matrix (asset × asset), degrees of freedom with their interval."""

    correlation: pd.DataFrame
    nu: float
    low: float
    high: float
    bars: int


def fit(returns: pd.DataFrame, confidence: float = 0.9) -> TCopula:
    """A t copula from ranks: ρ = sin(πτ/2) by Kendall's τ, then ν by pseudo-likelihood.

    McNeil, Frey and Embrechts (2015), section 7.5; the interval of ν is where the profile
    likelihood has fallen by half the chi-squared quantile, and takes ρ as known.

    Parameters
    ----------
    returns : DataFrame
        time × asset; only bars that all assets have are used.  Standardised residuals are meant,
        for a copula assumes that the days are alike.

    Raises
    ------
    EstimationError
        Fewer than `LEAST_BARS` common bars.
    """
    frame = checked(returns).dropna()
    if len(frame) < LEAST_BARS:
        raise EstimationError(f"{len(frame)} bars that all assets have; {LEAST_BARS} are needed")
    ranked = pd.DataFrame(1.0, index=frame.columns, columns=frame.columns)
    for i, j in combinations(frame.columns, 2):
        ranked.loc[i, j] = ranked.loc[j, i] = rank_correlation(frame[[i, j]].to_numpy())
    rho = nearest(ranked, floor=1e-4)
    u = frame.rank().to_numpy() / (len(frame) + 1)
    inverse, logdet = np.linalg.inv(rho), np.linalg.slogdet(rho)[1]

    def loglikelihood(log_nu: float) -> float:
        nu, d = np.exp(log_nu), u.shape[1]
        x = special.stdtrit(nu, u)
        joint = special.gammaln((nu + d) / 2) + (d - 1) * special.gammaln(nu / 2)
        joint -= d * special.gammaln((nu + 1) / 2) + logdet / 2
        square = np.einsum("ti,ij,tj->t", x, inverse, x)
        density = (nu + 1) / 2 * np.log1p(x**2 / nu).sum(axis=1)
        return float((joint + density - (nu + d) / 2 * np.log1p(square / nu)).sum())

    span = np.log(2.0), np.log(200.0)
    best = optimize.minimize_scalar(lambda v: -loglikelihood(v), bounds=span, method="bounded")
    level = -best.fun - stats.chi2.ppf(checks.fraction("confidence", confidence), 1) / 2

    def edge(bound: float) -> float:
        if loglikelihood(bound) > level:
            return bound
        ends = sorted((bound, best.x))
        return optimize.brentq(lambda v: loglikelihood(v) - level, *ends, xtol=1e-4)

    low, high = (float(np.exp(edge(bound))) for bound in span)
    return TCopula(rho, float(np.exp(best.x)), low, high, len(frame))


def beside(table: pd.DataFrame, nu: float, quantile: float) -> pd.DataFrame:
    """`dependence.tail_dependence` with what a t and a normal copula give at the same depth.

    Adds the columns t_copula (ν = `nu`) and normal_copula, at each pair's rank correlation.
    """
    rho = table["rank_correlation"].to_numpy()
    return table.assign(t_copula=tail(rho, nu, quantile), normal_copula=tail(rho, np.inf, quantile))
