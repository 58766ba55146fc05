"""The toxic frontier: the worked example of one better asset, by its definition, and its alarms."""

import numpy as np
import pandas as pd
import pytest

from tests.systemic.small import near, system, venue
from xcoll.errors import ParameterError
from xcoll.systemic.fragility.breaches import breach_falls, seizures
from xcoll.systemic.fragility.spirals import spiral
from xcoll.systemic.fragility.toxicity import toxicity

LT, LB = (0.41, 0.83, 0.0), 0.05
DEEP = {"X": 1e9, "Y": 1e9}
ALONE = ([[100, 0, 0], [0, 100, 0]], [[0, 0, 30], [0, 0, 70]])


def example(debt=145.0, dollars=DEEP, **terms):
    """100 of LT 0.41 and 100 of LT 0.83 with LB 5 % against a debt."""
    terms = {"threshold": LT, "bonus": LB} | terms
    return system(venue("one", [[100, 100, 0]], [[0, 0, debt]], **terms), dollars=dollars)


def test_distance_is_what_a_threshold_leaves_after_the_bonus():
    pairs = toxicity(system(venue("one", *ALONE, threshold=LT), dollars=DEEP)).pairs
    assert pairs.loc[("one", "Y", "S"), "frontier"] == pytest.approx(0.8715)
    assert pairs.loc[("one", "Y", "S"), "distance"] == pytest.approx(0.1285)
    assert pairs.loc[("one", "X", "S"), "distance"] == pytest.approx(1 - 0.41 * 1.05)
    assert pairs["accounts"].tolist() == [1] * 4
    assert (pairs["alarm"] == "").all()


def test_seizing_the_better_asset_lowers_health_and_the_worse_helps():
    found = toxicity(example())
    table = found.collaterals
    assert table.loc[("one", "Y", "X"), "toxic"] == 145
    assert table.loc[("one", "X", "Y"), "toxic"] == 0
    assert found.accounts.empty
    better = table.loc[("one", "Y", "X")]
    assert better["distance"] == pytest.approx(0.1285)
    assert better["beyond"] == pytest.approx(1 - 0.41 * 1.05)
    # Y alone falls from HF 1: with D = 124 it holds 83/124 of the cover.
    assert better["alone"] == pytest.approx(0.1285 * 124 / 83)
    healthy = toxicity(example(100.0)).collaterals
    assert healthy["toxic"].tolist() == [0, 0]


def test_the_distance_of_one_alone_ends_at_its_frontier():
    alone = toxicity(example(124.0)).collaterals.loc[("one", "Y", "X"), "alone"]
    assert (41 + 83 * (1 - alone)) / 124 == pytest.approx(0.83 * 1.05)


def test_a_share_too_small_to_get_there_alone():
    made = venue("one", [[500, 20, 0]], [[0, 0, 100]], threshold=LT)
    table = toxicity(system(made, dollars=DEEP)).collaterals
    assert table.loc[("one", "Y", "X"), "alone"] == np.inf
    assert table.loc[("one", "X", "Y"), "alone"] < 1


@pytest.mark.parametrize(("debt", "beyond"), [(124 / 0.4306, False), (124 / 0.4304, True)])
def test_beyond_help_is_beyond_both_frontiers(debt, beyond):
    accounts = toxicity(example(debt)).accounts
    assert len(accounts) == beyond
    if beyond:
        row = accounts.loc[0]
        assert (row["venue"], row["account"]) == ("one", 0)
        assert (row["debt"], row["collateral"]) == (pytest.approx(debt), 200)
        assert row["health"] == pytest.approx(0.4304)


def test_accounts_beyond_help_come_largest_first_and_those_with_nothing_accepted_too():
    made = venue("one", [[100, 0, 0], [0, 0, 10], [50, 0, 0]], [[0, 0, 99], [0, 0, 5], [0, 0, 500]])
    accounts = toxicity(system(made, dollars=DEEP)).accounts
    assert accounts["account"].tolist() == [2, 0, 1]
    assert accounts["health"].tolist() == pytest.approx([0.08, 80 / 99, 0.0])


def test_debt_is_shared_among_pairs_and_adds_up():
    rng = np.random.default_rng(3)
    held = rng.lognormal(3, 1, (40, 3)) * [1, 1, 0]
    owed = rng.uniform(0, 0.3, (40, 3)) * held.sum(axis=1, keepdims=True)
    halves = [venue(name, held[i], owed[i]) for name, i in (("a", slice(25)), ("b", slice(25, 40)))]
    pairs = toxicity(system(*halves, dollars=DEEP)).pairs
    assert pairs.drop("all")["debt"].sum() == pytest.approx(owed.sum())
    assert pairs.loc["all", "debt"].sum() == pytest.approx(owed.sum())
    by_debt = pairs.drop("all")["debt"].groupby(level="debt").sum()
    assert by_debt.tolist() == pytest.approx(owed.sum(axis=0)[[2, 0, 1]].tolist())  # S, X, Y
    assert pairs.loc[("all", "X", "all"), "accounts"] == 40


def test_sales_of_a_pair_and_of_all_venues_together():
    spacing = -np.log1p(-0.02) / 50
    held, owed = near(spacing, 500)
    one, two = (venue(name, held, owed) for name in ("one", "two"))
    made = system(one, two, dollars={"X": 1e8})
    pairs = toxicity(made).pairs
    # A whole account: 0.8·1.05 of it seized at the breach.
    expected = 10_000 * 0.84 / spacing / 1e8
    assert pairs.loc[("one", "X", "S"), "gain"] == pytest.approx(expected, rel=1e-3)
    assert pairs.loc[("all", "X", "all"), "gain"] == pytest.approx(2 * expected, rel=1e-3)
    assert pairs.loc[("one", "X", "S"), "tipping"] == np.inf
    half = toxicity(made, close=0.5).pairs
    assert half.loc[("one", "X", "S"), "gain"] == pytest.approx(expected / 2, rel=1e-3)
    thin = toxicity(system(one, dollars={"X": 1e8 * expected * 0.99})).pairs
    assert thin.loc[("one", "X", "S"), "tipping"] == pytest.approx(0.0, abs=1e-6)


def test_only_the_debts_share_of_an_account_is_in_its_pair():
    held, owed = near(1e-3, 30)
    owed[:, 1] = 0.25 * owed[:, 2]
    owed *= 0.8
    made = system(venue("one", held, owed), dollars={"X": 1e6})
    gain = toxicity(made).pairs["gain"]
    breach = breach_falls(made, ["X"])
    sold = seizures(made, breach, ["X"])[:, 0]
    alone, _ = spiral(breach, sold * 0.8, lambda u: u / 1e6)
    assert gain["one", "X", "S"] == pytest.approx(alone, rel=1e-6)
    assert gain["one", "X", "Y"] == pytest.approx(alone / 4, rel=1e-6)
    assert gain["all", "X", "all"] == pytest.approx(alone * 1.25, rel=1e-6)


def test_alarms_say_why():
    def alarm(made, *given, **terms):
        return toxicity(made, *given, **terms).pairs.loc[("one", "Y", "S"), "alarm"]

    one = system(venue("one", *ALONE, threshold=LT), dollars=DEEP)
    assert alarm(one, pd.Series(0.12, ["X", "Y"])) == ""
    assert "a fall of 12.9% before service" in alarm(one, pd.Series(0.13, ["X", "Y"]))
    assert "shortfall is 13.0%" in alarm(one, pd.DataFrame(0.13, ["X", "Y"], ["S"]))
    toxic = system(venue("one", *ALONE, threshold=(0.4, 0.97, 0)), dollars=DEEP)
    assert alarm(toxic) == "every liquidation lowers health"
    thin = system(venue("one", *near(1e-4, 90, held=1, threshold=0.7)), dollars={"Y": 1e6})
    assert "push the price" in alarm(thin)
    assert alarm(thin, most_gain=100.0) == ""
    assert "as many again after a fall of 0.0%" in alarm(thin, pd.Series({"Y": 0.05}))
    assert len(toxicity(thin).alarms) == 2  # the pair, and all of its collateral


def test_all_venues_show_the_nearest_frontier_and_the_worst_shortfall():
    low = venue("low", *ALONE, threshold=(0.41, 0.6, 0))
    high = venue("high", [[0, 100, 0]], [[50, 0, 0]], threshold=(0.41, 0.83, 0))
    shortfall = pd.DataFrame({"S": {"X": 0.1, "Y": 0.2}, "X": {"Y": 0.3}})
    pairs = toxicity(system(low, high, dollars=DEEP), shortfall).pairs
    assert pairs.loc[("all", "Y", "all"), "distance"] == pytest.approx(0.1285)
    assert pairs.loc[("all", "Y", "all"), "shortfall"] == 0.3
    assert pairs.loc[("all", "X", "all"), "shortfall"] == 0.1
    assert pairs.loc[("low", "Y", "S"), "shortfall"] == 0.2


def test_a_venue_where_nobody_owes_has_no_rows():
    found = toxicity(system(venue("idle", [[1, 0, 0]], [[0, 0, 0]]), dollars=DEEP))
    assert found.pairs.empty
    assert found.collaterals.empty
    assert found.accounts.empty
    assert found.alarms.empty


def test_bad_input_is_named():
    with pytest.raises(ParameterError, match="move no price; give it an impact"):
        toxicity(example(dollars=None))
    with pytest.raises(ParameterError, match="shortfall of Y against S is nan"):
        toxicity(example(), pd.Series({"X": 0.1}))
    with pytest.raises(ParameterError, match="shortfall of X against S is nan"):
        toxicity(example(), pd.DataFrame(0.1, ["X", "Y"], ["Y"]))
    with pytest.raises(ParameterError, match="most_gain is 0"):
        toxicity(example(), most_gain=0.0)
    with pytest.raises(ParameterError, match=r"fall is 2.*did you mean 0\.02"):
        toxicity(example(), fall=2.0)
