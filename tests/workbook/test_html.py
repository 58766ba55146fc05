import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from xcoll.errors import RunError
from xcoll.workbook import html, tables
from xcoll.workbook.mathml import to_mathml
from xcoll.workbook.parameters import Parameter

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
        "0000000049454e44ae426082"
    )
).decode()

HEADING = r"""# 05 Haircuts

**Question.** What follows? With $H = 1-\prod_k (1-h_k)$ and

$$\mathrm{ES}_\alpha = \mathbb{E}[L \mid L \ge \mathrm{VaR}_\alpha]$$

See the [docs](https://example.org/paper), or <https://example.org/data>."""


def shows(kind, content, metadata=None):
    return new_output("display_data", data={kind: content}, metadata=metadata or {})


def code(source, *outputs, id, tags=(), **metadata):
    return new_code_cell(
        source, outputs=list(outputs), id=id, metadata={"tags": list(tags), **metadata}
    )


@pytest.fixture
def notebook():
    frame = pd.DataFrame({"haircut": [0.12, 0.2], "why": ["thin", "deep"]}, index=["BTC", "ETH"])
    made = tables.to_html(frame, "Haircuts by asset", {"haircut": "percent"})
    return new_notebook(
        cells=[
            new_markdown_cell(HEADING, id="heading"),
            code("confidence: float = 0.99", id="defaults", tags=["parameters"]),
            code("confidence = 0.975", id="injected", tags=["injected-parameters"]),
            new_markdown_cell("## Result\n\n#### Detail", id="result"),
            code("print('<b>')", new_output("stream", name="stdout", text="<b>\n"), id="text"),
            code(
                "draw();",
                shows("image/png", PIXEL, {"image/png": {"width": 640, "height": 320}}),
                id="figure",
            ),
            code("say()", shows("text/markdown", "It rose from $1.2M to **$3M**."), id="say"),
            code("table()", shows("text/html", made), id="table"),
            code("frame", shows("text/html", frame.to_html()), id="frame"),
            new_markdown_cell("## Result", id="again"),
        ],
        metadata={"language_info": {"name": "python"}},
    )


def render(notebook, **options):
    given = {"title": "Haircuts", "links": [("Report", "index.html")], "footer": "run base"}
    return html.page(notebook, **(given | options))


def soup(notebook, **options):
    return BeautifulSoup(render(notebook, **options), "html.parser")


class Strict(HTMLParser):
    """Every element that is opened is closed, in order."""

    VOID = frozenset({"meta", "img", "br", "hr", "link", "input"})

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in self.VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_same_notebook_same_bytes(notebook):
    first = render(notebook)
    assert first == render(nbformat.from_dict(notebook))
    assert "Haircuts by asset" in first


def test_page_leaves_the_notebook_alone(notebook):
    before = nbformat.writes(notebook)
    render(notebook)
    assert nbformat.writes(notebook) == before


def test_elements_are_closed_in_order(notebook):
    parser = Strict()
    parser.feed(render(notebook))
    assert parser.open == []


def test_ids_are_unique(notebook):
    ids = [tag["id"] for tag in soup(notebook).find_all(id=True)]
    assert len(ids) > 5
    assert len(ids) == len(set(ids))


def test_nothing_comes_from_another_address(notebook):
    page = soup(notebook)
    addresses = [
        tag[name] for tag in page.find_all(True) for name in ("src", "href") if tag.has_attr(name)
    ]
    assert addresses
    assert not [text for text in addresses if re.match(r"\s*([a-z]+:)?//", text)]
    assert "url(" not in page.style.get_text()
    assert "@import" not in page.style.get_text()
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_links_to_other_addresses_become_text(notebook):
    text = soup(notebook).main.get_text()
    assert "docs (example.org/paper)" in text
    assert "or https://example.org/data." in text


@pytest.mark.parametrize(
    "raw",
    [
        '<img src="https://example.org/a.png">',
        '<img src="//example.org/a.png">',
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="HTTP://example.org/a.css">',
        '<iframe src=" https://example.org"></iframe>',
        "<style>@import 'https://example.org/a.css';</style>",
        '<div style="background: url(//example.org/a.png)">x</div>',
    ],
)
def test_content_from_another_address_is_refused(notebook, raw):
    notebook.cells.append(code("x", shows("text/html", raw), id="afar"))
    with pytest.raises(RunError, match=r"Haircuts.*(leaves the page|another address)"):
        render(notebook)


def test_code_is_folded_away_but_present(notebook):
    folded = soup(notebook).select("details.code")
    assert len(folded) == 7
    assert not any(part.has_attr("open") for part in folded)
    assert folded[2].summary.get_text() == "Code"
    assert "print('<b>')" in folded[2].get_text()


def test_text_output_is_escaped(notebook):
    page = soup(notebook)
    assert page.select_one("#cell-text pre.output").get_text() == "<b>\n"
    assert page.select_one("#cell-text b") is None


def test_formulas_are_mathml(notebook):
    page = soup(notebook)
    assert len(page.find_all("math")) == 2
    assert page.select_one(".formula math")["display"] == "block"
    assert "$" not in page.select_one("main section").get_text()


def test_sign_after_a_formula_stays_on_its_line(notebook):
    notebook.cells[0].source = "# T\n\nWith $h=1$, and $k$ too ($b$)."
    paragraph = soup(notebook).select_one("main p")
    held = [span.get_text() for span in paragraph.select(".held")]
    assert held == ["h=1,", "b)."]
    assert paragraph.get_text() == "With h=1, and k too (b)."


def test_money_is_not_a_formula(notebook):
    said = soup(notebook).select_one("#cell-say .said")
    assert said.get_text().strip() == "It rose from $1.2M to $3M."
    assert said.find("math") is None


def test_unknown_formula_names_the_cell(notebook):
    notebook.cells[0].source = r"# T" + "\n\n" + r"$\nonsense{x}$"
    with pytest.raises(RunError, match=r"cell heading: .*\\nonsense"):
        render(notebook)


def test_what_is_tagged_front_comes_right_under_the_heading(notebook):
    for cell in notebook.cells:
        if cell.id in ("result", "figure"):
            cell.metadata["tags"] = ["front"]
    page = soup(notebook)
    sections = page.select("article section, main section")
    heads = [section.find(["h1", "h2"]) for section in sections]
    assert heads[0].name == "h1"
    assert heads[1].get_text() == "Result"
    assert sections[2]["id"] == "cell-figure"


def test_parameters_table_shows_what_was_changed(notebook):
    page = soup(
        notebook,
        parameters=[
            Parameter("confidence", "float", 0.99, "fraction in (0, 1)"),
            Parameter("assets", "list[str]", ["BTC", "ETH"], "symbols"),
            Parameter("cap", "float | None", None, "dollars, <b>"),
        ],
        changed={"confidence": 0.975},
    )
    rows = [
        [cell.get_text() for cell in row.find_all("td")]
        for row in page.select("#cell-defaults .parameters tbody tr")
    ]
    assert rows == [
        ["confidence", "0.975", "0.99", "fraction in (0, 1)", "changed"],
        ["assets", "BTC, ETH", "BTC, ETH", "symbols", "–"],
        ["cap", "none", "none", "dollars, <b>", "–"],
    ]
    assert len(page.select("table.parameters")) == 1
    assert page.select("details.parameters")[0].summary.get_text() == "3 parameters, 1 changed"
    assert len(page.select("tr.changed")) == 1


def test_headings_in_order_with_contents(notebook):
    page = soup(notebook)
    headings = [(tag.name, tag["id"]) for tag in page.find_all(re.compile("^h[1-6]$"))]
    assert headings == [
        ("h1", "05-haircuts"),
        ("h2", "result"),
        ("h3", "detail"),
        ("h2", "result-2"),
    ]
    anchors = [link["href"] for link in page.select("aside a")]
    assert anchors == ["#result", "#detail", "#result-2"]


def test_title_stands_in_for_a_missing_heading():
    page = soup(new_notebook(cells=[new_markdown_cell("Text.", id="text")]), title="A & B")
    assert page.h1.get_text() == "A & B"
    assert page.title.get_text() == "A & B"
    assert page.find("aside") is None


def test_figure_has_size_and_description(notebook):
    image = soup(notebook).img
    assert (image["width"], image["height"]) == ("640", "320")
    assert image["alt"] == "It rose from $1.2M to $3M."


def test_description_from_metadata_or_heading(notebook):
    notebook.cells[5].metadata["alt"] = 'A "rising" line'
    notebook.cells.append(code("draw();", shows("image/png", PIXEL), id="last"))
    first, last = soup(notebook).find_all("img")
    assert first["alt"] == 'A "rising" line'
    assert last["alt"] == "Result"


def test_tables_have_one_look(notebook):
    ours, frame = soup(notebook).select(".xcoll-table-box")
    assert ours["aria-label"] == "Haircuts by asset"
    assert ours.select_one(".caption").get_text() == "Table 1. Haircuts by asset"
    assert [cell.get("class") for cell in ours.select("tbody tr:first-child td")] == [
        None,
        ["text", "short"],
    ]
    assert frame.table["class"] == ["xcoll-table"]
    assert frame.table.get("border") is None
    assert [head.get("class") for head in frame.select("thead th")] == [["text"], [], ["text"]]
    assert {head["scope"] for head in frame.select("thead th")} == {"col"}
    assert {head["scope"] for head in frame.select("tbody th")} == {"row"}
    assert frame.thead.find(style=True) is None
    assert frame.tbody.find(style=True) is None


def test_table_tells_the_style_sheet_its_width():
    frame = pd.DataFrame({"a long heading": [1.25], "why": ["x" * 90]}, index=["BTC"])
    cell = code("frame", shows("text/html", frame.to_html()), id="frame")
    table = soup(new_notebook(cells=[cell])).table
    assert table["style"] == f"--letters: {(3 + 3) + (3 + len('heading')) + (3 + 20)}"


def test_index_name_shares_the_row_of_the_columns():
    frame = pd.DataFrame({"haircut": [0.1]}, index=pd.Index(["BTC"], name="asset"))
    cell = code("frame", shows("text/html", frame.to_html()), id="frame")
    heads = [
        [head.get_text() for head in row.find_all("th")]
        for row in soup(new_notebook(cells=[cell])).select("thead tr")
    ]
    assert heads == [["asset", "haircut"]]


def test_output_that_a_page_cannot_show_is_refused(notebook):
    chart = shows("application/vnd.plotly.v1+json", {"data": []})
    notebook.cells.append(code("chart", chart, id="chart"))
    with pytest.raises(RunError, match=r"cell chart: .*plotly"):
        render(notebook)


def test_navigation_marks_this_page(notebook):
    page = soup(notebook, links=[("Report", "index.html"), ("05", "05.html")], current="05.html")
    assert page.select_one(".bar [aria-current]")["href"] == "05.html"
    assert page.html["lang"] == "en"
    assert page.find("meta", attrs={"name": "viewport"})


def test_footer_cannot_break_out_of_the_style(notebook):
    page = soup(notebook, footer='run "</style><script>" \\ x')
    assert page.footer.get_text() == 'run "</style><script>" \\ x'
    assert len(page.find_all("script")) == 1
    assert r"run \000022\00003c/style\00003e" in page.style.get_text()


def test_page_is_small(notebook):
    assert len(render(notebook)) < 40_000


@pytest.mark.parametrize(
    ("formula", "parts"),
    [
        (r"\mathrm{VaR}", ['<mi mathvariant="normal">VaR</mi>']),
        (r"a \sim b \pm c", ["<mo>∼</mo>", "<mo>±</mo>"]),
        (r"\mathbb{1}", ["𝟙"]),
        (r"\ln x", ['rspace="0.17em">ln</mo>']),
        (r"\ln (x)", ['rspace="0">ln</mo>']),
        (r"\max_i x", ['rspace="0.17em">max</mo>']),
        (r"\min\left(x, y\right)", ['rspace="0">min</mo>']),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", ["<mtable", "<mtd", "<mtr>"]),
        (r"x < y", ["&lt;"]),
        (r"x_{t-1} - 1", ['<mo lspace="0" rspace="0">−</mo>', "<mo>−</mo>"]),
        (r"|a/b|", ['<mo stretchy="false" lspace="0" rspace="0">|</mo>', ">/</mo>"]),
    ],
)
def test_formula(formula, parts):
    text = to_mathml(formula)
    assert text.startswith('<math display="inline">')
    assert all(part in text for part in parts)


def test_limits_stand_below_in_a_display_only():
    assert "<munder><mo " in to_mathml(r"\max_{i} x_i", block=True)
    assert "<munder>" not in to_mathml(r"\max_{i} x_i")
    assert "<msub><mi>x</mi>" in to_mathml(r"\max_{i} x_i", block=True)


@pytest.mark.parametrize(
    "formula",
    [
        r"\arg x",
        r"\left( x",
        r"x_1_2",
        r"\begin{matrix} a & b",
        r"\begin{nonsense} a & b \end{nonsense}",
        r"\frac{a}{b",
        r"\left",
        "",
    ],
)
def test_formula_that_cannot_be_set_is_an_error(formula):
    with pytest.raises(RunError, match="the formula"):
        to_mathml(formula)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_of_the_chain_becomes_a_page(path):
    page = soup(nbformat.read(path, as_version=4))
    headings = [int(tag.name[1]) for tag in page.find_all(re.compile("^h[1-6]$"))]
    assert headings.count(1) == 1
    assert page.find("math") is not None
    prose = " ".join(section.get_text() for section in page.select(".prose"))
    assert not re.search(r"\$[^$\d]", prose)


def test_tables_and_figures_are_numbered_with_their_captions(notebook):
    title = {"image/png": {"width": 640, "height": 320, "title": "It rose by 5%"}}
    notebook.cells.append(code("draw();", shows("image/png", PIXEL, title), id="titled"))
    notebook.cells.append(
        new_markdown_cell("## Who\n\n| a | b |\n|---|---|\n| 1 | 2 |", id="plain")
    )
    page = soup(notebook, parameters=[Parameter("confidence", "float", 0.99, "level")])
    captions = [caption.get_text() for caption in page.select(".caption")]
    assert captions == [
        "Parameters of this run",
        "Figure 1. It rose from $1.2M to $3M.",
        "Table 1. Haircuts by asset",
        "Table 2. Detail",
        "Figure 2. It rose by 5\u00a0%",
        "Table 3. Who",
    ]
    assert all(image.find_previous_sibling("figcaption") for image in page.find_all("img"))
    assert page.find_all("img")[1]["alt"] == "It rose by 5%"


def test_one_space_before_every_percent_sign(notebook):
    notebook.cells.append(new_markdown_cell("5%, 6 % and `7%`, 100%x.", id="percent"))
    text = soup(notebook).main.get_text()
    assert "5\u00a0%, 6\u00a0% and 7%, 100%x." in text


def test_words_before_silent_code_are_folded_with_it(notebook):
    notebook.cells.insert(1, new_markdown_cell("Libraries.", id="before"))
    notebook.cells.insert(2, code("import x", id="silent"))
    page = soup(notebook)
    (folded,) = [part for part in page.select("details.code") if "Libraries" in part.get_text()]
    assert "import x" in folded.get_text()
    assert not [part for part in page.select("section.prose") if "Libraries" in part.get_text()]
    assert [part.h2.get_text() for part in page.select(".prose.screen")] == []


def test_parameters_that_are_folded_away_leave_no_heading_on_paper(notebook):
    notebook.cells.insert(1, new_markdown_cell("## Parameters", id="heading-of"))
    given = [Parameter("confidence", "float", 0.99, "level")]
    assert soup(notebook, parameters=given).select_one(".screen h2").get_text() == "Parameters"
    changed = soup(notebook, parameters=given, changed={"confidence": 0.9})
    assert changed.select_one(".screen") is None


def test_paper_has_a_list_of_its_sections_behind_what_is_brought_forward(notebook):
    for name in ("One", "Two", "Three & more"):
        tags = ["front"] if name == "One" else []
        cell = new_markdown_cell(f"## {name}", id=name.split()[0].lower(), metadata={"tags": tags})
        notebook.cells.append(cell)
    page = soup(notebook)
    (listed,) = page.select("nav.paper")
    assert [link.get_text() for link in listed.find_all("a")] == [
        "One",
        "Result",
        "Result",
        "Two",
        "Three & more",
    ]
    assert all(page.find(id=link["href"][1:]) for link in listed.find_all("a"))
    assert listed.find_previous_sibling("section", class_="front").h2.get_text() == "One"
    assert listed.find_next_sibling("section").h2.get_text() == "Result"
    assert soup(new_notebook(cells=notebook.cells[:3])).select("nav.paper") == []
