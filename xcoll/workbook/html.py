"""One self-contained HTML page of an executed notebook: nothing from afar, no clock, no chance."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType

import jinja2
from bs4 import BeautifulSoup
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath, MathInlineParser
from nbformat import NotebookNode

from xcoll.errors import RunError
from xcoll.workbook import dress
from xcoll.workbook.mathml import to_mathml
from xcoll.workbook.parameters import Parameter

__all__ = ["environment", "markdown", "page", "shell", "shown"]

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
    article = _article(notebook, parameters, changed)
    if article.h1 is None:
        heading = article.new_tag("h1")
        heading.string = title
        article.insert(0, heading)
    contents = dress.number_headings(article)
    dress.tables(article)
    dress.describe(article)
    dress.write_out_links(article)
    dress.hold_punctuation(article)
    return shell(
        str(article), title=title, links=links, footer=footer, current=current, contents=contents
    )


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


def _article(
    notebook: NotebookNode, parameters: Sequence[Parameter], changed: Mapping[str, object]
) -> BeautifulSoup:
    """The cells of the notebook as nbconvert renders them through the template."""
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
    exporter = _Exporter(template_name="report", extra_template_basedirs=[str(TEMPLATES)])
    text, _ = exporter.from_notebook_node(notebook, {"parameters": rows, "changed": count})
    article = dress.parse(text)
    dress.bring_forward(article)
    return article


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


class _Exporter(HTMLExporter):
    """nbconvert's exporter, with formulas set while the page is made."""

    @jinja2.pass_context
    def markdown2html(self, context: jinja2.runtime.Context, source: str) -> str:
        """HTML of markdown; an error names the cell."""
        cell = context.get("cell", {})
        try:
            return markdown(source, cell.get("attachments", {}))
        except RunError as fault:
            raise RunError(f"cell {cell.get('id', '?')}: {fault}") from fault
