"""What slows a fall, with and without: breakers, and what could be done in advance.

Each is a system made of another one, so that both meet the same episodes.  What it saves the
lenders, what it costs the borrowers, and how much later accounts are served are paired differences,
episode by episode, in dollars over the debt of the system as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.liquidation._kernels import ACCOUNT
from xcoll.liquidation.outcomes import paired
from xcoll.liquidation.rulebooks import Aave, Exchange, Rulebook
from xcoll.liquidation.world import Borrowers
from xcoll.systemic.cascade import Cascade, cascade
from xcoll.systemic.episode import Episode
from xcoll.systemic.system import System

__all__ = ["COLUMNS", "Measures", "compare", "outcomes", "verdicts"]

REPAID, WAIT = ACCOUNT.index("repaid"), ACCOUNT.index("wait")
COLUMNS = ("bad_debt", "penalty", "delay", "closed", "fall")


@dataclass(frozen=True)
class Measures:
    """The measures and how strong they are; all assumed, to be varied.

    Attributes
    ----------
    pause : fall within an hour that shuts an asset for `last`.
    last : of a pause and of a freeze.
    cap : share of a venue's debt that may be repaid by liquidations within an hour.
    stop : distance of an oracle from the traded price that shuts an asset.
    freeze : move within an hour that stops borrowing.
    slower : multiplies the close factor, and what an exchange sells a step.
    haircut : by how much thresholds, and with them debts, are lower from the start.
    window : within which everybody called has to top up before anything is closed.
    """

    pause: float = 0.10
    last: str = "6h"
    cap: float = 0.02
    stop: float = 0.05
    freeze: float = 0.05
    slower: float = 0.5
    haircut: float = 0.05
    window: str = "2h"

    def __post_init__(self) -> None:
        for name in ("pause", "cap", "stop", "freeze", "slower", "haircut"):
            checks.fraction(name, getattr(self, name))
        for name in ("last", "window"):
            checks.duration(name, getattr(self, name))

    def systems(self, system: System) -> dict[str, System]:
        """Measure → the system with it."""
        return {name: make(self, system) for name, make in MEASURES.items()}


def _breakers(**changes: object) -> Callable[[Measures, System], System]:
    """Set breakers of all venues to attributes of the measures."""

    def made(measures: Measures, system: System) -> System:
        given = {
            name: getattr(measures, value) if isinstance(value, str) else value
            for name, value in changes.items()
        }
        venues = [
            replace(venue, breakers=replace(venue.breakers, **given)) for venue in system.venues
        ]
        return system.changed(venues=venues)

    return made


def _cap(measures: Measures, system: System) -> System:
    venues = [
        replace(venue, breakers=replace(venue.breakers, cap=measures.cap * system.debt[venue.name]))
        for venue in system.venues
    ]
    return system.changed(venues=venues)


def _slower_aave(engine: Aave, slower: float) -> Aave:
    rules = engine.rules
    return replace(engine, rules=replace(rules, close_factor=rules.close_factor * slower))


def _slower_exchange(engine: Exchange, slower: float) -> Exchange:
    return replace(engine, rules=replace(engine.rules, share=engine.rules.share * slower))


SLOWER: dict[type, Callable[[Rulebook, float], Rulebook]] = {
    Aave: _slower_aave,
    Exchange: _slower_exchange,
}


def _slower(measures: Measures, system: System) -> System:
    """Engines that have a close factor; the others close as they did."""
    venues = [
        replace(venue, engine=SLOWER[type(venue.engine)](venue.engine, measures.slower))
        if type(venue.engine) in SLOWER
        else venue
        for venue in system.venues
    ]
    return system.changed(venues=venues)


def _haircut(measures: Measures, system: System) -> System:
    keep = 1.0 - measures.haircut
    venues = []
    for venue in system.venues:
        lower = venue.parameters.with_thresholds(venue.parameters.frame["threshold"] * keep)
        book = replace(venue.book, debt=venue.book.debt * keep)
        venues.append(replace(venue, parameters=lower, book=book))
    return system.changed(venues=venues)


def _window(measures: Measures, system: System) -> System:
    world = system.world
    asked = replace(
        world.borrowers or Borrowers(), attentive=1.0, delay=measures.window, top_up=True
    )
    later = pd.Timedelta(world.keepers.response or 0) + pd.Timedelta(measures.window)
    return system.with_world(borrowers=asked, keepers=replace(world.keepers, response=later))


MEASURES: dict[str, Callable[[Measures, System], System]] = {
    "pause on a price move": _breakers(pause="pause", last="last", window=pd.Timedelta("1h")),
    "cap on liquidations": _cap,
    "stop when the oracle is off": _breakers(stop="stop"),
    "borrowing frozen": _breakers(freeze="freeze", last="last", window=pd.Timedelta("1h")),
    "slower close factor": _slower,
    "higher haircuts before": _haircut,
    "top-up window": _window,
}


def outcomes(found: Cascade, debt: float) -> dict[str, float]:
    """One cascade in `COLUMNS`.

    ``bad_debt`` and ``penalty`` (what borrowers lose: seized less cleared and paid back) over
    `debt` dollars; ``delay``, mean hours from breach to service weighted by dollars repaid, zero
    where nobody was served; ``closed``, share of the accounts; ``fall``, the deepest traded fall of
    any asset beyond that from outside.
    """
    lost = found.by_venue("seized") - found.by_venue("repaid") - found.by_venue("credit")
    repaid, wait = found.account[:, REPAID], found.account[:, WAIT]
    served = repaid > 0.0
    hours = found.episode.step / pd.Timedelta("1h")
    delay = np.average(wait[served], weights=repaid[served]) * hours if served.any() else 0.0
    outside = found.episode.market.min(axis=0)
    traded = (found.shown / found.shown[0]).min(axis=0)
    return {
        "bad_debt": float(found.bad_debt.sum()) / debt,
        "penalty": float(lost.sum()) / debt,
        "delay": float(delay),
        "closed": float((found.served[:, 0] >= 0).sum()) / len(found.system.layout.owed),
        "fall": float((outside - traded).max()),
    }


def compare(
    system: System,
    episodes: Sequence[Episode],
    measures: Measures | None = None,
    systems: Mapping[str, System] | None = None,
) -> dict[str, pd.DataFrame]:
    """Every measure, and "as it is", on the same episodes: name → `COLUMNS` by episode.

    `systems`, name → system, are those of `measures` where not given.
    """
    given = (measures or Measures()).systems(system) if systems is None else systems
    debt = sum(system.debt.values())
    return {
        name: pd.DataFrame([outcomes(cascade(one, episode), debt) for episode in episodes])
        for name, one in {"as it is": system, **given}.items()
    }


def verdicts(
    found: Mapping[str, pd.DataFrame], rng: np.random.Generator, level: float = 0.90
) -> pd.DataFrame:
    """What each measure saves and costs, and in words whether it helped.

    Returns
    -------
    DataFrame
        ``measure``; for bad debt ``saved``, ``saved_low``, ``saved_high`` (positive where lenders
        lose less); for penalties ``cost``, ``cost_low``, ``cost_high`` and for hours until service
        ``delay``, ``delay_low``, ``delay_high`` (positive where it is more); ``verdict``: "saves
        lenders", "makes it worse for lenders" or "no difference that can be told".  One episode
        has no intervals: they are NaN, and no difference can be told.
    """
    if len(found["as it is"]) == 1:
        twice = {name: pd.concat([one, one]) for name, one in found.items()}
        table = paired(twice, "as it is", list(COLUMNS), rng, 1, level=level)
        table = table.assign(low=np.nan, high=np.nan, differs=False)
    else:
        table = paired(dict(found), "as it is", list(COLUMNS), rng, 1, level=level)
    rows = []
    for name, part in table.groupby("case", sort=False):
        part = part.set_index("outcome")
        bad, cost, delay = (part.loc[key] for key in ("bad_debt", "penalty", "delay"))
        verdict = "no difference that can be told"
        if bad["differs"]:
            verdict = "saves lenders" if bad["mean"] > 0.0 else "makes it worse for lenders"
        rows.append(
            (
                name,
                *(bad["mean"], bad["low"], bad["high"]),
                *(-cost["mean"], -cost["high"], -cost["low"]),
                *(-delay["mean"], -delay["high"], -delay["low"]),
                verdict,
            )
        )
    columns = [
        f"{what}{end}" for what in ("saved", "cost", "delay") for end in ("", "_low", "_high")
    ]
    return pd.DataFrame(rows, columns=["measure", *columns, "verdict"])
