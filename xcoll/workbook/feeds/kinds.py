"""Which kind of file this is, by its content."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from xcoll.checks import one_of
from xcoll.errors import DataError
from xcoll.market.prices import ASSET, TIME
from xcoll.workbook import books, files

__all__ = ["KINDS", "PARAMETER", "known", "of"]

# The parameter of the notebooks that takes a file of this kind.
PARAMETER = {
    "prices": "prices_file",
    "bars": "bars_file",
    "universe": "universe_file",
    "venues": "venues_file",
    "add-ons": "addons_file",
    "scenarios": "scenarios_file",
    "sample books": "books_file",
}
KINDS = (*PARAMETER, "accounts")
KEYS = {  # what stands at the head of a YAML file of this kind
    "universe": {"assets", "chains", "quality", "intraday"},
    "venues": {"venues", "margins", "tokens"},
    "add-ons": {"hazards", "contract", "budget"},
    "sample books": {"books"},
}


def known(kind: str) -> str:
    """`kind` where it is one of `KINDS`; `ParameterError` with all of them where not."""
    return one_of("--as", kind, KINDS)


def of(path: Path) -> str:
    """The kind of a file.

    Raises
    ------
    DataError
        The file cannot be read, or nothing in it says what it is.
    """
    if path.suffix.lower() in (".yaml", ".yml", ".json"):
        return _configuration(path)
    return _table(_columns(path), path.name)


def _configuration(path: Path) -> str:
    content = files.read_yaml(path)
    if not isinstance(content, Mapping):
        raise DataError(f"{path.name}: the file holds no table of fields; see the bundled examples")
    for kind, keys in KEYS.items():
        if keys & content.keys():
            return kind
    if content and all(isinstance(part, Mapping) for part in content.values()):
        return "scenarios"
    raise DataError(
        f"{path.name}: its keys ({', '.join(map(str, list(content)[:6]))}) are those of no file "
        f"that is known here; say what it is with --as, one of {', '.join(KINDS)}"
    )


def _columns(path: Path) -> set[str]:
    names = {name.strip().lower() for name in books.columns(path)}
    if path.suffix.lower() == ".parquet":  # a frame's unnamed index may hold the times
        kinds = pq.read_schema(path)
        names |= {"time" for field in kinds if pa.types.is_timestamp(field.type)}
    return names


def _table(columns: set[str], name: str) -> str:
    if "account" in columns:
        return "accounts"
    if "close" in columns and {"low", "high"} <= columns and not columns & {*ASSET}:
        return "bars"
    if columns & {*TIME}:
        return "prices"
    raise DataError(
        f"{name}: no column of times and none of accounts, so neither prices, bars nor accounts; "
        "name a column `time` (prices, bars) or `account` (accounts)"
    )
