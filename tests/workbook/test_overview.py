"""The start page: what it says before a run, after one, and of one that is old."""

import json

import pytest

from tests.workbook.conftest import build
from xcoll.errors import RunError
from xcoll.workbook import overview


def test_before_any_run(tiny):
    seen = overview.of(tiny)
    assert seen.run is None
    assert set(seen.notebooks["state"]) == {"never run"}
    assert seen.notebooks["seconds"].isna().all()
    assert "xcoll run" in seen.sentence()
    assert seen.said == ()
    assert "| [02 scale](../notebooks/02_scale.ipynb) | What is it times a factor? |" in (
        seen.markdown()
    )


def test_a_run_that_is_not_there(tiny):
    with pytest.raises(RunError, match="xcoll run --name none"):
        overview.of(tiny, "none")


def test_a_run_whose_steps_are_gone_is_stale(tmp_path):
    here = build(tmp_path / "project")
    folder = here.reports / "old"
    folder.mkdir(parents=True)
    steps = {"01_load": {"key": "0" * 64, "artifacts": {}, "changed": {}, "seconds": 1.5}}
    facts = {key: {} for key in ("code", "data", "parameters", "versions")}
    manifest = {"schema": 1, "finished": "2026-01-01", "steps": steps, "facts": facts, "stale": []}
    (folder / "manifest.json").write_text(
        json.dumps({**manifest, "began": "", "commit": "", "files": {}, "run": "old"})
    )
    seen = overview.of(here)
    assert seen.run == "old"
    assert seen.notebooks["state"].tolist() == ["stale", "never run", "never run", "never run"]
    assert seen.notebooks["seconds"].iloc[0] == 1.5
    assert "not up to date: 01, 02, 03, 04. `xcoll run --name old`" in seen.sentence()
    assert "(../reports/old/index.html)" in seen.sentence()


def test_a_damaged_run_says_so(tmp_path):
    here = build(tmp_path / "project")
    (here.reports / "bad").mkdir(parents=True)
    (here.reports / "bad" / "manifest.json").write_text("{")
    found, fault = overview.states(here, "bad")
    assert set(found.values()) == {"unknown"}
    assert "xcoll run --name bad" in fault
