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
from xcoll.margin import scenarios as engine
from xcoll.margin.book import Book, Layout
from xcoll.margin.draws import Draws
from xcoll.margin.market import Quotes
from xcoll.margin.rules.requirement import Requirement

__all__ = ["MEASURES", "Simulated", "losses"]


def _var(share: float, draws: int) -> np.ndarray:
    return np.append(np.zeros(min(math.floor(share), draws - 1)), 1.0)


def _es(share: float, draws: int) -> np.ndarray:
    whole = math.floor(share)
    return np.append(np.ones(whole), share - whole)[:draws] / share


MEASURES = {"es": _es, "var": _var}  # weights of the largest losses, n(1 − c) of them being meant


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
        weight = self._ranked(lost.shape[1])
        first = lost.shape[1] - len(weight)
        worst = np.sort(np.partition(lost, first, axis=1)[:, first:], axis=1)
        return np.maximum(worst @ weight[::-1], 0.0)

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
        """Weight of each draw, by account."""
        ranked, found = self._ranked(lost.shape[1]), np.zeros_like(lost)
        order = np.argsort(-lost, axis=1, kind="stable")[:, : len(ranked)]
        np.put_along_axis(found, order, ranked[None], axis=1)
        return found

    def _ranked(self, draws: int) -> np.ndarray:
        """Weights of the largest losses, the largest first."""
        # 10·(1 − 0.9) is 0.9999999999999998, and means one draw
        share = round(draws * (1.0 - self.confidence), 9)
        if share < 1.0:
            raise ParameterError(
                f"{draws} draws are too few for {self.confidence:g}; give at least "
                f"{math.ceil(round(1.0 / (1.0 - self.confidence), 9))}"
            )
        return MEASURES[self.measure](share, draws)


def _whole(book: Book) -> Layout:
    return book.layout([book.instruments.assets])


def losses(book: Book, quotes: Quotes, draws: Draws) -> np.ndarray:
    """What each account loses over the horizon of `draws`, dollars, account × draw."""
    gains = engine.gains(book, quotes, draws.scenarios(quotes), _whole(book))
    found = np.zeros((len(book.accounts), len(draws)))
    found[_whole(book).account] = -gains
    paid = np.bincount(book.account, draws.funding(book, quotes), len(book.accounts))
    return found + paid[:, None]
