"""What each asset of an account can do in a bar: filtered bars that all of them have.

Returns, lows and highs in units of the σ forecast for their bar, to be taken at today's σ
(Barone-Adesi, Giannopoulos and Vosper 1999).  Where lows are drawn the draws are pooled: a bar
stands there once a draw.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll.collateral.history import History
from xcoll.collateral.thresholds.pairs import Bars
from xcoll.errors import DataError, EstimationError
from xcoll.estimators.tail import excursion

__all__ = ["Margins", "highs", "margins"]


@dataclass(frozen=True)
class Margins:
    """What each asset of an account can do in a bar.

    Attributes
    ----------
    assets : columns.
    score, low, high : bars × assets, return, log low and log high in units of the σ forecast for
        their bar; no high where none was given.
    sigma : σ of the next bar, by asset.
    first, now : first and last of the bars.
    bars : number of distinct bars; `score` holds each once a draw of the lows.
    """

    assets: list[str]
    score: np.ndarray
    low: np.ndarray
    high: np.ndarray | None
    sigma: np.ndarray
    first: pd.Timestamp
    now: pd.Timestamp
    bars: int


def margins(history: History, assets: list[str], highs: pd.DataFrame | None = None) -> Margins:
    """Bars that all `assets` have, in units of their σ.

    Raises
    ------
    DataError
        An asset without a history; highs of other times, or without one of the assets.
    EstimationError
        An asset without σ at the last bar, or fewer than two bars that all have.
    """
    known = history.of(assets)
    sigma = known.volatility.reindex(columns=assets).iloc[-1]
    if sigma.isna().any():
        missing = ", ".join(sigma.index[sigma.isna()])
        raise EstimationError(f"no volatility of {missing} at {history.now}; leave it out")
    frames = [known.log_returns, *known.lows]
    if highs is not None:
        if not highs.index.equals(history.log_returns.index):
            raise DataError("highs and the history differ in times; cut both to the same bars")
        if not set(assets) <= set(highs):
            raise DataError(f"highs lack one of {', '.join(assets)}; give those of every asset")
        frames.append(highs[assets])
    scaled = [frame / known.volatility.shift(1) for frame in frames]
    common = np.logical_and.reduce([np.isfinite(frame).all(axis=1) for frame in scaled])
    times = history.log_returns.index[common]
    if len(times) < 2:
        raise EstimationError(
            f"{len(times)} bars that {', '.join(assets)} all have; leave the latest one out"
        )
    draws = len(known.lows)
    score, *bounds = (frame.to_numpy()[common] for frame in scaled)
    return Margins(
        assets=assets,
        score=np.tile(score, (draws, 1)),
        low=np.concatenate(bounds[:draws]),
        high=None if highs is None else np.tile(bounds[-1], (draws, 1)),
        sigma=sigma.to_numpy(),
        first=times[0],
        now=history.now,
        bars=len(times),
    )


def highs(
    bars: Bars, log_returns: pd.DataFrame, volatility: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Log highs ``ln(H_t / P_{t−1}) ≥ 0``: the donor's rises mirrored, matched ones corrected.

    Parameters
    ----------
    bars : Bars
        Prices with the donor's highs; pegged assets take the close for the high.
    log_returns, volatility : DataFrame
        time × asset.
    rng : Generator
        Source of the matched draws.
    """
    mirrored = excursion.excursions(
        -log_returns, volatility, None, bars.rises, rng=rng, no_donor=bars.pegged
    )
    return -excursion.corrected(mirrored)
