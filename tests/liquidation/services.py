"""A replay of so few steps that it is one service of each account, at prices that all share."""

import numpy as np
import pandas as pd

from xcoll.collateral.accounts import Book
from xcoll.liquidation.replay import Conduct, Rates, run
from xcoll.liquidation.timeline import Timeline
from xcoll.liquidation.world import World

__all__ = ["ASSETS", "HOUR", "served", "terms"]

ASSETS = list("ABCD")
HOUR = pd.Timedelta("1h")


def served(engine, accounts, bonuses, fees, world=None, bars=1, ahead=1.0):
    """What `bars` steps of an hour do at the prices and thresholds of `accounts`, which stay.

    The market is `ahead` of them, a factor on both sides.
    """
    first = accounts[0]
    market, due = (np.array([p] * (bars + 1)) for p in (first.prices, first.debt_prices))
    held, owed = (np.array([getattr(a, side) for a in accounts]) for side in ("collateral", "debt"))
    return run(
        Book(ASSETS, held, owed, np.arange(len(accounts))),
        pd.date_range("2022-01-01", periods=bars + 1, freq="h"),
        Timeline(ahead * market, ahead * due, market, due, 1, HOUR),
        Rates(first.thresholds, bonuses, fees),
        Conduct(engine, world or World(), steps=1),
    )


def terms(rng):
    """Prices over nine decades, thresholds, bonuses and fees of four assets."""
    prices = rng.lognormal(3, 3, 4)
    lt, lb = rng.uniform(0.3, 0.9, 4), rng.uniform(0.01, 0.15, 4)
    return prices, prices * rng.uniform(0.9, 1.1, 4), lt, lb, rng.uniform(0, 0.3, 4)
