"""The chain of notebooks: which question each answers, which it needs, what each writes.

It is declared in one place, ``notebooks/chain.yaml``, beside the notebooks::

    03_correlation:
      question: How do they move together, in calm and in stress?
      needs: [01_market_data]
      artifacts:
        correlation: wide                          # time × name
        correlation_now: square                    # name × name
        tail_dependence: {pair: text, lambda: number}   # a table with these columns
        summary: json
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from xcoll.errors import ArtifactError, DataError, ParameterError
from xcoll.workbook.artifacts import Artifact, declare

__all__ = ["Chain", "Step", "load"]

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # compiled where libyaml is there


@dataclass(frozen=True)
class Step:
    """One notebook.

    Attributes
    ----------
    name : str
        File name without its ending.
    question : str
        What the notebook answers.
    needs : tuple of str
        Notebooks right before it.
    artifacts : mapping
        Name to declaration of what it writes.
    """

    name: str
    question: str
    needs: tuple[str, ...]
    artifacts: Mapping[str, Artifact]


@dataclass(frozen=True)
class Chain:
    """The notebooks in an order in which they can run."""

    steps: Mapping[str, Step]

    def resolve(self, name: str) -> str:
        """Full name of the notebook that `name`, or its number, stands for.

        Raises
        ------
        ParameterError
            Where no notebook has that name; the message names the nearest one.
        """
        stem = name.removeprefix("notebooks/").removesuffix(".ipynb")
        for known in self.steps:
            if stem in (known, known.split("_")[0]):
                return known
        near = difflib.get_close_matches(stem, self.steps, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else "`xcoll list` shows them all"
        raise ParameterError(f"no notebook is called {name!r}; {hint}")

    def upstream(self, name: str) -> list[str]:
        """Every notebook that `name` rests on, in the order of the chain."""
        needed = set(self.steps[name].needs)
        for before in self.steps[name].needs:
            needed.update(self.upstream(before))
        return [known for known in self.steps if known in needed]

    def downstream(self, name: str) -> list[str]:
        """Every notebook that rests on `name`, in the order of the chain."""
        return [known for known in self.steps if name in self.upstream(known)]

    def artifact(self, name: str) -> tuple[str, Artifact]:
        """Notebook that writes the artifact `name`, and its declaration.

        Raises
        ------
        ArtifactError
            Where no notebook declares it.
        """
        for step in self.steps.values():
            if name in step.artifacts:
                return step.name, step.artifacts[name]
        known = [other for step in self.steps.values() for other in step.artifacts]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "declare it in notebooks/chain.yaml"
        raise ArtifactError(f"no artifact is called {name!r}; {hint}")


def load(path: Path) -> Chain:
    """The chain that the YAML file `path` declares.

    Raises
    ------
    DataError
        For a need that does not stand above the notebook that has it, an artifact that two
        notebooks declare, or a form that does not exist.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing; it declares the notebooks of the chain")
    steps: dict[str, Step] = {}
    owners: dict[str, str] = {}
    for name, entry in (yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER) or {}).items():
        needs = tuple(entry.get("needs", ()))
        unknown = [other for other in needs if other not in steps]
        if unknown:
            raise DataError(f"{path}: {name} needs {unknown}, which must stand above it")
        declared = {}
        for artifact, form in (entry.get("artifacts") or {}).items():
            if artifact in owners:
                raise DataError(
                    f"{path}: {owners[artifact]} and {name} both declare the artifact {artifact!r}"
                )
            owners[artifact] = name
            declared[artifact] = declare(form, f"{path}: {name}: {artifact}")
        steps[name] = Step(name, entry["question"], needs, declared)
    return Chain(steps)
