"""Liquidation threshold, loan-to-value, bonus and fee of every asset, as one checked set."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xcoll.errors import ParameterError

__all__ = ["COLUMNS", "RiskParameters"]


COLUMNS = ("ltv", "threshold", "bonus", "protocol_fee")


@dataclass(frozen=True)
class RiskParameters:
    """Loan-to-value, liquidation threshold, bonus and the protocol's share of it, by asset.

    Attributes
    ----------
    frame : DataFrame
        Index asset symbol, columns ``ltv``, ``threshold``, ``bonus``, ``protocol_fee``, all
        fractions; an asset that is not accepted as collateral has a threshold of zero.
    recommended : bool
        A recommended set is refused with `ParameterError` when LT·(1 + LB) ≥ 1 or LTV > LT.  A
        published or experimental set (False) may hold such values; `faults` lists them.
    """

    frame: pd.DataFrame
    recommended: bool = True

    def __post_init__(self) -> None:
        missing = [column for column in COLUMNS if column not in self.frame]
        if missing:
            raise ParameterError(f"risk parameters lack the columns {missing}; give {COLUMNS}")
        frame = self.frame.loc[:, list(COLUMNS)].astype(float)
        if frame.empty or not frame.index.is_unique:
            raise ParameterError("risk parameters need one row an asset, and at least one asset")
        outside = frame.isna() | (frame < 0.0) | (frame > 1.0)
        if outside.any(axis=None):
            row, column = np.argwhere(outside.to_numpy())[0]
            raise ParameterError(
                f"{COLUMNS[column]} of {frame.index[row]} is {frame.iloc[row, column]:g}; "
                "give a fraction in [0, 1]"
            )
        object.__setattr__(self, "frame", frame)
        if self.recommended and self.faults:
            raise ParameterError("a recommendation is refused: " + "; ".join(self.faults))

    @property
    def assets(self) -> list[str]:
        """Symbols, in the order of the frame."""
        return self.frame.index.tolist()

    @property
    def faults(self) -> list[str]:
        """One sentence for each asset with LT·(1 + LB) ≥ 1 or LTV > LT; empty when consistent."""
        sentences = []
        for row in self.frame.itertuples():
            cover = row.threshold * (1.0 + row.bonus)
            if cover >= 1.0:
                sentences.append(f"{row.Index}: threshold·(1 + bonus) is {cover:.4f}, not below 1")
            if row.ltv > row.threshold:
                sentences.append(
                    f"{row.Index}: LTV {row.ltv:.4f} is above its threshold {row.threshold:.4f}"
                )
        return sentences

    def with_thresholds(self, thresholds: pd.Series) -> "RiskParameters":
        """The same set with other thresholds, as an experiment (not a recommendation).

        The distance of each LTV from its threshold, as a ratio, is kept.
        """
        frame = self.frame.copy()
        ratio = (frame["ltv"] / frame["threshold"]).where(frame["threshold"] > 0.0, 0.0)
        frame["threshold"] = thresholds.reindex(frame.index)
        frame["ltv"] = ratio * frame["threshold"]
        return replace(self, frame=frame, recommended=False)
