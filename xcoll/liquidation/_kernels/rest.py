# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Accounts that wait for keepers whom they do not pay: looked at only where that may change."""

import numpy as np

from xcoll._jit import bare_kernel, inlined
from xcoll.liquidation._kernels.depth import sale_room
from xcoll.liquidation._kernels.keepers import best_rate
from xcoll.liquidation._kernels.search import margins, weigh
from xcoll.liquidation._kernels.standing import is_breached, load
from xcoll.liquidation._kernels.state import CAPITAL, GAS, GROUP, HAIR, LANE, MARGIN, PAPER, WAITING

__all__ = ["edges", "idles", "note", "rouse"]


@bare_kernel
def edges(rules, world, pool, prices, bar, begin, stop, edge, peak) -> None:
    """Most that a dollar repaid can bring a keeper at any step in [begin, stop), by collateral.

    `peak` is the highest oracle price in these steps.

    At a single step an asset that nobody buys any more brings nothing, nor does any without
    capital: both only get worse until the next step.
    """
    assets = len(edge)
    cheapest = np.inf
    for s in range(begin, stop):
        for a in range(assets):
            cheapest = min(cheapest, prices.due[s, a] / prices.owed[s, a])
    cost = cheapest * (1.0 + world.trade[MARGIN])
    for a in range(assets):
        richest, highest = 0.0, 0.0
        for s in range(begin, stop):
            richest = max(richest, prices.market[s, a] / prices.oracle[s, a])
            highest = max(highest, prices.oracle[s, a])
        peak[a] = highest
        value = richest * (1.0 + (best_rate(rules, a) - 1.0) * (1.0 - rules.fee[a]))
        edge[a] = max(0.0, value - cost)
        if stop - begin == 1 and edge[a] > 0.0:
            depth, sold = world.depth[bar, a], pool.sold[a]
            if pool.purse[CAPITAL] <= 0.0:
                edge[a] = 0.0
            elif len(world.size) > 0:
                room = sale_room(world.size, world.loss, a, depth, sold, 1.0 - cost / value)
                edge[a] = edge[a] if room > 0.0 else 0.0


@inlined
def pays(state, i, dollars, edge, peak, gas):
    """Whether a keeper could earn its gas on `dollars` of the account's debt.

    Nobody repays more than the collateral that is seized for it is worth.
    """
    best = 0.0
    for a in range(len(edge)):
        best = max(best, edge[a] * min(dollars, state.collateral[i, a] * peak[a]))
    return best * (1.0 + HAIR) > gas


@inlined
def rests(state, i, stop):
    """Whether no answer of the borrower is due before `stop`."""
    if state.large[i] or state.top[i] > 0.0 or (state.level[i] > 1.0 and state.reply[i] < 0):
        return False
    return state.reply[i] < 0 or state.reply[i] >= stop


@inlined
def dozes(state, prices, desk, i, g, gas):
    """Whether an account that waits is breached, and pays nobody, throughout a group of blocks."""
    assets, best, dollars = len(desk.edge), 0.0, 0.0
    for a in range(assets):
        best += state.scale[i] * state.collateral[i, a] * prices.tall[g, a]
        best += state.debt[i, a] * prices.tall[g, assets + a]
        dollars -= state.debt[i, a] * prices.wide[g, assets + a]
    return best < -1e-9 * dollars and not pays(state, i, dollars, desk.edge, desk.peak, gas)


@inlined
def sleeps(state, prices, desk, i, block, begin, stop, gas):
    """Whether it is breached, and pays nobody, throughout a block."""
    load(state, desk, i)
    assets, dollars = len(desk.c), 0.0
    for a in range(assets):
        if desk.d[a] > 0.0:
            dollars -= desk.d[a] * prices.floors[block // GROUP, assets + a, block % GROUP]
    if pays(state, i, dollars, desk.edge, desk.peak, gas):
        return False
    count = weigh(desk.c, desk.d, state.scale[i], 1.0, desk.row, desk.weight)
    margins(prices.lines, block, desk.row, desk.weight, count, desk.margin)
    above = 0
    for x in range(begin - block * LANE, stop - block * LANE):
        above += desk.margin[x] > -1e-9 * dollars
    return above == 0


@inlined
def note(state, prices, i, s, steps, out) -> None:
    """What an account that nobody can serve adds to the readings of its bar."""
    bar, assets = (s - 1) // steps, state.collateral.shape[1]
    if s % steps == steps // 2:
        short = 0.0
        for a in range(assets):
            short += (
                state.debt[i, a] * prices.due[s, a] - state.collateral[i, a] * prices.market[s, a]
            )
        out.by_bar[bar, PAPER] += max(0.0, short)
    if s % steps == 0:
        total = 0.0
        for a in range(assets):
            total += state.debt[i, a] * prices.owed[s, a]
        out.by_bar[bar, WAITING] += total


@bare_kernel
def rouse(rules, world, pool, state, prices, desk, length, block, begin, stop, steps, out):
    """Put to rest who only waits throughout a block, and note it; returns how many are awake.

    Who is awake stays in `queue`, who rests is in `merged`, both in their order.
    """
    queue, resting, gas = desk.queue, desk.merged, world.trade[GAS]
    g, awake, rest = block // GROUP, 0, 0
    if block % GROUP == 0:
        end = (g + 1) * GROUP * LANE
        edges(
            rules, world, pool, prices, 0, begin, min(end, len(prices.owed)), desk.edge, desk.peak
        )
        for x in range(length):
            i = queue[x]
            if rests(state, i, end) and dozes(state, prices, desk, i, g, gas):
                state.wakes[i] = end
    edges(rules, world, pool, prices, 0, begin, stop, desk.edge, desk.peak)
    for x in range(length):
        i = queue[x]
        if state.wakes[i] >= stop or (
            rests(state, i, stop) and sleeps(state, prices, desk, i, block, begin, stop, gas)
        ):
            resting[rest] = i
            rest += 1
        else:
            queue[awake] = i
            awake += 1
    half = steps // 2
    for s in range(begin, stop):
        if s % steps == half or s % steps == 0:
            for x in range(rest):
                note(state, prices, resting[x], s, steps, out)
    return awake


@inlined
def idles(rules, state, prices, i, s, edge, peak, gas):
    """Whether a visit at step s would only find that the account still waits."""
    if state.large[i] or state.top[i] > 0.0 or state.reply[i] == s:
        return False
    if state.level[i] > 1.0 and state.reply[i] < 0:
        return False
    secured, total = 0.0, 0.0
    for a in range(len(edge)):
        secured += state.collateral[i, a] * prices.trigger[s, a]
        total += state.debt[i, a] * prices.owed[s, a]
    if not is_breached(rules, state.scale[i] * secured, total):
        return False
    return s < state.due[i] or not pays(state, i, total, edge, peak, gas)
