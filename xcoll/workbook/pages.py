"""The readable side of a report: a page a notebook, an index, a page to sign, and paper."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nbformat

from xcoll.errors import RunError
from xcoll.workbook import artifacts, html, index, pdf
from xcoll.workbook.plan import Plan
from xcoll.workbook.progress import Progress
from xcoll.workbook.review import lookup, signoff, sources
from xcoll.workbook.review.record import Register, record
from xcoll.workbook.review.trace import trace
from xcoll.workbook.store import Done

__all__ = ["paper", "write"]


def write(
    folder: Path,
    described: Mapping[str, object],
    plan: Plan,
    finished: Mapping[str, Done],
    progress: Progress,
) -> None:
    """Write ``index.html``, one page for each of `finished`, and what belongs to the last one.

    That is ``signoff.html``, a PDF of both where Chromium is installed, and ``trace.json``, which
    says of every number of the last notebook where it comes from.

    Parameters
    ----------
    folder : Path
        Report in the making; holds ``notebooks/`` already.
    described : mapping
        What the manifest says of the run.

    Raises
    ------
    RunError
        Where a page cannot show something, or a number of the last notebook cannot be followed.
    """
    chain, made_by = plan.project.chain, plan.recorded(finished)
    last = list(chain.steps)[-1]
    whole = last in finished
    ends = [(_label(last), f"{last}.html"), ("Sign-off", signoff.FILE)] if whole else []
    others = [(_label(name), f"{name}.html") for name in finished if name != last]
    links = [("Report", "index.html"), *ends, *others]
    code = described["facts"]["code"]["xcoll"][:12]
    footer = f"xcoll run {described['run']}, commit {described['commit'][:12]}, code {code}"
    notebooks = {
        name: nbformat.read(folder / "notebooks" / f"{name}.ipynb", as_version=4)
        for name in finished
    }
    followed = trace(chain, notebooks, {name: made_by.files(name) for name in finished})
    register = Register.of(made_by, described)
    if whole:
        followed.check(last)

    def page(name: str) -> None:
        exhibits = followed.exhibits[name]
        article, contents = html.article(
            sources.marked(notebooks[name], exhibits),
            chain.steps[name].question,
            parameters=plan.declared[name],
            changed=finished[name].record["changed"],
            prepare=partial(sources.link, exhibits=exhibits),
        )
        stale = name in described["stale"]
        if name == last:
            labels = sources.labels(article, exhibits)
            content = record(followed, register, name, labels, stale=stale)
            artifacts.write_json(folder / lookup.FILE, content)
        sources.fold(article, exhibits, followed, register, stale=stale)
        text = html.shell(
            str(article),
            title=chain.steps[name].question,
            links=links,
            footer=footer,
            current=f"{name}.html",
            contents=contents,
        )
        (folder / f"{name}.html").write_text(text, encoding="utf-8")

    with ThreadPoolExecutor(max_workers=2) as printers:  # Chromium prints while others are made
        printed = {}
        if whole:
            page(last)
            states = [_state(plan, described, finished[name]) for name in finished]
            text = signoff.page(described, notebooks, states, links=links, footer=footer)
            (folder / signoff.FILE).write_text(text, encoding="utf-8")
            for name in (last, Path(signoff.FILE).stem):
                printed[name] = printers.submit(paper, folder, name, plan.project.reports, progress)
        for name in notebooks:
            if name != last:
                page(name)
    papers = {name: one.result() for name, one in printed.items()}
    infos = [
        index.PageInfo(
            name=name,
            file=f"{name}.html",
            question=chain.steps[name].question,
            headlines=index.headlines(notebook),
            state="stale" if name in described["stale"] else "fresh",
            pdf=papers.get(name),
        )
        for name, notebook in notebooks.items()
    ]
    signed = papers.get(Path(signoff.FILE).stem)
    more = [*ends[1:], *([("Sign-off on paper (PDF)", signed)] if signed else [])]
    text = index.page(described, infos, declared=plan.declared, links=links, more=more)
    (folder / "index.html").write_text(text, encoding="utf-8")


def _label(name: str) -> str:
    return name.replace("_", " ")


def _state(plan: Plan, described: Mapping[str, object], done: Done) -> signoff.State:
    """What the sign-off page says of one notebook."""
    declared = {each.name: each for each in plan.declared[done.notebook]}
    changed = [
        (name, html.shown(value), html.shown(declared[name].default), declared[name].comment)
        for name, value in done.record["changed"].items()
        if name in declared
    ]
    question = plan.project.chain.steps[done.notebook].question
    stale = done.notebook in described["stale"]
    return signoff.State(_label(done.notebook), question, stale, done.key, tuple(changed))


def paper(folder: Path, name: str, reports: Path, progress: Progress) -> str | None:
    """File name of the PDF of page `name`; None, and a line that says so, without one."""
    chromium = pdf.find_chromium()
    if chromium is None:
        progress.line("no Chromium on this machine: the HTML pages are the report, no PDF")
        return None
    log = reports / ".logs" / f"{name}.pdf.log"
    log.parent.mkdir(exist_ok=True)
    try:
        pdf.write(folder / f"{name}.html", folder / f"{name}.pdf", chromium=chromium, log=log)
    except RunError as error:
        progress.line(f"no PDF, the HTML pages are the report: {error}")
        return None
    return f"{name}.pdf"
