"""Published risk parameters of lending protocols and exchanges: `data/venues.yaml` as one object.

The words of each protocol, and what they mean in one vocabulary, stand in `protocols`.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Self

import pandas as pd
from pydantic import Discriminator, Tag, model_validator

from xcoll.collateral.protocols import (
    Aave,
    Compound,
    Euler,
    Exchange,
    Guard,
    Maker,
    Morpho,
    TokenParameters,
    Venue,
    morpho_bonus,
)
from xcoll.collateral.schema import Model, validate
from xcoll.collateral.universe import Universe
from xcoll.errors import ParameterError

__all__ = [
    "Aave",
    "Compound",
    "Euler",
    "Exchange",
    "Guard",
    "Maker",
    "Morpho",
    "TokenParameters",
    "Venue",
    "Venues",
    "morpho_bonus",
    "parse",
]

AnyVenue = Annotated[
    Annotated[Aave, Tag("aave-v3")]
    | Annotated[Compound, Tag("compound-v3")]
    | Annotated[Morpho, Tag("morpho-blue")]
    | Annotated[Euler, Tag("euler-v2")]
    | Annotated[Maker, Tag("maker")]
    | Annotated[Exchange, Tag("exchange")],
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
    if isinstance(document, dict):  # margin.venues reads the rules for derivatives
        document = {name: block for name, block in document.items() if name != "margins"}
    return validate(Venues, document, source)
