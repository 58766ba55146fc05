"""What is measured: estimators on real returns, the replay on a synthetic book."""

from pathlib import Path

import numpy as np
import pandas as pd
from arch import arch_model
from arch.bootstrap import CircularBlockBootstrap

from tests.benchmarks.measure import Case
from xcoll.collateral import accounts
from xcoll.collateral.thresholds import RiskParameters
from xcoll.estimators import correlation, volatility
from xcoll.estimators.tail import shortfall
from xcoll.liquidation import aave
from xcoll.liquidation.replay import Conduct, replay

ROOT = Path(__file__).parents[2]
ASSETS = ["BTC", "ETH", "BNB", "XRP", "LINK", "USDC"]


def _prices() -> pd.DataFrame:
    table = pd.read_csv(ROOT / "data" / "crypto_prices.csv", sep=";", index_col=0, parse_dates=True)
    return table[[f"{asset}-USD" for asset in ASSETS]].set_axis(ASSETS, axis=1)


def _parameters() -> RiskParameters:
    frame = pd.DataFrame(
        {"ltv": 0.70, "threshold": 0.78, "bonus": 0.05, "protocol_fee": 0.1},
        index=pd.Index(ASSETS, name="asset"),
    )
    frame.loc["USDC", ["ltv", "threshold"]] = [0.75, 0.80]
    return RiskParameters(frame)


def garch() -> Case:
    """Walk-forward of GARCH-t on Bitcoin: warm starts and a filter against a refit from nothing."""
    returns = np.log(_prices()[["BTC"]]).diff().iloc[1:]
    window, every = 730, 60

    def ours() -> pd.DataFrame:
        return volatility.walk_forward(returns, window, refit_every=every).volatility

    def peer() -> list[float]:
        x = 100 * returns["BTC"].to_numpy()
        ends = range(window, len(x) + 1, every)
        models = (arch_model(x[end - window : end], dist="t") for end in ends)
        return [model.fit(disp="off").forecast(horizon=1).variance.iloc[-1, 0] for model in models]

    return Case(
        "GARCH-t walk-forward", f"window {window}, every {every} bars", ours, peer, "arch, cold"
    )


def rolling_correlation() -> Case:
    """All pairs of six assets."""
    returns = np.log(_prices()).diff().iloc[1:]
    window = 90

    def ours() -> pd.DataFrame:
        return correlation.rolling(returns, window)

    def peer() -> pd.DataFrame:
        return returns.rolling(window).corr()

    def agree(path: pd.DataFrame, frames: pd.DataFrame) -> None:
        last = frames.loc[returns.index[-1]].to_numpy()
        here = correlation.matrix(path.iloc[-1], ASSETS).to_numpy()
        np.testing.assert_allclose(here, last, atol=1e-9)

    size = f"{len(returns)} bars × {len(ASSETS)} assets, window {window}"
    return Case("rolling correlation", size, ours, peer, "pandas", agree=agree)


def bootstrap() -> Case:
    """Block-bootstrap interval of an ES."""
    losses = -np.log(_prices()["ETH"]).diff().iloc[1:].to_numpy()
    replications, block = 1000, 20

    def ours() -> tuple[float, float]:
        rng = np.random.default_rng(1)
        return shortfall.block_bootstrap_es(losses, 0.99, rng, replications, block)

    def peer() -> np.ndarray:
        sampler = CircularBlockBootstrap(block, losses, seed=1)
        found = sampler.apply(lambda x: shortfall.historical(x, 0.99).es, replications)
        return np.quantile(found, [0.05, 0.95])

    def agree(first: tuple[float, float], second: np.ndarray) -> None:
        np.testing.assert_allclose(first, second, rtol=0.05)

    size = f"{len(losses)} losses, {replications} replications"
    return Case("bootstrap of an ES", size, ours, peer, "arch.bootstrap", agree=agree)


def _book(count: int) -> accounts.Book:
    shape = accounts.Shape(ASSETS, mix=accounts.mix_of(ASSETS), stable=("USDC",))
    draws = accounts.draw(shape, count, np.random.default_rng(1))
    prices = _prices()
    sides = accounts.dollars(draws, shape, _parameters().frame["threshold"], ASSETS)
    return accounts.settle(shape, *sides, prices.iloc[0])


def liquidation() -> Case:
    """Aave replay of a synthetic book: the kernel against numpy over time, readable rules."""
    close = _prices().iloc[:366]
    low = np.minimum(close, close.shift(1).fillna(close)) * 0.98
    low.iloc[0] = close.iloc[0]
    large, small = _book(20_000), _book(500)
    conduct = Conduct(fill="low")
    threshold, bonus, fee = (
        _parameters().frame[name].to_numpy() for name in ("threshold", "bonus", "protocol_fee")
    )

    def ours() -> object:
        return replay(large, close, low, _parameters(), conduct)

    def peer() -> tuple[np.ndarray, np.ndarray]:
        held, owed = small.collateral.copy(), small.debt.copy()
        for bar in range(1, len(close)):
            p, dear = low.to_numpy()[bar], close.to_numpy()[bar]
            breached = np.flatnonzero((held * p) @ threshold < owed @ dear)
            for n in breached:
                done = aave.serve(held[n], owed[n], p, threshold, bonus, fee, debt_prices=dear)
                held[n], owed[n] = done.collateral, done.debt
        return held, owed

    steps = len(close) - 1
    return Case(
        "liquidation replay (synthetic book)",
        f"20,000 accounts × {steps} bars × {len(ASSETS)} assets",
        ours,
        peer,
        "numpy over time, Python rules",
        unit="ns an account-bar",
        ours_units=1e-9 * 20_000 * steps,
        peer_units=1e-9 * 500 * steps,
    )


def pruning() -> Case:
    """The same replay with and without the exact skipping of healthy accounts."""
    close = _prices().iloc[:366]
    low = np.minimum(close, close.shift(1).fillna(close)) * 0.98
    low.iloc[0] = close.iloc[0]
    book = _book(20_000)
    scale = 1e-9 * 20_000 * (len(close) - 1)

    def agree(first: object, second: object) -> None:
        np.testing.assert_array_equal(first.account, second.account)

    return Case(
        "pruning of healthy accounts",
        f"20,000 accounts × {len(close) - 1} bars",
        lambda: replay(book, close, low, _parameters(), Conduct()),
        lambda: replay(book, close, low, _parameters(), Conduct(prune=False)),
        "the same kernel, unpruned",
        unit="ns an account-bar",
        ours_units=scale,
        peer_units=scale,
        agree=agree,
    )


CASES = (garch, rolling_correlation, bootstrap, liquidation, pruning)
