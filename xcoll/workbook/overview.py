"""The state of a run at a glance: what each notebook is for, and whether it is up to date."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nbformat
import pandas as pd

from xcoll.errors import RunError
from xcoll.workbook import plan, publish
from xcoll.workbook.project import Project
from xcoll.workbook.run import newest
from xcoll.workbook.store import Store

__all__ = ["Overview", "State", "of", "states"]

State = Literal["never run", "stale", "fresh"]


@dataclass(frozen=True)
class Overview:
    """What a start page says of a project and of one of its runs.

    Attributes
    ----------
    run : str or None
        Name of the run; None where nothing was run yet.
    notebooks : DataFrame
        Columns notebook, question, state, seconds (NaN: never run), in the order of the chain.
    links : dict
        Notebook to its path from the folder of the page, and name of the run to its report.
    said : tuple of str
        What the last notebook of the chain found, markdown.
    """

    run: str | None
    notebooks: pd.DataFrame
    links: dict[str, str]
    said: tuple[str, ...]

    def markdown(self) -> str:
        """The notebooks as a table with links to them."""
        lines = ["| notebook | question | state | seconds |", "|:--|:--|:--|--:|"]
        for row in self.notebooks.itertuples():
            link = f"[{row.notebook.replace('_', ' ')}]({self.links[row.notebook]})"
            state = row.state if row.state == "fresh" else f"**{row.state}**"
            seconds = "–" if pd.isna(row.seconds) else f"{row.seconds:.0f}"
            lines.append(f"| {link} | {row.question} | {state} | {seconds} |")
        return "\n".join(lines)

    def sentence(self) -> str:
        """The state of the run, and what to do about it."""
        if self.run is None:
            return "Nothing was run yet: `xcoll run` makes the first report (some minutes)."
        old = self.notebooks.loc[self.notebooks["state"] != "fresh", "notebook"]
        report = f"The newest run is [{self.run}]({self.links[self.run]})"
        if old.empty:
            return f"{report}; all of it is up to date."
        option = "" if self.run == "default" else f" --name {self.run}"
        listed = ", ".join(name.split("_")[0] for name in old)
        return f"{report}; not up to date: {listed}. `xcoll run{option}` runs what is stale."


def states(here: Project, name: str) -> dict[str, State]:
    """State of every notebook in the run `name`, in the order of the chain.

    Raises
    ------
    RunError
        Where its manifest is damaged or of a newer version.
    """
    folder = here.reports / name
    described = publish.manifest(folder)
    finished = publish.held(folder, Store(here.reports / ".steps"))
    old = publish.stale(plan.build(here), finished) if finished else []
    found: dict[str, State] = {}
    for step in here.chain.steps:
        known = described is not None and step in described["steps"]
        fresh = step in finished and step not in old
        found[step] = "never run" if not known else "fresh" if fresh else "stale"
    return found


def of(here: Project, name: str | None = None) -> Overview:
    """The overview of run `name`, of the newest one by default.

    Raises
    ------
    RunError
        Where there is no run of that name, or it is damaged.
    """
    latest = newest(here.reports) if name is None else here.reports / name
    described = None if latest is None else publish.manifest(latest)
    if name is not None and described is None:
        raise RunError(f"no run is called {name!r}; make it with: xcoll run --name {name}")
    run = None if latest is None else latest.name
    known = states(here, run) if run else dict.fromkeys(here.chain.steps, "never run")
    seconds = {step: one["seconds"] for step, one in (described or {"steps": {}})["steps"].items()}
    rows = [
        (step.name, step.question, known[step.name], seconds.get(step.name, float("nan")))
        for step in here.chain.steps.values()
    ]
    # From notebooks/ and from reports/, where a start page may lie, the way is the same.
    links = {step: f"../notebooks/{step}.ipynb" for step in here.chain.steps}
    if latest is not None:
        links[latest.name] = f"../{here.relative(latest / 'index.html')}"
    frame = pd.DataFrame(rows, columns=["notebook", "question", "state", "seconds"])
    return Overview(run, frame, links, _said(latest, list(here.chain.steps)[-1]))


def _said(folder: Path | None, last: str) -> tuple[str, ...]:
    path = None if folder is None else folder / "notebooks" / f"{last}.ipynb"
    if path is None or not path.is_file():
        return ()
    from xcoll.workbook import index

    return index.headlines(nbformat.read(path, as_version=4))
