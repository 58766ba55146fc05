"""Plain twins of the margin rules: loops over legs, written from the published formulas."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr

__all__ = ["Leg", "black", "deribit", "legs", "pmrm"]


class Leg(NamedTuple):
    kind: str
    expiry: pd.Timestamp
    T: float
    K: float
    right: str
    q: float
    F: float
    sigma: float
    mark: float


def black(F, K, sigma, T, right):
    """Black (1976), undiscounted, in its textbook form."""
    if sigma * math.sqrt(T) <= 0.0:
        return max(F - K, 0.0) if right == "call" else max(K - F, 0.0)
    s = sigma * math.sqrt(T)
    d = (math.log(F) - math.log(K)) / s + 0.5 * s
    if right == "call":
        return F * ndtr(d) - K * ndtr(d - s)
    return K * ndtr(s - d) - F * ndtr(-d)


def legs(book, market, account, asset):
    """The positions of one account on one asset, marked by the words of the market."""
    found = []
    for position in book.frame().itertuples():
        row = book.instruments.frame.loc[position.instrument]
        if position.account != account or row["asset"] != asset:
            continue
        F, T, sigma = market.spot[asset], math.nan, math.nan
        if row["kind"] == "perpetual":
            F *= 1.0 + market.premium.get(asset, 0.0)
        if not pd.isna(row["expiry"]):
            T = (row["expiry"] - market.time).total_seconds() / (365 * 86_400)
            carry = market.carry
            if isinstance(carry, pd.DataFrame):
                rate = np.interp(T, carry.index, carry[asset])
            else:
                rate = carry[asset] if isinstance(carry, pd.Series) else carry
            F *= math.exp(rate * T)
        mark = F
        if row["kind"] == "option":
            sigma = float(market.surfaces[asset].sigma(T, math.log(row["strike"] / F)))
            mark = black(F, row["strike"], sigma, T, row["right"])
        leg = row["kind"], row["expiry"], T, row["strike"], row["right"], position.quantity
        found.append(Leg(*leg, F, sigma, mark))
    return found


def expiries(held):
    """Options by expiry."""
    found = {}
    for leg in held:
        if leg.kind == "option":
            found.setdefault(leg.expiry, []).append(leg)
    return list(found.values())


def worth(options, move, factor, floor=0.0):
    return sum(
        leg.q * black(leg.F * (1 + move), leg.K, max(leg.sigma, floor) * factor, leg.T, leg.right)
        for leg in options
    )


def marked(options):
    return sum(leg.q * leg.mark for leg in options)


def states(T, up, down):
    """Factors of the volatility of an expiry in the three states of a grid."""
    power = 0.30 if T <= 30 / 365 else 0.13
    tau = ((30 / 365) / max(T, 1 / 365)) ** power
    return {"up": 1 + up * tau, "same": 1.0, "down": max(0.0, 1 - down * tau)}


def pmrm(held, S, r, confidence=1.0, usdc=1.0):
    """Derive's PMRM for one asset: maintenance and initial requirement."""
    linear = [leg for leg in held if leg.kind != "option"]
    basis = 0.0
    for options in expiries(held):
        now, T = marked(options), options[0].T
        worse = min(worth(options, move, 1.0) - now for move in (-0.05, 0.05))
        basis += min(worse, 0.0) * (0.25 + 0.01 * T)
    worst = basis
    for step in (-3, -2, -1, 0, 1, 2, 3):
        for state in ("up", "same", "down"):
            move = 0.05 * step
            gain = sum(leg.q * leg.F * move for leg in linear)
            for options in expiries(held):
                T = options[0].T
                value = worth(options, move, states(T, 0.45, 0.30)[state])
                if value > 0.0:
                    value *= 0.95 * math.exp(-T * (4.0 * max(r, 0.0) + 0.05))
                gain += value - marked(options)
            worst = min(worst, gain)
    net = {}
    for leg in held:
        if leg.kind == "option":
            net[leg.expiry, leg.K] = net.get((leg.expiry, leg.K), 0.0) + leg.q
    naked = sum(max(-units, 0.0) for units in net.values())
    pledged = sum(abs(leg.q) for leg in held if leg.kind in ("perpetual", "spot"))
    maintenance = -worst + 0.01 * naked * S + 0.02 * pledged * S
    initial = (1.3 + 2.0 * max(0.0, 0.98 - usdc)) * maintenance
    if confidence < 0.6:
        amount = sum(abs(leg.q) for leg in held if leg.kind != "future")
        initial += (1.0 - confidence) * 0.5 * amount * S
    return maintenance, initial


EXTENDED = (-0.66, -0.33, 0.50, 1.00, 2.00, 3.00, 4.00, 5.00)


def deribit(held, S, width, up):
    """The grid of Deribit's portfolio margin for one asset: maintenance and initial."""
    linear = [leg for leg in held if leg.kind != "option"]

    def gain(move, state, floor):
        found = sum(leg.q * leg.F * move for leg in linear)
        for options in expiries(held):
            factor = states(options[0].T, up, 0.25)[state]
            found += worth(options, move, factor, floor) - marked(options)
        return found

    worst = 0.0
    for step in range(-4, 5):
        for state in ("up", "same", "down"):
            worst = min(worst, gain(step * width / 4, state, 0.5 if state == "up" else 0.0))
    for move in EXTENDED:
        counted = gain(move, "up", 0.5) * width / abs(move)
        dampened = min((abs(move) / width - 1.0) * 100_000, abs(counted))
        worst = min(worst, counted - math.copysign(dampened, counted))
    net = {}
    for leg in linear:
        line = leg.kind if leg.kind != "future" else leg.expiry
        net[line] = net.get(line, 0.0) + leg.q
    long = sum(max(units, 0.0) for units in net.values())
    short = sum(max(-units, 0.0) for units in net.values())
    maintenance = -worst + 0.01 * min(long, short) * S
    return maintenance, 1.25 * maintenance
