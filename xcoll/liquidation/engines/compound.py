"""Compound v3: the protocol takes the whole account over and sells the collateral for itself.

Rules of ``absorb``, ``quoteCollateral`` and ``buyCollateral`` in Comet (2022)::

    Σ C_k·LCF_k < D                          liquidatable; LCF are the account's thresholds
    credit = max(0, Σ C_k·LF_k − D)          stays with the borrower, in the base asset
    ask = p·(1 − storefront·(1 − LF))        the storefront's price of a unit

The account owes one base asset.  What the reserves lose is ``D + credit`` less the cash that the
collateral brings.
"""

from dataclasses import dataclass

import numpy as np

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.liquidation.engines.account import Account, by_asset

__all__ = ["Absorption", "absorb", "ask", "buy", "liquidatable", "liquidation_factor"]


@dataclass(frozen=True)
class Absorption:
    """What one ``absorb`` does.

    Attributes
    ----------
    extinguished : dollars of debt that are gone.
    credit : dollars of base asset that the borrower now has.
    seized : units of collateral that the protocol now has, length A.
    """

    extinguished: float
    credit: float
    seized: np.ndarray


def liquidatable(account: Account) -> bool:
    """``Σ C_k·LCF_k < D``."""
    return account.health < 1


def absorb(account: Account, liquidation: np.ndarray) -> Absorption:
    """Take a liquidatable account over whole; a healthy one is left alone, with zeros.

    `liquidation` is LF by asset, in [0, 1].
    """
    by_asset(len(account.prices), 1.0, liquidation=liquidation)
    if not liquidatable(account):
        return Absorption(0.0, 0.0, np.zeros(len(account.prices)))
    credit = max(0.0, float(account.worth @ liquidation) - account.total)
    return Absorption(account.total, credit, account.collateral.astype(float))


def ask(price: float, liquidation: float, storefront: float) -> float:
    """Dollars that the storefront asks for a unit, ``p·(1 − storefront·(1 − LF))``."""
    checks.fraction("liquidation", liquidation, closed=True)
    checks.fraction("storefront", storefront, closed=True)
    return checks.positive("price", price) * (1 - storefront * (1 - liquidation))


def buy(cash: float, price: float, liquidation: float, storefront: float) -> float:
    """Units that `cash` dollars buy; the sale is refused where the storefront has fewer.

    With LF 0.6, a storefront factor of 0.5 and a price of 200, cash of 200 buys 1.25.
    """
    asked = ask(price, liquidation, storefront)
    if asked == 0:
        raise ParameterError("the storefront gives the collateral away; give LF above 0")
    return checks.at_least("cash", cash, 0.0) / asked


def liquidation_factor(bonus: float, storefront: float) -> float:
    """The LF whose storefront pays a buyer the bonus LB: ``1/(1 − storefront·(1 − LF)) = 1 + LB``.

    Raises
    ------
    ParameterError
        A bonus that no LF of zero or more can pay at this storefront factor.
    """
    checks.at_least("bonus", bonus, 0.0)
    factor = checks.fraction("storefront", storefront, closed=True)
    discount = bonus / (1 + bonus)
    if discount > factor:
        raise ParameterError(
            f"a bonus of {bonus:g} is a discount of {discount:g}, above the storefront factor "
            f"{factor:g}; lower the bonus or raise the factor"
        )
    return 1 - discount / factor if discount else 1.0
