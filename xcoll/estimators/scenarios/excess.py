"""Lows inside simulated bars, from the excess of historical lows over their closes.

    e_t = (min(r_t, 0) − x_t) / σ_{t−1}        of history, matched on r_t / σ_{t−1}
    x_t = min(r_t, 0) − e σ_t                  of a simulated bar

as in `tail.excursion`: a simulated bar takes the excess of one of the historical bars of the same
asset whose standardised returns are nearest in rank to its own.  One uniform a bar ranks the
neighbours of all assets by excess, so a bar's wick reaches all of them together.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from xcoll import checks
from xcoll.errors import DataError, EstimationError
from xcoll.estimators.tail.excursion import Donor

__all__ = ["Excess"]


@dataclass(frozen=True)
class Excess:
    """Historical excesses and the standardised returns of their bars.

    Attributes
    ----------
    score : DataFrame, time × asset
        Standardised return of each bar; NaN where unknown.
    excess : DataFrame, time × asset
        Excess of the low over the close in units of σ, at least 0; NaN where unknown.
    neighbours : int
        Historical bars that a simulated bar chooses from.

    Raises
    ------
    DataError
        Frames that differ in times or assets, or an excess under zero.
    EstimationError
        An asset with fewer known bars than `neighbours`.
    """

    score: pd.DataFrame
    excess: pd.DataFrame
    neighbours: int = 20

    def __post_init__(self) -> None:
        checks.whole("neighbours", self.neighbours)
        same = self.score.index.equals(self.excess.index)
        if not same or not self.score.columns.equals(self.excess.columns):
            raise DataError("score and excess differ in times or assets; align them")
        known = (self.score.notna() & self.excess.notna()).sum()
        if known.min() < self.neighbours:
            raise EstimationError(
                f"{known.idxmin()} has {known.min()} bars with a known low, {self.neighbours} are "
                "needed; take fewer neighbours or model its lows first"
            )
        if (self.excess < 0.0).any(axis=None):
            asset = self.excess.min().idxmin()
            raise DataError(
                f"{asset} has an excess under zero; an excess is min(r, 0) less the low"
            )

    @classmethod
    def of(
        cls,
        log_returns: pd.DataFrame,
        volatility: pd.DataFrame,
        low: pd.DataFrame,
        neighbours: int = 20,
    ) -> "Excess":
        """Excesses of log lows; σ is stamped t for the bar after t.  All frames time × asset."""
        bars = {a: Donor.of(a, log_returns, volatility, low) for a in log_returns}
        score = pd.DataFrame({asset: one.score for asset, one in bars.items()})
        return cls(score, pd.DataFrame({a: one.excess for a, one in bars.items()}), neighbours)

    @cached_property
    def _tables(self) -> list[tuple[np.ndarray, np.ndarray]]:
        # Of each asset the scores in order, and the sorted excesses of each run of neighbours.
        made = []
        for asset in self.score:
            pair = pd.DataFrame({"z": self.score[asset], "e": self.excess[asset]}).dropna()
            z, e = pair.sort_values("z", kind="stable").to_numpy().T
            made.append((z, np.sort(sliding_window_view(e, self.neighbours), axis=1)))
        return made

    def draw(self, score: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Excesses of simulated bars.

        Parameters
        ----------
        score : … × assets, standardised returns.
        uniform : …, one number in [0, 1) a bar: the rank of its excess among the neighbours.

        Returns
        -------
        … × assets, in units of σ, at least 0.
        """
        rank = np.floor(uniform * self.neighbours).astype(int)
        drawn = np.empty_like(score)
        for asset, (known, runs) in enumerate(self._tables):
            middle = np.searchsorted(known, score[..., asset])
            run = np.clip(middle - self.neighbours // 2, 0, len(runs) - 1)
            drawn[..., asset] = runs[run, rank]
        return drawn
