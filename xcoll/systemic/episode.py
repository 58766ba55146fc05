"""What happens to a system from outside, step by step: prices, oracles, depth, and what is shut.

An episode knows nothing of the sales that it sets off.  Row 0 is the opening, where everything is
as usual; prices are relative to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError, ParameterError

__all__ = ["LEAST", "Episode"]

LEAST = 1e-9  # of the opening: what is left of a price that goes to nothing


def _ones() -> np.ndarray:
    return np.ones((1, 1))


@dataclass(frozen=True)
class Episode:
    """An episode of S steps (S + 1 rows) over A assets and V venues.

    Arrays may have length 1 along venues, steps or assets: the same for all of them.

    Attributes
    ----------
    assets : symbols of the A columns.
    market, due : (S + 1) × A, prices of collateral, and of what is owed with the interest on it,
        relative to the opening: row 0 is 1.
    step : length of a step.
    steps : steps a bar; readings of a bar are taken at its half and at its end.
    venues : names of the V venues that `feed`, `shut` and `lost` tell apart; empty where the same
        holds for all.
    depth : (S + 1) × A, multiplies the depth of the market, above 0.
    gas : S + 1, multiplies what a call costs.
    feed : V × (S + 1) × A, what an oracle shows of an asset, relative to the market; NaN while it
        is stuck at what it showed last.
    shut : V × (S + 1) × A, True while an asset can be neither seized nor sold at a venue.
    delay : V × A, extra steps until an account that pledges the asset can be closed.
    lost : V × (S + 1), share of the debt at the opening that the lenders of a venue lose at a step
        for another reason than a liquidation (an exploit).
    default : S + 1, share of the debt at the opening, largest users first, that is closed from a
        step on whatever its health; never falling.
    attentive, capital : multiply the share of borrowers who answer, and the keepers' capital.

    Raises
    ------
    DataError
        Shapes that do not fit, prices that are not positive and finite or do not open at 1.
    ParameterError
        A depth of zero, or any other number outside its range.
    """

    assets: Sequence[str]
    market: np.ndarray
    due: np.ndarray
    step: pd.Timedelta
    steps: int = 1
    venues: Sequence[str] = ()
    depth: np.ndarray = field(default_factory=_ones)
    gas: np.ndarray = field(default_factory=lambda: np.ones(1))
    feed: np.ndarray = field(default_factory=lambda: np.ones((1, 1, 1)))
    shut: np.ndarray = field(default_factory=lambda: np.zeros((1, 1, 1), dtype=bool))
    delay: np.ndarray = field(default_factory=lambda: np.zeros((1, 1), dtype=int))
    lost: np.ndarray = field(default_factory=lambda: np.zeros((1, 1)))
    default: np.ndarray = field(default_factory=lambda: np.zeros(1))
    attentive: float = 1.0
    capital: float = 1.0

    def __post_init__(self) -> None:
        rows, A, V = len(self.market), len(self.assets), max(len(self.venues), 1)
        for name in ("market", "due"):
            price = getattr(self, name)
            if price.shape != (rows, A) or rows < 2:
                raise DataError(
                    f"{name} has shape {price.shape}; give 2 rows or more × {A} assets, "
                    "the opening first"
                )
            bad = ~(np.isfinite(price) & (price > 0.0))
            if bad.any():
                row, column = np.argwhere(bad)[0]
                raise DataError(
                    f"{self.assets[column]} at step {row}: {name} is {price[row, column]}; give "
                    f"positive prices, and {LEAST:g} for one that goes to nothing"
                )
            if (price[0] != 1.0).any():
                raise DataError(f"{name} does not open at 1; divide the prices by row 0")
        shapes = {
            "depth": (rows, A), "gas": (rows,), "feed": (V, rows, A), "shut": (V, rows, A),
            "delay": (V, A), "lost": (V, rows), "default": (rows,),
        }  # fmt: skip
        for name, shape in shapes.items():
            given = getattr(self, name).shape
            if len(given) != len(shape) or any(
                g not in (1, s) for g, s in zip(given, shape, strict=True)
            ):
                raise DataError(f"{name} has shape {given}; give {shape}, or 1 in place of any")
        for name, good, what in (
            ("depth", self.depth > 0.0, "above zero; take 0.01 for depth that is all but gone"),
            ("gas", self.gas >= 0.0, "from 0 on"),
            ("feed", ~(self.feed <= 0.0), "above zero, or NaN for a feed that is stuck"),
            ("delay", self.delay >= 0, "whole steps from 0 on"),
            ("lost", (self.lost >= 0.0) & (self.lost <= 1.0), "in [0, 1]"),
            ("default", (self.default >= 0.0) & (self.default <= 1.0), "in [0, 1]"),
            ("default", np.diff(self.default, prepend=0.0) >= 0.0, "shares that never fall"),
        ):
            if not good.all():
                raise ParameterError(
                    f"{name} of the episode is {getattr(self, name)[~good][0]}; give numbers {what}"
                )
        checks.whole("steps", self.steps)
        checks.duration("step", self.step)
        checks.fraction("attentive", self.attentive, closed=True)
        checks.at_least("capital", self.capital, 0.0)

    def __len__(self) -> int:
        return len(self.market) - 1

    @classmethod
    def of_shock(
        cls,
        shock: pd.Series,
        step: str | pd.Timedelta = "1h",
        over: int = 1,
        after: int = 0,
        **changes: object,
    ) -> Self:
        """Prices that fall by `shock` over `over` steps at a constant log rate and stay there.

        Parameters
        ----------
        shock : relative change by asset, ``−0.3`` for a fall of 30 %; −1 is a price of `LEAST`.
        over, after : steps of the fall, and steps that follow at the lower prices.
        changes : further attributes of the episode.

        Raises
        ------
        ParameterError
            A shock that is not finite or beyond −100 %.
        """
        for asset, change in shock.items():
            if checks.number(f"shock of {asset}", change) < -1.0:
                raise ParameterError(
                    f"shock of {asset} is {change:.0%}, beyond −100 %: a price cannot fall below "
                    "nothing; give −1 for a loss of everything"
                )
        checks.whole("over", over)
        share = np.minimum(np.arange(over + checks.whole("after", after, 0) + 1) / over, 1.0)
        level = np.maximum(1.0 + shock.to_numpy(dtype=float), LEAST)
        price = level ** share[:, None]
        return cls(list(shock.index), price, price, checks.duration("step", step), **changes)

    def changed(self, **changes: object) -> Self:
        """The same episode with other attributes."""
        return replace(self, **changes)
