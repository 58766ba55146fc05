"""`xcoll list`: the notebooks of the chain and their state."""

import argparse
import sys

__all__ = ["HELP", "arguments", "call"]

HELP = "the notebooks, their questions and their state"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll list` takes."""
    parser.add_argument("--name", default="default", help="run whose state is shown")


def call(options: argparse.Namespace) -> int:
    """List; 0, or 1 where the run is damaged and its state unknown."""
    from xcoll.workbook import overview, project

    here = project.find(reports=options.reports)
    states, fault = overview.states(here, options.name)
    for name, state in states.items():
        print(f"{name:<24} {state:<10} {here.chain.steps[name].question}")
    if fault is not None:
        print(f"xcoll: {fault}", file=sys.stderr)
    return 0 if fault is None else 1
