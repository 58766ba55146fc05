"""Figures and computed sentences of executed notebooks, and which of them changed."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xcoll.errors import DamagedRunError
from xcoll.workbook.manifest import remedy

__all__ = ["Changed", "Notebook", "Shown", "changed", "read"]

FIGURE, SENTENCE = "image/png", "text/markdown"
HEADING = re.compile(r"^#{1,6}\s+(.+)$", flags=re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", flags=re.MULTILINE | re.DOTALL)
INJECTED = "injected-parameters"


@dataclass(frozen=True)
class Shown:
    """A figure or a sentence where a notebook shows it.

    Attributes
    ----------
    cell : str
        Id of its cell.
    place : int
        Which of its kind it is in the cell, from 1.
    content : str
        PNG as base64, or markdown.
    heading : str
        The last heading before it.
    sentence : str
        Of a figure, the sentence that follows it, or else the one before it in its cell.
    """

    cell: str
    place: int
    content: str
    heading: str = ""
    sentence: str = ""


@dataclass(frozen=True)
class Notebook:
    """What an executed notebook shows: by (cell, place) its figures and sentences; its code."""

    figures: Mapping[tuple[str, int], Shown]
    sentences: Mapping[tuple[str, int], Shown]
    code: Mapping[str, str]


@dataclass(frozen=True)
class Changed:
    """A figure or sentence in A and in B; None where one of them does not have it."""

    a: Shown | None
    b: Shown | None

    @property
    def known(self) -> Shown:
        """The one that is there: A's where both are."""
        return self.a or self.b


def read(path: Path) -> Notebook:
    """Read the executed notebook at `path`.

    Raises
    ------
    DamagedRunError
        Where it is no notebook.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return _notebook(cells)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedRunError(
            f"{path} is no notebook ({error})", remedy(path.parents[1])
        ) from error


def changed(
    a: Mapping[tuple[str, int], Shown], b: Mapping[tuple[str, int], Shown]
) -> list[Changed]:
    """What `a` and `b` show otherwise, in the order of `a`; what only `b` shows comes last."""
    pairs = [Changed(a.get(place), b.get(place)) for place in a | b]
    return [
        pair
        for pair in pairs
        if pair.a is None or pair.b is None or pair.a.content != pair.b.content
    ]


def _notebook(cells: list[dict]) -> Notebook:
    figures: dict[tuple[str, int], Shown] = {}
    sentences: dict[tuple[str, int], Shown] = {}
    code: dict[str, str] = {}
    heading = ""
    waiting: list[tuple[str, int]] = []  # figures that no sentence followed yet
    for cell in cells:
        name, source = cell["id"], "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            found = HEADING.findall(FENCE.sub("", source))
            if found:
                heading, waiting = found[-1].strip(), []
            continue
        if cell["cell_type"] != "code":
            continue
        if INJECTED not in cell["metadata"].get("tags", []):
            code[name] = source
        before = ""
        for output in cell["outputs"]:
            data = output.get("data", {})
            if FIGURE in data:
                place = (name, 1 + sum(other == name for other, _ in figures))
                content = "".join("".join(data[FIGURE]).split())
                figures[place] = Shown(*place, content, heading, before)
                waiting = [place]
            elif SENTENCE in data:
                place = (name, 1 + sum(other == name for other, _ in sentences))
                before = "".join(data[SENTENCE])
                sentences[place] = Shown(*place, before, heading)
                for figure in waiting:
                    held = figures[figure]
                    figures[figure] = Shown(*figure, held.content, held.heading, before)
                waiting = []
    return Notebook(figures, sentences, code)
