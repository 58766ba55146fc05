"""A centralised venue: tiered collateral against a maintenance margin, sold by the venue itself.

    HF = Σ counted_k(C_k)·LT_k / D           liquidatable below 1
    LT_k = ratio_k/(1 + maintenance)         the account's thresholds
    counted(C) = Σ over tiers                what counts of C dollars; the rest does not

A step sells the same share x of every collateral, pays a fee on the proceeds into the insurance
fund and repays the debts in proportion.  x is the smallest that brings HF back to `release`, at
most `share`; where all of it would not repay the debt, everything goes.  What is then still owed
is paid by the fund, and what the fund cannot pay is socialised.

With the tiers of Binance for BTC (2024-09-11) $120M count $119.5M.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from xcoll import checks
from xcoll.collateral.liquidity import Tiers
from xcoll.liquidation.engines.account import Account, by_asset

__all__ = ["Fund", "Rules", "Sale", "counted", "health", "liquidatable", "sell", "share", "step"]


@dataclass(frozen=True)
class Rules:
    """Margin and liquidation of a venue.

    Attributes
    ----------
    maintenance : margin over the debt that must be held, a fraction of the debt.
    release : health to which a liquidation restores, at least 1.
    share : most of the position that one step may sell, in (0, 1].
    fee : share of the proceeds that goes to the insurance fund, in [0, 1).
    """

    maintenance: float
    release: float = 1.05
    share: float = 1.0
    fee: float = 0.0

    def __post_init__(self) -> None:
        checks.at_least("maintenance", self.maintenance, 0.0)
        checks.at_least("release", self.release, 1.0)
        checks.positive("share", self.share)
        checks.fraction("share", self.share, closed=True)
        checks.positive("1 - fee", 1 - checks.fraction("fee", self.fee, closed=True))

    def thresholds(self, ratios: np.ndarray) -> np.ndarray:
        """``LT = ratio/(1 + maintenance)`` of collateral ratios by asset."""
        return np.asarray(ratios) / (1 + self.maintenance)


@dataclass(frozen=True)
class Sale:
    """One step of a liquidation.

    Attributes
    ----------
    account : what is left.
    sold : units of collateral, length A.
    proceeds : dollars that the sale brought, ``fee + repaid + surplus``.
    fee : dollars for the insurance fund.
    repaid : dollars of debt.
    surplus : dollars beyond the debt, which are the borrower's.
    shortfall : dollars still owed where everything was sold, else 0; `settle` writes it off.
    """

    account: Account
    sold: np.ndarray
    proceeds: float
    fee: float
    repaid: float
    surplus: float
    shortfall: float


@dataclass(frozen=True)
class Fund:
    """An insurance fund of `balance` dollars."""

    balance: float

    def __post_init__(self) -> None:
        checks.at_least("balance", self.balance, 0.0)

    def add(self, fee: float) -> "Fund":
        """The fund with a fee in it."""
        return Fund(self.balance + checks.at_least("fee", fee, 0.0))

    def pay(self, shortfall: float) -> tuple["Fund", float, float]:
        """The fund afterwards, the dollars that it paid, and those that are socialised."""
        paid = min(self.balance, checks.at_least("shortfall", shortfall, 0.0))
        return Fund(self.balance - paid), paid, shortfall - paid


def counted(worth: np.ndarray, tiers: Sequence[Tiers | None]) -> np.ndarray:
    """Dollars that count of `worth` dollars by asset; all of it where an asset has no tiers."""
    pairs = zip(worth, tiers, strict=True)
    return np.array([value if t is None else t.counted(float(value)) for value, t in pairs])


def health(account: Account, tiers: Sequence[Tiers | None]) -> float:
    """``Σ counted_k(C_k)·LT_k / D``; infinite without debt."""
    secured = float(counted(account.worth, tiers) @ account.thresholds)
    return secured / account.total if account.total > 0 else np.inf


def liquidatable(account: Account, tiers: Sequence[Tiers | None]) -> bool:
    """``HF < 1``."""
    return health(account, tiers) < 1


def share(
    account: Account,
    tiers: Sequence[Tiers | None],
    rules: Rules,
    sale_prices: np.ndarray | None = None,
) -> float:
    """Share x of every collateral that the next step sells at `sale_prices`.

    0 for a healthy account, 1 where all of it would not repay the debt; else the smallest that
    restores `release`, at most `Rules.share`.

    Parameters
    ----------
    tiers : schedule by asset, in dollars; None where all of it counts.
    sale_prices : dollars a unit by asset; the oracle's by default.

    Notes
    -----
    ``Σ counted((1 − x)C)·LT − release·(D − x·cash)`` is concave in x and made of straight lines
    that meet where a tier begins, so its one zero has a closed form.
    """
    sale_prices = account.prices if sale_prices is None else sale_prices
    by_asset(len(account.prices), sale_prices=sale_prices)
    if not liquidatable(account, tiers):
        return 0.0
    cash = float(account.collateral @ sale_prices) * (1 - rules.fee)
    if cash <= account.total:
        return 1.0

    def excess(x: float) -> float:
        kept = float(counted((1 - x) * account.worth, tiers) @ account.thresholds)
        return kept - rules.release * (account.total - x * cash)

    bounds = {
        1 - bound / value
        for value, t in zip(account.worth, tiers, strict=True)
        for bound in (t.bounds_usd if t else ())
        if bound < value
    }
    corners = sorted({0.0, *bounds, 1.0})
    heights = [excess(x) for x in corners]
    end = next(i for i, height in enumerate(heights) if height >= 0)
    around = slice(end - 1, end + 1)
    return min(rules.share, float(np.interp(0.0, heights[around], corners[around])))


def sell(account: Account, rules: Rules, x: float, proceeds: float) -> Sale:
    """Sell the share `x` of every collateral for `proceeds` dollars in all, and repay with it."""
    checks.fraction("x", x, closed=True)
    fee = rules.fee * checks.at_least("proceeds", proceeds, 0.0)
    repaid = min(account.total, proceeds - fee)
    sold = x * account.collateral
    left = replace(
        account,
        collateral=account.collateral - sold,
        debt=account.debt * (1 - repaid / account.total if account.total > 0 else 1.0),
    )
    shortfall = account.total - repaid if x == 1 else 0.0
    return Sale(left, sold, proceeds, fee, repaid, proceeds - fee - repaid, shortfall)


def step(
    account: Account,
    tiers: Sequence[Tiers | None],
    rules: Rules,
    sale_prices: np.ndarray | None = None,
) -> Sale:
    """`sell` the `share` that is due at `sale_prices`; of a healthy account nothing is sold."""
    sale_prices = account.prices if sale_prices is None else sale_prices
    x = share(account, tiers, rules, sale_prices)
    return sell(account, rules, x, x * float(account.collateral @ sale_prices))
