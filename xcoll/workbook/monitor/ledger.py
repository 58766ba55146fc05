"""The ledger: one JSON line an entry, each with its own hash and the hash of the entry before.

A line is the canonical JSON of its entry (sorted keys, no spaces, UTF-8), so that any other byte is
seen, and its ``hash`` is the SHA-256 of that text without the hash itself.  Whoever can write the
file can write a new chain from the changed entry on: the hashes show a change of history to
somebody who has kept a later hash, and entries cut off at the end are seen by that alone.

An entry enters whole or not at all: the ledger is written beside itself and renamed, under a lock.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from xcoll.errors import DataError

__all__ = ["FIRST", "SCHEMA", "Entry", "append", "checked", "find", "locked", "read", "sealed"]

SCHEMA = 1
FIRST = "0" * 64  # stands for the hash before the first entry
Entry = dict[str, Any]


def sealed(content: Mapping[str, Any], entries: Sequence[Entry]) -> Entry:
    """`content` as the entry that follows `entries`: with schema, number and both hashes.

    Raises
    ------
    ValueError
        For NaN and infinities, which JSON has not.
    """
    before = entries[-1]["hash"] if entries else FIRST
    entry = {**content, "schema": SCHEMA, "number": len(entries) + 1, "before": before}
    return {**entry, "hash": _digest(entry)}


def read(path: Path) -> list[Entry]:
    """The entries of the ledger at `path`, none where there is no file.

    Raises
    ------
    DataError
        Names the first line that was changed, removed, inserted or reordered, or is torn.
    """
    return checked(path.read_bytes(), str(path)) if path.exists() else []


def checked(content: bytes, place: str) -> list[Entry]:
    """The entries that the bytes of a ledger hold; `place` is its name for the messages.

    Raises
    ------
    DataError
        As `read`.
    """
    *lines, rest = content.split(b"\n")
    if rest:
        lines.append(rest)
    entries: list[Entry] = []
    for line, text in enumerate(lines, 1):
        entry = _entry(text)
        if rest and line == len(lines):
            whole = entry is not None and entry["hash"] == _digest(entry)
            raise DataError(f"{place}: {_TORN[whole].format(line=line)}")
        if entry is not None and entry["schema"] > SCHEMA:
            raise DataError(
                f"{place}: line {line} has schema {entry['schema']}, this xcoll knows {SCHEMA}; "
                "update xcoll, or give another file with --ledger"
            )
        if entry is None or text != _text(entry) or entry["hash"] != _digest(entry):
            raise DataError(f"{place}: line {line} was changed since it was written{_WAY}")
        if (entry["number"], entry["before"]) != (line, entries[-1]["hash"] if entries else FIRST):
            raise DataError(f"{place}: {_broken(lines, line, entry)}{_WAY}")
        entries.append(entry)
    return entries


def find(entries: Sequence[Entry], head: str) -> int:
    """Number of the entry whose hash is, or begins with, `head`, at least eight signs of it.

    Raises
    ------
    DataError
        No entry has it: what followed was cut off, or history was written anew.
    """
    found = [entry["number"] for entry in entries if entry["hash"].startswith(head.lower())]
    if len(head) < 8 or len(found) != 1:
        raise DataError(
            f"no entry of {len(entries)} has the hash {head}: the last entries were cut off, or "
            f"the ledger was written anew; give at least eight signs of a hash that was kept{_WAY}"
        )
    return found[0]


@contextmanager
def locked(path: Path) -> Iterator[list[Entry]]:
    """Hold the ledger for one writer, a second one waits; gives its entries, as `read` does."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield read(path)


def append(path: Path, entry: Entry) -> None:
    """Add a sealed `entry` to the ledger that is `locked`: whole or not at all."""
    path = path.resolve()  # a link stays one
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as stream:
        if path.exists():
            shutil.copymode(path, draft)
            stream.write(path.read_bytes())
        stream.write(_text(entry) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


_WAY = (
    "\nrestore the ledger from where it is kept (git checkout), or begin another with --ledger FILE"
)
_TORN = {
    False: (
        "line {line}, the last one, is torn: its entry was never finished\ntake the line out "
        "(what stands above it is whole), then give the same command again"
    ),
    True: (
        "line {line}, the last one, lacks its end of line; it is whole otherwise\nput the end of "
        "the line back, or restore the ledger from where it is kept"
    ),
}


_KINDS = {"schema": int, "number": int, "before": str, "hash": str}


def _text(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(
        entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _digest(entry: Mapping[str, Any]) -> str:
    content = {name: value for name, value in entry.items() if name != "hash"}
    return hashlib.sha256(_text(content)).hexdigest()


def _entry(text: bytes) -> Entry | None:
    """The entry that a line holds, None where it holds none."""
    try:
        entry = json.loads(text)
        _text(entry)
        kinds = {name: type(entry[name]) for name in _KINDS}
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return entry if kinds == _KINDS else None


def _broken(lines: Sequence[bytes], line: int, entry: Entry) -> str:
    """In words, why the entry on `line` does not follow the one above it."""
    hashes = [(_entry(text) or {"hash": None})["hash"] for text in lines]
    number, follows = entry["number"], entry["before"]
    if entry["hash"] in hashes[: line - 1]:
        return f"line {line} was inserted: entry {number} stands above it already"
    if follows == FIRST and line > 1:
        return f"the entries were reordered: line {line} holds entry {number}"
    if follows in hashes:
        place = hashes.index(follows) + 1
        if place < line - 1:
            return f"line {place + 1} was inserted: entry {number} follows the line before it"
        return f"the entries were reordered: line {line} holds entry {number}"
    if number > line:
        several = number > line + 1
        which = f"entries {line} to {number - 1} were" if several else f"entry {line} was"
        return f"{which} removed before line {line}"
    return f"line {line} does not follow: the entry before it was exchanged"
