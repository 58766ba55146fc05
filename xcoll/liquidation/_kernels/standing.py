# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""How an account stands at the prices on the desk."""

from xcoll._jit import inlined
from xcoll.liquidation._kernels.depth import counted
from xcoll.liquidation._kernels.state import EULER

__all__ = ["bare", "gather", "is_breached", "is_busy", "load", "missing", "standing", "store"]


@inlined
def gather(prices, desk, s) -> None:
    """Prices at step s for the assets in use."""
    for a in range(len(desk.c)):
        desk.trigger[a], desk.oracle[a] = prices.trigger[s, a], prices.oracle[s, a]
        desk.owed[a], desk.due[a] = prices.owed[s, a], prices.due[s, a]
        desk.market[a] = prices.market[s, a]


@inlined
def load(state, desk, i) -> None:
    """Take the balances of account i to the desk."""
    for a in range(len(desk.c)):
        desk.c[a], desk.d[a] = state.collateral[i, a], state.debt[i, a]


@inlined
def store(state, desk, i) -> None:
    """Write the balances of account i back."""
    for a in range(len(desk.c)):
        state.held[a, i], state.lent[a, i] = desk.c[a], desk.d[a]
        state.collateral[i, a], state.debt[i, a] = desk.c[a], desk.d[a]


@inlined
def standing(rules, desk, scale, large):
    """``Σ C_i·LT_i`` and ``D`` at the desk's prices."""
    secured, total = 0.0, 0.0
    for a in range(len(desk.c)):
        if large:
            counts = counted(rules.bounds, rules.ratios, a, desk.c[a] * desk.oracle[a])
            secured += counts / desk.oracle[a] * desk.trigger[a]
        else:
            secured += desk.c[a] * desk.trigger[a]
        total += desk.d[a] * desk.owed[a]
    return scale * secured, total


@inlined
def is_breached(rules, secured, total):
    """Whether the account may be closed; at Euler a health of 1 is enough."""
    if rules.code == EULER:
        return total > 0.0 and secured <= total
    return secured < total


@inlined
def is_busy(state, i):
    """Whether something is under way: a service, an answer, a sale."""
    return state.due[i] >= 0 or state.reply[i] >= 0 or state.top[i] > 0.0


@inlined
def missing(desk):
    """``max(0, D − C)`` at market prices."""
    worth, total = 0.0, 0.0
    for a in range(len(desk.c)):
        worth += desk.c[a] * desk.market[a]
        total += desk.d[a] * desk.due[a]
    return max(0.0, total - worth)


@inlined
def bare(desk):
    """Whether no collateral is left."""
    left = 0.0
    for a in range(len(desk.c)):
        left += desk.c[a]
    return left == 0.0
