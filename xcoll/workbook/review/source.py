"""The sources of a run laid out afresh: its commit from git, its data against their hashes.

A run that no commit holds (files were changed, or there is no git) can be laid out from the
present tree only, and only where code, notebooks and data are proven to be those of the run.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import xcoll
from xcoll.errors import DataError, ParameterError, RunError
from xcoll.workbook import fingerprint, manifest, parameters, plan
from xcoll.workbook.project import Project
from xcoll.workbook.review.runs import Run

__all__ = ["Source", "lay_out"]

DIRTY = "-dirty"
SHOWN = 12  # letters of a hash
FOLDERS = ("xcoll", "notebooks", "data")  # of the present tree, beside the files at its root


@dataclass(frozen=True)
class Source:
    """A project laid out as it was when the run was made.

    Attributes
    ----------
    project : Project
        Folders of the lay-out.
    package : Path
        The package that the run imports.
    origin : str
        Where it comes from: "commit …" or "the present tree".
    """

    project: Project
    package: Path
    origin: str


@dataclass(frozen=True)
class _Data:
    """A data file: the parameter that names it, its place, and its name in the manifest."""

    parameter: str
    value: str
    place: Path
    label: str


def lay_out(run: Run, here: Project, scratch: Path) -> Source:
    """Lay the sources of `run` out under `scratch`; the project `here` is only read.

    Raises
    ------
    ParameterError
        Where the commit is not to be had, or the present tree is not that of the run.
    DataError
        Where a data file is gone, or was changed under the same name.
    RunError
        Where git fails.
    """
    root = scratch.joinpath(*["below"] * _climbs(run), "project")
    commit = run.manifest["commit"]
    tracked = commit != "none" and not commit.endswith(DIRTY)
    if not tracked:
        _same_as_now(run, here)
    if commit != "none":
        root = _check_out(commit.removesuffix(DIRTY), here, root)
    if not tracked:
        _overlay(here.root, root)
    laid = Project(root, scratch / "reports")
    _bring_data(run, here, laid)
    origin = f"commit {commit[:SHOWN]}" if tracked else "the present tree"
    return Source(laid, _package(root), origin)


def _climbs(run: Run) -> int:
    """How far parameters climb out of the project, so that they stay inside the scratch folder."""
    values = [value for step in run.steps.values() for value in step["changed"].values()]
    paths = [Path(os.path.normpath(value)) for value in values if isinstance(value, str) and value]
    return max((path.parts.count("..") for path in paths), default=0)


def _package(root: Path) -> Path:
    """The package of the project at `root`; the one that runs now where it has none."""
    own = root / "xcoll"
    return own if (own / "__init__.py").is_file() else Path(xcoll.__file__).parent


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(folder), "-c", f"core.hooksPath={os.devnull}", *words]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
    except FileNotFoundError as error:
        raise RunError("git is not installed, and the commit of a run comes from git") from error


def _check_out(commit: str, here: Project, target: Path) -> Path:
    """Clone the repository of `here` at `commit` into `target`; returns the project in it."""
    top = _git(here.root, "rev-parse", "--show-toplevel", "--show-prefix")
    if top.returncode:
        raise ParameterError(
            f"{here.root} is no git repository, so commit {commit[:SHOWN]} cannot be checked out; "
            "call this inside a clone of the project"
        )
    if _git(here.root, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
        raise ParameterError(
            f"commit {commit[:SHOWN]} is not in the repository of {here.root}; get it with: "
            "git fetch --all"
        )
    repository, prefix = [*top.stdout.splitlines(), ""][:2]
    target.parent.mkdir(parents=True, exist_ok=True)
    clone = ("clone", "--quiet", "--shared", "--no-checkout", repository, str(target))
    for folder, words in ((here.root, clone), (target, ("checkout", "--quiet", commit))):
        done = _git(folder, *words)
        if done.returncode:
            raise RunError(f"git {words[0]} failed: {done.stderr.strip()}")
    return target / prefix


def _overlay(root: Path, target: Path) -> None:
    """Put the present files of the project at `root` into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    for name in FOLDERS:
        shutil.rmtree(target / name, ignore_errors=True)
        if (root / name).is_dir():
            shutil.copytree(
                root / name, target / name, ignore=shutil.ignore_patterns("__pycache__")
            )
    for path in root.iterdir():
        if path.is_file():
            shutil.copy2(path, target / path.name)


def _same_as_now(run: Run, here: Project) -> None:
    """Refuse a present tree whose code, data or notebooks are not those of `run`."""
    commit = run.manifest["commit"]
    held = "made outside git" if commit == "none" else "made of files that were not committed"
    fix = (
        "put the files of then back, or make a run that a commit holds: git commit, then "
        f"{manifest.again(run.folder)}"
    )
    now = {
        "xcoll": fingerprint.code(_package(here.root)),
        "chain": fingerprint.file(here.notebooks / "chain.yaml"),
    }
    other = [part for part in now if run.facts["code"].get(part) != now[part]]
    if other:
        raise ParameterError(
            f"run {run.name!r} was {held}, and its code ({', '.join(other)}) is not that of the "
            f"present tree; {fix}"
        )
    for file in _data(run, here.notebooks, here):
        _unchanged(run, file, file.place)
    settings = [
        (step, name, value, manifest.FILE)
        for step in run.steps
        for name, value in run.steps[step]["changed"].items()
    ]
    recorded = replace(
        plan.build(here, only=run.steps, settings=settings),
        shared={group: run.facts[group] for group in ("versions", "code")},
    )
    for step in recorded.steps:
        inputs = {
            f"{before}/{file}": digest
            for before in here.chain.upstream(step)
            for file, digest in run.steps[before]["artifacts"].items()
        }
        if recorded.key(step, inputs) != run.steps[step]["key"]:
            raise ParameterError(
                f"run {run.name!r} was {held}, and its notebook {step} is not that of the present "
                f"tree; {fix}"
            )


def _data(run: Run, notebooks: Path, here: Project) -> Iterator[_Data]:
    """The data files of `run` where `here` has them, as its parameters name them."""
    for step in run.steps:
        for each in parameters.read(notebooks / f"{step}.ipynb"):
            value = run.steps[step]["changed"].get(each.name, each.default)
            if "Path" not in each.annotation or value is None:
                continue
            place = here.path(str(value))
            inside = place.is_relative_to(here.root)
            label = here.relative(place) if inside else f"{place.name} ({each.name})"
            yield _Data(f"{step}.{each.name}", str(value), place, label)


def _bring_data(run: Run, here: Project, laid: Project) -> None:
    """Add the user's own files to `laid`, and hold every data file against its hash."""
    for file in _data(run, laid.notebooks, here):
        target = Path(os.path.normpath(laid.root / file.value))
        if not target.exists() and file.place.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.place.is_relative_to(here.root):
                shutil.copyfile(file.place, target)
            else:
                target.symlink_to(file.place)
        _unchanged(run, file, target)


def _unchanged(run: Run, file: _Data, path: Path) -> None:
    known = run.facts["data"].get(file.label)
    again = manifest.again(run.folder)
    if known is None:
        raise DataError(
            f"the manifest of run {run.name!r} holds no hash of {file.label}, which "
            f"{file.parameter} names; make the run anew with: {again}"
        )
    if not path.is_file():
        raise DataError(
            f"{file.parameter} names {file.place}, which is not there any more; put the file with "
            f"SHA-256 {known[:SHOWN]}… back"
        )
    now = fingerprint.file(path)
    if now != known:
        raise DataError(
            f"{file.place}: the file changed under the same name since run {run.name!r} (SHA-256 "
            f"{known[:SHOWN]}… then, {now[:SHOWN]}… now); put the file of then back, or make the "
            f"run anew with: {again}"
        )
