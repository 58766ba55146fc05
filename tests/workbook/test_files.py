from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xcoll.errors import DataError
from xcoll.market import quality
from xcoll.workbook import files

DATA = Path(__file__).resolve().parents[2] / "data"
CLOSE = pd.DataFrame(
    {"BTC": [1.25, 2.0, 1.0 / 3.0], "ETH": [5.0, 6.0, 7.0]},
    pd.date_range("2020-01-01", periods=3, name="time", unit="us"),
)


def written(folder, text, name="mine.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def bundled():
    universe = files.read_universe(DATA / "universe.yaml")
    return universe, *files.read_prices(
        DATA / "crypto_prices.csv", universe.columns, universe.rules()
    )


def test_the_bundled_prices(bundled):
    universe, prices, report = bundled
    assert prices.assets == universe.priced
    assert prices.close.shape == (1461, 13)
    assert prices.bar == pd.Timedelta(days=1)
    assert prices.close.loc["2020-03-12", "BTC"] == pytest.approx(4970.788, abs=1e-3)
    assert prices.close["AVAX"].first_valid_index() == pd.Timestamp("2020-09-23")
    assert prices.close["LUNA"].last_valid_index() == pd.Timestamp("2022-10-09")
    rows = report.set_index("check")
    assert rows.loc["left out", "asset"] == "SOL1-USD"
    assert rows.loc["before listing", "bars"].sum() == 3
    assert {"outlier", "off peg", "suspect print", "delisted", "late listing"} <= set(rows.index)
    assert not report.duplicated().any()


def test_the_bundled_bars_and_their_faults(bundled):
    universe, prices, _ = bundled
    bars = files.read_bars(DATA / "btc_bars.csv", "BTC")
    tolerance = universe.quality.bars_tolerance
    merged, report = quality.attach_bars(prices, bars, tolerance, "btc_bars.csv")
    found = report.groupby("check")["bars"].sum()
    assert found.to_dict() == {
        "bar missing": 4, "bar differs": 2, "close outside bar": 1, "bars": 660
    }  # fmt: skip
    differs = report[report["check"] == "bar differs"].set_index("start")["value"]
    assert differs.index.strftime("%Y-%m-%d").tolist() == ["2021-01-28", "2021-10-27"]
    assert differs.tolist() == pytest.approx([-0.0543, 0.0091], abs=1e-4)
    low = merged.low["BTC"]
    assert low["2020-03-13"] == pytest.approx(4106.98, abs=0.01)
    assert low["2021-05-19"] == pytest.approx(30681.50, abs=0.01)
    assert low["2021-01-28":"2021-01-28"].isna().all()
    known = low.dropna().index
    assert (low[known] <= merged.close.loc[known, "BTC"]).all()
    assert (merged.high.loc[known, "BTC"] >= merged.close.loc[known, "BTC"]).all()
    assert merged.low.drop(columns="BTC").isna().all().all()


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("shape", ["wide", "long"])
def test_csv_wide_or_long_with_either_separator_is_exact(tmp_path, separator, shape):
    table = CLOSE.reset_index()
    if shape == "long":
        table = table.melt("time", var_name="asset", value_name="close")
    path = tmp_path / "mine.csv"
    table.to_csv(path, sep=separator, index=False)
    prices, report = files.read_prices(path)
    pd.testing.assert_frame_equal(prices.close, CLOSE, check_freq=False)
    assert report.empty


@pytest.mark.parametrize("indexed", [True, False])
def test_parquet(tmp_path, indexed):
    path = tmp_path / "mine.parquet"
    (CLOSE if indexed else CLOSE.reset_index()).to_parquet(path)
    pd.testing.assert_frame_equal(files.read_prices(path)[0].close, CLOSE, check_freq=False)


def test_hourly_bars_with_their_own_lows(tmp_path):
    rng = np.random.default_rng(0)
    close = pd.DataFrame(
        100 * np.exp(rng.normal(0, 0.01, (48, 2)).cumsum(axis=0)),
        pd.date_range("2023-01-01", periods=48, freq="h", name="time"),
        ["BTC", "ETH"],
    )
    table = close.reset_index().melt("time", var_name="asset", value_name="close")
    table["low"] = 0.99 * table["close"]
    path = tmp_path / "hourly.csv"
    table.to_csv(path, index=False)
    prices, _ = files.read_prices(path)
    assert prices.bar == pd.Timedelta(hours=1)
    assert np.allclose(prices.low, 0.99 * close)


def test_a_byte_order_mark_and_windows_lines_are_no_fault(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbftime;BTC;ETH\r\n2020-01-01;1;2\r\n2020-01-02;1;2\r\n")
    assert files.read_prices(path)[0].assets == ["BTC", "ETH"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("time,BTC,ETH\n", "no rows"),
        ("\n\n", "mine.csv"),
        ("time,BTC,ETH\n2020-01-01,1,2\n2020-01-02,x,2\n", r"column BTC holds 'x' in row 2"),
        ("time,BTC,BTC\n2020-01-01,1,2\n", r"two columns are named 'BTC'"),
        ("time,BTC,ETH\n2020-01-01,1,000,2\n", r"more fields than the header's 3 in row 1"),
        ("time;BTC;ETH\n2020-01-01;1,5;2\n2020-01-02;1,6;2\n", r"column BTC holds '1,5'"),
        ("time,BTC\n2020-01-01,1\n2020-01-02,1\n", r"one asset only"),
        ("time,BTC,ETH\n2020-01-01,1,2\n", r"at least two bars"),
        ("time,BTC,ETH\n2020-01-01,1,2\n2020-01-01,1,2\n2020-01-02,1,2\n", r"several rows"),
        ("time,BTC,ETH\n2020-01-02,1,2\n2020-01-01,1,2\n", r"not in order"),
        ("time,BTC,ETH\n2020-01-01,0,2\n2020-01-02,1,2\n", r"BTC: close of 0"),
        ("time,BTC,ETH\n2020-01-01,1,-inf\n2020-01-02,1,2\n", r"ETH: close of -inf"),
        ('time,BTC,ETH\n2020-01-01,"1,2\n2020-01-02,1,2\n', r"mine.csv"),
    ],
)
def test_a_bad_csv_is_refused_with_its_name_place_and_fix(tmp_path, text, words):
    with pytest.raises(DataError, match=words) as refused:
        files.read_prices(written(tmp_path, text))
    assert "mine.csv" in str(refused.value)


def test_repair_is_an_explicit_choice_with_a_row(tmp_path):
    path = written(
        tmp_path, "time,BTC,ETH\n2020-01-02,1,2\n2020-01-01,2,3\n2020-01-03,0,2\n2020-01-04,1,3\n"
    )
    prices, report = files.read_prices(path, rules=quality.Rules(repair=True))
    assert prices.close["BTC"].isna().tolist() == [False, False, True, False]
    assert {"unsorted", "close out of range", "gap"} == set(report["check"])


def test_a_missing_file_a_folder_and_another_kind(tmp_path):
    written(tmp_path, "x", "prices.csv")
    with pytest.raises(DataError, match=r"price.csv: no such file.*there are prices.csv"):
        files.read_prices(tmp_path / "price.csv")
    with pytest.raises(DataError, match="this is a folder"):
        files.read_prices(tmp_path)
    with pytest.raises(DataError, match=r"book.xlsx: .xlsx is not read; give csv or parquet"):
        files.read_prices(written(tmp_path, "x", "book.xlsx"))
    with pytest.raises(DataError, match="no readable parquet"):
        files.read_prices(written(tmp_path, "not parquet", "a.parquet"))
    path = tmp_path / "latin.csv"
    path.write_bytes("time,BTC,ETH\n2020-01-01,1,2 \xa3\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8 text at byte 28"):
        files.read_prices(path)


@pytest.mark.parametrize("read", [files.read_addons, files.read_universe, files.read_venues])
def test_configuration_files_that_cannot_be_read(tmp_path, read):
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "mine.yaml")
    with pytest.raises(DataError, match="the file is empty"):
        read(written(tmp_path, "", "mine.yaml"))
    with pytest.raises(DataError, match=r"mine.yaml: no valid YAML"):
        read(written(tmp_path, "a: [1, 2", "mine.yaml"))
    with pytest.raises(DataError, match=r"mine.yaml: no valid YAML.*'date' is there twice"):
        read(written(tmp_path, "date: 2020-01-01\ndate: 2021-01-01\n", "mine.yaml"))
    with pytest.raises(DataError, match=r"mine.yaml: the file holds no table"):
        read(written(tmp_path, "- 1\n", "mine.yaml"))
    with pytest.raises(DataError, match=r"mine.yaml: \d faults\n  date: required"):
        read(written(tmp_path, "nothing: here\n", "mine.yaml"))


def test_the_bundled_venues():
    assert "aave-v3-ethereum" in files.read_venues(DATA / "venues.yaml").venues


def test_the_bundled_margins_and_books():
    assert {"derive-portfolio", "deribit-portfolio", "deribit-standard"} == set(
        files.read_margins(DATA / "venues.yaml")
    )
    assert "mixed account" in files.read_books(DATA / "books.yaml")


@pytest.mark.parametrize("read", [files.read_margins, files.read_books])
def test_margins_and_books_that_cannot_be_read_name_the_file(tmp_path, read):
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "mine.yaml")
    with pytest.raises(DataError, match=r"mine\.yaml"):
        read(written(tmp_path, "nothing: here\n", "mine.yaml"))


def test_the_data_card_says_what_the_file_is(bundled):
    card = files.data_card(DATA / "crypto_prices.csv", bundled[1])
    assert card["sha256"].startswith("e1a068ff")
    assert card["bars"] == 1461
    assert card["bar_hours"] == 24.0
    assert (card["start"], card["end"]) == ("2020-01-01T00:00:00", "2023-12-31T00:00:00")


def test_as_of_a_date_the_card_is_that_of_the_bars_used(bundled, tmp_path):
    universe = bundled[0]
    path, day = DATA / "crypto_prices.csv", "2021-06-30"
    used, _ = files.read_prices(path, universe.columns, universe.rules(), day)
    card = files.data_card(path, used, day)
    assert (card["end"], card["bars"], card["as_of"]) == ("2021-06-30T00:00:00", 547, day)
    lines = path.read_text().splitlines()
    later = written(tmp_path, "\n".join([*lines[:600], *lines[700:]]), "crypto_prices.csv")
    again, _ = files.read_prices(later, universe.columns, universe.rules(), day)
    assert files.data_card(later, again, day) == card
    assert files.data_card(path, used)["sha256"] != card["sha256"]


def test_bars_may_end_before_the_date():
    bars = files.read_bars(DATA / "btc_bars.csv", "BTC", "2023-06-30")
    assert bars.end == pd.Timestamp("2021-10-27")
    assert files.read_bars(DATA / "btc_bars.csv", "BTC", "2020-06-30").end == pd.Timestamp(
        "2020-06-30"
    )
