"""Long loops that somebody may watch.  What is computed does not depend on who looks.

Model code says what it goes through, ``for date in watched(dates, "dates")``; a floor above may
show it.  Nobody looks unless `watch` was called.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["watch", "watched"]

Item = TypeVar("Item")
Watcher = Callable[[Iterable, str], Iterable]

_watchers: list[Watcher] = []


def watch(watcher: Watcher | None) -> None:
    """Let `watcher` go through every watched loop of this process; None: nobody looks.

    Parameters
    ----------
    watcher : callable
        Given the items and what they are; gives the same items in the same order.
    """
    _watchers[:] = [] if watcher is None else [watcher]


def watched(items: Iterable[Item], what: str) -> Iterable[Item]:
    """`items`, through the eyes of whoever watches; `what` names them, in the plural."""
    for watcher in _watchers:
        return watcher(items, what)
    return items
