# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Compiled replay of one cohort under the rules of `aave`; `replay` is its public face.

Arrays are float64 and C-contiguous, account × asset for books, bar × asset for prices.
"""

import numpy as np

from xcoll._jit import kernel

__all__ = [
    "ACCOUNT",
    "BREACH",
    "LOW",
    "PATH",
    "bar_path",
    "repayment",
    "replay",
    "serve",
    "warm_up",
]

PATH, BREACH, LOW = 0, 1, 2  # how a breach inside a bar is filled

# Columns of the account table that `replay` fills: dollars repaid, seized, kept as fee and written
# off (at the close), still missing at the end; sub-steps from the opening to the breach that was
# served first and from there to the service; bar of that service; number of calls; 1 if premature.
ACCOUNT = (
    "repaid", "seized", "fee", "deficit", "under", "since", "wait", "bar", "calls", "premature",
)  # fmt: skip
REPAID, SEIZED, FEE, DEFICIT, UNDER, SINCE, WAIT, BAR, CALLS, PREMATURE = range(10)

BLOCK = 6  # bars whose worst prices are tried together before each is looked at
LANE = 256  # accounts tried together: their rows of the book stay in the cache


@kernel
def repayment(collateral, debt, total, health, bonus, rules):
    """Twin of `aave.repayment`."""
    limit = debt
    if health > rules[1] and collateral >= rules[2] and debt >= rules[2]:
        limit = min(debt, rules[0] * total)
    cap = collateral / (1.0 + bonus)
    if limit < debt and limit < cap:
        return min(limit, debt - rules[3], (collateral - rules[3]) / (1.0 + bonus))
    return min(limit, cap)


@kernel
def serve(c, d, pc, pd, lt, lb, fee, rules, deficit, seized, repaid, cash):
    """Twin of `aave.serve`: changes `c` and `d`, adds units to `deficit`, `seized`, `repaid`.

    `cash` gains the dollars repaid, seized and kept as fee.  Returns the number of calls.
    """
    assets = len(c)
    calls = 0
    while True:
        secured, total = 0.0, 0.0
        for a in range(assets):
            secured += c[a] * (pc[a] * lt[a])
            total += d[a] * pd[a]
        if total <= 0.0 or secured >= total:
            return calls
        health = secured / total
        best, amount, k, j = 0.0, 0.0, -1, -1
        for i in range(assets):
            if c[i] > 0.0:
                for o in range(assets):
                    if d[o] > 0.0:
                        repay = repayment(c[i] * pc[i], d[o] * pd[o], total, health, lb[i], rules)
                        profit = repay * lb[i] * (1.0 - fee[i])
                        if profit > best:
                            best, amount, k, j = profit, repay, i, o
        if k < 0:
            return calls
        calls += 1
        taken = amount * (1.0 + lb[k]) / pc[k]
        if amount >= c[k] * pc[k] / (1.0 + lb[k]):
            taken = c[k]
        paid = amount / pd[j]
        if amount >= d[j] * pd[j]:
            paid = d[j]
        c[k] -= taken
        d[j] -= paid
        seized[k] += taken
        repaid[j] += paid
        cash[0] += amount
        cash[1] += taken * pc[k]
        cash[2] += amount * lb[k] * fee[k]
        left = 0.0
        for a in range(assets):
            left += c[a]
        if left == 0.0:
            for a in range(assets):
                deficit[a] += d[a]
                d[a] = 0.0


@kernel
def sums(c, d, down, up, lt, own, start, secured, total):
    """``Σ C_i·LT_i`` and ``D`` at every sub-step from `start` on, over the assets `own`.

    An account may be closed where the first is under the second.
    """
    stop = down.shape[1]
    secured[start:stop] = 0.0
    total[start:stop] = 0.0
    for a in own:
        held, lent, weight = c[a], d[a], lt[a]
        for s in range(start, stop):
            secured[s] += held * (down[a, s] * weight)
            total[s] += lent * up[a, s]


@kernel
def shortfall(c, d, pc, pd, own):
    """``max(0, D − C)`` in dollars."""
    worth, total = 0.0, 0.0
    for a in own:
        worth += c[a] * pc[a]
        total += d[a] * pd[a]
    return max(0.0, total - worth)


@kernel
def lowest(secured, total, start):
    """Sub-step from `start` on at which the health factor is lowest."""
    found = start
    for s in range(start + 1, len(secured)):
        if secured[s] * total[found] < secured[found] * total[s]:
            found = s
    return found


@kernel
def bar_path(opening, low, close, down, up) -> None:
    """Prices inside a bar, asset × sub-steps + 1: `down` for collateral, `up` for what is owed.

    Collateral runs at a constant log rate from the last close to the low at half time and on to
    the close; what is owed runs straight from close to close.  Rounding must not carry a path
    beyond its ends, for the pruning rests on them.
    """
    steps = down.shape[1] - 1
    half = steps // 2
    for a in range(len(opening)):
        fall = (low[a] / opening[a]) ** (1.0 / half)
        rise = (close[a] / low[a]) ** (1.0 / (steps - half))
        drift = (close[a] / opening[a]) ** (1.0 / steps)
        highest = max(opening[a], close[a])
        down[a, 0], up[a, 0] = opening[a], opening[a]
        for s in range(1, steps):
            down[a, s] = max(low[a], down[a, s - 1] * (fall if s <= half else rise))
            up[a, s] = min(highest, up[a, s - 1] * drift)
            if s == half:
                down[a, s] = low[a]
        down[a, steps], up[a, steps] = close[a], close[a]


@kernel
def serve_at_breach(c, d, down, up, s, lt, lb, fee, rules, lost, seized, repaid, cash):
    """Serve at health 1 between sub-steps s − 1 and s, again where it falls on; returns calls.

    Prices are linear inside a sub-step, so the crossing has a closed form.
    """
    pc, pd = down[:, s - 1].copy(), up[:, s - 1].copy()
    calls = 0
    while True:
        before, now = 0.0, 0.0
        for a in range(len(c)):
            before += c[a] * (pc[a] * lt[a]) - d[a] * pd[a]
            now += c[a] * (down[a, s] * lt[a]) - d[a] * up[a, s]
        if now >= 0.0:
            return calls
        before = max(0.0, before)
        share = min(1.0, before / (before - now) * (1.0 + 1e-9))  # a hair beyond, to be under 1
        for a in range(len(c)):
            pc[a] += share * (down[a, s] - pc[a])
            pd[a] += share * (up[a, s] - pd[a])
        made = serve(c, d, pc, pd, lt, lb, fee, rules, lost, seized, repaid, cash)
        if made == 0 and share < 1.0:  # rounding left it healthy: the sub-step hardly moves
            pc[:], pd[:] = down[:, s], up[:, s]
            made = serve(c, d, pc, pd, lt, lb, fee, rules, lost, seized, repaid, cash)
        if made == 0:
            return calls
        calls += made


@kernel
def premature(c, d, close, low, lt, every, start, within):
    """Whether the untouched account stays solvent and is back above 1 at a close, in time."""
    for t in range(start, min(start + within, len(close))):
        if shortfall(c, d, low[t], close[t], every) > 0.0:
            return False
        secured, total = 0.0, 0.0
        for a in every:
            secured += c[a] * (close[t, a] * lt[a])
            total += d[a] * close[t, a]
        if secured >= total:
            return True
    return False


@kernel
def replay(
    collateral, debt, close, low, lt, lb, fee, rules,
    bars, steps, delay, fill, within, prune,
    account, units, by_bar,
):  # fmt: skip
    """Run a cohort through `bars` bars; row 0 of `close` is the opening, more rows may follow.

    `collateral` and `debt` (account × asset) end as what is left.  Zero on entry are `account`
    (account × `ACCOUNT`), `units` (seized, repaid, deficit × asset) and `by_bar` (bar ×
    liquidated, deficit, paper loss at the low), all dollars but for `units`.
    """
    accounts, assets = collateral.shape
    half = steps // 2
    path = np.empty((bars + 1, 2, assets, steps + 1))
    drawn = np.zeros(bars + 1, dtype=np.bool_)
    blocks = (bars + BLOCK - 1) // BLOCK
    floor, ceiling = np.full((blocks, assets), np.inf), np.zeros((blocks, assets))
    for t in range(1, bars + 1):
        b = (t - 1) // BLOCK
        for a in range(assets):
            floor[b, a] = min(floor[b, a], low[t, a] * lt[a])
            ceiling[b, a] = max(ceiling[b, a], close[t - 1, a], close[t, a])
    held, lent = np.empty((assets, LANE)), np.empty((assets, LANE))
    cover, burden = np.empty(LANE), np.empty(LANE)
    due = np.empty(LANE, dtype=np.int64)  # sub-step of the service; −1: none is due
    backed, total = np.empty(steps + 1), np.empty(steps + 1)
    c, d, lost, cash = np.empty(assets), np.empty(assets), np.empty(assets), np.empty(3)
    pc, pd = np.empty(assets), np.empty(assets)
    every, used = np.arange(assets), np.empty(assets, dtype=np.int64)

    for lane in range(0, accounts, LANE):
        width = min(LANE, accounts - lane)
        due[:] = -1
        for i in range(width):
            for a in range(assets):
                held[a, i], lent[a, i] = collateral[lane + i, a], debt[lane + i, a]
        for b in range(blocks):
            cover[:] = 0.0
            burden[:] = 0.0
            for a in range(assets):
                worst, dear = floor[b, a], ceiling[b, a]
                for i in range(width):
                    cover[i] += held[a, i] * worst
                    burden[i] += lent[a, i] * dear
            for i in range(width):
                n = lane + i
                if prune and cover[i] >= burden[i] and due[i] < 0:
                    continue
                count = 0
                for a in range(assets):
                    c[a], d[a] = held[a, i], lent[a, i]
                    if c[a] > 0.0 or d[a] > 0.0:
                        used[count] = a
                        count += 1
                own = used[:count]
                for t in range(1 + b * BLOCK, min(1 + (b + 1) * BLOCK, bars + 1)):
                    if prune and due[i] < 0:
                        least, dear = 0.0, 0.0
                        for a in own:
                            least += c[a] * (low[t, a] * lt[a])
                            dear += d[a] * max(close[t - 1, a], close[t, a])
                        if least >= dear:
                            continue
                    if not drawn[t]:
                        bar_path(close[t - 1], low[t], close[t], path[t, 0], path[t, 1])
                        drawn[t] = True
                    down, up = path[t, 0], path[t, 1]
                    sums(c, d, down, up, lt, own, 0, backed, total)
                    for s in range(1, steps + 1):
                        if backed[s] >= total[s]:
                            due[i] = -1
                        elif due[i] < 0:
                            due[i] = s + delay
                            if fill == BREACH:
                                due[i] = s
                            elif fill == LOW:
                                due[i] = lowest(backed, total, s)
                            before, now = backed[s - 1] - total[s - 1], backed[s] - total[s]
                            if account[n, CALLS] == 0.0 and (before >= 0.0 or (t == 1 and s == 1)):
                                share = max(0.0, before) / (max(0.0, before) - now)
                                account[n, SINCE] = (t - 1) * steps + s - 1 + share
                        if due[i] == s:
                            due[i] = -1
                            lost[:] = 0.0
                            cash[:] = 0.0
                            if fill == BREACH:
                                calls = serve_at_breach(
                                    c, d, down, up, s, lt, lb, fee, rules,
                                    lost, units[0], units[1], cash,
                                )  # fmt: skip
                            else:
                                pc[:], pd[:] = down[:, s], up[:, s]
                                calls = serve(
                                    c, d, pc, pd, lt, lb, fee, rules,
                                    lost, units[0], units[1], cash,
                                )  # fmt: skip
                            if account[n, CALLS] == 0.0 and calls > 0:
                                account[n, BAR] = t
                                if fill != BREACH:
                                    account[n, WAIT] = (t - 1) * steps + s - account[n, SINCE]
                            account[n, CALLS] += calls
                            account[n, REPAID] += cash[0]
                            account[n, SEIZED] += cash[1]
                            account[n, FEE] += cash[2]
                            by_bar[t - 1, 0] += cash[1]
                            for a in own:
                                units[2, a] += lost[a]
                                account[n, DEFICIT] += lost[a] * close[t, a]
                                by_bar[t - 1, 1] += lost[a] * close[t, a]
                            sums(c, d, down, up, lt, own, s, backed, total)
                        if s == half and backed[s] < total[s]:
                            by_bar[t - 1, 2] += shortfall(c, d, down[:, s], up[:, s], own)
                    if due[i] > 0:
                        due[i] -= steps
                    if t == bars:
                        account[n, UNDER] = shortfall(c, d, close[t], close[t], own)
                for a in range(assets):
                    held[a, i], lent[a, i] = c[a], d[a]
        for i in range(width):
            n = lane + i
            if account[n, CALLS] > 0.0:
                start = int(account[n, BAR])
                c[:], d[:] = collateral[n], debt[n]
                if premature(c, d, close, low, lt, every, start, within):
                    account[n, PREMATURE] = 1.0
                for a in range(assets):
                    collateral[n, a], debt[n, a] = held[a, i], lent[a, i]


def warm_up() -> None:
    """Compile `replay`, and with it all of this module, for the types that it is called with."""
    collateral, debt = np.ones((1, 1)), np.zeros((1, 1))
    prices, zero = np.ones((2, 1)), np.zeros(1)
    account, units, by_bar = np.zeros((1, len(ACCOUNT))), np.zeros((3, 1)), np.zeros((1, 3))
    rules = np.array([0.5, 0.95, 2_000.0, 1_000.0])
    replay(
        collateral, debt, prices, prices, zero, zero, zero, rules,
        1, 24, 0, PATH, 1, True, account, units, by_bar,
    )  # fmt: skip
