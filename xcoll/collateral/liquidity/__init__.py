"""What a sale costs and how long it takes."""

from xcoll.collateral.liquidity.close_out import (
    HORIZONS,
    CloseOut,
    clearing_time,
    close_out,
    covering_horizon,
    largest_clearing,
)
from xcoll.collateral.liquidity.impact import (
    DepthTable,
    Impact,
    Linear,
    SquareRoot,
    stressed_market,
)

__all__ = [
    "HORIZONS",
    "CloseOut",
    "DepthTable",
    "Impact",
    "Linear",
    "SquareRoot",
    "clearing_time",
    "close_out",
    "covering_horizon",
    "largest_clearing",
    "stressed_market",
]
