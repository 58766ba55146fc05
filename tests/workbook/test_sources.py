"""The trace on a page: numbers lead to folded sources, sources to pages and cells."""

from functools import partial

import pytest
from bs4 import BeautifulSoup

from tests.workbook.tracing import FRAME, notebook, picture, said, table, whole
from xcoll.workbook import html
from xcoll.workbook.review import sources
from xcoll.workbook.review.record import Register

REGISTER = Register(
    {"made": ("artifacts/01_make/made.json", "ab" * 32)},
    {"01_make.prices_file": ("data/prices.csv", "cd" * 32)},
    {"01_make.level": "0.99", "02_use.level": "0.5", "02_use.venue": "a"},
)
SAYS = (
    'x = run.read("made")\nplots.paths(x, f"{level} up");\n'
    'run.table(x.assign(cap_usd=level), f"At {level:.0%} of all")\n'
    'run.say(f"**{len(x)} rows**, {money(x)} and {level:.0%}; `{venue}` is 7.")\n'
    'run.points([x["said"], f"{level} too"])'
)
OUTPUTS = (
    table(FRAME, "At 50% of all"),
    said("**12 rows**, $1.50k and 50%; `a` is 7."),
    said("- 3 rows at 99%\n- 0.5 too"),
    picture("0.5 up"),
)


def page(*, stale=False, cells=(("cell", SAYS, *OUTPUTS),)):
    made = whole(*cells)
    exhibits = made.exhibits["02_use"]
    article, _ = html.article(
        sources.marked(notebook(*cells), exhibits),
        "Use",
        prepare=partial(sources.link, exhibits=exhibits),
    )
    labels = sources.labels(article, exhibits)
    sources.fold(article, exhibits, made, REGISTER, stale=stale)
    return BeautifulSoup(str(article), "html.parser"), labels


@pytest.fixture(scope="module")
def soup():
    return page()[0]


def test_every_number_of_a_sentence_is_a_link_to_its_entry(soup):
    links = soup.select(".said a.traced")
    shown = ["12", "$1.50k", "50\u00a0%", "7", "3", "99\u00a0%", "0.5"]
    assert [link.get_text() for link in links] == shown
    for link in links:
        entry = soup.find(id=link["href"][1:])
        number = link.get_text().replace("\u00a0", " ").replace(" %", "%")
        assert number in entry.strong.get_text().replace("\u00a0", " ").replace(" %", "%")
        assert entry.find_parent("details", class_="sources") is not None
    assert [link["title"] for link in links[:4]] == ["len(x)", "money(x)", "level", "not computed"]


def test_marks_are_gone_and_markdown_is_as_it_was(soup):
    text = str(soup)
    assert not any(sign in text for sign in (sources.OPEN, sources.MIDDLE, sources.CLOSE))
    (first, second) = soup.select(".said")
    assert first.strong.get_text() == "12 rows"
    assert first.get_text().strip() == "12 rows, $1.50k and 50\u00a0%; a is 7."
    assert [item.get_text() for item in second.find_all("li")] == ["3 rows at 99\u00a0%", "0.5 too"]


def test_captions_are_linked_too(soup):
    captions = [caption.get_text() for caption in soup.select(".caption")]
    assert captions == ["Table 1. At 50\u00a0% of all", "Figure 1. 0.5 up"]
    assert [link.get_text() for link in soup.select(".caption a.traced")] == ["50\u00a0%", "0.5"]


def test_every_output_folds_its_sources_right_under_it(soup):
    section = soup.find(id="cell-cell")
    kinds = [part.get("class", [part.name])[0] for part in section.find_all(True, recursive=False)]
    assert kinds == ["code", "shown", "sources", "said", "sources", "said", "sources", "plot"] + [
        "sources"
    ]
    assert not soup.select("details.sources[open]")


def test_sources_name_page_cell_file_hash_data_and_parameters(soup):
    first = soup.select("details.sources")[0]
    words = " ".join(first.get_text().split())
    links = {link.get_text(): link["href"] for link in first.find_all("a")}
    assert links == {"made": "01_make.html#cell-make"}
    assert "artifacts/01_make/made.json, SHA-256 abababababab" in words
    assert "data/prices.csv (cdcdcdcdcdcd)" in words
    assert "01 make: level = 0.99" in words
    assert "02 use: level = 0.5" in words
    assert "supply cap, from parameter level." in words
    assert "asset, why, from made." in words


def test_a_number_from_another_notebook_names_its_expression_and_its_cell(soup):
    entry = soup.find(id=soup.select(".said a.traced")[4]["href"][1:])
    words = " ".join(entry.get_text().split())
    assert words == "3 is len(frame) in 01 make, from made."
    assert entry.find_all("a")[0]["href"] == "01_make.html#cell-make"


def test_ids_are_unique(soup):
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))


def test_labels_are_those_of_the_page():
    assert page()[1] == {("cell", 0): "Table 1", ("cell", 3): "Figure 1"}


def test_a_stale_page_says_so():
    assert "Stale: this was made from earlier files" in page(stale=True)[0].get_text()
    assert "Stale" not in page()[0].get_text()


def test_equal_notebooks_give_equal_pages():
    assert str(page()[0]) == str(page()[0])


def test_the_notebook_stays_as_it_was():
    cells = (("cell", SAYS, *OUTPUTS),)
    given = notebook(*cells)
    before = str(given)
    sources.marked(given, whole(*cells).exhibits["02_use"])
    assert str(given) == before
