"""Correlation: paths, matrices now and in stress, tail dependence, alerts."""

from xcoll.estimators.correlation.paths import (
    LEAST_BARS,
    alerts,
    assets_of,
    ewma,
    first_eigenvalue_share,
    matrix,
    nearest,
    pairs,
    rank_correlation,
    rolling,
    stressed,
    tail_dependence,
)

__all__ = [
    "LEAST_BARS",
    "alerts",
    "assets_of",
    "ewma",
    "first_eigenvalue_share",
    "matrix",
    "nearest",
    "pairs",
    "rank_correlation",
    "rolling",
    "stressed",
    "tail_dependence",
]
