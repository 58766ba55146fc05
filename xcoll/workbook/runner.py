"""The chain at work: stale notebooks run, independent branches side by side."""

import os
import shlex
import shutil
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from time import time

from xcoll.errors import RunError
from xcoll.workbook import artifacts, parameters
from xcoll.workbook.chain import Step
from xcoll.workbook.kernels import Cancel, CellFailureError
from xcoll.workbook.plan import Plan
from xcoll.workbook.progress import Progress
from xcoll.workbook.project import STEP_VARIABLE
from xcoll.workbook.store import Done, Store

__all__ = ["run"]

TIMEOUT = 1800  # seconds for one cell
FIXED = {  # of every kernel: one thread, one hash seed, one zone
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "PYTHONHASHSEED": "0",
    "TZ": "UTC",
}


def run(
    plan: Plan,
    store: Store,
    before: Mapping[str, Done],
    *,
    jobs: int,
    force: bool,
    progress: Progress,
    timeout: int = TIMEOUT,
    fast: bool = False,
) -> dict[str, Done]:
    """Bring the notebooks of `plan` up to date and return every finished step.

    Parameters
    ----------
    before : mapping
        Finished steps of notebooks that the plan does not hold.
    jobs : int
        Notebooks that may run at once.
    force : bool
        Run also what is not stale.
    fast : bool
        Fork the kernels (`fork`) instead of starting each; the bytes are the same.

    Raises
    ------
    RunError
        With six lines for the reader, where a notebook fails.  Whatever finished stays in the
        store, also where the run is interrupted.
    """
    chain = plan.project.chain
    finished: dict[str, Done] = {name: before[name] for name in before if name not in plan.steps}
    waiting = list(plan.steps)
    running: dict[Future[Done], str] = {}
    failures: list[RunError] = []
    cancel = Cancel()
    forked: dict[str, type] = {}
    pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="notebook")
    try:
        while running or (waiting and not failures):
            for name in list(waiting if not failures else ()):
                if len(running) >= jobs:
                    break
                if any(
                    other in plan.steps and other not in finished for other in chain.upstream(name)
                ):
                    continue
                waiting.remove(name)
                key = plan.key(name, plan.inputs(name, finished))
                known = None if force else store.find(name, key)
                if known is not None:
                    finished[name] = known
                    progress.line(f"{name:<24} kept")
                    continue
                if fast and not forked:
                    from xcoll.workbook import fork

                    books = [plan.project.notebooks / f"{step}.ipynb" for step in plan.steps]
                    forked = {"kernels": fork.start(books, os.environ | FIXED)}
                progress.began(name)
                step = partial(_step, plan, store, name, key, dict(finished))
                job = pool.submit(step, cancel, progress, timeout, **forked)
                running[job] = name
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for job in done:
                name = running.pop(job)
                error = job.exception()
                progress.ended(name, "done" if error is None else "FAILED")
                if error is None:
                    finished[name] = job.result()
                elif isinstance(error, RunError):
                    failures.append(error)
                else:
                    raise error
    except KeyboardInterrupt:
        cancel()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    if failures:
        raise failures[0]
    return finished


def _step(
    plan: Plan,
    store: Store,
    name: str,
    key: str,
    finished: Mapping[str, Done],
    cancel: Cancel,
    progress: Progress,
    timeout: int,
    **kernels: type,
) -> Done:
    """Execute one notebook in a draft folder and enter it into the store."""
    from xcoll.workbook import engine  # half a second that a run of nothing stale can do without

    project = plan.project
    began = time()
    try:
        with store.draft(name, key) as draft:
            description = draft / "run.json"
            inputs = {other: finished[other].folder for other in project.chain.upstream(name)}
            artifacts.write_json(
                description,
                {
                    "notebook": name,
                    "root": str(project.root),
                    "reports": str(project.reports),
                    "inputs": {other: str(inputs[other] / "artifacts") for other in inputs},
                    "output": str(draft / "artifacts"),
                    "facts": plan.facts(name),
                },
            )
            try:
                engine.execute(
                    project.notebooks / f"{name}.ipynb",
                    draft / "notebook.ipynb",
                    plan.changed.get(name, {}),
                    environment=_environment(description),
                    timeout=timeout,
                    cancel=cancel,
                    on_cell=lambda index, total, cell: progress.cell(name, index, total, cell),
                    **kernels,
                )
                _complete(project.chain.steps[name], draft / "artifacts")
            except CellFailureError as error:
                raise _failure(plan, name, error, draft / "notebook.ipynb") from error
            description.unlink()
            seconds = round(time() - began, 3)
            changed = dict(plan.changed.get(name, {}))
            record = {"changed": changed, "seconds": seconds, "began": began}
            return store.commit(name, key, draft, record)
    except OSError as error:
        problem = f"{error.strerror}: {error.filename or 'its files'}"
        failure = CellFailureError("", "writing its files", problem, "")
        raise _failure(plan, name, failure, None) from error


def _environment(description: Path) -> dict[str, str]:
    """Environment of a kernel: one for all, but for the file that describes its step."""
    return {**os.environ, **FIXED, STEP_VARIABLE: str(description)}


def _complete(step: Step, folder: Path) -> None:
    declared = {f"{name}{artifact.suffix}" for name, artifact in step.artifacts.items()}
    missing = sorted(declared - {path.name for path in folder.iterdir()})
    if missing:
        raise CellFailureError(
            "", "after its last cell", f"it did not save {', '.join(missing)} as declared", ""
        )


def _failure(plan: Plan, name: str, error: CellFailureError, partial: Path | None) -> RunError:
    """Six lines: which notebook and cell, the error, the parameters, the log, the way on."""
    logs = plan.project.reports / ".logs"
    values = ", ".join(f"{key}={value!r}" for key, value in plan.values(name).items())
    settings = [
        f"{step}.{key}={parameters.written(value)}"
        for step in [*plan.project.chain.upstream(name), name]
        for key, value in plan.changed.get(step, {}).items()
    ]
    again = ["xcoll", "run", *plan.options, "--until", name]
    again += [word for setting in settings for word in ("-p", setting)]
    log = logs / f"{name}.log"
    try:
        logs.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{name}, {error.position}\n{error.error}\n\n{error.trace}\n", "utf-8")
        if partial is not None and partial.is_file():
            shutil.copyfile(partial, logs / f"{name}.ipynb")
        place = str(log)
    except OSError as refused:
        place = f"not written ({refused.strerror}: {refused.filename})"
    cell = f', "{error.cell}"' if error.cell else ""
    return RunError(
        f"{name} failed in {error.position}{cell}\n"
        f"  error       {error.error.strip().splitlines()[0]}\n"
        f"  parameters  {values}\n"
        f"  log         {place}\n"
        f"  again       {shlex.join(again)}\n"
        f"  report      the last good one is as it was; finished notebooks are kept"
    )
