"""Hashes that decide what is stale: files, package code, environment, and git's commit."""

import hashlib
import json
import platform
import re
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

__all__ = ["code", "commit", "environment", "file", "tree", "value"]

DISTRIBUTION = "xcoll-workbook"


def file(path: Path) -> str:
    """SHA-256 of the bytes of `path`."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def value(content: object) -> str:
    """SHA-256 of `content` as canonical JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def tree(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under `folder`, by its path from there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file(path) for path in files}


def code(package: Path) -> str:
    """Hash of all Python sources and templates of the package."""
    files = [path for path in package.rglob("*") if path.is_file()]
    wanted = [path for path in sorted(files) if "__pycache__" not in path.parts]
    return value({path.relative_to(package).as_posix(): file(path) for path in wanted})


@cache
def environment() -> dict[str, str]:
    """Python, machine and the versions of the distributions that the project rests on."""
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for requirement in metadata.requires(DISTRIBUTION) or []:
        if "extra ==" not in requirement:
            name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
            versions[name] = metadata.version(name)
    return versions


def commit(root: Path) -> str:
    """Git's commit of `root`, marked where files were changed since; "none" outside git."""
    command = [
        "git",
        "-C",
        str(root),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "none"
    return done.stdout.strip() or "none"
