"""What the kernels hand each other: places in arrays, and tuples of arrays."""

from typing import NamedTuple

import numpy as np

__all__ = [
    "AAVE",
    "ACCOUNT",
    "ADDED",
    "BAR",
    "BARS",
    "BLIND",
    "BREACH",
    "BROUGHT",
    "CALLS",
    "CAPITAL",
    "CASH",
    "CHUNK",
    "CLEARED",
    "COMPOUND",
    "COVERED",
    "CREDIT",
    "DEFICIT",
    "DELAY",
    "EULER",
    "EXCHANGE",
    "FEE",
    "FIFO",
    "FUND",
    "FUNDED",
    "GAS",
    "GONE",
    "GROUP",
    "HAIR",
    "KEPT",
    "LANE",
    "LIQUIDATED",
    "LOST",
    "LOT",
    "LOW",
    "LOWERED",
    "MAKER",
    "MARGIN",
    "MORPHO",
    "PAID",
    "PAPER",
    "PATH",
    "PREMATURE",
    "REPAID",
    "REPLENISH",
    "RESPONSE",
    "RETURNED",
    "ROOM",
    "ROWS",
    "SECONDS",
    "SEIZED",
    "SINCE",
    "SPOT",
    "TAKEN",
    "TARGET",
    "TOP_UP",
    "TRADE",
    "UNDER",
    "UNITS",
    "WAIT",
    "WAITING",
    "WRITTEN_OFF",
    "Desk",
    "Out",
    "Pool",
    "Prices",
    "Rules",
    "State",
    "World",
]

AAVE, MORPHO, EULER, COMPOUND, MAKER, EXCHANGE = range(6)
PATH, BREACH, LOW = range(3)  # how a breach inside a bar is filled

# Dollars at the market, but for the times: cash that cleared debt, collateral taken, what the venue
# keeps, debt written off (at the bar's close), still missing at the end; steps from the opening to
# the breach first served and from there to the service, its bar, number of calls; flags; dollars
# paid to the borrower, covered by the fund, brought by the borrower.
ACCOUNT = (
    "repaid", "seized", "fee", "deficit", "under", "since", "wait", "bar", "calls",
    "premature", "lowered", "credit", "covered", "added",
)  # fmt: skip
(
    REPAID, SEIZED, FEE, DEFICIT, UNDER, SINCE, WAIT, BAR, CALLS,
    PREMATURE, LOWERED, CREDIT, COVERED, ADDED,
) = range(14)  # fmt: skip
UNITS = ("seized", "extinguished", "deficit", "added", "paid", "lot", "returned")
TAKEN, CLEARED, LOST, BROUGHT, PAID, LOT, RETURNED = range(7)
BARS = ("liquidated", "deficit", "paper", "waiting", "covered")
LIQUIDATED, WRITTEN_OFF, PAPER, WAITING, FUNDED = range(5)

CHUNK = 512  # accounts that run together where none depends on another
LANE = 32  # steps of a block
ROWS = 4  # rows of prices that are summed in one go
GROUP = 8  # blocks that are tried together before each is looked at
HAIR = 1e-12  # of the debt: so near to the edge rounding decides, and the account is looked at


class Prices(NamedTuple):
    """Step × asset: oracle price × threshold, oracle and market prices of either side.

    `lines`: block × row × step of the block; `floors`: group × row × block, `wide`: group × row,
    the least of each; `tall`: group × row, the most.  Rows are triggers by asset, then negative
    prices of what is owed.
    """

    trigger: np.ndarray
    oracle: np.ndarray
    owed: np.ndarray
    market: np.ndarray
    due: np.ndarray
    first: np.ndarray  # thresholds at the opening, by asset
    lines: np.ndarray
    floors: np.ndarray
    wide: np.ndarray
    tall: np.ndarray


class Rules(NamedTuple):
    """An engine: its number, values by asset, its constants, and a venue's tiers."""

    code: int
    bonus: np.ndarray
    fee: np.ndarray
    extra: np.ndarray
    law: np.ndarray
    bounds: np.ndarray
    ratios: np.ndarray


class World(NamedTuple):
    """Levels of each asset's order book, depth by bar, and `trade`: see `replay.py`.

    `shut`: by asset, whether it can be neither seized nor sold for now.
    """

    size: np.ndarray
    loss: np.ndarray
    depth: np.ndarray
    trade: np.ndarray
    shut: np.ndarray


class State(NamedTuple):
    """Working state of the accounts of a chunk."""

    held: np.ndarray
    lent: np.ndarray
    collateral: np.ndarray  # the same two, account × asset, for those who are visited
    debt: np.ndarray
    scale: np.ndarray
    level: np.ndarray
    budget: np.ndarray
    reply: np.ndarray
    due: np.ndarray
    lot: np.ndarray
    claim: np.ndarray
    tab: np.ndarray
    top: np.ndarray
    kick: np.ndarray
    large: np.ndarray
    least: np.ndarray  # what counts of tiered collateral at the least, as a share of its value
    turn: np.ndarray  # place in the queue
    wakes: np.ndarray  # step until which nothing can happen to an account that waits


class Pool(NamedTuple):
    """What accounts share: dollars sold and not absorbed, capital by step, and `purse`."""

    sold: np.ndarray
    spent: np.ndarray
    purse: np.ndarray


class Out(NamedTuple):
    """What is filled."""

    account: np.ndarray
    units: np.ndarray
    by_bar: np.ndarray


class Desk(NamedTuple):
    """Scratch of one visit: balances, prices at a step, margins along a block, flows in dollars."""

    c: np.ndarray
    d: np.ndarray
    trigger: np.ndarray
    oracle: np.ndarray
    owed: np.ndarray
    market: np.ndarray
    due: np.ndarray
    margin: np.ndarray
    flow: np.ndarray
    row: np.ndarray
    weight: np.ndarray
    doubt: np.ndarray
    edge: np.ndarray
    peak: np.ndarray
    cover: np.ndarray  # from here on by account
    burden: np.ndarray
    found: np.ndarray
    queue: np.ndarray
    merged: np.ndarray
    fresh: np.ndarray
    following: np.ndarray
    head: np.ndarray  # by step of the block


# Places in World.trade, Pool.purse and Desk.flow.
MARGIN, GAS, RESPONSE, REPLENISH, FIFO, TARGET, DELAY, TOP_UP, SECONDS, BLIND = range(10)
TRADE = 10
CAPITAL, FUND, ROOM, SPOT = range(4)
CASH, GONE, KEPT = range(3)
