"""Morpho Blue, and its pre-liquidation where a borrower has agreed to it.

Rules of ``Morpho.liquidate`` (whitepaper and contracts, 2023)::

    LTV > LLTV, that is HF < 1               liquidatable; any share may be closed
    LIF = min(1.15, 1/(1 − 0.3·(1 − LLTV)))  dollars seized for each dollar repaid
    seize = repay·LIF/p                      at most all, then repay = value/LIF

and of ``PreLiquidation`` (Morpho Labs, 2024), above pre-LLTV and below LLTV::

    x = (LTV − pre-LLTV)/(LLTV − pre-LLTV)
    repay ≤ (LCF1 + x·(LCF2 − LCF1))·debt    at LIF1 + x·(LIF2 − LIF1)

A market has one collateral and one loan, and LTV = threshold/HF.  Where an account has several,
the LTV for collateral k is threshold_k/HF: that of an account of the same health in k alone.
Debt that is left without collateral is borne by the lenders at once.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from xcoll import checks
from xcoll.collateral.venues import morpho_bonus
from xcoll.errors import ParameterError
from xcoll.liquidation.engines.account import Account, by_asset

__all__ = ["Morpho", "PreLiquidation", "incentive_factor"]


def incentive_factor(lltv: float) -> float:
    """``LIF = min(1.15, 1/(1 − 0.3·(1 − LLTV)))`` of a market (Morpho Blue whitepaper, 2023)."""
    return 1.0 + morpho_bonus(lltv)


@dataclass(frozen=True)
class PreLiquidation:
    """Terms of pre-liquidation.

    Attributes
    ----------
    lltvs : pre-LLTV by asset, under the LLTV of its market; 0 where there is none.
    lcf1, lcf2 : share of the debt that one call may repay at pre-LLTV and at LLTV, in (0, 1] and
        not falling.
    lif1, lif2 : incentive factor at pre-LLTV and at LLTV, at least 1 and not falling.
    """

    lltvs: np.ndarray
    lcf1: float
    lcf2: float
    lif1: float
    lif2: float

    def __post_init__(self) -> None:
        by_asset(len(self.lltvs), 1.0, pre_lltvs=self.lltvs)
        checks.positive("lcf1", self.lcf1)  # at 0 the calls would never end
        checks.at_least("lcf2", checks.fraction("lcf2", self.lcf2, closed=True), self.lcf1)
        checks.at_least("lif2", self.lif2, checks.at_least("lif1", self.lif1, 1.0))


@dataclass(frozen=True)
class Morpho:
    """A `KeeperEngine`.

    Attributes
    ----------
    lltvs : LLTV by asset; 0 where there is no market.
    incentives : LIF by asset, at least 1, and 1 where there is no market, so that nobody comes.
        `by_formula` gives Morpho's own; a calibration's are 1 + LB.
    pre : terms of pre-liquidation, or None.

    Raises
    ------
    ParameterError
        Arrays that are no such numbers; a pre-LLTV that is not under its LLTV, or a LIF2 above
        1/LLTV, which ``PreLiquidation`` refuses because such calls could raise the LTV.
    """

    lltvs: np.ndarray
    incentives: np.ndarray
    pre: PreLiquidation | None = None

    def __post_init__(self) -> None:
        by_asset(len(self.lltvs), 1.0, lltvs=self.lltvs)
        by_asset(len(self.lltvs), incentives=self.incentives)
        if (self.incentives < 1).any():
            raise ParameterError(f"incentives are {self.incentives}; give 1 + LB, at least 1")
        if self.pre is not None:
            self._check(self.pre)

    def _check(self, pre: PreLiquidation) -> None:
        by_asset(len(self.lltvs), 1.0, pre_lltvs=pre.lltvs)
        market = self.lltvs > 0
        if (pre.lltvs[market] >= self.lltvs[market]).any() or pre.lltvs[~market].any():
            raise ParameterError(
                f"pre-LLTVs are {pre.lltvs}; give them under the LLTVs {self.lltvs}, "
                "and 0 where there is no market"
            )
        if (pre.lif2 > 1 / self.lltvs[market]).any():
            raise ParameterError(
                f"lif2 is {pre.lif2:g}; give at most {1 / self.lltvs.max():g}, one over the LLTV"
            )

    @classmethod
    def by_formula(cls, lltvs: np.ndarray, pre: PreLiquidation | None = None) -> Self:
        """The engine with Morpho's own incentive for each LLTV."""
        factors = [incentive_factor(lltv) if lltv > 0 else 1.0 for lltv in lltvs]
        return cls(lltvs, np.array(factors), pre)

    @property
    def thresholds(self) -> np.ndarray:
        """pre-LLTV where pre-liquidation is on, else LLTV."""
        return self.lltvs if self.pre is None else self.pre.lltvs

    @property
    def fees(self) -> np.ndarray:
        """Zero: Morpho keeps nothing of the incentive."""
        return np.zeros(len(self.lltvs))

    def liquidatable(self, account: Account) -> bool:
        """``HF < 1`` at the account's thresholds, so from pre-LLTV on where they are those."""
        return account.health < 1

    def incentive(self, account: Account, k: int) -> float:
        """``LIF_k``, or what pre-liquidation pays at this LTV where only that is due."""
        if not self._early(account, k):
            return float(self.incentives[k])
        return self._between(account, k, self.pre.lif1, self.pre.lif2)

    def repayment(self, account: Account, k: int, j: int, most: float = np.inf) -> float:
        """Largest repayment in dollars: the debt or its share, the collateral's limit, `most`."""
        if not self.liquidatable(account):
            return 0.0
        share = 1.0
        if self._early(account, k):
            share = self._between(account, k, self.pre.lcf1, self.pre.lcf2)
        limit = account.worth[k] / self.incentive(account, k)
        return float(min(share * account.owed[j], limit, most))

    def _early(self, account: Account, k: int) -> bool:
        """Whether the LTV for collateral k is under its LLTV."""
        return self.pre is not None and account.thresholds[k] < self.lltvs[k] * account.health

    def _between(self, account: Account, k: int, first: float, last: float) -> float:
        bound = account.thresholds[k]
        x = max(0.0, bound / account.health - bound) / (self.lltvs[k] - bound)
        return float(first + x * (last - first))
