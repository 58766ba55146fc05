"""Margin rules as configuration: the blocks of a venue file, checked.

Fractions are of the price unless said otherwise; an amount by asset is one number, or one for each
asset named and ``other`` for the rest.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Discriminator, Field, Strict, Tag

from xcoll.collateral.schema import Duration, Model, Positive, Sourced

__all__ = [
    "Basis",
    "ByAsset",
    "Confidence",
    "Contingencies",
    "Extended",
    "ForEach",
    "Gains",
    "Initial",
    "Named",
    "Peg",
    "Range",
    "Together",
    "VolatilityShock",
    "by_asset",
]


def _form(amount: Any) -> str:
    return "by asset" if isinstance(amount, dict) else "for all"


def _complete(amount: Any) -> Any:
    if isinstance(amount, dict) and "other" not in amount:
        raise ValueError("an asset that is not named would have none; add `other`")
    return amount


def _apart(sets: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    named = [asset for assets in sets for asset in assets]
    for asset in named:
        if named.count(asset) > 1:
            raise ValueError(f"{asset} is there twice; an asset moves with one set alone")
    return sets


Number = Annotated[float, Strict()]
Share = Annotated[Number, Field(ge=0)]
Width = Annotated[Number, Field(gt=0, lt=1)]
Part = Annotated[Number, Field(gt=0, le=1)]
ByAsset = Annotated[
    Annotated[Share, Tag("for all")] | Annotated[dict[str, Share], Tag("by asset")],
    Discriminator(_form),
]
ForEach = Annotated[ByAsset, AfterValidator(_complete)]  # margin rests on it: no asset has none
Range = Annotated[
    Annotated[Width, Tag("for all")] | Annotated[dict[str, Width], Tag("by asset")],
    Discriminator(_form),
    AfterValidator(_complete),
]
Together = Annotated[tuple[tuple[str, ...], ...], AfterValidator(_apart)]


def by_asset(amount: float | dict[str, float], assets: Iterable[str]) -> np.ndarray:
    """`amount` of each of `assets`; one that is not named has that of ``other``, or else 0."""
    if isinstance(amount, dict):
        return np.array([amount.get(asset, amount.get("other", 0.0)) for asset in assets], float)
    return np.array([amount for _ in assets], float)


class Named(Sourced):
    """A rule with its name, its source and date."""

    name: Annotated[str, Field(min_length=1)]


class VolatilityShock(Model):
    """Volatility times ``1 + up·tau`` or ``max(1 − down·tau, 0)``.

    ``tau = (30 d/max(T, least))^p``; p is `short` up to thirty days and `long` beyond.  floor:
    least volatility that is raised.
    """

    up: ByAsset
    down: ByAsset
    short: Share
    long: Share
    least: Duration = "1D"
    floor: Share = 0.0


class Extended(Model):
    """Larger moves of the price at raised volatility, whose gains count in part.

    weight: the part, or "range/move": that of a linear position then is no more than at the end of
    the range.  dampener: dollars forgiven for each range that a move goes beyond the first,
    ``min((|move|/range − 1)·dampener, |gain|)``.
    """

    moves: tuple[Annotated[Number, Field(gt=-1)], ...]
    weight: Part | Literal["range/move"]
    dampener: Share = 0.0


class Gains(Model):
    """A positive shocked value of an expiry counts by ``factor·exp(−T·(rate·r + add))``, r ≥ 0."""

    factor: Part
    rate: Share = 0.0
    add: Share = 0.0


class Basis(Model):
    """One more scenario: each expiry's worse loss at ±`move`, times ``add + slope·T``, summed."""

    move: Width
    add: Share
    slope: Share


class Confidence(Model):
    """Initial only: ``(1 − c)·factor·S`` a unit where the oracle's confidence c is < `least`."""

    least: Part
    factor: Share


class Contingencies(Model):
    """Dollars on top of the worst scenario, as fractions of the spot price a unit.

    option: naked short options, net at a strike and expiry.  perpetual, future, spot: any unit
    held or owed.  offset: units of linear positions that offset each other across expiries.
    """

    option: Share = 0.0
    perpetual: Share = 0.0
    future: Share = 0.0
    spot: Share = 0.0
    offset: Share = 0.0
    basis: Basis | None = None
    confidence: Confidence | None = None


class Peg(Model):
    """The initial factor rises by ``slope·(least − price)`` where `currency` is under `least`."""

    currency: str
    least: Positive
    slope: Share


class Initial(Model):
    """Initial over maintenance margin."""

    factor: Annotated[Number, Field(ge=1)]
    peg: Peg | None = None
