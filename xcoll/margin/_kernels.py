# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Compiled loops of portfolio margin: instruments in scenarios, and what accounts make of them.

Arrays are float64 and C-contiguous, whole numbers int64.  Each has a plain twin in the tests.

The normal distribution is a table of its Taylor polynomials: at most 1/64 from a point the eighth
term is under 1e-16, so that N is right to the last digits of 1.0 and needs no exponential.  Its
far tail is right in dollars, not in its own digits; `options.black` has these.
"""

import math

import numpy as np
from scipy.special import ndtr

from xcoll._jit import kernel

__all__ = ["allocate", "profiles", "reprice", "warm_up"]

END, STEPS, TERMS = 8.5, 32, 8  # N is 0 or 1 beyond ±END; points a unit; terms a point


def table() -> np.ndarray:
    """Taylor coefficients of N around each point: ``N⁽ⁿ⁾/n!`` by the Hermite recurrence."""
    x = np.arange(-END * STEPS, END * STEPS + 1.0) / STEPS
    density = np.exp(-0.5 * x**2) / math.sqrt(2.0 * math.pi)
    hermite = [np.ones_like(x), x]
    for n in range(1, TERMS - 2):
        hermite.append(x * hermite[n] - n * hermite[n - 1])
    terms = [ndtr(x)]
    for n in range(1, TERMS):
        terms.append((-1.0) ** (n - 1) * hermite[n - 1] * density / math.factorial(n))
    return np.ascontiguousarray(np.column_stack(terms))


NORMAL = table()


@kernel
def cumulative(x):
    """N(x), to about 1e-16."""
    if x >= END:
        return 1.0
    if x <= -END:
        return 0.0
    place = int((x + END) * STEPS + 0.5)
    h = x - (place / STEPS - END)
    found = NORMAL[place, TERMS - 1]
    for n in range(TERMS - 2, -1, -1):
        found = found * h + NORMAL[place, n]
    return found


@kernel
def reprice(group, right, strike, sigma, floor, forward, level, factor, root, value):
    """Fill instrument × scenario with dollars a unit.

    group : of each instrument; right : 1 call, −1 put, 0 linear; floor : least volatility by
    scenario before its factor; forward, level : group × scenario, dollars and their logarithm;
    factor : group × scenario, of the volatility; root : √T by group.
    """
    scenarios = value.shape[1]
    for i in range(len(group)):
        g, K = group[i], strike[i]
        if right[i] == 0.0:
            for s in range(scenarios):
                value[i, s] = forward[g, s]
            continue
        up, k = right[i] > 0.0, math.log(K)
        for s in range(scenarios):
            F, vol = forward[g, s], max(sigma[i], floor[s]) * factor[g, s] * root[g]
            if vol <= 0.0:
                value[i, s] = max(F - K, 0.0) if up else max(K - F, 0.0)
                continue
            x = (level[g, s] - k) / vol
            d, e = x + 0.5 * vol, x - 0.5 * vol  # e = d − vol is no number where vol is infinite
            if up:
                value[i, s] = F * cumulative(d) - K * cumulative(e)
            else:
                value[i, s] = K * cumulative(-e) - F * cumulative(-d)


@kernel
def profiles(row, group, instrument, quantity, right, value, mark, discount, gain):
    """Add up what rows gain in each scenario, into row × scenario.

    row, group, instrument, quantity : by position, those of one row and group side by side.
    right, mark : by instrument; value : instrument × scenario; discount : by group, what a positive
    value of its options is multiplied by.
    """
    scenarios, positions = value.shape[1], len(row)
    total = np.empty(scenarios)
    p = 0
    while p < positions:
        r, g, now = row[p], group[p], 0.0
        kept = discount[g] == 1.0
        total[:] = 0.0
        while p < positions and row[p] == r and group[p] == g:
            i, q = instrument[p], quantity[p]
            if kept or right[i] == 0.0:
                for s in range(scenarios):
                    gain[r, s] += q * (value[i, s] - mark[i])
            else:
                now += q * mark[i]
                for s in range(scenarios):
                    total[s] += q * value[i, s]
            p += 1
        if not kept:
            for s in range(scenarios):
                worth = total[s] * discount[g] if total[s] > 0.0 else total[s]
                gain[r, s] += worth - now


@kernel
def allocate(row, group, instrument, quantity, right, value, mark, discount, weight, share):
    """Add what each position gains in the scenarios that its row weighs, into `share` by position.

    weight : row × scenario; the rest as in `profiles`, whose gains times `weight` are the sum over
    a row.
    """
    scenarios, positions = value.shape[1], len(row)
    total = np.empty(scenarios)
    p = 0
    while p < positions:
        r, g, first = row[p], group[p], p
        kept = discount[g] == 1.0
        total[:] = 0.0
        while p < positions and row[p] == r and group[p] == g:
            if not kept and right[instrument[p]] != 0.0:
                for s in range(scenarios):
                    total[s] += quantity[p] * value[instrument[p], s]
            p += 1
        for j in range(first, p):
            i, found = instrument[j], 0.0
            for s in range(scenarios):
                scale = discount[g] if total[s] > 0.0 and right[i] != 0.0 else 1.0
                found += weight[r, s] * (scale * value[i, s] - mark[i])
            share[j] += quantity[j] * found


def warm_up() -> None:
    """Compile this module for the types that it is called with."""
    one, none, two = np.ones(1), np.zeros(1, np.int64), np.ones((1, 1))
    value = np.zeros((1, 1))
    reprice(none, one, one, one, one, two, two, two, one, value)
    positions = none, none, none, one, one, value, one, one
    profiles(*positions, np.zeros((1, 1)))
    allocate(*positions, two, np.zeros(1))
