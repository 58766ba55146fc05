"""Worlds and cases drawn at random: hard ones, in which limits bind and accounts wait."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tests.liquidation.cases import (
    ASSETS,
    ENGINES,
    RATES,
    book_for,
    frames,
    market,
    moving,
    scales,
)
from tests.liquidation.twin import simulate
from xcoll.collateral.accounts import Book
from xcoll.collateral.liquidity import Linear, SquareRoot
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.replay import Conduct, replay
from xcoll.liquidation.world import ORDERS, Borrowers, Keepers, Oracle, World

__all__ = ["Case", "daily", "draw_case", "draw_world", "jumpy", "parched"]

# Numbers are odd: where margin, gas and bonus are round, whether a call pays can hang on rounding.
GAS = (0.0, 0.0, 1.37, 20.3, 301.7, 5_003.1, 1e7)
CAPITAL = (np.inf, np.inf, 307.3, 5_003.7, 50_021.0)


@dataclass(frozen=True)
class Case:
    """Everything that a replay is made of."""

    book: Book
    close: pd.DataFrame
    low: pd.DataFrame
    conduct: Conduct
    bars: int
    thresholds: pd.DataFrame | None = None
    scale: np.ndarray | None = None

    def replay(self, **changes):
        return self.run(replay, **changes)

    def simulate(self, **changes):
        return self.run(simulate, **changes)

    def run(self, how, **changes):
        conduct = replace(self.conduct, **changes)
        prices, rest = (self.close, self.low), (self.bars, self.thresholds, self.scale)
        return how(self.book, *prices, RATES, conduct, *rest)


def daily(engine, world, accounts=20):
    """Five bars of 24 steps."""
    rng = np.random.default_rng(20)
    close, low = frames(*market(rng, 9, 0.2))
    book = book_for(engine, rng, accounts)
    return Case(book, close, low, Conduct(engine, world), 5)


def jumpy(engine, world, accounts=30):
    """Closes only, which jump, under moving thresholds and with a scale an account: deficits."""
    rng = np.random.default_rng(10)
    close, low = frames(*market(rng, 25, 0.16))
    book, conduct = book_for(engine, rng, accounts), Conduct(engine, world, steps=1)
    return Case(book, close, low, conduct, 24, moving(close), scales(rng, accounts))


def draw_world(rng):
    oracle = Oracle()
    if rng.random() < 0.5:
        lag, beat = rng.choice([None, "90min", "5h"]), rng.choice([None, "6h"])
        oracle = Oracle(lag, float(rng.choice([0.0, 0.01, 0.05])), beat)
    response, margin = rng.choice([None, None, "2h", "9h"]), rng.choice([0.0, 0.0, 0.011, 0.043])
    keepers = Keepers(
        response,
        float(margin),
        float(rng.choice(GAS)),
        float(rng.choice(CAPITAL)),
        str(rng.choice(ORDERS)),
    )
    depth = draw_depth(rng) if rng.random() < 0.6 else None
    borrowers = draw_borrowers(rng) if rng.random() < 0.5 else None
    interest = {"S": rng.uniform(0, 4), "B": rng.uniform(0, 2)} if rng.random() < 0.4 else {}
    return World(oracle, keepers, depth, borrowers, interest)


def draw_depth(rng):
    """From a few thousand dollars to plenty; some assets that nobody buys, some depth that ends."""
    a, b, c = 10 ** rng.uniform(3, 6, 3)
    markets = {"A": SquareRoot(0.06, a), "B": Linear(b), "C": SquareRoot(0.1, c), "S": Linear(1e8)}
    if rng.random() < 0.3:
        del markets["B"]
    path = None
    if rng.random() < 0.3:
        times = pd.date_range("2021-01-02", periods=3, freq="2D")
        path = pd.DataFrame(10 ** rng.uniform(-2, 1, (3, 2)), times, ["A", "B"])
    replenish = float(rng.choice([0.0, 0.001, 0.02, 0.2, 1.0]))
    return Depth.of(markets, replenish=replenish, path=path)


def draw_borrowers(rng):
    call = rng.uniform(1.01, 1.2)
    return Borrowers(
        call,
        call + float(rng.choice([0.01, 0.1, 0.3])),
        rng.uniform(0.3, 1.0),
        rng.choice([None, "1h", "7h", "40h"]),
        float(rng.choice([0.02, 0.1, 0.5])),
        bool(rng.random() < 0.5),
        int(rng.integers(100)),
    )


def draw_thresholds(rng, close):
    """They go down and up again, within what every engine admits under `scales`."""
    times = close.index[1::2]
    path = rng.uniform((0.60, 0.55), (0.86, 0.85), (len(times), 2))
    path[rng.random(path.shape) < 0.2] = np.nan  # no news
    return pd.DataFrame(path, times, ["A", "B"])


def shrunk(rng, book, decades):
    """The book with accounts of very different size."""
    size = 10 ** rng.uniform(*decades, (len(book), 1))
    return Book(ASSETS, book.collateral * size, book.debt * size, book.ids)


def draw_case(seed, engine=None):
    """One case of few steps for any engine."""
    rng = np.random.default_rng(seed)
    engine = ENGINES[engine or str(rng.choice(list(ENGINES)))]
    world, steps = draw_world(rng), int(rng.choice([1, 24, 24, 26]))
    accounts = int(rng.choice([1, 5, 30]))
    bars = int(rng.choice([2, 8] if steps > 1 else [12, 60]))
    prices = market(rng, bars, float(rng.choice([0.03, 0.09, 0.25])))
    close, low = frames(*prices, str(rng.choice(["D", "4h"])))
    book = shrunk(rng, book_for(engine, rng, accounts), rng.choice([(0, 0), (-4, 1)]))
    return Case(
        book,
        close,
        low,
        Conduct(engine, world, steps=steps),
        int(rng.integers(1, bars + 1)),
        draw_thresholds(rng, close) if rng.random() < 0.4 else None,
        scales(rng, accounts) if rng.random() < 0.4 else None,
    )


def parched(seed, engine, accounts=60):
    """A long case in which most who wait pay nobody, and some are paid for later on.

    Dust beside large accounts, dear gas, depth that ends and fills up again, capital that is used
    up for days, borrowers who answer while they wait, thresholds that come back.
    """
    rng = np.random.default_rng(seed)
    engine, world = ENGINES[engine], draw_world(rng)
    keepers = replace(
        world.keepers, gas=float(rng.choice([0.0, 3.3, 31.7, 303.3])), order=str(rng.choice(ORDERS))
    )
    if keepers.capital == np.inf:
        keepers = replace(keepers, capital=float(rng.choice([50.3, 707.1, 1e5, 1e15])))
    steps, bars = [(24, 33), (1, 801), (48, 18)][int(rng.integers(3))]
    volatility = rng.choice([0.02, 0.06, 0.12]) / (1 if steps > 1 else 4)
    close, low = market(rng, bars, float(volatility))
    fall = np.exp(-np.linspace(0, float(rng.choice([1.5, 0.5, 0.0])), bars + 1))
    close[:, :3] *= fall[:, None]
    low[1:, :3] *= fall[1:, None]
    close, low = frames(close, low, str(rng.choice(["D", "4h", "h"])))
    return Case(
        shrunk(rng, book_for(engine, rng, accounts), (-5, 0.5)),
        close,
        low,
        Conduct(engine, replace(world, keepers=keepers), steps=steps),
        bars,
        draw_thresholds(rng, close) if rng.random() < 0.5 else None,
        scales(rng, accounts) if rng.random() < 0.4 else None,
    )
