"""Where a liquidation lowers the health that it should raise: the toxic frontier, pair by pair."""

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.thresholds.parameters import RiskParameters

__all__ = ["toxic", "toxic_pairs"]


def toxic(
    collateral: np.ndarray, debt: np.ndarray, thresholds: np.ndarray, bonuses: np.ndarray
) -> np.ndarray:
    """Collaterals whose seizure lowers the account's health: held, and ``HF ≤ LT_k(1 + LB_k)``.

    Parameters
    ----------
    collateral : ndarray, accounts × assets
        Values in the numéraire, not negative.
    debt : ndarray, accounts
        Value of the whole debt in the numéraire, not negative.
    thresholds, bonuses : ndarray, assets
        LT_k and LB_k as fractions.

    Returns
    -------
    ndarray of bool, accounts × assets
        True for a toxic pair of the account's debt and that collateral; an account without debt
        has none.  An account is beyond help when every collateral that it holds is True.
    """
    collateral = np.atleast_2d(np.asarray(collateral, dtype=float))
    debt = np.atleast_1d(np.asarray(debt, dtype=float))
    borrowing = collateral @ np.asarray(thresholds, dtype=float)
    frontier = np.asarray(thresholds) * (1.0 + np.asarray(bonuses))
    owed = debt[:, None] > 0.0
    return (collateral > 0.0) & owed & (borrowing[:, None] <= frontier * debt[:, None])


def toxic_pairs(parameters: RiskParameters, health: float) -> pd.DataFrame:
    """Of accounts that hold two assets in equal value: does seizing the row's asset do harm?

    Parameters
    ----------
    parameters : RiskParameters
        A set with at least two assets.
    health : float
        Health factor at which all these accounts stand, above zero.

    Returns
    -------
    DataFrame of bool, asset × asset
        Row: the asset seized, column: the other one; False on the diagonal.
    """
    checks.positive("health", health)
    assets, LT = parameters.assets, parameters.frame["threshold"].to_numpy()
    seized, kept = np.nonzero(~np.eye(len(assets), dtype=bool))
    held = np.zeros((len(seized), len(assets)))
    accounts = np.arange(len(seized))
    held[accounts, seized] = held[accounts, kept] = 0.5
    verdict = toxic(held, held @ LT / health, LT, parameters.frame["bonus"].to_numpy())
    found = np.zeros((len(assets), len(assets)), dtype=bool)
    found[seized, kept] = verdict[accounts, seized]
    return pd.DataFrame(found, index=assets, columns=assets)
