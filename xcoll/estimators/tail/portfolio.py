"""What a portfolio of fixed weights loses, as losses over h bars and as a series of its own.

Weights are fractions of the account, negative where an asset is owed; they are held from the
decision to the horizon.  Log returns become simple ones before they are weighted:

    end        Σ w_i (1 - P_{i,t+h} / P_{i,t})
    close_out  max over 0 < s <= h of Σ w_i (1 - W_{i,t+s} / P_{i,t})

W is the worst price of the bar: the low of an asset that is held, and, highs not being known, the
last close or the close of one that is owed, whichever is higher.  Legs need not reach their worst
together inside a bar, so the close-out loss is an upper bound.
"""

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators.tail.losses import LOSSES

__all__ = ["NAME", "aligned", "own_series", "portfolio_losses"]

NAME = "portfolio"  # of weights that carry no name


def aligned(weights: pd.Series, assets: pd.Index) -> pd.Series:
    """Weights of all `assets`, zero where none is given, under the portfolio's name.

    Raises
    ------
    ParameterError : no Series, an unknown or repeated asset, a weight that is no finite number, no
        weight but zero, or a name that is an asset's.
    """
    if not isinstance(weights, pd.Series):
        raise ParameterError(
            f"weights are a {type(weights).__name__}; give a Series of fractions by asset"
        )
    if not weights.index.is_unique:
        twice = weights.index[weights.index.duplicated()][0]
        raise ParameterError(f"weights name {twice} twice; give each asset once")
    unknown = weights.index.difference(assets)
    if len(unknown):
        raise ParameterError(f"weights name {unknown[0]}, which has no returns; leave it out")
    name = NAME if weights.name is None else weights.name
    if name in assets:
        raise ParameterError(f"the portfolio is called {name} like an asset; give another name")
    for asset, weight in weights.items():
        checks.number(f"weight of {asset}", weight)
    full = weights.astype(float).reindex(assets, fill_value=0.0).rename(name)
    if not full.any():
        raise ParameterError("all weights are zero; give one asset a weight at least")
    return full


def portfolio_losses(
    log_returns: pd.DataFrame,
    low: pd.DataFrame,
    weights: pd.Series,
    bars: int = 1,
    loss: str = "close_out",
) -> pd.Series:
    """The portfolio's loss over h bars, stamped t: decided at t, realised in t+1 … t+h.

    Parameters
    ----------
    log_returns, low : time × asset; log excursions `<= 0`.
    weights : by asset; its name is the result's.

    Returns
    -------
    Series : positive fractions of the account lost; NaN where an asset with a weight has no return.
    """
    if not (low.index.equals(log_returns.index) and low.columns.equals(log_returns.columns)):
        raise DataError("low and log_returns differ in times or assets; align them")
    full = aligned(weights, log_returns.columns)
    held = full.index[full != 0.0]
    w = full[held]
    checks.one_of("loss", loss, LOSSES)
    moves = log_returns[held]
    lows = low[held].where(np.broadcast_to(w > 0.0, moves.shape), moves.clip(lower=0.0))
    lost, travelled = [], 0.0
    for s in range(1, checks.whole("bars", bars) + 1):
        # A missing asset makes the portfolio's loss missing: sums do not skip.
        bottom = travelled + lows.shift(-s)
        lost.append((-np.expm1(bottom)).mul(w).sum(axis=1, skipna=False))
        travelled = travelled + moves.shift(-s)
    worst = pd.concat(lost, axis=1).max(axis=1, skipna=False)
    end = (-np.expm1(travelled)).mul(w).sum(axis=1, skipna=False)
    return (worst if loss == "close_out" else end).rename(full.name)


def own_series(
    log_returns: pd.DataFrame, low: pd.DataFrame, weights: pd.Series
) -> tuple[pd.Series, pd.Series]:
    """The portfolio as an asset: log return and log excursion of each bar, rebalanced every bar.

    For methods that know one series only.

    Raises
    ------
    EstimationError : a bar in which the account loses all it has: such a series has no logarithm.
    """
    simple = {
        loss: portfolio_losses(log_returns, low, weights, 1, loss).shift(1) for loss in LOSSES
    }
    for loss, lost in simple.items():
        if (lost >= 1.0).any():
            raise EstimationError(
                f"{lost.name} loses its whole value at {lost.index[lost >= 1.0][0]} ({loss} loss); "
                "use fhs, historical or dcc_t, which need no series of the portfolio itself"
            )
    return np.log1p(-simple["end"]), np.log1p(-simple["close_out"]).clip(upper=0.0)
