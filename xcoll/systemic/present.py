"""The system of today: venues of every kind on one market, with synthetic accounts and users.

Assumed, for no public file holds the accounts of all venues: the venues' sizes; that a share of
each venue's users are the same people; that where a derived token exists a stated share of its
underlying's weight is pledged in it; and three positions that tie venues together, each a venue's
worth in its own right:

- *looped staking*: a staked token against its underlying at one high threshold, drawn to the limit;
- *receipts*: the receipt of the largest lender's dollar pool, pledged elsewhere for a dollar;
- *takers*: users who borrow again whenever their health allows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral import accounts
from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters
from xcoll.collateral.universe import Universe
from xcoll.errors import ParameterError
from xcoll.liquidation import mapping
from xcoll.liquidation.rulebooks import (
    Aave,
    Compound,
    Euler,
    Exchange,
    Maker,
    Morpho,
    Rulebook,
)
from xcoll.liquidation.world import World
from xcoll.systemic.claims import Claims, Receipt
from xcoll.systemic.system import Impact, System, Venue

__all__ = ["LENDERS", "Present", "looped", "portrait", "receipts"]

# Engine and share of the whole; the shares are assumed.
LENDERS: dict[str, tuple[Rulebook, float]] = {
    "Aave": (Aave(), 0.40),
    "Exchange": (Exchange(), 0.20),
    "Morpho": (Morpho(), 0.12),
    "Maker": (Maker(), 0.10),
    "Compound": (Compound(), 0.10),
    "Euler": (Euler(), 0.08),
}


@dataclass(frozen=True)
class Present:
    """What a system of today is made of.

    Attributes
    ----------
    universe : assets, their depth and what they follow.
    parameters : index asset, columns of `RiskParameters`; assets without a row back nothing.
    lenders : name → engine and share of the collateral; the shares are relative.
    collateral_usd : dollars pledged at the lenders together.
    size : accounts a lender.
    overlap : share of a lender's accounts whose users are also at the first one.
    derived : share of an asset's weight that is pledged in tokens derived from it.
    health_median, health_spread, size_spread : as in `accounts.Shape`.
    takers : share of accounts that borrow again, down to 1.02 times the health at which a
        borrower who draws the maximum stands.
    """

    universe: Universe
    parameters: pd.DataFrame
    lenders: Mapping[str, tuple[Rulebook, float]] = field(default_factory=lambda: dict(LENDERS))
    collateral_usd: float = 10e9
    size: int = 2_000
    overlap: float = 0.2
    derived: float = 0.4
    health_median: float = 1.6
    health_spread: float = 1.0
    size_spread: float = 1.2
    takers: float = 0.02

    def __post_init__(self) -> None:
        checks.positive("collateral_usd", self.collateral_usd)
        checks.whole("size", self.size)
        for name in ("overlap", "derived", "takers"):
            checks.fraction(name, getattr(self, name), closed=True)
        if not self.lenders:
            raise ParameterError("no lenders; name at least one with its engine and share")

    @property
    def set(self) -> RiskParameters:
        """The parameters of the assets that may be pledged."""
        return RiskParameters(self.parameters)

    @property
    def assets(self) -> list[str]:
        """All that may be pledged or owed: with prices of their own, then derived."""
        used = [*self.universe.collateral, *self.universe.debts, *self.universe.derived]
        return list(dict.fromkeys(used))

    def mix(self) -> dict[str, float]:
        """Relative weights of the assets as collateral."""
        weights = accounts.mix_of(
            [a for a in self.universe.collateral if a in self.parameters.index]
        )
        for asset in list(weights):
            tokens = [t for t in self._followers(asset) if t in self.parameters.index]
            for token in tokens:
                weights[token] = weights[asset] * self.derived / len(tokens)
            if tokens:
                weights[asset] *= 1.0 - self.derived
        return weights

    def _followers(self, asset: str) -> list[str]:
        assets = self.universe.assets
        return [token for token in self.universe.derived if assets[token].underlying == asset]

    def system(self, world: World, impact: Impact | None, rng: np.random.Generator) -> System:
        """The system in dollars of the opening.

        Parameters
        ----------
        world : keepers, depth, borrowers and the oracle of every lender.
        impact : how sales move prices.
        """
        stable = self.universe.stablecoins
        shape = accounts.Shape(
            self.assets,
            self.mix(),
            stable,
            [asset for asset in self.universe.debts if asset not in stable],
            size_spread=self.size_spread,
            health_median=self.health_median,
            health_spread=self.health_spread,
        )
        total = sum(share for _, share in self.lenders.values())
        made, first = [], None
        for number, (name, (engine, share)) in enumerate(self.lenders.items()):
            users = number * self.size + np.arange(self.size)
            if first is None:
                first = users
            users = np.where(rng.random(self.size) < self.overlap, first, users)
            dollars = self.collateral_usd * share / total
            made.append(self._lender(name, engine, dollars, shape, users, rng))
        behind = {
            token: {self.universe.assets[token].underlying: 1.0} for token in self.universe.derived
        }
        return System(made, world, impact, Claims(behind))

    def _lender(
        self,
        name: str,
        engine: Rulebook,
        dollars: float,
        shape: accounts.Shape,
        users: np.ndarray,
        rng: np.random.Generator,
    ) -> Venue:
        draws, lt = accounts.draw(shape, self.size, rng), self.parameters["threshold"]
        sides = accounts.dollars(draws, shape, lt, shape.assets)
        factor = dollars / sides[0].sum()
        whole = Book(list(shape.assets), *(side * factor for side in sides), np.arange(self.size))
        form, parent, book = mapping.VENUES[engine.form], whole.ids, whole
        if form.one_collateral or form.one_debt:
            ones = pd.Series(1.0, shape.assets)
            owable = list(shape.stable) if form.named else None
            held = mapping.split(whole, engine.form, ones, lt, owable)
            book, parent = held.book, held.parent
        draws_again = (rng.random(self.size) < self.takers)[parent]
        limit = 1.02 * float((lt / self.parameters["ltv"]).max())
        return Venue(
            name,
            book,
            self.set,
            engine,
            users=users[parent],
            borrow_to=np.where(draws_again, limit, np.inf),
        )


def looped(
    system: System,
    token: str,
    debt: str,
    dollars: float,
    size: int,
    rng: np.random.Generator,
    threshold: float = 0.945,
    widest: float = 0.06,
) -> System:
    """`system` with a market of looped positions: `token` against `debt`, near the limit.

    Parameters
    ----------
    dollars : of collateral; health factors are uniform between 1 and 1 + `widest` (assumed).
    threshold : LLTV; 0.945 is that of the market of wstETH against ETH at Morpho Blue.
    """
    assets = system.assets
    for asset in (token, debt):
        checks.one_of("asset", asset, assets)
    checks.positive("dollars", dollars)
    checks.whole("size", size)
    weight = np.exp(1.2 * rng.standard_normal(size))
    held, owed = np.zeros((size, len(assets))), np.zeros((size, len(assets)))
    held[:, assets.index(token)] = dollars * weight / weight.sum()
    health = 1.0 + widest * (0.02 + 0.98 * rng.random(size))
    owed[:, assets.index(debt)] = held.sum(axis=1) * threshold / health
    terms = {"ltv": threshold, "threshold": threshold, "bonus": 0.0, "protocol_fee": 0.0}
    one = RiskParameters(
        pd.DataFrame([terms], index=pd.Index([token], name="asset")), recommended=False
    )
    book = Book(assets, held / system.opening, owed / system.opening, np.arange(size))
    name = f"{token} looped"
    users = np.array([f"{name} {n}" for n in range(size)])
    return system.changed(venues=[*system.venues, Venue(name, book, one, Morpho(), users=users)])


def receipts(
    system: System,
    lender: str,
    debt: str,
    dollars: float,
    size: int,
    rng: np.random.Generator,
    threshold: float = 0.93,
) -> System:
    """`system` with a venue that lends `debt` against receipts of a lender's dollar pool.

    The receipt is an asset of its own, worth a dollar less the pool's losses; the pool is the
    lender's debt at the opening.  Health factors are uniform between 1 and 1.2 (assumed).
    """
    checks.one_of("asset", debt, system.assets)
    checks.positive("dollars", dollars)
    checks.whole("size", size)
    pool = system.debt[system.venue(lender).name]
    token = f"receipt of {lender}"
    assets = [*system.assets, token]
    wider = [
        replace(
            venue,
            book=replace(
                venue.book,
                assets=assets,
                collateral=np.pad(venue.book.collateral, ((0, 0), (0, 1))),
                debt=np.pad(venue.book.debt, ((0, 0), (0, 1))),
            ),
        )
        for venue in system.venues
    ]
    held, owed = np.zeros((size, len(assets))), np.zeros((size, len(assets)))
    weight = np.exp(1.2 * rng.standard_normal(size))
    held[:, -1] = dollars * weight / weight.sum()
    owed[:, assets.index(debt)] = held[:, -1] * threshold / (1.0 + 0.2 * rng.random(size))
    terms = {"ltv": threshold, "threshold": threshold, "bonus": 0.02, "protocol_fee": 0.0}
    one = RiskParameters(
        pd.DataFrame([terms], index=pd.Index([token], name="asset")), recommended=False
    )
    name = f"lender on {token}"
    users = np.array([f"{name} {n}" for n in range(size)])
    price = np.append(system.opening, 1.0)
    book = Book(assets, held / price, owed / price, np.arange(size))
    venue = Venue(name, book, one, Morpho(), users=users)
    claims = Claims(system.claims.behind, {**system.claims.receipts, token: Receipt(lender, pool)})
    prices = system.prices
    if prices is not None:
        prices = pd.concat([prices, pd.Series({token: 1.0})])
    return System([*wider, venue], system.world, system.impact, claims, prices)


def portrait(system: System) -> pd.DataFrame:
    """The venues of a system at the opening.

    Returns
    -------
    DataFrame
        ``venue``, ``engine``, ``accounts``, ``collateral`` and ``debt`` (dollars), ``ltv`` (their
        ratio), ``near`` (share of the debt with a health factor under 1.1) and ``common``
        (accounts whose users are at other venues too).
    """
    layout = system.layout
    pairs = np.unique(np.column_stack([layout.users, layout.venue]), axis=0)
    several = np.bincount(pairs[:, 0])[layout.users] > 1
    worth = layout.held @ system.opening
    rows = []
    for v, venue in enumerate(system.venues):
        here = layout.venue == v
        owed, pledged = float(layout.owed[here].sum()), float(worth[here].sum())
        near = float(layout.owed[here & (layout.health < 1.1)].sum()) / owed
        engine = type(venue.engine).__name__
        common = int(several[here].sum())
        rows.append(
            (venue.name, engine, int(here.sum()), pledged, owed, owed / pledged, near, common)
        )
    columns = ["venue", "engine", "accounts", "collateral", "debt", "ltv", "near", "common"]
    return pd.DataFrame(rows, columns=columns)
