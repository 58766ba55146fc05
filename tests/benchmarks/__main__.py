"""`make bench`: one table, medians and ratios of one run, the machine named."""

import os
import platform
import sys

from tests.benchmarks.cases import CASES
from tests.benchmarks.measure import measure

HEAD = ("case", "size", "ours", "peer", "unit", "against", "faster")


def main() -> None:
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"warm, one process, BLAS threads {threads}; median of 5 runs in turn"
    )
    rows = []
    for make in CASES:
        row = measure(make())
        shown = {
            key: f"{value:,.3g}" if isinstance(value, float) else value
            for key, value in row.items()
        }
        rows.append({**shown, "faster": f"{row['faster']:,.1f}×"})
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    widths = {key: max(len(key), *(len(row[key]) for row in rows)) for key in HEAD}
    for row in ({key: key for key in HEAD}, *rows):
        print("  ".join(row[key].ljust(widths[key]) for key in HEAD).rstrip())


if __name__ == "__main__":
    main()
