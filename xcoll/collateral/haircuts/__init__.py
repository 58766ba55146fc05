"""The haircut and its waterfall."""

from xcoll.collateral.haircuts.basel import basel_exposure, basel_haircut
from xcoll.collateral.haircuts.contract import (
    CONTRACT_POINTS,
    basis_loss,
    contract_addon,
    failure_reserve,
)
from xcoll.collateral.haircuts.waterfall import (
    ADJUSTMENTS,
    PARTS,
    check_parts,
    haircut,
    long,
    shares,
    tall,
    waterfall,
    with_posted,
)

__all__ = [
    "ADJUSTMENTS",
    "CONTRACT_POINTS",
    "PARTS",
    "basel_exposure",
    "basel_haircut",
    "basis_loss",
    "check_parts",
    "contract_addon",
    "failure_reserve",
    "haircut",
    "long",
    "shares",
    "tall",
    "waterfall",
    "with_posted",
]
