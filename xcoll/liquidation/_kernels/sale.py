# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""A venue that sells for itself, step by step."""

from xcoll._jit import bare_kernel
from xcoll.liquidation._kernels.depth import counted, sale_cost
from xcoll.liquidation._kernels.state import CASH, CLEARED, FUND, GONE, KEPT, TAKEN

__all__ = ["sell_a_step"]


@bare_kernel
def excess(rules, desk, scale, x, total, net):
    """``Σ counted((1 − x)C)·LT − release·(D − x·cash)``, concave in x."""
    kept = 0.0
    for a in range(len(desk.c)):
        counts = counted(rules.bounds, rules.ratios, a, (1.0 - x) * desk.c[a] * desk.oracle[a])
        kept += counts / desk.oracle[a] * desk.trigger[a]
    return scale * kept - rules.law[0] * (total - x * net)


@bare_kernel
def sale_share(rules, desk, scale, secured, total, net, large):
    """Twin of `exchange.share`: smallest share of the position that restores the release level."""
    release = rules.law[0]
    if net <= total:
        return 1.0
    if not large:
        return min(rules.law[1], (release * total - secured) / (release * net - secured))
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if excess(rules, desk, scale, middle, total, net) < 0.0:
            low = middle
        else:
            high = middle
    return min(rules.law[1], high)


@bare_kernel
def sell_a_step(rules, world, pool, desk, scale, secured, total, large, bar, out):
    """A venue sells the same share of every collateral into the market, and repays pro rata."""
    fee, worth = rules.law[2], 0.0
    for a in range(len(desk.c)):
        worth += desk.c[a] * desk.market[a]
    share = sale_share(rules, desk, scale, secured, total, worth * (1.0 - fee), large)
    proceeds = 0.0
    for a in range(len(desk.c)):
        if desk.c[a] <= 0.0 or world.shut[a]:
            continue
        units = desk.c[a] * share if share < 1.0 else desk.c[a]
        value = units * desk.market[a]
        proceeds += value
        if len(world.size):
            proceeds -= sale_cost(
                world.size, world.loss, a, world.depth[bar, a], pool.sold[a], value
            )
        pool.sold[a] += value
        desk.flow[GONE] += value
        out.units[TAKEN, a] += units
        desk.c[a] -= units
    kept = proceeds * fee
    owed = 0.0
    for a in range(len(desk.c)):
        owed += desk.d[a] * desk.due[a]
    paid = min(1.0, (proceeds - kept) / owed)
    for a in range(len(desk.c)):
        units = desk.d[a] * paid if paid < 1.0 else desk.d[a]
        out.units[CLEARED, a] += units
        desk.d[a] -= units
    desk.flow[CASH] += owed * paid
    desk.flow[KEPT] += kept
    pool.purse[FUND] += kept
    return proceeds - kept - owed * paid
