"""Portfolio margin of many accounts, and implied volatility, against numpy and scipy."""

import numpy as np
import pandas as pd
from scipy.optimize import elementwise
from scipy.special import ndtr

from tests.benchmarks.measure import Case, Peer
from xcoll.margin.book import Book
from xcoll.margin.instruments import Instruments
from xcoll.margin.market import Market, quote
from xcoll.margin.options import black, implied
from xcoll.margin.rules.grid import Grid

SPOT, NOW = 40_000.0, pd.Timestamp("2023-12-31")
ACCOUNTS, POSITIONS, DIFFERENT = 10_000, 50, 1_000
OPTIONS = 1_000_000


def grid() -> Grid:
    """Eleven prices × three volatilities, short options and perpetuals charged: 33 scenarios."""
    return Grid.model_validate(
        {
            "name": "grid",
            "rule": "grid",
            "source": "benchmark",
            "date": "2023-12-31",
            "range": 0.15,
            "steps": 5,
            "volatility": {"up": 0.45, "down": 0.30, "short": 0.30, "long": 0.13},
            "contingencies": {"option": 0.01, "perpetual": 0.02},
            "initial": {"factor": 1.3},
        }
    )


def listed(count: int, rng: np.random.Generator) -> Instruments:
    """Options of one asset on forty expiries, every one of another strike."""
    expiry = NOW + pd.to_timedelta(rng.integers(1, 41, count) * 9, unit="D")
    frame = pd.DataFrame(
        {
            "kind": "option",
            "asset": "BTC",
            "expiry": expiry,
            "strike": SPOT * np.exp(rng.normal(0.0, 0.3, count)),
            "right": rng.choice(["call", "put"], count),
            "currency": "USD",
        },
        index=pd.Index([f"option {n}" for n in range(count)], name="instrument"),
    )
    return Instruments(frame)


def accounts(shared: bool, tiny: bool) -> tuple[Book, object]:
    """Accounts of fifty positions, in instruments of their own or in a thousand that all share."""
    rng, n = np.random.default_rng(1), 20 if tiny else ACCOUNTS
    held = n * POSITIONS
    count = min(DIFFERENT, held) if shared else held
    place = np.arange(held)
    if shared:
        place = np.concatenate([rng.permutation(count)[:POSITIONS] for _ in range(n)])
    names = pd.RangeIndex(n, name="account")
    made = Book(
        listed(count, rng),
        names,
        np.repeat(np.arange(n), POSITIONS),
        place,
        rng.normal(0.0, 1.0, held),
        np.full(held, np.nan),
        pd.DataFrame(index=names),
    )
    market = Market(NOW, pd.Series({"BTC": SPOT}))
    return made, quote(made.instruments, market, rng.uniform(0.4, 1.2, count))


def numpy_margins(made: Book, quotes: object, rule: Grid) -> np.ndarray:
    """The same grid with scipy's normal, a scenario at a time over all positions."""
    which = made.instrument
    group = made.instruments.group[which]
    F, K, T = quotes.forward[group], quotes.strike[which], quotes.years[group]
    sigma, sign = quotes.sigma[which], made.instruments.right[which]
    states, worst = rule.grid(quotes).scenarios, np.zeros(len(made.accounts))

    def value(F: np.ndarray, s: np.ndarray) -> np.ndarray:
        d = np.log(F / K) / s + 0.5 * s
        return sign * (F * ndtr(sign * d) - K * ndtr(sign * (d - s)))

    now = value(F, sigma * np.sqrt(T))
    for s in range(len(states)):
        moved = F * (1.0 + states.move[group, s])
        gain = made.quantity * (value(moved, sigma * states.factor[group, s] * np.sqrt(T)) - now)
        worst = np.minimum(worst, np.bincount(made.account, gain, len(worst)))
    naked = pd.Series(made.quantity).groupby([made.account, group, K]).sum().clip(upper=0.0)
    short = -naked.groupby(level=0).sum().to_numpy()
    return -worst + rule.contingencies.option * SPOT * short


def margins(shared: bool, tiny: bool) -> Case:
    """Margins of all accounts in one market."""
    made, quotes = accounts(shared, tiny)
    rule = grid()

    def agree(ours: np.ndarray, theirs: np.ndarray) -> None:
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)

    words = f"that share {DIFFERENT:,}" if shared else "each another instrument"
    return Case(
        f"portfolio margin, positions {words}",
        f"{len(made.accounts):,} accounts × {POSITIONS} positions × 33 scenarios",
        lambda: rule.totals(made, quotes),
        (
            Peer(
                "numpy, a scenario at a time",
                "numpy",
                lambda: numpy_margins(made, quotes, rule),
                agree,
                runs=2,
            ),
        ),
    )


def different(tiny: bool = False) -> Case:
    """No two positions are the same instrument."""
    return margins(False, tiny)


def shared(tiny: bool = False) -> Case:
    """Every position is one of a thousand instruments."""
    return margins(True, tiny)


def volatilities(tiny: bool = False) -> Case:
    """Implied volatility of calls and puts, in and out of the money, a day to two years."""
    n, rng = 2_000 if tiny else OPTIONS, np.random.default_rng(2)
    F, K = 100.0, 100.0 * np.exp(rng.normal(0.0, 0.5, n))
    T, sigma = rng.uniform(1 / 365, 2.0, n), 0.8 * np.exp(rng.normal(0.0, 0.3, n))
    call = rng.random(n) < 0.5
    prices = black.price(F, K, sigma, T, call)
    inner = np.maximum(np.where(call, F - K, K - F), 0.0)
    known = prices - inner > 1e-8 * prices  # where a price says anything of its volatility
    prices, K, T, call, sigma = (each[known] for each in (prices, K, T, call, sigma))
    few = slice(0, len(prices) // 10)

    def roots() -> np.ndarray:
        K_, T_, call_, price = K[few], T[few], call[few], prices[few]

        def gap(x: np.ndarray, K: np.ndarray, T: np.ndarray, call: np.ndarray, p: np.ndarray):
            s = x * np.sqrt(T)
            d = np.log(F / K) / s + 0.5 * s
            sign = np.where(call, 1.0, -1.0)
            return sign * (F * ndtr(sign * d) - K * ndtr(sign * (d - s))) - p

        ends = np.full(len(K_), 1e-3), np.full(len(K_), 10.0)
        return elementwise.find_root(gap, ends, args=(K_, T_, call_, price)).x

    def agree(ours: np.ndarray, theirs: np.ndarray) -> None:
        np.testing.assert_allclose(ours[few], theirs, rtol=1e-5)
        again = black.price(F, K, ours, T, call)
        np.testing.assert_allclose(again, prices, rtol=1e-12)

    return Case(
        "implied volatility",
        f"{len(prices):,} options",
        lambda: implied.implied_volatility(prices, F, K, T, call),
        (Peer("scipy elementwise.find_root", "scipy", roots, agree, 0.1, 2),),
    )


CASES = (different, shared, volatilities)
