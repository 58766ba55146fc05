"""What a run consists of: the notebooks, their parameters, and the key of each step."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xcoll.errors import ArtifactError, DataError
from xcoll.workbook import fingerprint, parameters
from xcoll.workbook.parameters import Parameter
from xcoll.workbook.project import Project
from xcoll.workbook.store import Done

__all__ = ["Plan", "Values", "build"]

Values = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Plan:
    """Notebooks to bring up to date, in the order of the chain.

    Attributes
    ----------
    project : Project
        Folders.
    steps : sequence of str
        Names of the notebooks.
    declared : mapping
        Notebook to its parameters, for the whole chain.
    changed : mapping
        Notebook to the parameters that differ from their defaults.
    shared : mapping
        Facts that every step rests on: package code and versions.
    options : sequence of str
        What of the command line says where the run lies, for the command that repeats it.
    """

    project: Project
    steps: Sequence[str]
    declared: Mapping[str, Sequence[Parameter]]
    changed: Values
    shared: Mapping[str, Mapping[str, str]]
    options: Sequence[str] = ()

    def values(self, notebook: str) -> dict[str, object]:
        """All parameters of `notebook`, defaults included."""
        defaults = {parameter.name: parameter.default for parameter in self.declared[notebook]}
        return defaults | dict(self.changed.get(notebook, {}))

    def files(self, notebook: str) -> dict[str, Path]:
        """Files that the ``Path`` parameters of `notebook` name, by parameter."""
        values = self.values(notebook)
        return {
            parameter.name: self.project.path(str(values[parameter.name]))
            for parameter in self.declared[notebook]
            if "Path" in parameter.annotation and values[parameter.name] is not None
        }

    def label(self, parameter: str, path: Path) -> str:
        """What the file `path` that `parameter` names is called: no folder of this machine."""
        inside = path.is_relative_to(self.project.root)
        return self.project.relative(path) if inside else f"{path.name} ({parameter})"

    def facts(self, notebook: str) -> dict[str, dict[str, str]]:
        """Where the numbers of `notebook` come from: data, parameters, code, versions.

        Raises
        ------
        DataError
            Where a file that a parameter names is not there.
        """
        data: dict[str, str] = {}
        settings: dict[str, str] = {}
        for name in [*self.project.chain.upstream(notebook), notebook]:
            for parameter, path in self.files(name).items():
                if not path.is_file():
                    raise DataError(
                        f"{name}: parameter {parameter} names {path}, which is not a file; "
                        f"give another with -p {parameter}=FILE"
                    )
                data[self.label(parameter, path)] = fingerprint.file(path)
            settings |= {f"{name}.{key}": repr(value) for key, value in self.values(name).items()}
        return {"data": data, "parameters": settings, **self.shared}

    def inputs(self, notebook: str, finished: Mapping[str, Done]) -> dict[str, str]:
        """SHA-256 of every artifact upstream of `notebook`.

        Raises
        ------
        ArtifactError
            Where a notebook upstream has not run.
        """
        upstream = self.project.chain.upstream(notebook)
        missing = [name for name in upstream if name not in finished]
        if missing:
            raise ArtifactError(
                f"{notebook} rests on {', '.join(missing)}, which this run does not hold yet; "
                f"make them with: xcoll run --until {missing[-1]}"
            )
        return {
            f"{name}/{file}": digest
            for name in upstream
            for file, digest in finished[name].artifacts.items()
        }

    def recorded(self, finished: Mapping[str, Done]) -> "Plan":
        """The plan that `finished` was made by: today's files and code, the parameters of then."""
        changed = {name: done.record["changed"] for name, done in finished.items()}
        return replace(self, steps=list(finished), changed=changed)

    def key(self, notebook: str, inputs: Mapping[str, str]) -> str:
        """Hash of everything that the result of `notebook` depends on.

        Parameters
        ----------
        inputs : mapping
            Artifact file to SHA-256, for all notebooks upstream.
        """
        source = fingerprint.file(self.project.notebooks / f"{notebook}.ipynb")
        return fingerprint.value(
            {"notebook": source, "inputs": dict(inputs), "facts": self.facts(notebook)}
        )


def build(
    project: Project,
    *,
    only: Iterable[str] = (),
    until: str | None = None,
    settings: Iterable[tuple[str | None, str, object, str]] = (),
    texts: Iterable[tuple[str | None, str, object, str]] = (),
    options: Sequence[str] = (),
) -> Plan:
    """Plan a run.

    Parameters
    ----------
    only : names of notebooks
        Just these, on what is there of the others.
    until : name of a notebook, optional
        This one and everything upstream.
    settings, texts : overrides
        Values of a file, and texts of the command line, as `parameters.resolve` takes them;
        the command line wins.

    Raises
    ------
    ParameterError
        For an unknown notebook or parameter, a wrong type, a value out of range.
    DataError
        For a notebook or data file that is missing.
    """
    chain = project.chain
    names = list(chain.steps)
    if until is not None:
        last = chain.resolve(until)
        names = [*chain.upstream(last), last]
    chosen = {chain.resolve(name) for name in only}
    if chosen:
        names = [name for name in chain.steps if name in chosen]
    needed = {other for name in names for other in [*chain.upstream(name), name]}
    declared = {}
    for name in chain.steps:
        path = project.notebooks / f"{name}.ipynb"
        if path.is_file():
            declared[name] = parameters.read(path)
        elif name in needed:
            raise DataError(f"notebook {path} is missing; restore it from git")
    scope = {name: declared[name] for name in names}
    changed: dict[str, dict[str, object]] = {}
    for overrides, is_text in ((settings, False), (texts, True)):
        for name, values in parameters.resolve(scope, overrides, is_text=is_text).items():
            changed.setdefault(name, {}).update(values)
    defaults = {
        name: {parameter.name: parameter.default for parameter in declared[name]} for name in names
    }
    differing = {
        name: {key: value for key, value in values.items() if value != defaults[name][key]}
        for name, values in changed.items()
    }
    shared = {
        "versions": fingerprint.environment(),
        "code": {
            "xcoll": fingerprint.code(Path(__file__).parents[1]),
            "chain": fingerprint.file(project.notebooks / "chain.yaml"),
        },
    }
    plan = Plan(
        project,
        names,
        declared,
        {name: values for name, values in differing.items() if values},
        shared,
        options,
    )
    for name in names:
        plan.facts(name)
    return plan
