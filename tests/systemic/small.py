"""Systems small enough to reckon by hand, and markets whose displacement is a straight line."""

import numpy as np
import pandas as pd

from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.rulebooks import Aave
from xcoll.systemic.system import Impact, System, Venue

__all__ = ["line", "near", "parameters", "system", "venue"]

ASSETS = ["X", "Y", "S"]


def parameters(threshold=(0.8, 0.7, 0.0), bonus=0.05, fee=0.0, assets=ASSETS):
    frame = pd.DataFrame({"ltv": 0.0, "threshold": threshold, "bonus": bonus}, index=assets)
    return RiskParameters(frame.assign(protocol_fee=fee), recommended=False)


def venue(name, collateral, debt, assets=ASSETS, engine=None, users=None, **terms):
    """Rows of `collateral` and `debt` are accounts; terms are those of `parameters`."""
    collateral, debt = np.atleast_2d(collateral).astype(float), np.atleast_2d(debt).astype(float)
    book = Book(list(assets), collateral, debt, np.arange(len(collateral)))
    rates = parameters(assets=list(assets), **terms)
    users = None if users is None else np.array(users)
    return Venue(name, book, rates, engine or Aave(), users=users)


def line(dollars):
    """Asset → dollars that push its price by all of it, along a straight line from nothing."""
    size = np.geomspace(1e-3, 1e9, 121)
    middle = 0.5 * (size + np.concatenate([[0.0], size[:-1]]))
    loss = np.minimum(middle / np.array(list(dollars.values()))[:, None], 1.0)
    return Depth(list(dollars), size, loss)


def system(*venues, dollars=None, lasting=1.0, **rest):
    impact = None if dollars is None else Impact(line(dollars), lasting)
    return System(list(venues), impact=impact, **rest)


def near(spacing, count, worth=10_000.0, threshold=0.8, first=0.5, assets=ASSETS, held=0, owed=-1):
    """Accounts whose log health factors are evenly spaced, from `first` spacings above 0."""
    health = np.exp((first + np.arange(count)) * spacing)
    collateral, debt = np.zeros((count, len(assets))), np.zeros((count, len(assets)))
    collateral[:, held], debt[:, owed] = worth, worth * threshold / health
    return collateral, debt
