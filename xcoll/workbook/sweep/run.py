"""A sweep from its grid file to its results."""

import time
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

from xcoll.errors import ParameterError, RunError
from xcoll.workbook import fingerprint
from xcoll.workbook.progress import Progress
from xcoll.workbook.project import SWEEPS, Project
from xcoll.workbook.publish import locked
from xcoll.workbook.sweep import grid as grids
from xcoll.workbook.sweep import store, worker, works
from xcoll.workbook.sweep.inputs import collect, parse
from xcoll.workbook.sweep.tasks import Carrier, Task

__all__ = ["LIMIT", "sweep"]

LIMIT = 10_000  # tasks, over an hour on one core; more ask for --force
FAILURE = "failed.log"


def sweep(
    path: Path,
    project: Project,
    name: str,
    run: str,
    carriers: AbstractContextManager[Carrier],
    progress: Progress,
    force: bool = False,
) -> Path:
    """Carry out what is missing of the grid file `path`, and return the path of the results.

    Parameters
    ----------
    name : folder under ``reports/sweeps/``.
    run : finished run whose artifacts are read.
    carriers : opens what carries tasks out; entered only where a task is missing.
    force : accept more than `LIMIT` tasks.

    Raises
    ------
    ParameterError
        The grid is wrong, or too large.
    ArtifactError
        The run or one of its artifacts is missing or damaged.
    DataError
        A file that the grid names cannot be read.
    RunError
        A task failed, the scheduler does not answer, or the folder cannot be written; finished
        tasks are kept.
    """
    grid = grids.read(path, works.WORKS)
    work = works.WORKS[grid.work]
    _limited(path, grid.size, force)
    loaders = {
        value: load
        for name, load in work.files.items()
        for value in grid.values(name)
        if value != work.settings[name].default
    }
    inputs = collect(project, run, work.artifacts, loaders)
    ground = {"inputs": inputs.hashes, **worker.ground()}
    shared = fingerprint.value(ground)
    tasks = grids.plan(grid, work, parse(inputs.contents), shared, inputs.files)
    _limited(path, len(tasks), force)
    folder = project.reports / SWEEPS / name
    with locked(folder):
        parts = store.Parts(folder)
        found, damaged = parts.find(tasks)
        if damaged:
            progress.line(f"{damaged} damaged parts are made again")
        if found:
            progress.line(f"{len(found)} of {len(tasks)} tasks are kept")
        missing = [task for task in tasks if task.index not in found]
        if missing:
            with carriers as carrier, closing(carrier(work, missing, inputs)) as finished:
                try:
                    for task, content in _shown(finished, name, len(missing), progress):
                        found[task.index] = parts.write(task, content)
                except RunError as error:
                    if isinstance(error.__cause__, OSError):  # a full disk takes no log either
                        raise
                    log = folder / FAILURE
                    log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
                    raise RunError(
                        f"{error}\n{len(found)} of {len(tasks)} tasks are kept in {folder}; the "
                        f"traceback is in its {FAILURE}\nthe same command goes on from there"
                    ) from error
        rows = store.assemble(tasks, found)
        parts.clear(found.values())
        (folder / FAILURE).unlink(missing_ok=True)
        return store.publish(folder, grid, tasks, rows, {**ground, "files": inputs.files})


def _limited(path: Path, tasks: int, force: bool) -> None:
    if tasks > LIMIT and not force:
        raise ParameterError(
            f"{path.name} makes at least {tasks:,} tasks, over {LIMIT:,}; thin its axes, or run "
            "it all the same with --force"
        )


def _shown(
    finished: Iterator[tuple[Task, bytes]], name: str, total: int, progress: Progress
) -> Iterator[tuple[Task, bytes]]:
    """`finished`, with a bar on a terminal and a line for every tenth into a pipe."""
    began = time.perf_counter()
    progress.began(name)
    progress.cell(name, 0, total, "starting")
    for done, result in enumerate(finished, start=1):
        yield result
        left = (time.perf_counter() - began) * (total - done) / done
        about = f"about {left:.0f} s left" if left < 100 else f"about {left / 60:.0f} min left"
        progress.cell(name, done, total, about)
        if not progress.live and done < total and done * 10 // total > (done - 1) * 10 // total:
            progress.line(f"{name:<24} {done}/{total} {about}")
    progress.ended(name, "done")
