"""Depth that liquidations share: an order book of levels for each asset, which fills up again.

A level is so many dollars that sell at one marginal loss.  Levels are made from any model of price
impact, ``cost(q) = q·impact(q)``, so that what a book sells together moves the price as one sale of
that size would; what was sold is absorbed at a stated rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.liquidity import Impact
from xcoll.errors import ParameterError

__all__ = ["REPLENISH", "REPLENISH_EVERY", "Depth"]

# spine (2026): 20 % of the depth that was taken comes back in five minutes.
REPLENISH, REPLENISH_EVERY = 0.20, pd.Timedelta("5min")
SMALLEST, LARGEST, LEVELS = 1e2, 1e10, 257  # dollars; eight decades, 32 levels each


@dataclass(frozen=True)
class Depth:
    """Order books of A assets.

    Attributes
    ----------
    assets : symbols, in the order of the rows of `loss`.
    size : upper bounds of the levels in dollars sold, length G, ascending.
    loss : A × G, fraction of value lost by a dollar in the level, not falling; 1 where nobody buys.
    replenish : share of what was sold that the market absorbs within `every`.
    every : a duration.
    path : time × asset, multiplies the depth from each time on; None for 1 throughout.
    """

    assets: Sequence[str]
    size: np.ndarray
    loss: np.ndarray
    replenish: float = REPLENISH
    every: pd.Timedelta = REPLENISH_EVERY
    path: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        checks.fraction("replenish", self.replenish, closed=True)
        checks.duration("every", self.every)
        shape = (len(self.assets), len(self.size))
        if self.loss.shape != shape or not len(self.size):
            raise ParameterError(f"losses have shape {self.loss.shape}; give {shape}, one a level")
        if not ((self.loss >= 0) & (self.loss <= 1)).all() or (np.diff(self.loss) < 0).any():
            raise ParameterError("losses of the levels must ascend inside [0, 1]")
        if self.size[0] <= 0 or (np.diff(self.size) <= 0).any():
            raise ParameterError("sizes of the levels must ascend from above zero")
        if self.path is not None and not (self.path > 0).all(axis=None):
            raise ParameterError("the path of depth must be above zero; for no depth leave it out")

    @classmethod
    def of(cls, markets: Mapping[str, Impact], **changes: object) -> Self:
        """Levels of `markets`, asset → model of its impact.

        Where a model ends (the largest quote), nobody buys beyond.  A marginal loss that would fall
        with the size (a schedule quoted in steps) is held at its highest so far.
        """
        if not markets:
            raise ParameterError("no markets; give the impact model of at least one asset")
        size = np.geomspace(SMALLEST, LARGEST, LEVELS)
        return cls(
            list(markets), size, np.array([_levels(m, size) for m in markets.values()]), **changes
        )

    def cost(self, asset: str, q: float, sold: float = 0.0, depth: float = 1.0) -> float:
        """Dollars lost in selling `q` dollars' worth after `sold`, with sizes times `depth`."""
        bounds = np.concatenate([[0.0], self.size * depth, [np.inf]])
        inside = np.clip(sold + q, bounds[:-1], bounds[1:]) - np.clip(sold, bounds[:-1], bounds[1:])
        lost = float(inside @ np.append(self.loss[self.assets.index(asset)], 1.0))
        return min(lost, q)  # rounding of what was sold is no loss

    def room(self, asset: str, most: float, sold: float = 0.0, depth: float = 1.0) -> float:
        """Dollars that still sell at a marginal loss under `most`."""
        levels = self.size[self.loss[self.assets.index(asset)] < most]
        return max(0.0, float(levels[-1]) * depth - sold) if len(levels) else 0.0

    def absorbed(self, step: pd.Timedelta) -> float:
        """Share of what was sold that the market absorbs in a step."""
        return 1.0 - (1.0 - self.replenish) ** (step / self.every)

    def levels(self, assets: Sequence[str]) -> np.ndarray:
        """`loss` in the order of `assets`; in an asset without a market nobody buys."""
        table = np.ones((len(assets), len(self.size)))
        for row, asset in enumerate(assets):
            if asset in self.assets:
                table[row] = self.loss[self.assets.index(asset)]
        return table

    def by_bar(self, times: pd.DatetimeIndex, assets: Sequence[str]) -> np.ndarray:
        """Multiplier of the depth by bar and asset, as known when the bar before closed."""
        if self.path is None:
            return np.ones((len(times), len(assets)))
        known = self.path.reindex(times, method="ffill").reindex(columns=assets).fillna(1.0)
        return np.vstack([known.iloc[:1], known.iloc[:-1]])


def _levels(market: Impact, size: np.ndarray) -> np.ndarray:
    reach = market.largest(0.999)
    inside = size[size <= reach]
    cost = np.array([q * market.impact(q) for q in inside])
    marginal = np.diff(cost, prepend=0.0) / np.diff(inside, prepend=0.0)
    loss = np.ones(len(size))
    loss[: len(inside)] = np.minimum(np.maximum.accumulate(marginal), 1.0)
    return loss
