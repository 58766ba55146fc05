"""Where what a notebook shows and saves comes from, without running it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from nbformat import NotebookNode

from xcoll.workbook.review.flow.expressions import Problem
from xcoll.workbook.review.flow.statements import Statements
from xcoll.workbook.review.flow.values import Saved, Shown, Value

__all__ = ["Flow", "follow"]

PARAMETERS = {"parameters", "injected-parameters"}


@dataclass(frozen=True)
class Flow:
    """What one notebook shows and saves.

    Attributes
    ----------
    shown : tuple of Shown
        In the order of the notebook.
    saved : mapping
        Artifact to the statement that saves it.
    problems : tuple of Problem
        What could not be followed.
    """

    shown: tuple[Shown, ...]
    saved: Mapping[str, Saved]
    problems: tuple[Problem, ...]


def follow(
    notebook: NotebookNode, name: str, artifact: Callable[[str], Value | None], files: Iterable[str]
) -> Flow:
    """Follow every value of a notebook from its sources to what it shows and saves.

    Assignments, loops, branches, comprehensions and methods that change their object are
    followed; a function of the package is taken to change nothing that it is given, which is the
    house's rule for model code.

    Parameters
    ----------
    notebook : NotebookNode
        Executed or not.
    name : str
        Of the notebook, as in the chain.
    artifact : callable
        Gives what is known of an artifact, None where no notebook before saves it.
    files : names of parameters
        Those that hold the path of a file.
    """
    made = Statements(name, artifact, set(files))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            made.run(cell.id, cell.source, PARAMETERS & {*cell.metadata.get("tags", ())})
    shown = tuple(part for parts in made.shown.values() for part in parts)
    return Flow(shown, made.saved, tuple(made.problems))
