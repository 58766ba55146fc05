"""What each protocol publishes, in its own words, and how that reads in one vocabulary.

`Venue.parameters` translates into LTV (most that can be drawn), threshold (closed above it) and
bonus (what a keeper gains, or what the venue keeps where it sells for itself).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from xcoll.collateral.liquidity import Tiers
from xcoll.collateral.schema import Duration, Fraction, Model, Positive, Sourced

__all__ = [
    "Aave",
    "Compound",
    "Euler",
    "Exchange",
    "Guard",
    "Ilk",
    "Ladder",
    "Maker",
    "Morpho",
    "RisingBonus",
    "TokenParameters",
    "Venue",
    "morpho_bonus",
]

# Morpho Blue whitepaper (2023), liquidation incentive factor: cap and cursor.
MORPHO_CAP, MORPHO_CURSOR = 1.15, 0.3


class TokenParameters(Model):
    """One collateral at one venue, in fractions.  Published sets are not refused for being unsafe.

    bonus: what a keeper gets on top of the debt that it repays.
    """

    ltv: Fraction
    threshold: Fraction
    bonus: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.ltv > self.threshold:
            raise ValueError(f"ltv {self.ltv:g} is above threshold {self.threshold:g}")
        return self

    @property
    def reach(self) -> float:
        """Health factor under which the collateral no longer pays the whole debt and the bonus."""
        return self.threshold * (1.0 + self.bonus)

    def warnings(self) -> tuple[str, ...]:
        """What makes the set one that this workbook would not recommend."""
        found = []
        if self.ltv == self.threshold:
            found.append("LTV equals the threshold: a full draw is closed at the first fall")
        if self.reach >= 1.0:
            found.append(
                f"threshold × (1 + bonus) is {self.reach:.3f}: no liquidation can pay in full"
            )
        return tuple(found)


class RisingBonus(TokenParameters):
    """A bonus that is nothing at a health factor of 1 and grows with the shortfall up to `bonus`.

    The discount is ``min(1 − HF, d)`` with ``d = 1 − 1/(1 + bonus)``, and all is paid while
    ``LT ≤ HF·(1 − discount)``.
    """

    @property
    def reach(self) -> float:
        """Health factor under which the collateral no longer pays the whole debt and the bonus."""
        return min(math.sqrt(self.threshold), super().reach)


class Guard(Sourced):
    """How far and how often stewards may move a parameter without a vote.

    cap_step: of a cap, as a fraction of the cap in force.
    """

    step: Fraction
    emode_step: Fraction
    cap_step: Positive
    delay: Duration
    expiry: Duration


class Fee(Sourced):
    """A fraction with its source."""

    value: Fraction


class Venue(Sourced, ABC):
    """A protocol's published parameters on one day.

    regime: `keeper` where a third party liquidates for a bonus, `venue` where the protocol takes
    the collateral over and sells it for itself.  fixed_terms: whether one threshold and one bonus
    hold for any size and however the sale goes; terms that an auction, the health of the account or
    a tier finds are not set beside ours.  base: the asset owed, where there is only one.
    """

    regime: ClassVar[Literal["keeper", "venue"]] = "keeper"
    fixed_terms: ClassVar[bool] = True
    name: str
    protocol: str
    chain: str
    base: str | None = None
    protocol_fee: Fee | None = None
    guard: Guard | None = None

    @property
    @abstractmethod
    def parameters(self) -> dict[str, TokenParameters]:
        """Token → its parameters."""


class Aave(Venue):
    """Aave v3: LTV, liquidation threshold and bonus stand in the file as they are."""

    protocol: Literal["aave-v3"]
    reserves: dict[str, TokenParameters]

    @property
    def parameters(self) -> dict[str, TokenParameters]:
        """Token → its parameters."""
        return self.reserves


class Factors(Model):
    """Compound v3's collateral factors: to borrow, to be liquidated, and credited when absorbed."""

    borrow: Fraction
    liquidate: Fraction
    liquidation: Fraction


class Compound(Venue):
    """Compound v3: `absorb` credits LF of the collateral, the storefront sells it at a discount.

    The storefront's price is `p·(1 − storefront·(1 − LF))`; its inverse less one is the bonus.
    """

    regime: ClassVar[Literal["keeper", "venue"]] = "venue"
    protocol: Literal["compound-v3"]
    storefront: Fraction
    assets: dict[str, Factors]

    @property
    def parameters(self) -> dict[str, TokenParameters]:
        """Token → its parameters."""
        return {token: self._translated(factors) for token, factors in self.assets.items()}

    def _translated(self, factors: Factors) -> TokenParameters:
        discount = self.storefront * (1.0 - factors.liquidation)
        return TokenParameters(
            ltv=factors.borrow, threshold=factors.liquidate, bonus=1.0 / (1.0 - discount) - 1.0
        )


class Morpho(Venue):
    """Morpho Blue: one LLTV a market, LTV and threshold at once; the bonus follows from it."""

    protocol: Literal["morpho-blue"]
    lltvs: tuple[Fraction, ...]
    markets: dict[str, Fraction]

    @model_validator(mode="after")
    def _enabled(self) -> Self:
        for token, lltv in self.markets.items():
            if lltv not in self.lltvs:
                raise ValueError(f"market {token}: LLTV {lltv:g} is not one of lltvs")
        return self

    @property
    def parameters(self) -> dict[str, TokenParameters]:
        """Token → its parameters."""
        return {
            token: TokenParameters(ltv=lltv, threshold=lltv, bonus=morpho_bonus(lltv))
            for token, lltv in self.markets.items()
        }


def morpho_bonus(lltv: float) -> float:
    """`min(1.15, 1/(1 − 0.3(1 − LLTV))) − 1`, the incentive of Morpho Blue (whitepaper, 2023)."""
    return min(MORPHO_CAP, 1.0 / (1.0 - MORPHO_CURSOR * (1.0 - lltv))) - 1.0


class Euler(Venue):
    """Euler v2: liquidation LTV by collateral vault, against the vault of `base`.

    Liquidatable at a health score of 1 or less; the discount is ``min(1 − score, max_discount)``,
    so the bonus given here, ``1/(1 − max_discount) − 1``, is the largest.  `cool_off`: time after a
    status check within which nobody is liquidated.  `ramp`: time over which a threshold is lowered.
    """

    fixed_terms: ClassVar[bool] = False
    protocol: Literal["euler-v2"]
    max_discount: Fraction
    cool_off: Duration
    ramp: Duration
    spread: Fraction
    vaults: dict[str, Fraction]

    @property
    def parameters(self) -> dict[str, TokenParameters]:
        """Token → its parameters; the borrow LTV lies `spread` under the threshold."""
        bonus = 1.0 / (1.0 - self.max_discount) - 1.0
        return {
            token: RisingBonus(ltv=max(lltv - self.spread, 0.0), threshold=lltv, bonus=bonus)
            for token, lltv in self.vaults.items()
        }


Over = Annotated[float, Field(ge=1)]


class Ilk(Sourced):
    """A vault type of Maker, in the words of its contracts; dollars are Dai.

    mat: collateral over debt under which a vault is closed; chop: debt to be raised over debt
    owed; hole: most at auction; dust: least debt of a vault; buf: opening price over the oracle's;
    cut: price of a step over the last one's, every step; tail: longest auction; cusp: share of the
    opening price under which it is reset; tip and chip: dollars, and a fraction of the debt, for
    whoever starts or resets it.
    """

    mat: Annotated[float, Field(gt=1)]
    chop: Annotated[float, Field(ge=1, lt=2)]
    hole: Positive
    dust: Positive
    buf: Over
    cut: Fraction
    step: Duration
    tail: Duration
    cusp: Fraction
    tip: Annotated[float, Field(ge=0)]
    chip: Fraction


class Maker(Venue):
    """Maker, liquidations 2.0: vaults by ilk, sold in Dutch auctions, `Hole` Dai at once at most.

    Debt may be drawn up to the liquidation ratio itself, so LTV = threshold = 1/mat; the penalty
    chop − 1 is the protocol's, and what a keeper gains is found by the auction.
    """

    regime: ClassVar[Literal["keeper", "venue"]] = "venue"
    fixed_terms: ClassVar[bool] = False
    protocol: Literal["maker"]
    Hole: Positive
    ilks: dict[str, Ilk]

    @property
    def parameters(self) -> dict[str, TokenParameters]:
        """Ilk → its parameters."""
        return {
            name: TokenParameters(ltv=1.0 / ilk.mat, threshold=1.0 / ilk.mat, bonus=ilk.chop - 1.0)
            for name, ilk in self.ilks.items()
        }


class Ladder(Model):
    """Share of a collateral's value that counts, up to each bound (dollars or units, ascending)."""

    unit: Literal["usd", "units"]
    bounds: tuple[Positive, ...]
    ratios: tuple[Annotated[float, Field(ge=0, le=1)], ...]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        self.tiers(1.0)
        return self

    def tiers(self, price: float) -> Tiers:
        """The schedule in dollars at `price` dollars a unit; beyond its last bound nothing counts.

        A share is that of a positive balance: what is owed counts in full.
        """
        scale = price if self.unit == "units" else 1.0
        return Tiers(tuple(bound * scale for bound in self.bounds), self.ratios)


class Exchange(Venue):
    """An exchange's cross margin: one account, what counts of each collateral over what is owed.

    initial, maintenance: the least value of that ratio to borrow, and at which the venue sells;
    fee: what it keeps of what it sells.  `parameters` are those of the first tier; a larger balance
    counts for less (`Ladder.tiers`).
    """

    regime: ClassVar[Literal["keeper", "venue"]] = "venue"
    fixed_terms: ClassVar[bool] = False
    protocol: Literal["exchange"]
    initial: Over
    maintenance: Over
    fee: Fraction
    collateral: dict[str, Ladder]

    @property
    def parameters(self) -> dict[str, TokenParameters]:
        """Token → its parameters in the first tier: ``ratio/initial`` and ``ratio/maintenance``."""
        return {
            token: TokenParameters(
                ltv=ladder.ratios[0] / self.initial,
                threshold=ladder.ratios[0] / self.maintenance,
                bonus=self.fee,
            )
            for token, ladder in self.collateral.items()
        }
