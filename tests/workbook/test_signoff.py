"""The page that is signed: its headings, what it takes from the run, and the hash."""

import hashlib
import subprocess

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.workbook.tracing import picture, said, table
from xcoll.workbook.review import signoff

FILES = {"01_make": {"made.json": b"one", "b.parquet": b"two"}, "09_end": {"a.json": b"three"}}
RUN = {
    "run": "base",
    "commit": "0123456789abcdef",
    "facts": {"code": {"xcoll": "ab" * 32}, "data": {"data/prices.csv": "cd" * 32}},
    "steps": {
        step: {"artifacts": {name: hashlib.sha256(text).hexdigest() for name, text in made.items()}}
        for step, made in FILES.items()
    },
}
STATES = (
    signoff.State("01 make", "What?", False, "ef" * 32),
    signoff.State("09 end", "Sign?", False, "fe" * 32, (("level", "0.975", "0.99", "level"),)),
)


def cells():
    frame = pd.DataFrame({"asset": ["BTC"], "threshold": [0.78]})
    return [
        ("purpose", "## Purpose\n\nTo lend.", [], ["review:purpose"]),
        ("text", "## Outcome analysis: did it hold?\n\nSo.", [], ["review:outcome-analysis"]),
        ("held", "code()", [table(frame, "Held")], ["review:outcome-analysis"]),
        ("drawn", "draw();", [picture("It rose")], ["front", "review:sensitivity"]),
        ("end", "say()", [said("Lent 5 %.")], ["headline", "review:decision"]),
        ("other", "say()", [said("Not to be shown.")], ["headline"]),
    ]


def notebook(cells):
    made = []
    for name, source, outputs, tags in cells:
        new = new_markdown_cell if source.startswith("#") else new_code_cell
        more = {"outputs": outputs} if new is new_code_cell else {}
        made.append(new(source, id=name, metadata={"tags": tags}, **more))
    return new_notebook(cells=made)


def soup(run=RUN, states=STATES, notebooks=None):
    given = notebooks or {"01_make": notebook([]), "09_end": notebook(cells())}
    links = [("Report", "index.html"), ("Sign-off", signoff.FILE)]
    text = signoff.page(run, given, states, links=links, footer="run base")
    return BeautifulSoup(text, "html.parser")


def headings(page, kind="h2"):
    return [heading.get_text() for heading in page.find_all(kind)]


def test_the_headings_are_those_of_a_review_in_their_order():
    page = soup()
    assert headings(page) == ["Decision", "Purpose", "Outcome analysis", "Sensitivity", "Sign-off"]
    assert headings(page, "h3") == ["Did it hold?"]
    text = page.main.get_text()
    assert "This run says nothing under Data, Theory, Assumptions, Limitations, Monitoring" in text
    assert page.select_one("[aria-current]").get_text() == "Sign-off"


def test_a_heading_shows_what_the_tagged_cells_computed_and_no_code():
    page = soup()
    assert "Not to be shown" not in page.get_text()
    assert page.find("details", class_="code") is None
    assert [caption.get_text() for caption in page.select(".caption")][:2] == [
        "Table 1. Held",
        "Figure 1. It rose",
    ]
    froms = [link["href"] for link in page.select(".from a")]
    assert froms == [f"09_end.html#cell-{name}" for name in ("end", "held", "drawn")]
    assert len({tag["id"] for tag in page.find_all(id=True)}) == len(page.find_all(id=True))


def test_cells_of_any_notebook_are_taken_those_of_the_report_first():
    data = [("files", "say()", [said("3 files.")], ["review:data"])]
    later = [("more", "## Data\n\nMore of it.", [], ["review:data"])]
    page = soup(notebooks={"01_make": notebook(data), "09_end": notebook(later)})
    text = page.main.get_text()
    assert text.index("More of it.") < text.index("3 files.")
    assert "data/prices.csv" in text


def test_the_run_is_named_with_what_was_changed():
    page = soup()
    text = page.main.get_text()
    assert "base" in text
    assert "0123456789abcdef" in text
    rows = [[cell.get_text() for cell in row.find_all("td")] for row in page.select("tbody tr")]
    assert ["09 end", "level", "0.975", "0.99", "level"] in rows
    assert ["01 make", "What?", "fresh", "ef" * 6] in rows
    assert "Every parameter has its default." in soup(states=STATES[:1]).main.get_text()
    assert "Not to be signed" not in text


@pytest.mark.parametrize(
    ("stale", "word"), [((True, False), "01 make was"), ((True, True), "were")]
)
def test_a_stale_run_is_not_to_be_signed(stale, word):
    states = [
        signoff.State(s.label, s.question, old, s.key) for s, old in zip(STATES, stale, strict=True)
    ]
    text = " ".join(soup(states=states).main.get_text().split())
    assert "Not to be signed as it is" in text
    assert word in text


def test_the_signature_is_what_the_shell_says_of_the_artifacts(tmp_path):
    for step, files in FILES.items():
        folder = tmp_path / "artifacts" / step
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    page = soup()
    (command,) = (code.get_text() for code in page.select("p code") if "find" in code.get_text())
    said = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert said.stdout.split()[0] == signoff.signature(RUN)
    assert page.select_one(".signature").get_text() == signoff.signature(RUN)


def test_the_signature_moves_with_any_artifact():
    other = {**RUN, "steps": {**RUN["steps"], "09_end": {"artifacts": {"a.json": "0" * 64}}}}
    renamed = {**RUN, "steps": {**RUN["steps"], "09_end": {"artifacts": {"b.json": "0" * 64}}}}
    assert len({signoff.signature(run) for run in (RUN, other, renamed)}) == 3


def test_the_table_of_signatures_is_empty():
    rows = soup().select("table.sign tbody tr")
    assert [row.td.get_text() for row in rows] == [
        "model owner",
        "independent review",
        "risk committee",
    ]
    assert not any(cell.get_text() for row in rows for cell in row.find_all("td")[1:])


def test_equal_runs_give_equal_bytes():
    assert str(soup()) == str(soup())
