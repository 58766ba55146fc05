"""Ledoit–Wolf shrinkage: a covariance of few bars, pulled towards a target that has no noise.

    Σ* = δ F + (1 − δ) S,      δ = min(1, max(0, estimated error of S against F's distance))

S is the sample covariance with divisor T.  The target F is either a multiple of the identity
(Ledoit and Wolf 2004, Journal of Multivariate Analysis 88) or the constant-correlation matrix
(Ledoit and Wolf 2004, "Honey, I shrunk the sample covariance matrix", appendix B).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.correlation.paths import LEAST_BARS, several

__all__ = ["TARGETS", "Shrunk", "ledoit_wolf"]


@dataclass(frozen=True)
class Shrunk:
    """A shrunk covariance and its correlation (asset × asset), the intensity δ, the bars used."""

    covariance: pd.DataFrame
    correlation: pd.DataFrame
    intensity: float
    bars: int


def ledoit_wolf(returns: pd.DataFrame, target: str = "constant") -> Shrunk:
    """Shrunk covariance and correlation of the bars that all assets have.

    Parameters
    ----------
    returns : DataFrame
        time × asset; NaN before listing and after delisting.
    target : str
        "constant": the sample variances with the mean sample correlation, which does not mind
        the assets' units; "identity": the mean variance and no correlation, meant for assets of
        like variance, so give it standardised returns.

    Raises
    ------
    EstimationError
        Fewer than `LEAST_BARS` common bars, or an asset that is constant over them.
    """
    shrink = TARGETS[checks.one_of("target", target, TARGETS)]
    frame = several(returns).dropna()
    if len(frame) < LEAST_BARS:
        raise EstimationError(
            f"{len(frame)} bars that all assets have; {LEAST_BARS} are needed,"
            " leave the latest asset out"
        )
    still = frame.columns[np.ptp(frame.to_numpy(), axis=0) == 0.0]
    if len(still):
        raise EstimationError(f"{still[0]}: constant over the common bars; leave the asset out")
    x = frame.to_numpy()
    covariance, intensity = shrink(x - x.mean(axis=0))
    deviation = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(deviation, deviation)
    np.fill_diagonal(correlation, 1.0)
    named = {"index": frame.columns, "columns": frame.columns}
    return Shrunk(
        pd.DataFrame(covariance, **named), pd.DataFrame(correlation, **named), intensity, len(x)
    )


def _identity(x: np.ndarray) -> tuple[np.ndarray, float]:
    bars, n = x.shape
    S = x.T @ x / bars
    mu = np.trace(S) / n
    distance = (S**2).sum() / n - mu**2  # ‖S − μI‖² over n
    error = ((x**2).sum(axis=1) ** 2).sum() / bars - (S**2).sum()  # Σ ‖x_t x'_t − S‖² over T
    delta = _intensity(error / (n * bars), distance)
    return delta * mu * np.eye(n) + (1.0 - delta) * S, delta


def _constant(x: np.ndarray) -> tuple[np.ndarray, float]:
    bars, n = x.shape
    S = x.T @ x / bars
    deviation = np.sqrt(np.diag(S))
    mean = ((S / np.outer(deviation, deviation)).sum() - n) / (n * (n - 1))
    F = mean * np.outer(deviation, deviation)
    np.fill_diagonal(F, np.diag(S))
    squares = x**2
    pi = squares.T @ squares / bars - S**2  # asymptotic variance of √T s_ij
    theta = (x**3).T @ x / bars - np.diag(S)[:, None] * S  # covariance of s_ii with s_ij
    np.fill_diagonal(theta, 0.0)
    rho = np.trace(pi) + mean * (theta * np.outer(1.0 / deviation, deviation)).sum()
    delta = _intensity((pi.sum() - rho) / bars, ((F - S) ** 2).sum())
    return delta * F + (1.0 - delta) * S, delta


def _intensity(error: float, distance: float) -> float:
    return float(min(1.0, max(0.0, error / distance))) if distance > 0.0 else 1.0


TARGETS: dict[str, Callable[[np.ndarray], tuple[np.ndarray, float]]] = {
    "constant": _constant,
    "identity": _identity,
}
