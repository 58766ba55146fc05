"""What a rule says of a book: dollars that equity has to reach, and where they come from.

    requirement  ≥ 0, dollars that cash and mark-to-market together may not fall under
    excess       equity − requirement; under 0 the account is closed (maintenance), or may not open
                 anything further (initial)

A rule that speaks of the premium or the payoff is put into this form too, so that all rules can
stand side by side.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from xcoll.margin.book import Book
from xcoll.margin.market import Quotes

__all__ = ["Requirement", "Rule"]


@dataclass(frozen=True, eq=False)
class Requirement:
    """The answer of one rule to one book.

    Attributes
    ----------
    accounts : index account; ``loss`` (of the scenario that binds, or the measure of risk),
        ``contingency`` (dollars on top), ``maintenance``, their sum, and ``initial``.
    positions : one row a position of the book, in its order: ``contribution`` to the maintenance
        requirement, below 0 where the position takes some off; the sum over an account is its
        maintenance.
    binding : one row an account and risk unit: account, unit, scenario (which one binds), loss.
    """

    accounts: pd.DataFrame
    positions: pd.Series
    binding: pd.DataFrame


class Rule(Protocol):
    """A margin rule: `name`, and the requirement of a book at quotes."""

    @property
    def name(self) -> str:
        """As tables show it."""

    def requirement(self, book: Book, quotes: Quotes) -> Requirement:
        """What the rule says of every account."""

    def totals(self, book: Book, quotes: Quotes) -> np.ndarray:
        """Maintenance by account alone, dollars: the fast way to the same numbers."""
