"""The first page of a report: what each notebook found, and what the numbers rest on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from nbformat import NotebookNode

from xcoll.workbook import dress, html
from xcoll.workbook.parameters import Parameter

__all__ = ["PageInfo", "State", "headlines", "page"]

State = Literal["fresh", "stale"]

NONE: Mapping[str, Sequence[Parameter]] = MappingProxyType({})
HEADLINE = "headline"
MOST = 3
GROUPS = {
    "data": ("Data", "file", "SHA-256"),
    "code": ("Code", "part", "SHA-256 of its sources"),
}


@dataclass(frozen=True)
class PageInfo:
    """One notebook of the report.

    Attributes
    ----------
    name : str
        As in the chain.
    file : str
        Its page beside the index.
    question : str
        What it answers.
    headlines : tuple of str
        Computed sentences, markdown.
    state : State
        "stale" where notebooks before it have changed since it ran.
    pdf : str or None
        Its print beside the index.
    """

    name: str
    file: str
    question: str
    headlines: tuple[str, ...]
    state: State
    pdf: str | None = None

    @property
    def label(self) -> str:
        """Number and words of the name: ``05 haircuts``."""
        return self.name.replace("_", " ")


def headlines(notebook: NotebookNode) -> tuple[str, ...]:
    """What an executed notebook found, as markdown sentences.

    What its cells tagged ``headline`` said; without such a cell, what it said first.
    """
    tagged = [cell for cell in notebook.cells if HEADLINE in cell.metadata.get("tags", ())]
    said = [
        output.data["text/markdown"]
        for cell in tagged or notebook.cells
        for output in cell.get("outputs", ())
        if "text/markdown" in output.get("data", ())
    ]
    return tuple(said[:MOST])


def page(
    run: Mapping[str, object],
    pages: Sequence[PageInfo],
    *,
    declared: Mapping[str, Sequence[Parameter]] = NONE,
    links: Sequence[tuple[str, str]] = (),
    more: Sequence[tuple[str, str]] = (),
) -> str:
    """The HTML of ``index.html``; it holds no clock, so equal runs give equal bytes.

    Parameters
    ----------
    run : mapping
        The manifest: ``run`` (its name), ``commit``, ``facts`` (group to item to value) and
        ``steps`` (notebook to a mapping that holds ``changed``, its parameters that differ
        from their defaults).
    pages : sequence of PageInfo
        The notebooks, in the order of the chain; the last one is the recommendation.
    declared : mapping, optional
        Notebook to its parameters, for the defaults and units of what was changed.
    links : sequence of (label, file name), optional
        Pages of the report, for the navigation bar.
    more : sequence of (label, file name), optional
        What stands beside the recommendation: the page that is signed.

    Raises
    ------
    RunError
        Where a headline holds a formula that cannot be set.
    """
    facts = run["facts"]
    commit, code = str(run["commit"])[:12], facts["code"]["xcoll"][:12]
    known = {(name, each.name): each for name in declared for each in declared[name]}
    changed = [
        (
            entry.label,
            name,
            html.shown(value),
            html.shown(known[entry.name, name].default) if (entry.name, name) in known else "–",
            known[entry.name, name].comment if (entry.name, name) in known else "–",
        )
        for entry in pages
        for name, value in run["steps"][entry.name]["changed"].items()
    ]
    body = (
        html.environment()
        .get_template("index.html.j2")
        .render(
            run=run["run"],
            versions=facts["versions"],
            commit=commit,
            more=more,
            pages=[(entry, [html.markdown(said) for said in entry.headlines]) for entry in pages],
            changed=changed,
            groups=[(*heads, facts[group]) for group, heads in GROUPS.items() if facts[group]],
        )
    )
    article = dress.parse(body)
    contents = dress.dressed(article)
    return html.shell(
        str(article),
        title=f"Calibration report, run {run['run']}",
        links=links,
        footer=f"xcoll run {run['run']}, commit {commit}, code {code}",
        current="index.html",
        contents=[entry for entry in contents if entry[0] == 2],
    )
