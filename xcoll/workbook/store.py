"""Executed notebooks by key: a step enters whole or not at all, and is checked when it leaves."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from xcoll.workbook import fingerprint

__all__ = ["Done", "Store"]

KEPT = 4  # unused results kept for each notebook, so that going back to old parameters is free


@dataclass(frozen=True)
class Done:
    """A finished step.

    Attributes
    ----------
    notebook : str
        Name of the notebook.
    key : str
        Hash of everything that the result depends on.
    folder : Path
        Holds ``notebook.ipynb``, ``artifacts/`` and ``step.json``.
    files : mapping
        Path inside `folder` to SHA-256.
    record : mapping
        Parameters, seconds, start.
    """

    notebook: str
    key: str
    folder: Path
    files: Mapping[str, str]
    record: Mapping[str, object]

    @property
    def artifacts(self) -> dict[str, str]:
        """File name of each artifact to its SHA-256."""
        start = "artifacts/"
        return {
            name.removeprefix(start): digest
            for name, digest in self.files.items()
            if name.startswith(start)
        }


class Store:
    """Folder of finished steps, ``<root>/<notebook>/<key>/``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, notebook: str, key: str) -> Done | None:
        """The step with `key`, or None where there is none or its files were changed."""
        folder = self.root / notebook / key
        record = folder / "step.json"
        if not record.is_file():
            return None
        present = fingerprint.tree(folder)
        present.pop("step.json")
        try:
            described = json.loads(record.read_text(encoding="utf-8"))
            found = Done(notebook, key, folder, described["files"], described["record"])
        except (ValueError, KeyError, TypeError):
            found = None
        if found is None or present != found.files:
            shutil.rmtree(folder)
            return None
        return found

    @contextmanager
    def draft(self, notebook: str, key: str) -> Iterator[Path]:
        """A scratch folder for the step, removed unless `commit` moved it."""
        parent = self.root / notebook
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".draft-{key[:12]}-", dir=parent))
        (folder / "artifacts").mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def commit(self, notebook: str, key: str, draft: Path, record: Mapping[str, object]) -> Done:
        """Give the finished `draft` its final name, in one rename."""
        files = fingerprint.tree(draft)
        text = json.dumps({"files": files, "record": record}, indent=1, sort_keys=True)
        (draft / "step.json").write_text(text + "\n", encoding="utf-8")
        folder = self.root / notebook / key
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
        return Done(notebook, key, folder, files, record)

    def sweep(self, used: set[tuple[str, str]]) -> None:
        """Remove drafts of killed runs, and all but the newest unused steps."""
        for parent in sorted(self.root.glob("*")):
            for draft in parent.glob(".draft-*"):
                shutil.rmtree(draft)
            idle = [
                folder
                for folder in parent.iterdir()
                if folder.is_dir() and (parent.name, folder.name) not in used
            ]
            idle.sort(key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
            for folder in idle[KEPT:]:
                shutil.rmtree(folder)
