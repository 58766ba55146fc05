# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Where in time an account may need attention."""

from xcoll._jit import bare_kernel, inlined
from xcoll.liquidation._kernels.standing import gather, standing
from xcoll.liquidation._kernels.state import BLIND, GROUP, HAIR, LANE, ROWS

__all__ = ["ahead", "first_under", "layout", "lowest", "margins", "suspects", "weigh"]


@bare_kernel
def layout(trigger, owed, market, due, lines, floors, wide, tall) -> None:
    """Fill `lines` (zero on entry), `floors`, `wide` and `tall` (∞, ∞, −∞ on entry) of `Prices`.

    The market counts in the floors as well, so that nobody who is under water is skipped.
    """
    steps, assets = trigger.shape
    for s in range(1, steps):
        block = s // LANE
        g, b = block // GROUP, block % GROUP
        for a in range(assets):
            lines[block, a, s % LANE] = trigger[s, a]
            lines[block, assets + a, s % LANE] = -owed[s, a]
            low, high = min(trigger[s, a], market[s, a]), -max(owed[s, a], due[s, a])
            floors[g, a, b] = min(floors[g, a, b], low)
            floors[g, assets + a, b] = min(floors[g, assets + a, b], high)
            wide[g, a] = min(wide[g, a], low)
            wide[g, assets + a] = min(wide[g, assets + a], high)
            tall[g, a] = max(tall[g, a], trigger[s, a])
            tall[g, assets + a] = max(tall[g, assets + a], -owed[s, a])


@inlined
def weigh(c, d, scale, level, row, weight):
    """Rows of `lines` and weights that sum to the account's margin; returns how many, in fours."""
    assets, count = len(c), 0
    for a in range(assets):  # without branches, which nobody could predict
        row[count], weight[count] = a, scale * c[a]
        count += c[a] > 0.0
        row[count], weight[count] = assets + a, (1.0 + HAIR) * level * d[a]
        count += d[a] > 0.0
    while count % ROWS:
        row[count], weight[count] = 0, 0.0
        count += 1
    return count


@inlined
def margins(lines, block, row, weight, count, margin) -> None:
    """``Σ w_r·lines[block, r]`` by step."""
    width = len(margin)
    for x in range(width):
        margin[x] = 0.0
    for k in range(0, count, ROWS):
        a, b, c, d = row[k], row[k + 1], row[k + 2], row[k + 3]
        p, q, r, s = weight[k], weight[k + 1], weight[k + 2], weight[k + 3]
        for x in range(width):
            margin[x] += (
                p * lines[block, a, x] + q * lines[block, b, x]
                + r * lines[block, c, x] + s * lines[block, d, x]
            )  # fmt: skip


@inlined
def first_under(margin, start, stop):
    """First place in [start, stop) at which the margin is negative; `stop` where there is none."""
    under = 0
    for x in range(len(margin)):
        under += margin[x] < 0.0
    if under > 0:
        for x in range(start, stop):
            if margin[x] < 0.0:
                return x
    return stop


@bare_kernel
def first_large(rules, prices, desk, scale, level, start, stop):
    """First step in [start, stop) at which an account with tiered collateral needs attention."""
    for s in range(start, stop):
        gather(prices, desk, s)
        secured, total = standing(rules, desk, scale, True)
        if secured <= level * total:
            return s
    return stop


@bare_kernel
def first_missing(prices, desk, start, stop):
    """First step in [start, stop) at which the account is under water at the market."""
    for s in range(start, stop):
        worth, owes = 0.0, 0.0
        for a in range(len(desk.c)):
            worth += desk.c[a] * prices.market[s, a]
            owes += desk.d[a] * prices.due[s, a]
        if worth < owes:
            return s
    return stop


@bare_kernel
def lowest(rules, prices, desk, scale, large, start, stop):
    """Step in [start, stop) at which the health factor is lowest."""
    found, least, most = start, 0.0, 0.0
    for s in range(start, stop):
        gather(prices, desk, s)
        secured, total = standing(rules, desk, scale, large)
        if s == start or secured * most < least * total:
            found, least, most = s, secured, total
    gather(prices, desk, start)
    return found


@inlined
def ahead(rules, world, state, prices, desk, i, start, last):
    """The first step from `start` on at which the account needs attention, in its block.

    The step after the block, or after `last`, where there is none.
    """
    if state.due[i] >= 0 or state.top[i] > 0.0 or start > last:
        return start
    # Called already: until the answer only a breach counts.
    level = 1.0 if state.reply[i] >= 0 else state.level[i]
    block = start // LANE
    begin, stop = block * LANE, min((block + 1) * LANE, last + 1)
    if state.large[i]:
        found = first_large(rules, prices, desk, state.scale[i], level, start, stop)
    else:
        count = weigh(desk.c, desk.d, state.scale[i], level, desk.row, desk.weight)
        margins(prices.lines, block, desk.row, desk.weight, count, desk.margin)
        found = begin + first_under(desk.margin, start - begin, stop - begin)
    if world.trade[BLIND] > 0.0:  # the market may be under water before the oracle knows
        found = min(found, first_missing(prices, desk, start, found))
    return min(found, state.reply[i]) if state.reply[i] >= 0 else found


@bare_kernel
def suspects(state, desk, wide, g, prune, blind):
    """Accounts that may need attention in a group of blocks, in order; returns their number."""
    assets, width = state.held.shape
    cover, burden, found = desk.cover, desk.burden, desk.found
    held, lent, scale, level = state.held, state.lent, state.scale, state.level
    due, reply, top, least = state.due, state.reply, state.top, state.least
    for i in range(width):
        cover[i], burden[i] = 0.0, 0.0
    for a in range(assets):
        low, high = wide[g, a], wide[g, assets + a]
        for i in range(width):
            cover[i] += held[a, i] * low
        for i in range(width):
            burden[i] += lent[a, i] * high
    count = 0
    for i in range(width):
        factor = (min(scale[i], 1.0) if blind else scale[i]) * least[i]
        safe = factor * cover[i] + (1.0 + HAIR) * level[i] * burden[i] > 0.0 or burden[i] == 0.0
        busy = due[i] >= 0 or reply[i] >= 0 or top[i] > 0.0
        if not (prune and safe) or busy:
            found[count] = i
            count += 1
    return count
