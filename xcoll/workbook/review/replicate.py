"""A run built again from its manifest alone, in a scratch folder, and held against it."""

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml

from xcoll.errors import ParameterError
from xcoll.workbook import fingerprint, manifest
from xcoll.workbook.project import Project
from xcoll.workbook.review import environment, source
from xcoll.workbook.review.certificate import Certificate, certify
from xcoll.workbook.review.environment import Environment
from xcoll.workbook.review.runs import Run
from xcoll.workbook.review.source import Source

__all__ = ["replicate"]

PATIENCE = 5.0  # seconds that an interrupted replica has to end its notebooks


def replicate(
    run: Run,
    here: Project,
    *,
    kind: str,
    keep: Path | None,
    jobs: int,
    tell: Callable[[str], None],
) -> Certificate:
    """Build `run` again and certify what is equal.

    Parameters
    ----------
    kind : {"fresh", "this"}
        Environment of the replica; see `environment`.
    keep : Path, optional
        Where the replica stays; without it, it is removed, also after an interrupt.
    jobs : int
        Notebooks at once.
    tell : callable
        Told what goes on.

    Raises
    ------
    ParameterError
        Where the run cannot be built again: its commit is not to be had, the present tree is
        another, some of its notebooks are stale, or `keep` is in use.
    DataError
        Where a data file is gone, or changed under the same name.
    RunError
        Where git or the making of the environment fails.
    """
    stale = run.manifest["stale"]
    if stale:
        raise ParameterError(
            f"{', '.join(stale)} of run {run.name!r} were made of steps that it does not hold any "
            f"more; bring the run up to date first with: {manifest.again(run.folder)}"
        )
    if run.damage:
        tell(f"{run.folder}: {run.damage}; the replica is held against the manifest")
    known = environment.known(kind)
    _say_versions(run, known, tell)
    with _scratch(keep) as scratch:
        tell(f"laying out the sources of commit {run.manifest['commit'][:12]}")
        laid = source.lay_out(run, here, scratch)
        _say_code(run, laid, tell)
        made = environment.make(kind, laid, scratch, tell)
        versions = environment.versions(made, laid.project.root)
        _say_versions(run, {name: versions[name] for name in versions.keys() - known}, tell)
        then = run.facts["versions"]
        blank = Certificate(
            run.name,
            run.manifest["commit"],
            laid.origin,
            kind,
            versions={
                name: (then.get(name, "–"), versions.get(name, "–")) for name in then | versions
            },
        )
        tell(f"running {len(run.steps)} of its notebooks, then the pages")
        failed = _rebuild(run, laid, made, scratch, jobs)
        if failed:
            return replace(blank, failed=failed)
        folder = laid.project.reports / run.given
        replica = Run(folder, manifest.read(folder))
        tell(f"holding {len(run.files)} files against the manifest")
        return certify(run, replica, list(laid.project.chain.steps), blank)


def _say_versions(run: Run, versions: Mapping[str, str], tell: Callable[[str], None]) -> None:
    for name, now in sorted(versions.items()):
        then = run.facts["versions"].get(name)
        if then is not None and then != now:
            tell(f"{name} is {now}, the run had {then}: bytes may differ")


def _say_code(run: Run, laid: Source, tell: Callable[[str], None]) -> None:
    if fingerprint.code(laid.package) == run.facts["code"].get("xcoll"):
        return
    own = laid.package.is_relative_to(laid.project.root)
    whose = f"the code of {laid.origin}" if own else "the package that runs now"
    hint = " (files that git did not track?)" if own else ""
    tell(f"{whose} is not that of the run{hint}: every page names its code and will differ")


@contextmanager
def _scratch(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="xcoll-", ignore_cleanup_errors=True) as folder:
            yield Path(folder).resolve()
        return
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise ParameterError(f"--keep {keep} is in use; name a new or an empty folder")
    keep.mkdir(parents=True, exist_ok=True)
    yield keep.resolve()


def _rebuild(run: Run, laid: Source, made: Environment, scratch: Path, jobs: int) -> str:
    """Run the notebooks of `run` with its parameters; what stopped them, or nothing."""
    settings = scratch / "parameters.yaml"
    changed = {name: dict(step["changed"]) for name, step in run.steps.items() if step["changed"]}
    settings.write_text(yaml.safe_dump(changed, allow_unicode=True), encoding="utf-8")
    command = [str(made.python), "-m", "xcoll", "run", "--name", run.given, "-f", str(settings)]
    command += ["--reports", str(laid.project.reports), "--jobs", str(jobs)]
    if run.steps.keys() != laid.project.chain.steps.keys():
        command += [word for step in run.steps for word in ("--only", step)]
    process = subprocess.Popen(
        command, cwd=laid.project.root, env=made.variables, stdout=subprocess.DEVNULL
    )
    try:
        code = process.wait()
    except KeyboardInterrupt:
        _end(process)
        raise
    if not code:
        return ""
    logs = [path for path in laid.project.reports.glob(".logs/*.log") if path.stem in run.steps]
    for log in sorted(logs, key=lambda path: path.stat().st_mtime_ns)[:1]:
        place, error = log.read_text(encoding="utf-8").splitlines()[:2]
        return f"{place}: {error}"
    return f"xcoll run ended with exit code {code}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End an interrupted replica: a terminal's Ctrl-C has reached it, a signal to us has not."""
    for end in (lambda: None, process.terminate, process.kill):
        end()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            continue
        return
