# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Time, and the rounds of a step: sales move prices, prices close accounts, until nothing moves."""

from xcoll._jit import bare_kernel
from xcoll.liquidation._kernels.state import CAPITAL, SPOT, WRITTEN_OFF
from xcoll.systemic._kernels.accounts import (
    borrow_again,
    read_all,
    serve,
)
from xcoll.systemic._kernels.market import (
    absorb_sales,
    judge_breakers,
    move_prices,
    reprice,
    show,
)
from xcoll.systemic._kernels.state import CAP, MOST_ROUNDS, QUIET

__all__ = ["episode"]


@bare_kernel
def open_market(venues, outside, market, feeds, last, steps) -> None:
    """Row 0, and what oracles show until their first update gets through."""
    reprice(outside, market, feeds, 0, min(steps, last) + 1)
    for v in range(len(venues.code)):
        feeds.level[v] = 1.0
        for a in range(len(market.order)):
            down, up = feeds.market[0, a], feeds.up[0, a]
            feeds.posted[0, v, a], feeds.posted[1, v, a] = down, up
            feeds.since[0, v, a], feeds.since[1, v, a] = 0, 0
            feeds.before[v, 0, a], feeds.before[v, 1, a] = down, up
            for s in range(min(venues.lag[v], last) + 1):
                feeds.oracle[v, s, a] = down
                feeds.trigger[v, s, a] = down * venues.threshold[v, a]
                feeds.owed[v, s, a] = up * outside.index[s, a]
    show(venues, outside, market, feeds, 0, last)


@bare_kernel
def losses(venues, outside, record, s, lost):
    """Dollars that the lenders of each venue have lost so far; returns how many are new."""
    gone = 0.0
    for v in range(len(venues.code)):
        before, lost[v] = lost[v], 0.0
        for bar in range(record.by_bar.shape[1]):
            lost[v] += record.by_bar[v, bar, WRITTEN_OFF]
        for row in range(s + 1):
            lost[v] += outside.lost[v, row] * venues.owes[v]
        gone += lost[v] - before
    return gone


@bare_kernel
def episode(
    venues, outside, market, feeds, accounts, state, pool, desk, spare, steps, last, ranked,
    shares, defaults, before, lost, crowd, record,
) -> None:  # fmt: skip
    """All steps of an episode; see the room's head.  Everything is as at the opening on entry."""
    open_market(venues, outside, market, feeds, last, steps)
    lost[:] = 0.0
    for s in range(1, last + 1):
        bar = (s - 1) // steps + 1
        absorb_sales(outside, market, feeds, pool, bar)
        if len(pool.spent):
            place = s % len(pool.spent)
            pool.purse[CAPITAL] += pool.spent[place]
            pool.spent[place] = 0.0
            pool.purse[SPOT] = place
        if defaults:
            for i in range(len(accounts.default)):
                if accounts.default[i] == s:
                    state.scale[i], accounts.key[i] = 0.0, -1.0
        for v in range(len(venues.code)):
            feeds.cap[v] = venues.breakers[v, CAP]
        settled = False
        for turn in range(MOST_ROUNDS):
            reprice(outside, market, feeds, s, min(bar * steps, last) + 1)
            show(venues, outside, market, feeds, s, last)
            judge_breakers(venues, outside, feeds, s)
            if turn == 0:
                borrow_again(venues, feeds, accounts, state, desk, spare, s, crowd, record)
            for a in range(len(before)):
                before[a] = pool.sold[a]
            closed = serve(
                venues, outside, market, feeds, accounts, state, pool, desk, spare, s, turn,
                steps, last, ranked, shares, crowd, record,
            )  # fmt: skip
            gone = losses(venues, outside, record, s, lost)
            sold = 0.0
            for a in range(len(before)):
                sold += pool.sold[a] - before[a]
            most = move_prices(outside, market, feeds, pool, before, lost, s, bar)
            n = record.count[0]
            if (closed > 0 or sold > 0.0 or gone > 0.0) and n < len(record.rounds):
                row = record.rounds[n]
                row[0], row[1], row[2], row[3], row[4], row[5] = s, turn, closed, sold, gone, most
                record.count[0] += 1
            if most <= QUIET:
                settled = True
                break
        if not settled:
            record.count[1] += 1
        read_all(
            venues, outside, market, feeds, accounts, state, desk, spare, s, steps, last, crowd,
            record,
        )  # fmt: skip
