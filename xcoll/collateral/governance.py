"""How a venue may move a parameter: its tick, its largest step, the delay between two."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError

__all__ = ["Governance"]


@dataclass(frozen=True)
class Governance:
    """How a venue may move a parameter.

    Attributes
    ----------
    tick : float
        Parameters are multiples of it, a fraction above zero.
    step : float
        Largest move of one proposal, not below the tick.
    delay : str
        Shortest time between two proposals, a duration.
    """

    # Aave's risk stewards (2025-03): LTV, threshold, bonus ±0.50 points a step, three days apart.
    tick: float = 0.005
    step: float = 0.005
    delay: str = "3D"

    def __post_init__(self) -> None:
        tick, step = checks.fraction("tick", self.tick), checks.fraction("step", self.step)
        checks.duration("delay", self.delay)
        if tick > step:
            raise ParameterError(f"tick {tick:g} is larger than the step {step:g}; lower the tick")

    def up(self, values: pd.Series) -> pd.Series:
        """`values` rounded up to the tick (haircuts, bonuses), not above 1."""
        # nine digits first: 0.15 / 0.005 is 30.000000000000004 and must stay 30 ticks
        return (np.ceil((values / self.tick).round(9)) * self.tick).clip(upper=1.0).round(12)

    def down(self, values: pd.Series) -> pd.Series:
        """`values` rounded down to the tick (thresholds, LTV)."""
        return (np.floor((values / self.tick).round(9)) * self.tick).round(12)

    def steps(self, change: pd.Series) -> pd.Series:
        """Number of proposals that a change takes, one `delay` apart."""
        return np.ceil((change.abs() / self.step).round(9))
