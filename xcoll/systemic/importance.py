"""Systemic importance: what the absence of an asset, a venue or a user saves the others.

Something is left out of the opening and the same episode is run again.  What is saved beyond its
own loss is what it does to others.  An account that loses an asset keeps its health factor: what
the asset carried of its debt goes with it.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.liquidation._kernels import ACCOUNT
from xcoll.systemic.cascade import Cascade, cascade
from xcoll.systemic.episode import Episode
from xcoll.systemic.system import System, Venue

__all__ = ["importance", "without_asset", "without_users", "without_venue"]


NEUTRAL = {"feed": 1.0, "shut": False, "delay": 0, "lost": 0.0}  # what an episode leaves alone


def without_asset(system: System, asset: str) -> System:
    """`system` in which nobody pledges `asset`, every account at its health factor."""
    checks.one_of("asset", asset, system.assets)
    place, venues = system.assets.index(asset), []
    for venue in system.venues:
        share = _carried(system, venue, place)
        collateral = venue.book.collateral.copy()
        collateral[:, place] = 0.0
        venues.append(_kept(venue, collateral, venue.book.debt * (1.0 - share)[:, None]))
    return system.changed(venues=[venue for venue in venues if venue is not None])


def without_venue(system: System, name: str) -> System:
    """`system` without one of its venues, and without receipts of its pool."""
    system.venue(name)
    claims = system.claims
    receipts = {asset: one for asset, one in claims.receipts.items() if one.venue != name}
    venues = [venue for venue in system.venues if venue.name != name]
    if not venues:
        raise ParameterError(f"{name} is the only venue; nothing would be left")
    return system.changed(venues=venues, claims=replace(claims, receipts=receipts))


def without_users(system: System, users: Sequence[int]) -> System:
    """`system` without all accounts of `users`, numbers as in `System.layout`."""
    gone = np.isin(system.layout.users, list(users))
    parts = np.split(gone, system.layout.start[1:-1])
    venues = [
        _kept(
            venue,
            np.where(out[:, None], 0.0, venue.book.collateral),
            np.where(out[:, None], 0.0, venue.book.debt),
        )
        for venue, out in zip(system.venues, parts, strict=True)
    ]
    return system.changed(venues=[venue for venue in venues if venue is not None])


def _carried(system: System, venue: Venue, place: int) -> np.ndarray:
    """Share of each account's debt that one of its collaterals carries, by ``C·LT``."""
    carried = venue.book.collateral * (venue.rates.threshold * system.opening)
    whole = carried.sum(axis=1)
    return np.divide(carried[:, place], whole, out=np.zeros_like(whole), where=whole > 0.0)


def _kept(venue: Venue, collateral: np.ndarray, debt: np.ndarray) -> Venue | None:
    """The venue with these balances, without accounts that have none; None where none is left."""
    here = collateral.any(axis=1)
    if not here.any():
        return None
    book = replace(
        venue.book,
        collateral=collateral[here],
        debt=debt[here],
        ids=np.asarray(venue.book.ids)[here],
    )
    users = None if venue.users is None else np.asarray(venue.users)[here]
    borrow_to = None if venue.borrow_to is None else venue.borrow_to[here]
    return replace(venue, book=book, users=users, borrow_to=borrow_to)


def importance(system: System, episode: Episode, largest: int = 10) -> pd.DataFrame:
    """What the absence of each asset, venue and of the largest users saves in an episode.

    Parameters
    ----------
    largest : number of users, by debt, each left out alone.

    Returns
    -------
    DataFrame
        ``kind`` ("asset", "venue", "user"), ``name``, ``debt`` (share of the debt that goes with
        it), ``saved`` (bad debt that is gone, over the debt of the whole system), ``own`` (what it
        lost itself: of a venue its bad debt, of a user his; of an asset what lenders lost in
        accounts by the share that it carried of them), ``others`` (saved beyond that), largest
        ``others`` first.
    """
    whole, total = cascade(system, episode), sum(system.debt.values())
    lost, layout = float(whole.bad_debt.sum()), system.layout
    by_account = _lost(whole)
    users = np.argsort(-np.bincount(layout.users, layout.owed), kind="stable")[:largest]
    cases = [("venue", name, without_venue(system, name)) for name in _several(system.names)]
    pledged = layout.held.any(axis=0)
    for asset, there in zip(system.assets, pledged, strict=True):
        if there and pledged.sum() > 1:
            cases.append(("asset", asset, without_asset(system, asset)))
    if len(np.unique(layout.users)) > 1:
        cases += [("user", int(user), without_users(system, [int(user)])) for user in users]
    rows = []
    for kind, name, rest in cases:
        saved = lost - float(cascade(rest, _fitting(episode, rest)).bad_debt.sum())
        own = (
            float(whole.bad_debt[name]) if kind == "venue" else _own(kind, name, system, by_account)
        )
        share = 1.0 - sum(rest.debt.values()) / total
        rows.append((kind, str(name), share, saved / total, own / total, (saved - own) / total))
    table = pd.DataFrame(rows, columns=["kind", "name", "debt", "saved", "own", "others"])
    return table.sort_values("others", ascending=False, kind="stable", ignore_index=True)


def _several(names: list[str]) -> list[str]:
    return names if len(names) > 1 else []


def _fitting(episode: Episode, system: System) -> Episode:
    """The episode without venues that the system no longer has."""
    if not episode.venues:
        return episode
    rows = [n for n, name in enumerate(episode.venues) if name in system.names]
    changes = {}
    for name, neutral in NEUTRAL.items():
        value = getattr(episode, name)
        whole = np.broadcast_to(value, (len(episode.venues), *value.shape[1:]))
        changes[name] = whole[rows] if rows else np.full_like(value[:1], neutral)
    return episode.changed(venues=[episode.venues[n] for n in rows], **changes)


def _lost(found: Cascade) -> np.ndarray:
    """Dollars lost by lenders, by account of all venues."""
    columns = [ACCOUNT.index(name) for name in ("deficit", "under")]
    layout = found.system.layout
    drained = found.made.outside.lost.sum(axis=1)[layout.venue] * layout.owed
    return found.whole(found.account[:, columns].sum(axis=1), 0.0) + drained


def _own(kind: str, name: str | int, system: System, lost: np.ndarray) -> float:
    layout = system.layout
    if kind == "user":
        return float(lost[layout.users == name].sum())
    place = system.assets.index(str(name))
    shares = [_carried(system, venue, place) for venue in system.venues]
    return float(lost @ np.concatenate(shares))
