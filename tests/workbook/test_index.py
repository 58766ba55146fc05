import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_notebook, new_output

from xcoll.workbook import index
from xcoll.workbook.parameters import Parameter

PAGES = (
    index.PageInfo("01_market_data", "01_market_data.html", "Trust?", ("Twelve assets.",), "fresh"),
    index.PageInfo("05_haircuts", "05.html", "How much?", ("**BTC** $h=1$.",), "stale"),
    index.PageInfo("09_report", "09_report.html", "Sign?", ("Sign <b>.",), "fresh", "09.pdf"),
)
RUN = {
    "run": "base",
    "commit": "0123456789abcdef0123",
    "facts": {
        "code": {"xcoll": "ab" * 32},
        "data": {"data/prices.csv": "cd" * 32},
        "parameters": {"05_haircuts.confidence": "0.975"},
        "versions": {"numpy": "2.3.1", "pandas": "3.0.1"},
    },
    "steps": {
        "01_market_data": {"changed": {}, "seconds": 1.5},
        "05_haircuts": {"changed": {"confidence": 0.975}, "seconds": 2.5},
        "09_report": {"changed": {}, "seconds": 3.5},
    },
}
DECLARED = {"05_haircuts": [Parameter("confidence", "float", 0.99, "fraction in (0, 1)")]}


def soup(run=RUN, pages=PAGES, **options):
    return BeautifulSoup(index.page(run, pages, **options), "html.parser")


def rows(page, caption):
    box = page.find(attrs={"aria-label": caption})
    return [[cell.get_text() for cell in row.find_all("td")] for row in box.select("tbody tr")]


def said(text, *, tags=()):
    output = new_output("display_data", data={"text/markdown": text})
    return new_code_cell("say()", outputs=[output], metadata={"tags": list(tags)})


def test_every_notebook_is_linked_with_question_and_findings():
    page = soup()
    links = {link["href"] for link in page.select("main a")}
    assert links == {*(entry.file for entry in PAGES), "09.pdf"}
    assert [heading.get_text().strip() for heading in page.find_all("h2")] == [
        "Sign?",
        "What each notebook found",
        "What the numbers rest on",
    ]
    text = page.main.get_text()
    assert "How much?" in text
    assert "Twelve assets." in text
    assert page.main.find("math") is not None
    assert page.select_one(".said strong").get_text() == "BTC"


def test_the_page_that_is_signed_stands_beside_the_recommendation():
    page = soup(more=[("Sign-off", "signoff.html")])
    assert page.select_one(".first a[href='signoff.html']").get_text() == "Sign-off"


def test_stale_notebook_is_marked():
    marked = soup().select(".state")
    assert len(marked) == 1
    assert marked[0].parent.a["href"] == "05.html"


def test_changed_parameters_with_default_and_unit():
    caption = "Parameters changed from their defaults"
    assert rows(soup(declared=DECLARED), caption) == [
        ["05 haircuts", "confidence", "0.975", "0.99", "fraction in (0, 1)"]
    ]
    assert rows(soup(), caption)[0][3:] == ["–", "–"]


def test_nothing_changed_is_said():
    run = RUN | {"steps": {name: {"changed": {}} for name in RUN["steps"]}}
    assert "Every parameter has its default." in soup(run).main.get_text()


def test_hashes_versions_and_commit():
    page = soup()
    assert rows(page, "Data") == [["data/prices.csv", "cd" * 32]]
    assert rows(page, "Code") == [["xcoll", "ab" * 32]]
    text = " ".join(page.main.get_text().split())
    assert "Versions. numpy 2.3.1, pandas 3.0.1." in text
    assert "Git commit. 0123456789ab;" in text


def test_no_clock_and_same_bytes():
    later = RUN | {"steps": {name: {**step, "seconds": 9.0} for name, step in RUN["steps"].items()}}
    assert index.page(RUN, PAGES) == index.page(later | {"finished": "2031-01-01"}, PAGES)


def test_one_page_alone():
    page = soup(pages=PAGES[:1])
    assert page.h2.get_text().strip() == "Trust?"
    assert "What each notebook found" not in page.get_text()


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ([], ()),
        ([said("a"), said("b"), said("c"), said("d")], ("a", "b", "c")),
        ([said("a"), said("b", tags=["headline"]), said("c")], ("b",)),
    ],
)
def test_headlines(cells, found):
    assert index.headlines(new_notebook(cells=cells)) == found
