"""Which accounts pay: classes of accounts, and what each of them bears."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xcoll.collateral.accounts import Book
from xcoll.liquidation.replay import Replay

__all__ = ["BORNE", "TYPES", "by_class", "by_type", "classes", "types_of"]

# Type of account → upper bounds of its classes, and their names.
TYPES: dict[str, tuple[tuple[float, ...], tuple[str, ...]]] = {
    "collateral, $": (
        (2e3, 2e4, 2e5, 2e6),
        ("under 2k", "2k to 20k", "20k to 200k", "200k to 2M", "over 2M"),
    ),
    "collaterals": ((1.5, 2.5, 4.5), ("one", "two", "three or four", "five or more")),
    "health at the opening": (
        (1.1, 1.25, 1.5, 2.0),
        ("under 1.10", "1.10 to 1.25", "1.25 to 1.50", "1.50 to 2.00", "over 2.00"),
    ),
    "debt": ((0.005, 0.5), ("stable", "partly volatile", "mostly volatile")),
}
STABLE = ("USDC", "USDT")


def types_of(book: Book, thresholds: np.ndarray, stable: tuple[str, ...] = STABLE) -> pd.DataFrame:
    """Class of every account by each of `TYPES`, of a book in units of one dollar's worth.

    Returns
    -------
    DataFrame
        account × type of whole numbers, places in the names of `TYPES`.
    """
    worth, owed = book.collateral.sum(axis=1), book.debt.sum(axis=1)
    moving = book.debt[:, ~np.isin(book.assets, stable)].sum(axis=1)
    nothing = np.full(len(book), np.inf)
    health = np.divide(book.collateral @ thresholds, owed, out=nothing, where=owed > 0)
    values = {
        "collateral, $": worth,
        "collaterals": np.count_nonzero(book.collateral, axis=1).astype(float),
        "health at the opening": health,
        "debt": np.divide(moving, owed, out=np.zeros(len(book)), where=owed > 0),
    }
    return pd.DataFrame(
        {name: np.digitize(values[name], bounds) for name, (bounds, _) in TYPES.items()}
    )


def classes() -> pd.DataFrame:
    """All classes of `TYPES` under each other, columns ``type`` and ``class``."""
    rows = [(name, one) for name, (_, names) in TYPES.items() for one in names]
    return pd.DataFrame(rows, columns=["type", "class"])


BORNE = ("debt", "bad_debt", "penalty", "premature_penalty", "repaid")


def by_type(replay: Replay, types: pd.DataFrame, parent: np.ndarray) -> np.ndarray:
    """Who bears what, by type of account: `classes` × `BORNE` but for the debt, in dollars.

    Parameters
    ----------
    types : classes of the original accounts, from `types_of`.
    parent : original account of each account of the replayed book.
    """
    touched = np.flatnonzero((replay.column("calls") > 0) | (replay.column("under") > 0))
    columns = ("seized", "repaid", "credit", "deficit", "under", "premature")
    seized, repaid, credit, deficit, under, early = (
        replay.column(name)[touched] for name in columns
    )
    lost = seized - repaid - credit
    values = (deficit + under, lost, np.where(early > 0, lost, 0.0), repaid)
    return by_class(types.iloc[parent[touched]], values)


def by_class(types: pd.DataFrame, values: Sequence[np.ndarray]) -> np.ndarray:
    """Sums of `values`, each by account, over the rows of `classes`: classes × values."""
    parts = []
    for name, (_, names) in TYPES.items():
        code = types[name].to_numpy()
        parts.append([np.bincount(code, value, len(names)) for value in values])
    return np.concatenate(parts, axis=1).T
