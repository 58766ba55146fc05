"""What becomes of a book as time passes: funding is paid, and what expires becomes cash.

funding     −q·mark·rate·years            a long pays where the rate is above 0
future      q·(S_T − entry)               S_T: settlement price, the asset's at the expiry
option      q·(S_T − K)⁺ or q·(K − S_T)⁺
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError
from xcoll.margin.book import Book
from xcoll.margin.instruments import YEAR, Instruments
from xcoll.margin.market import Market, Quotes, by_name

__all__ = ["Settled", "fund", "settle"]


@dataclass(frozen=True, eq=False)
class Settled:
    """A book after its expiries.

    Attributes
    ----------
    book : what is left, with the cash; None where no instrument is left.
    flows : account, instrument, quantity, price (of settlement), dollars (received), a row a
        position that expired.
    cash : dollars added by account.
    """

    book: Book | None
    flows: pd.DataFrame
    cash: pd.Series


def settle(
    book: Book,
    time: pd.Timestamp,
    prices: pd.Series,
    currencies: Mapping[str, float] | None = None,
) -> Settled:
    """Settle what expires at or before `time` at `prices` by asset, dollars.

    `currencies` are dollars a unit of each currency that strikes are in.

    Raises
    ------
    DataError : no settlement price of an asset that expires, one that is not finite or not above
        zero; a currency without a rate; an expired future without an entry.
    """
    market = Market(time, prices, currencies=currencies or {})
    frame = book.instruments.frame
    over = (frame["expiry"] <= time).to_numpy()
    gone = over[book.instrument]
    price = by_name(prices, frame["asset"])
    lacking = gone & ~np.isfinite(price)[book.instrument]
    if lacking.any():
        name = frame.index[book.instrument[lacking][0]]
        raise DataError(f"no settlement price for {name}; add its asset to the prices")
    strike = market.strikes(book.instruments)
    right = book.instruments.right
    pays = np.maximum(right * (price - strike), 0.0)[book.instrument]
    future = (frame["kind"] == "future").to_numpy()[book.instrument]
    unknown = gone & future & np.isnan(book.entry)
    if unknown.any():
        name = frame.index[book.instrument[unknown][0]]
        raise DataError(f"a position in {name} has no entry; give the price it was entered at")
    pays = np.where(future, price[book.instrument] - book.entry, pays)
    dollars = np.where(gone, book.quantity * pays, 0.0)
    cash = np.bincount(book.account, dollars, len(book.accounts))
    held = book.frame()
    flows = held.loc[gone, ["account", "instrument", "quantity"]].assign(
        price=price[book.instrument][gone], dollars=dollars[gone]
    )
    left = None
    if not over.all():
        places = np.cumsum(~over) - 1
        rest = book.holding(book.quantity, cash)
        left = Book(
            Instruments(frame[~over]),
            book.accounts,
            book.account[~gone],
            places[book.instrument[~gone]],
            book.quantity[~gone],
            book.entry[~gone],
            rest.cash,
        )
    return Settled(left, flows.reset_index(drop=True), pd.Series(cash, book.accounts, name="cash"))


def fund(book: Book, quotes: Quotes, span: str | pd.Timedelta) -> Book:
    """The book after `span` of funding at the market's rates."""
    years = checks.duration("span", span) / YEAR
    paid = book.funding(quotes, years)
    return book.holding(book.quantity, -np.bincount(book.account, paid, len(book.accounts)))
