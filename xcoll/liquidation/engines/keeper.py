"""Venues where third parties liquidate for a bonus: what they share, in a world without friction.

An engine says who may be closed, how much one call may repay, and what it seizes for that.  What
a keeper does with it is here: it sells what it seizes at the oracle's prices, so it takes the pair
with the highest ``repay·(incentive − 1)·(1 − fee)``, again and again.
"""

from typing import Protocol

import numpy as np

from xcoll.liquidation.engines.account import Account, Call, Result, settle

__all__ = ["KeeperEngine", "call", "fill", "serve"]


class KeeperEngine(Protocol):
    """The rules of a venue over A assets.

    Accounts carry the thresholds in force themselves (one may be on its way down a ramp);
    `thresholds` are those that the venue has set, to build accounts with.
    """

    @property
    def thresholds(self) -> np.ndarray:
        """LT by asset, at which an account may be closed."""

    @property
    def fees(self) -> np.ndarray:
        """The protocol's share of the bonus by asset, in [0, 1]."""

    def liquidatable(self, account: Account) -> bool:
        """Whether anybody may call on the account."""

    def repayment(self, account: Account, k: int, j: int, most: float = np.inf) -> float:
        """Largest dollars of debt j that one call may repay against collateral k.

        At most `most`, what the keeper wants to repay; 0 where no call is allowed.  Where the
        balance of k is the limit it is ``worth[k] / incentive(account, k)`` to the last bit, for
        that is how `fill` knows that all of it goes.
        """

    def incentive(self, account: Account, k: int) -> float:
        """Dollars of collateral k seized for each dollar repaid, 1 or more."""


def fill(engine: KeeperEngine, account: Account, k: int, j: int, repay: float) -> Call:
    """The call that repays `repay` dollars of debt j against collateral k, in units.

    What is cleared is cleared to the last bit, and never more is taken than is there.
    """
    incentive = engine.incentive(account, k)
    held, lent, price = account.collateral[k], account.debt[j], account.prices[k]
    all_held, all_lent = repay >= account.worth[k] / incentive, repay >= account.owed[j]
    return Call(
        collateral=k,
        debt=j,
        repaid=float(lent if all_lent else min(lent, repay / account.debt_prices[j])),
        seized=float(held if all_held else min(held, repay * incentive / price)),
        fee=float(repay * (incentive - 1) * engine.fees[k] / price),
    )


def call(engine: KeeperEngine, account: Account) -> Call | None:
    """The most profitable call on a liquidatable account, or None where nothing pays.

    Of equal profits the first pair counts, collaterals before debts.
    """
    best, chosen = 0.0, None
    for k in np.flatnonzero(account.worth > 0):
        for j in np.flatnonzero(account.owed > 0):
            repay = engine.repayment(account, k, j)
            profit = repay * (engine.incentive(account, k) - 1) * (1 - engine.fees[k])
            if profit > best:
                best, chosen = profit, (int(k), int(j), repay)
    return None if chosen is None else fill(engine, account, *chosen)


def serve(engine: KeeperEngine, account: Account) -> Result:
    """Close an account call by call until it is healthy or nothing pays, then settle it.

    Returns
    -------
    Result
        Conserves every unit: ``collateral before = after + Σ seized`` and
        ``debt before = after + Σ repaid + deficit``.
    """
    calls = []
    while engine.liquidatable(account):
        step = call(engine, account)
        if step is None:
            break
        calls.append(step)
        account = account.after(step.collateral, step.debt, step.seized, step.repaid)
    account, deficit = settle(account)
    return Result(account.collateral, account.debt, deficit, tuple(calls))
