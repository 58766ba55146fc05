"""Readings of a path around an event: what was known, and what came the day after."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral.recalibration.readings import EVENTS, asked_on, events_in, side_by_side
from xcoll.errors import DataError, ParameterError

DAYS = pd.date_range("2021-05-01", periods=40, name="time")
EVENT = {"crash": "2021-05-19"}


def frame(value=0.2, days=DAYS):
    return pd.DataFrame(value, days, ["BTC", "ETH"])


def around():
    path, losses = frame(), frame(0.01)
    path.loc["2021-05-12":] = 0.25
    path.loc["2021-05-19":] = 0.40
    losses.loc["2021-05-18"] = [0.30, 0.24]  # the day of the event
    losses.loc["2021-05-19"] = [0.10, 0.45]
    return path, losses


def test_the_day_before_and_the_day_itself():
    path, losses = around()
    table = asked_on({"p": path}, losses, EVENT).set_index(["known", "asset"])
    before, itself = table.loc["day before"], table.loc["day itself"]
    assert (before["time"] == pd.Timestamp("2021-05-18")).all()
    assert (itself["time"] == pd.Timestamp("2021-05-19")).all()
    assert before["haircut"].tolist() == [0.25, 0.25]
    assert before["change"].tolist() == pytest.approx([0.05, 0.05])  # against 11 May
    assert before["covered"].tolist() == [False, True]
    assert itself["haircut"].tolist() == [0.40, 0.40]
    assert itself["change"].tolist() == pytest.approx([0.15, 0.15])  # against 12 May
    assert itself["excess"].tolist() == pytest.approx([-0.30, 0.05])
    for known, count in (("day before", 1), ("day itself", 1)):
        wide = side_by_side(asked_on({"p": path}, losses, EVENT), known).set_index("path")
        event = next(iter(EVENT))
        assert wide.loc["p", event] == (0.25 if known == "day before" else 0.40)
        assert wide.loc["p", f"{event}: uncovered"] == count


@given(st.integers(0, 39), st.floats(0.01, 1.0))
@settings(max_examples=40, deadline=None)
def test_nothing_later_moves_a_reading(place, planted):
    path, losses = around()
    changed = path.copy()
    changed.iloc[place] = planted
    columns = ["haircut", "change"]
    for known, time in (("day before", "2021-05-18"), ("day itself", "2021-05-19")):
        old, new = (
            asked_on({"p": made}, losses, EVENT).set_index(["known", "asset"]).loc[known, columns]
            for made in (path, changed)
        )
        if DAYS[place] > pd.Timestamp(time):
            pd.testing.assert_frame_equal(old, new)
        if DAYS[place] == pd.Timestamp(time):
            assert (new["haircut"] == planted).all()


def test_weekly_paths_late_listings_and_a_loss_that_is_not_over():
    path, losses = around()
    path.loc[:"2021-05-18", "ETH"] = np.nan
    losses.iloc[-1] = np.nan
    weekly = path.iloc[::7]  # 1, 8, 15, 22 May …
    events = EVENT | {"last": f"{DAYS[-1]:%Y-%m-%d}"}
    table = asked_on({"daily": path, "weekly": weekly}, losses, events)
    crash = table[(table["event"] == "crash") & (table["known"] == "day before")]
    assert crash[["path", "asset"]].to_numpy().tolist() == [["daily", "BTC"], ["weekly", "BTC"]]
    assert crash.set_index("path").loc["weekly", "haircut"] == 0.25  # of 15 May
    assert crash.set_index("path").loc["weekly", "change"] == pytest.approx(0.05)  # of 8 May
    last = table[(table["event"] == "last") & (table["known"] == "day itself")]
    assert last["loss"].isna().all()
    assert last["excess"].isna().all()
    listed = table[(table["asset"] == "ETH") & (table["known"] == "day itself")]
    assert listed.loc[listed["event"] == "crash", "change"].isna().all()


def test_hourly_bars_are_read_at_the_last_close_of_the_day():
    hours = pd.date_range("2021-05-17", periods=96, freq="h")
    path = pd.DataFrame({"BTC": np.linspace(0.1, 0.9, 96)}, hours)
    table = asked_on({"p": path}, 0.0 * path, EVENT).set_index("known")
    assert table["time"].tolist() == [
        pd.Timestamp("2021-05-18 23:00"), pd.Timestamp("2021-05-19 23:00")
    ]  # fmt: skip
    assert table["change"].isna().all()  # the path is not a week old


def test_bad_input():
    path, losses = around()
    assert all(pd.Timestamp(day).year in (2021, 2022, 2023) for day in EVENTS.values())
    for date in ("2021-05-01", "2021-06-10"):
        with pytest.raises(DataError, match=f"odd, {date}, is outside the losses"):
            asked_on({"p": path}, losses, {"odd": date})
    with pytest.raises(DataError, match="no path has a haircut"):
        asked_on({"p": np.nan * path}, losses, EVENT)
    with pytest.raises(DataError, match="no path has a haircut"):
        asked_on({}, losses, EVENT)
    with pytest.raises(ParameterError, match="since is '7'"):
        asked_on({"p": path}, losses, EVENT, since="7")


def test_events_are_those_that_are_covered_or_else_the_worst_days():
    days = pd.date_range("2021-05-01", "2022-06-01", freq="D")
    losses = pd.DataFrame(0.01, days, ["A", "B"])
    assert list(events_in(losses).values()) == ["2021-05-19", "2022-05-12"]
    other = losses.set_axis(days - pd.Timedelta("3650D"))
    other.iloc[100] = 0.5
    other.iloc[50] = 0.4
    found = events_in(other, 2)
    # the loss that begins at the close of a day is seen on the next
    assert list(found.values()) == [
        f"{other.index[place] + pd.Timedelta('1D'):%Y-%m-%d}" for place in (50, 100)
    ]
    path = pd.DataFrame(0.3, other.index, ["A", "B"])
    read = side_by_side(asked_on({"p": path}, other, found)).set_index("path")
    assert read.loc["p", [f"{name}: uncovered" for name in found]].tolist() == [2, 2]
