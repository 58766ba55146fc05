"""The readable side of a report: a page a notebook, an index, and the last notebook on paper."""

from collections.abc import Mapping
from pathlib import Path

import nbformat

from xcoll.workbook import html, index, pdf
from xcoll.workbook.plan import Plan
from xcoll.workbook.progress import Progress
from xcoll.workbook.store import Done

__all__ = ["write"]


def write(
    folder: Path,
    described: Mapping[str, object],
    plan: Plan,
    finished: Mapping[str, Done],
    progress: Progress,
) -> None:
    """Write ``index.html``, one page for each of `finished`, and a PDF of the last one.

    Parameters
    ----------
    folder : Path
        Report in the making; holds ``notebooks/`` already.
    described : mapping
        What the manifest says of the run.
    """
    links = [("Report", "index.html"), *((_label(name), f"{name}.html") for name in finished)]
    code = described["facts"]["code"]["xcoll"][:12]
    footer = f"xcoll run {described['run']}, commit {described['commit'][:12]}, code {code}"
    made = []
    for name, done in finished.items():
        notebook = nbformat.read(folder / "notebooks" / f"{name}.ipynb", as_version=4)
        page = html.page(
            notebook,
            title=plan.project.chain.steps[name].question,
            links=links,
            footer=footer,
            current=f"{name}.html",
            parameters=plan.declared[name],
            changed=done.record["changed"],
        )
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
        made.append(
            index.PageInfo(
                name=name,
                file=f"{name}.html",
                question=plan.project.chain.steps[name].question,
                headlines=index.headlines(notebook),
                state="stale" if name in described["stale"] else "fresh",
            )
        )
    (folder / "index.html").write_text(index.page(described, made), encoding="utf-8")
    last = list(plan.project.chain.steps)[-1]
    if last not in finished:
        return
    chromium = pdf.find_chromium()
    if chromium is None:
        progress.line("no Chromium on this machine: the HTML pages are the report, no PDF")
        return
    pdf.write(folder / f"{last}.html", folder / f"{last}.pdf", chromium=chromium)


def _label(name: str) -> str:
    number, _, words = name.partition("_")
    return f"{number} {words.replace('_', ' ')}"
