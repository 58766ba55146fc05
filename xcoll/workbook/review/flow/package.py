"""What a function of the package reads when a notebook hands it ``run.read``."""

import ast
from functools import cache
from pathlib import Path

import xcoll

__all__ = ["reads"]

ROOT = Path(xcoll.__file__).parent


def reads(function: str, place: int | str) -> tuple[str, ...] | None:
    """Artifacts that `function` reads by its argument at `place`; None where nobody can tell.

    Parameters
    ----------
    function : str
        With its module: ``xcoll.systemic.setting.Ground.of``.
    place : int or str
        Position of the argument, ``self`` and ``cls`` apart, or its name.
    """
    found = _definition(function)
    if found is None:
        return None
    named = [*found.args.posonlyargs, *found.args.args, *found.args.kwonlyargs]
    named = [each.arg for each in named if each.arg not in ("self", "cls")]
    if isinstance(place, int):
        place = named[place] if place < len(named) else ""
    names: list[str] = []
    called = set()
    for node in ast.walk(found):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == place:
            called.add(node.func)
            first = node.args[0] if len(node.args) == 1 else None
            if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
                return None
            names.append(first.value)
    used = {node for node in ast.walk(found) if isinstance(node, ast.Name) and node.id == place}
    return tuple(dict.fromkeys(names)) if used == called and names else None


def _definition(function: str) -> ast.FunctionDef | None:
    parts = function.split(".")[1:]
    body: list[ast.stmt] = []
    folder = ROOT
    while parts and not body:
        part = parts.pop(0)
        if (folder / f"{part}.py").is_file():
            body = _body(folder / f"{part}.py")
        elif (folder / part).is_dir():
            folder /= part
        else:  # a name that a package hands on
            for node in _body(folder / "__init__.py"):
                if isinstance(node, ast.ImportFrom) and part in {n.name for n in node.names}:
                    return _definition(".".join([node.module or "", part, *parts]))
            return None
    found = None
    for part in parts:
        kinds = (ast.ClassDef, ast.FunctionDef)
        found = next((n for n in body if isinstance(n, kinds) and n.name == part), None)
        body = getattr(found, "body", [])
    return found if isinstance(found, ast.FunctionDef) else None


@cache
def _body(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []
