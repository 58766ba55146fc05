"""Exponential weights: the floor that a volatility model must beat."""

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.estimators.series import checked

__all__ = ["ewma"]


def ewma(returns: pd.DataFrame, decay: float = 0.94, minimum: int = 30) -> pd.DataFrame:
    """RiskMetrics volatility with weights that sum to one over the bars there are.

        σ²_t = Σ λ^i r²_{t−i} / Σ λ^i,      i = 0 … bars since listing

    Parameters
    ----------
    returns : DataFrame
        time × asset, zero mean assumed; NaN before listing and after delisting.
    decay : float
        λ in (0, 1); RiskMetrics Technical Document (1996) has 0.94 for days.
    minimum : int
        Bars of an asset before its first forecast; NaN until then.

    Returns
    -------
    DataFrame
        time × asset, σ a bar, stamped t for the bar after t.

    Raises
    ------
    EstimationError
        NaN inside a listing, or an infinity.
    """
    checks.fraction("decay", decay)
    frame = checked(returns)
    least = checks.whole("minimum", minimum)
    squares = (frame**2).ewm(alpha=1.0 - decay, adjust=True, min_periods=least).mean()
    return np.sqrt(squares).where(frame.notna())
