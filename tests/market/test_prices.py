import datetime
import io

import numpy as np
import pandas as pd
import pytest

from xcoll.errors import DataError
from xcoll.market import prices

INDEX = pd.date_range("2020-01-01", periods=4, name="time", unit="us")
CLOSE = pd.DataFrame({"BTC": [1.0, 2.0, 3.0, 4.0], "ETH": [5.0, np.nan, 7.0, 8.0]}, INDEX)
LONG = (
    CLOSE.reset_index()
    .melt("time", var_name="asset", value_name="close")
    .dropna()
    .sort_values(["time", "asset"], ignore_index=True)
)


def wide(text, **options):
    return prices.parse(pd.read_csv(io.StringIO(text), **options), "mine.csv")


def test_a_wide_table_with_a_time_column_or_index():
    for table in (CLOSE, CLOSE.reset_index(), CLOSE.reset_index(names="Date")):
        pd.testing.assert_frame_equal(prices.parse(table).close, CLOSE, check_freq=False)


def test_a_long_table_in_any_block_order_is_the_same_as_the_wide_one():
    by_asset = LONG.sort_values(["asset", "time"], kind="stable")
    for table in (LONG, by_asset):
        pd.testing.assert_frame_equal(prices.parse(table).close, CLOSE, check_freq=False)


def test_a_long_table_brings_its_bars_and_leaves_other_columns_out():
    table = LONG.assign(low=LONG["close"] * 0.9, High=LONG["close"] * 1.1, volume=0.0, trades=3)
    parsed = prices.parse(table)
    assert list(parsed.tables) == ["close", "low", "high", "volume"]
    pd.testing.assert_frame_equal(parsed.low, CLOSE * 0.9, check_freq=False)
    pd.testing.assert_frame_equal(parsed.high, CLOSE * 1.1, check_freq=False)


def test_names_in_the_file_become_symbols():
    columns = {"BTC-USD": "BTC", "ETH-USD": "ETH"}
    table = CLOSE.rename(columns={"BTC": "BTC-USD"})
    assert prices.parse(table, columns=columns).assets == ["BTC", "ETH"]
    table = LONG.assign(asset=LONG["asset"] + "-USD").rename(columns={"close": "last"})
    assert prices.parse(table, columns={**columns, "last": "close"}).assets == ["BTC", "ETH"]


@pytest.mark.parametrize("bar", ["1D", "1h", "15min"])
def test_any_bar_length(bar):
    index = pd.date_range("2020-01-01", periods=5, freq=bar)
    assert prices.parse(pd.DataFrame({"BTC": 1.0, "ETH": 2.0}, index)).bar == pd.Timedelta(bar)


def test_bar_length_is_the_most_frequent_spacing():
    index = pd.DatetimeIndex(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-06"])
    assert prices.bar_length(index) == pd.Timedelta(days=1)
    with pytest.raises(DataError, match="at least two bars"):
        prices.bar_length(index[:1])


def test_one_zone_is_read_as_utc():
    text = "time,BTC,ETH\n2020-01-01T01:00+01:00,1,2\n2020-01-02T01:00+01:00,1,2\n"
    assert wide(text).start == pd.Timestamp("2020-01-01")
    zoned = CLOSE.tz_localize("Europe/Paris")
    assert prices.parse(zoned).start == pd.Timestamp("2019-12-31 23:00")


def test_select_keeps_order_and_names_what_is_missing():
    parsed = prices.parse(LONG.assign(low=LONG["close"]))
    assert parsed.select(["ETH", "BTC"]).low.columns.tolist() == ["ETH", "BTC"]
    with pytest.raises(DataError, match="no prices for LUNA; there are BTC, ETH"):
        parsed.select(["LUNA"])


def test_unknown_lows_are_missing_not_made_up():
    parsed = prices.parse(CLOSE)
    assert parsed.low is None
    assert parsed.lows.isna().all().all()
    assert parsed.highs.shape == CLOSE.shape


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,BTC,ETH\n", "no rows"),
        ("BTC,ETH\n1,2\n", "no column of times.*BTC, ETH"),
        ("time\n2020-01-01\n2020-01-02\n", "no column of prices"),
        (
            "time,BTC,ETH\n2020-01-01,1,2\n2020-01-02,1.0 USD,2\n",
            r"column BTC holds '1.0 USD' in row 2",
        ),
        ("time,BTC,ETH\n2020-01-01,1,\n2020-01-02,2,true\n", r"column ETH"),
        (
            "time,BTC,ETH\n2020-01-01,1,2\n2020-01-01,1,2\n2020-01-02,1,2\n",
            r"several rows for 2020-01-01",
        ),
        ("time,BTC,ETH\n2020-01-02,1,2\n2020-01-01,1,2\n", r"not in order at 2020-01-01.*sort"),
        ("time,BTC,ETH\n2020-01-01,0,2\n2020-01-02,1,2\n", r"BTC: close of 0 at 2020-01-01"),
        ("time,BTC,ETH\n2020-01-01,1,2\n2020-01-02,1,-3\n", r"ETH: close of -3 at 2020-01-02"),
        ("time,BTC,ETH\n2020-01-01,inf,2\n2020-01-02,1,2\n", r"BTC: close of inf"),
        ("time,BTC,ETH\n,1,2\n2020-01-02,1,2\n", r"no time in row 1"),
        ("time,BTC,ETH\n2020-01-01,1,2\n01/13/2020,1,2\n", r"'01/13/2020' in row 2 is no date"),
        ("time,BTC,ETH\n1577836800,1,2\n1577923200,1,2\n", r"times are numbers"),
        (
            "time,BTC,ETH\n2020-01-01T00:00Z,1,2\n2020-01-02T00:00+01:00,1,2\n",
            r"mixed time zones, \+00:00 in row 1 and \+01:00 in row 2",
        ),
        (
            "time,BTC,ETH\n2020-01-01T00:00Z,1,2\n2020-01-02T00:00,1,2\n",
            r"mixed time zones, \+00:00 in row 1 and none in row 2",
        ),
        ("time,asset,last\n2020-01-01,BTC,1\n2020-01-02,BTC,1\n", "needs a column `close`"),
        ("time,asset,close\n2020-01-01,,1\n2020-01-02,BTC,1\n", "no asset in row 1"),
        (
            "time,asset,close\n2020-01-01,BTC,1\n2020-01-01,BTC,2\n2020-01-02,BTC,2\n",
            "several rows for 2020-01-01",
        ),
        ("time,asset,close\n2020-01-02,BTC,1\n2020-01-01,BTC,2\n", "not in order"),
        ("time,asset,close,low\n2020-01-01,BTC,1,-1\n2020-01-02,BTC,1,1\n", "BTC: low of -1"),
        (
            "time,asset,close,volume\n2020-01-01,BTC,1,-1\n2020-01-02,BTC,1,1\n",
            "volume of -1.*at least",
        ),
        (
            "Date,Open,High,Low,Close\n2020-01-01,1,1,1,1\n2020-01-02,1,1,1,1\n",
            "add a column `asset`",
        ),
    ],
)
def test_a_bad_table_is_refused_with_file_place_and_fix(text, words):
    with pytest.raises(DataError, match=words) as refused:
        wide(text)
    assert str(refused.value).startswith("mine.csv: ")


def test_two_columns_for_one_asset_are_refused():
    with pytest.raises(DataError, match="two columns for BTC"):
        prices.parse(CLOSE.assign(**{"BTC-USD": 1.0}), columns={"BTC-USD": "BTC"})


def test_many_rows_are_named_by_the_first_three():
    text = "time,BTC,ETH\n" + "".join(f"2020-01-{day:02d},x,1\n" for day in range(1, 8))
    with pytest.raises(DataError, match="rows 1, 2, 3 and 4 more"):
        wide(text)


def test_the_table_ends_at_the_end_of_a_day():
    hours = pd.date_range("2020-01-01 02:00", periods=60, freq="1h")
    table = pd.DataFrame({"BTC": 1.0, "ETH": 2.0}, hours)
    parsed = prices.until(prices.layout(table), datetime.date(2020, 1, 1))
    assert parsed.end == pd.Timestamp("2020-01-01 23:00")
    whole = prices.until(prices.layout(table), datetime.date(2020, 1, 3))
    assert whole.end == hours[-1]  # a day that has begun


def test_what_is_wrong_after_the_day_is_not_looked_at():
    table = CLOSE.copy()
    table.iloc[3, 0] = -1.0
    late = pd.concat([table, table.iloc[[3, 2]]])
    kept = prices.until(prices.layout(late), datetime.date(2020, 1, 2))
    pd.testing.assert_frame_equal(prices.prove(kept).close, CLOSE.iloc[:2], check_freq=False)
    with pytest.raises(DataError, match="not in order"):
        prices.prove(prices.until(prices.layout(late), datetime.date(2020, 1, 4)))


def test_bars_that_do_not_reach_the_day():
    laid, day = prices.layout(CLOSE), datetime.date(2020, 1, 5)
    with pytest.raises(DataError, match="mine: the last bar is 2020-01-04 00:00:00, before"):
        prices.until(laid, day, "mine")
    assert prices.until(laid, day, reach=False).end == laid.end
    with pytest.raises(DataError, match="no bar up to 2019-12-31, the first one is 2020-01-01"):
        prices.until(laid, datetime.date(2019, 12, 31), reach=False)
