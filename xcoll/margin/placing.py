"""Optimal placing of free collateral over accounts: what to post where, at the least cost.

x_ia ≥ 0 dollars of asset a are placed in account i, which counts them at c_ia = 1 − haircut:

    minimise    Σ k_ia x_ia
    subject to  Σ_a c_ia x_ia ≥ n_i = (1 + buffer)·needed_i     wherever needed_i > 0     (p_i)
                Σ_i x_ia ≤ F_a                                                            (w_a)
                x_ia ≤ cap_ia

a generalised transportation problem (Ferguson and Dantzig 1956), solved by HiGHS (Huangfu and Hall
2018).  Its duals are prices: p_i of a dollar needed, w_a of a dollar free, and at the optimum

    Σ k_ia x_ia = Σ p_i n_i − Σ w_a F_a − Σ max(0, p_i c_ia − w_a − k_ia)·cap_ia

Where the needs cannot be met, the shortage is spread: max t such that Σ_a c_ia x_ia ≥ t·n_i.  An
account whose dual is positive has t in every optimum: it keeps that, and t is raised for the others
until none is left (the lexicographic optimum of Megiddo 1974).

A need does not depend here on what is placed, and costs are proportional: no fee a transfer, no
smallest lot.  The programme is solved in y_ia = x_ia/n_i, so that a small account counts as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import linprog

from xcoll import checks
from xcoll.errors import DataError, EstimationError

__all__ = ["Placing", "compare", "even", "place", "pro_rata"]

Table = TypeVar("Table", pd.Series, pd.DataFrame)
INFEASIBLE = 2  # status of linprog
LARGEST = 1e15  # dollars: what is above is in another unit
ROUNDING = 1e-9  # of a need
# the least that HiGHS takes
TOLERANCES = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True)
class Placing:
    """A cheapest placing.

    Attributes
    ----------
    placed : DataFrame, account × asset
        Dollars before haircuts; 0 where an asset is not accepted.
    counted : Series
        By account: what is placed there counts for, dollars.
    cost : float
        Dollars a year; dollars placed where no costs were given.
    price_of_need : Series
        By account: cost of one more dollar needed there, its buffer included; 0 where nothing is
        needed.  At a kink of the cost it is one of the slopes between both sides, as is `worth`;
        where less than 1e-8 of the largest need is needed it is rounding.
    worth : Series
        By asset: what one more free dollar would save.
    left : Series
        By asset: what stays free, dollars.
    """

    placed: pd.DataFrame
    counted: pd.Series
    cost: float
    price_of_need: pd.Series
    worth: pd.Series
    left: pd.Series


def place(
    free: pd.Series,
    counted: pd.DataFrame,
    needed: pd.Series,
    *,
    cost: pd.DataFrame | None = None,
    caps: pd.DataFrame | None = None,
    buffer: float = 0.0,
) -> Placing:
    """Cheapest placing that meets every need.

    Parameters
    ----------
    free : Series
        By asset: dollars that can be placed, not negative.
    counted : DataFrame, account × asset
        1 − haircut, in [0, 1]; NaN where the account does not accept the asset.
    needed : Series
        By account: requirement less what is there, dollars; an excess is negative, and stays.
    cost : DataFrame, account × asset
        Of a dollar placed, a fraction a year, not negative: what the asset earns in its best use
        less what it earns there, plus the transfer, paid once, times 365 days over the time that it
        stays.  Where no costs are given a dollar costs a dollar, so the fewest are placed.  Costs
        and caps are read only where the asset is accepted; all is matched by name.
    caps : DataFrame, account × asset
        Dollars before haircuts up to which an asset counts in an account; inf for no cap.
    buffer : float
        Share by which each need is to be exceeded, not negative.

    Raises
    ------
    DataError
        A table of another type, that is empty, or whose names are unknown, missing or not unique;
        an entry that is NaN, infinite or outside its range.
    ParameterError
        A negative buffer.
    EstimationError
        The needs cannot be met.
    """
    desk = _desk(free, counted, needed, cost, caps, buffer)
    y, p, w = np.empty(0), np.empty(0), np.zeros(len(desk.F))
    if len(desk.n):
        dollars, m = desk.k * desk.n[desk.i], len(desk.n)
        found = _solved(desk, dollars, np.ones(m), sparse.csr_array((m, 0)), np.empty(0))
        if found is None:
            raise _lacking(desk)
        y, _, row, w = found
        p = row / desk.n * (1.0 + buffer)
    x = y * desk.n[desk.i]
    held = np.bincount(desk.i, desk.c * x, len(desk.n))
    taken = np.bincount(desk.a, x, len(desk.F))
    return Placing(
        placed=desk.table(x),
        counted=desk.by_account(held, 0.0, "counted"),
        cost=float(desk.k @ x),
        price_of_need=desk.by_account(p, 0.0, "price_of_need"),
        worth=pd.Series(w, desk.assets, name="worth"),
        # rounding may take a hair more than there is
        left=pd.Series(np.maximum(desk.F - taken, 0.0), desk.assets, name="left"),
    )


def even(
    free: pd.Series,
    counted: pd.DataFrame,
    needed: pd.Series,
    *,
    caps: pd.DataFrame | None = None,
    buffer: float = 0.0,
) -> pd.Series:
    """Shares of the needs that can be met, as even as can be; `place` what is needed times them.

    The smallest share is as large as can be, then the next, and so on: one programme a level.

    Parameters
    ----------
    free, counted, needed, caps, buffer
        As `place` takes them.

    Returns
    -------
    Series
        By account, in [0, 1]: 1 where nothing lacks or is needed; else 1e-9 is taken off, so that
        rounding leaves the shares within what is free.

    Raises
    ------
    DataError, ParameterError
        As `place` raises them.
    """
    desk = _desk(free, counted, needed, None, caps, buffer)
    shares, rising = np.ones(len(desk.n)), np.ones(len(desk.n), dtype=bool)
    reach = np.bincount(desk.i, desk.c * np.minimum(desk.cap, desk.F[desk.a]), len(desk.n))
    while rising.any():
        floors, level = np.where(rising, 0.0, shares), sparse.csr_array(-1.0 * rising[:, None])
        _, (t,), dual, _ = _solved(desk, 0.0 * desk.c, floors, level, np.array([-1.0]))
        if t > 1.0 - ROUNDING:
            break
        settled = rising & ((dual > ROUNDING) | (reach <= t * (1.0 + ROUNDING) * desk.n))
        shares[settled] = max(t - ROUNDING, 0.0)
        rising &= ~settled
    return desk.by_account(shares, 1.0, "share")


def pro_rata(
    free: pd.Series, counted: pd.DataFrame, needed: pd.Series, *, buffer: float = 0.0
) -> pd.DataFrame:
    """Naive placing: each account gets the mix of what is free, as far as it accepts it.

        x_ia = n_i F_a / Σ_b c_ib F_b,    a and b among what i accepts

    Parameters
    ----------
    free, counted, needed, buffer
        As `place` takes them; there are no caps.

    Returns
    -------
    DataFrame
        account × asset, dollars.

    Raises
    ------
    DataError, ParameterError
        As `place` raises them.
    EstimationError
        More of an asset would be placed than is free.
    """
    desk = _desk(free, counted, needed, None, None, buffer)
    mix = np.bincount(desk.i, desk.c * desk.F[desk.a], len(desk.n))
    if not (mix > 0.0).all():
        name = desk.short[np.argmin(mix)]
        raise EstimationError(f"nothing that is free counts in {name!r}; free what it accepts")
    x = desk.n[desk.i] * (desk.F[desk.a] / mix[desk.i])
    taken = np.bincount(desk.a, x, len(desk.F))
    if (taken > desk.F * (1.0 + ROUNDING)).any():
        worst = int(np.argmax(taken - desk.F))
        raise EstimationError(
            f"pro rata takes {taken[worst]:,.2f} dollars of {desk.assets[worst]!r}, but only "
            f"{desk.F[worst]:,.2f} are free; use place"
        )
    return desk.table(x)


def compare(
    ways: Mapping[str, pd.DataFrame], counted: pd.DataFrame, cost: pd.DataFrame | None = None
) -> pd.DataFrame:
    """What placings cost and tie up.

    Parameters
    ----------
    ways : mapping
        Name → account × asset, dollars.
    counted, cost : DataFrame
        As `place` takes them.

    Returns
    -------
    DataFrame
        By way: cost (dollars a year; NaN where something lies that has no cost), placed (dollars
        before haircuts), counted (dollars after them).

    Raises
    ------
    DataError
        Tables of different names.
    """
    c = _named("counted", counted, None, None)
    k = c.notna() * 1.0 if cost is None else _named("cost", cost, *c.axes)
    rows = {}
    for way, placed in ways.items():
        x = _named(way, placed, *c.axes)
        sums = {"cost": (x * k).where(x != 0.0, 0.0), "placed": x, "counted": x * c.fillna(0.0)}
        rows[way] = {name: table.to_numpy().sum() for name, table in sums.items()}
    return pd.DataFrame(rows).T.rename_axis("way")


@dataclass(frozen=True)
class _Desk:
    """What is checked: n of the accounts in need, F of the assets; by pair i, a: c, k and cap."""

    accounts: pd.Index
    assets: pd.Index
    short: pd.Index
    n: np.ndarray
    F: np.ndarray
    i: np.ndarray
    a: np.ndarray
    c: np.ndarray
    k: np.ndarray
    cap: np.ndarray

    def by_account(self, values: np.ndarray, elsewhere: float, name: str) -> pd.Series:
        found = pd.Series(values, self.short, name=name, dtype=float)
        return found.reindex(self.accounts, fill_value=elsewhere)

    def table(self, x: np.ndarray) -> pd.DataFrame:
        placed = sparse.coo_array((x, (self.i, self.a)), (len(self.short), len(self.assets)))
        found = pd.DataFrame(placed.toarray(), self.short, self.assets)
        return found.reindex(self.accounts, fill_value=0.0)


def _solved(
    desk: _Desk,
    dollars: np.ndarray,
    floors: np.ndarray,
    E: sparse.sparray,
    price: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    """Least dollars·y + price·z such that C y + E z ≥ floors, Σ n y ≤ F, n y ≤ cap, 0 ≤ z ≤ 1.

    Returns y, z, the duals of the floors and of a free dollar; None where nothing meets them.
    """
    m, pairs = len(desk.n), len(desk.i)
    objective = np.concatenate([dollars, price])
    if not len(objective):  # nobody accepts anything
        return None
    # Tolerances are of a row's unit: of what is free, but not far below what can be asked for.
    column, asked = np.arange(pairs), np.full(len(desk.F), desk.n.min())
    np.maximum.at(asked, desk.a, desk.n[desk.i])
    unit = np.clip(desk.F, 1e-6 * asked, asked)
    C = sparse.csr_array((desk.c, (desk.i, column)), (m, pairs))
    N = sparse.csr_array((desk.n[desk.i] / unit[desk.a], (desk.a, column)), (len(unit), pairs))
    top = np.concatenate([desk.cap / desk.n[desk.i], np.ones(len(price))])
    scale = np.abs(objective).max() or 1.0
    found = linprog(
        objective / scale,
        sparse.block_array([[-C, -E], [N, None]], format="csc"),
        np.concatenate([-floors, desk.F / unit]),
        bounds=np.stack([np.zeros(len(top)), top], axis=1),
        method="highs",
        options=TOLERANCES,
    )
    if found.status == INFEASIBLE and not len(price):  # with z there is always a solution
        return None
    if not found.success:
        raise EstimationError(f"the programme did not end: {found.message}; check the units")
    duals = -found.ineqlin.marginals * scale
    y, z = np.split(np.maximum(found.x, 0.0), [pairs])  # rounding may end a hair under 0
    return y, z, duals[:m], duals[m:] / unit


def _lacking(desk: _Desk) -> EstimationError:
    """What the placing that lacks least lacks, and where."""
    whole = np.ones(len(desk.n))
    _, z, _, _ = _solved(desk, 0.0 * desk.c, whole, sparse.eye_array(len(whole)), desk.n)
    lack = pd.Series(z * desk.n, desk.short)[z > ROUNDING].sort_values(ascending=False)
    where = ", ".join(f"{dollars:,.2f} in {name!r}" for name, dollars in lack.head(5).items())
    return EstimationError(
        f"{lack.sum():,.2f} dollars of counted collateral lack in all, in {len(lack)} of "
        f"{len(desk.n)} accounts: {where}{', …' if len(lack) > 5 else ''}; free more, or place "
        "needed * even(...), which spreads the shortage"
    )


def _desk(
    free: pd.Series,
    counted: pd.DataFrame,
    needed: pd.Series,
    cost: pd.DataFrame | None,
    caps: pd.DataFrame | None,
    buffer: float,
) -> _Desk:
    more = 1.0 + checks.at_least("buffer", buffer, 0.0)
    free, needed = _named("free", free, None), _named("needed", needed, None)
    axes = [needed.index, free.index]
    counted = _named("counted", counted, *axes)
    cost = pd.DataFrame(1.0, *axes) if cost is None else _named("cost", cost, *axes)
    caps = pd.DataFrame(np.inf, *axes) if caps is None else _named("caps", caps, *axes)
    unused = ~(counted > 0.0)
    _judge("free", free, free.between(0.0, LARGEST), f"dollars from 0 to {LARGEST:g}")
    _judge("needed", needed, needed.abs() * more <= LARGEST, f"dollars up to {LARGEST:g}")
    _judge("counted", counted, ~((counted < 0.0) | (counted > 1.0)), "1 − haircut, in [0, 1]")
    _judge("cost", cost, unused | (cost >= 0.0) & (cost <= LARGEST), "a fraction a year from 0 on")
    _judge("caps", caps, unused | (caps >= 0.0), "dollars from 0 on, or inf for no cap")
    n = needed[needed > 0.0] * more
    c, k, cap = (table.loc[n.index].to_numpy() for table in (counted, cost, caps))
    i, a = np.nonzero(c > 0.0)
    pairs = (i, a, c[i, a], k[i, a], cap[i, a])
    return _Desk(*axes, n.index, n.to_numpy(), free.to_numpy(), *pairs)


def _named(name: str, table: Table, *wanted: pd.Index | None) -> Table:
    """`table` as floats, names unique and in the order of those `wanted` where these are given."""
    kind = pd.Series if len(wanted) == 1 else pd.DataFrame
    if not isinstance(table, kind):
        raise DataError(f"{name} is a {type(table).__name__}; give a {kind.__name__}")
    if not table.size:
        raise DataError(f"{name} is empty; give at least one account and one asset")
    for place, names in enumerate(wanted):
        axis = table.axes[place]
        if not axis.is_unique:
            raise DataError(f"{name} holds {axis[axis.duplicated()][0]!r} twice; give it once")
        known = axis if names is None else names
        odd = axis.symmetric_difference(known)
        if len(odd):
            fault = "missing" if odd[0] in known else "unknown"
            raise DataError(f"{odd[0]!r} in {name} is {fault}; name the same in every table")
        table = table.reindex(known, axis=place)
    for label, dtype in pd.DataFrame(table).dtypes.items():
        if dtype.kind not in "iuf":
            raise DataError(f"{name} holds {dtype} in {label!r}; give numbers")
    return table.astype(float)


def _judge(name: str, table: Table, good: Table, wanted: str) -> None:
    bad = np.argwhere(~good.to_numpy())
    if len(bad):
        at = tuple(bad[0])
        where = " of ".join(repr(axis[place]) for axis, place in zip(table.axes, at, strict=True))
        raise DataError(f"{name} of {where} is {table.to_numpy()[at]:g}; give {wanted}")
