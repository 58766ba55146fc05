"""One health figure for an account that pledges, owes, and holds derivatives.

Spot that covers a short delta of its own asset stays with it and is margined net; the rest is
collateral and counts after its haircut (OKX's spot-derivatives offset works so: a spot asset is
used in the hedge up to the delta that it offsets).

    u            min(C, max(−Δ, 0))       units in use, of C held; Δ: delta of all else in the asset
    counted      (C − u)·S·(1 − H)
    excess       counted + u·S + V + cash − R(derivatives, and u units of spot)
    health       what counts over what is owed and required; 1 exactly where the excess is 0

V is the mark-to-market of all else, R the rule's requirement.  Without derivatives it is the health
factor of a lender whose threshold is 1 − H; without collateral it is equity over margin.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError
from xcoll.margin.book import Book
from xcoll.margin.market import Quotes, by_name
from xcoll.margin.rules.requirement import Rule

__all__ = ["Standing", "excess", "stand", "top_up"]


@dataclass(frozen=True, eq=False)
class Standing:
    """Where accounts stand.

    Attributes
    ----------
    frame : index account; dollars: ``collateral`` (spot not in use, at market), ``counted`` (after
        haircuts), ``in_use`` (spot that hedges), ``derivatives`` (mark-to-market of all else),
        ``cash`` (owed: below 0), ``equity`` (all at market), ``maintenance``, ``initial``,
        ``excess``, ``excess_initial``; and ``health``.
    netted : the positions that the requirement is of, in the book's order: spot in use only.
    """

    frame: pd.DataFrame
    netted: Book


def stand(book: Book, quotes: Quotes, rule: Rule) -> Standing:
    """Health of every account under `rule`.

    Raises
    ------
    DataError : collateral without a haircut in the market.
    """
    netted, counted, collateral, in_use = _split(book, quotes)
    answer = rule.requirement(netted, quotes).accounts
    n = len(book.accounts)
    value = np.where(book.is_held, 0.0, book.value(quotes))
    assets = np.bincount(book.account, np.maximum(value, 0.0), n)
    owed = np.bincount(book.account, np.maximum(-value, 0.0), n)
    cash = book.cash_dollars(quotes.market)
    counts = counted + in_use + assets + np.maximum(cash, 0.0)
    maintenance, initial = (answer[name].to_numpy() for name in ("maintenance", "initial"))
    bears = owed + np.maximum(-cash, 0.0) + maintenance
    frame = pd.DataFrame(
        {
            "collateral": collateral,
            "counted": counted,
            "in_use": in_use,
            "derivatives": assets - owed,
            "cash": cash,
            "equity": collateral + in_use + assets - owed + cash,
            "maintenance": maintenance,
            "initial": initial,
            "excess": counts - bears,
            "excess_initial": counts - bears + maintenance - initial,
            "health": np.divide(counts, bears, out=np.full(n, np.inf), where=bears > 0.0),
        },
        index=book.accounts,
    )
    return Standing(frame, netted)


def excess(book: Book, quotes: Quotes, rule: Rule) -> np.ndarray:
    """Excess over maintenance by account alone, dollars: the fast way to the same numbers."""
    netted, counted, _, in_use = _split(book, quotes)
    value = np.where(book.is_held, 0.0, book.value(quotes))
    other = np.bincount(book.account, value, len(book.accounts))
    cash = book.cash_dollars(quotes.market)
    return counted + in_use + other + cash - rule.totals(netted, quotes)


def top_up(standing: Standing, quotes: Quotes, level: str = "initial") -> pd.DataFrame:
    """What a margin call asks for, by account that is short of `level`.

    Returns
    -------
    DataFrame, index account
        ``dollars`` that are short, and by asset with a haircut below 1 the units that bring them.
    """
    column = {"initial": "excess_initial", "maintenance": "excess"}
    short = -standing.frame[column[checks.one_of("level", level, column)]]
    short = short[short > 0.0]
    found = {"dollars": short}
    for asset, haircut in quotes.market.haircut.items():
        if haircut < 1.0 and asset in quotes.market.spot.index:
            found[str(asset)] = short / (quotes.market.spot[asset] * (1.0 - haircut))
    return pd.DataFrame(found)


def _split(book: Book, quotes: Quotes) -> tuple[Book, np.ndarray, np.ndarray, np.ndarray]:
    """The book with only the spot that hedges, and by account dollars counted, free and in use."""
    listed, n, held = book.instruments, len(book.accounts), book.is_held
    size = n * len(listed.assets)
    place = listed.asset[book.instrument] + len(listed.assets) * book.account
    delta = quotes.delta[book.instrument] * book.quantity
    net = np.bincount(place, np.where(held, 0.0, delta), size)
    units = np.bincount(place, np.where(held, book.quantity, 0.0), size)
    used = np.minimum(units, np.maximum(-net, 0.0))
    share = np.divide(used, units, out=np.zeros(size), where=units > 0.0)[place]
    quantity = np.where(held, book.quantity * share, book.quantity)

    S = quotes.mark[book.instrument]
    haircut = by_name(quotes.market.haircut, listed.assets)
    haircut = haircut[listed.asset[book.instrument]]
    free = np.where(held, book.quantity * (1.0 - share), 0.0)
    lacking = (free > 0.0) & np.isnan(haircut)
    if lacking.any():
        name = listed.assets[listed.asset[book.instrument[lacking][0]]]
        raise DataError(f"no haircut of {name}, which is collateral; add it to the market")
    at_market = free * S
    counted = at_market * (1.0 - np.nan_to_num(haircut, nan=1.0))
    used_dollars = np.where(held, quantity * S, 0.0)
    sums = (np.bincount(book.account, each, n) for each in (counted, at_market, used_dollars))
    return book.holding(quantity), *sums
