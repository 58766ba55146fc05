"""The machine, the versions and the day of a measurement."""

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from tests.benchmarks.measure import RUNS
from xcoll.workbook import fingerprint

PACKAGES = ("xcoll-workbook", "numba", "numpy", "pandas", "scipy", "arch")


def processor() -> str:
    """Model of the processor, as far as the system tells."""
    listed = Path("/proc/cpuinfo")
    if listed.is_file():
        for line in listed.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def described(root: Path) -> dict[str, object]:
    """What the timings rest on; JSON values only."""
    return {
        "processor": processor(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "blas_threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "runs": RUNS,
        "commit": fingerprint.commit(root),
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
    }
