"""Three venues with a hundred accounts each: common users, a token that follows another, one law.

A system that is small enough for hundreds of shocks a second and has all that shocks meet: several
collaterals an account, an exchange with tiers and a fund, single pairs, borrowers with one wallet
at several venues, keepers with finite capital, and prices that sales move.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from xcoll.collateral import accounts
from xcoll.collateral.accounts import Book
from xcoll.collateral.liquidity import Linear, SquareRoot, Tiers
from xcoll.collateral.thresholds import RiskParameters
from xcoll.liquidation import mapping
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.rulebooks import Aave, Exchange, Morpho
from xcoll.liquidation.world import Borrowers, Keepers, World
from xcoll.systemic.claims import Claims
from xcoll.systemic.shocks import Law
from xcoll.systemic.system import Impact, System, Venue

__all__ = [
    "APART",
    "ASSETS",
    "CORRELATION",
    "LAW",
    "MOVING",
    "PARAMETERS",
    "SIGMA",
    "TERMS",
    "books",
    "calm",
    "depth",
    "singles",
    "trio",
]

ASSETS = ["ETH", "BTC", "LINK", "stETH", "USDC"]
MOVING = ["ETH", "BTC", "LINK"]
TERMS = pd.DataFrame(
    {
        "ltv": [0.78, 0.73, 0.62, 0.72, 0.0],
        "threshold": [0.82, 0.78, 0.68, 0.78, 0.0],
        "bonus": [0.05, 0.06, 0.08, 0.06, 0.0],
        "protocol_fee": [0.1, 0.1, 0.1, 0.1, 0.0],
    },
    index=ASSETS,
)
PARAMETERS = RiskParameters(TERMS)
SHAPE = accounts.Shape(
    ASSETS,
    {"ETH": 0.4, "BTC": 0.3, "LINK": 0.1, "stETH": 0.2},
    stable=["USDC"],
    volatile=["ETH", "BTC"],
    size_spread=1.0,
    health_median=1.25,
    health_spread=0.8,
)
# Nobody can owe what he pledges, so that accounts can be split without leaving anything out.
APART = replace(SHAPE, mix={"ETH": 0.5, "LINK": 0.2, "stETH": 0.3}, volatile=["BTC"])
SCHEDULE = {"ETH": Tiers((20_000.0, 60_000.0, 200_000.0), (1.0, 0.85, 0.6))}
SIGMA = pd.Series({"ETH": 0.05, "BTC": 0.04, "LINK": 0.07})
CORRELATION = pd.DataFrame(
    [[1.0, 0.8, 0.6], [0.8, 1.0, 0.5], [0.6, 0.5, 1.0]], index=MOVING, columns=MOVING
)
LAW = Law.of(SIGMA, CORRELATION, "7D", nu=4.6)


def books(rng, dollars=1e6, size=100, shape=SHAPE):
    """One book of accounts that pledge several assets, worth `dollars`."""
    sides = accounts.dollars(accounts.draw(shape, size, rng), shape, TERMS["threshold"], ASSETS)
    factor = dollars / sides[0].sum()
    return Book(ASSETS, *(side * factor for side in sides), np.arange(size))


def depth(liquid=1e6):
    """Order books in which a tenth of `liquid` dollars costs some percent."""
    markets = {
        "ETH": SquareRoot(0.05, 3.0 * liquid),
        "BTC": SquareRoot(0.04, 4.0 * liquid),
        "LINK": Linear(0.3 * liquid),
        "stETH": Linear(0.8 * liquid),
        "USDC": Linear(50.0 * liquid),
    }
    return Depth.of(markets, replenish=0.02)


def trio(seed=1, lasting=2 / 3, world=None, size=100, shape=SHAPE):
    """Aave, an exchange with tiers, and single pairs; a third of the users are at several."""
    rng = np.random.default_rng(seed)
    pairs = mapping.split(
        books(rng, size=size, shape=shape), "morpho", pd.Series(1.0, ASSETS), TERMS["threshold"]
    )
    made = []
    for number, (name, engine) in enumerate(
        {"lender": Aave(), "exchange": Exchange(tiers=SCHEDULE, fund=3_000.0)}.items()
    ):
        users = np.where(
            rng.random(size) < 1 / 3, np.arange(size), 1_000 * number + np.arange(size)
        )
        made.append(
            Venue(name, books(rng, size=size, shape=shape), PARAMETERS, engine, users=users)
        )
    users = np.where(rng.random(size) < 1 / 3, np.arange(size), 5_000 + np.arange(size))
    made.append(Venue("pairs", pairs.book, PARAMETERS, Morpho(), users=users[pairs.parent]))
    if world is None:
        world = World(
            keepers=Keepers(margin=0.01, gas=5.0, capital=4e5),
            depth=depth(),
            borrowers=Borrowers(attentive=0.5, delay="1h", budget=0.05),
        )
    impact = None if lasting is None else Impact(depth(), lasting)
    return System(made, world, impact, Claims({"stETH": {"ETH": 1.0}}))


def calm(*venues, **changes):
    """Venues in a world without frictions, whose sales move no price."""
    return System(list(venues), **{"claims": Claims({"stETH": {"ETH": 1.0}}), **changes})


def singles(rng, size=100):
    """A book of accounts of one collateral and one debt each."""
    held, owed = np.zeros((size, 5)), np.zeros((size, 5))
    which = rng.integers(0, 4, size)
    held[np.arange(size), which] = rng.lognormal(9.0, 1.0, size)
    health = 1.0 + 0.25 * np.exp(0.8 * rng.standard_normal(size))
    owed[:, 4] = held @ TERMS["threshold"].to_numpy() / health
    return Book(ASSETS, held, owed, np.arange(size))
