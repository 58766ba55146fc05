"""A cascade: one episode through all venues of a system, and what of it was the cascade's own.

With `impact` None every venue ends as in a replay of its own (`liquidation.replay`), step for step;
what they share then is depth, the keepers' capital and the wallets of common users.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from xcoll.liquidation import _kernels as replayed
from xcoll.liquidation.replay import Replay
from xcoll.systemic import _kernels
from xcoll.systemic.compiled import Compiled
from xcoll.systemic.episode import Episode
from xcoll.systemic.system import System

__all__ = ["Amplification", "Cascade", "amplification", "cascade"]

HOUR = pd.Timedelta("1h")
OPENING = pd.Timestamp("2000-01-01")  # of episodes without dates


@dataclass(frozen=True)
class Cascade:
    """What an episode did to a system; tables are made when they are asked for.

    Attributes
    ----------
    system, episode : what was run.
    made : the same as the kernels had it, and what they filled.
    touched : numbers of the accounts that were visited; of the others nothing changed.
    collateral, debt : of those, account × asset units that are left.
    account : of those, columns as in a replay.
    served : of those, step and round of that step in which they were first served; −1 for never.
    market, shown : (S + 1) × A, fundamental and traded prices in dollars a unit.
    oracle : V × (S + 1) × A, what the oracles showed.
    """

    system: System
    episode: Episode
    made: Compiled
    touched: np.ndarray
    collateral: np.ndarray
    debt: np.ndarray
    account: np.ndarray
    served: np.ndarray
    market: np.ndarray
    shown: np.ndarray
    oracle: np.ndarray

    @cached_property
    def venues(self) -> dict[str, Replay]:
        """Name → what happened there, as a replay says it; dollars at fundamental prices."""
        episode, layout, record = self.episode, self.system.layout, self.made.record
        left, account = (layout.held.copy(), layout.lent.copy()), self.whole(self.account, 0.0)
        for side, now in zip(left, (self.collateral, self.debt), strict=True):
            side[self.touched] = now
        bars = np.arange(1, record.by_bar.shape[1] + 1)
        times = pd.DatetimeIndex(OPENING + episode.step * episode.steps * bars)
        found = {}
        for v, venue in enumerate(self.system.venues):
            rows = slice(layout.start[v], layout.start[v + 1])
            fund = float(self.made.venues.fund[v])
            filled = (account[rows], record.units[v], record.by_bar[v])
            sides = (side[rows] for side in left)
            found[venue.name] = Replay(venue.book, times, episode.step, *filled, *sides, fund)
        return found

    def by_venue(self, *columns: str) -> np.ndarray:
        """Dollars of a replay's columns, summed over columns and the accounts of each venue."""
        places = [replayed.ACCOUNT.index(column) for column in columns]
        venue, dollars = self.system.layout.venue[self.touched], self.account[:, places]
        return np.bincount(venue, dollars.sum(axis=1), minlength=len(self.system.venues))

    def whole(self, values: np.ndarray, others: float) -> np.ndarray:
        """`values` of those touched, by account of all venues in their order."""
        layout = self.system.layout
        table = np.full((len(layout.owed), *values.shape[1:]), others, dtype=values.dtype)
        table[self.touched] = values
        return table

    @cached_property
    def bad_debt(self) -> pd.Series:
        """By venue: dollars written off, still missing at the end, and lost otherwise."""
        shape = (len(self.system.venues), len(self.episode) + 1)
        drained = np.broadcast_to(self.made.outside.lost, shape).sum(axis=1) * self.made.venues.owes
        lost = self.by_venue("deficit", "under") + drained
        return pd.Series(lost, pd.Index(self.system.names, name="venue"), name="bad_debt")

    @property
    def first_step(self) -> np.ndarray:
        """Step in which each account was first served, −1 for never."""
        return self.whole(self.served[:, 0], -1)

    @property
    def first_round(self) -> np.ndarray:
        """Round of that step, from 0."""
        return self.whole(self.served[:, 1], -1)

    @property
    def unsettled(self) -> int:
        """Steps that did not come to rest within `_kernels.MOST_ROUNDS` rounds."""
        return int(self.made.record.count[1])

    @property
    def drawn(self) -> pd.Series:
        """Dollars borrowed again, by venue."""
        return pd.Series(self.made.record.drawn, self.system.names, name="drawn")

    @property
    def rounds(self) -> pd.DataFrame:
        """Rounds in which something happened.

        ``step``, ``round`` (from 0 in each step), ``served`` accounts, ``sold`` and ``deficit``
        dollars, and ``fall``, the largest move of a price that followed.
        """
        record = self.made.record
        table = pd.DataFrame(record.rounds[: record.count[0]], columns=list(_kernels.ROUND))
        return table.astype({"step": int, "round": int, "served": int})

    @property
    def prices(self) -> pd.DataFrame:
        """Traded prices relative to the opening, time since the opening × asset."""
        return self._by_step(self.shown / self.shown[0])

    @property
    def sold(self) -> pd.DataFrame:
        """Dollars sold at all venues together, time since the opening × asset."""
        return self._by_step(self.made.record.sold.sum(axis=0))

    def _by_step(self, values: np.ndarray) -> pd.DataFrame:
        times = self.episode.step * np.arange(len(values))
        return pd.DataFrame(values, pd.TimedeltaIndex(times, name="time"), self.system.assets)

    @property
    def closed(self) -> np.ndarray:
        """Whether each account, of all venues in their order, was served at all."""
        return self.first_step >= 0


def cascade(system: System, episode: Episode, within: str | pd.Timedelta = "7D") -> Cascade:
    """Run `episode` through `system`.

    Parameters
    ----------
    within : time in which a closed account would have had to recover to count as premature.

    Raises
    ------
    DataError
        An episode over other assets, or that names venues the system does not have.
    ParameterError
        A venue's engine or breakers with a parameter outside its range.

    Notes
    -----
    Accounts of one moment are served in the order of the world's keepers, venues in their order.
    """
    made = Compiled.of(system, episode)
    N, A = system.layout.held.shape
    rows = (
        np.empty(N, dtype=np.int64),
        np.empty((N, A)),
        np.empty((N, A)),
        np.empty((N, len(replayed.ACCOUNT))),
        np.empty((N, 2), dtype=np.int64),
    )
    touched, *prices = _kernels.cascade(
        made.venues, made.outside, made.market, made.accounts, made.state, made.crowd,
        made.capital, made.day, episode.steps, made.within(within), made.ranked, made.shares,
        made.defaults, made.record, *rows,
    )  # fmt: skip
    system.layout.give(made.bench)
    return Cascade(system, episode, made, *(row[:touched] for row in rows), *prices)


@dataclass(frozen=True)
class Amplification:
    """A cascade beside the same episode without the prices that sales move.

    Attributes
    ----------
    whole, direct : the two.
    """

    whole: Cascade
    direct: Cascade

    @property
    def price(self) -> pd.Series:
        """By asset: deepest fall over the deepest fall from outside; NaN where there was none."""
        fell = 1.0 - self.whole.prices.min()
        outside = 1.0 - self.direct.prices.min()
        return (fell / outside.where(outside > 0.0)).rename("price")

    @property
    def loss(self) -> float:
        """Bad debt over that of the first round; NaN where that loses nothing."""
        first = self.direct.bad_debt.sum()
        return float(self.whole.bad_debt.sum() / first) if first > 0.0 else math.nan

    @property
    def contagion(self) -> np.ndarray:
        """Accounts, of all venues in their order, closed only because others were."""
        return self.whole.closed & ~self.direct.closed

    def path(self) -> pd.DataFrame:
        """The path, long: ``hours``, ``asset``, ``price`` and ``outside`` (traded prices with and
        without sales, relative to the opening) and ``sold`` (dollars in the step).
        """
        parts = {"price": self.whole.prices, "outside": self.direct.prices, "sold": self.whole.sold}
        wide = {name: table.set_axis(table.index / HOUR) for name, table in parts.items()}
        long = pd.concat({name: table.stack() for name, table in wide.items()}, axis=1)
        return long.rename_axis(["hours", "asset"]).reset_index()


def amplification(system: System, episode: Episode) -> Amplification:
    """`cascade` with and without the prices that sales move; see there."""
    return Amplification(cascade(system, episode), cascade(system.changed(impact=None), episode))
