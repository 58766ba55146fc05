"""Haircuts that follow the market without lurching."""

from xcoll.collateral.recalibration.measures import (
    largest_rise,
    peak_to_trough,
    procyclicality,
    tidy_paths,
)
from xcoll.collateral.recalibration.tools import exhaustible_buffer

__all__ = ["exhaustible_buffer", "largest_rise", "peak_to_trough", "procyclicality", "tidy_paths"]
