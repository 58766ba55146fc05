"""Sales of one collateral that bring in more sales: the gain of a round, and where it is one.

With U(x) dollars that breach until a log fall x of the price, and D how far their sale pushes it,
a further log fall δ sells U(x + δ) − U(x), which is a fall again:

    gain(x) = [D(U(x + δ)) − D(U(x))] / δ

The tipping fall is the first at which the gain is one.  It is exact: the gain rises only where a
breach enters the window, at x = breach − δ.
"""

from collections.abc import Callable

import numpy as np

from xcoll import checks
from xcoll.errors import DataError

__all__ = ["spiral"]


def spiral(
    breach: np.ndarray,
    sold: np.ndarray,
    push: Callable[[np.ndarray], np.ndarray],
    fall: float = 0.02,
) -> tuple[float, float]:
    """Gain today, and the fall at which the gain is one.

    Parameters
    ----------
    breach : fall of the price at which each account breaches, ascending, a fraction; inf for never.
    sold : dollars that each sells then, not negative.
    push : dollars sold, an array → how far the price falls, a fraction each; never decreasing.
    fall : the window δ, as a fraction in (0, 1).

    Returns
    -------
    tuple of float
        The gain of the opening, not negative, and the tipping fall in [0, 1); inf where the gain
        is under one everywhere.  Accounts in breach at the opening are sold before it begins.

    Raises
    ------
    DataError
        Falls that do not ascend, or dollars that do not fit them.
    """
    delta = -np.log1p(-checks.fraction("fall", fall))
    if breach.shape != sold.shape or (breach[1:] < breach[:-1]).any() or not (sold >= 0.0).all():
        raise DataError(
            f"{len(breach)} falls and {len(sold)} sales; give as many dollars from 0 on as falls, "
            "sorted by these"
        )
    x = -np.log1p(-breach[breach < 1.0])
    U = np.concatenate([[0.0], np.cumsum(sold[: len(x)])])
    starts = np.concatenate([[0.0], np.maximum(x - delta, 0.0)])
    before = U[np.searchsorted(x, starts, side="right")]
    after = U[np.searchsorted(x, starts + delta * (1.0 + 1e-12), side="right")]
    gain = (push(after) - push(before)) / delta
    over = np.flatnonzero(gain >= 1.0)
    return float(gain[0]), float(-np.expm1(-starts[over[0]])) if len(over) else np.inf
