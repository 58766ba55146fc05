"""Who depends on whom: assets and venues as a graph, weighted in dollars of the opening."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd

from xcoll.systemic.system import System

__all__ = ["KINDS", "edges"]

KINDS = ("collateral at", "debt at", "claim on", "receipt of", "same user")


def edges(system: System) -> pd.DataFrame:
    """Dependencies of a system, one a row.

    Returns
    -------
    DataFrame
        ``start``, ``end``, ``kind`` (one of `KINDS`), ``dollars`` and ``count``; edges without
        dollars are left out.

        - collateral at, debt at: asset → venue, what is pledged and owed there, and by how many
          accounts.
        - claim on: asset → what stands behind it, the part of the dollars pledged that is a claim
          on it, negative where the claim owes it; count is of the accounts that pledge it.
        - receipt of: asset → the venue of its pool, likewise.
        - same user: venue → venue, what common users owe at both together, and how many owe at
          both.
    """
    rows = [*_books(system), *_claims(system), *_users(system)]
    frame = pd.DataFrame(rows, columns=["start", "end", "kind", "dollars", "count"])
    frame["kind"] = pd.Categorical(frame["kind"], KINDS)
    return frame[frame["dollars"] != 0.0].reset_index(drop=True)


Edge = tuple[str, str, str, float, int]


def _books(system: System) -> Iterator[Edge]:
    for venue in system.venues:
        sides = {"collateral at": venue.book.collateral, "debt at": venue.book.debt}
        for kind, units in sides.items():
            dollars, count = units.sum(axis=0) * system.opening, np.count_nonzero(units, axis=0)
            for a, asset in enumerate(system.assets):
                yield asset, venue.name, kind, float(dollars[a]), int(count[a])


def _claims(system: System) -> Iterator[Edge]:
    held = system.layout.held
    pledged = dict(zip(system.assets, held.sum(axis=0) * system.opening, strict=True))
    count = dict(zip(system.assets, np.count_nonzero(held, axis=0).tolist(), strict=True))
    price = dict(zip(system.assets, system.opening, strict=True))
    for asset, behind in system.claims.behind.items():
        worth = {other: units * price[other] for other, units in behind.items()}
        backing = sum(worth.values())
        for other, dollars in worth.items():
            part = dollars / backing if backing > 0.0 else 0.0
            yield asset, other, "claim on", float(pledged[asset] * part), count[asset]
    for asset, receipt in system.claims.receipts.items():
        yield asset, receipt.venue, "receipt of", float(pledged[asset]), count[asset]


def _users(system: System) -> Iterator[Edge]:
    layout = system.layout
    if not layout.shared:
        return
    shape = (layout.users.max() + 1, len(system.venues))
    owed = np.zeros(shape)
    np.add.at(owed, (layout.users, layout.venue), layout.owed)
    for v, w in combinations(range(shape[1]), 2):
        common = (owed[:, v] > 0.0) & (owed[:, w] > 0.0)
        dollars = float(owed[common][:, [v, w]].sum())
        yield system.names[v], system.names[w], "same user", dollars, int(common.sum())
