"""A notebook opened alone in JupyterLab: code reloads, loops show, what is stale is said.

What it saves goes to ``reports/.lab``; no report changes under a reader.
"""

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from IPython import get_ipython
from IPython.display import Markdown, display

from xcoll import loops
from xcoll.workbook import fingerprint, parameters
from xcoll.workbook.project import STEP_VARIABLE, Project

__all__ = ["Lab", "at_work", "enter"]

Item = TypeVar("Item")


def at_work() -> bool:
    """Whether a person sits before this kernel, and no run executes it."""
    return get_ipython() is not None and STEP_VARIABLE not in os.environ


def enter() -> None:
    """Reload edited modules before every cell, and show long loops, where a person is at work.

    Outside IPython nothing happens.  A kernel that was edited is compiled anew only in a new
    process: restart the kernel then.
    """
    shell = get_ipython()
    if shell is None:
        return
    shell.extension_manager.load_extension("autoreload")
    shell.run_line_magic("autoreload", "2")
    loops.watch(_bar)


def _bar(items: Iterable[Item], what: str) -> Iterable[Item]:
    from tqdm.auto import tqdm

    return tqdm(items, desc=what, leave=False)


@dataclass
class Lab:
    """What the newest run holds of one notebook, against what is saved now.

    Attributes
    ----------
    notebook : str
        Name of the notebook.
    project : Project
        Folders of the checkout.
    run : str
        Name of the newest run.
    artifacts : mapping
        File name to SHA-256 of what that run holds of the notebook.
    """

    notebook: str
    project: Project
    run: str
    artifacts: Mapping[str, str]
    _said: bool = field(default=False, init=False)

    def saved(self, path: Path) -> None:
        """Say, once, which later notebooks are stale where `path` differs from the run's."""
        held = self.artifacts.get(path.name)
        if self._said or held is None or fingerprint.file(path) == held:
            return
        self._said = True
        display(Markdown(self.words(path.stem)))

    def words(self, artifact: str) -> str:
        """What follows from an `artifact` that is another now."""
        later = self.project.chain.downstream(self.notebook)
        command = ["xcoll", "run"] + (["--name", self.run] if self.run != "default" else [])
        for name, value in self._changed().items():
            command += ["-p", f"{self.notebook}.{name}={parameters.written(value)}"]
        return (
            f"`{artifact}` is not what run {self.run} holds. Stale with it: "
            f"{', '.join(later) or 'nothing, this is the last notebook'}. This page saves into "
            f"`reports/.lab`; the run is brought up to date by `{shlex.join(command)}`"
        )

    def _changed(self) -> dict[str, Any]:
        """Parameters of the kernel that are not those of the notebook's file."""
        shell = get_ipython()
        space = {} if shell is None else shell.user_ns
        declared = parameters.read(self.project.notebooks / f"{self.notebook}.ipynb")
        return {
            one.name: space[one.name]
            for one in declared
            if one.name in space and space[one.name] != one.default
        }
