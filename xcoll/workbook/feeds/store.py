"""Own data on disk: `NAME.parquet` with its card `NAME.json`, both written whole or not at all.

A file is written under another name and renamed.  The card holds the hash of the data, so that a
file that was changed afterwards is found out.  Data come before card: a card that was written but
not yet renamed when the machine stopped is put in place by the next writer.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from xcoll.errors import DataError, ParameterError
from xcoll.market.prices import Prices, layout
from xcoll.workbook import files, fingerprint
from xcoll.workbook.feeds import canonical

__all__ = ["Own", "changed", "own", "replace"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
HALF = ".half"  # how a file is called until it is whole


@dataclass(frozen=True)
class Own:
    """One set of own data: a name in a folder; see `own`."""

    folder: Path
    name: str

    @property
    def data(self) -> Path:
        """The prices."""
        return self.folder / f"{self.name}.parquet"

    @property
    def card(self) -> Path:
        """What the prices are and where they came from."""
        return self.folder / f"{self.name}.json"

    @property
    def gaps(self) -> Path:
        """Bars that are missing, a row a run."""
        return self.folder / f"{self.name}-gaps.csv"

    @property
    def universe(self) -> Path:
        """The skeleton of a universe."""
        return self.folder / f"{self.name}-universe.yaml"

    @property
    def part(self) -> Path:
        """Pages that were fetched and are not yet in the data."""
        return self.folder / f"{self.name}.part.jsonl"

    def prices(self) -> Prices | None:
        """The prices as they stand, None where there are none."""
        return layout(files.read_table(self.data), self.data.name) if self.data.exists() else None

    def described(self) -> dict[str, Any]:
        """The card, empty where there is none."""
        if not self.card.exists():
            return {}
        try:
            card = json.loads(self.card.read_text(encoding="utf-8"))
        except ValueError as error:
            raise DataError(f"{self.card.name}: no valid JSON: {error}; remove it") from error
        if not isinstance(card, dict):
            raise DataError(f"{self.card.name}: this is no card of data; remove it")
        return card

    @contextmanager
    def held(self) -> Iterator[None]:
        """Write here alone; what a killed writer left is tidied first.

        Raises
        ------
        DataError
            Another import or fetch of this name is under way.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f".{self.name}.lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DataError(
                    f"{self.name}: another import or fetch of this name is under way; wait for "
                    "it, or take another name"
                ) from error
            self._tidy()
            yield

    def write(self, prices: Prices, card: Mapping[str, Any]) -> dict[str, Any]:
        """Put `prices` here with their card, both whole; returns the card with hash and size."""
        half = _half(self.data)
        frame = pa.Table.from_pandas(canonical.table(prices), preserve_index=False)
        pq.write_table(frame, half, compression="zstd")
        content = half.read_bytes()
        card = {
            "file": self.data.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "rows": frame.num_rows,
            "bars": len(prices.close),
            "assets": prices.assets,
            "start": prices.start.isoformat(),
            "end": prices.end.isoformat(),
            "bar_hours": prices.bar / pd.Timedelta(hours=1),
            **card,
        }
        text = json.dumps(card, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        _half(self.card).write_text(text, encoding="utf-8")
        _settled(half, self.data)
        _settled(_half(self.card), self.card)
        return card

    def _tidy(self) -> None:
        half = _half(self.card)
        if half.exists() and self.data.exists():
            with contextlib.suppress(ValueError):  # half a card is no card
                if json.loads(half.read_text())["sha256"] == fingerprint.file(self.data):
                    half.replace(self.card)
        for path in (self.data, self.card, self.gaps, self.universe):
            _half(path).unlink(missing_ok=True)


def own(folder: Path, name: str) -> Own:
    """The data called `name` in `folder`; `ParameterError` where that is no name of a file."""
    if not NAME.fullmatch(name):
        raise ParameterError(
            f"--name {name!r}: give letters, digits, `.`, `_` or `-`, like kraken-daily"
        )
    return Own(folder, name)


def changed(path: Path) -> str | None:
    """What is to be said where `path` is not what its card says, else None.

    A file without a card beside it was not imported, and has nothing to be held against.
    """
    described = Own(path.parent, path.stem).described() if path.suffix == ".parquet" else {}
    if described.get("file") != path.name or "sha256" not in described:
        return None
    found = fingerprint.file(path)
    if found == described["sha256"]:
        return None
    return (
        f"{path.name} changed under the same name: its card, written {described.get('imported')}, "
        f"says sha256 {described['sha256'][:16]}, the file has {found[:16]}; import or fetch it "
        "again with --replace, or put the old file back"
    )


def replace(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    _half(path).write_text(text, encoding="utf-8")
    _settled(_half(path), path)


def _half(path: Path) -> Path:
    return path.with_name(f".{path.name}{HALF}")


def _settled(half: Path, path: Path) -> None:
    with half.open("rb") as stream:
        os.fsync(stream.fileno())
    half.replace(path)
