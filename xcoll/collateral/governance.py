"""How a venue may move a parameter: its tick, its largest step, the delay between two, its ramp."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError

__all__ = ["Governance"]

Values = TypeVar("Values", pd.Series, pd.DataFrame)


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
        Shortest time between two moves, a duration.
    expiry : str
        How long a proposal may wait for its move before it lapses, a duration.
    ramp : str
        Time that a threshold takes to come down, a duration, where the venue has ramps.
    cap_step : float
        Largest move of a cap in one proposal, as a fraction of the cap in force, above zero.
    """

    # Aave's risk stewards (2025-03): LTV, threshold, bonus ±0.50 points a step, three days apart;
    # a proposal expires after six hours.
    tick: float = 0.005
    step: float = 0.005
    delay: str = "3D"
    expiry: str = "6h"
    # Euler v2 lets the governor of a vault set it; assumed.
    ramp: str = "7D"
    # Aave's risk stewards (2025-03): caps by as much again, three days apart.
    cap_step: float = 1.0

    def __post_init__(self) -> None:
        tick, step = checks.fraction("tick", self.tick), checks.fraction("step", self.step)
        for name in ("delay", "expiry", "ramp"):
            checks.duration(name, getattr(self, name))
        checks.positive("cap_step", self.cap_step)
        if tick > step:
            raise ParameterError(f"tick {tick:g} is larger than the step {step:g}; lower the tick")

    def up(self, values: Values) -> Values:
        """`values` rounded up to the tick (haircuts, bonuses), not above 1."""
        # nine digits first: 0.15 / 0.005 is 30.000000000000004 and must stay 30 ticks
        return (np.ceil((values / self.tick).round(9)) * self.tick).clip(upper=1.0).round(12)

    def down(self, values: Values) -> Values:
        """`values` rounded down to the tick (thresholds, LTV)."""
        return (np.floor((values / self.tick).round(9)) * self.tick).round(12)

    def steps(self, change: Values) -> Values:
        """Number of proposals that a change takes, one `delay` apart."""
        return np.ceil((change.abs() / self.step).round(9))
