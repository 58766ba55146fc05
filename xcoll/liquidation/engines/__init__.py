"""The rules of six venues in plain Python, and the oracles of their compiled twins.

Keepers close accounts at `aave`, `morpho` and `euler`, which share one interface; the venue sells
for itself at `compound`, `maker` and `exchange`.
"""

from xcoll.liquidation.engines import aave, compound, euler, exchange, keeper, maker, morpho
from xcoll.liquidation.engines.aave import Aave
from xcoll.liquidation.engines.account import Account, Call, Result, settle
from xcoll.liquidation.engines.euler import Euler
from xcoll.liquidation.engines.keeper import KeeperEngine, serve
from xcoll.liquidation.engines.morpho import Morpho, PreLiquidation

__all__ = [
    "Aave",
    "Account",
    "Call",
    "Euler",
    "KeeperEngine",
    "Morpho",
    "PreLiquidation",
    "Result",
    "aave",
    "compound",
    "euler",
    "exchange",
    "keeper",
    "maker",
    "morpho",
    "serve",
    "settle",
]
