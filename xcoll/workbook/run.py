"""`xcoll.start`: what a notebook knows of the run that it is part of."""

import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown, display

from xcoll.errors import ArtifactError, RunError
from xcoll.workbook import artifacts, lab, manifest, project, streams, tables
from xcoll.workbook.plots import style

__all__ = ["Run", "newest", "start"]


@dataclass(frozen=True)
class Run:
    """Artifacts, paths and the voice of one notebook.

    Attributes
    ----------
    notebook : str
        Name of the notebook, as in the chain.
    project : Project
        Folders of the checkout.
    inputs : mapping
        Notebook to the folder of its artifacts, for every notebook upstream that has run.
    output : Path
        Folder that this notebook's artifacts are written to.
    facts : mapping
        Where the numbers come from: data hashes, versions, parameters.
    on_save : callable, optional
        Told the path of every artifact that was saved.
    """

    notebook: str
    project: project.Project
    inputs: Mapping[str, Path]
    output: Path
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    on_save: Callable[[Path], None] | None = None

    def read(self, name: str) -> pd.DataFrame | dict[str, object]:
        """The artifact `name` of a notebook upstream.

        Raises
        ------
        ArtifactError
            Where it is not declared, not upstream, or has not been made yet.
        """
        writer, declared = self.project.chain.artifact(name)
        if writer not in self.project.chain.upstream(self.notebook):
            raise ArtifactError(
                f"{self.notebook} reads {name!r} of {writer}, which is not upstream; "
                "declare the need in notebooks/chain.yaml"
            )
        path = self.inputs.get(writer, Path()) / f"{name}{declared.suffix}"
        if writer not in self.inputs or not path.is_file():
            raise ArtifactError(
                f"{name!r} of {writer} has not been made yet; make it with: "
                f"xcoll run --until {writer}"
            )
        return artifacts.read(path)

    def save(self, name: str, content: pd.DataFrame | Mapping[str, object]) -> None:
        """Write `content` as the artifact `name` of this notebook.

        Raises
        ------
        ArtifactError
            Where this notebook does not declare it, or the content has another form.
        """
        writer, declared = self.project.chain.artifact(name)
        if writer != self.notebook:
            raise ArtifactError(f"{name!r} is declared for {writer}, not for {self.notebook}")
        path = artifacts.write(self.output, name, declared, content)
        if self.on_save is not None:
            self.on_save(path)

    def path(self, path: str | Path) -> Path:
        """`path` from the project root."""
        return self.project.path(path)

    def rng(self, label: str, seed: int) -> np.random.Generator:
        """Generator for one purpose: the same `seed` and `label` give the same numbers."""
        return streams.stream(label, seed)

    def say(self, text: str) -> None:
        """Show a sentence whose numbers were computed, as `tables.spoken` sets it."""
        display(Markdown(tables.spoken(text)))

    def points(self, texts: Iterable[str]) -> None:
        """Show several such sentences as a list."""
        self.say("\n".join(f"- {text}" for text in texts))

    def table(
        self,
        frame: pd.DataFrame,
        caption: str,
        formats: Mapping[str, str] | None = None,
        rows: int = 12,
    ) -> None:
        """Show the first `rows` rows of `frame`; `formats` as in `tables.FORMATS`."""
        display(HTML(tables.to_html(frame, caption, formats, rows)))

    def provenance(self) -> pd.DataFrame:
        """Data, parameters and versions behind the numbers: columns group, item, value."""
        rows = [
            (group, item, value)
            for group, items in self.facts.items()
            for item, value in items.items()
        ]
        return pd.DataFrame(rows, columns=["group", "item", "value"], dtype="str")


def newest(reports: Path) -> Path | None:
    """Folder of the run that finished last, or None where there is none.

    A run whose manifest cannot be read is passed over with a warning that says why.
    """
    finished = {}
    for folder in manifest.folders(reports):
        try:
            described = manifest.read(folder)
        except RunError as error:
            warnings.warn(f"passed over: {error}", stacklevel=2)
        else:
            finished[folder] = described["finished"] if described else ""
    return max(finished, key=finished.__getitem__) if finished else None


def start(notebook: str) -> Run:
    """Open `notebook`'s view of the run that executes it.

    Under the runner, inputs and output are the run's own.  Opened alone in JupyterLab, inputs
    are those of the newest run, and what is saved goes to ``reports/.lab`` so that no report
    changes under a reader; edited modules of the package are reloaded before every cell, long
    loops show how far they are, and what is stale by a changed artifact is said (`lab`).
    """
    described = os.environ.get(project.STEP_VARIABLE)
    style.apply(captioned=bool(described))
    if described:
        step = json.loads(Path(described).read_text(encoding="utf-8"))
        here = project.Project(Path(step["root"]), Path(step["reports"]))
        inputs = {name: Path(folder) for name, folder in step["inputs"].items()}
        return Run(step["notebook"], here, inputs, Path(step["output"]), step["facts"])
    lab.enter()
    here = project.find()
    name = here.chain.resolve(notebook)
    latest = newest(here.reports)
    inputs: dict[str, Path] = {}
    facts: dict[str, dict[str, str]] = {}
    on_save = None
    if latest is not None:
        made = manifest.read(latest)
        inputs = {step: latest / "artifacts" / step for step in made["steps"]}
        facts = made["facts"]
        held = made["steps"].get(name, {}).get("artifacts", {})
        on_save = lab.Lab(name, here, latest.name, held).saved
    output = here.reports / ".lab" / name
    output.mkdir(parents=True, exist_ok=True)
    return Run(name, here, inputs, output, facts, on_save)
