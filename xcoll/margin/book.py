"""Positions of accounts in instruments, and cash: what a margin rule is asked about.

An account's positions of one risk unit are one row of every result.  A risk unit is what nets: the
positions on one asset, or on all assets of a set that a rule moves together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from xcoll.errors import DataError
from xcoll.margin.instruments import Instrument, Instruments
from xcoll.margin.market import Market, Quotes, by_name

__all__ = ["Book", "Layout", "book"]

POSITIONS = ("account", "instrument", "quantity")


@dataclass(frozen=True, eq=False)
class Layout:
    """Positions sorted by row (account and risk unit), group and strike.

    Attributes
    ----------
    order : positions of the book in this order.
    account, unit : of each row, as places in `Book.accounts` and in `units`.
    row, group, instrument : by sorted position.
    units : names of the risk units.
    strikes, groups : first sorted position of each row, group and strike; of each row and group.
    """

    order: np.ndarray
    account: np.ndarray
    unit: np.ndarray
    row: np.ndarray
    group: np.ndarray
    instrument: np.ndarray
    units: tuple[str, ...]
    strikes: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True, eq=False)
class Book:
    """Accounts with positions and cash.

    Attributes
    ----------
    instruments : what is held.
    accounts : names, in order.
    account, instrument : of each position, as places in `accounts` and `instruments`.
    quantity : units of the asset, short below 0.
    entry : dollars a unit that a perpetual or a future was entered at; NaN: at its mark.  What is
        bought (spot, options) is worth its mark, and was paid out of cash.
    cash : account × currency; what is owed is negative.
    layouts : those made so far, which other quantities share.
    """

    instruments: Instruments
    accounts: pd.Index
    account: np.ndarray
    instrument: np.ndarray
    quantity: np.ndarray
    entry: np.ndarray
    cash: pd.DataFrame = field(repr=False)
    layouts: dict[tuple, Layout] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.quantity)

    def layout(self, together: Sequence[Sequence[str]] = ()) -> Layout:
        """Rows by account and risk unit; the assets of one set of `together` are one unit."""
        key = tuple(tuple(assets) for assets in together)
        if key not in self.layouts:
            self.layouts[key] = self._laid_out(key)
        return self.layouts[key]

    def _laid_out(self, together: tuple[tuple[str, ...], ...]) -> Layout:
        of = {asset: " + ".join(assets) for assets in together for asset in assets}
        names = self.instruments.frame["asset"].map(lambda asset: of.get(asset, asset))
        code, units = pd.factorize(names, sort=True)
        unit, group = code[self.instrument], self.instruments.group[self.instrument]
        strike = np.nan_to_num(self.instruments.strike)[self.instrument]
        order = np.lexsort((strike, group, unit, self.account))
        account, unit, group, strike = (
            values[order] for values in (self.account, unit, group, strike)
        )

        def starts(*keys: np.ndarray) -> np.ndarray:
            changed = np.logical_or.reduce([np.diff(key) != 0 for key in keys])
            return np.flatnonzero(np.append(True, changed)) if len(order) else np.zeros(0, int)

        rows = starts(account, unit)
        row = np.repeat(np.arange(len(rows)), np.diff(np.append(rows, len(order))))
        return Layout(
            order=order,
            account=account[rows],
            unit=unit[rows],
            row=row,
            group=group,
            instrument=self.instrument[order],
            units=tuple(units),
            strikes=starts(row, group, strike),
            groups=starts(row, group),
        )

    def check(self, quotes: Quotes) -> None:
        """Refuse `quotes` of other instruments with a `DataError`."""
        mine, other = self.instruments, quotes.instruments
        if other is not mine and not other.frame.index.equals(mine.frame.index):
            raise DataError("quotes of other instruments than the book's; quote book.instruments")

    def value(self, quotes: Quotes) -> np.ndarray:
        """Dollars that each position is worth now: mark-to-market of what can be closed.

        Spot and options at their mark; perpetuals and futures at mark less entry.
        """
        self.check(quotes)
        mark = quotes.mark[self.instrument]
        start = np.where(np.isnan(self.entry), mark, self.entry)
        return self.quantity * (mark - np.where(self.is_linear, start, 0.0))

    def funding(self, quotes: Quotes, years: float) -> np.ndarray:
        """Dollars that each position pays in `years` of funding, ``q·mark·rate·years``."""
        listed = self.instruments
        rate = by_name(quotes.market.funding, listed.assets, 0.0)[listed.asset]
        rate = np.where(listed.kind == "perpetual", rate, 0.0)
        return self.quantity * (rate * quotes.mark * years)[self.instrument]

    @cached_property
    def is_linear(self) -> np.ndarray:
        """Whether a position is a perpetual or a future, whose value is what it has gained."""
        kind = self.instruments.kind
        return ((kind == "perpetual") | (kind == "future"))[self.instrument]

    @cached_property
    def is_held(self) -> np.ndarray:
        """Whether a position is spot that is held, not owed."""
        return (self.instruments.kind == "spot")[self.instrument] & (self.quantity > 0.0)

    def entered(self, quotes: Quotes) -> "Book":
        """The same book, entered at today's mark wherever no entry is known."""
        mark = quotes.mark[self.instrument]
        return replace(self, entry=np.where(np.isnan(self.entry), mark, self.entry))

    def cash_dollars(self, market: Market) -> np.ndarray:
        """Dollars of cash by account; `DataError` for a currency without a rate."""
        if not self.cash.shape[1]:
            return np.zeros(len(self.accounts))
        rates = [market.dollars(currency) for currency in self.cash.columns]
        return self.cash.to_numpy(float) @ np.array(rates)

    def equity(self, quotes: Quotes) -> pd.Series:
        """Cash and what the positions are worth, dollars by account."""
        worth = np.bincount(self.account, self.value(quotes), len(self.accounts))
        return pd.Series(worth + self.cash_dollars(quotes.market), self.accounts, name="equity")

    def frame(self) -> pd.DataFrame:
        """Positions: account, instrument, quantity, entry."""
        return pd.DataFrame(
            {
                "account": pd.Series(self.accounts[self.account]).astype("str"),
                "instrument": pd.Series(self.instruments.frame.index[self.instrument], dtype="str"),
                "quantity": self.quantity,
                "entry": self.entry,
            }
        )

    def apart(self) -> "Book":
        """Every position as an account of its own, without cash: account *n* is position *n*."""
        n = len(self)
        accounts = pd.RangeIndex(n, name="position")
        cash = pd.DataFrame(index=accounts)
        return replace(self, accounts=accounts, account=np.arange(n), cash=cash, layouts={})

    def holding(self, quantity: np.ndarray, cash: np.ndarray | None = None) -> "Book":
        """The same positions with other quantities, and dollars added to the cash by account."""
        if np.shape(quantity) != self.quantity.shape:
            raise DataError(f"{np.size(quantity)} quantities for {len(self)} positions; align them")
        held = self.cash
        if cash is not None:
            held = held.assign(USD=held.get("USD", 0.0) + np.asarray(cash, float))
        return replace(self, quantity=np.asarray(quantity, float), cash=held)

    def only(self, account: str) -> "Book":
        """One account by its name."""
        if account not in self.accounts:
            few = ", ".join(map(str, self.accounts[:6]))
            raise DataError(f"no account {account!r}; there are {few}")
        mine = self.accounts.get_loc(account) == self.account
        return Book(
            self.instruments,
            pd.Index([account], name=self.accounts.name),
            np.zeros(mine.sum(), int),
            self.instrument[mine],
            self.quantity[mine],
            self.entry[mine],
            self.cash.loc[[account]],
        )


def book(
    instruments: Instruments | Sequence[Instrument],
    positions: pd.DataFrame,
    cash: pd.DataFrame | pd.Series | None = None,
) -> Book:
    """A checked book.

    Parameters
    ----------
    instruments : what is listed.
    positions : account, instrument (its name), quantity (units, short below 0), and optionally
        entry (dollars, for perpetuals and futures).
    cash : by account: dollars, or a frame account × currency; none where not given.  Accounts that
        have cash only are kept.

    Raises
    ------
    DataError
        Names the row or account and the fix: missing columns, a row without an account, an unknown
        instrument, an account and instrument twice, a quantity that is not finite, an entry that
        is not above 0, cash that is not finite, a currency twice.
    """
    listed = instruments if isinstance(instruments, Instruments) else Instruments.of(instruments)
    missing = [name for name in POSITIONS if name not in positions.columns]
    if missing:
        raise DataError(f"positions lack the columns {missing}; give {', '.join(POSITIONS)}")
    nobody = positions["account"].isna()
    if nobody.any():
        raise DataError(
            f"row {positions.index[nobody][0]} of the positions has no account; name it"
        )
    twice = positions.duplicated(["account", "instrument"])
    if twice.any():
        row = positions[twice].iloc[0]
        raise DataError(f"account {row['account']} holds {row['instrument']} twice; add them up")
    place = listed.places(positions["instrument"])
    quantity = pd.to_numeric(positions["quantity"], errors="coerce").to_numpy(float)
    given = positions.get("entry", pd.Series(np.nan, positions.index))
    entry = pd.to_numeric(given, errors="coerce").to_numpy(float)
    for what, values, bad in (
        ("a quantity", quantity, ~np.isfinite(quantity)),
        ("an entry", entry, given.notna().to_numpy() & ~(np.isfinite(entry) & (entry > 0.0))),
    ):
        if bad.any():
            row = positions[bad].iloc[0]
            raise DataError(
                f"account {row['account']} has {what} of {values[bad][0]:g} in "
                f"{row['instrument']}; give a finite number"
                + (" above zero" if what == "an entry" else "")
            )
    if cash is None:
        cash = pd.DataFrame(index=pd.Index([], dtype=object))
    table = cash.to_frame("USD") if isinstance(cash, pd.Series) else cash
    if not table.index.is_unique:
        raise DataError(f"the cash of {table.index[table.index.duplicated()][0]} is there twice")
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise DataError(f"the cash has {twice} twice; add its columns up")
    table = table.apply(pd.to_numeric, errors="coerce").astype(float)
    bad = ~np.isfinite(table.to_numpy()).all(axis=1)
    if bad.any():
        raise DataError(
            f"the cash of {table.index[bad][0]} is not finite; write 0 where there is none"
        )
    names = pd.Index(positions["account"].unique()).union(table.index, sort=False)
    if not len(names):
        raise DataError("the book holds no account; give a position or cash")
    names = names.rename("account")
    table = table.reindex(names).fillna(0.0)
    account = names.get_indexer(positions["account"])
    return Book(listed, names, account, place, quantity, entry, table)
