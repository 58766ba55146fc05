"""Haircut waterfall: ``1 − H = Π (1 − x_k)`` over market, liquidity, oracle, basis and contract.

Part k takes the share ``H·ln(1 − x_k) / Σ ln(1 − x_j)`` of H: the shares sum to H and do not
depend on the order of the parts.  The anti-procyclical adjustment and the rounding to the
governance tick are the last two steps.  What can go to zero at once is a reserve beside the
haircut, not points of it.
"""

import numpy as np
import pandas as pd

from xcoll.collateral.governance import Governance
from xcoll.errors import ParameterError

__all__ = [
    "ADJUSTMENTS",
    "PARTS",
    "check_parts",
    "haircut",
    "long",
    "parts_of",
    "shares",
    "tall",
    "waterfall",
    "with_posted",
]


PARTS = ("market", "liquidity", "oracle", "basis", "contract")


ADJUSTMENTS = ("anti-procyclical", "rounding")


def check_parts(parts: pd.DataFrame) -> pd.DataFrame:
    """`parts` as floats in the order of `PARTS`; raises `ParameterError` outside [0, 1]."""
    missing = [part for part in PARTS if part not in parts]
    if missing:
        raise ParameterError(f"the haircut lacks its parts {missing}; give 0 where one is absent")
    checked = parts.loc[:, list(PARTS)].astype(float)
    outside = checked.isna() | (checked < 0.0) | (checked > 1.0)
    if outside.any(axis=None):
        row, part = np.argwhere(outside.to_numpy())[0]
        raise ParameterError(
            f"{PARTS[part]} part of {checked.index[row]} is {checked.iloc[row, part]:g}; "
            "give a fraction in [0, 1]"
        )
    return checked


def haircut(parts: pd.DataFrame) -> pd.Series:
    """``H = 1 − Π (1 − x_k)`` by row.

    Parameters
    ----------
    parts : DataFrame
        One row an asset (or asset and date), columns as `PARTS`, fractions in [0, 1].

    Returns
    -------
    Series
        H in [0, 1], unrounded.
    """
    return (1.0 - (1.0 - check_parts(parts)).prod(axis=1)).rename("haircut")


def shares(parts: pd.DataFrame) -> pd.DataFrame:
    """Share of each part in the haircut, ``H·ln(1 − x_k)/Σ ln(1 − x_j)``, on the shape of `parts`.

    The rows sum to `haircut`.  Parts that are 1 share H = 1 equally, which is the limit of the
    formula; where all are 0 every share is 0.
    """
    checked = check_parts(parts)
    whole = checked.eq(1.0)
    weights = -np.log1p(-checked.mask(whole, 0.0))
    weights = weights.mask(whole.any(axis=1), whole.astype(float))
    total = weights.sum(axis=1)
    return weights.div(total.where(total > 0.0, 1.0), axis=0).mul(haircut(checked), axis=0)


def waterfall(
    parts: pd.DataFrame, governance: Governance, floor: pd.Series | None = None
) -> pd.DataFrame:
    """The final haircut as a sum: shares of the parts, anti-procyclical adjustment, rounding.

    Parameters
    ----------
    parts : DataFrame
        One row an asset (or asset and date), columns as `PARTS`.
    governance : Governance
        Gives the tick; the haircut is rounded up to it.
    floor : Series, optional
        Haircut that the anti-procyclical rule asks for, on the same index; the adjustment is what
        it lies above `haircut`.  Without it the adjustment is 0.

    Returns
    -------
    DataFrame
        Columns `PARTS`, then `ADJUSTMENTS`; a row sums to the final haircut.
    """
    raw = haircut(parts)
    floor = raw if floor is None else floor.reindex(raw.index)
    if floor.isna().any():
        raise ParameterError(f"no floor for {floor.index[floor.isna()].tolist()}; give 0 for none")
    total = np.maximum(raw, floor)
    return shares(parts).assign(
        **{"anti-procyclical": total - raw, "rounding": governance.up(total) - total}
    )


def long(parts: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """A waterfall as rows: the index of `steps`, part, value (x_k of a part), share of the haircut.

    The value of an adjustment is its share.
    """
    names = {"value": steps.assign(**check_parts(parts)), "share": steps}
    tall = {
        name: frame.rename_axis("part", axis=1).melt(ignore_index=False, value_name=name)
        for name, frame in names.items()
    }
    return tall["value"].assign(share=tall["share"]["share"].to_numpy()).reset_index()


def parts_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Parts by asset and horizon, back from the rows that `long` made."""
    wide = rows.pivot_table(index=["asset", "horizon"], columns="part", values="value")
    return check_parts(wide.rename_axis(columns=None))


def with_posted(parts: pd.DataFrame, posted: pd.Series) -> pd.DataFrame:
    """The parts of a posted haircut: the market part takes what was put on top of `haircut`.

    Parameters
    ----------
    parts : DataFrame
        One row an asset (or asset and date), columns as `PARTS`, no part of 1.
    posted : Series
        Haircut after the anti-procyclical rule on the same index, not under `haircut`.
    """
    checked = check_parts(parts)
    left = (1.0 - posted.reindex(checked.index)) / (1.0 - haircut(checked))
    return checked.assign(market=1.0 - (1.0 - checked["market"]) * left)


def tall(frame: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    """A wide frame as rows: its index, the name of the column, the value; NaN left out."""
    melted = frame.melt(ignore_index=False, var_name=column, value_name=value)
    return melted.dropna(subset=value).reset_index()
