"""A process with known parameters, and a history with lows."""

import numpy as np
import pandas as pd

from tests.estimators.samples import draw
from xcoll.estimators.scenarios import GarchDcc, Jumps

ASSETS = ["BTC", "ETH", "XRP"]
SIGMA = pd.Series([0.02, 0.05, 0.10], ASSETS)  # far from one another and from their squares


def square(values, assets=ASSETS):
    return pd.DataFrame(values, assets, assets)


Q_BAR = square([[1.0, 0.7, 0.4], [0.7, 1.1, 0.5], [0.4, 0.5, 0.9]])
Q_NOW = square([[1.6, 0.9, 0.8], [0.9, 1.2, 0.2], [0.8, 0.2, 1.3]])
JUMPS = Jumps(0.02, np.array([0.6, 1.0, 1.4]), pd.Series([-3.0, -4.0, -2.5], ASSETS))


def garch(alpha=0.08, gamma=0.0, beta=0.9, level=SIGMA):
    """Parameters whose long-run volatility is `level`."""
    omega = level**2 * (1.0 - alpha - gamma / 2 - beta)
    return pd.DataFrame({"omega": omega, "alpha": alpha, "gamma": gamma, "beta": beta})


def process(**changes):
    given = {
        "garch": garch(),
        "sigma_now": SIGMA,
        "a": 0.05,
        "b": 0.9,
        "nu": 9.0,
        "Q_bar": Q_BAR,
        "Q_now": Q_NOW,
    }
    return GarchDcc(**given | changes)


def bars(n=400, seed=0, nu=5.0):
    """Returns and log lows of a joint t law; the excess over the close is that of a common day."""
    returns = draw(n, 0.6, seed, nu, ASSETS)
    wick = np.random.default_rng(seed + 1).gamma(0.5, 0.02, (n, 1))
    return returns, returns.clip(upper=0.0) - wick * [1.0, 1.5, 2.0]
