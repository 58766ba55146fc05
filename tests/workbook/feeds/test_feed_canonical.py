"""The one form of own prices: there and back, united, held against one another."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.errors import DataError
from xcoll.market.prices import Prices, layout, parse
from xcoll.workbook.feeds import canonical

DAYS = pd.date_range("2023-01-01", periods=6, name="time", unit="us")


def prices(days=slice(None), assets=("BTC", "ETH"), fields=("close", "low"), change=()):
    index = DAYS[days]
    place = DAYS.get_indexer(index)
    tables = {}
    for number, field in enumerate(fields):
        values = {a: 10.0 * (i + 1) + place - number for i, a in enumerate(assets)}
        tables[field] = pd.DataFrame(values, index)
    for field, asset, day, value in change:
        tables[field].loc[DAYS[day], asset] = value
    return Prices(**tables)


def equal(one, other):
    assert one.tables.keys() == other.tables.keys()
    for field, table in one.tables.items():
        pd.testing.assert_frame_equal(
            table, other.tables[field], check_freq=False, check_names=False
        )


cell = st.one_of(st.just(np.nan), st.floats(0.1, 1e6))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(cell, cell, cell), min_size=2, max_size=6))
def test_the_canonical_table_reads_as_the_same_prices(rows):
    rows[0], rows[-1] = (1.0, 2.0, 3.0), (4.0, 5.0, 6.0)
    close = pd.DataFrame(rows, DAYS[: len(rows)], ["B", "A", "C"])
    held = Prices(close, volume=close * 2)
    table = canonical.table(held)
    assert list(table) == ["time", "asset", "close", "volume"]
    assert table["time"].is_monotonic_increasing
    # bars without any value are not there; the grid of the checks brings them back
    back = parse(table)
    assert back.assets == ["B", "A", "C"]
    equal(Prices(**{field: part.reindex(close.index) for field, part in back.tables.items()}), held)


def test_order_and_equal_copies_are_settled_and_told():
    table = canonical.table(prices())
    mixed = pd.concat([table.iloc[::-1], table.iloc[:2]])
    clean, found = canonical.settle(layout(mixed), "mine.csv")
    equal(clean.select(["BTC", "ETH"]), prices())
    assert found[["check", "action"]].to_numpy().tolist() == [
        ["unsorted", "sorted"], ["duplicate", "equal copies dropped"]
    ]  # fmt: skip


def test_what_cannot_be_settled_is_told_whole():
    table = canonical.table(prices())
    wrong = pd.concat([table, table.iloc[:1].assign(close=99.0)])
    wrong.loc[wrong.index[5], "close"] = -1.0
    with pytest.raises(DataError) as caught:
        canonical.settle(layout(wrong), "mine.csv")
    told = str(caught.value).splitlines()
    assert told[0].startswith("mine.csv: BTC has several rows for 2023-01-01 that differ, close 10")
    assert "close of -1" in told[1]


def test_files_are_united_over_assets_and_times():
    one = prices(slice(0, 4), ("BTC", "ETH"))
    other = prices(slice(2, 6), ("ETH", "ADA"), ("close",), [("close", "ETH", d, 20.0 + d)
                   for d in range(2, 6)])  # fmt: skip
    whole = canonical.unite({"a.csv": one, "b.csv": other})
    assert whole.assets == ["BTC", "ETH", "ADA"]
    assert whole.close.index.equals(DAYS)
    assert whole.close["ETH"].tolist() == [20.0 + d for d in range(6)]
    assert whole.close["BTC"].notna().tolist() == [True] * 4 + [False] * 2
    assert whole.low["ETH"].notna().sum() == 4


def test_files_that_disagree_are_named_with_the_first_place():
    other = prices(change=[("close", "BTC", 3, 99.0), ("close", "BTC", 4, 98.0)])
    with pytest.raises(DataError) as caught:
        canonical.unite({"a.csv": prices(), "b.csv": other})
    assert str(caught.value).startswith(
        "a.csv and b.csv disagree on 2 bars of BTC, the first at 2023-01-04: close 13 and 99; "
    )


def test_files_of_several_bar_lengths_are_refused():
    with pytest.raises(DataError, match=r"a.csv has bars of 1 days .*, b.csv of 2 days"):
        canonical.unite({"a.csv": prices(), "b.csv": prices(slice(0, None, 2))})
    late = {f: part.shift(freq="5h") for f, part in prices().tables.items()}
    with pytest.raises(DataError, match=r"b.csv beside a.csv: 2023-01-01 05:00:00 is off the grid"):
        canonical.unite({"a.csv": prices(), "b.csv": Prices(**late)})


def test_a_difference_in_words():
    assert canonical.difference(prices(), prices()) == []
    assert canonical.difference(prices(), prices(assets=("BTC", "ADA"))) == [
        "1 asset added: ADA", "1 asset gone: ETH"
    ]  # fmt: skip
    told = canonical.difference(
        prices(slice(0, 5)), prices(change=[("close", "ETH", 1, 7.5), ("low", "ETH", 1, 7.0)])
    )
    assert told == [
        "2 bars added, the first of BTC at 2023-01-06: close 15",
        "1 bar changed, the first of ETH at 2023-01-02: close 21 is now 7.5",
    ]
    assert canonical.difference(prices(), prices(fields=("close",))) == [
        "12 bars gone, the first of BTC at 2023-01-01: low 9"
    ]
