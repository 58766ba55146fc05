# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Time and the accounts: one by one where they share nothing, in a queue where they do."""

import numpy as np

from xcoll._jit import bare_kernel, kernel
from xcoll.liquidation._kernels.depth import counted
from xcoll.liquidation._kernels.path import inside, observe
from xcoll.liquidation._kernels.rest import edges, idles, note, rouse
from xcoll.liquidation._kernels.search import ahead, first_under, layout, margins, suspects, weigh
from xcoll.liquidation._kernels.standing import is_busy, load, store
from xcoll.liquidation._kernels.state import (
    AAVE,
    ACCOUNT,
    BAR,
    BARS,
    BLIND,
    CALLS,
    CAPITAL,
    CHUNK,
    COMPOUND,
    EULER,
    EXCHANGE,
    FIFO,
    GAS,
    GROUP,
    LANE,
    LOT,
    MAKER,
    PATH,
    PREMATURE,
    REPLENISH,
    ROWS,
    SPOT,
    TRADE,
    UNITS,
    Desk,
    Out,
    Pool,
    Prices,
    Rules,
    State,
    World,
)
from xcoll.liquidation._kernels.visit import (
    is_premature,
    read_absorbed,
    sell_absorbed,
    visit,
)

__all__ = ["replay", "warm_up"]


@bare_kernel
def alone(rules, world, pool, state, prices, desk, steps, last, fill, prune, out) -> None:
    """One chunk of accounts that share nothing, account by account."""
    found, doubt = desk.found, desk.doubt
    lines, floors, wide = prices.lines, prices.floors, prices.wide
    c, d, row, weight, margin = desk.c, desk.d, desk.row, desk.weight, desk.margin
    due, reply, top, large = state.due, state.reply, state.top, state.large
    scales, levels, blind = state.scale, state.level, world.trade[BLIND] > 0.0
    sells = rules.code == COMPOUND
    for g in range(len(wide)):
        count = suspects(state, desk, wide, g, prune, blind)
        for n in range(count):
            i = found[n]
            load(state, desk, i)
            # The market is not scaled: where it counts beside the oracle, a scale above 1 may not.
            scale = (min(scales[i], 1.0) if blind else scales[i]) * state.least[i]
            level = levels[i]
            rows = weigh(c, d, scale, level, row, weight)
            margins(floors, g, row, weight, rows, doubt)
            touched = False
            for b in range(GROUP):
                busy = due[i] >= 0 or reply[i] >= 0 or top[i] > 0.0
                if prune and not busy and doubt[b] > 0.0:
                    continue
                block = g * GROUP + b
                begin, stop = max(1, block * LANE), min((block + 1) * LANE, last + 1)
                if begin >= stop:
                    break
                if busy or blind or large[i]:
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
                    t = s
                    s = visit(rules, world, pool, state, prices, desk, i, t, steps, last, fill, out)
                    if sells and top[i] > 0.0:
                        desk.fresh[0] = i
                        sell_absorbed(
                            rules, world, pool, state, prices, desk.fresh, 1, t, steps, out
                        )
                        read_absorbed(state, prices, desk.fresh, 1, t, steps, last, out)
                scale = (min(scales[i], 1.0) if blind else scales[i]) * state.least[i]
                level = levels[i]
                rows = weigh(c, d, scale, level, row, weight)
                margins(floors, g, row, weight, rows, doubt)
            if touched:
                store(state, desk, i)


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
def join(turn, queue, length, fresh, news):
    """Merge `fresh` into `queue`, both by `turn`, from the end; returns the new length."""
    total, x, y = length + news, length - 1, news - 1
    while y >= 0:
        if x >= 0 and turn[queue[x]] > turn[fresh[y]]:
            queue[x + y + 1] = queue[x]
            x -= 1
        else:
            queue[x + y + 1] = fresh[y]
            y -= 1
    return total


@bare_kernel
def together(rules, world, pool, state, prices, desk, steps, last, fill, prune, out) -> None:
    """Accounts that share depth, capital, an auction limit or a fund: step by step, in a queue."""
    assets, found, doubt = len(desk.c), desk.found, desk.doubt
    queue, fresh = desk.queue, desk.fresh
    following, head = desk.following, desk.head
    fifo, blind, length = world.trade[FIFO] > 0.0, world.trade[BLIND] > 0.0, 0
    c, d, row, weight, floors = desk.c, desk.d, desk.row, desk.weight, prices.floors
    edge, peak, gas, arrived = desk.edge, desk.peak, world.trade[GAS], 0
    skips = prune and rules.code <= EULER  # who waits for keepers is looked at only where one pays
    sells = rules.code == COMPOUND  # what was absorbed is sold together, after all absorptions
    for g in range(len(prices.wide)):
        count = suspects(state, desk, prices.wide, g, prune, blind)
        for b in range(GROUP):
            block = g * GROUP + b
            begin, stop = max(1, block * LANE), min((block + 1) * LANE, last + 1)
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
                    rows = weigh(c, d, scale * state.least[i], state.level[i], row, weight)
                    margins(floors, g, row, weight, rows, doubt)
                    if doubt[b] > 0.0:
                        continue
                s = ahead(rules, world, state, prices, desk, i, begin, last)
                if s < stop:
                    following[i] = head[s % LANE]
                    head[s % LANE] = i
            resting = length
            if skips and length > 0 and stop <= last:
                length = rouse(
                    rules, world, pool, state, prices, desk, length, block, begin, stop, steps, out
                )
            resting -= length
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
                for x in range(news):
                    state.turn[fresh[x]] = arrived + x if fifo else fresh[x]
                arrived += news
                length = join(state.turn, queue, length, fresh, news)
                kept, bar = 0, (s - 1) // steps + 1
                if skips and length > 0:
                    edges(rules, world, pool, prices, bar, s, s + 1, edge, peak)
                for x in range(length):
                    i = queue[x]
                    if sells and state.top[i] > 0.0:
                        queue[kept] = i
                        kept += 1
                        continue
                    waits = skips and state.due[i] >= 0 and s < last
                    if waits and idles(rules, state, prices, i, s, edge, peak, gas):
                        note(state, prices, i, s, steps, out)
                        queue[kept] = i
                        kept += 1
                        continue
                    calls = out.account[i, CALLS]
                    load(state, desk, i)
                    after = visit(
                        rules, world, pool, state, prices, desk, i, s, steps, last, fill, out
                    )
                    store(state, desk, i)
                    if skips and out.account[i, CALLS] > calls:
                        edges(rules, world, pool, prices, bar, s, s + 1, edge, peak)
                    if state.due[i] >= 0 or state.top[i] > 0.0:
                        queue[kept] = i
                        kept += 1
                    elif after < stop:
                        following[i] = head[after % LANE]
                        head[after % LANE] = i
                length = kept
                if sells:
                    holding, kept = 0, 0
                    for x in range(length):
                        if state.top[queue[x]] > 0.0:
                            fresh[holding] = queue[x]
                            holding += 1
                    sell_absorbed(rules, world, pool, state, prices, fresh, holding, s, steps, out)
                    read_absorbed(state, prices, fresh, holding, s, steps, last, out)
                    for x in range(length):
                        if state.due[queue[x]] >= 0 or state.top[queue[x]] > 0.0:
                            queue[kept] = queue[x]
                            kept += 1
                    length = kept
            length = join(state.turn, queue, length, desk.merged, resting)


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
    shared = shared or (rules.code == EXCHANGE and rules.law[2] > 0.0)  # fees fill one fund
    # Buyers pay the gas once for what is sold of all accounts.
    shared = shared or (rules.code == COMPOUND and world.trade[GAS] > 0.0)
    last, chunk = bars * steps, accounts if shared else min(accounts, CHUNK)
    queued = accounts if shared else 1
    desk = Desk(
        np.empty(assets), np.empty(assets), np.empty(assets), np.empty(assets), np.empty(assets),
        np.empty(assets), np.empty(assets), np.empty(LANE), np.zeros(3),
        np.zeros(2 * assets + ROWS, dtype=np.int64), np.zeros(2 * assets + ROWS), np.empty(GROUP),
        np.empty(assets), np.empty(assets), np.empty(chunk), np.empty(chunk),
        np.empty(chunk, dtype=np.int64),
        np.empty(queued, dtype=np.int64), np.empty(queued, dtype=np.int64),
        np.empty(queued, dtype=np.int64), np.empty(queued, dtype=np.int64),
        np.empty(LANE, dtype=np.int64),
    )  # fmt: skip
    stays = rules.code == COMPOUND or rules.code == MAKER
    for first in range(0, accounts, chunk):
        width = min(chunk, accounts - first)
        end = first + width
        collateral[first:end], debt[first:end] = opening_c[first:end], opening_d[first:end]
        state = State(
            np.ascontiguousarray(opening_c[first:end].T),
            np.ascontiguousarray(opening_d[first:end].T),
            collateral[first:end],
            debt[first:end],
            scale[first:end], level[first:end], budget[first:end],
            np.full(width, -1, dtype=np.int64), np.full(width, -1, dtype=np.int64),
            np.zeros((assets, width if stays else 1)),
            np.zeros(width), np.zeros(width), np.zeros(width), np.zeros(width),
            np.zeros(width, dtype=np.bool_), np.ones(width),
            np.zeros(width if shared else 0, dtype=np.int64),
            np.zeros(width if shared else 0, dtype=np.int64),
        )  # fmt: skip
        if rules.code == EXCHANGE:
            for i in range(width):
                for a in range(assets):
                    top = 0.0
                    if opening_c[first + i, a] > 0.0:
                        top = opening_c[first + i, a] * np.max(prices.oracle[:, a])
                    if top > rules.bounds[a, 0]:
                        state.large[i] = True
                        counts = counted(rules.bounds, rules.ratios, a, top) / top
                        state.least[i] = min(state.least[i], counts)
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


def warm_up() -> None:
    """Compile everything for the types that it is called with."""
    table, flags, row = np.ones((3, 1)), np.ones(1), np.zeros(1)
    inside(table, table, 2, np.ones((5, 1)), np.ones((5, 1)))
    observe(table, 0, 0.0, 1, table.copy())
    lines, floors, wide = np.zeros((1, 2, LANE)), np.ones((1, 2, GROUP)), np.ones((1, 2))
    layout(table, table, table, table, lines, floors, wide, wide.copy())
    prices = Prices(table, table, table, table, table, row, lines, floors, wide, wide)
    rules = Rules(AAVE, row, row, row, np.ones(8), np.ones((1, 1)), np.ones((1, 1)))
    shut = np.zeros(1, dtype=np.bool_)
    world = World(np.zeros(0), np.ones((1, 0)), np.ones((3, 1)), np.zeros(TRADE), shut)
    pool = Pool(row, np.zeros(0), np.zeros(4))
    replay(
        flags[:, None], row[:, None], row[:, None].copy(), row[:, None].copy(), flags, flags.copy(),
        row.copy(), prices, rules, world, pool, 1, 2, 1, PATH, False, True,
        np.zeros((1, len(ACCOUNT))), np.zeros((len(UNITS), 1)), np.zeros((2, len(BARS))),
    )  # fmt: skip
