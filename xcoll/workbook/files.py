"""Files that a user brings: prices as csv or parquet; universe, venues, add-ons, scenarios and
sample books as YAML.
"""

import csv
import datetime
import hashlib
import io
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import yaml

from xcoll.checks import day
from xcoll.collateral import addons as tables
from xcoll.collateral import universe as universes
from xcoll.collateral import venues as venue_sets
from xcoll.collateral.addons import Addons
from xcoll.collateral.universe import Universe
from xcoll.collateral.venues import Venues
from xcoll.errors import DataError
from xcoll.margin import samples
from xcoll.margin import venues as margin_venues
from xcoll.margin.samples import Sample
from xcoll.margin.venues import AnyRule
from xcoll.market import quality
from xcoll.market.prices import Prices, layout, prove, until
from xcoll.systemic.stress import library as scenarios
from xcoll.systemic.stress.library import Library

__all__ = [
    "data_card",
    "read_addons",
    "read_bars",
    "read_books",
    "read_margins",
    "read_prices",
    "read_scenarios",
    "read_table",
    "read_universe",
    "read_venues",
    "read_yaml",
]


def read_prices(
    path: Path | str,
    columns: Mapping[str, str] | None = None,
    rules: quality.Rules | None = None,
    as_of: str | datetime.date | None = None,
) -> tuple[Prices, pd.DataFrame]:
    """Prices from a csv or parquet file, checked by `rules`, and the quality report.

    Parameters
    ----------
    path : path
        Wide or long, `,` or `;`, any bar length; see `market.prices.parse`.
    columns : mapping, optional
        Names in the file → symbols; for a universe `universe.columns`.
    rules : Rules, optional
        For a universe `universe.rules(repair=...)`; by default any assets, nothing repaired.
    as_of : date, optional
        The last date that is used: the table is cut there before anything is checked.

    Raises
    ------
    DataError
        Naming the file, the column or asset, the rows and the fix; the last bar, where it lies
        before `as_of`.
    """
    source = Path(path).name
    raw = layout(read_table(path), source, columns)
    if as_of is not None:
        raw = until(raw, day("as_of", as_of), source)
    return quality.check(raw, rules or quality.Rules(), source)


def read_bars(path: Path | str, asset: str, as_of: str | datetime.date | None = None) -> Prices:
    """Open-high-low-close bars of one `asset` (columns time, low, high, close; others not used).

    A row whose values are all empty is a missing bar; for the rest no fault is forgiven.  `as_of`
    is the last date that is used; bars may end before it.
    """
    source = Path(path).name
    raw = layout(read_table(path).assign(asset=asset), source)
    if as_of is not None:
        raw = until(raw, day("as_of", as_of), source, reach=False)
    return prove(raw, source)


def read_universe(path: Path | str) -> Universe:
    """The asset universe; `DataError` names the file, the asset, the field and the fix."""
    return universes.parse(read_yaml(path), Path(path).name)


def read_venues(path: Path | str) -> Venues:
    """Published venue parameters; `DataError` names the file, the venue, the field and the fix."""
    return venue_sets.parse(read_yaml(path), Path(path).name)


def read_margins(path: Path | str) -> dict[str, AnyRule]:
    """Margin rules of a venue file by their keys; `DataError` names file, venue, field and fix."""
    return margin_venues.parse(read_yaml(path), Path(path).name)


def read_books(path: Path | str) -> dict[str, Sample]:
    """Sample books of derivatives by name; `DataError` names file, book, leg and fix."""
    return samples.parse(read_yaml(path), Path(path).name)


def read_addons(path: Path | str) -> Addons:
    """Points, hazards and budgets; `DataError` names the file, the block, the field and the fix."""
    return tables.parse(read_yaml(path), Path(path).name)


def read_scenarios(path: Path | str, *, sourced: bool = False) -> Library:
    """Stress scenarios; `DataError` names the file, the scenario, the field and the fix.

    Where `sourced`, every number has to have its source, and every scenario its four severities.
    """
    return scenarios.parse(read_yaml(path), Path(path).name, sourced=sourced)


def read_table(path: Path | str) -> pd.DataFrame:
    """A csv (`,` or `;`) or parquet file as it stands.

    Raises
    ------
    DataError
        No such file, a folder, an unknown kind, no content, or not readable as its kind.
    """
    file = _file(path)
    readers = {".csv": _read_csv, ".txt": _read_csv, ".parquet": _read_parquet}
    if file.suffix.lower() not in readers:
        raise DataError(
            f"{file.name}: {file.suffix or 'no suffix'} is not read; give csv or parquet"
        )
    return readers[file.suffix.lower()](file)


def read_yaml(path: Path | str) -> Any:
    """A YAML (or JSON) file; a key written twice in one block is refused, not overwritten."""
    file = _file(path)
    try:
        return yaml.load(_text(file), Loader=_Loader)
    except yaml.YAMLError as error:
        raise DataError(f"{file.name}: no valid YAML: {' '.join(str(error).split())}") from error


def data_card(
    path: Path | str, prices: Prices, as_of: str | datetime.date | None = None
) -> dict[str, Any]:
    """What a prices file is: name, sha256, bars, assets, first and last bar, length of a bar.

    With `as_of` the hash and the bytes are those of the tables of `prices` as csv, so that what
    the file holds after that date changes nothing.
    """
    content = _file(path).read_bytes()
    if as_of is not None:
        content = "".join(table.to_csv() for table in prices.tables.values()).encode()
    return {
        "file": Path(path).name,
        "as_of": None if as_of is None else str(as_of),
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "bars": len(prices.close),
        "assets": prices.assets,
        "start": prices.start.isoformat(),
        "end": prices.end.isoformat(),
        "bar_hours": prices.bar / pd.Timedelta(hours=1),
    }


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _file(path: Path | str) -> Path:
    file = Path(path)
    if file.is_dir():
        raise DataError(f"{file}: this is a folder; give a file")
    if not file.exists():
        near = sorted(other.name for other in file.parent.glob(f"*{file.suffix}"))[:6]
        there = f" (there are {', '.join(near)})" if near else ""
        raise DataError(f"{file}: no such file; check its path{there}")
    if file.stat().st_size == 0:
        raise DataError(f"{file.name}: the file is empty")
    return file


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name}: not UTF-8 text at byte {error.start}; save it so") from error


def _read_csv(file: Path) -> pd.DataFrame:
    text = _text(file)
    head = text.split("\n", 1)[0]
    separator = ";" if head.count(";") > head.count(",") else ","
    names = next(csv.reader([head], delimiter=separator), [])
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{file.name}: two columns are named {twice[0]!r}; remove or rename one")
    wider = [
        str(row)
        for row, fields in enumerate(csv.reader(text.splitlines(), delimiter=separator))
        if len(fields) > len(names)
    ]
    if wider:
        raise DataError(
            f"{file.name}: more fields than the header's {len(names)} in row {', '.join(wider[:3])}"
            "; correct the row (decimal commas need `;` between fields)"
        )
    try:
        return pd.read_csv(io.StringIO(text), sep=separator, low_memory=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{file.name}: no readable csv: {' '.join(str(error).split())}") from error


def _read_parquet(file: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(file)
    except pa.ArrowInvalid as error:
        raise DataError(f"{file.name}: no readable parquet: {error}") from error
