"""One entry of the ledger: what a run asked for, what is in force after it, why, and what fired.

Reasons set the targets against those of the entry before: the part of the waterfall that moved most
for a threshold, the room of a week for an LTV, the cost of the sale for a bonus, what binds a cap.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from xcoll.collateral.recalibration.proposal import VERDICTS
from xcoll.workbook.monitor.alerts import Alert
from xcoll.workbook.monitor.ledger import Entry
from xcoll.workbook.tables import money, percent

__all__ = [
    "ALERTED",
    "CHANGED",
    "SAME",
    "alerts",
    "code",
    "count",
    "held",
    "made",
    "parameters",
    "shown",
]

SAME, CHANGED, ALERTED = 0, 3, 4  # exit codes; 1 is a failed run or ledger, 2 a wrong call


def made(
    facts: Mapping[str, Any],
    proposed: pd.DataFrame,
    assets: Mapping[str, Mapping[str, Any]],
    found: Sequence[Alert],
    last: Entry | None,
) -> dict[str, Any]:
    """What the next entry holds.

    Parameters
    ----------
    facts : mapping
        as_of, made_at, run, data, venue, rails and whatever else is of the whole entry.
    proposed : DataFrame
        Of `proposal.propose`.
    assets : mapping
        Of `targets.facts`.
    found : sequence of Alert
        In the order in which they are told.
    last : Entry, optional
        The entry before.
    """
    held_by: dict[str, dict[str, Any]] = {}
    for (asset, parameter), row in proposed.iterrows():
        held_by.setdefault(asset, {})[parameter] = {
            "before": _number(row["before"]),
            "value": _number(row["value"]),
            "target": _number(row["target"]),
            "low": _number(row["low"]),
            "high": _number(row["high"]),
            "moved": None if pd.isna(row["moved"]) else f"{row['moved']:%Y-%m-%d}",
            "under_way": bool(row["under_way"]),
            "verdict": row["verdict"],
            "days": _number(row["days"]),
        }
    content = {**facts, "parameters": held_by, "assets": dict(assets)}
    for asset, mine in held_by.items():
        for parameter, one in mine.items():
            one["why"] = _why(asset, parameter, content, last)
    standing = {(one["kind"], one["name"]) for one in last["alerts"]} if last else set()
    content["alerts"] = [
        {
            "kind": one.kind,
            "name": one.name,
            "value": _number(one.value),
            "threshold": _number(one.threshold),
            "said": one.said,
            "new": (one.kind, one.name) not in standing,
        }
        for one in found
    ]
    return content


def count(entry: Entry) -> int:
    """How many parameters moved."""
    every = [one["verdict"] for mine in entry["parameters"].values() for one in mine.values()]
    return every.count("moved")


def code(entry: Entry) -> int:
    """What a scheduler is told: `ALERTED` for an alert that is new, else `CHANGED`, else `SAME`."""
    if any(one["new"] for one in entry["alerts"]):
        return ALERTED
    return CHANGED if count(entry) else SAME


def parameters(entries: Sequence[Entry]) -> pd.DataFrame:
    """The parameters of entries: number, time, asset, parameter, and what is held of each."""
    rows = [
        {
            "number": entry["number"],
            "time": entry["as_of"],
            "asset": asset,
            "parameter": name,
            **one,
        }
        for entry in entries
        for asset, mine in entry["parameters"].items()
        for name, one in mine.items()
    ]
    frame = pd.DataFrame(rows)
    numbers = dict.fromkeys(["before", "value", "target", "low", "high", "days"], float)
    return frame.astype(numbers).astype(dict.fromkeys(["time", "moved"], "datetime64[us]"))


def held(entry: Entry) -> pd.DataFrame:
    """What is in force after an entry, as `proposal.propose` takes it."""
    frame = parameters([entry]).set_index(["asset", "parameter"])
    return frame[["value", "moved", "under_way"]]


def alerts(entries: Sequence[Entry]) -> pd.DataFrame:
    """The alerts of entries: number, time, kind, name, value, threshold, said, new."""
    kinds = {"number": int, "time": "datetime64[us]", "kind": str, "name": str}
    kinds |= {"value": float, "threshold": float, "said": str, "new": bool}
    rows = [
        {"number": entry["number"], "time": entry["as_of"], **one}
        for entry in entries
        for one in entry["alerts"]
    ]
    return pd.DataFrame(rows, columns=[*kinds]).astype(kinds)


def shown(parameter: str, value: float | None) -> str:
    """A value of a parameter for a reader: dollars of a cap, else percent."""
    if value is None or math.isnan(value):
        return "–"
    return money(value) if parameter == "cap" else percent(value)


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return round(float(value), 12) if math.isfinite(value) else None


def _why(asset: str, parameter: str, content: Mapping[str, Any], last: Entry | None) -> str:
    one = content["parameters"][asset][parameter]
    low, high = shown(parameter, one["low"]), shown(parameter, one["high"])
    if one["verdict"] == "inside":
        return f"{VERDICTS['inside']}, {low} to {high}"
    if one["verdict"] == "waits":
        return f"{VERDICTS['waits']}, {one['moved']}"
    if one["verdict"] != "moved":
        return VERDICTS[one["verdict"]]
    if parameter == "ltv" and one["low"] <= one["before"] <= one["high"] and not one["under_way"]:
        return "may not lie above its threshold"
    before = last["parameters"].get(asset, {}).get(parameter) if last else None
    if before is None or before["target"] is None:
        return f"outside its interval: {_REASONS[parameter](asset, content, None)}"
    if before["target"] == one["target"]:
        return f"on its way, its target is that of {last['as_of']}"
    was = f"its target was {shown(parameter, before['target'])} on {last['as_of']}"
    return f"{was}: {_REASONS[parameter](asset, content, last)}"


def _threshold(asset: str, content: Mapping[str, Any], last: Entry | None) -> str:
    parts, horizon = (content["assets"][asset][name] for name in ("waterfall", "horizon"))
    before = last["assets"].get(asset) if last else None
    if before is None:
        part = max(parts, key=parts.__getitem__)
        return f"most of its haircut over {horizon} is {part}, {percent(parts[part])}"
    if before["horizon"] != horizon:
        return f"its close-out takes {horizon}, {before['horizon']} then"
    change = {
        part: parts.get(part, 0.0) - before["waterfall"].get(part, 0.0)
        for part in {**parts, **before["waterfall"]}
    }
    part = max(change, key=lambda name: abs(change[name]))
    return f"{part} {_points(change[part])} of the haircut"


def _ltv(asset: str, content: Mapping[str, Any], last: Entry | None) -> str:
    room = _room(content, asset)
    if last is None:
        return f"a full draw needs {percent(room)} of room to the threshold"
    before = _room(last, asset)
    ends = [entry["parameters"][asset]["threshold"]["target"] for entry in (content, last)]
    if abs(math.log(ends[0] / ends[1])) > abs(math.log((1.0 - room) / (1.0 - before))):
        return f"follows its threshold, {_threshold(asset, content, last)}"
    return f"a full draw needs {percent(room)} of room, {percent(before)} then"


def _bonus(asset: str, content: Mapping[str, Any], last: Entry | None) -> str:
    ends = [
        entry["assets"].get(asset, {"waterfall": {}})["waterfall"].get("liquidity", 0.0)
        for entry in (content, last)
        if entry is not None
    ]
    then = f", {percent(ends[1], 2)} then" if len(ends) == 2 else ""
    return f"the sale costs {percent(ends[0], 2)} of the haircut{then}"


def _cap(asset: str, content: Mapping[str, Any], last: Entry | None) -> str:
    return f"set by the {content['assets'][asset]['binding']}"


def _points(value: float) -> str:
    return f"{round(100.0 * value, 1) + 0.0:+.1f} points"


def _room(entry: Mapping[str, Any], asset: str) -> float:
    mine = entry["parameters"][asset]
    return 1.0 - mine["ltv"]["target"] / mine["threshold"]["target"]


_REASONS: dict[str, Callable[[str, Mapping[str, Any], Entry | None], str]] = {
    "threshold": _threshold,
    "ltv": _ltv,
    "bonus": _bonus,
    "cap": _cap,
}
