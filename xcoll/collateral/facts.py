"""Blocks of sourced facts that assets and the universe are made of."""

import datetime
from typing import Annotated, Literal, Self

import pandas as pd
from pydantic import Field, model_validator

from xcoll.checks import duration
from xcoll.collateral.schema import Duration, Fraction, Model, Positive, Sourced
from xcoll.errors import ParameterError

__all__ = [
    "Basis",
    "Chain",
    "Contract",
    "Depeg",
    "Depth",
    "Failure",
    "Ignored",
    "Intraday",
    "Liquidity",
    "Oracle",
    "OrderBook",
    "Pool",
    "Schedule",
    "Span",
    "Stress",
    "Suspect",
]

DAY = pd.Timedelta(days=1)


class Chain(Sourced):
    """A blockchain: seconds a block, and the time after which a transfer cannot be undone."""

    block: Duration
    finality: Duration


class Liquidity(Sourced):
    """Dollars traded a day: median and 5th percentile of 2023, median of 2022, on one venue."""

    venue: str
    adv_usd: Positive
    adv_p5_usd: Positive
    adv_2022_usd: Positive | None = None


class Depth(Sourced):
    """Price impact (fraction) of one swap of up to `size_usd` dollars; sizes ascend."""

    token: str
    size_usd: tuple[Positive, ...]
    impact: tuple[Fraction, ...]

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        if len(self.size_usd) != len(self.impact):
            raise ValueError("size_usd and impact differ in length; give one impact a size")
        if list(self.size_usd) != sorted(set(self.size_usd)):
            raise ValueError("size_usd must ascend")
        return self


class Pool(Sourced):
    """A constant-product pool: dollars on either side, and the fee (fraction) of a sale."""

    reserve_usd: Positive
    fee: Fraction


class Schedule(Sourced):
    """A venue's tiers: the share of value that counts up to each bound (dollars, ascending)."""

    bounds_usd: tuple[Positive, ...]
    ratios: tuple[Annotated[float, Field(ge=0, le=1)], ...]

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        if len(self.bounds_usd) != len(self.ratios):
            raise ValueError("bounds_usd and ratios differ in length; give one ratio a bound")
        if list(self.bounds_usd) != sorted(set(self.bounds_usd)):
            raise ValueError("bounds_usd must ascend")
        return self


class OrderBook(Sourced):
    """A flat order book: dollars that move the price by its own size."""

    depth_usd: Positive


class Oracle(Sourced):
    """A push feed: it updates after a move of `deviation` (fraction) or after `heartbeat`."""

    feed: str
    deviation: Fraction
    heartbeat: Duration


class Contract(Sourced):
    """What the token's value runs through.

    depth: custodians, bridges and other contracts under it; oracles: independent feeds its own
    logic needs; audits: published ones, counted at least.
    """

    depth: Annotated[int, Field(ge=0)]
    upgradeable: bool
    oracles: Annotated[int, Field(ge=0)]
    deployed: datetime.date
    audits: Annotated[int, Field(ge=0)]


class Basis(Sourced):
    """Log gap between a derived token and what it can be redeemed for.

    `b_t = 2^(-1/half_life_days)·b_{t-1} + sigma_daily·ε_t − jump_loss·N_t` on daily steps, N
    Poisson with `jump_rate` a year.  A modelled series: whatever rests on it has to say so.
    """

    half_life_days: Positive
    sigma_daily: Fraction
    jump_rate: Annotated[float, Field(ge=0)]
    jump_loss: Fraction
    worst: Fraction
    worst_day: datetime.date
    redemption: Duration


class Failure(Sourced):
    """Chance a year (`hazard`) of a sudden failure, and the fraction lost in it (`loss`)."""

    hazard: Fraction
    loss: Annotated[float, Field(gt=0, le=1)]


class Suspect(Sourced):
    """Prints that are kept but not believed, from `first` to `last`, and why."""

    first: datetime.date
    last: datetime.date
    reason: str


class Depeg(Sourced):
    """A break of a peg: the lowest price in dollars on `day`."""

    token: str
    backing: Literal["fiat", "crypto", "algorithmic"]
    day: datetime.date
    low: Annotated[float, Field(ge=0, lt=1)]


class Ignored(Sourced):
    """A column of the price file that is left out, and why."""

    reason: str


class Span(Model):
    """A mean with the range over the assets it was measured on."""

    mean: Positive
    low: Positive
    high: Positive


class Intraday(Sourced):
    """How the tail inside a day relates to that of the day: measured, carried as a scaling.

    shares: 99 % ES of the loss to the lowest print over a horizon as a share of that over 24 h.
    trigger: the same ES in the bars after a fall of more than two σ within 24 h, as a multiple of
    its unconditional value (a range over assets; the mean given is the middle of the range).
    """

    shares: dict[Duration, Span]
    trigger: dict[Duration, Span]

    def share(self, horizon: str | pd.Timedelta) -> float:
        """Mean share at `horizon`; 1 at 24 h.  Raises `ParameterError` for one not measured."""
        return 1.0 if duration("horizon", horizon) == DAY else self._at(self.shares, horizon).mean

    def multiple(self, horizon: str | pd.Timedelta) -> Span:
        """Trigger multiple at `horizon`.  Raises `ParameterError` for one not measured."""
        return self._at(self.trigger, horizon)

    @staticmethod
    def _at(table: dict[str, Span], horizon: str | pd.Timedelta) -> Span:
        wanted = duration("horizon", horizon)
        for known, span in table.items():
            if pd.Timedelta(known) == wanted:
                return span
        raise ParameterError(
            f"the horizon {horizon} has no measured intraday scaling; take one of "
            f"{', '.join(table)}, or prices with shorter bars"
        )


class Stress(Sourced):
    """Depth left in a crisis (fractions of normal), and its return within `replenishment_time`."""

    dex_depth: Positive
    cex_depth: Positive
    replenishment: Positive
    replenishment_time: Duration
