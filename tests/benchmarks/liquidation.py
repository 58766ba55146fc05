"""The liquidation replay of a synthetic book: against readable rules, and without skipping."""

import numpy as np
import pandas as pd

from tests.benchmarks import data
from tests.benchmarks.measure import Case, Peer
from xcoll.collateral import accounts
from xcoll.collateral.thresholds import RiskParameters
from xcoll.liquidation import aave
from xcoll.liquidation.replay import Conduct, replay

NANOSECOND = 1e-9
LOWEST = Conduct(fill="low")


def _parameters() -> RiskParameters:
    frame = pd.DataFrame(
        {"ltv": 0.70, "threshold": 0.78, "bonus": 0.05, "protocol_fee": 0.1},
        index=pd.Index(data.ASSETS, name="asset"),
    )
    frame.loc["USDC", ["ltv", "threshold"]] = [0.75, 0.80]
    return RiskParameters(frame)


def _market(bars: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Closes, and lows two percent under the lower of two closes."""
    close = data.prices().iloc[: bars + 1]
    low = np.minimum(close, close.shift(1).fillna(close)) * 0.98
    low.iloc[0] = close.iloc[0]
    return close, low


def _book(count: int) -> accounts.Book:
    shape = accounts.Shape(data.ASSETS, mix=accounts.mix_of(data.ASSETS), stable=("USDC",))
    draws = accounts.draw(shape, count, np.random.default_rng(1))
    sides = accounts.dollars(draws, shape, _parameters().frame["threshold"], data.ASSETS)
    return accounts.settle(shape, *sides, data.prices().iloc[0])


def _served(
    book: accounts.Book, close: np.ndarray, low: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Collateral and debt that are left where all breaches are served at the low of the bar."""
    threshold, bonus, fee = (
        _parameters().frame[name].to_numpy() for name in ("threshold", "bonus", "protocol_fee")
    )
    held, owed = book.collateral.copy(), book.debt.copy()
    step = np.arange(1, LOWEST.steps + 1)[:, None] / LOWEST.steps
    for t in range(1, len(close)):
        fall, rise = np.minimum(2 * step, 1), np.maximum(2 * step - 1, 0)
        down = close[t - 1] * (low[t] / close[t - 1]) ** fall * (close[t] / low[t]) ** rise
        up = close[t - 1] * (close[t] / close[t - 1]) ** step
        worth, burden = held @ (down * threshold).T, owed @ up.T
        for n in np.flatnonzero((worth < burden).any(axis=1)):
            path, begin = worth[n] / burden[n], 0
            while (breached := np.flatnonzero(path[begin:] < 1)).size:
                first = begin + breached[0]
                at = first + np.argmin(path[first:])
                done = aave.serve(
                    held[n], owed[n], down[at], threshold, bonus, fee, debt_prices=up[at]
                )
                held[n], owed[n] = done.collateral, done.debt
                if not owed[n].any():
                    break
                path, begin = (down * threshold) @ held[n] / (up @ owed[n]), at + 1
    return held, owed


def rules(tiny: bool = False) -> Case:
    """The kernel against numpy over accounts, with the rules of one liquidation in Python."""
    bars, many, few = (90, 200, 200) if tiny else (365, 20_000, 500)
    close, low = _market(bars)
    large, small = _book(many), _book(few)

    def ours() -> object:
        return replay(large, close, low, _parameters(), LOWEST)

    def peer() -> tuple[np.ndarray, np.ndarray]:
        return _served(small, close.to_numpy(), low.to_numpy())

    def agree(_: object, left: tuple[np.ndarray, np.ndarray]) -> None:
        same = replay(small, close, low, _parameters(), LOWEST)
        assert (same.debt != small.debt).any()
        for mine, theirs in zip((same.collateral, same.debt), left, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9 * theirs.max())

    return Case(
        "liquidation replay, synthetic book",
        f"{many:,} accounts × {bars} bars × {len(data.ASSETS)} assets",
        ours,
        (
            Peer(
                "numpy and Python rules",
                "numpy",
                peer,
                agree,
                few / many,
                3,
                f"{few:,} accounts, scaled",
            ),
        ),
        "ns an account-bar",
        NANOSECOND * many * bars,
    )


def pruning(tiny: bool = False) -> Case:
    """The same replay with and without the exact skipping of healthy accounts."""
    bars, many = (90, 200) if tiny else (365, 20_000)
    close, low = _market(bars)
    book = _book(many)

    def whole() -> object:
        return replay(book, close, low, _parameters(), Conduct(prune=False))

    def agree(first: object, second: object) -> None:
        np.testing.assert_array_equal(first.account, second.account)

    return Case(
        "skipping of healthy accounts, synthetic book",
        f"{many:,} accounts × {bars} bars",
        lambda: replay(book, close, low, _parameters(), Conduct()),
        (Peer("the same kernel, none skipped", "xcoll-workbook", whole, agree),),
        "ns an account-bar",
        NANOSECOND * many * bars,
    )


CASES = (rules, pruning)
