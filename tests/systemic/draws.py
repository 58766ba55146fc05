"""Systems and episodes drawn at random: venues that share depth, capital, users and prices."""

from dataclasses import replace

import numpy as np
import pandas as pd

from tests.liquidation.cases import ASSETS, ENGINES, RATES, book_for
from tests.liquidation.draws import draw_depth, draw_world, shrunk
from tests.systemic import small
from tests.systemic.cases import market_from_one
from xcoll.collateral.accounts import Book
from xcoll.liquidation.timeline import timeline
from xcoll.liquidation.world import Oracle, World
from xcoll.systemic.claims import Claims, Receipt
from xcoll.systemic.episode import Episode
from xcoll.systemic.system import Breakers, Impact, System, Venue

__all__ = ["draw_episode", "draw_system"]


def draw_breakers(rng):
    """Each with a chance of its own."""
    given = {}
    if rng.random() < 0.5:
        given["pause"] = float(rng.choice([0.04, 0.11, 0.23]))
    if rng.random() < 0.3:
        given["stop"] = float(rng.choice([0.013, 0.0713]))
    if rng.random() < 0.5:
        given["freeze"] = float(rng.choice([0.03, 0.17]))
    if rng.random() < 0.5:
        given["cap"] = float(rng.choice([41.7, 907.3, 20_011.0]))
    window, last = rng.choice(["1h", "5h", "2D"]), rng.choice(["1h", "7h", "30h"])
    return Breakers(window=str(window), last=str(last), **given)


def draw_oracle(rng):
    if rng.random() < 0.5:
        return None
    lag, beat = rng.choice([None, "90min", "5h"]), rng.choice([None, "6h"])
    return Oracle(lag, float(rng.choice([0.0, 0.01, 0.05])), beat)


def draw_claims(rng, names):
    """S is what most owe; A and B may be claims on C and S, C the receipt of a pool."""
    behind, receipts = {}, {}
    if rng.random() < 0.4:
        behind["B"] = {"C": float(rng.uniform(0.5, 1.5))}
    if rng.random() < 0.3:
        behind["A"] = {"B": float(rng.uniform(1.5, 3.0)), "S": -float(rng.uniform(0.2, 1.0))}
    if rng.random() < 0.4:
        receipts["C"] = Receipt(str(rng.choice(names)), float(10 ** rng.uniform(3, 6)))
    return Claims(behind, receipts)


def draw_venue(rng, number, prices, accounts, users, quick):
    name = str(rng.choice(list(ENGINES)))
    engine = ENGINES[name]
    book = shrunk(rng, book_for(engine, rng, accounts), rng.choice([(0, 0), (-3, 1)]))
    held, debt = book.collateral, book.debt
    if engine.form == "euler":  # of two collaterals with one discount rounding would choose
        only = np.where(held == held.max(axis=1, keepdims=True), held, 0.0)
        lt = RATES.frame["threshold"].to_numpy()
        held, debt = only, debt * ((only @ lt) / (held @ lt))[:, None]
    if rng.random() < 0.5:  # crowded: one sale brings the next account to its level
        owed = debt.sum(axis=1)
        health = held @ RATES.frame["threshold"] / np.where(owed > 0, owed, np.inf)
        debt = debt * np.where(owed > 0, health / (1 + 0.1 * (health - 1)), 1.0)[:, None]
    book = Book(ASSETS, held / prices, debt / prices, book.ids)
    borrow_to = None
    if rng.random() < 0.3:
        borrow_to = np.where(rng.random(accounts) < 0.5, rng.uniform(1.05, 1.4, accounts), np.inf)
    oracle = None if quick and rng.random() < 0.7 else draw_oracle(rng)
    return Venue(
        f"{name} {number}", book, RATES, engine, oracle,
        draw_breakers(rng) if rng.random() < 0.5 else Breakers(),
        rng.integers(0, 12, accounts) if users else None, borrow_to,
    )  # fmt: skip


def draw_impact(rng, depth, held):
    """The order books that sales are served from, or others that fill up as fast.

    `held` is dollars by asset: most books are such that a sale of all of it would move the price
    by half of it or more.
    """
    if rng.random() < 0.7:
        dollars = (held + 1.0) * 10 ** rng.uniform(-1.0, 0.3, 4)
        made = small.line(dict(zip(ASSETS, dollars, strict=True)))
        made = replace(made, replenish=float(rng.choice([0.0, 0.02, 0.2])))
    else:
        made = draw_depth(rng)
        if depth is not None and rng.random() < 0.5:
            made = depth
    if depth is not None:
        made = replace(made, replenish=depth.replenish)
    lasting, memory = rng.choice([0.0, 2 / 3, 1.0]), rng.choice(["1h", "1D", "30D"])
    return Impact(replace(made, path=None), float(lasting), str(memory))


def draw_system(rng, accounts=None):
    """One to four venues of any engine in any world."""
    world = draw_world(rng)
    if world.depth is not None:
        world = replace(world, depth=replace(world.depth, path=None))
    quick = rng.random() < 0.6
    if quick:  # keepers are there in the round in which they are called: cascades inside a step
        keepers = replace(world.keepers, response=None, gas=float(rng.choice([0.0, 1.37])))
        depth = world.depth if rng.random() < 0.2 else None
        world = replace(world, keepers=keepers, oracle=Oracle(), depth=depth)
    prices = 10 ** rng.uniform(-2, 4, 4) if rng.random() < 0.5 else np.ones(4)
    users, count = rng.random() < 0.4, int(rng.integers(1, 5))
    accounts = accounts or int(rng.choice([1, 4, 20]))
    venues = [draw_venue(rng, n, prices, accounts, users, quick) for n in range(count)]
    held = sum(venue.book.collateral.sum(axis=0) for venue in venues) * prices
    impact = draw_impact(rng, world.depth, held) if rng.random() < 0.85 else None
    names = [venue.name for venue in venues]
    claims = draw_claims(rng, names) if rng.random() < 0.5 else Claims()
    return System(venues, world, impact, claims, pd.Series(prices, ASSETS))


def some(rng, chance, shape, values):
    """`values` where it happens, elsewhere what they are without: an array of full shape."""
    usual, unusual = values
    return np.where(rng.random(shape) < chance, rng.choice(unusual, shape), usual)


def draw_episode(rng, system):
    """Prices inside bars or closes alone, and what else may come from outside."""
    steps = int(rng.choice([1, 24]))
    bars = int(rng.integers(1, 4)) if steps > 1 else int(rng.integers(2, 30))
    volatility = float(rng.choice([0.01, 0.03, 0.09, 0.25]))
    close, low = market_from_one(int(rng.integers(2**31)), bars, volatility)
    bar = pd.Timedelta(str(rng.choice(["1D", "4h"])))
    line = timeline(close, low, bar, steps, World(), ASSETS)
    market, due = line.market, line.due
    if rng.random() < 0.3:  # an episode may end inside a bar
        rows = int(rng.integers(2, len(market) + 1))
        market, due = market[:rows], due[:rows]
    rows, names = len(market), [v.name for v in system.venues if rng.random() < 0.6]
    V, changes = max(1, len(names)), {}
    if rng.random() < 0.4:
        by_bar = 10 ** rng.uniform(-1.5, 0.5, (bars, 4))
        changes["depth"] = np.vstack([np.ones((1, 4)), np.repeat(by_bar, steps, axis=0)])[:rows]
    if rng.random() < 0.3:
        changes["gas"] = some(rng, 0.2, rows, (1.0, [0.0, 7.1, 100.3]))
    if rng.random() < 0.4:
        changes["feed"] = some(rng, 0.2, (V, rows, 4), (1.0, [np.nan, 0.93, 1.07]))
    if rng.random() < 0.3:
        changes["shut"] = rng.random((V, rows, 4)) < rng.choice([0.1, 0.6])
    if rng.random() < 0.3:
        changes["delay"] = some(rng, 0.4, (V, 4), (0, [1, 5]))
    if rng.random() < 0.3:
        changes["lost"] = some(rng, 0.1, (V, rows), (0.0, [0.01, 0.1]))
    # A defaulted account leaves an exchange in ever smaller sales, down to rounding.
    sells = any(venue.engine.form == "exchange" for venue in system.venues)
    if rng.random() < 0.3 and not sells and system.world.borrowers is None:
        rise = np.cumsum(some(rng, 0.1, rows, (0.0, [0.05, 0.2])))
        changes["default"] = np.minimum(rise, 1.0)
    return Episode(
        ASSETS, market, due, line.step, steps, names,
        attentive=float(rng.choice([1.0, 1.0, 0.5])), capital=float(rng.choice([1.0, 1.0, 0.3])),
        **changes,
    )  # fmt: skip
