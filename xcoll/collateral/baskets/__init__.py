"""Accounts as a whole: joint losses, diversification, allocation, wrong-way risk, haircut."""

from xcoll.collateral.baskets.account import ACCOUNTS, Account, account
from xcoll.collateral.baskets.basket import Basket, allocations, basket, risks, wrong_ways
from xcoll.collateral.baskets.euler import tail_weights
from xcoll.collateral.baskets.haircut import OFFSET, haircuts, recognised
from xcoll.collateral.baskets.margins import highs
from xcoll.collateral.baskets.scenarios import LAWS, Correlations

__all__ = [
    "ACCOUNTS",
    "LAWS",
    "OFFSET",
    "Account",
    "Basket",
    "Correlations",
    "account",
    "allocations",
    "basket",
    "haircuts",
    "highs",
    "recognised",
    "risks",
    "tail_weights",
    "wrong_ways",
]
