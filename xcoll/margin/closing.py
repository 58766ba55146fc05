"""Closing an account that is short of margin: leg by leg, or all offsetting legs at once.

    least cost   at each step the lot that costs least for each dollar of excess that it brings
    fastest      at each step the lot that brings most excess
    together     the same share of every leg, the smallest that suffices

A lot is a tenth of a leg.  A lot that brings no excess is left alone; where none brings any, as
when the legs offset each other, the account is closed whole, the cheapest leg first.  Cash pays
what closing costs:

    spot, perpetual, future   |q|·mark·(half-spread + impact of |q|·S dollars)
    option                    |q|·(points·vega + impact of the delta's dollars), its mark at most

Spot that is sold brings its market value, so that selling collateral frees its haircut.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.liquidity import Impact
from xcoll.errors import ParameterError
from xcoll.margin.book import Book
from xcoll.margin.market import Quotes, by_name
from xcoll.margin.rules.requirement import Rule
from xcoll.margin.standing import stand

__all__ = ["POLICIES", "Closing", "Costs", "close", "compare"]

LOTS, DIGITS = 10, 12  # of each leg; of a share of all legs
LINEAR = ("spot", "perpetual", "future")


@dataclass(frozen=True)
class Costs:
    """What closing costs.

    Attributes
    ----------
    half_spread : fraction of the mark by kind of instrument (assumed); 0 where not given.
    points : half-spread of an option in volatility, 0.02 is two points (assumed).
    impact : model of price impact by asset; none where an asset is not named.
    """

    half_spread: Mapping[str, float] = field(
        default_factory=lambda: {"spot": 0.0005, "perpetual": 0.0003, "future": 0.0005}
    )
    points: float = 0.02
    impact: Mapping[str, Impact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks.at_least("points", self.points, 0.0)
        for kind, half in self.half_spread.items():
            checks.at_least(f"half-spread of a {checks.one_of('kind', kind, LINEAR)}", half, 0.0)

    def of(self, book: Book, quotes: Quotes, quantity: np.ndarray) -> np.ndarray:
        """Dollars that closing `quantity` (…, position) costs, each position; never below 0."""
        greeks = quotes.frame().iloc[book.instrument]
        size, kind = np.abs(np.asarray(quantity, float)), greeks["kind"].to_numpy()
        assets = greeks["asset"].to_numpy()
        S = quotes.market.spot.reindex(assets).to_numpy(float)
        dollars = size * np.abs(greeks["delta"].to_numpy()) * S
        moved = np.zeros_like(dollars)
        for *row, leg in np.argwhere(dollars > 0.0).tolist():
            if assets[leg] in self.impact:
                moved[*row, leg] = self.impact[assets[leg]].impact(dollars[*row, leg])
        mark = greeks["mark"].to_numpy()
        spread = np.array([self.half_spread.get(one, 0.0) for one in kind]) * mark * size
        wide = np.minimum(self.points * greeks["vega"].to_numpy(), mark) * size
        return np.where(kind == "option", wide, spread) + moved * dollars


@dataclass(frozen=True, eq=False)
class Closing:
    """What closing one account leaves.

    Attributes
    ----------
    policy : of `POLICIES`.
    book : the account afterwards.
    steps : one row a step: closed (instrument, or "all"), share of its leg, cost, then excess and
        delta (largest over the assets) after it, dollars.
    cost : dollars.
    equity, health : afterwards.
    whole : whether everything had to be closed.
    """

    policy: str
    book: Book
    steps: pd.DataFrame
    cost: float
    equity: float
    health: float
    whole: bool


def _legs(
    book: Book, quotes: Quotes, rule: Rule, costs: Costs, level: str, score: Callable
) -> tuple[np.ndarray, list]:
    """Quantities that are left, and what each step did."""
    start, left, paid, steps = book.quantity, book.quantity.copy(), 0.0, []
    now = _excess(book, quotes, rule, left[None], np.zeros(1), level)[0]
    while now < 0.0:
        open_legs = np.flatnonzero(left != 0.0)
        if not len(open_legs):
            break
        lots = np.sign(start) * np.minimum(np.abs(start) / LOTS, np.abs(left))
        tried = np.repeat(left[None], len(open_legs), axis=0)
        own = np.arange(len(open_legs)), open_legs
        tried[own] -= lots[open_legs]
        tried[np.abs(tried) < 1e-9 * np.abs(start)] = 0.0
        lots[open_legs] = left[open_legs] - tried[own]
        price = costs.of(book, quotes, lots)[open_legs]
        after = _excess(book, quotes, rule, tried, paid + price, level)
        gain = after - now
        if not (gain > 0.0).any():
            break
        best = int(np.argmax(np.where(gain > 0.0, score(gain, price), -np.inf)))
        leg, paid = open_legs[best], paid + price[best]
        share = abs(left[leg] - tried[best, leg]) / abs(start[leg])
        left, now = tried[best], after[best]
        steps.append((leg, share, price[best], now))
    return left, steps


def _together(
    book: Book, quotes: Quotes, rule: Rule, costs: Costs, level: str, score: Callable
) -> tuple[np.ndarray, list]:
    """The smallest share of every leg that suffices, digit by digit; all where no tenth does."""
    start, low, high = book.quantity, 0.0, 1.0
    for _ in range(DIGITS):
        share = np.linspace(low, high, LOTS + 1)
        left = start * (1.0 - share[:, None])
        price = costs.of(book, quotes, start - left).sum(axis=1)
        found = _excess(book, quotes, rule, left, price, level)
        enough = found >= 0.0
        if low == 0.0 and enough[0]:
            return start, []
        if not enough.any():
            return np.zeros_like(start), [(-1, 1.0, price[-1], found[-1])]
        first = int(np.argmax(enough))  # not the last: more costs more, and may not suffice
        low, high = share[first - 1], share[first]
    return left[first], [(-1, float(high), price[first], found[first])]


def _rest(
    book: Book,
    quotes: Quotes,
    rule: Rule,
    costs: Costs,
    level: str,
    left: np.ndarray,
    paid: float,
) -> list:
    """Steps that close what is `left`, the cheapest leg first."""
    price, steps = costs.of(book, quotes, left), []
    legs = np.flatnonzero(left)
    for leg in legs[np.argsort(price[legs], kind="stable")]:
        share, paid = abs(left[leg] / book.quantity[leg]), paid + price[leg]
        left = np.where(np.arange(len(left)) == leg, 0.0, left)
        found = _excess(book, quotes, rule, left[None], np.array([paid]), level)[0]
        steps.append((leg, share, price[leg], found))
    return steps


POLICIES = {
    "least cost": (_legs, lambda gain, cost: gain / np.maximum(cost, 1e-12)),
    "fastest": (_legs, lambda gain, cost: gain),
    "together": (_together, None),
}


def close(
    book: Book,
    quotes: Quotes,
    rule: Rule,
    account: str,
    policy: str = "together",
    costs: Costs | None = None,
    level: str = "initial",
) -> Closing:
    """Close as much of `account` as brings its excess over `level` back to zero.

    Raises
    ------
    ParameterError : an unknown policy or level.
    DataError : an unknown account, collateral without a haircut.
    """
    checks.one_of("policy", policy, POLICIES)
    checks.one_of("level", level, ("initial", "maintenance"))
    costs, mine = costs or Costs(), book.only(account).entered(quotes)
    if not mine.quantity.any():
        raise ParameterError(f"account {account} has no position; there is nothing to close")
    way, score = POLICIES[policy]
    left, steps = way(mine, quotes, rule, costs, level, score)
    short = _excess(mine, quotes, rule, left[None], np.array([sum(s[2] for s in steps)]), level)[0]
    whole = short < 0.0
    if whole and left.any():
        steps += _rest(mine, quotes, rule, costs, level, left, sum(step[2] for step in steps))
        left = np.zeros_like(left)
    cost = float(sum(step[2] for step in steps))
    after = _closed(mine, quotes, left, cost)
    standing = stand(after, quotes, rule).frame.iloc[0]
    return Closing(
        policy,
        after,
        _steps(mine, quotes, steps),
        cost,
        float(standing["equity"]),
        float(standing["health"]),
        bool(whole),
    )


def compare(
    book: Book,
    quotes: Quotes,
    rule: Rule,
    account: str,
    costs: Costs | None = None,
    level: str = "initial",
    move: float = 0.01,
) -> pd.DataFrame:
    """Every policy on one account: what it costs and leaves, a row a policy.

    policy, steps, cost, equity (left), closed (share of the gross market value that was closed),
    delta (largest on the way, dollars), delta_left, drift (dollars lost if prices go by `move`
    against the open delta between every two steps), health, whole.
    """
    checks.at_least("move", move, 0.0)
    rows = []
    for policy in POLICIES:
        found = close(book, quotes, rule, account, policy, costs, level)
        before, after = (_gross(one, quotes) for one in (book.only(account), found.book))
        rows.append(
            (
                policy,
                len(found.steps),
                found.cost,
                found.equity,
                1.0 - after / before if before > 0.0 else 0.0,
                max(found.steps["delta"].max(), 0.0) if len(found.steps) else 0.0,
                _delta(found.book, quotes),
                move * found.steps["delta"].iloc[:-1].sum(),
                found.health,
                found.whole,
            )
        )
    names = ["policy", "steps", "cost", "equity", "closed", "delta", "delta_left", "drift"]
    return pd.DataFrame(rows, columns=[*names, "health", "whole"])


def _excess(
    book: Book, quotes: Quotes, rule: Rule, quantities: np.ndarray, cost: np.ndarray, level: str
) -> np.ndarray:
    """Excess of one account at each row of `quantities`, the rest closed at the mark and `cost`."""
    n, legs = quantities.shape
    accounts = pd.RangeIndex(n, name="account")
    cash = pd.DataFrame({"USD": _cash(book, quotes, quantities) - cost}, index=accounts)
    many = Book(
        book.instruments,
        accounts,
        np.repeat(np.arange(n), legs),
        np.tile(book.instrument, n),
        quantities.ravel(),
        np.tile(book.entry, n),
        cash,
    )
    column = {"initial": "excess_initial", "maintenance": "excess"}[level]
    return stand(many, quotes, rule).frame[column].to_numpy()


def _cash(book: Book, quotes: Quotes, quantities: np.ndarray) -> np.ndarray:
    """Dollars of cash once all but `quantities` is closed at the mark."""
    worth = book.value(quotes)
    share = np.divide(
        quantities, book.quantity, out=np.zeros_like(quantities), where=book.quantity != 0.0
    )
    return book.cash_dollars(quotes.market)[0] + ((1.0 - share) * worth).sum(axis=1)


def _closed(book: Book, quotes: Quotes, left: np.ndarray, cost: float) -> Book:
    dollars = _cash(book, quotes, left[None])[0] - cost
    cash = pd.DataFrame({"USD": [dollars]}, index=book.cash.index)
    return replace(book, quantity=left, cash=cash)


def _steps(book: Book, quotes: Quotes, steps: list) -> pd.DataFrame:
    """The steps as a table."""
    names = book.instruments.frame.index
    left, rows = book.quantity.copy(), []
    for leg, share, cost, found in steps:
        if leg < 0:
            left = left * (1.0 - share)
        else:
            left[leg] -= share * book.quantity[leg]
        name = "all" if leg < 0 else names[book.instrument[leg]]
        rows.append((name, share, cost, found, _delta(book.holding(left), quotes)))
    return pd.DataFrame(rows, columns=["closed", "share", "cost", "excess", "delta"])


def _delta(book: Book, quotes: Quotes) -> float:
    """Largest net delta over the assets, dollars."""
    assets = book.instruments.assets
    units = quotes.delta[book.instrument] * book.quantity
    net = np.bincount(book.instruments.asset[book.instrument], units, len(assets))
    return float(np.abs(net * by_name(quotes.market.spot, assets, 0.0)).max())


def _gross(book: Book, quotes: Quotes) -> float:
    return float((np.abs(book.quantity) * quotes.mark[book.instrument]).sum())
