"""Artifacts of a finished run, as bytes that travel to any worker."""

import io
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from xcoll.errors import ArtifactError
from xcoll.workbook import fingerprint, publish
from xcoll.workbook.project import Project

__all__ = ["Inputs", "collect", "parse"]


@dataclass(frozen=True)
class Inputs:
    """What the tasks read.

    Attributes
    ----------
    contents : file name of an artifact ("prices.parquet") → its bytes.
    hashes : "notebook/file name" → SHA-256.
    """

    contents: Mapping[str, bytes] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)


def collect(project: Project, run: str, names: Collection[str]) -> Inputs:
    """The artifacts `names` of the finished run `run`.

    Raises
    ------
    ArtifactError
        There is no such run, it lacks one of them, or a file is not what the run wrote.
    """
    contents: dict[str, bytes] = {}
    hashes: dict[str, str] = {}
    folder = project.reports / run
    described = publish.manifest(folder) if names else None
    again = f"xcoll run --name {run}" if run != "default" else "xcoll run"
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
    return Inputs(contents, hashes)


def parse(contents: Mapping[str, bytes]) -> dict[str, Any]:
    """Artifacts by name, without their endings."""
    return {
        name.removesuffix(".json").removesuffix(".parquet"): json.loads(content)
        if name.endswith(".json")
        else pd.read_parquet(io.BytesIO(content))
        for name, content in contents.items()
    }
