"""One proposal at a time: steps, delays and the two rules that hold across parameters."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral.governance import Governance
from xcoll.collateral.recalibration import guarded
from xcoll.collateral.recalibration.proposal import PARAMETERS, VERDICTS, propose
from xcoll.errors import DataError

AAVE = Governance()
DAY = pd.Timestamp("2023-06-30")
TICK = 0.005


def table(rows, columns, asset="ETH"):
    index = pd.MultiIndex.from_tuples(
        [(asset, name) for name in rows], names=["asset", "parameter"]
    )
    return pd.DataFrame(list(rows.values()), index, columns)


def held(moved=pd.NaT, under_way=False, asset="ETH", **values):
    return table(values, ["value"], asset).assign(moved=moved, under_way=under_way)


def wanted(asset="ETH", **values):
    """A target, or (target, low, high); a lone target is its own interval."""
    rows = {
        name: value if isinstance(value, tuple) else (value,) * 3 for name, value in values.items()
    }
    return table(rows, ["target", "low", "high"], asset)


def one(made, parameter, asset="ETH"):
    return made.loc[(asset, parameter)]


def after(made, days, targets, governance=AAVE):
    """The state after proposals on each of `days` after `DAY`."""
    for day in days:
        made = propose(made, targets, DAY + pd.Timedelta(days=day), governance)
    return made


def test_one_step_towards_a_target_from_outside_its_interval():
    made = propose(held(threshold=0.83), wanted(threshold=(0.745, 0.675, 0.815)), DAY, AAVE)
    row = one(made, "threshold")
    assert (row["before"], row["value"], row["verdict"]) == (0.83, 0.825, "moved")
    assert row["moved"] == DAY
    assert row["under_way"]
    assert row["days"] == 16 * 3  # sixteen steps are left, the next in three days
    assert list(made.index) == [("ETH", "threshold")]


def test_what_lies_inside_its_interval_is_left_alone():
    target = (0.745, 0.675, 0.815)
    made = propose(held(threshold=0.815), wanted(threshold=target), DAY, AAVE)
    row = one(made, "threshold")
    assert (row["value"], row["verdict"], row["under_way"], row["days"]) == (
        0.815,
        "inside",
        False,
        0,
    )
    assert pd.isna(row["moved"])


def test_a_move_that_began_goes_on_to_the_target_itself():
    target = wanted(threshold=(0.745, 0.675, 0.815))
    made = after(held(threshold=0.82), range(0, 60, 3), target)
    assert one(made, "threshold")["value"] == 0.745
    assert one(made, "threshold")["verdict"] == "met"
    assert one(made, "threshold")["moved"] == DAY + pd.Timedelta(days=14 * 3)
    # and then an interval leaves it alone again
    made = propose(made, wanted(threshold=(0.75, 0.70, 0.80)), DAY + pd.Timedelta("90D"), AAVE)
    assert one(made, "threshold")["verdict"] == "inside"


def test_the_delay_is_that_of_each_parameter():
    state = pd.concat([held(threshold=0.83, moved=DAY), held(bonus=0.05)])
    made = propose(state, wanted(threshold=0.7, bonus=0.02), DAY + pd.Timedelta("2D"), AAVE)
    assert one(made, "threshold")["verdict"] == "waits"
    assert one(made, "threshold")["days"] == 1 + 25 * 3  # the first of 26 steps tomorrow
    assert one(made, "bonus")["verdict"] == "moved"
    made = propose(made, wanted(threshold=0.7, bonus=0.02), DAY + pd.Timedelta("3D"), AAVE)
    assert one(made, "threshold")["verdict"] == "moved"
    assert one(made, "bonus")["verdict"] == "waits"


def test_what_nobody_published_starts_at_its_target():
    made = propose(held(threshold=0.8), wanted(threshold=0.8, ltv=0.7, cap=5e6), DAY, AAVE)
    assert one(made, "ltv")["verdict"] == one(made, "cap")["verdict"] == "start"
    assert (one(made, "ltv")["value"], one(made, "cap")["value"]) == (0.7, 5e6)
    assert pd.isna(one(made, "ltv")["before"])
    assert one(made, "threshold")["verdict"] == "met"


def test_what_has_no_target_any_more_stays():
    made = propose(held(threshold=0.8, asset="LUNA"), wanted(threshold=0.7), DAY, AAVE)
    row = one(made, "threshold", "LUNA")
    assert (row["value"], row["verdict"], row["under_way"]) == (0.8, "no target", False)
    assert list(made.index.get_level_values("asset")) == ["ETH", "LUNA"]


def test_an_ltv_follows_its_threshold_even_inside_its_interval():
    target = wanted(threshold=0.75, ltv=(0.74, 0.60, 0.82))
    state = held(threshold=0.80, ltv=0.80)
    made = propose(state, target, DAY, AAVE)
    assert (one(made, "threshold")["value"], one(made, "ltv")["value"]) == (0.795, 0.795)
    made = after(state, range(0, 60, 3), target)
    assert (one(made, "threshold")["value"], one(made, "ltv")["value"]) == (0.75, 0.75)


def test_a_threshold_waits_for_an_ltv_that_may_not_move_yet():
    state = pd.concat([held(threshold=0.80), held(ltv=0.80, moved=DAY)])
    made = propose(state, wanted(threshold=0.75, ltv=0.70), DAY + pd.Timedelta("1D"), AAVE)
    assert one(made, "threshold")["verdict"] == "held"
    assert one(made, "ltv")["verdict"] == "waits"
    assert one(made, "threshold")["value"] == 0.80


def test_an_ltv_does_not_rise_over_a_threshold_that_waits():
    state = pd.concat([held(threshold=0.70, moved=DAY), held(ltv=0.70)])
    made = propose(state, wanted(threshold=0.80, ltv=0.78), DAY + pd.Timedelta("1D"), AAVE)
    assert (one(made, "ltv")["value"], one(made, "ltv")["verdict"]) == (0.70, "held")


def test_a_threshold_rises_only_as_far_as_a_falling_bonus_lets_it():
    goal = wanted(threshold=0.975, bonus=0.015)
    state = pd.concat([held(threshold=0.95), held(bonus=0.05, moved=DAY)])
    made = propose(state, goal, DAY + pd.Timedelta("1D"), AAVE)
    assert one(made, "threshold")["verdict"] == "held"  # 0.955 × 1.05 is over one
    made = propose(made, goal, DAY + pd.Timedelta("3D"), AAVE)
    assert one(made, "bonus")["value"] == 0.045
    assert one(made, "threshold")["value"] == 0.955  # and 0.955 × 1.045 is 0.998
    made = after(made, range(6, 99, 3), goal)
    assert (one(made, "threshold")["value"], one(made, "bonus")["value"]) == (0.975, 0.015)


def test_a_bonus_waits_for_a_threshold_that_has_to_come_down_first():
    state = pd.concat([held(threshold=0.95, moved=DAY), held(bonus=0.05)])
    made = propose(state, wanted(threshold=0.80, bonus=0.10), DAY + pd.Timedelta("1D"), AAVE)
    assert one(made, "bonus")["verdict"] == "held"  # 0.95 × 1.055 is over one


def test_a_cap_moves_by_a_share_of_itself():
    rails = Governance(cap_step=0.5)
    made = propose(held(cap=1e6), wanted(cap=4e6), DAY, rails)
    assert one(made, "cap")["value"] == 1.5e6
    assert one(made, "cap")["days"] == 3 * 3  # 2.25, 3.375, 4
    made = propose(held(cap=4e6), wanted(cap=1e6), DAY, rails)
    assert one(made, "cap")["value"] == 2e6
    assert one(made, "cap")["days"] == 3
    down = propose(held(cap=4e6), wanted(cap=1e6), DAY, AAVE)  # by as much again: at once
    assert (one(down, "cap")["value"], one(down, "cap")["days"]) == (1e6, 0)


def test_a_published_value_between_two_ticks_comes_onto_the_ticks():
    made = propose(held(bonus=0.0438), wanted(bonus=0.02), DAY, AAVE)
    assert one(made, "bonus")["value"] == 0.04
    made = propose(held(bonus=0.0438), wanted(bonus=0.08), DAY, AAVE)
    assert one(made, "bonus")["value"] == 0.045


@pytest.mark.parametrize(
    ("state", "targets", "words"),
    [
        (held(threshold=0.8), wanted(haircut=0.1), "no parameter 'haircut'"),
        (held(threshold=0.8), wanted(threshold=(0.9, 0.7, 0.8)), "outside its own interval"),
        (held(threshold=0.7, ltv=0.8), wanted(threshold=0.7), "LTV in force, 0.8, is above"),
        (held(threshold=0.7), wanted(threshold=0.7, ltv=0.8), "LTV wanted, 0.8, is above"),
    ],
)
def test_what_cannot_be_proposed_says_why(state, targets, words):
    with pytest.raises(DataError, match=words):
        propose(state, targets, DAY, AAVE)


def test_an_empty_state_starts_and_no_targets_stay():
    empty = held(threshold=0.8).iloc[:0]
    assert propose(empty, wanted(threshold=0.7), DAY, AAVE)["verdict"].tolist() == ["start"]
    none = wanted(threshold=0.7).iloc[:0]
    assert propose(held(threshold=0.8), none, DAY, AAVE)["verdict"].tolist() == ["no target"]
    assert propose(empty, none, DAY, AAVE).empty


TICKS = st.integers(1, 180)


@st.composite
def targets(draw):
    """Consistent targets of a venue: LTV under the threshold, threshold × (1 + bonus) under one."""
    threshold = draw(st.integers(150, 190))
    room = int((1.0 / (TICK * threshold) - 1.0) / TICK - 1e-6)
    ticks = {
        "threshold": threshold,
        "ltv": draw(st.integers(140, threshold)),
        "bonus": draw(st.integers(0, min(room, 40))),
    }
    rows = {}
    for name, tick in ticks.items():
        wide = draw(st.integers(0, 20))
        rows[name] = tuple(round(max(t, 0) * TICK, 12) for t in (tick, tick - wide, tick + wide))
    cap = draw(st.floats(1e6, 1e8))
    return wanted(**rows, cap=(cap, 0.9 * cap, 1.1 * cap))


RAILS = st.builds(
    lambda step, delay, cap: Governance(TICK, TICK * step, f"{delay}D", cap_step=cap),
    st.integers(1, 6),
    st.integers(1, 9),
    st.sampled_from([0.25, 1.0]),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(targets(), st.integers(1, 6)), min_size=2, max_size=6), RAILS)
def test_no_rail_is_ever_broken(asked, rails):
    made, day = held().iloc[:0], DAY
    last = {}
    for target, pause in asked:
        day += pd.Timedelta(days=pause)
        was, made = made, propose(made, target, day, rails)
        assert set(made["verdict"]) <= set(VERDICTS)
        wide = made["value"].unstack("parameter").loc["ETH"]
        assert wide["ltv"] <= wide["threshold"] + 1e-12
        assert wide["threshold"] * (1.0 + wide["bonus"]) < 1.0
        for name in PARAMETERS:
            row = one(made, name)
            if row["verdict"] == "start":
                continue
            before = one(was, name)
            change = abs(row["value"] - before["value"])
            most = rails.cap_step * before["value"] if name == "cap" else rails.step
            assert change <= most * (1.0 + 1e-9) + 1e-12
            assert (change > 1e-12) == (row["verdict"] == "moved")
            if name != "cap":
                np.testing.assert_allclose(row["value"] / TICK, round(row["value"] / TICK))
            if row["verdict"] == "moved":
                assert day - last.get(name, pd.Timestamp(0)) >= pd.Timedelta(rails.delay)
                last[name] = day
                assert row["moved"] == day
            inside = row["low"] <= before["value"] <= row["high"]
            if inside and not before["under_way"] and name != "ltv":
                assert row["verdict"] in ("inside", "met")


@settings(max_examples=8, deadline=None)
@given(targets(), targets(), RAILS)
def test_a_constant_target_is_reached_and_kept(start, target, rails):
    made = propose(held().iloc[:0], start, DAY, rails)
    days = range(10, 10 * 55, 10)  # longer than any delay; fifty ticks
    made = after(made, days, target, rails)
    final = after(made, [5000], target, rails)
    pd.testing.assert_series_equal(final["value"], made["value"])
    close = (final["value"] - final["target"]).abs() < 1e-9 * final["target"].clip(lower=1.0)
    inside = final["value"].between(final["low"] - 1e-9, final["high"] + 1e-9)
    assert (close | inside).drop(("ETH", "ltv")).all()
    follows = one(final, "ltv")["value"] <= one(final, "threshold")["value"]
    assert close["ETH", "ltv"] or inside["ETH", "ltv"] or follows
    began = ~start["target"].between(target["low"] - 1e-9, target["high"] + 1e-9)
    assert close[began[began].index.drop(("ETH", "ltv"), errors="ignore")].all()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(TICKS, st.integers(1, 4)), min_size=2, max_size=12), RAILS)
def test_without_bands_it_is_the_guarded_path(asked, rails):
    times = DAY + pd.to_timedelta(np.cumsum([pause for _, pause in asked]), unit="D")
    path = pd.DataFrame({"ETH": [TICK * tick for tick, _ in asked]}, times).round(12)
    expected = guarded(path, times, rails)["ETH"]
    made, found = held().iloc[:0], []
    for day, target in path["ETH"].items():
        made = propose(made, wanted(bonus=target), day, rails)
        found.append(one(made, "bonus")["value"])
    np.testing.assert_allclose(found, expected, atol=1e-12)
