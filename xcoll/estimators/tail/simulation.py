"""Losses over several bars by drawing whole standardised bars through a variance recursion.

Filtered historical simulation (Barone-Adesi, Giannopoulos and Vosper 1999), joint across assets: a
drawn bar brings the returns and the lows of all of them, so the dependence of a day stays
together.  The drift stays inside the drawn bars; the recursion takes a zero mean, for the mean of
a daily bar is a twentieth of its σ and cannot be told from zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.tail.losses import LOSSES, path_losses
from xcoll.estimators.tail.shortfall import beyond, historical

__all__ = ["Recursion", "simulate", "today"]


@dataclass(frozen=True)
class Recursion:
    """Variance recursion `h' = ω + (α + γ 1[ε < 0]) ε² + β h`; scalars or one value an asset."""

    omega: float | np.ndarray
    alpha: float | np.ndarray
    beta: float | np.ndarray
    gamma: float | np.ndarray = 0.0

    @classmethod
    def ewma(cls, decay: float = 0.94) -> "Recursion":
        """RiskMetrics (1996): `h' = (1 - λ) ε² + λ h`."""
        decay = checks.fraction("decay", decay)
        return cls(0.0, 1.0 - decay, decay)

    @classmethod
    def constant(cls) -> "Recursion":
        """σ stays what it is today over the whole horizon."""
        return cls(0.0, 0.0, 1.0)

    def step(self, variance: np.ndarray, shock: np.ndarray) -> np.ndarray:
        """Variance of the next bar after a shock ε."""
        weight = self.alpha + self.gamma * (shock < 0.0)
        return self.omega + weight * shock**2 + self.beta * variance


def simulate(
    score: np.ndarray,
    low_score: np.ndarray,
    sigma: np.ndarray,
    draws: np.ndarray,
    recursion: Recursion,
) -> tuple[np.ndarray, np.ndarray]:
    """Joint paths from drawn bars.

    Parameters
    ----------
    score, low_score : bars × assets, `r_t / σ_{t-1}` and `x_t / σ_{t-1}` of the same bars.
    sigma : σ of the first simulated bar, one an asset.
    draws : paths × horizon, rows of `score`: a drawn bar brings all its assets and their lows.
    recursion : how σ answers to the drawn returns.

    Returns
    -------
    (log_returns, low) : each paths × horizon × assets; low is the log low over the last close.
    """
    variance = np.broadcast_to(np.asarray(sigma, float) ** 2, (len(draws), score.shape[1]))
    returns = np.empty((*draws.shape, score.shape[1]))
    lows = np.empty_like(returns)
    for s in range(draws.shape[1]):
        scale = np.sqrt(variance)
        returns[:, s] = score[draws[:, s]] * scale
        lows[:, s] = low_score[draws[:, s]] * scale
        variance = recursion.step(variance, returns[:, s])
    return returns, lows


def today(
    log_returns: pd.DataFrame,
    volatility: pd.DataFrame,
    low: pd.DataFrame,
    bars: int,
    confidence: float | Sequence[float],
    rng: np.random.Generator,
    paths: int = 20_000,
    recursion: Recursion | None = None,
) -> pd.DataFrame:
    """VaR and ES over the next `bars` bars, from all bars that every asset has.

    Parameters
    ----------
    log_returns, volatility, low : time × asset; σ stamped t for t+1; log excursions.  Every asset
        needs a σ on the last row.
    recursion : EWMA 0.94 where not given.

    Returns
    -------
    Table: asset, loss, bars, confidence, var, es, error (Monte Carlo standard error of the ES),
    beyond (drawn bars beyond the level), root (ES of one bar times the square root of `bars`, to
    show what that rule would say; nothing uses it).

    Raises
    ------
    EstimationError : an asset without σ today, or no bar that all assets share.
    """
    levels = np.atleast_1d(confidence).tolist()
    checks.whole("bars", bars)
    previous = volatility.shift(1)
    score, low_score = (log_returns / previous).to_numpy(), (low / previous).to_numpy()
    known = np.isfinite(score).all(axis=1) & np.isfinite(low_score).all(axis=1)
    sigma = volatility.iloc[-1]
    if sigma.isna().any() or not known.any():
        missing = ", ".join(sigma.index[sigma.isna()]) or "all assets together"
        raise EstimationError(f"no volatility for {missing} at the last bar; leave the asset out")
    draws = rng.integers(0, known.sum(), (checks.whole("paths", paths), bars))
    ahead = simulate(
        score[known],
        low_score[known],
        sigma.to_numpy(),
        draws,
        Recursion.ewma() if recursion is None else recursion,
    )
    first = tuple(path[:, :1] for path in ahead)
    rows = []
    for loss in LOSSES:
        pairs = zip(path_losses(*ahead, loss).T, path_losses(*first, loss).T, strict=True)
        for asset, (losses, one_bar) in zip(log_returns.columns, pairs, strict=True):
            for level in levels:
                found = historical(losses, level)
                root = np.sqrt(bars) * historical(one_bar, level).es
                row = {"asset": asset, "loss": loss, "bars": bars} | vars(found)
                rows.append(row | {"beyond": beyond(int(known.sum()), level), "root": root})
    columns = ["asset", "loss", "bars", "confidence", "var", "es", "error", "beyond", "root"]
    return pd.DataFrame(rows)[columns]
