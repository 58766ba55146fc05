"""Cascades of synthetic systems against numpy over all accounts, with a whole world around, and as
many shocks; clearing against a linear programme.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import linprog

from tests.benchmarks.liquidation import close_all
from tests.benchmarks.measure import Case, Peer
from xcoll.collateral import accounts
from xcoll.collateral.liquidity import SquareRoot
from xcoll.collateral.thresholds import RiskParameters
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.world import Borrowers, Keepers, World
from xcoll.systemic.cascade import Cascade, cascade
from xcoll.systemic.claims import Claims
from xcoll.systemic.episode import Episode
from xcoll.systemic.losses.clearing import Clearing, clear
from xcoll.systemic.shocks import Law, Losses, Shocks, run
from xcoll.systemic.system import LASTING, Impact, System, Venue

VENUES, ASSETS, STABLE = 4, 10, ("USD1", "USD2")
NAMES = [*(f"A{n}" for n in range(ASSETS - len(STABLE))), *STABLE]
MOVING = NAMES[: -len(STABLE)]
USD = 20_000.0  # of collateral an account, on average
AFTER = 12  # hours that the whole world has after the fall


def depth(total: float) -> Depth:
    """Order books of which a common fall of a fifth uses some percent."""
    markets = {name: SquareRoot(0.05, 0.4 * total / (n + 1.0)) for n, name in enumerate(MOVING)}
    return Depth.of(markets | dict.fromkeys(STABLE, SquareRoot(0.001, 10.0 * total)))


def parameters() -> RiskParameters:
    """One set for all venues."""
    threshold = [*np.linspace(0.82, 0.65, len(MOVING)), 0.0, 0.0]
    frame = pd.DataFrame(
        {"ltv": 0.0, "threshold": threshold, "bonus": 0.05, "protocol_fee": 0.1},
        index=pd.Index(NAMES, name="asset"),
    )
    return RiskParameters(frame, recommended=False)


def system(count: int) -> System:
    """Venues with Aave's rules and `count` accounts each, on one market; no other friction."""
    rng, given = np.random.default_rng(1), parameters()
    shape = accounts.Shape(
        NAMES, accounts.mix_of(MOVING), STABLE, MOVING[:2], size_spread=1.5, health_spread=0.8
    )
    venues = []
    for number in range(VENUES):
        draws = accounts.draw(shape, count, rng)
        sides = accounts.dollars(draws, shape, given.frame["threshold"], NAMES)
        factor = USD * count / sides[0].sum()
        book = accounts.Book(NAMES, *(side * factor for side in sides), np.arange(count))
        venues.append(Venue(f"venue {number}", book, given))
    return System(venues, impact=Impact(depth(VENUES * USD * count), lasting=1.0))


def with_a_world(bare: System) -> System:
    """Keepers with capital and gas, the order books that they sell to, borrowers who answer, users
    at several venues and a token that follows another.
    """
    count, rng = len(bare.venues[0].book), np.random.default_rng(2)
    venues = [
        replace(
            venue, users=np.where(rng.random(count) < 0.1, 0, number * count) + np.arange(count)
        )
        for number, venue in enumerate(bare.venues)
    ]
    world = World(
        keepers=Keepers(margin=0.005, gas=5.0, capital=0.25 * USD * count),
        depth=bare.impact.depth,
        borrowers=Borrowers(attentive=0.5, delay="1h", budget=0.05),
    )
    return System(venues, world, replace(bare.impact, lasting=LASTING), Claims({"A3": {"A0": 1.0}}))


def numpy_cascade(bare: System, shock: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rounds of one step over all accounts at once: prices, and debts that are left."""
    frame, impact = bare.venues[0].parameters.frame, bare.impact
    C, D = (
        np.concatenate([getattr(venue.book, side) for venue in bare.venues])
        for side in ("collateral", "debt")
    )
    at, curves = np.append(0.0, impact.reach), impact.depth.levels(NAMES)

    def displacement(units: np.ndarray) -> np.ndarray:
        return np.array([np.interp(units[a], at, np.append(0.0, curves[a])) for a in range(ASSETS)])

    price, units = 1.0 + shock, np.zeros(ASSETS)
    while True:
        before = C.sum(axis=0)
        fees = close_all(C, D, price, frame)
        sold = before - C.sum(axis=0) - fees
        if not sold.any():
            return price, D
        price = price * (1.0 - displacement(units + sold) + displacement(units))
        units += sold


def one_shock(tiny: bool = False) -> Case:
    """One fall of a fifth to its fixed point."""
    count = 200 if tiny else 100_000
    bare = system(count)
    shock = pd.Series(0.0, NAMES)
    shock[MOVING] = -0.2
    around, episode = with_a_world(bare), Episode.of_shock(shock)
    longer = Episode.of_shock(shock, after=AFTER)
    closed = cascade(bare, episode).closed.mean()

    def agree(ours: Cascade, theirs: tuple[np.ndarray, np.ndarray]) -> None:
        shown, left = theirs
        np.testing.assert_allclose(ours.shown[-1], shown, rtol=1e-9)
        debt = np.concatenate([ours.venues[name].debt for name in bare.names])
        np.testing.assert_allclose(debt, left, rtol=1e-9, atol=1e-9 * left.max())

    def both_close(ours: Cascade, theirs: Cascade) -> None:
        assert ours.closed.any()
        assert theirs.closed.any()

    return Case(
        f"cascade of one shock: {closed:.0%} closed",
        f"{VENUES} venues × {count:,} accounts × {ASSETS} assets",
        lambda: cascade(bare, episode),
        (
            Peer(
                "numpy, a round at a time",
                "numpy",
                lambda: numpy_cascade(bare, shock.to_numpy()),
                agree,
            ),
            Peer(
                f"ours, whole world, {AFTER} hours more",
                "xcoll-workbook",
                lambda: cascade(around, longer),
                both_close,
                remark="another question: what the world around costs",
            ),
        ),
        "ms",
    )


def many_shocks(tiny: bool = False) -> Case:
    """Shocks of a week's law, together and one by one."""
    count, draws, alone = (100, 20, 5) if tiny else (20_000, 400, 20)
    bare = system(count)
    around, unfolding = with_a_world(bare), Shocks("1h", 1, 0)
    matrix = 0.3 * np.eye(len(MOVING)) + 0.7
    correlation = pd.DataFrame(matrix, MOVING, MOVING)
    law = Law.of(pd.Series(0.05, MOVING), correlation, "7D", 4.0)
    moves = law.draw(draws, np.random.default_rng(1))

    def one_by_one() -> list[float]:
        level = np.exp(moves[:alone])
        shocks = [pd.Series([*row - 1.0, 0.0, 0.0], NAMES) for row in level]
        return [cascade(bare, Episode.of_shock(one)).bad_debt.sum() for one in shocks]

    def agree(ours: Losses, theirs: list[float]) -> None:
        found = ours.column("lost").sum(axis=1)[:alone]
        np.testing.assert_allclose(found, theirs, rtol=1e-9, atol=1e-6)

    def lose(ours: Losses, theirs: Losses) -> None:
        assert ours.sums.shape == theirs.sums.shape

    return Case(
        "cascades of a week's law",
        f"{draws:,} shocks × {VENUES} venues × {count:,} accounts",
        lambda: run(bare, MOVING, moves, unfolding),
        (
            Peer("ours, one by one", "xcoll-workbook", one_by_one, agree, alone / draws, 2),
            Peer(
                "ours, whole world",
                "xcoll-workbook",
                lambda: run(
                    around, [n for n in MOVING if n != "A3"], moves[:, np.arange(8) != 3], unfolding
                ),
                lose,
                1.0,
                2,
                "another question: what the world around costs",
            ),
        ),
        "ms a shock",
        1e-3 * draws,
    )


def network(nodes: int) -> tuple[sparse.csr_array, np.ndarray]:
    """Liabilities of ten creditors a node, and assets that are short for some."""
    rng = np.random.default_rng(1)
    links = sparse.random_array((nodes, nodes), density=10.0 / nodes, rng=rng, format="csr")
    links.setdiag(0.0)
    links.eliminate_zeros()
    return links.tocsr(), rng.exponential(0.6, nodes)


def clearing(tiny: bool = False) -> Case:
    """Clearing payments, greatest and least; the greatest maximises what is paid in all."""
    nodes = 60 if tiny else 2_000
    links, assets = network(nodes)
    owed = links.sum(axis=1)

    def programme() -> np.ndarray:
        share = sparse.diags_array(1.0 / np.maximum(owed, 1e-300)) @ links
        limits = sparse.eye_array(nodes) - share.T
        found = linprog(
            -np.ones(nodes), A_ub=limits, b_ub=assets, bounds=np.column_stack([0 * owed, owed])
        )
        return found.x

    def agree(ours: Clearing, theirs: np.ndarray) -> None:
        assert ours.greatest.nodes["defaults"].any()
        np.testing.assert_allclose(ours.greatest.nodes["paid"], theirs, atol=1e-6 * owed.max())

    return Case(
        "clearing of a network",
        f"{nodes:,} nodes × 10 creditors",
        lambda: clear(links, assets),
        (Peer("HiGHS, the linear programme", "scipy", programme, agree),),
    )


CASES = (one_shock, many_shocks, clearing)
