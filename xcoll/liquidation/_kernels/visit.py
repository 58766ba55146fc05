# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""What happens to an account at one step."""

import numpy as np

from xcoll._jit import bare_kernel, inlined
from xcoll.liquidation._kernels.depth import counted, worth_counting
from xcoll.liquidation._kernels.keepers import serve_at_breach, serve_by_keepers
from xcoll.liquidation._kernels.sale import sell_a_step
from xcoll.liquidation._kernels.search import ahead, lowest
from xcoll.liquidation._kernels.standing import bare, gather, is_breached, missing, standing
from xcoll.liquidation._kernels.state import (
    ADDED,
    BAR,
    BLIND,
    BREACH,
    BROUGHT,
    CALLS,
    CASH,
    COMPOUND,
    COVERED,
    CREDIT,
    DEFICIT,
    DELAY,
    EXCHANGE,
    FEE,
    FUND,
    FUNDED,
    GONE,
    KEPT,
    LIQUIDATED,
    LOST,
    LOW,
    LOWERED,
    MAKER,
    PAID,
    PAPER,
    PATH,
    REPAID,
    RESPONSE,
    SECONDS,
    SEIZED,
    SINCE,
    TARGET,
    TOP_UP,
    UNDER,
    WAIT,
    WAITING,
    WRITTEN_OFF,
)
from xcoll.liquidation._kernels.takeover import absorb, auction, bark, storefront

__all__ = ["act", "is_premature", "read", "read_absorbed", "sell_absorbed", "visit"]


@inlined
def respond(rules, world, state, desk, i, secured, total, out) -> None:
    """Twin of `Borrowers.respond`: repay, or pledge more of the largest collateral."""
    target = world.trade[TARGET]
    if world.trade[TOP_UP] > 0.0:
        k, most = -1, 0.0
        for a in range(len(desk.c)):
            backs = desk.c[a] * desk.trigger[a]
            if backs > most:
                k, most = a, backs
        if k < 0:
            return
        threshold = state.scale[i] * desk.trigger[k] / desk.oracle[k]
        worth, wanted = desk.c[k] * desk.oracle[k], (target * total - secured) / threshold
        dollars = min(worth_counting(rules.bounds, rules.ratios, k, worth, wanted), state.budget[i])
        if rules.bounds[k, 0] < np.inf:
            state.large[i], state.least[i] = True, 0.0
        units = dollars / desk.oracle[k]
        desk.c[k] += units
        out.units[BROUGHT, k] += units
    else:
        dollars = min(total - secured / target, state.budget[i])
        share = dollars / total
        for a in range(len(desk.c)):
            units = desk.d[a] * share
            desk.d[a] -= units
            out.units[PAID, a] += units
    state.budget[i] -= dollars
    out.account[i, ADDED] += dollars
    if state.budget[i] <= 0.0:
        state.level[i] = 1.0


@inlined
def settle(state, i, bar, out) -> None:
    """What the venue took over is sold: its claim is a loss, or what it made is its fee."""
    if state.claim[i] > 0.0:
        out.account[i, DEFICIT] += state.claim[i]
        out.by_bar[bar - 1, WRITTEN_OFF] += state.claim[i]
    else:
        out.account[i, FEE] -= state.claim[i]
    state.claim[i] = 0.0
    state.top[i] = 0.0


@inlined
def earlier(rules, prices, desk, scale, large, s):
    """``Σ C_i·LT_i`` and ``D`` a step ago, and the former now under the opening's thresholds."""
    backed, owed, opened = 0.0, 0.0, 0.0
    for a in range(len(desk.c)):
        was, now = desk.c[a], desk.c[a]
        if large:
            price = prices.oracle[s - 1, a]
            was = counted(rules.bounds, rules.ratios, a, was * price) / price
            price = prices.oracle[s, a]
            now = counted(rules.bounds, rules.ratios, a, now * price) / price
        backed += was * prices.trigger[s - 1, a]
        owed += desk.d[a] * prices.owed[s - 1, a]
        opened += now * (prices.oracle[s, a] * prices.first[a])
    return scale * backed, owed, scale * opened


@inlined
def act(rules, world, pool, state, prices, desk, i, s, steps, last, fill, out):
    """What account i, which is on the desk, and those who deal with it do at step s.

    Returns whether it waits, whether the venue holds some of it, and its debt in dollars.
    """
    bar, now = (s - 1) // steps + 1, s * world.trade[SECONDS]
    scale, large = state.scale[i], state.large[i]
    gather(prices, desk, s)
    secured, total = standing(rules, desk, scale, large)

    if state.reply[i] == s or (
        world.trade[DELAY] == 0.0 and secured < state.level[i] * total and state.level[i] > 1.0
    ):
        state.reply[i] = -1
        if secured < world.trade[TARGET] * total:
            respond(rules, world, state, desk, i, secured, total, out)
            large = state.large[i]
            secured, total = standing(rules, desk, scale, large)
    if state.level[i] > 1.0 and state.reply[i] < 0 and secured < state.level[i] * total:
        state.reply[i] = s + max(1, int(world.trade[DELAY]))

    waits = False
    if state.top[i] == 0.0 and is_breached(rules, secured, total):
        if state.due[i] < 0:
            state.due[i] = s
            if fill == PATH:
                state.due[i] = s + int(world.trade[RESPONSE])
            elif fill == LOW:
                end = min(bar * steps, last)
                state.due[i] = lowest(rules, prices, desk, scale, large, s, end + 1)
            if out.account[i, CALLS] == 0.0:
                backed, owed, opened = earlier(rules, prices, desk, scale, large, s)
                before, after = max(0.0, backed - owed), secured - total
                share = before / (before - after) if before > after else 1.0
                out.account[i, SINCE] = s - 1 + share
                out.account[i, LOWERED] = 0.0 if is_breached(rules, opened, total) else 1.0
        waits = True
        if s >= state.due[i]:
            desk.flow[:] = 0.0
            calls = 1
            if rules.code == COMPOUND:
                calls = 1 if absorb(rules, world, state, desk, i, out) else 0
            elif rules.code == MAKER:
                calls = 1 if bark(rules, world, pool, state, desk, i, now, out) else 0
            elif rules.code == EXCHANGE:
                over = sell_a_step(rules, world, pool, desk, scale, secured, total, large, bar, out)
                out.account[i, CREDIT] += max(0.0, over)
                calls = 1 if desk.flow[GONE] > 0.0 else 0
            elif fill == BREACH:
                calls = serve_at_breach(rules, world, pool, prices, desk, scale, bar, s, out)
                gather(prices, desk, s)
            else:
                calls = serve_by_keepers(rules, world, pool, desk, scale, bar, out)
            if calls > 0:
                if out.account[i, CALLS] == 0.0:
                    out.account[i, BAR] = bar
                    if fill != BREACH:
                        out.account[i, WAIT] = s - out.account[i, SINCE]
                out.account[i, CALLS] += calls
                out.account[i, REPAID] += desk.flow[CASH]
                out.account[i, SEIZED] += desk.flow[GONE]
                out.account[i, FEE] += desk.flow[KEPT]
                out.by_bar[bar - 1, LIQUIDATED] += desk.flow[GONE]
            if bare(desk):
                lost = 0.0
                for a in range(len(desk.c)):
                    out.units[LOST, a] += desk.d[a]
                    lost += desk.d[a] * prices.due[min(bar * steps, last), a]
                    desk.d[a] = 0.0
                covered = 0.0
                if rules.code == EXCHANGE:
                    covered = min(lost, pool.purse[FUND])
                    pool.purse[FUND] -= covered
                out.account[i, COVERED] += covered
                out.account[i, DEFICIT] += lost - covered
                out.by_bar[bar - 1, FUNDED] += covered
                out.by_bar[bar - 1, WRITTEN_OFF] += lost - covered
            secured, total = standing(rules, desk, scale, large)
            waits = state.top[i] == 0.0 and is_breached(rules, secured, total)
        if not waits:
            state.due[i] = -1
    else:
        state.due[i] = -1

    held = rules.code == MAKER and state.top[i] > 0.0
    if held and now > state.kick[i]:
        held = auction(rules, world, pool, state, prices, i, s, bar, out)
        if not held:
            settle(state, i, bar, out)
    if rules.code == MAKER and not held and is_breached(rules, secured, total):
        waits = True  # the rest of a vault that was too large for one auction
    return waits, held, total


@inlined
def read(world, state, prices, desk, i, s, steps, last, waits, held, total, out) -> None:
    """Readings of an account that is on the desk, at the half and at the end of a bar."""
    bar, lowest_of_bar = (s - 1) // steps + 1, s % steps == steps // 2
    if waits and s % steps == 0:
        out.by_bar[bar - 1, WAITING] += total
    if (waits or held or world.trade[BLIND] > 0.0) and (lowest_of_bar or s == last):
        short = missing(desk)
        if held:
            claim = state.claim[i]
            for a in range(len(state.lot)):
                claim -= state.lot[a, i] * prices.market[s, a]
            short += max(0.0, claim)
        if lowest_of_bar:
            out.by_bar[bar - 1, PAPER] += short
        if s == last:
            out.account[i, UNDER] = short


@inlined
def visit(rules, world, pool, state, prices, desk, i, s, steps, last, fill, out):
    """`act` and `read` at step s; returns the next step at which there is something to do."""
    waits, held, total = act(rules, world, pool, state, prices, desk, i, s, steps, last, fill, out)
    read(world, state, prices, desk, i, s, steps, last, waits, held, total, out)
    return ahead(rules, world, state, prices, desk, i, s + 1, last)


@bare_kernel
def sell_absorbed(rules, world, pool, state, prices, holders, count, s, steps, out) -> None:
    """A step of the storefront, after all who are absorbed in it."""
    bar = (s - 1) // steps + 1
    storefront(rules, world, pool, state, prices, holders, count, s, bar)
    for x in range(count):
        left = 0.0
        for a in range(len(state.lot)):
            left += state.lot[a, holders[x]]
        if left == 0.0:
            settle(state, holders[x], bar, out)


@bare_kernel
def read_absorbed(state, prices, holders, count, s, steps, last, out) -> None:
    """Readings of what the venue still holds, at the half of a bar and at the end."""
    if s % steps != steps // 2 and s != last:
        return
    for x in range(count):
        i = holders[x]
        if state.top[i] == 0.0:
            continue
        short = state.claim[i]
        for a in range(len(state.lot)):
            short -= state.lot[a, i] * prices.market[s, a]
        if s % steps == steps // 2:
            out.by_bar[(s - 1) // steps, PAPER] += max(0.0, short)
        if s == last:
            out.account[i, UNDER] = max(0.0, short)


@bare_kernel
def is_premature(opening_c, opening_d, n, scale, rules, prices, steps, start, end):
    """Whether the untouched account stays solvent and is back above 1 at a close, in time."""
    tiered = rules.code == EXCHANGE
    for bar in range(start, end + 1):
        low, close = (bar - 1) * steps + (steps + 1) // 2, bar * steps
        worth, owes, secured, total = 0.0, 0.0, 0.0, 0.0
        for a in range(opening_c.shape[1]):
            worth += opening_c[n, a] * prices.market[low, a]
            owes += opening_d[n, a] * prices.due[low, a]
            if tiered:
                value = opening_c[n, a] * prices.oracle[close, a]
                counts = counted(rules.bounds, rules.ratios, a, value)
                secured += counts / prices.oracle[close, a] * prices.trigger[close, a]
            else:
                secured += opening_c[n, a] * prices.trigger[close, a]
            total += opening_d[n, a] * prices.owed[close, a]
        if worth < owes:
            return False
        if scale * secured >= total:
            return True
    return False
