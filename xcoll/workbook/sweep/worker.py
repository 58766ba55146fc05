"""What runs inside a worker process of a cluster."""

import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

import xcoll
from xcoll.errors import RunError
from xcoll.workbook import fingerprint
from xcoll.workbook.sweep.inputs import Read
from xcoll.workbook.sweep.tasks import Task, carry_out

__all__ = ["carry_out_here", "dask_setup", "ground"]


@cache
def ground() -> dict[str, object]:
    """Code and versions that the results of this process rest on."""
    code = fingerprint.code(Path(xcoll.__file__).parent)
    return {"code": code, "versions": fingerprint.environment()}


def carry_out_here(
    run: Callable[[Task, Read], pd.DataFrame], task: Task, inputs: Read, wanted: dict[str, object]
) -> bytes:
    """`carry_out`, where this process has the code and versions that the client `wanted`.

    Raises
    ------
    RunError
        It has others: the bytes would not be those of a serial run.
    """
    here = ground()
    if here != wanted:
        mine, theirs = ({"xcoll": one["code"], **one["versions"]} for one in (here, wanted))
        other = [name for name in theirs if mine.get(name) != theirs[name]]
        raise RunError(
            f"a worker has another {', '.join(other)} than this machine; install the same lock on "
            "both"
        )
    return carry_out(run, task, inputs)


def dask_setup(worker: object) -> None:
    """Leave Ctrl-C to the client, which ends its workers itself; dask calls this at the start."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
