"""A system and an episode as the kernels read them."""

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from xcoll._jit import own
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation import _kernels as replayed
from xcoll.liquidation._kernels import State
from xcoll.liquidation.replay import DAY, trade
from xcoll.liquidation.world import Borrowers, World, steps_of
from xcoll.systemic import _kernels
from xcoll.systemic.bench import Bench
from xcoll.systemic.episode import Episode
from xcoll.systemic.system import Layout, System

__all__ = ["Compiled"]

HOUR = pd.Timedelta("1h")
NEVER = -1


@dataclass(frozen=True)
class Compiled:
    """The arguments of `_kernels.cascade`, under its names."""

    venues: _kernels.Venues
    outside: _kernels.Outside
    market: _kernels.Market
    accounts: _kernels.Accounts
    state: State
    crowd: _kernels.Crowd
    capital: float
    day: int
    ranked: bool
    shares: bool
    defaults: bool
    record: _kernels.Record
    bar: pd.Timedelta
    bench: Bench

    @classmethod
    def of(cls, system: System, episode: Episode) -> Self:
        """Check that the two fit together and lay them out."""
        if list(episode.assets) != system.assets:
            raise DataError(
                f"the episode has the assets {', '.join(episode.assets)}, the system "
                f"{', '.join(system.assets)}; give the same in the same order"
            )
        unknown = sorted(set(episode.venues) - set(system.names))
        if unknown:
            raise DataError(
                f"the episode names {', '.join(unknown)}, which the system does not have; known "
                f"are {', '.join(system.names)}"
            )
        step, rows = episode.step, len(episode) + 1
        keepers, layout = system.world.keepers, system.layout
        level, budget, wallet = _means(system, episode)
        V, A = len(system.venues), len(system.assets)
        ranked = keepers.order == "largest first"
        rank, place = layout.by_size if ranked else layout.by_number
        venues = _venues(system, episode)
        default = _defaults(episode, layout)
        tiered = venues.tiered[layout.venue]
        borrow_to = _draws(system, layout)
        bench = layout.take()
        bench.open(layout.health / level, tiered, level, budget)
        accounts = _kernels.Accounts(
            held=layout.held,
            lent=layout.lent,
            venue=layout.venue,
            rank=own(rank, np.int64),
            place=own(place, np.int64),
            key=bench.key,
            user=layout.users,
            wallet=own(wallet),
            default=own(default, np.int64),
            draws=own(borrow_to),
            drawn=bench.drawn,
            first=bench.first,
            round=bench.round,
            served=bench.served,
        )
        bars = (len(episode) - 1) // episode.steps + 1
        record = _kernels.Record(
            account=bench.account,
            units=np.zeros((V, len(replayed.UNITS), A)),
            by_bar=np.zeros((V, bars, len(replayed.BARS))),
            sold=np.zeros((V, rows, A)),
            drawn=np.zeros(V),
            rounds=np.zeros((_kernels.MOST_ROUNDS * 10, len(_kernels.ROUND))),
            count=np.zeros(2, dtype=np.int64),
        )
        finite = math.isfinite(keepers.capital)
        return cls(
            venues=venues,
            outside=_outside(system, episode),
            market=_market(system, episode),
            accounts=accounts,
            state=bench.state,
            crowd=bench.crowd(np.flatnonzero(np.isfinite(borrow_to))),
            capital=keepers.capital * episode.capital if finite else math.inf,
            day=max(1, round(DAY / step)) if finite else 0,
            ranked=ranked,
            shares=layout.shared and system.world.borrowers is not None,
            defaults=bool((default >= 0).any()),
            record=record,
            bar=step * episode.steps,
            bench=bench,
        )

    def within(self, window: str | pd.Timedelta) -> int:
        """The recovery window in bars, rounded up."""
        return math.ceil(pd.Timedelta(window) / self.bar)


def _venues(system: System, episode: Episode) -> _kernels.Venues:
    step, rows, rules = episode.step, len(episode) + 1, system.layout.rules
    oracles = [venue.oracle or system.world.oracle for venue in system.venues]
    worlds = [replace(system.world, oracle=oracle) for oracle in oracles]
    terms = np.array([trade(world, step) for world in worlds])
    # What oracles show is not the market where feeds are bent, or where moves come back.
    bent = (episode.feed != 1.0).any() or (system.impact is not None and system.impact.lasting < 1)
    terms[:, replayed.BLIND] = np.maximum(terms[:, replayed.BLIND], bent)
    most = max(rule.bounds.shape[1] for rule in rules)

    def padded(table: np.ndarray, filling: float) -> np.ndarray:
        more = most - table.shape[1]
        return np.pad(table, ((0, 0), (0, more)), constant_values=filling)

    bounds = np.array([padded(rule.bounds, np.inf) for rule in rules])
    room, fund = np.array([venue.engine.room for venue in system.venues]).T
    slow = [venue.breakers for venue in system.venues]
    return _kernels.Venues(
        start=own(system.layout.start, np.int64),
        code=np.array([rule.code for rule in rules]),
        bonus=np.array([rule.bonus for rule in rules]),
        fee=np.array([rule.fee for rule in rules]),
        extra=np.array([rule.extra for rule in rules]),
        law=np.array([rule.law for rule in rules]),
        bounds=bounds,
        ratios=np.array([padded(rule.ratios, 0.0) for rule in rules]),
        threshold=np.array(system.layout.thresholds),
        used=np.array([venue.book.used for venue in system.venues]),
        tiered=np.isfinite(bounds).any(axis=(1, 2)),
        trade=terms,
        fund=own(fund),
        room=own(room),
        owes=np.array(list(system.debt.values())),
        lag=np.array([steps_of(oracle.lag, step) for oracle in oracles]),
        deviation=np.array([oracle.deviation for oracle in oracles]),
        beat=np.array(
            [rows if o.heartbeat is None else steps_of(o.heartbeat, step) for o in oracles]
        ),
        breakers=np.array(
            [
                (
                    b.pause,
                    steps_of(b.window, step),
                    steps_of(b.last, step),
                    b.cap * (step / HOUR),
                    b.stop,
                    b.freeze,
                )
                for b in slow
            ]
        ),
    )


def _by_venue(system: System, episode: Episode, name: str, neutral: float) -> np.ndarray:
    """An array of the episode along the system's venues, steps and assets."""
    rows, A = len(episode) + 1, len(system.assets)
    inner = {"feed": (rows, A), "shut": (rows, A), "delay": (A,), "lost": (rows,)}[name]
    given = getattr(episode, name)
    if not episode.venues:
        whole = np.broadcast_to(given, (len(system.venues), *inner))
        return own(whole.copy(), given.dtype)
    known = np.broadcast_to(given, (len(episode.venues), *inner))
    whole = np.full((len(system.venues), *inner), neutral, dtype=given.dtype)
    for row, venue in enumerate(episode.venues):
        whole[system.names.index(venue)] = known[row]
    return whole


def _outside(system: System, episode: Episode) -> _kernels.Outside:
    rows, A, steps = len(episode) + 1, len(system.assets), episode.steps
    depth = np.broadcast_to(episode.depth, (rows, A))
    return _kernels.Outside(
        market=own(episode.market * system.opening),
        due=own(episode.due * system.opening),
        index=own(system.world.index(system.assets, rows, episode.step)),
        depth=own(np.vstack([depth[:1], depth[1::steps]])),
        gas=own(np.broadcast_to(episode.gas, rows).copy()),
        feed=_by_venue(system, episode, "feed", 1.0),
        shut=_by_venue(system, episode, "shut", 0.0),
        delay=own(_by_venue(system, episode, "delay", 0.0), np.int64),
        lost=_by_venue(system, episode, "lost", 0.0),
    )


def _market(system: System, episode: Episode) -> _kernels.Market:
    assets, world, impact = system.assets, system.world, system.impact
    for depth in (world.depth, None if impact is None else impact.depth):
        if depth is not None and depth.path is not None:
            raise ParameterError(
                "the depth has a path by date, which an episode does not know; give its multiples "
                "as the episode's depth"
            )
    size, loss = np.zeros(0), np.ones((len(assets), 0))
    reach, move = size, loss
    refill = 0.0
    if impact is not None:
        reach, move = own(impact.reach), impact.depth.levels(assets)
        refill = impact.depth.absorbed(episode.step)
    if world.depth is not None:
        size, loss = own(world.depth.size), world.depth.levels(assets)
        refill = world.depth.absorbed(episode.step)
    receipts = system.claims.receipts
    pool, keeper = np.zeros(len(assets)), np.zeros(len(assets), dtype=np.int64)
    for asset, receipt in receipts.items():
        pool[assets.index(asset)] = receipt.pool_usd
        keeper[assets.index(asset)] = system.names.index(receipt.venue)
    return _kernels.Market(
        size=size,
        loss=loss,
        reach=reach,
        move=move,
        lasting=0.0 if impact is None else impact.lasting,
        refill=refill,
        fades=0.0 if impact is None else impact.fades(episode.step),
        order=system.claims.order(assets),
        claim=system.claims.matrix(assets),
        pool=pool,
        keeper=keeper,
    )


def _answering(world: World, episode: Episode) -> Borrowers | None:
    borrowers = world.borrowers
    if borrowers is None or episode.attentive == 1.0:
        return borrowers
    return replace(borrowers, attentive=borrowers.attentive * episode.attentive)


def _means(system: System, episode: Episode) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Level of the call and dollars set aside by account, and dollars by user."""
    borrowers, layout = _answering(system.world, episode), system.layout
    owed, wallet = layout.owed, np.zeros(1)
    if borrowers is None:
        return np.ones(len(owed)), np.zeros(len(owed)), wallet
    if layout.shared:
        wallet = borrowers.means(np.bincount(layout.users, owed))
        budget = wallet[layout.users]
    else:
        parts = np.split(owed, layout.start[1:-1])
        budget = np.concatenate([borrowers.means(part) for part in parts])
    return np.where(budget > 0.0, borrowers.call, 1.0), budget, wallet


def _draws(system: System, layout: Layout) -> np.ndarray:
    """Health factor by account down to which it borrows again; infinite for never."""
    if all(venue.borrow_to is None for venue in system.venues):
        return layout.content
    wanted = layout.content.copy()
    for v, venue in enumerate(system.venues):
        if venue.borrow_to is not None:
            wanted[layout.start[v] : layout.start[v + 1]] = venue.borrow_to
    return wanted


def _defaults(episode: Episode, layout: Layout) -> np.ndarray:
    """Step from which each account is closed whatever its health, −1 for never."""
    owed, users = layout.owed, layout.users
    if not (episode.default > 0.0).any() or not owed.any():
        return layout.nobody
    share = np.broadcast_to(episode.default, len(episode) + 1)
    by_user = np.bincount(users, owed)
    largest = np.argsort(-by_user, kind="stable")
    ahead = np.empty_like(by_user)
    ahead[largest] = np.cumsum(by_user[largest]) - by_user[largest]
    step = np.searchsorted(share, ahead[users] / by_user.sum(), side="right")
    return np.where((step < len(share)) & (owed > 0.0), np.maximum(step, 1), NEVER)
