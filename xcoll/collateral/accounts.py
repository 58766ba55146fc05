"""Accounts that pledge several assets against one or more debts, given or simulated.

A `Book` holds units.  A simulated book is made in two steps, so that every cohort has the same
shape: `draw` makes the random numbers of the accounts once, and `dollars` turns them into dollars
of collateral and debt for the assets that are listed at a date and the thresholds in force.
`settle` divides by that date's prices.

Shape of the accounts, and where it comes from
----------------------------------------------
From 14,505 liquidations of accounts with more than one collateral on Aave v2 to early 2023
(public analysis files of bhemen/aave-data, recomputed): amounts seized are lognormal with a
standard deviation of 2.1 to 2.3 in logs; beside the seized collateral an account held 2.7 others
on average (median 2, 90th percentile 6); seized were WETH 46 %, LINK 13 %, WBTC 12 %, USDC 3 %; a
median of 1.23 WETH was 37 % of the balance, so 3.3 WETH, some $6,000 at $1,800.

Assumed, because those accounts had all been liquidated and the rest are not in the files: that
the sizes and numbers of collaterals hold for all accounts; the remaining 26 % of the mix spread
evenly; shares of an account's collaterals uniform on the simplex; one account in five owing a
volatile asset beside its stable debt; and the health factors, one plus a lognormal gap, which is
the assumption that decides most and is therefore varied wherever a result rests on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError, ParameterError

__all__ = ["MIX", "Book", "Draws", "Shape", "book", "dollars", "draw", "mix_of", "settle"]

# Share of seizures by collateral, Aave v2 to early 2023 (bhemen/aave-data, recomputed).
MIX = {"ETH": 0.46, "LINK": 0.13, "BTC": 0.12, "USDC": 0.03}


@dataclass(frozen=True)
class Book:
    """Accounts × assets, in units.

    Attributes
    ----------
    assets : symbols of the A columns.
    collateral, debt : arrays n × A of units, finite and not negative.
    ids : n distinct names of the accounts.

    Raises
    ------
    DataError
        Duplicated ids or assets, shapes that disagree, a negative, infinite or missing balance,
        or debt without collateral; the message names the first accounts at fault.
    """

    assets: list[str]
    collateral: np.ndarray
    debt: np.ndarray
    ids: np.ndarray

    def __post_init__(self) -> None:
        shape = (len(self.ids), len(self.assets))
        for side in ("collateral", "debt"):
            if getattr(self, side).shape != shape:
                raise DataError(
                    f"{side} of the book has shape {getattr(self, side).shape}; "
                    f"give {shape[0]} accounts × {shape[1]} assets"
                )
        if not self.ids.size:
            raise DataError("the book holds no account; give at least one")
        _distinct("asset", np.asarray(self.assets))
        _distinct("account id", np.asarray(self.ids))
        for side in ("collateral", "debt"):
            units = getattr(self, side)
            self._refuse(~np.isfinite(units).all(axis=1), f"{side} that is not a finite number")
            self._refuse((units < 0).any(axis=1), f"negative {side}")
        bare = self.debt.any(axis=1) & ~self.collateral.any(axis=1)
        self._refuse(bare, "debt without collateral")

    def _refuse(self, bad: np.ndarray, what: str) -> None:
        if bad.any():
            first = ", ".join(map(str, np.asarray(self.ids)[bad][:5]))
            raise DataError(f"{int(bad.sum())} accounts have {what} ({first}); correct these rows")

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def used(self) -> np.ndarray:
        """Whether any account holds or owes an asset, by asset."""
        return self.collateral.any(axis=0) | self.debt.any(axis=0)

    def prices(self, prices: pd.Series) -> np.ndarray:
        """Dollars a unit in the order of `assets`; zero where no account holds or owes it.

        Raises `DataError` where an asset that is held or owed has no positive price.
        """
        used = self.used
        ordered = prices.reindex(self.assets).to_numpy(dtype=float)
        bad = used & ~(np.isfinite(ordered) & (ordered > 0))
        if bad.any():
            names = ", ".join(np.asarray(self.assets)[bad])
            raise DataError(f"the book holds or owes {names} without a price; add it or drop them")
        return np.where(used, ordered, 0.0)

    def health_factor(self, prices: pd.Series, thresholds: pd.Series) -> pd.Series:
        """``HF = Σ C_i·LT_i / D`` by account; infinite without debt, 0 on a missing threshold."""
        p = self.prices(prices)
        lt = thresholds.reindex(self.assets).fillna(0.0).to_numpy(dtype=float)
        owed = self.debt @ p
        secured = self.collateral @ (p * lt)
        health = np.full(len(self), np.inf)
        np.divide(secured, owed, out=health, where=owed > 0)
        return pd.Series(health, index=pd.Index(self.ids, name="account"), name="health_factor")


def _distinct(what: str, names: np.ndarray) -> None:
    values, counts = np.unique(names, return_counts=True)
    if (counts > 1).any():
        first = ", ".join(map(str, values[counts > 1][:5]))
        raise DataError(f"{what} {first} appears more than once; give each one row or column")


def book(collateral: pd.DataFrame, debt: pd.DataFrame, assets: Sequence[str]) -> Book:
    """A checked book from two frames account × asset, in units.

    Parameters
    ----------
    collateral, debt : one row an account (the index is its id), one column an asset; an asset
        or account that is absent from one of the two frames is zero there.
    assets : the symbols that have prices, in the order that the book is to have.

    Raises
    ------
    DataError
        A column that is not in `assets`, a missing value, or any fault that `Book` refuses.
    """
    for side, frame in (("collateral", collateral), ("debt", debt)):
        unknown = [column for column in frame.columns if column not in assets]
        if unknown:
            raise DataError(
                f"{side} has unknown assets {', '.join(map(str, unknown))}; "
                f"known are {', '.join(assets)}"
            )
        if frame.isna().to_numpy().any():
            raise DataError(f"{side} has missing values; write 0 where an account holds nothing")
        _distinct("account id", frame.index.to_numpy())
    ids = collateral.index.union(debt.index, sort=False)

    def units(frame: pd.DataFrame) -> np.ndarray:
        whole = frame.reindex(index=ids, columns=list(assets), fill_value=0.0)
        return np.ascontiguousarray(whole.to_numpy(dtype=float))

    return Book(list(assets), units(collateral), units(debt), ids.to_numpy())


def mix_of(assets: Sequence[str]) -> dict[str, float]:
    """Weights of `assets` as collateral: `MIX` where known, the rest of 1 spread evenly (assumed).

    The weights are relative, so they need not sum to one when a known asset is left out.
    """
    rest = [asset for asset in assets if asset not in MIX]
    share = (1 - sum(MIX.values())) / max(len(rest), 1)
    return {asset: MIX.get(asset, share) for asset in assets}


@dataclass(frozen=True)
class Shape:
    """Distribution of the simulated accounts; see the head of the module for the sources.

    Attributes
    ----------
    assets : symbols of the book's columns.
    mix : relative weights of the assets as collateral.
    stable : assets that are owed by default.
    median_collateral : median collateral of an account in dollars.
    size_spread : standard deviation of the log of that collateral.
    other_collaterals : mean number of collaterals beside the first (at least one).
    volatile : assets of which one may be owed as well; None for those of the mix that are not
        stable.
    volatile_debt : share of accounts that owe one of them beside their stable debt.
    health_median : median health factor at the opening.
    health_spread : standard deviation of the log of (health factor − 1).
    """

    assets: list[str]
    mix: Mapping[str, float] = field(default_factory=dict)
    stable: Sequence[str] = ("USDC", "USDT")
    volatile: Sequence[str] | None = None
    median_collateral: float = 10_000.0
    size_spread: float = 2.2
    other_collaterals: float = 2.7
    volatile_debt: float = 0.2
    health_median: float = 1.6
    health_spread: float = 1.0

    def __post_init__(self) -> None:
        checks.positive("median_collateral", self.median_collateral)
        checks.at_least("size_spread", self.size_spread, 0.0)
        checks.at_least("other_collaterals", self.other_collaterals, 1.0)
        checks.fraction("volatile_debt", self.volatile_debt, closed=True)
        checks.positive("health_median - 1", self.health_median - 1)
        checks.at_least("health_spread", self.health_spread, 0.0)
        if not self.stable:
            raise ParameterError("stable is empty; name at least one asset that accounts owe")
        unknown = {*self.mix, *self.stable, *(self.volatile or ())} - set(self.assets)
        if unknown:
            raise ParameterError(
                f"{', '.join(sorted(unknown))} of the mix or of the debts is not among the "
                "book's assets"
            )
        if not any(weight > 0 for weight in self.mix.values()):
            raise ParameterError("mix has no positive weight; name at least one collateral")


@dataclass(frozen=True)
class Draws:
    """Random numbers of n accounts over A assets; the same for every cohort.

    Attributes
    ----------
    size, gap : standard normals of the log size and of the log of (health factor − 1), length n.
    others : number of collaterals beside the first, length n.
    choice, debt_choice : Gumbel keys n × A that rank collaterals and debts by weight.
    share : exponentials n × A, normalised over an account's own collaterals.
    volatile : uniforms length n; under `Shape.volatile_debt` the account owes a volatile asset.
    split : uniforms length n, the volatile share of such a debt.
    """

    size: np.ndarray
    gap: np.ndarray
    others: np.ndarray
    choice: np.ndarray
    share: np.ndarray
    debt_choice: np.ndarray
    volatile: np.ndarray
    split: np.ndarray


def draw(shape: Shape, accounts: int, rng: np.random.Generator) -> Draws:
    """Random numbers of `accounts` simulated accounts.

    The keys are Gumbel, so the assets with the highest sums of log weight and key are a sample
    without replacement by weight, whatever assets are listed.
    """
    n, A = checks.whole("accounts", accounts), len(shape.assets)
    return Draws(
        size=rng.standard_normal(n),
        gap=rng.standard_normal(n),
        others=rng.geometric(1 / shape.other_collaterals, n),
        choice=rng.gumbel(size=(n, A)),
        share=rng.standard_exponential((n, A)),
        debt_choice=rng.gumbel(size=(n, A)),
        volatile=rng.random(n),
        split=rng.random(n),
    )


def dollars(
    draws: Draws, shape: Shape, thresholds: pd.Series, listed: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Collateral and debt of every account in dollars at the opening, n × A each.

    Parameters
    ----------
    thresholds : LT by asset; an asset without one is no collateral.
    listed : assets that exist at the date; others get no weight, and the accounts that would
        have held one hold their next choice.

    Notes
    -----
    Debt is ``Σ C_i·LT_i / HF`` with ``HF = 1 + (median − 1)·exp(spread·z)``: borrowers draw
    against the thresholds in force, so a higher threshold is a higher debt on the same collateral.
    An asset is never owed by an account that pledges it, unless it pledges all that can be owed.

    Raises
    ------
    ParameterError
        Where nothing of the mix, or none of the stable debts, is listed.
    """
    lt = thresholds.reindex(shape.assets).fillna(0.0).to_numpy(dtype=float)
    here = np.isin(shape.assets, list(listed))
    weight = np.array([shape.mix.get(asset, 0.0) for asset in shape.assets])
    weight = np.where(here & (lt > 0), weight, 0.0)
    stable = here & np.isin(shape.assets, list(shape.stable))
    if not weight.any() or not stable.any():
        raise ParameterError(
            "no collateral of the mix with a threshold, or no stable debt, is listed at this "
            f"date; listed are {', '.join(listed)}"
        )
    with np.errstate(divide="ignore"):
        preference = np.log(weight)
    key = draws.choice + preference
    count = np.minimum(1 + draws.others, np.count_nonzero(weight))
    rank = np.argsort(np.argsort(-key, axis=1, kind="stable"), axis=1, kind="stable")
    held = rank < count[:, None]
    share = np.where(held, draws.share, 0.0)
    size = shape.median_collateral * np.exp(shape.size_spread * draws.size)
    collateral = size[:, None] * share / share.sum(axis=1, keepdims=True)

    health = 1 + (shape.health_median - 1) * np.exp(shape.health_spread * draws.gap)
    owed = collateral @ lt / health
    owable = shape.mix if shape.volatile is None else shape.volatile
    volatile = here & np.isin(shape.assets, list(owable)) & ~np.isin(shape.assets, shape.stable)
    moving = np.where(draws.volatile < shape.volatile_debt, draws.split, 0.0)
    if not volatile.any():
        moving = np.zeros_like(moving)
    debt = np.zeros_like(collateral)
    rows = np.arange(len(owed))
    own = np.where(held, 1e6, 0.0)  # far above any key: an account's own collateral comes last
    fixed = np.argmax(np.where(stable, draws.debt_choice - own, -np.inf), axis=1)
    debt[rows, fixed] += owed * (1 - moving)
    liking = draws.debt_choice + np.where(np.isfinite(preference), preference, 0.0)
    floating = np.argmax(np.where(volatile, liking - own, -np.inf), axis=1)
    debt[rows, floating] += owed * moving
    return collateral, debt


def settle(shape: Shape, collateral: np.ndarray, debt: np.ndarray, prices: pd.Series) -> Book:
    """The book in units: dollars n × A divided by the opening `prices`."""
    used = collateral.any(axis=0) | debt.any(axis=0)
    p = prices.reindex(shape.assets).to_numpy(dtype=float)
    missing = used & ~(np.isfinite(p) & (p > 0))
    if missing.any():
        names = ", ".join(np.asarray(shape.assets)[missing])
        raise DataError(f"no opening price for {names}; leave them out of the listed assets")
    p = np.where(used, p, 1.0)
    return Book(list(shape.assets), collateral / p, debt / p, np.arange(len(collateral)))
