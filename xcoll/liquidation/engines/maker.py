"""Maker's liquidations 2.0: one collateral a vault, sold in a Dutch auction against stable debt.

Rules of ``dog.sol``, ``clip.sol`` and ``abaci.sol`` (Maker dss, 2021), in real numbers and without
the keepers' flat rewards::

    C/ratio < D                              liquidatable; 1/ratio is the account's threshold
    tab = due·chop                           what the auction is to bring, at most the room
    top = buf·p                              its first price
    price = top·cut^⌊t/step⌋                 stairstep, or linear top·(1 − t/tau)
    reset where t > tail or price/top < cusp

An auction ends when its lot is gone, and what is left of the tab is lost, or when its tab is paid,
and what is left of the lot goes back to the borrower.  Lenders lose ``due`` less what was paid.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from xcoll import checks
from xcoll.errors import ParameterError
from xcoll.liquidation.engines.account import Account

__all__ = [
    "Auction",
    "Rules",
    "Take",
    "bark",
    "liquidatable",
    "needs_reset",
    "price",
    "redo",
    "take",
]


@dataclass(frozen=True)
class Rules:
    """Parameters of one collateral.

    Attributes
    ----------
    buf : first price of an auction over the oracle's.
    cut : what a step leaves of the price, in (0, 1).
    step : seconds between two steps.
    tail : seconds after which an auction must be reset.
    cusp : share of the first price under which it must be reset.
    chop : tab over debt, at least 1; the penalty is ``chop − 1``.
    hole : dollars of tab that may be at auction at once.
    dust : smallest debt of a vault in dollars.
    tau : seconds in which a linear price falls to zero; None for the stairstep of `cut` and `step`.
    """

    buf: float
    cut: float
    step: float
    tail: float
    cusp: float
    chop: float
    hole: float
    dust: float
    tau: float | None = None

    def __post_init__(self) -> None:
        for name in ("buf", "step", "tail"):
            checks.positive(name, getattr(self, name))
        checks.fraction("cut", self.cut)
        checks.fraction("cusp", self.cusp, closed=True)
        checks.at_least("chop", self.chop, 1.0)
        checks.at_least("dust", self.dust, 0.0)
        if not self.hole > 0:
            raise ParameterError(f"hole is {self.hole}; give dollars above zero, or infinity")
        if self.tau is not None:
            checks.positive("tau", self.tau)

    @property
    def chost(self) -> float:
        """``dust·chop``, the smallest tab in dollars that a bid may leave."""
        return self.dust * self.chop

    def room(self, at_auction: float) -> float:
        """Dollars of tab that may still go to auction beside `at_auction`."""
        return max(0.0, self.hole - at_auction)


@dataclass(frozen=True)
class Auction:
    """One auction.

    Attributes
    ----------
    lot : units for sale; at 0 the auction is over, and its tab is lost.
    tab : dollars that it is still to bring.
    due : dollars of debt that the vault was freed of when the auction began.
    top : first price, dollars a unit.
    started : second at which the price was `top`, on the clock of the caller.
    """

    lot: float
    tab: float
    due: float
    top: float
    started: float


class Take(NamedTuple):
    """What a bid did; lots and tabs are conserved.

    ``lot before = auction.lot + bought + returned`` and ``tab before = auction.tab + paid``, in
    units and in dollars; `returned` is what the borrower gets back.
    """

    auction: Auction
    paid: float
    bought: float
    returned: float


def liquidatable(account: Account) -> bool:
    """``C/ratio < D``, where the thresholds are one over the liquidation ratio."""
    return account.health < 1


def bark(
    collateral: float,
    debt: float,
    price: float,
    rules: Rules,
    room: float,
    started: float = 0.0,
) -> Auction | None:
    """Send a vault that may be closed to auction, or a part of it where the room is small.

    Parameters
    ----------
    collateral : units in the vault.
    debt : dollars owed.
    price : oracle's dollars a unit.
    room : dollars of tab that may still go to auction, `Rules.room`.

    Returns
    -------
    Auction or None
        ``lot/collateral = due/debt``.  A part that would leave dust takes the whole vault, beyond
        the room by at most `Rules.chost`; a part that is dust itself is refused, as is a vault
        without room, collateral or debt: None.
    """
    checks.positive("price", price)
    if min(collateral, debt, room) <= 0:
        return None
    due = min(debt, room / rules.chop)
    if due < debt:
        if debt - due < rules.dust:
            due = debt
        elif due < rules.dust:
            return None
    lot = collateral * (due / debt)
    if lot == 0:
        return None
    return Auction(lot, due * rules.chop, due, rules.buf * price, started)


def price(auction: Auction, elapsed: float, rules: Rules) -> float:
    """Dollars a unit that the auction asks `elapsed` seconds after it started."""
    checks.at_least("elapsed", elapsed, 0.0)
    if rules.tau is None:
        return auction.top * rules.cut ** (elapsed // rules.step)
    return auction.top * max(0.0, 1 - elapsed / rules.tau)


def needs_reset(auction: Auction, elapsed: float, price: float, rules: Rules) -> bool:
    """Whether nobody may bid before `redo`: ``elapsed > tail`` or ``price/top < cusp``."""
    return elapsed > rules.tail or price / auction.top < rules.cusp


def redo(auction: Auction, price: float, rules: Rules, started: float = 0.0) -> Auction:
    """The same lot and tab, from ``buf·price`` on; `price` is the oracle's of that moment."""
    return replace(auction, top=rules.buf * checks.positive("price", price), started=started)


def take(auction: Auction, units: float, price: float, rules: Rules) -> Take:
    """A bid for up to `units` at the auction's `price`.

    It pays no more than the tab, and leaves a tab of `Rules.chost` or none, unless it takes the
    whole lot.  Where the tab is no more than that already, less than the lot is refused and
    nothing changes.  With a price of 5, a tab of 110 and a lot of 40, a bid for 25 pays 110, gets
    22, and 18 go back.
    """
    lot, tab = auction.lot, auction.tab
    bought = min(lot, checks.at_least("units", units, 0.0))
    paid = bought * price
    if paid > tab:
        paid, bought = tab, min(bought, tab / price)
    elif paid < tab and bought < lot and tab - paid < rules.chost:
        if tab <= rules.chost:
            return Take(auction, 0.0, 0.0, 0.0)
        paid = tab - rules.chost
        bought = min(bought, paid / price)
    left = lot - bought
    returned = left if paid == tab else 0.0
    return Take(replace(auction, lot=left - returned, tab=tab - paid), paid, bought, returned)
