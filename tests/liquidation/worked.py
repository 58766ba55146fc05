"""The worked account of the methods, 10 ETH against 7,500 USDC, and prices to lead it through."""

import numpy as np
import pandas as pd

from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters

__all__ = ["BREACH", "book_of", "one_account", "parameters", "prices"]

BREACH = 7_500 / 8.25  # dollars an ETH at which the health of its account is 1


def parameters(threshold=0.825, bonus=0.05, fee=0.1):
    terms = {"ltv": 0.9 * threshold, "threshold": threshold, "bonus": bonus, "protocol_fee": fee}
    return RiskParameters(pd.DataFrame({name: [value] for name, value in terms.items()}, ["ETH"]))


def book_of(assets, held, owed):
    """Accounts "a", "b" and so on, of rows of units."""
    held, owed = np.array(held, dtype=float), np.array(owed, dtype=float)
    return Book(assets, held, owed, np.array(list("abcdefgh")[: len(held)]))


def one_account(debt=7_500.0):
    return book_of(["ETH", "USDC"], [[10, 0]], [[0, debt]])


def prices(closes, lows=None, freq="D"):
    """Closes and lows of ETH beside a dollar that stays; the closes reach the lows by default."""
    index = pd.date_range("2022-01-01", periods=len(closes), freq=freq)
    close = pd.DataFrame({"ETH": np.asarray(closes, dtype=float), "USDC": 1.0}, index)
    low = np.minimum(close, close.shift(1)).fillna(close)
    if lows is not None:
        low["ETH"] = np.asarray(lows, dtype=float)
    return close, low
