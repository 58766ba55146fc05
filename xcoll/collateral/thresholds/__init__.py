"""Threshold, loan-to-value and bonus as one consistent set."""

from xcoll.collateral.thresholds.closure import (
    REGIMES,
    keeper_bonus,
    loan_to_value,
    smart_ltv,
    threshold,
)
from xcoll.collateral.thresholds.parameters import RiskParameters
from xcoll.collateral.thresholds.toxic import toxic, toxic_pairs

__all__ = [
    "REGIMES",
    "RiskParameters",
    "keeper_bonus",
    "loan_to_value",
    "smart_ltv",
    "threshold",
    "toxic",
    "toxic_pairs",
]
