"""When cohorts open, and which assets a venue would accept at that date."""

import numpy as np
import pandas as pd
import pytest

from tests.liquidation.studies import market
from xcoll.errors import ParameterError
from xcoll.liquidation import cohorts

FOUR_YEARS = pd.date_range("2020-01-01", "2023-12-31", freq="D")


def test_weekly_cohorts_live_inside_the_prices():
    weekly = cohorts.calendar(FOUR_YEARS).query("kind == 'weekly'")["start"]
    assert (weekly.diff().dropna() == pd.Timedelta("7D")).all()
    assert weekly.iloc[0] == FOUR_YEARS[0]
    assert weekly.iloc[-1] + pd.Timedelta("30D") <= FOUR_YEARS[-1]
    assert weekly.iloc[-1] + pd.Timedelta("37D") > FOUR_YEARS[-1]
    assert len(weekly) == 205


def test_every_crisis_has_three_cohorts():
    crises = cohorts.calendar(FOUR_YEARS).query("kind != 'weekly'")
    days = crises.groupby("kind")["days_before"].apply(list).to_dict()
    assert days == {crisis: [1, 7, 30] for crisis in cohorts.CRISES}
    first = crises[(crises["kind"] == "COVID crash") & (crises["days_before"] == 1)]
    assert first["start"].item() == pd.Timestamp("2020-03-11")


def test_a_crisis_outside_the_prices_has_no_cohort():
    made = cohorts.calendar(pd.date_range("2021-01-01", "2021-06-30", freq="D"))
    assert set(made["kind"]) == {"weekly", "May 2021"}


def test_calendar_of_hourly_bars():
    made = cohorts.calendar(pd.date_range("2022-01-01", "2022-03-01", freq="h"), "2D", "12h")
    assert (made["start"].diff().dropna() == pd.Timedelta("2D")).all()
    assert made["start"].iloc[-1] == pd.Timestamp("2022-02-28")


def test_too_short_a_history_is_refused():
    with pytest.raises(ParameterError, match="no window"):
        cohorts.calendar(pd.date_range("2022-01-01", periods=20, freq="D"))


def test_an_asset_is_listed_after_its_history_and_goes_for_good():
    close, _ = market(200, volatility=0.05)
    fallen = close.copy()
    fallen.iloc[100:130, 1] *= 0.01  # it comes back, and stays off the list
    listed = cohorts.listed(fallen, "30D", 0.9)
    assert listed["NEW"].idxmax() == close.index[69]  # thirty days of prices from the fortieth on
    assert listed["BTC"].all()  # listed before the data begin
    assert listed["ETH"].iloc[:100].all()
    assert not listed["ETH"].iloc[100:].any()


def test_an_asset_without_a_price_is_not_listed():
    close, _ = market(100, volatility=0.05)
    close.iloc[80:, 0] = np.nan
    listed = cohorts.listed(close)
    assert listed["BTC"].iloc[:80].all()
    assert not listed["BTC"].iloc[80:].any()


def test_a_slow_fall_is_no_collapse():
    index = pd.date_range("2022-01-01", periods=90, freq="D")
    close = pd.DataFrame({"SLOW": 0.93 ** np.arange(90), "FAST": 0.92 ** np.arange(90)}, index)
    listed = cohorts.listed(close, "30D", 0.9)  # 0.93^29 is 0.12, 0.92^29 is 0.09
    assert listed["SLOW"].all()
    assert listed["FAST"].sum() == 28  # down by nine tenths after 28 days
    with pytest.raises(ParameterError, match="collapse"):
        cohorts.listed(close, collapse=90)


def test_listing_uses_nothing_that_comes_later():
    close, _ = market(200, volatility=0.05)
    planted = close.copy()
    planted.iloc[120:] *= [0.001, 1, 1, 1]
    before, after = cohorts.listed(close), cohorts.listed(planted)
    pd.testing.assert_frame_equal(before.iloc[:120], after.iloc[:120])
    assert not after["BTC"].iloc[120:].any()
