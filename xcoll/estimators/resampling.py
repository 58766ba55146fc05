"""The circular block bootstrap (Politis and Romano 1992): which rows, and what interval."""

import numpy as np

from xcoll import checks

__all__ = ["circular_blocks", "interval"]


def circular_blocks(
    rows: int, rng: np.random.Generator, replications: int, block: int
) -> np.ndarray:
    """Row numbers of resampled series, replications × rows.

    Whole blocks of `block` successive rows, the end joined to the start, so that what clusters in
    time stays together.
    """
    checks.whole("block", block)
    starts = rng.integers(0, rows, (checks.whole("replications", replications), -(-rows // block)))
    picks = (starts[:, :, None] + np.arange(block)) % rows
    return picks.reshape(replications, -1)[:, :rows]


def interval(values: np.ndarray, coverage: float) -> np.ndarray:
    """The two quantiles along the first axis that hold the middle `coverage` of `values`."""
    outside = (1.0 - checks.fraction("coverage", coverage)) / 2.0
    return np.quantile(values, [outside, 1.0 - outside], axis=0)
