"""Losses that travel along what venues and accounts owe each other, not along prices.

A venue owes its pool to those who lent to it: holders of its receipts, and everybody else.  Who
pledged receipts elsewhere owes that venue.  An episode makes the first losses, with receipts held
at a dollar; clearing passes them on (`clearing`), with or without costs of default.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import sparse

from xcoll.errors import ParameterError
from xcoll.liquidation._kernels import ACCOUNT
from xcoll.systemic.cascade import cascade
from xcoll.systemic.episode import Episode
from xcoll.systemic.losses.clearing import Clearing, clear
from xcoll.systemic.system import System

__all__ = ["compare", "contagion"]


def contagion(
    system: System, episode: Episode, alpha: float = 1.0, beta: float = 1.0
) -> tuple[Clearing, pd.Series]:
    """Clearing after an episode, and the dollars that each venue had lost before it.

    Parameters
    ----------
    alpha, beta : shares of a node's own assets and of its claims that are realised in default.

    Returns
    -------
    Clearing
        Nodes are the venues, then every account that pledges a receipt, as "venue account".
    Series
        By venue: the first losses, prices alone.

    Raises
    ------
    ParameterError
        A system in which nobody pledges a receipt, so that nothing can travel.

    Notes
    -----
    A venue whose receipts nobody has a pool of is taken to have lent what is owed to it.
    """
    receipts = system.claims.receipts
    held = {a: system.layout.held[:, system.assets.index(a)] for a in receipts}
    if not any(units.any() for units in held.values()):
        raise ParameterError(
            "nobody pledges a receipt; add some with `present.receipts`, or look at prices alone"
        )
    alone = system.changed(claims=replace(system.claims, receipts={}))
    found = cascade(alone, episode)
    names, V = system.names, len(system.venues)
    holders = np.flatnonzero(np.any(list(held.values()), axis=0))
    layout = system.layout
    venue = layout.venue[holders]
    ids = np.concatenate([np.asarray(one.book.ids) for one in system.venues])
    nodes = [*names, *(f"{names[v]} {i}" for v, i in zip(venue, ids[holders], strict=True))]
    count, at = len(nodes), V + np.arange(len(holders))
    owed = layout.owed[holders]
    pool = pd.Series(system.debt)
    for receipt in receipts.values():
        pool[receipt.venue] = receipt.pool_usd
    liabilities = sparse.lil_matrix((count, count))
    for asset, receipt in receipts.items():
        dollars = held[asset][holders] * system.opening[system.assets.index(asset)]
        liabilities[names.index(receipt.venue), at] = dollars
    for node, v, dollars in zip(at, venue, owed, strict=True):
        liabilities[node, v] = dollars
    # What holders of receipts are short of is found by the clearing, and not lost twice.
    short = found.account[:, [ACCOUNT.index("deficit"), ACCOUNT.index("under")]].sum(axis=1)
    theirs = np.bincount(venue, found.whole(short, 0.0)[holders], minlength=V)
    first = found.bad_debt - theirs
    price = found.market[-1]
    others = layout.held[holders].copy()
    others[:, [system.assets.index(a) for a in receipts]] = 0.0
    claims = np.bincount(venue, owed, minlength=V)
    assets = np.concatenate([np.maximum(pool - first - claims, 0.0), others @ price])
    pledged = np.asarray(liabilities.sum(axis=1)).ravel()[:V]
    outside = np.concatenate([np.maximum(pool - pledged, 0.0), np.zeros(len(at))])
    return clear(liabilities.tocsr(), assets, alpha, beta, outside, nodes), first


def compare(system: System, episode: Episode, realised: Sequence[float]) -> pd.DataFrame:
    """`contagion` at several shares that are realised in default.

    Returns
    -------
    DataFrame
        ``realised``, ``venue``, ``owed``, ``paid``, ``shortfall``, ``recovery``, ``defaults`` of
        the greatest clearing; ``first``, lost before it; ``gap``, by which the least pays less.
    """
    columns, parts = ["owed", "paid", "shortfall", "recovery", "defaults"], []
    for share in realised:
        made, first = contagion(system, episode, share, share)
        table = made.greatest.nodes.loc[system.names, columns].rename_axis("venue").reset_index()
        gap = made.gap.loc[system.names].to_numpy()
        parts.append(table.assign(first=first.to_numpy(), gap=gap, realised=share))
    whole = pd.concat(parts, ignore_index=True)
    return whole[["realised", "venue", *columns, "first", "gap"]]
