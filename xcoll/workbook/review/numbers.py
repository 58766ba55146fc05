"""Two versions of one artifact, number by number."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll.checks import at_least
from xcoll.workbook.artifacts import KINDS
from xcoll.workbook.review.rows import pair

__all__ = ["Alone", "Comparison", "Spot", "Tolerance", "compare"]

NUMBERS = ("number", "whole")
NAMES = ("text", "time")
EXAMPLES = 3  # rows, columns and texts that are named
HUGE = 2**1023  # whole numbers from here on are no floats


@dataclass(frozen=True)
class Tolerance:
    """Numbers x and y are equal where abs(x − y) ≤ absolute + relative · max(abs(x), abs(y)).

    A missing number is equal to a missing one, an infinite one to the same infinity, and neither
    to anything else.
    """

    relative: float = 1e-9
    absolute: float = 0.0

    def __post_init__(self) -> None:
        at_least("--rtol", self.relative, 0.0)
        at_least("--atol", self.absolute, 0.0)


@dataclass(frozen=True)
class Spot:
    """One cell of two tables: its row and column, what A and B hold, and how far apart they are."""

    row: str
    column: str
    a: object
    b: object
    gap: float = np.nan


@dataclass(frozen=True)
class Alone:
    """Rows or columns that only one side has: how many, and the first of them."""

    count: int = 0
    first: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """How far two versions of an artifact are apart.

    Attributes
    ----------
    numbers, differing : int
        Pairs of numbers, and how many are not equal.
    unlike : int
        How many of `differing` are a number against a missing or infinite one.
    relative, absolute : Spot or None
        Where finite numbers that are not equal are furthest apart: by
        abs(x − y) / max(abs(x), abs(y)), and by abs(x − y).
    strange : Spot or None
        The first of `unlike`.
    texts, changed : int
        Pairs of texts, times and flags, and how many differ.
    examples : tuple of Spot
        The first of `changed`.
    rows, columns : (Alone, Alone)
        What only A has, and what only B has.
    """

    numbers: int = 0
    differing: int = 0
    unlike: int = 0
    relative: Spot | None = None
    absolute: Spot | None = None
    strange: Spot | None = None
    texts: int = 0
    changed: int = 0
    examples: tuple[Spot, ...] = ()
    rows: tuple[Alone, Alone] = (Alone(), Alone())
    columns: tuple[Alone, Alone] = (Alone(), Alone())

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        alone = sum(each.count for each in (*self.rows, *self.columns))
        return not (self.differing or self.changed or alone)


Column = tuple[str, pd.Series, pd.Series]  # its name, and the paired cells of A and of B


def compare(a: object, b: object, tolerance: Tolerance) -> Comparison:
    """Compare two versions of an artifact, each a DataFrame or what JSON holds."""
    if isinstance(a, pd.DataFrame) and isinstance(b, pd.DataFrame):
        return _tables(_plain(a), _plain(b), tolerance)
    left, right = dict(_leaves(a)), dict(_leaves(b))
    common = [path for path in left if path in right]
    numbers = [path for path in common if _is_number(left[path]) and _is_number(right[path])]
    texts = [path for path in common if path not in set(numbers)]

    def column(paths: Sequence[str], kind: type) -> list[Column]:
        sides = [pd.Series([side[path] for path in paths], dtype=kind) for side in (left, right)]
        return [("", *sides)]

    return Comparison(
        **_numbers(column(numbers, float), lambda at: numbers[at], tolerance),
        **_texts(column(texts, object), lambda at: texts[at]),
        rows=(
            _alone([path for path in left if path not in right]),
            _alone([path for path in right if path not in left]),
        ),
    )


def _numbers(
    columns: Iterable[Column], row: Callable[[int], str], tolerance: Tolerance
) -> dict[str, object]:
    found: dict[str, object] = dict.fromkeys(("numbers", "differing", "unlike"), 0)
    furthest = {"relative": -1.0, "absolute": -1.0}
    for name, *cells in columns:
        x, y = (side.to_numpy(dtype=float, na_value=np.nan) for side in cells)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            gap, scale = np.abs(x - y), np.maximum(np.abs(x), np.abs(y))
            near = np.isfinite(scale) & (gap <= tolerance.absolute + tolerance.relative * scale)
            apart = ~((x == y) | (np.isnan(x) & np.isnan(y)) | near)
            strange = apart & ~(np.isfinite(x) & np.isfinite(y))
            sizes = {"relative": gap / scale, "absolute": gap}
        found["numbers"] += len(x)
        found["differing"] += int(apart.sum())
        found["unlike"] += int(strange.sum())
        if strange.any() and "strange" not in found:
            at = int(strange.argmax())
            found["strange"] = Spot(row(at), name, float(x[at]), float(y[at]))
        for which, size in sizes.items():
            held = np.where(apart & ~strange, size, -1.0)
            if len(held) and held.max() > furthest[which]:
                at, furthest[which] = int(held.argmax()), held.max()
                found[which] = Spot(row(at), name, float(x[at]), float(y[at]), float(held[at]))
    return found


def _texts(columns: Iterable[Column], row: Callable[[int], str]) -> dict[str, object]:
    texts, changed, examples = 0, 0, []
    for name, x, y in columns:
        if x.dtype != y.dtype:
            x, y = x.astype(object), y.astype(object)
        apart = np.flatnonzero((x != y) & ~(x.isna() & y.isna()))
        texts, changed = texts + len(x), changed + len(apart)
        for at in apart[: EXAMPLES - len(examples)]:
            examples.append(Spot(row(int(at)), name, x.iloc[at], y.iloc[at]))
    return {"texts": texts, "changed": changed, "examples": tuple(examples)}


def _is_number(value: object) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < HUGE
    return whole or isinstance(value, float)


def _leaves(content: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf of what JSON holds, with its path; what is empty, and a table, is a leaf."""
    if isinstance(content, Mapping) and content:
        for key, value in content.items():
            name = repr(key) if set(".[]'") & set(key) else key  # no two leaves have one path
            yield from _leaves(value, f"{path}.{name}" if path else name)
    elif isinstance(content, list) and content:
        for place, value in enumerate(content):
            yield from _leaves(value, f"{path}[{place}]")
    elif isinstance(content, bool):
        yield path, str(content).lower()
    elif content is None or isinstance(content, float | int | str):
        yield path, content
    else:
        yield path or "all of it", f"a {type(content).__name__}"


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with its index, where that says anything, as its first columns; times in UTC."""
    made, index = frame.reset_index(drop=True), frame.index
    if isinstance(index, pd.DatetimeIndex) or (len(index) and index.dtype.kind not in "iu"):
        names = ["row" if name in (None, *made) else name for name in index.names]
        made = pd.concat([index.to_frame(index=False).set_axis(names, axis=1), made], axis=1)
    zoned = made.select_dtypes("datetimetz").columns
    return made.assign(**{name: made[name].dt.tz_convert(None) for name in zoned})


def _kind(column: pd.Series) -> str:
    order = ("flag", "whole", "number", "time")
    return next((kind for kind in order if KINDS[kind](column)), "text")


def _tables(a: pd.DataFrame, b: pd.DataFrame, tolerance: Tolerance) -> Comparison:
    place = {name: (a.columns.get_loc(name), b.columns.get_loc(name)) for name in a if name in b}
    common = sorted(place, key=lambda name: (sum(place[name]), str(name)))
    kinds = {name: {_kind(a[name]), _kind(b[name])} for name in common}
    numbers = [name for name in common if kinds[name] <= set(NUMBERS)]
    alike = [name for name in common if name in numbers or len(kinds[name]) == 1]
    names = [name for name in alike if kinds[name] <= set(NAMES)]
    rows = pair(a, b, names, alike)

    def row(at: int) -> str:
        return rows.label(a, int(rows.left[at]))

    def columns(chosen: Iterable[str]) -> Iterator[Column]:
        for name in chosen:
            x, y = a[name].iloc[rows.left], b[name].iloc[rows.right]
            yield str(name), x.reset_index(drop=True), y.reset_index(drop=True)

    others = [name for name in common if name not in numbers]
    return Comparison(
        **_numbers(columns(numbers), row, tolerance),
        **_texts(columns(others), row),
        rows=tuple(
            Alone(len(held), tuple(rows.label(table, int(at)) for at in held[:EXAMPLES]))
            for table, held in zip((a, b), rows.alone, strict=True)
        ),
        columns=(
            _alone([str(name) for name in a if name not in place]),
            _alone([str(name) for name in b if name not in place]),
        ),
    )


def _alone(names: Sequence[str]) -> Alone:
    return Alone(len(names), tuple(names[:EXAMPLES]))
