"""Claims: staked and looped tokens, receipts of pools that bear losses, and cycles."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systemic import small
from xcoll.errors import ParameterError
from xcoll.systemic.cascade import cascade
from xcoll.systemic.claims import Claims, Receipt
from xcoll.systemic.episode import LEAST, Episode
from xcoll.systemic.system import System

HOUR = pd.Timedelta("1h")
ASSETS = ["X", "Y", "S", "V"]


def path(rows, due=None):
    """Prices of X, Y, S and V by step, the opening left out."""
    market = np.vstack([np.ones(4), np.atleast_2d(rows)])
    return Episode(ASSETS, market, market if due is None else due, HOUR)


def holder(name, held, owed, threshold=(0.8, 0.7, 0.0, 0.6)):
    return small.venue(name, held, owed, assets=ASSETS, threshold=threshold)


def pushed(claims, prices=None, episode=None, lasting=1.0, dollars=1_000.0):
    """A sale of X of 43.17 units or so, next to an account that only holds Y."""
    seller = holder("seller", [100, 0, 0, 0], [0, 0, 74, 0])
    keeper = holder("keeper", [0, 100, 0, 0], [0, 0, 1, 0])
    system = small.system(
        seller, keeper, dollars={"X": dollars, "Y": 1e12, "S": 1e12, "V": 1e12}, lasting=lasting,
        claims=claims, prices=prices,
    )  # fmt: skip
    return cascade(system, episode or path([0.9, 0.9, 1.0, 1.0]))


def test_a_staked_token_falls_with_sales_of_what_stands_behind_it():
    found = pushed(Claims({"Y": {"X": 1.0}}))
    assert found.prices["X"].iloc[-1] < 0.89
    np.testing.assert_allclose(found.prices["Y"], found.prices["X"], rtol=1e-12)


def test_its_own_basis_stays():
    """From outside Y has lost a tenth more than X."""
    found = pushed(Claims({"Y": {"X": 1.0}}), episode=path([0.9, 0.81, 1.0, 1.0]))
    np.testing.assert_allclose(
        found.prices["Y"].iloc[1], 0.9 * found.prices["X"].iloc[1], rtol=1e-12
    )


def test_a_looped_position_falls_by_its_leverage():
    """Three of X against two of S: three times as far as X falls by sales."""
    levered = path([0.9, 0.7, 1.0, 1.0])  # 3·0.9 − 2
    found = pushed(Claims({"Y": {"X": 3.0, "S": -2.0}}), episode=levered)
    x = found.prices["X"].iloc[-1]
    assert found.prices["Y"].iloc[-1] == pytest.approx(3 * x - 2, rel=1e-12)


def test_a_looped_position_that_is_gone_keeps_the_least_and_not_less():
    found = pushed(
        Claims({"Y": {"X": 3.0, "S": -2.0}}), episode=path([0.7, 0.1, 1.0, 1.0]), dollars=120.0
    )
    assert 3 * found.prices["X"].iloc[-1] < 2
    assert found.prices["Y"].iloc[-1] == pytest.approx(0.1 * LEAST, rel=1e-9)


def test_a_claim_on_a_claim_follows_to_the_end():
    found = pushed(Claims({"V": {"Y": 2.0}, "Y": {"X": 0.5, "S": 0.5}}))
    x = found.prices["X"].iloc[-1]
    outside = (0.5 * 0.9 + 0.5, 1.0)
    y = 0.9 * (0.5 * x + 0.5) / outside[0]
    assert found.prices["Y"].iloc[-1] == pytest.approx(y, rel=1e-12)
    assert found.prices["V"].iloc[-1] == pytest.approx(y / 0.9, rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_without_sales_or_losses_a_claim_is_what_it_is_from_outside(seed):
    rng = np.random.default_rng(seed)
    W = {"Y": {"X": float(rng.uniform(1, 3)), "S": float(rng.uniform(-0.5, 1))}, "V": {"Y": 1.0}}
    rows = 10 ** rng.uniform(-1, 1, (5, 4))
    prices = pd.Series(10 ** rng.uniform(-3, 3, 4), ASSETS)
    claims = Claims(W, {"S": Receipt("one", 100.0)})
    calm = small.system(holder("one", [0, 1, 0, 0], [0, 0, 0, 0]), claims=claims, prices=prices)
    found = cascade(calm, path(rows))
    np.testing.assert_allclose(found.prices.iloc[1:], rows, rtol=1e-12)


# Receipts.


def lending(pool, threshold=0.8):
    """One who is under water at 0.5 of X, and one who pledges the receipt of that pool."""
    lender = holder("lender", [100, 0, 0, 0], [0, 0, 79, 0])
    other = holder("other", [0, 0, 0, 100], [0, 0, 55, 0])
    return System([lender, other], claims=Claims(receipts={"V": Receipt("lender", pool)}))


def test_a_receipt_loses_what_its_pool_has_lost():
    found = cascade(lending(200.0), path([0.5, 1, 1, 1]))
    lost = found.venues["lender"].column("deficit")[0]
    assert lost == pytest.approx(79 - 50 / 1.05)
    assert found.prices["V"].tolist() == pytest.approx([1.0, 1 - lost / 200])


def test_losses_of_a_pool_close_who_pledges_its_receipt():
    found = cascade(lending(200.0), path([0.5, 1, 1, 1]))
    assert found.first_step.tolist() == [1, 1]
    assert found.first_round.tolist() == [0, 1]
    assert cascade(lending(2_000.0), path([0.5, 1, 1, 1])).first_step.tolist() == [1, -1]


def test_a_pool_that_has_lost_everything_leaves_the_least():
    found = cascade(lending(10.0), path([0.5, 1, 1, 1]))
    assert found.prices["V"].iloc[-1] == pytest.approx(LEAST)


def test_an_exploit_costs_the_receipt_too():
    episode = path([1, 1, 1, 1]).changed(
        lost=np.array([[0.0, 0.5], [0.0, 0.0]]), venues=["lender", "other"]
    )
    found = cascade(lending(79.0), episode)
    assert found.prices["V"].tolist() == [1.0, 0.5]
    assert found.first_step.tolist() == [-1, 1]


# Cycles.


def matrix(behind):
    return Claims(behind).matrix(ASSETS)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_cycle_is_its_linear_solution(seed):
    """``P = W·P`` with the outside given: the price of each member by elimination."""
    rng = np.random.default_rng(seed)
    behind = {
        "X": {"Y": rng.uniform(0.1, 0.9), "S": rng.uniform(0.1, 2)},
        "Y": {"X": rng.uniform(0.1, 0.9), "V": rng.uniform(-0.2, 2)},
    }
    W = matrix(behind)
    s, v = rng.uniform(0.5, 2, 2)
    a, b = behind["X"]["Y"], behind["Y"]["X"]
    x = (behind["X"]["S"] * s + a * behind["Y"]["V"] * v) / (1 - a * b)
    y = (behind["Y"]["V"] * v + b * behind["X"]["S"] * s) / (1 - a * b)
    np.testing.assert_allclose(W @ [x, y, s, v], [x, y, 0, 0], rtol=1e-12)
    assert not W[:2, :2].any()


def test_a_cycle_of_three_and_a_claim_on_itself():
    W = matrix({"X": {"Y": 0.5}, "Y": {"V": 0.5}, "V": {"X": 0.5, "S": 0.7}})
    np.testing.assert_allclose(W[:, 2], [0.2, 0.4, 0, 0.8], rtol=1e-12)
    np.testing.assert_allclose(matrix({"X": {"X": 0.75, "S": 0.5}})[0], [0, 0, 2.0, 0])


def test_who_is_a_claim_on_a_cycle_is_no_part_of_it():
    W = matrix({"V": {"X": 1.0}, "X": {"Y": 0.5, "S": 0.5}, "Y": {"X": 0.5}})
    np.testing.assert_allclose(W[0], [0, 0, 2 / 3, 0])
    np.testing.assert_allclose(W[3], [1.0, 0, 0, 0])


def test_two_cycles_that_know_nothing_of_each_other():
    W = matrix({"X": {"X": 0.5, "S": 1.0}, "Y": {"Y": 0.75, "S": 1.0}})
    np.testing.assert_allclose(W[:2], [[0, 0, 2, 0], [0, 0, 4, 0]])
    assert len(Claims({"X": {"X": 0.5, "S": 1.0}, "Y": {"Y": 0.75, "S": 1.0}}).order(ASSETS)) == 4


def test_cycles_that_share_a_member():
    """X = Y/2 + S/2, Y = X/4 + V/4, V = Y/2 + S."""
    behind = {"X": {"Y": 0.5, "S": 0.5}, "Y": {"X": 0.25, "V": 0.25}, "V": {"Y": 0.5, "S": 1.0}}
    y = (0.125 + 0.25) / (1 - 0.125 - 0.125)
    W = matrix(behind)
    np.testing.assert_allclose(W[:, 2], [0.5 * y + 0.5, y, 0, 0.5 * y + 1], rtol=1e-12)
    assert not W[:, [0, 1, 3]].any()
    Claims(behind).check(ASSETS, ["one"])


def test_prices_of_a_cycle_follow_sales_of_what_stands_behind_it():
    found = pushed(Claims({"Y": {"V": 0.5, "X": 0.5}, "V": {"Y": 0.5}}))
    fall = found.prices["X"].iloc[-1] / 0.9
    np.testing.assert_allclose(found.prices["Y"].iloc[-1], 0.9 * fall, rtol=1e-12)
    np.testing.assert_allclose(found.prices["V"].iloc[-1], fall, rtol=1e-12)


@pytest.mark.parametrize(
    ("behind", "message"),
    [
        ({"X": {"Y": 2.0}, "Y": {"X": 0.5}}, "cycle without a solution.*less than one unit"),
        ({"X": {"X": 1.0}}, "X → X is a cycle"),
        ({"X": {"X": 0.5}, "Y": {"Y": 1.5}}, "Y → Y is a cycle"),
        ({"X": {"Q": 1.0}}, "claims name Q, which no book has; known are X, Y, S, V"),
        ({"X": {"Y": np.nan}}, "units of Y behind X is nan"),
        ({"X": {"Y": np.inf}}, "units of Y behind X is inf"),
    ],
)
def test_claims_that_have_no_price_are_refused(behind, message):
    with pytest.raises(ParameterError, match=message):
        Claims(behind).check(ASSETS, ["one"])


@pytest.mark.parametrize(
    ("receipts", "message"),
    [
        ({"V": ("nowhere", 1.0)}, "V is the receipt of nowhere.*choose one of one, two"),
        ({"Q": ("one", 1.0)}, "claims name Q"),
        ({"V": ("one", 0.0)}, "pool_usd is 0"),
        ({"V": ("one", np.nan)}, "pool_usd is nan"),
    ],
)
def test_receipts_of_no_pool_are_refused(receipts, message):
    with pytest.raises(ParameterError, match=message):
        Claims(receipts={a: Receipt(*r) for a, r in receipts.items()}).check(ASSETS, ["one", "two"])
