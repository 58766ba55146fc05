"""Standard margin: every position by a formula of its own, summed; nothing offsets anything.

Per unit of |q|, with S the spot price and OTM how far the option is out of the money:

    linear        (fraction + per_unit·|q|)·mark                       initial and maintenance
    short call    initial max(initial − OTM/S, least)·S                 maintenance maintenance·S
    short put     initial the same, at least its maintenance            maintenance·max(S, mark)
    long option   its mark: what was paid counts for nothing else
    spot          haircut·S, of the market's haircuts

Source: Deribit's margin pages, with Aevo's of the same form.  There a short option also has to have
its mark; here that is in the equity, which is net of it.
"""

from typing import Literal

import numpy as np
import pandas as pd

from xcoll.collateral.schema import Model
from xcoll.errors import DataError
from xcoll.margin.book import Book
from xcoll.margin.market import Quotes, by_name
from xcoll.margin.rules.requirement import Requirement
from xcoll.margin.rules.schema import ByAsset, ForEach, Named, by_asset

__all__ = ["Standard"]


class Linear(Model):
    """Fractions of the mark, and what each unit of the position's size adds to both."""

    initial: ForEach
    maintenance: ForEach
    per_unit: ByAsset = 0.0


class Options(Model):
    """Fractions of the spot price for a short option."""

    initial: ForEach
    least: ForEach
    maintenance: ForEach


class Standard(Named):
    """A venue's standard margin."""

    rule: Literal["standard"]
    linear: Linear
    options: Options

    def totals(self, book: Book, quotes: Quotes) -> np.ndarray:
        """Maintenance by account, dollars."""
        return np.bincount(book.account, self._each(book, quotes)[0], len(book.accounts))

    def requirement(self, book: Book, quotes: Quotes) -> Requirement:
        """The sum over positions; each one's own requirement is its contribution."""
        maintenance, initial = self._each(book, quotes)
        total, opening = (
            np.bincount(book.account, each, len(book.accounts)) for each in (maintenance, initial)
        )
        accounts = pd.DataFrame(
            {"loss": total, "contingency": 0.0, "maintenance": total, "initial": opening},
            index=book.accounts,
        )
        binding = pd.DataFrame(
            {"account": book.accounts, "unit": "all", "scenario": "formula", "loss": total}
        )
        return Requirement(accounts, pd.Series(maintenance, name="contribution"), binding)

    def _each(self, book: Book, quotes: Quotes) -> tuple[np.ndarray, np.ndarray]:
        """Maintenance and initial requirement of each position, dollars."""
        book.check(quotes)
        listed, held, size = book.instruments, book.instrument, np.abs(book.quantity)
        kind, asset = listed.kind[held], np.array(listed.assets, object)[listed.asset][held]
        S = by_name(quotes.market.spot, asset)
        mark, strike = quotes.mark[held], quotes.strike[held]
        right, short = book.instruments.right[held], book.quantity < 0.0

        line = by_asset(self.linear.per_unit, asset) * size
        linear = [
            (by_asset(part, asset) + line) * mark
            for part in (self.linear.maintenance, self.linear.initial)
        ]
        away = np.maximum(np.where(right > 0.0, strike - S, S - strike), 0.0)
        written = by_asset(self.options.maintenance, asset) * np.where(
            right < 0.0, np.maximum(S, mark), S
        )
        opened = np.maximum(
            by_asset(self.options.initial, asset) * S - away,
            by_asset(self.options.least, asset) * S,
        )
        opened = np.where(right < 0.0, np.maximum(opened, written), opened)
        option = [np.where(short, part, mark) for part in (written, opened)]
        spot = _haircut(quotes, asset, kind == "spot") * S
        return tuple(
            size * np.select([kind == "spot", kind == "option"], [spot, option[n]], linear[n])
            for n in (0, 1)
        )


def _haircut(quotes: Quotes, asset: np.ndarray, needed: np.ndarray) -> np.ndarray:
    found = by_name(quotes.market.haircut, asset)
    lacking = needed & np.isnan(found)
    if lacking.any():
        raise DataError(f"no haircut of {asset[lacking][0]}; add it to the market's haircuts")
    return np.nan_to_num(found)
