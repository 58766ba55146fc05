"""The command line: `xcoll`, or `python -m xcoll`.

Heavy libraries are imported inside the commands, so that help answers at once.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xcoll import __version__
from xcoll.errors import ParameterError, XcollError

if TYPE_CHECKING:
    from xcoll.workbook.chain import Chain
    from xcoll.workbook.plan import Plan
    from xcoll.workbook.store import Done, Store

__all__ = ["main"]

EPILOG = """\
examples
  xcoll run                                   bring the whole chain up to date
  xcoll run --until 05 -p confidence=0.975    up to the haircuts, at another level
  xcoll run --name tight -f tight.yaml        a run of its own beside the default one
  xcoll params 05                             what notebook 05 can be told
  xcoll sweep data/sweeps/engines.yaml        a grid of engines, worlds and paths, on all cores
"""

GRID = """\
a grid names a work and its axes; all other settings have their defaults
  work: replay
  axes:
    engine: [aave, morpho]
    factor: {from: 0.6, to: 1.4, step: 0.2}
    paths: [history, bootstrap]
  fixed: {cohort_size: 4000, number: 500}

Without a grid the settings are listed.  Finished tasks are kept, and only what is missing or
stale is carried out: the same command goes on where it was stopped, and a grid that grew runs
what is new.
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

    run = commands.add_parser("run", help="run what is stale and write the report")
    run.add_argument("--name", default="default", help="folder of the report under reports/")
    run.add_argument(
        "-p",
        dest="texts",
        action="append",
        default=[],
        metavar="[NOTEBOOK.]NAME=VALUE",
        help="set a parameter, in every notebook that declares it or in one",
    )
    run.add_argument(
        "-f", dest="file", type=Path, metavar="FILE", help="set parameters from a YAML file"
    )
    scope = run.add_mutually_exclusive_group()
    scope.add_argument(
        "--only", action="append", default=[], metavar="NOTEBOOK", help="run just this one"
    )
    scope.add_argument("--until", metavar="NOTEBOOK", help="run this one and everything before it")
    run.add_argument(
        "--jobs",
        type=int,
        default=min(os.cpu_count() or 1, 4),
        help="notebooks at once (%(default)s)",
    )
    run.add_argument("--force", action="store_true", help="run also what is not stale")
    run.add_argument("--dry-run", action="store_true", help="say what would run, and why")
    run.add_argument("--timeout", type=int, default=1800, help="seconds for a cell (%(default)s)")

    sweep = commands.add_parser(
        "sweep",
        help="carry out a grid of parameters, paths and books on many processes",
        epilog=GRID,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sweep.add_argument(
        "grid", type=Path, nargs="?", metavar="GRID.yaml", help="the grid, see below"
    )
    sweep.add_argument("--name", help="folder of the results under reports/sweeps/ (the grid's)")
    sweep.add_argument("--run", default="default", help="run whose artifacts are read")
    where = sweep.add_mutually_exclusive_group()
    where.add_argument("--workers", type=int, help="processes of this machine (one a core)")
    where.add_argument("--scheduler", metavar="ADDRESS", help="a dask scheduler, tcp://host:port")
    where.add_argument("--serial", action="store_true", help="all in this process")
    sweep.add_argument("--force", action="store_true", help="accept a very large grid")

    commands.add_parser("list", help="the notebooks, their questions and their state").add_argument(
        "--name", default="default", help="run whose state is shown"
    )
    commands.add_parser("params", help="the parameters of a notebook").add_argument("notebook")
    commands.add_parser("warm", help="compile the kernels once")
    for command in commands.choices.values():
        command.add_argument("--reports", metavar="DIR", help="folder of the runs (reports/)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 is success, 1 a failed run, 2 a wrong call, 130 an interrupt."""
    options = _parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except ParameterError as error:
        print(f"xcoll: {error}", file=sys.stderr)
        return 2
    except XcollError as error:
        print(f"xcoll: {error}", file=sys.stderr)
        return 1
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
        return 1


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


def _place(options: argparse.Namespace) -> list[str]:
    """The options that say where the run lies, where they are not the default."""
    place = ["--name", options.name] if options.name != "default" else []
    return place + (["--reports", options.reports] if options.reports else [])


def _run(options: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from xcoll.workbook import plan, project, publish, runner
    from xcoll.workbook.progress import Progress
    from xcoll.workbook.store import Store
    from xcoll.workbook.sweep.store import FOLDER

    if options.jobs < 1 or options.timeout < 1:
        raise ParameterError("--jobs and --timeout take whole numbers from 1 on")
    _one_folder(options.name)
    taken = {project.TIMINGS: "make bench", FOLDER: "xcoll sweep"}
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
        options=_place(options),
    )
    store = Store(here.reports / ".steps")
    signal.signal(signal.SIGTERM, _interrupt)
    if options.dry_run:
        return _dry_run(wanted, store, publish.held(here.reports / options.name, store))
    began = datetime.now(UTC)
    with publish.locked(here.reports), Progress() as progress:
        before = publish.held(here.reports / options.name, store)
        finished = runner.run(
            wanted,
            store,
            before,
            jobs=options.jobs,
            force=options.force,
            progress=progress,
            timeout=options.timeout,
        )
        index = publish.publish(wanted, options.name, finished, began, progress)
        used = {
            (step, described["key"])
            for folder in here.reports.iterdir()
            for step, described in (publish.manifest(folder) or {"steps": {}})["steps"].items()
        }
        store.sweep(used)
    old = [name for name in here.chain.steps if name in publish.manifest(index.parent)["stale"]]
    if old:
        print(
            f"stale now: {', '.join(old)}; bring them up to date with: xcoll run", file=sys.stderr
        )
    print(index)
    return 0


def _one_folder(name: str) -> None:
    if not name or name.startswith(".") or Path(name).name != name:
        raise ParameterError(f"--name {name!r}: give the name of one folder, like base")


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _dry_run(wanted: "Plan", store: "Store", before: dict[str, "Done"]) -> int:
    chain = wanted.project.chain
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


def _sweep(options: argparse.Namespace) -> int:
    # One thread for linear algebra, as the workers have: before numpy is imported.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    from contextlib import nullcontext

    from xcoll.workbook import project
    from xcoll.workbook.progress import Progress
    from xcoll.workbook.sweep import cluster
    from xcoll.workbook.sweep.run import sweep
    from xcoll.workbook.sweep.serial import serial

    if options.grid is None:
        return _settings()
    if options.workers is not None and options.workers < 1:
        raise ParameterError("--workers takes a whole number from 1 on")
    name = options.grid.stem if options.name is None else options.name
    _one_folder(name)
    here = project.find(reports=options.reports)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with Progress() as progress:
            if options.serial:
                carriers = nullcontext(serial)
            elif options.scheduler is not None:
                carriers = cluster.remote(options.scheduler, progress.line)
            else:
                carriers = cluster.local(options.workers, progress.line)
            print(sweep(options.grid, here, name, options.run, carriers, progress, options.force))
    except KeyboardInterrupt:
        print(
            "xcoll: interrupted; finished tasks are kept\nthe same command goes on from there",
            file=sys.stderr,
        )
        return 130
    return 0


def _settings() -> int:
    import json

    from xcoll.workbook.sweep.works import WORKS

    for name, work in WORKS.items():
        print(f"work: {name}")
        rows = [(key, json.dumps(one.default), one.note) for key, one in work.settings.items()]
        _columns([("setting", "default", "unit and range"), *rows])
    return 0


def _columns(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _list(options: argparse.Namespace) -> int:
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


def _params(options: argparse.Namespace) -> int:
    from xcoll.workbook import parameters, project

    here = project.find()
    name = here.chain.resolve(options.notebook)
    rows = [
        (parameter.name, parameter.annotation, repr(parameter.default), parameter.comment)
        for parameter in parameters.read(here.notebooks / f"{name}.ipynb")
    ]
    _columns([("name", "type", "default", "unit and range"), *rows])
    return 0


def _warm(options: argparse.Namespace) -> int:
    from xcoll.workbook.warm import warm

    modules, seconds = warm()
    print(f"kernels of {modules} modules compiled or loaded in {seconds:.1f} s")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "params": _params,
    "run": _run,
    "sweep": _sweep,
    "warm": _warm,
}

if __name__ == "__main__":
    sys.exit(main())
