"""How hard a path of haircuts moves: peak to trough, largest rise, how long it stays up."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.haircuts import tall

__all__ = [
    "fall_back",
    "largest_rise",
    "longest_stay",
    "peak_to_trough",
    "tidy_paths",
]

DAY = pd.Timedelta(days=1)


def peak_to_trough(path: pd.DataFrame) -> pd.Series:
    """Highest over lowest value of a path, by asset (Murphy, Vasios and Vause 2014)."""
    return path.max() / path.min()


def largest_rise(path: pd.DataFrame, bars: int) -> pd.Series:
    """Largest rise of a path over `bars` bars, in the unit of the path, by asset."""
    return path.diff(checks.whole("bars", bars)).max()


def longest_stay(path: pd.DataFrame) -> pd.Series:
    """Longest stretch that a path stays above halfway from its lowest to its highest value.

    Days, by asset; a stretch lasts until the bar at which it ends, or the last bar; 0 of a path
    that never moves.
    """
    above = path.gt((path.min() + path.max()) / 2.0)
    return pd.Series({asset: _longest(above[asset]) for asset in path}, dtype=float)


def fall_back(path: pd.DataFrame, bars: int) -> pd.Series:
    """Days from the end of the largest rise over `bars` bars until half of it is given back.

    By asset; NaN where it had not come back by the last bar, or never rose.
    """
    rises = path.diff(checks.whole("bars", bars))
    return pd.Series({asset: _halved(path[asset], rises[asset]) for asset in path}, dtype=float)


def tidy_paths(paths: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Several time × asset paths as rows: time, asset, one column a path; all-NaN rows left out."""
    keyed = [
        tall(path.rename_axis(index="time"), "asset", name).set_index(["time", "asset"])
        for name, path in paths.items()
    ]
    return pd.concat(keyed, axis=1).dropna(how="all").reset_index()


def _longest(above: pd.Series) -> float:
    index = above.index
    edges = np.flatnonzero(np.diff(above.to_numpy(), prepend=False, append=False))
    starts, ends = edges[::2], np.minimum(edges[1::2], len(index) - 1)
    return max(
        ((index[b] - index[a]) / DAY for a, b in zip(starts, ends, strict=True)), default=0.0
    )


def _halved(path: pd.Series, rises: pd.Series) -> float:
    if not rises.max() > 0.0:
        return np.nan
    top = rises.idxmax()
    after = path.loc[top:]
    back = after.index[after <= path[top] - rises[top] / 2.0]
    return (back[0] - top) / DAY if len(back) else np.nan
