"""The page that a committee signs: the headings of a model review, filled from the run itself."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from xcoll.workbook import dress, html

__all__ = ["FILE", "HEADINGS", "State", "page", "signature", "signed"]

FILE = "signoff.html"
TAG = "review:"
# What is decided, then what a review of a model asks for (Federal Reserve, SR 11-7, April 2011).
HEADINGS = (
    "Decision",
    "Purpose",
    "Data",
    "Theory",
    "Assumptions",
    "Limitations",
    "Outcome analysis",
    "Sensitivity",
    "Monitoring triggers",
)
HEADING_LINE = re.compile(r"^(#+)\s+(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class State:
    """One notebook of the chain, as the page lists it.

    Attributes
    ----------
    label, question : str
        Its name and what it answers.
    stale : bool
        What it rests on has changed since it ran.
    key : str
        Hash of everything that its result depends on.
    changed : tuple of (name, value, default, unit)
        Parameters that differ from their defaults.
    """

    label: str
    question: str
    stale: bool
    key: str
    changed: tuple[tuple[str, str, str, str], ...] = ()


def signed(described: Mapping[str, object]) -> str:
    """The list that a signature stands for: hash and path of every artifact, one a line.

    It is what ``sha256sum`` writes for the files under ``artifacts/``, sorted by path.
    """
    files = {
        f"artifacts/{step}/{file}": digest
        for step, made in described["steps"].items()
        for file, digest in made["artifacts"].items()
    }
    return "".join(f"{files[path]}  {path}\n" for path in sorted(files))


def signature(described: Mapping[str, object]) -> str:
    """SHA-256 of `signed`: one line on paper that fixes every number of the run."""
    return hashlib.sha256(signed(described).encode()).hexdigest()


def page(
    described: Mapping[str, object],
    notebooks: Mapping[str, NotebookNode],
    states: Sequence[State],
    *,
    links: Sequence[tuple[str, str]],
    footer: str,
) -> str:
    """The HTML of ``signoff.html``; equal runs give equal bytes.

    Parameters
    ----------
    described : mapping
        The manifest: ``run``, ``commit``, ``facts`` and ``steps``.
    notebooks : mapping
        Executed notebooks in the order of the chain; cells tagged ``review:purpose``,
        ``review:data`` … are shown under their heading, with what they computed.
    states : sequence of State
        The same notebooks.
    links, footer : as in `html.page`
    """
    sections = _sections(notebooks)
    facts = described["facts"]
    body = (
        html.environment()
        .get_template("signoff.html.j2")
        .render(
            run=described["run"],
            commit=described["commit"],
            code=facts["code"],
            data=facts["data"],
            states=states,
            sections=[(heading, sections[heading]) for heading in HEADINGS if heading in sections],
            missing=[heading for heading in HEADINGS if heading not in sections],
            signature=signature(described),
            artifacts=signed(described).count("\n"),
        )
    )
    article = dress.parse(body)
    contents = dress.dressed(article)
    return html.shell(
        str(article),
        title=f"Sign-off, run {described['run']}",
        links=links,
        footer=footer,
        current=FILE,
        contents=[entry for entry in contents if entry[0] == 2],
    )


def _sections(notebooks: Mapping[str, NotebookNode]) -> dict[str, str]:
    """HTML of the cells of all notebooks that are tagged for each heading, without their code.

    The last notebook, which is the report, speaks first.
    """
    cells, places = [], []
    *others, report = notebooks.items()
    for heading in HEADINGS:
        tag = TAG + heading.lower().replace(" ", "-")
        for name, notebook in (report, *others):
            for cell in notebook.cells:
                if tag in cell.metadata.get("tags", ()) and cell.source.strip():
                    cells.append(_below(cell, heading))
                    places.append((heading, name, cell.id))
    article = html.rendered(new_notebook(cells=cells))
    for part in article.find_all("details"):
        part.decompose()
    found: dict[str, list[str]] = {}
    for (heading, name, cell), section in zip(places, article.find_all("section"), strict=True):
        computed = "prose" not in section["class"]
        section.attrs.clear()
        parts = found.setdefault(heading, [])
        parts.append(str(section))
        if computed:
            label = name.replace("_", " ")
            link = f'<a href="{name}.html#cell-{cell}">{label}</a>'
            parts.append(f'<p class="from">Computed in {link}.</p>')
    return {heading: "\n".join(parts) for heading, parts in found.items()}


def _below(cell: NotebookNode, heading: str) -> NotebookNode:
    """The cell with its own headings under `heading`, which none of them repeats."""
    if cell.cell_type != "markdown":
        return cell

    def lower(found: re.Match[str]) -> str:
        words = found[2].strip().removeprefix(f"{heading}: ")
        words = words[:1].upper() + words[1:]
        return "" if words == heading else f"#{found[1]} {words}"

    return NotebookNode({**cell, "source": HEADING_LINE.sub(lower, cell.source)})
