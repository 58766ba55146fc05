"""Volatility: exponential weights and GARCH, fitted once or walked forward, and their scores."""

from xcoll.estimators.volatility.exponential import ewma
from xcoll.estimators.volatility.garch import Fit, fit
from xcoll.estimators.volatility.panel import Panel, fit_each
from xcoll.estimators.volatility.walk import WalkForward, residuals, walk_forward

__all__ = [
    "Fit",
    "Panel",
    "WalkForward",
    "ewma",
    "fit",
    "fit_each",
    "residuals",
    "walk_forward",
]
