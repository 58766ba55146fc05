"""Positions and falls against depth: by hand, by plain loops, and what scale must not change."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systemic.small import line, system, venue
from xcoll.errors import ParameterError
from xcoll.liquidation.depth import Depth
from xcoll.systemic.fragility.breaches import breach_falls, seizures
from xcoll.systemic.fragility.crowding import crowding, largest
from xcoll.systemic.system import Impact

THREE = ([[100, 0, 0]] * 3, [[0, 0, 74], [0, 0, 70], [0, 0, 60]])


def book_of_orders(scale=1.0):
    size = np.array([50.0, 100.0, 400.0]) * scale
    return Depth(["X", "Y"], size, np.array([[0.01, 0.03, 0.2], [0.02, 0.04, 0.3]]))


def test_three_accounts_by_hand():
    # Each seizes 0.8·1.05 = 84 units at its breach: 84 sell, 168 do not, at 1 − 70/80.
    made = system(venue("one", *THREE))
    found = crowding(made, ["X"], book_of_orders(), falls=[0.0, 0.1, 0.2, 0.5])
    assert found.limits.loc["X", "sellable"] == 100
    assert found.limits.loc["X", "fall"] == pytest.approx(0.125)
    assert found.limits.loc["X", "liquidatable"] == pytest.approx(168)
    assert found.limits.loc["X", "whole"] == pytest.approx(252)
    assert found.fall == found.limits.loc["X", "fall"]
    assert found.curve["liquidatable"].tolist() == pytest.approx([0, 84, 168, 252])
    assert list(found.limits.index) == ["X"]


@pytest.mark.parametrize(("accepted", "room", "fall"), [(0.005, 0, 0.075), (0.25, 400, np.inf)])
def test_the_accepted_loss_decides(accepted, room, fall):
    made = system(venue("one", *THREE))
    limits = crowding(made, ["X"], book_of_orders(), pd.Series({"X": accepted})).limits.loc["X"]
    assert limits["sellable"] == room
    assert limits["fall"] == pytest.approx(fall)
    assert np.isnan(limits["liquidatable"]) == (fall == np.inf)


def test_who_is_in_breach_already_comes_to_the_market_at_once():
    made = system(venue("one", [[100, 0, 0]] * 2, [[0, 0, 82], [0, 0, 70]]))
    found = crowding(made, ["X"], book_of_orders(), falls=[0.0])
    assert found.curve["liquidatable"].tolist() == pytest.approx([82 * 1.05])


def test_half_the_debt_brings_half_the_sales():
    made = system(venue("one", *THREE))
    found = crowding(made, ["X"], book_of_orders(), close=0.5)
    assert found.limits.loc["X", "fall"] == pytest.approx(0.25)  # 126 of 100
    assert found.limits.loc["X", "whole"] == pytest.approx(126)


def test_the_least_incentive_of_the_venues_that_hold_it_decides():
    low, high = (venue(f"{b}", *THREE, bonus=b) for b in (0.02, 0.05))
    unused = venue("none", [[0, 100, 0]], [[0, 0, 10]], bonus=0.0)
    assert crowding(system(high), ["X"], book_of_orders()).limits.loc["X", "sellable"] == 100
    both = crowding(system(high, low, unused), ["X"], book_of_orders())
    assert both.limits.loc["X", "sellable"] == 50
    assert both.limits.loc["Y", "sellable"] == 0


def test_a_collateral_without_a_market_sells_nowhere():
    made = system(venue("one", [[0, 0, 100]], [[0, 50, 0]], threshold=(0.8, 0.7, 0.8)))
    found = crowding(made, ["S"], book_of_orders())
    assert found.limits.loc["S", "sellable"] == 0
    assert found.limits.loc["S", "fall"] == pytest.approx(1 - 50 / 80)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 100.0))
def test_limits_are_what_plain_loops_find_whatever_the_scale(seed, scale):
    rng = np.random.default_rng(seed)
    held = rng.lognormal(4, 1, (12, 3)) * [1, 1, 0]
    owed = rng.uniform(0, 0.8, (12, 1)) * (held @ [0.8, 0.7, 0.0])[:, None] * [0, 0.2, 0.8]
    made = system(venue("one", held, owed))
    found = crowding(made, ["X"], book_of_orders())
    falls, wanted = breach_falls(made, ["X"]), {}
    seized = seizures(made, falls, ["X"])
    for a, asset in enumerate("XY"):
        over = [f for f in falls if f < np.inf and seized[falls <= f, a].sum() > 100.0]
        wanted[asset] = min(over, default=np.inf)
        assert found.limits.loc[asset, "fall"] == pytest.approx(wanted[asset])
        drawn = found.curve[found.curve["asset"] == asset].set_index("fall")["liquidatable"]
        for f in (0.0, 0.3, 0.9):
            assert drawn.loc[f] == pytest.approx(seized[falls <= f, a].sum())
    larger = system(venue("one", held * scale, owed * scale))
    again = crowding(larger, ["X"], book_of_orders(scale))
    assert again.limits["fall"].tolist() == pytest.approx(found.limits["fall"].tolist())
    deeper = crowding(made, ["X"], book_of_orders(3.0))
    assert (deeper.limits["fall"] >= found.limits["fall"]).all()


def two_users():
    one = venue("one", [[60, 0, 0], [0, 30, 0]], [[0, 0, 10], [0, 0, 5]], users=["ann", "bob"])
    two = venue("two", [[90, 0, 7], [999, 0, 0]], [[0, 0, 20], [0, 0, 0]], users=["ann", "cy"])
    return system(one, two)


def test_large_positions_by_hand():
    table = largest(two_users(), 5, book_of_orders())
    assert table.index.tolist() == [(1, "ann", "X"), (2, "bob", "Y")]  # cy owes nothing, S is none
    ann = table.loc[(1, "ann", "X")]
    assert ann["collateral"] == 150
    assert ann["sellable"] == 100
    assert ann["multiple"] == 1.5
    assert ann["cost"] == pytest.approx((50 * 0.01 + 50 * 0.03 + 50 * 0.2) / 150)
    assert len(largest(two_users(), 1, book_of_orders())) == 1


def test_positions_meet_the_systems_own_depth_or_none():
    made = two_users().changed(impact=Impact(line({"X": 1_000.0})))
    table = largest(made)
    assert table.loc[(1, "ann", "X"), "cost"] == pytest.approx(0.075, rel=0.02)  # half of 15 %
    assert table.loc[(1, "ann", "X"), "sellable"] == pytest.approx(1_000 * (1 - 1 / 1.05), rel=0.2)
    assert table.loc[(2, "bob", "Y"), "multiple"] == np.inf
    assert table.loc[(2, "bob", "Y"), "cost"] == 1.0


def test_nobody_owes():
    made = system(venue("one", [[10, 0, 0]], [[0, 0, 0]]))
    assert largest(made, depth=book_of_orders()).empty
    found = crowding(made, ["X"], book_of_orders())
    assert found.fall == np.inf
    assert found.curve.empty


def test_bad_input_is_named():
    made = system(venue("one", *THREE))
    with pytest.raises(ParameterError, match="give the depth that sales meet"):
        crowding(made, ["X"])
    with pytest.raises(ParameterError, match="no accepted loss of X"):
        crowding(made, ["X"], book_of_orders(), pd.Series({"Y": 0.1}))
    with pytest.raises(ParameterError, match="accepted loss of X is 5"):
        largest(made, 3, book_of_orders(), pd.Series({"X": 5.0}))
    with pytest.raises(ParameterError, match=r"falls reach from 0 to 1; give \[0, 1\)"):
        crowding(made, ["X"], book_of_orders(), falls=[0.0, 1.0])
    with pytest.raises(ParameterError, match="users is 0"):
        largest(made, 0, book_of_orders())
