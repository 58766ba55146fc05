"""Euler v2: a discount that grows as health falls, and thresholds that come down a ramp.

Rules of the ``Liquidation`` module and of ``LTVConfig`` in the Euler Vault Kit (2024)::

    HF ≤ 1                                   liquidatable, the whole position at once
    discount_k = min(1 − HF, maximum_k)
    seize = repay/(1 − discount)/p           at most all, then repay = value·(1 − discount)

Debt that is left without collateral is socialised.  An account has one liability; where it has
several the rules apply to each pair.
"""

from dataclasses import dataclass

import numpy as np

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.liquidation.engines.account import Account, by_asset

__all__ = ["Euler", "cooling", "ramp"]


@dataclass(frozen=True)
class Euler:
    """A `KeeperEngine`.

    Attributes
    ----------
    thresholds : liquidation LTV by asset.
    maximum : largest discount by asset, in [0, 1); 0 where the asset is no collateral, so that
        nobody comes.  A calibration's is LB/(1 + LB).
    """

    thresholds: np.ndarray
    maximum: np.ndarray

    def __post_init__(self) -> None:
        by_asset(len(self.thresholds), 1.0, thresholds=self.thresholds, maximum=self.maximum)
        if (self.maximum == 1).any():
            raise ParameterError(f"maximum is {self.maximum}; give discounts below 1")

    @property
    def fees(self) -> np.ndarray:
        """Zero: Euler keeps nothing of the discount."""
        return np.zeros(len(self.thresholds))

    def liquidatable(self, account: Account) -> bool:
        """``HF ≤ 1``; at exactly 1 the discount is zero."""
        return account.health <= 1

    def discount(self, account: Account, k: int) -> float:
        """``min(1 − HF, maximum_k)``, and 0 for a healthy account."""
        return float(max(0.0, min(1 - account.health, self.maximum[k])))

    def incentive(self, account: Account, k: int) -> float:
        """``1/(1 − discount_k)``."""
        return 1 / (1 - self.discount(account, k))

    def repayment(self, account: Account, k: int, j: int, most: float = np.inf) -> float:
        """Largest repayment in dollars: the debt, the collateral's limit, or `most`."""
        if not self.liquidatable(account):
            return 0.0
        return float(min(account.owed[j], account.worth[k] / self.incentive(account, k), most))


def cooling(elapsed: float, cool_off: float) -> bool:
    """Whether an account is still spared.

    `elapsed` and `cool_off` are seconds; the clock starts at the account's last own action that
    passed the health check (``liquidationCoolOffTime``).
    """
    return checks.at_least("elapsed", elapsed, 0.0) < checks.at_least("cool_off", cool_off, 0.0)


def ramp(initial: float, target: float, elapsed: float, duration: float) -> float:
    """Liquidation LTV in force `elapsed` seconds after it was set to `target`.

    Falls from `initial` in a straight line over `duration` seconds; a rise holds at once.
    """
    checks.fraction("initial", initial, closed=True)
    checks.fraction("target", target, closed=True)
    if target >= initial or checks.at_least("elapsed", elapsed, 0.0) >= duration:
        return float(target)
    return target + (initial - target) * (1 - elapsed / duration)
