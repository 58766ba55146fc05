"""Timing of one case against its peer, in turn, warm, with the median of several runs."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """Two ways to the same numbers.

    `units` scales the seconds to what `unit` says; `agree` raises where the two disagree.
    """

    name: str
    size: str
    ours: Callable[[], object]
    peer: Callable[[], object]
    peer_name: str
    unit: str = "ms"
    ours_units: float = 1e-3
    peer_units: float = 1e-3
    agree: Callable[[object, object], None] | None = None


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def measure(case: Case, runs: int = 5) -> dict[str, object]:
    """Median time of both and their ratio, a pair of runs at a time."""
    first, second = case.ours(), case.peer()  # warm, and the check that both do the same
    if case.agree is not None:
        case.agree(first, second)
    pairs = [(_seconds(case.ours), _seconds(case.peer)) for _ in range(runs)]
    ours = statistics.median(pair[0] for pair in pairs) / case.ours_units
    peer = statistics.median(pair[1] for pair in pairs) / case.peer_units
    ratios = [(pair[1] / case.peer_units) / (pair[0] / case.ours_units) for pair in pairs]
    return {
        "case": case.name,
        "size": case.size,
        "ours": ours,
        "peer": peer,
        "unit": case.unit,
        "against": case.peer_name,
        "faster": statistics.median(ratios),
    }
