"""Artifacts: tables as parquet, scalars as JSON, each checked against its declared form.

What each notebook writes is declared in ``notebooks/chain.yaml``; nothing else passes between
notebooks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pandas.api import types

from xcoll.errors import ArtifactError, DataError

__all__ = ["Artifact", "declare", "read", "write", "write_json"]

KINDS = {
    "flag": types.is_bool_dtype,
    "number": types.is_float_dtype,
    "text": types.is_string_dtype,
    "time": types.is_datetime64_any_dtype,
    "whole": types.is_integer_dtype,
}
FORMS = {
    "json": ("json", "number"),
    "square": ("square", "number"),
    "wide": ("wide", "number"),
    "wide flags": ("wide", "flag"),
    "wide text": ("wide", "text"),
}


@dataclass(frozen=True)
class Artifact:
    """Declared content of one file.

    Attributes
    ----------
    form : {"wide", "square", "table", "json"}
        ``wide`` is time × name, ``square`` is name × name, both with `kind` in every cell;
        ``table`` has exactly `columns`; ``json`` is a mapping.
    kind : str
        Key of `KINDS`.
    columns : mapping, optional
        Column name to kind, in order, of a table.
    """

    form: str
    kind: str = "number"
    columns: Mapping[str, str] | None = None

    @property
    def suffix(self) -> str:
        """Ending of the file."""
        return ".json" if self.form == "json" else ".parquet"


def declare(form: str | Mapping[str, str], place: str) -> Artifact:
    """Artifact of a line in ``chain.yaml``: the name of a form, or the columns of a table.

    Raises
    ------
    DataError
        For an unknown form or kind; `place` says where it stands.
    """
    if isinstance(form, Mapping):
        wrong = {column: kind for column, kind in form.items() if kind not in KINDS}
        if wrong:
            raise DataError(f"{place} has columns of kind {wrong}; there are {', '.join(KINDS)}")
        return Artifact("table", columns=dict(form))
    if form not in FORMS:
        raise DataError(f"{place} is {form!r}; there are {', '.join(FORMS)}, or columns and kinds")
    return Artifact(*FORMS[form])


def write(
    folder: Path, name: str, declared: Artifact, content: pd.DataFrame | Mapping[str, object]
) -> Path:
    """Write `content` as the artifact `name` into `folder`; equal content gives equal bytes.

    Raises
    ------
    ArtifactError
        Where the content does not have the declared form.
    """
    _check(name, declared, content)
    path = folder / f"{name}{declared.suffix}"
    part = path.with_name(f".{path.name}.part")
    if isinstance(content, pd.DataFrame):
        plain = content.copy(deep=False)
        plain.attrs = {}
        plain.to_parquet(part)
    else:
        write_json(part, content)
    return part.replace(path)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write `content` with sorted keys; NaN and infinities are refused, JSON has neither."""
    text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> pd.DataFrame | dict[str, object]:
    """Content of the artifact file `path`."""
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    return pd.read_parquet(path)


def _check(name: str, declared: Artifact, content: object) -> None:
    wanted = Mapping if declared.form == "json" else pd.DataFrame
    if not isinstance(content, wanted):
        raise ArtifactError(
            f"artifact {name!r} is declared as {declared.form}, which is a {wanted.__name__}, "
            f"not a {type(content).__name__}"
        )
    if not isinstance(content, pd.DataFrame):
        return
    columns = declared.columns
    if columns is None:
        columns = dict.fromkeys(content.columns, declared.kind)
        if declared.form == "wide" and not isinstance(content.index, pd.DatetimeIndex):
            raise ArtifactError(f"artifact {name!r} is wide: its index must be a DatetimeIndex")
        if declared.form == "square" and list(content.index) != list(content.columns):
            raise ArtifactError(f"artifact {name!r} is square: index and columns must be equal")
    elif list(content.columns) != list(columns):
        missing = [column for column in columns if column not in content.columns]
        extra = [column for column in content.columns if column not in columns]
        raise ArtifactError(
            f"artifact {name!r} has other columns than notebooks/chain.yaml declares "
            f"(missing {missing}, extra {extra}; the order counts): {list(content.columns)}"
        )
    wrong = {
        column: (str(content[column].dtype), kind)
        for column, kind in columns.items()
        if not KINDS[kind](content[column])
    }
    if wrong:
        raise ArtifactError(f"artifact {name!r} has columns (type, declared) {wrong}")
