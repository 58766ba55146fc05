"""Names of sources as a reader finds them again: files with their hashes, values, pages, cells."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xcoll.workbook.html import shown
from xcoll.workbook.plan import Plan
from xcoll.workbook.review.flow.values import Source
from xcoll.workbook.review.sentences import Number
from xcoll.workbook.review.trace import Exhibit, Trace

__all__ = ["SHORT", "Register", "record"]

SHORT = 12  # letters of a hash that stand in a text
SCHEMA = 1


@dataclass(frozen=True)
class Register:
    """Where the sources of a run lie.

    Attributes
    ----------
    artifacts : mapping
        Artifact to its file in the report's folder and the file's SHA-256.
    data : mapping
        Parameter, with its notebook, to the data file that it names and the file's SHA-256.
    values : mapping
        Parameter, with its notebook, to its value.
    """

    artifacts: Mapping[str, tuple[str, str]]
    data: Mapping[str, tuple[str, str]]
    values: Mapping[str, str]

    @classmethod
    def of(cls, plan: Plan, described: Mapping[str, object]) -> "Register":
        """Of a run made by `plan` that the manifest `described` describes."""
        artifacts: dict[str, tuple[str, str]] = {}
        data: dict[str, tuple[str, str]] = {}
        values: dict[str, str] = {}
        hashes = described["facts"]["data"]
        for step, made in described["steps"].items():
            for file, digest in made["artifacts"].items():
                artifacts[file.rpartition(".")[0]] = (f"artifacts/{step}/{file}", digest)
            for name, path in plan.files(step).items():
                label = plan.label(name, path)
                data[f"{step}.{name}"] = (label, hashes[label])
            values |= {f"{step}.{name}": shown(value) for name, value in plan.values(step).items()}
        return cls(artifacts, data, values)


def record(
    trace: Trace,
    register: Register,
    report: str,
    labels: Mapping[tuple[str, int], str],
    *,
    stale: bool = False,
) -> dict[str, object]:
    """The trace of a run as JSON: what the notebook `report` shows, and where it comes from.

    Parameters
    ----------
    labels : mapping
        Cell and place of an output to its number on the page: ``Table 3``.
    stale : bool
        The report was made before what it rests on: hashes are those of now.
    """
    exhibits = trace.exhibits[report]
    used = trace.behind(source for exhibit in exhibits for source in exhibit.sources)
    used |= trace.behind(
        source
        for exhibit in exhibits
        for number in exhibit.numbers
        for source in (number.origin.sources if number.origin else ())
    )
    return {
        "schema": SCHEMA,
        "report": report,
        "stale": stale,
        "artifacts": {
            source.name: _artifact(trace, register, source.name)
            for source in sorted(used)
            if source.kind == "artifact"
        },
        "parameters": {
            source.name: register.values[source.name]
            for source in sorted(used)
            if source.kind == "parameter"
        },
        "data": {
            source.name: dict(zip(("file", "sha256"), register.data[source.name], strict=True))
            for source in sorted(used)
            if source.kind == "file"
        },
        "shown": [_exhibit(each, labels.get((each.cell, each.place), "")) for each in exhibits],
    }


def _artifact(trace: Trace, register: Register, name: str) -> dict[str, object]:
    saved = trace.saved(name)
    file, digest = register.artifacts[name]
    place = {"notebook": trace.writers[name], "cell": saved.cell, "line": saved.line}
    made = {"file": file, "sha256": digest, "statement": saved.expression}
    return {**place, **made, **_sources(saved.value.sources)}


def _sources(sources: Iterable[Source]) -> dict[str, list[str]]:
    groups = {"artifact": "artifacts", "file": "data", "parameter": "parameters", "run": "run"}
    ordered = sorted(sources)
    found = {
        group: [each.name for each in ordered if each.kind == kind]
        for kind, group in groups.items()
    }
    return {"from": {group: names for group, names in found.items() if names}}


def _exhibit(exhibit: Exhibit, label: str) -> dict[str, object]:
    made: dict[str, object] = {
        "cell": exhibit.cell,
        "kind": exhibit.kind,
        "label": label,
        "said": exhibit.said,
        "statement": exhibit.statement,
        "numbers": [_number(number) for number in exhibit.numbers],
        **_sources(exhibit.sources),
    }
    if exhibit.kind == "table":
        made["columns"] = [
            {"head": head, **_sources(sources)}
            for head, sources in zip(exhibit.heads, exhibit.columns, strict=True)
        ]
        made["rows"] = [list(row) for row in exhibit.rows]
    return made


def _number(number: Number) -> dict[str, object]:
    made: dict[str, object] = {"text": number.text, "start": number.start}
    if number.origin is None:
        return made
    origin = number.origin
    place = {"notebook": origin.notebook, "cell": origin.cell, "line": origin.line}
    return {
        **made,
        **place,
        "expression": origin.expression,
        "through": list(origin.through),
        **_sources(origin.sources),
    }
