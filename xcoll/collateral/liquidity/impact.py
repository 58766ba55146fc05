"""What selling a position costs: one interface over laws, pools, schedules and quotes.

    impact(q)     fraction of value lost in selling q dollars at once; it never falls with q
    largest(x)    its inverse: the largest q that loses no more than x
    stressed(d)   the same market with its depth multiplied by d, ``impact_d(q) = impact(q/d)``

Because the impact never falls with the size, a sale that is split over markets, or over times
between which the market fills up again, never costs more than the same sale at once.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from xcoll import checks
from xcoll.errors import ParameterError

__all__ = ["ConstantProduct", "DepthTable", "Impact", "Linear", "SquareRoot", "Tiers"]


class Impact(Protocol):
    """A model of price impact."""

    def impact(self, size_usd: float) -> float:
        """Fraction of value lost in selling `size_usd` dollars, in [0, 1)."""

    def largest(self, loss: float) -> float:
        """Largest sale in dollars that loses no more than `loss`, a fraction in [0, 1).

        0 where the smallest sale loses more; the largest quote where quotes end before.
        """

    def stressed(self, depth: float) -> "Impact":
        """The same market with its depth multiplied by `depth`."""


def _below_one(loss: float, size_usd: float, market: str) -> float:
    if loss >= 1.0:
        raise ParameterError(
            f"selling {size_usd:,.0f} dollars takes the whole value in {market}; lower the size"
        )
    return float(loss)


def _bearable(loss: float) -> float:
    if checks.fraction("loss", loss, closed=True) == 1.0:
        raise ParameterError("loss is 1; give a fraction below 1, for some value must be left")
    return float(loss)


@dataclass(frozen=True)
class SquareRoot:
    """Square-root law ``impact = Y·σ_day·√(q/ADV)``.

    Almgren et al. 2005; Tóth et al. 2011; measured on Bitcoin by Donier and Bonart 2015, Y near 1.

    Attributes
    ----------
    sigma_day : float
        Volatility of a day, a fraction.
    adv_usd : float
        Average daily volume, dollars.
    Y : float
        The law's constant.
    """

    sigma_day: float
    adv_usd: float
    Y: float = 1.0

    def __post_init__(self) -> None:
        checks.positive("daily volatility", self.sigma_day)
        checks.positive("average daily volume", self.adv_usd)
        checks.positive("Y", self.Y)

    def impact(self, size_usd: float) -> float:
        """Fraction of value lost in selling `size_usd` dollars."""
        q = checks.at_least("size", size_usd, 0.0)
        loss = self.Y * self.sigma_day * (q / self.adv_usd) ** 0.5
        return _below_one(loss, q, f"a daily volume of {self.adv_usd:,.0f} dollars")

    def largest(self, loss: float) -> float:
        """Largest sale in dollars that loses no more than `loss`: ``ADV·(loss/(Y·σ_day))²``."""
        return self.adv_usd * (_bearable(loss) / (self.Y * self.sigma_day)) ** 2

    def stressed(self, depth: float) -> "SquareRoot":
        """The same market with its volume multiplied by `depth`."""
        return replace(self, adv_usd=self.adv_usd * checks.positive("depth", depth))


@dataclass(frozen=True)
class Linear:
    """Linear impact ``q/(2·depth)``: a flat order book of `depth_usd` dollars a unit of price.

    Attributes
    ----------
    depth_usd : float
        Dollars that move the price by its own size; half the last price move is lost on average.
    """

    depth_usd: float

    def __post_init__(self) -> None:
        checks.positive("depth", self.depth_usd)

    def impact(self, size_usd: float) -> float:
        """Fraction of value lost in selling `size_usd` dollars."""
        q = checks.at_least("size", size_usd, 0.0)
        return _below_one(0.5 * q / self.depth_usd, q, f"a depth of {self.depth_usd:,.0f} dollars")

    def largest(self, loss: float) -> float:
        """Largest sale in dollars that loses no more than `loss`: ``2·depth·loss``."""
        return 2.0 * self.depth_usd * _bearable(loss)

    def stressed(self, depth: float) -> "Linear":
        """The same market with its depth multiplied by `depth`."""
        return replace(self, depth_usd=self.depth_usd * checks.positive("depth", depth))


@dataclass(frozen=True)
class ConstantProduct:
    """Pool ``x·y = k``: ``impact = 1 − (1 − f)/(1 + (1 − f)·q/R)``.

    A sale of q dollars at the pool's price brings ``y·Δ/(x + Δ)`` with ``Δ = (1 − f)·q`` in units
    of x (Uniswap v2 whitepaper, 2020).  The fee is kept apart from the pool, so that a sale that is
    split without anybody trading in between brings the same.

    Attributes
    ----------
    reserve_usd : float
        Dollars R on either side of the pool, at its price.
    fee : float
        Share f of what is sold, in [0, 1); the least that a sale costs.
    """

    reserve_usd: float
    fee: float = 0.0

    def __post_init__(self) -> None:
        checks.positive("reserve of the pool", self.reserve_usd)
        _below_one(checks.fraction("fee", self.fee, closed=True), 0.0, "a pool with a fee of 1")

    def impact(self, size_usd: float) -> float:
        """Fraction of value lost in selling `size_usd` dollars."""
        q, R, kept = checks.at_least("size", size_usd, 0.0), self.reserve_usd, 1.0 - self.fee
        return _below_one(1.0 - kept / (1.0 + kept * q / R), q, f"a pool of {R:,.0f} dollars")

    def largest(self, loss: float) -> float:
        """Largest sale in dollars that loses no more: ``R·(1/(1 − loss) − 1/(1 − f))``, or 0."""
        room = 1.0 / (1.0 - _bearable(loss)) - 1.0 / (1.0 - self.fee)
        return self.reserve_usd * max(room, 0.0)

    def stressed(self, depth: float) -> "ConstantProduct":
        """The same pool with its reserves multiplied by `depth`."""
        return replace(self, reserve_usd=self.reserve_usd * checks.positive("depth", depth))


def _ladder(what: str, sizes_usd: tuple[float, ...], values: tuple[float, ...]) -> None:
    if not sizes_usd or len(sizes_usd) != len(values):
        raise ParameterError(
            f"a {what} of {len(sizes_usd)} sizes and {len(values)} values; "
            "give as many of each, at least one"
        )
    checks.positive(f"first size of the {what}", sizes_usd[0])
    if not (np.diff(sizes_usd) > 0.0).all():
        raise ParameterError(f"sizes {sizes_usd} of the {what} must ascend")
    for value in values:
        checks.fraction(f"value of the {what}", value, closed=True)


@dataclass(frozen=True)
class Tiers:
    """Tiered schedule, as venues publish it: the share of value that counts up to each bound.

    ``impact = 1 − counted(q)/q``; a tier's ratio applies to what lies inside the tier, and beyond
    the last bound nothing counts.

    Attributes
    ----------
    bounds_usd : tuple of float
        Upper bounds of the tiers, dollars, ascending, above zero.
    ratios : tuple of float
        Share of value that counts in each tier, in [0, 1], not ascending, the first above zero.
    """

    bounds_usd: tuple[float, ...]
    ratios: tuple[float, ...]

    def __post_init__(self) -> None:
        _ladder("schedule", self.bounds_usd, self.ratios)
        if (np.diff(self.ratios) > 0.0).any() or self.ratios[0] == 0.0:
            raise ParameterError(f"ratios {self.ratios} of the schedule must descend from above 0")

    def counted(self, size_usd: float) -> float:
        """Dollars of `size_usd` that count."""
        edges = np.array((0.0, *self.bounds_usd))
        inside = np.clip(checks.at_least("size", size_usd, 0.0) - edges[:-1], 0.0, np.diff(edges))
        return float(inside @ self.ratios)

    def impact(self, size_usd: float) -> float:
        """Fraction of the value of `size_usd` dollars that does not count."""
        q = checks.at_least("size", size_usd, 0.0)
        counts = self.counted(q) / q if q > 0.0 else self.ratios[0]
        return _below_one(1.0 - counts, q, "a schedule")

    def largest(self, loss: float) -> float:
        """Largest position in dollars of which no more than `loss` does not count."""
        kept, counted = 1.0 - _bearable(loss), 0.0
        lower, most = 0.0, np.inf
        # what counts is concave, the lowest of its tiers' lines: each line bounds the size
        for bound, ratio in zip((*self.bounds_usd, np.inf), (*self.ratios, 0.0), strict=True):
            if ratio < kept:
                most = min(most, (counted - ratio * lower) / (kept - ratio))
            counted, lower = counted + ratio * (bound - lower) if ratio else counted, bound
        return float(most)

    def stressed(self, depth: float) -> "Tiers":
        """The same schedule with its bounds multiplied by `depth`."""
        checks.positive("depth", depth)
        return replace(self, bounds_usd=tuple(bound * depth for bound in self.bounds_usd))


@dataclass(frozen=True)
class DepthTable:
    """Quoted impact by size, interpolated between sizes and refused beyond the largest.

    Where a larger size was quoted cheaper, the dearest of the smaller ones holds.

    Attributes
    ----------
    sizes_usd : tuple of float
        Sizes quoted, dollars, ascending, above zero.
    impacts : tuple of float
        Fraction of value lost at each size, in [0, 1).  Under the first size its impact holds, for
        the fee and half the spread do not vanish with the size.
    name : str
        What is sold, for messages.
    """

    sizes_usd: tuple[float, ...]
    impacts: tuple[float, ...]
    name: str = "this market"

    def __post_init__(self) -> None:
        _ladder("depth table", self.sizes_usd, self.impacts)
        for size, impact in zip(self.sizes_usd, self.impacts, strict=True):
            _below_one(impact, size, "the table")

    def impact(self, size_usd: float) -> float:
        """Fraction of value lost in selling `size_usd` dollars."""
        q = checks.at_least("size", size_usd, 0.0)
        if q > self.sizes_usd[-1]:
            raise ParameterError(
                f"selling {q:,.0f} dollars of {self.name} is beyond the largest quote of "
                f"{self.sizes_usd[-1]:,.0f}; "
                "lower the size or take the square-root law"
            )
        return float(np.interp(q, self.sizes_usd, np.maximum.accumulate(self.impacts)))

    def largest(self, loss: float) -> float:
        """Largest sale in dollars that loses no more than `loss`; at most the largest quote."""
        x, sizes, losses = _bearable(loss), self.sizes_usd, np.maximum.accumulate(self.impacts)
        k = int(np.searchsorted(losses, x, side="right"))  # quotes that lose no more
        if k in (0, len(sizes)):
            return sizes[-1] if k else 0.0
        share = (x - losses[k - 1]) / (losses[k] - losses[k - 1])
        return float(sizes[k - 1] + share * (sizes[k] - sizes[k - 1]))

    def stressed(self, depth: float) -> "DepthTable":
        """The same quotes at sizes multiplied by `depth`."""
        checks.positive("depth", depth)
        return replace(self, sizes_usd=tuple(size * depth for size in self.sizes_usd))
