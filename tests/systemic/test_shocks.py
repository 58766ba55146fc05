"""Many shocks at once: each is the cascade of its own episode, and their law is what it says."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from tests.systemic.trio import ASSETS, CORRELATION, LAW, MOVING, PARAMETERS, SIGMA, calm, trio
from xcoll.collateral.accounts import Book
from xcoll.collateral.liquidity import Tiers
from xcoll.errors import EstimationError, ParameterError
from xcoll.liquidation.rulebooks import Compound, Exchange, Maker
from xcoll.liquidation.world import Borrowers, Keepers, Oracle, World
from xcoll.systemic import shocks
from xcoll.systemic.cascade import cascade
from xcoll.systemic.claims import Claims, Receipt
from xcoll.systemic.episode import LEAST, Episode
from xcoll.systemic.shocks import Law, Shocks
from xcoll.systemic.system import Breakers, Venue

NORMAL = replace(LAW, nu=np.inf)
WIDE = replace(LAW, nu=12.0)  # all that is compared below has a variance


def alone(system, moves, unfolding):
    """The cascade of one row of moves."""
    level = np.maximum(moves @ shocks.loadings(system, MOVING), np.log(LEAST))
    fall = pd.Series(np.expm1(level), system.assets)
    episode = Episode.of_shock(fall, unfolding.step, unfolding.over, unfolding.after)
    return cascade(system, episode)


def hard(count, seed=0):
    """Moves of which most close somebody: half drawn twice as far, with rises among them."""
    moves = LAW.draw(count, np.random.default_rng(seed))
    moves[::2] *= 2.0
    return moves


def assert_same(mine, theirs, system, rows=slice(None)):
    """Dollars to 1e-12 of the debt, prices to 1e-12."""
    near = 1e-12 * sum(system.debt.values())
    np.testing.assert_allclose(mine.sums, theirs.sums[rows], rtol=1e-12, atol=near)
    np.testing.assert_allclose(mine.sold, theirs.sold[rows], rtol=1e-12, atol=near)
    np.testing.assert_allclose(mine.price, theirs.price[rows], rtol=1e-12)


def receipts_and_breakers():
    """The trio where the pairs also pledge the lender's receipt and every venue has breakers."""
    system = trio(3)
    venues = [
        replace(v, breakers=Breakers(0.08, "1h", "2h", 9e4, 0.2, 0.3), borrow_to=reborrow(v))
        for v in system.venues
    ]
    claims = Claims(system.claims.behind, {"LINK": Receipt("lender", 4e5)})
    return system.changed(venues=venues, claims=claims)


def reborrow(venue):
    return np.where(np.arange(len(venue.book)) % 7 == 0, 1.4, np.inf)


def auctions():
    """Venues that sell what they took in later rounds, behind slow oracles."""
    system = trio(4)
    first, second, third = system.venues
    one_debt = replace(first.book, debt=np.eye(5)[4] * first.book.debt.sum(axis=1, keepdims=True))
    venues = [
        replace(first, engine=Compound(), book=one_debt, oracle=Oracle("1h")),
        replace(second, oracle=Oracle(deviation=0.05, heartbeat="3h")),
        replace(third, engine=Maker()),
    ]
    return system.changed(venues=venues).with_world(
        keepers=Keepers("1h", 0.005, 2.0, 2e5, "largest first"), interest={"USDC": 2.0}
    )


def units():
    """The trio where a unit is not a dollar."""
    prices = pd.Series([2_000.0, 30_000.0, 7.0, 2_100.0, 1.0], ASSETS)
    system, worth = trio(5), prices.to_numpy()
    books = [
        replace(v.book, collateral=v.book.collateral / worth, debt=v.book.debt / worth)
        for v in system.venues
    ]
    venues = [replace(v, book=book) for v, book in zip(system.venues, books, strict=True)]
    return system.changed(venues=venues, prices=prices)


@pytest.mark.parametrize(
    ("system", "unfolding"),
    [
        (trio(), Shocks()),
        (trio(2, None), Shocks("1h", 1, 0)),
        (trio(2, 1.0), Shocks("4h", 2, 3)),
        (receipts_and_breakers(), Shocks()),
        (auctions(), Shocks("1h", 3, 9)),
        (units(), Shocks()),
    ],
    ids=["trio", "no impact", "lasting", "receipts and breakers", "auctions", "units"],
)
def test_each_row_is_the_cascade_of_its_own_episode(system, unfolding):
    moves = hard(40)
    found = shocks.run(system, MOVING, moves, unfolding)
    near = 1e-12 * sum(system.debt.values())
    for n, move in enumerate(moves):
        theirs = alone(system, move, unfolding)
        assert found.column("lost")[n] == pytest.approx(theirs.bad_debt.to_numpy(), abs=near)
        for name in ("repaid", "seized", "covered", "credit"):
            assert found.column(name)[n] == pytest.approx(theirs.by_venue(name), abs=near), name
        penalty = theirs.by_venue("seized") - theirs.by_venue("repaid") - theirs.by_venue("credit")
        assert found.penalty[n] * found.debt.sum() == pytest.approx(penalty.sum(), abs=near)
        served = found.column("first")[n].sum() + found.column("later")[n].sum()
        assert served == theirs.closed.sum()
        at_once = (theirs.first_step == 1) & (theirs.first_round == 0)
        assert found.column("first")[n].sum() == at_once.sum()
        assert found.sold[n] == pytest.approx(theirs.sold.sum().to_numpy(), abs=near)
        np.testing.assert_allclose(found.price[n], theirs.prices.iloc[-1], rtol=1e-12)
    assert (found.column("lost").sum(axis=1) > 0).sum() > 5
    assert (found.column("later") > 0).any() or unfolding.after == 0


@pytest.mark.parametrize(
    "system", [trio(), receipts_and_breakers(), auctions()], ids=["trio", "breakers", "auctions"]
)
def test_a_shock_knows_nothing_of_the_others(system):
    moves = hard(60, 1)
    whole = shocks.run(system, MOVING, moves)
    order = np.random.default_rng(0).permutation(60)
    assert_same(shocks.run(system, MOVING, moves[order]), whole, system, order)
    assert_same(shocks.run(system, MOVING, moves[7:8]), whole, system, slice(7, 8))
    # The same shock again and again, and a bench that others have worked on.
    again = shocks.run(system, MOVING, np.repeat(moves[4:5], 6, axis=0))
    assert_same(again, whole, system, np.repeat(4, 6))
    alone(system, moves[2], Shocks())
    assert_same(shocks.run(system, MOVING, moves[2:3]), whole, system, slice(2, 3))


def test_wallets_of_users_at_several_venues_are_full_again_for_the_next_shock():
    assert trio().layout.shared
    world = World(borrowers=Borrowers(attentive=1.0, delay=None, budget=0.05))
    system = trio(world=world, lasting=None)
    one = hard(1, 5) - 0.2
    found = shocks.run(system, MOVING, np.repeat(one, 3, axis=0))
    poor = system.with_world(borrowers=None)
    assert (found.sums[0] == found.sums[1:]).all()
    assert (found.sums[0] != shocks.run(poor, MOVING, one).sums[0]).any()  # they did answer


def test_a_fund_and_the_keepers_capital_are_whole_again_for_the_next_shock():
    system = trio()
    fall = np.full((3, 3), -0.5)
    found = shocks.run(system, MOVING, fall)
    assert found.column("covered")[0, 1] > 3_000.0  # the fund, and the fees of the others
    assert (found.sums == found.sums[0]).all()
    rich = system.with_world(keepers=Keepers(margin=0.01, gas=5.0))
    assert (shocks.run(rich, MOVING, fall[:1]).sums[0] != found.sums[0]).any()


def test_collateral_that_rises_into_a_tier_counts_as_in_its_cascade():
    """15 ETH owe 10 BTC; at three times the prices only the first 20 of 45 count in full."""
    book = Book(
        ASSETS, np.array([[15.0, 0, 0, 0, 0]]), np.array([[0, 10.0, 0, 0, 0]]), np.arange(1)
    )
    engine = Exchange(tiers={"ETH": Tiers((20.0, 60.0), (1.0, 0.1))})
    system = calm(Venue("one", book, PARAMETERS, engine))
    moves = np.log([[1.2, 1.2, 1.0], [3.0, 3.0, 1.0], [1.2, 1.2, 1.0]])
    found = shocks.run(system, MOVING, moves)
    assert found.column("repaid")[[0, 2]].max() == 0.0
    theirs = alone(system, moves[1], Shocks())
    assert theirs.by_venue("repaid")[0] > 10
    assert found.column("repaid")[1] == pytest.approx(theirs.by_venue("repaid"))


def test_sums_of_losses_by_hand():
    """100 ETH at LT 0.82 owe 80; at 0.5 all 50 are seized for 50/1.05, a tenth of 5 % is a fee."""
    book = Book(
        ASSETS, np.array([[100.0, 0, 0, 0, 0]]), np.array([[0, 0, 0, 0, 80.0]]), np.arange(1)
    )
    small = Book(
        ASSETS, np.array([[0, 10.0, 0, 0, 0]]), np.array([[0, 0, 0, 0, 5.0]]), np.arange(1)
    )
    system = calm(Venue("one", book, PARAMETERS), Venue("two", small, PARAMETERS))
    found = shocks.run(system, ["ETH"], np.log([[0.5], [1.0]]), Shocks("1h", 1, 0))
    assert found.column("lost")[0].tolist() == pytest.approx([80 - 50 / 1.05, 0])
    assert found.column("repaid")[0].tolist() == pytest.approx([50 / 1.05, 0])
    assert found.column("seized")[0].tolist() == pytest.approx([50, 0])
    assert (found.sums[1] == 0).all()
    assert found.debt.tolist() == [80, 5]
    assert found.bad_debt.tolist() == pytest.approx([(80 - 50 / 1.05) / 85, 0])
    assert found.penalty.tolist() == pytest.approx([(50 - 50 / 1.05) / 85, 0])
    assert found.frame().loc[0].to_dict() == pytest.approx({"one": 1 - 50 / 84, "two": 0})
    assert found.sold[0].tolist() == pytest.approx([50, 0, 0, 0, 0], abs=0.3)  # less the fee
    assert found.price[0].tolist() == found.outside[0].tolist() == [0.5, 1, 1, 0.5, 1]


def test_prices_unfold_at_a_constant_log_rate_and_stay():
    moves = np.log([[0.25, 0.81, 1.0]])
    system = trio(lasting=None)
    for over, after in ((1, 0), (2, 0), (2, 5), (4, 1)):
        found = shocks.run(system, MOVING, moves, Shocks("1h", over, after))
        assert found.outside[0].tolist() == pytest.approx([0.25, 0.81, 1.0, 0.25, 1.0])
        assert found.price[0].tolist() == pytest.approx(found.outside[0].tolist())
    slow = alone(system, moves[0], Shocks("1h", 2, 3)).prices
    assert slow["ETH"].tolist() == pytest.approx([1.0, 0.5, 0.25, 0.25, 0.25, 0.25])


def test_a_price_that_goes_to_nothing_stops_at_the_least():
    found = shocks.run(trio(), MOVING, np.array([[-100.0, 0.0, 0.0]]))
    assert found.outside[0].tolist() == pytest.approx([LEAST, 1, 1, LEAST, 1])
    theirs = alone(trio(), np.array([-100.0, 0.0, 0.0]), Shocks())
    assert found.column("lost")[0] == pytest.approx(theirs.bad_debt.to_numpy())


def test_tokens_follow_what_stands_behind_them_and_receipts_stay():
    book = replace(trio().venues[0].book, assets=["ETH", "BTC", "basket", "stETH", "receipt"])
    terms = PARAMETERS.frame.set_axis(book.assets)
    venue = Venue("one", book, replace(PARAMETERS, frame=terms))
    prices = pd.Series([2_000.0, 30_000.0, 1.0, 2_200.0, 1.0], book.assets)
    claims = Claims(
        {"stETH": {"ETH": 1.1}, "basket": {"stETH": 0.01, "BTC": 0.0011}},
        {"receipt": Receipt("one", 1e6)},
    )
    system = calm(venue, claims=claims, prices=prices)
    made = shocks.loadings(system, ["BTC", "ETH"])
    expected = [[0, 1, 0.6, 0, 0], [1, 0, 0.4, 1, 0]]  # 22 of 55 dollars are ETH's
    np.testing.assert_allclose(made, expected, atol=1e-15)
    alone = shocks.loadings(system, ["stETH"])  # a law may move a token that otherwise follows
    np.testing.assert_allclose(alone, [[0, 0, 0.4, 1, 0]], atol=1e-15)


@pytest.mark.parametrize(
    ("assets", "moves", "message"),
    [
        (["ETH", "GOLD"], np.zeros((1, 2)), "the law moves GOLD, which the system does not have"),
        (["ETH"], np.zeros((2, 2)), r"moves are \(2, 2\) with 0 .* shock × 1 assets"),
        (["ETH"], [[np.nan], [np.inf], [0.0]], r"moves are \(3, 1\) with 2 numbers"),
    ],
)
def test_moves_are_checked(assets, moves, message):
    with pytest.raises(ParameterError, match=message):
        shocks.run(trio(), assets, moves)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"over": 0}, "over is 0; give a whole number of at least 1"),
        ({"after": -1}, "after is -1; give a whole number of at least 0"),
        ({"step": "1"}, "step is '1'"),
    ],
)
def test_how_shocks_unfold_is_checked(changes, message):
    with pytest.raises(ParameterError, match=message):
        Shocks(**changes)


def test_law_of_a_horizon():
    law = Law.of(SIGMA, CORRELATION, "36h", 5.0)
    assert law.sigma.tolist() == pytest.approx([0.05 * 1.5**0.5, 0.04 * 1.5**0.5, 0.07 * 1.5**0.5])
    assert law.covariance[0, 1] == pytest.approx(0.8 * 0.05 * 0.04 * 1.5)
    assert law.nu == 5.0
    shuffled = Law.of(SIGMA[::-1], CORRELATION, "36h")  # by name, not by place
    np.testing.assert_allclose(shuffled.covariance, law.covariance)
    with pytest.raises(ParameterError, match="horizon is '7'"):
        Law.of(SIGMA, CORRELATION, "7")
    with pytest.raises(ParameterError, match="finite"):
        Law.of(SIGMA.drop("BTC"), CORRELATION)


@pytest.mark.parametrize(
    ("covariance", "nu", "message"),
    [
        (np.eye(3), 5.0, r"shape \(3, 3\); give finite 2 × 2"),
        (np.diag([1.0, np.inf]), 5.0, "give finite 2 × 2"),
        (np.array([[1.0, 0.5], [0.4, 1.0]]), 5.0, "not symmetric; average it"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), 5.0, "not positive definite; leave out"),
        (np.ones((2, 2)) * 0.0, 5.0, "not positive definite"),
        (np.eye(2), 2.0, "nu is 2.0; give more than 2"),
        (np.eye(2), np.nan, "nu is nan"),
    ],
)
def test_laws_are_checked(covariance, nu, message):
    with pytest.raises(ParameterError, match=message):
        Law(["A", "B"], covariance, nu)


def test_norm_is_that_of_mahalanobis():
    moves = LAW.draw(50, np.random.default_rng(2))
    by_hand = np.sqrt([x @ np.linalg.inv(LAW.covariance) @ x for x in moves])
    np.testing.assert_allclose(LAW.norm(moves), by_hand, rtol=1e-12)
    np.testing.assert_allclose(LAW.whiten(moves) @ LAW.root.T, moves, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(LAW.root @ LAW.root.T, LAW.covariance, rtol=1e-13)
    own = Law(["A"], np.array([[0.04]]))
    assert own.norm([[-0.6]]).tolist() == pytest.approx([3.0])  # in standard deviations


@pytest.mark.parametrize("law", [WIDE, NORMAL], ids=["t", "normal"])
def test_covariance_and_kurtosis_of_draws(law):
    n = 200_000
    x = law.draw(n, np.random.default_rng(3))
    pairs = x[:, :, None] * x[:, None, :]
    error = pairs.std(axis=0) / np.sqrt(n)
    assert (np.abs(pairs.mean(axis=0) - law.covariance) < 4 * error).all()
    assert (np.abs(x.mean(axis=0)) < 4 * law.sigma / np.sqrt(n)).all()
    fourth = (x / law.sigma) ** 4
    kurtosis = 3.0 + (6.0 / (law.nu - 4.0) if np.isfinite(law.nu) else 0.0)
    assert (np.abs(fourth.mean(axis=0) - kurtosis) < 4 * fourth.std(axis=0) / np.sqrt(n)).all()


@pytest.mark.parametrize("law", [LAW, NORMAL], ids=["t", "normal"])
def test_draws_have_the_law_jointly(law):
    """All directions alike, and far together: |z|² is 3·F(3, ν) shrunk to a variance of one."""
    x = law.draw(20_000, np.random.default_rng(4))
    shrink = (law.nu - 2.0) / law.nu if np.isfinite(law.nu) else 1.0
    radius = stats.f(3, law.nu).cdf if np.isfinite(law.nu) else stats.chi2(3, scale=1 / 3).cdf
    assert stats.kstest(law.norm(x) ** 2 / 3.0 / shrink, radius).pvalue > 0.01
    for seed in range(3):
        u = np.random.default_rng(seed).standard_normal(3)
        y = law.whiten(x) @ (u / np.linalg.norm(u))
        unit = stats.t(law.nu, scale=shrink**0.5) if np.isfinite(law.nu) else stats.norm
        assert stats.kstest(y, unit.cdf).pvalue > 0.01


@pytest.mark.parametrize("law", [LAW, NORMAL], ids=["t", "normal"])
def test_density_along_a_direction(law):
    assert integrate.quad(law.along, -np.inf, np.inf)[0] == pytest.approx(1.0, abs=1e-9)
    square = integrate.quad(lambda y: y**2 * law.along(y), -np.inf, np.inf)[0]
    assert square == pytest.approx(1.0, rel=1e-3)
    for y in (0.0, 1.3, 4.0, 9.0):
        area = integrate.quad(law.along, y, np.inf)[0]
        assert law.beyond(y) == pytest.approx(area, rel=1e-6)
    assert law.beyond(0.0) == 0.5
    x = law.whiten(law.draw(400_000, np.random.default_rng(5)))[:, 1]
    count, edge = np.histogram(x, np.linspace(-5, 5, 41))
    expected = len(x) * np.diff([1.0 - law.beyond(e) for e in edge])
    assert (np.abs(count - expected) < 4.5 * np.sqrt(expected)).all()


def test_beyond_against_scipy():
    assert NORMAL.beyond(2.5) == pytest.approx(stats.norm.sf(2.5), rel=1e-14)
    unit = stats.t(4.6, scale=np.sqrt(2.6 / 4.6))  # of variance one
    assert unit.var() == pytest.approx(1.0)
    assert LAW.beyond(6.0) == pytest.approx(unit.sf(6.0), rel=1e-12)
    assert LAW.along(6.0) == pytest.approx(unit.pdf(6.0), rel=1e-12)
    assert LAW.beyond(6.0) > 1e5 * NORMAL.beyond(6.0)


def bars(nu, count, assets=3, seed=6):
    rng = np.random.default_rng(seed)
    moves = 0.02 * rng.standard_t(nu, (count, assets))
    return pd.DataFrame(moves, pd.date_range("2020-01-01", periods=count, freq="D"))


def test_degrees_of_freedom_of_a_horizon():
    daily = bars(4.0, 6_000)
    assert shocks.degrees_of_freedom(daily, "1D") == pytest.approx(4.0, rel=0.15)
    assert shocks.degrees_of_freedom(daily, "7D") > 5.0  # sums have thinner tails
    weekly = daily.iloc[-5_999:].to_numpy().reshape(857, 7, 3).sum(axis=1)  # the last whole weeks
    fitted = [stats.t.fit(x - x.mean(), floc=0.0)[0] for x in weekly.T]
    assert shocks.degrees_of_freedom(daily.iloc[1:], "7D") == pytest.approx(np.median(fitted))
    assert shocks.degrees_of_freedom(bars(1.2, 500), "1D") == 2.1  # a law needs a variance


def test_degrees_of_freedom_leave_out_what_is_missing():
    daily = bars(4.0, 2_000)
    daily.iloc[:600, 0] = np.nan
    daily.iloc[:, 1] = np.nan
    fitted = [stats.t.fit(x - x.mean(), floc=0.0)[0] for x in (daily[0].dropna(), daily[2])]
    assert shocks.degrees_of_freedom(daily, "1D") == pytest.approx(np.median(fitted))
    with pytest.raises(EstimationError, match="no asset has 50 moves of 7D; 42 at most"):
        shocks.degrees_of_freedom(daily.iloc[:300], "7D")
