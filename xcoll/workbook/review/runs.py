"""A finished run, opened by its name or path and held against its own manifest."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from xcoll.errors import DamagedRunError, ParameterError
from xcoll.workbook import artifacts, manifest
from xcoll.workbook.chain import Chain
from xcoll.workbook.project import Project

__all__ = ["Run", "find"]


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    folder : Path
        Holds ``manifest.json`` and what it lists.
    manifest : mapping
        As `manifest.read` gives it.
    """

    folder: Path
    manifest: Mapping

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.folder.name

    @property
    def given(self) -> str:
        """Name that it was given when it was made, which its pages carry."""
        return self.manifest["run"]

    @property
    def facts(self) -> Mapping[str, Mapping[str, str]]:
        """Where the numbers come from: data, parameters, code, versions."""
        return self.manifest["facts"]

    @property
    def files(self) -> Mapping[str, str]:
        """Path of every file in the folder to its SHA-256, when the run was made."""
        return self.manifest["files"]

    @property
    def steps(self) -> Mapping[str, Mapping]:
        """Notebook to its key, artifacts and changed parameters."""
        return self.manifest["steps"]

    @cached_property
    def damage(self) -> manifest.Damage:
        """Files that are no longer what the run wrote."""
        return manifest.damage(self.folder, self.manifest)

    def ordered(self, chain: Chain) -> list[str]:
        """The notebooks in the order of `chain`; those that it does not know at the end."""
        return [name for name in chain.steps if name in self.steps] + [
            name for name in self.steps if name not in chain.steps
        ]

    def require(self, *parts: str) -> None:
        """Refuse a run of which files under the folders `parts` are missing or changed.

        Raises
        ------
        DamagedRunError
            Naming the files and what to do.
        """
        found = self.damage.within(*parts)
        if found:
            raise DamagedRunError(f"{self.folder}: {found}", manifest.remedy(self.folder))

    def artifact(self, path: str) -> object:
        """Content of the artifact file at `path` in the folder.

        Raises
        ------
        DamagedRunError
            Where it is no readable parquet or JSON.
        """
        try:
            return artifacts.read(self.folder / path)
        except (OSError, ValueError) as error:
            fault = f"{self.folder / path} cannot be read: {str(error).splitlines()[0]}"
            raise DamagedRunError(fault, manifest.remedy(self.folder)) from error


def find(text: str, here: Project) -> Run:
    """The run called `text` under the reports of `here`, or in the folder `text`.

    Raises
    ------
    ParameterError
        Where there is none; the message names the nearest one.
    RunError
        Where a newer version of xcoll wrote its manifest.
    DamagedRunError
        Where the manifest is damaged.
    """
    places = [here.reports / text, Path(text)] if text else []
    for folder in places:
        described = manifest.read(folder.resolve())
        if described is not None:
            return Run(folder.resolve(), described)
    make = manifest.again(Path(text or "default"))
    empty = [folder for folder in places if folder.is_dir()]
    if empty:
        raise ParameterError(
            f"{empty[0]} holds no {manifest.FILE}, so it is no finished run; make one with: {make}"
        )
    known = [folder.name for folder in manifest.folders(here.reports)]
    near = difflib.get_close_matches(text, known, n=1, cutoff=0.5)
    there = f"there are {', '.join(known)}; " if known else ""
    hint = f"did you mean {near[0]}?" if near else f"{there}make one with: {make}"
    raise ParameterError(f"no run is called {text!r} in {here.reports}; {hint}")
