"""Wrong-way risk: what is owed rises as what is held falls.

The joint scenarios are set against the same scenarios with the debts of one path beside the
collateral of another: each side keeps its margins and the dependence within it, and only what
ties the two is gone.  The difference of the two ES is what that tie costs (negative: it hedges).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from xcoll.collateral.baskets.account import Account
from xcoll.collateral.baskets.euler import tail_weights
from xcoll.estimators.tail.shortfall import drawn

__all__ = ["UNITS", "wrong_way"]

# What is lost of the collateral's value; prices P relative to the decision, c held and d owed.
#   dollar   Σ c_i (1 - P_i) + Σ d_j (P_j - 1)      the net account, in dollars
#   debt     1 - Σ c_i P_i / (Σ d_j P_j / Σ d_j)    the collateral, in units of what is owed
UNITS = ("dollar", "debt")


def wrong_way(
    walked: Mapping[str, np.ndarray],
    closes: int,
    legs: Account,
    confidence: float,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """ES of an account with and without the tie between its collateral and its debt.

    Parameters
    ----------
    walked : mapping
        Law → log moves, paths × points × assets (`scenarios.moves`).
    closes : int
        How many of the points, the last ones, are closes, one a bar.
    legs : Account
        Its weights.
    confidence : float
        Level of the ES, in (0, 1).
    rng : Generator
        Decides whose debts stand beside whose collateral.

    Returns
    -------
    DataFrame
        law × unit (of `UNITS`): ``joint`` and ``independent`` ES, ``addon`` their difference,
        ``error`` its Monte Carlo standard error over paths that share their collateral; fractions
        of the collateral's value in that unit.  ``debt_move``: mean change of the debt's value
        at the close of the bar in which the collateral stands worst, over the collateral's own
        tail; dollars on a dollar of collateral (``dollar``), and a fraction of the debt
        (``debt``).  Empty without a debt.
    """
    held, weights = legs.held, legs.weights.to_numpy()
    c, d = weights[held], -weights[~held]
    rows = []
    for law, move in walked.items() if d.size else ():
        price = np.exp(move)[..., legs.column]
        collateral, debt = price[..., held] @ c, price[..., ~held] @ d
        at = collateral.argmin(axis=1)[:, None]
        worst = np.take_along_axis(collateral, at, axis=1)[:, 0]
        risen = np.take_along_axis(debt[:, -closes:], at % closes, axis=1)[:, 0]
        moved = tail_weights(1.0 - worst, confidence) @ risen - d.sum()
        other = debt[rng.permutation(len(debt))]
        for unit, scale in zip(UNITS, (1.0, d.sum()), strict=True):
            samples = np.stack([_lost(collateral, owed, d.sum(), unit) for owed in (debt, other)])
            ((var, es, _),) = drawn(samples, [confidence])
            over = np.maximum(samples - var[:, None], 0.0) / (1.0 - confidence)
            error = np.std(over[0] - over[1]) / np.sqrt(len(other))
            rows.append((law, unit, *es, es[0] - es[1], error, moved / scale))
    columns = ["law", "unit", "joint", "independent", "addon", "error", "debt_move"]
    return pd.DataFrame(rows, columns=columns).set_index(["law", "unit"])


def _lost(value: np.ndarray, debt: np.ndarray, owed: float, unit: str) -> np.ndarray:
    lost = 1.0 - value + debt - owed if unit == "dollar" else 1.0 - value / (debt / owed)
    return lost.max(axis=1)
