"""What a replica proves, on replicas made by hand."""

import json
import shutil

import pytest

from tests.workbook.review.conftest import Maker
from xcoll.workbook import dress, manifest
from xcoll.workbook.review import certificate, runs
from xcoll.workbook.review.certificate import Certificate, certify
from xcoll.workbook.review.runs import Run


@pytest.fixture
def pair(make, tmp_path):
    """A run, and a function that certifies a copy of it after `spoil` changed the copy."""
    folder = make("base")

    def certified(spoil=lambda folder: None, name="replica", **given):
        copy = tmp_path / "scratch" / name
        shutil.copytree(folder, copy)
        spoil(copy)
        described = Maker.seal(copy, **given)
        run = runs.find("base", make.project)
        blank = Certificate(run.name, run.manifest["commit"], "commit abc", "this")
        return certify(run, Run(copy, described), list(make.project.chain.steps), blank)

    return folder, certified


def put(path, text):
    def spoil(folder):
        (folder / path).write_text(text)

    return spoil


def test_equal_bytes_are_proven(pair):
    _, certified = pair
    found = certified()
    assert found.proven
    assert found.equal == {"artifact": 2, "executed notebook": 2, "page": 1}
    assert not found.causes
    words = certificate.verdict(found)
    assert words.startswith("proven: built again from commit abc")
    assert words.endswith("5 files are equal to the byte")


def test_a_number_that_differs_is_shown_with_its_cause(pair):
    _, certified = pair
    facts = manifest.read(pair[0])["facts"]
    facts["versions"]["python"] = "3.12.0"
    found = certified(put("artifacts/04_sum/total.json", '{"total": 12.5}'), facts=facts)
    assert not found.proven
    assert found.differing == ("artifacts/04_sum/total.json",)
    assert found.causes[0] == "versions: python 3.11.0 then, 3.12.0 now"
    assert found.causes[-1].startswith("the first notebook that differs is 04_sum")
    assert found.results["04_sum"][0].comparison.differing == 1
    said = "\n".join(certificate.lines(found))
    assert "total  12 | 12.5" in said
    assert "verdict      not equal" in said


def test_other_bytes_of_equal_numbers_are_told_from_other_numbers(pair):
    _, certified = pair
    found = certified(put("artifacts/04_sum/total.json", '{"total":12.0}'))
    assert not found.proven
    assert found.causes[0].startswith("nothing that the manifest records explains it")
    assert "every number is equal; only the bytes" in "\n".join(certificate.lines(found))


def test_what_is_missing_and_what_is_new(pair):
    _, certified = pair

    def spoil(folder):
        (folder / "index.html").unlink()
        (folder / "more.html").write_text("")

    found = certified(spoil)
    assert (found.missing, found.extra) == (("index.html",), ("more.html",))
    assert not found.proven


def test_a_recorded_hash_that_was_changed_is_found_out(pair):
    folder, certified = pair
    content = manifest.read(folder)
    content["files"]["artifacts/04_sum/total.json"] = "0" * 64
    found = certified()
    assert found.proven
    (folder / manifest.FILE).write_text(json.dumps(content))
    found = certified(name="again")
    assert found.differing == ("artifacts/04_sum/total.json",)
    assert found.causes[0].startswith("the manifest was changed: artifacts/04_sum/total.json")


def test_a_file_that_was_changed_since_does_not_matter(pair):
    folder, certified = pair
    true = (folder / "artifacts" / "04_sum" / "total.json").read_text()
    (folder / "artifacts" / "04_sum" / "total.json").write_text("{}")
    assert certified(put("artifacts/04_sum/total.json", true)).proven
    found = certified(put("artifacts/04_sum/total.json", '{"total": 1}'), name="again")
    assert "the folder of the run was changed since: 1 file is changed" in found.causes[0]
    assert not found.results


def test_the_print_is_not_counted(make, pair):
    folder, certified = pair
    (folder / "04_sum.pdf").write_bytes(b"%PDF")
    link = '<a href="04_sum.html">sum</a> <a href="04_sum.pdf">On paper (PDF)</a>'
    (folder / "index.html").write_text(f"<p>{link}</p>")
    make.seal(folder)

    def without_print(copy):
        (copy / "04_sum.pdf").unlink()
        (copy / "index.html").write_text('<p><a href="04_sum.html">sum</a></p>')

    found = certified(without_print)
    assert found.proven
    assert found.excused == ("04_sum.pdf", "index.html")
    assert certified(put("04_sum.pdf", "other"), name="other print").proven

    def other_page(copy):
        without_print(copy)
        (copy / "index.html").write_text("<p>other</p>")

    found = certified(other_page, name="other page")
    assert found.differing == ("index.html",)


def test_a_replica_that_stopped_proves_nothing():
    found = Certificate("base", "abc", "commit abc", "this", failed="02_scale: ValueError")
    assert not found.proven
    assert "stopped: 02_scale: ValueError" in certificate.verdict(found)


def test_what_is_written(pair, tmp_path):
    _, certified = pair
    found = certified(put("artifacts/04_sum/total.json", '{"total": null}'))
    page = certificate.write(found, tmp_path / "out")
    content = json.loads((tmp_path / "out" / "replication.json").read_text())
    assert content["proven"] is False
    assert content["differing"] == ["artifacts/04_sum/total.json"]
    assert content["numbers"]["04_sum/total.json"]
    text = page.read_text()
    assert str(tmp_path) not in text
    assert dress.parse(text).select_one(".verdict strong").get_text() == "No:"
    assert certificate.write(found, tmp_path / "twice").read_text() == text
