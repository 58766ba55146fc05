"""A chain of four tiny notebooks, as real as the big one: kernel, papermill and files."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from xcoll.workbook import artifacts, fingerprint, manifest, project

CHAIN = """
01_load:
  question: What is in the file?
  artifacts:
    numbers: {value: number}
02_scale:
  question: What is it times a factor?
  needs: [01_load]
  artifacts:
    scaled: {value: number}
03_square:
  question: What is it squared?
  needs: [01_load]
  artifacts:
    squared: {value: number}
04_sum:
  question: What is the sum?
  needs: [02_scale, 03_square]
  artifacts:
    total: json
"""

CELLS = {
    "01_load": (
        'data: Path = "data/numbers.csv"  # csv with a column "value"',
        'frame = pd.read_csv(run.path(data), dtype="float64")',
        'run.save("numbers", frame)',
    ),
    "02_scale": (
        'factor: float = 2.0  # times, above 0\nmode: Literal["plain", "raise", "exit", "die"] = '
        '"plain"  # what the notebook does',
        'if mode == "raise":\n    raise ValueError("planted failure")\n'
        'if mode == "exit":\n    raise SystemExit(0)\n'
        'if mode == "die":\n    os.kill(os.getpid(), 9)',
        'run.save("scaled", run.read("numbers") * factor)',
    ),
    "03_square": (
        "power: int = 2  # exponent, at least 1",
        'run.save("squared", run.read("numbers") ** power)',
        "plt.plot([0.0, 1.0], [0.0, 1.0]);",
    ),
    "04_sum": (
        "digits: int = 3  # digits shown, at least 0",
        'total = float((run.read("scaled") + run.read("squared"))["value"].sum())\n'
        'run.save("total", {"total": round(total, digits)})',
        'run.say(f"The sum is {total:.{digits}f}.")\nrun.table(run.read("scaled"), "Scaled")',
    ),
}

IMPORTS = """import os
from pathlib import Path
from typing import Literal

import matplotlib.pyplot as plt
import pandas as pd

import xcoll"""


def notebook(name: str, parameters: str, *cells: str) -> nbformat.NotebookNode:
    """A notebook of the house's shape."""
    made = [
        new_markdown_cell(f"# {name}\nA formula: $a^2 + b^2$", id="heading"),
        new_code_cell(IMPORTS, id="imports"),
        new_markdown_cell("## Parameters", id="parameters-heading"),
        new_code_cell(parameters, id="parameters", metadata={"tags": ["parameters"]}),
        new_code_cell(f'run = xcoll.start("{name}")', id="start"),
        *(new_code_cell(cell, id=f"step-{place}") for place, cell in enumerate(cells)),
    ]
    kernel = {"name": "xcoll", "display_name": "xcoll", "language": "python"}
    return new_notebook(cells=made, metadata={"kernelspec": kernel})


def build(root: Path) -> project.Project:
    """Write the tiny project into `root`."""
    (root / "notebooks").mkdir(parents=True)
    (root / "data").mkdir()
    (root / "data" / "numbers.csv").write_text("value\n1\n2\n3\n")
    (root / "notebooks" / "chain.yaml").write_text(CHAIN)
    for name, cells in CELLS.items():
        nbformat.write(notebook(name, *cells), root / "notebooks" / f"{name}.ipynb")
    return project.find(root)


def seal(folder: Path, **given: object) -> dict:
    """Write the manifest of a run whose artifacts and notebooks lie in `folder`; returns it.

    `given` says what differs from a run at its defaults.
    """
    files = fingerprint.tree(folder)
    files.pop(manifest.FILE, None)
    names = {path.split("/")[1].removesuffix(".ipynb") for path in files if "/" in path}
    steps = {
        name: {
            "key": fingerprint.value(
                {path: digest for path, digest in files.items() if f"/{name}" in path}
            ),
            "artifacts": {
                path.split("/")[2]: digest
                for path, digest in files.items()
                if path.startswith(f"artifacts/{name}/")
            },
            "changed": {},
            "seconds": 1.0,
            "began": 0.0,
        }
        for name in sorted(names)
    }
    facts = {"code": {"xcoll": "c" * 64, "chain": "d" * 64}, "data": {}, "parameters": {}}
    content = {
        "schema": manifest.SCHEMA,
        "run": folder.name,
        "commit": "none",
        "facts": facts | {"versions": {"python": "3.11.0"}},
        "stale": [],
        "steps": steps,
        "began": "2024-01-01T00:00:00+00:00",
        "finished": "2024-01-01T00:00:01+00:00",
        "files": files,
    } | given
    artifacts.write_json(folder / manifest.FILE, content)
    return content


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> project.Project:
    """The tiny project, found through ``XCOLL_ROOT``."""
    made = build(tmp_path / "tiny")
    monkeypatch.setenv("XCOLL_ROOT", str(made.root))
    return made
