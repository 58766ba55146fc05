"""The compiled rules and replay against their plain Python twins."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters
from xcoll.liquidation import _kernels, aave
from xcoll.liquidation.replay import FILLS, Conduct, replay

ASSETS = ["A", "B", "C", "S"]
RATES = RiskParameters(
    pd.DataFrame(
        {
            "ltv": [0.70, 0.60, 0.50, 0.70],
            "threshold": [0.82, 0.75, 0.65, 0.78],
            "bonus": [0.05, 0.06, 0.10, 0.04],
            "protocol_fee": [0.1, 0.1, 0.2, 0.0],
        },
        index=ASSETS,
    )
)


def random_account(rng, assets=4):
    """A liquidatable account; balances over six orders of magnitude, so every rule is met."""
    prices = rng.lognormal(3, 3, assets)
    held = np.where(rng.random(assets) < 0.7, rng.lognormal(8.5, 2.5, assets), 0.0)
    held[rng.integers(assets)] += rng.lognormal(8, 2)
    owed = np.where(rng.random(assets) < 0.5, rng.random(assets), 0.0)
    owed[rng.integers(assets)] += 0.1
    thresholds, bonuses = rng.uniform(0.3, 0.9, assets), rng.uniform(0.01, 0.15, assets)
    owed *= held @ thresholds / rng.uniform(0.4, 0.999) / owed.sum()
    debt_prices = prices * rng.uniform(0.9, 1.1, assets)
    fees = rng.uniform(0, 0.3, assets)
    return held / prices, owed / debt_prices, prices, debt_prices, thresholds, bonuses, fees


def assert_served_alike(rng):
    c, d, p, q, lt, lb, fee = random_account(rng)
    twin = aave.serve(c, d, p, lt, lb, fee, debt_prices=q)
    left, owed, deficit = c.copy(), d.copy(), np.zeros(4)
    seized, repaid, cash = np.zeros(4), np.zeros(4), np.zeros(3)
    calls = _kernels.serve(
        left, owed, p, q, lt, lb, fee, aave.RULES.array(), deficit, seized, repaid, cash
    )
    assert calls == len(twin.calls) > 0
    for mine, theirs, scale in (
        (left, twin.collateral, c),
        (owed, twin.debt, d),
        (deficit, twin.deficit, d),
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9 * scale.max())
    fees = sum(step.fee * p[step.collateral] for step in twin.calls)
    assert cash[2] == pytest.approx(fees, rel=1e-9)
    assert cash[0] == pytest.approx(repaid @ q, rel=1e-9)
    assert cash[1] == pytest.approx(seized @ p, rel=1e-9)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_rules_agree_with_their_twin(seed):
    assert_served_alike(np.random.default_rng(seed))


def test_rules_agree_with_their_twin_on_thousands_of_states():
    rng = np.random.default_rng(6)
    for _ in range(4_000):
        assert_served_alike(rng)


@settings(max_examples=200, deadline=None)
@given(
    *(st.sampled_from([1.0, 999.0, 1_000.0, 1_999.99, 2_000.0, 2_000.01, 2_500.0, 9e6]),) * 3,
    st.sampled_from([0.2, 0.9499999, 0.95, 0.9500001, 0.9999]),
    st.sampled_from([0.0, 0.05, 0.15]),
)
def test_repayment_agrees_on_every_edge(collateral, debt, other, health, bonus):
    total = debt + other
    mine = _kernels.repayment(collateral, debt, total, health, bonus, aave.RULES.array())
    assert mine == aave.repayment(collateral, debt, total, health, bonus)
    assert mine > 0


# The replay's twin: one account at a time, no pruning, no block, no carried sums.


@dataclass
class Fate:
    collateral: np.ndarray
    debt: np.ndarray
    seized: np.ndarray = field(default_factory=lambda: np.zeros(4))
    repaid: np.ndarray = field(default_factory=lambda: np.zeros(4))
    deficit: np.ndarray = field(default_factory=lambda: np.zeros(4))
    lost: float = 0.0
    bars: list = field(default_factory=list)
    papers: list = field(default_factory=list)


def inside(opening, low, close, steps, s):
    """Prices of collateral and debt at sub-step s."""
    half = steps // 2
    if s <= half:
        down = opening * (low / opening) ** (s / half)
    else:
        down = low * (close / low) ** ((s - half) / (steps - half))
    return down, opening * (close / opening) ** (s / steps)


def health(fate, prices, lt):
    down, up = prices
    return aave.health_factor(fate.collateral, fate.debt, down, lt, up)


def serve(fate, prices, bar, close):
    lt, lb, fee = (RATES.frame[name].to_numpy() for name in ("threshold", "bonus", "protocol_fee"))
    down, up = prices
    result = aave.serve(fate.collateral, fate.debt, down, lt, lb, fee, debt_prices=up)
    for step in result.calls:
        fate.seized[step.collateral] += step.seized
        fate.repaid[step.debt] += step.repaid
    fate.collateral, fate.debt = result.collateral, result.debt
    fate.deficit += result.deficit
    fate.lost += float(result.deficit @ close)
    fate.bars.append(bar)
    return len(result.calls)


def crossing(fate, before, after, lt):
    """Prices between two sub-steps at which health is 1, by bisection."""
    healthy, broken = 0.0, 1.0

    def between(share):
        return tuple(b + share * (a - b) for b, a in zip(before, after, strict=True))

    for _ in range(60):
        middle = (healthy + broken) / 2
        if health(fate, between(middle), lt) < 1:
            broken = middle
        else:
            healthy = middle
    return between(broken)


def follow(collateral, debt, close, low, steps, delay, fill):
    """What happens to one account; the rules of `replay` written out again."""
    lt = RATES.frame["threshold"].to_numpy()
    fate, due = Fate(collateral, debt), None
    for t in range(1, len(close)):
        prices = [inside(close[t - 1], low[t], close[t], steps, s) for s in range(steps + 1)]
        paper = 0.0
        for s in range(1, steps + 1):
            if health(fate, prices[s], lt) >= 1:
                due = None
            elif fill == "breach":
                start = prices[s - 1]
                while health(fate, prices[s], lt) < 1:
                    start = crossing(fate, start, prices[s], lt)
                    if not serve(fate, start, t, close[t]):
                        break
            else:
                if due is None and fill == "path":
                    due = (t - 1) * steps + s + delay
                elif due is None:
                    lowest = min(range(s, steps + 1), key=lambda x: health(fate, prices[x], lt))
                    due = (t - 1) * steps + lowest
                if due == (t - 1) * steps + s:
                    serve(fate, prices[s], t, close[t])
                    due = None
            if s == steps // 2:
                down, up = prices[s]
                paper = max(0.0, fate.debt @ up - fate.collateral @ down)
        fate.papers.append(paper)
    return fate


def random_market(rng, bars=12, volatility=0.09):
    close = np.exp(np.cumsum(rng.normal(0, volatility, (bars + 1, 4)), axis=0))
    close[:, 3] = np.exp(np.cumsum(rng.normal(0, 0.003, bars + 1)))
    wick = np.exp(-np.abs(rng.normal(0, 0.7 * volatility, close.shape)))
    low = close.copy()
    low[1:] = np.minimum(close[1:], close[:-1]) * wick[1:]
    return close, low


def random_book(rng, accounts):
    collateral = np.where(rng.random((accounts, 4)) < 0.5, rng.lognormal(8, 2, (accounts, 4)), 0.0)
    collateral[:, 0] += 100.0
    debt = np.zeros_like(collateral)
    debt[:, 3] = 1.0
    debt[:, 1] = np.where(rng.random(accounts) < 0.4, rng.random(accounts), 0.0)
    lt = RATES.frame["threshold"].to_numpy()
    wanted = collateral @ lt / rng.uniform(1.01, 1.5, accounts)
    debt *= (wanted / debt.sum(axis=1))[:, None]
    return Book(ASSETS, collateral, debt, np.arange(accounts))


def frames(close, low, freq="D"):
    index = pd.date_range("2021-01-01", periods=len(close), freq=freq)
    return pd.DataFrame(close, index, ASSETS), pd.DataFrame(low, index, ASSETS)


@pytest.mark.parametrize(
    ("fill", "delay"), [("path", 0), ("path", 3), ("path", 30), ("breach", 0), ("low", 0)]
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_replay_agrees_with_its_twin(fill, delay, seed):
    rng = np.random.default_rng(seed)
    close, low = random_market(rng)
    book = random_book(rng, 60)
    wait = pd.Timedelta(hours=delay) if delay else None
    result = replay(book, *frames(close, low), RATES, Conduct(fill=fill, delay=wait))
    fates = [
        follow(book.collateral[n], book.debt[n], close, low, 24, delay, fill)
        for n in range(len(book))
    ]
    dollars = book.collateral.max()
    for mine, theirs in (
        (result.collateral, [fate.collateral for fate in fates]),
        (result.debt, [fate.debt for fate in fates]),
        (result.units[0], sum(fate.seized for fate in fates)),
        (result.units[1], sum(fate.repaid for fate in fates)),
        (result.units[2], sum(fate.deficit for fate in fates)),
        (result.column("deficit"), [fate.lost for fate in fates]),
        (result.by_bar[:, 2], np.sum([fate.papers for fate in fates], axis=0)),
    ):
        # At the crossing, the twin's bisection and the kernel's hair beyond differ by 1e-9.
        close_enough = 1e-7 if fill == "breach" else 1e-9
        np.testing.assert_allclose(mine, theirs, rtol=close_enough, atol=close_enough * dollars)
    first = [fate.bars[0] if fate.bars else 0 for fate in fates]
    assert result.column("bar").tolist() == first
    assert sum(bool(bar) for bar in first) >= 3


@pytest.mark.parametrize("fill", FILLS)
def test_pruned_replay_is_the_unpruned_one_bit_for_bit(fill):
    rng = np.random.default_rng(11)
    book = random_book(rng, 700)
    for volatility in (0.01, 0.05, 0.15):
        market = frames(*random_market(rng, bars=31, volatility=volatility))
        whole = replay(book, *market, RATES, Conduct(fill, "2h", prune=False), bars=29)
        quick = replay(book, *market, RATES, Conduct(fill, "2h", prune=True), bars=29)
        for name in ("account", "units", "by_bar", "collateral", "debt"):
            assert np.array_equal(getattr(whole, name), getattr(quick, name)), (name, volatility)


def test_path_ends_where_the_bar_does():
    close, low = random_market(np.random.default_rng(4), bars=40, volatility=0.2)
    down, up = np.empty((4, 25)), np.empty((4, 25))
    for t in range(1, len(close)):
        _kernels.bar_path(close[t - 1], low[t], close[t], down, up)
        assert np.array_equal(down[:, [0, 12, 24]].T, [close[t - 1], low[t], close[t]])
        assert np.array_equal(up[:, [0, 24]].T, [close[t - 1], close[t]])
        assert (down >= low[t][:, None]).all()
        assert (np.diff(down[:, :13]) <= 0).all()
        assert (np.diff(down[:, 12:]) >= -1e-15 * low[t][:, None]).all()
        assert (up <= np.maximum(close[t - 1], close[t])[:, None]).all()
        expected = inside(close[t - 1], low[t], close[t], 24, 7)
        np.testing.assert_allclose([down[:, 7], up[:, 7]], expected, rtol=1e-12)
