"""What each engine does with an account of the plain replay, by the rules of `engines`."""

from dataclasses import replace

import numpy as np
import pandas as pd

from xcoll.collateral.liquidity import Tiers
from xcoll.liquidation import engines, rulebooks
from xcoll.liquidation.engines import compound, exchange, keeper, maker

__all__ = ["HAIR", "VENUES"]

HAIR = 1e-12  # what rounding leaves of a limit that was used up is nothing


class Venue:
    """What an engine does with one account; the defaults are those of a venue of keepers."""

    early = 1.0  # thresholds of the engine over those of the set

    def __init__(self, rules, frame, sim):
        self.rules, self.sim, self.holds = rules, sim, {}
        self.lt, self.bonus, self.fee = (
            frame[name].to_numpy() for name in ("threshold", "bonus", "protocol_fee")
        )
        self.engine = self.build()

    def build(self):
        return None

    def counted(self, worth):
        return worth

    def breached(self, account):
        return account.health < 1

    def pledge(self, sim, i, s, k, wanted):
        """Dollars of k to pledge so that what is carried is `wanted`."""
        secured, _ = sim.standing(s, sim.C, sim.D)
        return (wanted - secured[i]) / (sim.scale[i] * sim.lt[s, k])

    def cover(self, lost):
        return 0.0

    def sell(self, i, s):
        pass

    def end(self, s):
        pass


class KeeperVenue(Venue):
    def breached(self, account):
        return account.total > 0 and self.engine.liquidatable(account)

    def close(self, i, s):
        calls = 0
        while self.breached(account := self.sim.account(i, s)):
            offers = [
                self.offer(account, k, j, s)
                for k in np.flatnonzero(account.worth > 0)
                for j in np.flatnonzero(account.owed > 0)
            ]
            profit, repay, k, j = max(offers, key=lambda offer: offer[0], default=(0, 0, 0, 0))
            if profit <= 0:
                break
            self.call(i, s, keeper.fill(self.engine, account, k, j, repay), profit)
            calls += 1
        return calls

    def offer(self, account, k, j, s):
        """Profit of the best call on a pair, and its dollars of the oracle."""
        sim, trade = self.sim, self.sim.world.keepers
        bonus = (self.engine.incentive(account, k) - 1) * (1 - self.engine.fees[k])
        gets = (1 + bonus) * sim.market[s, k] / sim.oracle[s, k]
        price = sim.due[s, j] / sim.owed[s, j]
        pays = price * (1 + trade.margin)
        if gets <= pays:
            return 0, 0, k, j
        limits = {
            "capital": sim.cash(s) / price,
            "depth": sim.room(k, s, 1 - pays / gets) / gets,
        }
        repay = self.engine.repayment(account, k, j, min(limits.values()))
        if repay <= HAIR * account.total:
            return 0, 0, k, j
        free = self.engine.repayment(account, k, j)
        sim.ledger.bound |= {name for name, most in limits.items() if most < free}
        profit = repay * (gets - pays) - trade.gas - sim.lost_in(k, s, repay * gets)
        return profit, repay, k, j

    def call(self, i, s, call, profit):
        sim, k, j = self.sim, call.collateral, call.debt
        price, debt_price = sim.market[s, k], sim.due[s, j]
        sim.book_call(i, s, call, price, debt_price)
        sim.trade(k, s, (call.seized - call.fee) * price, call.repaid * debt_price, profit)


class AaveVenue(KeeperVenue):
    def build(self):
        return engines.Aave(self.lt, self.bonus, self.fee, self.rules.rules)


class MorphoVenue(KeeperVenue):
    def build(self):
        terms = None
        if self.rules.pre is not None:
            self.early, r = self.rules.pre, self.rules
            terms = engines.PreLiquidation(r.pre * self.lt, r.lcf1, r.lcf2, r.lif1, r.lif2)
        if self.rules.by_formula:
            return engines.Morpho.by_formula(self.lt, terms)
        return engines.Morpho(self.lt, 1 + self.bonus, terms)


class EulerVenue(KeeperVenue):
    def build(self):
        most = self.bonus / (1 + self.bonus) if self.rules.most is None else self.rules.most
        return engines.Euler(self.lt, np.where(self.lt > 0, most, 0.0))


class SellingVenue(Venue):
    """A venue that takes collateral over for a claim in dollars: account → lot and claim."""

    def claim(self, i):
        ledger = self.sim.ledger
        return ledger.claims[i] - ledger.received[i]

    def take_over(self, i, s, seized, share, claim):
        """`seized` units leave with the same `share` of the debts, for a claim of dollars."""
        sim = self.sim
        freed = sim.D[i] * share
        sim.C[i] -= seized
        sim.D[i] -= freed
        sim.units["seized"] += seized
        sim.units["extinguished"] += freed
        sim.book_dollars(i, s, freed @ sim.due[s], seized @ sim.market[s], 0.0)
        sim.ledger.claims[i], sim.ledger.received[i] = claim, 0.0

    def buy(self, k, s, units, price):
        """The units that buyers take at `price`: none unless it pays."""
        sim, trade = self.sim, self.sim.world.keepers
        value, paid = units * sim.market[s, k], units * price
        profit = value - paid * (1 + trade.margin) - sim.lost_in(k, s, value) - trade.gas
        if units <= 0 or profit <= 0:
            return False
        sim.trade(k, s, value, paid, profit)
        return True

    def wanted(self, k, s, lot, price):
        """Units of a lot that still bring buyers their margin, and that they can pay."""
        sim = self.sim
        cost = price * (1 + sim.world.keepers.margin) / sim.market[s, k]
        if cost >= 1:
            return 0.0
        limits = {
            "capital": sim.cash(s) / price,
            "depth": sim.room(k, s, 1 - cost) / sim.market[s, k],
        }
        sim.ledger.bound |= {name for name, most in limits.items() if most < lot}
        return min(lot, *limits.values())

    def over(self, i, s):
        """All is sold: the rest of the claim is a loss, or what came beyond it is the venue's."""
        claim = self.claim(i)
        if claim > 0:
            self.sim.write_off(i, s, claim)
        else:
            self.sim.table["fee"][i] -= claim
        del self.holds[i]


class CompoundVenue(SellingVenue):
    def build(self):
        store = self.rules.storefront
        self.lf = np.array([compound.liquidation_factor(lb, store) for lb in self.bonus.tolist()])

    def lot(self, i):
        return self.holds[i]

    def close(self, i, s):
        done = compound.absorb(self.sim.account(i, s), self.lf)
        self.take_over(i, s, done.seized, 1.0, done.extinguished + done.credit)
        self.sim.table["credit"][i] += done.credit
        self.holds[i] = done.seized.copy()
        return 1

    def end(self, s):
        """Buyers take from what the venue holds of all accounts, which share what it brings."""
        for k in range(len(self.lf)):
            lot = sum(self.holds[i][k] for i in self.holds)
            if lot == 0:
                continue
            ask = compound.ask(self.sim.oracle[s, k], float(self.lf[k]), self.rules.storefront)
            units = self.wanted(k, s, lot, ask)
            if self.buy(k, s, units, ask):
                for i, held in self.holds.items():
                    sold = held[k] if units == lot else held[k] * units / lot
                    self.sim.ledger.received[i] += sold * ask
                    held[k] -= sold
        for i in [i for i in self.holds if not self.holds[i].any()]:
            self.over(i, s)


class MakerVenue(SellingVenue):
    """Account → auction, its collateral, and the number of its next stair."""

    def lot(self, i):
        auction, k, _ = self.holds[i]
        return auction.lot * np.eye(len(self.lt))[k]

    def seconds(self, s):
        return s * (self.sim.step / pd.Timedelta("1s"))

    def close(self, i, s):
        sim, rules = self.sim, self.rules.rules
        account = sim.account(i, s)
        k, now = int(np.argmax(account.collateral)), self.seconds(s)
        tabs = sum(auction.tab for auction, _, _ in self.holds.values())
        room = rules.room(tabs) if rules.hole - tabs > HAIR * tabs else 0.0
        auction = maker.bark(
            account.collateral[k], account.total, account.prices[k], rules, room, now
        )
        if room < account.total * rules.chop:
            sim.ledger.bound.add("hole")
        if auction is None:
            return 0
        whole = auction.due == account.total
        lot = account.collateral[k] if whole else auction.lot
        seized = lot * np.eye(len(self.lt))[k]
        self.take_over(i, s, seized, 1.0 if whole else auction.due / account.total, auction.due)
        self.holds[i] = [replace(auction, lot=lot), k, 0]
        return 1

    def sell(self, i, s):
        rules = self.rules.rules
        while i in self.holds:
            auction, k, stair = self.holds[i]
            elapsed = stair * rules.step
            if auction.started + elapsed > self.seconds(s):
                return
            ask = maker.price(auction, elapsed, rules)
            if maker.needs_reset(auction, elapsed, ask, rules):
                self.sim.ledger.resets += 1
                oracle = self.sim.oracle[s, k]
                auction, stair = maker.redo(auction, oracle, rules, auction.started + elapsed), 0
                self.holds[i], ask = [auction, k, stair], auction.top
            if auction.started == self.seconds(s):
                return  # buyers look at what starts with this step in the next one
            self.bid(i, s, ask)
            if i in self.holds:
                self.holds[i][2] = stair + 1

    def bid(self, i, s, ask):
        sim, (auction, k, _) = self.sim, self.holds[i]
        done = maker.take(auction, self.wanted(k, s, auction.lot, ask), ask, self.rules.rules)
        if not self.buy(k, s, done.bought, ask):
            return
        sim.ledger.received[i] += done.paid
        self.holds[i][0] = done.auction
        if done.auction.lot <= 0 or done.auction.tab <= 0:
            sim.units["returned"][k] += done.returned
            sim.table["credit"][i] += done.returned * sim.market[s, k]
            self.over(i, s)


class ExchangeVenue(Venue):
    def build(self):
        self.fund = exchange.Fund(self.rules.fund)
        within = {
            asset: Tiers(t.bounds_usd, tuple(r / t.ratios[0] for r in t.ratios))
            for asset, t in self.rules.tiers.items()
        }
        self.tiers = [within.get(asset) for asset in self.sim.book.assets]

    def counted(self, worth):
        counts = np.array(worth, dtype=float)
        for k, tiers in enumerate(self.tiers):
            if tiers is not None:
                edges = np.array((0.0, *tiers.bounds_usd))
                inside = np.clip(worth[..., [k]] - edges[:-1], 0.0, np.diff(edges))
                counts[..., k] = inside @ np.array(tiers.ratios)
        return counts

    def breached(self, account):
        return exchange.liquidatable(account, self.tiers)

    def pledge(self, sim, i, s, k, wanted):
        """By bisection, for more of a collateral counts less and less."""
        least, most = 0.0, sim.budget[i]
        for _ in range(200):
            middle = (least + most) / 2
            C = sim.C.copy()
            C[i, k] += middle / sim.oracle[s, k]
            if sim.standing(s, C, sim.D)[0][i] < wanted:
                least = middle
            else:
                most = middle
        return most

    def cover(self, lost):
        self.fund, paid, _ = self.fund.pay(lost)
        return paid

    def close(self, i, s):
        sim, rules = self.sim, self.rules.rules
        x = exchange.share(sim.account(i, s), self.tiers, rules, sim.market[s])
        proceeds = 0.0
        for k in np.flatnonzero(sim.C[i]):
            value = x * sim.C[i, k] * sim.market[s, k]
            proceeds += value - sim.lost_in(k, s, value)
            sim.trade(k, s, value, 0.0)
        sale = exchange.sell(sim.account(i, s, debt_prices=sim.due[s]), rules, x, proceeds)
        sim.units["seized"] += sale.sold
        sim.units["extinguished"] += sim.D[i] - sale.account.debt
        sim.C[i], sim.D[i] = sale.account.collateral, sale.account.debt
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
