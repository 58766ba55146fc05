"""The state of a run at a glance: what each notebook is for, and whether it is up to date."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nbformat
import pandas as pd

from xcoll.errors import RunError
from xcoll.workbook import manifest, plan, publish
from xcoll.workbook.project import Project
from xcoll.workbook.run import newest
from xcoll.workbook.store import Store

__all__ = ["Overview", "State", "of", "states"]

State = Literal["never run", "unknown", "stale", "fresh"]


@dataclass(frozen=True)
class Overview:
    """What a start page says of a project and of one of its runs.

    Attributes
    ----------
    run : str or None
        Name of the run; None where nothing was run yet.
    fault : str or None
        What is wrong with its files, and what to do.
    notebooks : DataFrame
        Columns notebook, question, state, seconds (NaN: never run), in the order of the chain.
    links : dict
        Notebook to its path from the folder of the page, and name of the run to its report.
    said : tuple of str
        What the last notebook of the chain found, markdown.
    """

    run: str | None
    fault: str | None
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
        if self.fault is not None:
            return f"The newest run is damaged. {self.fault}"
        old = self.notebooks.loc[self.notebooks["state"] != "fresh", "notebook"]
        report = f"The newest run is [{self.run}]({self.links[self.run]})"
        if old.empty:
            return f"{report}; all of it is up to date."
        option = "" if self.run == "default" else f" --name {self.run}"
        listed = ", ".join(name.split("_")[0] for name in old)
        return f"{report}; not up to date: {listed}. `xcoll run{option}` runs what is stale."


def states(here: Project, name: str) -> tuple[dict[str, State], str | None]:
    """State of every notebook in the run `name`, in the order of the chain.

    With it comes what is wrong with the run and what to do, None where it is sound or was never
    made; where its manifest cannot be read, its notebooks are "unknown".
    """
    folder = here.reports / name
    try:
        described = manifest.read(folder)
    except RunError as error:
        return dict.fromkeys(here.chain.steps, "unknown"), str(error)
    if described is None:
        return dict.fromkeys(here.chain.steps, "never run"), None
    finished = publish.held(described, Store(here.reports / ".steps"))
    old = publish.stale(plan.build(here), finished) if finished else []
    found: dict[str, State] = {}
    for step in here.chain.steps:
        fresh = step in finished and step not in old
        known = "fresh" if fresh else "stale"
        found[step] = known if step in described["steps"] else "never run"
    damage = manifest.damage(folder, described)
    return found, f"{folder}: {damage}; {manifest.remedy(folder)}" if damage else None


def of(here: Project, name: str | None = None) -> Overview:
    """The overview of run `name`, of the newest one by default.

    Raises
    ------
    RunError
        Where there is no run of that name, or it is damaged.
    """
    latest = newest(here.reports) if name is None else here.reports / name
    described = None if latest is None else manifest.read(latest)
    if name is not None and described is None:
        raise RunError(f"no run is called {name!r}; make it with: xcoll run --name {name}")
    run = None if latest is None else latest.name
    known, fault = (
        states(here, run) if run else (dict.fromkeys(here.chain.steps, "never run"), None)
    )
    steps = described["steps"] if described else {}
    seconds = {step: one.get("seconds", float("nan")) for step, one in steps.items()}
    rows = [
        (step.name, step.question, known[step.name], seconds.get(step.name, float("nan")))
        for step in here.chain.steps.values()
    ]
    # From notebooks/ and from reports/, where a start page may lie, the way is the same.
    links = {step: f"../notebooks/{step}.ipynb" for step in here.chain.steps}
    if latest is not None:
        links[latest.name] = f"../{here.relative(latest / 'index.html')}"
    frame = pd.DataFrame(rows, columns=["notebook", "question", "state", "seconds"])
    return Overview(run, fault, frame, links, _said(latest, list(here.chain.steps)[-1]))


def _said(folder: Path | None, last: str) -> tuple[str, ...]:
    path = None if folder is None else folder / "notebooks" / f"{last}.ipynb"
    if path is None or not path.is_file():
        return ()
    from xcoll.workbook import index

    return index.headlines(nbformat.read(path, as_version=4))
