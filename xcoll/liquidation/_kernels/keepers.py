# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Calls of keepers at Aave, Morpho and Euler."""

from xcoll._jit import bare_kernel, inlined
from xcoll.liquidation._kernels.depth import sale_cost, sale_room, spend
from xcoll.liquidation._kernels.standing import bare, gather, is_breached, standing
from xcoll.liquidation._kernels.state import (
    AAVE,
    CAPITAL,
    CASH,
    CLEARED,
    EULER,
    GAS,
    GONE,
    HAIR,
    KEPT,
    MARGIN,
    MORPHO,
    TAKEN,
)

__all__ = ["best_rate", "serve_at_breach", "serve_by_keepers"]


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
def best_rate(rules, k):
    """Most that a dollar repaid can ever seize of k."""
    if rules.code == EULER:
        return 1.0 / (1.0 - rules.bonus[k])
    rate = 1.0 + rules.bonus[k]
    return max(rate, rules.law[4]) if rules.code == MORPHO and rules.law[0] > 0.0 else rate


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
            if desk.c[i] <= 0.0 or world.shut[i]:
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
