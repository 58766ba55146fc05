"""A notebook alone: what it says of a changed artifact, and that edited code is read again."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from xcoll.workbook import fingerprint, lab


@pytest.fixture
def shown(monkeypatch):
    """What was displayed."""
    said = []
    monkeypatch.setattr(lab, "display", lambda made: said.append(made.data))
    return said


def saved(folder, text: str):
    path = folder / "scaled.parquet"
    path.write_text(text)
    return path


def test_an_artifact_that_is_the_same_says_nothing(tiny, tmp_path, shown):
    path = saved(tmp_path, "same")
    one = lab.Lab("02_scale", tiny, "default", {path.name: fingerprint.file(path)})
    one.saved(path)
    assert shown == []


def test_a_changed_artifact_names_what_is_stale_once(tiny, tmp_path, shown, monkeypatch):
    space = {"factor": 3.0, "mode": "plain"}
    monkeypatch.setattr(lab, "get_ipython", lambda: SimpleNamespace(user_ns=space))
    one = lab.Lab("02_scale", tiny, "tight", {"scaled.parquet": "0" * 64})
    one.saved(saved(tmp_path, "new"))
    one.saved(saved(tmp_path, "newer"))
    (said,) = shown
    assert "Stale with it: 04_sum." in said
    assert "`xcoll run --name tight -p 02_scale.factor=3.0`" in said


def test_an_artifact_that_the_run_never_had_says_nothing(tiny, tmp_path, shown):
    lab.Lab("02_scale", tiny, "default", {}).saved(saved(tmp_path, "new"))
    assert shown == []


def test_the_last_notebook_makes_nothing_stale(tiny):
    words = lab.Lab("04_sum", tiny, "default", {}).words("total")
    assert "nothing, this is the last notebook" in words


def test_edited_code_is_read_again_before_the_next_cell(tiny, tmp_path):
    code = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
from pathlib import Path
path = Path("thing.py")
path.write_text("value = 1\\n")
cells = ["import xcoll, thing", "run = xcoll.start('01_load')", "print(thing.value)"]
for cell in cells:
    shell.run_cell(cell).raise_error()
path.write_text("value = 22\\n")
shell.run_cell("print(thing.value)").raise_error()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "XCOLL_ROOT": str(tiny.root), "IPYTHONDIR": str(tmp_path / "ipython")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1", "22"], done.stderr
