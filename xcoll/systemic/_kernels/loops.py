# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""One episode with everything that happened to every account, or many shocks with their sums."""

import numpy as np

from xcoll._jit import bare_kernel, inlined, kernel
from xcoll.liquidation._kernels.state import (
    ACCOUNT,
    BAR,
    BARS,
    CAPITAL,
    COMPOUND,
    COVERED,
    CREDIT,
    DEFICIT,
    EXCHANGE,
    LOT,
    MAKER,
    PREMATURE,
    REPAID,
    SEIZED,
    TRADE,
    UNDER,
    UNITS,
    Desk,
    Pool,
    State,
)
from xcoll.liquidation._kernels.visit import is_premature
from xcoll.systemic._kernels.accounts import prices_of, rules_of
from xcoll.systemic._kernels.episode import episode
from xcoll.systemic._kernels.state import (
    BREAKERS,
    ROUND,
    Accounts,
    Crowd,
    Feeds,
    Market,
    Outside,
    Record,
    Venues,
)

__all__ = ["SUMS", "cascade", "shocks", "warm_up"]

# Of a shock, by venue: dollars lost, repaid, seized, covered by funds, paid back; then accounts
# served in the first round and later.
SUMS = ("lost", "repaid", "seized", "covered", "credit", "first", "later")


@kernel
def workshop(venues, outside, accounts, state, capital, day):
    """What an episode works on beside the accounts, as at the opening."""
    assets = accounts.held.shape[1]
    rows, V = len(outside.market), len(venues.code)
    feeds = Feeds(
        np.ones((rows, assets)), np.ones((rows, assets)), np.ones((rows, assets)),
        np.ones((rows, assets)), np.ones((V, rows, assets)), np.ones((V, rows, assets)),
        np.ones((V, rows, assets)), np.ones((2, V, assets)),
        np.zeros((2, V, assets), dtype=np.int64), np.ones(assets), np.ones(assets),
        np.zeros(assets), np.zeros(assets), np.zeros(assets), np.ones((V, 2, assets)), np.ones(V),
        np.zeros(V, dtype=np.bool_), np.zeros((V, assets), dtype=np.bool_),
        np.zeros((V, assets), dtype=np.int64), np.zeros(V, dtype=np.int64), np.zeros(V),
    )  # fmt: skip
    for v in range(V):
        if venues.code[v] != EXCHANGE or not venues.tiered[v]:
            continue
        for a in range(assets):
            top = 0.0
            for s in range(rows):
                sees = outside.feed[v, s, a]
                top = max(top, outside.market[s, a] * (sees if sees > 1.0 else 1.0))
            for i in range(venues.start[v], venues.start[v + 1]):
                if accounts.held[i, a] * top > venues.bounds[v, a, 0]:
                    state.large[i] = True
    nobody, scratch = np.zeros(0, dtype=np.int64), np.zeros(assets)
    desk = Desk(
        np.zeros(assets), np.zeros(assets), np.zeros(assets), np.zeros(assets), np.zeros(assets),
        np.zeros(assets), np.zeros(assets), scratch, np.zeros(3), nobody, scratch, scratch,
        np.zeros(assets), np.zeros(assets), scratch, scratch, nobody, nobody, nobody, nobody,
        nobody, nobody,
    )  # fmt: skip
    pool = Pool(np.zeros(assets), np.zeros(day), np.array([capital, 0.0, 0.0, 0.0]))
    return feeds, desk, pool


@kernel
def given(venues, state, accounts, capital):
    """What has to be put back after an episode."""
    return (
        state.scale.copy(), state.level.copy(), state.budget.copy(), capital, venues.fund.copy(),
        venues.room.copy(), accounts.key.copy(), accounts.wallet.copy(), state.large.copy(),
    )  # fmt: skip


@inlined
def clean(accounts, state, crowd, record, i) -> None:
    """An account that was touched is as before."""
    crowd.mark[i] = False
    if state.lot.shape[1] > 1:
        for a in range(len(state.lot)):
            state.lot[a, i] = 0.0
    state.due[i], state.reply[i] = -1, -1
    state.claim[i], state.tab[i], state.top[i], state.kick[i] = 0.0, 0.0, 0.0, 0.0
    accounts.first[i], accounts.round[i], accounts.served[i] = -1, -1, -1
    accounts.drawn[i] = 0.0
    for c in range(record.account.shape[1]):
        record.account[i, c] = 0.0


@bare_kernel
def collect(
    venues, feeds, accounts, state, crowd, spare, steps, within, record, touched, collateral,
    debt, account, served,
) -> None:  # fmt: skip
    """What became of each account that was touched, and the bench clean again: in one pass."""
    rows, assets = (len(feeds.market) - 1) // steps, collateral.shape[1]
    for x in range(len(touched)):
        i = touched[x]
        v, start = accounts.venue[i], int(record.account[i, BAR])
        if start > 0 and is_premature(
            accounts.held, accounts.lent, i, state.scale[i], rules_of(venues, v),
            prices_of(venues, feeds, spare, v), steps, start, min(start + within - 1, rows),
        ):  # fmt: skip
            record.account[i, PREMATURE] = 1.0
        if venues.code[v] == COMPOUND or venues.code[v] == MAKER:
            for a in range(assets):
                record.units[v, LOT, a] += state.lot[a, i]
        for a in range(assets):
            collateral[x, a], debt[x, a] = state.collateral[i, a], state.debt[i, a]
        for c in range(account.shape[1]):
            account[x, c] = record.account[i, c]
        served[x, 0], served[x, 1] = accounts.first[i], accounts.round[i]
        clean(accounts, state, crowd, record, i)
    crowd.count[:] = 0


@kernel
def cascade(
    venues, outside, market, accounts, state, crowd, capital, day, steps, within, ranked, shares,
    defaults, record, touched, collateral, debt, account, served,
):  # fmt: skip
    """Run an episode; returns how many were touched, and prices.

    Filled, a row each: number, collateral, debt, `ACCOUNT`, step and round of the first service.
    """
    feeds, desk, pool = workshop(venues, outside, accounts, state, capital, day)
    V, assets, last = len(venues.code), accounts.held.shape[1], len(outside.market) - 1
    spare = (np.zeros((1, 1, 1)), np.zeros((1, 1)))
    episode(
        venues, outside, market, feeds, accounts, state, pool, desk, spare, steps, last, ranked,
        shares, defaults, np.zeros(assets), np.zeros(V), crowd, record,
    )  # fmt: skip
    n = crowd.count[1]
    touched[:n] = crowd.touched[:n]
    collect(
        venues, feeds, accounts, state, crowd, spare, steps, within, record, touched[:n],
        collateral, debt, account, served,
    )  # fmt: skip
    return n, feeds.market, feeds.shown, feeds.oracle


@kernel
def undo(venues, accounts, state, pool, crowd, record, before) -> None:
    """Everything as at the opening again."""
    scale, level, budget, capital, fund, room, key, wallet, large = before
    for x in range(crowd.count[1]):
        i = crowd.touched[x]
        state.scale[i], state.level[i], state.budget[i] = scale[i], level[i], budget[i]
        clean(accounts, state, crowd, record, i)
    crowd.count[:] = 0
    accounts.key[:], accounts.wallet[:], state.large[:] = key, wallet, large
    pool.sold[:], pool.spent[:], pool.purse[:] = 0.0, 0.0, 0.0
    pool.purse[CAPITAL] = capital
    venues.fund[:], venues.room[:] = fund, room
    record.units[:], record.by_bar[:], record.sold[:], record.count[:] = 0.0, 0.0, 0.0, 0
    record.drawn[:] = 0.0


@bare_kernel
def settle_shock(venues, accounts, feeds, crowd, record, sums, sold, price) -> None:
    """Sums of one shock."""
    for x in range(crowd.count[1]):
        i = crowd.touched[x]
        row, v = record.account[i], accounts.venue[i]
        sums[v, 0] += row[DEFICIT] + row[UNDER]
        sums[v, 1] += row[REPAID]
        sums[v, 2] += row[SEIZED]
        sums[v, 3] += row[COVERED]
        sums[v, 4] += row[CREDIT]
        if accounts.first[i] >= 0:
            sums[v, 5 if accounts.round[i] == 0 and accounts.first[i] == 1 else 6] += 1.0
    last = len(feeds.shown) - 1
    for a in range(len(price)):
        price[a] = feeds.shown[last, a]
        for v in range(len(sums)):
            for s in range(last + 1):
                sold[a] += record.sold[v, s, a]


@kernel
def shocks(
    venues, outside, market, accounts, state, crowd, capital, day, ranked, shares, log_level,
    share, record, sums, sold, price,
) -> None:  # fmt: skip
    """Many episodes of the same system: prices ``exp(log_level·share)``, shock × asset and row.

    Filled: `sums` (shock × V × SUMS), `sold` and `price` (shock × asset: dollars, and the traded
    price at the end).
    """
    feeds, desk, pool = workshop(venues, outside, accounts, state, capital, day)
    V, assets, last = len(venues.code), accounts.held.shape[1], len(outside.market) - 1
    spare = (np.zeros((1, 1, 1)), np.zeros((1, 1)))
    down, up = outside.market[0].copy(), outside.due[0].copy()
    opening = given(venues, state, accounts, capital)
    before, lost = np.zeros(assets), np.zeros(V)
    for n in range(len(log_level)):
        for s in range(1, last + 1):
            for a in range(assets):
                level_now = np.exp(log_level[n, a] * share[s])
                outside.market[s, a], outside.due[s, a] = down[a] * level_now, up[a] * level_now
        feeds.moved[:], feeds.kept[:], feeds.weight[:], feeds.pushed[:] = 1.0, 1.0, 0.0, 0.0
        feeds.swept[:] = 0.0
        feeds.until[:], feeds.frozen[:] = 0, 0
        episode(
            venues, outside, market, feeds, accounts, state, pool, desk, spare, 1, last, ranked,
            shares, False, before, lost, crowd, record,
        )  # fmt: skip
        settle_shock(venues, accounts, feeds, crowd, record, sums[n], sold[n], price[n])
        undo(venues, accounts, state, pool, crowd, record, opening)


def warm_up() -> None:
    """Compile everything for the types that it is called with."""
    one, table, whole = np.ones(1), np.ones((1, 1)), np.zeros(1, dtype=np.int64)
    venues = Venues(
        np.array([0, 1]), whole, table, table.copy(), table.copy(), np.ones((1, 8)),
        np.full((1, 1, 1), np.inf), np.ones((1, 1, 1)), np.full((1, 1), 0.8),
        np.ones((1, 1), dtype=bool), np.zeros(1, dtype=bool), np.zeros((1, TRADE)), np.zeros(1),
        np.full(1, np.inf), one.copy(), whole.copy(), np.zeros(1), np.ones(1, dtype=np.int64),
        np.full((1, len(BREAKERS)), np.inf),
    )  # fmt: skip
    rows = np.array([[1.0], [0.9]])
    outside = Outside(
        rows, rows.copy(), np.ones((2, 1)), np.ones((3, 1)), np.ones(2), np.ones((1, 2, 1)),
        np.zeros((1, 2, 1), dtype=bool), np.zeros((1, 1), dtype=np.int64), np.zeros((1, 2)),
    )  # fmt: skip
    market = Market(
        np.zeros(0), np.ones((1, 0)), np.zeros(0), np.ones((1, 0)), 1.0, 0.0, 0.0, whole.copy(),
        np.zeros((1, 1)), np.zeros(1), whole.copy(),
    )  # fmt: skip
    half, off, flag = np.full((1, 1), 0.5), np.full(1, -1), np.zeros(1, dtype=bool)
    accounts = Accounts(
        table.copy(), half, whole.copy(), whole.copy(), whole.copy(), np.ones(1), whole.copy(),
        np.zeros(1), off.copy(), np.full(1, np.inf), np.zeros(1), off.copy(), off.copy(),
        off.copy(),
    )  # fmt: skip
    state = State(
        table, table, table.copy(), table.copy(), one.copy(), one.copy(), np.zeros(1), off.copy(),
        off.copy(), np.zeros((1, 1)), np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1), flag,
        one.copy(), whole.copy(), whole.copy(),
    )  # fmt: skip
    crowd = Crowd(
        whole.copy(), whole.copy(), np.zeros(0, dtype=np.int64), whole.copy(), flag.copy(),
        np.zeros(3, dtype=np.int64),
    )  # fmt: skip
    record = Record(
        np.zeros((1, len(ACCOUNT))), np.zeros((1, len(UNITS), 1)), np.zeros((1, 1, len(BARS))),
        np.zeros((1, 2, 1)), np.zeros(1), np.zeros((8, len(ROUND))), np.zeros(2, dtype=np.int64),
    )  # fmt: skip
    both = (venues, outside, market, accounts, state, crowd, np.inf, 0)
    cascade(
        *both, 1, 1, False, False, False, record, whole.copy(), table.copy(), table.copy(),
        np.zeros((1, len(ACCOUNT))), np.zeros((1, 2), dtype=np.int64),
    )  # fmt: skip
    shocks(
        *both, False, False, np.zeros((1, 1)), np.ones(2), record, np.zeros((1, 1, len(SUMS))),
        np.zeros((1, 1)), np.zeros((1, 1)),
    )  # fmt: skip
