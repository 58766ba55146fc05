"""What several commands share: settings and place of a run, names of folders, an interrupt."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from xcoll.errors import ParameterError

if TYPE_CHECKING:
    from xcoll.workbook.chain import Chain

__all__ = [
    "check_run",
    "columns",
    "interrupt",
    "one_folder",
    "overrides",
    "place",
    "run_arguments",
]


def run_arguments(parser: argparse.ArgumentParser) -> None:
    """What a command takes that runs the chain: parameters, jobs and the patience with a cell."""
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
    parser.add_argument(
        "--jobs",
        type=int,
        default=min(os.cpu_count() or 1, 4),
        help="notebooks at once (%(default)s)",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="fork the kernels from one that has the libraries loaded (same bytes)",
    )
    parser.add_argument(
        "--timeout", type=int, default=1800, help="seconds for a cell (%(default)s)"
    )


def check_run(options: argparse.Namespace) -> None:
    """Refuse jobs and seconds under 1, and a name that cannot be that of a run.

    Raises
    ------
    ParameterError
        Which of them, and what it takes.
    """
    from xcoll.workbook import project

    if options.jobs < 1 or options.timeout < 1:
        raise ParameterError("--jobs and --timeout take whole numbers from 1 on")
    one_folder(options.name)
    if options.name in project.TAKEN:
        owner = project.TAKEN[options.name]
        raise ParameterError(f"--name {options.name}: that folder is {owner}'s; take another")


def overrides(options: argparse.Namespace, chain: "Chain") -> tuple[list, list]:
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


def place(options: argparse.Namespace) -> list[str]:
    """The options that say where the run lies, where they are not the default."""
    name = ["--name", options.name] if options.name != "default" else []
    return name + (["--reports", options.reports] if options.reports else [])


def one_folder(name: str, asked: str = "--name") -> None:
    """Refuse a `name` that is not the name of one visible folder; `asked` is what asks for it.

    Raises
    ------
    ParameterError
        Where it is empty, hidden, or a path.
    """
    if not name or name.startswith(".") or Path(name).name != name:
        raise ParameterError(f"{asked} {name!r}: give the name of one folder, like base")


def interrupt(signum: int, frame: object) -> None:
    """A signal's handler: the end that Ctrl-C has."""
    raise KeyboardInterrupt


def columns(rows: Sequence[Sequence[str]]) -> None:
    """Print `rows` as columns of text."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
