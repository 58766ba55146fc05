"""`xcoll diff`: what differs between two runs."""

import argparse
from pathlib import Path

__all__ = ["HELP", "TROUBLE", "arguments", "call"]

HELP = "compare two runs: what they rest on, and every number"
TROUBLE = 2  # the code of a call that found no answer; 1 says that the runs differ


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll diff` takes."""
    parser.add_argument("a", metavar="RUN_A", help="name or folder of a finished run")
    parser.add_argument("b", metavar="RUN_B", help="name or folder of another one")
    parser.add_argument(
        "--rtol",
        type=float,
        default=1e-9,
        help="numbers are equal up to this times the larger one (%(default)s)",
    )
    parser.add_argument("--atol", type=float, default=0.0, help="plus this (%(default)s)")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="the page (reports/diffs/A..B.html)"
    )
    parser.add_argument(
        "--all", action="store_true", help="list every artifact and every changed sentence"
    )


def call(options: argparse.Namespace) -> int:
    """Compare; 0 where every artifact is equal within the tolerance, 1 where one differs."""
    from xcoll.workbook import project
    from xcoll.workbook.review import page, runs, text
    from xcoll.workbook.review.differences import difference
    from xcoll.workbook.review.numbers import Tolerance

    tolerance = Tolerance(options.rtol, options.atol)
    here = project.find(reports=options.reports)
    a, b = (runs.find(name, here) for name in (options.a, options.b))
    found = difference(a, b, here.chain, tolerance)
    for line in text.lines(found, everything=options.all):
        print(line)
    print(page.write(found, here, options.html))
    return 0 if found.same else 1
