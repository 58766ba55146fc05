"""What selling a position costs and how long it takes.

Every model answers `impact(size_usd)`: the fraction of value lost to the price impact of selling
that many dollars at once.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.facts import Stress
from xcoll.collateral.universe import Asset
from xcoll.errors import ParameterError

__all__ = [
    "HORIZONS",
    "CloseOut",
    "DepthTable",
    "Impact",
    "Linear",
    "SquareRoot",
    "clearing_time",
    "close_out",
    "covering_horizon",
    "largest_clearing",
    "stressed_market",
]

# Horizons at which thresholds are given.
HORIZONS = ("1h", "4h", "24h")


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


def clearing_time(size_usd: float, adv_usd: float, participation: float) -> pd.Timedelta:
    """Time to sell `size_usd` at a share `participation` of the volume ``adv_usd`` of a day."""
    rate = checks.positive("average daily volume", adv_usd)
    rate *= checks.fraction("participation", participation, closed=True)
    days = checks.at_least("size", size_usd, 0.0) / checks.positive("selling rate", rate)
    return pd.Timedelta(days=days).round("ms")  # a float of days is off by nanoseconds


def largest_clearing(time: pd.Timedelta, adv_usd: float, participation: float) -> float:
    """Dollars that clear within `time` at a share `participation` of the volume of a day."""
    days = time / pd.Timedelta("1D")
    checks.positive("time left to clear, in days", days)
    volume = checks.positive("average daily volume", adv_usd)
    return days * volume * checks.fraction("participation", participation, closed=True)


def covering_horizon(close_out: pd.Timedelta, horizons: tuple[str, ...] = HORIZONS) -> str:
    """The smallest of `horizons` that covers `close_out`; refused when none does."""
    for horizon in sorted(horizons, key=pd.Timedelta):
        if close_out <= pd.Timedelta(horizon):
            return horizon
    raise ParameterError(
        f"a close-out of {close_out} is longer than {max(horizons, key=pd.Timedelta)}; "
        "lower the position or raise the participation"
    )


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


@dataclass(frozen=True)
class CloseOut:
    """How long it takes to close a position, part by part.

    Attributes
    ----------
    position_usd : float
        Dollars closed: the position asked for, or the largest that clears within a day.
    oracle, queue, finality : Timedelta
        Wait for a price, time to sell at the participation rate, settlement of the chain.
    total : Timedelta
        Their sum, ``h = oracle delay + time to clear the queue + finality``.
    horizon : str
        The smallest of `HORIZONS` that covers `total`.
    """

    position_usd: float
    oracle: pd.Timedelta
    queue: pd.Timedelta
    finality: pd.Timedelta
    total: pd.Timedelta
    horizon: str


def close_out(
    position_usd: float,
    adv_usd: float,
    participation: float,
    oracle: pd.Timedelta,
    finality: pd.Timedelta,
) -> CloseOut:
    """Close-out of `position_usd`, capped at what clears within the longest horizon.

    Parameters
    ----------
    position_usd, adv_usd : float
        Position and volume of a day, dollars, above zero.
    participation : float
        Share of the volume that can be sold, in (0, 1].
    oracle, finality : Timedelta
        Not negative; together shorter than the longest horizon, or `ParameterError`.
    """
    longest = max(pd.Timedelta(horizon) for horizon in HORIZONS)
    if oracle + finality >= longest:
        raise ParameterError(
            f"oracle delay {oracle} and finality {finality} leave no time to sell within "
            f"{longest}; shorten the wait for a price"
        )
    most = largest_clearing(longest - oracle - finality, adv_usd, participation)
    position = min(checks.positive("position", position_usd), most)
    queue = clearing_time(position, adv_usd, participation)
    total = oracle + queue + finality
    return CloseOut(position, oracle, queue, finality, total, covering_horizon(total))
