"""Asking again: how often, after how long, and when to stop."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from xcoll.errors import DataError

__all__ = ["Patience", "TransientError", "persist"]

T = TypeVar("T")


class TransientError(Exception):
    """A failure that may be over in a moment; `after` are the seconds that were asked for."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


@dataclass(frozen=True)
class Patience:
    """How failures are waited out.

    Attributes
    ----------
    tries : how often one question is asked at most.
    first, longest : seconds before the second try, doubled at each further one, and their cap.
        Of each wait the upper half is drawn, so that many askers do not come back at once.
    limit : longest wait that is granted to an exchange that names one; beyond it asking ends.
    wait, draw : what waits so many seconds, and what draws from [0, 1).
    """

    tries: int = 7
    first: float = 1.0
    longest: float = 60.0
    limit: float = 900.0
    wait: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = field(default_factory=lambda: random.Random().random)


def persist(
    ask: Callable[[], T], patience: Patience, say: Callable[[str], None] = lambda text: None
) -> T:
    """What `ask` returns, asked again after each `TransientError`; `say` is told of each wait.

    Raises
    ------
    DataError
        The last failure, after so many tries, or where the wait asked for is beyond the limit.
    """
    for tried in range(1, patience.tries + 1):
        try:
            return ask()
        except TransientError as error:
            if error.after > patience.limit:
                raise DataError(
                    f"{error}; it asks to be left alone for {error.after / 60:.0f} minutes: what "
                    "was fetched is kept, give the same command again then"
                ) from error
            if tried == patience.tries:
                raise DataError(
                    f"{error}, {tried} times in a row; what was fetched is kept, give the same "
                    "command again later"
                ) from error
            backoff = min(patience.longest, patience.first * 2 ** (tried - 1))
            pause = error.after + backoff * (1 + patience.draw()) / 2
            say(f"{error}; try {tried + 1} of {patience.tries} in {pause:.0f} s")
            patience.wait(pause)
    raise DataError("no try was granted; give Patience at least one")
