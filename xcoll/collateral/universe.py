"""The assets: what each is, where it trades, who prices it, what its contract depends on.

`Universe` (read from `data/universe.yaml`)
    date, sources' quality thresholds `quality`, `chains`, `intraday`, `stress`, `depegs`,
    `ignored` (columns of the price file that are left out) and `assets: dict[symbol, Asset]`.

`Asset`
    symbol        the key; filled in
    name          words for a table
    kind          native | token | stablecoin | staked | wrapped | bridged
    chain         key of `chains`
    roles         subset of (collateral, debt); empty needs `excluded` (a reason)
    column        name in the price file; None for a derived asset
    underlying    symbol whose price a derived asset follows; None for the others
    peg           1.0 for a stablecoin, else None
    listed_from   first date kept; earlier prices are removed and reported
    delisted_after  last date kept
    suspect       prints that are kept and flagged: first, last, reason
    liquidity     adv_usd, adv_p5_usd, adv_2022_usd (dollars a day, one venue: a floor)
    depth         token, size_usd (upper ends), impact (fractions): price impact of one swap
    pool          reserve_usd, fee: a constant-product pool
    schedule      bounds_usd, ratios: the share of value that a venue lets count, tier by tier
    book          depth_usd: a flat order book; of these four an asset has one at most
    oracle        deviation (fraction), heartbeat (duration), feed
    contract      depth, upgradeable, oracles, deployed, audits; None for a native coin
    basis         half_life_days, sigma_daily, jump_rate, jump_loss, worst, worst_day, redemption

Every block of facts also has source, date, assumed and, where words are needed, note; the blocks
are described in `collateral.facts`.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal, Self

import pandas as pd
from pydantic import Field, model_validator

from xcoll.collateral.facts import (
    Basis,
    Chain,
    Contract,
    Depeg,
    Depth,
    Ignored,
    Intraday,
    Liquidity,
    Oracle,
    OrderBook,
    Pool,
    Schedule,
    Stress,
    Suspect,
)
from xcoll.collateral.schema import Fraction, Model, Positive, validate
from xcoll.market import quality

__all__ = [
    "Asset",
    "Basis",
    "Chain",
    "Contract",
    "Depeg",
    "Depth",
    "Ignored",
    "Intraday",
    "Liquidity",
    "Oracle",
    "OrderBook",
    "Pool",
    "Schedule",
    "Stress",
    "Suspect",
    "Universe",
    "parse",
]

Kind = Literal["native", "token", "stablecoin", "staked", "wrapped", "bridged"]
DERIVED = ("staked", "wrapped", "bridged")
MARKETS = ("depth", "pool", "schedule", "book")


class Asset(Model):
    """One asset; the fields are described at the head of this module."""

    symbol: str
    name: str
    kind: Kind
    chain: str
    roles: tuple[Literal["collateral", "debt"], ...] = ()
    excluded: str | None = None
    column: str | None = None
    underlying: str | None = None
    peg: Positive | None = None
    listed_from: datetime.date | None = None
    delisted_after: datetime.date | None = None
    suspect: tuple[Suspect, ...] = ()
    liquidity: Liquidity | None = None
    depth: Depth | None = None
    pool: Pool | None = None
    schedule: Schedule | None = None
    book: OrderBook | None = None
    oracle: Oracle
    contract: Contract | None = None
    basis: Basis | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        derived = self.kind in DERIVED
        if derived != (self.underlying is not None) or derived != (self.basis is not None):
            raise ValueError(
                f"a {self.kind} asset "
                + ("needs both underlying and basis" if derived else "has no underlying or basis")
            )
        if derived == (self.column is not None):
            raise ValueError(
                "a derived asset has no price column of its own"
                if derived
                else f"a {self.kind} asset needs its column in the price file"
            )
        if (self.kind == "stablecoin") != (self.peg is not None):
            raise ValueError("peg belongs to stablecoins, and to all of them")
        if bool(self.roles) == (self.excluded is not None):
            raise ValueError("give roles, or the reason why it is excluded, not both or neither")
        given = [name for name in MARKETS if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are given; keep the one that is sold in")
        if "collateral" in self.roles and self.liquidity is None and not given:
            raise ValueError("a collateral needs liquidity, or one of " + ", ".join(MARKETS))
        return self

    @property
    def market(self) -> Depth | Pool | Schedule | OrderBook | None:
        """The market of its own that is stated, if any."""
        return self.depth or self.pool or self.schedule or self.book

    @property
    def derived(self) -> bool:
        """Whether its price is modelled: the underlying's price and a basis process."""
        return self.kind in DERIVED


class Quality(Model):
    """Thresholds of the price checks; `market.quality.Rules` explains each."""

    stale_bars: Annotated[int, Field(ge=2)] = 3
    outlier_z: Positive = 20.0
    depeg: Fraction = 0.01
    bars_tolerance: Fraction = 0.005


class Universe(Model):
    """All assets of a calibration, with the facts they share."""

    date: datetime.date
    quality: Quality = Quality()
    chains: dict[str, Chain]
    intraday: Intraday
    stress: Stress
    depegs: tuple[Depeg, ...] = ()
    ignored: dict[str, Ignored] = Field(default_factory=dict)
    assets: dict[str, Asset]

    @model_validator(mode="before")
    @classmethod
    def _symbols(cls, document: Any) -> Any:
        # The key of the table is the symbol: written once in the file, known to the asset.
        if isinstance(document, dict) and isinstance(document.get("assets"), dict):
            assets = {
                symbol: {"symbol": symbol, **asset} if isinstance(asset, dict) else asset
                for symbol, asset in document["assets"].items()
            }
            return {**document, "assets": assets}
        return document

    @model_validator(mode="after")
    def _complete(self) -> Self:
        columns = [asset.column for asset in self.assets.values() if asset.column]
        for symbol, asset in self.assets.items():
            if asset.symbol != symbol:
                raise ValueError(f"asset {symbol}: its symbol says {asset.symbol}")
            if asset.chain not in self.chains:
                raise ValueError(f"asset {symbol}: chain {asset.chain} is not in chains")
            base = self.assets.get(asset.underlying) if asset.underlying else None
            if asset.underlying and (base is None or base.derived):
                raise ValueError(
                    f"asset {symbol}: underlying {asset.underlying} is not an asset with prices"
                )
            if asset.column in self.ignored:
                raise ValueError(f"asset {symbol}: its column {asset.column} is also ignored")
            if columns.count(asset.column) > 1:
                raise ValueError(f"asset {symbol}: column {asset.column} is used twice")
        if not any(asset.peg and "debt" in asset.roles for asset in self.assets.values()):
            raise ValueError("assets: no stablecoin that may be owed; add one with the role debt")
        if not any("collateral" in a.roles and not a.peg for a in self.assets.values()):
            raise ValueError("assets: no collateral but stablecoins; add one that moves")
        return self

    @property
    def priced(self) -> list[str]:
        """Symbols that have a column of prices, in the file's order."""
        return [symbol for symbol, asset in self.assets.items() if not asset.derived]

    @property
    def collateral(self) -> list[str]:
        """The default collateral set with prices of its own (stablecoins included)."""
        return [s for s in self.priced if "collateral" in self.assets[s].roles]

    @property
    def debts(self) -> list[str]:
        """Symbols that may be owed, all with prices of their own."""
        return [s for s in self.priced if "debt" in self.assets[s].roles]

    @property
    def stablecoins(self) -> list[str]:
        """Symbols with a peg."""
        return [symbol for symbol, asset in self.assets.items() if asset.peg is not None]

    @property
    def derived(self) -> list[str]:
        """Wrapped, staked and bridged symbols, whose prices are modelled."""
        return [symbol for symbol, asset in self.assets.items() if asset.derived]

    @property
    def columns(self) -> dict[str, str]:
        """Column of the price file → symbol."""
        return {asset.column: symbol for symbol, asset in self.assets.items() if asset.column}

    def depegs_of(self, symbol: str) -> tuple[Depeg, ...]:
        """Recorded breaks of one token's peg."""
        return tuple(event for event in self.depegs if event.token == symbol)

    def rules(self, *, repair: bool = False, fill_bars: int = 0) -> quality.Rules:
        """The price checks that this universe asks for, for `quality.check`."""
        assets = self.assets.values()
        return quality.Rules(
            assets=tuple(self.priced),
            ignored={column: fact.reason for column, fact in self.ignored.items()},
            listed_from={a.symbol: pd.Timestamp(a.listed_from) for a in assets if a.listed_from},
            delisted_after={
                a.symbol: _end_of(a.delisted_after) for a in assets if a.delisted_after
            },
            suspect=tuple(
                quality.Suspect(a.symbol, pd.Timestamp(s.first), _end_of(s.last), s.reason)
                for a in assets
                for s in a.suspect
            ),
            pegs={a.symbol: a.peg for a in assets if a.peg is not None},
            repair=repair,
            fill_bars=fill_bars,
            **self.quality.model_dump(),
        )


def parse(document: Any, source: str = "universe") -> Universe:
    """A parsed YAML or JSON file as `Universe`.

    Raises
    ------
    DataError
        Names `source`, then each asset and field at fault with what it should be.
    """
    return validate(Universe, document, source)


def _end_of(day: datetime.date) -> pd.Timestamp:
    # A last day is kept whole, also where bars are shorter than a day.
    return pd.Timestamp(day) + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)
