"""Sample books of a file: legs as fractions of their asset's price, to be struck on any day."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from xcoll.collateral.schema import Model, Positive, validate
from xcoll.errors import DataError, ParameterError
from xcoll.margin.book import Book, book
from xcoll.margin.instruments import Instrument, Instruments

__all__ = ["Leg", "Sample", "among", "parse", "struck"]


class Leg(Model):
    """One leg: dollars of the underlying (short below 0), days to expiry, strike over spot."""

    kind: Literal["spot", "perpetual", "future", "option"]
    asset: Annotated[str, Field(min_length=1)]
    dollars: float
    days: Annotated[float, Field(gt=0)] | None = None
    strike: Positive | None = None
    right: Literal["call", "put"] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        option, dated = self.kind == "option", self.kind in ("option", "future")
        for name, wanted in (("days", dated), ("strike", option), ("right", option)):
            if (getattr(self, name) is not None) != wanted:
                verb = "lacks" if wanted else "has no use for"
                raise ValueError(f"a leg of kind {self.kind} {verb} {name}")
        return self

    def instrument(self, time: pd.Timestamp, price: float) -> Instrument:
        """The leg as struck at `time` and `price`."""
        expiry = None if self.days is None else time + pd.Timedelta(days=self.days)
        strike = float("nan") if self.strike is None else self.strike * price
        return Instrument(self.kind, self.asset, expiry, strike, self.right or "")


class Sample(Model):
    """A book with its purpose, and its cash in dollars (a loan: below 0)."""

    why: Annotated[str, Field(min_length=3)]
    cash: float = 0.0
    legs: Annotated[list[Leg], Field(min_length=1)]


class Samples(Model):
    """Books by name."""

    books: Annotated[dict[str, Sample], Field(min_length=1)]


def parse(document: Any, source: str = "books") -> dict[str, Sample]:
    """Books of a parsed YAML or JSON file; `DataError` names `source`, book, leg and fault."""
    return validate(Samples, document, source).books


def among(
    samples: dict[str, Sample], assets: Sequence[str], needed: Sequence[str] = ()
) -> tuple[dict[str, Sample], list[str]]:
    """Books whose assets are all among `assets`, and the names of those that are left out.

    Raises
    ------
    DataError : no book is left, or one of the `needed` is left out or not in the file.
    """
    kept = {
        name: one for name, one in samples.items() if all(leg.asset in assets for leg in one.legs)
    }
    lacking = [name for name in needed if name not in kept]
    if lacking or not kept:
        what = f"book {lacking[0]!r} is not there" if lacking else "no book is left"
        raise DataError(
            f"{what}: of the file's books {', '.join(kept) or 'none'} have prices for all their "
            "assets; name one of these, or give a file of books on your own assets"
        )
    return kept, [name for name in samples if name not in kept]


def struck(samples: dict[str, Sample], time: pd.Timestamp, spot: pd.Series) -> Book:
    """All books struck at `time` and `spot` prices, each an account of its name.

    Raises
    ------
    ParameterError : a time that is no Timestamp.
    DataError : an asset without a price above zero; two legs of a book that are the same
        instrument; two books with expiries at two times of one day, which have one name.
    """
    if not isinstance(time, pd.Timestamp):
        raise ParameterError(f"time is {time!r}; give a Timestamp in UTC without a zone")
    if not spot.index.is_unique:
        raise DataError(f"the price of {spot.index[spot.index.duplicated()][0]} twice; keep one")
    prices = pd.to_numeric(spot, errors="coerce")
    listed: dict[str, Instrument] = {}
    rows = []
    for name, sample in samples.items():
        for leg in sample.legs:
            price = float(prices.get(leg.asset, np.nan))
            if not 0.0 < price < np.inf:
                raise DataError(f"book {name}: no price of {leg.asset}; leave the book out")
            one = leg.instrument(time, price)
            if listed.setdefault(one.name, one).expiry != one.expiry:
                raise DataError(
                    f"book {name}: another {one.name} expires at another time of day; "
                    "give both the same days"
                )
            rows.append((name, one.name, leg.dollars / price))
    positions = pd.DataFrame(rows, columns=["account", "instrument", "quantity"])
    cash = pd.Series({name: sample.cash for name, sample in samples.items()})
    return book(Instruments.of(list(listed.values())), positions, cash)
