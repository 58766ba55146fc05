"""Haircuts that follow the market without lurching: the anti-procyclical buffer, and measures.

A path is a time × asset frame of haircuts; a value stamped t uses nothing after t.
"""

import math

import numpy as np
import pandas as pd

from xcoll import checks

__all__ = ["exhaustible_buffer"]


def exhaustible_buffer(
    raw: pd.DataFrame, buffer: float = 0.25, ceiling: float = math.inf
) -> pd.DataFrame:
    """Haircuts with a buffer that a rise may use up: ``max(m, min((1 + b)·m, last posted))``.

    EMIR RTS 153/2013, article 28(1)(a).  The first posted value is ``(1 + b)·m``.  A buffer that
    was used is refilled only as the raw value falls.

    Parameters
    ----------
    raw : DataFrame
        time × asset haircuts m; leading NaN are kept, the path starts at the first value.
    buffer : float
        b as a fraction, not negative.
    ceiling : float
        Largest value that can be posted: 1 for haircuts, none for margins.

    Returns
    -------
    DataFrame
        Posted values on the shape of `raw`.
    """
    checks.at_least("buffer", buffer, 0.0)
    margins = raw.to_numpy(dtype=float)
    posted = np.full_like(margins, np.nan)
    last = np.full(margins.shape[1], np.inf)
    for t, m in enumerate(margins):
        posted[t] = np.minimum(np.maximum(m, np.minimum((1.0 + buffer) * m, last)), ceiling)
        last = np.where(np.isnan(posted[t]), last, posted[t])
    return pd.DataFrame(posted, index=raw.index, columns=raw.columns)
