"""One book under every regime, side by side, and what each saving costs in the tail.

    isolated    each position has margin of its own; what it has gained supports no other
    cross       one pool bears the sum of the positions' margins
    net rules   one pool bears the margin of the net risk

A saving is never shown without its price: the chance that the loss over a close-out passes the
margin, and what is then not covered.  Isolated, positions fail one by one:

    uncovered   isolated  Σ (loss_i − margin_i)⁺         else  (Σ loss_i − margin)⁺
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.estimators.tail import shortfall
from xcoll.margin.book import Book
from xcoll.margin.draws import Draws
from xcoll.margin.market import Quotes
from xcoll.margin.rules.requirement import Rule
from xcoll.margin.rules.simulated import losses

__all__ = ["CROSS", "ISOLATED", "Regimes", "side_by_side"]

ISOLATED, CROSS = "isolated", "cross"


class Regimes:
    """Every regime on one book.

    Parameters
    ----------
    apart : the rule that positions have alone, in the isolated and the cross regime.
    net : rules on the whole account.

    Raises
    ------
    ParameterError : two rules of one name, or one that is named like a regime.
    """

    def __init__(self, book: Book, quotes: Quotes, apart: Rule, net: Sequence[Rule]) -> None:
        names = [ISOLATED, CROSS, *(rule.name for rule in net)]
        twice = [name for place, name in enumerate(names) if name in names[:place]]
        if twice:
            raise ParameterError(f"two regimes are named {twice[0]!r}; give each rule its own name")
        self.book, self.quotes = book, quotes
        self.positions = apart.requirement(book.apart(), quotes).accounts
        self.answers = {rule.name: rule.requirement(book, quotes) for rule in net}

    def frame(self) -> pd.DataFrame:
        """account, regime, maintenance, initial, counts (equity that counts), excess, saving.

        Dollars; ``saving`` is the share of the isolated maintenance that is not asked for.
        """
        book = self.book
        equity = book.equity(self.quotes)
        gained = np.where(book.is_linear, np.maximum(book.value(self.quotes), 0.0), 0.0)
        locked = pd.Series(self._sum(gained), book.accounts)
        parts = {
            name: pd.Series(self._sum(self.positions[name].to_numpy()), book.accounts)
            for name in ("maintenance", "initial")
        }
        found = {ISOLATED: (parts, equity - locked), CROSS: (parts, equity)}
        found |= {name: (answer.accounts, equity) for name, answer in self.answers.items()}
        tables = [
            pd.DataFrame(
                {
                    "regime": name,
                    "maintenance": margin["maintenance"],
                    "initial": margin["initial"],
                    "counts": counts,
                    "excess": counts - margin["maintenance"],
                    "saving": 1.0 - margin["maintenance"] / parts["maintenance"],
                },
                index=book.accounts,
            )
            for name, (margin, counts) in found.items()
        ]
        return pd.concat(tables).reset_index()

    def tail(self, draws: Draws, confidence: float = 0.99) -> pd.DataFrame:
        """What each regime does not cover over the horizon of `draws`.

        Returns
        -------
        DataFrame
            account, regime, maintenance, saving, ``probability`` that something is not covered and
            its ``error`` (binomial standard error), ``uncovered`` (ES of what is not, at
            `confidence`, dollars).
        """
        checks.fraction("confidence", confidence)
        book = self.book
        each = losses(book.apart(), self.quotes, draws)
        whole = np.zeros((len(book.accounts), each.shape[1]))
        np.add.at(whole, book.account, each)
        beyond = np.maximum(each - self.positions["maintenance"].to_numpy()[:, None], 0.0)
        alone = np.zeros_like(whole)
        np.add.at(alone, book.account, beyond)
        frame = self.frame()
        rows = []
        for name, part in frame.groupby("regime", sort=False):
            margin = part["maintenance"].to_numpy()[:, None]
            left = alone if name == ISOLATED else np.maximum(whole - margin, 0.0)
            hits = left > 1e-9 * np.abs(each).max(initial=0.0)
            _, es, _ = shortfall.drawn(left, [confidence])[0]
            probability = hits.mean(axis=1)
            rows.append(
                part[["account", "regime", "maintenance", "saving"]].assign(
                    probability=probability,
                    error=np.sqrt(probability * (1.0 - probability) / left.shape[1]),
                    uncovered=es,
                )
            )
        return pd.concat(rows, ignore_index=True)

    def _sum(self, each: np.ndarray) -> np.ndarray:
        return np.bincount(self.book.account, each, len(self.book.accounts))


def side_by_side(book: Book, quotes: Quotes, apart: Rule, net: Sequence[Rule]) -> pd.DataFrame:
    """`Regimes.frame` of one book."""
    return Regimes(book, quotes, apart, net).frame()
