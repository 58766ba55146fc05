"""Compiled cascades; `system.py` and `cascade.py` are their public face.

Accounts lie in blocks by venue.  A step is made of rounds: prices are what the outside, sales so
far and claims make of them; every venue's oracle shows what it shows; accounts that need attention
are found, queue, and are served at these prices; what was sold then moves prices, and the next
round begins, until nothing moves.  An account is looked at again only where prices may have
brought it to its level, by a bound on how far a health factor can have fallen.
"""

from xcoll.systemic._kernels.loops import SUMS, cascade, shocks, warm_up
from xcoll.systemic._kernels.state import (
    BREAKERS,
    MOST_ROUNDS,
    ROUND,
    Accounts,
    Crowd,
    Market,
    Outside,
    Record,
    Venues,
)

__all__ = [
    "BREAKERS",
    "MOST_ROUNDS",
    "ROUND",
    "SUMS",
    "Accounts",
    "Crowd",
    "Market",
    "Outside",
    "Record",
    "Venues",
    "cascade",
    "shocks",
    "warm_up",
]
