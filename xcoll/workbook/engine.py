"""Execution of one notebook by papermill, with the false successes of the stack ruled out."""

import logging
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

# papermill's schema check pulls in this unused grammar: two seconds of an import of three.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

import nbformat  # noqa: E402
import papermill  # noqa: E402
from jupyter_client.manager import AsyncKernelManager  # noqa: E402
from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: E402
from nbformat import NotebookNode  # noqa: E402
from papermill.clientwrap import PapermillNotebookClient  # noqa: E402
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines  # noqa: E402
from papermill.exceptions import PapermillExecutionError  # noqa: E402

from xcoll.workbook.kernels import Cancel, CellFailureError  # noqa: E402

__all__ = ["execute"]

ANSI = re.compile(r"\x1b\[[0-9;]*m")
INJECTED = "injected-parameters"


@dataclass
class _Watch:
    """What the engine tells the runner while it works."""

    environment: Mapping[str, str]
    on_cell: Callable[[int, int, str], None]
    cancel: Cancel
    position: str = "before its first cell"
    cell: str = ""

    def at(self, index: int, total: int, cell: str) -> None:
        """Note where the notebook is."""
        self.position, self.cell = f"cell {index + 1} of {total}", cell

    def failure(self, error: str, trace: str = "") -> CellFailureError:
        """The error for what happened here."""
        return CellFailureError(self.cell, self.position, error, ANSI.sub("", trace))


class StepEngine(Engine):
    """papermill's nbclient engine, with a kernel environment of its own for every notebook."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        *,
        watch: _Watch,
        execution_timeout: int,
        kernels: type[AsyncKernelManager],
        **_: object,
    ) -> NotebookNode:
        """Execute `nb_man.nb`; papermill calls this."""
        start_cell = nb_man.cell_start

        def started(cell: NotebookNode, index: int, **named: object) -> None:
            watch.at(index, len(nb_man.nb.cells), cell.get("id", ""))
            watch.on_cell(index, len(nb_man.nb.cells), cell.get("id", ""))
            start_cell(cell, index, **named)

        nb_man.cell_start = started
        client = PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            kernel_manager_class=kernels,
            timeout=execution_timeout,
            startup_timeout=120,
            record_timing=False,
            shutdown_kernel="immediate",
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            log=logging.getLogger("papermill.quiet"),
        )
        watch.cancel.add(client)
        try:
            return client.execute(env=dict(watch.environment))
        finally:
            watch.cancel.remove(client)


papermill_engines.register("xcoll", StepEngine)
logging.getLogger("papermill").setLevel(logging.CRITICAL)


def execute(
    source: Path,
    target: Path,
    parameters: Mapping[str, object],
    *,
    environment: Mapping[str, str],
    timeout: int,
    cancel: Cancel,
    on_cell: Callable[[int, int, str], None],
    kernels: type[AsyncKernelManager] = AsyncKernelManager,
) -> NotebookNode:
    """Run the notebook `source` with `parameters` and write the executed one to `target`.

    Parameters
    ----------
    source, target : Path
        Absolute paths; `target` holds the cells executed so far where the run fails.
    parameters : mapping
        Changed parameters only, JSON values, already checked.
    environment : mapping
        Environment variables of the kernel.
    timeout : int
        Seconds that one cell may take.
    cancel : Cancel
        Lets another thread stop the kernel.
    on_cell : callable
        Told (index, number of cells, cell id) when a cell starts.
    kernels : type
        The manager that starts the kernel.

    Raises
    ------
    CellFailureError
        Where a cell raises, the kernel dies or leaves early, or a cell takes too long.
    """
    watch = _Watch(environment, on_cell, cancel)
    try:
        notebook = papermill.execute_notebook(
            str(source),
            str(target),
            parameters=dict(parameters),
            engine_name="xcoll",
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,
            execution_timeout=timeout,
            kernels=kernels,
            watch=watch,
        )
    except PapermillExecutionError as error:
        trace = "\n".join(error.traceback)
        raise watch.failure(f"{error.ename}: {error.evalue}", trace) from error
    except CellTimeoutError as error:
        raise watch.failure(f"the cell took longer than {timeout} s") from error
    except DeadKernelError as error:
        raise watch.failure("the kernel died (killed, or out of memory)") from error
    except RuntimeError as error:
        raise watch.failure(f"the kernel did not start: {error}") from error
    # papermill calls a notebook a success whose kernel left early.
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            watch.at(index, len(notebook.cells), cell.get("id", ""))
            raise watch.failure("the kernel left before this cell (sys.exit, or it was killed)")
    _normalise(notebook)
    nbformat.write(notebook, target)
    return notebook


def _normalise(notebook: NotebookNode) -> None:
    """Drop what differs between two runs of the same inputs: clocks, paths, random ids."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if INJECTED in cell.metadata.get("tags", []):
            cell["id"] = INJECTED
