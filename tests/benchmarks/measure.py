"""Timing of one case against its peers, in turn, warm, with the median of several runs."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata

RUNS = 5
SHORTEST = 0.1  # seconds; a shorter call is repeated until so much has passed, in its own caches


@dataclass(frozen=True)
class Peer:
    """Another way to the same numbers.

    Attributes
    ----------
    name : str
        As the table says it.
    package : str
        Distribution that has to be installed.
    call : callable
        Does the work; imports the package itself.
    agree : callable
        Given our result and the peer's, raises where they are not the same.
    share : float
        Part of our work that one call does; its seconds are divided by it.
    remark : str
        What a reader has to know: how it is scaled, where it differs.
    """

    name: str
    package: str
    call: Callable[[], object]
    agree: Callable[[object, object], None]
    share: float = 1.0
    runs: int = RUNS
    remark: str = ""

    @property
    def version(self) -> str:
        """Installed version, or "" where the package is not installed."""
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return ""


@dataclass(frozen=True)
class Case:
    """What is timed: `ours`, and others that do the same.

    `seconds` is what one `unit` of the table stands for.
    """

    name: str
    size: str
    ours: Callable[[], object]
    peers: tuple[Peer, ...]
    unit: str = "ms"
    seconds: float = 1e-3

    def check(self) -> None:
        """Run everything once, which warms it, and compare our result with each peer's."""
        found = self.ours()
        for peer in self.peers:
            if peer.version:
                peer.agree(found, peer.call())


def measure(case: Case) -> Iterator[dict[str, object]]:
    """One row for each peer: medians, and the median of the ratios, a turn at a time."""
    case.check()
    ours: list[float] = []
    theirs: dict[str, list[float]] = {peer.name: [] for peer in case.peers}
    for turn in range(RUNS):
        ours.append(_seconds(case.ours))
        for peer in case.peers:
            if peer.version and turn < peer.runs:
                theirs[peer.name].append(_seconds(peer.call) / peer.share)
    for peer in case.peers:
        found = theirs[peer.name]
        ratios = [there / here for here, there in zip(ours, found, strict=False)]
        yield {
            "case": case.name,
            "size": case.size,
            "unit": case.unit,
            "ours": statistics.median(ours) / case.seconds,
            "runs": len(ours),
            "against": peer.name,
            "package": peer.package,
            "version": peer.version,
            "peer": statistics.median(found) / case.seconds if found else float("nan"),
            "peer_runs": len(found),
            "share": peer.share,
            "faster": statistics.median(ratios) if found else float("nan"),
            "remark": peer.remark,
        }


def _seconds(call: Callable[[], object]) -> float:
    began, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < SHORTEST or not count:
        call()
        count += 1
    return passed / count
