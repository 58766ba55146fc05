"""`xcoll recalibrate`: the chain as of a date, the guard rails, and an entry of the ledger."""

import argparse
import signal
import sys
from pathlib import Path

from xcoll.workbook.commands.common import check_run, interrupt, overrides, place, run_arguments

__all__ = ["EPILOG", "HELP", "arguments", "call"]

HELP = "run the chain as of a date, move the parameters in force, say what changed"
EPILOG = """\
exit codes
  0  nothing changed: no parameter moved and no alert is new
  3  parameters changed
  4  an alert is new (whether or not parameters changed)
  1  the run failed (data that end before the date, too little history), or the ledger is broken
  2  a wrong call: a date before the ledger's last entry, another venue, an unknown parameter

An entry is one proposal under the stewards' rails in data/venues.yaml: at most a step of each
parameter, no sooner than the delay after its last move.  Bands and thresholds of the alerts stand
in data/monitor.yaml.  The same date on the same inputs appends nothing and gives the same code.

a line of a crontab; NOTIFY is given the code where it is not 0, --name NAME keeps one report only
  15 2 * * *  cd DIR && .venv/bin/xcoll recalibrate --as-of $(date -ud -1day +\\%F) || NOTIFY $?
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll recalibrate` takes."""
    parser.add_argument("--as-of", required=True, metavar="DATE", help="last date that is used")
    parser.add_argument(
        "--ledger",
        type=Path,
        metavar="FILE",
        help="ledger that is continued (ledger/ledger.jsonl of the project)",
    )
    parser.add_argument("--name", help="folder of the report under reports/ (as-of-DATE)")
    run_arguments(parser)


def call(options: argparse.Namespace) -> int:
    """Recalibrate; what the exit codes say stands in `EPILOG`."""
    from datetime import UTC, datetime

    from xcoll import checks
    from xcoll.workbook import project
    from xcoll.workbook.monitor import entry, words
    from xcoll.workbook.monitor.recalibrate import LEDGER, planned, recalibrate
    from xcoll.workbook.progress import Progress

    as_of = checks.day("--as-of", options.as_of)
    options.name = f"as-of-{as_of}" if options.name is None else options.name
    check_run(options)
    here = project.find(reports=options.reports)
    ledger = here.path(LEDGER) if options.ledger is None else options.ledger.resolve()
    wanted = planned(here, as_of, *overrides(options, here.chain), place(options))
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with Progress() as progress:
            done = recalibrate(
                wanted,
                as_of,
                options.name,
                ledger,
                datetime.now(UTC),
                progress,
                jobs=options.jobs,
                timeout=options.timeout,
                fast=options.fast,
            )
    except KeyboardInterrupt:
        print(
            "xcoll: interrupted; finished notebooks are kept and the ledger is whole\n"
            "the same command goes on from there",
            file=sys.stderr,
        )
        return 130
    last = done.entries[-1]
    print("\n".join(words.told(done.entries, done.added)))
    print(f"ledger  {ledger}\nhead    {last['hash']}  (keep it elsewhere too)")
    print(f"report  {done.index}\npage    {done.page}")
    return entry.code(last)
