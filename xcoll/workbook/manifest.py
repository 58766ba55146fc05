"""The manifest of a run: read with every fault named, and held against the files that it lists."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from xcoll.errors import DamagedRunError, RunError
from xcoll.workbook import fingerprint

__all__ = [
    "FILE",
    "SCHEMA",
    "Damage",
    "again",
    "damage",
    "folders",
    "identity",
    "read",
    "remedy",
    "sound",
]

SCHEMA = 1
FILE = "manifest.json"
KEYS = {
    "began": str,
    "commit": str,
    "facts": dict,
    "files": dict,
    "finished": str,
    "run": str,
    "schema": int,
    "stale": list,
    "steps": dict,
}
FACTS = dict.fromkeys(("code", "data", "parameters", "versions"), dict)
STEP = {"artifacts": dict, "changed": dict, "key": str}
KINDS = {dict: "a mapping", int: "a whole number", list: "a list", str: "a text"}
NAMED = 3  # files that a message names


@dataclass(frozen=True)
class Damage:
    """Files of a run that are not what its manifest says.

    Attributes
    ----------
    missing, changed : tuple of str
        Paths from the folder of the run.
    """

    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed)

    def within(self, *parts: str) -> "Damage":
        """What is missing or changed under the folders `parts`."""

        def inside(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(name for name in names if name.split("/")[0] in parts)

        return Damage(inside(self.missing), inside(self.changed))

    def __str__(self) -> str:
        said = []
        for how, names in (("missing", self.missing), ("changed", self.changed)):
            if names:
                named = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
                are = "file is" if len(names) == 1 else "files are"
                said.append(f"{len(names)} {are} {how} ({named})")
        return "; ".join(said)


def again(folder: Path) -> str:
    """The command that writes the run in `folder` anew."""
    return "xcoll run" if folder.name == "default" else f"xcoll run --name {folder.name}"


def remedy(folder: Path) -> str:
    """What to do where the run in `folder` is damaged."""
    return f"put the run back from a copy, or write it anew with: {again(folder)}"


def folders(reports: Path) -> Iterator[Path]:
    """Folders under `reports` that hold a manifest, sound or not."""
    for path in sorted(reports.glob(f"*/{FILE}")):
        if not path.parent.name.startswith("."):
            yield path.parent


def read(folder: Path) -> dict | None:
    """Manifest of the run in `folder`, or None where there is no finished run.

    Raises
    ------
    RunError
        Where a newer version of xcoll wrote it.
    DamagedRunError
        Where it is cut short, no JSON, or lacks what a manifest holds.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise _damaged(folder, f"is not UTF-8 text at byte {error.start}") from error
    except json.JSONDecodeError as error:
        fault = f"is cut short or no JSON: {error.msg} at line {error.lineno}"
        raise _damaged(folder, fault) from error
    if not isinstance(content, dict):
        raise _damaged(folder, "holds no mapping")
    schema = content.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise RunError(
            f"{path} has schema {schema}, this xcoll knows {SCHEMA}: a newer version wrote it; "
            "update xcoll or give the run another name with --name"
        )
    faults = [*_faults(content, KEYS)]
    if not faults:
        faults = [*_faults(content["facts"], FACTS, "facts")]
        for name, step in content["steps"].items():
            faults += _faults(step, STEP, f"steps.{name}")
    if faults:
        raise _damaged(folder, "; ".join(faults[:NAMED]))
    return content


def sound(folder: Path, tell: Callable[[str], None]) -> dict | None:
    """The manifest as `read` gives it; where it is damaged, None after `tell` has its fault."""
    try:
        return read(folder)
    except DamagedRunError as error:
        tell(error.fault)
        return None


def damage(folder: Path, described: Mapping[str, Mapping[str, str]]) -> Damage:
    """How the files in `folder` differ from those that the manifest `described` lists."""
    present = fingerprint.tree(folder)
    present.pop(FILE, None)
    files = described["files"]
    return Damage(
        tuple(sorted(files.keys() - present.keys())),
        tuple(sorted(name for name in files.keys() & present if files[name] != present[name])),
    )


def identity(described: Mapping[str, object]) -> str:
    """SHA-256 of what a manifest says of the numbers: where they come from, and every artifact.

    It holds the facts (data, parameters, code, versions), and of each step its key, its artifacts'
    hashes and its changed parameters, but no clock, name, commit or page: who repeats the run on
    the same inputs finds the same value, under any name and with or without a printer of PDF.
    """
    steps = {
        name: {part: step[part] for part in ("key", "artifacts", "changed")}
        for name, step in described["steps"].items()
    }
    return fingerprint.value({"facts": described["facts"], "steps": steps})


def _faults(content: object, wanted: Mapping[str, type], place: str = "") -> Iterator[str]:
    if not isinstance(content, dict):
        yield f"{place!r} is no mapping"
        return
    inside = f" of {place!r}" if place else ""
    missing = [key for key in wanted if key not in content]
    if missing:
        yield f"lacks {', '.join(map(repr, missing))}{inside}"
    for key in (key for key in wanted if key in content):
        if not isinstance(content[key], wanted[key]) or isinstance(content[key], bool):
            yield f"{key!r}{inside} is not {KINDS[wanted[key]]}"


def _damaged(folder: Path, fault: str) -> DamagedRunError:
    return DamagedRunError(f"{folder / FILE} {fault}", remedy(folder))
