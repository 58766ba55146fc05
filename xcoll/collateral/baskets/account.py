"""An account in fractions of its collateral's value: what it holds, what it owes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError

__all__ = ["ACCOUNTS", "Account", "account"]

# Accounts that show one thing each; debts at 60 %, of staked ether at 80 %: assumed.
ACCOUNTS: dict[str, dict[str, float]] = {
    "two coins": {"BTC": 0.5, "ETH": 0.5},
    "ten coins": dict.fromkeys(
        ("BTC", "ETH", "BNB", "ADA", "XRP", "DOGE", "LINK", "MATIC", "ALGO", "AVAX"), 0.1
    ),
    "coins and dollars": {"BTC": 0.35, "ETH": 0.35, "USDC": 0.3},
    "coins, dollars owed": {"BTC": 0.4, "ETH": 0.4, "LINK": 0.2, "USDT": -0.6},
    "ether, bitcoin owed": {"ETH": 1.0, "BTC": -0.6},
    "dollars, ether owed": {"USDC": 1.0, "ETH": -0.6},
    "staked ether, ether owed": {"wstETH": 1.0, "ETH": -0.8},
}


@dataclass(frozen=True)
class Account:
    """Legs of an account; make one with `account`.

    Attributes
    ----------
    weights : Series
        By symbol, fractions of the collateral's value: what is held sums to 1, what is owed is
        negative.
    followed : Series
        By symbol: the asset whose prices the leg follows.
    """

    weights: pd.Series
    followed: pd.Series

    @property
    def assets(self) -> list[str]:
        """Assets with prices, each once."""
        return self.followed.drop_duplicates().tolist()

    @property
    def column(self) -> np.ndarray:
        """Place of each leg's prices among `assets`."""
        return pd.Index(self.assets).get_indexer(self.followed)

    @property
    def net(self) -> np.ndarray:
        """Weight of each of `assets`: legs that follow one price are netted."""
        return np.bincount(self.column, self.weights.to_numpy())

    @property
    def held(self) -> np.ndarray:
        """Whether a leg is held, by leg."""
        return self.weights.to_numpy() > 0.0


def account(
    weights: Mapping[str, float] | pd.Series, followed: Mapping[str, str] | None = None
) -> Account:
    """An account from its weights.

    Parameters
    ----------
    weights : mapping
        Symbol → fraction of the collateral's value, negative where it is owed; zeros are left out.
    followed : mapping, optional
        Derived symbol → its underlying; all others follow their own prices.  The gap between the
        two is no part of the scenarios: it is the basis part of the haircut.

    Raises
    ------
    ParameterError
        A symbol twice, a weight that is no finite number, holdings that do not sum to 1.
    """
    given = pd.Series(weights, dtype=float).rename_axis("asset").rename("weight")
    if not given.index.is_unique:
        twice = given.index[given.index.duplicated()][0]
        raise ParameterError(f"the account names {twice} twice; give each asset once")
    for asset, weight in given.items():
        checks.number(f"weight of {asset}", weight)
    legs = given[given != 0.0]
    total = legs[legs > 0.0].sum()
    if abs(total - 1.0) > 1e-9:
        raise ParameterError(
            f"what the account holds sums to {total:g}; give fractions of the collateral's value, "
            "which sum to 1, and debts as negative ones"
        )
    source = {} if followed is None else followed
    followed_by = [source.get(asset, asset) for asset in legs.index]
    return Account(legs, pd.Series(followed_by, legs.index, name="followed"))
