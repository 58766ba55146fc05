"""Instruments and books in scenarios of prices and volatility.

A scenario multiplies the spot price of each asset, and with it every forward on it, and the
volatility of every expiry; time may pass, and forwards may part from spot.  An option keeps the
volatility of its strike.  What expires within the time that passes is worth its payoff at the
forward of the scenario.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll._jit import own
from xcoll.errors import ParameterError
from xcoll.margin import _kernels
from xcoll.margin.book import Book, Layout
from xcoll.margin.market import Quotes

__all__ = ["Scenarios", "by_account", "gains", "shares", "uniform", "values"]

AT_ONCE = 4_000_000  # values of instruments in scenarios that are kept at a time (32 MB)


@dataclass(frozen=True, eq=False)
class Scenarios:
    """Moves of a market, group × scenario (groups as in `Instruments.groups`).

    Attributes
    ----------
    move : simple move of the forward, above −1.
    factor : of the volatility, not negative.
    floor : least volatility that the factor is applied to, by scenario.
    elapsed : years that pass.

    Raises
    ------
    ParameterError : shapes that differ, a move of −1 or less, a negative factor or time.
    """

    move: np.ndarray
    factor: np.ndarray
    floor: np.ndarray
    elapsed: float = 0.0

    def __post_init__(self) -> None:
        if self.move.shape != self.factor.shape or self.floor.shape != self.move.shape[1:]:
            raise ParameterError(
                f"moves {self.move.shape}, factors {self.factor.shape} and floors "
                f"{self.floor.shape} differ; give group × scenario, and one floor a scenario"
            )
        for what, values, least in (
            ("move of a price", self.move, np.nextafter(-1.0, 0.0)),
            ("factor of the volatility", self.factor, 0.0),
            ("floor of the volatility", self.floor, 0.0),
            ("time", np.array([self.elapsed]), 0.0),
        ):
            bad = ~(np.isfinite(values) & (values >= least))
            if bad.any():
                raise ParameterError(
                    f"a {what} is {values[bad][0]:g}; give finite ones, "
                    + ("above -1" if what == "move of a price" else "0 or more")
                )

    def __len__(self) -> int:
        return len(self.floor)


def uniform(
    quotes: Quotes,
    moves: Mapping[str, np.ndarray] | np.ndarray,
    factor: np.ndarray | float = 1.0,
    floor: np.ndarray | float = 0.0,
    elapsed: float = 0.0,
) -> Scenarios:
    """Scenarios in which all groups of an asset move alike.

    Parameters
    ----------
    moves : by asset (assets that are not named stay), or for all assets, one a scenario.
    factor : one a scenario, or group × scenario.

    Raises
    ------
    ParameterError : moves, factors and floors of different numbers of scenarios; as `Scenarios`.
    """
    assets = quotes.instruments.groups["asset"].to_numpy(object)
    given = moves if isinstance(moves, Mapping) else dict.fromkeys(assets, moves)
    shape = len(assets), max((np.size(move) for move in given.values()), default=1)
    try:
        move = [np.broadcast_to(given.get(asset, 0.0), shape[1:]) for asset in assets]
        factors, floors = np.broadcast_to(factor, shape), np.broadcast_to(floor, shape[1:])
    except ValueError as error:
        raise ParameterError(
            "moves, factors and floors differ in scenarios; give one of each a scenario"
        ) from error
    return Scenarios(np.array(move, float), factors.astype(float), floors.astype(float), elapsed)


def values(quotes: Quotes, scenarios: Scenarios) -> np.ndarray:
    """Dollars a unit of each instrument, instrument × scenario."""
    return _values(quotes, scenarios, slice(None))


def _values(quotes: Quotes, scenarios: Scenarios, block: slice) -> np.ndarray:
    listed = quotes.instruments
    if len(scenarios.move) != len(quotes.forward):
        raise ParameterError(
            f"scenarios of {len(scenarios.move)} groups for instruments of {len(quotes.forward)}; "
            "make them for these quotes"
        )
    forward = own(quotes.forward[:, None] * (1.0 + scenarios.move[:, block]))
    left = np.nan_to_num(quotes.years - scenarios.elapsed)
    found = np.empty((len(listed), forward.shape[1]))
    _kernels.reprice(
        own(listed.group, np.int64),
        own(listed.right),
        own(quotes.strike),
        own(quotes.sigma),
        own(scenarios.floor[block]),
        forward,
        np.log(forward),
        own(scenarios.factor[:, block]),
        np.sqrt(np.maximum(left, 0.0)),
        found,
    )
    return found


def gains(
    book: Book,
    quotes: Quotes,
    scenarios: Scenarios,
    layout: Layout,
    discount: np.ndarray | None = None,
) -> np.ndarray:
    """What each row of the `layout` gains in each scenario, dollars, row × scenario.

    `discount`, by group, multiplies a positive value that a row's options of the group have in a
    scenario; 1 where not given.
    """
    found = np.zeros((len(layout.account), len(scenarios)))
    for block in _blocks(quotes, scenarios):
        part = np.zeros((len(found), len(scenarios.floor[block])))
        _kernels.profiles(*_positions(book, quotes, scenarios, layout, discount, block), part)
        found[:, block] = part
    return found


def shares(
    book: Book,
    quotes: Quotes,
    scenarios: Scenarios,
    layout: Layout,
    weight: np.ndarray,
    discount: np.ndarray | None = None,
) -> np.ndarray:
    """What each position gains in the scenarios that its row weighs, dollars, in the book's order.

    `weight` is row × scenario; summed over a row it is the row's `gains` times them.
    """
    found = np.zeros(len(book))
    for block in _blocks(quotes, scenarios):
        given = _positions(book, quotes, scenarios, layout, discount, block)
        _kernels.allocate(*given, own(weight[:, block]), found)
    placed = np.empty_like(found)
    placed[layout.order] = found
    return placed


def _blocks(quotes: Quotes, scenarios: Scenarios) -> Iterator[slice]:
    step = max(AT_ONCE // len(quotes.instruments), 1)
    for start in range(0, len(scenarios), step):
        yield slice(start, start + step)


def _positions(
    book: Book,
    quotes: Quotes,
    scenarios: Scenarios,
    layout: Layout,
    discount: np.ndarray | None,
    block: slice,
) -> tuple[np.ndarray, ...]:
    book.check(quotes)
    return (
        own(layout.row, np.int64),
        own(layout.group, np.int64),
        own(layout.instrument, np.int64),
        own(book.quantity[layout.order]),
        own(book.instruments.right),
        _values(quotes, scenarios, block),
        own(quotes.mark),
        np.ones(len(quotes.forward)) if discount is None else own(discount),
    )


def by_account(book: Book, layout: Layout, rows: np.ndarray) -> np.ndarray:
    """Sum of `rows` (row, or row × anything) by account."""
    if rows.ndim == 1:
        return np.bincount(layout.account, rows, len(book.accounts))
    frame = pd.DataFrame(rows).groupby(layout.account).sum()
    return frame.reindex(range(len(book.accounts)), fill_value=0.0).to_numpy()
