"""One account, six venues: what of an account a venue can hold, and what it cannot.

Some venues hold less than an account of many collaterals and debts (`VENUES`): one debt an account
(Compound's base asset, Euler's liability), one collateral (a vault of Maker), or one of each (a
market of Morpho Blue).  Such an account is split into pairs of a collateral k and a debt j, in
shares of value::

    s_k = C_k·LT_k / Σ C·LT          t_j = D_j / Σ D
    pair (k, j)   holds t_j of collateral k and owes s_k of debt j

so that the health factor of every pair, and of every sum of pairs, is that of the account.  A
sub-account is the pairs of a debt, of a collateral, or a single one.  What cannot be mapped:

- debt that cannot be owed there, and with it the same share of every collateral (`BACKING`), so
  that the health of what is mapped stays;
- where an asset has no market against itself, the pair of it with itself, for the same reason;
- collateral with a threshold of zero or none.  The debt stays with the rest: at these thresholds
  the health factor is what it was, and it is lower than where that collateral counts;
- the whole debt of an account that has no other collateral.

A mapped account has one set of thresholds, whatever it owes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.accounts import Book
from xcoll.errors import DataError, ParameterError

__all__ = ["VENUES", "Form", "Mapped", "split"]

REFUSED = "collateral that is not accepted"
FOREIGN = "debt that cannot be owed there"
BACKING = "collateral of debt that cannot be owed there"
ITSELF = "no market of an asset against itself"
BARE = "debt without accepted collateral"
REASONS = (REFUSED, FOREIGN, BACKING, ITSELF, BARE)
SIDES = ("collateral", "debt")


@dataclass(frozen=True)
class Form:
    """What an account of a venue can hold.

    Attributes
    ----------
    one_collateral, one_debt : whether it holds a single collateral, owes a single debt.
    itself : whether an asset can be owed against itself.
    named : whether what can be owed has to be named (base assets, the venue's stablecoin).
    """

    one_collateral: bool = False
    one_debt: bool = False
    itself: bool = True
    named: bool = False


VENUES = {
    "aave": Form(),
    "compound": Form(one_debt=True, itself=False, named=True),
    "euler": Form(one_debt=True, itself=False),
    "exchange": Form(),
    "maker": Form(one_collateral=True, named=True),
    "morpho": Form(one_collateral=True, one_debt=True, itself=False),
}


@dataclass(frozen=True)
class Mapped:
    """A book as a venue would hold it.

    Attributes
    ----------
    book : the sub-accounts, in the order of their accounts; their ids are numbers from 0.
    parent : row of the original book, by sub-account.
    unmapped : account, asset, side, units, dollars, reason; one row for what is left out.
    summary : by reason: accounts, and dollars of collateral and debt.

    Mapped and unmapped units add up to the original book.
    """

    book: Book
    parent: np.ndarray
    unmapped: pd.DataFrame
    summary: pd.DataFrame


def split(
    book: Book,
    venue: str,
    prices: pd.Series,
    thresholds: pd.Series,
    debts: Sequence[str] | None = None,
) -> Mapped:
    """Split the accounts of `book` into what `venue`, a name in `VENUES`, can hold.

    Parameters
    ----------
    prices : dollars a unit, by asset.
    thresholds : LT by asset (for Morpho Blue the LLTV), in [0, 1]; assets without one are not
        accepted as collateral.
    debts : assets that can be owed there; None for all of the book.  Compound needs its base
        assets, Maker the stablecoins that stand for its own.

    Raises
    ------
    ParameterError
        An unknown venue, a threshold outside [0, 1], debts that are not named or not in the book.
    DataError
        An asset that is held or owed without a price, or nothing that can be mapped.
    """
    form, p = VENUES[checks.one_of("venue", venue, VENUES)], book.prices(prices)
    lt, owable = _thresholds(book, thresholds), _owable(book, venue, debts)
    held = np.where(lt > 0, book.collateral, 0.0)
    owed = book.debt * p
    here, foreign = (owed * owable).sum(axis=1), (owed * ~owable).sum(axis=1)
    bare = owed.any(axis=1) & ~held.any(axis=1)
    leaves = np.divide(foreign, here + foreign, out=np.zeros_like(here), where=foreign > 0)
    stays = np.divide(here, here + foreign, out=np.ones_like(here), where=foreign > 0)

    C = held * stays[:, None]
    D = np.where(owable & ~bare[:, None], book.debt, 0.0)
    s, t = _shares(C * (p * lt)), _shares(D * p)
    parent, collateral, debt = _lots(form, C, D, s, t)
    left_out = [
        (REFUSED, "collateral", np.where(lt > 0, 0.0, book.collateral)),
        (BACKING, "collateral", held * leaves[:, None]),
        (FOREIGN, "debt", np.where(owable | bare[:, None], 0.0, book.debt)),
        (BARE, "debt", np.where(bare[:, None], book.debt, 0.0)),
    ]
    if not form.itself:
        left_out += [(ITSELF, "collateral", C * t * (D > 0)), (ITSELF, "debt", D * s * (C > 0))]
    unmapped, summary = _report(book, p, left_out)
    if not parent.size:
        raise DataError(f"{venue} can hold no account of the book: {', '.join(summary.index)}")
    lots = Book(book.assets, collateral, debt, np.arange(len(parent)))
    return Mapped(lots, parent, unmapped, summary)


def _lots(
    form: Form, C: np.ndarray, D: np.ndarray, s: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parent, collateral and debt of the sub-accounts that hold something.

    `j` and `k` are the only debt and collateral of each; an account without debt has j = A.
    """
    A = C.shape[1]
    pledged = C.any(axis=1)
    if form.one_debt:
        parent, j = np.nonzero(np.column_stack([D > 0, pledged & ~D.any(axis=1)]))
        part = np.where(j < A, t[parent, j % A], 1.0)
    else:
        parent = np.flatnonzero(pledged)
        j, part = np.full(len(parent), A), np.ones(len(parent))
    if form.one_collateral:
        lot, k = np.nonzero(C[parent] > 0)
        parent, j, part = parent[lot], j[lot], part[lot]
        if not form.itself:
            other = k != j
            parent, j, k, part = parent[other], j[other], k[other], part[other]
        row = np.arange(len(parent))
        collateral = np.zeros((len(parent), A))
        collateral[row, k] = C[parent, k] * part
        weight = s[parent, k]
    else:
        collateral, weight = C[parent] * part[:, None], np.ones(len(parent))
    if not form.one_debt:
        return parent, collateral, D[parent] * weight[:, None]
    row = np.flatnonzero(j < A)
    j, debtor = j[row], parent[row]
    if not form.itself and not form.one_collateral:
        collateral[row, j] = 0.0
        others = s[debtor]
        others[np.arange(len(row)), j] = 0.0
        weight[row] = np.where(C[debtor, j] > 0, others.sum(axis=1), 1.0)
    debt = np.zeros_like(collateral)
    debt[row, j] = D[debtor, j] * weight[row]
    kept = collateral.any(axis=1)
    return parent[kept], collateral[kept], debt[kept]


def _report(
    book: Book, p: np.ndarray, left_out: list[tuple[str, str, np.ndarray]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    reasons, sides, units = zip(*left_out, strict=True)
    at = [np.nonzero(amount) for amount in units]
    count = [len(account) for account, _ in at]
    account, asset = (np.concatenate(place) for place in zip(*at, strict=True))
    amount = np.concatenate([a[place] for a, place in zip(units, at, strict=True)])
    table = pd.DataFrame(
        {
            "account": np.asarray(book.ids)[account],
            "asset": pd.Categorical.from_codes(asset, book.assets),
            "side": pd.Categorical(np.repeat(sides, count), SIDES),
            "units": amount,
            "dollars": amount * p[asset],
            "reason": pd.Categorical(np.repeat(reasons, count), REASONS),
        }
    )
    dollars = table.pivot_table("dollars", "reason", "side", "sum", fill_value=0.0, observed=False)
    accounts = pd.Series(account).groupby(table["reason"], observed=False).nunique()
    summary = pd.DataFrame({"accounts": accounts, **{side: dollars[side] for side in SIDES}})
    return table, summary[summary["accounts"] > 0]


def _shares(values: np.ndarray) -> np.ndarray:
    total = values.sum(axis=1, keepdims=True)
    return np.divide(values, total, out=np.zeros_like(values), where=total > 0)


def _thresholds(book: Book, thresholds: pd.Series) -> np.ndarray:
    lt = thresholds.reindex(book.assets).fillna(0.0).to_numpy(dtype=float)
    for asset, value in zip(book.assets, lt, strict=True):
        checks.fraction(f"threshold of {asset}", value, closed=True)
    return lt


def _owable(book: Book, venue: str, debts: Sequence[str] | None) -> np.ndarray:
    if debts is None:
        if VENUES[venue].named:
            raise ParameterError(f"{venue} lends named assets only; give them as debts")
        return np.ones(len(book.assets), dtype=bool)
    unknown = sorted(set(debts) - set(book.assets))
    if unknown or not debts:
        raise ParameterError(
            f"debts {', '.join(unknown) or 'none'}: name assets of the book, "
            f"{', '.join(book.assets)}"
        )
    return np.isin(book.assets, list(debts))
