"""The tasks of a sweep one after the other, in this process."""

from collections.abc import Iterator, Sequence

from xcoll.errors import RunError
from xcoll.workbook.sweep.inputs import Inputs, parse
from xcoll.workbook.sweep.tasks import Task, Work, carry_out

__all__ = ["serial"]


def serial(work: Work, tasks: Sequence[Task], inputs: Inputs) -> Iterator[tuple[Task, bytes]]:
    """Each of `tasks` with its bytes.

    Raises
    ------
    RunError
        Naming the task that failed, whatever it raised.
    """
    read = parse(inputs.contents)
    for task in tasks:
        try:
            content = carry_out(work.run, task, read)
        except Exception as error:
            raise RunError(f"{task} failed: {type(error).__name__}: {error}") from error
        yield task, content
