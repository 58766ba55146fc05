"""Aave v3.3 and later: who may be closed, by how much, and at which bonus.

Rules and constants are those of ``LiquidationLogic.executeLiquidationCall`` in Aave v3.3 (released
February 2025), in real numbers instead of fixed point::

    HF = Σ C_i·LT_i / D                      liquidatable where HF < 1
    repay ≤ D/2 of the whole position        where HF > 0.95 and both reserves are worth $2,000
    repay ≤ the reserve's own debt           otherwise
    seize = repay·(1 + LB)/p                 at most all, then repay = value/(1 + LB)

What a call leaves of the two reserves is worth $1,000 each, unless it clears one of them.  The
protocol takes its fee from the bonus only.  Debt without any collateral left becomes a deficit.
"""

from dataclasses import dataclass

import numpy as np

from xcoll import checks
from xcoll.liquidation.engines.account import Account, by_asset

__all__ = ["RULES", "Aave", "Rules"]


@dataclass(frozen=True)
class Rules:
    """Constants of the close factor, named after Aave v3.3 ``LiquidationLogic`` (February 2025).

    Attributes
    ----------
    close_factor : share of the whole position's debt that one call may repay
        (``DEFAULT_LIQUIDATION_CLOSE_FACTOR``).
    full_close_health : at or under this health factor a reserve's debt may be repaid whole
        (``CLOSE_FACTOR_HF_THRESHOLD``).
    full_close_below : dollars of the reserve's debt or collateral under which it may be repaid
        whole (``MIN_BASE_MAX_CLOSE_FACTOR_THRESHOLD``).
    least_leftover : dollars that must stay on both sides unless one is cleared
        (``MIN_LEFTOVER_BASE``).
    """

    close_factor: float = 0.5
    full_close_health: float = 0.95
    full_close_below: float = 2_000.0
    least_leftover: float = 1_000.0

    def __post_init__(self) -> None:
        checks.positive("close_factor", self.close_factor)
        checks.fraction("close_factor", self.close_factor, closed=True)
        checks.fraction("full_close_health", self.full_close_health, closed=True)
        checks.at_least("least_leftover", self.least_leftover, 0.0)
        checks.at_least("full_close_below", self.full_close_below, self.least_leftover)

    def array(self) -> np.ndarray:
        """The four constants in the order in which a kernel reads them."""
        return np.array(
            [
                self.close_factor,
                self.full_close_health,
                self.full_close_below,
                self.least_leftover,
            ]
        )


RULES = Rules()


@dataclass(frozen=True)
class Aave:
    """A `KeeperEngine`.

    Attributes
    ----------
    thresholds : LT by asset.
    bonuses : LB by asset, in [0, 1]; 0 where the asset is no collateral, so that nobody comes.
    fees : the protocol's share of the bonus by asset.
    rules : constants of the close factor.
    """

    thresholds: np.ndarray
    bonuses: np.ndarray
    fees: np.ndarray
    rules: Rules = RULES

    def __post_init__(self) -> None:
        by_asset(
            len(self.thresholds),
            1.0,
            thresholds=self.thresholds,
            bonuses=self.bonuses,
            fees=self.fees,
        )

    def liquidatable(self, account: Account) -> bool:
        """``HF < 1``."""
        return account.health < 1

    def incentive(self, account: Account, k: int) -> float:
        """``1 + LB_k``, whatever the account."""
        return float(1 + self.bonuses[k])

    def repayment(self, account: Account, k: int, j: int, most: float = np.inf) -> float:
        """Largest repayment in dollars that one call may make for a pair of reserves.

        Notes
        -----
        A call that would leave dust reverts.  So the keeper clears the smaller side where the
        close factor and `most` let it, and else repays the largest amount that leaves $1,000 on
        both sides: 0 where there is none, which without `most` cannot be, for the close factor
        binds only where both reserves are worth $2,000 or more.
        """
        if not self.liquidatable(account):
            return 0.0
        worth, owed, incentive = account.worth[k], account.owed[j], self.incentive(account, k)
        clears = min(owed, worth / incentive)
        limit = min(self._close_limit(account, k, j), most)
        if clears <= limit:
            return float(clears)
        leftover = self.rules.least_leftover
        return float(max(0.0, min(limit, owed - leftover, (worth - leftover) / incentive)))

    def _close_limit(self, account: Account, k: int, j: int) -> float:
        small = min(account.worth[k], account.owed[j]) < self.rules.full_close_below
        if small or account.health <= self.rules.full_close_health:
            return account.owed[j]
        return min(account.owed[j], self.rules.close_factor * account.total)
