"""Finished runs made by hand: artifacts, executed notebooks and a manifest, without a kernel."""

import base64
import io
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.workbook.conftest import seal
from xcoll.workbook import artifacts


def picture(height: float) -> str:
    """A small PNG as base64."""
    figure = Figure(figsize=(1, 1), dpi=40)
    figure.subplots().plot([0.0, height])
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return base64.b64encode(stream.getvalue()).decode()


def executed(name: str, height: float, sentence: str) -> nbformat.NotebookNode:
    """An executed notebook that draws a figure and says a sentence under a heading."""
    shown = [
        new_output("display_data", data={"image/png": picture(height), "text/plain": "figure"}),
        new_output("display_data", data={"text/markdown": sentence, "text/plain": "sentence"}),
    ]
    cells = [
        new_markdown_cell(f"# {name}\n\n## What it is", id="heading"),
        new_code_cell("draw()", id="draw", outputs=shown, execution_count=1),
    ]
    return new_notebook(cells=cells)


class Maker:
    """Writes runs of the tiny project."""

    def __init__(self, project) -> None:
        self.project = project

    def folder(self, name: str) -> Path:
        return self.project.reports / name

    def __call__(
        self,
        name: str,
        *,
        numbers=(1.0, 2.0, 3.0),
        total=12.0,
        height=1.0,
        sentence="The sum is **12.0**.",
        **given,
    ) -> Path:
        """Write the run `name` of 01 and 04, and return its folder."""
        folder = self.folder(name)
        for artifact, content in (
            ("numbers", pd.DataFrame({"value": pd.Series(numbers, dtype=float)})),
            ("total", {"total": total}),
        ):
            writer, declared = self.project.chain.artifact(artifact)
            (folder / "artifacts" / writer).mkdir(parents=True)
            artifacts.write(folder / "artifacts" / writer, artifact, declared, content)
            (folder / "notebooks").mkdir(exist_ok=True)
            drawn = executed(writer, height, sentence if artifact == "total" else "Three.")
            nbformat.write(drawn, folder / "notebooks" / f"{writer}.ipynb")
        (folder / "index.html").write_text("<p>index</p>", "utf-8")
        self.seal(folder, **given)
        return folder

    @staticmethod
    def seal(folder: Path, **given) -> dict:
        """Write the manifest anew."""
        return seal(folder, **given)


@pytest.fixture
def make(tiny):
    """Makes finished runs of the tiny project: ``make("a", total=2.0)``."""
    return Maker(tiny)
