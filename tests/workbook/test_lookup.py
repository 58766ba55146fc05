"""`xcoll trace`: a number of a finished run back to files, hashes and cells."""

import nbformat
import pytest

from tests.workbook.conftest import seal
from tests.workbook.tracing import FRAME, notebook, said, table, whole
from xcoll.workbook import artifacts, cli, fingerprint
from xcoll.workbook.review import lookup
from xcoll.workbook.review.record import Register, record

USE = (
    'rows = len(run.read("made")["said"])\nrun.table(run.read("made"), f"Caps at {level}")\n'
    'run.points([run.read("made")["said"], f"{rows} letters, 7 typed"])'
)
TEXT = "# The end\n\nAn interval of 90 % is meant."


@pytest.fixture
def reports(tmp_path, monkeypatch):
    """A finished run of two notebooks under ``reports/base``."""
    for folder in ("notebooks", "data"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("XCOLL_ROOT", str(tmp_path))
    folder = tmp_path / "reports" / "base"
    (folder / "artifacts" / "01_make").mkdir(parents=True)
    made = artifacts.write_json(folder / "artifacts" / "01_make" / "made.json", {"said": "x"})
    assert made is None
    digest = fingerprint.file(folder / "artifacts" / "01_make" / "made.json")
    outputs = [table(FRAME, "Caps at 0.99"), said("- 3 rows at 99%\n- 15 letters, 7 typed")]
    cells = [("text", TEXT), ("cell", USE, *outputs)]
    traced = whole(*cells)
    (folder / "notebooks").mkdir()
    nbformat.write(notebook(*cells), folder / "notebooks" / "02_use.ipynb")
    register = Register(
        {"made": ("artifacts/01_make/made.json", digest)},
        {"01_make.prices_file": ("data/prices.csv", "cd" * 32)},
        {"01_make.level": "0.99", "02_use.level": "0.99"},
    )
    content = record(traced, register, "02_use", {("cell", 0): "Table 1"})
    artifacts.write_json(folder / lookup.FILE, content)
    seal(folder)
    return tmp_path / "reports"


def told(reports, *arguments):
    return cli.main(["trace", *arguments, "--reports", str(reports)])


def test_every_number_is_listed_with_its_artifacts(reports, capsys):
    assert told(reports, "base") == 0
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    listed = [[part.strip() for part in line if part.strip()] for line in lines]
    assert listed[0] == ["number", "where", "expression", "from"]
    assert ["0.99", "Table 1, cell cell", "level", "02_use.level"] in listed
    assert ["column supply cap", "Table 1, cell cell", "–", "made"] in listed
    assert ["3", "cell cell", "len(frame)", "made"] in listed
    assert ["15", "cell cell", "len(run.read('made')['said'])", "made"] in listed
    assert ["7", "cell cell", "–", "typed"] in listed


def test_a_number_leads_to_file_hash_cell_and_data(reports, capsys):
    assert told(reports, "base", "15") == 0
    text = capsys.readouterr().out
    digest = fingerprint.file(reports / "base" / "artifacts" / "01_make" / "made.json")[:12]
    assert "made by     len(run.read('made')['said'])  [02_use, cell cell, line 1]" in text
    assert f"artifacts/01_make/made.json  {digest}  01_make, cell make, line 3" in text
    assert "data/prices.csv, SHA-256 cdcdcdcdcdcd  [01_make.prices_file]" in text
    assert "parameters  01_make: level = 0.99" in text


def test_what_is_equal_comes_before_what_only_holds_it(reports):
    record = lookup.load(reports, "base")
    assert [hit.text for hit in record.find("3")] == ["3"]
    assert len(record.find("letters")) == 1
    digest = fingerprint.file(reports / "base" / "artifacts" / "01_make" / "made.json")
    assert record.artifact("made")["sha256"] == digest


def test_a_number_that_another_notebook_wrote_leads_to_its_cell(reports, capsys):
    assert told(reports, "base", "99 %") == 0
    text = capsys.readouterr().out
    assert "level  [01_make, cell make, line 2]" in text
    assert "from        made" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1.00", "Table 1, cell cell, row BTC, column supply cap"),
        ("ETH", "Table 1, cell cell, row ETH, column asset"),
        ("letters", "letters"),
        ("Caps at", "Table 1, cell cell"),
        ("7", "it is typed there and not computed"),
        ("90 %", "the words of cell text"),
        ("90%", "the words of cell text"),
    ],
)
def test_cells_words_and_what_is_typed_are_found(reports, capsys, text, words):
    assert told(reports, "base", text) == 0
    assert words in capsys.readouterr().out


def test_what_is_nowhere_is_said(reports, capsys):
    assert told(reports, "base", "nowhere") == 2
    assert "shows 'nowhere' nowhere" in capsys.readouterr().err
    assert told(reports, "base", " ") == 2
    assert "is empty" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["other", "../base", ".base", ""])
def test_a_run_that_is_not_there(reports, capsys, name):
    assert told(reports, name) == 2
    text = capsys.readouterr().err
    assert "it holds base" in text or "give the name of one folder" in text


def damaged(name):
    def spoil(folder):
        path = folder / name
        path.write_bytes(path.read_bytes() + b" ")

    return spoil


DAMAGES = {
    "a changed artifact": (damaged("artifacts/01_make/made.json"), "made.json is not as the run"),
    "a missing artifact": (
        lambda folder: (folder / "artifacts/01_make/made.json").unlink(), "made.json is missing",
    ),
    "a changed trace": (damaged("trace.json"), "trace.json is not as the run"),
    "a missing trace": (lambda folder: (folder / "trace.json").unlink(), "trace.json is missing"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "it holds none"),
    "a broken manifest": (
        lambda folder: (folder / "manifest.json").write_text("{"), "manifest.json is cut short",
    ),
    "an empty manifest": (
        lambda folder: (folder / "manifest.json").write_text("{}"), "manifest.json lacks",
    ),
    "an older run": (lambda folder: seal(folder, files={}), "holds no trace"),
    "a newer run": (
        lambda folder: (folder / "manifest.json").write_text('{"schema": 99}'), "update xcoll",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_named_with_the_way_to_a_whole_one(reports, capsys, damage):
    spoil, words = DAMAGES[damage]
    spoil(reports / "base")
    assert told(reports, "base", "15") in (1, 2)
    text = capsys.readouterr().err
    assert words in text
    assert "Traceback" not in text
    if damage not in ("no manifest", "a newer run"):
        assert "xcoll run --name base" in text
