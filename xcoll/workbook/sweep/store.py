"""The folder of a sweep: parts that enter whole or not at all, and the results made of them.

A part is named by the key of its task and the checksum of its own bytes, so that one that is
half-written, damaged or of another grid is never taken for a result.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from xcoll.errors import RunError
from xcoll.workbook import artifacts, fingerprint
from xcoll.workbook.sweep.grid import Grid
from xcoll.workbook.sweep.tasks import Task

__all__ = ["Parts", "assemble", "publish"]

DIGITS = 32  # of a SHA-256 in the name of a part


class Parts:
    """Finished tasks of a sweep, ``parts/<key>-<checksum>.parquet``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "parts"

    def find(self, tasks: Sequence[Task]) -> tuple[dict[int, Path], int]:
        """Parts by index of their task, and how many were damaged and are removed."""
        found: dict[int, Path] = {}
        damaged = 0
        there = {path.name[:DIGITS]: path for path in self.folder.glob("*.parquet")}
        for task in tasks:
            path = there.get(task.key[:DIGITS])
            if path is None:
                continue
            if path.name == _name(task, path.read_bytes()):
                found[task.index] = path
            else:
                path.unlink()
                damaged += 1
        return found, damaged

    def write(self, task: Task, content: bytes) -> Path:
        """Keep `content` as the part of `task`."""
        return _replace(
            self.folder / _name(task, content), lambda draft: draft.write_bytes(content)
        )

    def clear(self, used: Collection[Path]) -> None:
        """Remove what is not in `used`: parts of other grids, drafts of killed sweeps."""
        for path in sorted(set(self.folder.glob("*")) - set(used)):
            path.unlink()


def assemble(tasks: Sequence[Task], parts: Mapping[int, Path]) -> pa.Table:
    """Rows of all tasks in their order, after the number of the task and the values of the axes.

    Raises
    ------
    RunError
        A task has other columns or types than the first, or a column that is an axis.
    """
    kinds = {name: pa.array([task.point[name] for task in tasks]).type for name in tasks[0].point}
    tables = []
    for task in tasks:
        rows = pq.ParquetFile(parts[task.index]).read().replace_schema_metadata(None)
        taken = [name for name in rows.column_names if name in {"task", *kinds}]
        if taken:
            raise RunError(f"{task} returns the column {taken[0]!r}, which is an axis; rename it")
        if tables and rows.schema != tables[0][1].schema:
            raise RunError(
                f"{task} has other columns than {tasks[0]}: {_columns(rows)}, not "
                f"{_columns(tables[0][1])}; a work returns the same columns for every task"
            )
        tables.append((task, rows))
    front = {"task": ([task.index for task in tasks], pa.int64())}
    front |= {name: ([task.point[name] for task in tasks], kind) for name, kind in kinds.items()}
    whole = pa.concat_tables(rows for _, rows in tables)
    for place, (name, (values, kind)) in enumerate(front.items()):
        column = [
            pa.repeat(pa.scalar(value, kind), rows.num_rows)
            for value, (_, rows) in zip(values, tables, strict=True)
        ]
        whole = whole.add_column(place, name, pa.chunked_array(column, kind))
    return whole.combine_chunks()


def publish(
    folder: Path, grid: Grid, tasks: Sequence[Task], rows: pa.Table, shared: Mapping[str, object]
) -> Path:
    """Write ``results.parquet`` and ``sweep.json``, free of clocks, and return the former.

    Parameters
    ----------
    shared : what every key rests on, for the record.
    """
    path = _replace(folder / "results.parquet", lambda draft: pq.write_table(rows, draft))
    record = {
        "schema": 1,
        "grid": {**vars(grid), "axes": [[name, values] for name, values in grid.axes.items()]},
        "tasks": len(tasks),
        "rows": rows.num_rows,
        "results": fingerprint.file(path),
        **shared,
    }
    _replace(folder / "sweep.json", lambda draft: artifacts.write_json(draft, record))
    return path


def _name(task: Task, content: bytes) -> str:
    checksum = hashlib.sha256(content).hexdigest()
    return f"{task.key[:DIGITS]}-{checksum[:DIGITS]}.parquet"


def _columns(rows: pa.Table) -> str:
    return ", ".join(f"{column.name} {column.type}" for column in rows.schema)


def _replace(path: Path, write: Callable[[Path], object]) -> Path:
    """`write` beside `path` and rename: whoever looks sees all of the file or nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".draft-{path.name}")
        write(draft)
        return draft.replace(path)
    except OSError as error:
        raise RunError(
            f"{path} cannot be written ({error.strerror or error}); finished tasks are kept: free "
            "the disk or make the folder writable, then give the same command"
        ) from error
