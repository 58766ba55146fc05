"""One consistent set of parameters at one date or at many, how sure it is, and what it allows."""

from xcoll.collateral.calibration.dated import (
    Calibration,
    bonuses,
    calibrate,
    parameters,
    ranked,
)
from xcoll.collateral.calibration.plan import basis_losses, close_outs, other_parts, pledged

__all__ = [
    "Calibration",
    "basis_losses",
    "bonuses",
    "calibrate",
    "close_outs",
    "other_parts",
    "parameters",
    "pledged",
    "ranked",
]
