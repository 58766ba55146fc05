"""Guard rails: the haircut in force, where a venue cannot go to its target at once.

    immediate  the last target
    guarded    steps of limited size with a delay between two, as Aave's risk stewards are bound
    ramped     up in a straight line over a ramp, down at once, as Euler v2 moves a threshold

A value stamped d was decided from what was known at the close of d, and is in force over the bar
after d.  A target stamped t is seen from t on and stands until the next one; NaN before an asset
starts and after it ends.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.governance import Governance
from xcoll.errors import DataError

__all__ = ["RULES", "every_path", "guarded", "immediate", "in_force", "ramped"]


def in_force(
    target: pd.DataFrame, days: pd.DatetimeIndex, rule: str, governance: Governance
) -> pd.DataFrame:
    """The haircut in force by one of `RULES`, each heading for the target rounded up to the tick.

    Parameters
    ----------
    target : DataFrame, time × asset
        Haircuts that calibrations posted.
    days : DatetimeIndex
        When the venue may act, sorted.
    rule : str
        One of `RULES`.
    governance : Governance
        Tick, step, delay, expiry and ramp.

    Returns
    -------
    DataFrame
        days × asset, NaN before an asset's first target, which is in force at once.

    Raises
    ------
    DataError
        Times of the target or days that are out of order or repeat.
    """
    follow = RULES[checks.one_of("rule", rule, RULES)]
    return follow(governance.up(target), days, governance)


def every_path(
    posted: Mapping[str, pd.DataFrame], days: pd.DatetimeIndex, governance: Governance
) -> dict[str, pd.DataFrame]:
    """`in_force` of every tool's targets by every rule, named "tool, rule"."""
    return {
        f"{tool}, {rule}": in_force(target, days, rule, governance)
        for tool, target in posted.items()
        for rule in RULES
    }


def immediate(target: pd.DataFrame, days: pd.DatetimeIndex) -> pd.DataFrame:
    """The last target at or before each day, as it is."""
    for name, index in (("days", days), ("times of the target", target.index)):
        if not (
            isinstance(index, pd.DatetimeIndex)
            and index.is_monotonic_increasing
            and index.is_unique
        ):
            raise DataError(f"the {name} are no dates in order, each once; sort, drop repeats")
    return target.reindex(days, method="ffill")


def guarded(target: pd.DataFrame, days: pd.DatetimeIndex, governance: Governance) -> pd.DataFrame:
    """Moves of at most `step`, at least `delay` apart, in whole ticks, towards the last target.

    Where the target differs from what is in force, the move is proposed; it is made as soon as the
    delay since the last move is over.  A proposal that had to wait longer than `expiry` lapses,
    and the move is proposed again from the target of that day.  A move of zero is never proposed.

    Parameters
    ----------
    target : DataFrame, time × asset
        Haircuts, rounded up to the tick here.
    days : DatetimeIndex
        When proposals and moves may be made: at most one move a day.
    governance : Governance
        Tick, step, delay and expiry.

    Returns
    -------
    DataFrame
        days × asset; an asset's first target is in force at once.
    """
    wanted = (governance.up(immediate(target, days)) / governance.tick).round(9).to_numpy()
    most = np.floor(round(governance.step / governance.tick, 9))  # whole ticks of a step
    delay, expiry = (
        pd.Timedelta(span).total_seconds() for span in (governance.delay, governance.expiry)
    )
    time = _seconds(days)
    held = np.full_like(wanted, np.nan)
    here, proposal = np.full((2, wanted.shape[1]), np.nan)
    moved, made = np.full((2, wanted.shape[1]), -np.inf)
    for t, want in enumerate(wanted):
        here = np.where(np.isnan(here) | np.isnan(want), want, here)
        proposal = np.where((time[t] - made > expiry) | np.isnan(want), np.nan, proposal)
        change = np.clip(want - here, -most, most)
        fresh = np.isnan(proposal) & (np.abs(change) > 0.0)
        proposal, made = np.where(fresh, here + change, proposal), np.where(fresh, time[t], made)
        moves = ~np.isnan(proposal) & (time[t] - moved >= delay)
        here, moved = np.where(moves, proposal, here), np.where(moves, time[t], moved)
        proposal = np.where(moves, np.nan, proposal)
        held[t] = here
    return pd.DataFrame(held * governance.tick, days, target.columns).round(12)


def ramped(target: pd.DataFrame, days: pd.DatetimeIndex, ramp: str) -> pd.DataFrame:
    """A target above what is in force is reached in a straight line over `ramp`, one below at once.

    A haircut that rises is a threshold that comes down.  A new target on the way starts a ramp of
    full length from where the haircut is, as Euler v2 does it; the same target again does not.

    Parameters
    ----------
    target : DataFrame, time × asset
        Haircuts.
    days : DatetimeIndex
        Days on which the haircut is wanted.
    ramp : str
        A duration.

    Returns
    -------
    DataFrame
        days × asset, at no time above the highest target so far; an asset's first target is in
        force at once.
    """
    wanted = immediate(target, days).to_numpy(dtype=float)
    time, span = _seconds(days), checks.duration("ramp", ramp).total_seconds()
    held = np.full_like(wanted, np.nan)
    start, goal = np.full((2, wanted.shape[1]), np.nan)
    began = np.zeros(wanted.shape[1])
    for t, want in enumerate(wanted):
        share = (time[t] - began) / span
        here = np.where(share < 1.0, start + share * (goal - start), goal)
        here = np.where(np.isnan(here) | np.isnan(want), want, here)
        new = want != goal  # NaN too
        here = np.where(new, np.minimum(here, want), here)
        start, goal = np.where(new, here, start), np.where(new, want, goal)
        began = np.where(new, time[t], began)
        held[t] = here
    return pd.DataFrame(held, days, target.columns)


def _seconds(days: pd.DatetimeIndex) -> np.ndarray:
    return (days - days[:1].min()).total_seconds().to_numpy()


RULES: dict[str, Callable[[pd.DataFrame, pd.DatetimeIndex, Governance], pd.DataFrame]] = {
    "immediate": lambda target, days, governance: immediate(target, days),
    "guarded": guarded,
    "ramped": lambda target, days, governance: ramped(target, days, governance.ramp),
}
