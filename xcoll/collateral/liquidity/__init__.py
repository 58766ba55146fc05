"""What a sale costs, how long it takes, and how much of it a market bears."""

from xcoll.collateral.liquidity.caps import (
    LIMITS,
    SIDES,
    bearable_impact,
    caps,
    curves,
    limits,
)
from xcoll.collateral.liquidity.close_out import (
    HORIZONS,
    CloseOut,
    clearing_time,
    close_out,
    covering_horizon,
    largest_clearing,
)
from xcoll.collateral.liquidity.depth import Market, as_of, markets, stressed_market
from xcoll.collateral.liquidity.impact import (
    ConstantProduct,
    DepthTable,
    Impact,
    Linear,
    SquareRoot,
    Tiers,
)

__all__ = [
    "HORIZONS",
    "LIMITS",
    "SIDES",
    "CloseOut",
    "ConstantProduct",
    "DepthTable",
    "Impact",
    "Linear",
    "Market",
    "SquareRoot",
    "Tiers",
    "as_of",
    "bearable_impact",
    "caps",
    "clearing_time",
    "close_out",
    "covering_horizon",
    "curves",
    "largest_clearing",
    "limits",
    "markets",
    "stressed_market",
]
