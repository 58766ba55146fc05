"""Portfolio margin by simulation: VaR or ES of what the whole account loses over the close-out.

Draws are whole bars of history in units of today's volatility (filtered historical simulation,
Barone-Adesi, Giannopoulos and Vosper 1999), so that assets fall together as they did, and the
volatility that options are priced at moves with them (`draws`).

    VaR  the smallest loss that at most n(1 − c) draws pass      ES  mean of the n(1 − c) largest
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.estimators.tail import shortfall
from xcoll.margin import scenarios as engine
from xcoll.margin.book import Book, Layout
from xcoll.margin.draws import Draws
from xcoll.margin.market import Quotes
from xcoll.margin.rules.requirement import Requirement

__all__ = ["MEASURES", "Simulated", "losses"]


MEASURES = {"es": 1, "var": 0}  # places in what `shortfall.measure` gives


@dataclass(frozen=True, eq=False)
class Simulated:
    """VaR or ES of an account under `draws`.

    Attributes
    ----------
    draws : joint moves of prices, volatility and basis.
    confidence : level, in (0, 1).
    measure : "es" or "var".
    factor : initial over maintenance margin.
    """

    draws: Draws
    confidence: float = 0.99
    measure: str = "es"
    factor: float = 1.3
    name: str = "simulated"

    def __post_init__(self) -> None:
        checks.fraction("confidence", self.confidence)
        checks.one_of("measure", self.measure, MEASURES)
        checks.at_least("factor", self.factor, 1.0)

    def totals(self, book: Book, quotes: Quotes) -> np.ndarray:
        """Maintenance by account, dollars."""
        lost = losses(book, quotes, self.draws)
        self._enough(lost.shape[1])
        measured = shortfall.drawn(lost, [self.confidence])[0]
        return np.maximum(measured[MEASURES[self.measure]], 0.0)

    def requirement(self, book: Book, quotes: Quotes) -> Requirement:
        """The measure by account; contributions are each position's mean loss in the same draws."""
        layout, moves = _whole(book), self.draws.scenarios(quotes)
        lost = losses(book, quotes, self.draws)
        weight = self._weights(lost)
        total = (weight * lost).sum(axis=1)
        weight[total <= 0.0] = 0.0
        total = np.maximum(total, 0.0)
        shares = -engine.shares(book, quotes, moves, layout, weight[layout.account])
        shares += weight.sum(axis=1)[book.account] * self.draws.funding(book, quotes)
        times, place = self.draws.times, lost.argmax(axis=1)
        worst = [f"{times[n]:%d %B %Y}" if len(times) else f"draw {n}" for n in place]
        accounts = pd.DataFrame(
            {
                "loss": total,
                "contingency": 0.0,
                "maintenance": total,
                "initial": self.factor * total,
            },
            index=book.accounts,
        )
        binding = pd.DataFrame(
            {"account": book.accounts, "unit": "all", "scenario": worst, "loss": total}
        )
        return Requirement(accounts, pd.Series(shares, name="contribution"), binding)

    def _weights(self, lost: np.ndarray) -> np.ndarray:
        """Weight of each draw in the measure, by account."""
        n = lost.shape[1]
        self._enough(n)
        # the measure is linear in the sorted losses: of unit vectors it gives its weights
        units = np.eye(shortfall.depth(n, self.confidence))
        ranked = shortfall.measure(units, n, self.confidence)[MEASURES[self.measure]]
        order = np.argsort(-lost, axis=1, kind="stable")[:, : len(ranked)]
        found = np.zeros_like(lost)
        np.put_along_axis(found, order, ranked[None], axis=1)
        return found

    def _enough(self, draws: int) -> None:
        if shortfall.beyond(draws, self.confidence) < 1.0:
            raise ParameterError(
                f"{draws} draws are too few for {self.confidence:g}; give at least "
                f"{math.ceil(round(1.0 / (1.0 - self.confidence), 9))}"
            )


def _whole(book: Book) -> Layout:
    return book.layout([book.instruments.assets])


def losses(book: Book, quotes: Quotes, draws: Draws) -> np.ndarray:
    """What each account loses over the horizon of `draws`, dollars, account × draw."""
    gains = engine.gains(book, quotes, draws.scenarios(quotes), _whole(book))
    found = np.zeros((len(book.accounts), len(draws)))
    found[_whole(book).account] = -gains
    paid = np.bincount(book.account, draws.funding(book, quotes), len(book.accounts))
    return found + paid[:, None]
