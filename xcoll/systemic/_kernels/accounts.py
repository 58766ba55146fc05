# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Who needs attention in a round, and what is done with them, at all venues."""

import numpy as np

from xcoll._jit import bare_kernel, inlined
from xcoll.liquidation._kernels.loops import ascend, join
from xcoll.liquidation._kernels.rest import edges, idles, pays
from xcoll.liquidation._kernels.standing import gather, is_breached, load, missing, standing
from xcoll.liquidation._kernels.state import (
    BLIND,
    CALLS,
    CAPITAL,
    COMPOUND,
    EULER,
    FIFO,
    FUND,
    GAS,
    HAIR,
    MAKER,
    PAPER,
    PATH,
    REPAID,
    RESPONSE,
    ROOM,
    UNDER,
    Out,
    Prices,
    Rules,
    World,
)
from xcoll.liquidation._kernels.visit import act, read, read_absorbed, sell_absorbed

__all__ = ["borrow_again", "find", "read_all", "serve", "touch"]

QUEUED, TOUCHED, ARRIVED = range(3)


@inlined
def rules_of(venues, v):
    """The rules of a venue as its engine reads them."""
    return Rules(
        venues.code[v], venues.bonus[v], venues.fee[v], venues.extra[v], venues.law[v],
        venues.bounds[v], venues.ratios[v],
    )  # fmt: skip


@inlined
def prices_of(venues, feeds, spare, v):
    """Prices as a venue sees them; what only a search through time needs is left empty."""
    return Prices(
        feeds.trigger[v], feeds.oracle[v], feeds.owed[v], feeds.market, feeds.due,
        venues.threshold[v], spare[0], spare[0], spare[1], spare[1],
    )  # fmt: skip


@inlined
def world_of(venues, outside, market, feeds, v):
    """What surrounds a venue."""
    return World(market.size, market.loss, outside.depth, venues.trade[v], feeds.shut[v])


@inlined
def out_of(record, v):
    """Where what happens at a venue is written."""
    return Out(record.account, record.units[v], record.by_bar[v])


@inlined
def is_waiting(state, i):
    """Whether the account is in the queue."""
    return state.due[i] >= 0 or state.top[i] > 0.0


@inlined
def fetch(accounts, state, crowd, desk, i) -> None:
    """Take the balances of account i to the desk."""
    if crowd.mark[i]:
        load(state, desk, i)
    else:
        for a in range(len(desk.c)):
            desk.c[a], desk.d[a] = accounts.held[i, a], accounts.lent[i, a]


@inlined
def put_back(state, desk, i) -> None:
    """Take the balances on the desk back to an account that is touched."""
    for a in range(len(desk.c)):
        state.collateral[i, a], state.debt[i, a] = desk.c[a], desk.d[a]


@inlined
def touch(crowd, i) -> None:
    """Note that the account is not what it was at the opening."""
    if not crowd.mark[i]:
        crowd.mark[i] = True
        crowd.touched[crowd.count[TOUCHED]] = i
        crowd.count[TOUCHED] += 1


@bare_kernel
def find(venues, feeds, accounts, state, desk, spare, s, ranked, crowd):
    """Accounts that need attention at the prices of row s and do not wait yet, by rank."""
    news = 0
    for v in range(len(venues.code)):
        rules, prices = rules_of(venues, v), prices_of(venues, feeds, spare, v)
        gather(prices, desk, s)
        if feeds.level[v] < 1e-100:  # far under what a number can hold in the end
            for i in range(venues.start[v], venues.start[v + 1]):
                accounts.key[i] *= feeds.level[v]
            feeds.level[v] = 1.0
        level = feeds.level[v]
        for i in range(venues.start[v], venues.start[v + 1]):
            if accounts.key[i] * level > 1.0 + 1e-9 or is_waiting(state, i):
                continue
            secured, total = 0.0, 0.0
            if state.large[i] or crowd.mark[i]:
                fetch(accounts, state, crowd, desk, i)
                secured, total = standing(rules, desk, state.scale[i], state.large[i])
            else:
                for a in range(len(desk.c)):
                    secured += accounts.held[i, a] * desk.trigger[a]
                    total += accounts.lent[i, a] * desk.owed[a]
                secured *= state.scale[i]
            replies = state.reply[i] >= 0
            called = 1.0 if replies else state.level[i]
            accounts.key[i] = np.inf
            if replies or state.scale[i] == 0.0:
                accounts.key[i] = -1.0
            elif total > 0.0:
                accounts.key[i] = secured / (called * total) / level
            if secured < called * total * (1.0 + HAIR) or state.reply[i] == s:
                crowd.fresh[news] = accounts.rank[i] if ranked else i
                news += 1
    if ranked:
        ascend(crowd.fresh, news)
        for x in range(news):
            crowd.fresh[x] = accounts.place[crowd.fresh[x]]
    return news


@bare_kernel
def enqueue(accounts, state, crowd, news, fifo) -> None:
    """Put those who were found into the queue, where nobody has to look for them."""
    for x in range(news):
        i = crowd.fresh[x]
        accounts.key[i] = np.inf
        state.turn[i] = crowd.count[ARRIVED] + x if fifo else accounts.rank[i]
    crowd.count[ARRIVED] += news
    crowd.count[QUEUED] = join(state.turn, crowd.queue, crowd.count[QUEUED], crowd.fresh, news)


@inlined
def patience(outside, desk, v):
    """Extra steps until an account can be closed that pledges what is on the desk."""
    longest = 0
    for a in range(len(desk.c)):
        if desk.c[a] > 0.0:
            longest = max(longest, outside.delay[v, a])
    return longest


@bare_kernel
def edge(rules, world, pool, prices, desk, bar, s):
    """Most that a dollar repaid can bring a keeper now, by collateral on the desk; the highest."""
    edges(rules, world, pool, prices, bar, s, s + 1, desk.edge, desk.peak)
    best = 0.0
    for a in range(len(desk.edge)):
        best = max(best, desk.edge[a])
    return best


@inlined
def rests(rules, world, state, prices, desk, i, s, risen, best):
    """Whether a visit would only find that a waiting account still waits.

    Where nothing that could help it has risen, it is as breached as it was.
    """
    if risen or state.large[i]:
        return idles(rules, state, prices, i, s, desk.edge, desk.peak, world.trade[GAS])
    if state.reply[i] == s or (state.level[i] > 1.0 and state.reply[i] < 0):
        return False
    if s < state.due[i] or best <= 0.0:
        return True
    total = 0.0
    for a in range(len(desk.edge)):
        total += state.debt[i, a] * prices.owed[s, a]
    return not pays(state, i, total, desk.edge, desk.peak, world.trade[GAS])


@bare_kernel
def serve(
    venues, outside, market, feeds, accounts, state, pool, desk, spare, s, turn, steps, last,
    ranked, shares, crowd, record,
):  # fmt: skip
    """One round: everybody in the queue at the prices of row s; returns how many were served."""
    news = find(venues, feeds, accounts, state, desk, spare, s, ranked, crowd)
    enqueue(accounts, state, crowd, news, venues.trade[0, FIFO] > 0.0)
    queue, length, kept, closed = crowd.queue, crowd.count[QUEUED], 0, 0
    x, bar, capital = 0, (s - 1) // steps + 1, pool.purse[CAPITAL]
    while x < length:
        v = accounts.venue[queue[x]]
        rules, prices = rules_of(venues, v), prices_of(venues, feeds, spare, v)
        world, out = world_of(venues, outside, market, feeds, v), out_of(record, v)
        by_keepers = rules.code <= EULER
        limit = min(capital, feeds.cap[v]) if by_keepers else capital
        pool.purse[CAPITAL], pool.purse[FUND], pool.purse[ROOM] = (
            limit, venues.fund[v], venues.room[v],
        )  # fmt: skip
        gas, response = world.trade[GAS], world.trade[RESPONSE]
        world.trade[GAS] = gas * outside.gas[s]
        best = 0.0
        if by_keepers:  # who waits for them is looked at only where one pays
            best = edge(rules, world, pool, prices, desk, bar, s)
        for a in range(len(desk.c)):
            record.sold[v, s, a] -= pool.sold[a]
        while x < length and accounts.venue[queue[x]] == v:
            i = queue[x]
            x += 1
            again = accounts.served[i] == s
            if (
                (rules.code == COMPOUND and state.top[i] > 0.0)
                or (again and not by_keepers)
                or (not by_keepers and feeds.cap[v] <= 0.0 and state.top[i] == 0.0)
                or (
                    by_keepers
                    and state.due[i] >= 0
                    and rests(rules, world, state, prices, desk, i, s, feeds.risen[v], best)
                )
            ):
                if is_waiting(state, i):
                    queue[kept] = i
                    kept += 1
                else:
                    accounts.key[i] = -1.0
                continue
            fetch(accounts, state, crowd, desk, i)
            touch(crowd, i)
            calls, user = out.account[i, CALLS], accounts.user[i]
            if shares:
                state.budget[i] = accounts.wallet[user]
            world.trade[RESPONSE] = response + patience(outside, desk, v)
            repaid = record.account[i, REPAID]
            act(rules, world, pool, state, prices, desk, i, s, steps, last, PATH, out)
            if shares:
                accounts.wallet[user] = state.budget[i]
            put_back(state, desk, i)
            accounts.served[i] = s
            if out.account[i, CALLS] > calls:
                closed += 1
                if by_keepers and (len(world.size) > 0 or limit < np.inf):
                    best = edge(rules, world, pool, prices, desk, bar, s)
                left = feeds.cap[v] - (record.account[i, REPAID] - repaid)
                feeds.cap[v] = left if left > HAIR * record.account[i, REPAID] else 0.0
                if accounts.first[i] < 0:
                    accounts.first[i], accounts.round[i] = s, turn
            if is_waiting(state, i):
                queue[kept] = i
                kept += 1
            else:
                accounts.key[i] = -1.0
        capital = settle_purse(venues, pool, v, limit, capital)
        for a in range(len(desk.c)):
            record.sold[v, s, a] += pool.sold[a]
        world.trade[GAS], world.trade[RESPONSE] = gas, response
    crowd.count[QUEUED] = kept
    pool.purse[CAPITAL] = capital
    storefronts(
        venues, outside, market, feeds, accounts, state, pool, desk, spare, s, steps, crowd, record
    )
    return closed


@inlined
def settle_purse(venues, pool, v, limit, capital):
    """What the venue left in its own purses, and of the keepers' capital."""
    venues.fund[v], venues.room[v] = pool.purse[FUND], pool.purse[ROOM]
    if limit < capital:
        return capital - (limit - pool.purse[CAPITAL])
    return pool.purse[CAPITAL]


@bare_kernel
def storefronts(
    venues, outside, market, feeds, accounts, state, pool, desk, spare, s, steps, crowd, record
) -> None:  # fmt: skip
    """Venues that absorb sell what they hold; accounts of which nothing is left leave the queue."""
    queue, length = crowd.queue, crowd.count[QUEUED]
    absorbs = False
    for v in range(len(venues.code)):
        if venues.code[v] != COMPOUND:
            continue
        absorbs, holding = True, 0
        for x in range(length):
            if accounts.venue[queue[x]] == v and state.top[queue[x]] > 0.0:
                crowd.fresh[holding] = queue[x]
                holding += 1
        if holding == 0:
            continue
        rules, prices = rules_of(venues, v), prices_of(venues, feeds, spare, v)
        world, out = world_of(venues, outside, market, feeds, v), out_of(record, v)
        gas = world.trade[GAS]
        world.trade[GAS] = gas * outside.gas[s]
        for a in range(len(desk.c)):
            record.sold[v, s, a] -= pool.sold[a]
        sell_absorbed(rules, world, pool, state, prices, crowd.fresh, holding, s, steps, out)
        for a in range(len(desk.c)):
            record.sold[v, s, a] += pool.sold[a]
        world.trade[GAS] = gas
    if absorbs:
        kept = 0
        for x in range(length):
            if is_waiting(state, queue[x]):
                queue[kept] = queue[x]
                kept += 1
            else:
                accounts.key[queue[x]] = -1.0
        crowd.count[QUEUED] = kept


@bare_kernel
def gap(venues, feeds, v, s):
    """Least that solvency at the market is of a health factor at the oracle, at a venue."""
    weakest, dearest = np.inf, 0.0
    for a in range(venues.used.shape[1]):
        if venues.used[v, a]:
            weakest = min(weakest, feeds.market[s, a] / feeds.oracle[v, s, a])
            dearest = max(dearest, feeds.due[s, a] / feeds.owed[v, s, a])
    return weakest / dearest


@inlined
def take_reading(rules, world, prices, state, desk, i, s, steps, last, out) -> None:
    """Reading of an account that waits or that the venue holds, as it stands at the step's end."""
    load(state, desk, i)
    secured, total = standing(rules, desk, state.scale[i], state.large[i])
    held = rules.code == MAKER and state.top[i] > 0.0
    waits = not held and is_breached(rules, secured, total)
    read(world, state, prices, desk, i, s, steps, last, waits, held, total, out)


@bare_kernel
def read_all(
    venues, outside, market, feeds, accounts, state, desk, spare, s, steps, last, crowd, record
) -> None:  # fmt: skip
    """Readings at the half and at the end of a bar, after the last round of the step."""
    half = s % steps == steps // 2
    if s % steps != 0 and not half and s != last:
        return
    # Whom a venue has dealt with in this step, or leaves alone, is breached and not in the queue.
    news = find(venues, feeds, accounts, state, desk, spare, s, False, crowd)
    queue, length, x = crowd.queue, crowd.count[QUEUED], 0
    for v in range(len(venues.code)):
        rules, prices = rules_of(venues, v), prices_of(venues, feeds, spare, v)
        world, out = world_of(venues, outside, market, feeds, v), out_of(record, v)
        gather(prices, desk, s)
        while x < news and accounts.venue[crowd.fresh[x]] == v:
            i = crowd.fresh[x]
            x += 1
            fetch(accounts, state, crowd, desk, i)
            secured, total = standing(rules, desk, state.scale[i], state.large[i])
            if is_breached(rules, secured, total):
                touch(crowd, i)
                put_back(state, desk, i)
                read(world, state, prices, desk, i, s, steps, last, True, False, total, out)
    for v in range(len(venues.code)):
        rules, prices = rules_of(venues, v), prices_of(venues, feeds, spare, v)
        world, out = world_of(venues, outside, market, feeds, v), out_of(record, v)
        gather(prices, desk, s)
        holding = 0
        for x in range(length):
            i = queue[x]
            if accounts.venue[i] != v:
                continue
            if rules.code == COMPOUND and state.top[i] > 0.0:
                crowd.fresh[holding] = i
                holding += 1
            else:
                take_reading(rules, world, prices, state, desk, i, s, steps, last, out)
        read_absorbed(state, prices, crowd.fresh, holding, s, steps, last, out)
        if world.trade[BLIND] == 0.0 or (not half and s != last):
            continue
        least = gap(venues, feeds, v, s) * feeds.level[v]
        for i in range(venues.start[v], venues.start[v + 1]):  # the oracle may not know yet
            if accounts.key[i] * least > 1.0 + 1e-9 or is_waiting(state, i):
                continue
            fetch(accounts, state, crowd, desk, i)
            secured, total = standing(rules, desk, state.scale[i], state.large[i])
            if is_breached(rules, secured, total):
                continue  # read above
            short = missing(desk)
            if half:
                out.by_bar[(s - 1) // steps, PAPER] += short
            if s == last and short > 0.0:
                touch(crowd, i)
                put_back(state, desk, i)
                out.account[i, UNDER] = short


@bare_kernel
def borrow_again(venues, feeds, accounts, state, desk, spare, s, crowd, record) -> None:
    """Users who take what they can: debts grow until health is what they borrow to."""
    for x in range(len(crowd.eager)):
        i = crowd.eager[x]
        v = accounts.venue[i]
        if s < feeds.frozen[v] or is_waiting(state, i) or state.scale[i] == 0.0:
            continue
        rules, prices = rules_of(venues, v), prices_of(venues, feeds, spare, v)
        gather(prices, desk, s)
        fetch(accounts, state, crowd, desk, i)
        secured, total = standing(rules, desk, state.scale[i], state.large[i])
        if total <= 0.0 or secured <= accounts.draws[i] * total * (1.0 + 1e-6):
            continue
        more = secured / (accounts.draws[i] * total) - 1.0
        for a in range(len(desk.c)):
            accounts.drawn[i] += more * desk.d[a] * desk.due[a]
            record.drawn[v] += more * desk.d[a] * desk.due[a]
            desk.d[a] *= 1.0 + more
        touch(crowd, i)
        put_back(state, desk, i)
        accounts.key[i] = -1.0
