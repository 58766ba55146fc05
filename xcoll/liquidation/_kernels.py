# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Compiled replay of a book under any engine and world; `replay` is its public face.

Time is a line of steps: row 0 is the opening, a bar is `steps` rows.  Prices are step × asset and
C-contiguous, working balances asset × account, results account × column.  To find who needs
attention, the same prices lie once more in blocks of `LANE` steps as rows that sum to an account's
margin: trigger prices of its collateral, and the negative prices of what it owes.

Independent accounts run through all of time in chunks that fit the cache.  Accounts that share
depth, capital, an auction limit or a fund run as one chunk, step by step, in the order of the
queue.  Both ways visit an account only where it may need attention.
"""

from typing import NamedTuple

import numpy as np

from xcoll._jit import bare_kernel, inlined, kernel

__all__ = [
    "AAVE",
    "ACCOUNT",
    "BARS",
    "BREACH",
    "COMPOUND",
    "EULER",
    "EXCHANGE",
    "GROUP",
    "LANE",
    "LOW",
    "MAKER",
    "MORPHO",
    "PATH",
    "TRADE",
    "UNITS",
    "Pool",
    "Prices",
    "Rules",
    "World",
    "inside",
    "layout",
    "observe",
    "replay",
    "warm_up",
]

AAVE, MORPHO, EULER, COMPOUND, MAKER, EXCHANGE = range(6)
PATH, BREACH, LOW = range(3)  # how a breach inside a bar is filled

# Dollars at the market, but for the times: cash that cleared debt, collateral taken, what the venue
# keeps, debt written off (at the bar's close), still missing at the end; steps from the opening to
# the breach first served and from there to the service, its bar, number of calls; flags; dollars
# paid to the borrower, covered by the fund, brought by the borrower.
ACCOUNT = (
    "repaid", "seized", "fee", "deficit", "under", "since", "wait", "bar", "calls",
    "premature", "lowered", "credit", "covered", "added",
)  # fmt: skip
(
    REPAID, SEIZED, FEE, DEFICIT, UNDER, SINCE, WAIT, BAR, CALLS,
    PREMATURE, LOWERED, CREDIT, COVERED, ADDED,
) = range(14)  # fmt: skip
UNITS = ("seized", "extinguished", "deficit", "added", "paid", "lot", "returned")
TAKEN, CLEARED, LOST, BROUGHT, PAID, LOT, RETURNED = range(7)
BARS = ("liquidated", "deficit", "paper", "waiting", "covered")
LIQUIDATED, WRITTEN_OFF, PAPER, WAITING, FUNDED = range(5)

CHUNK = 512  # accounts that run together where none depends on another
LANE = 32  # steps of a block
ROWS = 4  # rows of prices that are summed in one go
GROUP = 8  # blocks that are tried together before each is looked at
HAIR = 1e-12  # of the debt: so near to the edge rounding decides, and the account is looked at


class Prices(NamedTuple):
    """Step × asset: oracle price × threshold, oracle and market prices of either side.

    `lines`: block × row × step of the block; `floors`: group × row × block, `wide`: group × row,
    the least of each.  Rows are triggers by asset, then negative prices of what is owed.
    """

    trigger: np.ndarray
    oracle: np.ndarray
    owed: np.ndarray
    market: np.ndarray
    due: np.ndarray
    first: np.ndarray  # thresholds at the opening, by asset
    lines: np.ndarray
    floors: np.ndarray
    wide: np.ndarray


class Rules(NamedTuple):
    """An engine: its number, values by asset, its constants, and a venue's tiers."""

    code: int
    bonus: np.ndarray
    fee: np.ndarray
    extra: np.ndarray
    law: np.ndarray
    bounds: np.ndarray
    ratios: np.ndarray


class World(NamedTuple):
    """Levels of each asset's order book, depth by bar, and `trade`: see `replay.py`."""

    size: np.ndarray
    loss: np.ndarray
    depth: np.ndarray
    trade: np.ndarray


class State(NamedTuple):
    """Working state of the accounts of a chunk."""

    held: np.ndarray
    lent: np.ndarray
    collateral: np.ndarray  # the same two, account × asset, for those who are visited
    debt: np.ndarray
    scale: np.ndarray
    level: np.ndarray
    budget: np.ndarray
    reply: np.ndarray
    due: np.ndarray
    lot: np.ndarray
    claim: np.ndarray
    tab: np.ndarray
    top: np.ndarray
    kick: np.ndarray
    large: np.ndarray
    asleep: np.ndarray


class Pool(NamedTuple):
    """What accounts share: dollars sold and not absorbed, capital by step, and `purse`."""

    sold: np.ndarray
    spent: np.ndarray
    purse: np.ndarray


class Out(NamedTuple):
    """What is filled."""

    account: np.ndarray
    units: np.ndarray
    by_bar: np.ndarray


class Desk(NamedTuple):
    """Scratch of one visit: balances, prices at a step, margins along a block, flows in dollars."""

    c: np.ndarray
    d: np.ndarray
    trigger: np.ndarray
    oracle: np.ndarray
    owed: np.ndarray
    market: np.ndarray
    due: np.ndarray
    margin: np.ndarray
    flow: np.ndarray
    row: np.ndarray
    weight: np.ndarray
    doubt: np.ndarray
    edge: np.ndarray
    cover: np.ndarray  # from here on by account
    burden: np.ndarray
    found: np.ndarray
    queue: np.ndarray
    merged: np.ndarray
    fresh: np.ndarray
    following: np.ndarray
    head: np.ndarray  # by step of the block


# Places in World.trade, Pool.purse and Desk.flow.
MARGIN, GAS, RESPONSE, REPLENISH, FIFO, TARGET, DELAY, TOP_UP, SECONDS, BLIND = range(10)
TRADE = 10
CAPITAL, FUND, ROOM, SPOT = range(4)
CASH, GONE, KEPT = range(3)


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
            return lost
        x = upper
    return lost + (end - x)


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
def incentive(rules, k, health, threshold):
    """Twin of the engines' `incentive`: dollars seized for a dollar repaid."""
    if rules.code == EULER:
        return 1.0 / (1.0 - min(1.0 - health, rules.bonus[k]))
    if rules.code == MORPHO and rules.law[0] > 0.0:
        ltv = threshold / health
        if ltv < rules.extra[k]:
            share = (ltv - threshold) / (rules.extra[k] - threshold)
            return rules.law[3] + share * (rules.law[4] - rules.law[3])
    return 1.0 + rules.bonus[k]


@inlined
def repayment(rules, k, worth, debt, total, health, threshold, rate, most):
    """Twin of the engines' `repayment`: most dollars of a debt that one call may repay."""
    limit, law = debt, rules.law
    if rules.code == AAVE:
        if health > law[1] and worth >= law[2] and debt >= law[2]:
            limit = min(debt, law[0] * total)
    elif rules.code == MORPHO and law[0] > 0.0:
        ltv = threshold / health
        if ltv < rules.extra[k]:
            share = (ltv - threshold) / (rules.extra[k] - threshold)
            limit = debt * (law[1] + share * (law[2] - law[1]))
    limit = min(limit, most)
    cap = worth / rate
    if rules.code == AAVE and limit < debt and limit < cap:
        return max(0.0, min(limit, debt - law[3], (worth - law[3]) / rate))
    return min(limit, cap)


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


@inlined
def spend(pool, cash) -> None:
    """Capital that is tied up for a day; what rounding leaves of it is nothing."""
    left = pool.purse[CAPITAL] - cash
    pool.purse[CAPITAL] = left if left > HAIR * cash else 0.0
    if len(pool.spent):
        pool.spent[int(pool.purse[SPOT])] += cash


@bare_kernel
def serve_by_keepers(rules, world, pool, desk, scale, bar, out):
    """Calls of keepers until the account is healthy or nothing pays; returns their number.

    `desk.flow` gains the dollars repaid, seized and kept as fee; debt that is left without
    collateral stays for the caller to write off.
    """
    margin, gas = world.trade[MARGIN], world.trade[GAS]
    calls = 0
    while True:
        secured, total = standing(rules, desk, scale, False)
        if not is_breached(rules, secured, total):
            return calls
        health = secured / total
        best, amount, paying, k, j = 0.0, 0.0, 0.0, -1, -1
        for i in range(len(desk.c)):
            if desk.c[i] <= 0.0:
                continue
            worth = desk.c[i] * desk.oracle[i]
            threshold = scale * desk.trigger[i] / desk.oracle[i]
            rate = incentive(rules, i, health, threshold)
            value = 1.0 + (rate - 1.0) * (1.0 - rules.fee[i])
            value *= desk.market[i] / desk.oracle[i]
            for o in range(len(desk.c)):
                if desk.d[o] <= 0.0:
                    continue
                price = desk.due[o] / desk.owed[o]
                cost = price * (1.0 + margin)
                if value <= cost:
                    continue
                most = pool.purse[CAPITAL] / price
                if len(world.size):
                    room = sale_room(
                        world.size, world.loss, i, world.depth[bar, i], pool.sold[i],
                        1.0 - cost / value,
                    )  # fmt: skip
                    most = min(most, room / value)
                debt = desk.d[o] * desk.owed[o]
                repay = repayment(rules, i, worth, debt, total, health, threshold, rate, most)
                if repay <= HAIR * total:
                    continue  # what rounding leaves of a limit is no call
                profit = repay * (value - cost) - gas
                if len(world.size):
                    profit -= sale_cost(
                        world.size, world.loss, i, world.depth[bar, i], pool.sold[i],
                        repay * value,
                    )  # fmt: skip
                if profit > best:
                    best, amount, paying, k, j = profit, repay, rate, i, o
        if k < 0:
            return calls
        calls += 1
        taken = amount * paying / desk.oracle[k]
        if amount >= desk.c[k] * desk.oracle[k] / paying:
            taken = desk.c[k]
        paid = amount / desk.owed[j]
        if amount >= desk.d[j] * desk.owed[j]:
            paid = desk.d[j]
        kept = amount * (paying - 1.0) * rules.fee[k] * desk.market[k] / desk.oracle[k]
        desk.c[k] -= taken
        desk.d[j] -= paid
        out.units[TAKEN, k] += taken
        out.units[CLEARED, j] += paid
        cash = paid * desk.due[j]
        desk.flow[CASH] += cash
        desk.flow[GONE] += taken * desk.market[k]
        desk.flow[KEPT] += kept
        spend(pool, cash)
        if len(world.size):
            pool.sold[k] += taken * desk.market[k] - kept
        if bare(desk):
            return calls


@bare_kernel
def serve_at_breach(rules, world, pool, prices, desk, scale, bar, s, out):
    """Serve at health 1 between steps s − 1 and s, again where it falls on; returns calls.

    Prices are linear inside a step, so the crossing has a closed form.
    """
    for a in range(len(desk.c)):
        desk.trigger[a], desk.oracle[a] = prices.trigger[s - 1, a], prices.oracle[s - 1, a]
        desk.owed[a] = prices.owed[s - 1, a]
    calls = 0
    while True:
        before, now = 0.0, 0.0
        for a in range(len(desk.c)):
            before += scale * desk.c[a] * desk.trigger[a] - desk.d[a] * desk.owed[a]
            now += scale * desk.c[a] * prices.trigger[s, a] - desk.d[a] * prices.owed[s, a]
        if now >= 0.0:
            return calls
        before = max(0.0, before)
        share = min(1.0, before / (before - now) * (1.0 + 1e-9))  # a hair beyond, to be under 1
        for a in range(len(desk.c)):
            desk.trigger[a] += share * (prices.trigger[s, a] - desk.trigger[a])
            desk.oracle[a] += share * (prices.oracle[s, a] - desk.oracle[a])
            desk.owed[a] += share * (prices.owed[s, a] - desk.owed[a])
            desk.market[a], desk.due[a] = desk.oracle[a], desk.owed[a]
        made = serve_by_keepers(rules, world, pool, desk, scale, bar, out)
        if made == 0 and share < 1.0:  # rounding left it healthy: the step hardly moves
            gather(prices, desk, s)
            made = serve_by_keepers(rules, world, pool, desk, scale, bar, out)
        calls += made
        if made == 0 or bare(desk):
            return calls


@bare_kernel
def absorb(rules, state, desk, n, out):
    """Compound v3: the venue takes the account, and owes it what its collateral is credited for."""
    credited, total = 0.0, 0.0
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


@bare_kernel
def storefront(rules, world, pool, state, prices, n, s, bar):
    """Compound v3: buyers take what pays at the ask; returns whether anything is left."""
    left = False
    for a in range(len(state.lot)):
        lot = state.lot[a, n]
        if lot <= 0.0:
            continue
        ask = prices.oracle[s, a] * (1.0 - rules.law[0] * (1.0 - rules.extra[a]))
        cost = ask * (1.0 + world.trade[MARGIN]) / prices.market[s, a]  # for a dollar's worth
        if cost >= 1.0:
            left = True
            continue
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
            left = True
            continue
        state.lot[a, n] -= units
        state.claim[n] -= units * ask
        spend(pool, units * ask)
        if len(world.size):
            pool.sold[a] += value
        if units < lot:
            left = True
        else:
            state.lot[a, n] = 0.0
    return left


@bare_kernel
def bark(rules, pool, state, desk, n, seconds, out):
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
    if part <= 0.0 or desk.c[k] <= 0.0:
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
    begin, end, started = (s - 1.0) * seconds, s * seconds, state.kick[n]
    stair = max(0, int((begin - started) / law[2]) - 1)
    while started < begin and started + stair * law[2] <= begin:
        stair += 1  # was looked at in an earlier step
    market, chost = prices.market[s, k], law[6] * law[5]
    while True:
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
            started, stair = at, 0
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
        if len(world.size):
            pool.sold[k] += value
        if state.tab[n] <= 0.0 or state.lot[k, n] <= 0.0:
            back = state.lot[k, n]
            out.units[RETURNED, k] += back
            out.account[n, CREDIT] += back * market
            pool.purse[ROOM] += state.tab[n]
            state.lot[k, n] = 0.0
            state.tab[n] = 0.0
            return False


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
        if desk.c[a] <= 0.0:
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


@inlined
def gather(prices, desk, s) -> None:
    """Prices at step s for the assets in use."""
    for a in range(len(desk.c)):
        desk.trigger[a], desk.oracle[a] = prices.trigger[s, a], prices.oracle[s, a]
        desk.owed[a], desk.due[a] = prices.owed[s, a], prices.due[s, a]
        desk.market[a] = prices.market[s, a]


@inlined
def weigh(c, d, scale, level, row, weight):
    """Rows of `lines` and weights that sum to the account's margin; returns how many, in fours."""
    assets, count = len(c), 0
    for a in range(assets):
        if c[a] > 0.0:
            row[count], weight[count] = a, scale * c[a]
            count += 1
        if d[a] > 0.0:
            row[count], weight[count] = assets + a, (1.0 + HAIR) * level * d[a]
            count += 1
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
        state.large[i] = state.large[i] or rules.bounds[k, 0] < np.inf
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
def visit(rules, world, pool, state, prices, desk, i, s, steps, last, fill, out):
    """What account i and those who deal with it do at step s; returns the next step to come."""
    bar = (s - 1) // steps + 1
    scale, large = state.scale[i], state.large[i]
    blind, now = world.trade[BLIND] > 0.0, s * world.trade[SECONDS]
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
                gather(prices, desk, s - 1)
                backed, owed = standing(rules, desk, scale, large)
                before, after = max(0.0, backed - owed), secured - total
                share = before / (before - after) if before > after else 1.0
                out.account[i, SINCE] = s - 1 + share
                gather(prices, desk, s)
                for a in range(len(desk.c)):
                    desk.trigger[a] = desk.oracle[a] * prices.first[a]
                backed, owed = standing(rules, desk, scale, large)
                out.account[i, LOWERED] = 0.0 if is_breached(rules, backed, owed) else 1.0
                gather(prices, desk, s)
        waits = True
        if s >= state.due[i]:
            desk.flow[:] = 0.0
            calls = 1
            if rules.code == COMPOUND:
                absorb(rules, state, desk, i, out)
            elif rules.code == MAKER:
                calls = 1 if bark(rules, pool, state, desk, i, now, out) else 0
            elif rules.code == EXCHANGE:
                over = sell_a_step(
                    rules, world, pool, desk, scale, secured, total, large, bar, out
                )
                out.account[i, CREDIT] += max(0.0, over)
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

    held = state.top[i] > 0.0
    if held and rules.code == COMPOUND:
        held = storefront(rules, world, pool, state, prices, i, s, bar)
    elif held and now > state.kick[i]:
        held = auction(rules, world, pool, state, prices, i, s, bar, out)
    if state.top[i] > 0.0 and not held:
        settle(state, i, bar, out)
    if rules.code == MAKER and not held and is_breached(rules, secured, total):
        waits = True  # the rest of a vault that was too large for one auction

    if waits and s % steps == 0:
        out.by_bar[bar - 1, WAITING] += total
    lowest_of_bar = s % steps == steps // 2
    if (waits or held or blind) and (lowest_of_bar or s == last):
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
    return ahead(rules, world, state, prices, desk, i, s + 1, last)


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


@bare_kernel
def layout(trigger, owed, market, due, lines, floors, wide) -> None:
    """Fill `lines` (zero on entry), `floors` and `wide` (infinite on entry) of `Prices`.

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


@bare_kernel
def is_premature(opening_c, opening_d, n, scale, rules, prices, steps, start, end):
    """Whether the untouched account stays solvent and is back above 1 at a close, in time."""
    for bar in range(start, end + 1):
        low, close = (bar - 1) * steps + (steps + 1) // 2, bar * steps
        worth, owes, secured, total = 0.0, 0.0, 0.0, 0.0
        for a in range(opening_c.shape[1]):
            worth += opening_c[n, a] * prices.market[low, a]
            owes += opening_d[n, a] * prices.due[low, a]
            value = opening_c[n, a] * prices.oracle[close, a]
            counts = counted(rules.bounds, rules.ratios, a, value)
            secured += counts / prices.oracle[close, a] * prices.trigger[close, a]
            total += opening_d[n, a] * prices.owed[close, a]
        if worth < owes:
            return False
        if scale * secured >= total:
            return True
    return False


@inlined
def is_busy(state, i):
    """Whether something is under way: a service, an answer, a sale."""
    return state.due[i] >= 0 or state.reply[i] >= 0 or state.top[i] > 0.0 or state.large[i]


@bare_kernel
def suspects(state, desk, wide, g, prune, blind):
    """Accounts that may need attention in a group of blocks, in order; returns their number."""
    assets, width = state.held.shape
    cover, burden, found = desk.cover, desk.burden, desk.found
    held, lent, scale, level = state.held, state.lent, state.scale, state.level
    due, reply, top, large = state.due, state.reply, state.top, state.large
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
        factor = min(scale[i], 1.0) if blind else scale[i]
        safe = factor * cover[i] + (1.0 + HAIR) * level[i] * burden[i] > 0.0 or burden[i] == 0.0
        busy = due[i] >= 0 or reply[i] >= 0 or top[i] > 0.0 or large[i]
        if not (prune and safe) or busy:
            found[count] = i
            count += 1
    return count


@inlined
def best_rate(rules, k):
    """Most that a dollar repaid can ever seize of k."""
    if rules.code == EULER:
        return 1.0 / (1.0 - rules.bonus[k])
    rate = 1.0 + rules.bonus[k]
    return max(rate, rules.law[4]) if rules.code == MORPHO and rules.law[0] > 0.0 else rate


@bare_kernel
def edges(rules, world, pool, prices, bar, begin, stop, edge) -> None:
    """Most that a dollar repaid can bring a keeper at any step in [begin, stop), by collateral.

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
        richest = 0.0
        for s in range(begin, stop):
            richest = max(richest, prices.market[s, a] / prices.oracle[s, a])
        value = richest * (1.0 + (best_rate(rules, a) - 1.0) * (1.0 - rules.fee[a]))
        edge[a] = max(0.0, value - cost)
        if stop - begin == 1 and edge[a] > 0.0:
            depth, sold = world.depth[bar, a], pool.sold[a]
            if pool.purse[CAPITAL] <= 0.0:
                edge[a] = 0.0
            elif len(world.size) > 0:
                if sale_room(world.size, world.loss, a, depth, sold, 1.0 - cost / value) <= 0.0:
                    edge[a] = 0.0


@inlined
def pays(state, i, dollars, edge, gas):
    """Whether a keeper could earn its gas on `dollars` of the account's debt."""
    best = 0.0
    for a in range(len(edge)):
        if state.collateral[i, a] > 0.0:
            best = max(best, edge[a])
    return dollars * best * (1.0 + HAIR) > gas


@bare_kernel
def sleeps(rules, world, state, prices, desk, i, block, begin, stop, last):
    """Whether nothing can happen to a waiting account in a block: answer, recovery or service."""
    if state.large[i] or state.top[i] > 0.0 or (state.reply[i] >= 0 and state.reply[i] < stop):
        return False
    if last < stop or (state.level[i] > 1.0 and state.reply[i] < 0):
        return False
    load(state, desk, i)
    assets, dollars = len(desk.c), 0.0
    for a in range(assets):
        if desk.d[a] > 0.0:
            dollars -= desk.d[a] * prices.floors[block // GROUP, assets + a, block % GROUP]
    if pays(state, i, dollars, desk.edge, world.trade[GAS]):
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
    bar = (s - 1) // steps
    if s % steps == steps // 2:
        worth, owes = 0.0, 0.0
        for a in range(len(state.held)):
            worth += state.collateral[i, a] * prices.market[s, a]
            owes += state.debt[i, a] * prices.due[s, a]
        out.by_bar[bar, PAPER] += max(0.0, owes - worth)
    if s % steps == 0:
        total = 0.0
        for a in range(len(state.held)):
            total += state.debt[i, a] * prices.owed[s, a]
        out.by_bar[bar, WAITING] += total


@inlined
def idles(rules, state, prices, i, s, edge, gas):
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
    return s < state.due[i] or not pays(state, i, total, edge, gas)


@bare_kernel
def ascend(values, count) -> None:
    """Sort the first `count` whole numbers, mostly sorted already (Shell 1959)."""
    gap = 1
    while gap < count // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for x in range(gap, count):
            value, y = values[x], x
            while y >= gap and values[y - gap] > value:
                values[y] = values[y - gap]
                y -= gap
            values[y] = value
        gap //= 3


@bare_kernel
def alone(rules, world, pool, state, prices, desk, steps, last, fill, prune, out) -> None:
    """One chunk of accounts that share nothing, account by account."""
    found, doubt = desk.found, desk.doubt
    lines, floors, wide = prices.lines, prices.floors, prices.wide
    c, d, row, weight, margin = desk.c, desk.d, desk.row, desk.weight, desk.margin
    due, reply, top, large = state.due, state.reply, state.top, state.large
    scales, levels, blind = state.scale, state.level, world.trade[BLIND] > 0.0
    for g in range(len(wide)):
        count = suspects(state, desk, wide, g, prune, blind)
        for n in range(count):
            i = found[n]
            load(state, desk, i)
            # The market is not scaled: where it counts beside the oracle, a scale above 1 may not.
            scale, level = min(scales[i], 1.0) if blind else scales[i], levels[i]
            rows = weigh(c, d, scale, level, row, weight)
            margins(floors, g, row, weight, rows, doubt)
            touched = False
            for b in range(GROUP):
                busy = due[i] >= 0 or reply[i] >= 0 or top[i] > 0.0 or large[i]
                if prune and not busy and doubt[b] > 0.0:
                    continue
                block = g * GROUP + b
                begin, stop = max(1, block * LANE), min((block + 1) * LANE, last + 1)
                if begin >= stop:
                    break
                if busy or blind:
                    s = ahead(rules, world, state, prices, desk, i, begin, last)
                else:
                    margins(lines, block, row, weight, rows, margin)
                    s = block * LANE + first_under(
                        margin, begin - block * LANE, stop - block * LANE
                    )
                if s >= stop:
                    continue
                touched = True
                while s < stop:
                    s = visit(rules, world, pool, state, prices, desk, i, s, steps, last, fill, out)
                level = levels[i]
                rows = weigh(c, d, scale, level, row, weight)
                margins(floors, g, row, weight, rows, doubt)
            if touched:
                store(state, desk, i)


@bare_kernel
def together(rules, world, pool, state, prices, desk, steps, last, fill, prune, out) -> None:
    """Accounts that share depth, capital, an auction limit or a fund: step by step, in a queue."""
    assets, found, doubt = len(desk.c), desk.found, desk.doubt
    queue, merged, fresh = desk.queue, desk.merged, desk.fresh
    following, head = desk.following, desk.head
    fifo, blind, length = world.trade[FIFO] > 0.0, world.trade[BLIND] > 0.0, 0
    c, d, row, weight, floors = desk.c, desk.d, desk.row, desk.weight, prices.floors
    asleep, edge, gas = state.asleep, desk.edge, world.trade[GAS]
    skips = prune and rules.code <= EULER  # who waits for keepers is looked at only where one pays
    for g in range(len(prices.wide)):
        count = suspects(state, desk, prices.wide, g, prune, blind)
        for b in range(GROUP):
            begin = max(1, (g * GROUP + b) * LANE)
            stop = min((g * GROUP + b + 1) * LANE, last + 1)
            if begin >= stop:
                break
            for x in range(LANE):
                head[x] = -1
            for x in range(count):
                i = found[x]
                if state.due[i] >= 0 or state.top[i] > 0.0:
                    continue  # waits in the queue
                load(state, desk, i)
                if prune and not is_busy(state, i):
                    scale = min(state.scale[i], 1.0) if blind else state.scale[i]
                    rows = weigh(c, d, scale, state.level[i], row, weight)
                    margins(floors, g, row, weight, rows, doubt)
                    if doubt[b] > 0.0:
                        continue
                s = ahead(rules, world, state, prices, desk, i, begin, last)
                if s < stop:
                    following[i] = head[s % LANE]
                    head[s % LANE] = i
            if skips and length > 0:
                edges(rules, world, pool, prices, 0, begin, stop, edge)
                for x in range(length):
                    i = queue[x]
                    asleep[i] = sleeps(
                        rules, world, state, prices, desk, i, g * GROUP + b, begin, stop, last
                    )
            for s in range(begin, stop):
                for a in range(assets):
                    pool.sold[a] *= 1.0 - world.trade[REPLENISH]
                if len(pool.spent):
                    place = s % len(pool.spent)
                    pool.purse[CAPITAL] += pool.spent[place]
                    pool.spent[place] = 0.0
                    pool.purse[SPOT] = place
                news, i = 0, head[s % LANE]
                while i >= 0:
                    fresh[news] = i
                    news += 1
                    i = following[i]
                ascend(fresh, news)
                length = join(queue, length, fresh, news, merged, fifo)
                kept, bar = 0, (s - 1) // steps + 1
                if skips and length > 0:
                    edges(rules, world, pool, prices, bar, s, s + 1, edge)
                for x in range(length):
                    i = queue[x]
                    waits = skips and state.due[i] >= 0 and s < last
                    if waits and (asleep[i] or idles(rules, state, prices, i, s, edge, gas)):
                        note(state, prices, i, s, steps, out)
                        queue[kept] = i
                        kept += 1
                        continue
                    asleep[i] = False
                    calls = out.account[i, CALLS]
                    load(state, desk, i)
                    after = visit(
                        rules, world, pool, state, prices, desk, i, s, steps, last, fill, out
                    )
                    store(state, desk, i)
                    if skips and out.account[i, CALLS] > calls:
                        edges(rules, world, pool, prices, bar, s, s + 1, edge)
                    if state.due[i] >= 0 or state.top[i] > 0.0:
                        queue[kept] = i
                        kept += 1
                    elif after < stop:
                        following[i] = head[after % LANE]
                        head[after % LANE] = i
                length = kept


@bare_kernel
def join(queue, length, fresh, news, merged, fifo):
    """The newcomers behind the queue, or, not `fifo`, among it in the order of the book."""
    if fifo:
        for x in range(news):
            queue[length + x] = fresh[x]
        return length + news
    x, y, count = 0, 0, 0
    while x < length or y < news:
        if y == news or (x < length and queue[x] < fresh[y]):
            merged[count] = queue[x]
            x += 1
        else:
            merged[count] = fresh[y]
            y += 1
        count += 1
    for x in range(count):
        queue[x] = merged[x]
    return count


@kernel
def replay(
    opening_c, opening_d, collateral, debt, scale, level, budget, prices, rules, world, pool,
    steps, bars, within, fill, shared, prune, account, units, by_bar,
):  # fmt: skip
    """Run a book through `bars` bars; prices may go on beyond, to judge what came back.

    Zero on entry and filled: `collateral`, `debt` (account × asset, what is left), `account`
    (account × `ACCOUNT`), `units` (`UNITS` × asset), `by_bar` (bar × `BARS`).
    """
    accounts, assets = opening_c.shape
    collateral[:] = opening_c
    debt[:] = opening_d
    shared = shared or (rules.code == EXCHANGE and rules.law[2] > 0.0)  # fees fill one fund
    last, chunk = bars * steps, accounts if shared else min(accounts, CHUNK)
    queued = accounts if shared else 1
    desk = Desk(
        np.empty(assets), np.empty(assets), np.empty(assets), np.empty(assets), np.empty(assets),
        np.empty(assets), np.empty(assets), np.empty(LANE), np.zeros(3),
        np.zeros(2 * assets + ROWS, dtype=np.int64), np.zeros(2 * assets + ROWS), np.empty(GROUP),
        np.empty(assets), np.empty(chunk), np.empty(chunk), np.empty(chunk, dtype=np.int64),
        np.empty(queued, dtype=np.int64), np.empty(queued, dtype=np.int64),
        np.empty(queued, dtype=np.int64), np.empty(queued, dtype=np.int64),
        np.empty(LANE, dtype=np.int64),
    )  # fmt: skip
    stays = rules.code == COMPOUND or rules.code == MAKER
    for first in range(0, accounts, chunk):
        width = min(chunk, accounts - first)
        end = first + width
        state = State(
            np.ascontiguousarray(opening_c[first:end].T),
            np.ascontiguousarray(opening_d[first:end].T),
            collateral[first:end],
            debt[first:end],
            scale[first:end], level[first:end], budget[first:end],
            np.full(width, -1, dtype=np.int64), np.full(width, -1, dtype=np.int64),
            np.zeros((assets, width if stays else 1)),
            np.zeros(width), np.zeros(width), np.zeros(width), np.zeros(width),
            np.zeros(width, dtype=np.bool_), np.zeros(width if shared else 0, dtype=np.bool_),
        )  # fmt: skip
        if rules.code == EXCHANGE:
            for i in range(width):
                for a in range(assets):
                    top = 0.0
                    if opening_c[first + i, a] > 0.0:
                        top = opening_c[first + i, a] * np.max(prices.oracle[:, a])
                    if top > rules.bounds[a, 0]:
                        state.large[i] = True
        out = Out(account[first:end], units, by_bar)
        if shared:
            together(rules, world, pool, state, prices, desk, steps, last, fill, prune, out)
        else:
            alone(rules, world, pool, state, prices, desk, steps, last, fill, prune, out)
        for i in range(width):
            if stays:
                for a in range(assets):
                    units[LOT, a] += state.lot[a, i]
            start = int(out.account[i, BAR])
            if start > 0 and is_premature(
                opening_c, opening_d, first + i, scale[first + i], rules, prices, steps, start,
                min(start + within - 1, (len(prices.market) - 1) // steps),
            ):  # fmt: skip
                out.account[i, PREMATURE] = 1.0


@bare_kernel
def inside(close, low, steps, down, up) -> None:
    """Prices inside the bars, step × asset: `down` for collateral, `up` for what is owed.

    Collateral runs at a constant log rate from the last close to the low at half time and on to
    the close; what is owed runs straight from close to close.
    """
    bars, assets = close.shape
    half = steps // 2
    for a in range(assets):
        down[0, a], up[0, a] = close[0, a], close[0, a]
    for t in range(1, bars):
        for a in range(assets):
            opening, least, last = close[t - 1, a], low[t, a], close[t, a]
            fall = (least / opening) ** (1.0 / half)
            rise = (last / least) ** (1.0 / (steps - half))
            drift = (last / opening) ** (1.0 / steps)
            s = (t - 1) * steps
            for x in range(1, steps):
                rate = fall if x <= half else rise
                down[s + x, a] = max(least, down[s + x - 1, a] * rate)
                up[s + x, a] = up[s + x - 1, a] * drift
                if x == half:
                    down[s + x, a] = least
            down[s + steps, a], up[s + steps, a] = last, last


@bare_kernel
def observe(price, lag, deviation, heartbeat, seen) -> None:
    """Twin of `Oracle.observe`: what a feed shows of `price` (step × asset), into `seen`."""
    steps, assets = price.shape
    for a in range(assets):
        posted, at = price[0, a], 0
        for s in range(min(lag, steps)):
            seen[s, a] = price[0, a]
        for s in range(steps):
            if abs(price[s, a] - posted) >= deviation * posted or s - at >= heartbeat:
                posted, at = price[s, a], s
            if s + lag < steps:
                seen[s + lag, a] = posted


def warm_up() -> None:
    """Compile everything for the types that it is called with."""
    table, flags, row = np.ones((3, 1)), np.ones(1), np.zeros(1)
    inside(table, table, 2, np.ones((5, 1)), np.ones((5, 1)))
    observe(table, 0, 0.0, 1, table.copy())
    lines, floors, wide = np.zeros((1, 2, LANE)), np.ones((1, 2, GROUP)), np.ones((1, 2))
    layout(table, table, table, table, lines, floors, wide)
    prices = Prices(table, table, table, table, table, row, lines, floors, wide)
    rules = Rules(AAVE, row, row, row, np.ones(8), np.ones((1, 1)), np.ones((1, 1)))
    world = World(np.zeros(0), np.ones((1, 0)), np.ones((3, 1)), np.zeros(TRADE))
    pool = Pool(row, np.zeros(0), np.zeros(4))
    replay(
        flags[:, None], row[:, None], row[:, None].copy(), row[:, None].copy(), flags, flags.copy(),
        row.copy(), prices, rules, world, pool, 1, 2, 1, PATH, False, True,
        np.zeros((1, len(ACCOUNT))), np.zeros((len(UNITS), 1)), np.zeros((2, len(BARS))),
    )  # fmt: skip
