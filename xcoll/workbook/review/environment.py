"""Where a replica runs: an environment made from the lock of its commit, or the present one."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from xcoll.errors import ParameterError, RunError
from xcoll.workbook import fingerprint
from xcoll.workbook.review.source import Source

__all__ = ["KINDS", "Environment", "known", "make", "versions"]

KINDS = ("fresh", "this")
LOCK = "requirements.lock"
FOREIGN = ("CONDA", "GIT_", "IPYTHON", "JUPYTER", "MPL", "PYTHON", "VIRTUAL_ENV", "XCOLL")


@dataclass(frozen=True)
class Environment:
    """An interpreter, and the variables that its processes see."""

    python: Path
    variables: Mapping[str, str]


def known(kind: str) -> dict[str, str]:
    """Versions that are known before the environment is made: of a fresh one, the interpreter."""
    if kind == "this":
        return fingerprint.environment()
    return {"python": platform.python_version(), "machine": platform.machine()}


def make(kind: str, source: Source, scratch: Path, tell: Callable[[str], None]) -> Environment:
    """Make the environment for the project of `source`.

    Nothing of the user's settings for Python, Jupyter and matplotlib is seen in it; a fresh one
    has a home folder of its own as well.

    Raises
    ------
    ParameterError
        Where a fresh one has no lock to be made from.
    RunError
        Where it cannot be made.
    """
    variables = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    variables |= {
        "GIT_CEILING_DIRECTORIES": str(source.project.root.parent),
        "IPYTHONDIR": str(scratch / "ipython"),
        "XCOLL_ROOT": str(source.project.root),
    }
    if kind == "this":
        found = [str(source.package.parent), os.environ.get("PYTHONPATH", "")]
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, found))
        return Environment(Path(sys.executable), variables)
    if not (source.project.root / LOCK).is_file():
        raise ParameterError(
            f"the sources of the run hold no {LOCK}; replicate it with --environment this"
        )
    folder = scratch / "environment"
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    own = ["--no-deps", "--no-build-isolation", "--editable", str(source.project.root)]
    lock = ["--require-hashes", "-r", str(source.project.root / LOCK)]
    home = scratch / "home"
    home.mkdir()
    clean = variables | {
        "HOME": str(home),
        "PATH": os.pathsep.join([str(python.parent), variables.get("PATH", os.defpath)]),
    }
    for key in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        clean.pop(key, None)
    warm = [str(python), "-m", "xcoll", "warm"]
    for what, command, seen in (
        ("making a fresh environment", [sys.executable, "-m", "venv", str(folder)], variables),
        (f"installing what {LOCK} lists (minutes)", [*install, *lock], variables),
        ("installing the package of the run", [*install, *own], variables),
        ("compiling its kernels", warm, clean),
    ):
        tell(what)
        _call(what, command, seen, source.project.root, scratch / "environment.log")
    return Environment(python, clean)


def versions(made: Environment, folder: Path) -> dict[str, str]:
    """What `made` holds, by the account of the package that it imports in `folder`."""
    code = (
        "import json; from xcoll.workbook import fingerprint; "
        "print(json.dumps(fingerprint.environment()))"
    )
    command = [str(made.python), "-c", code]
    done = subprocess.run(
        command, cwd=folder, env=made.variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RunError(f"the package cannot be imported: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def _call(
    what: str, command: list[str], variables: Mapping[str, str], folder: Path, log: Path
) -> None:
    with log.open("a", encoding="utf-8") as stream:
        done = subprocess.run(
            command, cwd=folder, env=variables, stdout=stream, stderr=stream, check=False
        )
    if done.returncode:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise RunError(
            f"{what} failed: {said[-1] if said else f'exit code {done.returncode}'}\n"
            "--keep DIR keeps the log; --environment this uses the interpreter that runs now"
        )
