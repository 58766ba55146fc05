"""Which strategies a book is made of, and what each of them saves.

Legs are matched greedily in the order of this list, each unit of a leg once:

    box                 +C(K₁) −C(K₂) +P(K₂) −P(K₁) of one expiry, or its opposite
    spread              two strikes of one right and expiry, one long and one short
    calendar            two expiries of one right and strike, one long and one short
    covered call        long spot, perpetual or future, short call
    covered put         short perpetual or future, short put
    protective put      long spot, perpetual or future, long put
    delta-neutral perp  spot against a perpetual
    basis trade         spot or a perpetual against a future, or two futures

What is left is single.  The saving of a strategy is what its legs would need alone less what they
need together; what the whole book saves beyond its strategies is its last row.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from xcoll.margin.book import Book
from xcoll.margin.market import Quotes
from xcoll.margin.rules.requirement import Rule

__all__ = ["STRATEGIES", "offsets"]

ACROSS = "across strategies"
SINGLE = "single"
LINEAR = ("spot", "perpetual", "future")


def _options(legs: pd.DataFrame, right: str) -> pd.DataFrame:
    return legs[legs["right"] == right].sort_values(["expiry", "strike"])


def _boxes(legs: pd.DataFrame) -> Iterator[tuple]:
    calls, puts = (_options(legs, right) for right in ("call", "put"))
    for low in calls.itertuples():
        for high in calls[(calls["expiry"] == low.expiry) & (calls["strike"] > low.strike)].index:
            one, two = (
                puts.index[
                    (puts["expiry"] == low.expiry) & (puts["strike"] == legs.loc[leg, "strike"])
                ]
                for leg in (low.Index, high)
            )
            if len(one) and len(two):
                yield (low.Index, high, two[0], one[0]), (1.0, -1.0, 1.0, -1.0)


def _pairs(*keys: str) -> Callable[[pd.DataFrame], Iterator[tuple]]:
    def find(legs: pd.DataFrame) -> Iterator[tuple]:
        options = legs[legs["right"] != ""].sort_values(["expiry", "strike"])
        for _, alike in options.groupby(list(keys), sort=True):
            names = list(alike.index)
            for place, first in enumerate(names):
                for second in names[place + 1 :]:
                    yield (first, second), (1.0, -1.0)

    return find


def _covered(right: str, side: float, option: float) -> Callable[[pd.DataFrame], Iterator[tuple]]:
    def find(legs: pd.DataFrame) -> Iterator[tuple]:
        lines = [kind for kind in LINEAR if side > 0.0 or kind != "spot"]
        for kind in lines:
            for line in legs.index[legs["kind"] == kind]:
                for leg in _options(legs, right).index:
                    yield (line, leg), (side, option)

    return find


def _linear(pairs: tuple[tuple[str, str], ...]) -> Callable[[pd.DataFrame], Iterator[tuple]]:
    def find(legs: pd.DataFrame) -> Iterator[tuple]:
        for one, two in pairs:
            for first in legs.index[legs["kind"] == one]:
                for second in legs.index[legs["kind"] == two]:
                    if first != second:
                        yield (first, second), (1.0, -1.0)

    return find


# Candidates of a strategy as legs and their signs; those with one free side match both ways.
STRATEGIES: dict[str, tuple[Callable[[pd.DataFrame], Iterator[tuple]], bool]] = {
    "box": (_boxes, True),
    "spread": (_pairs("right", "expiry"), True),
    "calendar": (_pairs("right", "strike"), True),
    "covered call": (_covered("call", 1.0, -1.0), False),
    "covered put": (_covered("put", -1.0, -1.0), False),
    "protective put": (_covered("put", 1.0, 1.0), False),
    "delta-neutral perp": (_linear((("spot", "perpetual"),)), True),
    "basis trade": (
        _linear((("spot", "future"), ("perpetual", "future"), ("future", "future"))),
        True,
    ),
}


def _matched(legs: pd.DataFrame) -> Iterator[tuple[str, dict[str, float]]]:
    """Strategies of one account and asset with the units of each leg; then what is single."""
    left = legs["quantity"].copy()
    for name, (candidates, both) in STRATEGIES.items():
        for names, signs in candidates(legs):
            for side in (1.0, -1.0) if both else (1.0,):
                wanted = side * np.array(signs)
                units = float((left.loc[list(names)].to_numpy() * wanted).min())
                if units > 1e-12:
                    found = dict(zip(names, units * wanted, strict=True))
                    left = left.sub(pd.Series(found), fill_value=0.0)
                    yield name, found
    for name, units in left[left.abs() > 1e-12].items():
        yield SINGLE, {name: units}


def offsets(given: Book, quotes: Quotes, rule: Rule) -> pd.DataFrame:
    """Strategies of every account with their margins under `rule`.

    Returns
    -------
    DataFrame
        account, strategy, legs, units (of the smallest leg), apart and together (maintenance,
        dollars), saving.  The savings of an account sum to those of the whole book: its positions
        apart less its requirement, where margins are proportional to size.
    """
    listed = given.instruments.frame
    held = given.frame().join(listed, on="instrument").reset_index(drop=True)
    rows, positions = [], []
    for (account, _), mine in held.groupby(["account", "asset"], sort=False):
        for name, found in _matched(mine.set_index("instrument")):
            number = len(rows)
            rows.append((account, name, ", ".join(found), min(map(abs, found.values()))))
            positions += [(number, leg, units) for leg, units in found.items()]
    part, leg, units = zip(*positions, strict=True) if positions else ((), (), ())
    parts = Book(
        given.instruments,
        pd.RangeIndex(len(rows)),
        np.array(part, int),
        given.instruments.places(leg),
        np.array(units, float),
        np.full(len(positions), np.nan),
        pd.DataFrame(index=range(len(rows))),
    )
    together = rule.totals(parts, quotes)
    apart = np.bincount(parts.account, rule.totals(parts.apart(), quotes), len(rows))
    made = pd.DataFrame(rows, columns=["account", "strategy", "legs", "units"])
    made = made.assign(apart=apart, together=together)
    needed = made.groupby("account")["together"].sum()
    whole = pd.DataFrame(
        {
            "account": given.accounts,
            "strategy": ACROSS,
            "legs": "",
            "units": np.nan,
            "apart": needed.reindex(given.accounts, fill_value=0.0).to_numpy(),
            "together": rule.totals(given, quotes),
        }
    )
    found = pd.concat([made, whole], ignore_index=True)
    order = pd.Categorical(found["account"], given.accounts)
    found = found.assign(saving=found["apart"] - found["together"], order=order)
    return found.sort_values("order", kind="stable").drop(columns="order").reset_index(drop=True)
