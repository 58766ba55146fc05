"""The readable side of a report: a page a notebook, an index, and the last notebook on paper."""

from collections.abc import Mapping
from pathlib import Path

import nbformat

from xcoll.errors import RunError
from xcoll.workbook import html, index, pdf
from xcoll.workbook.plan import Plan
from xcoll.workbook.progress import Progress
from xcoll.workbook.store import Done

__all__ = ["paper", "write"]


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
    links = [
        ("Report", "index.html"),
        *((name.replace("_", " "), f"{name}.html") for name in finished),
    ]
    code = described["facts"]["code"]["xcoll"][:12]
    footer = f"xcoll run {described['run']}, commit {described['commit'][:12]}, code {code}"
    chain = plan.project.chain
    notebooks = {}
    for name, done in finished.items():
        notebooks[name] = nbformat.read(folder / "notebooks" / f"{name}.ipynb", as_version=4)
        page = html.page(
            notebooks[name],
            title=chain.steps[name].question,
            links=links,
            footer=footer,
            current=f"{name}.html",
            parameters=plan.declared[name],
            changed=done.record["changed"],
        )
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    last = list(chain.steps)[-1]
    printed = paper(folder, last, plan.project.reports, progress) if last in finished else None
    infos = [
        index.PageInfo(
            name=name,
            file=f"{name}.html",
            question=chain.steps[name].question,
            headlines=index.headlines(notebook),
            state="stale" if name in described["stale"] else "fresh",
            pdf=printed if name == last else None,
        )
        for name, notebook in notebooks.items()
    ]
    page = index.page(described, infos, declared=plan.declared)
    (folder / "index.html").write_text(page, encoding="utf-8")


def paper(folder: Path, name: str, reports: Path, progress: Progress) -> str | None:
    """File name of the PDF of page `name`; None, and a line that says so, without one."""
    chromium = pdf.find_chromium()
    if chromium is None:
        progress.line("no Chromium on this machine: the HTML pages are the report, no PDF")
        return None
    log = reports / ".logs" / "pdf.log"
    log.parent.mkdir(exist_ok=True)
    try:
        pdf.write(folder / f"{name}.html", folder / f"{name}.pdf", chromium=chromium, log=log)
    except RunError as error:
        progress.line(f"no PDF, the HTML pages are the report: {error}")
        return None
    return f"{name}.pdf"
