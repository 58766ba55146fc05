"""The scenarios that an ES consists of, and their weights: what allocates it.

The ES is the mean over the tail of the whole; the mean of a leg over that tail is the derivative
of the ES by the leg's size, and by Euler's theorem these sum to it (Tasche 1999).
"""

import numpy as np

from xcoll.estimators.tail.shortfall import beyond, drawn

__all__ = ["tail_weights"]


def tail_weights(losses: np.ndarray, confidence: float) -> np.ndarray:
    """Weight of each scenario in the ES of `losses`: they sum to 1, and ``weights @ losses`` is it.

    Scenarios beyond the VaR weigh alike; those on the edge share the fraction that fills the tail,
    so that equal losses weigh alike in any order.
    """
    k = beyond(len(losses), confidence)
    ((var, _, _),) = drawn(losses, [confidence])
    over, edge = losses > var, losses == var
    return (over + edge * (k - over.sum()) / edge.sum()) / k
