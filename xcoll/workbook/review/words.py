"""Two versions of a sentence, with the words that differ marked."""

import difflib
import re
from itertools import groupby

from bs4 import BeautifulSoup, NavigableString, Tag

from xcoll.workbook import dress, html

__all__ = ["marked"]

WORD = re.compile(r"\s+|\w[\w.,’'-]*\w|.")  # a sign at the end of a word is a word of its own


def marked(a: str, b: str) -> tuple[str, str]:
    """HTML of two markdown sentences; words and formulas that differ stand in ``<mark>``.

    Raises
    ------
    RunError
        For a formula that cannot be set.
    """
    trees = [dress.parse(html.markdown(text)) for text in (a, b)]
    pieces = [_pieces(tree) for tree in trees]
    words = [[word for word, _ in side] for side in pieces]
    matcher = difflib.SequenceMatcher(None, *words, autojunk=False)
    differing: tuple[set[int], set[int]] = (set(), set())
    for how, low_a, high_a, low_b, high_b in matcher.get_opcodes():
        if how != "equal":
            differing[0].update(range(low_a, high_a))
            differing[1].update(range(low_b, high_b))
    for tree, side, chosen in zip(trees, pieces, differing, strict=True):
        _mark(tree, side, chosen)
    return str(trees[0]), str(trees[1])


def _pieces(tree: BeautifulSoup) -> list[tuple[str, Tag | NavigableString]]:
    """The words of `tree` and the nodes that they stand in; a formula is one word."""
    found: list[tuple[str, Tag | NavigableString]] = []

    def visit(node: Tag) -> None:
        for child in node.children:
            if isinstance(child, NavigableString):
                found.extend((word, child) for word in WORD.findall(child))
            elif child.name == "math":
                found.append((str(child), child))
            else:
                visit(child)

    visit(tree)
    return found


def _mark(
    tree: BeautifulSoup, pieces: list[tuple[str, Tag | NavigableString]], chosen: set[int]
) -> None:
    """Put the pieces at the places `chosen` into marks."""
    for _, held in groupby(enumerate(pieces), key=lambda piece: id(piece[1][1])):
        parts = [
            (word, node, place in chosen and not word.isspace()) for place, (word, node) in held
        ]
        node = parts[0][1]
        if not any(differs for *_, differs in parts):
            continue
        if isinstance(node, Tag):
            node.wrap(tree.new_tag("mark"))
            continue
        made: list[Tag | NavigableString] = []
        for word, _, differs in parts:
            made.append(NavigableString(word))
            if differs:
                made[-1] = tree.new_tag("mark")
                made[-1].string = word
        node.replace_with(*made)
