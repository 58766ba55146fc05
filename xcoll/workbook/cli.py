"""The command line: `xcoll`, or `python -m xcoll`.

Heavy libraries are imported inside the commands, so that help answers at once.
"""

import argparse
import sys
from collections.abc import Sequence
from types import ModuleType

from xcoll import __version__
from xcoll.errors import ParameterError, XcollError
from xcoll.workbook.commands import (
    data,
    diff,
    lab,
    ledger,
    params,
    recalibrate,
    replicate,
    run,
    sweep,
    trace,
    warm,
)
from xcoll.workbook.commands import list as listing

__all__ = ["COMMANDS", "main"]

COMMANDS: dict[str, ModuleType] = {
    "run": run,
    "sweep": sweep,
    "lab": lab,
    "diff": diff,
    "replicate": replicate,
    "recalibrate": recalibrate,
    "ledger": ledger,
    "list": listing,
    "params": params,
    "data": data,
    "trace": trace,
    "warm": warm,
}
EPILOG = """\
examples
  xcoll run                                   bring the whole chain up to date
  xcoll run --until 05 -p confidence=0.975    up to the haircuts, at another level
  xcoll run --name tight -f tight.yaml        a run of its own beside the default one
  xcoll diff default tight                    what changed between the two, and why
  xcoll replicate default                     built again from its manifest: the same bytes?
  xcoll params 05                             what notebook 05 can be told
  xcoll data check my_prices.csv              what a file of yours is, and what would stop a run
  xcoll trace default "34 %"                  where a number of the report comes from
  xcoll sweep data/sweeps/engines.yaml        a grid of engines, worlds and paths, on all cores
  xcoll recalibrate --as-of 2023-06-30        parameters in force as of a date, and their ledger
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xcoll",
        description="Research workbook for cross-collateralisation.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"xcoll-workbook {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        one = commands.add_parser(
            name,
            help=command.HELP,
            epilog=getattr(command, "EPILOG", None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.arguments(one)
        one.add_argument("--reports", metavar="DIR", help="folder of the runs (reports/)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 is success, 1 a failed run, 2 a wrong call, 130 an interrupt.

    Commands whose 1 is an answer, as that two runs differ, have 2 for a failure too.
    `recalibrate` has two codes more, which its help explains.
    """
    options = _parser().parse_args(arguments)
    command = COMMANDS[options.command]
    trouble = getattr(command, "TROUBLE", 1)
    try:
        return command.call(options)
    except ParameterError as error:
        print(f"xcoll: {error}", file=sys.stderr)
        return 2
    except XcollError as error:
        print(f"xcoll: {error}", file=sys.stderr)
        return trouble
    except KeyboardInterrupt:
        print(
            "xcoll: interrupted; finished notebooks are kept and the last good report is as it "
            "was\ngo on with: xcoll run",
            file=sys.stderr,
        )
        return 130
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        print(f"xcoll: {error.strerror}{place}; finished notebooks are kept", file=sys.stderr)
        return trouble


if __name__ == "__main__":
    sys.exit(main())
