"""Anti-procyclical tools: the haircut that is posted where the raw one lurches.

    none             m, the raw haircut
    buffer           max(m, min((1 + b)·m, last posted)), and a refill once m has stopped rising
    stressed weight  (1 − w)·m + w·max(stressed, m)
    floor            max(m, long run)

The last three are (a), (b) and (c) of EMIR RTS 153/2013, article 28(1).  Frames are time × asset;
a value stamped t uses nothing after t, and no haircut is above 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError

__all__ = ["EMIR", "TOOLS", "Damping", "Targets", "exhaustible_buffer", "post"]


@dataclass(frozen=True)
class Targets:
    """What each calibration asked for, before any anti-procyclical tool.

    Attributes
    ----------
    raw : DataFrame, time × asset
        Haircut at today's volatility; NaN before an asset starts and after it ends.
    long_run, stressed : DataFrame, time × asset
        Haircut over all bars known then, and over the worst year known then; known wherever `raw`
        is.

    Raises
    ------
    DataError
        Frames that differ in times or assets, times out of order, a haircut outside [0, 1], a
        hole inside a path, or a long run or stressed haircut missing beside a raw one.
    """

    raw: pd.DataFrame
    long_run: pd.DataFrame
    stressed: pd.DataFrame

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "Targets":
        """From rows with the columns time, asset, raw, long_run and stressed, others ignored."""
        wide = rows.set_index(["time", "asset"])[["raw", "long_run", "stressed"]].unstack("asset")
        return cls(**{name: wide[name] for name in ("raw", "long_run", "stressed")})

    def __post_init__(self) -> None:
        index = self.raw.index
        if not (index.is_monotonic_increasing and index.is_unique):
            raise DataError("the times of the targets are out of order or repeat; sort, drop them")
        known = self.raw.notna()
        for name, frame in vars(self).items():
            if not frame.index.equals(index) or not frame.columns.equals(self.raw.columns):
                raise DataError(f"{name} and raw differ in times or assets; align them")
            outside = (frame < 0.0) | (frame > 1.0)
            _refuse(outside, f"{name} haircut", "is outside [0, 1]; give a fraction")
            _refuse(known & frame.isna(), f"{name} haircut", "is missing; calibrate that date")
        hole = ~known & known.cummax() & known[::-1].cummax()[::-1]
        _refuse(hole, "raw haircut", "is missing inside the path; calibrate that date")


def _refuse(fault: pd.DataFrame, thing: str, why: str) -> None:
    if fault.any(axis=None):
        row, column = np.argwhere(fault.to_numpy())[0]
        raise DataError(f"{thing} of {fault.columns[column]} at {fault.index[row]} {why}")


@dataclass(frozen=True)
class Damping:
    """How strongly the tools damp.

    Attributes
    ----------
    buffer : float
        b of the buffer, a fraction of the raw haircut, at least 0.
    refill : str or None
        A duration: a used buffer waits so long without a rise, and then takes as long to refill.
        None: it refills only as the raw haircut falls.
    tick : float
        A rise of no more than it is none: a calibrated path creeps.
    weight : float
        w of the stressed observations, in [0, 1].
    """

    buffer: float = 0.25
    refill: str | None = "20D"  # assumed: the article asks for a rule and names no time
    tick: float = 0.005
    weight: float = 0.25

    def __post_init__(self) -> None:
        checks.at_least("buffer", self.buffer, 0.0)
        checks.at_least("tick", self.tick, 0.0)
        checks.fraction("weight", self.weight, closed=True)
        if self.refill is not None:
            checks.duration("refill", self.refill)


EMIR = Damping()  # the least that article 28(1) asks for


def post(targets: Targets, tool: str, damping: Damping = EMIR) -> pd.DataFrame:
    """Haircuts that a tool posts.

    Parameters
    ----------
    targets : Targets
        What each calibration asked for.
    tool : str
        One of `TOOLS`.
    damping : Damping
        Sizes of the tools.

    Returns
    -------
    DataFrame
        time × asset like `targets.raw`, nowhere under it, NaN where it is NaN.
    """
    return TOOLS[checks.one_of("tool", tool, TOOLS)](targets, damping)


def exhaustible_buffer(
    raw: pd.DataFrame,
    buffer: float = 0.25,
    ceiling: float = math.inf,
    refill: str | None = None,
    tick: float = 0.0,
) -> pd.DataFrame:
    """Haircuts with a buffer that a rise may use up: ``max(m, min((1 + b)·m, last posted))``.

    EMIR RTS 153/2013, article 28(1)(a).  The first posted value is ``(1 + b)·m``.  A fall of m
    refills the buffer by itself.  Where m stays high, the rest is filled in equal steps over
    `refill`, once m has not risen for as long: once it came no more than a `tick` above where it
    last rose to.

    Parameters
    ----------
    raw : DataFrame
        time × asset haircuts m; leading NaN are kept, the path starts at the first value.
    buffer : float
        b as a fraction, not negative.
    ceiling : float
        Largest value that can be posted: 1 for haircuts, none for margins.
    refill : str, optional
        A duration, counted on the times of `raw`; without it only a fall refills.
    tick : float
        Rises of no more than it are none, in the unit of `raw`.

    Returns
    -------
    DataFrame
        Posted values on the shape of `raw`.

    Raises
    ------
    DataError
        A refill is asked for and the rows have no times.
    """
    b, least = checks.at_least("buffer", buffer, 0.0), checks.at_least("tick", tick, 0.0)
    time, wait = _clock(raw.index, refill)
    margins = raw.to_numpy(dtype=float)
    posted = np.full_like(margins, np.nan)
    last, peak = np.full(margins.shape[1], np.inf), np.full(margins.shape[1], -np.inf)
    risen = np.full(margins.shape[1], time[0] if len(time) else 0.0)
    for t, m in enumerate(margins):
        full = np.minimum((1.0 + b) * m, ceiling)
        used = full > last
        rises = used & (m > peak + least)
        peak, risen = np.where(rises, m, peak), np.where(rises, time[t], risen)
        # the part of what is left of the refill that lies between the bar before and this one
        start, end = np.maximum(time[max(t - 1, 0)], risen + wait), risen + 2.0 * wait
        share = np.divide(time[t] - start, end - start, out=np.zeros_like(m), where=used)
        before = np.where(used, last, full)
        filled = before + np.clip(share, 0.0, 1.0) * (full - before)
        filled = np.where(share >= 1.0, full, filled)
        posted[t] = np.maximum(np.minimum(m, ceiling), filled)
        peak = np.where(posted[t] >= full, -np.inf, peak)
        last = np.where(np.isnan(posted[t]), last, posted[t])
    return pd.DataFrame(posted, index=raw.index, columns=raw.columns)


def _clock(index: pd.Index, refill: str | None) -> tuple[np.ndarray, float]:
    if refill is None:
        return np.arange(len(index), dtype=float), len(index) + 1.0  # longer than the path: never
    if not isinstance(index, pd.DatetimeIndex):
        raise DataError(f"a refill of {refill} needs times; the rows are numbered, date them")
    wait = checks.duration("refill", refill).total_seconds()
    return (index - index[:1].min()).total_seconds().to_numpy(), wait


def _buffer(targets: Targets, damping: Damping) -> pd.DataFrame:
    return exhaustible_buffer(targets.raw, damping.buffer, 1.0, damping.refill, damping.tick)


def _stressed_weight(targets: Targets, damping: Damping) -> pd.DataFrame:
    m, w = targets.raw, damping.weight
    return m + w * (targets.stressed - m).clip(lower=0.0)


def _floor(targets: Targets, damping: Damping) -> pd.DataFrame:
    return np.maximum(targets.raw, targets.long_run)


TOOLS: dict[str, Callable[[Targets, Damping], pd.DataFrame]] = {
    "none": lambda targets, damping: targets.raw,
    "buffer": _buffer,
    "stressed weight": _stressed_weight,
    "floor": _floor,
}
