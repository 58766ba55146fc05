"""Books from files: csv and parquet, whole and in blocks, there and back."""

import decimal
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xcoll.collateral import records
from xcoll.collateral.accounts import Book
from xcoll.errors import DataError, ParameterError
from xcoll.workbook import books

ASSETS = ["BTC", "ETH", "USDC"]
WIDE = "account,collateral_BTC,debt_USDC\n"
LONG = "account,asset,collateral,debt\n"


@pytest.fixture
def put(tmp_path):
    def written(content, name="mine.csv"):
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def frame(**columns):
    return pd.DataFrame({"account": ["a", "b"], "collateral_BTC": [1.0, 2.0]} | columns)


def same(book, other):
    assert book.ids.tolist() == other.ids.tolist()
    np.testing.assert_array_equal(book.collateral, other.collateral)
    np.testing.assert_array_equal(book.debt, other.debt)


def test_a_csv_keeps_names_as_they_stand(put):
    text = WIDE + '007,1,2\n7,2.5,0\n"x, y",1e-3,0\n'
    book = books.read(put(text), ASSETS)
    assert book.ids.tolist() == ["007", "7", "x, y"]
    assert book.collateral[:, 0].tolist() == [1.0, 2.5, 0.001]
    same(books.read(put("\ufeff" + text.replace("x, y", "x; y").replace(",", ";")), ASSETS),
         Book(ASSETS, book.collateral, book.debt, np.array(["007", "7", "x; y"])))  # fmt: skip
    same(books.read(put(text, "mine.TXT"), ASSETS), book)


def test_both_forms_and_both_kinds_say_the_same(put):
    rows = LONG + "a,BTC,1,0\na,USDC,0,5\nb,ETH,2,0\n"
    book = books.read(put(rows), ASSETS)
    table = pd.DataFrame(
        {"account": ["a", "a", "b"], "asset": ["BTC", "USDC", "ETH"], "collateral": [1, 0, 2],
         "debt": [0.0, 5.0, 0.0]}
    )  # fmt: skip
    same(books.read(put(table, "long.parquet"), ASSETS), book)
    coded = table.astype({"account": "category", "asset": "category"})
    same(books.read(put(coded, "coded.parquet"), ASSETS), book)
    same(*books.blocks(put(coded, "coded.parquet"), ASSETS), book)


def test_parquet_types_of_a_warehouse(put):
    table = frame(
        account=[1, 2], collateral_BTC=[decimal.Decimal("1.5"), decimal.Decimal("2")],
        debt_ETH=np.array([1, 0], dtype="int32"),
    )  # fmt: skip
    book = books.read(put(table, "a.parquet"), ASSETS)
    assert book.ids.tolist() == ["1", "2"]
    assert book.collateral[:, 0].tolist() == [1.5, 2.0]
    assert book.debt[:, 1].tolist() == [1.0, 0.0]


def test_the_index_of_a_frame_is_no_column(put):
    plain = books.read(put(frame(), "a.parquet"), ASSETS)
    same(books.read(put(frame().set_index("account"), "b.parquet"), ASSETS), plain)
    cut = pd.concat([frame(account=["x", "y"]), frame()]).iloc[2:].set_axis([7, 3])
    assert pq.read_schema(put(cut, "c.parquet")).names[-1].startswith("__index_level_")
    same(books.read(put(cut, "c.parquet"), ASSETS), plain)


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), ids=st.lists(names, min_size=1, max_size=6, unique=True),
       kind=st.sampled_from(["csv", "parquet"]), size=st.integers(1, 4))  # fmt: skip
def test_there_and_back(tmp_path, data, ids, kind, size):
    numbers = hnp.arrays(float, (len(ids), 3), elements=st.floats(0, 1e300))
    collateral, debt = data.draw(numbers), data.draw(numbers)
    debt[~collateral.any(axis=1)] = 0.0
    book = Book(ASSETS, collateral, debt, np.array(ids, dtype=object))
    path = tmp_path / f"book.{kind}"
    books.write(book, path)
    same(books.read(path, ASSETS), book)
    parts = list(books.blocks(path, ASSETS, size))
    assert [len(part) for part in parts[:-1]] == [size] * (len(parts) - 1)
    assert sum(map(len, parts)) == len(ids)
    np.testing.assert_array_equal(np.concatenate([part.ids for part in parts]), book.ids)
    np.testing.assert_array_equal(np.concatenate([part.debt for part in parts]), debt)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_blocks_of_a_long_file_keep_an_account_whole(put, tmp_path, monkeypatch, kind, size):
    monkeypatch.setattr(books, "BATCH", 3)  # pieces end inside of accounts
    monkeypatch.setattr(books, "CHUNK", 64)
    rng = np.random.default_rng(1)
    rows = [
        (f"account-{i}", asset, float(rng.integers(1, 9)), float(rng.integers(0, 9)))
        for i in range(10)
        for asset in rng.permutation(ASSETS)[: rng.integers(1, 4)]
    ]
    table = pd.DataFrame(rows, columns=["account", "asset", "collateral", "debt"])
    path = put(table, "long.parquet") if kind == "parquet" else put(table.to_csv(index=False))
    whole, parts = books.read(path, ASSETS), list(books.blocks(path, ASSETS, size))
    assert [len(part) for part in parts] == [size] * (10 // size) + [10 % size] * (10 % size > 0)
    np.testing.assert_array_equal(np.concatenate([part.ids for part in parts]), whole.ids)
    np.testing.assert_array_equal(
        np.concatenate([part.collateral for part in parts]), whole.collateral
    )


@pytest.mark.parametrize("size", [1, 2, 3, 10])
@pytest.mark.parametrize(
    ("text", "row"),
    [
        (WIDE + "a,1,1\nb,1,1\nc,1,1\nd,1,1\na,1,1\n", 5),
        (LONG + "a,BTC,1,0\nb,BTC,1,0\nc,BTC,1,0\na,USDC,0,1\n", 4),
        (LONG + "b,BTC,1,0\na,BTC,1,0\nb,USDC,0,1\n", 3),
    ],
)
def test_an_account_that_comes_again_is_found_wherever_the_blocks_end(put, text, row, size):
    with pytest.raises(
        DataError, match=rf"account [ab] \(row {row}\) is .*; sort the file by accou"
    ):
        list(books.blocks(put(text), ASSETS, size))


def test_rows_are_counted_through_the_blocks(put):
    text = WIDE + "a,1,1\nb,1,1\nc,1,1\nd,1,x\n"
    with pytest.raises(DataError, match=r"mine.csv: 1 row with debt_USDC .*d \(row 4\)"):
        list(books.blocks(put(text), ASSETS, 2))
    with pytest.raises(ParameterError, match="accounts"):
        list(books.blocks(put(text), ASSETS, 0))


@pytest.mark.parametrize("read", [books.read, lambda *given: list(books.blocks(*given))])
@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        ("", "mine.csv", "the file is empty"),
        (WIDE, "mine.csv", "no account; give at least one row"),
        (WIDE + "a,1\n", "mine.csv", "no readable csv: .*Expected 3 columns, got 2"),
        (WIDE + "a,1,2,3\n", "mine.csv", "no readable csv: .*Expected 3 columns, got 4"),
        (WIDE + "a,1,2\nb,1,two\n", "mine.csv", r"debt_USDC .* like 'two': b \(row 2\)"),
        (WIDE + "a,1,\n", "mine.csv", r"debt_USDC .* like '': a \(row 1\)"),
        (WIDE + "a,nan,0\n", "mine.csv", r"collateral_BTC .* like 'nan': a \(row 1\)"),
        (WIDE + ",1,0\n", "mine.csv", r"no account:  \(row 1\)"),
        (WIDE.replace(",", ";") + "a;1,5;0\n", "mine.csv", r"like '1,5': a \(row 1\)"),
        ("account,collateral_BTC,collateral_BTC\na,1,1\n", "mine.csv", "two columns are named"),
        (WIDE.encode() + b"\xff,1,0\n", "mine.csv", "no readable csv: .*UTF8"),
        (b"acc\xffount,collateral_BTC\n", "mine.csv", "not UTF-8 text at byte 3"),
        ("no parquet at all", "mine.parquet", "no readable parquet"),
        ("x", "mine.xlsx", r"mine.xlsx: .xlsx is no book; give csv or parquet"),
        (frame().iloc[:0], "mine.parquet", "no account; give at least one row"),
        (frame(account=["a", None]), "mine.parquet", r"no account:  \(row 2\)"),
        (frame(debt_ETH=[1.0, None]), "mine.parquet", r"debt_ETH .*: b \(row 2\)"),
        (frame(debt_ETH=[True, True]), "mine.parquet", r"debt_ETH .* 'True': a \(row 1\), b"),
        (frame(debt_ETH=["1", "z"]), "mine.parquet", r"debt_ETH .* 'z': b \(row 2\)"),
        (frame(debt_ETH=[[1.0], [2.0]]), "mine.parquet", "column debt_ETH: .*as a number"),
        (frame(account=[b"\xff", b"b"]), "mine.parquet", "no readable parquet: .*UTF8"),
    ],
)
def test_a_file_that_is_no_book_is_refused(put, read, content, name, words):
    with pytest.raises(DataError, match=words) as refused:
        read(put(content, name), ASSETS)
    assert str(refused.value).startswith(name)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"book.csv: no such file"):
        books.read(tmp_path / "book.csv", ASSETS)
    with pytest.raises(DataError, match="no such file"):
        books.read(tmp_path, ASSETS)


def test_venues_are_kept_apart(put):
    rows = "account,venue,asset,collateral,debt\na,aave,BTC,1,0\na,morpho,BTC,2,0\nb,aave,ETH,3,0\n"
    found = books.by_venue(put(rows), ASSETS)
    assert {venue: book.ids.tolist() for venue, book in found.items()} == {
        "aave": ["a", "b"], "morpho": ["a"],
    }  # fmt: skip
    assert found["morpho"].collateral.tolist() == [[2, 0, 0]]
    with pytest.raises(
        DataError, match=r"an account and asset that are there already: a \(row 2\)"
    ):
        books.read(put(rows), ASSETS)
    with pytest.raises(DataError, match=r"mine.csv, aave: .*negative collateral: b \(row 3\)"):
        books.by_venue(put(rows.replace("ETH,3", "ETH,-3")), ASSETS)
    with pytest.raises(DataError, match="row 2 has no venue"):
        books.by_venue(put(rows.replace("morpho", "")), ASSETS)
    with pytest.raises(DataError, match="no column venue"):
        books.by_venue(put(WIDE + "a,1,0\n"), ASSETS)


def test_what_does_not_fit_is_refused_with_what_would(put, monkeypatch):
    assert books.fits(1_000, 8, available=384_000) == 384_000
    with pytest.raises(
        DataError, match=r"1,001 accounts of 8 assets need .* at most 1,000 accounts"
    ):
        books.fits(1_001, 8, available=384_000)
    assert books.fits(1, 1) == 160
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 100}.get)
    with pytest.raises(DataError, match="2 accounts of 3 assets need"):
        books.read(put(frame(), "a.parquet"), ASSETS)
    assert len(list(books.blocks(put(frame(), "a.parquet"), ASSETS, 1))) == 2


def test_another_kind_is_not_written(tmp_path):
    book = Book(ASSETS, np.ones((1, 3)), np.zeros((1, 3)), np.array(["a"]))
    with pytest.raises(DataError, match=r"book.xlsx: .xlsx is not written"):
        books.write(book, tmp_path / "book.xlsx")


def test_memory_of_blocks_does_not_grow_with_the_file(tmp_path, monkeypatch):
    """Forty thousand accounts in blocks of a thousand: what Arrow holds stays that of a few."""
    rng = np.random.default_rng(2)
    n = 40_000
    book = Book(ASSETS, rng.random((n, 3)) + 1, rng.random((n, 3)), np.arange(n))
    path = tmp_path / "book.parquet"
    pq.write_table(pa.Table.from_pandas(records.table(book)), path, row_group_size=1_000)
    monkeypatch.setattr(books, "BATCH", 1_000)
    before, most = pa.total_allocated_bytes(), 0
    for _ in books.blocks(path, ASSETS, 1_000):
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 0.2 * n * 7 * 8
