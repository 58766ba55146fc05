"""A cascade and its plain twin, held against each other."""

import numpy as np

from tests.liquidation.agreement import assert_agree, near

__all__ = ["assert_cascades_agree"]


def assert_cascades_agree(cascade, twin, tolerance=1e-9):
    """Everything that a `Cascade` says is what the `Twin` found, to `tolerance`."""
    for name, mine, theirs in (
        ("market", cascade.market, twin.market),
        ("shown", cascade.shown, twin.shown),
    ):
        # A claim that owes is a difference: what is left of it is rounded at the size of its parts.
        near(name, mine, theirs, tolerance * (theirs + 0.1 * twin.opening))
    for v, house in enumerate(twin.houses):
        near(
            "oracle",
            cascade.oracle[v],
            house.oracle,
            tolerance * (house.oracle + 0.1 * twin.opening),
        )
    steps, turns = (
        np.concatenate([house.first[:, column] for house in twin.houses]) for column in (0, 1)
    )
    assert np.array_equal(cascade.first_step, steps)
    assert np.array_equal(cascade.first_round, turns)
    dollars = sum((h.opening + h.given.book.collateral @ twin.opening).sum() for h in twin.houses)
    for house in twin.houses:
        name = house.given.name
        assert_agree(cascade.venues[name], house, tolerance)
        lost = house.table["deficit"] + house.table["under"]
        lost = lost.sum() + house.lost.sum() * house.opening.sum()
        near("bad debt", cascade.bad_debt[name], lost, tolerance * dollars)
        near("drawn", cascade.drawn[name], house.drawn, tolerance * dollars)
    sold = sum(house.sold_by_step for house in twin.houses)
    near("sold", cascade.sold, sold, tolerance * (dollars + sold.sum()))
    assert cascade.unsettled == twin.unsettled
    mine = cascade.rounds.to_numpy(dtype=float)
    theirs = np.array(twin.rounds)
    mine, theirs = (x[x[:, 3:5].max(axis=1) > 1e-6 * dollars] for x in (mine, theirs))
    assert np.array_equal(mine[:, :2], theirs[:, :2])
    near("rounds", mine[:, 2:5], theirs[:, 2:5], tolerance * (dollars + sold.sum()))
    near("fall", mine[:, 5], theirs[:, 5], 1e3 * tolerance)
