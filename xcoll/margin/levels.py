"""Where an account is closed: liquidation prices by asset, and a map over price and volatility.

Everything is priced anew at each state: collateral, hedge, mark-to-market and requirement all move
with the price.  Options keep the volatility of their strike, times a factor.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from xcoll import checks
from xcoll.errors import EstimationError, ParameterError
from xcoll.margin.book import Book
from xcoll.margin.market import Quotes
from xcoll.margin.rules.requirement import Rule
from xcoll.margin.standing import excess

__all__ = ["liquidation_prices", "nearest", "surface"]

STEPS = 48  # states looked at on each side before a root is refined
LOWEST, HIGHEST = -0.95, 3.0


def liquidation_prices(
    book: Book, quotes: Quotes, rule: Rule, account: str, volatility: float = 1.0
) -> pd.DataFrame:
    """Prices of each asset nearest to today's at which the excess of `account` is zero.

    Returns
    -------
    DataFrame, index asset
        ``price`` today, ``down`` and ``up``: the first price below and above at which the account
        is closed, dollars; NaN where there is none between −95 % and +300 %; both are today's
        price where it is closed already.  ``down_move``, ``up_move``: the same as simple moves.

    Notes
    -----
    A state between two that are looked at (steps of 6 % in logs) may be missed.
    """
    checks.at_least("volatility", volatility, 0.0)
    mine = book.only(account).entered(quotes)
    rows = []
    for asset in mine.instruments.assets:
        if not (mine.instruments.frame["asset"].to_numpy()[mine.instrument] == asset).any():
            continue
        S = float(quotes.market.spot[asset])
        moves = [
            _first(mine, quotes, rule, asset, end, volatility)
            for end in (np.log1p(LOWEST), np.log1p(HIGHEST))
        ]
        rows.append((asset, S, *(S * (1.0 + move) for move in moves), *moves))
    columns = ["asset", "price", "down", "up", "down_move", "up_move"]
    return pd.DataFrame(rows, columns=columns).set_index("asset")


def _first(
    book: Book, quotes: Quotes, rule: Rule, asset: str, end: float, volatility: float
) -> float:
    def left(x: float) -> float:
        return float(excess(book, quotes.moved({asset: np.expm1(x)}, volatility), rule)[0])

    before = left(0.0)
    if before <= 0.0:
        return 0.0
    at = np.linspace(0.0, end, STEPS + 1)
    for low, high in pairwise(at):
        if left(high) <= 0.0:
            return float(np.expm1(brentq(left, low, high, xtol=1e-14, rtol=1e-14)))
    return np.nan


def nearest(prices: pd.DataFrame) -> tuple[str, float]:
    """Asset and move of the nearest liquidation among `liquidation_prices`.

    Raises
    ------
    EstimationError : there is none.
    """
    moves = prices[["down_move", "up_move"]].stack().dropna()
    if not len(moves):
        raise EstimationError("no move of a single asset closes the account; show another one")
    place = moves.abs().idxmin()
    return str(place[0]), float(moves[place])


def surface(
    book: Book,
    quotes: Quotes,
    rule: Rule,
    account: str,
    asset: str,
    moves: Sequence[float],
    factors: Sequence[float],
) -> pd.DataFrame:
    """Excess of `account` in dollars, moves of `asset` × factors of all volatility.

    Raises
    ------
    ParameterError : an asset without positions, a move of −1 or less, a factor below 0.
    """
    mine = book.only(account).entered(quotes)
    if asset not in quotes.instruments.assets:
        raise ParameterError(f"no position on {asset}; {', '.join(quotes.instruments.assets)} are")
    moves, factors = np.atleast_1d(moves).tolist(), np.atleast_1d(factors).tolist()
    for move in moves:
        if checks.number("move", move) <= -1.0:
            raise ParameterError(f"move is {move:g}; give one above -1, which leaves a price")
    for factor in factors:
        checks.at_least("factor", factor, 0.0)
    found = [
        [excess(mine, quotes.moved({asset: move}, factor), rule)[0] for factor in factors]
        for move in moves
    ]
    return pd.DataFrame(found, pd.Index(moves, name="move"), pd.Index(factors, name="volatility"))
