"""How concentrated a system is: Herfindahl indices of what is pledged and owed.

Shares s_i of a whole have the index H = Σ s_i², between 1/n and 1; 1/H is the number of equal parts
that would be as concentrated.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from xcoll.errors import DataError
from xcoll.systemic.system import System

__all__ = ["concentration", "herfindahl", "user_names"]


def herfindahl(parts: np.ndarray) -> float:
    """Herfindahl index ``Σ (x_i/Σ x)²`` of parts in any unit; NaN where they sum to zero.

    Raises
    ------
    DataError
        A part that is negative or not finite.
    """
    parts = np.asarray(parts, dtype=float)
    bad = ~(np.isfinite(parts) & (parts >= 0.0))
    if bad.any():
        raise DataError(f"part {np.argmax(bad)} is {parts[bad][0]:g}; give finite parts from 0 on")
    whole = parts.sum()
    return float(((parts / whole) ** 2).sum()) if whole > 0.0 else float("nan")


def concentration(system: System) -> pd.DataFrame:
    """Concentration at each venue and over ``all``, at the opening.

    Returns
    -------
    DataFrame
        Index venue and of: ``collateral by asset``, ``debt by asset``, ``collateral by user``,
        ``debt by user``, where an account without a user is one of its own.  Columns: ``dollars``;
        ``parts`` above zero; ``herfindahl``; ``effective``, its inverse; ``largest``, the first
        part's share; ``name`` of that part.  NaN, and no name, where there are no dollars.
    """
    layout, names = system.layout, user_names(system)
    C, D = layout.held * system.opening, layout.lent * system.opening
    rows = {}
    for v, venue in enumerate([*system.names, "all"]):
        here = slice(None) if venue == "all" else slice(layout.start[v], layout.start[v + 1])
        users = layout.users[here]
        for side, dollars in (("collateral", C[here]), ("debt", D[here])):
            by_user = np.bincount(users, dollars.sum(axis=1), minlength=len(names))
            rows[venue, f"{side} by asset"] = _row(dollars.sum(axis=0), system.assets)
            rows[venue, f"{side} by user"] = _row(by_user, names)
    frame = pd.DataFrame.from_dict(rows, orient="index")
    return frame.set_axis(pd.MultiIndex.from_tuples(frame.index, names=["venue", "of"]))


def user_names(system: System) -> list[str]:
    """By user: its label, or venue and account id where the venue names no users."""
    _, first = np.unique(system.layout.users, return_index=True)
    owners = np.concatenate(
        [
            [f"{venue.name} {account}" for account in venue.book.ids]
            if venue.users is None
            else np.asarray(venue.users).astype(str)
            for venue in system.venues
        ]
    )
    return owners[first].tolist()


def _row(parts: np.ndarray, names: Sequence[str]) -> dict[str, object]:
    H, whole, first = herfindahl(parts), float(parts.sum()), int(np.argmax(parts))
    return {
        "dollars": whole,
        "parts": int(np.count_nonzero(parts)),
        "herfindahl": H,
        "effective": 1.0 / H,
        "largest": parts[first] / whole if whole > 0.0 else np.nan,
        "name": names[first] if whole > 0.0 else "",
    }
