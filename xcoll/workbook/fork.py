"""The fast engine: kernels forked from one server that has the libraries loaded already.

A kernel of its own for every notebook, as the standard engine gives it, but without its start
and imports: the server imports what the notebooks import, once, and every kernel is a copy of
it.  Nothing of one notebook reaches another, and the bytes are those of the standard engine.
"""

import ast
import importlib
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from xcoll.errors import RunError

__all__ = ["ForkedKernelManager", "imports", "load", "start"]

MODULES = "XCOLL_PRELOAD"  # tells the server what to import before it forks
# The server loads pyplot, which keeps the backend of its environment: with any other one, and
# with this one loaded before there is a kernel, figures would vanish in silence.
INLINE = "module://matplotlib_inline.backend_inline"

_context = multiprocessing.get_context("forkserver") if hasattr(os, "fork") else None


def imports(notebooks: Iterable[Path]) -> list[str]:
    """Modules that the cells of `notebooks` import, each once, sorted."""
    found: set[str] = set()
    for path in notebooks:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] != "code":
                continue
            for node in ast.walk(ast.parse("".join(cell["source"]))):
                if isinstance(node, ast.Import):
                    found.update(alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.add(node.module)
                    found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return sorted(found)


def start(notebooks: Iterable[Path], environment: Mapping[str, str]) -> type["ForkedKernelManager"]:
    """The manager of forked kernels, its server started with what `notebooks` import loaded.

    A server that runs already is kept as it is.

    Parameters
    ----------
    environment : mapping
        Of the server, from its first instruction on: hash seed and threads cannot be changed
        in a copy.

    Raises
    ------
    RunError
        On a system that cannot fork.
    """
    if _context is None:
        raise RunError("--fast forks its kernels, which this system cannot; leave it out")
    before = dict(os.environ)
    names = ",".join(imports(notebooks))
    os.environ.update({**environment, "MPLBACKEND": INLINE, MODULES: names})
    try:
        _context.set_forkserver_preload([f"{__package__}.preloaded"])
        multiprocessing.forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return ForkedKernelManager


def load(names: Sequence[str]) -> None:
    """Import `names`; what is an attribute of a module and no module is left out."""
    importlib.import_module("ipykernel.kernelapp")
    importlib.import_module("xcoll.workbook.run")
    for name in names:
        with suppress(ModuleNotFoundError):
            importlib.import_module(name)


class ForkedKernelManager(AsyncKernelManager):
    """jupyter_client's manager, with a kernel that is forked where another would be started."""

    async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
        self.kernel_id = self.kernel_id or "forked"
        self.provisioner = _Provisioner(
            kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
        )
        return await super()._async_pre_start_kernel(**options)

    pre_start_kernel = _async_pre_start_kernel


class _Provisioner(LocalProvisioner):
    """jupyter_client's local kernel, forked."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        arguments = cmd[cmd.index("-f") :]
        folder = options.get("cwd") or Path.cwd()
        self.process = _Process(arguments, options["env"], str(folder))
        self.pid = self.pgid = self.process.pid
        self.cwd = folder
        return self.connection_info


class _Process:
    """A forked kernel as `subprocess.Popen` shows one."""

    stdin = stdout = stderr = None

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], cwd: str) -> None:
        self._process = _context.Process(
            target=_serve, args=(list(arguments), dict(environment), cwd)
        )
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.exitcode

    def wait(self) -> int | None:
        """Its exit code, once it has one."""
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal, where it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def _serve(arguments: list[str], environment: dict[str, str], folder: str) -> None:
    """Be the kernel; runs in the copy."""
    os.setsid()  # a group of its own: a signal reaches what the kernel started, and no one else
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["ipykernel_launcher", *arguments]
    threading.Thread(target=_follow_parent, daemon=True).start()
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance([*arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])


def _follow_parent() -> None:
    """End with the process that asked for the kernel, however that ends."""
    wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
