"""The world around an engine: what the oracle shows, who liquidates, and what borrowers do.

Each part stands by itself and can be left out; `World()` is frictionless: the oracle shows the
market at once, keepers are many and content with any profit, depth is unlimited and borrowers
never act.  Durations are rounded up to whole steps of the replay.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll._jit import own
from xcoll.errors import ParameterError
from xcoll.liquidation import _kernels
from xcoll.liquidation.depth import Depth

__all__ = ["ORDERS", "Borrowers", "Keepers", "Oracle", "World", "steps_of"]

ORDERS = ("first come", "largest first", "as in the book")
YEAR = pd.Timedelta("365D")


def steps_of(duration: str | pd.Timedelta | None, step: pd.Timedelta) -> int:
    """Whole steps of a duration, rounded up; None is none.

    A step is kept in whole microseconds, so a day can be a hair more than its own steps.
    """
    return 0 if duration is None else math.ceil(pd.Timedelta(duration) / step * (1 - 1e-6))


def _optional(name: str, value: str | pd.Timedelta | None) -> None:
    if value is not None:
        checks.duration(name, value)


@dataclass(frozen=True)
class Oracle:
    """A price feed.

    Attributes
    ----------
    lag : from an update to the block in which everybody sees it; None for none.
    deviation : the feed is updated once the market is so far from what it shows, a fraction.
    heartbeat : it is updated at the latest after so long; None for never.
    """

    lag: str | pd.Timedelta | None = None
    deviation: float = 0.0
    heartbeat: str | pd.Timedelta | None = None

    def __post_init__(self) -> None:
        _optional("lag", self.lag)
        _optional("heartbeat", self.heartbeat)
        checks.fraction("deviation", self.deviation, closed=True)

    @property
    def instant(self) -> bool:
        """Whether it shows the market as it is."""
        return self.lag is None and self.deviation == 0.0

    def observe(self, price: np.ndarray, step: pd.Timedelta) -> np.ndarray:
        """What the feed shows of `price`, step × asset; `price` itself where it is instant."""
        if self.instant:
            return price
        seen = np.empty_like(price)
        beat = len(price) if self.heartbeat is None else steps_of(self.heartbeat, step)
        _kernels.observe(own(price), steps_of(self.lag, step), self.deviation, beat, seen)
        return seen


@dataclass(frozen=True)
class Keepers:
    """Those who liquidate and buy.

    A keeper repays debt at its market price and sells what it gets into the depth there is, while
    the next dollar still brings the margin; what is left has to pay the gas.

    Attributes
    ----------
    response : from a breach that the oracle shows to the call; None for none.
    margin : profit asked for, a fraction of what is repaid.
    gas : dollars a call.
    capital : dollars that all keepers together can tie up within a rolling day.
    order : in which accounts of one moment are served: "first come", "largest first" (by debt at
        the opening) or "as in the book".
    """

    response: str | pd.Timedelta | None = None
    margin: float = 0.0
    gas: float = 0.0
    capital: float = math.inf
    order: str = "first come"

    def __post_init__(self) -> None:
        _optional("response", self.response)
        checks.at_least("margin", self.margin, 0.0)
        checks.at_least("gas", self.gas, 0.0)
        if not self.capital > 0.0:
            raise ParameterError(f"capital is {self.capital}; give dollars above zero, or infinity")
        checks.one_of("order", self.order, ORDERS)


@dataclass(frozen=True)
class Borrowers:
    """Borrowers who answer a margin call.

    A borrower is attentive or not, once and for all (a draw from `seed`).  Whenever the health of
    an attentive one is under `call` he answers after `delay`: he brings it back to `target`, as far
    as what he set aside goes.

    Attributes
    ----------
    call : health factor of the margin call, above 1.
    target : health factor that he restores, at least `call`.
    attentive : share of the borrowers who answer.
    delay : from the call to the answer; None for none.
    budget : set aside, as a share of the debt at the opening.
    top_up : pledge more of the largest collateral; otherwise repay the debts in proportion.
    seed : of the draw.
    """

    call: float = 1.05
    target: float = 1.25
    attentive: float = 0.7
    delay: str | pd.Timedelta | None = "2h"
    budget: float = 0.25
    top_up: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if checks.positive("call", self.call) <= 1.0:
            raise ParameterError(f"call is {self.call:g}; give a health factor above 1")
        checks.at_least("target", self.target, self.call)
        checks.fraction("attentive", self.attentive, closed=True)
        _optional("delay", self.delay)
        checks.at_least("budget", self.budget, 0.0)

    def means(self, debt: np.ndarray) -> np.ndarray:
        """Dollars set aside by account; 0 for the inattentive.  `debt` is dollars by account."""
        draws = np.random.default_rng(self.seed).random(len(debt))
        return np.where(draws < self.attentive, self.budget * debt, 0.0)


@dataclass(frozen=True)
class World:
    """What surrounds an engine.

    Attributes
    ----------
    oracle, keepers : see there.
    depth : order books that all sales share; None for unlimited depth.
    borrowers : None where they never act.
    interest : asset → rate a year at which debt grows (``e^{r·t}``); assets that are not named
        bear none.
    """

    oracle: Oracle = field(default_factory=Oracle)
    keepers: Keepers = field(default_factory=Keepers)
    depth: Depth | None = None
    borrowers: Borrowers | None = None
    interest: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for asset, rate in self.interest.items():
            checks.at_least(f"interest of {asset}", rate, 0.0)

    @property
    def shared(self) -> bool:
        """Whether one account's liquidation can keep another from its own."""
        return self.depth is not None or math.isfinite(self.keepers.capital)

    @property
    def frictionless(self) -> bool:
        """Whether accounts are served at once at the market, in any size, for any profit."""
        keepers = self.keepers
        free = keepers.margin == 0.0 and keepers.gas == 0.0 and keepers.response is None
        return self.oracle.instant and free and not self.shared

    def index(self, assets: list[str], steps: int, step: pd.Timedelta) -> np.ndarray:
        """Debt index, step × asset, 1 at the opening."""
        rates = np.array([self.interest.get(asset, 0.0) for asset in assets])
        return np.exp(np.outer(np.arange(steps), rates * (step / YEAR)))
