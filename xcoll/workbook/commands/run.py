"""`xcoll run`: bring the chain up to date."""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from xcoll.errors import ParameterError
from xcoll.workbook.commands.common import interrupt, one_folder, place

if TYPE_CHECKING:
    from xcoll.workbook.chain import Chain
    from xcoll.workbook.plan import Plan

__all__ = ["HELP", "arguments", "call"]

HELP = "run what is stale and write the report"


def arguments(parser: argparse.ArgumentParser) -> None:
    """What `xcoll run` takes."""
    parser.add_argument("--name", default="default", help="folder of the report under reports/")
    parser.add_argument(
        "-p",
        dest="texts",
        action="append",
        default=[],
        metavar="[NOTEBOOK.]NAME=VALUE",
        help="set a parameter, in every notebook that declares it or in one",
    )
    parser.add_argument(
        "-f", dest="file", type=Path, metavar="FILE", help="set parameters from a YAML file"
    )
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument(
        "--only", action="append", default=[], metavar="NOTEBOOK", help="run just this one"
    )
    scope.add_argument("--until", metavar="NOTEBOOK", help="run this one and everything before it")
    parser.add_argument(
        "--jobs",
        type=int,
        default=min(os.cpu_count() or 1, 4),
        help="notebooks at once (%(default)s)",
    )
    parser.add_argument("--force", action="store_true", help="run also what is not stale")
    parser.add_argument("--dry-run", action="store_true", help="say what would run, and why")
    parser.add_argument(
        "--timeout", type=int, default=1800, help="seconds for a cell (%(default)s)"
    )


def call(options: argparse.Namespace) -> int:
    """Run; 0 where the report is there."""
    from xcoll.workbook import manifest, plan, project
    from xcoll.workbook.progress import Progress
    from xcoll.workbook.sweep.store import FOLDER
    from xcoll.workbook.update import update

    if options.jobs < 1 or options.timeout < 1:
        raise ParameterError("--jobs and --timeout take whole numbers from 1 on")
    one_folder(options.name)
    taken = {
        project.TIMINGS: "make bench",
        FOLDER: "xcoll sweep",
        project.DIFFS: "xcoll diff",
        project.REPLICATIONS: "xcoll replicate",
    }
    if options.name in taken:
        owner = taken[options.name]
        raise ParameterError(f"--name {options.name}: that folder is {owner}'s; take another")
    here = project.find(reports=options.reports)
    settings, texts = _overrides(options, here.chain)
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
        )
    old = [name for name in here.chain.steps if name in manifest.read(index.parent)["stale"]]
    if old:
        print(
            f"stale now: {', '.join(old)}; bring them up to date with: xcoll run", file=sys.stderr
        )
    print(index)
    return 0


def _overrides(options: argparse.Namespace, chain: "Chain") -> tuple[list, list]:
    """Values of the file, and texts of the command line, each with where they stand."""
    from xcoll.workbook.parameters import load

    def scoped(name: str) -> tuple[str | None, str]:
        notebook, dot, parameter = name.partition(".")
        return (chain.resolve(notebook), parameter) if dot else (None, name)

    settings = []
    for name, value in (load(options.file) if options.file else {}).items():
        if isinstance(value, dict):
            notebook = chain.resolve(str(name))
            settings += [(notebook, key, item, str(options.file)) for key, item in value.items()]
        else:
            settings.append((*scoped(str(name)), value, str(options.file)))
    texts = []
    for text in options.texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ParameterError(f"-p {text}: write it as -p name=value")
        texts.append((*scoped(name.strip()), value, f"-p {text}"))
    return settings, texts


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
