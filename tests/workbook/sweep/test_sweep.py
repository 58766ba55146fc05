"""``xcoll sweep`` as a user meets it: results, going on, and what goes wrong."""

import errno
import io
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.workbook.sweep import toys
from xcoll.workbook import cli, fingerprint, publish
from xcoll.workbook.progress import Progress
from xcoll.workbook.sweep import cluster, run, works

ROOT = Path(__file__).parents[3]
AXES = {"scale": [1, 2], "book_seed": [0, 1]}


@pytest.fixture
def counted(monkeypatch):
    """Indices of the tasks that are carried out, of a work that fails where `failing` says."""
    seen, failing = [], set()

    def counts(task, read):
        seen.append(task.index)
        if task.index in failing:
            raise ZeroDivisionError("planted failure")
        return toys.run(task, read)

    monkeypatch.setitem(works.WORKS, "toy", replace(toys.TOY, run=counts))
    return seen, failing


def files(folder):
    return {name: digest for name, digest in fingerprint.tree(folder).items() if name != ".lock"}


def test_one_process_and_many_give_the_same_files(sweep, capsys):
    code, here = sweep("--serial", axes=AXES, file="here")
    assert code == 0
    assert capsys.readouterr().out.strip() == str(here / "results.parquet")
    code, there = sweep("--workers", "2", axes=AXES, file="there")
    assert code == 0
    assert files(there) == files(here)
    assert len(files(here)) == 2 + 8


def test_nothing_missing_starts_nothing(sweep, counted, capsys, monkeypatch):
    sweep("--serial", axes=AXES)

    @contextmanager
    def never(*arguments):
        raise AssertionError("a cluster was started")
        yield

    monkeypatch.setattr(cluster, "local", never)
    capsys.readouterr()
    before = None
    for _ in range(2):
        code, folder = sweep(axes=AXES)
        assert code == 0
        assert "8 of 8 tasks are kept" in capsys.readouterr().err
        assert before in (None, files(folder))
        before = files(folder)
    assert counted[0] == list(range(8))


def test_only_a_damaged_part_is_made_again(sweep, counted, capsys):
    _, folder = sweep("--serial", axes=AXES)
    before = files(folder)
    counted[0].clear()
    victim = sorted((folder / "parts").iterdir())[3]
    victim.write_bytes(victim.read_bytes()[:-7])
    sweep("--serial", axes=AXES)
    said = capsys.readouterr().err
    assert "1 damaged parts are made again" in said
    assert "7 of 8 tasks are kept" in said
    assert len(counted[0]) == 1
    assert files(folder) == before


def test_lost_results_are_made_of_the_parts(sweep, counted):
    _, folder = sweep("--serial", axes=AXES)
    before = files(folder)
    (folder / "results.parquet").unlink()
    (folder / "sweep.json").write_text("{")
    assert sweep("--serial", axes=AXES)[0] == 0
    assert files(folder) == before
    assert len(counted[0]) == 8


def test_a_grid_that_grew_runs_what_is_new_and_one_that_shrank_drops_parts(sweep, capsys):
    _, folder = sweep("--serial", work="still", axes={"scale": [2]})
    sweep("--serial", work="still", axes={"scale": [1, 2, 3]})
    assert "2 of 6 tasks are kept" in capsys.readouterr().err
    assert len(list((folder / "parts").iterdir())) == 6
    sweep("--serial", work="still", axes={"scale": [1]})
    assert len(list((folder / "parts").iterdir())) == 2


def test_changed_code_runs_everything_again(sweep, counted, monkeypatch):
    sweep("--serial", axes=AXES)
    from xcoll.workbook.sweep import worker

    ground = worker.ground()
    monkeypatch.setattr(worker, "ground", lambda: ground | {"code": "other"})
    sweep("--serial", axes=AXES)
    assert len(counted[0]) == 16


def test_a_task_that_fails_keeps_the_others_and_the_same_command_goes_on(sweep, counted, capsys):
    seen, failing = counted
    failing.add(5)
    code, folder = sweep("--serial", axes=AXES)
    assert code == 1
    first, second, third = capsys.readouterr().err.strip().splitlines()[-3:]
    assert first == (
        "xcoll: task 5 (scale 2.0, book_seed 0, items 3–5) failed: ZeroDivisionError: "
        "planted failure"
    )
    assert second == f"5 of 8 tasks are kept in {folder}; the traceback is in its failed.log"
    assert third == "the same command goes on from there"
    assert "in counts" in (folder / "failed.log").read_text()
    assert not (folder / "results.parquet").exists()
    failing.clear()
    assert sweep("--serial", axes=AXES)[0] == 0
    assert seen == [0, 1, 2, 3, 4, 5, 5, 6, 7]
    assert not (folder / "failed.log").exists()
    _, whole = sweep("--serial", axes=AXES, file="whole")
    assert files(whole) == files(folder)


def test_results_of_before_stay_while_a_sweep_fails(sweep, counted):
    _, folder = sweep("--serial", axes=AXES)
    before = {name: (folder / name).read_bytes() for name in ("results.parquet", "sweep.json")}
    counted[1].add(0)
    assert sweep("--serial", axes=AXES, fixed={"bad": 9})[0] == 1
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_a_very_large_grid_asks_for_force(sweep, capsys, monkeypatch):
    monkeypatch.setattr(run, "LIMIT", 7)
    assert sweep("--serial", axes=AXES)[0] == 2
    said = capsys.readouterr().err
    assert "toy.yaml makes at least 8 tasks, over 7" in said
    assert "--force" in said
    assert sweep("--serial", "--force", axes=AXES)[0] == 0


def test_an_enormous_grid_is_refused_at_once(sweep, capsys):
    many = {"from": 0, "to": 99_999}
    began = time.monotonic()
    assert sweep("--serial", axes={"scale": many, "book_seed": many})[0] == 2
    assert "at least 10,000,000,000 tasks" in capsys.readouterr().err
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("arguments", "blocks", "words"),
    [
        (["--name", "../x"], {}, "one folder"),
        (["--name", ""], {}, "one folder"),
        (["--workers", "0"], {}, "from 1 on"),
        ([], {"axes": {"scael": [1]}}, "did you mean 'scale'"),
        ([], {"axes": {"scale": [1, 101]}}, "scale is over 100"),
        ([], {"work": "toi"}, "did you mean 'toy'"),
    ],
)
def test_a_wrong_call_touches_nothing(sweep, tmp_path, capsys, arguments, blocks, words):
    assert sweep(*arguments, **blocks)[0] == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "reports").exists()


def test_a_grid_that_is_not_there(tmp_path, capsys):
    assert cli.main(["sweep", str(tmp_path / "none.yaml")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_one_place_to_run_in(sweep):
    with pytest.raises(SystemExit) as end:
        sweep("--serial", "--workers", "2")
    assert end.value.code == 2


def test_a_missing_run_is_named(sweep, capsys):
    assert sweep("--serial", "--run", "none", work="replay")[0] == 1
    assert "make it with: xcoll run --name none" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written(tmp_path, sweep, capsys):
    (tmp_path / "reports").write_text("a file")
    assert sweep("--serial")[0] == 1
    assert "give another folder with --reports DIR" in capsys.readouterr().err


def test_a_disk_that_is_full_keeps_what_was_written(sweep, capsys, monkeypatch):
    write, written = Path.write_bytes, []

    def full(path, content):
        written.append(path)
        if len(written) > 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert sweep("--serial", axes=AXES)[0] == 1
    said = capsys.readouterr().err
    assert "cannot be written (No space left on device); finished tasks are kept" in said
    assert "the same command" in said
    assert sweep("--serial", axes=AXES)[0] == 0
    assert "3 of 8 tasks are kept" in capsys.readouterr().err


def test_one_sweep_of_a_name_at_a_time(sweep, capsys):
    _, folder = sweep("--serial")
    with publish.locked(folder):
        assert sweep("--serial")[0] == 1
    assert "another run is writing" in capsys.readouterr().err


def test_a_run_cannot_take_the_folder_of_the_sweeps(capsys):
    assert cli.main(["run", "--name", "sweeps"]) == 2
    assert "that folder is xcoll sweep's" in capsys.readouterr().err


def test_help_costs_nothing():
    code = (
        "import sys; from xcoll.workbook import cli\n"
        "try:\n    cli.main(['sweep', '--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'pandas', 'numpy', 'dask', 'distributed', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "GRID.yaml" in done.stdout


@pytest.mark.parametrize("live", [True, False])
def test_progress_is_a_bar_or_a_few_lines(live):
    stream = io.StringIO()
    stream.isatty = lambda: live
    with Progress(stream) as progress:
        assert list(run._shown(iter(range(40)), "toy", 40, progress)) == list(range(40))
    said = stream.getvalue()
    assert ("20/40" in said) is True
    assert ("21/40" in said) is live
    assert ("\r" in said) is live
    if not live:
        lines = said.splitlines()
        assert [line.split()[1] for line in lines] == [f"{n}/40" for n in range(4, 40, 4)] + [
            "done"
        ]


def spawn(path, reports):
    """The command in a session of its own, whose whole group gets what a terminal sends."""
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = (
        f"{heard}; import sys; from tests.workbook.sweep import toys; "
        "from xcoll.workbook.sweep import works; works.WORKS.update(toys.WORKS); "
        "from xcoll.workbook.cli import main; sys.exit(main())"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "sweep", str(path), "--reports", str(reports)],
        cwd=ROOT,
        env={**os.environ, toys.SLOWER: "0.3"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE  # its parent has yet to hear of it
    except psutil.NoSuchProcess:
        return True


def test_a_sweep_that_is_stopped_goes_on_where_it_was(sweep, tmp_path, capsys):
    blocks = {"axes": {"scale": {"from": 1, "to": 20}}, "chunk": 6}
    _, whole = sweep("--serial", file="whole", **blocks)
    path, folder = tmp_path / "toy.yaml", tmp_path / "reports" / "sweeps" / "toy"
    path.write_text((tmp_path / "whole.yaml").read_text())
    kept = 0
    for how in (signal.SIGINT, signal.SIGKILL):
        process = spawn(path, tmp_path / "reports")
        while process.poll() is None and len(list(folder.glob("parts/*.parquet"))) < kept + 2:
            time.sleep(0.02)
        started = psutil.Process(process.pid).children(recursive=True)
        (os.killpg if how is signal.SIGINT else os.kill)(process.pid, how)
        _, said = process.communicate(timeout=60)
        assert process.returncode == (-9 if how is signal.SIGKILL else 130)
        assert "Traceback" not in said
        assert ("the same command goes on from there" in said) is (how is not signal.SIGKILL)
        assert (f"{kept} of 20 tasks are kept" in said) is (kept > 0)
        assert started
        until = time.monotonic() + 15
        while time.monotonic() < until and not all(gone(one) for one in started):
            time.sleep(0.02)
        assert all(gone(one) for one in started)
        assert kept + 2 <= len(list(folder.glob("parts/*.parquet"))) < 20
        kept = len(list(folder.glob("parts/*.parquet")))
        assert not (folder / "results.parquet").exists()
    capsys.readouterr()
    assert sweep("--serial", **blocks)[0] == 0
    assert f"{kept} of 20 tasks are kept" in capsys.readouterr().err
    assert files(folder) == files(whole)


def test_a_worker_killed_half_way_costs_time_and_nothing_else(sweep, tmp_path, capsys):
    blocks = {"axes": {"scale": {"from": 1, "to": 12}}, "chunk": 6}
    _, whole = sweep("--serial", file="whole", **blocks)
    path, folder = tmp_path / "toy.yaml", tmp_path / "reports" / "sweeps" / "toy"
    path.write_text((tmp_path / "whole.yaml").read_text())
    process = spawn(path, tmp_path / "reports")
    while process.poll() is None and len(list(folder.glob("parts/*.parquet"))) < 4:
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    victim = next(one for one in children if "spawn_main" in " ".join(one.cmdline()))
    victim.kill()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert gone(victim)
    assert "Restarting worker" in said
    assert "Traceback" not in said
    assert files(folder) == files(whole)
