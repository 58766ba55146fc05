"""Breach falls in closed form against health factors reckoned anew, and what is seized there."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systemic.small import ASSETS, near, system, venue
from xcoll.errors import ParameterError
from xcoll.systemic.cascade import cascade
from xcoll.systemic.episode import Episode
from xcoll.systemic.fragility.breaches import breach_falls, seizures

LT = np.array([0.8, 0.7, 0.0])


@pytest.mark.parametrize(
    ("collateral", "debt", "assets", "fall"),
    [
        ([100, 0, 0], [0, 0, 70], ["X"], 1 - 70 / 80),
        ([100, 0, 0], [0, 0, 70], ["Y"], np.inf),  # what falls is not pledged
        ([100, 0, 0], [0, 0, 81], ["X"], 0.0),  # in breach already
        ([100, 0, 0], [0, 0, 0], ["X"], np.inf),  # owes nothing
        ([100, 100, 0], [0, 0, 70], ["X"], np.inf),  # the other collateral holds it
        ([100, 100, 0], [0, 0, 110], ["X"], 0.5),
        ([100, 100, 0], [0, 0, 120], ["X", "Y"], 0.2),
        ([100, 0, 0], [0, 70, 0], ["X", "Y"], np.inf),  # debt falls as far as collateral
        ([100, 0, 0], [0, 40, 36], ["X", "Y"], 0.1),
        ([100, 0, 0], [0, 70, 0], ["Y"], np.inf),  # a debt that falls helps
    ],
)
def test_breaches_by_hand(collateral, debt, assets, fall):
    made = system(venue("one", [collateral], [debt]))
    assert breach_falls(made, assets)[0] == pytest.approx(fall)


amounts = st.lists(st.floats(0.0, 1e3).map(lambda x: round(x, 3)), min_size=3, max_size=3)


@settings(max_examples=200, deadline=None)
@given(amounts, amounts, st.sets(st.sampled_from(ASSETS), min_size=1))
def test_an_account_is_healthy_before_its_breach_and_not_after(collateral, debt, assets):
    collateral[0] += 1.0
    prices = pd.Series([2.0, 0.5, 1.0], ASSETS)
    made = system(venue("one", [collateral], [debt]), prices=prices)
    fall = breach_falls(made, sorted(assets))[0]
    assert fall == np.inf or 0.0 <= fall < 1.0

    def margin(f):  # dollars of cover less those owed
        left = prices.to_numpy() * (1 - f * np.isin(ASSETS, list(assets)))
        return left @ (np.array(collateral) * LT) - left @ np.array(debt)

    rounding = 1e-9 * (1 + sum(collateral) + sum(debt))
    for f in np.linspace(0, 1, 21):
        if f > fall + 1e-6 and fall > 0.0:  # a debt that falls heals who is in breach already
            assert margin(f) < rounding
        if f < fall - 1e-6:
            assert margin(f) > -rounding
    if 0.0 < fall < 1.0:
        assert abs(margin(fall)) < rounding
    assert (fall == 0.0) == (margin(0.0) < 0.0) or abs(margin(0.0)) < rounding


def test_what_is_seized_is_read_at_the_breach_and_counts_units():
    made = system(venue("one", [[100, 0, 0]] * 2, [[0, 0, 70], [0, 0, 0]]))
    fall = breach_falls(made, ["X"])
    assert seizures(made, fall, ["X"])[:, 0] == pytest.approx([70 * 1.05 / 0.875, 0.0])
    half = seizures(made, fall, ["X"], {"one": 0.5})
    assert half[:, 0] == pytest.approx([35 * 1.05 / 0.875, 0.0])


def test_the_cascade_seizes_the_same():
    made = system(venue("one", *near(0.01, 12, worth=1_000.0)))  # small enough to close whole
    fall = breach_falls(made, ["X"])
    for n in (0, 4, 11):
        episode = Episode.of_shock(pd.Series([-fall[n] - 1e-9, 0, 0], ASSETS))
        sold = cascade(made, episode).by_venue("seized")[0]
        for_now = np.minimum(fall, fall[n])
        before = seizures(made, np.where(fall <= fall[n], fall[n], np.inf), ["X"])
        assert sold / (1 - fall[n]) == pytest.approx(before.sum(), rel=1e-6)
        assert seizures(made, for_now, ["X"])[n, 0] == pytest.approx(before[n, 0])


def test_no_more_is_seized_than_there_is_and_only_what_is_accepted():
    toxic = venue("one", [[100, 0, 50]], [[0, 0, 98]], threshold=(0.98, 0.7, 0.0))
    made = system(toxic)
    fall = breach_falls(made, ["X"])
    assert seizures(made, fall, ["X"])[0] == pytest.approx([100.0, 0.0, 0.0])


def test_several_collaterals_give_the_same_share():
    made = system(venue("one", [[100, 60, 0]], [[0, 0, 100]], bonus=(0.05, 0.10, 0.0)))
    fall = breach_falls(made, ["X"])  # to (100 − 42)/80 = 0.725
    assert fall[0] == pytest.approx(0.275)
    seized = seizures(made, fall, ["X"])[0]
    worth = 72.5 + 60
    share = 100 * (72.5 * 1.05 + 60 * 1.10) / worth**2
    assert seized[:2] == pytest.approx([100 * share, 60 * share])


def test_bad_input_is_named():
    made = system(venue("one", [[100, 0, 0]], [[0, 0, 70]]))
    with pytest.raises(ParameterError, match=r"assets that fall: Q; name some of .*X, Y, S"):
        breach_falls(made, ["Q"])
    with pytest.raises(ParameterError, match="assets that fall: none"):
        breach_falls(made, [])
    fall = breach_falls(made, ["X"])
    with pytest.raises(ParameterError, match="no close share of one"):
        seizures(made, fall, ["X"], {"two": 0.5})
    with pytest.raises(ParameterError, match=r"close share of one is 1\.5"):
        seizures(made, fall, ["X"], 1.5)
    with pytest.raises(ParameterError, match="close share is 0"):
        seizures(made, fall, ["X"], 0.0)
