"""`xcoll sweep`: a grid of parameters, paths and books on many processes."""

import argparse
import os
import signal
import sys
from pathlib import Path

from xcoll.errors import ParameterError
from xcoll.workbook.commands.common import columns, interrupt, one_folder

__all__ = ["EPILOG", "HELP", "arguments", "call"]

HELP = "carry out a grid of parameters, paths and books on many processes"
EPILOG = """\
a grid names a work and its axes; all other settings have their defaults
  work: replay
  axes:
    engine: [aave, morpho]
    factor: {from: 0.6, to: 1.4, step: 0.2}
    paths: [history, bootstrap]
  fixed: {cohort_size: 4000, number: 500}

Without a grid the settings are listed.  Finished tasks are kept, and only what is missing or
stale is carried out: the same command goes on where it was stopped, and a grid that grew runs
what is new.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll sweep` takes."""
    parser.add_argument(
        "grid", type=Path, nargs="?", metavar="GRID.yaml", help="the grid, see below"
    )
    parser.add_argument("--name", help="folder of the results under reports/sweeps/ (the grid's)")
    parser.add_argument("--run", default="default", help="run whose artifacts are read")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, help="processes of this machine (one a core)")
    where.add_argument("--scheduler", metavar="ADDRESS", help="a dask scheduler, tcp://host:port")
    where.add_argument("--serial", action="store_true", help="all in this process")
    parser.add_argument("--force", action="store_true", help="accept a very large grid")


def call(options: argparse.Namespace) -> int:
    """Sweep; 0 where every task has its row."""
    # One thread for linear algebra, as the workers have: before numpy is imported.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    from contextlib import nullcontext

    from xcoll.workbook import project
    from xcoll.workbook.progress import Progress
    from xcoll.workbook.sweep import cluster
    from xcoll.workbook.sweep.run import sweep
    from xcoll.workbook.sweep.serial import serial

    if options.grid is None:
        return _settings()
    if options.workers is not None and options.workers < 1:
        raise ParameterError("--workers takes a whole number from 1 on")
    name = options.grid.stem if options.name is None else options.name
    one_folder(name)
    here = project.find(reports=options.reports)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with Progress() as progress:
            if options.serial:
                carriers = nullcontext(serial)
            elif options.scheduler is not None:
                carriers = cluster.remote(options.scheduler, progress.line)
            else:
                carriers = cluster.local(options.workers, progress.line)
            print(sweep(options.grid, here, name, options.run, carriers, progress, options.force))
    except KeyboardInterrupt:
        print(
            "xcoll: interrupted; finished tasks are kept\nthe same command goes on from there",
            file=sys.stderr,
        )
        return 130
    return 0


def _settings() -> int:
    import json

    from xcoll.workbook.sweep.works import WORKS

    for name, work in WORKS.items():
        print(f"work: {name}")
        rows = [(key, json.dumps(one.default), one.note) for key, one in work.settings.items()]
        columns([("setting", "default", "unit and range"), *rows])
    return 0
