"""The tasks of a sweep on the workers of a dask scheduler, here or elsewhere.

Inputs travel as a task of their own and not as scattered data, which nobody could make again once
the worker that holds them is gone.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

import dask
from dask.system import CPU_COUNT
from distributed import Client, Future, KilledWorker, LocalCluster, as_completed
from distributed.comm import get_address_host_port
from distributed.utils import silence_logging_cmgr

from xcoll.errors import ParameterError, RunError
from xcoll.workbook.sweep import worker
from xcoll.workbook.sweep.inputs import Inputs, parse
from xcoll.workbook.sweep.tasks import Carrier, Task, Work

__all__ = ["local", "remote", "spread"]

PATIENCE = "5s"  # for a scheduler that does not answer, or has no workers
SETTINGS = {
    # A worker holds one task and no queue, so that a task is never blamed for its neighbour.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.no-workers-timeout": "60s",
    # dask's own value has the system take back and hand out the pages of every array: a third of
    # the time of a task here.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
}


@contextmanager
def local(workers: int | None, say: Callable[[str], None]) -> Iterator[Carrier]:
    """A cluster of this machine: processes of one thread, restarted when they die, loopback only.

    Parameters
    ----------
    workers : number of processes; None for one a core.
    say : told when a worker dies, and why.
    """
    with (
        dask.config.set(SETTINGS),
        LocalCluster(
            n_workers=workers or CPU_COUNT,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
            preload=[worker.__name__],
        ) as cluster,
        _heard("distributed.nanny", say),
        Client(cluster, set_as_default=False) as client,
    ):
        yield partial(spread, client)


@contextmanager
def remote(address: str, say: Callable[[str], None]) -> Iterator[Carrier]:
    """The workers of the scheduler at `address`.

    Raises
    ------
    ParameterError
        `address` is none.
    RunError
        Nobody answers there, or the scheduler has no workers.
    """
    try:
        get_address_host_port(address)
    except ValueError as error:
        raise ParameterError(f"--scheduler {address}: {error}; give tcp://host:port") from error
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except OSError as error:
        raise RunError(
            f"no scheduler answers at {address} within {PATIENCE}; start one there with "
            "`dask scheduler`, or leave --scheduler out"
        ) from error
    with silence_logging_cmgr(logging.CRITICAL), client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise RunError(
                f"the scheduler at {address} has no workers; start some with "
                f"`dask worker {address} --nthreads 1`"
            ) from error
        threads = client.nthreads()
        if max(threads.values()) > 1:
            say("some workers have several threads; --nthreads 1 is faster for these tasks")
        yield partial(spread, client)


def spread(
    client: Client, work: Work, tasks: Sequence[Task], inputs: Inputs
) -> Iterator[tuple[Task, bytes]]:
    """Each of `tasks` with its bytes, in the order in which they finish.

    Raises
    ------
    RunError
        Naming the task that failed, whatever it raised, or that kills its workers; or where the
        scheduler is lost.
    """
    label = uuid4().hex
    read = client.submit(parse, inputs.contents, key=f"inputs-{label}")
    wanted = worker.ground()
    futures = {
        client.submit(
            worker.carry_out_here, work.run, task, read, wanted, key=(f"sweep-{label}", task.index)
        ): task
        for task in tasks
    }
    try:
        for future in as_completed(list(futures), loop=client.loop):
            try:
                content = future.result()
            except Exception as error:
                raise _failure(futures, error) from error
            yield futures.pop(future), content
    finally:
        if client.status == "running":
            client.cancel(list(futures))


def _failure(futures: Mapping[Future, Task], error: Exception) -> RunError:
    """The error that names the task; of several that died together, the one that ran."""
    failed = {task.index: future for future, task in futures.items() if future.status == "error"}
    if not failed:
        what = type(error).__name__
        return RunError(f"the scheduler is lost ({what}); start it again, or leave --scheduler out")
    future = failed[min(failed)]
    task, why = futures[future], future.exception()
    if isinstance(why, KilledWorker):
        return RunError(
            f"{task} ended {why.allowed_failures + 1} workers one after the other (out of memory, "
            "or killed); give it fewer items with chunk, or look at it alone with --serial"
        )
    return RunError(f"{task} failed: {type(why).__name__}: {why}")


@contextmanager
def _heard(name: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hand warnings of the logger `name` to `say`."""
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: say(f"dask: {record.getMessage()}")  # type: ignore[method-assign]
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
