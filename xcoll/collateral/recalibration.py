"""Haircuts that follow the market without lurching: the anti-procyclical buffer, and measures.

A path is a time × asset frame of haircuts; a value stamped t uses nothing after t.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.haircuts import tall

__all__ = [
    "exhaustible_buffer",
    "largest_rise",
    "peak_to_trough",
    "procyclicality",
    "tidy_paths",
]


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


def peak_to_trough(path: pd.DataFrame) -> pd.Series:
    """Highest over lowest value of a path, by asset (Murphy, Vasios and Vause 2014)."""
    return path.max() / path.min()


def largest_rise(path: pd.DataFrame, bars: int) -> pd.Series:
    """Largest rise of a path over `bars` bars, in the unit of the path, by asset."""
    return path.diff(checks.whole("bars", bars)).max()


def procyclicality(paths: Mapping[str, pd.DataFrame], bars: int) -> pd.DataFrame:
    """`peak_to_trough` and `largest_rise` over `bars`, by asset, one pair of columns a path."""
    measures = {
        "peak to trough": peak_to_trough,
        "largest rise": lambda path: largest_rise(path, bars),
    }
    return pd.DataFrame(
        {
            f"{measure}, {name}": rule(path)
            for measure, rule in measures.items()
            for name, path in paths.items()
        }
    ).rename_axis("asset")


def tidy_paths(paths: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Several time × asset paths as rows: time, asset, one column a path; all-NaN rows left out."""
    keyed = [
        tall(path.rename_axis(index="time"), "asset", name).set_index(["time", "asset"])
        for name, path in paths.items()
    ]
    return pd.concat(keyed, axis=1).dropna(how="all").reset_index()
