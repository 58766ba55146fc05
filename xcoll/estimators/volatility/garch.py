"""One fit of a volatility model: GARCH and GJR by the compiled climb, others by the package arch.

    h_t = ω + (α + γ 1[ε_{t−1} < 0]) ε²_{t−1} + β h_{t−1},      r_t = μ + ε_t,   ε_t = √h_t z_t

Everything stamped t is known at the close of t: a volatility stamped t is the forecast for the
bar after t.  The returns' unit does not matter: mean and scale are taken out before the fit and
put back after it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.series import listed
from xcoll.estimators.volatility import _arch, likelihood

__all__ = ["Fit", "engine", "fit"]

Maximised = likelihood.Maximum | _arch.Estimate


@dataclass(frozen=True)
class Fit:
    """One fit, in the unit of the returns that it was given.

    Attributes
    ----------
    engine : str
        "xcoll", or "arch" where that package made the fit; `message` says why.
    params : Series
        mu, omega, alpha, beta, with GJR gamma after alpha, with t errors nu at the end; those of
        EGARCH, FIGARCH and the skewed t are in `_arch`.
    loglikelihood : float
        Of the returns as given, at the start-up named by `start`.
    volatility : Series
        σ for the bar after its stamp; the last one is the forecast out of the sample.
    residuals : Series
        Standardised, (r_t − μ) / σ of bar t; the first one uses the start-up variance.
    converged : bool
        False where no optimiser found a maximum; `message` says how it ended.
    on_bound : bool
        The persistence (α + γ/2 + β) is one.
    """

    asset: str
    model: str
    errors: str
    start: str
    engine: str
    params: pd.Series
    loglikelihood: float
    volatility: pd.Series
    residuals: pd.Series
    converged: bool
    on_bound: bool
    message: str
    returns: pd.Series = field(repr=False)
    maximum: Maximised = field(repr=False)

    @cached_property
    def covariance(self) -> dict[str, pd.DataFrame]:
        """Parameter covariance by kind: "hessian", "opg", "robust" (Bollerslev–Wooldridge 1992).

        NaN for a parameter that is held on its bound, and where a matrix has no inverse.
        """
        names = self.params.index
        return {
            kind: pd.DataFrame(matrix, names, names)
            for kind, matrix in self.maximum.covariance().items()
        }

    def std_errors(self, kind: str = "robust") -> pd.Series:
        """Standard errors, `kind` "hessian", "opg" or "robust"; NaN where there is no variance."""
        variance = np.diag(self.covariance[checks.one_of("kind", kind, self.covariance)])
        known = np.where(variance >= 0.0, variance, np.nan)
        return pd.Series(np.sqrt(known), index=self.params.index, name=kind)

    def forecast(self, bars: int) -> pd.Series:
        """σ of each of the next `bars` bars, index 1 … bars (not the σ of their sum).

        The root of the mean variance, in closed form.

        Raises
        ------
        EstimationError
            A model whose variance has no mean beyond the next bar (EGARCH with t errors).
        """
        variance = self.maximum.forecast_variance(bars)
        return pd.Series(np.sqrt(variance), pd.RangeIndex(1, bars + 1), name=self.asset)

    def simulate(
        self, bars: int, paths: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns and volatilities of the next bars, each paths × bars, going on from the last."""
        returns, variance = self.maximum.simulate(bars, paths, rng)
        return returns, np.sqrt(variance)

    def interval(self, confidence: float = 0.9, kind: str = "robust") -> tuple[float, float]:
        """Bounds of the last volatility from the parameters' uncertainty (delta method on ln σ).

        NaN where the parameter covariance is not positive.  A parameter held on its bound is taken
        as known.
        """
        checks.fraction("confidence", confidence)
        matrix = self.covariance[checks.one_of("kind", kind, self.covariance)].to_numpy()
        free = np.flatnonzero(np.diag(matrix) > 0.0)  # NaN is not
        steps = np.zeros((len(free), len(matrix)))
        steps[np.arange(len(free)), free] = 1e-3 * np.sqrt(np.diag(matrix)[free])
        theta, last = self.params.to_numpy(), self.volatility.iloc[-1]

        def log_sigma(at: np.ndarray) -> float:
            return 0.5 * np.log(self.maximum.path(at)[-1])

        slope = [log_sigma(theta + d) - log_sigma(theta - d) for d in steps]
        slope = np.array(slope) / (2.0 * steps.sum(axis=1))
        variance = slope @ matrix[np.ix_(free, free)] @ slope
        if not len(free) or not variance >= 0.0:
            return np.nan, np.nan
        width = NormalDist().inv_cdf(0.5 + confidence / 2) * np.sqrt(variance)
        return float(last * np.exp(-width)), float(last * np.exp(width))


def engine(model: str, errors: str, start: str) -> Callable[..., Maximised]:
    """What maximises this likelihood; refuses a choice that does not exist."""
    checks.one_of("model", model, _arch.MODELS)
    checks.one_of("errors", errors, _arch.ERRORS)
    checks.one_of("start", start, _arch.STARTS)
    return likelihood.maximise if (model, errors) in likelihood.FAST else _arch.estimate


def fit(
    returns: pd.Series, model: str = "garch", errors: str = "t", start: str = "backcast"
) -> Fit:
    """A volatility model with constant mean, by maximum likelihood.

    Parameters
    ----------
    returns : Series
        One asset; NaN before its listing and after its delisting.
    model : str
        "garch", "gjr", "egarch" or "figarch", each of order one.
    errors : str
        "normal", "t" (standardised Student) or "skewt" (Hansen 1994).
    start : str
        Variance before the first bar: "sample", the mean of ε² at the estimated mean (the
        benchmark's, Fiorentini et al. 1996), or "backcast", arch's exponential backcast.

    Raises
    ------
    ParameterError
        A choice that does not exist.
    EstimationError
        Constant or too short a series, or NaN inside it.  An optimiser that does not converge is
        no error here: `converged` is False and `message` says why.
    """
    maximise = engine(model, errors, start)
    series = listed(returns)
    x = series.to_numpy()
    reason = _arch.unfit(x)
    if reason:
        raise EstimationError(f"{returns.name}: {reason}; {model.upper()} cannot be fitted")
    maximum = maximise(x, model, errors, start)
    asset, sigma = str(returns.name), np.sqrt(maximum.variance)
    return Fit(
        asset=asset,
        model=model,
        errors=errors,
        start=start,
        engine=maximum.engine,
        params=pd.Series(maximum.params, index=maximum.names, name=asset),
        loglikelihood=float(maximum.loglikelihood),
        volatility=pd.Series(sigma[1:], index=series.index, name=asset),
        residuals=pd.Series((x - maximum.params[0]) / sigma[:-1], series.index, name=asset),
        converged=bool(maximum.converged),
        on_bound=bool(maximum.on_bound),
        message=maximum.message,
        returns=series,
        maximum=maximum,
    )
