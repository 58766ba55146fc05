"""Volatility: exponential weights and GARCH, fitted once or walked forward, and their scores."""

from xcoll.estimators.volatility.garch import (
    Fit,
    WalkForward,
    ewma,
    fit,
    residuals,
    variance_path,
    walk_forward,
)

__all__ = ["Fit", "WalkForward", "ewma", "fit", "residuals", "variance_path", "walk_forward"]
