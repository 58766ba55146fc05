"""The stationary bootstrap (Politis and Romano 1994) of whole bars, joint across assets.

Blocks of successive bars begin anywhere, end after each bar with probability 1 / block, and run
from the last bar on to the first: lengths are geometric with mean `block`, and the resampled series
is stationary.  A drawn bar brings the returns and the lows of all assets, so what fell together
falls together.  The drift of the history stays in its bars.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.scenarios.paths import Paths, history
from xcoll.market.prices import bar_length

__all__ = ["LEAST_BARS", "StationaryBootstrap", "automatic_block", "stationary_rows"]

LEAST_BARS = 60  # common bars under which resampling repeats too little to mean anything


@dataclass(frozen=True)
class StationaryBootstrap:
    """Bars to draw from; make it with `fit`.

    Attributes
    ----------
    log_returns, low : DataFrame, time × asset
        Of the bars that all assets have, successive; low is the log low over the last close.
    block : float
        Mean length of a block in bars, at least 1.
    lost : int
        Bars that some of the assets have and others do not: they are never drawn.
    bar : Timedelta
        Length of a bar.
    """

    log_returns: pd.DataFrame
    low: pd.DataFrame
    block: float
    lost: int
    bar: pd.Timedelta

    @classmethod
    def fit(
        cls,
        log_returns: pd.DataFrame,
        low: pd.DataFrame | None = None,
        block: float | None = None,
    ) -> "StationaryBootstrap":
        """The bars that every asset of `log_returns` has.

        Parameters
        ----------
        log_returns : DataFrame
            time × asset, the assets that are asked for; NaN before listing and after delisting.
        low : DataFrame, optional
            Log excursions ``ln(L_t / P_{t−1}) ≤ min(r_t, 0)``; the close is taken for the low
            where not given.
        block : float, optional
            Mean length of a block in bars; `automatic_block` where not given.

        Raises
        ------
        DataError, EstimationError
            As `history` does, and fewer common bars than `LEAST_BARS`.
        """
        given = history(log_returns, low)
        known = given.log_returns.notna() & given.low.notna()
        common = known.all(axis=1)
        if common.sum() < LEAST_BARS:
            raise EstimationError(
                f"{common.sum()} bars that all assets have, {LEAST_BARS} are needed; "
                f"leave out {known.sum().idxmin()}, which has the fewest"
            )
        returns = given.log_returns[common]
        block = automatic_block(returns) if block is None else checks.at_least("block", block, 1.0)
        lost = int((given.log_returns.notna().any(axis=1) & ~common).sum())
        bar = bar_length(given.log_returns.index)
        return cls(returns, given.low[common], block, lost, bar)

    def simulate(self, paths: int, bars: int, rng: np.random.Generator) -> Paths:
        """Paths of `bars` bars; path i is the same for any number of paths."""
        rows = stationary_rows(len(self.log_returns), paths, bars, self.block, rng)
        drawn = (part.to_numpy()[rows] for part in (self.log_returns, self.low))
        return Paths.of(*drawn, list(self.log_returns.columns), self.bar)


def stationary_rows(
    rows: int, paths: int, bars: int, block: float, rng: np.random.Generator
) -> np.ndarray:
    """Row numbers 0 … rows − 1 of resampled series, paths × bars."""
    shape = checks.whole("paths", paths), checks.whole("bars", bars)
    ends, places = rng.spawn(2)
    first = ends.random(shape) < 1.0 / checks.at_least("block", block, 1.0)
    places = places.integers(0, checks.whole("rows", rows), shape)
    bar = np.arange(shape[1])
    # A series begins with a block of its own, at its first place.
    begun = np.maximum.accumulate(np.where(first, bar, 0), axis=1)
    return (np.take_along_axis(places, begun, axis=1) + bar - begun) % rows


def automatic_block(log_returns: pd.DataFrame) -> float:
    """Mean block length by Politis and White (2004, corrected 2009), the longest that is asked for.

    The rule looks at one series; here at the returns and the absolute returns of each asset, for
    what clusters in time is the size of the moves rather than their sign.

    Parameters
    ----------
    log_returns : time × asset, without NaN.

    Raises
    ------
    EstimationError : an asset that does not move.
    """
    still = log_returns.columns[np.ptp(log_returns.to_numpy(), axis=0) == 0.0]
    if len(still):
        raise EstimationError(
            f"{still[0]} does not move, so no block length follows from it; "
            "leave the asset out or give the length"
        )
    from arch.bootstrap import optimal_block_length  # half a second that others need not wait for

    both = np.hstack([log_returns, log_returns.abs()])
    return max(1.0, float(optimal_block_length(both)["stationary"].max()))
