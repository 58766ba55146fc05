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
    from xcoll.errors import RunError
    from xcoll.workbook import manifest, plan, project, publish
    from xcoll.workbook.store import Store

    here = project.find(reports=options.reports)
    folder = here.reports / options.name
    fault, described = None, None
    try:
        described = manifest.read(folder)
    except RunError as error:
        fault = error
    finished = publish.held(described, Store(here.reports / ".steps"))
    old = publish.stale(plan.build(here), finished) if finished else []
    for name, step in here.chain.steps.items():
        state = "never run" if fault is None else "unknown"
        if described and name in described["steps"]:
            state = "stale" if name in old or name not in finished else "fresh"
        print(f"{name:<24} {state:<10} {step.question}")
    damage = manifest.damage(folder, described) if described else None
    if damage:
        fault = f"{folder}: {damage}; {manifest.remedy(folder)}"
    if fault is not None:
        print(f"xcoll: {fault}", file=sys.stderr)
    return 0 if fault is None else 1
