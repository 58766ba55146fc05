"""Liquidation threshold, loan-to-value and bonus as one consistent set.

    bonus  (1 + LB(1 − f))(1 − impact) ≥ 1 + gas/repay + keeper margin
    keeper regime   LT = (1 − market)(1 − oracle)(1 − basis)(1 − contract) / (1 + LB)
    venue regime    LT = 1 − H
    LTV = LT·(1 − q)

The cost of selling is counted once: a keeper is paid for it through the bonus LB, a venue that
sells for itself carries it inside the haircut H.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.haircuts import check_parts, haircut
from xcoll.errors import ParameterError

__all__ = [
    "REGIMES",
    "RiskParameters",
    "closure_quantile",
    "keeper_bonus",
    "loan_to_value",
    "smart_ltv",
    "threshold",
    "toxic",
    "toxic_pairs",
]

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


def closure_quantile(losses: pd.DataFrame, probability: float = 0.05) -> pd.Series:
    """Adverse excursion over T days that a share `probability` of starting days exceeds.

    Parameters
    ----------
    losses : DataFrame
        time × asset close-out losses over T days, positive fractions; NaN rows are left out
        asset by asset.
    probability : float
        Share of borrowers at the maximum who are closed within T, in (0, 1).

    Returns
    -------
    Series
        q by asset, not below zero.
    """
    probability = checks.fraction("closure probability", probability)
    empty = losses.columns[losses.notna().sum() == 0].tolist()
    if empty:
        raise ParameterError(f"no close-out losses for {empty}; give their history or a proxy")
    return losses.quantile(1.0 - probability).clip(lower=0.0).rename("excursion")


def loan_to_value(threshold: pd.Series, excursion: pd.Series) -> pd.Series:
    """``LTV = LT·(1 − q)`` with q the closure quantile; both by asset, as fractions."""
    return (threshold * (1.0 - excursion.reindex(threshold.index))).rename("ltv")


def toxic(
    collateral: np.ndarray, debt: np.ndarray, thresholds: np.ndarray, bonuses: np.ndarray
) -> np.ndarray:
    """Collaterals whose seizure lowers the account's health: held, and ``HF ≤ LT_k(1 + LB_k)``.

    Parameters
    ----------
    collateral : ndarray, accounts × assets
        Values in the numéraire, not negative.
    debt : ndarray, accounts
        Value of the whole debt in the numéraire, not negative.
    thresholds, bonuses : ndarray, assets
        LT_k and LB_k as fractions.

    Returns
    -------
    ndarray of bool, accounts × assets
        True for a toxic pair of the account's debt and that collateral; an account without debt
        has none.  An account is beyond help when every collateral that it holds is True.
    """
    collateral = np.atleast_2d(np.asarray(collateral, dtype=float))
    debt = np.atleast_1d(np.asarray(debt, dtype=float))
    borrowing = collateral @ np.asarray(thresholds, dtype=float)
    frontier = np.asarray(thresholds) * (1.0 + np.asarray(bonuses))
    owed = debt[:, None] > 0.0
    return (collateral > 0.0) & owed & (borrowing[:, None] <= frontier * debt[:, None])


def toxic_pairs(parameters: RiskParameters, health: float) -> pd.DataFrame:
    """Of accounts that hold two assets in equal value: does seizing the row's asset do harm?

    Parameters
    ----------
    parameters : RiskParameters
        A set with at least two assets.
    health : float
        Health factor at which all these accounts stand, above zero.

    Returns
    -------
    DataFrame of bool, asset × asset
        Row: the asset seized, column: the other one; False on the diagonal.
    """
    checks.positive("health", health)
    assets, LT = parameters.assets, parameters.frame["threshold"].to_numpy()
    seized, kept = np.nonzero(~np.eye(len(assets), dtype=bool))
    held = np.zeros((len(seized), len(assets)))
    accounts = np.arange(len(seized))
    held[accounts, seized] = held[accounts, kept] = 0.5
    verdict = toxic(held, held @ LT / health, LT, parameters.frame["bonus"].to_numpy())
    found = np.zeros((len(assets), len(assets)), dtype=bool)
    found[seized, kept] = verdict[accounts, seized]
    return pd.DataFrame(found, index=assets, columns=assets)


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
