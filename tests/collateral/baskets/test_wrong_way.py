import numpy as np
import pytest
from scipy import stats

from tests.collateral.baskets.samples import SIGMA, exact, history, laws, make
from xcoll.collateral.baskets import account
from xcoll.collateral.baskets.wrong_way import UNITS, wrong_way
from xcoll.collateral.haircuts.market import Tail

PAST = history()
TAIL = stats.norm.pdf(stats.norm.ppf(0.99)) / 0.01


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.6])
def test_a_normal_pair_meets_its_closed_form(rho):
    """Long one A, short half a B: the tie is the covariance, and B follows A by ρ."""
    past = exact()
    options = {"of": Tail(loss="end"), "paths": 120_000}
    found = make(past, {"A": 1.0, "B": -0.5}, laws(past, rho, nu=np.inf), **options).wrong_way
    row = found.loc[("dcc_t", "dollar")]
    joint = SIGMA * np.sqrt(1.25 - rho) * TAIL
    independent = SIGMA * np.sqrt(1.25) * TAIL
    assert abs(row["addon"] - (joint - independent)) < 4.0 * row["error"] + 1e-3 * joint
    assert row["joint"] == pytest.approx(joint, rel=0.02)
    assert row["independent"] == pytest.approx(independent, rel=0.02)
    moved = found.loc[("dcc_t", "debt"), "debt_move"]
    assert moved == pytest.approx(-rho * SIGMA * TAIL, abs=0.04 * SIGMA * TAIL)
    assert row["debt_move"] == pytest.approx(0.5 * moved)
    ratio = found.loc[("dcc_t", "debt")]
    assert ratio["joint"] == pytest.approx(SIGMA * np.sqrt(2.0 - 2.0 * rho) * TAIL, rel=0.02)


def test_the_sign_says_which_way():
    two, weights = PAST.of(["BTC", "ETH"]), {"BTC": 1.0, "ETH": -0.6}
    falling = make(two, weights, laws(two, 0.8, 0.9, 0.7)).wrong_way
    rising = make(two, weights, laws(two, -0.8, -0.7, -0.9)).wrong_way
    for unit in UNITS:
        assert falling.loc[("dcc_t", unit), "addon"] < 0.0 < rising.loc[("dcc_t", unit), "addon"]
        assert falling.loc[("dcc_t", unit), "debt_move"] < 0.0
        assert rising.loc[("dcc_t", unit), "debt_move"] > 0.0


def test_dollars_are_the_account_and_the_own_price_is_no_risk_in_its_units():
    found = make(PAST, {"wstETH": 1.0, "ETH": -0.8}, followed={"wstETH": "ETH"})
    np.testing.assert_allclose(
        found.wrong_way.xs("dollar", level="unit")["joint"], found.risk["es"], atol=1e-14
    )
    np.testing.assert_allclose(found.wrong_way.xs("debt", level="unit")["joint"], 0.0, atol=1e-14)


def test_by_hand():
    """Four paths of one step; the worst half: collateral down while the debt is up."""
    move = np.log([[[0.5, 1.5]], [[0.75, 1.25]], [[1.0, 1.0]], [[1.25, 0.5]]])
    legs = account({"A": 1.0, "B": -0.4})
    found = wrong_way({"fhs": move}, 1, legs, 0.5, np.random.default_rng(0))
    dollar, debt = (found.loc[("fhs", unit)] for unit in UNITS)
    assert dollar["joint"] == pytest.approx((0.5 + 0.2 + 0.25 + 0.1) / 2)
    assert debt["joint"] == pytest.approx((1 - 0.5 / 1.5 + 1 - 0.75 / 1.25) / 2)
    assert debt["debt_move"] == pytest.approx(0.375)
    assert dollar["debt_move"] == pytest.approx(0.4 * 0.375)
    other = np.array([1.5, 1.25, 1.0, 0.5])[np.random.default_rng(0).permutation(4)]
    apart = np.sort(1 - np.array([0.5, 0.75, 1.0, 1.25]) + 0.4 * (other - 1))[::-1]
    assert dollar["independent"] == pytest.approx(apart[:2].mean())
    assert dollar["addon"] == pytest.approx(dollar["joint"] - apart[:2].mean())


def test_who_owes_nothing_has_no_wrong_way():
    found = make(PAST, {"BTC": 0.5, "ETH": 0.5}).wrong_way
    assert found.empty
    assert "addon" in found


def test_the_debt_moves_to_the_close_of_the_bar_in_which_the_collateral_is_worst():
    lows, closes = [[0.9, 0.8], [0.7, 0.9]], [[1.0, 1.1], [0.8, 1.3]]
    other = [[0.99, 0.98], [0.97, 0.96]], [[1.2, 1.4], [1.6, 1.8]]
    points = [np.concatenate([low, close], axis=1) for low, close in ((lows, closes), other)]
    move = np.log(np.stack(points, axis=-1))
    found = wrong_way(
        {"fhs": move}, 2, account({"A": 1.0, "B": -0.5}), 0.01, np.random.default_rng(0)
    )
    # nearly the mean of both: worst in the second bar of the one path, the first of the other
    assert found.loc[("fhs", "debt"), "debt_move"] == pytest.approx(0.5, abs=0.01)
