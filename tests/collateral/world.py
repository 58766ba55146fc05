"""A small synthetic world: the bundled universe, made-up prices of its assets."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from xcoll.collateral import addons, universe
from xcoll.collateral.history import History
from xcoll.estimators import volatility

DATA = Path(__file__).parents[2] / "data"


def load(name):
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


UNIVERSE = universe.parse(load("universe.yaml"))
ADDONS = addons.parse(load("addons.yaml"))
MULTIPLES = pd.DataFrame(
    {"forecast": [2.7, 2.05, 0.9], "long_run": [2.7, 2.05, 1.2]}, ["1h", "4h", "24h"]
)


def history(bars=420, seed=1, draws=1, start="2021-01-01", assets=None):
    """Returns of t law with one factor; stablecoins stay within a hair of their peg."""
    rng = np.random.default_rng(seed)
    names = list(UNIVERSE.priced if assets is None else assets)
    index = pd.date_range(start, periods=bars, freq="D")
    factor = rng.standard_t(4, (bars, 1))
    own = rng.standard_t(4, (bars, len(names)))
    returns = pd.DataFrame(0.02 * (0.7 * factor + 0.7 * own), index, names)
    for coin in UNIVERSE.stablecoins:
        if coin in returns:
            returns[coin] = 0.001 * rng.standard_normal(bars)
    wick = 0.005 * rng.exponential(size=(draws, *returns.shape))
    pegged = returns.columns.isin(UNIVERSE.stablecoins)
    lows = tuple(returns.clip(upper=0.0) - np.where(pegged, 0.0, one) for one in wick)
    return History(returns, lows, volatility.ewma(returns))
