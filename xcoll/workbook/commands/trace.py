"""`xcoll trace`: where a number of a report comes from."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from xcoll.workbook.commands.common import columns, one_folder

if TYPE_CHECKING:
    from xcoll.workbook.review.lookup import Hit, Record

__all__ = ["EPILOG", "HELP", "arguments", "call"]

HELP = "where a number of a report comes from"
EPILOG = """\
examples
  xcoll trace default            every number of the calibration report, with its artifacts
  xcoll trace default "34 %"     where it stands, what made it, files and hashes, up to the data
"""
MOST = 12  # places that are followed
SHORT = 12  # letters of a hash


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll trace` takes."""
    parser.add_argument("run", metavar="RUN", help="folder of the report under reports/")
    parser.add_argument("text", metavar="TEXT", nargs="?", help="a number or a word of the report")


def call(options: argparse.Namespace) -> int:
    """Print the trace; 0 where there is one."""
    from xcoll.workbook import project
    from xcoll.workbook.review import lookup

    one_folder(options.run, "RUN")
    record = lookup.load(project.find(reports=options.reports).reports, options.run)
    if record.content["stale"]:
        print("stale: the report was made from earlier files than those below", file=sys.stderr)
    if options.text is None:
        rows = [(hit.text, hit.where, _expression(hit), _names(hit)) for hit in record.every()]
        columns([("number", "where", "expression", "from"), *rows])
        return 0
    found = record.find(options.text)
    for hit in found[:MOST]:
        _print(record, hit)
    if len(found) > MOST:
        print(f"and in {len(found) - MOST} more places")
    return 0


def _expression(hit: "Hit") -> str:
    return hit.origin.partition("  [")[0] or "–"


def _names(hit: "Hit") -> str:
    return ", ".join(name for names in hit.sources.values() for name in names) or "typed"


def _print(record: "Record", hit: "Hit") -> None:
    """One place, the expression behind it, and everything that it rests on, up the chain."""
    print(f"{hit.text}  in {hit.where}" if hit.text != hit.said else hit.where)
    if hit.said:
        print(f"  said        {' '.join(hit.said.split())}")
    if hit.origin:
        print(f"  made by     {hit.origin}")
    if not any(hit.sources.values()):
        print("  from        nothing: it is typed there and not computed\n")
        return
    behind = _behind(record, hit.sources)
    rows = [_artifact(record, name) for name in behind["artifacts"]]
    if rows:
        print(f"  from        {', '.join(hit.sources['artifacts'])}")
        columns([("              artifact", "file", "SHA-256", "saved in", "made of"), *rows])
    for name in behind["data"]:
        data = record.content["data"][name]
        print(f"  data        {data['file']}, SHA-256 {data['sha256'][:SHORT]}  [{name}]")
    values: dict[str, list[str]] = {}
    for name in behind["parameters"]:
        notebook, _, parameter = name.partition(".")
        value = record.content["parameters"][name]
        values.setdefault(notebook, []).append(f"{parameter} = {value}")
    for notebook, given in values.items():
        print(f"  parameters  {notebook}: {', '.join(given)}")
    if behind["run"]:
        print("  run         manifest.json")
    print()


def _behind(record: "Record", sources: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Everything that `sources` rest on in the end, nearest first, each once."""
    found: dict[str, list[str]] = {kind: [] for kind in ("artifacts", "data", "parameters", "run")}
    left = [sources]
    for each in left:
        for kind, names in each.items():
            new = [name for name in names if name not in found[kind]]
            found[kind] += new
            left += [record.artifact(name)["from"] for name in new if kind == "artifacts"]
    return found | {kind: sorted(found[kind]) for kind in ("data", "parameters")}


def _artifact(record: "Record", name: str) -> tuple[str, ...]:
    made = record.artifact(name)
    place = f"{made['notebook']}, cell {made['cell']}, line {made['line']}"
    of = ", ".join(made["from"].get("artifacts", ())) or "data"
    return (f"              {name}", made["file"], made["sha256"][:SHORT], place, of)
