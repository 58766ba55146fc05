"""What a file is, and what would stop a run with it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xcoll.errors import ParameterError
from xcoll.workbook import files
from xcoll.workbook.feeds import kinds
from xcoll.workbook.feeds.check import Asked, check

DATA = Path(__file__).resolve().parents[3] / "data"
BUNDLED = {
    "crypto_prices.csv": "prices",
    "btc_bars.csv": "bars",
    "accounts_template.csv": "accounts",
    "universe.yaml": "universe",
    "venues.yaml": "venues",
    "addons.yaml": "add-ons",
    "scenarios.yaml": "scenarios",
    "books.yaml": "sample books",
}


@pytest.fixture(scope="module")
def universe():
    return files.read_universe(DATA / "universe.yaml")


@pytest.fixture(scope="module")
def prices(universe):
    return files.read_prices(DATA / "crypto_prices.csv", universe.columns, universe.rules())[0]


@pytest.fixture
def put(tmp_path):
    def written(text, name="mine.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.mark.parametrize(("name", "kind"), BUNDLED.items())
def test_each_bundled_file_is_known_by_its_content_and_clean(name, kind, universe):
    made = check(DATA / name, None, Asked(universe))
    assert made.kind == kind
    assert not made.stops
    assert dict(made.facts)["sha256"]
    assert check(DATA / name, kind, Asked(universe)).facts == made.facts
    assert set(BUNDLED.values()) == set(kinds.KINDS)


def test_prices_have_every_finding_of_the_rules(universe, prices):
    made = check(DATA / "crypto_prices.csv", None, Asked(universe))
    _, found = files.read_prices(DATA / "crypto_prices.csv", universe.columns, universe.rules())
    pd.testing.assert_frame_equal(made.findings, found)
    assert made.gaps.empty
    facts = dict(made.facts)
    assert (facts["rows"], facts["first bar"], facts["last bar"]) == (
        "1,461", "2020-01-01", "2023-12-31"
    )  # fmt: skip


def test_every_fault_of_prices_is_told_and_what_a_repair_would_do(put):
    text = "time,A,B\n2023-01-02,1,2\n2023-01-01,-1,2\n2023-01-04,1,0\n2023-01-05,1,2\n"
    made = check(put(text))
    assert [stop.split(" at ", 1)[0] for stop in made.stops] == [
        "mine.csv: timestamps are not in order",
        "mine.csv: A: close of -1",
        "mine.csv: B: close of 0",
    ]
    assert set(made.findings["action"]) >= {"sorted", "set to missing"}
    assert "-p repair=true" in made.notes[0]
    assert made.gaps[["asset", "bars"]].to_numpy().tolist() == [["A", 1], ["B", 2]]


def test_prices_that_are_not_those_of_the_universe(put, universe):
    made = check(put("time,BTC-USD,DUCK\n2023-01-01,1,2\n2023-01-02,1,2\n"), None, Asked(universe))
    assert "no column of prices for ETH" in made.stops[0]


def test_bars_are_held_against_prices(universe, prices, put):
    made = check(DATA / "btc_bars.csv", None, Asked(universe, prices, "BTC"))
    assert made.findings.groupby("check")["bars"].sum().to_dict() == {
        "bar missing": 4, "bar differs": 2, "close outside bar": 1, "bars": 660
    }  # fmt: skip
    assert made.gaps["bars"].sum() == 4
    made = check(put("time,close,low\n2023-01-01,1,1\n2023-01-02,1,1\n"), "bars")
    assert "need a column low and a column high" in made.stops[0]


def test_accounts_with_faults_have_each_one_told(put):
    text = (
        "account,asset,collateral,debt\na,BTC,1,0\na,USDC,0,-5\nb,DUCK,1,0\n"
        "c,BTC,x,0\na,BTC,2,0\nd,USDC,0,7\n"
    )
    made = check(put(text), None, Asked(prices=None))
    told = [stop.removeprefix("mine.csv: ") for stop in made.stops]
    assert told == [
        "1 row with collateral that is no finite number like 'x': c (row 4); give units, 0 for "
        "none",
        "1 row with negative debt: a (row 2); write what is owed as debt, above zero",
        "1 row with an account and asset that are there already: a (row 5); add them up in one row",
        "1 row with debt without collateral: d (row 6); add what it is backed by, or leave it out",
    ]
    close = pd.DataFrame({"BTC": [1.0, 2.0], "USDC": 1.0}, pd.date_range("2023", periods=2))
    known = check(put(text), None, Asked(prices=files.Prices(close)))
    assert "an unknown asset (DUCK): b (row 3)" in "".join(known.stops)


def test_accounts_that_are_insolvent_at_the_last_closes(put, tmp_path):
    close = pd.DataFrame(
        {"BTC": [9.0, 2.0, np.nan], "USDC": 1.0}, pd.date_range("2023", periods=3, unit="us")
    )
    book = pd.DataFrame(
        {"account": ["a", "b", "c"], "collateral_BTC": [5.0, 1.0, 2.0], "debt_USDC": [9.9, 5, 4.5]}
    )
    book.to_parquet(tmp_path / "book.parquet")
    asked = Asked(prices=files.Prices(close))
    made = check(tmp_path / "book.parquet", None, asked)
    assert made.kind == "accounts"
    assert not made.stops
    (note,) = made.notes
    assert note.startswith("2 accounts owe more than the collateral is worth")
    assert "most of all b (3), c (0)" in note
    assert dict(made.facts)["accounts"] == "3, 3 with debt"
    assert "no account" in check(put("account,collateral_BTC\n"), None, asked).stops[0]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "a,b\n1,2\n", "no column of times and none of accounts"),
        ("a.csv", "", "is empty"),
        ("a.xlsx", "x", "give csv or parquet"),
        ("a.parquet", "x", "no readable parquet"),
        ("a.yaml", "- 1\n", "no table of fields"),
        ("a.yaml", "a: [1\n", "no valid YAML"),
        ("a.yaml", "spam: 1\neggs: 2\n", "say what it is with --as"),
        ("a.yaml", "assets: {}\n", "a.yaml"),
        ("a.yaml", "books: {x: 1}\n", "a.yaml"),
        ("a.csv", "time,asset\n2023-01-01,A\n2023-01-02,A\n", "needs a column `close`"),
        ("a.csv", "account,spam\n1,2\n", "no column"),
    ],
)
def test_what_cannot_be_read_stops_with_the_name_of_the_file(name, text, said, put):
    made = check(put(text, name))
    assert made.stops
    assert said in " ".join(made.stops)


def test_a_kind_that_there_is_not(put):
    with pytest.raises(ParameterError, match="--as is 'spam'; choose one of 'prices'"):
        check(put("time,A\n"), "spam")


def test_times_in_the_unnamed_index_of_a_parquet_file(tmp_path):
    index = pd.date_range("2023-01-01", periods=3, unit="us")
    pd.DataFrame({"A": [1.0, 2, 3], "B": 1.0}, index).to_parquet(tmp_path / "a.parquet")
    made = check(tmp_path / "a.parquet")
    assert made.kind == "prices"
    assert not made.stops
