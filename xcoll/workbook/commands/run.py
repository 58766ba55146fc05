"""`xcoll run`: bring the chain up to date."""

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from xcoll.workbook.commands.common import check_run, interrupt, overrides, place, run_arguments

if TYPE_CHECKING:
    from xcoll.workbook.plan import Plan

__all__ = ["HELP", "arguments", "call"]

HELP = "run what is stale and write the report"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll run` takes."""
    parser.add_argument("--name", default="default", help="folder of the report under reports/")
    run_arguments(parser)
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument(
        "--only", action="append", default=[], metavar="NOTEBOOK", help="run just this one"
    )
    scope.add_argument("--until", metavar="NOTEBOOK", help="run this one and everything before it")
    parser.add_argument("--force", action="store_true", help="run also what is not stale")
    parser.add_argument("--dry-run", action="store_true", help="say what would run, and why")


def call(options: argparse.Namespace) -> int:
    """Run; 0 where the report is there."""
    from xcoll.workbook import manifest, plan, project
    from xcoll.workbook.progress import Progress
    from xcoll.workbook.update import update

    check_run(options)
    here = project.find(reports=options.reports)
    settings, texts = overrides(options, here.chain)
    wanted = plan.build(
        here,
        only=options.only,
        until=options.until,
        settings=settings,
        texts=texts,
        options=place(options),
    )
    signal.signal(signal.SIGTERM, interrupt)
    if options.dry_run:
        return _dry_run(wanted, here.reports / options.name)
    with Progress() as progress:
        index = update(
            wanted,
            options.name,
            progress,
            jobs=options.jobs,
            force=options.force,
            timeout=options.timeout,
            fast=options.fast,
        )
    old = [name for name in here.chain.steps if name in manifest.read(index.parent)["stale"]]
    if old:
        print(
            f"stale now: {', '.join(old)}; bring them up to date with: xcoll run", file=sys.stderr
        )
    print(index)
    return 0


def _dry_run(wanted: "Plan", folder: Path) -> int:
    from xcoll.workbook import manifest, publish
    from xcoll.workbook.store import Store

    chain = wanted.project.chain
    store = Store(wanted.project.reports / ".steps")
    last = manifest.sound(
        folder, lambda fault: print(f"{fault}; a run writes it anew", file=sys.stderr)
    )
    before = publish.held(last, store)
    finished = {name: done for name, done in before.items() if name not in wanted.steps}
    for name in wanted.steps:
        if all(other in finished for other in chain.upstream(name)):
            known = store.find(name, wanted.key(name, wanted.inputs(name, finished)))
            if known is not None:
                finished[name] = known
                print(f"{name:<24} keep")
                continue
            why = "never ran with these inputs"
        else:
            why = "after " + ", ".join(o for o in chain.upstream(name) if o not in finished)
        print(f"{name:<24} run   {why}")
    return 0
