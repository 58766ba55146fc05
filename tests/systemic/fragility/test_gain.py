"""Loops: density × position × close share / depth, claims, receipts, and the cascade itself."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systemic.small import ASSETS, near, system, venue
from xcoll.collateral.liquidity import SquareRoot
from xcoll.errors import ParameterError
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.rulebooks import Maker
from xcoll.systemic._kernels import market
from xcoll.systemic.cascade import amplification
from xcoll.systemic.claims import Claims, Receipt
from xcoll.systemic.episode import Episode
from xcoll.systemic.fragility.gain import displacement, response
from xcoll.systemic.system import Impact

FALL = 0.002
SHOCK = -np.log1p(-FALL)
SPACING = SHOCK / 40
SHARE = 0.5 * 0.8 * 1.05  # close factor · LT · (1 + LB) of an account's collateral is sold


def crowd(name="one", count=400, **terms):
    return venue(name, *near(SPACING, count, **terms))


def expected(depth, worth=10_000.0):
    """Density of accounts × position × share sold / depth."""
    return worth * SHARE / SPACING / depth


def test_displacement_is_the_kernels():
    depth = Depth.of({"X": SquareRoot(0.06, 1e6), "Y": SquareRoot(0.1, 1e8)})
    impact = Impact(depth)
    sold = np.array([[0.0, 1e3, 5.0], [3.3e4, 1e10, 0.0], [1e7, 2e9, 1e-9], [1e2, 1e4, 1e6]])
    moves = depth.levels(ASSETS)
    kernel = getattr(market.displacement, "py_func", market.displacement)
    for thinner in (1.0, 0.3):
        found = displacement(impact, ASSETS, sold, thinner)
        for (row, a), u in np.ndenumerate(sold):
            assert found[row, a] == pytest.approx(kernel(impact.reach, moves, a, thinner, u))


def test_an_even_density_of_health_gains_density_times_sale_over_depth():
    depth = 4e8
    found = response(system(crowd(), dollars={"X": depth}), fall=FALL)
    assert found.gain == pytest.approx(expected(depth), rel=3e-3)
    assert found.matrix().loc["X", "X"] == pytest.approx(found.gain)
    assert found.base.sum() == 0
    assert found.matrix().drop(index="X").to_numpy().max() == 0
    assert found.loop["falls"].tolist() == [1, 0, 0]
    assert found.thinning == pytest.approx(found.gain, rel=1e-6)  # sales stay, depth divides
    assert found.total.loc["X", "X"] == pytest.approx(1 / (1 - found.gain))


@pytest.mark.parametrize("lasting", [1.0, 0.5])
def test_the_gain_is_what_a_cascade_multiplies_a_small_fall_by(lasting):
    depth = expected(1.0) / 0.6
    made = system(crowd(count=4_000), dollars={"X": depth}, lasting=lasting)
    gain = response(made, fall=FALL).gain
    assert gain == pytest.approx(0.6, rel=3e-3)
    whole = amplification(made, Episode.of_shock(pd.Series([-FALL, 0, 0], ASSETS)))
    assert whole.price["X"] == pytest.approx(1 / (1 - gain), rel=0.01)


def test_two_venues_that_share_a_price_gain_together():
    both = response(system(crowd("one"), crowd("two"), dollars={"X": 4e8}), fall=FALL)
    assert both.gain == pytest.approx(2 * expected(4e8), rel=3e-3)


def test_collaterals_of_separate_accounts_gain_apart():
    legs = crowd("x"), crowd("y", held=1, threshold=0.7)
    found = response(system(*legs, dollars={"X": 4e8, "Y": 1e9}), fall=FALL)
    J = found.matrix()
    assert J.loc["X", "Y"] == J.loc["Y", "X"] == 0
    assert J.loc["Y", "Y"] == pytest.approx(expected(1e9) * 0.7 / 0.8, rel=3e-3)
    assert found.gain == J.loc["X", "X"]


def test_accounts_that_pledge_both_tie_the_assets_into_one_loop():
    collateral, debt = near(SPACING, 400)
    collateral[:, 0], collateral[:, 1] = 5_000, 5_000
    debt *= 7_500 / 8_000
    found = response(
        system(venue("one", collateral, debt), dollars={"X": 4e8, "Y": 4e8}), fall=FALL
    )
    J = found.matrix().loc[["X", "Y"], ["X", "Y"]].to_numpy()
    assert (J.sum(axis=0) > 0).all()
    assert found.gain == pytest.approx(np.abs(np.linalg.eigvals(J)).max())
    assert found.loop.sum().tolist() == pytest.approx([1, 1])
    # X counts 8/15 of the cover and Y 7/15, so their falls bring in accounts as 8 : 7.
    assert found.loop.loc["X", "feeds"] / found.loop.loc["Y", "feeds"] == pytest.approx(
        8 / 7, rel=0.05
    )


STAKED = ["W", "E", "S"]


def staked(behind=1.2, lasting=0.5, **accounts):
    """W, a staked token, is a claim on E; prices are W 1.2 and E 1."""
    made = system(
        venue("loop", *near(SPACING, 400, assets=STAKED, **accounts), assets=STAKED),
        dollars={"W": 4e8, "E": 4e8},
        lasting=lasting,
    )
    return made.changed(
        claims=Claims({"W": {"E": behind}}), prices=pd.Series([1.2, 1.0, 1.0], STAKED)
    )


def test_looped_staking_feeds_on_its_own_basis_market_alone():
    collateral, debt = near(SPACING, 400, assets=STAKED, owed=1)
    made = staked()
    loop = venue("loop", collateral / 1.2, debt, assets=STAKED)
    J = response(made.changed(venues=[loop]), fall=FALL).matrix()
    assert J.loc["W", "W"] == pytest.approx(expected(4e8), rel=3e-3)
    assert J.loc["W", "E"] == 0  # the debt falls too, further than the claim on it
    assert J.loc["E"].tolist() == [0, 0, 0]


def test_what_stands_behind_a_claim_moves_it_as_far_as_its_fall_lasts():
    # W against dollars, and E against dollars: sales of E bring W down by the lasting half.
    loop = venue("w", *(x / [1.2, 1, 1] for x in near(SPACING, 400, assets=STAKED)), assets=STAKED)
    base = venue("e", *near(SPACING, 400, assets=STAKED, held=1, threshold=0.7), assets=STAKED)
    J = response(staked(lasting=0.5).changed(venues=[loop, base]), fall=FALL).matrix()
    assert J.loc["W", "W"] == pytest.approx(expected(4e8), rel=3e-3)
    assert J.loc["W", "E"] == pytest.approx(0.5 * expected(4e8), rel=3e-3)
    assert J.loc["E", "W"] == 0
    lasting = response(staked(lasting=1.0).changed(venues=[loop, base]), fall=FALL).matrix()
    assert lasting.loc["W", "E"] == pytest.approx(J.loc["W", "W"], rel=3e-3)


def test_a_claim_with_two_behind_it_follows_each_by_its_share():
    loop = venue("w", *(x / [1.2, 1, 1] for x in near(SPACING, 400, assets=STAKED)), assets=STAKED)
    base = venue("e", *near(SPACING, 400, assets=STAKED, held=1, threshold=0.7), assets=STAKED)
    made = staked(lasting=1.0).changed(
        venues=[loop, base],
        claims=Claims({"W": {"E": 0.15, "S": 0.9}}),
        prices=pd.Series([1.2, 2.0, 1.0], STAKED),
    )
    J = response(made, fall=FALL).matrix()
    assert J.loc["W", "E"] == pytest.approx(0.25 * expected(4e8), rel=3e-3)


def test_losses_of_a_pool_bring_its_receipt_down():
    # At −30 %, 70 of collateral repay 70/1.05 of a debt of 79; a log fall costs the pool that much.
    lender = venue("lender", [[100, 0, 0]], [[0, 0, 79]])
    user = venue("user", [[0, 50, 0]], [[0, 0, 10]])
    made = system(lender, user, dollars={"X": 1e9, "Y": 1e9})
    made = made.changed(claims=Claims(receipts={"Y": Receipt("lender", 1_000.0)}))
    found = response(made, pd.Series({"X": -0.3}), fall=1e-4)
    assert found.lost.loc["Y", "X"] / found.shock == pytest.approx(70 / 1.05 / 1_000, rel=1e-3)
    assert found.matrix().loc["Y", "X"] == pytest.approx(70 / 1.05 / 1_000, rel=1e-3)
    assert found.base["X"] == pytest.approx(100)  # units: dollars of the opening
    assert found.matrix().loc["Y", "Y"] == 0
    assert response(made, fall=1e-4).lost.to_numpy().max() == 0


def test_a_receipt_passes_all_of_a_loss_to_what_is_a_claim_on_it():
    made = staked(lasting=0.5)
    loop = venue("w", *(x / [1.2, 1, 1] for x in near(SPACING, 400, assets=STAKED)), assets=STAKED)
    made = made.changed(venues=[loop])
    pooled = made.changed(claims=replace(made.claims, receipts={"E": Receipt("w", 1e9)}))
    assert response(made, fall=FALL).matrix().loc["W", "E"] == 0  # nobody sells E
    assert response(pooled, fall=FALL).matrix().loc["W", "E"] == pytest.approx(
        expected(4e8), rel=3e-3
    )


def test_sales_of_the_state_itself_are_the_base_and_not_the_response():
    made = system(crowd(), dollars={"X": 4e8})
    found = response(made, pd.Series({"X": -FALL}), fall=FALL)
    assert found.base["X"] == pytest.approx(40 * 10_000 * SHARE, rel=5e-3)
    assert found.gain == pytest.approx(expected(4e8), rel=1e-2)
    emptied = response(made, pd.Series({"X": -0.5}), fall=FALL)
    assert emptied.gain < found.gain  # nobody is left to be brought in


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1_000), st.floats(1.1, 20.0))
def test_depth_calms_and_scale_changes_nothing(seed, times):
    rng = np.random.default_rng(seed)
    held = rng.lognormal(9, 1, (60, 3)) * [1, 1, 0]
    owed = np.outer((held @ [0.8, 0.7, 0]) / rng.uniform(1.0, 1.1, 60), [0, 0, 1])

    def of(scale, depth):
        impact = Impact(Depth.of({a: SquareRoot(0.06, depth) for a in "XY"}))
        return response(system(venue("one", held * scale, owed * scale)).changed(impact=impact))

    one = of(1.0, 1e7)
    assert of(1.0, 1e7 * times).gain <= one.gain + 1e-12
    assert one.matrix(times).to_numpy().max() <= one.matrix().to_numpy().max() + 1e-12
    assert (one.matrix().to_numpy() >= -1e-9).all()
    if 0.0 < one.thinning < 1.0:
        at, above = (
            np.abs(np.linalg.eigvals(one.matrix(one.thinning * by))).max() for by in (1.0, 1.001)
        )
        assert at >= 1.0 > above - 1e-3
    line_one, line_two = (
        response(system(venue("o", held * s, owed * s), dollars={"X": 1e6 * s, "Y": 2e6 * s}))
        for s in (1.0, 16.0)
    )
    small = held.sum(axis=1).min() > 8_000  # under Aave's minimum an account is closed whole
    assert not small or line_one.gain == pytest.approx(line_two.gain, rel=1e-6)


def test_auctions_and_late_keepers_need_the_steps_after_the_fall():
    held, owed = near(SPACING, 400)
    made = system(venue("one", held * 10, owed * 10, engine=Maker()), dollars={"X": 4e9})
    assert response(made, fall=FALL, after=0).gain == 0
    assert response(made, fall=FALL, after=6).gain > 0


def test_nothing_comes_back_where_nobody_breaches():
    found = response(system(crowd(first=1e4, count=3), dollars={"X": 1e6}))
    assert found.gain == 0
    assert found.thinning == 0
    assert found.loop.isna().all(axis=None)
    assert found.total.to_numpy().tolist() == np.eye(3).tolist()


def test_from_a_gain_of_one_there_is_no_end():
    found = response(system(crowd(), dollars={"X": expected(1.0) / 1.5}), fall=FALL)
    assert found.gain == pytest.approx(1.5, rel=3e-3)
    assert found.thinning == 1.0
    assert found.total.isna().all(axis=None)


def test_bad_input_is_named():
    with pytest.raises(ParameterError, match="move no price; give it an impact"):
        response(system(crowd()))
    made = system(crowd(), dollars={"X": 1e6})
    with pytest.raises(ParameterError, match="the base moves Q, which the system does not have"):
        response(made, pd.Series({"Q": -0.1}))
    with pytest.raises(ParameterError, match="fall is 1"):
        response(made, fall=1.0)
    with pytest.raises(ParameterError, match="beyond −100 %"):
        response(made, pd.Series({"X": -1.5}))
