"""What a scenario meets: the assets, what they stand for, the venues, and prices of the past."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, TypeVar

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.universe import Universe
from xcoll.errors import DataError, ParameterError

__all__ = ["LARGEST", "REST", "STABLE", "Facts", "betas"]

REST = "rest"  # all that is not named, but stablecoins
LARGEST = "largest"  # the first venue
STABLE = "stablecoin"
HOUR = pd.Timedelta("1h")

T = TypeVar("T")


@dataclass(frozen=True)
class Facts:
    """What `compilation.episode` needs to know besides the scenario.

    Attributes
    ----------
    assets : symbols that the episode has prices of.
    close, low : time × asset; lows are NaN where they are not known.
    sigma_day : daily standard deviation of log returns by asset.
    beta : sensitivity of log returns to the market's, by asset.
    groups : asset → what it is called besides its name, its kind and its chain; whatever is
        called "stablecoin" is one.
    underlying : derived asset → the asset whose price it follows.
    venues : names, the largest first; empty where there is one only.
    step : length of a step.

    Raises
    ------
    DataError
        Tables that do not fit each other, or no asset.
    """

    assets: Sequence[str]
    close: pd.DataFrame
    low: pd.DataFrame
    sigma_day: pd.Series
    beta: pd.Series
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    underlying: Mapping[str, str] = field(default_factory=dict)
    venues: Sequence[str] = ()
    step: pd.Timedelta = HOUR

    def __post_init__(self) -> None:
        if not self.assets:
            raise DataError("no assets; give at least one")
        if not self.close.index.equals(self.low.index) or len(self.close) < 2:
            raise DataError("close and low differ in their times; give both for two bars or more")
        checks.duration("step", self.step)

    @classmethod
    def of(
        cls,
        universe: Universe,
        close: pd.DataFrame,
        low: pd.DataFrame,
        assets: Sequence[str] | None = None,
        venues: Sequence[str] = (),
        market: str | None = None,
        step: str | pd.Timedelta = "1h",
        receipts: Sequence[str] = (),
    ) -> Self:
        """Facts of `universe`, with volatilities and betas of the whole of `close`.

        assets : all with a role where not given.
        market : the asset whose moves are the market's; BTC, or the first collateral where there
            is none.
        receipts : those of `assets` that are claims on a venue's pool; they stay at a dollar.
        """
        known = universe.assets
        if assets is None:
            assets = [symbol for symbol, asset in known.items() if asset.roles]
        unknown = [symbol for symbol in assets if symbol not in (*known, *receipts)]
        if unknown:
            raise ParameterError(
                f"no asset {', '.join(unknown)} in the universe; choose of {', '.join(known)}"
            )
        if market is None:
            market = "BTC" if "BTC" in close else universe.collateral[0]
        bar = close.index[1] - close.index[0]
        day = np.sqrt(pd.Timedelta("1D") / bar)
        return cls(
            list(assets),
            close,
            low,
            np.log(close).diff().std() * day,
            betas(close, market),
            {symbol: (known[symbol].kind, known[symbol].chain) for symbol in known}
            | dict.fromkeys(receipts, (STABLE, "receipt")),
            {symbol: known[symbol].underlying for symbol in universe.derived},
            list(venues),
            checks.duration("step", step),
        )

    @property
    def stable(self) -> np.ndarray:
        """By asset, whether it is a stablecoin."""
        return np.array([self.is_stable(asset) for asset in self.assets])

    def is_stable(self, asset: str) -> bool:
        """Whether an asset is a stablecoin."""
        return STABLE in self.groups.get(asset, ())

    def known(self) -> list[str]:
        """Every name that stands for an asset here: symbols, what they follow, groups."""
        groups = [name for asset in self.assets for name in self.groups.get(asset, ())]
        bases = [self.underlying[a] for a in self.assets if a in self.underlying]
        return list(dict.fromkeys([*self.assets, *bases, *groups]))

    def chosen(self, names: Iterable[str], where: str) -> np.ndarray:
        """By asset, whether it is one of `names`; all where there are none."""
        table = dict.fromkeys(names, True)
        return np.array(self.by_asset(table, where, not table))

    def by_asset(
        self, table: Mapping[str, T], where: str, otherwise: T, *, follow: bool = False
    ) -> list[T]:
        """The entries of `table` that hold for each asset, `otherwise` where none does.

        Parameters
        ----------
        where : for the message.
        follow : an asset that is not named takes the entry of the one whose price it follows.

        Raises
        ------
        ParameterError
            A name that stands for no asset.
        """
        unknown = [name for name in table if name not in (*self.known(), REST)]
        if unknown:
            raise ParameterError(
                f"{where} names {', '.join(map(repr, unknown))}, of which there is none here; "
                f"choose of {', '.join([*self.known(), REST])}, or leave the scenario out"
            )
        made = [self._entry(table, asset, follow) for asset in self.assets]
        rest = [otherwise if stable else table.get(REST, otherwise) for stable in self.stable]
        return [r if m is None else m for m, r in zip(made, rest, strict=True)]

    def _entry(self, table: Mapping[str, T], asset: str, follow: bool) -> T | None:
        for name in (asset, *self.groups.get(asset, ())):
            if name in table:
                return table[name]
        base = self.underlying.get(asset) if follow else None
        return None if base is None else self._entry(table, base, follow)

    def by_venue(self, table: Mapping[str, T], where: str, otherwise: T) -> np.ndarray:
        """The entries of `table` that hold for each venue; one entry where there are no names.

        Raises
        ------
        ParameterError
            An unknown venue.
        """
        unknown = [name for name in table if name not in (*self.venues, LARGEST, REST)]
        if unknown:
            raise ParameterError(
                f"{where} names no venue of this system: {', '.join(map(repr, unknown))}; choose "
                f"of {', '.join([*self.venues, LARGEST, REST])}"
            )
        made = [table.get(venue, table.get(REST, otherwise)) for venue in self.venues or [REST]]
        if LARGEST in table:
            made[0] = table[LARGEST]
        return np.array(made)


def betas(close: pd.DataFrame, market: str = "BTC") -> pd.Series:
    """Slope of each asset's log returns on those of `market`, over the bars that both have.

    Raises
    ------
    DataError
        No prices of `market`.
    """
    if market not in close:
        raise DataError(f"no prices of {market}, the market; choose of {', '.join(close)}")
    returns = np.log(close).diff()
    driver = returns[market]
    return returns.apply(lambda asset: asset.cov(driver) / driver[asset.notna()].var())
