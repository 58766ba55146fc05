"""Look up in a finished run where a number or a word of its report comes from."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xcoll.errors import ParameterError, RunError
from xcoll.workbook import fingerprint, manifest

__all__ = ["FILE", "Hit", "Record", "load"]

FILE = "trace.json"


@dataclass(frozen=True)
class Hit:
    """A place of the report that shows what was looked for.

    Attributes
    ----------
    text : str
        What stands there.
    where : str
        Table, figure or cell, with row and column.
    said : str
        The sentence or the caption around it.
    origin : str
        Expression that made it, with its place; "" where it is part of a whole.
    sources : mapping
        Names by kind: artifacts, data, parameters, run.
    """

    text: str
    where: str
    said: str
    origin: str
    sources: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Record:
    """The trace of a run, as its folder keeps it.

    Attributes
    ----------
    folder : Path
        Of the run.
    content : mapping
        As `record.record` made it.
    hashes : mapping
        File of the run to its SHA-256, as the manifest says.
    """

    folder: Path
    content: Mapping[str, object]
    hashes: Mapping[str, str]

    def every(self) -> list[Hit]:
        """Every number of a sentence or a caption, and every column of a table."""
        return [hit for shown in self.content["shown"] for hit in _hits(shown)]

    def find(self, text: str) -> list[Hit]:
        """Places that show `text`: numbers and cells that are equal to it, else what holds it.

        Raises
        ------
        ParameterError
            Where the report shows it nowhere.
        """
        wanted = _plain(text)
        if not wanted:
            raise ParameterError("the text to look for is empty; give a number or a word")
        places = [hit for shown in self.content["shown"] for hit in _places(shown)]
        found = [hit for hit in places if _plain(hit.text) == wanted]
        found = found or [hit for hit in places if wanted in _plain(hit.text)]
        found = found or list(self._typed(wanted))
        if not found:
            raise ParameterError(
                f"the report of {self.folder.name} shows {text!r} nowhere; "
                f"`xcoll trace {self.folder.name}` lists its numbers"
            )
        return found

    def _typed(self, wanted: str) -> Iterator[Hit]:
        """Places in the words between the cells, which nothing computes."""
        report = self.content["report"]
        notebook = json.loads(self.read(f"notebooks/{report}.ipynb"))
        for cell in notebook["cells"]:
            words = " ".join("".join(cell["source"]).split())
            if cell["cell_type"] == "markdown" and wanted in _plain(words):
                yield Hit(wanted, f"the words of cell {cell['id']}", words, "", {})

    def artifact(self, name: str) -> Mapping[str, object]:
        """What the run knows of an artifact, whose file is there and as it was.

        Raises
        ------
        RunError
            Where its file is missing or was changed.
        """
        made = self.content["artifacts"][name]
        self.check(made["file"])
        return made

    def read(self, file: str) -> str:
        """Text of a file of the run that is as it was."""
        self.check(file)
        return (self.folder / file).read_text(encoding="utf-8")

    def check(self, file: str) -> None:
        """Refuse a file that is missing or was changed since the run.

        Raises
        ------
        RunError
            Naming the file and the way to a whole run.
        """
        path = self.folder / file
        fault = "is missing" if not path.is_file() else ""
        if not fault and fingerprint.file(path) != self.hashes.get(file):
            fault = "is not as the run wrote it: its SHA-256 is not the manifest's"
        if fault:
            raise RunError(
                f"{path} {fault}; write the run again with: {manifest.again(self.folder)}"
            )


def load(reports: Path, name: str) -> Record:
    """The trace of the run ``reports/<name>``.

    Raises
    ------
    ParameterError
        Where there is no finished run of that name.
    RunError
        Where its manifest or its trace is missing or damaged.
    """
    folder = reports / name
    described = manifest.read(folder)
    if described is None:
        known = [path.name for path in manifest.folders(reports)]
        raise ParameterError(
            f"{reports} holds no finished run {name!r}; it holds {', '.join(known) or 'none'}"
        )
    if FILE not in described["files"]:
        raise RunError(
            f"{folder} holds no trace: it is a part of the chain only, or older than traces are; "
            f"write the whole run with: {manifest.again(folder)}"
        )
    unread = Record(folder, {}, described["files"])
    return Record(folder, json.loads(unread.read(FILE)), described["files"])


def _plain(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").replace("−", "-").replace(" %", "%").split())


def _where(shown: Mapping[str, object]) -> str:
    return f"{shown['label']}, cell {shown['cell']}" if shown["label"] else f"cell {shown['cell']}"


def _origin(number: Mapping[str, object]) -> str:
    if "expression" not in number:
        return ""
    place = f"{number['notebook']}, cell {number['cell']}, line {number['line']}"
    return f"{number['expression']}  [{place}]"


def _hits(shown: Mapping[str, object]) -> Iterator[Hit]:
    """Numbers and columns; the whole, where there is neither."""
    where, said = _where(shown), shown["said"]
    for number in shown["numbers"]:
        through = list(number.get("through", ()))[-1:]
        sources = {"artifacts": through} if through else number.get("from", {})
        yield Hit(number["text"], where, said, _origin(number), sources)
    for column in shown.get("columns", ()):
        yield Hit(f"column {column['head']}", where, said, "", column["from"])
    if shown["kind"] == "figure" or not (shown["numbers"] or shown.get("columns")):
        yield Hit(f"the {shown['kind']}", where, said, shown["statement"], shown["from"])


def _places(shown: Mapping[str, object]) -> Iterator[Hit]:
    """Everything that can be looked for in one output."""
    yield from (hit for hit in _hits(shown) if not hit.text.startswith(("the ", "column ")))
    where, said = _where(shown), shown["said"]
    heads = shown.get("columns", ())
    for row in shown.get("rows", ()):
        for cell, column in zip(row, heads, strict=False):
            place = f"{where}, row {row[0]}, column {column['head']}"
            yield Hit(cell, place, said, "", column["from"])
    yield Hit(said, where, said, shown["statement"], shown["from"])
