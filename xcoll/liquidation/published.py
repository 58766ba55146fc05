"""Published parameter sets in the same replay: each venue's own engine, set and listing.

A venue is judged on the part of the book that it lists, and ours on that same part under the same
engine, so that the two differ by thresholds, LTV, and the bonus where the engine takes it from the
set (Aave, Compound).  Borrowers draw against the set in force.  Tiers in units are taken at the
last close.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pandas as pd

from xcoll.collateral import protocols
from xcoll.collateral.accounts import mix_of
from xcoll.collateral.thresholds import RiskParameters
from xcoll.collateral.universe import Universe
from xcoll.collateral.venues import Venues
from xcoll.errors import ParameterError
from xcoll.liquidation.cohorts import Cohorts, Study, run
from xcoll.liquidation.engines import exchange, maker
from xcoll.liquidation.frontier import points
from xcoll.liquidation.rulebooks import (
    Aave,
    Compound,
    Euler,
    Exchange,
    Maker,
    Morpho,
    Rulebook,
)

__all__ = ["judged", "pairs", "rulebook", "sets"]

SECOND = pd.Timedelta("1s")


def _maker(venue: protocols.Maker, tokens: Mapping[str, str], _: pd.Series) -> Rulebook:
    """The terms of its largest listed ilk; `hole` is the venue's, for all ilks together."""
    listed = [ilk for name, ilk in venue.ilks.items() if name in tokens]
    ilk = max(listed, key=lambda one: one.hole)
    return Maker(
        maker.Rules(
            buf=ilk.buf,
            cut=ilk.cut,
            step=pd.Timedelta(ilk.step) / SECOND,
            tail=pd.Timedelta(ilk.tail) / SECOND,
            cusp=ilk.cusp,
            chop=ilk.chop,
            hole=venue.Hole,
            dust=ilk.dust,
        )
    )


def _exchange(venue: protocols.Exchange, tokens: Mapping[str, str], price: pd.Series) -> Rulebook:
    """Its tiers and fee; what is sold a step is assumed, and the fund begins empty."""
    tiers = {
        tokens[token]: ladder.tiers(float(price[tokens[token]]))
        for token, ladder in venue.collateral.items()
        if token in tokens
    }
    return Exchange(exchange.Rules(venue.maintenance - 1.0, share=0.25, fee=venue.fee), tiers)


RULES: dict[type, Callable[[protocols.Venue, Mapping[str, str], pd.Series], Rulebook]] = {
    protocols.Aave: lambda *_: Aave(),
    protocols.Compound: lambda venue, *_: Compound(venue.storefront),
    protocols.Morpho: lambda *_: Morpho(),
    protocols.Euler: lambda venue, *_: Euler(venue.max_discount),
    protocols.Maker: _maker,
    protocols.Exchange: _exchange,
}


def rulebook(venue: protocols.Venue, tokens: Mapping[str, str], price: pd.Series) -> Rulebook:
    """The engine of a venue with the terms that it publishes.

    Parameters
    ----------
    tokens : token of the venue → asset, those that are replayed.
    price : dollars a unit by asset, for tiers that are published in units.
    """
    return RULES[type(venue)](venue, tokens, price)


def sets(study: Study, venues: Venues, universe: Universe) -> dict[str, tuple[Study, Study]]:
    """Every venue with an asset of the study: its set and ours on the book that it lists.

    Where a venue lists no token for an asset itself, one that is derived from it stands in (WBTC
    for BTC).  Venues whose base asset moves are left out: their thresholds are not against dollars,
    which the book owes.  A set that the workbook would not recommend runs all the same; see
    `RiskParameters.faults`.

    Returns
    -------
    dict
        Key of the venue → (theirs, ours).

    Raises
    ------
    ParameterError
        No venue lists any asset of the study.
    """
    ours, made = study.parameters.frame, {}
    price = study.close.iloc[-1]
    pegged = {symbol for symbol, asset in universe.assets.items() if asset.peg is not None}
    for key, venue in venues.venues.items():
        today = venues.today(key, universe)
        today = today[today.index.isin(ours.index) & (today["threshold"] > 0.0)]
        base = venues.tokens.get(venue.base)
        if today.empty or (base is not None and base not in pegged):
            continue
        tokens = dict(zip(today["token"], today.index, strict=True))
        engine = rulebook(venue, tokens, price)
        book = replace(study.shape, mix=mix_of(list(today.index)))
        here = replace(study, shape=book, conduct=replace(study.conduct, engine=engine))
        theirs = RiskParameters(today.rename_axis(ours.index.name), recommended=False)
        made[key] = (
            replace(here, parameters=theirs),
            replace(here, parameters=replace(study.parameters, frame=ours.loc[today.index])),
        )
    if not made:
        raise ParameterError("no venue lists an asset of the study; add one to the venues file")
    return made


def judged(cases: Mapping[str, tuple[Study, Study]]) -> dict[tuple[str, str], Cohorts]:
    """The weekly cohorts of every case of `sets`: (venue, "theirs" or "ours") → cohorts."""
    return {
        (key, name): run(one.weekly)
        for key, pair in cases.items()
        for name, one in zip(("theirs", "ours"), pair, strict=True)
    }


def pairs(found: Mapping[tuple[str, str], Cohorts], confidence: float = 0.95) -> pd.DataFrame:
    """Points (see `frontier.points`) of every case of `judged`.

    Returns
    -------
    DataFrame
        Columns ``venue``, ``whose`` ("theirs", "ours"), then the points.
    """
    rows = []
    for (venue, whose), cohorts in found.items():
        table = points(cohorts.outcomes.assign(whose=whose), confidence, by="whose")
        rows.append(table.drop(columns="consistent").reset_index().assign(venue=venue))
    table = pd.concat(rows, ignore_index=True)
    return table[["venue", "whose", *table.columns.drop(["venue", "whose"])]]
