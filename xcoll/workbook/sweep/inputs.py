"""Artifacts of a finished run and files of the user, as bytes that travel to any worker."""

import hashlib
import io
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from xcoll.errors import ArtifactError
from xcoll.workbook import fingerprint, manifest
from xcoll.workbook.project import Project

__all__ = ["Inputs", "Loader", "Read", "collect", "parse"]

T = TypeVar("T")
KEPT = 12


class Read(dict[str, Any]):
    """Artifacts and the user's tables by name; read only."""

    def __init__(self, *given: Mapping[str, Any]) -> None:
        super().__init__(*given)
        self._made: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` makes of this, kept under `name` for the tasks that follow.

        The `KEPT` that were used last are kept, and the others made again.
        """
        self._made[name] = self._made.pop(name) if name in self._made else make()
        if len(self._made) > KEPT:
            del self._made[next(iter(self._made))]
        return self._made[name]


Loader = Callable[[Path, Read], pd.DataFrame]


@dataclass(frozen=True)
class Inputs:
    """What the tasks read.

    Attributes
    ----------
    contents : file name of an artifact ("prices.parquet") or of a user's table → its bytes.
    hashes : "notebook/file name" of an artifact → SHA-256.
    files : name of a user's file → SHA-256 of the table that was read from it.
    """

    contents: Mapping[str, bytes] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def collect(
    project: Project, run: str, names: Collection[str], loaders: Mapping[str, Loader] | None = None
) -> Inputs:
    """The artifacts `names` of the finished run `run`, and the user's files.

    Parameters
    ----------
    loaders : name of a file, from the project root or absolute → what reads it.

    Raises
    ------
    ArtifactError
        There is no such run, it lacks one of them, or a file is not what the run wrote.
    DataError
        As the loaders do.
    """
    contents: dict[str, bytes] = {}
    hashes: dict[str, str] = {}
    folder = project.reports / run
    described = manifest.read(folder) if names else None
    again = manifest.again(folder)
    if names and described is None:
        raise ArtifactError(f"{folder} holds no finished run; make it with: {again}")
    for name in names:
        writer, declared = project.chain.artifact(name)
        file = f"{name}{declared.suffix}"
        path = folder / "artifacts" / writer / file
        known = described["files"].get(path.relative_to(folder).as_posix())
        if known is None:
            raise ArtifactError(
                f"run {run!r} has no {name!r} of {writer}; make it with: {again} --until {writer}"
            )
        if not path.is_file() or fingerprint.file(path) != known:
            raise ArtifactError(f"{path} is not what the run wrote; mend it with: {again}")
        contents[file], hashes[f"{writer}/{file}"] = path.read_bytes(), known
    files = {}
    for name, load in (loaders or {}).items():
        stream = io.BytesIO()
        load(project.path(name), parse(contents)).to_parquet(stream)
        contents[f"{name}.parquet"] = stream.getvalue()
        files[name] = hashlib.sha256(stream.getvalue()).hexdigest()
    return Inputs(contents, hashes, files)


def parse(contents: Mapping[str, bytes]) -> Read:
    """Artifacts by name without their endings, tables of the user by the name of the file."""
    return Read(
        {
            name.removesuffix(".json").removesuffix(".parquet"): json.loads(content)
            if name.endswith(".json")
            else pd.read_parquet(io.BytesIO(content))
            for name, content in contents.items()
        }
    )
