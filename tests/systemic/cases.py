"""Systems and episodes made of the books, markets, engines and worlds of the plain replay."""

from dataclasses import replace

import numpy as np
import pandas as pd

from tests.liquidation.cases import ASSETS, RATES, book_for, frames, market
from xcoll.liquidation.replay import Conduct, replay
from xcoll.liquidation.timeline import timeline
from xcoll.liquidation.world import World
from xcoll.systemic.episode import Episode
from xcoll.systemic.system import System, Venue

__all__ = ["episode_of", "market_from_one", "plain", "system_of", "venue_of"]


def market_from_one(seed, bars=8, volatility=0.09):
    """Closes and lows that open at 1."""
    close, low = market(np.random.default_rng(seed), bars, volatility)
    low, close = low / close[0], close / close[0]
    return close, np.minimum(low, close)


def episode_of(close, low, steps, world, bar="1D"):
    """The episode of closes and lows, with the depth of the world's path."""
    line = timeline(close, low, pd.Timedelta(bar), steps, World(), ASSETS)
    depth = np.ones((1, 1))
    if world.depth is not None and world.depth.path is not None:
        times = frames(close, low)[0].index
        by_bar = world.depth.by_bar(times, ASSETS)
        depth = np.vstack([by_bar[:1], np.repeat(by_bar[1:], steps, axis=0)])
    return Episode(ASSETS, line.market, line.due, line.step, steps, depth=depth)


def venue_of(name, engine, seed, accounts=60):
    book = book_for(engine, np.random.default_rng(seed), accounts)
    return Venue(name, book, RATES, engine)


def system_of(venues, world):
    """The system in the world, whose depth on a path went into the episode."""
    if world.depth is not None:
        world = replace(world, depth=replace(world.depth, path=None))
    return System(venues, world)


def plain(venue, close, low, steps, world):
    """The venue's own replay over the same prices."""
    conduct = Conduct(venue.engine, world, steps=steps, prune=False)
    return replay(venue.book, *frames(close, low), venue.parameters, conduct)
