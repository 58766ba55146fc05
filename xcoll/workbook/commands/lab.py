"""`xcoll lab`: JupyterLab, opened on a start page that knows the newest run."""

import argparse
import os
import sys

__all__ = ["HELP", "arguments", "call"]

HELP = "open JupyterLab on the start page"
PAGE = "00_start"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll lab` takes."""
    parser.add_argument("rest", nargs="*", metavar="OPTION", help="for JupyterLab itself, after --")


def call(options: argparse.Namespace) -> int:
    """Execute the start page, then become JupyterLab."""
    from xcoll.workbook import engine, project, runner
    from xcoll.workbook.kernels import Cancel, CellFailureError

    here = project.find(reports=options.reports)
    here.reports.mkdir(parents=True, exist_ok=True)
    page = here.reports / f"{PAGE}.ipynb"
    try:
        engine.execute(
            here.notebooks / f"{PAGE}.ipynb",
            page,
            {},
            environment=os.environ | runner.FIXED,
            timeout=60,
            cancel=Cancel(),
            on_cell=lambda index, total, cell: None,
        )
    except CellFailureError as error:
        print(f"xcoll: the start page stopped: {error.error}", file=sys.stderr)
    url = f"/lab/tree/{here.relative(page)}"
    command = ["jupyter", "lab", f"--notebook-dir={here.root}", f"--LabApp.default_url={url}"]
    os.execv(sys.executable, [sys.executable, "-m", *command, *options.rest])
