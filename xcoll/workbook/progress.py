"""What a run shows in the terminal: one bar a running notebook, one line a finished one."""

import sys
import threading
import time
from types import TracebackType
from typing import TextIO

from tqdm import tqdm

__all__ = ["Progress"]


class Progress:
    """Bars on a terminal; plain lines into a pipe.  Safe to call from several threads.

    Parameters
    ----------
    stream : TextIO, optional
        Standard error by default, so that what a command prints can be piped.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self._bars: dict[str, tqdm] = {}
        self._began: dict[str, float] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            for bar in self._bars.values():
                bar.close()
            self._bars.clear()

    def line(self, text: str) -> None:
        """Print `text` above the bars."""
        with self._lock:
            tqdm.write(text, file=self.stream)

    def began(self, notebook: str) -> None:
        """A notebook starts."""
        with self._lock:
            self._began[notebook] = time.perf_counter()
            self._bars[notebook] = tqdm(
                desc=f"{notebook:<24}",
                total=1,
                file=self.stream,
                leave=False,
                disable=not self.live,
                bar_format="{desc} {bar:24} {n_fmt}/{total_fmt} {elapsed}  {unit}",
            )

    def cell(self, notebook: str, index: int, total: int, cell: str) -> None:
        """Cell number `index` of `total` starts."""
        with self._lock:
            bar = self._bars.get(notebook)
            if bar is not None:
                bar.total = total
                bar.n = index
                bar.unit = cell
                bar.refresh()

    def ended(self, notebook: str, how: str) -> float:
        """A notebook is over; returns its seconds."""
        with self._lock:
            seconds = time.perf_counter() - self._began.pop(notebook)
            bar = self._bars.pop(notebook, None)
            if bar is not None:
                bar.close()
            tqdm.write(f"{notebook:<24} {how:<8} {seconds:6.1f} s", file=self.stream)
        return seconds
