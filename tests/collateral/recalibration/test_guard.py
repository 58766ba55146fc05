import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral.governance import Governance
from xcoll.collateral.recalibration import RULES, every_path, guarded, immediate, in_force, ramped
from xcoll.errors import DataError, ParameterError

DAYS = pd.date_range("2023-01-01", periods=120)
AAVE = Governance()
TICKS = st.lists(st.integers(0, 200), min_size=1, max_size=17)


def on(day, *values):
    """Targets by their day of January 2023 and after: {day: haircut}."""
    times = DAYS[0] + pd.to_timedelta(list(day), unit="D")
    return pd.DataFrame({"ETH": list(day.values())}, times, dtype=float)


def weekly(ticks):
    return pd.DataFrame(
        {"ETH": [0.005 * tick for tick in ticks]},
        pd.date_range(DAYS[0], periods=len(ticks), freq="7D"),
    )


def test_a_target_stands_from_its_stamp_until_the_next():
    held = immediate(on({2: 0.2, 5: 0.3}), DAYS[:8])["ETH"]
    assert held.isna().tolist() == [True, True] + [False] * 6
    assert held.tolist()[2:] == [0.2, 0.2, 0.2, 0.3, 0.3, 0.3]


def test_half_a_point_every_three_days():
    held = guarded(on({0: 0.10, 7: 0.12}), DAYS[:20], AAVE)["ETH"]
    assert held.tolist() == [0.10] * 7 + [0.105] * 3 + [0.11] * 3 + [0.115] * 3 + [0.12] * 4
    back = guarded(on({0: 0.12, 7: 0.11}), DAYS[:12], AAVE)["ETH"]
    assert back.tolist() == [0.12] * 7 + [0.115] * 3 + [0.11] * 2


@settings(max_examples=80, deadline=None)
@given(TICKS, st.sampled_from([1, 2, 5]), st.integers(1, 10))
def test_no_more_than_a_step_in_a_delay_and_in_whole_ticks(ticks, step, delay):
    rules = Governance(tick=0.005, step=0.005 * step, delay=f"{delay}D")
    target = weekly(ticks)
    held = guarded(target, DAYS, rules)["ETH"]
    for lag in range(1, delay + 1):
        assert held.diff(lag).abs().max() <= rules.step + 1e-12
    np.testing.assert_allclose((held / rules.tick).round(), held / rules.tick, atol=1e-9)
    moves = np.flatnonzero(held.diff().fillna(0.0))
    assert (np.diff(moves) >= delay).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 200), st.integers(0, 200), st.sampled_from([1, 2, 5]), st.integers(1, 4))
def test_a_constant_target_is_reached_when_the_steps_are_made(start, end, step, delay):
    rules = Governance(tick=0.005, step=0.005 * step, delay=f"{delay}D")
    last = 1 + (math.ceil(abs(end - start) / step) - 1) * delay  # the first step is on day 1
    days = pd.date_range(DAYS[0], periods=max(last, 1) + 3)
    held = guarded(on({0: 0.005 * start, 1: 0.005 * end}), days, rules)["ETH"]
    np.testing.assert_allclose(held.iloc[max(last, 1) :], 0.005 * end, atol=1e-12)
    if start != end:
        assert abs(held.iloc[last - 1] - 0.005 * end) > 1e-9


@settings(max_examples=80, deadline=None)
@given(TICKS, st.sampled_from([1, 2, 5]), st.integers(1, 10))
def test_the_guard_is_what_a_plain_loop_says(ticks, step, delay):
    here, since, expected = ticks[0], math.inf, []
    for day in range(len(DAYS)):
        want = ticks[min(day // 7, len(ticks) - 1)]
        if want != here and since >= delay:
            here, since = here + max(-step, min(step, want - here)), 0
        expected.append(0.005 * here)
        since += 1
    rules = Governance(tick=0.005, step=0.005 * step, delay=f"{delay}D")
    np.testing.assert_allclose(guarded(weekly(ticks), DAYS, rules)["ETH"], expected, atol=1e-12)


def test_a_proposal_that_waited_too_long_is_made_again_from_the_last_target():
    target = on({0: 0.10, 1: 0.15, 2: 0.20, 3: 0.12})
    fresh = guarded(target, DAYS[:9], Governance(step=0.1))["ETH"]
    assert fresh.tolist() == [0.10, 0.15, 0.15, 0.15] + [0.12] * 5
    # one that may wait a week is carried out as it was made on the second day
    stale = guarded(target, DAYS[:9], Governance(step=0.1, expiry="7D"))["ETH"]
    assert stale.tolist() == [0.10, 0.15, 0.15, 0.15, 0.20, 0.20, 0.20, 0.12, 0.12]


def test_nothing_is_proposed_where_nothing_would_move():
    # back at what is in force on day 4, when the delay is over: the move of day 5 need not wait
    target = on({0: 0.10, 1: 0.15, 2: 0.20, 3: 0.15, 5: 0.20})
    held = guarded(target, DAYS[:7], Governance(step=0.1))["ETH"]
    assert held.tolist() == [0.10, 0.15, 0.15, 0.15, 0.15, 0.20, 0.20]


def test_a_step_that_is_no_multiple_of_the_tick_is_cut_to_one():
    rules = Governance(tick=0.002, step=0.005, delay="1D")
    held = guarded(on({0: 0.1, 1: 0.11}), DAYS[:5], rules)["ETH"]
    assert held.tolist() == [0.1, 0.104, 0.108, 0.11, 0.11]


def test_a_delay_is_counted_in_hours_where_bars_are_hours():
    hours = pd.date_range("2023-01-01", periods=80, freq="h")
    target = pd.DataFrame({"ETH": [0.10, 0.12]}, hours[[0, 1]])
    held = guarded(target, hours, Governance(delay="36h"))["ETH"]
    assert held.index[held.diff() > 0.0].tolist() == list(hours[[1, 37, 73]])


def test_a_ramp_goes_up_in_a_straight_line_and_comes_down_at_once():
    up = ramped(on({0: 0.10, 2: 0.20}), DAYS[:15], "10D")["ETH"]
    np.testing.assert_allclose(up, [0.1] * 3 + [0.1 + 0.01 * k for k in range(1, 11)] + [0.2] * 2)
    down = ramped(on({0: 0.20, 2: 0.10}), DAYS[:4], "10D")["ETH"]
    assert down.tolist() == [0.2, 0.2, 0.1, 0.1]


def test_a_new_target_on_the_way_starts_a_ramp_of_full_length():
    # as setLTV of Euler's vault kit: from where the threshold is now, over the whole duration
    held = ramped(on({0: 0.10, 1: 0.20, 6: 0.30}), DAYS[:20], "10D")["ETH"]
    assert held.iloc[6] == pytest.approx(0.15)
    assert held.iloc[11] == pytest.approx(0.225)
    assert held.iloc[16:].tolist() == pytest.approx([0.30] * 4)
    same = ramped(on({0: 0.10, 1: 0.20, 6: 0.20}), DAYS[:20], "10D")["ETH"]
    assert same.iloc[11:].tolist() == [0.20] * 9
    lower = ramped(on({0: 0.10, 1: 0.20, 6: 0.12}), DAYS[:8], "10D")["ETH"]
    assert lower.iloc[5] == pytest.approx(0.14)
    assert lower.iloc[6:].tolist() == [0.12] * 2


@settings(max_examples=80, deadline=None)
@given(TICKS, st.integers(1, 40))
def test_a_ramp_is_monotone_and_gets_there(ticks, span):
    target = weekly(ticks)
    held = ramped(target, DAYS, f"{span}D")["ETH"]
    highest = immediate(target, DAYS)["ETH"].cummax()
    assert (held <= highest + 1e-12).all()
    last = held[target.index[-1] :]
    moves = last.diff().dropna()
    assert (moves >= -1e-12).all()  # a fall comes at once, so only rises are left
    assert moves.abs().max() <= 1.0 / span + 1e-12
    if len(last) > span:
        assert last.iloc[span:].tolist() == [target["ETH"].iloc[-1]] * (len(last) - span)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_looks_at_nothing_to_come(rule):
    rng = np.random.default_rng(8)
    times = pd.date_range(DAYS[0], periods=17, freq="7D")
    target = pd.DataFrame(rng.uniform(0.1, 0.4, (17, 3)), times, list("ABC"))
    planted = target.copy()
    planted.loc[times[9] :] = 0.97
    before, after = (in_force(x, DAYS, rule, AAVE) for x in (target, planted))
    known = times[9] > DAYS
    pd.testing.assert_frame_equal(after[known], before[known])
    assert (after.iloc[-1] > before.iloc[-1]).all()


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_takes_each_asset_by_itself_from_its_listing_to_its_end(rule):
    rng = np.random.default_rng(9)
    times = pd.date_range(DAYS[0], periods=17, freq="7D")
    target = pd.DataFrame(rng.uniform(0.1, 0.4, (17, 2)), times, ["A", "B"])
    target.loc[times[:4], "B"] = math.nan
    target.loc[times[12:], "B"] = math.nan
    held = in_force(target, DAYS, rule, AAVE)
    assert held["B"].isna().equals(immediate(target, DAYS)["B"].isna())
    for asset in "AB":
        pd.testing.assert_frame_equal(in_force(target[[asset]], DAYS, rule, AAVE), held[[asset]])
    assert held.loc[times[4], "B"] == AAVE.up(target["B"])[times[4]]  # listed at its target
    reached = in_force(target.iloc[:1], DAYS, rule, AAVE)["A"]
    assert (reached == AAVE.up(target["A"]).iloc[0]).all()


def test_a_rule_that_does_not_exist_is_named():
    with pytest.raises(ParameterError, match="rule is 'slow'; choose one of 'immediate'"):
        in_force(on({0: 0.1}), DAYS, "slow", AAVE)
    with pytest.raises(ParameterError, match="ramp is '7'"):
        ramped(on({0: 0.1}), DAYS, "7")


def test_times_out_of_order_are_named():
    with pytest.raises(DataError, match="the days are no dates in order"):
        immediate(on({0: 0.1}), DAYS[::-1])
    with pytest.raises(DataError, match="times of the target are no dates in order"):
        guarded(on({3: 0.1, 0: 0.2}), DAYS, AAVE)
    with pytest.raises(DataError, match="days are no dates"):
        ramped(on({0: 0.1}), pd.RangeIndex(3), "7D")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tick": 0.01, "step": 0.005}, "tick 0.01 is larger than the step 0.005"),
        ({"expiry": "6"}, "expiry is '6'"),
        ({"ramp": "0D"}, "ramp is '0D'"),
        ({"delay": "-3D"}, "delay is '-3D'"),
    ],
)
def test_governance_refuses_rules_that_cannot_be_followed(fields, message):
    with pytest.raises(ParameterError, match=message):
        Governance(**fields)


def test_a_frame_is_rounded_like_its_columns():
    frame = pd.DataFrame({"A": [0.1501, math.nan], "B": [0.15, 0.999]})
    assert AAVE.up(frame)["A"].equals(AAVE.up(frame["A"]))
    assert AAVE.up(frame)["B"].tolist() == [0.15, 1.0]
    assert AAVE.down(frame)["A"].iloc[0] == 0.15


def test_every_path_is_a_tool_and_a_rule():
    days = pd.date_range("2022-01-01", periods=20, freq="D")
    target = pd.DataFrame({"A": [0.2, 0.3]}, days[[0, 10]])
    paths = every_path({"none": target, "floor": target + 0.1}, days, Governance())
    assert len(paths) == 2 * len(RULES)
    for name, path in paths.items():
        tool, rule = name.split(", ")
        alone = in_force(target if tool == "none" else target + 0.1, days, rule, Governance())
        pd.testing.assert_frame_equal(path, alone)
