"""A cascade in plain Python: venues as the plain twin of the replay has them, in one market.

It is written from the meaning of `System`, `Episode`, `Claims` and `cascade`; accounts are dealt
with by the venues of `tests.liquidation.twin_venues`, and so by the readable rules of `engines`.
Nothing is skipped, bounded or kept in blocks.  Where the texts leave something open:

- a round asks who needs attention: who may be closed, is to be called, or whose answer is due; they
  queue behind those who wait, each once, and all in the queue are dealt with at the round's prices;
- keepers come in every round; a venue that sells for itself deals with an account once a step, and
  whom it has dealt with, or leaves alone for its cap, it has not noticed yet; Compound's storefront
  opens at the end of every round;
- the cap is dollars that keepers repay in a step; a venue that sells for itself begins with no
  account once it is used up;
- what lasts is taken from the fundamental price as the order of the day grows, down the books of
  the step; a change of depth alone moves the traded price only;
- a claim moves with what stands behind it by as much as sales and losses moved that;
- a feed reads in every round, and shows at once or a lag later what it read last in a step.
"""

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from tests.liquidation import twin_venues
from tests.liquidation.twin import Ledger, Simulation
from tests.liquidation.twin_prices import whole_steps
from tests.liquidation.twin_venues import HAIR
from xcoll.liquidation import rulebooks
from xcoll.liquidation._kernels import ACCOUNT, BARS, UNITS
from xcoll.liquidation.engines import exchange
from xcoll.liquidation.replay import Conduct
from xcoll.systemic.episode import Episode
from xcoll.systemic.system import System

__all__ = ["Twin", "simulate"]

HOUR, DAY, YEAR = pd.Timedelta("1h"), pd.Timedelta("1D"), pd.Timedelta("365D")
MOST, LEAST, QUIET, MOST_ROUNDS = 0.99, 1e-9, 1e-12, 1_000


# Venues, some of whose assets may be shut.


class Keepers:
    """Keepers leave alone what is shut."""

    by_round = True

    def offer(self, account, k, j, s):
        return (0, 0, k, j) if self.sim.shut[k] else super().offer(account, k, j, s)


class AaveVenue(Keepers, twin_venues.AaveVenue):
    pass


class MorphoVenue(Keepers, twin_venues.MorphoVenue):
    pass


class EulerVenue(Keepers, twin_venues.EulerVenue):
    pass


class CompoundVenue(twin_venues.CompoundVenue):
    by_round = False

    def close(self, i, s):
        return 0 if self.sim.shut[self.sim.C[i] > 0].any() else super().close(i, s)

    def wanted(self, k, s, lot, price):
        return 0.0 if self.sim.shut[k] else super().wanted(k, s, lot, price)


class MakerVenue(twin_venues.MakerVenue):
    by_round = False

    def close(self, i, s):
        return 0 if self.sim.shut[np.argmax(self.sim.C[i])] else super().close(i, s)

    def sell(self, i, s):
        """The price falls while the asset is shut, and nobody looks."""
        if i not in self.holds or not self.sim.shut[self.holds[i][1]]:
            super().sell(i, s)
            return
        auction, _, stair = self.holds[i]
        while auction.started < self.seconds(
            s
        ) and auction.started + stair * self.rules.rules.step <= self.seconds(s):
            stair += 1
        self.holds[i][2] = stair


class ExchangeVenue(twin_venues.ExchangeVenue):
    by_round = False

    def close(self, i, s):
        """The share that is due of all it holds is sold of what is not shut."""
        sim, rules = self.sim, self.rules.rules
        x = exchange.share(sim.account(i, s), self.tiers, rules, sim.market[s])
        kept = np.where(sim.shut, sim.C[i], 0.0)
        if kept.any() and np.array_equal(kept, sim.C[i]):
            return 0
        sim.C[i] -= kept
        proceeds = 0.0
        for k in np.flatnonzero(sim.C[i]):
            value = x * sim.C[i, k] * sim.market[s, k]
            proceeds += value - sim.lost_in(k, s, value)
            sim.trade(k, s, value, 0.0)
        sale = exchange.sell(sim.account(i, s, debt_prices=sim.due[s]), rules, x, proceeds)
        sim.units["seized"] += sale.sold
        sim.units["extinguished"] += sim.D[i] - sale.account.debt
        sim.C[i], sim.D[i] = sale.account.collateral + kept, sale.account.debt
        sim.book_dollars(i, s, sale.repaid, sale.sold @ sim.market[s], sale.fee)
        sim.table["credit"][i] += sale.surplus
        self.fund = self.fund.add(sale.fee)
        return 1


VENUES = {
    rulebooks.Aave: AaveVenue,
    rulebooks.Morpho: MorphoVenue,
    rulebooks.Euler: EulerVenue,
    rulebooks.Compound: CompoundVenue,
    rulebooks.Maker: MakerVenue,
    rulebooks.Exchange: ExchangeVenue,
}


class House(Simulation):
    """One venue of the system: a replay whose prices, depth and capital are the system's."""

    def __init__(self, twin, v):
        self.twin, self.v, self.given = twin, v, twin.system.venues[v]
        episode, world, book = twin.episode, twin.system.world, self.given.book
        self.book, self.step, self.steps = book, episode.step, episode.steps
        self.conduct = Conduct(self.given.engine, world, within=twin.within)
        self.usual = self.world = replace(world, oracle=self.given.oracle or world.oracle)
        self.last, self.bars = len(episode), -(-len(episode) // episode.steps)
        self.times = range(len(episode) // episode.steps + 1)
        self.market, self.due = twin.market, twin.due
        self.oracle, self.owed = (np.full_like(twin.market, np.nan) for _ in range(2))
        frame = self.given.parameters.frame.reindex(book.assets).fillna(0.0)
        self.venue = VENUES[type(self.given.engine)](self.given.engine, frame, self)
        self.lt = np.tile(frame["threshold"].to_numpy() * self.venue.early, (self.last + 1, 1))
        self.C, self.D = book.collateral.astype(float), book.debt.astype(float)
        n, A = self.C.shape
        self.scale = np.ones(n)
        self.opening = self.D @ twin.opening
        self.reply, self.turn, self.since = ([None] * n for _ in range(3))
        self.low_by, self.dealt = [False] * n, [0] * n
        self.sold, self.spent = twin.sold, twin.spent
        self.table = {name: np.zeros(n) for name in ACCOUNT}
        self.units = {name: np.zeros(A) for name in UNITS}
        self.by_bar = {name: np.zeros(self.bars) for name in BARS}
        self.ledger = Ledger()
        self.sold_by_step = np.zeros_like(twin.market)
        self.first = np.full((n, 2), -1)
        self.drawn = 0.0
        self.borrow_to = (
            np.full(n, np.inf) if self.given.borrow_to is None else self.given.borrow_to
        )
        self.feed, self.shut_outside, self.delay, self.lost = (
            twin.here(v, name) for name in ("feed", "shut", "delay", "lost")
        )
        self.used = (book.collateral > 0).any(axis=0) | (book.debt > 0).any(axis=0)
        self.until, self.frozen, self.cap = np.zeros(A), 0, np.inf
        self.shut = np.zeros(A, dtype=bool)

    # What it sees.

    def open(self):
        """The feeds show the opening until what they read since gets through."""
        twin, oracle = self.twin, self.usual.oracle
        self.lag = whole_steps(oracle.lag, self.step)
        self.posts = [[(0, x) for x in row] for row in (twin.market[0], twin.up[0])]
        for s in range(min(self.lag, self.last) + 1):
            self.oracle[s], self.owed[s] = twin.market[0], twin.up[0] * twin.index[s]
        self.look(0)

    def look(self, s):
        """The feeds read what is traded at step s."""
        oracle, back = self.usual.oracle, self.twin.comes_back()
        for posts, rows in zip(self.posts, (self.twin.market, self.twin.up), strict=True):
            for a, (updated, posted) in enumerate(posts):
                price = rows[s, a] * back[a] * self.feed[s, a]
                if math.isnan(price):
                    continue
                late = oracle.heartbeat is not None and s - updated >= whole_steps(
                    oracle.heartbeat, self.step
                )
                if abs(price - posted) >= oracle.deviation * posted or late:
                    posts[a] = (s, price)
        if s + self.lag <= self.last:
            self.oracle[s + self.lag] = [price for _, price in self.posts[0]]
            owed = np.array([price for _, price in self.posts[1]])
            self.owed[s + self.lag] = owed * self.twin.index[s + self.lag]

    def break_off(self, s):
        """What is shut now, and until when."""
        own, shown = self.given.breakers, self.twin.shown
        window, last = (whole_steps(d, self.step) for d in (own.window, own.last))
        seen = shown[max(0, s - window) : s + 1]
        now = shown[s]
        for a in np.flatnonzero(self.used):
            if own.pause < 1 and now[a] < (1 - own.pause) * seen[:, a].max() and s >= self.until[a]:
                self.until[a] = s + last + 1
            shown_here = self.oracle[max(0, s - window) : s + 1, a]
            moves = [
                least
                for x in (seen[:, a], shown_here)
                for least in (x[-1] / x.max(), x.min() / x[-1])
            ]
            if own.freeze < 1 and min(moves) < 1 - own.freeze:
                self.frozen = s + last + 1
        far = np.abs(self.oracle[s] / now - 1) > own.stop
        self.shut = self.shut_outside[s] | (s < self.until) | far

    def thickness(self, k, s):
        return self.twin.depth[s, k]

    # What it does.

    def begin(self, s):
        gas = self.usual.keepers.gas * self.twin.gas[s]
        self.world = replace(self.usual, keepers=replace(self.usual.keepers, gas=gas))
        self.cap = self.given.breakers.cap * (self.step / HOUR)

    def needy(self, s):
        """Who needs attention at the prices of the round."""
        secured, total = self.standing(s, self.C, self.D)
        who = self.usual.borrowers
        found = []
        for i in range(len(secured)):
            if total[i] <= 0:
                continue
            near = secured[i] <= total[i] * (1 + 1e-12)
            if self.listens[i] and self.reply[i] is None:
                near |= secured[i] < who.call * total[i]
            if near or self.reply[i] == s:
                found.append(i)
        return found

    def borrow(self, i, s):
        """The account's borrower answers from what its user has set aside for all accounts."""
        who = self.usual.borrowers
        if not self.listens[i]:
            return
        user, delay = self.twin.user[self.v, i], whole_steps(who.delay, self.step)
        secured, total = (x[i] for x in self.standing(s, self.C, self.D))
        if self.reply[i] == s or (delay == 0 and secured < who.call * total):
            self.reply[i] = None
            if secured < who.target * total:
                self.budget = {i: self.twin.wallets[user]}
                self.answer(i, s, secured, total)
                self.twin.wallets[user] = self.budget[i]
                self.listens[i] = self.budget[i] > 0
                secured, total = (x[i] for x in self.standing(s, self.C, self.D))
        if self.listens[i] and self.reply[i] is None and secured < who.call * total:
            self.reply[i] = s + max(1, delay)

    def notice(self, i, s):
        super().notice(i, s)
        self.turn[i] += int(self.delay[self.C[i] > 0].max(initial=0))

    def borrow_again(self, s):
        if s < self.frozen:
            return
        secured, total = self.standing(s, self.C, self.D)
        for i in np.flatnonzero(np.isfinite(self.borrow_to)):
            if self.waits(i) or self.scale[i] == 0 or total[i] <= 0:
                continue
            if secured[i] > self.borrow_to[i] * total[i] * (1 + 1e-6):
                more = secured[i] / (self.borrow_to[i] * total[i]) - 1
                self.drawn += more * self.D[i] @ self.due[s]
                self.D[i] *= 1 + more

    def cash(self, s):
        day = max(1, round(DAY / self.step))
        tied = sum(cash for at, cash in self.spent if at > s - day)
        left = self.twin.capital - tied
        left = left if left > HAIR * tied else 0.0
        return min(left, self.cap) if self.venue.by_round else left

    def trade(self, k, s, value, cash, profit=None):
        super().trade(k, s, value, cash, profit)
        self.sold_by_step[s, k] += value
        self.twin.fresh[k] += value

    def book_dollars(self, i, s, repaid, seized, fee):
        super().book_dollars(i, s, repaid, seized, fee)
        self.cap -= repaid
        if self.cap <= 1e-9 * self.table["repaid"][i]:  # what rounding leaves of it
            self.cap = 0.0

    def deal(self, i, s, turn):
        """Deal with an account in a round, unless it has to wait; whether it was served."""
        calls, venue = self.table["calls"][i], self.venue
        stored = isinstance(venue, CompoundVenue) and i in venue.holds
        capped = not venue.by_round and i not in venue.holds and self.cap <= 0
        if stored or capped or (self.dealt[i] == s and not venue.by_round):
            return False
        self.dealt[i] = s
        self.serve(i, s)
        if self.table["calls"][i] == calls:
            return False
        if self.first[i, 0] < 0:
            self.first[i] = s, turn
        return True

    def finish(self):
        for i in self.venue.holds:
            self.units["lot"] += self.venue.lot(i)
        for i in np.flatnonzero(self.table["calls"]):
            self.table["premature"][i] = self.is_premature(i)


class Twin:
    """A system in an episode; `run` leads it to the end."""

    def __init__(self, system: System, episode: Episode, within="7D"):
        self.system, self.episode, self.within = system, episode, pd.Timedelta(within)
        self.assets, rows = system.assets, len(episode) + 1
        A, self.last, self.steps = len(self.assets), len(episode), episode.steps
        prices = pd.Series(1.0, self.assets) if system.prices is None else system.prices
        self.opening = prices.reindex(self.assets).fillna(1.0).to_numpy()
        self.outside, self.outside_up = (x * self.opening for x in (episode.market, episode.due))
        rates = np.array([system.world.interest.get(a, 0.0) for a in self.assets])
        self.index = np.exp(rates * np.arange(rows)[:, None] * (episode.step / YEAR))
        self.depth = np.broadcast_to(episode.depth, (rows, A))
        self.gas = np.broadcast_to(episode.gas, rows)
        self.market, self.up, self.due, self.shown = (np.full((rows, A), np.nan) for _ in range(4))
        self.moved, self.kept = np.ones(A), np.ones(A)
        self.weight, self.pushed, self.fresh = np.zeros(A), np.zeros(A), np.zeros(A)
        self.order = np.zeros(A)
        self.sold, self.spent = np.zeros(A), []
        capital = system.world.keepers.capital
        self.capital = capital * episode.capital if math.isfinite(capital) else math.inf
        self.houses = [House(self, v) for v in range(len(system.venues))]
        self.set_aside()
        for house in self.houses:
            house.listens = [self.wallets[self.user[house.v, i]] > 0 for i in range(len(house.C))]
        self.places = [(v, i) for v, h in enumerate(self.houses) for i in range(len(h.C))]
        self.rank = self.places
        if system.world.keepers.order == "largest first":
            self.rank = sorted(self.places, key=lambda p: -self.houses[p[0]].opening[p[1]])
        self.number = {place: n for n, place in enumerate(self.rank)}
        self.doom = self.defaults()
        self.queue, self.rounds, self.unsettled, self.losses = [], [], 0, 0.0

    def here(self, v, name):
        """What an episode says of a venue, step × asset or the like."""
        rows, A = len(self.episode) + 1, len(self.assets)
        shape = {"feed": (rows, A), "shut": (rows, A), "delay": (A,), "lost": (rows,)}[name]
        given, names = getattr(self.episode, name), list(self.episode.venues)
        if not names:
            return np.broadcast_to(given[0], shape)
        if self.system.names[v] not in names:
            return np.broadcast_to(np.array(name == "feed", dtype=given.dtype), shape)
        row = given[names.index(self.system.names[v]) if len(given) > 1 else 0]
        return np.broadcast_to(row, shape)

    def set_aside(self):
        """Dollars by user; who has no user of his own is one."""
        borrowers = self.system.world.borrowers
        self.user, self.wallets, owes = {}, {}, {}
        for house in self.houses:
            for i in range(len(house.C)):
                users = house.given.users
                name = (house.given.name, i) if users is None else str(users[i])
                self.user[house.v, i] = name
                owes[name] = owes.get(name, 0.0) + house.opening[i]
        self.owes = owes
        if borrowers is None:
            self.wallets = dict.fromkeys(owes, 0.0)
            return
        who = replace(borrowers, attentive=borrowers.attentive * self.episode.attentive)
        if len(owes) < len(self.user):
            means = who.means(np.array(list(owes.values())))
            self.wallets = dict(zip(owes, means, strict=True))
            return
        for house in self.houses:  # each venue draws anew
            for i, dollars in enumerate(who.means(house.opening)):
                self.wallets[self.user[house.v, i]] = dollars

    def defaults(self):
        """Step → users who default in it: the largest, until they are the share of all debt."""
        share = np.broadcast_to(self.episode.default, len(self.episode) + 1)
        total, ahead, found = sum(self.owes.values()), 0.0, {}
        for user in sorted(self.owes, key=lambda u: -self.owes[u]):
            steps = [s for s in range(len(share)) if total > 0 and share[s] * total > ahead]
            if steps and self.owes[user] > 0:
                found.setdefault(max(1, steps[0]), set()).add(user)
            ahead += self.owes[user]
        return found

    # Prices.

    def price(self, s, stop):
        """Fundamental prices in rows [s, stop)."""
        claims = self.system.claims
        for row in range(s, stop):
            for rows, outside in ((self.market, self.outside), (self.up, self.outside_up)):
                done = {}

                def of(asset, row=row, rows=rows, outside=outside, done=done):
                    if asset not in done:
                        a = self.assets.index(asset)
                        behind = claims.behind.get(asset, {})
                        value = outside[row, a] * self.moved[a] * self.kept[a]
                        was = self.outside[row] @ self.units_behind(behind)
                        if was > 0:
                            now = sum(units * of(b) for b, units in behind.items())
                            was = outside[row] @ self.units_behind(behind)
                            value *= max(LEAST, now / was)
                        done[asset] = value
                    return done[asset]

                rows[row] = [of(asset) for asset in self.assets]
            self.due[row] = self.up[row] * self.index[row]

    def units_behind(self, behind):
        return np.array([behind.get(asset, 0.0) for asset in self.assets])

    def comes_back(self):
        """Traded over fundamental prices."""
        lasting = 0.0 if self.system.impact is None else self.system.impact.lasting
        return 1 - (1 - lasting) * self.pushed

    def push(self, s, weight):
        """How far `weight` dollars of the opening push each price, by the books of the step."""
        depth = self.system.impact.depth
        size = depth.size
        middles = (size + np.append(0.0, size[:-1])) / 2
        pushed = []
        for a, asset in enumerate(self.assets):
            known = asset in depth.assets
            loss = depth.loss[depth.assets.index(asset)] if known else np.ones(len(size))
            at = np.append(0.0, middles * self.depth[s, a])
            way = np.interp(weight[a], at, np.append(0.0, loss))
            pushed.append(MOST if weight[a] >= at[-1] else min(MOST, way))
        return np.array(pushed)

    def sell_off(self, s):
        """What was sold in the round moves prices; returns the largest move."""
        impact, change = self.system.impact, np.zeros(len(self.assets))
        if impact is not None:
            units, sold = self.fresh * self.opening / self.market[s], self.fresh > 0
            before, self.order = self.push(s, self.order), self.order + units
            lasts = impact.lasting * (self.push(s, self.order) - before)
            self.moved = np.maximum(LEAST, self.moved * (1 - np.where(sold, lasts, 0.0)))
            self.weight += units
            pushed = np.where(sold, self.push(s, self.weight), self.pushed)
            change, self.pushed = np.where(sold, np.maximum(lasts, pushed - self.pushed), 0), pushed
        for asset, receipt in self.system.claims.receipts.items():
            a, house = self.assets.index(asset), self.houses[self.system.names.index(receipt.venue)]
            kept = max(LEAST, 1 - self.lost(house, s) / receipt.pool_usd)
            change[a] = max(change[a], 1 - kept / self.kept[a])
            self.kept[a] = kept
        return max(0.0, change.max())

    def lost(self, house, s):
        """Dollars that the lenders of a venue have lost so far."""
        return house.by_bar["deficit"].sum() + house.lost[: s + 1].sum() * house.opening.sum()

    # Time.

    def run(self):
        self.price(0, min(self.steps, self.last) + 1)
        self.shown[0] = self.market[0] * self.comes_back()
        for house in self.houses:
            house.open()
        for s in range(1, self.last + 1):
            self.begin(s)
            if not any(self.turn(s, turn) <= QUIET for turn in range(MOST_ROUNDS)):
                self.unsettled += 1
            for house in self.houses:
                house.close_step(s)
        for house in self.houses:
            house.finish()
        return self

    def begin(self, s):
        world, impact = self.system.world, self.system.impact
        if world.depth is not None:
            self.sold *= 1 - world.depth.absorbed(self.episode.step)
        if impact is not None:
            self.weight *= 1 - impact.depth.absorbed(self.episode.step)
            self.order *= math.exp(-self.episode.step / pd.Timedelta(impact.memory))
            self.pushed = self.push(s, self.weight)
        for house in self.houses:
            house.begin(s)
            for i in range(len(house.C)):
                if self.user[house.v, i] in self.doom.get(s, ()) and house.opening[i] > 0:
                    house.scale[i] = 0.0

    def turn(self, s, turn):
        """A round; returns the largest move of a price that followed."""
        bar_end = min(-(-s // self.steps) * self.steps, self.last)
        self.price(s, bar_end + 1)
        self.shown[s] = self.market[s] * self.comes_back()
        for house in self.houses:
            house.look(s)
            house.break_off(s)
            if turn == 0:
                house.borrow_again(s)
        self.fresh[:] = 0.0
        served = sum(self.houses[v].deal(i, s, turn) for v, i in self.line_up(s))
        for house in self.houses:
            house.venue.end(s)
        self.queue = [(v, i) for v, i in self.queue if self.houses[v].waits(i)]
        before, self.losses = self.losses, sum(self.lost(house, s) for house in self.houses)
        sold, fall = self.fresh.sum(), self.sell_off(s)
        self.rounds.append((s, turn, served, sold, self.losses - before, fall))
        return fall

    def line_up(self, s):
        """Everybody in the queue, those who are new to it behind."""
        waiting = set(self.queue)
        fresh = [(v, i) for v, house in enumerate(self.houses) for i in house.needy(s)]
        fresh = [place for place in fresh if place not in waiting]
        self.queue = self.queue + fresh
        if self.system.world.keepers.order != "first come":
            self.queue.sort(key=self.number.get)
        return self.queue


def simulate(system, episode, within="7D") -> Twin:
    """`cascade` of the same arguments."""
    return Twin(system, episode, within).run()
