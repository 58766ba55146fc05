"""A report folder from finished steps: built beside the last one, then swapped in whole."""

import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from xcoll.errors import RunError
from xcoll.workbook import artifacts, fingerprint, manifest
from xcoll.workbook.plan import Plan
from xcoll.workbook.progress import Progress
from xcoll.workbook.store import Done, Store

__all__ = ["held", "locked", "publish", "stale", "used"]


@contextmanager
def locked(reports: Path) -> Iterator[None]:
    """Hold `reports` for one run at a time, and tidy what a killed run left.

    Raises
    ------
    RunError
        Where the folder cannot be written, or another run holds it.
    """
    try:
        reports.mkdir(parents=True, exist_ok=True)
        stream = (reports / ".lock").open("w")
    except OSError as error:
        raise RunError(
            f"{reports} cannot be written ({error.strerror}); "
            "make it writable or give another folder with --reports DIR"
        ) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"another run is writing to {reports}; wait for it or give another folder "
                "with --reports DIR"
            ) from error
        for half in reports.glob(".new-*"):
            shutil.rmtree(half)
        for aside in reports.glob(".old-*"):
            final = reports / aside.name.removeprefix(".old-")
            if final.exists():
                shutil.rmtree(aside)
            else:
                aside.rename(final)
        yield


def held(described: Mapping | None, store: Store) -> dict[str, Done]:
    """Finished steps that a manifest names, if there is one, as far as the store holds them."""
    steps = described["steps"] if described else {}
    found = {name: store.find(name, steps[name]["key"]) for name in steps}
    return {name: done for name, done in found.items() if done is not None}


def used(reports: Path, tell: Callable[[str], None]) -> set[tuple[str, str]] | None:
    """Notebook and key of every step that a run under `reports` was made of.

    None where the manifest of one cannot be read, so that nobody knows which steps it needs;
    `tell` has the reason.
    """
    steps: set[tuple[str, str]] = set()
    known = True
    for folder in manifest.folders(reports):
        try:
            described = manifest.read(folder) or {"steps": {}}
        except RunError as error:
            tell(f"{error}\nuntil then no finished step is cleared away")
            known = False
        else:
            steps |= {(step, entry["key"]) for step, entry in described["steps"].items()}
    return steps if known else None


def stale(plan: Plan, finished: Mapping[str, Done]) -> list[str]:
    """Notebooks of a report whose inputs are no longer those of the steps before them."""
    recorded = plan.recorded(finished)
    old: list[str] = []
    for name, done in finished.items():
        before = plan.project.chain.upstream(name)
        loose = any(other in old or other not in finished for other in before)
        if loose or recorded.key(name, recorded.inputs(name, finished)) != done.key:
            old.append(name)
    return old


def publish(
    plan: Plan, name: str, finished: Mapping[str, Done], began: datetime, progress: Progress
) -> Path:
    """Write ``reports/<name>/`` from `finished`, and return its index page.

    The folder holds ``index.html``, one page a notebook, the executed notebooks, their artifacts
    and ``manifest.json``; with the last notebook also ``signoff.html``, ``trace.json`` and PDFs of
    both pages where Chromium is installed.  A report that is made of the same steps already is
    left as it is.

    Raises
    ------
    RunError
        Where the folder cannot be written, a page cannot show something, or a number of the last
        notebook cannot be followed to where it comes from.
    """
    reports = plan.project.reports
    final = reports / name
    ordered = {step: finished[step] for step in plan.project.chain.steps if step in finished}
    commit = fingerprint.commit(plan.project.root)
    last = manifest.sound(final, lambda fault: None)  # who asked for the steps was told of it
    damage = manifest.damage(final, last) if last else manifest.Damage()
    described = {
        "schema": manifest.SCHEMA,
        "run": name,
        "commit": commit,
        "facts": _facts(plan, ordered),
        "stale": stale(plan, ordered),
        "steps": {step: _described(done) for step, done in ordered.items()},
    }
    if last and all(last[key] == value for key, value in described.items()) and not damage:
        return final / "index.html"
    if damage:
        progress.line(f"{final}: {damage}; the report is written anew")
    from xcoll.workbook import pages

    fresh, aside = reports / f".new-{name}", reports / f".old-{name}"
    try:
        fresh.mkdir()
        for step, done in ordered.items():
            shutil.copytree(done.folder / "artifacts", fresh / "artifacts" / step)
            (fresh / "notebooks").mkdir(exist_ok=True)
            shutil.copyfile(done.folder / "notebook.ipynb", fresh / "notebooks" / f"{step}.ipynb")
        pages.write(fresh, described, plan, ordered, progress)
        described |= {
            "began": began.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="microseconds"),
            "files": fingerprint.tree(fresh),
        }
        artifacts.write_json(fresh / manifest.FILE, described)
        if final.exists():
            final.rename(aside)
        fresh.rename(final)
        shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise RunError(
            f"the report could not be written: {error.strerror}: {error.filename}; the last good "
            "report is as it was\nfree the disk or give another folder with --reports DIR, then: "
            "xcoll run"
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if aside.exists() and not final.exists():
            aside.rename(final)
    return final / "index.html"


def _described(done: Done) -> dict[str, object]:
    return {"key": done.key, "artifacts": done.artifacts, **done.record}


def _facts(plan: Plan, finished: Mapping[str, Done]) -> dict[str, dict[str, str]]:
    recorded = plan.recorded(finished)
    merged: dict[str, dict[str, str]] = {}
    for name in finished:
        for group, items in recorded.facts(name).items():
            merged.setdefault(group, {}).update(items)
    return merged
