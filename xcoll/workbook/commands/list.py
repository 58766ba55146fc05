"""`xcoll list`: the notebooks of the chain and their state."""

import argparse

__all__ = ["HELP", "arguments", "call"]

HELP = "the notebooks, their questions and their state"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll list` takes."""
    parser.add_argument("--name", default="default", help="run whose state is shown")


def call(options: argparse.Namespace) -> int:
    """List; always 0."""
    from xcoll.workbook import plan, project, publish
    from xcoll.workbook.store import Store

    here = project.find(reports=options.reports)
    folder = here.reports / options.name
    described = publish.manifest(folder)
    finished = publish.held(folder, Store(here.reports / ".steps"))
    old = publish.stale(plan.build(here), finished) if finished else []
    for name, step in here.chain.steps.items():
        state = "never run"
        if described and name in described["steps"]:
            state = "stale" if name in old or name not in finished else "fresh"
        print(f"{name:<24} {state:<10} {step.question}")
    return 0
