"""Who bears what a liquidation loses: the insurance fund, then those who hold or won.

    loss = fund + Σ remedies + uncovered     after the defaulter's own margin, which is used up

A venue states what follows its fund: auto-deleveraging, a socialised loss, or both in an order.

- **Size of the fund**: the ES of simulated bad debt, and the two largest losses of members in the
  worst stress scenario (CPMI-IOSCO, Principles for financial market infrastructures, April 2012,
  principle 4, for a central counterparty of complex risk or systemic in several jurisdictions).
- **Socialised loss**: the same share of what each member can be charged.  Claims: balances are cut.
  Profits: only gains are clawed back.
- **Auto-deleveraging**: positions opposite to the bankrupt one are closed against it at its
  bankruptcy price, in the order of their score (BitMEX, "What is Auto-Deleveraging?", support
  article 18589621443357; MEXC, article 360042504091, has the same rule; both undated):

      score = PnL × leverage   where PnL > 0, else PnL / leverage
      PnL = (mark value − entry value)/|entry value|
      leverage = |mark value|/(mark value − bankruptcy value)     at each position's own bankruptcy
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from scipy.special import ndtri

from xcoll import checks
from xcoll.errors import DataError, ParameterError
from xcoll.estimators.tail import historical

__all__ = [
    "WAYS",
    "Deleveraged",
    "FundSize",
    "Socialised",
    "Waterfall",
    "cover",
    "deleverage",
    "fund_size",
    "layers",
    "scores",
    "waterfall",
]

WAYS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "claims": lambda members: members["claim"],
    # what was won and already withdrawn is out of reach
    "profits": lambda members: members[["claim", "profit"]].min(axis=1).clip(lower=0.0),
}


@dataclass(frozen=True)
class FundSize:
    """An insurance fund sized two ways, in the unit of the losses.

    Attributes
    ----------
    shortfall, low, high : ES of the simulated bad debt and its Monte Carlo interval.
    beyond : number of simulated losses that carry the ES.
    cover : loss of the largest members in the worst stress scenario.
    scenario, members : which these are, as labelled in the stress losses.
    """

    shortfall: float
    low: float
    high: float
    beyond: float
    cover: float
    scenario: object
    members: tuple

    @property
    def size(self) -> float:
        """The larger of the two."""
        return max(self.shortfall, self.cover)


@dataclass(frozen=True)
class Waterfall:
    """Who bears one loss.

    Attributes
    ----------
    layers : dollars by layer: ``fund``, the remedies by name, ``uncovered``; they sum to the loss.
    borne : name of the remedy → dollars that each member gives up, summing to its layer.
    """

    layers: pd.Series
    borne: dict[str, pd.Series]


@dataclass(frozen=True)
class Socialised:
    """A loss shared in proportion, at most `limit` of what each can be charged.

    Attributes
    ----------
    members : by member ``claim``, dollars held at the venue and not negative, and for "profits"
        ``profit``, dollars won (negative: lost).
    way : of `WAYS`: "claims", or "profits" up to the claim.
    limit : largest haircut, in [0, 1].
    """

    name: ClassVar[str] = "socialised"
    members: pd.DataFrame
    way: str = "claims"
    limit: float = 1.0

    def __post_init__(self) -> None:
        checks.one_of("way", self.way, WAYS)
        checks.fraction("limit", self.limit, closed=True)
        _check("members", self.members, ["claim"], 0.0)
        if self.way == "profits":
            _check("members", self.members, ["profit"])

    @property
    def capacity(self) -> float:
        """``limit · Σ charged``."""
        return self.limit * float(WAYS[self.way](self.members).sum())

    def bear(self, loss: float) -> pd.Series:
        """The same share ``loss/Σ charged`` of what each member can be charged."""
        _within(loss, self.capacity)
        charged = WAYS[self.way](self.members)
        haircut = loss / charged.sum() if loss > 0.0 else 0.0
        return (haircut * charged).rename(self.name)


@dataclass(frozen=True)
class Deleveraged:
    """The loss of closing a bankrupt position, passed on to the opposite ones by `deleverage`.

    Attributes
    ----------
    positions : opposite positions, as for `deleverage`.
    bankruptcy, mark : prices of the bankrupt position and of the market, dollars.
    """

    name: ClassVar[str] = "deleveraged"
    positions: pd.DataFrame
    bankruptcy: float
    mark: float

    def __post_init__(self) -> None:
        self._close(1.0)

    @property
    def capacity(self) -> float:
        """``Σ|quantity| · |bankruptcy − mark|``."""
        return float(self.positions["quantity"].abs().sum()) * abs(self.bankruptcy - self.mark)

    def bear(self, loss: float) -> pd.Series:
        """Profit that each position forgoes where the loss is that of ``loss/|gap|`` units."""
        _within(loss, self.capacity)
        if loss == 0.0:
            return pd.Series(0.0, index=self.positions.index, name=self.name)
        closed = self._close(loss / abs(self.bankruptcy - self.mark))
        return closed["forgone"].reindex(self.positions.index).rename(self.name)

    def _close(self, units: float) -> pd.DataFrame:
        # the bankrupt side is the one that has lost from the bankruptcy price to the mark
        bankrupt = units * np.sign(self.bankruptcy - self.mark)
        return deleverage(self.positions, bankrupt, self.bankruptcy, self.mark)


def fund_size(
    simulated: np.ndarray | pd.Series,
    stressed: pd.DataFrame,
    confidence: float = 0.99,
    coverage: float = 0.90,
    members: int = 2,
) -> FundSize:
    """Insurance fund by the ES of bad debt and by the largest members, for the larger of the two.

    Parameters
    ----------
    simulated : bad debt of the venue in each independent simulated path, dollars, not negative.
    stressed : scenarios × members, losses beyond their own margin in extreme but plausible
        scenarios, dollars, not negative.  Accounts of one owner are one member.
    confidence : level of the ES.
    coverage : of its Monte Carlo interval, ``ES ± z·error`` cut at 0, with the error of
        `historical` (Manistre and Hancock 2005, asymptotic: check `FundSize.beyond`).
    members : covered members.

    Raises
    ------
    DataError : no scenario, fewer members than are to be covered, negative or infinite losses.
    EstimationError : no simulated loss, or NaN or infinite ones.
    """
    tail = historical(simulated, confidence)
    if np.min(simulated) < 0.0:
        raise DataError(f"a simulated loss is {np.min(simulated):g}; give bad debt, positive")
    worst = cover(stressed, members)
    half = float(ndtri(0.5 + checks.fraction("coverage", coverage) / 2.0)) * tail.error
    low, high, scenario = max(tail.es - half, 0.0), tail.es + half, worst.idxmax()
    largest = tuple(stressed.loc[scenario].nlargest(members).index)
    return FundSize(tail.es, low, high, tail.beyond, float(worst.max()), scenario, largest)


def cover(stressed: pd.DataFrame, members: int = 2) -> pd.Series:
    """Sum of the largest `members` losses by scenario, dollars; `stressed` as in `fund_size`."""
    _check("stressed losses", stressed, list(stressed.columns), 0.0)
    checks.whole("members", members)
    if stressed.shape[1] < members or not len(stressed):
        raise DataError(
            f"stressed losses are {stressed.shape[0]} scenarios of {stressed.shape[1]} members; "
            f"give at least one of {members}"
        )
    largest = np.partition(stressed.to_numpy(), -members, axis=1)[:, -members:]
    return pd.Series(largest.sum(axis=1), index=stressed.index, name="cover")


def layers(losses: np.ndarray | pd.Series, capacities: Mapping[str, float]) -> pd.DataFrame:
    """What each layer pays of each loss, the first one first.

    Parameters
    ----------
    losses : dollars, one a scenario, not negative; each meets full layers.
    capacities : name of the layer → dollars, in the order of payment.

    Returns
    -------
    DataFrame
        One row a loss: the layers and ``uncovered``, none negative; a row sums to its loss.
    """
    values = np.asarray(losses, dtype=float)
    if not (np.isfinite(values) & (values >= 0.0)).all():
        raise DataError("losses are negative or not finite; give dollars lost, 0 or more")
    left, paid = values, {}
    for name, capacity in capacities.items():
        paid[name] = np.minimum(left, checks.at_least(f"capacity of {name}", capacity, 0.0))
        left = left - paid[name]
    index = losses.index if isinstance(losses, pd.Series) else None
    return pd.DataFrame(paid | {"uncovered": left}, index=index)


def waterfall(loss: float, fund: float, remedies: Sequence[Socialised | Deleveraged]) -> Waterfall:
    """`loss` dollars through the `fund` and then the `remedies` in their order.

    Raises
    ------
    ParameterError : a loss or a fund below zero, or two remedies of the same kind.
    """
    loss, fund = checks.at_least("loss", loss, 0.0), checks.at_least("fund", fund, 0.0)
    capacities = {"fund": fund} | {remedy.name: remedy.capacity for remedy in remedies}
    if len(capacities) <= len(remedies):
        raise ParameterError("two remedies are of the same kind; give each once")
    row = layers(np.array([loss]), capacities).iloc[0].rename("dollars")
    borne = {remedy.name: remedy.bear(float(row[remedy.name])) for remedy in remedies}
    return Waterfall(row, borne)


def scores(positions: pd.DataFrame, mark: float) -> pd.Series:
    """Place in the queue of a deleveraging, the highest first; the formula is the module's.

    Parameters
    ----------
    positions : by account ``quantity`` (signed: long above 0), ``entry``, the average price paid,
        above 0, and ``bankruptcy``, the price at which the position's own margin is used up.
    mark : price, dollars.

    Raises
    ------
    DataError : columns that lack or are not finite, an account twice, a quantity of 0, an entry
        that is not positive, a position that is itself bankrupt at the mark.
    """
    checks.positive("mark", mark)
    _check("positions", positions, ["quantity", "entry", "bankruptcy"])
    quantity, entry = positions["quantity"], positions["entry"]
    side = np.sign(quantity)
    margin = side * (mark - positions["bankruptcy"])
    faults = {
        "has no quantity; leave it out": quantity == 0.0,
        "has an entry that is not above 0; give a price": entry <= 0.0,
        f"is bankrupt itself at {mark:g}; liquidate it first": margin <= 0.0,
    }
    for why, fault in faults.items():
        if fault.any():
            raise DataError(f"position of {fault.idxmax()!r} {why}")
    # by the unit, so that the size of a position breaks no tie
    gain, leverage = side * (mark - entry) / entry, mark / margin
    return gain.mul(leverage).where(gain > 0.0, gain / leverage).rename("score")


def deleverage(
    positions: pd.DataFrame, quantity: float, bankruptcy: float, mark: float
) -> pd.DataFrame:
    """Close opposite positions against a bankrupt one at its bankruptcy price, by their `scores`.

    Parameters
    ----------
    positions : as for `scores`, all of the sign opposite to `quantity`.
    quantity : units of the bankrupt position still to be closed, signed.
    bankruptcy : its bankruptcy price, dollars, from which the mark has moved against it.
    mark : price, dollars.

    Returns
    -------
    DataFrame
        By account in the order of the queue (ties as given): ``score``, units ``closed`` and
        ``left`` (signed), ``realised`` profit against the entry, ``forgone`` profit against the
        mark, ``closed·|bankruptcy − mark|``, whose sum is the loss passed on, and ``equity``
        afterwards, below 0 where a margin cannot bear it.  Units that find no position stay open.

    Raises
    ------
    DataError : as `scores`, and a position of the same sign.
    ParameterError : a quantity of zero, or a mark not beyond the bankruptcy price: nothing is lost.
    """
    score = scores(positions, mark)
    side = np.sign(checks.number("quantity", quantity))
    gap = side * (checks.positive("bankruptcy", bankruptcy) - mark)
    if not gap > 0.0:
        what = f"a position of {quantity:g} that is bankrupt at {bankruptcy:g}"
        raise ParameterError(f"{what} loses nothing at {mark:g}; close it in the market")
    same = positions.index[np.sign(positions["quantity"]) == side]
    if len(same):
        raise DataError(f"position of {same[0]!r} is on the bankrupt side; give opposite ones")
    queue = positions.assign(score=score).sort_values("score", ascending=False, kind="stable")
    held = -side * queue["quantity"]
    closed = (abs(quantity) - (held.cumsum() - held)).clip(lower=0.0, upper=held)
    equity = queue["quantity"] * (mark - queue["bankruptcy"])
    return pd.DataFrame(
        {
            "score": queue["score"],
            "closed": closed,
            "left": -side * (held - closed) + 0.0,  # no minus before a nought
            "realised": side * closed * (queue["entry"] - bankruptcy) + 0.0,
            "forgone": closed * gap,
            "equity": equity - closed * gap,
        }
    )


def _within(loss: float, capacity: float) -> None:
    if not 0.0 <= loss <= capacity:
        raise ParameterError(f"loss is {loss:g}; give 0 to the capacity of {capacity:g}")


def _check(name: str, frame: pd.DataFrame, columns: list, least: float = -np.inf) -> None:
    lacking = [column for column in columns if column not in frame.columns]
    if lacking:
        raise DataError(f"{name} lack the columns {lacking}; they have {list(frame.columns)}")
    for axis in frame.axes:
        if not axis.is_unique:
            raise DataError(f"{name} hold {axis[axis.duplicated()][0]!r} twice; merge them")
    values = frame[columns].to_numpy(dtype=float)
    bad = np.argwhere(~(np.isfinite(values) & (values >= least)))
    if len(bad):
        i, j = bad[0]
        place = f"{columns[j]!r} of {frame.index[i]!r} in {name}"
        raise DataError(f"{place} is {values[i, j]:g}; give a finite number ≥ {least:g}")
