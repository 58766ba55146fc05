"""From page to page through a window of time, whatever an exchange makes of a page."""

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from xcoll.workbook.feeds.pages import EMPTY, join, within
from xcoll.workbook.feeds.windows import Window

__all__ = ["walk"]


def walk(
    ask: Callable[[int], np.ndarray],
    window: Window,
    bar: int,
    limit: int,
    last: np.ndarray = EMPTY,
    *,
    place: str = "page",
    counts: Counter[str] | None = None,
) -> Iterator[tuple[Window, np.ndarray]]:
    """Pages of bars of `window`, each with the part of the window that it settles.

    Parameters
    ----------
    ask : the judged page that the exchange answers when asked for bars from a time on.
    bar, limit : length of a bar, and bars that a page ought to have, at least 2: a hint for how far
        to step over a time without bars, never believed.
    last : the bar before the window, where it is held (1 × 5).
    counts : told of how many bars were "healed": missing at first, there when asked for again.

    Notes
    -----
    Each page is asked for from the last bar that is held, so that every two overlap by a bar and a
    rewritten history is found out.  A page with a hole is asked for again from the hole on, as long
    as that brings bars: what is missing then was missing twice.  A time without a new bar is asked
    for twice, and then stepped over; what was stepped over counts as settled only when a later bar
    is seen, for the newest bar may simply not be served yet.

    Raises
    ------
    DataError
        Two answers for one bar that differ.
    """
    begin, end = window
    counts = Counter() if counts is None else counts
    step = limit * bar
    mark = probe = begin  # settled up to here; asked up to here

    def look(since: int) -> np.ndarray:
        page = ask(since)
        join(last, page[np.isin(page[:, 0], last[:, 0])], place)
        return within(page, mark, end)

    while probe < end:
        overlap = [int(last[0, 0])] if probe == mark and len(last) else []
        # asked until one has a bar
        fresh = next(filter(len, map(look, [*overlap, probe, probe])), None)
        if fresh is None:
            probe += step
            continue
        while (hole := _hole(fresh, mark, bar)) is not None:
            whole, _ = join(fresh, look(hole), place)
            if len(whole) == len(fresh):
                break
            counts["healed"] += len(whole) - len(fresh)
            fresh = whole
        last = fresh[-1:]
        until = int(last[0, 0]) + bar
        yield (mark, until), fresh
        mark = probe = until


def _hole(page: np.ndarray, mark: int, bar: int) -> int | None:
    """Where the first missing bar of `page` starts, None where none is."""
    times = page[:, 0]
    if times[0] >= mark + bar:
        return mark
    steps = np.flatnonzero(np.diff(times) > bar)
    return int(times[steps[0]]) + bar if len(steps) else None
