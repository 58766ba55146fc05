"""Correlation: paths, DCC, matrices now and in stress, tail dependence, alerts."""

from xcoll.estimators.correlation.alerts import alerts, first_eigenvalue_share
from xcoll.estimators.correlation.dependence import rank_correlation, tail_dependence
from xcoll.estimators.correlation.paths import (
    LEAST_BARS,
    assets_of,
    ewma,
    matrices,
    matrix,
    pairs,
    rolling,
)
from xcoll.estimators.correlation.scores import compare, likelihood_loss, minimum_variance_loss
from xcoll.estimators.correlation.shrinkage import Shrunk, ledoit_wolf
from xcoll.estimators.correlation.stress import basket_risk, nearest, stressed
from xcoll.estimators.correlation.walk import Monitor, Walk, monitor, walk_forward

__all__ = [
    "LEAST_BARS",
    "Monitor",
    "Shrunk",
    "Walk",
    "alerts",
    "assets_of",
    "basket_risk",
    "compare",
    "ewma",
    "first_eigenvalue_share",
    "ledoit_wolf",
    "likelihood_loss",
    "matrices",
    "matrix",
    "minimum_variance_loss",
    "monitor",
    "nearest",
    "pairs",
    "rank_correlation",
    "rolling",
    "stressed",
    "tail_dependence",
    "walk_forward",
]
