"""The journal of a fetch: one line a page, so that a killed one goes on where it stopped.

The first line says of which exchange and bar it is; each other one holds the window that a page
covers and its bars.  A last line that was cut off is dropped, and asked for again.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from xcoll.errors import DataError
from xcoll.workbook.feeds.pages import COLUMNS
from xcoll.workbook.feeds.windows import Window

__all__ = ["Part"]

Line = tuple[str, Window, np.ndarray]


class Part:
    """The journal at `path` of one exchange and bar; pages are appended and safe on disk.

    Parameters
    ----------
    anew : whether what is there already, data and journal, is to give way to what is fetched now.
        The journal remembers it, so that the attribute `anew` is true for who goes on with it.

    Raises
    ------
    DataError
        The file is there and belongs to another exchange or bar, or is no journal.
    """

    def __init__(self, path: Path, exchange: str, bar: str, *, anew: bool = False) -> None:
        self.path = path
        self.head = {"exchange": exchange, "bar": bar, "anew": anew}
        if anew:
            self.remove()
        if path.exists():
            self._cut()
        if not path.exists():
            return
        with path.open(encoding="utf-8") as stream:
            head = self._read(stream.readline(), 1)
        self.head["anew"] = head.get("anew") is True
        if (head.get("exchange"), head.get("bar")) != (exchange, bar):
            raise DataError(
                f"{path.name}: this is an unfinished fetch of {head.get('exchange')}, bars of "
                f"{head.get('bar')}; finish it with its own command, or give another --name, or "
                "drop it with --replace"
            )

    @property
    def anew(self) -> bool:
        """Whether the data that are there give way."""
        return self.head["anew"]

    def pages(self) -> Iterator[Line]:
        """Symbol, window covered and bars of every page, in the order they came."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8") as stream:
            next(stream)
            for place, text in enumerate(stream, start=2):
                line = self._read(text, place)
                rows = np.array(line["bars"], dtype=float).reshape(-1, len(COLUMNS))
                yield line["symbol"], (line["from"], line["until"]), rows

    def append(self, symbol: str, window: Window, page: np.ndarray) -> None:
        """Add a page; when this returns it is on disk."""
        bars = [
            [int(row[0]), *(None if np.isnan(v) else v for v in row[1:].tolist())] for row in page
        ]
        line = {"symbol": symbol, "from": window[0], "until": window[1], "bars": bars}
        lines = [line] if self.path.exists() else [self.head, line]
        with self.path.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(one, separators=(",", ":")) + "\n" for one in lines)
            stream.flush()
            os.fsync(stream.fileno())

    def remove(self) -> None:
        """Drop the journal: its pages are in the data, or not wanted."""
        self.path.unlink(missing_ok=True)

    def _cut(self) -> None:
        """Drop a last line without its end."""
        with self.path.open("rb+") as stream:
            stream.seek(0, os.SEEK_END)
            end = size = stream.tell()
            while end > 0:
                begin = max(0, end - (1 << 16))
                stream.seek(begin)
                found = stream.read(end - begin).rfind(b"\n")
                if found >= 0:
                    end = begin + found + 1
                    break
                end = begin
            if end < size:
                stream.truncate(end)
        if not end:
            self.remove()

    def _read(self, text: str, place: int) -> dict[str, Any]:
        try:
            line = json.loads(text)
        except ValueError as error:
            raise DataError(
                f"{self.path.name}: line {place} is no page of a fetch ({error}); drop the "
                "unfinished fetch with --replace"
            ) from error
        if not isinstance(line, dict) or (place > 1 and not {"symbol", "bars"} <= line.keys()):
            raise DataError(
                f"{self.path.name}: line {place} is no page of a fetch; drop the unfinished "
                "fetch with --replace"
            )
        return line
