"""How a difference is put into words and digits, in the terminal and on a page."""

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from xcoll.workbook.review.numbers import Alone, Comparison, Spot

__all__ = ["both", "count", "listed", "notes", "size", "where"]

SIDES = ("A", "B")
DIGITS = (6, 9, 12, 17)  # significant digits of a number, as few as tell two apart
LONGEST = 40  # letters of a text that is quoted


def count(number: int, thing: str) -> str:
    """A number and its thing: "1 row", "1,234 rows"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def listed(names: Sequence[str], total: int | None = None) -> str:
    """Names with commas between them, and dots where `total` says that there are more."""
    more = total is not None and total > len(names)
    return ", ".join(names) + (", …" if more else "")


def both(spot: Spot) -> tuple[str, str]:
    """What A and B hold there, in as few digits as tell them apart."""
    if not isinstance(spot.a, float) or not isinstance(spot.b, float):
        return _quoted(spot.a), _quoted(spot.b)
    for digits in DIGITS:
        shown = _number(spot.a, digits), _number(spot.b, digits)
        if shown[0] != shown[1]:
            break
    return shown


def where(spot: Spot) -> str:
    """Row and column."""
    return f"{spot.row}: {spot.column}" if spot.column else spot.row


def size(spot: Spot | None) -> str:
    """A relative difference: "12.3 %", "3.1e-07"."""
    if spot is None or math.isnan(spot.gap):
        return "–"
    return f"{100 * spot.gap:.3g} %" if spot.gap >= 1e-4 else f"{spot.gap:.2g}"


def notes(found: Comparison) -> Iterator[str]:
    """What is to be said of two versions of an artifact beside its numbers."""
    if found.unlike:
        verb = "is" if found.unlike == 1 else "are"
        yield (
            f"{count(found.unlike, 'number')} {verb} missing or infinite in one only "
            f"({_against(found.strange)})"
        )
    if found.changed:
        quoted = "; ".join(_against(spot) for spot in found.examples)
        dots = "; …" if found.changed > len(found.examples) else ""
        of = count(found.texts, "text")
        yield f"{found.changed:,} of {of} and flags differ ({quoted}{dots})"
    for thing, pair in (("row", found.rows), ("column", found.columns)):
        yield from _alone(thing, pair)


def _alone(thing: str, pair: tuple[Alone, Alone]) -> Iterator[str]:
    for side, only in zip(SIDES, pair, strict=True):
        if only.count:
            yield (f"{count(only.count, thing)} only in {side} ({listed(only.first, only.count)})")


def _against(spot: Spot) -> str:
    return f"{where(spot)} = {' | '.join(both(spot))}"


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}g}"


def _quoted(value: object) -> str:
    if value is None or value is pd.NaT or value != value:
        return "–"
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
