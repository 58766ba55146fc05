"""What every engine speaks of: an account, a call on it, and what is left when all is done.

Units are units of an asset, dollars are units times the oracle's price.  Debt has prices of its
own, because inside a bar what is owed need not run along the path of what is pledged.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from xcoll.errors import ParameterError

__all__ = ["Account", "Call", "Result", "by_asset", "settle"]


def by_asset(assets: int, most: float = np.inf, **arrays: np.ndarray) -> None:
    """Guard: each of `arrays` holds `assets` numbers from 0 to `most`, or `ParameterError`."""
    for name, values in arrays.items():
        given = np.asarray(values, dtype=float)
        if (
            given.shape != (assets,)
            or not (np.isfinite(given) & (given >= 0) & (given <= most)).all()
        ):
            raise ParameterError(
                f"{name} is {values}; give {assets} finite numbers, one an asset, "
                f"from 0 to {most:g}"
            )


@dataclass(frozen=True)
class Account:
    """One account over A assets at one moment.

    Attributes
    ----------
    collateral, debt : units pledged and owed, length A.
    prices : oracle's dollars a unit of collateral, length A.
    debt_prices : oracle's dollars a unit of what is owed, length A.
    thresholds : LT in force by asset, in [0, 1]; 0 where the asset backs nothing.

    Raises
    ------
    ParameterError
        Lengths that differ, or a number that is negative, missing or infinite.
    """

    collateral: np.ndarray
    debt: np.ndarray
    prices: np.ndarray
    debt_prices: np.ndarray
    thresholds: np.ndarray

    def __post_init__(self) -> None:
        by_asset(
            len(self.prices),
            collateral=self.collateral,
            debt=self.debt,
            prices=self.prices,
            debt_prices=self.debt_prices,
        )
        by_asset(len(self.prices), 1.0, thresholds=self.thresholds)

    @cached_property
    def worth(self) -> np.ndarray:
        """``C_k``, dollars of collateral by asset."""
        return self.collateral * self.prices

    @cached_property
    def owed(self) -> np.ndarray:
        """``D_j``, dollars of debt by asset."""
        return self.debt * self.debt_prices

    @cached_property
    def total(self) -> float:
        """``D = Σ D_j``, dollars."""
        return float(self.owed.sum())

    @cached_property
    def secured(self) -> float:
        """``Σ C_k·LT_k``, dollars of debt that the collateral carries."""
        return float(self.worth @ self.thresholds)

    @property
    def health(self) -> float:
        """``HF = Σ C_k·LT_k / D``; infinite without debt."""
        return self.secured / self.total if self.total > 0 else np.inf

    def after(self, k: int, j: int, seized: float, repaid: float) -> "Account":
        """The account less `seized` units of collateral k and `repaid` units of debt j."""
        collateral, debt = self.collateral.astype(float), self.debt.astype(float)
        collateral[k] -= seized
        debt[j] -= repaid
        return replace(self, collateral=collateral, debt=debt)


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


def settle(account: Account) -> tuple[Account, np.ndarray]:
    """The account, and the units of debt (length A) that were written off.

    What is owed once no collateral is left is the lenders' deficit; before that nothing is.
    """
    nothing = np.zeros(len(account.debt))
    if account.collateral.any():
        return account, nothing
    return replace(account, debt=nothing), account.debt.astype(float)
