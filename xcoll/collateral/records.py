"""A user's accounts as a table: two forms, their faults by row, and what a replay of them takes.

    long   account, asset, collateral, debt           one row an account and asset
    wide   account, collateral_BTC, debt_USDC, ...    one row an account

All balances are units, and every cell is filled.  A pair (long) or a column (wide) that is not
there is a balance of zero.  Both forms may have a column `venue`, which is not part of the book.
Rows are counted from 1 under the header.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.accounts import Book
from xcoll.errors import DataError

__all__ = ["ACCOUNT_COLUMNS", "LONG", "faults", "form", "needed", "parse", "table", "template"]

LONG = ("account", "asset", "collateral", "debt")
SIDES = ("collateral", "debt")
ACCOUNT_COLUMNS = 16  # most float64 columns that a replay keeps of an account


def form(names: Sequence[str], assets: Sequence[str], source: str = "book") -> str:
    """Whether columns `names` are the "long" or the "wide" form.

    Raises
    ------
    DataError
        Names `source` and the columns that are missing, unknown, there twice, or of unknown assets.
    """
    names = list(names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{source}: two columns are named {twice[0]!r}; remove or rename one")
    others = [name for name in names if name not in ("account", "venue")]
    if "asset" in others:
        missing = [name for name in LONG if name not in names]
        unknown = [name for name in others if name not in LONG]
    else:
        wide = {name: name.partition("_") for name in others}
        unknown = [name for name, part in wide.items() if part[0] not in SIDES or not part[2]]
        missing = [name for name in ["account"] if name not in names]
        if not any(part[0] == "collateral" and part[2] for part in wide.values()):
            missing.append("collateral_<asset>")
    both = f"{', '.join(LONG)} (long) or account, collateral_<asset>, debt_<asset>, ... (wide)"
    if missing:
        raise DataError(f"{source}: no column {', '.join(missing)}; give {both}")
    if unknown:
        raise DataError(f"{source}: unknown columns {_few(unknown)}; give {both}")
    if "asset" in others:
        return "long"
    strange = sorted({part[2] for part in wide.values()} - {*assets, ""})
    if strange:
        raise DataError(f"{source}: unknown assets {_few(strange)}; {_fix(assets)}")
    return "wide"


def parse(frame: pd.DataFrame, assets: Sequence[str], source: str = "book", first: int = 1) -> Book:
    """A checked book from a table in the long or the wide form; nothing is repaired.

    Parameters
    ----------
    frame : one row an account (wide) or an account and asset (long), its index the place of the
        row in the file, from 0; numbers that are kept as text are read.
    assets : symbols of the book, in its order.
    source : name of the file, for messages.
    first : number of the first row, for messages.

    Returns
    -------
    Book
        Accounts in the order of their first row; ids are text.

    Raises
    ------
    DataError
        Naming `source`, the accounts and rows, and the fix: columns as in `form`, no row, a missing
        name, an asset that is unknown, a balance that is text, missing, infinite or negative, an
        account (wide) or an account and asset (long) that is there twice, debt without collateral.
    """

    def stop(message: str) -> None:
        raise DataError(message)

    return Book(list(assets), *_units(frame, assets, source, first, stop))


def faults(frame: pd.DataFrame, assets: Sequence[str], source: str = "book") -> list[str]:
    """All that `parse` would refuse in the rows of `frame`, a message each; empty for a good book.

    Raises
    ------
    DataError
        Columns that cannot be read as a book (see `form`), or no row.
    """
    found: list[str] = []
    _units(frame, assets, source, 1, found.append)
    return found


def _units(
    frame: pd.DataFrame,
    assets: Sequence[str],
    source: str,
    first: int,
    tell: Callable[[str], None],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Collateral, debt and ids; each fault is told, and what is at fault counts as zero."""
    kind = form(frame.columns, assets, source)
    if frame.empty:
        raise DataError(f"{source}: the book holds no account; give at least one row")
    rows = frame.index.to_numpy() + first
    names = frame["account"].astype("str").fillna("")

    def refuse(bad: np.ndarray, what: str, fix: str) -> None:
        if bad.any():
            found = [f"{names.iloc[i]} (row {rows[i]})" for i in np.flatnonzero(bad)]
            count = f"{len(found)} row{'s' * (len(found) > 1)}"
            tell(f"{source}: {count} with {what}: {_few(found)}; {fix}")

    refuse((names == "").to_numpy(), "no account", "give every row the name of its account")
    units = {}
    for name in frame.columns.difference(["account", "asset", "venue"], sort=False):
        column = frame[name]
        number = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        bad = ~np.isfinite(number) | (column.dtype.kind in "bmM")
        like = f" like '{column[bad].iloc[0]}'" if bad.any() else ""
        refuse(bad, f"{name} that is no finite number{like}", "give units, 0 for none")
        refuse(number < 0, f"negative {name}", "write what is owed as debt, above zero")
        units[name] = np.where(bad, 0.0, number) if bad.any() else number
    if kind == "wide":
        refuse(names.duplicated().to_numpy(), "an account that is there already",
               "give each account one row, or read the venues apart")  # fmt: skip
        none = np.zeros(len(frame))
        collateral, debt = (
            np.column_stack([units.get(f"{side}_{asset}", none) for asset in assets])
            for side in SIDES
        )
        ids, place = names, np.arange(len(names))
    else:
        known = pd.Index(assets).get_indexer(frame["asset"])
        strange = frame.loc[known < 0, "asset"].unique()
        refuse(known < 0, f"an unknown asset ({_few(strange)})", _fix(assets))
        place, ids = pd.factorize(names)
        good = known >= 0
        pair = np.where(good, place * len(assets) + known, -1 - np.arange(len(place)))
        twice = pd.Series(pair).duplicated().to_numpy()
        refuse(twice, "an account and asset that are there already", "add them up in one row")
        collateral, debt = (np.zeros((len(ids), len(assets))) for _ in SIDES)
        collateral[place[good], known[good]] = units["collateral"][good]
        debt[place[good], known[good]] = units["debt"][good]
    bare = debt.any(axis=1) & ~collateral.any(axis=1)
    refuse(bare[place], "debt without collateral", "add what it is backed by, or leave it out")
    return collateral, debt, ids.to_numpy(dtype=object)


def table(book: Book) -> pd.DataFrame:
    """`book` in the wide form, a column for every side and asset."""
    sides = {
        f"{side}_{asset}": getattr(book, side)[:, place]
        for side in SIDES
        for place, asset in enumerate(book.assets)
    }
    return pd.DataFrame({"account": pd.Series(book.ids).astype("str"), **sides})


def template(assets: Sequence[str]) -> pd.DataFrame:
    """Two example accounts in the wide form: one that owes the last asset, one without debt."""
    collateral = np.zeros((2, len(assets)))
    collateral[:, 0], collateral[1] = 1.5, 2.0
    debt = np.zeros_like(collateral)
    debt[0, -1] = 1.0
    return table(Book(list(assets), collateral, debt, np.array(["example-1", "example-2"])))


def needed(accounts: int, assets: int) -> int:
    """Bytes that a replay takes: units before and after, and the table of accounts."""
    columns = 4 * checks.whole("assets", assets) + ACCOUNT_COLUMNS
    return 8 * checks.whole("accounts", accounts) * columns


def _fix(assets: Sequence[str]) -> str:
    return f"known are {', '.join(assets)}: correct the name, or add the asset to the prices"


def _few(names: Sequence[str]) -> str:
    return ", ".join(map(str, names[:5])) + (", ..." if len(names) > 5 else "")
