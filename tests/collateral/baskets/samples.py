"""Histories whose margins are known exactly, and correlations to go with them."""

import numpy as np
import pandas as pd
from scipy import stats

from xcoll.collateral import baskets
from xcoll.collateral.history import History
from xcoll.estimators import correlation, tail

SIGMA = 1e-4  # so small that a loss is minus the log return to four digits


def equicorrelated(rho, assets):
    matrix = np.full((len(assets), len(assets)), rho) + (1 - rho) * np.eye(len(assets))
    return pd.DataFrame(matrix, assets, assets)


def exact(n=2_000, law=None, assets=("A", "B"), seed=0, sigma=SIGMA):
    """Each asset has the same n quantiles of a law, in an order of its own; closes only."""
    rng = np.random.default_rng(seed)
    law = stats.norm() if law is None else law
    scores = law.ppf((np.arange(n) + 0.5) / n)
    index = pd.date_range("2020-01-01", periods=n + 1, freq="D", name="time")
    moves = np.column_stack([rng.permutation(scores) for _ in assets]) * sigma
    returns = pd.DataFrame(np.vstack([moves[:1], moves]), index, list(assets))
    return History(returns, (returns.clip(upper=0.0),), returns * 0.0 + sigma)


def history(n=400, assets=("BTC", "ETH", "LINK", "USDC"), seed=0, draws=1, wick=0.5):
    """Heavy-tailed returns with a common factor, and lows of their own."""
    rng = np.random.default_rng(seed)
    index = pd.date_range("2020-01-01", periods=n, freq="D", name="time")
    common = rng.standard_t(4, (n, 1))
    own = rng.standard_t(4, (n, len(assets)))
    scale = 0.02 * np.linspace(1.0, 2.0, len(assets))
    returns = pd.DataFrame(scale * (0.8 * common + 0.6 * own), index, list(assets))
    lows = tuple(
        returns.clip(upper=0.0) - wick * scale * rng.standard_exponential(returns.shape)
        for _ in range(draws)
    )
    sigma = pd.DataFrame(scale * np.exp(0.2 * rng.standard_normal(returns.shape)), index)
    return History(returns, lows, sigma.set_axis(list(assets), axis=1))


def laws(history, now=0.5, high=0.8, low=0.2, nu=4.0, a=0.0, b=0.0):
    """`Correlations` that put all pairs at one value each."""
    assets = history.assets
    path = pd.DataFrame(now, history.log_returns.index, correlation.pairs(assets))
    today = tail.Dependence(path, equicorrelated(now, assets), a, b, nu)
    return baskets.Correlations(today, equicorrelated(high, assets), equicorrelated(low, assets))


def make(past, weights, known=None, seed=0, **options):
    known, rng = known or laws(past), np.random.default_rng(seed)
    return baskets.basket(past, weights, known, rng, **{"paths": 4_000} | options)
