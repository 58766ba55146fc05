"""`make bench`: one table, medians and ratios of one run, the machine named.

`python -m tests.benchmarks volatility tail` measures these subjects only, and saves nothing.
"""

import sys
import time

import pandas as pd

from tests.benchmarks import data, liquidation, machine
from tests.benchmarks.cases import CASES
from tests.benchmarks.measure import measure
from xcoll.workbook import benchmarks, project

SHOWN = ("case", "size", "ours", "peer", "unit", "against", "faster", "remark")


def timings(subjects: list[str]) -> pd.DataFrame:
    """The table of the artifact, a dot on the way for each case."""
    rows = []
    for subject in subjects:
        for make in CASES[subject]:
            rows += [{"subject": subject, **row} for row in measure(make())]
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return pd.DataFrame(rows)[list(benchmarks.TIMINGS.columns)]


def text(table: pd.DataFrame) -> str:
    """The table as a terminal shows it; a case is named once."""
    shown = pd.DataFrame(index=table.index)
    again = table["case"].eq(table["case"].shift())
    absent = table["version"] == ""
    for column in ("case", "size", "unit"):
        shown[column] = table[column]
    shown["ours"] = table["ours"].map("{:,.3g}".format)
    shown["peer"] = table["peer"].map("{:,.3g}".format).mask(absent, "–")
    shown["against"] = (table["against"] + " " + table["version"]).str.strip()
    shown["faster"] = table["faster"].map("{:,.1f}×".format).mask(absent, "–")
    shown["remark"] = table["remark"].mask(absent, "not installed; make peers installs it")
    for column in ("case", "size", "ours"):
        shown[column] = shown[column].mask(again, "")
    lines = [SHOWN, *shown[list(SHOWN)].itertuples(index=False)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(SHOWN))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def main(wanted: list[str]) -> int:
    """Measure, print, and save what a whole run found."""
    unknown = [name for name in wanted if name not in CASES]
    if unknown:
        print(f"no subject {', '.join(unknown)}; there are {', '.join(CASES)}", file=sys.stderr)
        return 2
    began, found = time.perf_counter(), machine.described(data.ROOT)
    print(benchmarks.sentence(found))
    table = timings(wanted or list(CASES))
    print(text(table))
    if not wanted:
        here = project.find(data.ROOT)
        benchmarks.write(here.reports / benchmarks.FOLDER, table, liquidation.growth(), found)
        print(f"drawn in {benchmarks.publish(here, here.reports / benchmarks.FOLDER)}")
    print(f"took {time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
