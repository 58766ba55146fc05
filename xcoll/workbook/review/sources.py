"""The trace on a page: a folded line of sources under every output, a link at every number."""

import re
from collections.abc import Iterable, Mapping, Sequence

from bs4 import BeautifulSoup, NavigableString, Tag
from nbformat import NotebookNode

from xcoll.workbook import dress, html, tables
from xcoll.workbook.review.flow.values import Origin, Source, Sources
from xcoll.workbook.review.record import SHORT, Register
from xcoll.workbook.review.sentences import Number
from xcoll.workbook.review.trace import Exhibit, Trace

__all__ = ["fold", "labels", "link", "marked"]

# Letters of the private use area: markdown hands them through, and nobody writes them.
OPEN, MIDDLE, CLOSE = "\ue000", "\ue001", "\ue002"
MARK = re.compile(f"{OPEN}(\\d+){MIDDLE}([^{CLOSE}]*){CLOSE}")
OUTPUTS = ("said", "shown", "plot", "output")


def marked(notebook: NotebookNode, exhibits: Sequence[Exhibit]) -> NotebookNode:
    """A copy of an executed notebook whose sentences carry a mark at each number."""
    wanted = {(each.cell, each.said): each for each in exhibits if each.kind == "text"}

    def with_marks(cell: NotebookNode, output: NotebookNode) -> NotebookNode:
        data = output.get("data", {})
        said = tables.unspoken(data.get("text/markdown", ""))
        if (cell.id, said) not in wanted:
            return output
        text = tables.spoken(_with_marks(said, wanted[cell.id, said].numbers))
        return NotebookNode({**output, "data": NotebookNode({**data, "text/markdown": text})})

    cells = [
        NotebookNode({**cell, "outputs": [with_marks(cell, each) for each in cell.outputs]})
        if "outputs" in cell
        else cell
        for cell in notebook.cells
    ]
    return NotebookNode({**notebook, "cells": cells})


def _with_marks(said: str, numbers: Sequence[Number]) -> str:
    text = said
    for place, number in reversed([*enumerate(numbers)]):
        inside = f"{OPEN}{place}{MIDDLE}{number.text}{CLOSE}"
        text = text[: number.start] + inside + text[number.end :]
    return text


def link(article: BeautifulSoup, exhibits: Sequence[Exhibit]) -> None:
    """Turn the marks of `article` into links to the sources that `fold` puts there."""
    for exhibit, output in _outputs(article, exhibits):
        if exhibit.numbers:
            _link(article, output, _parts(exhibit))


def fold(
    article: BeautifulSoup,
    exhibits: Sequence[Exhibit],
    trace: Trace,
    register: Register,
    *,
    stale: bool = False,
) -> None:
    """Fold the sources under every output, and link the numbers of captions to them.

    A page that is `stale` was made before what it rests on, and says so.
    """
    template = html.environment().get_template("sources.html.j2")
    for exhibit, output in _outputs(article, exhibits):
        parts = _parts(exhibit)
        caption = _caption(output)
        if caption is not None and exhibit.numbers:
            said = dress.spaced(_with_marks(exhibit.said, exhibit.numbers))
            caption.contents[-1].replace_with(NavigableString(said))
            _link(article, caption, parts)
        everything = exhibit.sources.union(*(part["sources"] for part in parts))
        text = template.render(
            anchor=_anchor(exhibit),
            stale=stale,
            parts=[part | _words(part["sources"], exhibit.notebook, trace) for part in parts],
            artifacts=_artifacts(everything, trace, register),
            **_roots(trace.behind(everything), register),
        )
        output.insert_after(dress.Markup(text))


def labels(article: BeautifulSoup, exhibits: Sequence[Exhibit]) -> dict[tuple[str, int], str]:
    """Cell and place of each numbered output to its number: ``Table 3``."""
    captions = {(e.cell, e.place): _caption(output) for e, output in _outputs(article, exhibits)}
    return {at: made.span.get_text().rstrip(".") for at, made in captions.items() if made}


def _caption(output: Tag) -> Tag | None:
    return output.find(class_="caption")


def _outputs(article: BeautifulSoup, exhibits: Sequence[Exhibit]) -> Iterable[tuple[Exhibit, Tag]]:
    """Each exhibit with its place on the page; a cell's outputs stand there in their order."""
    sections = {part["id"]: part for part in article.find_all("section", id=True)}
    cells = {
        cell: [
            part
            for part in section.find_all(True, recursive=False)
            if {*OUTPUTS} & {*part.get("class", ())}
        ]
        for cell, section in sections.items()
    }
    for exhibit in exhibits:
        yield exhibit, cells[f"cell-{exhibit.cell}"][exhibit.place]


def _anchor(exhibit: Exhibit) -> str:
    return f"sources-{exhibit.cell}-{exhibit.place}"


def _parts(exhibit: Exhibit) -> list[dict[str, object]]:
    """Parts of an output that have sources of their own: expressions, columns, or the whole."""
    parts: list[dict[str, object]] = []

    def add(texts: list[str], numbers: list[int], sources: Sources, **more: object) -> None:
        anchor = f"{_anchor(exhibit)}-{len(parts)}"
        known = {"anchor": anchor, "expression": "", "made_in": None}
        whole = {"texts": texts, "numbers": numbers, "sources": sources, "typed": False}
        parts.append(known | whole | more)

    by_origin: dict[Origin | None, list[int]] = {}
    for place, number in enumerate(exhibit.numbers):
        by_origin.setdefault(number.origin, []).append(place)
    for origin, places in by_origin.items():
        texts = [exhibit.numbers[place].text for place in places]
        if origin is None:
            add(texts, places, frozenset(), typed=True)
            continue
        elsewhere = None
        if (origin.notebook, origin.cell) != (exhibit.notebook, exhibit.cell):
            elsewhere = _cell(origin.notebook, origin.cell)
        carried = frozenset(Source("artifact", name) for name in origin.through[-1:])
        add(texts, places, origin.sources, expression=origin.expression, made_in=elsewhere)
        parts[-1]["sources"] = carried or origin.sources
    by_sources: dict[Sources, list[str]] = {}
    for head, sources in zip(exhibit.heads, exhibit.columns, strict=True):
        by_sources.setdefault(sources, []).append(head)
    for sources, heads in by_sources.items():
        add(["every column"] if len(by_sources) == 1 else heads, [], sources)
    if exhibit.kind in ("figure", "value") or not parts:
        add([f"the {'figure' if exhibit.kind == 'figure' else 'text'}"], [], exhibit.sources)
    return parts


def _cell(notebook: str, cell: str) -> dict[str, str]:
    return {"name": notebook.replace("_", " "), "href": f"{notebook}.html#cell-{cell}"}


def _words(sources: Sources, notebook: str, trace: Trace) -> dict[str, object]:
    def named(kind: str) -> list[str]:
        return [s.name.removeprefix(f"{notebook}.") for s in sorted(sources) if s.kind == kind]

    artifacts = [
        {"name": name, "href": _cell(trace.writers[name], trace.saved(name).cell)["href"]}
        for name in named("artifact")
    ]
    kinds = {"files": "file", "parameters": "parameter", "run": "run"}
    return {"artifacts": artifacts, **{group: named(kind) for group, kind in kinds.items()}}


def _artifacts(sources: Sources, trace: Trace, register: Register) -> list[dict[str, str]]:
    made = []
    for name in (source.name for source in sorted(sources) if source.kind == "artifact"):
        writer, (file, digest) = trace.writers[name], register.artifacts[name]
        place = _cell(writer, trace.saved(name).cell)
        known = {"notebook": place["name"], "file": file, "hash": digest[:SHORT]}
        made.append({"name": name, "href": place["href"], **known})
    return made


def _roots(sources: Sources, register: Register) -> Mapping[str, object]:
    data = {register.data[source.name] for source in sources if source.kind == "file"}
    values: dict[str, list[str]] = {}
    for source in sorted(sources):
        if source.kind == "parameter":
            notebook, _, name = source.name.partition(".")
            said = f"{name} = {register.values[source.name]}"
            values.setdefault(notebook.replace("_", " "), []).append(said)
    return {
        "data": [(file, digest[:SHORT]) for file, digest in sorted(data)],
        "parameters": list(values.items()),
    }


def _link(article: BeautifulSoup, output: Tag, parts: Sequence[Mapping[str, object]]) -> None:
    """Make a link of every marked number inside `output`."""
    at = {number: part for part in parts for number in part["numbers"]}
    for text in output.find_all(string=MARK):
        made: list[NavigableString | Tag] = []
        end = 0
        for mark in MARK.finditer(text):
            part = at[int(mark[1])]
            number = article.new_tag("a", attrs={"class": ["traced"], "href": f"#{part['anchor']}"})
            number["title"] = "not computed" if part["typed"] else part["expression"]
            number.string = mark[2]
            made += [NavigableString(text[end : mark.start()]), number]
            end = mark.end()
        text.replace_with(*made, NavigableString(text[end:]))
