"""The command line as a user meets it, and what a terminal shows of a run."""

import io
import subprocess
import sys

import pytest

import xcoll
from xcoll.workbook import cli
from xcoll.workbook.progress import Progress


def test_help_names_the_commands_and_costs_nothing():
    code = (
        "import sys; from xcoll.workbook import cli\n"
        "try:\n    cli.main(['--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'pandas', 'numba', 'papermill', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(command in done.stdout for command in cli.COMMANDS)


def test_it_is_a_module_too():
    command = [sys.executable, "-m", "xcoll", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"xcoll-workbook {xcoll.__version__}"


def test_params_shows_what_can_be_told(tiny, capsys):
    assert cli.main(["params", "02"]) == 0
    head, first, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "type", "default", "unit", "and", "range"]
    assert first.split() == ["factor", "float", "2.0", "times,", "above", "0"]
    assert cli.main(["params", "02_scael"]) == 2
    assert "did you mean 02_scale" in capsys.readouterr().err


def test_list_before_any_run(tiny, capsys):
    assert cli.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all("never run" in line for line in lines)


def test_a_project_that_is_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XCOLL_ROOT", str(tmp_path))
    assert cli.main(["list"]) == 2
    assert "set XCOLL_ROOT" in capsys.readouterr().err


@pytest.mark.parametrize("live", [True, False])
def test_progress_names_notebook_and_cell_on_a_terminal_only(live):
    stream = io.StringIO()
    stream.isatty = lambda: live
    with Progress(stream) as progress:
        progress.began("05_haircuts")
        progress.cell("05_haircuts", 6, 31, "waterfall")
        assert ("waterfall" in stream.getvalue()) is live
        assert ("6/31" in stream.getvalue()) is live
        assert progress.ended("05_haircuts", "done") >= 0
    last = stream.getvalue().splitlines()[-1]
    assert "05_haircuts" in last
    assert "done" in last
