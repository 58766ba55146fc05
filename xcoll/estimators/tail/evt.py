"""The tail of a sample of losses over a threshold: the generalised Pareto law, with its intervals.

Losses beyond a high threshold u follow, whatever the law of the rest,

    P(X - u > y | X > u) = (1 + ξ y / β)^(-1/ξ)

(Pickands 1975, Balkema and de Haan 1974), with ξ the weight of the tail.  With a share ζ = k/n of
the sample over u (McNeil and Frey 2000, McNeil, Frey and Embrechts 2005, section 5.2):

    VaR_α = u + β/ξ (((1 - α)/ζ)^-ξ - 1)
    ES_α = (VaR_α + β - ξ u) / (1 - ξ)          infinite for ξ >= 1

In units of the sample; `walk_forward(method="evt")` fits the same law to standardised losses and
turns log units into fractions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import ndtri

from xcoll import checks
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.tail import _kernels
from xcoll.estimators.tail.laws import EXCESSES, SHARE

__all__ = ["Gpd", "fit", "mean_excess"]

_KINDS = ("profile", "delta")
_SHAPES = np.linspace(-0.5, 2.5, 601)  # over which a profile likelihood is maximised

Measure = Callable[["Gpd", float, float, float], float]


@dataclass(frozen=True)
class Gpd:
    """A fitted tail.

    Attributes
    ----------
    threshold : u, in units of the losses.
    shape, scale : ξ and β by maximum likelihood.
    excesses : losses over the threshold less the threshold, smallest first.
    observations : n, losses in the sample.
    loglikelihood : of the excesses.
    covariance : 2 × 2, of (ξ, β), the inverse of the observed information; NaN where the likelihood
        is not regular (ξ at its bound of -1/2).
    """

    threshold: float
    shape: float
    scale: float
    excesses: np.ndarray
    observations: int
    loglikelihood: float
    covariance: np.ndarray

    @property
    def share(self) -> float:
        """ζ, share of the sample over the threshold."""
        return len(self.excesses) / self.observations

    @property
    def std_errors(self) -> pd.Series:
        """Standard errors of shape and scale."""
        return pd.Series(np.sqrt(np.diag(self.covariance)), ["shape", "scale"])

    def var(self, confidence: float) -> float:
        """Value at risk; the level must lie over the threshold's."""
        return float(_var(self, self._level(confidence), self.shape, self.scale))

    def es(self, confidence: float) -> float:
        """Expected shortfall; infinite where ξ >= 1, for such a law has no mean."""
        return float(_es(self, self._level(confidence), self.shape, self.scale))

    def interval(
        self,
        confidence: float,
        measure: str = "es",
        coverage: float = 0.90,
        kind: str = "profile",
    ) -> tuple[float, float]:
        """Interval of VaR or ES that holds the truth with probability `coverage`.

        Parameters
        ----------
        measure : `var` or `es`.
        kind : `profile` inverts the likelihood ratio and is wider upwards, as the data are; `delta`
            is symmetric, from `covariance`.  ζ counts as known in both.

        Returns
        -------
        (low, high); high is inf where the likelihood does not bound it.

        Raises
        ------
        EstimationError : ES of a law without a mean, or no regular covariance for `delta`.
        """
        level = self._level(confidence)
        half = -ndtri((1.0 - checks.fraction("coverage", coverage)) / 2.0)
        formula = _MEASURES[checks.one_of("measure", measure, _MEASURES)]
        point = float(formula(self, level, self.shape, self.scale))
        if not np.isfinite(point):
            raise EstimationError(f"ξ is {self.shape:.3g}, so there is no ES; take measure var")
        if point <= self.threshold:
            raise ParameterError(
                f"confidence {level:g} is that of the threshold itself, which is given; raise it"
            )
        if checks.one_of("kind", kind, _KINDS) == "delta":
            return self._delta(formula, level, point, half)
        return self._profile(formula, level, point, 0.5 * half**2)

    def _level(self, confidence: float) -> float:
        level = checks.fraction("confidence", confidence)
        if 1.0 - level > self.share * (1.0 + 1e-9):
            raise ParameterError(
                f"confidence is {level:g}, under the threshold's level {1.0 - self.share:.4g}; "
                "raise it or lower the threshold"
            )
        return level

    def _delta(
        self, formula: Measure, level: float, point: float, half: float
    ) -> tuple[float, float]:
        if np.isnan(self.covariance).any():
            raise EstimationError("the fit is not regular, ξ is at its bound; take kind profile")
        at = np.array([self.shape, self.scale])
        slope = np.empty(2)
        for i, step in enumerate(1e-6 * np.maximum(np.abs(at), 1e-2)):
            up, down = at.copy(), at.copy()
            up[i], down[i] = at[i] + step, at[i] - step
            slope[i] = (formula(self, level, *up) - formula(self, level, *down)) / (2.0 * step)
        error = float(np.sqrt(slope @ self.covariance @ slope))
        return float(point - half * error), float(point + half * error)

    def _profile(
        self, formula: Measure, level: float, point: float, drop: float
    ) -> tuple[float, float]:
        """Ends where the best likelihood with this value of the measure has fallen by `drop`."""
        unit = np.array([formula(self, level, xi, 1.0) - self.threshold for xi in _SHAPES])
        mean = self.excesses.mean()

        def fall(value: float) -> float:
            # With the measure held, each shape has one scale: VaR and ES are u plus β times a
            # function of the shape.
            with np.errstate(divide="ignore", invalid="ignore"):
                scales = (value - self.threshold) / unit
            fit = (scales > 1e-3 * mean) & (scales < 1e3 * mean)
            best = _loglikelihood(self.excesses, _SHAPES[fit, None], scales[fit, None]).max()
            return self.loglikelihood - best - drop

        low = brentq(fall, self.threshold + 1e-2 * (point - self.threshold), point, xtol=1e-10)
        high = point + (point - self.threshold)
        while fall(high) < 0.0:
            high = point + 2.0 * (high - point)
            if high > point + 1e4 * (point - self.threshold):
                return float(low), np.inf
        return float(low), float(brentq(fall, point, high, xtol=1e-10))


def fit(
    losses: np.ndarray | pd.Series, threshold: float | None = None, share: float = SHARE
) -> Gpd:
    """Fit the excesses over a threshold by maximum likelihood.

    Parameters
    ----------
    losses : one-dimensional, positive where something is lost; any unit.
    threshold : u; where not given, the loss over which a `share` of the sample lies.
    share : 10 % of the sample where not given (McNeil and Frey 2000).

    Raises
    ------
    EstimationError : NaN or infinite losses, fewer than `EXCESSES` over the threshold, excesses
        that are all the same, or no maximum.
    """
    sample = np.asarray(losses, float)
    if sample.ndim != 1 or not sample.size or not np.isfinite(sample).all():
        raise EstimationError("losses must be one row of finite numbers; drop those that are not")
    if threshold is None:
        count = int(checks.fraction("share", share) * len(sample) + 1e-9)
        threshold = float(np.sort(sample)[-min(count + 1, len(sample))])
    threshold = checks.number("threshold", threshold)
    excesses = np.sort(sample[sample > threshold] - threshold)
    if len(excesses) < EXCESSES:
        raise EstimationError(
            f"{len(excesses)} losses lie over the threshold {threshold:g}, {EXCESSES} are needed; "
            "lower the threshold, lengthen the sample or take the ES at 97.5 %"
        )
    found = np.array([0.1, excesses.mean()])
    if excesses[0] == excesses[-1] or not _kernels.gpd(excesses, found):
        raise EstimationError(
            f"the {len(excesses)} losses over {threshold:g} have no most likely tail: they are "
            "nearly equal; raise the threshold or check the sample for repeated values"
        )
    shape, scale = found.tolist()
    regular = shape > _kernels.LEAST_SHAPE
    return Gpd(
        threshold=threshold,
        shape=shape,
        scale=scale,
        excesses=excesses,
        observations=len(sample),
        loglikelihood=float(_loglikelihood(excesses, shape, scale)),
        covariance=_covariance(excesses, shape, scale) if regular else np.full((2, 2), np.nan),
    )


def mean_excess(losses: np.ndarray | pd.Series, points: int = 40) -> pd.DataFrame:
    """Mean excess over rising thresholds: a straight line from where the Pareto law holds on.

    Its slope is `ξ / (1 - ξ)`.  Thresholds are losses of the sample, from the median to the one
    that `EXCESSES` exceed.

    Returns
    -------
    Table: threshold, excesses, mean, error (standard error of the mean).
    """
    sample = np.sort(np.asarray(losses, float))
    if sample.ndim != 1 or not np.isfinite(sample).all() or len(sample) < 2 * EXCESSES:
        raise EstimationError(
            f"losses must be one row of finite numbers, {2 * EXCESSES} at least; drop the others"
        )
    at = np.linspace(len(sample) // 2, len(sample) - 1 - EXCESSES, checks.whole("points", points))
    rows = []
    for threshold in np.unique(sample[at.astype(int)]):
        over = sample[sample > threshold] - threshold
        error = over.std(ddof=1) / np.sqrt(len(over))
        rows.append((threshold, len(over), over.mean(), error))
    return pd.DataFrame(rows, columns=["threshold", "excesses", "mean", "error"])


def _loglikelihood(excesses: np.ndarray, shape: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Along the last axis of excesses; -inf outside the support."""
    x = excesses / scale
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(np.abs(shape) < 1e-9, x, (1.0 + 1.0 / shape) * np.log1p(shape * x))
        total = -x.shape[-1] * np.log(np.squeeze(scale)) - logs.sum(axis=-1)
    return np.where(np.isnan(total), -np.inf, total)


def _covariance(excesses: np.ndarray, shape: float, scale: float) -> np.ndarray:
    """Inverse of the observed information, from central differences of the gradient."""

    def gradient(xi: float, beta: float) -> np.ndarray:
        x = excesses / beta
        inside = 1.0 + xi * x
        by_shape = (np.log(inside) / xi**2 - (1.0 / xi + 1.0) * x / inside).sum()
        by_scale = (((1.0 + xi) * x / inside) - 1.0).sum() / beta
        return np.array([by_shape, by_scale])

    # The gradient has a removable singularity at ξ = 0.
    shape = shape if abs(shape) > 1e-3 else 1e-3
    a, b = 1e-5, 1e-5 * scale
    columns = (
        (gradient(shape + a, scale) - gradient(shape - a, scale)) / (2.0 * a),
        (gradient(shape, scale + b) - gradient(shape, scale - b)) / (2.0 * b),
    )
    information = -np.column_stack(columns)
    return np.linalg.inv(0.5 * (information + information.T))


def _var(tail: Gpd, level: float, shape: float, scale: float) -> float:
    log = -np.log((1.0 - level) / tail.share)
    return tail.threshold + scale * (log if abs(shape) < 1e-9 else np.expm1(shape * log) / shape)


def _es(tail: Gpd, level: float, shape: float, scale: float) -> float:
    if shape >= 1.0:
        return np.inf
    return (_var(tail, level, shape, scale) + scale - shape * tail.threshold) / (1.0 - shape)


_MEASURES = {"es": _es, "var": _var}
