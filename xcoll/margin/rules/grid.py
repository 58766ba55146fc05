"""Portfolio margin by scenarios: the worst of a grid of prices × volatility, and contingencies.

    loss         −min(0, worst scenario, basis)           by account and risk unit
    maintenance  Σ over units of (loss + contingencies)
    initial      factor·maintenance + confidence

The words are those of Derive's PMRM (repository derivexyz/v2-core, PMRMLib), into which other
published grids fit: all amounts stand in a configuration (`schema`).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field, Strict

from xcoll.margin import scenarios as engine
from xcoll.margin.book import Book, Layout
from xcoll.margin.instruments import YEAR
from xcoll.margin.market import Quotes
from xcoll.margin.rules.contingencies import charges
from xcoll.margin.rules.requirement import Requirement
from xcoll.margin.rules.schema import (
    Contingencies,
    Extended,
    Gains,
    Initial,
    Named,
    Range,
    Together,
    VolatilityShock,
    by_asset,
)

__all__ = ["Grid"]

MONTH = pd.Timedelta(days=30) / YEAR
BASIS = "basis"  # the scenario of the forwards' own
SCALED = "range/move"


class Grid(Named):
    """A venue's portfolio margin.

    range: largest move of the price by asset, reached in `steps` equal steps each way.
    volatility: three states, up, same and down; the same alone where none.
    together: sets of assets that move in one scenario; others have a worst one each.
    """

    rule: Literal["grid"]
    range: Range
    steps: Annotated[int, Strict(), Field(ge=1)]
    volatility: VolatilityShock | None = None
    extended: Extended | None = None
    gains: Gains | None = None
    contingencies: Contingencies = Contingencies()
    initial: Initial
    together: Together = ()

    def totals(self, book: Book, quotes: Quotes) -> np.ndarray:
        """Maintenance by account, dollars."""
        found = _Worst(self, book, quotes)
        rows = found.loss + found.by_row(found.parts)
        return engine.by_account(book, found.layout, rows)

    def requirement(self, book: Book, quotes: Quotes) -> Requirement:
        """Worst scenario, contingencies, contributions of every position."""
        found = _Worst(self, book, quotes)
        layout = found.layout
        loss, contingency, confidence = (
            engine.by_account(book, layout, rows)
            for rows in (found.loss, found.by_row(found.parts), found.by_row(found.doubts))
        )
        maintenance = loss + contingency
        accounts = pd.DataFrame(
            {
                "loss": loss,
                "contingency": contingency,
                "maintenance": maintenance,
                "initial": self.factor(quotes) * maintenance + confidence,
            },
            index=book.accounts,
        )
        binding = pd.DataFrame(
            {
                "account": book.accounts[layout.account],
                "unit": np.array(layout.units, dtype=object)[layout.unit],
                "scenario": found.names(),
                "loss": found.loss,
            }
        )
        positions = pd.Series(found.shares(), name="contribution")
        return Requirement(accounts, positions, binding)

    def factor(self, quotes: Quotes) -> float:
        """Initial over maintenance margin, higher where the venue's stablecoin is off its peg."""
        peg = self.initial.peg
        if peg is None:
            return self.initial.factor
        price = quotes.market.currencies.get(peg.currency, 1.0)
        return self.initial.factor + peg.slope * max(peg.least - price, 0.0)

    def grid(self, quotes: Quotes) -> "States":
        """The scenarios for these instruments, in the order of their names."""
        return States(self, quotes)


@dataclass(frozen=True, eq=False)
class States:
    """The scenarios of a grid for one set of quotes."""

    rule: Grid
    quotes: Quotes

    @cached_property
    def steps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Step (share of the range; NaN: extended), move (NaN: a step) and state by scenario."""
        rule = self.rule
        states = ("up", "same", "down") if rule.volatility else ("same",)
        wide = rule.extended.moves if rule.extended else ()
        step = np.repeat(np.arange(-rule.steps, rule.steps + 1) / rule.steps, len(states))
        state = np.tile(np.array(states, dtype=object), 2 * rule.steps + 1)
        return (
            np.append(step, np.full(len(wide), np.nan)),
            np.append(np.full(len(step), np.nan), wide),
            np.append(state, np.full(len(wide), states[0], dtype=object)),
        )

    def name(self, place: int, width: float) -> str:
        """Scenario `place` in words, for a unit of this range; beyond the grid basis, then none."""
        step, move, state = self.steps
        if place >= len(step):
            return (BASIS, "none")[place - len(step)]
        price = f"{move[place]:+.0%}" if np.isnan(step[place]) else f"{step[place] * width:+.0%}"
        wide = "" if np.isnan(move[place]) else " extended"
        return f"{price}{wide}, volatility {state[place]}"

    @cached_property
    def width(self) -> np.ndarray:
        """Range of the price by group."""
        return by_asset(self.rule.range, self.quotes.instruments.group_asset)

    @cached_property
    def scenarios(self) -> engine.Scenarios:
        """Group × scenario."""
        rule, assets = self.rule, self.quotes.instruments.group_asset
        step, wide, state = self.steps
        move = np.where(np.isnan(wide), self.width[:, None] * np.nan_to_num(step), wide)
        factor, floor = np.ones_like(move), np.zeros(move.shape[1])
        if rule.volatility:
            shock = rule.volatility
            years = np.nan_to_num(self.quotes.years, nan=MONTH)
            least = pd.Timedelta(shock.least) / YEAR
            power = np.where(years <= MONTH, shock.short, shock.long)
            tau = (MONTH / np.maximum(years, least)) ** power
            up, down = state == "up", state == "down"
            factor[:, up] = (1.0 + by_asset(shock.up, assets) * tau)[:, None]
            factor[:, down] = np.maximum(1.0 - by_asset(shock.down, assets) * tau, 0.0)[:, None]
            floor[up] = shock.floor
        return engine.Scenarios(move, factor, floor)

    @cached_property
    def discount(self) -> np.ndarray:
        """By group, what counts of a positive shocked value."""
        rule, quotes = self.rule.gains, self.quotes
        found = np.ones(len(quotes.years))
        if rule is not None:
            dated = np.isfinite(quotes.years)
            rate = rule.rate * max(quotes.market.rate, 0.0) + rule.add
            found[dated] = rule.factor * np.exp(-quotes.years[dated] * rate)
        return found


class _Worst:
    """The scenario that binds in each row, and the contingencies on top of it."""

    def __init__(self, rule: Grid, book: Book, quotes: Quotes) -> None:
        self.rule, self.book, self.quotes = rule, book, quotes
        self.layout: Layout = book.layout(rule.together)
        self.states = rule.grid(quotes)
        gain = engine.gains(book, quotes, self.states.scenarios, self.layout, self.states.discount)
        self.weight = self._extend(gain)
        n = len(self.states.steps[0])
        worst = gain.min(axis=1, initial=0.0)
        place = np.where(worst < 0.0, gain.argmin(axis=1), n + 1)
        basis = self._basis()
        self.place = np.where(basis < worst, n, place)
        self.loss = 0.0 - np.minimum(basis, worst)
        self.parts, self.doubts = charges(rule.contingencies, book, quotes, self.layout)

    def by_row(self, parts: np.ndarray) -> np.ndarray:
        """Sum of dollars by sorted position."""
        return np.bincount(self.layout.row, parts, len(self.layout.account))

    def _extend(self, gain: np.ndarray) -> np.ndarray:
        """Weigh and dampen extended scenarios in place; returns the factor of each gain."""
        weight = np.ones_like(gain)
        extended = self.rule.extended
        if extended is None:
            return weight
        wide = np.flatnonzero(np.isnan(self.states.steps[0]))
        move, width = np.abs(self.states.steps[1][wide]), self.width
        before = gain[:, wide]
        ranges = move / width[:, None]
        after = before * (1.0 / ranges if extended.weight == SCALED else extended.weight)
        if extended.dampener:
            forgiven = np.maximum(ranges - 1.0, 0.0) * extended.dampener
            after = np.sign(after) * np.maximum(np.abs(after) - forgiven, 0.0)
        weight[:, wide] = np.divide(after, before, out=np.ones_like(after), where=before != 0.0)
        gain[:, wide] = after
        return weight

    @cached_property
    def width(self) -> np.ndarray:
        """Range by row, of the first of its assets."""
        first = np.searchsorted(self.layout.row, np.arange(len(self.layout.account)))
        return self.states.width[self.layout.group[first]]

    def names(self) -> list[str]:
        """The scenario that binds, by row, in words."""
        return [self.states.name(*one) for one in zip(self.place.tolist(), self.width, strict=True)]

    @cached_property
    def quantity(self) -> np.ndarray:
        """Units by sorted position."""
        return self.book.quantity[self.layout.order]

    @cached_property
    def _runs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row and group of each run of positions in one group, and the run of each position."""
        layout = self.layout
        lengths = np.diff(np.append(layout.groups, len(layout.row)))
        return (
            layout.row[layout.groups],
            layout.group[layout.groups],
            np.repeat(np.arange(len(lengths)), lengths),
        )

    @cached_property
    def _parted(self) -> tuple[np.ndarray, np.ndarray]:
        """What each position gains at the basis move up or down, whichever is worse for its run."""
        layout, rule = self.layout, self.rule.contingencies.basis
        moves = np.array([-rule.move, rule.move])
        value = engine.values(self.quotes, engine.uniform(self.quotes, moves))
        held = layout.instrument
        gain = self.quantity[:, None] * (value - self.quotes.mark[:, None])[held]
        gain[~self.book.instruments.is_option[held]] = 0.0
        runs = np.add.reduceat(gain, layout.groups, axis=0)
        worse, run = runs.argmin(axis=1), self._runs[2]
        scale = rule.add + rule.slope * np.nan_to_num(self.quotes.years[self._runs[1]])
        losing = (runs.min(axis=1) < 0.0) * scale
        return gain[np.arange(len(gain)), worse[run]] * losing[run], runs.min(axis=1) * losing

    def _basis(self) -> np.ndarray:
        """What each row gains in the basis scenario, 0 or below."""
        found = np.zeros(len(self.layout.account))
        if self.rule.contingencies.basis is not None and len(self.book):
            np.add.at(found, self._runs[0], self._parted[1])
        return found

    def shares(self) -> np.ndarray:
        """Contribution of each position to the maintenance requirement, in the book's order."""
        layout, n = self.layout, len(self.states.steps[0])
        weight = np.zeros((len(layout.account), n))
        inside = np.flatnonzero(self.place < n)
        weight[inside, self.place[inside]] = self.weight[inside, self.place[inside]]
        gain = engine.shares(
            self.book, self.quotes, self.states.scenarios, layout, weight, self.states.discount
        )
        sorted_parts = self.parts.copy()
        if self.rule.contingencies.basis is not None and len(self.book):
            binds = (self.place == n)[layout.row]
            sorted_parts[binds] -= self._parted[0][binds]
        placed = np.empty(len(self.book))
        placed[layout.order] = sorted_parts
        return placed - gain
