"""The smallest common fall with a gain of one: planted densities, brackets, bad input."""

import numpy as np
import pytest

from tests.systemic.small import near, system, venue
from xcoll.errors import ParameterError
from xcoll.systemic.fragility.tipping import tipping

SPACING = -np.log1p(-0.02) / 40


WORTH = 1_000.0  # closed whole, whatever the health
WHOLE = WORTH * 0.8 * 1.05 / SPACING  # depth at which a window that is full has a gain of one


def planted(at, gain=2.0, count=400):
    """An even density of accounts that begins a log fall of `at` away; its gain where it is."""
    accounts = near(SPACING, count, worth=WORTH, first=at / SPACING + 0.5)
    return system(venue("one", *accounts), dollars={"X": WHOLE / gain})


def test_it_is_found_where_the_density_comes_within_reach():
    found = tipping(planted(0.2), ["X"], falls=[0.0, 0.13, 0.2], tolerance=1e-4)
    half = 0.2 - 20 * SPACING  # half a window filled: a gain of one
    assert -np.log1p(-found.fall) == pytest.approx(half, abs=2 * SPACING)
    assert found.at.gain >= 1.0
    assert found.curve.index.is_monotonic_increasing
    assert len(found.curve) == 3 + 10  # the grid, then halves of its last step
    below = found.curve[found.curve.index < found.fall]["gain"]
    assert (below < 1.0).all()
    assert found.fall - below.index[-1] <= 1e-4
    assert found.curve.loc[found.fall, "gain"] == found.at.gain


def test_deeper_markets_tip_later_or_never():
    falls = [tipping(planted(0.2, gain), ["X"]).fall for gain in (4.0, 1.5, 0.7)]
    assert falls[0] < falls[1] < falls[2] == np.inf


def test_at_once_and_never():
    at_once = tipping(planted(0.0), ["X"])
    assert at_once.fall == 0.0
    assert list(at_once.curve.index) == [0.0]
    never = tipping(planted(0.2, 0.01), ["X"], falls=[0.1, 0.2])
    assert never.fall == np.inf
    assert list(never.curve.index) == [0.1, 0.2]
    assert never.at.gain == never.curve.loc[0.2, "gain"]
    assert tipping(planted(0.2), ["Y"], falls=[0.0, 0.2]).fall == np.inf  # nobody pledges it


def test_the_first_point_of_the_grid_is_not_searched_below():
    assert tipping(planted(0.1), ["X"], falls=[0.15, 0.2]).fall == 0.15


def test_settings_reach_the_response():
    assert tipping(planted(0.2), ["X"], falls=[0.15], fall=0.2).fall == 0.15
    assert tipping(planted(0.2), ["X"], falls=[0.15], fall=0.02).fall == np.inf


@pytest.mark.parametrize("falls", [[], [0.2, 0.1], [-0.1, 0.2], [0.5, 1.0]])
def test_bad_grids_are_refused(falls):
    with pytest.raises(ParameterError, match=r"must ascend inside \[0, 1\)"):
        tipping(planted(0.2), ["X"], falls=falls)


def test_bad_input_is_named():
    with pytest.raises(ParameterError, match="the base moves Q"):
        tipping(planted(0.2), ["Q"])
    with pytest.raises(ParameterError, match="tolerance is 0"):
        tipping(planted(0.2), ["X"], tolerance=0.0)
