"""Replay of a book through bars of prices, under the rules of an engine and in a world.

An account is served at the first step after its breach at which the oracle shows it, keepers have
responded, and the service pays.  Two bounds belong to a frictionless world and keepers' venues:
``"breach"`` serves at the price at which health is exactly 1, ``"low"`` at the step of the bar at
which health is lowest.  Historical prices already contain the sales of their time.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll._jit import own
from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation import _kernels
from xcoll.liquidation.mapping import VENUES
from xcoll.liquidation.rulebooks import Aave, Euler, Rulebook
from xcoll.liquidation.timeline import Timeline, timeline
from xcoll.liquidation.world import World, steps_of

__all__ = [
    "DAY",
    "FILLS",
    "Conduct",
    "Rates",
    "Replay",
    "fits",
    "low_prices",
    "rates",
    "replay",
    "run",
    "trade",
]

FILLS = {"path": _kernels.PATH, "breach": _kernels.BREACH, "low": _kernels.LOW}
DAY = pd.Timedelta("1D")


@dataclass(frozen=True)
class Conduct:
    """How a replay is carried out.

    Attributes
    ----------
    engine : rules of the venue.
    world : what surrounds it.
    fill : "path", "breach" or "low"; see the head of the module.
    steps : steps a bar, 1 (a bar is its close) or even and at least 24.
    within : time W in which a closed account would have had to recover to count as premature.
    prune : skip accounts to which provably nothing happens; they end the same bit for bit, and
        sums over accounts by bar agree to rounding.
    """

    engine: Rulebook = field(default_factory=Aave)
    world: World = field(default_factory=World)
    fill: str = "path"
    steps: int = 24
    within: str | pd.Timedelta = "7D"
    prune: bool = True

    def __post_init__(self) -> None:
        checks.one_of("fill", self.fill, FILLS)
        if checks.whole("steps", self.steps) != 1 and (self.steps < 24 or self.steps % 2):
            raise ParameterError(
                f"steps is {self.steps}; give 1, or an even number of at least 24, half of it a leg"
            )
        checks.duration("within", self.within)
        if self.fill == "path":
            return
        if not (self.world.frictionless and self.world.borrowers is None):
            raise ParameterError(f"the bound {self.fill!r} knows no friction; give it World()")
        if not self.engine.by_keepers or isinstance(self.engine, Euler):
            raise ParameterError(
                f"the bound {self.fill!r} needs an engine whose keepers come at the breach; "
                "take Aave or Morpho, or the fill 'path'"
            )

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
    step : length of a step.
    account : accounts × `_kernels.ACCOUNT`; `accounts` is its table.
    units : `_kernels.UNITS` × assets; `assets` is its table.
    by_bar : bars × `_kernels.BARS`; `bars` is its table.
    collateral, debt : account × asset units that are left; `left` is the book of them.
    fund : dollars left in the insurance fund.
    """

    book: Book
    times: pd.DatetimeIndex
    step: pd.Timedelta
    account: np.ndarray
    units: np.ndarray
    by_bar: np.ndarray
    collateral: np.ndarray
    debt: np.ndarray
    fund: float = 0.0

    def column(self, name: str) -> np.ndarray:
        """One column of `account` as the kernel left it; times are in steps."""
        return self.account[:, _kernels.ACCOUNT.index(name)]

    @property
    def waits(self) -> np.ndarray:
        """Two rows: nanoseconds from breach to service, and dollars repaid, of accounts served."""
        served = self.column("calls") > 0
        wait = np.rint(self.column("wait")[served] * self.step.value)
        return np.array([wait, self.column("repaid")[served]])

    @property
    def accounts(self) -> pd.DataFrame:
        """By account id: dollars at the market, times and flags.

        ``repaid`` (cash that cleared debt), ``seized``, ``fee`` (kept by the venue), ``deficit``
        (lost, at the close of the bar), ``under`` (still missing at the end), ``credit`` (paid to
        the borrower), ``covered`` (by the fund), ``added`` (by the borrower); ``breach`` (from the
        opening to the breach first served), ``wait`` (from there to the service; both NaT where
        never served); ``bar`` of the service (0 where never), ``calls``, ``premature``,
        ``lowered`` (closed by a threshold that came down, not by the price).
        """
        table = pd.DataFrame(
            self.account,
            columns=list(_kernels.ACCOUNT),
            index=pd.Index(self.book.ids, name="account"),
        )
        served = table["calls"] > 0
        dollars = ["repaid", "seized", "fee", "deficit", "under", "credit", "covered", "added"]
        times = pd.DataFrame(
            {
                "breach": (table["since"] * self.step).where(served),
                "wait": (table["wait"] * self.step).where(served),
                "bar": table["bar"].astype(int),
                "calls": table["calls"].astype(int),
                "premature": table["premature"] > 0,
                "lowered": (table["lowered"] > 0) & served,
            }
        )
        return pd.concat([table[dollars], times], axis=1)

    @property
    def assets(self) -> pd.DataFrame:
        """By asset: units ``seized``, ``extinguished`` (debt that closing cleared), ``deficit``,
        ``added`` and ``paid`` (pledged and repaid by borrowers), ``lot`` (still with the venue),
        ``returned`` (to the borrower from an auction).

        Units are conserved: collateral before + added = left + seized; debt before = left +
        extinguished + paid + deficit, where debt units bear the index of interest.
        """
        index = pd.Index(self.book.assets, name="asset")
        return pd.DataFrame(self.units.T, index=index, columns=list(_kernels.UNITS))

    @property
    def bars(self) -> pd.DataFrame:
        """By time: dollars ``liquidated``, ``deficit``, ``paper``, ``waiting``, ``covered``.

        ``paper`` is what is missing at the bar's low of accounts that had not been written off,
        ``waiting`` the debt of accounts that nobody had served at its close.
        """
        return pd.DataFrame(self.by_bar, index=self.times, columns=list(_kernels.BARS))

    @property
    def left(self) -> Book:
        """What is left of the book, in units."""
        return Book(self.book.assets, self.collateral, self.debt, self.book.ids)


@dataclass(frozen=True)
class Rates:
    """A parameter set in the order of a book's assets; zero for an asset without a row.

    Attributes
    ----------
    threshold, bonus, fee : LT, LB and the protocol's share of the bonus.
    path : LT by bar × asset, row t for bar t + 1; None where LT stays.
    """

    threshold: np.ndarray
    bonus: np.ndarray
    fee: np.ndarray
    path: np.ndarray | None = None


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


def rates(
    assets: list[str],
    parameters: RiskParameters,
    thresholds: pd.DataFrame | None = None,
    times: pd.DatetimeIndex | None = None,
) -> Rates:
    """`parameters` in the order of `assets`.

    `thresholds`, time × asset, is a path of LT: a value holds from the bar after its time on, for
    that is when it is known.  An asset that is not in it keeps the LT of `parameters`; before its
    first value too.
    """
    frame = parameters.frame
    if parameters.assets != assets:
        frame = frame.reindex(assets, fill_value=0.0)
    names = ("threshold", "bonus", "protocol_fee")
    threshold, bonus, fee = (own(frame[name].to_numpy(copy=True)) for name in names)
    if thresholds is None:
        return Rates(threshold, bonus, fee)
    known = thresholds.ffill().reindex(times[:-1], method="ffill").reindex(columns=assets)
    path = known.fillna(pd.Series(threshold, assets)).to_numpy()
    if not ((path >= 0) & (path <= 1)).all():
        raise ParameterError("thresholds of the path must be fractions in [0, 1]")
    return Rates(path[0].copy(), bonus, fee, path)


def replay(
    book: Book,
    close: pd.DataFrame,
    low: pd.DataFrame,
    parameters: RiskParameters,
    conduct: Conduct | None = None,
    bars: int | None = None,
    thresholds: pd.DataFrame | None = None,
    scale: np.ndarray | None = None,
) -> Replay:
    """Run `book` from the first row of `close`, its opening, through the `bars` that follow.

    Parameters
    ----------
    close, low : time × asset, dollars a unit; `low` of a bar is at or under both its closes.  Rows
        beyond `bars` only serve to judge what came back within the recovery window.
    parameters : thresholds, bonuses and fees; an asset without a row backs nothing.
    bars : number of bars replayed; all rows after the first by default.
    thresholds : time × asset, a path of thresholds; see `rates`.
    scale : multiplies the thresholds of each account, for a haircut of its own basket.

    Returns
    -------
    Replay

    Raises
    ------
    DataError
        An asset that the book holds or owes lacks a price in a row, or has a low above a close; an
        account that the engine cannot hold.
    ParameterError
        Fewer than two rows, or more bars than rows.
    """
    conduct = conduct or Conduct()
    bars = len(close) - 1 if bars is None else checks.whole("bars", bars)
    if not 1 <= bars < len(close):
        rows = max(bars, 1) + 1
        raise ParameterError(
            f"a replay of {bars} bars needs {rows} rows of prices or more; {len(close)} given"
        )
    closes, lows = _prices(book, close, low)
    line = timeline(
        closes, lows, close.index[1] - close.index[0], conduct.steps, conduct.world, book.assets
    )
    given = rates(book.assets, parameters, thresholds, close.index)
    return run(book, close.index[: bars + 1], line, given, conduct, scale)


def run(
    book: Book,
    times: pd.DatetimeIndex,
    line: Timeline,
    given: Rates,
    conduct: Conduct,
    scale: np.ndarray | None = None,
) -> Replay:
    """`replay` on a timeline of checked prices, for many books on the same one.

    `times` are the opening and the bars replayed; the timeline may go on.  An asset that the book
    does not use may have any finite price.
    """
    fits(book, conduct.engine)
    world, bars = conduct.world, len(times) - 1
    if bars * line.steps >= len(line.market):
        raise ParameterError(f"{bars} bars are more than the timeline has; give its own times")
    keepers, borrowers = world.keepers, world.borrowers
    accounts, assets = book.collateral.shape
    threshold, rules = conduct.engine.compiled(book.assets, given.threshold, given.bonus, given.fee)
    path = threshold
    if given.path is not None:
        held = np.divide(threshold, given.threshold, out=np.ones(assets), where=given.threshold > 0)
        path = given.path * held  # where an engine calls earlier, it does so all along
    prices = line.prices(path, threshold)
    debt_usd = book.debt @ line.owed[0]
    means = np.zeros(accounts) if borrowers is None else borrowers.means(debt_usd)
    call = 1.0 if borrowers is None else borrowers.call
    level = np.where(means > 0.0, call, 1.0)
    scale = np.ones(accounts) if scale is None else _scale(scale, accounts)
    room, fund = conduct.engine.room
    shared = world.shared or math.isfinite(room) or fund > 0.0

    order = slice(None)
    if keepers.order == "largest first":
        order = np.argsort(-debt_usd, kind="stable")
    opening = (own(book.collateral[order]), own(book.debt[order]))
    collateral, debt = np.empty_like(opening[0]), np.empty_like(opening[1])
    account = np.zeros((accounts, len(_kernels.ACCOUNT)))
    units = np.zeros((len(_kernels.UNITS), assets))
    by_bar = np.zeros((bars, len(_kernels.BARS)))
    day = max(1, round(DAY / line.step))
    pool = _kernels.Pool(
        np.zeros(assets),
        np.zeros(day if math.isfinite(keepers.capital) else 0),
        np.array([keepers.capital, fund, room, 0.0]),
    )
    _kernels.replay(
        *opening,
        collateral,
        debt,
        own(scale[order]),
        own(level[order]),
        own(means[order]),
        prices,
        rules,
        _around(world, book.assets, times, line.step),
        pool,
        line.steps,
        bars,
        conduct.within_bars(line.steps * line.step),
        FILLS[conduct.fill],
        shared,
        conduct.prune,
        account,
        units,
        by_bar,
    )
    if not isinstance(order, slice):
        back = np.argsort(order, kind="stable")
        account, collateral, debt = account[back], collateral[back], debt[back]
    left = float(pool.purse[1])
    return Replay(book, times[1:], line.step, account, units, by_bar, collateral, debt, left)


def trade(world: World, step: pd.Timedelta) -> np.ndarray:
    """Keepers, borrowers and the refill of the depth as a kernel reads them, by step."""
    keepers, borrowers, depth = world.keepers, world.borrowers, world.depth
    return np.array(
        [
            keepers.margin,
            keepers.gas,
            steps_of(keepers.response, step),
            0.0 if depth is None else depth.absorbed(step),
            keepers.order == "first come",
            1.0 if borrowers is None else borrowers.target,
            0 if borrowers is None else steps_of(borrowers.delay, step),
            False if borrowers is None else borrowers.top_up,
            step / pd.Timedelta("1s"),
            not world.oracle.instant,
        ],
        dtype=float,
    )


def _around(
    world: World, assets: list[str], times: pd.DatetimeIndex, step: pd.Timedelta
) -> _kernels.World:
    """The kernel's view of what surrounds an engine."""
    depth, terms, nothing = world.depth, trade(world, step), np.zeros(len(assets), dtype=bool)
    if depth is None:
        none, all_ = np.ones((len(assets), 0)), np.ones((len(times), len(assets)))
        return _kernels.World(np.zeros(0), none, all_, terms, nothing)
    by_bar = own(depth.by_bar(times, assets))
    return _kernels.World(own(depth.size), depth.levels(assets), by_bar, terms, nothing)


def _scale(scale: np.ndarray, accounts: int) -> np.ndarray:
    given = own(scale)
    if given.shape != (accounts,) or not (np.isfinite(given) & (given >= 0.0)).all():
        raise ParameterError(f"scale must be {accounts} finite numbers, one an account, from 0 on")
    return given


def fits(book: Book, engine: Rulebook) -> None:
    """Refuse accounts that the engine cannot hold, with `DataError`."""
    form = VENUES[engine.form]
    for one, side, units in (
        (form.one_collateral, "collaterals", book.collateral),
        (form.one_debt, "debts", book.debt),
    ):
        several = np.count_nonzero(units, axis=1) > 1 if one else np.zeros(1, dtype=bool)
        if several.any():
            first = ", ".join(map(str, np.asarray(book.ids)[several][:5]))
            raise DataError(
                f"{int(several.sum())} accounts have several {side} ({first}), which "
                f"{engine.form} cannot hold; split the book with `mapping.split` first"
            )


def _prices(book: Book, close: pd.DataFrame, low: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    assets = book.assets
    closes, lows = (
        frame if list(frame.columns) == assets else frame.reindex(columns=assets)
        for frame in (close, low)
    )
    closes, lows = (np.where(book.used, x.to_numpy(dtype=float), 1.0) for x in (closes, lows))
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
