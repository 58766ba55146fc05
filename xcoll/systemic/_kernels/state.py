"""What the kernels of a cascade hand each other.

V venues, A assets, N accounts in blocks by venue, rows of S + 1 steps.
"""

from typing import NamedTuple

import numpy as np

__all__ = [
    "AFTER",
    "BREAKERS",
    "CAP",
    "FREEZE",
    "MOST_ROUNDS",
    "PAUSE",
    "QUIET",
    "ROUND",
    "STOP",
    "WINDOW",
    "Accounts",
    "Crowd",
    "Feeds",
    "Market",
    "Outside",
    "Record",
    "Venues",
]

# By venue: a fall within a window that shuts an asset for a while, dollars that may be repaid in a
# step, distance of oracle and market that shuts an asset, a move that freezes borrowing.
BREAKERS = ("pause", "window", "after", "cap", "stop", "freeze")
PAUSE, WINDOW, AFTER, CAP, STOP, FREEZE = range(6)
ROUND = ("step", "round", "served", "sold", "deficit", "fall")
MOST_ROUNDS = 1_000  # a step; beyond, the step is said to be unsettled
QUIET = 1e-12  # change of a price that is rounding


class Venues(NamedTuple):
    """Rules, and what differs from venue to venue."""

    start: np.ndarray  # V + 1, first account of each
    code: np.ndarray
    bonus: np.ndarray  # V × A
    fee: np.ndarray
    extra: np.ndarray
    law: np.ndarray
    bounds: np.ndarray
    ratios: np.ndarray
    threshold: np.ndarray
    used: np.ndarray  # V × A, whether it is held or owed there
    tiered: np.ndarray
    trade: np.ndarray
    fund: np.ndarray  # dollars of the insurance fund, and room at auction: what is left
    room: np.ndarray
    owes: np.ndarray  # dollars of debt at the opening
    lag: np.ndarray
    deviation: np.ndarray
    beat: np.ndarray
    breakers: np.ndarray


class Outside(NamedTuple):
    """What happens from outside; see `Episode`.  Dollars a unit, row by row."""

    market: np.ndarray
    due: np.ndarray
    index: np.ndarray  # of interest on what is owed
    depth: np.ndarray  # by bar
    gas: np.ndarray
    feed: np.ndarray
    shut: np.ndarray
    delay: np.ndarray
    lost: np.ndarray


class Market(NamedTuple):
    """How sales move prices, and claims on what others hold."""

    size: np.ndarray  # order books that sales are served from
    loss: np.ndarray
    reach: np.ndarray  # dollars at the opening's prices sold, and how far that moves the price
    move: np.ndarray
    lasting: float
    refill: float  # share of what was sold that is absorbed in a step
    fades: float  # share of what was sold that no longer counts as one order with what comes
    order: np.ndarray  # assets, each after those that it is a claim on
    claim: np.ndarray  # A × A, units of the column's asset behind a unit of the row's
    pool: np.ndarray  # A, dollars of the pool whose receipt an asset is; 0 for none
    keeper: np.ndarray  # A, the venue of that pool


class Feeds(NamedTuple):
    """Prices as they come to be: working rows, filled as time goes."""

    market: np.ndarray  # rows × A; the fundamental price, less what sales took for good
    up: np.ndarray  # of what is owed, and that with the interest on it
    due: np.ndarray
    shown: np.ndarray  # what was traded last
    oracle: np.ndarray  # V × rows × A
    owed: np.ndarray
    trigger: np.ndarray
    posted: np.ndarray  # 2 × V × A
    since: np.ndarray
    moved: np.ndarray  # A, what sales left of the price for good
    kept: np.ndarray  # A, what losses left of a receipt
    weight: np.ndarray  # A, opening dollars sold and not absorbed
    pushed: np.ndarray  # A, how far that moves the price now
    swept: np.ndarray  # A, opening dollars sold as one order
    before: np.ndarray  # V × 2 × A, oracle prices when accounts were last judged
    level: np.ndarray  # V, least that a health factor is of what it was
    risen: np.ndarray  # V, whether any may have risen since the last round
    shut: np.ndarray  # V × A
    until: np.ndarray
    frozen: np.ndarray  # V
    cap: np.ndarray  # V


class Accounts(NamedTuple):
    """What a cascade knows of accounts beside the state of a replay.

    Balances in that state are those of accounts that were touched; of the others, they are here.
    """

    held: np.ndarray
    lent: np.ndarray
    venue: np.ndarray
    rank: np.ndarray  # order of service among those of one moment
    place: np.ndarray  # account of a rank
    # Health over level of the call, over the level of the feeds it was judged at; −1 for who has to
    # be judged anew, infinite in the queue and without debt.
    key: np.ndarray
    user: np.ndarray
    wallet: np.ndarray  # dollars set aside by user
    default: np.ndarray  # step from which it is closed whatever its health; −1 never
    draws: np.ndarray  # health above which it borrows again; infinite for never
    drawn: np.ndarray  # dollars borrowed again
    first: np.ndarray  # step and round in which it was first served; −1
    round: np.ndarray
    served: np.ndarray  # step of the last service


class Crowd(NamedTuple):
    """Who waits, who is touched, and scratch."""

    queue: np.ndarray
    fresh: np.ndarray
    eager: np.ndarray  # accounts that draw
    touched: np.ndarray
    mark: np.ndarray
    count: np.ndarray  # of queue, touched, arrivals


class Record(NamedTuple):
    """What is filled."""

    account: np.ndarray
    units: np.ndarray  # V × UNITS × A
    by_bar: np.ndarray  # V × bars × BARS
    sold: np.ndarray  # V × rows × A, dollars
    drawn: np.ndarray  # V
    rounds: np.ndarray  # MOST × ROUND
    count: np.ndarray  # of rounds recorded, and of steps that did not settle
