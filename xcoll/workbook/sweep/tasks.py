"""What a sweep is made of: a work, its tasks with their keys, and one task carried out.

A task is one point of the grid on a chunk of the point's items (cohorts, paths).  It is pure: its
rows follow from its values, its items and the inputs, never from the process that carries it out,
and an item is the same in whatever chunk it comes.
"""

import io
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from xcoll.errors import RunError
from xcoll.workbook.sweep.inputs import Inputs, Loader, Read

__all__ = ["Carrier", "Setting", "Task", "Values", "Work", "carry_out", "chunks"]

Values = Mapping[str, Any]


def _nothing(values: Values) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Setting:
    """One thing that a grid can set.

    Attributes
    ----------
    default : JSON scalar that holds where the grid says nothing.
    guard : (name, value) → the checked value, as in `xcoll.checks`.
    note : unit and range, for the reader.
    """

    default: object
    guard: Callable[[str, Any], object]
    note: str = ""


@dataclass(frozen=True)
class Work:
    """A pure function that a grid can name, and what it needs.

    Attributes
    ----------
    run : (task, read) → DataFrame; a function of a module that every worker can import.  The
        columns and their types are the same for all tasks, the index is the default one.
    settings : by name.
    span : (values, read) → number of items of a point; raises `ParameterError` for a point that
        cannot be, before anything runs.
    chunk : (values, read) → items that take about half a second.
    idle : values → settings that change nothing at this point, each with the setting that makes
        it so; an axis of them is refused.
    artifacts : artifacts of a run that `run` and `span` find in `read`, by name; read only.
    files : settings whose value, where it is not the default, names a file of the user, each with
        what reads it; its table is in `read` under that value.
    """

    run: Callable[["Task", Read], pd.DataFrame]
    settings: Mapping[str, Setting]
    span: Callable[[Values, Read], int]
    chunk: Callable[[Values, Read], int]
    idle: Callable[[Values], Mapping[str, str]] = _nothing
    artifacts: tuple[str, ...] = ()
    files: Mapping[str, Loader] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """One point of the grid on the items ``first`` to ``last − 1``.

    Attributes
    ----------
    index : place in the sweep, from 0.
    point : values of the axes.
    values : values of all settings, those of the axes included.
    first, last : items.
    key : hash of all that the rows depend on.
    """

    index: int
    point: Values
    values: Values
    first: int
    last: int
    key: str

    def __str__(self) -> str:
        where = [f"{name} {value}" for name, value in self.point.items()]
        return f"task {self.index} ({', '.join([*where, f'items {self.first}–{self.last - 1}'])})"


def chunks(items: int, largest: int) -> Iterator[tuple[int, int]]:
    """Bounds of the fewest, nearly equal chunks of at most `largest` items."""
    count = -(-items // max(largest, 1))
    bounds = [items * part // count for part in range(count + 1)]
    return itertools.pairwise(bounds)


def carry_out(run: Callable[[Task, Read], pd.DataFrame], task: Task, inputs: Read) -> bytes:
    """Rows of `task` as the bytes of a parquet file, the same in every process.

    Raises
    ------
    RunError
        The work returns anything but a frame with the default index.
    """
    frame = run(task, inputs)
    if not isinstance(frame, pd.DataFrame) or not isinstance(frame.index, pd.RangeIndex):
        raise RunError("a work returns a DataFrame with the default index; see reset_index")
    plain = frame.copy(deep=False)
    plain.attrs = {}
    stream = io.BytesIO()
    plain.to_parquet(stream)
    return stream.getvalue()


# Carries tasks out, and gives each with its bytes as soon as it is finished.
Carrier = Callable[[Work, Sequence[Task], Inputs], Iterator[tuple[Task, bytes]]]
