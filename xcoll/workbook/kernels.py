"""The kernels of a run seen from outside: how one failed, and how to stop them all."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbclient import NotebookClient

__all__ = ["Cancel", "CellFailureError"]


class CellFailureError(Exception):
    """A notebook that did not run to its end.

    Attributes
    ----------
    cell : str
        Id of the cell, or "" where the kernel never came up.
    position : str
        "cell 7 of 31".
    error : str
        Name and message of the error.
    trace : str
        Traceback without terminal colours.
    """

    def __init__(self, cell: str, position: str, error: str, trace: str) -> None:
        super().__init__(f"{position} ({cell}): {error}")
        self.cell, self.position, self.error, self.trace = cell, position, error, trace


class Cancel:
    """Stops the kernels of all notebooks that are running, from another thread."""

    def __init__(self) -> None:
        self._clients: set[NotebookClient] = set()

    def __call__(self) -> None:
        """Stop every running kernel at once."""
        for client in list(self._clients):
            process = getattr(getattr(client.km, "provisioner", None), "process", None)
            if process is not None and process.poll() is None:
                process.kill()

    def add(self, client: "NotebookClient") -> None:
        """Watch `client`."""
        self._clients.add(client)

    def remove(self, client: "NotebookClient") -> None:
        """Forget `client`."""
        self._clients.discard(client)
