import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral import recalibration
from xcoll.collateral.recalibration import EMIR, TOOLS, Damping, Targets, exhaustible_buffer, post
from xcoll.errors import DataError, ParameterError

HAIRCUTS = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=60)


def days(n, freq="D"):
    return pd.date_range("2023-01-01", periods=n, freq=freq)


def path(values, freq="D"):
    return pd.DataFrame({"ETH": values}, days(len(values), freq), dtype=float)


def targets(raw, long_run=None, stressed=None):
    return Targets(*(path(raw if x is None else x) for x in (raw, long_run, stressed)))


def by_hand(values, b, wait, tick):
    """The buffer told in words, one number at a time: days apart, no ceiling."""
    posted, peak, quiet, left = [], None, 0, wait
    for m in values:
        full = (1 + b) * m
        if not posted or full <= posted[-1]:
            posted.append(full)
            peak = None
            continue
        quiet += 1
        if peak is None or m > peak + tick:
            peak, quiet, left = m, 0, wait
        level = posted[-1]
        if quiet > wait:  # the refill has `left` steps to go, this one among them
            level += (full - level) / left
            left -= 1
        posted.append(full if left == 0 else max(m, level))
        if posted[-1] == full:
            peak = None
    return posted


def test_a_quarter_that_may_be_used_up():
    # EMIR article 28(1)(a), worked by hand: it starts at 1.25 m and ends at 1.25 m
    margins = path([100, 100, 140, 180, 120])
    for refill in (None, "20D"):
        posted = exhaustible_buffer(margins, 0.25, refill=refill)
        assert posted["ETH"].tolist() == [125, 125, 140, 180, 150]
    found = post(targets([0.50, 0.50, 0.70, 0.90, 0.60]), "buffer")["ETH"]
    np.testing.assert_allclose(found, [0.625, 0.625, 0.70, 0.90, 0.75], rtol=1e-14)


@pytest.mark.parametrize(("high", "used"), [(180.0, 180.0), (110.0, 125.0)])
def test_the_rest_is_refilled_in_twenty_equal_steps_after_twenty_bars(high, used):
    posted = exhaustible_buffer(path([100.0] + [high] * 60), refill="20D")["ETH"].to_numpy()
    assert posted[1:22].tolist() == [used] * 21
    steps = np.diff(posted[21:42])
    np.testing.assert_allclose(steps, (1.25 * high - used) / 20, rtol=1e-12)
    assert posted[41:].tolist() == [1.25 * high] * 20
    assert exhaustible_buffer(path([100.0] + [high] * 60))["ETH"].iloc[-1] == used


def test_weekly_rows_are_refilled_at_the_pace_of_daily_ones():
    daily = exhaustible_buffer(path([100.0] + [180.0] * 70), refill="20D")
    weeks = path([100.0] + [180.0] * 10, "7D")
    weekly = exhaustible_buffer(weeks, refill="20D")
    # the rise is seen on day 1 by the one and on day 7 by the other
    shifted = daily["ETH"].shift(6).reindex(weekly.index).iloc[2:]
    np.testing.assert_allclose(weekly["ETH"].iloc[2:], shifted, rtol=1e-14)


def test_a_rise_on_the_way_starts_the_wait_again_and_a_creep_does_not():
    values = [100.0] + [180.0] * 25 + [190.0] + [190.0] * 20 + [190.0] * 20
    posted = exhaustible_buffer(path(values), refill="20D")["ETH"].to_numpy()
    held = posted[25]
    assert 180.0 < held < 225.0
    assert posted[26:47].tolist() == [max(190.0, held)] * 21
    assert posted[66] == 1.25 * 190.0
    creeping = [100.0] + [180.0 + 0.01 * k for k in range(60)]
    assert exhaustible_buffer(path(creeping), refill="20D")["ETH"].iloc[-1] == creeping[-1]
    full = exhaustible_buffer(path(creeping), refill="20D", tick=1.0)["ETH"].iloc[-1]
    assert full == pytest.approx(1.25 * creeping[-1], rel=0.01)


def test_a_full_buffer_absorbs_what_goes_up_and_down():
    posted = exhaustible_buffer(path([100.0, 110.0] * 100), refill="20D")
    assert (posted == 125.0).all(axis=None)


@settings(max_examples=150, deadline=None)
@given(HAIRCUTS, st.floats(0.01, 0.5), st.integers(1, 6), st.sampled_from([0.0, 0.05]))
def test_the_refill_is_what_a_plain_loop_says(values, buffer, wait, tick):
    repeated = [value for value in values for _ in range(4)]  # so that it comes to a rest
    posted = exhaustible_buffer(path(repeated), buffer, refill=f"{wait}D", tick=tick)
    np.testing.assert_allclose(
        posted["ETH"], by_hand(repeated, buffer, wait, tick), rtol=1e-9, atol=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(HAIRCUTS, st.floats(0.0, 0.5), st.sampled_from([None, "1D", "20D"]))
def test_the_buffer_stays_between_the_raw_value_and_the_full_buffer(raw, buffer, refill):
    margins = path(raw)
    posted = exhaustible_buffer(margins, buffer, refill=refill)
    assert (posted >= margins).all(axis=None)
    assert (posted <= margins * (1.0 + buffer) + 1e-12).all(axis=None)
    capped = exhaustible_buffer(margins, buffer, 1.0, refill)
    assert (capped <= 1.0).all(axis=None)


def test_margins_without_dates_have_a_buffer_and_no_refill():
    numbered = pd.DataFrame({"ETH": [0.2, 0.3, 0.1]})
    assert exhaustible_buffer(numbered)["ETH"].tolist() == [0.25, 0.3, 0.125]
    with pytest.raises(DataError, match="a refill of 20D needs times"):
        exhaustible_buffer(numbered, refill="20D")


def test_each_tool_is_its_formula():
    wanted = targets([0.2, 0.5], long_run=[0.3, 0.4], stressed=[0.6, 0.45])
    assert post(wanted, "none")["ETH"].tolist() == [0.2, 0.5]
    assert post(wanted, "floor")["ETH"].tolist() == [0.3, 0.5]
    np.testing.assert_allclose(
        post(wanted, "stressed weight")["ETH"], [0.75 * 0.2 + 0.25 * 0.6, 0.5], rtol=1e-15
    )
    heavy = post(wanted, "stressed weight", Damping(weight=1.0))
    np.testing.assert_allclose(heavy["ETH"], [0.6, 0.5], rtol=1e-15)
    assert (EMIR.buffer, EMIR.weight, EMIR.refill) == (0.25, 0.25, "20D")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.floats(0.0, 1.0)] * 3), min_size=2, max_size=30))
def test_no_tool_posts_less_than_the_raw_haircut_or_more_than_one(rows):
    wanted = targets(*np.transpose(rows).tolist())
    for tool in TOOLS:
        posted = post(wanted, tool)
        assert posted.index.equals(wanted.raw.index)
        assert (posted >= wanted.raw).all(axis=None), tool
        assert (posted <= 1.0).all(axis=None), tool


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_looks_at_nothing_to_come(tool):
    rng = np.random.default_rng(3)
    rows = rng.uniform(0.1, 0.4, (3, 200))
    before = post(targets(*rows), tool)
    rows[:, 150:] = 0.95
    after = post(targets(*rows), tool)
    pd.testing.assert_frame_equal(after.iloc[:150], before.iloc[:150])
    assert (after.iloc[150:] > before.iloc[150:]).all(axis=None)


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_takes_each_asset_by_itself_and_waits_for_a_late_one(tool):
    rng = np.random.default_rng(4)
    frames = [pd.DataFrame(rng.uniform(0.1, 0.4, (90, 2)), days(90), ["A", "B"]) for _ in range(3)]
    frames[0].loc[:"2023-02-01", "B"] = math.nan
    frames[0].loc["2023-03-20":, "B"] = math.nan
    both = post(Targets(*frames), tool)
    assert both["B"].isna().equals(frames[0]["B"].isna())
    for asset in "AB":
        alone = post(Targets(*(frame[[asset]] for frame in frames)), tool)
        pd.testing.assert_frame_equal(alone, both[[asset]])
    known = [frame.loc["2023-02-02":"2023-03-19", ["B"]] for frame in frames]
    pd.testing.assert_frame_equal(post(Targets(*known), tool), both.loc[known[0].index, ["B"]])


def test_a_tool_that_does_not_exist_is_named():
    with pytest.raises(ParameterError, match="tool is 'brake'; choose one of 'none', 'buffer'"):
        post(targets([0.2]), "brake")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"buffer": -0.1}, "buffer is -0.1"),
        ({"weight": 1.2}, r"weight is 1.2; give a fraction in \[0, 1\]"),
        ({"weight": 25}, r"did you mean 0\.25"),
        ({"refill": "20"}, "refill is '20'"),
        ({"tick": -1}, "tick is -1"),
    ],
)
def test_a_tool_of_impossible_size_is_refused(fields, message):
    with pytest.raises(ParameterError, match=message):
        Damping(**fields)
    with pytest.raises(ParameterError, match="buffer is -0"):
        exhaustible_buffer(path([0.1]), -0.1)


def test_targets_that_do_not_fit_are_named():
    raw = path([0.2, 0.3, 0.2, 0.4])
    high, hole = path([0.2, 0.3, 1.5, 0.4]), path([0.2, math.nan, 0.2, 0.4])
    with pytest.raises(DataError, match="stressed and raw differ in times"):
        Targets(raw, raw, raw.iloc[1:])
    with pytest.raises(
        DataError, match=r"long_run haircut of ETH at 2023-01-03.* outside \[0, 1\]"
    ):
        Targets(raw, high, raw)
    with pytest.raises(DataError, match=r"stressed haircut of ETH at 2023-01-02 .*is missing"):
        Targets(raw, raw, hole)
    with pytest.raises(DataError, match=r"raw haircut of ETH at 2023-01-02 .*inside the path"):
        Targets(hole, raw, raw)
    with pytest.raises(DataError, match="out of order"):
        Targets(raw[::-1], raw[::-1], raw[::-1])


def test_the_room_offers_what_it_names():
    assert all(hasattr(recalibration, name) for name in recalibration.__all__)
