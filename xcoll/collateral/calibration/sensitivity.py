"""What a haircut hangs on: one input of the calibration moved at a time, all others as they are."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pandas as pd

from xcoll.collateral.calibration.policy import Policy
from xcoll.errors import EstimationError, ParameterError

__all__ = ["median", "standard", "tornado"]

P = TypeVar("P")


def standard(policy: Policy) -> dict[str, tuple[Any, Any]]:
    """Field of a policy → the two values that it is moved to.

    Level, horizon and both look-backs between their usual ends; depth, participation and position
    halved and doubled.
    """
    return {
        "tail.confidence": (0.975, 0.995),
        "window": ("200D", "730D"),
        "look_back": ("365D", "730D"),
        "horizon": ("1h", "24h"),
        "depth": (policy.depth / 2, policy.depth * 2),
        "participation": (policy.participation / 2, min(policy.participation * 2, 1.0)),
        "position_usd": (policy.position_usd / 2, policy.position_usd * 2),
    }


def tornado(
    calibrate: Callable[[P], pd.Series], policy: P, changes: Mapping[str, tuple[Any, Any]]
) -> pd.DataFrame:
    """The haircuts under each input's two values, one input at a time.

    Parameters
    ----------
    calibrate : callable
        Policy → haircut by asset.  Draws must be the same in every call: start the generator
        inside it.
    policy : dataclass
        The base.
    changes : mapping
        Field → (first value, second value); a dot leads into a field's own, ``tail.confidence``.

    Returns
    -------
    DataFrame
        asset, input, low_value, high_value (the two values, as text), low, high (the haircuts at
        them), base, swing (from the smallest to the largest of the three); by asset in the order
        of `calibrate`, largest swing first.

    Raises
    ------
    ParameterError
        A field that the policy has not, or a value that it refuses.
    EstimationError
        An asset of the base that a changed policy gives no haircut.
    """
    base = calibrate(policy)
    tables = []
    for name, values in changes.items():
        ends = [calibrate(_changed(policy, name, value)) for value in values]
        for value, found in zip(values, ends, strict=True):
            missing = base.index.difference(found.index)
            if len(missing):
                raise EstimationError(
                    f"no haircut of {missing[0]} where {name} is {value}; choose another value"
                )
        low, high = (found[base.index] for found in ends)
        three = pd.concat([low, high, base], axis=1)
        tables.append(
            pd.DataFrame(
                {
                    "asset": base.index,
                    "input": name,
                    "low_value": _text(values[0]),
                    "high_value": _text(values[1]),
                    "low": low.to_numpy(),
                    "high": high.to_numpy(),
                    "base": base.to_numpy(),
                    "swing": (three.max(axis=1) - three.min(axis=1)).to_numpy(),
                }
            )
        )
    if not tables:
        raise ParameterError("no input to change; take sensitivity.standard(policy)")
    table = pd.concat(tables)
    place = table["asset"].map({asset: row for row, asset in enumerate(base.index)})
    order = table.assign(place=place).sort_values(
        ["place", "swing"], ascending=[True, False], kind="stable"
    )
    return order.drop(columns="place").reset_index(drop=True)


def median(table: pd.DataFrame) -> pd.DataFrame:
    """The tornado of the median asset: medians over assets of the base and of each move from it.

    Columns of `tornado`, asset "median".
    """
    moves = table.assign(low=table["low"] - table["base"], high=table["high"] - table["base"])
    keys = ["input", "low_value", "high_value"]
    found = moves.groupby(keys, sort=False)[["low", "high"]].median()
    base = table.drop_duplicates("asset")["base"].median()
    three = found.assign(base=0.0)
    swing = three.max(axis=1) - three.min(axis=1)
    made = found.add(base).assign(base=base, swing=swing).reset_index()
    made.insert(0, "asset", "median")
    return made.sort_values("swing", ascending=False, kind="stable").reset_index(drop=True)


def _changed(policy: P, name: str, value: Any) -> P:
    first, _, rest = name.partition(".")
    fields = [field.name for field in dataclasses.fields(policy)]
    if first not in fields:
        raise ParameterError(f"{first!r} is no input; choose one of {', '.join(fields)}")
    if rest and not dataclasses.is_dataclass(getattr(policy, first)):
        raise ParameterError(f"{first!r} has no inputs of its own; leave {rest!r} out")
    moved = _changed(getattr(policy, first), rest, value) if rest else value
    return dataclasses.replace(policy, **{first: moved})


def _text(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, float) else str(value)
