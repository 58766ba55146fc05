"""Two replays of the same book, or a replay and its plain twin, held against each other."""

import numpy as np

from xcoll.liquidation._kernels import ACCOUNT, BARS, UNITS

__all__ = ["assert_agree", "assert_alike", "assert_same"]

MOMENTS = ("since", "wait")  # where inside a step: a quotient of small differences
SERVED = ("since", "lowered")  # said of accounts that were served


def near(name, mine, theirs, size):
    """Both agree to `size`, which is dollars, units or steps and never less than rounding."""
    gap = np.abs(np.asarray(mine) - theirs) / np.maximum(size, 1e-300)
    assert (gap <= 1).all(), f"{name}: {gap.max():.3g} times what is allowed, at {gap.argmax()}"


def assert_agree(replay, twin, tolerance=1e-9):
    """Everything that a `Replay` says is what the `Simulation` found, to `tolerance`.

    Relative to the opening balances of the account and to its dollars, in sums to those of all.
    """
    book = replay.book
    dollars = book.collateral @ twin.market[0] + book.debt @ twin.due[0] + 1.0
    for side, mine, theirs in (
        ("collateral", replay.collateral, twin.C),
        ("debt", replay.debt, twin.D),
    ):
        opening = getattr(book, side).max(axis=1)[:, None]
        # What is left of a limit that all share is rounded at the size of the largest.
        size = np.abs(theirs) + opening + 0.01 * opening.max()
        near(side, mine, theirs, tolerance * size)
    served = replay.column("calls") > 0
    for name in ACCOUNT:
        mine, theirs = replay.column(name), twin.table[name]
        counted = served if name in SERVED else np.ones(len(book), dtype=bool)
        size = 100 * tolerance if name in MOMENTS else tolerance * (dollars + np.abs(theirs))
        size = np.broadcast_to(size, counted.shape)
        near(name, mine[counted], theirs[counted], size[counted])
    for row, name in enumerate(UNITS):
        total = book.collateral.sum() + book.debt.sum()
        near(name, replay.units[row], twin.units[name], tolerance * total)
    for column, name in enumerate(BARS):
        near(name, replay.by_bar[:, column], twin.by_bar[name], tolerance * dollars.sum())
    fund = getattr(twin.venue, "fund", None)
    near("fund", replay.fund, fund.balance if fund else 0.0, tolerance * dollars.sum())


def assert_same(mine, theirs, names=("account", "collateral", "debt", "units")):
    """The two replays agree bit for bit."""
    for name in names:
        assert np.array_equal(getattr(mine, name), getattr(theirs, name)), name


def assert_alike(mine, theirs, by_asset=True):
    """Bit for bit but for sums over accounts by bar, which may be taken in another order.

    Where not `by_asset`, this goes for the sums by asset too.
    """
    assert_same(mine, theirs, ("account", "collateral", "debt"))
    if by_asset:
        assert_same(mine, theirs, ("units",))
    near("units", mine.units, theirs.units, 1e-12 * theirs.units.max())
    assert mine.fund == theirs.fund
    size = 1e-12 * theirs.by_bar.max(axis=0, initial=0.0)
    near("by_bar", mine.by_bar, theirs.by_bar, size)
