import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.errors import DataError
from xcoll.market import quality, simulate
from xcoll.market.findings import COLUMNS, summary
from xcoll.market.prices import Prices
from xcoll.market.quality import Rules

BARS = 300
ASSETS = ["BTC", "ETH", "BNB", "ADA"]
INDEX = pd.date_range("2020-01-01", periods=BARS, name="time", unit="us")
D = pd.Timestamp


@pytest.fixture
def close():
    sigma = pd.Series(0.03, ASSETS)
    R = np.full((4, 4), 0.6) + 0.4 * np.eye(4)
    r = simulate.correlated(
        BARS - 1, np.random.default_rng(1), sigma=sigma, correlation=R, index=INDEX[1:]
    )
    return simulate.to_prices(r).rename_axis("time")


def findings(report, check):
    return report[report["check"] == check].reset_index(drop=True)


def run(table, **rules):
    return quality.check(Prices(table), Rules(**rules), "mine.csv")


def test_clean_prices_come_through_untouched_without_a_finding(close):
    clean, report = run(close)
    pd.testing.assert_frame_equal(clean.close, close, check_freq=False)
    assert report.empty
    assert tuple(report.columns) == COLUMNS


@settings(max_examples=25, deadline=None)
@given(st.integers(2, BARS - 2), st.sampled_from(ASSETS), st.booleans())
def test_nothing_changes_without_a_row_that_covers_it(bar, asset, repair):
    rng = np.random.default_rng(bar)
    table = pd.DataFrame(np.exp(rng.normal(0, 0.02, (BARS, 4)).cumsum(axis=0)), INDEX, ASSETS)
    table.iloc[bar, table.columns.get_loc(asset)] = -5.0 if repair else np.nan
    clean, report = run(table, repair=repair, fill_bars=1)
    changed = clean.close.ne(table) & ~(clean.close.isna() & table.isna())
    missing = clean.close.isna()
    for name in ASSETS:
        for time in INDEX[(changed | missing)[name]]:
            rows = report[(report["asset"] == name) & (report["start"] <= time)]
            assert (rows["end"] >= time).any()


def test_a_missing_bar_becomes_a_row_of_missing_values(close):
    clean, report = run(close.drop(INDEX[[10, 11, 50]]))
    assert clean.close.index.equals(INDEX)
    assert clean.close.isna().any(axis=1).sum() == 3
    found = findings(report, "missing bar")
    assert found["bars"].tolist() == [2, 1]
    assert found["start"].tolist() == [INDEX[10], INDEX[50]]
    assert found["action"].unique().tolist() == ["row of missing values added"]
    assert findings(report, "gap")["bars"].tolist() == [2, 1] * 4


def test_gaps_are_filled_only_when_repair_says_so_and_only_short_ones(close):
    close.iloc[20:22, 0] = np.nan
    close.iloc[40:45, 0] = np.nan
    for rules in ({}, {"fill_bars": 2}, {"repair": True}):
        clean, report = run(close, **rules)
        assert clean.close["BTC"].isna().sum() == 7
        assert findings(report, "gap")["bars"].tolist() == [2, 5]
    clean, report = run(close, repair=True, fill_bars=2)
    assert clean.close["BTC"].isna().sum() == 5
    assert (clean.close["BTC"].iloc[20:22] == close["BTC"].iloc[19]).all()
    assert findings(report, "gap").set_index("bars")["action"].to_dict() == {
        5: "left missing",
        2: "filled with the last close",
    }
    assert findings(report, "stale").empty


def test_stale_runs_of_the_stated_length(close):
    close.iloc[30:32, 1] = close.iloc[30, 1]  # two equal closes: not yet
    close.iloc[60:64, 1] = close.iloc[60, 1]
    found = findings(run(close, stale_bars=3)[1], "stale")
    assert found[["asset", "start", "end", "bars"]].to_numpy().tolist() == [
        ["ETH", INDEX[60], INDEX[63], 4]
    ]


def test_an_outlier_is_one_asset_against_the_others_and_not_a_common_fall(close):
    common = close.copy()
    common.iloc[100:] *= 0.5
    assert findings(run(common)[1], "outlier").empty
    close.iloc[100:, 2] *= 0.5
    found = findings(run(close)[1], "outlier")
    assert found[["asset", "start", "bars", "action"]].to_numpy().tolist() == [
        ["BNB", INDEX[100], 1, "kept"]
    ]
    assert found["value"][0] < -20


def test_a_broken_peg_and_a_suspect_print(close):
    close["USDC"] = 1.0 + 0.001 * np.sin(np.arange(BARS))
    close.loc[INDEX[70:72], "USDC"] = [0.97, 0.93]
    close.loc[INDEX[90], "USDC"] = 1.04
    mark = quality.Suspect("USDC", INDEX[90], INDEX[91], "above the peg in a crash")
    clean, report = run(close, pegs={"USDC": 1.0}, suspect=(mark,))
    found = findings(report, "off peg")
    assert found["value"].tolist() == pytest.approx([0.93, 1.04])
    assert found["bars"].tolist() == [2, 1]
    flagged = findings(report, "suspect print")
    assert flagged["action"][0] == "kept, flagged: above the peg in a crash"
    assert flagged["bars"][0] == 2
    pd.testing.assert_frame_equal(clean.close, close, check_freq=False)
    assert not (report["check"] == "outlier").any()  # a peg is not compared with floating prices


def test_listings_from_the_rules_and_from_the_prices(close):
    close.iloc[:25, 3] = np.nan
    close.iloc[280:, 2] = np.nan
    rules = {"listed_from": {"BTC": INDEX[5]}, "delisted_after": {"ETH": INDEX[250]}}
    clean, report = run(close, **rules)
    assert clean.close["BTC"].first_valid_index() == INDEX[5]
    assert clean.close["ETH"].last_valid_index() == INDEX[250]
    assert findings(report, "before listing")[["asset", "bars"]].to_numpy().tolist() == [["BTC", 5]]
    assert findings(report, "after delisting")["bars"].tolist() == [BARS - 251]
    late = findings(report, "late listing")
    assert late.set_index("asset")["end"].to_dict() == {"BTC": INDEX[5], "ADA": INDEX[25]}
    gone = findings(report, "delisted")
    assert gone.set_index("asset")["start"].to_dict() == {"ETH": INDEX[250], "BNB": INDEX[279]}
    assert findings(report, "gap").empty


FAULTY = {
    "duplicate": lambda t: pd.concat([t.iloc[:3], t.iloc[2:]]),
    "unsorted": lambda t: pd.concat([t.iloc[5:], t.iloc[:5]]),
    "close out of range": lambda t: t.mask((t == t.iloc[7, 0]) | (t == t.iloc[9, 0]), -np.inf),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_fault_stops_by_default_and_repair_makes_it_a_row(close, fault):
    broken = FAULTY[fault](close)
    with pytest.raises(DataError, match=r"^mine.csv: "):
        run(broken)
    clean, report = run(broken, repair=True)
    assert clean.close.index.equals(INDEX)
    row = findings(report, fault)
    assert len(row) == 1
    assert row["action"][0] in ("last copy kept", "sorted", "set to missing")
    good = clean.close.notna()
    pd.testing.assert_frame_equal(clean.close[good], close[good], check_freq=False)
    assert (~good).to_numpy().sum() == (2 if fault == "close out of range" else 0)


def test_a_repair_keeps_the_last_of_two_different_copies(close):
    other = close.iloc[[4]] * 1.01
    clean, _ = run(pd.concat([close.iloc[:5], other, close.iloc[5:]]), repair=True)
    assert np.allclose(clean.close.iloc[4], other.iloc[0])


def test_the_universe_and_the_file_have_to_agree(close):
    with pytest.raises(DataError, match=r"no column of prices for LUNA.*out of the universe"):
        run(close, assets=("BTC", "LUNA"), repair=True)
    with pytest.raises(DataError, match=r"column ADA is no asset of the universe.*ignored"):
        run(close, assets=("BTC", "ETH", "BNB"))
    clean, report = run(close, assets=("ETH", "BTC", "BNB"), repair=True)
    assert clean.assets == ["ETH", "BTC", "BNB"]
    assert findings(report, "left out")["action"].tolist() == [
        "column left out: not in the universe"
    ]
    clean, report = run(close, assets=("ETH", "BTC", "BNB"), ignored={"ADA": "not the real one"})
    assert findings(report, "left out")["action"].tolist() == ["column left out: not the real one"]


def test_one_asset_and_an_asset_without_prices_are_refused(close):
    with pytest.raises(DataError, match=r"one asset only \(BTC\)"):
        run(close[["BTC"]])
    with pytest.raises(DataError, match=r"ETH has fewer than two prices"):
        run(close.assign(ETH=np.nan))


def test_bars_of_mixed_length_are_refused(close):
    odd = close.rename(index={INDEX[9]: INDEX[9] + pd.Timedelta(hours=5)})
    with pytest.raises(DataError, match=r"2020-01-10 05:00:00 is off the grid"):
        run(odd, repair=True)


def test_a_low_above_its_close_is_not_used(close):
    low = close * 0.97
    low.iloc[12, 0] = 2 * close.iloc[12, 0]
    clean, report = quality.check(Prices(close, low=low), Rules())
    assert clean.low["BTC"].isna().sum() == 1
    assert findings(report, "low beyond close")["start"].tolist() == [INDEX[12]]


class TestAttachBars:
    @pytest.fixture
    def bars(self, close):
        own = close[["BTC"]].iloc[:100]
        return Prices(own, low=own * 0.95, high=own * 1.02)

    def attach(self, close, bars):
        return quality.attach_bars(Prices(close), bars, 0.005)

    def test_lows_and_highs_where_the_closes_agree(self, close, bars):
        prices, report = self.attach(close, bars)
        assert prices.low["BTC"].notna().sum() == 100
        assert prices.low.drop(columns="BTC").isna().all().all()
        assert np.allclose(prices.high["BTC"].iloc[:100], 1.02 * close["BTC"].iloc[:100])
        assert report["check"].tolist() == ["bars"]

    def test_a_bar_at_odds_and_a_missing_one_lend_nothing(self, close, bars):
        bars.close.iloc[30] *= 1.02
        for table in (bars.close, bars.low, bars.high):
            table.iloc[40] = np.nan
        prices, report = self.attach(close, bars)
        assert prices.low["BTC"].iloc[[30, 40]].isna().all()
        assert prices.high["BTC"].iloc[[30, 40]].isna().all()
        assert prices.low["BTC"].notna().sum() == 98
        assert findings(report, "bar differs")["value"].tolist() == pytest.approx([0.02])
        assert findings(report, "bar missing")["start"].tolist() == [INDEX[40]]

    def test_a_close_just_outside_its_bar_widens_the_bar(self, close, bars):
        bars.low.iloc[20] = close["BTC"].iloc[20] * 1.001
        prices, report = self.attach(close, bars)
        assert (prices.low["BTC"] <= close["BTC"])[:100].all()
        assert prices.low["BTC"].iloc[20] == close["BTC"].iloc[20]
        assert findings(report, "close outside bar")["start"].tolist() == [INDEX[20]]

    def test_rounding_in_the_bars_is_no_finding(self, close, bars):
        bars.low.iloc[20] = close["BTC"].iloc[20] * (1 + 1e-9)
        prices, report = self.attach(close, bars)
        assert findings(report, "close outside bar").empty
        assert prices.low["BTC"].iloc[20] == close["BTC"].iloc[20]

    def test_bars_that_do_not_fit_are_refused(self, close, bars):
        with pytest.raises(DataError, match="low and a column high"):
            self.attach(close, Prices(bars.close))
        with pytest.raises(DataError, match="no prices for BTC"):
            self.attach(close[["ETH", "BNB"]], bars)
        later = Prices(*(t.shift(9, freq="1000D") for t in (bars.close, bars.low, bars.high)))
        with pytest.raises(DataError, match="no bar in common"):
            self.attach(close, later)
        hourly = close.set_axis(pd.date_range("2020-01-01", periods=BARS, freq="h"))
        with pytest.raises(DataError, match=r"lasts 1 days.*of the prices 0 days 01:00:00"):
            self.attach(hourly, bars)


def test_the_summary_counts_what_the_report_lists(close):
    close.iloc[20:22, 0] = np.nan
    close.iloc[100:, 2] *= 0.5
    report = run(close)[1]
    table = summary(report)
    assert table["findings"].sum() == len(report)
    assert table.set_index("check").loc["gap", ["bars", "assets"]].tolist() == [2, "BTC"]
    assert summary(report.iloc[:0]).empty
