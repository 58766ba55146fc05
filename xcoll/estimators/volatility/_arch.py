"""Maximum likelihood by the package arch, and not on its word alone.

    GARCH, GJR   h_t = ω + (α + γ 1[ε_{t−1}<0]) ε²_{t−1} + β h_{t−1}
    EGARCH       ln h_t = ω + α (|e_{t−1}| − √(2/π)) + γ e_{t−1} + β ln h_{t−1},    e = ε/√h
    FIGARCH      h_t = ω/(1−β) + Σ λ_i ε²_{t−i},    λ from φ, d, β, cut off after 1,000 bars

with ε = r − μ (Nelson 1991; Baillie, Bollerslev and Mikkelsen 1996).  The only engine for EGARCH,
FIGARCH and Hansen's (1994) skewed t; for GARCH and GJR with normal or t errors what is fallen back
on.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.volatility._arch_likelihood import (
    ERRORS,
    MODELS,
    STARTS,
    End,
    Likelihood,
    names,
)

__all__ = [
    "ERRORS",
    "LEAST_BARS",
    "MODELS",
    "STARTS",
    "Estimate",
    "estimate",
    "names",
    "path",
    "unfit",
]

LEAST_BARS = 60  # under two months of days four parameters are noise


@dataclass(frozen=True)
class Estimate:
    """A maximum of the likelihood in the unit of the returns; NaN where there is none.

    Attributes
    ----------
    params : ndarray
        In the order of `names`.
    converged : bool
        The optimiser said so, and starting it again from there found nothing more.
    on_bound : bool
        α + γ/2 + β, EGARCH's β or FIGARCH's d at one.
    message : str
        How each start ended.
    variance : ndarray
        h of each bar and, last, the forecast of the next: n + 1.
    """

    engine: ClassVar[str] = "arch"

    params: np.ndarray
    names: list[str]
    loglikelihood: float
    converged: bool
    on_bound: bool
    message: str
    variance: np.ndarray
    _likelihood: Likelihood | None = None

    def covariance(self) -> dict[str, np.ndarray]:
        """Covariance of the parameters by numerical derivatives, NaN where there is none.

        "hessian", "opg", and "robust" (Bollerslev and Wooldridge 1992).
        """
        if self._likelihood is None:
            size = len(self.params)
            return {kind: np.full((size, size), np.nan) for kind in ("hessian", "opg", "robust")}
        return self._likelihood.covariance(self.params)

    def path(self, params: np.ndarray) -> np.ndarray:
        """Variances of the n bars and the next one at any parameters."""
        return self._known().path(params)

    def forecast_variance(self, bars: int) -> np.ndarray:
        """Mean of h in each of the next `bars` bars, at these parameters, in closed form.

        Raises
        ------
        EstimationError
            There is no maximum; or EGARCH with t errors beyond the next bar, where h has no mean
            (Nelson 1991).
        """
        return self._known().forecast_variance(self.params, bars)

    def simulate(
        self, bars: int, paths: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns and variances of the next bars, each paths × bars."""
        return self._known().simulate(self.params, bars, paths, rng)

    def _known(self) -> Likelihood:
        if self._likelihood is None:
            raise EstimationError(f"nothing to forecast with: {self.message}")
        return self._likelihood


def unfit(x: np.ndarray) -> str:
    """Why `x` cannot be fitted, or an empty string."""
    if len(x) < LEAST_BARS:
        return f"{len(x)} bars are too few, {LEAST_BARS} are needed"
    largest = np.abs(x).max()
    if not largest < 1e100:
        return "a return is NaN, infinite or beyond 1e100"
    if np.ptp(x) <= 1e-12 * largest:
        return f"the return is constant over {len(x)} bars"
    return ""


def estimate(
    x: np.ndarray, model: str, errors: str, start: str, guess: np.ndarray | None = None
) -> Estimate:
    """Maximise the likelihood of `x` from `guess`, from arch's own start where that is no good.

    On the bundled prices arch's optimiser stopped on α + β = 1 and reported success up to 17
    log-likelihood points under what another start found when it was started warm, up to 96 when
    it was started cold.  So a start that fails or ends on the bound is followed by another, and
    every end is started again until it gains nothing; the highest converged one is kept.

    Parameters
    ----------
    x : ndarray
        Returns in any unit.
    model, errors, start : str
        Of `MODELS`, `ERRORS`, `STARTS`.
    guess : ndarray, optional
        Parameters in the unit of `x`, moved inside their bounds where they are not.
    """
    checks.one_of("model", model, MODELS)
    checks.one_of("errors", errors, ERRORS)
    checks.one_of("start", start, STARTS)
    known = names(model, errors)
    reason = unfit(x)
    if reason:
        none = np.full(len(known), np.nan)
        return Estimate(none, known, np.nan, False, False, reason, np.full(len(x) + 1, np.nan))
    likelihood = Likelihood(x, model, errors, start)
    ends: list[End] = []
    for name, first in likelihood.starts(guess):
        ends.append(likelihood.climb(name, first))
        if ends[-1].converged and not ends[-1].on_bound:
            break
    best = max(ends, key=lambda end: (end.converged, end.loglikelihood))
    theta = likelihood.jacobian @ best.theta + likelihood.shift
    return Estimate(
        params=theta,
        names=known,
        loglikelihood=best.loglikelihood - len(x) * np.log(likelihood.scale),
        converged=best.converged,
        on_bound=best.on_bound,
        message="; ".join(end.message for end in ends),
        variance=likelihood.variance(best.theta) * likelihood.scale**2,
        _likelihood=likelihood,
    )


def path(x: np.ndarray, params: np.ndarray, model: str, errors: str, start: str) -> np.ndarray:
    """Variances of the n bars and the next one at any parameters."""
    return Likelihood(x, model, errors, start).path(params)
