"""The runner on a tiny project: stale or kept, failed or killed, and the same bytes twice."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workbook.conftest import build
from xcoll.workbook import cli, fingerprint, manifest, pdf, publish
from xcoll.workbook.store import Store

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """One tiny project for the module; its first run is the good report that must survive.

    No run of it prints: what a browser makes is tested beside it, and on the real chain.
    """
    made = build(tmp_path_factory.mktemp("chain") / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XCOLL_ROOT", str(made.root))
        patch.setattr(pdf, "find_chromium", lambda: None)
        assert cli.main(["run", "--jobs", "2"]) == 0
        yield made


def total(project, name: str = "default") -> float:
    path = project.reports / name / "artifacts" / "04_sum" / "total.json"
    return json.loads(path.read_text())["total"]


def report(project, name: str = "default") -> dict[str, str]:
    """Hash of every file of a report but its manifest, the only one with a clock in it."""
    found = fingerprint.tree(project.reports / name)
    found.pop("manifest.json")
    return found


def test_the_report_is_whole(project, capsys):
    folder = project.reports / "default"
    assert total(project) == (1 + 2 + 3) * 2 + (1 + 4 + 9)
    pages = {path.name for path in folder.glob("*.html")}
    assert pages == {
        "index.html",
        "signoff.html",
        *(f"{name}.html" for name in project.chain.steps),
    }
    described = manifest.read(folder)
    assert not manifest.damage(folder, described)
    assert set(described["steps"]) == set(project.chain.steps)
    assert described["facts"]["data"] == {
        "data/numbers.csv": fingerprint.file(project.root / "data" / "numbers.csv")
    }
    assert described["stale"] == []
    assert cli.main(["list"]) == 0
    assert capsys.readouterr().out.count("fresh") == 4


def test_every_number_leads_to_the_cell_that_made_it(project, capsys):
    page = (project.reports / "default" / "04_sum.html").read_text()
    assert 'href="02_scale.html#cell-step-1"' in page
    assert cli.main(["trace", "default", "26.000"]) == 0
    said = capsys.readouterr().out
    assert "made by     float((run.read('scaled') + run.read('squared'))['value'].sum())" in said
    assert "[04_sum, cell step-0, line 1]" in said
    assert "artifacts/02_scale/scaled.parquet" in said
    assert "data/numbers.csv" in said
    assert "02_scale: factor = 2.0" in said


def test_a_report_that_cannot_be_followed_is_not_written(project, capsys):
    path = project.notebooks / "04_sum.ipynb"
    good = path.read_text()
    before = report(project)
    path.write_text(good.replace('run.read(\\"scaled\\")', 'run.read(str(\\"scaled\\"))'))
    try:
        assert cli.main(["run"]) == 1
        said = capsys.readouterr().err
        assert "cannot be followed" in said
        assert "cell step-0, line 1" in said
        assert report(project) == before
    finally:
        path.write_text(good)


def test_a_picture_is_inside(project):
    assert "data:image/png;base64," in (project.reports / "default" / "03_square.html").read_text()


def test_nothing_stale_runs_nothing_and_changes_nothing(project, capsys):
    before = (project.reports / "default" / "manifest.json").read_bytes()
    assert cli.main(["run"]) == 0
    assert capsys.readouterr().err.count("kept") == 4
    assert (project.reports / "default" / "manifest.json").read_bytes() == before


def test_only_what_a_parameter_touches_runs_again(project, capsys):
    assert cli.main(["run", "--name", "other", "-p", "factor=3"]) == 0
    said = {line.split()[0]: line.split()[1] for line in capsys.readouterr().err.splitlines()[:4]}
    assert said == {"01_load": "kept", "03_square": "kept", "02_scale": "done", "04_sum": "done"}
    assert total(project, "other") == (1 + 2 + 3) * 3 + (1 + 4 + 9)
    assert manifest.read(project.reports / "other")["steps"]["02_scale"]["changed"] == {
        "factor": 3.0
    }
    assert total(project) == 26


def test_a_parameter_at_its_default_changes_nothing(project, capsys):
    assert cli.main(["run", "-p", "factor=2.0"]) == 0
    assert capsys.readouterr().err.count("kept") == 4


def test_a_dry_run_says_and_does_nothing(project, capsys):
    before = report(project)
    assert cli.main(["run", "--dry-run", "-p", "power=3"]) == 0
    said = capsys.readouterr().out
    assert "03_square                run" in said
    assert "02_scale                 keep" in said
    assert report(project) == before


def test_a_part_of_the_chain_leaves_the_rest_marked_stale(project, capsys):
    arguments = ["run", "--name", "part", "--only", "02", "-p", "factor=5"]
    assert cli.main(["run", "--name", "part"]) == 0
    assert cli.main(arguments) == 0
    assert "stale now: 04_sum" in capsys.readouterr().err
    assert manifest.read(project.reports / "part")["stale"] == ["04_sum"]
    assert total(project, "part") == 26
    assert cli.main(["run", "--name", "empty", "--only", "04"]) == 1
    assert "xcoll run --until 03_square" in capsys.readouterr().err
    assert not (project.reports / "empty").exists()


@pytest.mark.parametrize("how", [["--jobs", "1"], ["--jobs", "2"], ["--fast"]], ids=" ".join)
def test_two_runs_give_the_same_bytes_whatever_the_jobs_and_the_engine(project, tmp_path, how):
    fresh = tmp_path / "reports"
    assert cli.main(["run", "--reports", str(fresh), *how]) == 0
    here, there = report(project), fingerprint.tree(fresh / "default")
    there.pop("manifest.json")
    assert there == here
    assert any(name.endswith(".ipynb") for name in here)
    assert any(name.endswith(".parquet") for name in here)


@pytest.mark.parametrize("engine", [[], ["--fast"]], ids=["standard", "fast"])
@pytest.mark.parametrize(
    ("mode", "error", "cell"),
    [
        ("raise", "ValueError: planted failure", "cell 7 of 8"),
        ("exit", "the kernel left before this cell", "cell 8 of 8"),
        ("die", "the kernel died", "cell 7 of 8"),
    ],
)
def test_a_notebook_that_fails_says_so_in_six_lines(project, capsys, mode, error, cell, engine):
    before = report(project)
    assert cli.main(["run", "-p", f"mode={mode}", *engine]) == 1
    said = capsys.readouterr().err
    block = said[said.index("xcoll: ") :].strip().splitlines()
    assert len(block) == 6
    assert f"02_scale failed in {cell}" in block[0]
    assert error in block[1]
    assert f"mode='{mode}'" in block[2]
    assert (project.reports / ".logs" / "02_scale.log").read_text().startswith("02_scale, cell")
    assert f"-p 02_scale.mode={mode}" in block[4]
    assert report(project) == before


def test_the_command_that_repeats_a_failure_holds_all_that_was_changed(project, capsys):
    (project.root / "data" / "more data.csv").write_text("value\n4\n")
    arguments = ["--name", "odd", "-p", "data=data/more data.csv", "-p", "02.mode=raise"]
    assert cli.main(["run", *arguments]) == 1
    said = capsys.readouterr().err
    again = (
        "--name odd --until 02_scale -p '01_load.data=data/more data.csv' -p 02_scale.mode=raise"
    )
    assert f"xcoll run {again}" in said
    assert not (project.reports / "odd").exists()


@pytest.mark.parametrize("engine", [[], ["--fast"]], ids=["standard", "fast"])
def test_a_cell_that_takes_too_long(project, capsys, engine):
    path = project.notebooks / "02_scale.ipynb"
    source = path.read_text()
    path.write_text(
        source.replace(
            'run.save(\\"scaled\\"', 'import time; time.sleep(60); run.save(\\"scaled\\"'
        )
    )
    try:
        assert cli.main(["run", "--timeout", "2", *engine]) == 1
    finally:
        path.write_text(source)
    assert "took longer than 2 s" in capsys.readouterr().err


def test_a_notebook_that_does_not_save_what_it_declares(project, capsys):
    path = project.notebooks / "02_scale.ipynb"
    source = path.read_text()
    path.write_text(source.replace("run.save(", "print("))
    try:
        assert cli.main(["run"]) == 1
    finally:
        path.write_text(source)
    assert "did not save scaled.parquet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "factr=3"], "did you mean 'factor'"),
        (["-p", "factor=abc"], "must be float"),
        (["-p", "factor=-1"], "above 0"),
        (["-p", "factor"], "-p name=value"),
        (["-p", "9.factor=1"], "no notebook"),
        (["--until", "7"], "no notebook"),
        (["--name", "../x"], "one folder"),
        (["--name", "benchmarks"], "make bench"),
        (["--jobs", "0"], "from 1 on"),
        (["-f", "none.yaml"], "no such file"),
    ],
)
def test_a_wrong_call_touches_nothing(project, capsys, arguments, words):
    before = report(project)
    assert cli.main(["run", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert report(project) == before


def test_a_missing_data_file(project, capsys):
    assert cli.main(["run", "-p", "data=data/none.csv"]) == 1
    said = capsys.readouterr().err
    assert "data/none.csv" in said
    assert "-p data=FILE" in said


def test_parameters_of_a_file_and_the_command_line_wins(project, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("02_scale:\n  factor: 4.0\npower: 3\n")
    assert cli.main(["run", "--name", "filed", "-f", str(path), "-p", "power=1"]) == 0
    assert total(project, "filed") == 6 * 4 + 6


def test_a_damaged_step_runs_again(project, capsys):
    store = Store(project.reports / ".steps")
    done = publish.held(manifest.read(project.reports / "default"), store)["04_sum"]
    (done.folder / "artifacts" / "total.json").write_text("{}")
    assert cli.main(["run"]) == 0
    assert "04_sum                   done" in capsys.readouterr().err
    assert total(project) == 26


def test_a_damaged_report_is_built_again(project):
    before = report(project)
    (project.reports / "default" / "04_sum.html").write_text("")
    assert cli.main(["run"]) == 0
    assert report(project) == before


def test_a_damaged_manifest_is_said_and_the_report_is_built_from_its_steps(project, capsys):
    path = project.reports / "default" / "manifest.json"
    before = report(project)
    path.write_text(path.read_text()[:500])
    assert cli.main(["run", "--dry-run"]) == 0
    assert "cut short" in capsys.readouterr().err
    assert cli.main(["run"]) == 0
    said = capsys.readouterr().err
    assert "manifest.json is cut short or no JSON" in said
    assert "it is written anew" in said
    assert said.count("kept") == 4
    assert report(project) == before
    assert not manifest.damage(path.parent, manifest.read(path.parent))


def test_a_damaged_run_stays_as_it_is_while_another_runs(project, tmp_path, capsys):
    (project.reports / "spoilt").mkdir()
    (project.reports / "spoilt" / "manifest.json").write_text('{"schema": 99}')
    steps = sorted(path for path in (project.reports / ".steps").glob("*/*"))
    try:
        assert cli.main(["run"]) == 0
        said = capsys.readouterr().err
        assert "spoilt/manifest.json has schema 99" in said
        assert "no finished step is cleared away" in said
        assert sorted(path for path in (project.reports / ".steps").glob("*/*")) == steps
        assert (project.reports / "spoilt" / "manifest.json").read_text() == '{"schema": 99}'
    finally:
        shutil.rmtree(project.reports / "spoilt")


def test_a_step_whose_record_is_damaged_runs_again(project, capsys):
    store = Store(project.reports / ".steps")
    done = publish.held(manifest.read(project.reports / "default"), store)["04_sum"]
    (done.folder / "step.json").write_text("{")
    assert cli.main(["run"]) == 0
    assert "04_sum                   done" in capsys.readouterr().err


def test_a_data_file_that_changed_under_its_name_is_said(project, capsys):
    path = project.root / "data" / "numbers.csv"
    text = path.read_text()
    try:
        assert cli.main(["run", "--name", "file", "--until", "01"]) == 0
        shutil.copytree(project.reports / "file", project.reports / "kept")
        capsys.readouterr()
        path.write_text("value\n1\n2\n4\n")
        assert cli.main(["run", "--name", "file", "--until", "01"]) == 0
        said = capsys.readouterr().err
        assert "data/numbers.csv changed under the same name since run 'file' was made" in said
        assert "give this run another name with --name" in said
        assert cli.main(["diff", "kept", "file"]) == 1
        lines = capsys.readouterr().out.splitlines()
    finally:
        path.write_text(text)
        for name in ("file", "kept"):
            shutil.rmtree(project.reports / name)
    assert lines[2].startswith("data         data/numbers.csv")
    assert lines[2].endswith("the file changed under the same name")
    assert any("row 3: value  3 | 4" in line for line in lines)


def test_what_a_parameter_did_is_told_by_diff(project, capsys):
    assert cli.main(["run", "--name", "other", "-p", "factor=3"]) == 0
    capsys.readouterr()
    assert cli.main(["diff", "default", "other"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "parameters   02_scale.factor  2.0 | 3.0  default 2.0"
    assert lines[3] == "other inputs 2 of 4 notebooks: 02_scale, 04_sum"
    assert "3 of 3 numbers differ" in lines[5]
    assert any("total  26 | 32" in line for line in lines)
    assert any(line.startswith("sentences    1 changed") for line in lines)
    assert cli.main(["diff", "default", "default"]) == 0


def test_a_report_folder_that_cannot_be_written(project, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.main(["run", "--reports", str(tmp_path / "file" / "reports")]) == 1
    assert "--reports DIR" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_report_folder(project, tmp_path, capsys):
    folder = tmp_path / "reports"
    folder.mkdir(mode=0o500)
    assert cli.main(["run", "--reports", str(folder)]) == 1
    assert "make it writable" in capsys.readouterr().err


def spawn(project, *arguments: str, limit: int | None = None) -> subprocess.Popen:
    """`xcoll run` in a process of its own; `limit` bytes is the largest file that it can write."""
    # A shell's background job ignores an interrupt, and so would all that it starts.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    silent = "from xcoll.workbook import cli, pdf; pdf.find_chromium = lambda: None"
    code = f"{heard}; import sys; {silent}; sys.exit(cli.main())"
    if limit is not None:
        bound = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
        code = f"import resource; {bound}; {code}"
    return subprocess.Popen(
        [sys.executable, "-c", code, "run", *arguments],
        env={**os.environ, "XCOLL_ROOT": str(project.root)},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("step", ["01_load", "the report"])
def test_a_disk_that_is_full(project, step):
    before = report(project)
    largest = max(path.stat().st_size for path in project.reports.glob("default/notebooks/*"))
    limit = 200 if step == "01_load" else largest + 6_000
    process = spawn(project, "--force", "--jobs", "1", limit=limit)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in said
    assert step in said
    assert "File too large" in said
    assert report(project) == before
    assert not list(project.reports.glob(".new-*"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_resumes(project, tmp_path, how):
    reports = tmp_path / "reports"
    path = project.notebooks / "04_sum.ipynb"
    source = path.read_text()
    path.write_text(source.replace("total = float", "import time; time.sleep(60); total = float"))
    try:
        process = spawn(project, "--reports", str(reports), "--jobs", "2")
        until = time.monotonic() + 60
        while time.monotonic() < until and not list(reports.glob(".steps/04_sum/.draft-*")):
            time.sleep(0.1)
        time.sleep(1.0)
        process.send_signal(how)
        _, said = process.communicate(timeout=60)
    finally:
        path.write_text(source)
    assert process.returncode == (-9 if how is signal.SIGKILL else 130)
    assert "Traceback" not in said
    assert not (reports / "default").exists()
    again = spawn(project, "--reports", str(reports))
    _, said = again.communicate(timeout=60)
    assert again.returncode == 0
    assert said.count("kept") == 3
    assert not list(reports.glob(".steps/*/.draft-*"))
    assert fingerprint.tree(reports / "default").keys() == {*report(project), "manifest.json"}


@pytest.mark.parametrize("engine", [[], ["--fast"]], ids=["standard", "fast"])
def test_no_kernel_outlives_a_run_that_was_killed(project, tmp_path, engine):
    path = project.notebooks / "01_load.ipynb"
    source, told = path.read_text(), tmp_path / "pid"
    left = f"import time; Path('{told}').write_text(str(os.getpid())); time.sleep(60); frame ="
    path.write_text(source.replace("frame =", left))
    try:
        process = spawn(project, "--reports", str(tmp_path / "reports"), "--only", "01", *engine)
        until = time.monotonic() + 60
        while time.monotonic() < until and not (told.is_file() and told.read_text()):
            time.sleep(0.1)
        process.kill()
        process.communicate(timeout=60)
    finally:
        path.write_text(source)
    kernel = Path("/proc", told.read_text())
    until = time.monotonic() + 30
    while time.monotonic() < until and kernel.exists():
        time.sleep(0.1)
    assert not kernel.exists()


def test_a_swap_that_was_cut_short_is_mended(project):
    reports = project.reports
    before = report(project)
    (reports / "default").rename(reports / ".old-default")
    (reports / ".new-default").mkdir()
    with publish.locked(reports):
        assert report(project) == before
        assert not (reports / ".new-default").exists()


def test_one_run_at_a_time(project, capsys):
    with publish.locked(project.reports):
        assert cli.main(["run"]) == 1
    assert "another run is writing" in capsys.readouterr().err


def test_a_manifest_of_a_newer_version(project, tmp_path, capsys):
    folder = tmp_path / "reports" / "default"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"schema": 99}))
    assert cli.main(["run", "--reports", str(folder.parent)]) == 1
    assert "update xcoll" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]


def test_opened_alone_a_notebook_reads_the_newest_run(project, monkeypatch):
    from xcoll.errors import ArtifactError
    from xcoll.workbook import project as places
    from xcoll.workbook import run

    monkeypatch.delenv(places.STEP_VARIABLE, raising=False)
    alone = run.start("04_sum")
    assert alone.read("scaled")["value"].iloc[0] in (2.0, 3.0, 4.0, 5.0)
    before = report(project)
    alone.save("total", {"total": 1.0})
    assert report(project) == before
    with pytest.raises(ArtifactError, match="declared for 01_load"):
        alone.save("numbers", alone.read("numbers"))
    with pytest.raises(ArtifactError, match="not upstream"):
        run.start("01").read("scaled")
    monkeypatch.setattr(run, "newest", lambda reports: None)
    with pytest.raises(ArtifactError, match="xcoll run --until 02_scale"):
        run.start("04_sum").read("scaled")


def test_code_is_found_stale(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "a.py").write_text("x = 1\n")
    before = fingerprint.code(package)
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "a.pyc").write_bytes(b"1")
    assert fingerprint.code(package) == before
    (package / "a.py").write_text("x = 2\n")
    assert fingerprint.code(package) != before


def test_git_is_optional(tmp_path: Path):
    assert fingerprint.commit(tmp_path) == "none"
