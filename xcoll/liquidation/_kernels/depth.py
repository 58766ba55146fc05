# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""What a sale costs and how much still sells, what counts of tiered collateral, what is spent."""

import numpy as np

from xcoll._jit import bare_kernel, inlined
from xcoll.liquidation._kernels.state import CAPITAL, HAIR, SPOT

__all__ = ["counted", "sale_cost", "sale_room", "spend", "worth_counting"]


@bare_kernel
def sale_cost(size, loss, a, depth, sold, q):
    """Twin of `Depth.cost`: dollars lost in selling `q` after `sold`."""
    first, high = 0, len(size)
    while first < high:
        middle = (first + high) // 2
        if size[middle] * depth <= sold:
            first = middle + 1
        else:
            high = middle
    x, end, lost = sold, sold + q, 0.0
    for g in range(first, len(size)):
        upper = size[g] * depth
        lost += (min(end, upper) - x) * loss[a, g]
        if end <= upper:
            return min(lost, q)
        x = upper
    return min(lost + (end - x), q)  # rounding of what was sold is no loss


@bare_kernel
def sale_room(size, loss, a, depth, sold, most):
    """Twin of `Depth.room`: dollars that sell at a marginal loss under `most`."""
    low, count = 0, len(size)
    while low < count:
        middle = (low + count) // 2
        if loss[a, middle] < most:
            low = middle + 1
        else:
            count = middle
    if count == 0:
        return 0.0
    bound = size[count - 1] * depth
    return bound - sold if bound - sold > HAIR * bound else 0.0  # what rounding leaves is nothing


@inlined
def counted(bounds, ratios, a, value):
    """Twin of `Tiers.counted`."""
    total, lower = 0.0, 0.0
    for k in range(bounds.shape[1]):
        if value <= lower:
            break
        total += (min(value, bounds[a, k]) - lower) * ratios[a, k]
        lower = bounds[a, k]
    return total


@inlined
def worth_counting(bounds, ratios, a, value, wanted):
    """Dollars beyond `value` of which `wanted` count; infinite where fewer ever do."""
    more, lower = 0.0, 0.0
    for k in range(bounds.shape[1]):
        inside = bounds[a, k] - max(value, lower)
        lower = bounds[a, k]
        if inside <= 0.0:
            continue
        if wanted <= inside * ratios[a, k]:
            return more + wanted / ratios[a, k]
        if ratios[a, k] == 0.0:
            break
        more += inside
        wanted -= inside * ratios[a, k]
    return np.inf


@inlined
def spend(pool, cash) -> None:
    """Capital that is tied up for a day; what rounding leaves of it is nothing."""
    left = pool.purse[CAPITAL] - cash
    pool.purse[CAPITAL] = left if left > HAIR * cash else 0.0
    if len(pool.spent):
        pool.spent[int(pool.purse[SPOT])] += cash
