"""Which part of a finished sentence was made by which expression."""

import re
from dataclasses import dataclass

from xcoll.workbook.review.flow.values import ANY, Choice, Joined, Origin, Slot, Text

__all__ = ["NUMBER", "Number", "Piece", "numbers", "pieces"]

# A date, or a number with its sign, its currency and its unit; no part of a word.
NUMBER = re.compile(
    r"\d{4}-\d{2}-\d{2}|\d{2} (?:January|February|March|April|May|June|July|August|September"
    r"|October|November|December) \d{4}"
    r"|(?<![\w.,])[-+−]?[$€]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?"
    r"(?:[ \u00a0]?%|(?:[ \u00a0](?:bp|pt)|bn|M|k|h|x|×)(?!\w))?"
)
LISTED = re.compile(r"^\d+\.(?=\s)", re.MULTILINE)  # the number of a line in a list
STRICT, LOOSE = True, False


@dataclass(frozen=True)
class Piece:
    """Letters `start` to `end` of a sentence, and the expression that made them."""

    start: int
    end: int
    origin: Origin


@dataclass(frozen=True)
class Number:
    """A number in a sentence; without an origin it is written there and not computed."""

    text: str
    start: int
    end: int
    origin: Origin | None


def numbers(text: Text, said: str, whole: Origin) -> list[Number]:
    """The numbers of the sentence `said`, each with the expression that made it.

    Where `said` does not look like `text` at all, that is `whole`, what made all of it.
    """
    read = pieces(text, said)
    found = [Piece(0, len(said), whole)] if read is None else read
    found = sorted(found, key=lambda piece: piece.end - piece.start)
    skipped = {match.start() for match in LISTED.finditer(said)}
    made = []
    for match in NUMBER.finditer(said):
        if match.start() in skipped:
            continue
        start, end = match.span()
        origin = next((p.origin for p in found if p.start < end and start < p.end), None)
        made.append(Number(match[0], start, end, origin))
    return made


def pieces(text: Text, said: str) -> list[Piece] | None:
    """The computed parts of `said`, which is a case of `text`; None where it cannot be one.

    First with what a format lets expect (a number, money, percent), then with anything.
    """
    for strict in (STRICT, LOOSE):
        found = _Reading(said, strict).read(text, 0)
        if found is not None:
            return found
    return None


class _Reading:
    """One sentence and one way of reading it; what failed once is not tried again."""

    def __init__(self, said: str, strict: bool) -> None:
        self.said, self.strict = said, strict
        self.failed: set[tuple[int, int]] = set()
        self.kept: list[object] = []  # keeps what `failed` names by its identity

    def read(self, text: Text, start: int) -> list[Piece] | None:
        """Pieces from `start` to the end of the sentence."""
        rest: object = ()
        for part in reversed(text):
            rest = (part, rest)
        return self._read(rest, start)

    def _read(self, rest: tuple, at: int) -> list[Piece] | None:
        if not rest:
            return [] if at == len(self.said) else None
        if (id(rest), at) in self.failed:
            return None
        self.kept.append(rest)
        part, after = rest
        if isinstance(part, str):
            found = self._read(after, at + len(part)) if self.said.startswith(part, at) else None
        elif isinstance(part, _End):
            found = self._read(after, at)
            found = None if found is None else [Piece(part.start, at, part.origin), *found]
        elif isinstance(part, Choice):
            found = self._chosen(part, after, at)
        else:
            found = self._filled(part, after, at)
        if found is None:
            self.failed.add((id(rest), at))
        return found

    def _chosen(self, part: Choice, after: tuple, at: int) -> list[Piece] | None:
        for option in part.options:
            rest: tuple = (_End(at, part.origin), after)
            for each in reversed(option):
                rest = (each, rest)
            found = self._read(rest, at)
            if found is not None:
                return found
        return None

    def _filled(self, part: Slot | Joined, after: tuple, at: int) -> list[Piece] | None:
        pattern = part.pattern if isinstance(part, Slot) and self.strict else ANY
        if pattern == ANY:  # as little as will do
            ends = range(at, len(self.said) + 1)
        else:  # as much as looks right
            most = re.compile(pattern).match(self.said, at)
            ends = range(most.end(), at, -1) if most else range(0)
        for end in ends:
            if pattern != ANY and not re.fullmatch(pattern, self.said[at:end]):
                continue
            found = self._read(after, end)
            if found is not None:
                return [Piece(at, end, part.origin), *self._inside(part, at, end), *found]
        return None

    def _inside(self, part: Slot | Joined, start: int, end: int) -> list[Piece]:
        """Pieces of the items of a list, where it can be cut at its separators."""
        if isinstance(part, Slot) or start == end:
            return []
        said = self.said[start:end]
        made, at = [], start
        for item in said.split(part.separator) if part.separator else [said]:
            found = _Reading(item, self.strict).read(part.item, 0)
            if found is None:
                return []
            made += [Piece(at + each.start, at + each.end, each.origin) for each in found]
            at += len(item) + len(part.separator)
        return made


@dataclass(frozen=True)
class _End:
    """Where a chosen part ends."""

    start: int
    origin: Origin
