"""`xcoll diff` on runs made by hand: cause first, every number, bad input by name."""

import json
import shutil

import pytest

from xcoll.workbook import cli, dress, fingerprint, manifest
from xcoll.workbook.review import runs
from xcoll.workbook.review.differences import difference
from xcoll.workbook.review.numbers import Tolerance

FACTS = {
    "code": {"xcoll": "c" * 64, "chain": "d" * 64},
    "data": {"data/numbers.csv": "1" * 64},
    "parameters": {"01_load.data": "'data/numbers.csv'", "04_sum.digits": "3"},
    "versions": {"python": "3.11.0", "numpy": "2.4.6"},
}


def facts(**changed):
    return {group: items | changed.get(group, {}) for group, items in FACTS.items()}


def diff(capsys, *arguments):
    code = cli.main(["diff", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def before_and_after(project):
    return fingerprint.tree(project.reports)


def test_a_run_against_itself(make, capsys):
    make("a")
    code, out, _ = diff(capsys, "a", "a")
    assert code == 0
    assert "every artifact is equal" in out
    assert "2 artifacts to the byte" in out
    assert len(out.splitlines()) == 5
    page = make.folder("diffs") / "a..a.html"
    assert "Both rest on the same parameters, data, code and versions." in page.read_text()


def test_the_cause_stands_before_what_it_did(make, capsys):
    make("a", facts=facts())
    make(
        "b",
        total=13.0,
        sentence="The sum is **13.0**.",
        height=2.0,
        commit="f" * 40,
        facts=facts(
            data={"data/numbers.csv": "2" * 64},
            parameters={"04_sum.digits": "4"},
            versions={"numpy": "2.5.0"},
            code={"xcoll": "e" * 64},
        ),
    )
    content = manifest.read(make.folder("b"))
    content["steps"]["04_sum"]["changed"] = {"digits": 4}
    (make.folder("b") / manifest.FILE).write_text(json.dumps(content))
    code, out, _ = diff(capsys, "a", "b")
    assert code == 1
    lines = out.splitlines()
    causes = ["parameters", "data", "code", "versions", "other inputs", "artifacts", "equal"]
    places = [next(at for at, line in enumerate(lines) if line.startswith(w)) for w in causes]
    assert places == sorted(places)
    assert "04_sum.digits  3 | 4  default 3" in out
    assert "the file changed under the same name" in out
    assert "numpy  2.4.6 | 2.5.0" in out
    assert "1 of 1 number differ" in out
    assert "total  12 | 13" in out
    assert "figures      2 changed" in out
    assert "sentences    1 changed" in out


def test_tolerance_decides(make, capsys):
    make("a", total=1.0)
    make("b", total=1.0 + 1e-7)
    assert diff(capsys, "a", "b")[0] == 1
    code, out, _ = diff(capsys, "a", "b", "--rtol", "1e-6")
    assert code == 0
    assert "1 artifact to the byte, 1 more in the tolerance" in out
    assert diff(capsys, "a", "b", "--atol", "1e-6")[0] == 0


def test_both_directions_find_the_same(make, tiny):
    make("a", numbers=(1.0, float("nan"), 3.0))
    make("b", numbers=(1.0, 2.0, float("inf"), 4.0), total=1.0)
    a, b = (runs.find(name, tiny) for name in "ab")
    there, back = (difference(*pair, tiny.chain, Tolerance()) for pair in ((a, b), (b, a)))
    for one, other in zip(there.results, back.results, strict=True):
        assert one.comparison.differing == other.comparison.differing
        assert one.comparison.unlike == other.comparison.unlike
        assert one.comparison.rows == other.comparison.rows[::-1]
    assert there.results[0].comparison.unlike == 2


def test_an_artifact_without_rows(make, capsys):
    make("a", numbers=())
    make("b", numbers=(1.0,))
    assert diff(capsys, "a", "a")[0] == 0
    code, out, _ = diff(capsys, "a", "b")
    assert code == 1
    assert "1 row only in B" in out


def test_a_notebook_and_an_artifact_of_one_run_only(make, capsys):
    make("a")
    folder = make("b")
    shutil.rmtree(folder / "artifacts" / "01_load")
    (folder / "notebooks" / "01_load.ipynb").unlink()
    make.seal(folder)
    code, out, _ = diff(capsys, "a", "b")
    assert code == 1
    (folder / "artifacts" / "04_sum" / "more.json").write_text("{}")
    make.seal(folder)
    code, out, _ = diff(capsys, "a", "b")
    assert code == 1
    assert "only in A    1 of 2 notebooks: 01_load" in out
    assert "more.json" in out
    assert "only in B" in out
    assert "1 notebook only in one of the runs" in out


def test_all_lists_the_equal_ones_and_the_sentences(make, capsys):
    make("a")
    make("b", sentence="The sum is **13.0**.")
    code, out, _ = diff(capsys, "a", "b", "--all")
    assert code == 0
    assert "01_load/numbers.parquet  equal bytes" in out
    assert "every artifact is equal (rtol 1e-09, atol 0), but 0 figures and 1 sentence are" in out
    assert "A  The sum is **12.0**." in out
    assert "B  The sum is **13.0**." in out


def test_the_page_has_figures_side_by_side_and_marks_words(make, capsys, tmp_path):
    make("a")
    folder = make("b", height=2.0, sentence="The sum is **13.0**.")
    book = folder / "notebooks" / "01_load.ipynb"
    content = json.loads(book.read_text())
    content["cells"][1]["outputs"] = []
    book.write_text(json.dumps(content))
    make.seal(folder)
    path = tmp_path / "here" / "page.html"
    assert diff(capsys, "a", "b", "--html", str(path))[0] == 0
    text = path.read_text()
    assert diff(capsys, "a", "b")[0] == 0
    assert str(make.project.root) not in text
    page = dress.parse(text)
    twins = page.select(".twin")
    assert [len(twin.select("img")) for twin in twins] == [1, 2]
    assert "This run draws no such figure." in twins[0].get_text()
    assert [caption.get_text() for caption in twins[1].select("figcaption")] == ["Arun a", "Brun b"]
    assert twins[1].select(".said")[1].get_text().strip() == "The sum is 13.0."
    marks = [mark.get_text() for mark in page.select(".versions mark")]
    assert marks == ["12.0", "13.0"]
    again = text
    diff(capsys, "a", "b", "--html", str(path))
    assert path.read_text() == again
    links = dress.parse((make.folder("diffs") / "a..b.html").read_text()).select("header a")
    assert [link["href"] for link in links] == ["a..b.html", "../a/index.html", "../b/index.html"]


def test_code_that_was_edited_is_a_cause(make, capsys):
    make("a")
    folder = make("b")
    book = folder / "notebooks" / "04_sum.ipynb"
    book.write_text(book.read_text().replace("draw()", "draw(2)"))
    make.seal(folder)
    code, out, _ = diff(capsys, "a", "b")
    assert code == 0
    assert "04_sum: other code in draw" in out


def damaged(make, name, spoil):
    path = make.folder(name) / manifest.FILE
    path.write_text(spoil(path.read_text()))


def tampered(make):
    (make.folder("b") / "artifacts" / "04_sum" / "total.json").write_text('{"total": 0}')


def emptied(make):
    (make.folder("b") / "artifacts" / "01_load" / "numbers.parquet").unlink()


def unreadable(make):
    """Another content that is no parquet, and a manifest that knows it."""
    (make.folder("b") / "artifacts" / "01_load" / "numbers.parquet").write_bytes(b"PAR1")
    make.seal(make.folder("b"))


BAD = {
    "cut": (lambda make: damaged(make, "b", lambda text: text[:99]), "cut short"),
    "newer": (lambda make: damaged(make, "b", lambda text: '{"schema": 99}'), "update xcoll"),
    "keys": (lambda make: damaged(make, "b", lambda text: '{"schema": 1}'), "lacks 'began'"),
    "no manifest": (
        lambda make: (make.folder("b") / manifest.FILE).unlink(),
        "no manifest.json, so it is no finished run; make one with: xcoll run --name b",
    ),
    "tampered": (tampered, "1 file is changed (artifacts/04_sum/total.json)"),
    "missing": (emptied, "1 file is missing (artifacts/01_load/numbers.parquet)"),
    "unreadable": (unreadable, "numbers.parquet cannot be read"),
}


@pytest.mark.parametrize("which", BAD)
def test_a_damaged_run_is_named_and_nothing_is_touched(make, capsys, which):
    spoil, words = BAD[which]
    make("a")
    make("b")
    spoil(make)
    before = before_and_after(make.project)
    code, out, err = diff(capsys, "a", "b")
    assert code == 2
    assert words in err
    assert not out
    assert str(make.folder("b")) in err
    if which != "newer":
        assert "xcoll run --name b" in err
    assert before_and_after(make.project) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bsae", "did you mean base?"),
        ("other", "there are base; make one with: xcoll run --name other"),
        ("", "no run is called ''"),
    ],
)
def test_a_run_that_is_not_there(make, capsys, name, words):
    make("base")
    code, _, err = diff(capsys, "base", name)
    assert code == 2
    assert words in err


def test_a_run_is_found_by_its_folder_too(make, capsys, tmp_path, monkeypatch):
    folder = make("a")
    shutil.copytree(folder, tmp_path / "copy")
    code, out, _ = diff(capsys, "a", str(tmp_path / "copy"))
    assert code == 0
    assert out.splitlines()[1].split() == ["B", "copy", str(tmp_path / "copy")]
    monkeypatch.chdir(tmp_path)
    assert diff(capsys, "copy", "a")[0] == 0


@pytest.mark.parametrize("wrong", [("--rtol", "-1"), ("--atol", "nan")])
def test_a_tolerance_that_makes_no_sense(make, capsys, wrong):
    make("a")
    code, _, err = diff(capsys, "a", "a", *wrong)
    assert code == 2
    assert wrong[0] in err
