"""Accounts as a table: the two forms say the same, and every fault is named by account and row."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral import records
from xcoll.errors import DataError, ParameterError

ASSETS = ["BTC", "ETH", "USDC"]


def wide(**changes):
    columns = {
        "account": ["a", "b", "c"],
        "collateral_ETH": [1.0, 2.0, 3.0],
        "debt_USDC": [5, 0, 6],
    }
    return pd.DataFrame(columns | changes)


def long(rows=(("a", "ETH", 1, 0), ("a", "USDC", 0, 5), ("b", "BTC", 2, 0))):
    return pd.DataFrame(rows, columns=list(records.LONG))


def test_a_wide_table_is_a_book():
    book = records.parse(wide(venue="aave"), ASSETS)
    assert book.ids.tolist() == ["a", "b", "c"]
    assert book.collateral.tolist() == [[0, 1, 0], [0, 2, 0], [0, 3, 0]]
    assert book.debt.tolist() == [[0, 0, 5], [0, 0, 0], [0, 0, 6]]


def test_a_long_table_is_a_book_whatever_the_order_of_its_rows():
    table = long((("b", "BTC", 2, 0), ("a", "USDC", 0, 5), ("b", "ETH", 1, 0), ("a", "ETH", 1, 0)))
    book = records.parse(table, ASSETS)
    assert book.ids.tolist() == ["b", "a"]
    assert book.collateral.tolist() == [[2, 1, 0], [0, 1, 0]]
    assert book.debt.tolist() == [[0, 0, 0], [0, 0, 5]]


def test_one_row_is_a_book():
    assert len(records.parse(wide().head(1), ASSETS)) == 1
    assert len(records.parse(long().head(1), ASSETS)) == 1


def test_ids_are_text_and_numbers_kept_as_text_are_read():
    book = records.parse(wide(account=[7, 8, 9], collateral_ETH=["1", "2e3", " 3"]), ASSETS)
    assert book.ids.tolist() == ["7", "8", "9"]
    assert book.collateral[:, 1].tolist() == [1.0, 2000.0, 3.0]


balances = st.floats(0.0, 1e12, allow_subnormal=False)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(ASSETS), balances, balances),
        min_size=1, max_size=15, unique_by=lambda row: row[:2],
    )
)  # fmt: skip
def test_both_forms_say_the_same(rows):
    table = pd.DataFrame(rows, columns=list(records.LONG)).assign(
        collateral=lambda t: t.collateral + 1
    )
    book = records.parse(table, ASSETS)
    again = records.parse(records.table(book), ASSETS)
    for row in table.itertuples():
        at = list(book.ids).index(str(row.account)), ASSETS.index(row.asset)
        assert (book.collateral[at], book.debt[at]) == (row.collateral, row.debt)
    assert np.count_nonzero(book.collateral) == len(table)
    assert again.ids.tolist() == book.ids.tolist() == list(dict.fromkeys(table.account.astype(str)))
    np.testing.assert_array_equal(again.collateral, book.collateral)
    np.testing.assert_array_equal(again.debt, book.debt)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (wide().drop(columns="account"), r"no column account; give account, asset, .*\(wide\)"),
        (wide().drop(columns="collateral_ETH"), r"no column collateral_<asset>"),
        (long().drop(columns="debt"), r"no column debt; give account, asset, collateral, debt"),
        (wide(owner=1, debt_=2), r"unknown columns owner, debt_;"),
        (long().assign(price=1), r"unknown columns price;"),
        (wide(collateral_SOL=1, debt_DAI=0), r"unknown assets DAI, SOL; known are BTC, ETH, USDC"),
        (wide().iloc[:0], r"no account; give at least one row"),
        (wide(account=["a", None, ""]), r"2 rows with no account:  \(row 2\),  \(row 3\)"),
        (wide(debt_USDC=[1, "x", ""]), r"2 rows with debt_USDC .* 'x': b \(row 2\), c \(row 3"),
        (wide(debt_USDC=[1, 2, np.nan]), r"1 row with debt_USDC that is no finite .* 'nan'"),
        (wide(debt_USDC=[np.inf, 2, 1]), r"like 'inf': a \(row 1\); give units, 0 for none"),
        (wide(debt_USDC=[True, False, True]), r"3 rows with debt_USDC that is no finite number"),
        (wide(debt_USDC=pd.Timestamp("2020")), r"3 rows with debt_USDC that is no finite number"),
        (wide(collateral_ETH=[1, -2, 3]), r"negative collateral_ETH: b \(row 2\)"),
        (wide(account=["a", "b", "a"]), r"there already: a \(row 3\); give each account one row"),
        (wide(collateral_ETH=[0, 0, 1]), r"debt without collateral: a \(row 1\); add what"),
        (long((("a", "BTC", 1, 0), ("b", "SOL", 1, 0), ("c", None, 1, 0))),
         r"2 rows with an unknown asset \(SOL, nan\): b \(row 2\), c \(row 3\); known are BTC"),
        (long((("a", "BTC", 1, 0), ("b", "BTC", 1, 0), ("a", "BTC", 0, 1))),
         r"an account and asset that are there already: a \(row 3\); add them up"),
        (long((("a", "BTC", 1, 0), ("b", "BTC", 0, 1))), r"debt without collateral: b \(row 2\)"),
        (long((("a", "BTC", 1, 0), ("b", "BTC", -1, 1))), r"negative collateral: b \(row 2\)"),
    ],
)  # fmt: skip
def test_a_fault_names_the_file_the_rows_and_the_fix(table, words):
    with pytest.raises(DataError, match=words) as refused:
        records.parse(table, ASSETS, "mine.csv")
    assert str(refused.value).startswith("mine.csv: ")


def test_two_columns_of_a_name_are_refused():
    table = pd.concat([wide(), wide()[["debt_USDC"]]], axis=1)
    with pytest.raises(DataError, match=r"two columns are named 'debt_USDC'"):
        records.parse(table, ASSETS)


def test_many_faults_are_counted_and_the_first_named():
    table = wide(account=list("abc"))
    table = pd.concat([table.assign(account=table["account"] + str(i)) for i in range(4)])
    table = table.reset_index(drop=True).assign(debt_USDC=-1.0)
    with pytest.raises(
        DataError, match=r"12 rows with .*c1 \(row 6\)|12 rows .*b1 \(row 5\), \.\.\."
    ):
        records.parse(table, ASSETS)


def test_rows_of_a_block_are_counted_from_its_first():
    with pytest.raises(DataError, match=r"b \(row 102\)"):
        records.parse(wide(collateral_ETH=[1, -2, 3]), ASSETS, first=101)


@pytest.mark.parametrize("assets", [["BTC"], ASSETS])
def test_the_template_can_be_read(assets):
    table = records.template(assets)
    book = records.parse(table, assets)
    assert len(book) == 2
    assert book.debt.any(axis=1).tolist() == [True, False]
    pd.testing.assert_frame_equal(records.table(book), table)


def test_what_a_replay_takes():
    # A million accounts of 8 assets: 2 sides × before and after × 8, and 16 columns, 8 bytes each.
    assert records.needed(1_000_000, 8) == 1_000_000 * (4 * 8 + 16) * 8
    with pytest.raises(ParameterError, match="accounts"):
        records.needed(0, 8)
