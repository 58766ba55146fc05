import math

import numpy as np
import pandas as pd
import pytest

from xcoll.collateral.history import History
from xcoll.collateral.recalibration import (
    TOOLS,
    Damping,
    Targets,
    differences,
    forgotten,
    remembered,
    remembered_bar,
    without,
)
from xcoll.errors import DataError, ParameterError
from xcoll.estimators import volatility

TIMES = pd.date_range("2020-01-01", periods=400)
BAR = TIMES[100]
WINDOW = 30


def quiet_but_one():
    """Falls of 5 % and 6 % in turn, and of 40 % on one day."""
    returns = pd.DataFrame({"ETH": -0.05 - 0.01 * (np.arange(400) % 2)}, TIMES)
    returns.loc[BAR] = -0.4
    return History(returns, (returns,), volatility.ewma(returns, minimum=1))


def walk(history):
    """Every day: the largest fall of 30 bars, of all, and of the worst 30 bars."""
    falls = -np.expm1(history.log_returns)
    recent = falls.rolling(WINDOW, min_periods=1).max()
    return Targets(recent, falls.cummax(), recent.cummax())


def weekly(history):
    daily = walk(history)
    return Targets(*(frame.iloc[::7] for frame in vars(daily).values()))


def test_a_bar_is_left_out_and_volatility_estimated_anew():
    known = quiet_but_one()
    removed = without(known, BAR, volatility.ewma)
    assert len(removed.log_returns) == 399
    assert BAR not in removed.log_returns.index
    assert removed.lows[0].equals(removed.log_returns)
    assert removed.volatility.equals(volatility.ewma(known.log_returns.drop(index=BAR)))
    before = volatility.ewma(known.log_returns)
    assert removed.volatility["ETH"].iloc[99] == before["ETH"].iloc[99]  # nothing before it moved
    assert removed.volatility["ETH"].iloc[100] < before["ETH"].iloc[101]
    with pytest.raises(DataError, match="no bar at 2030-01-01 00:00:00; it has 2020-01-01"):
        without(known, "2030-01-01", volatility.ewma)


def test_each_rule_forgets_when_its_window_has_passed_or_never():
    known = quiet_but_one()
    made = differences(walk, known, without(known, BAR, volatility.ewma), TIMES)
    assert list(made) == list(TOOLS)
    gone = {tool: forgotten(difference, 0.005)["ETH"] for tool, difference in made.items()}
    assert gone["none"] == BAR + pd.Timedelta(WINDOW, "D")
    assert pd.isna(gone["floor"])
    assert pd.isna(gone["stressed weight"])
    assert gone["buffer"] == gone["none"]  # the fall of the raw haircut is the buffer's too
    jump = -math.expm1(-0.4) + math.expm1(-0.06)
    assert made["none"]["ETH"][BAR] == pytest.approx(jump, abs=1e-12)
    assert (made["none"]["ETH"][: BAR - pd.Timedelta("1D")] == 0.0).all()


def test_stamps_of_the_two_walks_need_not_be_the_same():
    known = quiet_but_one()
    removed = without(known, BAR, volatility.ewma)
    assert not weekly(known).raw.index.equals(weekly(removed).raw.index)
    made = differences(weekly, known, removed, TIMES, Damping(refill=None))
    found = forgotten(made["none"], 0.005)["ETH"]
    assert BAR + pd.Timedelta(WINDOW, "D") <= found <= BAR + pd.Timedelta(WINDOW + 7, "D")


def test_forgotten_is_for_good_and_a_small_rest_is_none():
    days = TIMES[:6]
    frame = pd.DataFrame(
        {
            "back again": [0.0, 0.02, 0.0, -0.02, 0.001, 0.0049],
            "never there": [0.0, 0.001, 0.0, 0.0, 0.0, 0.0],
            "there yet": [0.0, 0.1, 0.1, 0.1, 0.1, 0.005],
            "a tick": [0.0, 0.1, 0.15 - 0.145, 0.0, 0.0, 0.0],
            "late": [math.nan, math.nan, 0.01, 0.0, math.nan, math.nan],
            "not known": [math.nan] * 6,
        },
        days,
    )
    found = forgotten(frame, 0.005)
    expected = [days[4], days[0], pd.NaT, days[3], days[3], pd.NaT]
    assert found.tolist() == expected
    assert found.dtype.kind == "M"
    with pytest.raises(ParameterError, match="tick is 0"):
        forgotten(frame, 0.0)


def test_rows_of_memory_name_the_tool_the_asset_and_the_date():
    days = TIMES[:4]
    frame = pd.DataFrame({"ETH": [0.0, 0.1, 0.1, 0.0], "NEW": [math.nan] * 3 + [0.004]}, days)
    rows = remembered({"none": frame, "floor": frame * 2.0}, [days[1], str(days[3].date())], 0.005)
    assert list(rows.columns) == ["tool", "asset", "date", "difference", "forgotten"]
    assert len(rows) == 2 * 3  # NEW is not known on the first date
    one = rows[(rows["tool"] == "floor") & (rows["asset"] == "ETH")]
    assert one["date"].tolist() == [days[1], days[3]]
    assert one["difference"].tolist() == [0.2, 0.0]
    assert one["forgotten"].tolist() == [days[3]] * 2
    quiet = remembered({"none": frame, "floor": frame}, [days[3]], 0.005)
    assert set(quiet["asset"]) == {"ETH"}  # NEW is never moved by a tick
    with pytest.raises(ParameterError, match="2025-01-01 00:00:00 is none of the days compared"):
        remembered({"none": frame}, ["2025-01-01"], 0.005)


def test_a_bar_that_is_not_there_gives_way_to_the_worst_of_the_first_half():
    days = pd.date_range("2022-01-01", periods=100, freq="D")
    returns = pd.DataFrame(0.01, days, ["A", "B", "C"])
    returns.iloc[30] = [-0.2, -0.3, 0.1]
    returns.iloc[80] = -0.9
    assert remembered_bar(returns, "2022-02-01") == pd.Timestamp("2022-02-01")
    assert remembered_bar(returns, "2020-03-12") == days[30]
