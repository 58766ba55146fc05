"""What a replica proves: which files are equal to the byte, which are not, and why."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from xcoll.workbook import artifacts, fingerprint, html, manifest
from xcoll.workbook.review import page, text, wording
from xcoll.workbook.review.differences import Result, facts
from xcoll.workbook.review.numbers import Tolerance, compare
from xcoll.workbook.review.runs import Run

__all__ = ["Certificate", "certify", "lines", "verdict", "write"]

SCHEMA = 1
KINDS = {"artifacts": "artifact", "notebooks": "executed notebook"}
PRINT = ".pdf"
PRINTED = re.compile(r'\s*<a href="[^"]+\.pdf">[^<]*</a>')  # the link to the print, on the index
EXACT = Tolerance(0.0, 0.0)
MOST = 12  # files that the terminal lists


@dataclass(frozen=True)
class Certificate:
    """The outcome of a replication.

    Attributes
    ----------
    run, commit : str
        What was to be replicated, as its manifest says.
    origin : str
        Where the sources came from: "commit …" or "the present tree".
    environment : {"fresh", "this"}
        Made from the lock of the sources, or the one that called.
    failed : str
        What stopped the replica; empty where it ran to its end.
    equal : mapping
        Kind of file to how many are equal to the byte.
    differing, missing, extra : tuple of str
        Files of other bytes, files that the replica lacks, and files that it alone has.
    excused : tuple of str
        What rests on the browser that prints, and is no part of the proof.
    causes : tuple of str
        What explains the differences.
    versions : mapping
        Python, machine and packages to (version in the run, version in the replica).
    results : mapping
        Notebook to its artifacts that differ, number by number without tolerance, as far as the
        run still has its own.
    """

    run: str
    commit: str
    origin: str
    environment: str
    failed: str = ""
    equal: Mapping[str, int] = field(default_factory=dict)
    differing: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    excused: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    versions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    results: Mapping[str, tuple[Result, ...]] = field(default_factory=dict)

    @property
    def proven(self) -> bool:
        """Whether every file that counts is equal to the byte."""
        return not (self.failed or self.differing or self.missing or self.extra)


def certify(run: Run, replica: Run, order: Sequence[str], blank: Certificate) -> Certificate:
    """Hold the files of `replica` against the hashes in the manifest of `run`.

    `order` is that of the notebooks in the chain; `blank` says what was replicated, and how.
    """
    present = fingerprint.tree(replica.folder)
    present.pop(manifest.FILE)
    both = run.files.keys() & present.keys()
    equal = {name for name in both if run.files[name] == present[name]}
    unequal = (run.files.keys() | present.keys()) - equal
    excused = {name for name in unequal if name.endswith(PRINT)}
    if "index.html" in unequal & both and excused and _same_but_print(run, replica):
        excused.add("index.html")
    counts = Counter(_kind(name) for name in equal)
    found = replace(
        blank,
        equal={kind: counts[kind] for kind in (*KINDS.values(), "page", "print") if counts[kind]},
        differing=tuple(sorted((both & unequal) - excused)),
        missing=tuple(sorted(run.files.keys() - present.keys() - excused)),
        extra=tuple(sorted(present.keys() - run.files.keys() - excused)),
        excused=tuple(sorted(excused)),
    )
    return replace(
        found,
        causes=() if found.proven else tuple(_causes(run, replica, order, found)),
        results=_results(run, replica, found.differing),
    )


def _kind(name: str) -> str:
    return KINDS.get(name.split("/")[0], "print" if name.endswith(PRINT) else "page")


def _same_but_print(run: Run, replica: Run) -> bool:
    """Whether the two index pages are equal up to the link to a print that one of them lacks."""
    pages = [folder / "index.html" for folder in (run.folder, replica.folder)]
    if "index.html" in (*run.damage.missing, *run.damage.changed):
        return False
    texts = [PRINTED.sub("", path.read_text(encoding="utf-8")) for path in pages]
    return texts[0] == texts[1]


def _causes(run: Run, replica: Run, order: Sequence[str], found: Certificate) -> Iterator[str]:
    known = list(_known_causes(run, replica, found))
    yield from known
    if not known:
        yield (
            "nothing that the manifest records explains it: look for chance without a seed, a "
            "clock, or files changed by hand"
        )
    parts = {part.removesuffix(".ipynb") for name in found.differing for part in name.split("/")}
    first = next((step for step in order if step in parts), None)
    if first:
        yield f"the first notebook that differs is {first}; what rests on it follows"


def _known_causes(run: Run, replica: Run, found: Certificate) -> Iterator[str]:
    for group in ("versions", "code", "data", "parameters"):
        for fact in facts(run.facts[group], replica.facts[group]):
            values = f"{text.short(fact.a)} then, {text.short(fact.b)} now"
            yield f"{group}: {fact.item} {values}"
    commits = [each.manifest["commit"].removesuffix("-dirty") for each in (run, replica)]
    if commits[0] != commits[1]:
        yield f"commit: {text.short(commits[0])} then, {text.short(commits[1])} now"
    forged = [
        name
        for name in found.differing
        if name not in run.damage.missing
        and fingerprint.file(run.folder / name) == fingerprint.file(replica.folder / name)
    ]
    if forged:
        yield (
            f"the manifest was changed: {wording.listed(forged[:MOST], len(forged))} of the run "
            "and of the replica are equal, only the recorded hash is another"
        )
    elif run.damage:
        yield f"the folder of the run was changed since: {run.damage}"


def _results(run: Run, replica: Run, differing: tuple[str, ...]) -> dict[str, tuple[Result, ...]]:
    found: dict[str, tuple[Result, ...]] = {}
    for name in differing:
        own = name not in (*run.damage.missing, *run.damage.changed)
        if _kind(name) != KINDS["artifacts"] or not own:
            continue
        _, step, file = name.split("/")
        content = artifacts.read(replica.folder / name)
        result = Result(file, comparison=compare(run.artifact(name), content, EXACT))
        found[step] = (*found.get(step, ()), result)
    return found


def verdict(found: Certificate) -> str:
    """One sentence."""
    how = {"fresh": "in a fresh environment", "this": "in the environment that called"}
    place = f"from {found.origin}, {how[found.environment]}"
    if found.failed:
        return f"not proven: the replica {place}, stopped: {found.failed}"
    total = wording.count(sum(found.equal.values()), "file")
    if found.proven:
        return f"proven: built again {place}, {total} are equal to the byte"
    wrong = len(found.differing) + len(found.missing) + len(found.extra)
    return f"not equal: built again {place}, {total} are equal to the byte and {wrong} are not"


def lines(found: Certificate) -> Iterator[str]:
    """The certificate for the terminal."""
    yield f"{'run':<13}{found.run}, commit {found.commit}"
    if found.equal:
        kinds = [wording.count(count, kind) for kind, count in found.equal.items()]
        yield f"{'equal':<13}{', '.join(kinds)}"
    for title, names in (
        ("differing", found.differing),
        ("missing", found.missing),
        ("extra", found.extra),
        ("not counted", found.excused),
    ):
        for place, name in enumerate(names[:MOST]):
            yield f"{'' if place else title:<13}{name}"
        if len(names) > MOST:
            yield f"{'':<13}and {len(names) - MOST} more"
    for place, cause in enumerate(found.causes):
        yield f"{'' if place else 'why':<13}{cause}"
    for place, (step, results) in enumerate(found.results.items()):
        sides = "" if place else "  (A is the run, B its replica)"
        yield f"{'' if place else 'numbers':<13}{step}{sides}"
        for result in results:
            yield from (f"{'':<13}  {line}" for line in _numbers(result))
    yield f"{'verdict':<13}{verdict(found)}"
    if found.failed:
        yield f"{'':<13}--keep DIR keeps the replica with its logs"


def _numbers(result: Result) -> Iterator[str]:
    if result.same:
        yield f"{result.name:<32} every number is equal; only the bytes of the file are others"
    else:
        yield from text.result(result)


def write(found: Certificate, folder: Path) -> Path:
    """Write ``replication.json`` and ``replication.html``, and return the page's path.

    The page holds no clock; the JSON says when it was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": SCHEMA,
        "proven": found.proven,
        "verdict": verdict(found),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        **{
            name: getattr(found, name)
            for name in ("run", "commit", "origin", "environment", "failed", "equal")
        },
        **{name: list(getattr(found, name)) for name in ("differing", "missing", "extra")},
        "not_counted": list(found.excused),
        "why": list(found.causes),
        "versions": {name: list(pair) for name, pair in found.versions.items()},
        "numbers": {
            f"{step}/{result.name}": [" ".join(line.split()) for line in _numbers(result)]
            for step, results in found.results.items()
            for result in results
        },
    }
    artifacts.write_json(folder / "replication.json", content)
    body = (
        html.environment()
        .get_template("review/replication.html.j2")
        .render(
            run=found.run,
            commit=found.commit,
            proven=found.proven,
            verdict=verdict(found),
            why=found.causes,
            equal=[(kind, f"{count:,}") for kind, count in found.equal.items()],
            files=[
                (name, how)
                for how, names in (
                    ("other bytes", found.differing),
                    ("the replica lacks it", found.missing),
                    ("only the replica has it", found.extra),
                    ("rests on the browser that prints: not counted", found.excused),
                )
                for name in names
            ],
            steps=[
                {"label": step.replace("_", " "), **page.artifacts(results)}
                for step, results in found.results.items()
            ],
            versions=[
                (name, *pair, "" if pair[0] == pair[1] else "differs")
                for name, pair in found.versions.items()
            ],
        )
    )
    path = folder / "replication.html"
    title = f"Replication of {found.run}"
    made = page.dressed(body, title, [("Replication", path.name)], f"xcoll replicate {found.run}")
    path.write_text(made, encoding="utf-8")
    return path
