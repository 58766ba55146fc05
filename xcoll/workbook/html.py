"""One self-contained HTML page of an executed notebook: nothing from afar, no clock, no chance."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

import jinja2
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter, TemplateExporter
from nbconvert.filters import DataTypeFilter, Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath, MathInlineParser
from nbformat import NotebookNode

from xcoll.errors import RunError
from xcoll.workbook import dress
from xcoll.workbook.mathml import to_mathml
from xcoll.workbook.parameters import Parameter

__all__ = ["article", "environment", "markdown", "page", "rendered", "shell", "shown"]

TEMPLATES = Path(__file__).parent / "template"
SHOWN = {
    "image/jpeg",
    "image/png",
    "image/svg+xml",
    "text/html",
    "text/latex",
    "text/markdown",
    "text/plain",
}
NOTHING: Mapping[str, object] = MappingProxyType({})


def page(
    notebook: NotebookNode,
    *,
    title: str,
    links: Sequence[tuple[str, str]],
    footer: str,
    current: str | None = None,
    parameters: Sequence[Parameter] = (),
    changed: Mapping[str, object] = NOTHING,
) -> str:
    """The HTML page of an executed notebook; equal notebooks give equal bytes.

    Parameters
    ----------
    notebook : NotebookNode
        Executed notebook, nbformat 4.5.
    title : str
        Title of the page; also its first heading where the notebook has none.
    links : sequence of (label, file name)
        Pages of the same report, for the navigation bar.
    footer : str
        Provenance line: under the page, and on every sheet of its print.
    current : str, optional
        File name of this page, marked in the navigation bar.
    parameters : sequence of Parameter, optional
        Shown as a table in the place of the cell tagged ``parameters``.
    changed : mapping, optional
        Values of this run that differ from the defaults, by name.

    Raises
    ------
    RunError
        For an output that a static page cannot show, a formula that cannot be set, and
        anything that would be loaded from another address.
    """
    made, contents = article(notebook, title, parameters=parameters, changed=changed)
    return shell(
        str(made), title=title, links=links, footer=footer, current=current, contents=contents
    )


def article(
    notebook: NotebookNode,
    title: str,
    *,
    parameters: Sequence[Parameter] = (),
    changed: Mapping[str, object] = NOTHING,
    prepare: Callable[[BeautifulSoup], None] | None = None,
) -> tuple[BeautifulSoup, list[tuple[int, str, str]]]:
    """The body of the page of an executed notebook, and its headings as (level, anchor, text).

    Parameters as in `page`, whose `shell` goes around it; `prepare` is done to the body before
    its tables and figures are.
    """
    made = rendered(notebook, parameters, changed)
    dress.bring_forward(made)
    if prepare is not None:
        prepare(made)
    if made.h1 is None:
        heading = made.new_tag("h1")
        heading.string = title
        made.insert(0, heading)
    return made, dress.dressed(made)


def shell(
    body: str,
    *,
    title: str,
    links: Sequence[tuple[str, str]],
    footer: str,
    current: str | None = None,
    contents: Sequence[tuple[int, str, str]] = (),
    sheets: Sequence[str] = ("report.css",),
) -> str:
    """A whole page around the HTML `body`; `contents` lists headings as (level, anchor, text).

    `sheets` are files of the folder of the templates, the later ones stronger.

    Raises
    ------
    RunError
        Where the page would load anything from another address.
    """
    text = (
        environment()
        .get_template("page.html.j2")
        .render(
            body=body,
            title=title,
            links=links,
            footer=footer,
            current=current,
            contents=[entry for entry in contents if entry[0] in (2, 3)],
            style="\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in sheets),
        )
    )
    dress.refuse_addresses(text, title)
    return text


def markdown(source: str, attachments: Mapping[str, object] = NOTHING) -> str:
    """HTML of notebook markdown, formulas as MathML."""
    renderer = _Renderer(escape=False, exclude_anchor_links=True, attachments=dict(attachments))
    return MarkdownWithMath(renderer, inline=_InlineParser(hard_wrap=False)).render(source)


@cache
def environment() -> jinja2.Environment:
    """The templates of the report's pages."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    made = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.filters["css_string"] = _css_string
    return made


def _css_string(text: str) -> str:
    """`text` as a CSS string that can stand inside a style element."""
    plain = " ".join(text.split())
    return '"' + re.sub(r'[\\"<>&]', lambda sign: f"\\{ord(sign[0]):06x}", plain) + '"'


def rendered(
    notebook: NotebookNode,
    parameters: Sequence[Parameter] = (),
    changed: Mapping[str, object] = NOTHING,
) -> BeautifulSoup:
    """The cells of the notebook as nbconvert renders them through the template, not dressed."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            kinds = set(output.get("data", ()))
            if kinds and not kinds & SHOWN:
                raise RunError(
                    f"cell {cell.id}: a page cannot show {', '.join(sorted(kinds))}; "
                    "draw with matplotlib or show a table"
                )
    rows = []
    for each in parameters:
        value = changed.get(each.name, each.default)
        differs = "changed" if value != each.default else "–"
        rows.append((each.name, shown(value), shown(each.default), each.comment, differs))
    count = sum(row[-1] == "changed" for row in rows)
    text, _ = _exporter().from_notebook_node(notebook, {"parameters": rows, "changed": count})
    return dress.parse(text)


def shown(value: object) -> str:
    """A parameter's value as a reader writes it on the command line."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)


class _InlineParser(MathInlineParser):
    """Dollar signs by pandoc's rule, so that "between $1.2M and $3M" stays money."""

    SPECIFICATION = MathInlineParser.SPECIFICATION | {
        "inline_math_tex": r"(?<![$\\])\$(?!\s)(?P<math_inline_tex>[^$]+?)(?<![\s\\])\$(?![\d$])"
    }


class _Renderer(IPythonRenderer):
    """Markdown with its formulas as MathML."""

    def block_math(self, body: str) -> str:
        return f'<span class="formula" tabindex="0">{to_mathml(body, block=True)}</span>'

    def inline_math(self, body: str) -> str:
        return to_mathml(body)

    def latex_environment(self, name: str, body: str) -> str:
        return self.block_math(f"\\begin{{{name}}}{body}\\end{{{name}}}")


@cache
def _exporter() -> HTMLExporter:
    """The exporter of all pages, whose templates are compiled once."""
    return _Exporter(template_name="report", extra_template_basedirs=[str(TEMPLATES)])


class _Exporter(HTMLExporter):
    """nbconvert's exporter, with formulas set while the page is made."""

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict | None = None, **options: object
    ) -> tuple[str, dict]:
        """The page, which `dress` reads as a tree: nbconvert would read and write it once more."""
        self.register_filter("highlight_code", Highlight2HTML("python", parent=self))
        self.register_filter("filter_data_type", DataTypeFilter(parent=self))
        return TemplateExporter.from_notebook_node(self, nb, resources, **options)

    @jinja2.pass_context
    def markdown2html(self, context: jinja2.runtime.Context, source: str) -> str:
        """HTML of markdown; an error names the cell."""
        cell = context.get("cell", {})
        try:
            return markdown(source, cell.get("attachments", {}))
        except RunError as fault:
            raise RunError(f"cell {cell.get('id', '?')}: {fault}") from fault
