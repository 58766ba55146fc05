"""Liquidation threshold, loan-to-value and bonus as one consistent set.

    bonus  (1 + LB(1 − f))(1 − impact) ≥ 1 + gas/repay + keeper margin
    keeper regime   LT = (1 − market)(1 − oracle)(1 − basis)(1 − contract) / (1 + LB)
    venue regime    LT = 1 − H
    LTV = LT·(1 − q)

The cost of selling is counted once: a keeper is paid for it through the bonus LB, a venue that
sells for itself carries it inside the haircut H.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.haircuts import check_parts, haircut
from xcoll.errors import ParameterError

__all__ = ["REGIMES", "keeper_bonus", "loan_to_value", "smart_ltv", "threshold"]


def keeper_bonus(
    impact: float, keeper_margin: float, gas_share: float = 0.0, protocol_fee: float = 0.0
) -> float:
    """Smallest bonus at which a keeper profits: ``(1 + LB(1 − f))(1 − impact) = 1 + g + m``.

    Parameters
    ----------
    impact : float
        Fraction of value lost in selling what a bar's liquidations have together, in [0, 1).
    keeper_margin : float
        Profit that a keeper asks for, a fraction of the repaid debt, not negative.
    gas_share : float
        Gas over repaid debt, not negative.
    protocol_fee : float
        The venue's share f of the bonus, in [0, 1).

    Returns
    -------
    float
        The bonus LB as a fraction, not below zero.
    """
    impact = checks.fraction("impact", impact, closed=True)
    protocol_fee = checks.fraction("protocol fee", protocol_fee, closed=True)
    keeper_margin = checks.at_least("keeper margin", keeper_margin, 0.0)
    gas_share = checks.at_least("gas share", gas_share, 0.0)
    if impact == 1.0 or protocol_fee == 1.0:
        raise ParameterError(
            f"no bonus pays a keeper at impact {impact:g} and protocol fee {protocol_fee:g}; "
            "give values below 1"
        )
    return ((1.0 + gas_share + keeper_margin) / (1.0 - impact) - 1.0) / (1.0 - protocol_fee)


def _keeper(parts: pd.DataFrame, bonus: pd.Series) -> pd.Series:
    return (1.0 - haircut(parts.assign(liquidity=0.0))) / (1.0 + bonus)


def _venue(parts: pd.DataFrame, bonus: pd.Series) -> pd.Series:
    return 1.0 - haircut(parts)


REGIMES: dict[str, Callable[[pd.DataFrame, pd.Series], pd.Series]] = {
    "keeper": _keeper,
    "venue": _venue,
}


def threshold(parts: pd.DataFrame, bonus: pd.Series, regime: str = "keeper") -> pd.Series:
    """Liquidation threshold LT from the parts of the haircut.

    Parameters
    ----------
    parts : DataFrame
        One row an asset (or asset and date), columns as `xcoll.collateral.haircuts.PARTS`.
    bonus : Series
        LB on the same index, not negative.
    regime : {"keeper", "venue"}
        Who sells: a keeper for the bonus (the liquidity part stays out of LT, for LB pays it), or
        the venue itself (LT = 1 − H).

    Returns
    -------
    Series
        LT as a fraction, unrounded.
    """
    checks.one_of("regime", regime, REGIMES)
    parts = check_parts(parts)
    bonus = bonus.reindex(parts.index)
    if not (bonus >= 0.0).all():
        asset = bonus.index[~(bonus >= 0.0)][0]
        raise ParameterError(f"bonus of {asset} is {bonus[asset]:g}; give a number of at least 0")
    return REGIMES[regime](parts, bonus).rename("threshold")


def loan_to_value(threshold: pd.Series, excursion: pd.Series) -> pd.Series:
    """``LTV = LT·(1 − q)`` with q the closure quantile; both by asset, as fractions."""
    return (threshold * (1.0 - excursion.reindex(threshold.index))).rename("ltv")


def smart_ltv(
    sigma: float, liquidity_usd: float, debt_cap_usd: float, confidence: float, bonus: float
) -> float:
    """SmartLTV of B.Protocol as a cross-check: ``exp(−c·σ/√(l/d)) − β``, never below zero.

    Parameters
    ----------
    sigma : float
        Volatility over the period of the formula, a fraction.
    liquidity_usd, debt_cap_usd : float
        Depth l and debt cap d, dollars, above zero.
    confidence : float
        Factor c.
    bonus : float
        Liquidation bonus β, a fraction.
    """
    ratio = checks.positive("liquidity", liquidity_usd) / checks.positive("debt cap", debt_cap_usd)
    return max(float(np.exp(-confidence * sigma / np.sqrt(ratio)) - bonus), 0.0)
