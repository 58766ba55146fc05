# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Prices that sales move, claims that follow them, and what each venue's oracle shows."""

import numpy as np

from xcoll._jit import bare_kernel, inlined
from xcoll.systemic._kernels.state import AFTER, FREEZE, PAUSE, STOP, WINDOW

__all__ = ["absorb_sales", "displacement", "judge_breakers", "move_prices", "reprice", "show"]

MOST = 0.99  # of a price that sales can take, for nobody gives it away
LEAST = 1e-9


@bare_kernel
def displacement(reach, move, a, depth, weight):
    """Fraction by which `weight` dollars sold and not absorbed move the price: straight lines
    from (0, 0) through (reach·depth, move); beyond the last, nobody buys.
    """
    if weight <= 0.0 or len(reach) == 0:
        return 0.0
    low, high = 0, len(reach)
    while low < high:
        middle = (low + high) // 2
        if reach[middle] * depth <= weight:
            low = middle + 1
        else:
            high = middle
    if low == len(reach):
        return MOST
    left, under = 0.0, 0.0
    if low > 0:
        left, under = reach[low - 1] * depth, move[a, low - 1]
    right = reach[low] * depth
    return min(MOST, under + (move[a, low] - under) * (weight - left) / (right - left))


@bare_kernel
def reprice(outside, market, feeds, s, stop) -> None:
    """Fundamental prices in rows [s, stop), with what sales took for good."""
    for row in range(s, stop):
        for x in range(len(market.order)):
            a = market.order[x]
            left = feeds.moved[a] * feeds.kept[a]
            down, up = outside.market[row, a] * left, outside.due[row, a] * left
            backed, was, owes, owed = 0.0, 0.0, 0.0, 0.0
            for b in range(len(market.order)):
                units = market.claim[a, b]
                if units != 0.0:
                    backed += units * feeds.market[row, b]
                    was += units * outside.market[row, b]
                    owes += units * feeds.up[row, b]
                    owed += units * outside.due[row, b]
            if was > 0.0:
                down *= max(LEAST, backed / was)
                up *= max(LEAST, owes / owed)
            feeds.market[row, a] = down
            feeds.up[row, a] = up
            feeds.due[row, a] = up * outside.index[row, a]


@inlined
def post(venues, feeds, outside, v, side, s, a, price):
    """What the feed has posted last, having seen `price`."""
    sees = outside.feed[v, s, a]
    if sees > 0.0:  # NaN: the feed is stuck
        price *= sees
        posted = feeds.posted[side, v, a]
        far = abs(price - posted) >= venues.deviation[v] * posted
        if far or s - feeds.since[side, v, a] >= venues.beat[v]:
            feeds.posted[side, v, a], feeds.since[side, v, a] = price, s
    return feeds.posted[side, v, a]


@bare_kernel
def show(venues, outside, market, feeds, s, last) -> None:
    """Traded prices of row s, and what each venue's oracle makes of them, now or a lag later."""
    assets = len(market.order)
    for a in range(assets):
        feeds.shown[s, a] = feeds.market[s, a] * (1.0 - (1.0 - market.lasting) * feeds.pushed[a])
    for v in range(len(venues.code)):
        at = s + venues.lag[v]
        for a in range(assets):
            seen = post(venues, feeds, outside, v, 0, s, a, feeds.shown[s, a])
            up = feeds.up[s, a] * (1.0 - (1.0 - market.lasting) * feeds.pushed[a])
            owed = post(venues, feeds, outside, v, 1, s, a, up)
            if at <= last:
                feeds.oracle[v, at, a] = seen
                feeds.trigger[v, at, a] = seen * venues.threshold[v, a]
                feeds.owed[v, at, a] = owed * outside.index[at, a]
        weakest, dearest, feeds.risen[v] = np.inf, 0.0, False
        for a in range(assets):
            if not venues.used[v, a]:
                continue
            ratio = feeds.oracle[v, s, a] / feeds.before[v, 0, a]
            weakest = min(weakest, min(1.0, ratio) if venues.tiered[v] else ratio)
            dearest = max(dearest, feeds.owed[v, s, a] / feeds.before[v, 1, a])
            if (
                feeds.oracle[v, s, a] > feeds.before[v, 0, a]
                or feeds.owed[v, s, a] < feeds.before[v, 1, a]
            ):
                feeds.risen[v] = True
            feeds.before[v, 0, a] = feeds.oracle[v, s, a]
            feeds.before[v, 1, a] = feeds.owed[v, s, a]
        feeds.level[v] *= weakest / dearest


@bare_kernel
def judge_breakers(venues, outside, feeds, s) -> None:
    """What is shut at each venue in row s, from outside or by its own breakers."""
    for v in range(len(venues.code)):
        rules = venues.breakers[v]
        back = max(0, s - int(rules[WINDOW]))
        for a in range(feeds.shut.shape[1]):
            price, oracle = feeds.shown[s, a], feeds.oracle[v, s, a]
            high, low, top, bottom = price, price, oracle, oracle
            if rules[PAUSE] < 1.0 or rules[FREEZE] < 1.0:
                for row in range(back, s):
                    high, low = max(high, feeds.shown[row, a]), min(low, feeds.shown[row, a])
                    top = max(top, feeds.oracle[v, row, a])
                    bottom = min(bottom, feeds.oracle[v, row, a])
            held = venues.used[v, a]
            if held and price < (1.0 - rules[PAUSE]) * high and s >= feeds.until[v, a]:
                feeds.until[v, a] = s + 1 + int(rules[AFTER])
            moved = min(price / high, low / price, oracle / top, bottom / oracle)
            if held and moved < 1.0 - rules[FREEZE]:
                feeds.frozen[v] = max(feeds.frozen[v], s + 1 + int(rules[AFTER]))
            far = abs(oracle / price - 1.0) > rules[STOP]
            feeds.shut[v, a] = outside.shut[v, s, a] or s < feeds.until[v, a] or far


@bare_kernel
def absorb_sales(outside, market, feeds, pool, bar) -> None:
    """At the beginning of a step the market has absorbed a share of what was sold."""
    for a in range(len(feeds.weight)):
        pool.sold[a] *= 1.0 - market.refill
        feeds.weight[a] *= 1.0 - market.refill
        feeds.swept[a] *= 1.0 - market.fades
        depth = outside.depth[bar, a]
        feeds.pushed[a] = displacement(market.reach, market.move, a, depth, feeds.weight[a])


@bare_kernel
def move_prices(outside, market, feeds, pool, before, lost, s, bar):
    """Sales of a round move prices, and losses of a pool its receipt; returns the largest move.

    `before`: dollars sold and not absorbed when the round began, at the prices of the round.
    """
    most = 0.0
    for a in range(len(before)):
        fresh, change = pool.sold[a] - before[a], 0.0
        if fresh > 0.0 and len(market.reach) > 0:
            # In dollars of the opening: a book holds units, whatever they are worth by now.
            units = fresh * (outside.market[0, a] / feeds.market[s, a])
            depth = outside.depth[bar, a]
            before_it = displacement(market.reach, market.move, a, depth, feeds.swept[a])
            feeds.swept[a] += units
            after_it = displacement(market.reach, market.move, a, depth, feeds.swept[a])
            lasts = market.lasting * (after_it - before_it)
            feeds.moved[a] = max(LEAST, feeds.moved[a] * (1.0 - lasts))
            feeds.weight[a] += units
            pushed = displacement(market.reach, market.move, a, depth, feeds.weight[a])
            change = max(lasts, pushed - feeds.pushed[a])
            feeds.pushed[a] = pushed
        if market.pool[a] > 0.0:
            kept = max(LEAST, 1.0 - lost[market.keeper[a]] / market.pool[a])
            change = max(change, 1.0 - kept / feeds.kept[a])
            feeds.kept[a] = kept
        most = max(most, change)
    return most
