"""Synthetic returns with a known dependence."""

import numpy as np
import pandas as pd


def dates(n):
    return pd.date_range("2020-01-01", periods=n, freq="D")


def draw(n, rho, seed, nu=None, names=("BTC", "ETH", "XRP", "ADA")):
    """Equicorrelated returns of a normal or t law."""
    rng = np.random.default_rng(seed)
    matrix = np.full((len(names), len(names)), rho) + (1 - rho) * np.eye(len(names))
    x = rng.multivariate_normal(np.zeros(len(names)), matrix, size=n)
    if nu is not None:
        x *= np.sqrt(nu / rng.chisquare(nu, size=(n, 1)))
    return pd.DataFrame(0.02 * x, index=dates(n), columns=list(names))
