"""Dynamic quantile: can a hit be foreseen from past hits and from the forecast itself?

Engle and Manganelli (2004): `Hit_t = 1[L_t > VaR_t] - p` is regressed on

    x_t = (1, Hit_{t-1}, …, Hit_{t-K}, VaR_t),   K = 4 as in their out-of-sample test,

    DQ = Hit' X (X'X)^-1 X' Hit / (p (1-p))   ~   χ²(rank of X).

A regressor that adds nothing (lags without a hit, a constant VaR) is left out and costs no degree
of freedom.
"""

import numpy as np
from scipy.special import chdtrc

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.evaluation import _kernels
from xcoll.estimators.evaluation.inputs import Hits, Result, missing, sequence

__all__ = ["LAGS", "dynamic_quantile", "dynamic_quantile_statistic"]

LAGS = 4


def dynamic_quantile(
    hits: np.ndarray, var: np.ndarray, probability: float, lags: int = LAGS
) -> Result:
    """Regression of hits on one, `lags` lagged hits and the VaR of the bar.

    Parameters
    ----------
    hits : booleans in time order.
    var : the forecast of each bar, same length.
    probability : promised share of hits.

    Returns
    -------
    Result; missing where there are fewer than ten bars for each regressor.
    """
    found, p = sequence(hits), checks.fraction("probability", probability)
    if len(found) < 10 * (checks.whole("lags", lags, least=0) + 2):
        return missing(f"{len(found)} bars, the dynamic quantile test needs {10 * (lags + 2)}")
    statistic, rank = dynamic_quantile_statistic(Hits.of(found), var, p, lags)
    return Result(float(statistic[0]), float(chdtrc(rank[0], statistic[0])))


def dynamic_quantile_statistic(
    hits: Hits, var: np.ndarray, p: float, lags: int = LAGS
) -> tuple[np.ndarray, np.ndarray]:
    """Statistic and rank of every row of hits, all beside the same VaR forecasts."""
    v = np.asarray(var, float)
    if v.shape != (hits.observations,) or not np.isfinite(v).all():
        raise EstimationError(f"var has shape {v.shape}; give one finite forecast a bar of hits")
    w = v - v[lags:].mean()
    spread = np.abs(w[lags:]).max()
    # A VaR that is constant but for rounding is no regressor.
    w = w / spread if spread > 1e-12 * np.abs(v).max() else np.zeros_like(w)
    return _kernels.dynamic_quantile(hits.bars, hits.offsets, hits.observations, w, p, lags)
