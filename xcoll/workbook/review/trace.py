"""Every number of a run, back to the artifacts, the cells, the parameters and the files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bs4 import BeautifulSoup
from nbformat import NotebookNode

from xcoll.errors import RunError
from xcoll.workbook import tables
from xcoll.workbook.chain import Chain
from xcoll.workbook.review.flow.notebook import Flow, follow
from xcoll.workbook.review.flow.values import (
    NOTHING,
    Origin,
    Saved,
    Shown,
    Source,
    Sources,
    Value,
    retold,
)
from xcoll.workbook.review.sentences import Number, numbers, pieces

__all__ = ["Exhibit", "Trace", "trace"]

KINDS = {"image/": "figure", "text/html": "table", "text/markdown": "text"}


@dataclass(frozen=True)
class Exhibit:
    """One output of a cell.

    Attributes
    ----------
    notebook, cell, place : str, str, int
        Where it stands; `place` counts the outputs of the cell from 0.
    kind : {"text", "table", "figure", "value"}
        What it is.
    statement : str
        The call that made it; "" where several may have.
    said : str
        Sentence, caption or title.
    sources : frozenset of Source
        What it rests on as a whole.
    numbers : tuple of Number
        Those of `said`.
    heads : tuple of str
        Heads of a table's columns.
    columns : tuple of frozenset
        What each of them rests on.
    rows : tuple of tuple of str
        Its cells as they are shown.
    """

    notebook: str
    cell: str
    place: int
    kind: str
    statement: str
    said: str
    sources: Sources
    numbers: tuple[Number, ...] = ()
    heads: tuple[str, ...] = ()
    columns: tuple[Sources, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Trace:
    """What each notebook of a run shows and saves, and from what.

    Attributes
    ----------
    flows : mapping
        Notebook to its flow.
    exhibits : mapping
        Notebook to its outputs, in order.
    writers : mapping
        Artifact to the notebook that saves it.
    """

    flows: Mapping[str, Flow]
    exhibits: Mapping[str, Sequence[Exhibit]]
    writers: Mapping[str, str]

    def saved(self, artifact: str) -> Saved:
        """The statement that saves `artifact`."""
        return self.flows[self.writers[artifact]].saved[artifact]

    def behind(self, sources: Iterable[Source]) -> Sources:
        """Everything that `sources` rest on in the end, themselves included."""
        found: set[Source] = set()
        left = list(sources)
        while left:
            source = left.pop()
            if source in found:
                continue
            found.add(source)
            if source.kind == "artifact":
                left += self.saved(source.name).value.sources
        return frozenset(found)

    def check(self, notebook: str) -> None:
        """Refuse a report with a number that cannot be followed.

        Raises
        ------
        RunError
            Naming cell, line and what it is.
        """
        faults = [f"cell {p.cell}, line {p.line}: {p.what}" for p in self.flows[notebook].problems]
        for exhibit in self.exhibits[notebook]:
            if not exhibit.sources:
                faults.append(f"cell {exhibit.cell}: {exhibit.said!r} rests on nothing")
            faults += [
                f"cell {exhibit.cell}: {number.text!r} of {number.origin.expression} has no source"
                for number in exhibit.numbers
                if number.origin and not number.origin.sources
            ]
        if faults:
            raise RunError(
                f"numbers of {notebook} cannot be followed to where they come from:\n  "
                + "\n  ".join(faults)
                + "\nread artifacts by run.read with a name that is written down, and move what "
                "is not followed into the package"
            )


def trace(
    chain: Chain, notebooks: Mapping[str, NotebookNode], files: Mapping[str, Iterable[str]]
) -> Trace:
    """Follow every number of the executed `notebooks`, which come in the order of the chain.

    Parameters
    ----------
    files : mapping
        Notebook to its parameters that hold the path of a file.
    """
    flows: dict[str, Flow] = {}
    writers: dict[str, str] = {}
    exhibits: dict[str, list[Exhibit]] = {}

    def artifact(reader: str, name: str) -> Value | None:
        if writers.get(name) not in chain.upstream(reader):
            return None
        return _read(name, flows[writers[name]].saved[name].value)

    for step, notebook in notebooks.items():
        flows[step] = follow(notebook, step, partial(artifact, step), files[step])
        writers |= dict.fromkeys(flows[step].saved, step)
        exhibits[step] = _exhibits(step, notebook, flows[step].shown)
    return Trace(flows, exhibits, writers)


def _read(name: str, saved: Value) -> Value:
    """An artifact as another notebook reads it: a source of its own, with its sentences."""
    source = frozenset({Source("artifact", name)})
    said = {key: part.template() for key, part in saved.fields.items() if saved.closed}
    fields = {key: Value(source, text=retold(text, name)) for key, text in said.items() if text}
    return Value(source, fields=fields)


def _exhibits(name: str, notebook: NotebookNode, shown: Sequence[Shown]) -> list[Exhibit]:
    made = []
    for cell in notebook.cells:
        here = [each for each in shown if each.cell == cell.id]
        drawn = [each for each in here if each.kind == "figure"]
        left = [each for each in here if each.kind != "figure"]
        outputs = [_output(output) for output in cell.get("outputs", ())]
        if sum(kind == "figure" for kind, _ in outputs) != len(drawn):
            drawn = []  # drawn in a loop, or in a way of its own: any of the cell's statements
        for place, (kind, data) in enumerate(outputs):
            if not kind:
                continue
            said = _said(kind, data)
            of_kind = drawn if kind == "figure" else [each for each in left if each.kind == kind]
            one = next((each for each in of_kind if _fits(each, said)), None)
            if one is not None and kind == "figure":
                drawn.remove(one)
            elif one is not None and not one.repeats:
                left = left[left.index(one) + 1 :]
            made.append(_exhibit(name, cell.id, place, kind, said, data, one, here))
    return made


def _exhibit(
    name: str, cell: str, place: int, kind: str, said: str, data: object, one: Shown | None,
    several: Sequence[Shown],
) -> Exhibit:  # fmt: skip
    statement = one.expression if one else ""
    sources = one.sources if one else NOTHING.union(*(each.sources for each in several))
    line = one.line if one else 1
    whole = Origin(name, cell, line, statement or f"cell {cell}", sources)
    found = tuple(numbers(one.text if one else (), said, whole))
    made = Exhibit(name, cell, place, kind, statement, said, sources, found)
    if kind != "table":
        return made
    table = BeautifulSoup(str(data), "html.parser")
    heads = tuple(head.get_text() for head in table.select("thead th"))
    names = tuple(head.get("data-name", head.get_text()) for head in table.select("thead th"))
    rows = tuple(
        tuple(part.get_text() for part in row.find_all(["td", "th"]))
        for row in table.select("tbody tr")
    )
    known = one.table if one else Value(sources)
    columns = tuple(known.column(each).sources or sources for each in names)
    return Exhibit(name, cell, place, kind, statement, said, sources, found, heads, columns, rows)


def _output(output: NotebookNode) -> tuple[str, NotebookNode | str]:
    """Kind and content of an output; "" where it shows no result."""
    data = output.get("data", {})
    for start, kind in KINDS.items():
        for form, content in data.items():
            if form.startswith(start):
                return kind, output if kind == "figure" else content
    return ("value", data["text/plain"]) if "text/plain" in data else ("", "")


def _said(kind: str, data: NotebookNode | str) -> str:
    """What an output says, as it was written before `Run.say` set its signs."""
    if kind == "text":
        return tables.unspoken(str(data))
    if kind == "table":
        caption = BeautifulSoup(str(data), "html.parser").caption
        return caption.get_text() if caption else ""
    if kind == "figure":
        every = [part.get("title", "") for part in data.get("metadata", {}).values()]
        return next(filter(None, every), "")
    return ""


def _fits(shown: Shown, said: str) -> bool:
    if not shown.text or not said:
        return True
    return shown.kind == "figure" or pieces(shown.text, said) is not None
