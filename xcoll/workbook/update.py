"""A run from its plan to its report: what is stale runs, and the report is swapped in whole."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from xcoll.workbook import manifest, publish, runner
from xcoll.workbook.plan import Plan
from xcoll.workbook.progress import Progress
from xcoll.workbook.store import Store

__all__ = ["update"]


def update(
    plan: Plan,
    name: str,
    progress: Progress,
    *,
    jobs: int,
    force: bool = False,
    timeout: int = runner.TIMEOUT,
    fast: bool = False,
) -> Path:
    """Bring the report ``reports/<name>/`` up to date with `plan`, and return its index page.

    Parameters
    ----------
    jobs : int
        Notebooks that may run at once.
    force : bool
        Run also what is not stale.
    timeout : int
        Seconds for one cell.
    fast : bool
        Fork the kernels; the bytes are the same.

    Raises
    ------
    RunError
        Where a notebook fails, another run holds the folder, or it cannot be written; the last
        good report is as it was then.
    """
    reports = plan.project.reports
    store = Store(reports / ".steps")
    began = datetime.now(UTC)
    with publish.locked(reports):
        last = manifest.sound(
            reports / name, lambda fault: progress.line(f"{fault}; it is written anew")
        )
        if last is not None:
            _say_changed_data(plan, last, progress)
        before = publish.held(last, store)
        finished = runner.run(
            plan,
            store,
            before,
            jobs=jobs,
            force=force,
            progress=progress,
            timeout=timeout,
            fast=fast,
        )
        index = publish.publish(plan, name, finished, began, progress)
        used = publish.used(reports, progress.line)
        if used is not None:
            store.sweep(used)
    return index


def _say_changed_data(plan: Plan, last: Mapping, progress: Progress) -> None:
    """Say which data files changed under the same name since the report that is there."""
    then = last["facts"]["data"]
    now = {file: digest for step in plan.steps for file, digest in plan.facts(step)["data"].items()}
    for file, digest in now.items():
        if then.get(file, digest) != digest:
            progress.line(
                f"{file} changed under the same name since run {last['run']!r} was made (SHA-256 "
                f"{then[file][:12]}… then, {digest[:12]}… now): its report is written anew; to "
                "keep it, give this run another name with --name"
            )
