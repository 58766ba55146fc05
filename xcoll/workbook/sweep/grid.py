"""The grid file: which work, which axes, what is fixed; checked before anything runs.

An example::

    work: replay
    axes:                                       # the product of all of them, in this order
      engine: [aave, morpho]
      factor: {from: 0.6, to: 1.4, step: 0.2}   # a range holds both of its ends
    fixed: {paths: bootstrap, number: 500}      # the rest has the defaults of the work
    chunk: 50                                   # items a task, where the default is no good
"""

import difflib
import itertools
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from xcoll import checks
from xcoll.errors import DataError, ParameterError
from xcoll.workbook import files, fingerprint
from xcoll.workbook.sweep.inputs import Read
from xcoll.workbook.sweep.tasks import Task, Values, Work, chunks

__all__ = ["Grid", "parse", "plan", "read"]

BLOCKS = ("axes", "chunk", "fixed", "work")
LONGEST = 1_000_000  # values of one axis


@dataclass(frozen=True)
class Grid:
    """A checked grid.

    Attributes
    ----------
    work : name of the work.
    axes : name → values, in the order of the file; the last one varies fastest.
    fixed : values of all other settings of the work.
    chunk : items a task at most, None for the default of the work.
    """

    work: str
    axes: Mapping[str, list[Any]]
    fixed: Values
    chunk: int | None

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(len(values) for values in self.axes.values())

    def points(self) -> Iterator[dict[str, Any]]:
        """Values of the axes at every point."""
        for values in itertools.product(*self.axes.values()):
            yield dict(zip(self.axes, values, strict=True))

    def values(self, name: str) -> list[Any]:
        """All values of the setting `name`."""
        return self.axes[name] if name in self.axes else [self.fixed[name]]


def read(path: Path, works: Mapping[str, Work]) -> Grid:
    """The grid of the YAML file `path`; raises `ParameterError` as `parse` does."""
    try:
        return parse(files.read_yaml(path), works)
    except (DataError, ParameterError) as error:
        known = isinstance(error, DataError)  # these name the file already
        raise ParameterError(str(error) if known else f"{path.name}: {error}") from error


def parse(content: object, works: Mapping[str, Work]) -> Grid:
    """The grid that `content`, a mapping as in the head of the module, stands for.

    Raises
    ------
    ParameterError
        An unknown work, block or setting (the message names the nearest one), a setting that is
        an axis and fixed, an axis that is empty or has a value twice, a value that its guard
        refuses.
    """
    blocks = _mapping("the grid", content)
    _known("block", blocks, BLOCKS)
    if "work" not in blocks:
        raise ParameterError(f"work is missing; name one of {', '.join(sorted(works))}")
    name = str(blocks["work"])
    _known("work", [name], works)
    work = works[name]
    given = {block: _mapping(block, blocks.get(block) or {}) for block in ("axes", "fixed")}
    for names in given.values():
        _known(f"setting of {name}", names, work.settings)
    both = sorted(given["axes"].keys() & given["fixed"].keys())
    if both:
        raise ParameterError(f"{both[0]} is an axis and fixed; leave one of them out")
    defaults = {key: one.default for key, one in work.settings.items() if key not in given["axes"]}
    fixed = {key: work.settings[key].guard(key, value) for key, value in given["fixed"].items()}
    return Grid(
        work=name,
        axes={key: _axis(key, values, work) for key, values in given["axes"].items()},
        fixed=defaults | fixed,
        chunk=checks.whole("chunk", blocks["chunk"]) if "chunk" in blocks else None,
    )


def plan(
    grid: Grid, work: Work, read: Read, shared: str, files: Mapping[str, str] | None = None
) -> list[Task]:
    """Tasks of `grid`, point by point.

    Parameters
    ----------
    read : parsed inputs.
    shared : hash of what every key rests on: artifacts, code, versions.
    files : name of a user's file → hash of its table; a key rests on those that it names.

    Raises
    ------
    ParameterError
        A point that cannot be, that has no items, or that an axis does not change.
    """
    made: list[Task] = []
    for point in grid.points():
        values = {**grid.fixed, **point}
        idle = work.idle(values)
        for name in idle:
            if len(grid.axes.get(name, [])) > 1:
                why = idle[name]
                raise ParameterError(
                    f"axis {name} changes nothing where {why} is {values[why]!r}; give these "
                    "points a grid of their own"
                )
        items = checks.whole(f"number of items at {point}", work.span(values, read))
        rests = {
            "work": grid.work,
            "values": {name: value for name, value in values.items() if name not in idle},
            "files": [(files or {}).get(values[name]) for name in work.files],
            "shared": shared,
        }
        for first, last in chunks(items, grid.chunk or work.chunk(values, read)):
            key = fingerprint.value({**rests, "items": [first, last]})
            made.append(Task(len(made), point, values, first, last, key))
    return made


def _mapping(name: str, content: object) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        raise ParameterError(f"{name} is {content!r}; write it as lines of  name: value")
    return {str(key): value for key, value in content.items()}


def _known(what: str, names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
            raise ParameterError(f"no {what} is called {name!r}; {hint}")


def _axis(name: str, content: object, work: Work) -> list[Any]:
    values = _range(name, content) if isinstance(content, Mapping) else content
    if not isinstance(values, list):
        raise ParameterError(
            f"axis {name} is {content!r}; write a list or {{from: …, to: …, step: …}}, "
            "and put a single value under fixed"
        )
    if not values:
        raise ParameterError(f"axis {name} is empty; give it values or leave it out")
    checked = [work.settings[name].guard(name, value) for value in values]
    if len(set(checked)) < len(checked):
        twice = next(value for value in checked if checked.count(value) > 1)
        raise ParameterError(f"axis {name} has {twice!r} twice; leave one out")
    return checked


def _range(name: str, content: Mapping[str, Any]) -> list[Any]:
    _known(f"part of the range {name}", content, ("from", "step", "to"))
    if not {"from", "to"} <= content.keys():
        raise ParameterError(f"range {name} is {dict(content)}; write {{from: …, to: …, step: …}}")
    ends = [content["from"], content["to"], content.get("step", 1)]
    for value in ends:
        checks.number(name, value)
    # Decimals, so that 0.6 + 0.2 is 0.8 and the end belongs to the range.
    start, end, step = (Decimal(str(value)) for value in ends)
    checks.positive(f"step of {name}", float(step))
    if (end - start) / step >= LONGEST:
        raise ParameterError(f"range {name} has over {LONGEST:,} values; widen its step")
    values = [start + place * step for place in range(int((end - start) // step) + 1)]
    whole = all(isinstance(value, int) for value in ends)
    return [int(value) if whole else float(value) for value in values]
