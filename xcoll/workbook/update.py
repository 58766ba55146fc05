"""A run from its plan to its report: what is stale runs, and the report is swapped in whole."""

from datetime import UTC, datetime
from pathlib import Path

from xcoll.workbook import publish, runner
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
        before = publish.held(
            reports / name, store, lambda fault: progress.line(f"{fault}; it is written anew")
        )
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
