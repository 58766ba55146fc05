"""Scores of forecasts: lower is better, in mean least at the true VaR (tick) or VaR and ES (FZ0).

A score compares methods on the same bars; whether a difference is more than luck is asked of
`comparison` (Diebold–Mariano, the model confidence set).
"""

from collections.abc import Callable

import numpy as np

from xcoll.errors import EstimationError
from xcoll.estimators.evaluation.inputs import share

__all__ = ["SCORES", "fz0", "tick"]


def tick(losses: np.ndarray, var: np.ndarray, confidence: float) -> np.ndarray:
    """Quantile score `(L - v)(α - 1[L < v])`, one a bar (Koenker and Bassett 1978)."""
    below = np.asarray(losses) < np.asarray(var)
    return (losses - var) * (1.0 - share(confidence) - below)


def fz0(losses: np.ndarray, var: np.ndarray, es: np.ndarray, confidence: float) -> np.ndarray:
    """Fissler–Ziegel score FZ0 of joint VaR and ES forecasts, one a bar; lower is better.

    `1[L > v] (L - v) / ((1-α) e) + v/e + ln e - 1` (Patton, Ziegel and Chen 2019, in losses).

    Raises
    ------
    EstimationError : an ES that is not positive, for which the score is not defined.
    """
    p = share(confidence)
    if not (np.asarray(es) > 0.0).all():
        raise EstimationError("FZ0 needs ES forecasts above zero")
    return np.maximum(losses - var, 0.0) / (p * es) + var / es + np.log(es) - 1.0


def _tick(
    losses: np.ndarray,
    var: np.ndarray,
    es: np.ndarray,
    confidence: float,
) -> np.ndarray:
    return tick(losses, var, confidence)


SCORES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]] = {
    "fz0": fz0,
    "tick": _tick,
}
