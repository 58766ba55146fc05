"""How hard a path of haircuts moves: peak to trough, largest rise."""

from collections.abc import Mapping

import pandas as pd

from xcoll import checks
from xcoll.collateral.haircuts import tall

__all__ = ["largest_rise", "peak_to_trough", "procyclicality", "tidy_paths"]


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
