"""The smallest shock: closed forms, two regions of which one is narrow, bad input."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.systemic.trio import LAW, MOVING, trio
from xcoll.errors import EstimationError, ParameterError
from xcoll.systemic import shocks
from xcoll.systemic.montecarlo import draw
from xcoll.systemic.reverse import search
from xcoll.systemic.shocks import Law

A = np.array([0.5, 0.2, 0.3])
ROUND = Law(["X", "Y", "Z"], np.eye(3) * 0.01, np.inf)


def seeded(seed=0):
    return np.random.default_rng(seed)


def plane(holdings):
    return lambda moves: -(moves @ holdings)


def caps(*given):
    """Loss 1 within an angle of a direction (in standard deviations), beyond a distance."""

    def loss(moves):
        z = ROUND.whiten(moves)
        radius = np.linalg.norm(z, axis=1)
        inside = np.zeros(len(z), dtype=bool)
        for direction, angle, distance in given:
            unit = np.array(direction) / np.linalg.norm(direction)
            cosine = z @ unit / np.maximum(radius, 1e-300)
            inside |= (cosine >= np.cos(angle)) & (radius >= distance)
        return inside.astype(float)

    return loss


class Counted:
    """A loss that remembers what it was asked."""

    def __init__(self, loss):
        self.loss, self.asked = loss, []

    def __call__(self, moves):
        self.asked.append(moves)
        return self.loss(moves)


@pytest.mark.parametrize("nu", [4.6, np.inf])
@pytest.mark.parametrize("holdings", [A, np.array([1.0, -1.0, 0.0]), np.array([0.0, 0.0, -0.4])])
@pytest.mark.parametrize("norm", [1.5, 5.0])
def test_a_linear_loss_has_a_closed_form(nu, holdings, norm):
    law = replace(LAW, nu=nu)
    spread = np.sqrt(holdings @ law.covariance @ holdings)
    budget = norm * spread
    found = search(law, plane(holdings), budget, seeded(), smaller=5_000)
    assert found.norm == pytest.approx(norm, rel=0.01)
    assert found.norm >= norm * (1 - 1e-12)
    assert law.norm(found.moves)[0] == pytest.approx(found.norm, rel=1e-12)
    exact = -norm * law.covariance @ holdings / spread
    assert law.norm(found.moves - exact)[0] < 0.15 * norm  # flat around it: (1 % → 14 % aside)
    assert found.loss == pytest.approx(budget, rel=0.01)
    assert found.loss >= budget * (1 - 1e-12)
    assert found.probability == law.beyond(found.norm)


def test_probability_against_draws():
    """Of a half space all is known: the share of draws beyond is that beyond the norm."""
    spread = np.sqrt(A @ LAW.covariance @ A)
    found = search(LAW, plane(A), 3.0 * spread, seeded(), tolerance=0.002)
    sample = draw(LAW, 60_000, seeded(1), found.moves)
    there = sample.weight * (plane(A)(sample.moves) >= 3.0 * spread)
    assert abs(there.mean() - LAW.beyond(3.0)) < 4 * there.std() / 60_000**0.5
    assert found.probability == pytest.approx(there.mean(), rel=0.05)
    unit = stats.t(LAW.nu, scale=np.sqrt(1 - 2 / LAW.nu))
    assert found.probability == pytest.approx(unit.sf(found.norm), rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_the_nearer_of_two_regions_is_found(seed):
    wide, narrow = ([-1, -1, -1], 0.9, 3.2), ([1, -1, 0.5], 0.25, 3.0)
    found = search(ROUND, caps(wide, narrow), 1.0, seeded(seed))
    assert found.norm == pytest.approx(3.0, rel=0.01)
    cosine = ROUND.whiten(found.moves)[0] @ [1, -1, 0.5] / found.norm / 1.5
    assert cosine > np.cos(0.26)
    other = search(ROUND, caps(([-1, -1, -1], 0.9, 2.9), narrow), 1.0, seeded(seed))
    assert other.norm == pytest.approx(2.9, rel=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_a_region_that_no_ray_of_the_beginning_meets(seed):
    """A cone of 0.02 of all directions, met by one of so many smaller shocks in the end."""
    wide, narrow = ([-1, -1, -1], 0.9, 4.0), ([1, 1, 2], 0.28, 2.0)
    found = search(ROUND, caps(wide, narrow), 1.0, seeded(seed), rays=1)
    assert found.norm == pytest.approx(2.0, rel=0.01)
    assert ROUND.norm(found.moves)[0] == pytest.approx(found.norm, rel=1e-12)


def test_no_smaller_shock_of_the_last_test_breaches():
    loss = Counted(caps(([-1, -1, -1], 0.7, 3.0), ([1, 0, 0], 0.4, 3.5)))
    found = search(ROUND, loss, 1.0, seeded(), smaller=4_000, tolerance=0.01)
    last = loss.asked[-2]  # and then the shock itself
    assert len(last) == found.smaller == 4_000
    norms = ROUND.norm(last)
    assert norms.max() <= found.norm * 0.99 * (1 + 1e-12)
    assert norms.max() > found.norm * 0.985  # up to the sphere, not about its middle
    assert (norms < 0.5 * found.norm).mean() == pytest.approx((0.5 / 0.99) ** 3, abs=0.02)
    assert not (loss.loss(last) >= 1.0).any()
    assert loss.asked[-1].tolist() == [found.moves.tolist()]
    assert sum(map(len, loss.asked)) == found.tried + 1
    assert found.loss == 1.0


def test_the_same_seed_finds_the_same_shock():
    one, two = (search(ROUND, plane(A), 0.2, seeded(3), smaller=500) for _ in range(2))
    assert one.moves.tolist() == two.moves.tolist()


def test_nothing_within_reach():
    with pytest.raises(EstimationError, match=r"no shock within 4 standard deviations loses 1"):
        search(ROUND, caps(([1, 0, 0], 1.0, 4.1)), 1.0, seeded(), farthest=4.0)
    assert search(ROUND, caps(([1, 0, 0], 1.0, 3.9)), 1.0, seeded(), farthest=4.0).norm < 4.0


def test_a_budget_that_is_breached_without_a_shock():
    with pytest.raises(EstimationError, match=r"the budget 0\.1 is breached without a shock"):
        search(ROUND, lambda moves: np.full(len(moves), 0.1), 0.1, seeded())


@pytest.mark.parametrize("budget", [0.0, -1.0, np.nan])
def test_budgets_are_checked(budget):
    with pytest.raises(ParameterError, match="budget is"):
        search(ROUND, plane(A), budget, seeded())


def test_table_and_words():
    holdings = np.array([0.0, 0.1, 1.0])
    budget = 3.0 * np.sqrt(holdings @ LAW.covariance @ holdings)
    found = search(LAW, plane(holdings), budget, seeded())
    table = found.table()
    assert table["share"].sum() == pytest.approx(1.0)
    assert table["share"].is_monotonic_decreasing
    assert table["asset"].iloc[0] == "LINK"
    rows = table.set_index("asset")
    moves = dict(zip(MOVING, found.moves, strict=True))
    for n, asset in enumerate(MOVING):
        assert rows.loc[asset, "move"] == pytest.approx(np.exp(moves[asset]) - 1)
        assert rows.loc[asset, "sigmas"] == pytest.approx(moves[asset] / LAW.sigma[n])
    pull = np.linalg.inv(LAW.covariance) @ found.moves
    by_hand = dict(zip(MOVING, found.moves * pull / found.norm**2, strict=True))
    assert rows["share"].to_dict() == pytest.approx(by_hand)
    assert found.words().startswith(f"LINK {100 * np.expm1(moves['LINK']):+.0f} %, ")
    assert found.words(1).startswith(f"LINK {100 * np.expm1(moves['LINK']):+.0f} %; ")


def test_words_of_the_market_and_of_something_else():
    falls = search(LAW, plane(np.ones(3)), 1.0, seeded())
    assert "nearly the market as a whole" in falls.words()
    apart = search(LAW, plane(np.array([1.0, -1.0, 0.0])), 0.4, seeded())
    assert "not the market alone" in apart.words()
    assert apart.words().startswith("ETH -")
    pure = replace(falls, moves=-0.7 * LAW.sigma)
    assert "cosine 1.00 with equal falls" in pure.words()


def test_the_smallest_shock_of_a_system():
    system = trio(size=30)

    def bad_debt(moves):
        return shocks.run(system, MOVING, moves).bad_debt

    found = search(LAW, bad_debt, 0.02, seeded(), rays=32, smaller=1_500, tolerance=0.02)
    assert bad_debt(found.moves)[0] == pytest.approx(found.loss)
    assert found.loss >= 0.02
    near = LAW.draw(2_000, seeded(5))
    near *= (0.97 * found.norm * seeded(6).random(2_000) ** (1 / 3) / LAW.norm(near))[:, None]
    assert (bad_debt(near) >= 0.02).mean() < 0.002  # of other shocks, too
    assert found.table()["share"].sum() == pytest.approx(1.0)
