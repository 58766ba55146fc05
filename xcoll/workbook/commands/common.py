"""What several commands share: the place of a run, a name of a folder, columns, an interrupt."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from xcoll.errors import ParameterError

__all__ = ["columns", "interrupt", "one_folder", "place"]


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
