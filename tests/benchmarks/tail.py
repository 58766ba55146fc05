"""VaR and ES over a moving window, joint simulation, and the interval of an ES."""

import numpy as np
import pandas as pd
from arch.bootstrap import CircularBlockBootstrap

from tests.benchmarks import data
from tests.benchmarks.measure import Case, Peer
from xcoll.estimators import tail, volatility
from xcoll.estimators.tail import shortfall

LEVEL = 0.99


def rolling(tiny: bool = False) -> Case:
    """Historical VaR and ES of the last losses, every day."""
    assets, bars, window = (2, 300, 200) if tiny else (10, 2500, 500)
    returns = data.simulated(bars, assets) / 100.0
    losses = -np.expm1(returns)
    beyond = round((1.0 - LEVEL) * window)

    def ours() -> pd.DataFrame:
        return tail.walk_forward(returns, window, LEVEL, method="historical", loss="end")

    def pandas() -> np.ndarray:
        order = 1.0 - beyond / (window - 1)  # of the largest loss that is not beyond the level
        return losses.rolling(window).quantile(order, interpolation="nearest").to_numpy()

    def numpy() -> tuple[np.ndarray, np.ndarray]:
        windows = np.lib.stride_tricks.sliding_window_view(losses.to_numpy(), window, axis=0)
        cut = window - beyond
        ordered = (np.partition(windows[:, n], [cut - 1, cut], axis=1) for n in range(assets))
        paths = [(part[:, cut - 1], part[:, cut:].mean(axis=1)) for part in ordered]
        return tuple(np.column_stack(path) for path in zip(*paths, strict=True))

    def compare(found: pd.DataFrame, column: str, path: np.ndarray) -> None:
        wide = found.pivot_table(index="time", columns="asset", values=column)[list(returns)]
        # Our first loss follows a decision, so that there is one less.
        np.testing.assert_allclose(wide, path[-len(wide) :], rtol=1e-9)

    def as_both(found: pd.DataFrame, both: tuple[np.ndarray, np.ndarray]) -> None:
        compare(found, "var", both[0])
        compare(found, "es", both[1])

    peers = (
        Peer(
            "pandas",
            "pandas",
            pandas,
            lambda found, var: compare(found, "var", var),
            remark="VaR only",
        ),
        Peer("numpy", "numpy", numpy, as_both, runs=3, remark="sliding windows, partitioned"),
    )
    return Case(
        "rolling VaR and ES",
        f"{bars:,} simulated bars × {assets} assets, window {window}",
        ours,
        peers,
        "ms an asset",
        1e-3 * assets,
    )


def joint(tiny: bool = False) -> Case:
    """Filtered historical simulation of all assets together, VaR and ES of the close-out loss."""
    assets, bars, paths = (3, 5, 2_000) if tiny else (10, 10, 10_000)
    returns = data.simulated(2500, assets) / 100.0
    sigma = volatility.ewma(returns)
    score = (returns / sigma.shift(1)).dropna().to_numpy()
    low, last = np.minimum(score, 0.0), sigma.to_numpy()[-1]
    recursion = tail.Recursion.ewma()

    def ours() -> tuple[np.ndarray, ...]:
        picks = np.random.default_rng(1).integers(0, len(score), (bars, paths))
        losses = tail.drawn_losses(score.T, low.T, picks, last, recursion.table(assets))
        return shortfall.drawn(losses, [LEVEL])[0]

    def numpy() -> np.ndarray:
        picks = np.random.default_rng(2).integers(0, len(score), (bars, paths))
        variance = np.tile(last**2, (paths, 1))
        position, least = np.zeros((paths, assets)), np.zeros((paths, assets))
        for drawn in picks:
            scale = np.sqrt(variance)
            step = score[drawn] * scale
            least = np.minimum(least, position + low[drawn] * scale)
            variance = 0.94 * variance + 0.06 * step**2
            position += step
        cut = paths - round((1.0 - LEVEL) * paths)
        return np.partition(-np.expm1(least), cut, axis=0)[cut:].mean(axis=0)

    def agree(found: tuple[np.ndarray, ...], es: np.ndarray) -> None:
        apart = (found[1] - es) / (np.sqrt(2.0) * found[2])
        assert np.abs(apart).max() < 4.0, f"{apart} standard errors apart"

    peer = Peer("numpy", "numpy", numpy, agree, remark="paths step by step; without errors")
    size = f"{paths:,} paths × {bars} bars × {assets} simulated assets"
    return Case("joint filtered historical simulation", size, ours, (peer,))


def bootstrap(tiny: bool = False) -> Case:
    """Block-bootstrap interval of an ES."""
    losses = -np.log(data.prices()["ETH"]).diff().iloc[1:].to_numpy()
    replications, block = 300 if tiny else 1000, 20

    def ours() -> tuple[float, float]:
        rng = np.random.default_rng(1)
        return shortfall.block_bootstrap_es(losses, 0.99, rng, replications, block)

    def peer() -> np.ndarray:
        sampler = CircularBlockBootstrap(block, losses, seed=1)
        found = sampler.apply(lambda x: shortfall.historical(x, 0.99).es, replications)
        return np.quantile(found, [0.05, 0.95])

    def agree(first: tuple[float, float], second: np.ndarray) -> None:
        np.testing.assert_allclose(first, second, rtol=0.10 if tiny else 0.05)

    size = f"{len(losses):,} losses, {replications:,} replications"
    return Case(
        "bootstrap interval of an ES", size, ours, (Peer("arch.bootstrap", "arch", peer, agree),)
    )


CASES = (rolling, joint, bootstrap)
