"""Residuals with a known law, and a set that is the same everywhere."""

import numpy as np
import pandas as pd

from tests.estimators.samples import dates
from xcoll.estimators.correlation import _kernels


def waves(bars=200):
    """Four columns of sines: no random generator stands between them and another package."""
    t, i = np.arange(1, bars + 1)[:, None], np.arange(1, 5)
    return np.sqrt(2) * (np.sin(0.7 * t * np.sqrt(i + 1)) + 0.8 * np.sin(1.3 * t)) / 1.3


def world(assets, bars, a, b, seed, nu=np.inf, rho=0.5):
    """Residuals of a DCC whose target is equicorrelated."""
    rng = np.random.default_rng(seed)
    target = np.full((assets, assets), rho) + (1 - rho) * np.eye(assets)
    mixing = np.ones((1, bars))
    if np.isfinite(nu):
        mixing = np.sqrt((nu - 2) / rng.chisquare(nu, (1, bars)))
    made, state = np.empty((1, bars, assets)), np.zeros((assets, assets))
    shocks = rng.standard_normal(made.shape)
    assert _kernels.simulated(shocks, mixing, target, a, b, state, made)
    return pd.DataFrame(made[0], dates(bars), [f"A{k}" for k in range(assets)])


def plain_path(z, target, a, b):
    """Q_1 … Q_{T+1} by Engle's recursion, as it is written."""
    Q = [target]
    for row in z:
        Q.append((1 - a - b) * target + a * np.outer(row, row) + b * Q[-1])
    return np.array(Q)


def plain_loglikelihood(z, target, a, b, nu=np.inf):
    """Joint log-likelihood through scipy's multivariate laws."""
    from scipy import stats

    total = 0.0
    for row, Q in zip(z, plain_path(z, target, a, b)[:-1], strict=True):
        R = Q / np.sqrt(np.outer(np.diag(Q), np.diag(Q)))
        if np.isinf(nu):
            total += stats.multivariate_normal(cov=R).logpdf(row)
        else:
            total += stats.multivariate_t(shape=R * (nu - 2) / nu, df=nu).logpdf(row)
    return total
