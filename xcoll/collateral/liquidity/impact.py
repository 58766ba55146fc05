"""What selling a position costs: one interface over laws, schedules, pools and quotes.

Every model answers `impact(size_usd)`: the fraction of value lost to the price impact of selling
that many dollars at once.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from xcoll import checks
from xcoll.collateral.facts import Stress
from xcoll.collateral.universe import Asset
from xcoll.errors import ParameterError

__all__ = ["DepthTable", "Impact", "Linear", "SquareRoot", "stressed_market"]


class Impact(Protocol):
    """A model of price impact."""

    def impact(self, size_usd: float) -> float:
        """Fraction of value lost in selling `size_usd` dollars."""

    def stressed(self, depth: float) -> "Impact":
        """The same market with its depth multiplied by `depth`."""


def _below_one(loss: float, size_usd: float, market: str) -> float:
    if loss >= 1.0:
        raise ParameterError(
            f"selling {size_usd:,.0f} dollars takes the whole value in {market}; lower the size"
        )
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

    def stressed(self, depth: float) -> "Linear":
        """The same market with its depth multiplied by `depth`."""
        return replace(self, depth_usd=self.depth_usd * checks.positive("depth", depth))


@dataclass(frozen=True)
class DepthTable:
    """Quoted impact by size, interpolated between sizes and refused beyond the largest.

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
        if not self.sizes_usd or len(self.sizes_usd) != len(self.impacts):
            raise ParameterError(
                f"a depth table of {len(self.sizes_usd)} sizes and {len(self.impacts)} impacts; "
                "give as many of each, at least one"
            )
        checks.positive("depth", self.sizes_usd[0])
        if not (np.diff(self.sizes_usd) > 0.0).all():
            raise ParameterError(f"sizes {self.sizes_usd} of the depth table must ascend")
        for size, impact in zip(self.sizes_usd, self.impacts, strict=True):
            _below_one(checks.fraction("quoted impact", impact, closed=True), size, "the table")

    def impact(self, size_usd: float) -> float:
        """Fraction of value lost in selling `size_usd` dollars."""
        q = checks.at_least("size", size_usd, 0.0)
        if q > self.sizes_usd[-1]:
            raise ParameterError(
                f"selling {q:,.0f} dollars of {self.name} is beyond the largest quote of "
                f"{self.sizes_usd[-1]:,.0f}; "
                "lower the size or take the square-root law"
            )
        return float(np.interp(q, self.sizes_usd, self.impacts))

    def stressed(self, depth: float) -> "DepthTable":
        """The same quotes at sizes multiplied by `depth`."""
        checks.positive("depth", depth)
        return replace(self, sizes_usd=tuple(size * depth for size in self.sizes_usd))


def stressed_market(asset: Asset, sigma_day: float, stress: Stress) -> Impact:
    """What a keeper sells into on a bad day.

    Quotes of a decentralised exchange at the depth left in a crisis, where the asset has them;
    otherwise the square-root law on the 5th percentile of its daily volume.

    Parameters
    ----------
    asset : Asset
        With `depth` or `liquidity`.
    sigma_day : float
        Volatility of a bad day, a fraction.
    stress : Stress
        Multipliers of depth in a crisis.
    """
    if asset.depth is not None:
        quotes = DepthTable(asset.depth.size_usd, asset.depth.impact, asset.symbol)
        return quotes.stressed(stress.dex_depth)
    if asset.liquidity is None:
        raise ParameterError(f"{asset.symbol} has neither depth nor liquidity; give one of them")
    return SquareRoot(sigma_day, asset.liquidity.adv_p5_usd)
