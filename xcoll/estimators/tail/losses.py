"""What is lost over h bars from the close of t, as a positive fraction, in history and on paths.

    end        1 - P_{t+h} / P_t                              where the horizon ends
    close_out  max over 0 < s <= h of 1 - L_{t+s} / P_t       the worst print on the way

The close-out loss is the adverse excursion: a liquidation is triggered on the way, not at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks

__all__ = ["LOSSES", "Loss", "close_out_losses", "end_losses", "path_losses", "realised_losses"]


def end_losses(log_returns: pd.DataFrame, bars: int = 1) -> pd.DataFrame:
    """End-of-horizon loss `1 - P_{t+h} / P_t`, stamped t: decided at t, realised in t+1 … t+h.

    Time × asset; the last h bars are NaN, a NaN return makes its windows NaN, gains are negative.
    """
    return _ahead(log_returns, log_returns, bars, close_out=False)


def close_out_losses(log_returns: pd.DataFrame, low: pd.DataFrame, bars: int = 1) -> pd.DataFrame:
    """Worst loss on the way, `max 1 - L_{t+s} / P_t` over 0 < s <= h, stamped t like `end_losses`.

    `low` holds log excursions `ln(L_t / P_{t-1}) <= 0`, time × asset like `log_returns`.
    """
    return _ahead(log_returns, low, bars, close_out=True)


def _ahead(
    log_returns: pd.DataFrame, low: pd.DataFrame, bars: int, close_out: bool
) -> pd.DataFrame:
    r, x = log_returns.to_numpy(dtype=float), low.to_numpy(dtype=float)
    found, known = np.full(r.shape, np.nan), len(r) - checks.whole("bars", bars)
    if known > 0:
        worst, travelled = np.full((known, r.shape[1]), np.inf), np.zeros((known, r.shape[1]))
        for s in range(1, bars + 1):
            # a NaN anywhere on the way makes the whole window NaN
            worst = np.minimum(worst, travelled + x[s : s + known])
            travelled = travelled + r[s : s + known]
        found[:known] = -np.expm1(worst if close_out else travelled)
    return pd.DataFrame(found, log_returns.index, log_returns.columns)


def realised_losses(
    log_returns: pd.DataFrame, low: pd.DataFrame, bars: int = 1, loss: str = "close_out"
) -> pd.DataFrame:
    """The `end` or `close_out` losses by name; time × asset, stamped at the decision."""
    return LOSSES[checks.one_of("loss", loss, LOSSES)].realised(log_returns, low, bars)


def path_losses(log_returns: np.ndarray, low: np.ndarray, loss: str = "close_out") -> np.ndarray:
    """Loss of each simulated path; inputs paths × bars × assets, result paths × assets."""
    return LOSSES[checks.one_of("loss", loss, LOSSES)].of_paths(log_returns, low)


def _worst_of_paths(log_returns: np.ndarray, low: np.ndarray) -> np.ndarray:
    before = np.cumsum(log_returns, axis=1) - log_returns
    return -np.expm1((before + low).min(axis=1))


@dataclass(frozen=True)
class Loss:
    """One definition of loss: over h bars of history, the log move of one bar, on paths."""

    realised: Callable[[pd.DataFrame, pd.DataFrame, int], pd.DataFrame]
    one_bar: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]
    of_paths: Callable[[np.ndarray, np.ndarray], np.ndarray]


LOSSES = {
    "close_out": Loss(
        realised=close_out_losses,
        one_bar=lambda log_returns, low: low,
        of_paths=_worst_of_paths,
    ),
    "end": Loss(
        realised=lambda log_returns, low, bars: end_losses(log_returns, bars),
        one_bar=lambda log_returns, low: log_returns,
        of_paths=lambda log_returns, low: -np.expm1(log_returns.sum(axis=1)),
    ),
}
