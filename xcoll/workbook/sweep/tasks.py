"""What a sweep is made of: a work, its tasks with their keys, and one task carried out.

A task is one point of the grid on a chunk of the point's items (cohorts, paths).  It is pure: its
rows follow from its values, its items, the inputs and the seed of its own index, never from the
process that carries it out.
"""

import io
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from xcoll.errors import ParameterError, RunError
from xcoll.workbook.sweep.inputs import Inputs

__all__ = ["Carrier", "Read", "Setting", "Task", "Values", "Work", "carry_out", "chunks"]

Values = Mapping[str, Any]
Read = Mapping[str, Any]


@dataclass(frozen=True)
class Setting:
    """One thing that a grid can set.

    Attributes
    ----------
    default : JSON scalar that holds where the grid says nothing.
    guard : (name, value) → the checked value, as in `xcoll.checks`.
    """

    default: object
    guard: Callable[[str, Any], object]


@dataclass(frozen=True)
class Work:
    """A pure function that a grid can name, and what it needs.

    Attributes
    ----------
    run : (task, inputs) → DataFrame; a function of a module that every worker can import.  The
        columns and their types are the same for all tasks, the index is the default one.
    settings : by name.
    span : (values, inputs) → number of items of a point; raises `ParameterError` for a point that
        cannot be, before anything runs.
    chunk : values → items that take about half a second.
    artifacts : artifacts of a run that `run` and `span` find in `inputs`, by name; read only.
    draws : whether `run` takes numbers from `Task.rng`; the seed is part of the key then.
    """

    run: Callable[["Task", Read], pd.DataFrame]
    settings: Mapping[str, Setting]
    span: Callable[[Values, Read], int]
    chunk: Callable[[Values], int]
    artifacts: tuple[str, ...] = ()
    draws: bool = False


@dataclass(frozen=True)
class Task:
    """One point of the grid on the items ``first`` to ``last − 1``.

    Attributes
    ----------
    index : place in the sweep, from 0.
    point : values of the axes.
    values : values of all settings, those of the axes included.
    first, last : items.
    seed : seed of the sweep, None for a work that does not draw.
    key : hash of all that the rows depend on.
    """

    index: int
    point: Values
    values: Values
    first: int
    last: int
    seed: int | None
    key: str

    def __str__(self) -> str:
        where = [f"{name} {value}" for name, value in self.point.items()]
        return f"task {self.index} ({', '.join([*where, f'items {self.first}–{self.last - 1}'])})"

    def rng(self) -> np.random.Generator:
        """Generator of this task: child number ``index`` of the sweep's `SeedSequence`."""
        if self.seed is None:
            raise ParameterError("this work does not draw; declare it with draws=True")
        child = np.random.SeedSequence(self.seed, spawn_key=(self.index,))
        return np.random.default_rng(child)


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
