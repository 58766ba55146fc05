"""Compiled replay of a book under any engine and world; `replay` is its public face.

Time is a line of steps: row 0 is the opening, a bar is `steps` rows.  Prices are step × asset and
C-contiguous, working balances asset × account, results account × column.  To find who needs
attention, the same prices lie once more in blocks of `LANE` steps as rows that sum to an account's
margin: trigger prices of its collateral, and the negative prices of what it owes.

Independent accounts run through all of time in chunks that fit the cache.  Accounts that share
depth, capital, an auction limit or a fund run as one chunk, step by step, in the order of the
queue.  Both ways visit an account only where it may need attention.
"""

from xcoll.liquidation._kernels.loops import replay, warm_up
from xcoll.liquidation._kernels.path import inside, observe
from xcoll.liquidation._kernels.search import layout
from xcoll.liquidation._kernels.state import (
    AAVE,
    ACCOUNT,
    BARS,
    BLIND,
    BREACH,
    COMPOUND,
    EULER,
    EXCHANGE,
    GROUP,
    LANE,
    LOW,
    MAKER,
    MORPHO,
    PATH,
    TRADE,
    UNITS,
    Pool,
    Prices,
    Rules,
    State,
    World,
)

__all__ = [
    "AAVE",
    "ACCOUNT",
    "BARS",
    "BLIND",
    "BREACH",
    "COMPOUND",
    "EULER",
    "EXCHANGE",
    "GROUP",
    "LANE",
    "LOW",
    "MAKER",
    "MORPHO",
    "PATH",
    "TRADE",
    "UNITS",
    "Pool",
    "Prices",
    "Rules",
    "State",
    "World",
    "inside",
    "layout",
    "observe",
    "replay",
    "warm_up",
]
