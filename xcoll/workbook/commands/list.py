"""`xcoll list`: the notebooks of the chain and their state."""

import argparse

__all__ = ["HELP", "arguments", "call"]

HELP = "the notebooks, their questions and their state"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll list` takes."""
    parser.add_argument("--name", default="default", help="run whose state is shown")


def call(options: argparse.Namespace) -> int:
    """List; always 0."""
    from xcoll.workbook import overview, project

    here = project.find(reports=options.reports)
    for name, state in overview.states(here, options.name).items():
        print(f"{name:<24} {state:<10} {here.chain.steps[name].question}")
    return 0
