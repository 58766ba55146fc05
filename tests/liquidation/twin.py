"""The replay in plain Python: one book in one world, step by step and account by account.

It is written from the meaning of `replay`, `world` and `depth` and decides by the readable rules of
`engines`.  Nothing is skipped, compiled or kept in blocks.  Where the texts leave something open:

- within a step the oracle speaks first; then, in the order of the queue, each account's borrower
  acts, its keepers or its venue act, and its auction is bid for; Compound's storefront opens once
  all have acted, and whoever had something in it shares what it brings;
- first come means the breach that is waited on, or what is at the venue; of one step, the book;
- keepers see a profit as more than nothing, and a call is paid for at the market's price of debt;
- the largest collateral of a borrower is that of most dollars times threshold;
- a vault of Maker is in one auction at a time, and what is left of it waits until that is over;
- debt is written off, and the fund pays, at the close of the bar; debt that waits is dollars of the
  oracle, everything else dollars of the market;
- between two steps prices and thresholds run straight, so a breach has a moment.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from tests.liquidation.twin_prices import path_of, shown, whole_steps
from tests.liquidation.twin_venues import HAIR, VENUES
from xcoll.liquidation._kernels import ACCOUNT, BARS, UNITS
from xcoll.liquidation.engines import Account, keeper
from xcoll.liquidation.replay import Conduct

__all__ = ["Simulation", "simulate"]

DAY, YEAR = pd.Timedelta("1D"), pd.Timedelta("365D")


@dataclass
class Ledger:
    """What the compiled replay does not report."""

    profits: list = field(default_factory=list)  # of every call, bid or purchase
    received: dict = field(default_factory=dict)  # dollars, by account, for what the venue sold
    claims: dict = field(default_factory=dict)  # dollars that the venue put in for it, by account
    resets: int = 0
    bound: set = field(default_factory=set)  # names of the limits that were met
    shortfall: float = 0.0
    waits: int = 0  # accounts × steps that ended in the queue


class Simulation:
    """State of a book in a world; `run` moves it from the opening to the last step."""

    def __init__(self, book, close, low, parameters, conduct, bars, thresholds, scale):
        self.book, self.conduct, self.world = book, conduct, conduct.world
        self.steps, self.bars = conduct.steps, len(close) - 1 if bars is None else bars
        self.times, self.last = close.index, self.bars * conduct.steps
        self.step = (close.index[1] - close.index[0]) / conduct.steps
        self.lay_out(close[book.assets].to_numpy(), low[book.assets].to_numpy())
        frame = parameters.frame.reindex(book.assets).fillna(0.0)
        self.venue = VENUES[type(conduct.engine)](conduct.engine, frame, self)
        self.lt = self.thresholds_in_force(frame["threshold"], thresholds) * self.venue.early
        self.C, self.D = book.collateral.astype(float), book.debt.astype(float)
        n, assets = self.C.shape
        self.scale = np.ones(n) if scale is None else scale
        opening = self.D @ self.owed[0]
        borrowers = self.world.borrowers
        self.budget = np.zeros(n) if borrowers is None else borrowers.means(opening)
        self.reply, self.turn, self.since = ([None] * n for _ in range(3))
        self.low_by = [False] * n
        self.queue, self.rank = [], list(range(n))
        if self.world.keepers.order == "largest first":
            self.rank.sort(key=lambda i: -opening[i])
        self.sold, self.spent = np.zeros(assets), []
        self.table = {name: np.zeros(n) for name in ACCOUNT}
        self.units = {name: np.zeros(assets) for name in UNITS}
        self.by_bar = {name: np.zeros(self.bars) for name in BARS}
        self.ledger = Ledger()

    # What everybody sees.

    def lay_out(self, close, low):
        world = self.world
        self.market, up = path_of(close, low, self.steps)
        self.oracle, owed = (shown(p, world.oracle, self.step) for p in (self.market, up))
        rates = np.array([world.interest.get(asset, 0.0) for asset in self.book.assets])
        years = np.arange(len(up))[:, None] * (self.step / YEAR)
        self.due, self.owed = up * np.exp(rates * years), owed * np.exp(rates * years)

    def thresholds_in_force(self, threshold, path):
        """LT, step × asset: those of a bar are the last ones known when the bar before closed."""
        rows = [threshold] * len(self.times)
        if path is not None:
            for t in range(1, len(self.times)):
                for asset in path.columns.intersection(self.book.assets):
                    known = path[asset][path.index <= self.times[t - 1]].dropna()
                    if len(known):
                        rows[t] = rows[t].copy()
                        rows[t][asset] = known.iloc[-1]
            rows[0] = rows[1]
        bars = [0, *(t for t in range(1, len(rows)) for _ in range(self.steps))]
        return np.array([rows[t].to_numpy() for t in bars])

    def account(self, i, s, prices=None, debt_prices=None):
        return Account(
            self.C[i].copy(),
            self.D[i].copy(),
            self.oracle[s] if prices is None else prices,
            self.owed[s] if debt_prices is None else debt_prices,
            self.scale[i] * self.lt[s],
        )

    def standing(self, s, C, D):
        """``Σ C·LT`` and ``D`` of all accounts in dollars of the oracle."""
        return self.scale * (self.venue.counted(C * self.oracle[s]) @ self.lt[s]), D @ self.owed[s]

    # Time.

    def run(self):
        for s in range(1, self.last + 1):
            self.open_step(s)
            for i in self.order_of(s):
                self.serve(i, s)
            self.venue.end(s)
            self.queue = [
                i for i in self.order if self.turn[i] is not None or i in self.venue.holds
            ]
            self.ledger.waits += len(self.queue)
            self.close_step(s)
        for i in self.venue.holds:
            self.units["lot"] += self.venue.lot(i)
        for i in np.flatnonzero(self.table["calls"]):
            self.table["premature"][i] = self.is_premature(i)
        return self

    def waits(self, i):
        """Whether somebody is due at the account, or the venue has something of it to sell."""
        return self.turn[i] is not None or i in self.venue.holds

    def open_step(self, s):
        if self.world.depth is not None:
            self.sold *= 1 - self.world.depth.absorbed(self.step)

    def order_of(self, s):
        """Who is dealt with at a step, in order."""
        secured, total = self.standing(s, self.C, self.D)
        call = 1.0 if self.world.borrowers is None else self.world.borrowers.call
        near = secured <= call * total * (1 + 1e-9)
        answers = np.array([reply == s for reply in self.reply])
        fresh = [i for i in self.rank if (near[i] or answers[i]) and i not in self.queue]
        if self.world.keepers.order == "first come":
            self.order = [*self.queue, *sorted(fresh)]
        else:
            self.order = [i for i in self.rank if i in {*self.queue, *fresh}]
        return self.order

    def close_step(self, s):
        bar = (s - 1) // self.steps
        if s % self.steps == 0:
            for i in range(len(self.C)):
                if i not in self.venue.holds and self.venue.breached(self.account(i, s)):
                    self.by_bar["waiting"][bar] += self.D[i] @ self.owed[s]
        if s % self.steps == self.steps // 2 or self.steps == 1 or s == self.last:
            short = np.maximum(0, self.D @ self.due[s] - self.C @ self.market[s])
            for i in self.venue.holds:
                short[i] += max(0, self.venue.claim(i) - self.venue.lot(i) @ self.market[s])
            if s % self.steps == self.steps // 2 or self.steps == 1:
                self.by_bar["paper"][bar] += short.sum()
            if s == self.last:
                self.table["under"] = short

    # One account at one step.

    def serve(self, i, s):
        self.borrow(i, s)
        if i not in self.venue.holds and self.venue.breached(self.account(i, s)):
            if self.turn[i] is None:
                self.notice(i, s)
            if s >= self.turn[i]:
                self.close(i, s)
        if i in self.venue.holds or not self.venue.breached(self.account(i, s)):
            self.turn[i] = None
        self.venue.sell(i, s)

    def borrow(self, i, s):
        """The borrower answers a call, and is called where his health is under it."""
        who, budget = self.world.borrowers, self.budget
        if who is None or budget[i] <= 0:
            return
        delay = whole_steps(who.delay, self.step)
        secured, total = (x[i] for x in self.standing(s, self.C, self.D))
        if self.reply[i] == s or (delay == 0 and secured < who.call * total):
            self.reply[i] = None
            if secured < who.target * total:
                self.answer(i, s, secured, total)
                secured, total = (x[i] for x in self.standing(s, self.C, self.D))
        if budget[i] > 0 and self.reply[i] is None and secured < who.call * total:
            self.reply[i] = s + max(1, delay)

    def answer(self, i, s, secured, total):
        who = self.world.borrowers
        if who.top_up:
            carries = self.C[i] * self.oracle[s] * self.lt[s]
            k = int(np.argmax(carries))
            if carries[k] == 0:
                return
            dollars = min(self.venue.pledge(self, i, s, k, who.target * total), self.budget[i])
            self.C[i, k] += dollars / self.oracle[s, k]
            self.units["added"][k] += dollars / self.oracle[s, k]
        else:
            dollars = min(total - secured / who.target, self.budget[i])
            self.units["paid"] += self.D[i] * dollars / total
            self.D[i] -= self.D[i] * dollars / total
        self.budget[i] -= dollars
        self.table["added"][i] += dollars

    def notice(self, i, s):
        """A breach begins: when somebody comes, and when and why it began."""
        fill = self.conduct.fill
        self.turn[i] = s
        if fill == "path":
            self.turn[i] = s + whole_steps(self.world.keepers.response, self.step)
        elif fill == "low":
            rest = range(s, -(-s // self.steps) * self.steps + 1)
            self.turn[i] = min(rest, key=lambda x: self.account(i, x).health)
        C, D = self.C[i], self.D[i]
        margins = [
            self.scale[i] * (self.venue.counted(C * self.oracle[x]) @ self.lt[x]) - D @ self.owed[x]
            for x in (s - 1, s)
        ]
        before, now = max(0.0, margins[0]), margins[1]
        self.since[i] = s - 1 + (before / (before - now) if before > now else 1.0)
        first = replace(self.account(i, s), thresholds=self.scale[i] * self.lt[0])
        self.low_by[i] = not self.venue.breached(first)

    def close(self, i, s):
        """Somebody deals with a breached account."""
        bar, table = (s - 1) // self.steps + 1, self.table
        calls = self.at_breach(i, s) if self.conduct.fill == "breach" else self.venue.close(i, s)
        if calls and not table["calls"][i]:
            table["bar"][i], table["since"][i] = bar, self.since[i]
            table["wait"][i] = 0.0 if self.conduct.fill == "breach" else s - self.since[i]
            table["lowered"][i] = self.low_by[i]
        table["calls"][i] += calls
        if not self.C[i].any():
            lost = self.D[i] @ self.due[min(bar * self.steps, self.last)]
            self.units["deficit"] += self.D[i]
            self.D[i] = 0.0
            self.write_off(i, s, lost, self.venue.cover(lost))

    def at_breach(self, i, s):
        """Calls at the moments between two steps at which health falls to 1, by bisection."""
        calls, begin, engine = 0, 0.0, self.venue.engine

        def at(share):
            mixed = [
                rows[s - 1] + share * (rows[s] - rows[s - 1])
                for rows in (self.oracle, self.owed, self.oracle * self.lt)
            ]
            prices, debt_prices, trigger = mixed
            lt = self.scale[i] * trigger / prices
            return Account(self.C[i].copy(), self.D[i].copy(), prices, debt_prices, lt)

        while engine.liquidatable(at(1.0)):
            healthy, broken = begin, 1.0
            for _ in range(60):
                middle = (healthy + broken) / 2
                if engine.liquidatable(at(middle)):
                    broken = middle
                else:
                    healthy = middle
            done = keeper.serve(engine, at(broken))
            if not done.calls:
                break
            prices, debt_prices = at(broken).prices, at(broken).debt_prices
            for call in done.calls:
                self.book_call(i, s, call, prices[call.collateral], debt_prices[call.debt])
            calls, begin = calls + len(done.calls), broken
        return calls

    # Books.

    def book_call(self, i, s, call, price, debt_price):
        """Book a keeper's call at the market's prices of its two assets."""
        k, j = call.collateral, call.debt
        self.C[i, k] -= call.seized
        self.D[i, j] -= call.repaid
        self.units["seized"][k] += call.seized
        self.units["extinguished"][j] += call.repaid
        self.book_dollars(i, s, call.repaid * debt_price, call.seized * price, call.fee * price)

    def book_dollars(self, i, s, repaid, seized, fee):
        for name, value in (("repaid", repaid), ("seized", seized), ("fee", fee)):
            self.table[name][i] += value
        self.by_bar["liquidated"][(s - 1) // self.steps] += seized

    def write_off(self, i, s, lost, covered=0.0):
        bar = (s - 1) // self.steps
        self.table["deficit"][i] += lost - covered
        self.table["covered"][i] += covered
        self.by_bar["deficit"][bar] += lost - covered
        self.by_bar["covered"][bar] += covered
        self.ledger.shortfall += lost

    def is_premature(self, i):
        """Whether the untouched account stays solvent and has health 1 at a close, in time."""
        within = math.ceil(pd.Timedelta(self.conduct.within) / (self.step * self.steps))
        start, steps = int(self.table["bar"][i]), self.steps
        C, D = self.book.collateral[i], self.book.debt[i]
        for bar in range(start, min(start + within, len(self.times))):
            low, close = (bar - 1) * steps + max(1, steps // 2), bar * steps
            if C @ self.market[low] < D @ self.due[low]:
                return False
            backs = self.scale[i] * self.venue.counted(C * self.oracle[close]) @ self.lt[close]
            if backs >= D @ self.owed[close]:
                return True
        return False

    # What is shared.

    def cash(self, s):
        """Dollars that keepers have left at a step."""
        day = max(1, round(DAY / self.step))
        tied = sum(cash for at, cash in self.spent if at > s - day)
        left = self.world.keepers.capital - tied
        return left if left > HAIR * tied else 0.0

    def thickness(self, k, s):
        """Multiplier of the depth, as known when the bar before closed."""
        path, asset = self.world.depth.path, self.book.assets[k]
        if path is None or asset not in path:
            return 1.0
        known = path[asset][path.index <= self.times[(s - 1) // self.steps]]
        return float(known.iloc[-1]) if len(known) else 1.0

    def room(self, k, s, most):
        """Dollars that still sell at a marginal loss under `most`."""
        depth, asset = self.world.depth, self.book.assets[k]
        if depth is None:
            return math.inf
        if asset not in depth.assets:
            return 0.0
        room = depth.room(asset, most, self.sold[k], self.thickness(k, s))
        return room if room > HAIR * self.sold[k] else 0.0

    def lost_in(self, k, s, value):
        """Dollars lost in selling `value` dollars of asset k."""
        depth, asset = self.world.depth, self.book.assets[k]
        if depth is None:
            return 0.0
        if asset not in depth.assets:
            return value
        return depth.cost(asset, value, self.sold[k], self.thickness(k, s))

    def trade(self, k, s, value, cash, profit=None):
        """`value` dollars of k go to the market, for `cash` dollars of the keepers'."""
        self.sold[k] += value
        if cash:
            self.spent.append((s, cash))
        if profit is not None:
            self.ledger.profits.append(profit)


def simulate(
    book, close, low, parameters, conduct=None, bars=None, thresholds=None, scale=None
) -> Simulation:
    """`replay` of the same arguments."""
    conduct = conduct or Conduct()
    return Simulation(book, close, low, parameters, conduct, bars, thresholds, scale).run()
