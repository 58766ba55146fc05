"""Replay of a book through bars of prices, with the path inside the bar, under Aave's rules.

Inside a bar the price of collateral runs last close → low → close at a constant log rate, in at
least 24 sub-steps, all assets reaching their lows at half time.  What is owed runs straight from
close to close: an assumption, for a debt asset's high inside the bar is not modelled.  Liquidity
and keepers are infinite; historical prices already contain the sales of their time.

An account is served at the first sub-step after its breach plus the oracle's delay (``"path"``).
Two bounds leave the delay out: ``"breach"`` serves at the price at which health is exactly 1,
``"low"`` at the sub-step of the bar at which health is lowest.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll._jit import own
from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation import _kernels
from xcoll.liquidation.aave import RULES, Rules

__all__ = ["FILLS", "Conduct", "Replay", "low_prices", "rates", "replay", "replay_arrays"]

FILLS = {"path": _kernels.PATH, "breach": _kernels.BREACH, "low": _kernels.LOW}


@dataclass(frozen=True)
class Conduct:
    """How a replay is carried out.

    Attributes
    ----------
    fill : "path", "breach" or "low"; see the head of the module.
    delay : oracle's delay, rounded up to whole sub-steps; None for none.  Only "path" waits.
    steps : sub-steps a bar, even and at least 24.
    within : time W in which a closed account would have had to recover to count as premature.
    rules : constants of the venue.
    prune : skip accounts that provably stay healthy; the results are the same bit for bit.
    """

    fill: str = "path"
    delay: str | pd.Timedelta | None = None
    steps: int = 24
    within: str | pd.Timedelta = "7D"
    rules: Rules = RULES
    prune: bool = True

    def __post_init__(self) -> None:
        checks.one_of("fill", self.fill, FILLS)
        if checks.whole("steps", self.steps, 24) % 2:
            raise ParameterError(f"steps is {self.steps}; give an even number, half of it a leg")
        if self.delay is not None:
            checks.duration("delay", self.delay)
        checks.duration("within", self.within)

    def delay_steps(self, bar: pd.Timedelta) -> int:
        """The oracle's delay in sub-steps of a bar, rounded up."""
        return 0 if self.delay is None else math.ceil(pd.Timedelta(self.delay) / bar * self.steps)

    def within_bars(self, bar: pd.Timedelta) -> int:
        """The recovery window in bars, rounded up."""
        return math.ceil(pd.Timedelta(self.within) / bar)


@dataclass(frozen=True)
class Replay:
    """What happened to one book; the tables are made when they are asked for.

    Attributes
    ----------
    book : the book at the opening.
    times : the bars replayed.
    step : length of a sub-step.
    account : accounts × `_kernels.ACCOUNT`; `accounts` is its table.
    units : (seized, repaid, deficit) × assets; `assets` is its table.
    by_bar : bars × (liquidated, deficit, paper); `bars` is its table.
    collateral, debt : account × asset units that are left; `left` is the book of them.
    """

    book: Book
    times: pd.DatetimeIndex
    step: pd.Timedelta
    account: np.ndarray
    units: np.ndarray
    by_bar: np.ndarray
    collateral: np.ndarray
    debt: np.ndarray

    def column(self, name: str) -> np.ndarray:
        """One column of `account` as the kernel left it; times are in sub-steps."""
        return self.account[:, _kernels.ACCOUNT.index(name)]

    @property
    def waits(self) -> np.ndarray:
        """Nanoseconds from breach to service of the accounts served."""
        served = self.column("calls") > 0
        return np.rint(self.column("wait")[served] * self.step.value).astype("timedelta64[ns]")

    @property
    def accounts(self) -> pd.DataFrame:
        """By account id: dollars and times.

        ``repaid``, ``seized``, ``fee``, ``deficit`` (written off, at the close of the bar),
        ``under`` (still missing at the end); ``breach`` (from the opening to the breach first
        served), ``wait`` (from there to the service; both NaT where never served); ``bar`` of the
        service (0 where never), ``calls``, ``premature``.
        """
        table = pd.DataFrame(
            self.account,
            columns=list(_kernels.ACCOUNT),
            index=pd.Index(self.book.ids, name="account"),
        )
        served = table["calls"] > 0
        times = pd.DataFrame(
            {
                "breach": (table["since"] * self.step).where(served),
                "wait": (table["wait"] * self.step).where(served),
                "bar": table["bar"].astype(int),
                "calls": table["calls"].astype(int),
                "premature": table["premature"] > 0,
            }
        )
        return pd.concat([table.loc[:, "repaid":"under"], times], axis=1)

    @property
    def assets(self) -> pd.DataFrame:
        """By asset: units ``seized``, ``repaid``, ``deficit``."""
        index = pd.Index(self.book.assets, name="asset")
        return pd.DataFrame(self.units.T, index=index, columns=["seized", "repaid", "deficit"])

    @property
    def bars(self) -> pd.DataFrame:
        """By time: dollars ``liquidated``, ``deficit``, and ``paper``.

        ``paper`` is the debt beyond the collateral at the bar's low, of accounts that had not been
        written off.
        """
        names = ["liquidated", "deficit", "paper"]
        return pd.DataFrame(self.by_bar, index=self.times, columns=names)

    @property
    def left(self) -> Book:
        """What is left of the book, in units."""
        return Book(self.book.assets, self.collateral, self.debt, self.book.ids)


def low_prices(close: pd.DataFrame, excursion: pd.DataFrame) -> pd.DataFrame:
    """Lowest price of each bar, ``L_t = P_{t−1}·exp(x_t)``.

    Parameters
    ----------
    close : time × asset closes.
    excursion : log low over last close, ``x_t ≤ 0``, on the same index.  Where it is NaN although
        the bar has a return, the close is taken for the low; count these bars where it matters.

    Returns
    -------
    DataFrame, time × asset; NaN on an asset's first bar and where it is not listed.

    Raises
    ------
    DataError
        An excursion that does not reach down to its own close, or that is positive.
    """
    if not excursion.index.equals(close.index):
        raise DataError("excursions and closes have different times; give both on one index")
    last = close.shift(1)
    reached = np.minimum(close, last)
    low = (last * np.exp(excursion.reindex(columns=close.columns))).fillna(reached)
    above = (low > reached * (1 + 1e-12)).to_numpy()
    if above.any():
        row, column = np.argwhere(above)[0]
        raise DataError(
            f"the low of {close.columns[column]} at {close.index[row]} is above its close or the "
            "last one; give excursions of the same prices"
        )
    return np.minimum(low, reached).where(reached.notna())


def replay(
    book: Book,
    close: pd.DataFrame,
    low: pd.DataFrame,
    parameters: RiskParameters,
    conduct: Conduct | None = None,
    bars: int | None = None,
) -> Replay:
    """Run `book` from the first row of `close`, its opening, through the `bars` that follow.

    Parameters
    ----------
    close, low : time × asset, dollars a unit; `low` of a bar is at or under both its closes.  Rows
        beyond `bars` only serve to judge what came back within the recovery window.
    parameters : thresholds, bonuses and fees; an asset without a row backs nothing.
    bars : number of bars replayed; all rows after the first by default.

    Returns
    -------
    Replay
        Units are conserved: collateral before = left + seized, debt before = left + repaid +
        deficit.

    Raises
    ------
    DataError
        An asset that the book holds or owes lacks a price in a row, or has a low above a close.
    ParameterError
        Fewer than two rows, or more bars than rows.
    """
    conduct = conduct or Conduct()
    bars = len(close) - 1 if bars is None else checks.whole("bars", bars)
    if not 1 <= bars < len(close):
        raise ParameterError(
            f"a replay of {bars} bars needs {bars + 1} rows of prices or more; {len(close)} given"
        )
    closes, lows = _prices(book, close, low)
    return replay_arrays(
        book, close.index[: bars + 1], closes, lows, rates(book.assets, parameters), conduct
    )


def replay_arrays(
    book: Book,
    times: pd.DatetimeIndex,
    closes: np.ndarray,
    lows: np.ndarray,
    rates: tuple[np.ndarray, np.ndarray, np.ndarray],
    conduct: Conduct,
) -> Replay:
    """`replay` on checked arrays (bar × asset in the order of the book), for many cohorts.

    `times` are the opening and the bars replayed; the arrays may hold more rows.  An asset that
    the book does not use may have any finite price.
    """
    bars, bar = len(times) - 1, times[1] - times[0]
    account = np.zeros((len(book), len(_kernels.ACCOUNT)))
    units = np.zeros((3, len(book.assets)))
    by_bar = np.zeros((bars, 3))
    collateral, debt = book.collateral.copy(order="C"), book.debt.copy(order="C")
    _kernels.replay(
        collateral,
        debt,
        own(closes),
        own(lows),
        *rates,
        conduct.rules.array(),
        bars,
        conduct.steps,
        conduct.delay_steps(bar),
        FILLS[conduct.fill],
        conduct.within_bars(bar),
        conduct.prune,
        account,
        units,
        by_bar,
    )
    return Replay(book, times[1:], bar / conduct.steps, account, units, by_bar, collateral, debt)


def rates(
    assets: list[str], parameters: RiskParameters
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """LT, LB and the protocol's share of the bonus in the order of `assets`; zero where absent."""
    frame = parameters.frame.reindex(assets).fillna(0.0)
    threshold, bonus, fee = (
        frame[name].to_numpy(dtype=float, copy=True)
        for name in ("threshold", "bonus", "protocol_fee")
    )
    return threshold, bonus, fee


def _prices(book: Book, close: pd.DataFrame, low: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    used = book.collateral.any(axis=0) | book.debt.any(axis=0)
    closes, lows = (
        np.where(used, frame.reindex(columns=book.assets).to_numpy(dtype=float), 1.0)
        for frame in (close, low)
    )
    lows[0] = closes[0]  # the opening bar is over
    good = (closes > 0) & np.isfinite(closes) & (lows > 0) & (lows <= closes)
    good[1:] &= lows[1:] <= closes[:-1]
    if not good.all():
        row, column = np.argwhere(~good)[0]
        raise DataError(
            f"{book.assets[column]} at {close.index[row]}: close {closes[row, column]}, low "
            f"{lows[row, column]}; give positive prices with a low at or under both closes, or "
            "leave the asset out of cohorts that outlive it"
        )
    return closes, lows
