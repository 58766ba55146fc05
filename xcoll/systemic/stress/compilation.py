"""A scenario under a severity, and what it meets, as an `Episode`.

Surroundings change with the first step: row 0, the opening, is as usual.  What has no end of its
own lasts to the end of the episode, and the episode as long as the longest of its parts.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from xcoll.errors import ParameterError
from xcoll.liquidation.world import steps_of
from xcoll.systemic.episode import Episode
from xcoll.systemic.stress import paths
from xcoll.systemic.stress.components import Components, Oracle, Shut
from xcoll.systemic.stress.facts import REST, Facts
from xcoll.systemic.stress.library import Library, Scenario

__all__ = ["episode", "left_out", "origins"]


def episode(scenario: Scenario, severity: str | None, facts: Facts) -> Episode:
    """What a scenario does to the system that `facts` describes.

    `severity` may be None where the scenario has one only.

    Raises
    ------
    ParameterError
        An unknown severity, asset or venue, a window outside the prices, or bars that are no even
        number of steps.
    """
    parts, name = scenario.at(severity), scenario.name
    path = paths.path(parts, facts, name, _least(parts, facts))
    rows, changes = len(path.market), _plain(parts, facts, name)
    after = np.arange(rows) > 0
    if parts.depth is not None:
        table = parts.depth if isinstance(parts.depth, dict) else None
        each = facts.by_asset(table, f"depth of {name}", 1.0) if table else parts.depth
        changes["depth"] = np.where(after[:, None], each, np.ones(len(facts.assets)))
    if parts.gas is not None:
        changes["gas"] = np.where(after, parts.gas, 1.0)
    if parts.oracle:
        changes["feed"] = _feed(parts.oracle, path, facts, name)
    if parts.shut:
        changes["shut"] = _shut(parts.shut, rows, facts, name)
    if parts.lost:
        share = facts.by_venue(parts.lost, f"lost of {name}", 0.0)
        changes["lost"] = np.where(np.arange(rows) == 1, share[:, None], 0.0)
    if parts.default is not None:
        changes["default"] = np.where(after, parts.default, 0.0)
    return Episode(
        list(facts.assets),
        path.market,
        path.due,
        facts.step,
        path.steps,
        tuple(facts.venues),
        **changes,
    )


def origins(scenario: Scenario, severity: str | None, facts: Facts) -> pd.Series:
    """What each asset's price in the scenario's window of the past is taken from.

    Returns
    -------
    Series, index asset
        "own prices", "held at the opening", "its peg", "median of the others" or the symbol of the
        underlying; empty where the scenario has no window.
    """
    return paths.origins(scenario.at(severity), facts, scenario.name)


def left_out(library: Library, facts: Facts) -> pd.Series:
    """Scenarios that cannot happen to this system, with the reason, such as an asset it has not."""
    reasons = {}
    for scenario, severity in library.cases():
        try:
            episode(scenario, severity, facts)
        except ParameterError as error:
            reasons.setdefault(scenario.name, str(error))
    return pd.Series(reasons, name="reason", dtype=object).rename_axis("scenario")


def _least(parts: Components, facts: Facts) -> int:
    """Steps of the longest thing that has an end of its own."""
    lasting = [parts.oracle.stuck, parts.oracle.lasting] if parts.oracle else []
    lasting += [parts.shut.lasting] if parts.shut else []
    return max((steps_of(each, facts.step) for each in lasting), default=0)


def _plain(parts: Components, facts: Facts, name: str) -> dict[str, Any]:
    """What needs no row: delay, and the multipliers of borrowers and keepers."""
    given = {"attentive": parts.attentive, "capital": parts.capital}
    changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if parts.delay is not None:
        table = parts.delay if isinstance(parts.delay, Mapping) else None
        if table is None:
            changes["delay"] = np.full((1, 1), steps_of(parts.delay, facts.step))
        else:
            steps = {asset: steps_of(each, facts.step) for asset, each in table.items()}
            changes["delay"] = np.array([facts.by_asset(steps, f"delay of {name}", 0)])
    return changes


def _lasting(duration: str | None, rows: int, facts: Facts) -> np.ndarray:
    """By step, whether something that begins with the first step is still there."""
    last = rows if duration is None else steps_of(duration, facts.step)
    return (np.arange(rows) > 0) & (np.arange(rows) <= last)


def _at(venues: tuple[str, ...], facts: Facts, where: str) -> np.ndarray:
    return facts.by_venue(dict.fromkeys(venues or (REST,), True), where, False)


def _feed(oracle: Oracle, path: paths.Path, facts: Facts, name: str) -> np.ndarray:
    """Venue × step × asset, what the oracle shows relative to the market; NaN while stuck."""
    rows, A = path.market.shape
    shown = np.ones((rows, A))
    if oracle.show:
        where = f"oracle of {name}"
        each = facts.by_asset(dict(oracle.show), where, None)
        during = _lasting(oracle.lasting, rows, facts)
        for a, (asset, multiple) in enumerate(zip(facts.assets, each, strict=True)):
            if multiple == "par":
                shown[during, a] = _par(asset, path, facts, where)[during, a]
            elif multiple is not None:
                shown[during, a] = multiple
    if oracle.stuck:
        stuck = _lasting(oracle.stuck, rows, facts)[:, None]
        stuck = stuck & facts.chosen(oracle.assets, f"oracle of {name}")
        shown = np.where(stuck, np.nan, shown)
    there = _at(oracle.venues, facts, f"oracle of {name}")[:, None, None]
    return np.where(there, shown, 1.0)


def _par(asset: str, path: paths.Path, facts: Facts, where: str) -> np.ndarray:
    """The par of a stablecoin or of a derived token over its market."""
    if facts.is_stable(asset):
        return 1.0 / path.market
    if asset in facts.underlying:
        return 1.0 / path.basis
    raise ParameterError(
        f"{where}: {asset} has no par, for it stands for nothing else; give a multiple"
    )


def _shut(shut: Shut, rows: int, facts: Facts, name: str) -> np.ndarray:
    """Venue × step × asset, True while an asset can be neither seized nor sold."""
    there = _at(shut.venues, facts, f"shut of {name}")
    which = facts.chosen(shut.assets, f"shut of {name}")
    during = _lasting(shut.lasting, rows, facts)
    return there[:, None, None] & during[None, :, None] & which[None, None, :]
