"""What differs between two runs: first what they rest on, then what they found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xcoll.workbook.chain import Chain
from xcoll.workbook.review import outputs
from xcoll.workbook.review.numbers import Comparison, Tolerance, compare
from xcoll.workbook.review.outputs import Changed
from xcoll.workbook.review.runs import Run

__all__ = ["Difference", "Fact", "Result", "Step", "difference", "facts"]

NONE = "–"


@dataclass(frozen=True)
class Fact:
    """Something that the runs rest on, and what it is in A and in B.

    Attributes
    ----------
    item : str
        Name of the parameter, file, part of the code or package.
    a, b : str
        "–" where a run does not have it.
    note : str
        Default of a parameter; what became of a file.
    """

    item: str
    a: str
    b: str
    note: str = ""


@dataclass(frozen=True)
class Result:
    """One declared artifact.

    Attributes
    ----------
    name : str
        File name of the artifact.
    only : {"", "A", "B"}
        The run that has it, where only one does.
    comparison : Comparison or None
        None where the files are equal to the byte, or only one run has it.
    """

    name: str
    only: str = ""
    comparison: Comparison | None = None

    @property
    def same(self) -> bool:
        """Whether nothing differs beyond the tolerance."""
        return not self.only and (self.comparison is None or self.comparison.same)


@dataclass(frozen=True)
class Step:
    """One notebook: what it rests on and what it found.

    Attributes
    ----------
    name : str
        As in the chain.
    only : {"", "A", "B"}
        The run that holds it, where only one does.
    differs : bool
        Whether the two were made of other inputs: their keys are not equal.
    results : tuple of Result
        Its artifacts.
    figures, sentences : tuple of Changed
        What it shows otherwise.
    code : tuple of str
        Ids of cells whose code is not the same.
    """

    name: str
    only: str = ""
    differs: bool = False
    results: tuple[Result, ...] = ()
    figures: tuple[Changed, ...] = ()
    sentences: tuple[Changed, ...] = ()
    code: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether it found the same, up to the tolerance."""
        return not self.only and all(result.same for result in self.results)

    @property
    def silent(self) -> bool:
        """Whether there is nothing to say of it."""
        return self.same and not (self.figures or self.sentences or self.code)


@dataclass(frozen=True)
class Difference:
    """Two runs side by side.

    Attributes
    ----------
    a, b : Run
        The runs.
    tolerance : Tolerance
        Up to which numbers are equal.
    parameters, data, code, versions : tuple of Fact
        What differs in what the runs rest on.
    steps : tuple of Step
        All notebooks of either run, in the order of the chain.
    """

    a: Run
    b: Run
    tolerance: Tolerance
    parameters: tuple[Fact, ...]
    data: tuple[Fact, ...]
    code: tuple[Fact, ...]
    versions: tuple[Fact, ...]
    steps: tuple[Step, ...]

    @property
    def same(self) -> bool:
        """Whether both runs found the same, up to the tolerance, whatever they rest on."""
        return all(step.same for step in self.steps)

    @property
    def results(self) -> list[Result]:
        """All artifacts of notebooks that both runs hold."""
        return [result for step in self.steps for result in step.results]


def difference(a: Run, b: Run, chain: Chain, tolerance: Tolerance) -> Difference:
    """Compare two runs; artifacts and notebooks of equal bytes are not opened.

    Raises
    ------
    DamagedRunError
        Where artifacts or notebooks of a run are missing or changed since it was made.
    """
    for run in (a, b):
        run.require("artifacts", "notebooks")
    names = [*a.ordered(chain), *(name for name in b.ordered(chain) if name not in a.steps)]
    known = [name for name in chain.steps if name in names]
    return Difference(
        a,
        b,
        tolerance,
        tuple(_parameters(a, b)),
        tuple(_data(a, b)),
        tuple(_code(a, b)),
        tuple(facts(a.facts["versions"], b.facts["versions"])),
        tuple(
            _step(a, b, name, chain, tolerance)
            for name in [*known, *(name for name in names if name not in known)]
        ),
    )


def facts(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[Fact]:
    """What differs between two groups of facts."""
    for item in a | b:
        if a.get(item) != b.get(item):
            yield Fact(item, a.get(item, NONE), b.get(item, NONE))


def _parameters(a: Run, b: Run) -> Iterator[Fact]:
    """Parameters of the notebooks that both runs hold."""

    def is_default(run: Run, item: str) -> bool:
        step, _, name = item.partition(".")
        return item in run.facts["parameters"] and name not in run.steps[step]["changed"]

    for fact in facts(a.facts["parameters"], b.facts["parameters"]):
        step = fact.item.partition(".")[0]
        if step not in a.steps or step not in b.steps:
            continue
        defaults = [
            value for run, value in ((a, fact.a), (b, fact.b)) if is_default(run, fact.item)
        ]
        yield Fact(fact.item, fact.a, fact.b, " → ".join(defaults) or "neither")


def _data(a: Run, b: Run) -> Iterator[Fact]:
    for fact in facts(a.facts["data"], b.facts["data"]):
        only = "A" if fact.b == NONE else "B"
        both = NONE not in (fact.a, fact.b)
        note = "the file changed under the same name" if both else f"only {only} reads it"
        yield Fact(fact.item, fact.a, fact.b, note)


def _code(a: Run, b: Run) -> Iterator[Fact]:
    yield from facts(a.facts["code"], b.facts["code"])
    yield from facts({"commit": a.manifest["commit"]}, {"commit": b.manifest["commit"]})


def _step(a: Run, b: Run, name: str, chain: Chain, tolerance: Tolerance) -> Step:
    if name not in a.steps or name not in b.steps:
        return Step(name, only="A" if name in a.steps else "B")
    made = [run.steps[name]["artifacts"] for run in (a, b)]
    declared = chain.steps[name].artifacts if name in chain.steps else {}
    order = [f"{artifact}{form.suffix}" for artifact, form in declared.items()]
    files = [file for file in order if file in made[0] | made[1]]
    files += [file for file in made[0] | made[1] if file not in files]
    results = tuple(_result(a, b, name, file, tolerance) for file in files)
    differs = a.steps[name]["key"] != b.steps[name]["key"]
    path = f"notebooks/{name}.ipynb"
    if a.files.get(path) == b.files.get(path):
        return Step(name, differs=differs, results=results)
    left, right = (outputs.read(run.folder / path) for run in (a, b))
    return Step(
        name,
        differs=differs,
        results=results,
        figures=tuple(outputs.changed(left.figures, right.figures)),
        sentences=tuple(outputs.changed(left.sentences, right.sentences)),
        code=tuple(
            cell for cell in left.code | right.code if left.code.get(cell) != right.code.get(cell)
        ),
    )


def _result(a: Run, b: Run, step: str, file: str, tolerance: Tolerance) -> Result:
    path = f"artifacts/{step}/{file}"
    if path not in a.files or path not in b.files:
        return Result(file, only="A" if path in a.files else "B")
    if a.files[path] == b.files[path]:
        return Result(file)
    return Result(file, comparison=compare(a.artifact(path), b.artifact(path), tolerance))
