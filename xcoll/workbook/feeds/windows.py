"""Windows of time that were asked for already, and what of a wanted one is left to ask.

A window is ``(from, until)`` in milliseconds since 1970, UTC, its end not part of it.
"""

from collections.abc import Iterable

__all__ = ["Window", "add", "missing"]

Window = tuple[int, int]


def add(covered: Iterable[Window], new: Window) -> list[Window]:
    """`covered` with `new`: in order, none empty, none touching another."""
    joined: list[Window] = []
    for begin, end in sorted([*covered, new]):
        if end <= begin:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def missing(wanted: Window, covered: Iterable[Window]) -> list[Window]:
    """The parts of `wanted` that no window of `covered` holds, in order."""
    begin, end = wanted
    left: list[Window] = []
    for first, last in sorted(covered):
        if begin < min(first, end):
            left.append((begin, min(first, end)))
        begin = max(begin, last)
    if begin < end:
        left.append((begin, end))
    return left
