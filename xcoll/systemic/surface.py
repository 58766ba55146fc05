"""Bad debt over the size of a fall and the correlation of what falls.

A common factor falls by k of its standard deviations; asset i moves by

    x_i = σ_i·(−k·√ρ + √(1 − ρ)·e_i),      e_i standard normal

so that at ρ = 1 everything falls together, and at ρ = 0 the fall of the factor is nobody's.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.systemic.shocks import Shocks, run
from xcoll.systemic.system import System

__all__ = ["surface"]


def surface(
    system: System,
    sigma: pd.Series,
    sizes: Sequence[float],
    correlations: Sequence[float],
    draws: int,
    rng: np.random.Generator,
    unfolding: Shocks | None = None,
) -> pd.DataFrame:
    """Mean bad debt over the debt at the opening.

    Parameters
    ----------
    sigma : standard deviation over the horizon by asset, of those that move by themselves.
    sizes : falls k of the factor, standard deviations, from 0 on.
    correlations : ρ in [0, 1].
    draws : of the other part of the moves, the same for every cell.

    Returns
    -------
    DataFrame
        ``size``, ``correlation``, ``bad_debt``, ``error`` (standard error of the mean), ``sold``
        (over the debt), one row a cell.
    """
    if not len(sizes) or not len(correlations):
        raise ParameterError("no sizes or no correlations; give at least one of each")
    checks.whole("draws", draws, 2)
    own = rng.standard_normal((draws, len(sigma)))
    cells, moves = [], []
    for k in sizes:
        checks.at_least("size", k, 0.0)
        for rho in correlations:
            checks.fraction("correlation", rho, closed=True)
            cells.append((float(k), float(rho)))
            moves.append(sigma.to_numpy() * (-k * np.sqrt(rho) + np.sqrt(1.0 - rho) * own))
    found = run(system, list(sigma.index), np.vstack(moves), unfolding)
    lost = found.bad_debt.reshape(len(cells), draws)
    sold = (found.sold.sum(axis=1) / found.debt.sum()).reshape(len(cells), draws)
    table = pd.DataFrame(cells, columns=["size", "correlation"])
    return table.assign(
        bad_debt=lost.mean(axis=1),
        error=lost.std(axis=1, ddof=1) / np.sqrt(draws),
        sold=sold.mean(axis=1),
    )
