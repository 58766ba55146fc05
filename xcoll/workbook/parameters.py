"""The parameters cell of a notebook: read as text, typed strictly, never executed.

papermill only warns of a misspelt parameter and injects it all the same, and it turns values
into whatever its translator makes of them.  Here the tagged cell is the declaration: name,
annotation, default and a comment that carries unit and range.
"""

import ast
import difflib
import io
import json
import re
import tokenize
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from xcoll.errors import ParameterError

__all__ = ["Parameter", "check", "load", "parse_text", "read", "resolve", "written"]

RANGE = re.compile(
    r"\bin (?P<open>[\[(])\s*(?P<low>-?[\d.]+)\s*,\s*(?P<high>-?[\d.]+)\s*(?P<close>[\])])"
    r"|\babove (?P<above>-?[\d.]+)|\bat least (?P<least>-?[\d.]+)"
)


@dataclass(frozen=True)
class Parameter:
    """One line of a parameters cell.

    Attributes
    ----------
    name : str
        Left of the colon.
    annotation : str
        The type as it is written: ``float``, ``Literal["ES", "VaR"]``, ``Path`` …
    default : object
        A JSON value.
    comment : str
        Unit and range, as the notebook says them.
    """

    name: str
    annotation: str
    default: object
    comment: str


def read(path: Path) -> list[Parameter]:
    """Parameters that the notebook at `path` declares.

    Raises
    ------
    ParameterError
        Where there is not exactly one cell tagged ``parameters``, or a line of it is not
        ``name: type = default  # unit``.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = [cell for cell in notebook["cells"] if "parameters" in _tags(cell)]
    except (ValueError, KeyError, TypeError) as error:
        raise ParameterError(f"{path} is no notebook ({error}); restore it from git") from error
    if len(cells) != 1:
        raise ParameterError(
            f"{path.name} has {len(cells)} cells tagged 'parameters'; it needs exactly one"
        )
    source = "".join(cells[0]["source"])
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    declared = []
    for statement in ast.parse(source).body:
        if not (
            isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and statement.value is not None
        ):
            raise ParameterError(
                f"{path.name}, parameters cell, line {statement.lineno}: "
                f"write it as name: type = default  # unit, not {ast.unparse(statement)!r}"
            )
        name = statement.target.id
        try:
            default = ast.literal_eval(statement.value)
        except ValueError as error:
            raise ParameterError(
                f"{path.name}, parameter {name!r}: the default must be a literal, "
                f"not {ast.unparse(statement.value)!r}"
            ) from error
        parameter = Parameter(
            name,
            ast.unparse(statement.annotation),
            default,
            comments.get(statement.end_lineno or 0, ""),
        )
        declared.append(parameter)
        check(parameter, default, f"the default in {path.name}")
    names = [parameter.name for parameter in declared]
    if len(set(names)) < len(names):
        raise ParameterError(f"{path.name} declares a parameter twice: {sorted(names)}")
    return declared


def _tags(cell: Mapping[str, Mapping[str, list[str]]]) -> list[str]:
    return cell["metadata"].get("tags", [])


def load(path: Path) -> dict[str, object]:
    """Overrides of a YAML file: name to value, or notebook to {name: value}.

    Raises
    ------
    ParameterError
        Where the file is missing or holds no mapping.
    """
    if not path.is_file():
        raise ParameterError(f"-f {path}: there is no such file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ParameterError(f"-f {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ParameterError(f"-f {path}: write it as lines of  name: value")
    return content


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_SCALARS: dict[str, Callable[[object], bool]] = {
    "bool": lambda value: isinstance(value, bool),
    "float": lambda value: _is_number(value) and abs(float(value)) < float("inf"),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "Path": lambda value: isinstance(value, str) and bool(value),
    "None": lambda value: value is None,
}


def _choices(annotation: ast.expr) -> list[object] | None:
    """Values of a ``Literal[...]``, or None for another annotation."""
    if not (isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Literal"):
        return None
    inner = annotation.slice
    members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    return [ast.literal_eval(member) for member in members]


def _fits(annotation: ast.expr, value: object) -> bool:
    if isinstance(annotation, ast.BinOp):
        return _fits(annotation.left, value) or _fits(annotation.right, value)
    choices = _choices(annotation)
    if choices is not None:
        return any(type(value) is type(choice) and value == choice for choice in choices)
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "list":
        return isinstance(value, list) and all(_fits(annotation.slice, item) for item in value)
    name = ast.unparse(annotation)
    if name not in _SCALARS:
        raise ParameterError(
            f"type {name!r} cannot be a parameter; use {', '.join(_SCALARS)}, Literal[...], "
            "list[...]"
        )
    return _SCALARS[name](value)


def check(parameter: Parameter, value: object, place: str) -> object:
    """`value` where it has the type and range that `parameter` declares.

    A whole number is accepted for a float; the value becomes a float then.

    Raises
    ------
    ParameterError
        Naming parameter, place, value and what was expected.
    """
    annotation = ast.parse(parameter.annotation, mode="eval").body
    if not _fits(annotation, value):
        choices = _choices(annotation)
        wanted = f"one of {choices}" if choices is not None else parameter.annotation
        raise ParameterError(f"{parameter.name} = {value!r} ({place}); it must be {wanted}")
    if parameter.annotation == "float":
        value = float(value)  # type: ignore[arg-type]
    bound = RANGE.search(parameter.comment)
    values = value if isinstance(value, list) else [value]
    for number in values if bound else ():
        if not _is_number(number):
            continue
        if _inside(bound, float(number)):
            continue
        percent = _inside(bound, number / 100) and 1 < number <= 100
        hint = f"; did you mean {number / 100:g}?" if percent else ""
        raise ParameterError(
            f"{parameter.name} = {number:g} ({place}); it must be {bound.group(0)}{hint}"
        )
    return value


def _inside(bound: re.Match[str], value: float) -> bool:
    part = bound.groupdict()
    if part["above"] is not None:
        return value > float(part["above"])
    if part["least"] is not None:
        return value >= float(part["least"])
    low, high = float(part["low"]), float(part["high"])
    return (low < value or (part["open"] == "[" and low == value)) and (
        value < high or (part["close"] == "]" and high == value)
    )


def parse_text(parameter: Parameter, text: str) -> object:
    """Value that `text` from a command line stands for, by the declared annotation.

    ``0123`` stays text for a ``str``; for other types the text is a Python literal, and
    ``true``, ``false`` and ``null`` are read as YAML does.
    """
    annotation = ast.parse(parameter.annotation, mode="eval").body
    choices = _choices(annotation)
    textual = choices is not None and all(isinstance(choice, str) for choice in choices)
    if textual or parameter.annotation in ("str", "Path"):
        return text
    words = {"true": True, "false": False, "null": None, "none": None}
    if text.strip().lower() in words:
        return words[text.strip().lower()]
    if parameter.annotation.startswith("list[") and not text.lstrip().startswith("["):
        items = [item.strip() for item in text.split(",") if item.strip()]
        return items if parameter.annotation == "list[str]" else [_literal(item) for item in items]
    return _literal(text)


def written(value: object) -> str:
    """A parameter's `value` as the command line takes it."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return text


def resolve(
    declared: Mapping[str, Sequence[Parameter]],
    overrides: Iterable[tuple[str | None, str, object, str]],
    *,
    is_text: bool = False,
) -> dict[str, dict[str, object]]:
    """Changed values by notebook, each checked against every notebook that declares the name.

    Parameters
    ----------
    declared : mapping
        Notebook to its parameters.
    overrides : iterable of (notebook or None, name, value, place)
        Without a notebook the value goes to every notebook that declares the name.
    is_text : bool
        The values are text of a command line, still to be parsed.

    Raises
    ------
    ParameterError
        For a name that no notebook declares (with the nearest one that is), a notebook that is
        not there, a wrong type or a value out of range.
    """
    changed: dict[str, dict[str, object]] = {}
    for notebook, name, value, place in overrides:
        if notebook and notebook not in declared:
            raise ParameterError(
                f"{name!r} is set in {notebook} ({place}), which would not run; leave it out, or "
                "run further"
            )
        scope = [notebook] if notebook else list(declared)
        takers = [
            (taker, parameter)
            for taker in scope
            for parameter in declared[taker]
            if parameter.name == name
        ]
        if not takers:
            names = sorted({parameter.name for taker in scope for parameter in declared[taker]})
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
            where = notebook or "any notebook that would run"
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
            raise ParameterError(f"no parameter {name!r} in {where} ({place}); {hint}")
        for taker, parameter in takers:
            parsed = parse_text(parameter, str(value)) if is_text else value
            changed.setdefault(taker, {})[name] = check(parameter, parsed, place)
    return changed
