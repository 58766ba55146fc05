"""Alerts: days on which a pair, or the share of the first factor, left its own past."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.estimators.correlation.paths import matrices

__all__ = ["alerts", "first_eigenvalue_share"]


def first_eigenvalue_share(path: pd.DataFrame, assets: Sequence[str] | None = None) -> pd.Series:
    """Share of the variance that the first common factor has, by date.

    The largest eigenvalue of the correlation matrix over the number of assets; NaN where a pair
    of `assets` (default: all of the path) has no value yet.
    """
    rho = matrices(path, assets)
    share = pd.Series(np.nan, index=path.index, name="first_eigenvalue_share")
    known = np.isfinite(rho).all(axis=(1, 2))
    share[known] = np.linalg.eigvalsh(rho[known])[:, -1] / rho.shape[1]
    return share


def alerts(
    path: pd.DataFrame,
    assets: Sequence[str] | None = None,
    quantile: float = 0.95,
    jump_quantile: float = 0.99,
    minimum: int = 250,
) -> pd.DataFrame:
    """Days on which correlation left its own past.

    A "pair" alert is the bar on which a pair rises above the `quantile` of its path up to the bar
    before; a "factor" alert is a rise of the first eigenvalue's share, over one bar, above the
    `jump_quantile` of the changes up to the bar before.

    Parameters
    ----------
    path : DataFrame
        time × pair.
    assets : sequence, optional
        Of the first eigenvalue (default: all of the path).
    minimum : int
        Values of a pair's past before its first alert.

    Returns
    -------
    DataFrame
        time, kind ("pair" or "factor"), name, value, threshold, in order of time; the value of a
        factor alert is the change of the share.
    """
    checks.fraction("quantile", quantile)
    checks.fraction("jump_quantile", jump_quantile)
    least = checks.whole("minimum", minimum, 2)
    known = path.expanding(min_periods=least).quantile(quantile).shift(1)
    above = path > known
    entered = above & ~above.shift(1, fill_value=False)
    change = first_eigenvalue_share(path, assets).diff().to_frame("first_eigenvalue_share")
    limit = change.expanding(min_periods=least).quantile(jump_quantile).shift(1)
    found = [
        _events("pair", path, known, entered),
        _events("factor", change, limit, change > limit),
    ]
    together = pd.concat(found, ignore_index=True)
    return together.sort_values(["time", "kind", "name"], kind="stable", ignore_index=True)


def _events(
    kind: str, values: pd.DataFrame, threshold: pd.DataFrame, when: pd.DataFrame
) -> pd.DataFrame:
    at, which = np.nonzero(when.to_numpy())
    return pd.DataFrame(
        {
            "time": values.index[at],
            "kind": pd.Series([kind] * len(at), dtype="str"),
            "name": pd.Series(values.columns[which], dtype="str"),
            "value": values.to_numpy()[at, which],
            "threshold": threshold.to_numpy()[at, which],
        }
    )
