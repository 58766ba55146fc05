"""Timings that `make bench` takes: their form, and the page that draws them.

They stand outside the chain, for two runs of a clock never give the same bytes.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from xcoll.errors import ArtifactError
from xcoll.workbook import artifacts, fingerprint, html, parameters, project
from xcoll.workbook.plots import style
from xcoll.workbook.run import Run

__all__ = [
    "FOLDER",
    "GROWTH",
    "NOTEBOOK",
    "TIMINGS",
    "publish",
    "read",
    "sentence",
    "start",
    "write",
]

FOLDER = project.TIMINGS  # under reports/
NOTEBOOK = "benchmarks/speed.ipynb"  # under notebooks/
TITLE = "How fast is it, and against what?"
TIMINGS = artifacts.Artifact(
    "table",
    columns={
        "subject": "text",
        "case": "text",
        "size": "text",
        "unit": "text",
        "ours": "number",  # medians, in `unit`
        "runs": "whole",
        "against": "text",
        "package": "text",
        "version": "text",  # empty where the package is not installed, and `peer` NaN
        "peer": "number",
        "peer_runs": "whole",
        "share": "number",  # part of our work that one call of the peer did
        "faster": "number",  # median of peer over ours, a turn at a time
        "remark": "text",
    },
)
GROWTH = artifacts.Artifact(
    "table",
    columns={
        "way": "text",
        "over": "text",  # what grows: accounts or steps
        "accounts": "whole",
        "steps": "whole",
        "seconds": "number",
    },
)
MACHINE = artifacts.Artifact("json")


def write(
    folder: Path, timings: pd.DataFrame, growth: pd.DataFrame, machine: Mapping[str, object]
) -> None:
    """Save the timings of one run, how cost grows, and the machine that they were taken on."""
    folder.mkdir(parents=True, exist_ok=True)
    artifacts.write(folder, "timings", TIMINGS, timings)
    artifacts.write(folder, "growth", GROWTH, growth)
    artifacts.write(folder, "machine", MACHINE, machine)


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, object]]:
    """Timings, growth and machine of the last run.

    Raises
    ------
    ArtifactError
        Where nothing was measured yet.
    """
    files = [folder / name for name in ("timings.parquet", "growth.parquet", "machine.json")]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise ArtifactError(f"{folder} holds no {' and no '.join(missing)}; run: make bench")
    timings, growth, machine = (artifacts.read(path) for path in files)
    return timings, growth, machine


def sentence(machine: Mapping[str, object]) -> str:
    """The machine and the conditions, in one line."""
    versions = machine["versions"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, "
        f"numba {versions['numba']}, numpy {versions['numpy']}, pandas {versions['pandas']}; "
        f"warm, one thread unless named, medians of up to {machine['runs']} runs, "
        f"{machine['day']}"
    )


def start() -> Run:
    """The view of a notebook that stands outside the chain: it reads by path and saves nothing."""
    style.apply()
    here = project.find()
    return Run(Path(NOTEBOOK).stem, here, {}, here.reports / FOLDER)


def publish(here: project.Project, folder: Path) -> Path:
    """Run the notebook on the timings in `folder`, and write its page beside them."""
    from xcoll.workbook import engine
    from xcoll.workbook.kernels import Cancel

    source = here.notebooks / NOTEBOOK
    known = folder == here.reports / FOLDER == here.root / "reports" / FOLDER
    changed = {} if known else {"folder": str(folder)}
    with tempfile.TemporaryDirectory() as scratch:
        executed = engine.execute(
            source,
            Path(scratch) / source.name,
            changed,
            environment={**os.environ, "XCOLL_ROOT": str(here.root)},
            timeout=300,
            cancel=Cancel(),
            on_cell=lambda *_: None,
        )
    page = folder / "index.html"
    text = html.page(
        executed,
        title=TITLE,
        links=[("Speed", page.name)],
        footer=f"make bench, commit {fingerprint.commit(here.root)[:12]}",
        current=page.name,
        parameters=parameters.read(source),
        changed=changed,
    )
    page.write_text(text, encoding="utf-8")
    return page
