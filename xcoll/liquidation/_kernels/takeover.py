# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Venues that take collateral over and sell it: the storefront of Compound, Maker's auctions."""

import numpy as np

from xcoll._jit import bare_kernel, inlined
from xcoll.liquidation._kernels.depth import sale_cost, sale_room, spend
from xcoll.liquidation._kernels.state import (
    CAPITAL,
    CASH,
    CLEARED,
    CREDIT,
    GAS,
    GONE,
    HAIR,
    MARGIN,
    RETURNED,
    ROOM,
    SECONDS,
    TAKEN,
)

__all__ = ["absorb", "auction", "bark", "storefront"]


@bare_kernel
def absorb(rules, world, state, desk, n, out):
    """Compound v3: the venue takes the account, and owes it what its collateral is credited for.

    Returns whether it could.
    """
    credited, total = 0.0, 0.0
    for a in range(len(desk.c)):
        if desk.c[a] > 0.0 and world.shut[a]:
            return False
    for a in range(len(desk.c)):
        credited += desk.c[a] * desk.oracle[a] * rules.extra[a]
        total += desk.d[a] * desk.owed[a]
        desk.flow[CASH] += desk.d[a] * desk.due[a]
        desk.flow[GONE] += desk.c[a] * desk.market[a]
        out.units[TAKEN, a] += desk.c[a]
        out.units[CLEARED, a] += desk.d[a]
        state.lot[a, n] += desk.c[a]
        desk.c[a], desk.d[a] = 0.0, 0.0
    credit = max(0.0, credited - total)
    out.account[n, CREDIT] += credit
    state.claim[n] += total + credit
    state.top[n] = 1.0
    return True


@bare_kernel
def storefront(rules, world, pool, state, prices, holders, count, s, bar) -> None:
    """Compound v3: buyers take what pays at the ask, out of what the venue holds of all accounts.

    The lot of each account shrinks by the same share, and its claim by what that share brought.
    """
    for a in range(len(state.lot)):
        ask = prices.oracle[s, a] * (1.0 - rules.law[0] * (1.0 - rules.extra[a]))
        cost = ask * (1.0 + world.trade[MARGIN]) / prices.market[s, a]  # for a dollar's worth
        if cost >= 1.0 or world.shut[a]:
            continue
        lot = 0.0
        for x in range(count):
            lot += state.lot[a, holders[x]]
        units = min(lot, pool.purse[CAPITAL] / ask)
        lost = 0.0
        if len(world.size):
            depth = world.depth[bar, a]
            room = sale_room(world.size, world.loss, a, depth, pool.sold[a], 1.0 - cost)
            units = min(units, room / prices.market[s, a])
            value = units * prices.market[s, a]
            lost = sale_cost(world.size, world.loss, a, depth, pool.sold[a], value)
        value = units * prices.market[s, a]
        if units <= 0.0 or value * (1.0 - cost) - lost <= world.trade[GAS]:
            continue
        for x in range(count):
            n = holders[x]
            sold = state.lot[a, n] if units >= lot else state.lot[a, n] * (units / lot)
            state.lot[a, n] -= sold
            state.claim[n] -= sold * ask
        spend(pool, units * ask)
        pool.sold[a] += value


@bare_kernel
def bark(rules, world, pool, state, desk, n, seconds, out):
    """Maker: start the auction of a vault, of a part where the room at auction is smaller.

    Returns whether one was started.
    """
    chop, dust = rules.law[5], rules.law[6]
    k, debt = 0, 0.0
    for a in range(len(desk.c)):
        if desk.c[a] > 0.0:
            k = a
        debt += desk.d[a] * desk.owed[a]
    part = min(debt, pool.purse[ROOM] / chop)
    if part <= 0.0 or desk.c[k] <= 0.0 or world.shut[k]:
        return False
    if part < debt:
        if debt - part < dust:
            part = debt  # what would be left is dust: all of it
        elif part < dust:
            return False
    share = part / debt
    lot = desk.c[k] * share if part < debt else desk.c[k]
    if lot == 0.0:
        return False
    for a in range(len(desk.c)):
        units = desk.d[a] * share if part < debt else desk.d[a]
        desk.flow[CASH] += units * desk.due[a]
        out.units[CLEARED, a] += units
        desk.d[a] -= units
    desk.flow[GONE] += lot * desk.market[k]
    out.units[TAKEN, k] += lot
    desk.c[k] -= lot
    state.lot[k, n] = lot
    state.tab[n] = part * chop
    state.claim[n] = part
    state.top[n] = rules.law[0] * desk.oracle[k]
    state.kick[n] = seconds
    left = pool.purse[ROOM] - part * chop
    pool.purse[ROOM] = left if abs(left) > HAIR * part * chop else 0.0
    return True


@inlined
def stairs(law, share):
    """Stairs after which the price of an auction is `share` of its first; whole where it is met."""
    if law[7] > 0.0:
        return (1.0 - share) * law[7] / law[2]
    return np.log(share) / np.log(law[1])


@inlined
def dearest(world, pool, k, bar, market, lot):
    """A price above which nobody buys of `lot` units of k now; 0 where nobody does at any."""
    if pool.purse[CAPITAL] <= 0.0 or lot * market <= world.trade[GAS]:
        return 0.0
    loss = 0.0
    if len(world.size):
        low, high, depth = 0, len(world.size), world.depth[bar, k]
        while low < high:
            middle = (low + high) // 2
            if world.size[middle] * depth <= pool.sold[k]:
                low = middle + 1
            else:
                high = middle
        loss = world.loss[k, low] if low < len(world.size) else 1.0
    return market * (1.0 - loss) / (1.0 + world.trade[MARGIN])


@bare_kernel
def auction(rules, world, pool, state, prices, n, s, bar, out):
    """Maker: the price falls from stair to stair until buyers take; returns whether it goes on.

    Buyers look at every stair (a linear price too is looked at every `step` seconds) and come at
    the first that pays at the step's market price.  A reset starts anew at its oracle price.
    """
    law, seconds = rules.law, world.trade[SECONDS]
    k = 0
    for a in range(len(state.lot)):
        if state.lot[a, n] > 0.0:
            k = a
    if world.shut[k]:
        return True
    begin, end, started = (s - 1.0) * seconds, s * seconds, state.kick[n]
    stair = max(0, int((begin - started) / law[2]) - 1)
    while started < begin and started + stair * law[2] <= begin:
        stair += 1  # was looked at in an earlier step
    market, chost = prices.market[s, k], law[6] * law[5]
    fresh = True
    while True:
        if fresh:  # straight to the stair before the first at which something may happen
            limit = dearest(world, pool, k, bar, market, state.lot[k, n]) / state.top[n]
            bought = stairs(law, limit) if limit > 0.0 else np.inf
            over = min(stairs(law, law[4]), law[3] / law[2], (end - started) / law[2])
            stair, fresh = max(stair, int(min(bought, over)) - 1), False
        price = state.top[n] * law[1] ** stair
        if law[7] > 0.0:
            price = state.top[n] * max(0.0, 1.0 - stair * law[2] / law[7])
        at = started + stair * law[2]
        if at > end:
            return True
        if stair * law[2] > law[3] or price < law[4] * state.top[n]:
            state.top[n] = law[0] * prices.oracle[s, k]
            state.kick[n] = at
            if at == end:
                return True
            started, stair, fresh = at, 0, True
            continue
        cost = price * (1.0 + world.trade[MARGIN]) / market
        stair += 1
        if cost > 1.0:
            continue
        lot, tab = state.lot[k, n], state.tab[n]
        units = min(lot, pool.purse[CAPITAL] / price)
        if len(world.size):
            room = sale_room(
                world.size, world.loss, k, world.depth[bar, k], pool.sold[k], 1.0 - cost
            )
            units = min(units, room / market)
        paid = units * price
        if paid >= tab:
            paid = tab
            units = min(units, tab / price)
        elif units < lot and tab - paid < chost:
            if tab <= chost:
                continue
            paid = tab - chost
            units = paid / price
        value, lost = units * market, 0.0
        if len(world.size):
            lost = sale_cost(world.size, world.loss, k, world.depth[bar, k], pool.sold[k], value)
        if units <= 0.0 or value * (1.0 - cost) - lost <= world.trade[GAS]:
            continue
        state.lot[k, n] = lot - units if units < lot else 0.0
        state.tab[n] = tab - paid
        state.claim[n] -= paid
        spend(pool, paid)
        pool.purse[ROOM] += paid
        pool.sold[k] += value
        if state.tab[n] <= 0.0 or state.lot[k, n] <= 0.0:
            back = state.lot[k, n]
            out.units[RETURNED, k] += back
            out.account[n, CREDIT] += back * market
            pool.purse[ROOM] += state.tab[n]
            state.lot[k, n] = 0.0
            state.tab[n] = 0.0
            return False
