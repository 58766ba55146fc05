"""Where the project's folders are, whatever the caller's working directory."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from xcoll.errors import ParameterError
from xcoll.workbook import chain

__all__ = [
    "DIFFS",
    "REPLICATIONS",
    "STEP_VARIABLE",
    "SWEEPS",
    "TAKEN",
    "TIMINGS",
    "Project",
    "find",
]

STEP_VARIABLE = "XCOLL_STEP"  # tells a kernel which file describes its step
TIMINGS, SWEEPS, DIFFS, REPLICATIONS = "benchmarks", "sweeps", "diffs", "replications"
TAKEN = {  # folders under reports/ that are no runs, and whose they are
    TIMINGS: "make bench",
    SWEEPS: "xcoll sweep",
    DIFFS: "xcoll diff",
    REPLICATIONS: "xcoll replicate",
}


@dataclass(frozen=True)
class Project:
    """Folders of one checkout.

    Attributes
    ----------
    root : Path
        Folder that holds ``notebooks/`` and ``data/``.
    reports : Path
        Folder of the runs; ``root / "reports"`` unless another one was asked for.
    """

    root: Path
    reports: Path

    @cached_property
    def chain(self) -> chain.Chain:
        """The chain that ``notebooks/chain.yaml`` declares."""
        return chain.load(self.notebooks / "chain.yaml")

    @property
    def notebooks(self) -> Path:
        """Folder of the notebooks."""
        return self.root / "notebooks"

    def path(self, path: str | Path) -> Path:
        """`path` from the project root; an absolute path stays as it is."""
        return (self.root / Path(path)).resolve()

    def relative(self, path: Path) -> str:
        """`path` as seen from the project root where it lies inside, whole otherwise."""
        inside = path.is_relative_to(self.root)
        return path.relative_to(self.root).as_posix() if inside else str(path)


def find(root: str | Path | None = None, reports: str | Path | None = None) -> Project:
    """The project around `root`, ``XCOLL_ROOT``, the working directory or the installed package.

    Raises
    ------
    ParameterError
        Where none of them holds a ``notebooks`` folder.
    """
    if root or os.environ.get("XCOLL_ROOT"):
        candidates = [Path(root or os.environ["XCOLL_ROOT"]).resolve()]
    else:
        here = Path.cwd().resolve()
        candidates = [here, *here.parents, Path(__file__).resolve().parents[2]]
    for folder in candidates:
        if (folder / "notebooks").is_dir() and (folder / "data").is_dir():
            return Project(folder, Path(reports).resolve() if reports else folder / "reports")
    raise ParameterError(
        f"{candidates[0]} holds no notebooks/ and data/; run inside the project or set XCOLL_ROOT"
    )
