"""Stressed correlation matrices: pairs at a quantile of their path, repaired by Higham."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.correlation.paths import matrix

__all__ = ["basket_risk", "nearest", "stressed"]


def nearest(
    correlation: pd.DataFrame, floor: float = 1e-8, tolerance: float = 1e-10
) -> pd.DataFrame:
    """The nearest correlation matrix in the Frobenius norm (Higham 2002, algorithm 3.3).

    Alternating projections with Dykstra's correction between the matrices with eigenvalues of at
    least `floor` and those with a unit diagonal.  A matrix that is in both comes back unchanged.

    Raises
    ------
    EstimationError
        Not symmetric, not finite, or no convergence in 10,000 projections.
    """
    a = correlation.to_numpy(dtype=float)
    if not np.isfinite(a).all() or not np.allclose(a, a.T, rtol=0.0, atol=1e-12):
        raise EstimationError("the matrix to repair is not symmetric and finite")
    if np.array_equal(np.diag(a), np.ones(len(a))) and np.linalg.eigvalsh(a)[0] >= floor:
        return correlation.copy()
    y, correction = a.copy(), np.zeros_like(a)
    for _ in range(10_000):
        r = y - correction
        values, vectors = np.linalg.eigh(r)
        x = (vectors * np.maximum(values, floor)) @ vectors.T
        correction = x - r
        previous, y = y, x.copy()
        np.fill_diagonal(y, 1.0)
        if np.abs(y - previous).max() < tolerance:
            made = (y + y.T) / 2.0
            return pd.DataFrame(made, index=correlation.index, columns=correlation.columns)
    raise EstimationError("no nearest correlation matrix after 10,000 projections")


def stressed(
    path: pd.DataFrame, quantile: float, assets: Sequence[str] | None = None
) -> pd.DataFrame:
    """Each off-diagonal at a quantile of its own path, repaired to the nearest correlation matrix.

    A high and a low one belong together: a book that is long one asset and owes another loses
    when they part.

    Parameters
    ----------
    path : DataFrame
        time × pair.
    quantile : float
        In (0, 1): 0.95 for the high matrix, 0.05 for the low one.

    Raises
    ------
    EstimationError
        A pair without a single value.
    """
    checks.fraction("quantile", quantile)
    return nearest(matrix(path.quantile(quantile), assets))


def basket_risk(correlation: pd.DataFrame) -> float:
    """Risk of a basket in equal risk over the summed risk of its parts, √(1'R1)/n in (0, 1]."""
    R = correlation.to_numpy()
    return float(np.sqrt(max(R.sum(), 0.0)) / len(R))
