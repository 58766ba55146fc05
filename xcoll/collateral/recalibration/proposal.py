"""One proposal: what is in force at a venue moves towards its targets, by one step at most.

A parameter is left alone while it lies inside the interval of its target.  Once it lies outside it
is under way: it goes to the target itself, one step a proposal and no sooner than the delay after
its last move, until it meets it.  A proposal that would have to wait for the delay is not kept; it
is made again from the target of the day on which it can be carried out, as an expired one is.

Across the parameters of an asset two rules hold: the LTV is at most the threshold, and no move
takes threshold × (1 + bonus) to 1, where no liquidation could pay in full.
"""

import numpy as np
import pandas as pd

from xcoll.collateral.governance import Governance
from xcoll.errors import DataError

__all__ = ["PARAMETERS", "RISKIER", "VERDICTS", "propose"]

PARAMETERS = ("threshold", "ltv", "bonus", "cap")
# The side of its target on which a parameter lends more than it should, or pays a keeper less.
RISKIER = {"threshold": 1.0, "ltv": 1.0, "bonus": -1.0, "cap": 1.0}
VERDICTS = {
    "start": "nothing was in force or published: starts at its target",
    "moved": "moved",
    "waits": "waits for the delay since its last move",
    "held": "held by the other parameters of the asset",
    "met": "is at its target",
    "inside": "inside the interval of its target",
    "no target": "no target any more: stays as it was",
}
STAMP, DAY = "datetime64[us]", 86_400.0  # seconds
NEAR = 1e-9  # parameters are multiples of a tick, caps dollars


def propose(
    held: pd.DataFrame, wanted: pd.DataFrame, day: pd.Timestamp, governance: Governance
) -> pd.DataFrame:
    """What is in force after the proposal of one day.

    Parameters
    ----------
    held : DataFrame, index (asset, parameter)
        value (in force), moved (day of its last move, NaT: none known), under_way.
    wanted : DataFrame, index (asset, parameter)
        target, low and high; the parameters are `PARAMETERS`, caps in dollars.
    day : Timestamp
        Of the proposal.
    governance : Governance
        Tick, step, delay, and for caps the step as a fraction of what is in force.

    Returns
    -------
    DataFrame, index (asset, parameter), the assets of `wanted` first
        before (NaN at the start), value, target, low, high, moved, under_way, verdict (one of
        `VERDICTS`), days (until it would meet its target, 0 where it is not under way).

    Raises
    ------
    DataError
        An unknown parameter, a target outside its interval, or an LTV above its threshold.
    """
    _check(held, wanted)
    assets = dict.fromkeys(name for frame in (wanted, held) for name, _ in frame.index)
    grid = pd.MultiIndex.from_product([assets, PARAMETERS], names=["asset", "parameter"])

    def wide(frame: pd.DataFrame, column: str) -> pd.DataFrame:
        return frame[column].reindex(grid).unstack("parameter").loc[[*assets], [*PARAMETERS]]

    before, moved = wide(held, "value").astype(float), wide(held, "moved").astype(STAMP)
    target, low, high = (wide(wanted, name).astype(float) for name in ("target", "low", "high"))
    began = wide(held, "under_way").eq(True)
    inside = (before >= low - NEAR) & (before <= high + NEAR)
    under_way = before.notna() & target.notna() & (began | ~inside) & ~_same(before, target)
    goal = target.where(under_way, before)
    goal["ltv"] = goal[["ltv", "threshold"]].min(axis=1, skipna=False)
    delay = pd.Timedelta(governance.delay)
    free = moved.isna() | (day - moved >= delay)
    value = _consistent(_stepped(before, goal, governance).where(free, before), before, governance)
    value = value.where(before.notna(), target)
    changed = before.notna() & ~_same(value, before)
    moved = moved.mask(changed, day)
    under_way &= ~_same(value, target)
    wait = (moved + delay - day).apply(lambda column: column.dt.total_seconds()).clip(lower=0.0)
    days = (
        wait.fillna(0.0) + (_steps(target, value, governance) - 1.0) * delay.total_seconds()
    ) / DAY
    verdict = pd.DataFrame("inside", value.index, value.columns)
    for name, where in {
        "met": _same(before, target),
        "held": ~_same(goal, before),
        "waits": ~_same(goal, before) & ~free,
        "moved": changed,
        "start": before.isna(),
        "no target": target.isna(),
    }.items():
        verdict = verdict.mask(where, name)
    parts = {
        "before": before,
        "value": value,
        "target": target,
        "low": low,
        "high": high,
        "moved": moved,
        "under_way": under_way,
        "verdict": verdict,
        "days": days.where(under_way, 0.0).clip(lower=0.0),
    }
    table = pd.DataFrame({name: part.stack(future_stack=True) for name, part in parts.items()})
    return table[table["value"].notna()].rename_axis(["asset", "parameter"])


def _check(held: pd.DataFrame, wanted: pd.DataFrame) -> None:
    for frame in (held, wanted):
        for asset, parameter in frame.index:
            if parameter not in PARAMETERS:
                raise DataError(f"{asset}: no parameter {parameter!r}; {', '.join(PARAMETERS)}")
    outside = (wanted["target"] < wanted["low"] - NEAR) | (wanted["target"] > wanted["high"] + NEAR)
    for asset, parameter in wanted.index[outside]:
        row = wanted.loc[(asset, parameter)]
        raise DataError(
            f"{asset}: the target {row['target']:g} of its {parameter} is outside its own interval "
            f"{row['low']:g} to {row['high']:g}; calibrate it again"
        )
    for frame, column, what in ((held, "value", "in force"), (wanted, "target", "wanted")):
        rows = frame[column].unstack("parameter").reindex(columns=["ltv", "threshold"])
        for asset in rows.index[rows["ltv"] > rows["threshold"] + NEAR]:
            ltv, threshold = rows.loc[asset]
            raise DataError(
                f"{asset}: the LTV {what}, {ltv:g}, is above the threshold, {threshold:g}; lower it"
            )


def _same(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    return (a - b).abs() <= NEAR * np.maximum(1.0, b.abs())


def _most(value: pd.DataFrame, governance: Governance) -> pd.DataFrame:
    most = pd.DataFrame(governance.step, value.index, value.columns)
    return most.assign(cap=governance.cap_step * value["cap"])


def _stepped(value: pd.DataFrame, goal: pd.DataFrame, governance: Governance) -> pd.DataFrame:
    """The goal where one step reaches it, else a step on the way, rounded back to the tick."""
    most, way = _most(value, governance), np.sign(goal - value)
    stepped = value + way * most
    on_tick = governance.down(stepped).where(way > 0.0, governance.up(stepped))
    stepped = on_tick.assign(cap=stepped["cap"])
    near = (goal - value).abs() <= most * (1.0 + NEAR) + NEAR
    return goal.where(near, stepped)


def _consistent(value: pd.DataFrame, before: pd.DataFrame, governance: Governance) -> pd.DataFrame:
    """`value` with moves undone in part that would break one of the two rules."""

    def under(limit: pd.Series) -> pd.Series:
        return governance.down(limit - NEAR)

    threshold, ltv, bonus = (value[name] for name in ("threshold", "ltv", "bonus"))
    # an LTV rises no higher than its threshold; a threshold comes down no lower than its LTV
    ltv = ltv.mask(ltv > threshold, np.maximum(threshold, np.minimum(ltv, before["ltv"])))
    threshold = threshold.mask(threshold < ltv, ltv)
    rises = (threshold * (1.0 + bonus) >= 1.0) & (threshold > before["threshold"])
    most = np.maximum(under(1.0 / (1.0 + bonus)), before["threshold"])
    threshold = threshold.mask(rises, most)
    ltv = ltv.mask(ltv > threshold, np.maximum(threshold, before["ltv"]))
    rises = (threshold * (1.0 + bonus) >= 1.0) & (bonus > before["bonus"])
    bonus = bonus.mask(rises, np.maximum(under(1.0 / threshold - 1.0), before["bonus"]))
    return value.assign(threshold=threshold, ltv=ltv, bonus=bonus)


def _steps(target: pd.DataFrame, value: pd.DataFrame, governance: Governance) -> pd.DataFrame:
    """Proposals until the target is met."""
    steps = governance.steps(target - value)
    ratio, most = target["cap"] / value["cap"], governance.cap_step
    up = np.ceil(np.round(np.log(ratio) / np.log1p(most), 9))
    down = 1.0 if most >= 1.0 else np.ceil(np.round(np.log(ratio) / np.log1p(-most), 9))
    return steps.assign(cap=up.where(ratio > 1.0, down))
