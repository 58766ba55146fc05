"""Prices as a replay sees them: steps inside the bars, what the oracle shows, interest on debt.

Inside a bar the price of collateral runs last close → low → close at a constant log rate, all
assets reaching their lows at half time.  What is owed runs straight from close to close: an
assumption, for a debt asset's high inside the bar is not modelled.  With one step a bar, a bar is a
single price, its close, and nothing is assumed: the way for bars that are short.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll._jit import own
from xcoll.liquidation import _kernels
from xcoll.liquidation.world import World

__all__ = ["Timeline", "timeline"]


@dataclass(frozen=True)
class Timeline:
    """Prices step by step; row 0 is the opening, a bar is `steps` rows.

    Attributes
    ----------
    market, due : step × asset, dollars a unit: the market's price of collateral, and of what is
        owed with the interest on it.
    oracle, owed : what the oracle shows of the two.
    steps : steps a bar.
    step : length of a step.
    """

    market: np.ndarray
    due: np.ndarray
    oracle: np.ndarray
    owed: np.ndarray
    steps: int
    step: pd.Timedelta

    def prices(self, thresholds: np.ndarray, first: np.ndarray) -> _kernels.Prices:
        """The kernel's prices under `thresholds`, by asset or bar × asset; `first` at the opening.

        Row t of thresholds by bar holds in bar t + 1.
        """
        if thresholds.ndim == 2:
            by_step = np.repeat(thresholds, self.steps, axis=0)
            trigger = self.oracle * np.vstack([first, by_step[: len(self.oracle) - 1]])
        else:
            trigger = self.oracle * thresholds
        steps, assets = trigger.shape
        blocks = -(-steps // _kernels.LANE)
        groups = -(-blocks // _kernels.GROUP)
        lines = np.zeros((blocks, 2 * assets, _kernels.LANE))
        floors = np.full((groups, 2 * assets, _kernels.GROUP), np.inf)
        wide, tall = np.full((groups, 2 * assets), np.inf), np.full((groups, 2 * assets), -np.inf)
        bounds = (lines, floors, wide, tall)
        _kernels.layout(trigger, self.owed, self.market, self.due, *bounds)
        return _kernels.Prices(
            trigger, self.oracle, self.owed, self.market, self.due, own(first), *bounds
        )


def timeline(
    closes: np.ndarray,
    lows: np.ndarray,
    bar: pd.Timedelta,
    steps: int,
    world: World,
    assets: list[str],
) -> Timeline:
    """Steps of checked arrays, bar × asset; row 0 is the opening.

    Prices are finite and positive, and a low is at or under both closes of its bar.
    """
    closes, lows = own(closes), own(lows)
    step = bar / steps
    if steps == 1:
        market = up = closes
    else:
        market, up = np.empty((2, (len(closes) - 1) * steps + 1, closes.shape[1]))
        _kernels.inside(closes, lows, steps, market, up)
    oracle, seen = world.oracle.observe(market, step), world.oracle.observe(up, step)
    if not world.interest:
        return Timeline(market, up, oracle, seen, steps, step)
    index = world.index(assets, len(market), step)
    return Timeline(market, up * index, oracle, seen * index, steps, step)
