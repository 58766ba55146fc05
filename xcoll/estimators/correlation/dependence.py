"""Dependence from ranks: Kendall's τ as a correlation, and the empirical lower tail."""

from itertools import combinations
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy import stats

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.correlation.paths import pairs, several

__all__ = ["rank_correlation", "tail_dependence"]


def tail_dependence(
    returns: pd.DataFrame, quantile: float = 0.05, confidence: float = 0.9
) -> pd.DataFrame:
    """How often one asset is in its lower tail when the other one is, from ranks.

        λ = #{rank_i ≤ k and rank_j ≤ k} / k,      k = ⌊quantile · n⌋

    Parameters
    ----------
    returns : DataFrame
        time × asset; returns, or standardised residuals for the part that is not volatility.
    quantile : float
        Share of the common bars that counts as the tail.
    confidence : float
        Of the interval (Wilson 1927; it takes the tail days as independent).

    Returns
    -------
    DataFrame
        pair, bars (in common), rank_correlation (sin(πτ/2) by Kendall's τ), tail_bars (k),
        coefficient, low, high.

    Raises
    ------
    EstimationError
        Two assets with fewer than five common bars in the tail.
    """
    checks.fraction("quantile", quantile)
    z = NormalDist().inv_cdf(0.5 + checks.fraction("confidence", confidence) / 2)
    frame = several(returns)
    names = pairs(list(frame.columns))
    rows = []
    for pair, (i, j) in zip(names, combinations(frame.columns, 2), strict=True):
        common = frame[[i, j]].dropna().to_numpy()
        k = int(quantile * len(common))
        if k < 5:
            raise EstimationError(
                f"{pair}: {len(common)} common bars leave {k} in the tail, 5 are needed;"
                " raise the quantile or leave one out"
            )
        share = float((stats.rankdata(common, axis=0) <= k).all(axis=1).sum()) / k
        middle = (share + z**2 / (2 * k)) / (1 + z**2 / k)
        half = z * np.sqrt(share * (1 - share) / k + z**2 / (4 * k**2)) / (1 + z**2 / k)
        rho = rank_correlation(common)
        rows.append([pair, len(common), rho, k, share, middle - half, middle + half])
    columns = ["pair", "bars", "rank_correlation", "tail_bars", "coefficient", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def rank_correlation(both: np.ndarray) -> float:
    """Correlation of the elliptical copula of two columns, sin(πτ/2) by Kendall's τ."""
    return float(np.sin(np.pi * stats.kendalltau(both[:, 0], both[:, 1]).statistic / 2.0))
