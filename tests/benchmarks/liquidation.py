"""The liquidation replay of synthetic books on simulated prices: against numpy over all accounts,
without skipping, with a whole world around it, and how its cost grows.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from tests.benchmarks.measure import Case, Peer
from xcoll.collateral import accounts
from xcoll.collateral.liquidity import SquareRoot
from xcoll.collateral.thresholds import RiskParameters
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.engines.aave import RULES
from xcoll.liquidation.replay import Conduct, Replay, replay
from xcoll.liquidation.world import Borrowers, Keepers, Oracle, World

NANOSECOND = 1e-9
CLOSES = Conduct(steps=1)


@dataclass(frozen=True)
class Setup:
    """A book and the prices that it is replayed on; the last asset is a stablecoin."""

    book: accounts.Book
    close: pd.DataFrame
    low: pd.DataFrame
    parameters: RiskParameters

    def run(self, conduct: Conduct = CLOSES) -> Replay:
        """The replay."""
        return replay(self.book, self.close, self.low, self.parameters, conduct)

    @property
    def breached(self) -> float:
        """Share of the accounts that are closed."""
        return float((self.run().column("calls") > 0).mean())


def setup(
    count: int, bars: int, assets: int, volatility: float, freq: str = "D", drift: float = 0.0
) -> Setup:
    """Always the same book and prices of a size: a common factor, and lows under both closes.

    `volatility` and `drift` are of a step.
    """
    rng = np.random.default_rng(3)
    names = [f"A{n}" for n in range(assets - 1)] + ["USD"]
    shocks = 0.7 * rng.standard_normal((bars, 1)) + 0.7 * rng.standard_normal((bars, assets))
    steps = volatility * shocks + drift - 0.5 * volatility**2
    steps[:, -1] = 0.0
    path = np.exp(np.vstack([np.zeros((1, assets)), steps.cumsum(axis=0)]))
    index = pd.date_range("2020-01-01", periods=bars + 1, freq=freq)
    close = pd.DataFrame(path, index, names)
    low = np.minimum(close, close.shift(1).fillna(close)) * np.exp(-volatility / 2)
    low["USD"], low.iloc[0] = 1.0, close.iloc[0]
    frame = pd.DataFrame(
        {"ltv": 0.70, "threshold": 0.78, "bonus": 0.05, "protocol_fee": 0.1},
        index=pd.Index(names, name="asset"),
    )
    parameters = RiskParameters(frame)
    shape = accounts.Shape(names, mix=accounts.mix_of(names), stable=("USD",))
    draws = accounts.draw(shape, count, np.random.default_rng(1))
    sides = accounts.dollars(draws, shape, frame["threshold"], names)
    return Setup(accounts.settle(shape, *sides, close.iloc[0]), close, low, parameters)


def close_all(C: np.ndarray, D: np.ndarray, p: np.ndarray, frame: pd.DataFrame) -> np.ndarray:
    """Aave's rules at prices `p` over all accounts at once, in place; units of fees by asset."""
    lt, bonus, fee = (frame[name].to_numpy() for name in ("threshold", "bonus", "protocol_fee"))
    rate, kept_units = 1.0 + bonus, np.zeros(len(p))
    gain = bonus * (1.0 - fee)
    n = np.flatnonzero(C @ (p * lt) < D @ p)
    while n.size:
        worth, debt = C[n] * p, D[n] * p
        total, health = debt.sum(axis=1), (worth @ lt) / debt.sum(axis=1)
        # account × collateral × debt
        cap, owed = (worth / rate)[:, :, None], debt[:, None, :]
        large = (worth >= RULES.full_close_below)[:, :, None] & (owed >= RULES.full_close_below)
        half = large & (health > RULES.full_close_health)[:, None, None]
        most = RULES.close_factor * total[:, None, None]
        limit = np.where(half, np.minimum(owed, most), owed)
        kept = np.minimum(owed - RULES.least_leftover, cap - (RULES.least_leftover / rate)[:, None])
        partly = (limit < owed) & (limit < cap)
        repay = np.where(partly, np.maximum(0.0, np.minimum(limit, kept)), np.minimum(limit, cap))
        profit = (repay * gain[:, None]).reshape(len(n), -1)
        best = profit.argmax(axis=1)
        pays = profit[np.arange(len(n)), best] > 0.0
        n, best, repay = n[pays], best[pays], repay[pays]
        if not n.size:
            break
        k, j = np.divmod(best, C.shape[1])
        amount = repay[np.arange(len(n)), k, j]
        whole = amount >= cap[pays][np.arange(len(n)), k, 0]
        cleared = amount >= owed[pays][np.arange(len(n)), 0, j]
        np.add.at(kept_units, k, amount * bonus[k] * fee[k] / p[k])
        C[n, k] = np.where(whole, 0.0, C[n, k] - amount * rate[k] / p[k])
        D[n, j] = np.where(cleared, 0.0, D[n, j] - amount / p[j])
        bare = ~C[n].any(axis=1)
        D[n[bare]] = 0.0
        n = n[C[n] @ (p * lt) < D[n] @ p]
    return kept_units


def numpy_loop(made: Setup) -> tuple[np.ndarray, np.ndarray]:
    """Aave's rules a step at a time, over all accounts at once; balances that are left."""
    C, D = made.book.collateral.copy(), made.book.debt.copy()
    for p in made.close.to_numpy()[1:]:
        close_all(C, D, p, made.parameters.frame)
    return C, D


def against_numpy(name: str, volatility: float, drift: float, tiny: bool = False) -> Case:
    """One book by the kernel, by numpy over all accounts, and without skipping."""
    count, bars = (200, 60) if tiny else (20_000, 1_000)
    made = setup(count, bars, 6, volatility, drift=drift)

    def agree(ours: Replay, left: tuple[np.ndarray, np.ndarray]) -> None:
        assert (ours.debt != made.book.debt).any()
        for mine, theirs in zip((ours.collateral, ours.debt), left, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9 * theirs.max())

    return Case(
        f"Aave, closes only, {name}: {made.breached:.0%} breached",
        f"{count:,} accounts × {bars:,} steps × 6 assets",
        made.run,
        (
            Peer("numpy, a step at a time", "numpy", lambda: numpy_loop(made), agree),
            Peer(
                "the same kernel, none skipped",
                "xcoll-workbook",
                lambda: made.run(replace(CLOSES, prune=False)),
                _same,
            ),
        ),
        "ns an account-step",
        NANOSECOND * count * bars,
    )


def seldom(tiny: bool = False) -> Case:
    """A book that breaches seldom."""
    return against_numpy("calm prices", 0.08 if tiny else 0.01, 0.0, tiny)


def a_third(tiny: bool = False) -> Case:
    """A book of which about a third breaches."""
    return against_numpy("falling prices", 0.1 if tiny else 0.03, -0.0006, tiny)


def often(tiny: bool = False) -> Case:
    """A book that breaches often."""
    return against_numpy("wild prices", 0.2 if tiny else 0.1, 0.0, tiny)


def around(made: Setup, count: int) -> World:
    """The whole world: a lagging oracle, keepers who pay gas, depth, borrowers, interest."""
    depth = Depth.of({name: SquareRoot(0.05, 2e9) for name in made.book.assets})
    return World(
        Oracle("1h", 0.005, "1h"),
        Keepers(margin=0.01, gas=30.0, capital=5e3 * count),
        depth,
        Borrowers(),
        {"USD": 0.05},
    )


def million(tiny: bool = False) -> Case:
    """A million accounts through four years of days, the engine alone and with the world."""
    count, bars = (300, 90) if tiny else (1_000_000, 1_461)
    made = setup(count, bars, 8, 0.03)
    whole = Conduct(world=around(made, count))

    def same_book(ours: Replay, theirs: Replay) -> None:
        assert ours.book is theirs.book
        assert (theirs.column("calls") > 0).any()

    return Case(
        "Aave, closes only, all of four years",
        f"{count:,} accounts × {bars:,} days × 8 assets",
        made.run,
        (
            Peer(
                "ours, whole world, 24 steps a day",
                "xcoll-workbook",
                lambda: made.run(whole),
                same_book,
                1.0,
                2,
                "another question: what the world around costs",
            ),
            Peer(
                "the same kernel, none skipped",
                "xcoll-workbook",
                lambda: made.run(replace(CLOSES, prune=False)),
                _same,
                1.0,
                2,
            ),
        ),
        "s",
        1.0,
    )


def hourly(tiny: bool = False) -> Case:
    """Four years of hours."""
    count, bars = (300, 500) if tiny else (100_000, 35_000)
    made = setup(count, bars, 8, 0.006, "h")
    return Case(
        "Aave, closes only, hourly",
        f"{count:,} accounts × {bars:,} hours × 8 assets",
        made.run,
        (
            Peer(
                "the same kernel, none skipped",
                "xcoll-workbook",
                lambda: made.run(replace(CLOSES, prune=False)),
                _same,
                1.0,
                2,
            ),
        ),
        "s",
        1.0,
    )


def _same(ours: Replay, theirs: Replay) -> None:
    np.testing.assert_array_equal(ours.account, theirs.account)
    np.testing.assert_array_equal(ours.collateral, theirs.collateral)


def growth(tiny: bool = False) -> pd.DataFrame:
    """Seconds over accounts and over steps, of the engine alone and of the whole world."""
    accounts_of, bars_of = (50, 100), (30, 60)
    if not tiny:
        accounts_of, bars_of = (
            (12_500, 25_000, 50_000, 100_000, 200_000),
            (90, 180, 365, 730, 1_460),
        )
    rows = []
    for over, sizes in (
        ("accounts", [(count, bars_of[2 % len(bars_of)]) for count in accounts_of]),
        ("steps", [(accounts_of[1], bars) for bars in bars_of]),
    ):
        for count, bars in sizes:
            made = setup(count, bars, 8, 0.03)
            ways: dict[str, Conduct] = {
                "engine alone": CLOSES,
                "whole world": Conduct(world=around(made, count)),
            }
            for way, conduct in ways.items():
                seconds = _least(lambda: made.run(conduct))  # noqa: B023
                steps = bars * conduct.steps
                rows.append((way, over, count, steps, seconds))
    return pd.DataFrame(rows, columns=["way", "over", "accounts", "steps", "seconds"])


def _least(call: Callable[[], object], runs: int = 3) -> float:
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)


CASES = (seldom, a_third, often, million, hourly)
