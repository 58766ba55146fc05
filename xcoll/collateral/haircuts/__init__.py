"""The haircut and its waterfall."""

from xcoll.collateral.haircuts.basel import basel_exposure, basel_haircut
from xcoll.collateral.haircuts.contract import (
    BASIS,
    CHANGES,
    basis_loss,
    basis_sensitivity,
    contract_sensitivity,
)
from xcoll.collateral.haircuts.waterfall import (
    ADJUSTMENTS,
    PARTS,
    check_parts,
    haircut,
    long,
    parts_of,
    shares,
    tall,
    waterfall,
    with_posted,
)

__all__ = [
    "ADJUSTMENTS",
    "BASIS",
    "CHANGES",
    "PARTS",
    "basel_exposure",
    "basel_haircut",
    "basis_loss",
    "basis_sensitivity",
    "check_parts",
    "contract_sensitivity",
    "haircut",
    "long",
    "parts_of",
    "shares",
    "tall",
    "waterfall",
    "with_posted",
]
