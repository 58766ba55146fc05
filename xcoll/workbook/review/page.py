"""A difference of two runs as a page: causes, numbers, sentences, and figures side by side."""

import os
from collections.abc import Iterator
from pathlib import Path

from xcoll.workbook import dress, html
from xcoll.workbook.project import DIFFS, Project
from xcoll.workbook.review import text, wording, words
from xcoll.workbook.review.differences import Difference, Result, Step
from xcoll.workbook.review.outputs import Changed, Shown

__all__ = ["artifacts", "dressed", "page", "write"]

SHEETS = ("report.css", "review/review.css")
SIDES = ("A", "B")


def write(found: Difference, here: Project, target: Path | None = None) -> Path:
    """Write the page to `target`, by default ``reports/diffs/A..B.html``, and return its path."""
    if target is None:
        target = here.reports / DIFFS / f"{found.a.name}..{found.b.name}.html"
    target = target.absolute()
    links = [("Differences", target.name)]
    for side, run in zip(SIDES, (found.a, found.b), strict=True):
        index = run.folder / "index.html"
        if index.is_file() and {here.reports} <= {*index.parents} & {*target.parents}:
            links.append(
                (f"{side}: {run.name}", Path(os.path.relpath(index, target.parent)).as_posix())
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_text(page(found, here, links), encoding="utf-8")
    return part.replace(target)


def page(found: Difference, here: Project, links: list[tuple[str, str]]) -> str:
    """The HTML; it holds no clock and no path of the machine, so equal runs give equal bytes.

    Raises
    ------
    RunError
        For a formula of a sentence that cannot be set.
    """
    steps = [_step(found, step, here) for step in found.steps if not step.silent]
    names = [run.name for run in (found.a, found.b)]
    body = (
        html.environment()
        .get_template("review/diff.html.j2")
        .render(
            names=names,
            commits=[run.manifest["commit"] for run in (found.a, found.b)],
            same=found.same,
            verdict=text.verdict(found),
            causes=list(_causes(found)),
            remarks=list(text.remarks(found)),
            steps=steps,
            equal=text.equal(found),
        )
    )
    title = f"{names[0]} against {names[1]}"
    return dressed(body, title, links, f"xcoll diff {' '.join(names)}")


def dressed(body: str, title: str, links: list[tuple[str, str]], footer: str) -> str:
    """A whole page of the reviewer around `body`."""
    article = dress.parse(body)
    contents = dress.number_headings(article)
    dress.tables(article)
    dress.write_out_links(article)
    dress.hold_punctuation(article)
    return html.shell(
        str(article),
        title=title,
        links=links,
        footer=footer,
        current=links[0][1] if links else None,
        contents=[entry for entry in contents if entry[0] == 2],
        sheets=SHEETS,
    )


def artifacts(results: tuple[Result, ...]) -> dict[str, list]:
    """Rows and notes of the artifacts that differ, as the templates take them."""
    rows, notes = [], []
    for result in results:
        if result.only:
            notes.append((result.name, f"only in {result.only}"))
        elif not result.same:
            rows += _rows(result)
            notes += [(result.name, note) for note in wording.notes(result.comparison)]
    return {"rows": rows, "notes": notes}


def _rows(result: Result) -> Iterator[tuple[str, ...]]:
    differing = f"{result.comparison.differing:,} of {result.comparison.numbers:,}"
    name = result.name
    for how, spot in text.furthest(result.comparison):
        yield name, how, *wording.both(spot), wording.where(spot), differing
        name, differing = "", ""


def _causes(found: Difference) -> Iterator[tuple[str, tuple[str, ...], list]]:
    for title, item, facts, note in (
        ("Parameters", "parameter", found.parameters, "default"),
        ("Data", "file", found.data, "what became of it"),
        ("Code", "part", found.code, ""),
        ("Versions", "package", found.versions, ""),
    ):
        heads = (item, "in A", "in B", *([note] if note else []))
        rows = [(fact.item, text.short(fact.a), text.short(fact.b), fact.note) for fact in facts]
        if rows:
            yield title, heads, [row[: len(heads)] for row in rows]


def _step(found: Difference, step: Step, here: Project) -> dict[str, object]:
    known = here.chain.steps.get(step.name)
    names = (found.a.name, found.b.name)
    label = step.name.replace("_", " ")
    return {
        "label": label,
        "question": known.question if known else "",
        "only": step.only,
        **artifacts(step.results),
        "sentences": [_sentence(each) for each in step.sentences],
        "figures": [
            {
                "heading": each.known.heading,
                "cell": each.known.cell,
                "sides": [
                    (side, name, shown and shown.content, shown and _said(shown))
                    for side, name, shown in zip(SIDES, names, (each.a, each.b), strict=True)
                ],
            }
            for each in step.figures
        ],
    }


def _sentence(each: Changed) -> dict[str, object]:
    shown = ("", "")
    if each.a and each.b:
        shown = words.marked(each.a.content, each.b.content)
    elif each.known:
        shown = tuple(html.markdown(side.content) if side else "" for side in (each.a, each.b))
    return {
        "heading": each.known.heading,
        "cell": each.known.cell,
        "sides": list(zip(SIDES, shown, strict=True)),
    }


def _said(shown: Shown) -> str:
    return html.markdown(shown.sentence) if shown.sentence else ""
