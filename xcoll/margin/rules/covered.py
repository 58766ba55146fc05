"""Fully collateralised: what the account owes at any price is already there, in units or in cash.

At each expiry the options of an account on one asset pay a piecewise linear amount of the price.
Where it falls without end as the price rises, that many units have to be held; with them the worst
payoff is at zero or at a strike, and is held in cash.

    n_e = max(−Σ calls q, 0)                     units that expiry e needs
    w_e = min over S in {0, strikes} of payoff_e(S) + n_e·S
    requirement = max(L, Σ n_e + O)·S₀ + Σ max(−w_e, 0) + Σ options q·mark,  0 at least

L and O are the units that are held and owed in spot, perpetuals and futures; what is held covers
what is owed.  Expiries are covered apart: the price may be another one at each.  A long option
needs its premium, a covered call its units, a short put its strike.
"""

import numpy as np
import pandas as pd

from xcoll.margin.book import Book
from xcoll.margin.market import Quotes
from xcoll.margin.rules.requirement import Requirement

__all__ = ["Covered"]


class Covered:
    """Full collateral for every promise; initial and maintenance are the same."""

    name = "fully collateralised"

    def totals(self, book: Book, quotes: Quotes) -> np.ndarray:
        """Maintenance by account, dollars."""
        return self.requirement(book, quotes).accounts["maintenance"].to_numpy()

    def requirement(self, book: Book, quotes: Quotes) -> Requirement:
        """Units and cash that cover everything; units bind where the first are dearer."""
        book.check(quotes)
        positions = np.zeros(len(book))
        rows = []
        layout = book.layout()
        for row, account in enumerate(layout.account):
            mine = layout.order[layout.row == row]
            unit = layout.units[layout.unit[row]]
            shares, worst = _asset(book, quotes, mine)
            if shares.sum() > 0.0:
                positions[mine] = shares
            rows.append((book.accounts[account], unit, worst, positions[mine].sum()))
        binding = pd.DataFrame(rows, columns=["account", "unit", "scenario", "loss"])
        total = np.bincount(book.account, positions, len(book.accounts))
        accounts = pd.DataFrame(
            {"loss": total, "contingency": 0.0, "maintenance": total, "initial": total},
            index=book.accounts,
        )
        return Requirement(accounts, pd.Series(positions, name="contribution"), binding)


def _asset(book: Book, quotes: Quotes, mine: np.ndarray) -> tuple[np.ndarray, str]:
    """Contributions of one account's positions on one asset, and the prices that are worst."""
    held, q = book.instrument[mine], book.quantity[mine]
    right, strike = book.instruments.right[held], quotes.strike[held]
    group = np.where(right != 0.0, book.instruments.group[held], -1)
    S0 = quotes.spot[book.instruments.group[held][0]]
    found = np.where(right != 0.0, q * quotes.mark[held], 0.0)
    needs, worst = np.zeros(len(q)), []
    for expiry in np.unique(group[group >= 0]):
        own = group == expiry
        need = max(-q[own & (right > 0.0)].sum(), 0.0)
        short_calls = own & (right > 0.0) & (q < 0.0)
        part = np.where(short_calls, -q, 0.0)
        needs += need * part / part.sum() if need > 0.0 else 0.0
        prices = np.append(0.0, np.unique(strike[own]))
        payoff = q * np.maximum(right * (prices[:, None] - np.where(own, strike, 0.0)), 0.0)
        payoff = np.where(own, payoff, 0.0)
        total = payoff.sum(axis=1) + need * prices
        at = total.argmin()
        if total[at] < 0.0:
            units = need * prices[at] * (part / part.sum() if need > 0.0 else 0.0)
            found -= payoff[at] + units
            worst.append(f"{quotes.instruments.groups['expiry'][expiry]:%d%b%y} at {prices[at]:g}")
    linear = np.where(right == 0.0, q, 0.0)
    long, needs = np.maximum(linear, 0.0), needs + np.maximum(-linear, 0.0)
    found += (long if long.sum() > needs.sum() else needs) * S0
    return found, "; ".join(worst) or "none"
