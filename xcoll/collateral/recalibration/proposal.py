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
    "no target": "the run has no target for it: stays as it was",
}
STAMP, DAY = "datetime64[us]", pd.Timedelta("1D")
THRESHOLD, LTV, BONUS, CAP = range(len(PARAMETERS))
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
    grid = _checked(held, wanted)

    def column(frame: pd.DataFrame, name: str) -> np.ndarray:
        values = frame[name].reindex(grid)
        if name == "moved":  # in days after this one
            values = (values.astype(STAMP) - day) / DAY
        return values.to_numpy(dtype=float).reshape(-1, len(PARAMETERS))

    before, moved, began = (column(held, name) for name in ("value", "moved", "under_way"))
    target, low, high = (column(wanted, name) for name in ("target", "low", "high"))
    inside = (before >= low - NEAR) & (before <= high + NEAR)
    under_way = ((began == 1.0) | ~inside) & _differ(before, target)
    goal = np.where(under_way, target, before)
    goal[:, LTV] = np.fmin(goal[:, LTV], goal[:, THRESHOLD])
    delay = pd.Timedelta(governance.delay) / DAY
    waits = moved > NEAR - delay
    stepped = np.where(waits, before, _stepped(before, goal, governance))
    value = np.where(np.isnan(before), target, _consistent(stepped, before, governance.tick))
    changed = _differ(value, before)
    moved = np.where(changed, 0.0, moved)
    under_way &= _differ(value, target)
    wait = np.fmax(moved + delay, 0.0)
    days = wait + (_steps(target, value, governance) - 1.0) * delay
    cases = {
        "no target": np.isnan(target),
        "start": np.isnan(before),
        "moved": changed,
        "waits": _differ(goal, before) & waits,
        "held": _differ(goal, before),
        "met": ~_differ(before, target),
    }
    verdict = np.select([*cases.values()], [*cases], "inside")
    table = pd.DataFrame(
        {
            "before": before.ravel(),
            "value": value.ravel(),
            "target": target.ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
            "moved": pd.Series(day + pd.to_timedelta(moved.ravel(), unit="D")).astype(STAMP),
            "under_way": under_way.ravel(),
            "verdict": pd.Series(verdict.ravel(), dtype="str"),
            "days": np.where(under_way, days, 0.0).ravel(),
        }
    ).set_axis(grid)
    return table[table["value"].notna()]


def _checked(held: pd.DataFrame, wanted: pd.DataFrame) -> pd.MultiIndex:
    """Asset × parameter of both tables, or the error that one of them cannot be used."""
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
        known = frame[column].to_dict()
        for (asset, parameter), ltv in known.items():
            threshold = known.get((asset, "threshold"), np.inf)
            if parameter == "ltv" and ltv > threshold + NEAR:
                raise DataError(
                    f"{asset}: the LTV {what}, {ltv:g}, is above the threshold, {threshold:g}; "
                    "lower it"
                )
    assets = dict.fromkeys(name for frame in (wanted, held) for name, _ in frame.index)
    return pd.MultiIndex.from_product([assets, PARAMETERS], names=["asset", "parameter"])


def _differ(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where both are known and are not the same."""
    return np.abs(a - b) > NEAR * np.maximum(1.0, np.abs(b))


def _stepped(value: np.ndarray, goal: np.ndarray, governance: Governance) -> np.ndarray:
    """The goal where one step reaches it, else a step on the way, rounded back to the tick."""
    most = np.full_like(value, governance.step)
    most[:, CAP] = governance.cap_step * value[:, CAP]
    way = np.sign(goal - value)
    stepped = value + way * most
    ticks = way * np.floor((way * stepped / governance.tick).round(9)) * governance.tick
    ticks[:, CAP] = stepped[:, CAP]
    near = np.abs(goal - value) <= most * (1.0 + NEAR) + NEAR
    return np.where(near, goal, ticks.round(12))


def _consistent(value: np.ndarray, before: np.ndarray, tick: float) -> np.ndarray:
    """`value` with moves undone in part that would break one of the two rules."""
    threshold, ltv, bonus, cap = value.T
    T, L, B, _ = before.T

    def under(limit: np.ndarray) -> np.ndarray:
        return (np.floor(((limit - NEAR) / tick).round(9)) * tick).round(12)

    # an LTV rises no higher than its threshold; a threshold comes down no lower than its LTV
    ltv = np.where(ltv > threshold, np.maximum(threshold, np.minimum(ltv, L)), ltv)
    threshold = np.where(threshold < ltv, ltv, threshold)
    rises = (threshold * (1.0 + bonus) >= 1.0) & (threshold > T)
    threshold = np.where(rises, np.maximum(under(1.0 / (1.0 + bonus)), T), threshold)
    ltv = np.where(ltv > threshold, np.maximum(threshold, L), ltv)
    rises = (threshold * (1.0 + bonus) >= 1.0) & (bonus > B)
    bonus = np.where(rises, np.maximum(under(1.0 / threshold - 1.0), B), bonus)
    return np.column_stack([threshold, ltv, bonus, cap])


def _steps(target: np.ndarray, value: np.ndarray, governance: Governance) -> np.ndarray:
    """Proposals until the target is met."""
    steps = np.ceil((np.abs(target - value) / governance.step).round(9))
    ratio, most = np.log(target[:, CAP] / value[:, CAP]), governance.cap_step
    fall = ratio / np.log1p(-most) if most < 1.0 else np.ones_like(ratio)
    steps[:, CAP] = np.ceil(np.where(ratio > 0.0, ratio / np.log1p(most), fall).round(9))
    return steps
