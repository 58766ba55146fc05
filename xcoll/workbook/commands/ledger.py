"""`xcoll ledger`: whether history was changed, what was in force, and the page of it."""

import argparse
from pathlib import Path

from xcoll.errors import ParameterError
from xcoll.workbook.commands.common import columns

__all__ = ["EPILOG", "HELP", "arguments", "call"]

HELP = "verify or show the ledger of parameters"
EPILOG = """\
verify  computes every hash again and names the first entry that was changed, removed, inserted or
        moved (exit code 1); with --head also whether a hash that was kept is still in it, which is
        the only way to see that the last entries were cut off or that all was written anew
show    the parameters in force, entry by entry, a move as from → to
page    writes the page of the ledger into the folder of the reports again
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll ledger` takes."""
    parser.add_argument("action", choices=("verify", "show", "page"))
    parser.add_argument(
        "file",
        type=Path,
        nargs="?",
        metavar="FILE",
        help="the ledger (ledger/ledger.jsonl of the project)",
    )
    parser.add_argument("--head", metavar="HASH", help="a hash that was kept, or its beginning")
    parser.add_argument("--asset", help="show this asset only")


def call(options: argparse.Namespace) -> int:
    """Verify, show or write; 0 where the ledger is as it was written."""
    from xcoll.workbook import project
    from xcoll.workbook.monitor import ledger

    if options.file is None:
        here = project.find(reports=options.reports)
        path = here.path("ledger/ledger.jsonl")
    else:
        path = options.file
    if not path.is_file():
        raise ParameterError(f"{path} is no ledger yet; `xcoll recalibrate` begins one")
    entries = ledger.read(path)
    return _ACTIONS[options.action](options, path, entries)


def _verify(options: argparse.Namespace, path: Path, entries: list) -> int:
    from xcoll.workbook.monitor import ledger

    if options.head:
        number = ledger.find(entries, options.head)
        print(f"entry {number} has that hash, and {len(entries) - number} came after it")
    head = entries[-1]["hash"] if entries else "none"
    print(f"{path}: {len(entries)} entries, each as it was written, head {head}")
    return 0


def _show(options: argparse.Namespace, path: Path, entries: list) -> int:
    from xcoll.workbook.monitor import words

    rows = words.history(entries, options.asset)
    if options.asset and not rows:
        known = dict.fromkeys(asset for entry in entries for asset in entry["parameters"])
        raise ParameterError(f"--asset {options.asset}: the ledger has {', '.join(known)}")
    columns([("entry", "as of", "asset", "threshold", "LTV", "bonus", "cap"), *rows])
    return 0


def _page(options: argparse.Namespace, path: Path, entries: list) -> int:
    from xcoll.workbook import project
    from xcoll.workbook.monitor import page

    if not entries:
        raise ParameterError(f"{path} has no entry; `xcoll recalibrate` makes the first")
    print(page.write(entries, project.find(reports=options.reports).reports, path))
    return 0


_ACTIONS = {"verify": _verify, "show": _show, "page": _page}
