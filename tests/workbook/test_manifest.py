"""Manifests that are whole, cut, of another version, or at odds with the files beside them."""

import json

import pytest

from tests.workbook.conftest import seal
from xcoll.errors import DamagedRunError, RunError
from xcoll.workbook import cli, manifest, publish
from xcoll.workbook import run as running


@pytest.fixture
def finished(tiny):
    """A run called base that holds one file."""
    folder = tiny.reports / "base"
    (folder / "artifacts" / "04_sum").mkdir(parents=True)
    (folder / "artifacts" / "04_sum" / "total.json").write_text('{"total": 1.0}')
    seal(folder)
    return folder


def without(key, part=None):
    def spoil(text):
        content = json.loads(text)
        del (content if part is None else content[part])[key]
        return json.dumps(content)

    return spoil


def with_(key, value):
    return lambda text: json.dumps(json.loads(text) | {key: value})


DAMAGE = {
    "cut": (lambda text: text[: len(text) // 2], "cut short or no JSON"),
    "empty": (lambda text: "", "cut short or no JSON: .* at line 1"),
    "list": (lambda text: "[]", "holds no mapping"),
    "no steps": (without("steps"), "lacks 'steps'"),
    "no schema": (without("schema"), "lacks 'schema'"),
    "no data": (without("data", "facts"), "lacks 'data' of 'facts'"),
    "a step": (with_("steps", {"04_sum": {}}), "lacks 'artifacts', 'changed', 'key' of 'steps.04"),
    "no step": (with_("steps", {"04_sum": 3}), "'steps.04_sum' is no mapping"),
    "kind": (with_("files", ["a"]), "'files' is not a mapping"),
    "text schema": (with_("schema", "1"), "'schema' is not a whole number"),
    "true schema": (with_("schema", True), "'schema' is not a whole number"),
}


def test_a_whole_manifest_and_none(finished, tmp_path):
    assert manifest.read(finished)["run"] == "base"
    assert not manifest.damage(finished, manifest.read(finished))
    assert manifest.read(tmp_path) is None


@pytest.mark.parametrize("which", DAMAGE)
def test_each_damage_is_named_with_place_and_remedy(finished, which):
    spoil, words = DAMAGE[which]
    path = finished / manifest.FILE
    path.write_text(spoil(path.read_text()))
    with pytest.raises(DamagedRunError, match=words) as caught:
        manifest.read(finished)
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith("write it anew with: xcoll run --name base")
    told = []
    assert manifest.sound(finished, told.append) is None
    assert told == [caught.value.fault]


def test_bytes_that_are_no_text(finished):
    (finished / manifest.FILE).write_bytes(b"\xff\xfe{}")
    with pytest.raises(DamagedRunError, match="not UTF-8 text at byte 0"):
        manifest.read(finished)


def test_a_newer_version_is_not_damage(finished):
    (finished / manifest.FILE).write_text('{"schema": 99}')
    with pytest.raises(RunError, match=r"schema 99, this xcoll knows 1.*update xcoll") as caught:
        manifest.sound(finished, print)
    assert not isinstance(caught.value, DamagedRunError)


def test_files_are_held_against_their_hashes(finished):
    described = manifest.read(finished)
    (finished / "a note of the reader").write_text("not part of the run")
    assert not manifest.damage(finished, described)
    (finished / "artifacts" / "04_sum" / "total.json").write_text("{}")
    found = manifest.damage(finished, described)
    assert str(found) == "1 file is changed (artifacts/04_sum/total.json)"
    assert found.within("artifacts")
    assert not found.within("notebooks")
    described["files"] |= {f"{name}.html": "0" for name in "abcd"}
    words = "4 files are missing (a.html, b.html, c.html, …); 1 file is changed"
    assert str(manifest.damage(finished, described)).startswith(words)


def test_list_says_what_is_wrong_and_still_lists(finished, capsys):
    path = finished / manifest.FILE
    path.write_text(path.read_text()[:100])
    assert cli.main(["list", "--name", "base"]) == 1
    said = capsys.readouterr()
    assert said.out.count("unknown") == 4
    assert "cut short" in said.err
    assert "xcoll run --name base" in said.err


def test_list_names_files_that_were_changed(finished, capsys):
    (finished / "artifacts" / "04_sum" / "total.json").unlink()
    assert cli.main(["list", "--name", "base"]) == 1
    assert "1 file is missing (artifacts/04_sum/total.json)" in capsys.readouterr().err


def test_the_newest_run_is_the_newest_that_can_be_read(finished, tiny, monkeypatch):
    monkeypatch.delenv("XCOLL_STEP", raising=False)
    for name, text in (("cut", "{"), ("newer", '{"schema": 99}')):
        (tiny.reports / name).mkdir()
        (tiny.reports / name / manifest.FILE).write_text(text)
    with pytest.warns(UserWarning, match="passed over: .*(cut short|schema 99)") as warned:
        assert running.newest(tiny.reports) == finished
    assert len(warned) == 2


def test_nothing_is_cleared_away_while_a_run_cannot_be_read(finished, tiny):
    key = manifest.read(finished)["steps"]["04_sum"]["key"]
    assert publish.used(tiny.reports, print) == {("04_sum", key)}
    (tiny.reports / "cut").mkdir()
    (tiny.reports / "cut" / manifest.FILE).write_text("{")
    told = []
    assert publish.used(tiny.reports, told.append) is None
    assert "cut short" in told[0]
    assert "cleared away" in told[0]
