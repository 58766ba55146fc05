"""Aave v3.3 and later: who may be closed, by how much, and who bears what is missing.

Rules and constants are those of ``LiquidationLogic.executeLiquidationCall`` in Aave v3.3 (released
February 2025), in real numbers instead of fixed point::

    HF = Σ C_i·LT_i / D                      liquidatable where HF < 1
    repay ≤ D/2 of the whole position        where HF > 0.95 and both reserves are worth $2,000
    repay ≤ the reserve's own debt           otherwise
    seize = repay·(1 + LB)/p                 at most all, then repay = value/(1 + LB)

What a call leaves of the two reserves is worth $1,000 each, unless it clears one of them.  The
protocol takes its fee from the bonus only.  Debt without any collateral left becomes a deficit.

This is the readable statement of the rules and the oracle of the compiled one in `_kernels.py`.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["RULES", "Call", "Result", "Rules", "call", "health_factor", "repayment", "serve"]


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

    def array(self) -> np.ndarray:
        """The four constants in the order in which the kernel reads them."""
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
class Call:
    """One liquidation call: asset numbers, and amounts in units of those assets.

    `seized` counts what leaves the account; `fee` is the part of it that the protocol keeps.
    """

    collateral: int
    debt: int
    repaid: float
    seized: float
    fee: float


@dataclass(frozen=True)
class Result:
    """An account after it was served: balances and deficit in units (length A), and the calls."""

    collateral: np.ndarray
    debt: np.ndarray
    deficit: np.ndarray
    calls: tuple[Call, ...]


def health_factor(
    collateral: np.ndarray,
    debt: np.ndarray,
    prices: np.ndarray,
    thresholds: np.ndarray,
    debt_prices: np.ndarray | None = None,
) -> float:
    """``Σ C_i·LT_i / D`` of one account; infinite without debt.

    `collateral` and `debt` are units of A assets, `prices` dollars a unit; `debt_prices` stands
    for `prices` on the debt side where the two differ inside a bar.
    """
    owed = float(debt @ (prices if debt_prices is None else debt_prices))
    return float(collateral * prices @ thresholds) / owed if owed > 0 else float("inf")


def repayment(
    collateral: float, debt: float, total: float, health: float, bonus: float, rules: Rules = RULES
) -> float:
    """Largest repayment in dollars that one call may make for a pair of reserves.

    Parameters
    ----------
    collateral, debt : dollars of the account in the two reserves.
    total : dollars of its whole debt.
    health : its health factor.
    bonus : LB of the collateral.

    Notes
    -----
    A call that would leave dust reverts, so the keeper repays the largest amount that leaves
    $1,000 on both sides.  That amount exists: dust can only be left under the close factor, which
    holds only where both reserves are worth $2,000 or more.
    """
    limit = debt
    if (
        health > rules.full_close_health
        and collateral >= rules.full_close_below
        and debt >= rules.full_close_below
    ):
        limit = min(debt, rules.close_factor * total)
    cap = collateral / (1 + bonus)
    if limit < debt and limit < cap:
        leftover = rules.least_leftover
        return min(limit, debt - leftover, (collateral - leftover) / (1 + bonus))
    return min(limit, cap)


def call(
    collateral: np.ndarray,
    debt: np.ndarray,
    prices: np.ndarray,
    debt_prices: np.ndarray,
    thresholds: np.ndarray,
    bonuses: np.ndarray,
    fees: np.ndarray,
    rules: Rules = RULES,
) -> Call | None:
    """The most profitable call on a liquidatable account, or None where nothing pays.

    The keeper's profit is ``repay·LB·(1 − f)``: it sells what it seized at `prices`, so liquidity
    is infinite here.  Of equal profits the first pair counts, collaterals before debts.
    """
    worth, owed = collateral * prices, debt * debt_prices
    total = float(owed.sum())
    health = float(worth @ thresholds) / total
    best, chosen = 0.0, None
    for k in np.flatnonzero(worth > 0):
        for j in np.flatnonzero(owed > 0):
            repay = repayment(worth[k], owed[j], total, health, bonuses[k], rules)
            profit = repay * bonuses[k] * (1 - fees[k])
            if profit > best:
                best, chosen = profit, (int(k), int(j), repay)
    if chosen is None:
        return None
    k, j, repay = chosen
    all_debt, all_collateral = repay >= owed[j], repay >= worth[k] / (1 + bonuses[k])
    return Call(
        collateral=k,
        debt=j,
        repaid=float(debt[j] if all_debt else repay / debt_prices[j]),
        seized=float(collateral[k] if all_collateral else repay * (1 + bonuses[k]) / prices[k]),
        fee=float(repay * bonuses[k] * fees[k] / prices[k]),
    )


def serve(
    collateral: np.ndarray,
    debt: np.ndarray,
    prices: np.ndarray,
    thresholds: np.ndarray,
    bonuses: np.ndarray,
    fees: np.ndarray | None = None,
    debt_prices: np.ndarray | None = None,
    rules: Rules = RULES,
) -> Result:
    """Close one account call by call until its health factor is 1 or nothing pays.

    All arrays have length A: units, dollars a unit, fractions.  The arguments stay as they are.

    Returns
    -------
    Result
        Conserves every unit: ``collateral before = after + seized`` and
        ``debt before = after + repaid + deficit``.
    """
    collateral, debt = collateral.astype(float), debt.astype(float)
    fees = np.zeros_like(bonuses) if fees is None else fees
    debt_prices = prices if debt_prices is None else debt_prices
    deficit, calls = np.zeros_like(debt), []
    while health_factor(collateral, debt, prices, thresholds, debt_prices) < 1:
        step = call(collateral, debt, prices, debt_prices, thresholds, bonuses, fees, rules)
        if step is None:
            break
        calls.append(step)
        collateral[step.collateral] -= step.seized
        debt[step.debt] -= step.repaid
        if not collateral.any():
            deficit, debt = debt, np.zeros_like(debt)
    return Result(collateral, debt, deficit, tuple(calls))
