"""Pages of bars as an exchange answers them: judged, put in order, laid over one another.

A page is an array n × 5 of float64: time (milliseconds since 1970, UTC, the start of the bar), low,
high, close (quote currency a unit), volume (units; NaN where the exchange gives none).  Nothing
here trusts the length, the order or the limits of an answer; what cannot be a bar is refused by
name, and what says the same twice is dropped and counted.
"""

from collections.abc import Sequence
from numbers import Real

import numpy as np
import pandas as pd

from xcoll.errors import DataError

__all__ = ["COLUMNS", "EMPTY", "join", "judge", "stamp", "within"]

ANSWER = ("time", "open", "high", "low", "close", "volume")  # as ccxt gives a bar
COLUMNS = ("time", "low", "high", "close", "volume")  # as it is kept: nothing here uses the open
EMPTY = np.empty((0, len(COLUMNS)))
HOUR = 3_600_000  # milliseconds
EARLIEST = 1_230_768_000_000  # 2009-01-01: before the first block there was nothing to trade
LATEST = 4_102_444_800_000  # 2100-01-01: a time beyond it is in another unit
FIX = "the exchange answers nonsense: ask again later, or leave that time out with --since, --until"


def stamp(time: float) -> str:
    """`time` in milliseconds as a date, with the time of day where there is one."""
    text = str(pd.Timestamp(int(time), unit="ms"))
    return text.removesuffix(" 00:00:00")


def judge(answer: object, bar: int, place: str, phase: int | None = None) -> tuple[np.ndarray, int]:
    """The `answer` of an exchange as a page in order, each bar once; and equal copies dropped.

    Parameters
    ----------
    answer : what came: a list of rows (time, open, high, low, close, volume).
    bar : length of a bar, milliseconds.
    place : exchange and symbol, for messages.
    phase : what the start of every bar leaves when divided by `bar`; by default what most of the
        page leave, in whole hours (bars of an hour or less: nothing).

    Raises
    ------
    DataError
        Naming `place`, the bar and the fault: no list of rows, a field that is no finite number,
        a price that is not above zero, a negative volume, a high under the low, a time that is no
        bar's start, two bars of one time that differ.
    """
    if not isinstance(answer, list | tuple):
        raise DataError(f"{place}: {_short(answer)} where a list of bars belongs; {FIX}")
    page = np.array([_numbers(row, place) for row in answer], dtype=float).reshape(-1, len(ANSWER))
    if not len(page):
        return EMPTY, 0
    time, _, high, low, _, volume = page.T
    if phase is None:
        left, count = np.unique(time % bar, return_counts=True)
        whole = left % min(bar, HOUR) == 0
        phase = left[whole][count[whole].argmax()] if whole.any() else 0
    for bad, what in (
        (time % bar != phase, f"begins where no bar of {pd.Timedelta(bar, unit='ms')} does"),
        ((page[:, 1:5] <= 0).any(axis=1), "has a price that is not above zero"),
        (high < low, "has its high under its low"),
        (volume < 0, "has a negative volume"),
    ):
        if bad.any():
            row = page[bad.argmax()]
            told = ", ".join(f"{n} {v:g}" for n, v in zip(ANSWER[1:], row[1:], strict=True))
            raise DataError(f"{place}: the bar of {stamp(row[0])} {what} ({told}); {FIX}")
    return join(EMPTY, page[:, [ANSWER.index(name) for name in COLUMNS]], place)


def join(held: np.ndarray, page: np.ndarray, place: str) -> tuple[np.ndarray, int]:
    """Both pages as one in order of time, and how many bars were there twice and equal.

    Raises
    ------
    DataError
        Two bars of one time that differ, with both.
    """
    both = np.concatenate([held, page])
    both = both[np.argsort(both[:, 0], kind="stable")]
    again = np.flatnonzero(both[1:, 0] == both[:-1, 0])
    for i in again:
        one, other = both[i], both[i + 1]
        if not np.array_equal(one, other, equal_nan=True):
            field = int(np.flatnonzero(~((one == other) | (np.isnan(one) & np.isnan(other))))[0])
            raise DataError(
                f"{place}: two bars of {stamp(one[0])} that differ, {COLUMNS[field]} "
                f"{one[field]:.10g} and {other[field]:.10g}; ask again later, or fetch all anew "
                "with --replace"
            )
    return np.delete(both, again + 1, axis=0), len(again)


def within(page: np.ndarray, begin: int, end: int) -> np.ndarray:
    """The bars of `page` that start from `begin` on and before `end`."""
    return page[(page[:, 0] >= begin) & (page[:, 0] < end)]


def _numbers(row: object, place: str) -> list[float]:
    if isinstance(row, str) or not isinstance(row, Sequence) or len(row) < len(ANSWER):
        raise DataError(f"{place}: {_short(row)} where a bar belongs; {FIX}")
    values = list(row[: len(ANSWER)])
    unknown = values[-1] is None  # some exchanges give no volume
    for name, value in zip(ANSWER, values[:-1] if unknown else values, strict=not unknown):
        if isinstance(value, bool) or not isinstance(value, Real) or not np.isfinite(value):
            raise DataError(f"{place}: {name} is {value!r} in the bar {_short(row)}; {FIX}")
    if not EARLIEST <= values[0] < LATEST:
        raise DataError(
            f"{place}: time {values[0]} in the bar {_short(row)} is no milliseconds since 1970; "
            f"{FIX}"
        )
    return [*values[:-1], np.nan] if unknown else values


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
