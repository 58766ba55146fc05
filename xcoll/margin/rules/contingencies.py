"""Dollars on top of the worst scenario, position by position: `schema.Contingencies` at work.

option      c·S a unit of a short option that no long one at its strike and expiry covers
spot, perpetual, future      c·S a unit held or owed
offset      c·S a unit of a linear position that one of the asset's other expiries offsets
confidence  (1 − c)·factor·S a unit where the oracle is in doubt, for the initial margin alone
"""

import numpy as np

from xcoll.margin.book import Book, Layout
from xcoll.margin.market import Quotes, by_name
from xcoll.margin.rules.schema import Contingencies

__all__ = ["charges"]


def charges(
    rule: Contingencies, book: Book, quotes: Quotes, layout: Layout
) -> tuple[np.ndarray, np.ndarray]:
    """Dollars by sorted position: on top of maintenance, and on top of initial margin alone."""
    if not len(book):
        return np.zeros(0), np.zeros(0)
    listed = book.instruments
    share = np.array([0.0 if kind == "option" else getattr(rule, kind) for kind in listed.kind])
    spot, q = quotes.spot[layout.group], book.quantity[layout.order]
    parts = share[layout.instrument] * np.abs(q) * spot
    is_option = listed.is_option[layout.instrument]
    if rule.option:
        parts += rule.option * _naked(layout, np.where(is_option, q, 0.0)) * spot
    if rule.offset:
        parts += rule.offset * _offset(book, layout, np.where(is_option, 0.0, q)) * spot
    if rule.confidence is None:
        return parts, np.zeros(len(q))
    c = by_name(quotes.market.confidence, listed.group_asset, 1.0)[layout.group]
    doubt = np.where(c < rule.confidence.least, 1.0 - c, 0.0)
    doubt[(listed.kind == "future")[layout.instrument]] = 0.0
    return parts, doubt * rule.confidence.factor * np.abs(q) * spot


def _naked(layout: Layout, q: np.ndarray) -> np.ndarray:
    """Units of each short option, of `q` by sorted position, that no long one covers."""
    net, short = (np.add.reduceat(x, layout.strikes) for x in (q, np.minimum(q, 0.0)))
    naked = np.divide(np.minimum(net, 0.0), short, out=np.zeros_like(net), where=short < 0.0)
    lengths = np.diff(np.append(layout.strikes, len(q)))
    return -np.minimum(q, 0.0) * np.repeat(naked, lengths)


def _offset(book: Book, layout: Layout, q: np.ndarray) -> np.ndarray:
    """Units of each linear position, of `q`, that one of the asset's other expiries offsets."""
    listed = book.instruments
    row, group = layout.row[layout.groups], layout.group[layout.groups]
    run = np.repeat(np.arange(len(row)), np.diff(np.append(layout.groups, len(q))))
    by_run, whole = (np.add.reduceat(x, layout.groups) for x in (q, np.abs(q)))
    of_group = np.searchsorted(listed.assets, listed.group_asset.astype(str))
    pool = row * len(listed.assets) + of_group[group]  # units of one asset offset each other
    long, short = (np.bincount(pool, np.maximum(side * by_run, 0.0)) for side in (1.0, -1.0))
    both = np.divide(
        np.minimum(long, short), long + short, out=np.zeros_like(long), where=long + short > 0.0
    )
    scale = np.divide(np.abs(by_run), whole, out=np.zeros_like(whole), where=whole > 0.0)
    return np.abs(q) * (scale * both[pool])[run]
