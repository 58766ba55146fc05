"""A user's own book of accounts: read whole or block by block, written, and what it takes.

The forms of the table stand in `collateral.records`.  A csv has `,` or `;` between its fields and
decimal points.  `blocks` holds only the rows in hand, so a file may be larger than the memory.
"""

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from xcoll import checks
from xcoll.collateral import records
from xcoll.collateral.accounts import Book
from xcoll.collateral.records import needed, template
from xcoll.errors import DataError

__all__ = [
    "assets",
    "blocks",
    "by_venue",
    "columns",
    "faults",
    "fits",
    "needed",
    "read",
    "template",
    "write",
]

BATCH = 65_536  # rows of a parquet file read at once
CHUNK = 1 << 24  # bytes of a csv file read at once
INDEX = "__index_level_"  # a frame's unnamed index, as pandas writes it
NAMES = ("account", "asset", "venue")
KINDS = (".csv", ".txt", ".parquet")


def read(path: Path | str, assets: Sequence[str]) -> Book:
    """A book from a csv or parquet file, in the order of its accounts.

    Parameters
    ----------
    path : path
        Long or wide; see `collateral.records`.
    assets : sequence of str
        Symbols that have prices, in the order that the book is to have.

    Raises
    ------
    DataError
        Naming the file, the accounts and rows, and the fix; see `records.parse`.  A wide parquet
        file whose replay does not fit in memory is refused before it is read.
    """
    file = _file(path)
    wide = records.form(columns(file), assets, file.name) == "wide"
    if wide and _parquet(file) and (rows := pq.read_metadata(file).num_rows):
        fits(rows, len(assets))
    return records.parse(_frame(pa.concat_tables(_tables(file)), file.name), assets, file.name)


def by_venue(path: Path | str, assets: Sequence[str]) -> dict[str, Book]:
    """One book a venue, from a file with a column `venue`; an account may have a part at several.

    Raises
    ------
    DataError
        As `read`, and where there is no column venue, or a row without one.
    """
    file = _file(path)
    records.form(columns(file), assets, file.name)
    frame = _frame(pa.concat_tables(_tables(file)), file.name)
    if "venue" not in frame:
        raise DataError(f"{file.name}: no column venue; add it, or read the file as one book")
    empty = frame["venue"].isna() | (frame["venue"] == "")
    if empty.any():
        raise DataError(f"{file.name}: row {int(empty.argmax()) + 1} has no venue; name it")
    return {
        venue: records.parse(part, assets, f"{file.name}, {venue}")
        for venue, part in frame.groupby("venue", sort=False)
    }


def blocks(path: Path | str, assets: Sequence[str], accounts: int = 250_000) -> Iterator[Book]:
    """The book in blocks of `accounts` accounts, without holding the file.

    Of what came before only a hash of each id is kept, 8 bytes an account.  A fault is raised when
    its block is asked for.

    Raises
    ------
    DataError
        As `read`; and an account that comes again after others: the rows of an account in the long
        form must be adjacent, and an id must not be there twice.
    """
    checks.whole("accounts", accounts)
    file = _file(path)
    records.form(columns(file), assets, file.name)
    seen, first = np.empty(0, dtype=np.uint64), 1
    for part, starts in _cut(_tables(file), accounts):
        names = part["account"].take(starts).fill_null("").to_numpy()
        own = pd.util.hash_array(names, categorize=False)
        place = np.searchsorted(seen, own)
        again = pd.Series(names).duplicated() | (np.append(seen, 0)[place] == own)
        again &= names != ""
        if again.any():
            found = [f"{names[i]} (row {first + starts[i]})" for i in np.flatnonzero(again)[:5]]
            raise DataError(
                f"{file.name}: account {', '.join(found)} is there again after others; sort the "
                "file by account, give each account one row (wide), or read the venues apart"
            )
        yield records.parse(_frame(part, file.name), assets, file.name, first)
        order = np.argsort(own)
        seen = np.insert(seen, place[order], own[order])
        first += part.num_rows


def columns(path: Path | str) -> list[str]:
    """Names of the columns of a csv or parquet file, a frame's unnamed index not among them."""
    file = _file(path)
    if not _parquet(file):
        head = _head(file)
        return next(csv.reader([head], delimiter=_separator(head)), [])
    try:
        return [name for name in pq.read_schema(file).names if not name.startswith(INDEX)]
    except pa.ArrowInvalid as error:
        raise DataError(f"{file.name}: no readable parquet: {error}") from error


def assets(path: Path | str) -> list[str]:
    """Symbols that a book's file names itself, in its order.

    Raises
    ------
    DataError
        Columns that are those of no book; see `records.form`.
    """
    file = _file(path)
    names = columns(file)
    sides = [name.partition("_")[2] for name in names if name.startswith(("collateral_", "debt_"))]
    symbols = list(dict.fromkeys(symbol for symbol in sides if symbol))
    if records.form(names, symbols, file.name) == "long":
        named = _frame(pa.concat_tables(_tables(file)), file.name)["asset"].dropna().astype("str")
        symbols = [symbol for symbol in dict.fromkeys(named) if symbol]
    return symbols


def faults(path: Path | str, assets: Sequence[str]) -> list[str]:
    """All that `read` would refuse in the rows of a file, a message each; empty for a good book.

    Raises
    ------
    DataError
        A file or columns that cannot be read at all.
    """
    file = _file(path)
    records.form(columns(file), assets, file.name)
    return records.faults(_frame(pa.concat_tables(_tables(file)), file.name), assets, file.name)


def write(book: Book, path: Path | str) -> None:
    """`book` in the wide form, as csv or parquet by the name of the file; every digit is kept."""
    file = Path(path)
    writers = {".csv": pa_csv.write_csv, ".parquet": pq.write_table}
    if file.suffix.lower() not in writers:
        raise DataError(f"{file.name}: {file.suffix or 'no suffix'} is not written; .csv, .parquet")
    writers[file.suffix.lower()](pa.Table.from_pandas(records.table(book)), file)


def fits(accounts: int, assets: int, available: int | None = None) -> int:
    """Bytes that a replay of so many accounts needs, where they are there.

    Parameters
    ----------
    available : bytes there are; by default the physical memory of this machine.

    Raises
    ------
    DataError
        With the size needed, what is available, and how many accounts fit.
    """
    if available is None:
        available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    size = needed(accounts, assets)
    if size > available:
        raise DataError(
            f"{accounts:,} accounts of {assets} assets need {size / 1e9:.1f} GB and there are "
            f"{available / 1e9:.1f} GB; read blocks of at most {available // needed(1, assets):,} "
            "accounts"
        )
    return size


def _file(path: Path | str) -> Path:
    file = Path(path)
    if not file.is_file():
        raise DataError(f"{file}: no such file; check its path")
    if file.suffix.lower() not in KINDS:
        raise DataError(
            f"{file.name}: {file.suffix or 'no suffix'} is no book; give csv or parquet"
        )
    if not file.stat().st_size:
        raise DataError(f"{file.name}: the file is empty")
    return file


def _parquet(file: Path) -> bool:
    return file.suffix.lower() == ".parquet"


def _separator(head: str) -> str:
    return ";" if head.count(";") > head.count(",") else ","


def _head(file: Path) -> str:
    with file.open("rb") as opened:
        head = opened.readline()
    try:
        return head.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name}: not UTF-8 text at byte {error.start}; save it so") from error


def _tables(file: Path) -> Iterator[pa.Table]:
    """The file in pieces, a first one without rows; names, and all fields of a csv, as text."""
    try:
        if _parquet(file):
            names = columns(file)
            opened = pq.ParquetFile(file, pre_buffer=False)  # a buffer would keep what was read
            yield _named(opened.schema_arrow.empty_table().select(names))
            batches = opened.iter_batches(BATCH, columns=names)
        else:
            text = dict.fromkeys(columns(file), pa.large_string())
            yield pa.schema(text.items()).empty_table()
            batches = pa_csv.open_csv(
                file,
                pa_csv.ReadOptions(block_size=CHUNK),
                pa_csv.ParseOptions(delimiter=_separator(_head(file)), newlines_in_values=True),
                pa_csv.ConvertOptions(column_types=text, strings_can_be_null=False),
            )
        for batch in batches:
            yield _named(pa.Table.from_batches([batch]))
    except pa.ArrowInvalid as error:
        raise DataError(f"{file.name}: no readable {file.suffix[1:]}: {error}") from error


def _cut(tables: Iterator[pa.Table], accounts: int) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Tables of so many accounts, each with the rows at which one begins.

    An account begins where the id is not that of the row before.  What is left comes last; a file
    without rows gives one table without.
    """
    held = next(tables)
    for table in tables:
        held = pa.concat_tables([held, table])
        starts = _starts(held["account"])
        while len(starts) > accounts:
            end = starts[accounts]
            yield held.slice(0, end), starts[:accounts]
            held, starts = held.slice(end), starts[accounts:] - end
    yield held, _starts(held["account"])


def _starts(names: pa.ChunkedArray) -> np.ndarray:
    if not len(names):
        return np.empty(0, dtype=np.int64)
    changed = pc.fill_null(pc.not_equal(names[1:], names[:-1]), True)
    return np.append(0, 1 + np.flatnonzero(changed.to_numpy()))


def _named(table: pa.Table) -> pa.Table:
    for place, name in enumerate(table.column_names):
        if name in NAMES:
            table = table.set_column(place, name, table[name].cast(pa.large_string()))
    return table


def _frame(table: pa.Table, source: str) -> pd.DataFrame:
    """Balances as numbers, or as they are where that cannot be."""
    columns = {}
    for name in table.column_names:
        column = table[name]
        try:
            if name not in NAMES and not pa.types.is_boolean(column.type):
                column = column.cast(pa.float64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            if pa.types.is_nested(column.type):
                raise DataError(
                    f"{source}: column {name}: {error}; save it as text or as a number"
                ) from error
        columns[name] = column
    return pa.table(columns).to_pandas()
