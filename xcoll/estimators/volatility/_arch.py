"""Maximum likelihood of GARCH(1,1) by the package arch, at unit variance and not on its word alone.

arch is imported where it is used: it costs a second, and exponential weights do without it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xcoll import checks

__all__ = ["LEAST_BARS", "NAMES", "STARTS", "Estimate", "check", "estimate", "refit", "unfit"]

LEAST_BARS = 60  # under two months of days four parameters are noise
BOUND = 1e-6  # α + β closer to one than this is the optimiser's bound, not an estimate

MODELS = {"garch": {"p": 1, "o": 0, "q": 1}}
ERRORS = {"normal": "Normal", "t": "StudentsT"}
NAMES = {"normal": ["mu", "omega", "alpha", "beta"], "t": ["mu", "omega", "alpha", "beta", "nu"]}


def _sample(x: np.ndarray, mu: float) -> float:
    """Mean of ε² at the current mean (the benchmark's, Fiorentini et al. 1996)."""
    return float(np.mean((x - mu) ** 2))


def _backcast(x: np.ndarray, _mu: float) -> float:
    """Exponentially weighted mean of the first 75 ε² at the sample's mean (arch's default)."""
    weights = 0.94 ** np.arange(min(75, len(x)))
    return float(weights @ (x - x.mean())[: len(weights)] ** 2 / weights.sum())


STARTS: dict[str, Callable[[np.ndarray, float], float]] = {
    "sample": _sample,
    "backcast": _backcast,
}


@dataclass(frozen=True)
class Estimate:
    """A maximum of the likelihood in the unit of the returns; NaN where there is none.

    `covariance()` gives the parameters' covariance by kind, "hessian" and "robust".
    """

    params: np.ndarray
    loglikelihood: float
    converged: bool
    on_bound: bool
    message: str
    covariance: Callable[[], dict[str, np.ndarray]] = dict


def check(model: str, errors: str, start: str) -> None:
    """Raises `ParameterError` for a choice that does not exist."""
    checks.one_of("model", model, MODELS)
    checks.one_of("errors", errors, ERRORS)
    checks.one_of("start", start, STARTS)


def unfit(x: np.ndarray) -> str:
    """Why `x` cannot be fitted, or an empty string."""
    if len(x) < LEAST_BARS:
        return f"{len(x)} bars are too few, {LEAST_BARS} are needed"
    if np.ptp(x) == 0.0:
        return f"the return is constant over {len(x)} bars"
    return ""


def refit(x: np.ndarray, model: str, errors: str, start: str, guess: np.ndarray | None) -> Estimate:
    """Warm start from `guess`; where it fails or stops on the bound also a cold start.

    On the bundled prices arch's optimiser stopped on α + β = 1 and reported success up to 17
    log-likelihood points under what another start found when it was started warm, up to 96 when
    it was started cold: so the higher likelihood is kept.
    """
    reason = unfit(x)
    if reason:
        return Estimate(np.full(len(NAMES[errors]), np.nan), np.nan, False, False, reason)
    if guess is None:
        return estimate(x, model, errors, start)
    warm = estimate(x, model, errors, start, guess)
    if warm.converged and not warm.on_bound:
        return warm
    cold = estimate(x, model, errors, start)
    kept = max((warm, cold), key=lambda e: (e.converged, e.loglikelihood))
    return replace(kept, message=f"warm start {warm.message}, cold start {cold.message}")


def estimate(
    x: np.ndarray, model: str, errors: str, start: str, guess: np.ndarray | None = None
) -> Estimate:
    """Maximise the likelihood of `x` by arch at unit variance, and scale back."""
    scale = float(x.std())
    y = x / scale
    unit = np.ones(len(NAMES[errors]))
    unit[0], unit[1] = scale, scale**2
    process = _process(y, model, errors)
    initial = STARTS[start]
    first = None if guess is None else _feasible(guess / unit)
    backcast = initial(y, y.mean())
    result = _maximise(process, backcast, first)
    if start == "sample":  # the variance before the first bar moves with the mean: to a fixed point
        for _ in range(20):
            before, backcast = backcast, initial(y, result.params.iloc[0])
            if abs(backcast - before) < 1e-10:
                break
            result = _maximise(process, backcast, _feasible(result.params.to_numpy()))
    theta = result.params.to_numpy()
    on_bound = bool(theta[2] + theta[3] > 1.0 - BOUND)
    converged = result.convergence_flag == 0 and bool(np.isfinite(theta).all())
    said = "converged" if converged else f"optimiser status {result.convergence_flag}"
    return Estimate(
        params=theta * unit,
        loglikelihood=float(result.loglikelihood - len(x) * np.log(scale)),
        converged=converged,
        on_bound=on_bound,
        message=said + (" on the persistence bound" if on_bound else ""),
        covariance=lambda: {
            kind: _covariance(process, theta, backcast, kind) * np.outer(unit, unit)
            for kind in ("hessian", "robust")
        },
    )


def _process(y: np.ndarray, model: str, errors: str) -> Any:
    from arch import univariate

    return univariate.ConstantMean(
        y,
        volatility=univariate.GARCH(**MODELS[model]),
        distribution=getattr(univariate, ERRORS[errors])(),
        rescale=False,
    )


def _covariance(process: Any, theta: np.ndarray, backcast: float, kind: str) -> np.ndarray:
    try:
        return process.compute_param_cov(theta, backcast=backcast, robust=kind == "robust")
    except np.linalg.LinAlgError:  # a flat likelihood has no inverse Hessian: no interval either
        return np.full((len(theta), len(theta)), np.nan)


def _maximise(process: Any, backcast: float, guess: np.ndarray | None) -> Any:
    return process.fit(
        starting_values=guess, backcast=backcast, disp="off", show_warning=False, tol=1e-9
    )


def _feasible(theta: np.ndarray) -> np.ndarray:
    """`theta` moved inside arch's bounds, so that it is a starting point and not thrown away."""
    inside = theta.copy()
    inside[1] = np.clip(theta[1], 1e-6, 9.0)
    inside[2:4] = np.clip(theta[2:4], 1e-3, 0.998)
    inside[2:4] *= min(1.0, 0.999 / inside[2:4].sum())
    inside[4:] = np.clip(theta[4:], 2.1, 200.0)
    return inside
