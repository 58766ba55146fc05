"""Published risk parameters of lending protocols, in one vocabulary.

Each protocol keeps its own words in `data/venues.yaml`; `Venue.parameters` translates them into
LTV (most that can be drawn), threshold (closed above it) and bonus (what a keeper gains).
"""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Literal, Self

import pandas as pd
from pydantic import Discriminator, Field, Tag, model_validator

from xcoll.collateral.schema import Duration, Fraction, Model, Sourced, validate
from xcoll.collateral.universe import Universe
from xcoll.errors import ParameterError

__all__ = [
    "Aave",
    "Compound",
    "Guard",
    "Morpho",
    "TokenParameters",
    "Venue",
    "Venues",
    "morpho_bonus",
    "parse",
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

    def warnings(self) -> tuple[str, ...]:
        """What makes the set one that this workbook would not recommend."""
        found = []
        if self.ltv == self.threshold:
            found.append("LTV equals the threshold: a full draw is closed at the first fall")
        reach = self.threshold * (1.0 + self.bonus)
        if reach >= 1.0:
            found.append(f"threshold × (1 + bonus) is {reach:.3f}: no liquidation can pay in full")
        return tuple(found)


class Guard(Sourced):
    """How far and how often stewards may move a parameter without a vote."""

    step: Fraction
    emode_step: Fraction
    delay: Duration
    expiry: Duration


class Fee(Sourced):
    """A fraction with its source."""

    value: Fraction


class Venue(Sourced, ABC):
    """A protocol's published parameters on one day.

    regime: `keeper` where a third party liquidates for a bonus, `venue` where the protocol takes
    the collateral over and sells it for itself.  base: the asset owed, where there is only one.
    """

    regime: ClassVar[Literal["keeper", "venue"]] = "keeper"
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


AnyVenue = Annotated[
    Annotated[Aave, Tag("aave-v3")]
    | Annotated[Compound, Tag("compound-v3")]
    | Annotated[Morpho, Tag("morpho-blue")],
    Discriminator(
        lambda venue: (venue if isinstance(venue, dict) else vars(venue)).get("protocol")
    ),
]


class Venues(Model):
    """All published parameter sets, and which asset of the universe each token stands for.

    tokens: venue token → symbol, or None where the universe has no such asset.
    """

    date: datetime.date
    tokens: dict[str, str | None]
    venues: dict[str, AnyVenue]

    @model_validator(mode="after")
    def _mapped(self) -> Self:
        for key, venue in self.venues.items():
            for token in venue.parameters:
                if token not in self.tokens:
                    raise ValueError(f"venue {key}: token {token} is missing from tokens")
        return self

    def venue(self, key: str) -> Venue:
        """One venue by its key; `ParameterError` with the known keys for another."""
        if key not in self.venues:
            raise ParameterError(f"no venue {key!r}; choose one of {', '.join(self.venues)}")
        return self.venues[key]

    def frame(self) -> pd.DataFrame:
        """One row a venue and token: the translated parameters with date, source and warnings."""
        return pd.DataFrame(
            {
                "venue": key,
                "regime": venue.regime,
                "token": token,
                "symbol": self.tokens[token],
                "ltv": set_.ltv,
                "threshold": set_.threshold,
                "bonus": set_.bonus,
                "protocol_fee": venue.protocol_fee.value if venue.protocol_fee else 0.0,
                "date": pd.Timestamp(venue.date),
                "source": venue.source,
                "warning": "; ".join(set_.warnings()),
            }
            for key, venue in self.venues.items()
            for token, set_ in venue.parameters.items()
        )

    def today(self, key: str, universe: Universe) -> pd.DataFrame:
        """What a venue publishes for the assets of `universe`.

        Returns
        -------
        DataFrame, index asset
            token, ltv, threshold, bonus, protocol_fee, direct.  Where the venue lists no token
            for an asset itself, the first one that is derived from it stands in (WBTC for BTC) and
            `direct` is False.  Assets without either are not in the frame.
        """
        self.venue(key)
        listed = self.frame().query("venue == @key")
        listed = listed.dropna(subset="symbol").drop_duplicates("symbol").set_index("symbol")
        rows = []
        for symbol in universe.assets:
            derived = [s for s in universe.derived if universe.assets[s].underlying == symbol]
            found = next((s for s in [symbol, *derived] if s in listed.index), None)
            if found is not None:
                rows.append({**listed.loc[found], "asset": symbol, "direct": found == symbol})
        columns = ["token", "ltv", "threshold", "bonus", "protocol_fee", "direct"]
        return pd.DataFrame(rows, columns=["asset", *columns]).set_index("asset")


def parse(document: Any, source: str = "venues") -> Venues:
    """A parsed YAML or JSON file as `Venues`.

    Raises
    ------
    DataError
        Names `source`, then each venue, token and field at fault with what it should be.
    """
    return validate(Venues, document, source)
