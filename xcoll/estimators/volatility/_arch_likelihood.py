"""The likelihoods of the package arch at unit variance, and the way back to the returns' unit.

arch is imported where it is used: it costs a second, and exponential weights do without it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from xcoll import checks
from xcoll.errors import EstimationError

__all__ = ["ERRORS", "MODELS", "STARTS", "End", "Law", "Likelihood", "Model", "names"]

BOUND = 1e-6  # a persistence closer to one than this is the optimiser's bound, not an estimate
GAIN = 1e-5  # log-likelihood that one more start may still find at a maximum
RESTARTS = 12
EDGE = 1e-9  # room to a bound that a starting point keeps


@dataclass(frozen=True)
class Model:
    process: str
    orders: dict[str, int]
    calm: dict[str, float]  # a point well inside all bounds, at unit variance
    persistence: dict[str, float]
    logarithmic: bool = False


@dataclass(frozen=True)
class Law:
    name: str
    calm: dict[str, float]


MODELS = {
    "garch": Model(
        "GARCH",
        {"p": 1, "o": 0, "q": 1},
        {"omega": 0.1, "alpha": 0.1, "beta": 0.8},
        {"alpha": 1.0, "beta": 1.0},
    ),
    "gjr": Model(
        "GARCH",
        {"p": 1, "o": 1, "q": 1},
        {"omega": 0.1, "alpha": 0.07, "gamma": 0.06, "beta": 0.8},
        {"alpha": 1.0, "gamma": 0.5, "beta": 1.0},
    ),
    "egarch": Model(
        "EGARCH",
        {"p": 1, "o": 1, "q": 1},
        {"omega": 0.0, "alpha": 0.2, "gamma": 0.0, "beta": 0.9},
        {"beta": 1.0},
        logarithmic=True,
    ),
    "figarch": Model(
        "FIGARCH",
        {"p": 1, "q": 1},
        {"omega": 0.1, "phi": 0.2, "d": 0.4, "beta": 0.3},
        {"d": 1.0},
    ),
}
ERRORS = {
    "normal": Law("Normal", {}),
    "t": Law("StudentsT", {"nu": 6.0}),
    "skewt": Law("SkewStudent", {"nu": 6.0, "lambda": 0.0}),
}


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


def names(model: str, errors: str) -> list[str]:
    """Parameters in their order: mu, the variance's, those of the errors' law."""
    return ["mu", *MODELS[model].calm, *ERRORS[errors].calm]


@dataclass(frozen=True)
class End:
    """Where a start ended: parameters at unit variance, and whether that is a maximum."""

    theta: np.ndarray
    loglikelihood: float
    converged: bool
    on_bound: bool
    message: str


class Likelihood:
    """The likelihood of returns at unit variance, and the way back to their own unit.

    Parameters in the unit of the returns are `jacobian @ theta + shift`; only EGARCH's ω, which
    is added to a logarithm, depends on the scale through another parameter.
    """

    def __init__(self, x: np.ndarray, model: str, errors: str, start: str) -> None:
        from arch import univariate

        self.model, self.names = MODELS[model], names(model, errors)
        self.scale = float(x.std())
        self.y = x / self.scale
        process = _adapted(getattr(univariate, self.model.process), len(x), start)
        self.law = getattr(univariate, ERRORS[errors].name)
        self.process = univariate.ConstantMean(
            self.y, volatility=process(**self.model.orders), distribution=self.law(), rescale=False
        )
        self.calm = np.array(
            [self.y.mean(), *self.model.calm.values(), *ERRORS[errors].calm.values()]
        )
        self.initial = STARTS["backcast"](self.y, 0.0)
        self.jacobian, self.shift = np.eye(len(self.names)), np.zeros(len(self.names))
        self.jacobian[0, 0] = self.scale
        if self.model.logarithmic:
            self.shift[1] = 2.0 * np.log(self.scale)
            self.jacobian[1, self.names.index("beta")] = -self.shift[1]
        else:
            self.jacobian[1, 1] = self.scale**2

    def starts(self, guess: np.ndarray | None) -> list[tuple[str, np.ndarray | None]]:
        """Names and points to climb from, in order; None is arch's own choice."""
        cold = [("cold start", None), ("calm start", self.calm)]
        if guess is None:
            return cold
        return [("warm start", self._inside(self._theta(guess))), *cold]

    def climb(self, name: str, first: np.ndarray | None) -> End:
        """The optimiser of arch, started again where it ended until that gains nothing."""
        result = self._maximise(first)
        for _ in range(RESTARTS):
            again = self._maximise(self._inside(result.params.to_numpy()))
            gain = again.loglikelihood - result.loglikelihood
            result = again if gain > 0.0 else result
            if not gain > GAIN:
                break
        theta, flag = result.params.to_numpy(), again.convergence_flag
        # 8: at a maximum there is no way up, which is an answer and not a failure
        converged = bool(np.isfinite(result.loglikelihood)) and gain <= GAIN and flag in (0, 8)
        said = "converged" if converged else f"stopped with optimiser status {flag}"
        weights = self.model.persistence.items()
        on_bound = sum(w * theta[self.names.index(key)] for key, w in weights) > 1.0 - BOUND
        bound = " on the persistence bound" if on_bound else ""
        return End(
            theta, float(result.loglikelihood), converged, bool(on_bound), f"{name} {said}{bound}"
        )

    def variance(self, theta: np.ndarray) -> np.ndarray:
        """Variance of each bar and of the next one, in units of the sample's variance."""
        resids, bounds = np.append(self.y - theta[0], 0.0), self._bounds()
        volatility, out = self.process.volatility, np.empty(len(resids))
        initial = volatility.backcast_transform(self.initial)
        limits = np.vstack([bounds, [0.0, np.inf]])
        return volatility.compute_variance(self._of_variance(theta), resids, out, initial, limits)

    def path(self, params: np.ndarray) -> np.ndarray:
        """Variances at any parameters, both in the unit of the returns."""
        return self.variance(self._theta(params)) * self.scale**2

    def forecast_variance(self, params: np.ndarray, bars: int) -> np.ndarray:
        """Means of the variance of the next bars, in the unit of the returns squared."""
        theta = self._theta(params)
        if checks.whole("bars", bars) > 1 and self.model.logarithmic:
            if "nu" in self.names:
                raise EstimationError(
                    "EGARCH with t errors: h has no mean beyond the next bar; take quantiles of"
                    " simulated paths, or normal errors"
                )
            return _egarch_means(theta, self.variance(theta)[-1], bars) * self.scale**2
        return self._ahead(theta, bars, "analytic").forecasts[-1] * self.scale**2

    def simulate(
        self, params: np.ndarray, bars: int, paths: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns and variances of the next bars in the unit of the returns, paths × bars."""
        checks.whole("bars", bars)
        theta = self._theta(params)
        draw = self.law(seed=rng).simulate(theta[1 + len(self.model.calm) :])
        made = self._ahead(theta, bars, "simulation", checks.whole("paths", paths), draw)
        returns = self.scale * (theta[0] + made.shocks[-1])
        return returns, made.forecast_paths[-1] * self.scale**2

    def covariance(self, params: np.ndarray) -> dict[str, np.ndarray]:
        """Covariance of the parameters by kind, in the unit of the returns."""
        theta = self._theta(params)
        initial = self.process.volatility.backcast_transform(self.initial)
        try:
            hessian, robust = (
                self.process.compute_param_cov(theta, backcast=initial, robust=kind)
                for kind in (False, True)
            )
            robust *= (len(self.y) - 1) / len(self.y)  # arch divides the scores' sum by n − 1
            opg = hessian @ np.linalg.solve(robust, hessian)
        except np.linalg.LinAlgError:  # a flat likelihood has no inverse: no interval either
            hessian = opg = robust = np.full((len(theta), len(theta)), np.nan)
        kinds = {"hessian": hessian, "opg": opg, "robust": robust}
        return {kind: self.jacobian @ value @ self.jacobian.T for kind, value in kinds.items()}

    def _inside(self, theta: np.ndarray) -> np.ndarray:
        """`theta`, drawn towards the calm point until all bounds hold.

        A starting point that is outside by a rounding error is thrown away by arch.
        """
        volatility, process = self.process.volatility, self.process
        limits = [
            *process.bounds(),
            *volatility.bounds(self.y),
            *process.distribution.bounds(self.y),
        ]
        low, high = np.array(limits).T
        matrix, right = volatility.constraints()

        def slack(at: np.ndarray) -> np.ndarray:
            held = matrix @ self._of_variance(at) - right
            room = np.concatenate([at - low, high - at, held])
            return np.where(np.isfinite(room), room, 1.0)

        here, calm = slack(theta), slack(self.calm)
        short = here < EDGE
        share = ((calm - EDGE) / np.where(short, calm - here, 1.0))[short].min(initial=1.0)
        return self.calm + share * (theta - self.calm)

    def _maximise(self, first: np.ndarray | None) -> Any:
        self.process.volatility.first = None if first is None else self._of_variance(first)
        return self.process.fit(
            starting_values=first, backcast=self.initial, disp="off", show_warning=False, tol=1e-9
        )

    def _ahead(
        self,
        theta: np.ndarray,
        bars: int,
        method: str,
        paths: int = 1,
        draw: Callable[[tuple[int, int]], np.ndarray] | None = None,
    ) -> Any:
        volatility = self.process.volatility
        return volatility.forecast(
            self._of_variance(theta),
            self.y - theta[0],
            volatility.backcast_transform(self.initial),
            self._bounds(),
            start=len(self.y) - 1,
            horizon=bars,
            method=method,
            simulations=paths,
            rng=draw,
        )

    def _theta(self, params: np.ndarray) -> np.ndarray:
        return np.linalg.solve(self.jacobian, np.asarray(params, float) - self.shift)

    def _of_variance(self, theta: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(theta[1 : 1 + len(self.model.calm)])

    def _bounds(self) -> np.ndarray:
        return self.process.volatility.variance_bounds(self.y - self.y.mean())


def _egarch_means(theta: np.ndarray, next_variance: float, bars: int) -> np.ndarray:
    """Mean of h over the next bars of an EGARCH with normal errors.

    `E h_{n+k} = exp(ω Σ β^j + β^{k−1} ln h_{n+1}) Π E exp β^j (α (|e| − √(2/π)) + γ e)`, j from 0
    to k − 2, with `E exp(a|e| + g e) = e^{(a+g)²/2} Φ(a+g) + e^{(a−g)²/2} Φ(a−g)`.
    """
    _, omega, alpha, gamma, beta = theta
    power = beta ** np.arange(bars - 1)
    up, down = power * (alpha + gamma), power * (alpha - gamma)
    shock = np.exp(up**2 / 2) * ndtr(up) + np.exp(down**2 / 2) * ndtr(down)
    drift = omega * power - power * alpha * np.sqrt(2.0 / np.pi) + np.log(shock)
    far = beta ** np.arange(bars) * np.log(next_variance)
    return np.exp(far + np.concatenate([[0.0], np.cumsum(drift)]))


def _adapted(process: type, bars: int, start: str) -> type:
    """A `process` of arch that starts where it is told to and searches no grid for that.

    With the start-up "sample" the mean of ε² stands before the first bar and moves with the mean.
    """

    def starting_values(self: Any, resids: np.ndarray) -> np.ndarray:
        return process.starting_values(self, resids) if self.first is None else self.first

    def compute_variance(
        self: Any,
        parameters: np.ndarray,
        resids: np.ndarray,
        sigma2: np.ndarray,
        _backcast: float,
        var_bounds: np.ndarray,
    ) -> np.ndarray:
        initial = self.backcast_transform(_sample(resids[:bars], 0.0))
        return process.compute_variance(self, parameters, resids, sigma2, initial, var_bounds)

    members = {"first": None, "starting_values": starting_values}
    if start == "sample":
        members["compute_variance"] = compute_variance
    return type(f"Adapted{process.__name__}", (process,), members)
