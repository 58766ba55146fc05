"""Duration test: are the waits between hits without memory?

Under a true model the wait for the next hit is geometric, in continuous time exponential.
Christoffersen and Pelletier (2004) test that against a Weibull law,

    f(D) = a^b b D^(b-1) exp(-(aD)^b),   S(D) = exp(-(aD)^b),   H0: b = 1,

where a shape b under one means hits that cluster.  The first and the last wait are cut off by the
ends of the sample and enter with S.  With a concentrated out, `a^b = m / Σ D^b` for m whole waits.
"""

import numpy as np
from scipy.special import chdtrc

from xcoll.estimators.evaluation import _kernels
from xcoll.estimators.evaluation.inputs import Hits, Result, missing, sequence

__all__ = ["duration", "duration_statistic"]


def duration(hits: np.ndarray) -> Result:
    """Weibull likelihood ratio against the exponential law, χ²(1).

    The authors warn of the asymptotic law at few hits and use Monte Carlo p-values, for which
    see `montecarlo`.  The shape is searched within 0.02 to 20, for waits that are all equal have
    their maximum at infinity.

    Parameters
    ----------
    hits : booleans in time order.

    Returns
    -------
    Result; missing with fewer than two hits, for there is no whole wait.
    """
    rows = Hits.of(sequence(hits))
    statistic = float(duration_statistic(rows)[0])
    if np.isnan(statistic):
        return missing(f"{rows.count[0]} exceedances, the duration test needs two")
    return Result(statistic, float(chdtrc(1, statistic)))


def duration_statistic(hits: Hits, p: float | None = None) -> np.ndarray:
    """Weibull statistic of every row, whatever the probability; NaN without a whole wait."""
    return _kernels.weibull(hits.bars, hits.offsets, hits.observations)
