"""Own files brought into one: all assets and times of them, or the places where they disagree."""

from collections.abc import Sequence
from pathlib import Path

from xcoll.errors import DataError
from xcoll.market import findings
from xcoll.market.prices import Prices, layout
from xcoll.workbook import files, fingerprint
from xcoll.workbook.feeds import canonical
from xcoll.workbook.feeds.deliver import Delivered, deliver
from xcoll.workbook.feeds.store import Own

__all__ = ["bring"]


def bring(paths: Sequence[Path], own: Own, *, replace: bool = False) -> Delivered:
    """Import the prices of `paths` under one name.

    Raises
    ------
    DataError
        A file that cannot be read or holds faults, every one with rows and fix; files that
        disagree; other prices or an unfinished fetch under that name.
    """
    names = [path.name for path in paths]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{twice[0]} is given twice; give each file once, under a name of its own")
    parts: dict[str, Prices] = {}
    found, sources = [], []
    for path in paths:
        table = files.read_table(path)
        parts[path.name], noted = canonical.settle(layout(table, path.name), path.name)
        found.append(noted.assign(action=noted["action"] + f": {path.name}"))
        sources.append(
            {"file": path.name, "sha256": fingerprint.file(path), "rows": len(table),
             "bytes": path.stat().st_size}
        )  # fmt: skip
    prices = canonical.unite(parts)
    with own.held():
        if own.part.exists() and not replace:
            raise DataError(
                f"{own.name}: an unfinished fetch has this name; finish it, take another --name, "
                "or drop it with --replace"
            )
        made = deliver(own, prices, {"sources": sources}, replace=replace,
                       found=findings.concat(found))  # fmt: skip
        own.part.unlink(missing_ok=True)
    return made
