"""`xcoll replicate` on a tiny project in git: proven, or stopped with a word before any work."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.workbook.conftest import build
from xcoll.errors import ParameterError, RunError
from xcoll.workbook import cli, fingerprint, manifest
from xcoll.workbook.review import environment, replicate, runs, source

pytestmark = pytest.mark.chain
USER = ("-c", "user.name=reviewer", "-c", "user.email=reviewer@example.org")


def git(folder, *words):
    subprocess.run(["git", "-C", str(folder), *USER, *words], check=True, capture_output=True)


def commit(root):
    (root / ".gitignore").write_text("reports/\nmine.csv\n")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "A tiny project")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tiny project in a repository, and its run of the first notebook on a file of its own."""
    with pytest.MonkeyPatch.context() as patch:
        tiny = build(tmp_path_factory.mktemp("replicate") / "tiny")
        commit(tiny.root)
        (tiny.root / "data" / "mine.csv").write_text("value\n4\n5\n")
        patch.setenv("XCOLL_ROOT", str(tiny.root))
        arguments = ["--until", "01", "-p", "data=data/mine.csv"]
        assert cli.main(["run", "--name", "base", *arguments]) == 0
    return tiny


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """A copy of it for one test; scratch folders lie where the test can see them."""
    root = tmp_path / "projects" / "tiny"
    shutil.copytree(made.root, root, symlinks=True)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    monkeypatch.setenv("XCOLL_ROOT", str(root))
    return type(made)(root, root / "reports")


def call(capsys, *arguments):
    code = cli.main(["replicate", "base", "--environment", "this", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def change(project, **changed):
    path = project.reports / "base" / manifest.FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def state(project):
    """Every file of the project but git's own."""
    return {
        name: digest
        for name, digest in fingerprint.tree(project.root).items()
        if not name.startswith("reports/replications/")
    }


def test_a_run_is_proven_equal_and_nothing_is_touched(project, capsys, tmp_path):
    (project.notebooks / "02_scale.ipynb").write_text("edited since")  # the commit is what counts
    before = state(project)
    code, out, _ = call(capsys)
    assert code == 0, out
    assert "proven: built again from commit" in out
    assert "1 artifact, 1 executed notebook, 2 pages" in out
    folder = project.reports / "replications" / "base"
    assert json.loads((folder / "replication.json").read_text())["proven"] is True
    assert state(project) == before
    assert not list((tmp_path / "scratch").iterdir())


def test_a_file_that_changed_under_its_name_stops_before_any_work(project, capsys, tmp_path):
    (project.root / "data" / "mine.csv").write_text("value\n4\n6\n")
    before = state(project)
    code, out, err = call(capsys)
    assert code == 2
    assert "mine.csv: the file changed under the same name since run 'base'" in err
    assert "put the file of then back" in err
    assert "running" not in err
    assert not out
    assert state(project) == before
    assert not list((tmp_path / "scratch").iterdir())


def test_a_file_that_is_gone(project, capsys):
    (project.root / "data" / "mine.csv").unlink()
    code, _, err = call(capsys)
    assert code == 2
    assert "01_load.data names" in err
    assert "is not there any more; put the file with SHA-256" in err


@pytest.mark.parametrize(
    ("recorded", "words"),
    [
        ("0" * 40, "is not in the repository of"),
        ("0" * 40 + "-dirty", "is not in the repository of"),
    ],
)
def test_a_commit_that_is_not_to_be_had(project, capsys, recorded, words):
    change(project, commit=recorded)
    code, _, err = call(capsys)
    assert code == 2
    assert words in err
    assert "git fetch --all" in err


def test_no_repository_to_take_a_commit_from(project, capsys):
    shutil.rmtree(project.root / ".git")
    code, _, err = call(capsys)
    assert code == 2
    assert "is no git repository" in err


@pytest.mark.parametrize("recorded", ["none", "dirty"])
def test_the_present_tree_stands_in_where_it_is_proven_the_same(project, recorded, tmp_path):
    run = runs.find("base", project)
    known = run.manifest["commit"]
    change(project, commit="none" if recorded == "none" else f"{known}-dirty")
    (project.root / "README.md").write_text("edited")
    laid = source.lay_out(runs.find("base", project), project, tmp_path / "laid")
    assert laid.origin == "the present tree"
    assert (laid.project.root / "README.md").read_text() == "edited"
    shown = fingerprint.commit(laid.project.root).removesuffix("-dirty")
    assert shown == ("none" if recorded == "none" else known)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda root: (root / "notebooks" / "chain.yaml").open("a").write("# more\n"), "(chain)"),
        (
            lambda root: _edit(root / "notebooks" / "01_load.ipynb", "float64", "float32"),
            "its notebook 01_load is not that of the present tree",
        ),
        (lambda root: (root / "data" / "mine.csv").write_text("value\n7\n"), "changed under the"),
    ],
    ids=["code", "notebook", "data"],
)
def test_a_present_tree_that_is_another_is_refused(project, capsys, spoil, words):
    change(project, commit="none")
    spoil(project.root)
    code, _, err = call(capsys)
    assert code == 2
    assert words in err
    assert "xcoll run --name base" in err


def _edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_run_with_stale_notebooks_is_refused(project, capsys):
    change(project, stale=["01_load"])
    code, _, err = call(capsys)
    assert code == 2
    assert "bring the run up to date first with: xcoll run --name base" in err


def test_a_damaged_manifest_is_refused(project, capsys):
    (project.reports / "base" / manifest.FILE).write_text("{")
    code, _, err = call(capsys)
    assert code == 2
    assert "cut short" in err


def test_a_folder_in_use_is_not_kept_into(project, capsys, tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").write_text("mine")
    code, _, err = call(capsys, "--keep", str(tmp_path / "used"))
    assert code == 2
    assert "is in use" in err
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["file"]
    assert call(capsys, "--jobs", "0")[0] == 2


def test_other_versions_are_said_before_any_work(project, capsys, monkeypatch):
    facts = manifest.read(project.reports / "base")["facts"]
    facts["versions"] |= {"python": "3.99.1", "numpy": "0.1"}
    change(project, facts=facts, stale=[])

    def stop(*given):
        raise RunError("here the work begins")

    monkeypatch.setattr(source, "lay_out", stop)
    code, _, err = call(capsys)
    assert code == 2
    assert "here the work begins" in err
    assert "the run had 3.99.1: bytes may differ" in err
    assert "the run had 0.1: bytes may differ" in err


def test_a_file_outside_the_project_keeps_its_name(project, tmp_path):
    """A path that climbs out of the project leads to the same file from the lay-out."""
    (tmp_path / "mine.csv").write_text("value\n8\n")
    content = manifest.read(project.reports / "base")
    content["steps"]["01_load"]["changed"] = {"data": "../../mine.csv"}
    content["facts"]["data"] = {"mine.csv (data)": fingerprint.file(tmp_path / "mine.csv")}
    change(project, steps=content["steps"], facts=content["facts"])
    scratch = tmp_path / "laid"
    laid = source.lay_out(runs.find("base", project), project, scratch)
    place = Path(os.path.normpath(laid.project.root / "../../mine.csv"))
    assert place.is_relative_to(scratch)
    assert place.resolve() == laid.project.path("../../mine.csv") == tmp_path / "mine.csv"


@pytest.mark.parametrize("how", [KeyboardInterrupt, None])
def test_an_interrupt_or_a_failure_leaves_nothing_behind(
    project, capsys, monkeypatch, tmp_path, how
):
    def rebuild(*given):
        assert len(list((tmp_path / "scratch").iterdir())) == 1
        if how:
            raise how
        return "01_load, cell 5 of 7: ValueError: planted"

    monkeypatch.setattr(replicate, "_rebuild", rebuild)
    before = state(project)
    code, out, err = call(capsys)
    assert state(project) == before
    assert not list((tmp_path / "scratch").iterdir())
    if how:
        assert code == 130
        assert "interrupted; the run is as it was" in err
    else:
        assert code == 1
        assert "stopped: 01_load, cell 5 of 7: ValueError: planted" in out


def test_a_process_that_does_not_hear_is_ended(monkeypatch):
    monkeypatch.setattr(replicate, "PATIENCE", 0.1)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(); "
    process = subprocess.Popen(
        [sys.executable, "-c", f"{deaf} time.sleep(60)"], stdout=subprocess.PIPE
    )
    process.stdout.readline()
    replicate._end(process)
    assert process.returncode == -9
    process.stdout.close()


def test_the_environment_sees_no_settings_of_the_user(project, tmp_path, monkeypatch):
    for name in ("PYTHONSTARTUP", "JUPYTER_PATH", "MPLBACKEND", "GIT_DIR", "VIRTUAL_ENV"):
        monkeypatch.setenv(name, "elsewhere")
    laid = source.Source(project, project.root / "xcoll", "commit abc")
    made = environment.make("this", laid, tmp_path, print)
    assert "elsewhere" not in made.variables.values()
    assert made.variables["XCOLL_ROOT"] == str(project.root)
    assert made.variables["PYTHONPATH"].split(os.pathsep)[0] == str(project.root)
    with pytest.raises(ParameterError, match=r"no requirements.lock; .*--environment this"):
        environment.make("fresh", laid, tmp_path, print)


def test_an_environment_that_cannot_be_made_says_why(project, tmp_path, capsys):
    (project.root / "requirements.lock").write_text("")
    laid = source.Source(project, project.root / "xcoll", "commit abc")
    (tmp_path / "environment").write_text("in the way of the folder")
    with pytest.raises(RunError, match=r"making a fresh environment failed: .*\n--keep DIR"):
        environment.make("fresh", laid, tmp_path, print)
