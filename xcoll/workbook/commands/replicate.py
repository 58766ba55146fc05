"""`xcoll replicate`: a run built again from its manifest, and held against it byte by byte."""

import argparse
import os
import signal
import sys
from pathlib import Path

from xcoll.errors import ParameterError
from xcoll.workbook.commands.common import interrupt

__all__ = ["EPILOG", "HELP", "TROUBLE", "arguments", "call"]

HELP = "build a run again from its manifest, and prove that the bytes are equal"
TROUBLE = 2  # the code of a call that found no answer; 1 says that the bytes are not equal
EPILOG = """\
The recorded commit is checked out into a scratch folder, an environment is made from its
requirements.lock, every data file is held against its hash, the notebooks run with the recorded
parameters, and every file is held against the manifest.  Neither the run nor the working tree
is touched.  The PDF, which rests on the browser, is not counted.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll replicate` takes."""
    parser.add_argument("run", metavar="RUN", help="name or folder of a finished run")
    parser.add_argument(
        "--environment",
        choices=("fresh", "this"),
        default="fresh",
        help="made anew from the lock, or the one that runs now (%(default)s)",
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="keep the replica, its environment and logs here"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=min(os.cpu_count() or 1, 4),
        help="notebooks at once (%(default)s)",
    )


def call(options: argparse.Namespace) -> int:
    """Replicate; 0 where every byte is proven equal, 1 where not."""
    from xcoll.workbook import project
    from xcoll.workbook.progress import Progress
    from xcoll.workbook.review import certificate, runs
    from xcoll.workbook.review.replicate import replicate

    if options.jobs < 1:
        raise ParameterError("--jobs takes whole numbers from 1 on")
    here = project.find(reports=options.reports)
    run = runs.find(options.run, here)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with Progress() as progress:
            found = replicate(
                run,
                here,
                kind=options.environment,
                keep=options.keep,
                jobs=options.jobs,
                tell=progress.line,
            )
    except KeyboardInterrupt:
        print("xcoll: interrupted; the run is as it was", file=sys.stderr)
        return 130
    for line in certificate.lines(found):
        print(line)
    place = options.keep or here.reports / project.REPLICATIONS / run.name
    print(certificate.write(found, place))
    return 0 if found.proven else 1
