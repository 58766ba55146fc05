"""Venues that share prices: their accounts, the market that they sell into, who liquidates.

Sales move prices in two ways.  With ``D(u)`` how far ``u`` dollars (at the opening's prices) push
the price down the order book,

    traded price       P = F·(1 − (1 − κ)·D(u))        u sold and not absorbed: it comes back
    fundamental price  F ← F·(1 − κ·ΔD(v))              v sold within a day: it does not

What is sold within a day is one order: the laws of impact hold for an order as a whole, over up to
a day, however it is split (Tóth et al. 2011), while order books fill up within minutes.

A sale of a round is filled at the prices of the round's opening, less what it costs to walk down
the order book where the world around has one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll._jit import own
from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation._kernels import Rules
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.replay import Rates, fits, rates
from xcoll.liquidation.rulebooks import Aave, Rulebook
from xcoll.liquidation.world import Oracle, World
from xcoll.systemic.bench import Bench
from xcoll.systemic.claims import Claims

__all__ = ["LASTING", "Breakers", "Impact", "Layout", "System", "Venue"]

# Of the price that a large order moves, two thirds stay when it is done: Farmer, Gerig, Lillo and
# Waelbroeck (2013) by fair pricing, Bershova and Rakhlin (2013) measured.
LASTING = 2.0 / 3.0


@dataclass(frozen=True)
class Breakers:
    """What a venue does to slow a fall; each is off by default.

    Attributes
    ----------
    pause : fall of an asset's traded price within `window` after which it can be neither seized
        nor sold for `last`; a fraction.
    window, last : durations.
    cap : dollars of debt that liquidations may clear within an hour.  Keepers stop at it; a venue
        that sells for itself begins with no further account once it is used up.
    stop : distance of the oracle from the traded price, a fraction, beyond which the asset can be
        neither seized nor sold.
    freeze : move of a price, up or down, traded or shown by the oracle, within `window` after
        which nobody can borrow for `last`.
    """

    pause: float = 1.0
    window: str | pd.Timedelta = "1h"
    last: str | pd.Timedelta = "6h"
    cap: float = np.inf
    stop: float = np.inf
    freeze: float = 1.0

    def __post_init__(self) -> None:
        for name in ("pause", "freeze"):
            checks.positive(name, checks.fraction(name, getattr(self, name), closed=True))
        for name in ("window", "last"):
            checks.duration(name, getattr(self, name))
        for name in ("cap", "stop"):
            value = getattr(self, name)
            if not value > 0.0:
                raise ParameterError(f"{name} is {value}; give a number above zero, or infinity")


@dataclass(frozen=True)
class Impact:
    """How sales move prices.

    Attributes
    ----------
    depth : order books; a marginal loss of a sale is how far the price has gone by then.
    lasting : share κ of the move that stays, in [0, 1].
    memory : time over which sales are one order: of those so long ago 1/e still counts.
    """

    depth: Depth
    lasting: float = LASTING
    memory: str | pd.Timedelta = "1D"

    def __post_init__(self) -> None:
        checks.fraction("lasting", self.lasting, closed=True)
        checks.duration("memory", self.memory)

    def fades(self, step: pd.Timedelta) -> float:
        """Share of what was sold that no longer counts a step later, ``1 − e^{−step/memory}``."""
        return 1.0 - float(np.exp(-(step / pd.Timedelta(self.memory))))

    @cached_property
    def reach(self) -> np.ndarray:
        """Dollars at which each level's loss is reached: the middle of the level."""
        size = self.depth.size
        return 0.5 * (size + np.concatenate([[0.0], size[:-1]]))


@dataclass(frozen=True)
class Venue:
    """A venue and its accounts.

    Attributes
    ----------
    name : distinct in its system.
    book : accounts as its engine holds them, in units of the system's assets.
    parameters : thresholds, bonuses and fees.
    engine : its rules.
    oracle : its price feed; None for that of the system's world.
    breakers : see there.
    users : who owns each account, any labels; the same at several venues.  None: all distinct.
    borrow_to : health factor by account down to which it borrows whenever it stands above;
        infinite for accounts that do not.  None: nobody does.
    """

    name: str
    book: Book
    parameters: RiskParameters
    engine: Rulebook = field(default_factory=Aave)
    oracle: Oracle | None = None
    breakers: Breakers = field(default_factory=Breakers)
    users: np.ndarray | None = None
    borrow_to: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("users", "borrow_to"):
            given = getattr(self, name)
            if given is not None and len(given) != len(self.book):
                raise DataError(
                    f"{self.name}: {name} has {len(given)} rows for {len(self.book)} accounts; "
                    "give one an account"
                )
        if self.borrow_to is not None and not (self.borrow_to > 1.0).all():
            low = self.borrow_to[~(self.borrow_to > 1.0)][0]
            raise ParameterError(
                f"{self.name}: borrow_to is {low:g}; give health factors "
                "above 1, infinite for who does not borrow again"
            )

    @cached_property
    def rates(self) -> Rates:
        """The parameters in the order of the book's assets."""
        return rates(self.book.assets, self.parameters)


@dataclass(frozen=True)
class Layout:
    """All accounts of a system, venue by venue.

    Attributes
    ----------
    held, lent : N × A units.
    start : V + 1, the first account of each venue, and N.
    venue : number of each account's venue.
    owed : dollars at the opening by account.
    health : health factor at the opening by account, without tiers; infinite without debt.
    thresholds, rules : by venue, as its engine compiles them.
    users : number of each account's user.
    shared : whether any user has several accounts.
    """

    held: np.ndarray
    lent: np.ndarray
    start: np.ndarray
    venue: np.ndarray
    owed: np.ndarray
    health: np.ndarray
    thresholds: Sequence[np.ndarray]
    rules: Sequence[Rules]
    users: np.ndarray
    shared: bool

    @cached_property
    def by_number(self) -> tuple[np.ndarray, np.ndarray]:
        """Rank of each account and account of each rank, in the order of the venues."""
        numbers = np.arange(len(self.owed))
        return numbers, numbers

    @cached_property
    def by_size(self) -> tuple[np.ndarray, np.ndarray]:
        """Rank of each account and account of each rank, those that owe most first."""
        place = np.argsort(-self.owed, kind="stable")
        rank = np.empty_like(place)
        rank[place] = np.arange(len(place))
        return rank, place

    @cached_property
    def nobody(self) -> np.ndarray:
        """The step −1 for every account: never."""
        return np.full(len(self.owed), -1)

    @cached_property
    def content(self) -> np.ndarray:
        """Infinite for every account: the health at which who never borrows again would."""
        return np.full(len(self.owed), np.inf)

    def take(self) -> Bench:
        """A bench for these accounts; one that was given back, or a new one."""
        return vars(self).pop("bench", None) or Bench.of(*self.held.shape)

    def give(self, bench: Bench) -> None:
        """Give a clean bench back, for the next episode."""
        vars(self)["bench"] = bench


@dataclass(frozen=True)
class System:
    """Venues that share prices.

    Attributes
    ----------
    venues : one or more, over the same assets in the same order.
    world : keepers, the depth that sales are served from, borrowers, interest; its oracle is that
        of venues without one.
    impact : how sales move prices; None where they do not.
    claims : assets whose price follows others or a venue's losses.
    prices : dollars a unit at the opening, by asset; None where books are in dollars.

    Raises
    ------
    DataError
        No venue, two of one name, books over other assets, an asset in use without a price.
    """

    venues: Sequence[Venue]
    world: World = field(default_factory=World)
    impact: Impact | None = None
    claims: Claims = field(default_factory=Claims)
    prices: pd.Series | None = None

    def __post_init__(self) -> None:
        if not self.venues:
            raise DataError("a system needs a venue; give at least one")
        names = self.names
        if len(set(names)) < len(names):
            raise DataError(f"venues {', '.join(names)}: give each a name of its own")
        for venue in self.venues:
            if list(venue.book.assets) != self.assets:
                raise DataError(
                    f"{venue.name} has the assets {', '.join(venue.book.assets)}, "
                    f"{self.venues[0].name} {', '.join(self.assets)}; give all books the same, "
                    "in the same order"
                )
            if self.prices is not None:
                venue.book.prices(self.prices)
        self.claims.check(self.assets, names)

    @property
    def names(self) -> list[str]:
        """Names of the venues."""
        return [venue.name for venue in self.venues]

    @property
    def assets(self) -> list[str]:
        """Symbols of the assets."""
        return list(self.venues[0].book.assets)

    @cached_property
    def opening(self) -> np.ndarray:
        """Dollars a unit at the opening, by asset; 1 where nobody uses it."""
        if self.prices is None:
            return np.ones(len(self.assets))
        given = self.prices.reindex(self.assets).to_numpy(dtype=float)
        return np.where(np.isfinite(given) & (given > 0.0), given, 1.0)

    def venue(self, name: str) -> Venue:
        """One venue by its name; `ParameterError` with the known names for another."""
        checks.one_of("venue", name, self.names)
        return self.venues[self.names.index(name)]

    @cached_property
    def layout(self) -> Layout:
        """The accounts side by side; made once, and kept while venues and prices stay."""
        venues = self.venues
        for venue in venues:
            fits(venue.book, venue.engine)
        held = own(np.concatenate([venue.book.collateral for venue in venues]))
        lent = own(np.concatenate([venue.book.debt for venue in venues]))
        made = [
            v.engine.compiled(self.assets, v.rates.threshold, v.rates.bonus, v.rates.fee)
            for v in venues
        ]
        thresholds, rules = zip(*made, strict=True)
        secured = np.concatenate(
            [
                v.book.collateral @ (self.opening * lt)
                for v, lt in zip(venues, thresholds, strict=True)
            ]
        )
        owed = lent @ self.opening
        health = np.full(len(owed), np.inf)
        np.divide(secured, owed, out=health, where=owed > 0.0)
        start = np.cumsum([0, *(len(venue.book) for venue in venues)])
        venue = np.repeat(np.arange(len(venues)), np.diff(start))
        users = _users(venues)
        return Layout(held, lent, start, venue, owed, health, thresholds, rules, *users)

    def changed(self, **changes: object) -> Self:
        """The same system with other attributes."""
        made = replace(self, **changes)
        if not {"venues", "prices"} & set(changes) and "layout" in vars(self):
            vars(made)["layout"] = self.layout
        return made

    def with_venues(self, **changes: object) -> Self:
        """The same system with attributes of all its venues changed."""
        return self.changed(venues=[replace(venue, **changes) for venue in self.venues])

    def with_world(self, **changes: object) -> Self:
        """The same system with attributes of its world changed."""
        return self.changed(world=replace(self.world, **changes))

    @property
    def debt(self) -> Mapping[str, float]:
        """Dollars owed at the opening, by venue."""
        layout = self.layout
        parts = np.split(layout.owed, layout.start[1:-1])
        return {name: float(owed.sum()) for name, owed in zip(self.names, parts, strict=True)}


def _users(venues: Sequence[Venue]) -> tuple[np.ndarray, bool]:
    """Number of each account's user, and whether any has several accounts."""
    if all(venue.users is None for venue in venues):
        return np.arange(sum(len(venue.book) for venue in venues)), False
    labels = [
        [f"{venue.name}\0{i}" for i in range(len(venue.book))]
        if venue.users is None
        else list(map(str, venue.users))
        for venue in venues
    ]
    numbers, known = pd.factorize(np.concatenate(labels))
    return own(numbers, np.int64), len(known) < len(numbers)
