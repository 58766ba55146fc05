"""GARCH: a daily walk-forward and a single fit."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from arch import arch_model

from tests.benchmarks import data
from tests.benchmarks.measure import Case, Peer
from xcoll.estimators import volatility

GJR = {"garch": 0, "gjr": 1}


def _arch(x: np.ndarray, model: str, errors: str, guess: np.ndarray | None = None) -> object:
    made = arch_model(x, o=GJR[model], dist=errors, rescale=False)
    return made.fit(disp="off", starting_values=guess)


def walk(model: str, errors: str, tiny: bool) -> Case:
    """A refit every day over a moving window, σ forecast for the next day."""
    window, refits, few = (1200, 6, 3) if tiny else (1500, 1000, 20)
    returns = data.sp500(window + refits - 1)
    x = returns["SPX"].to_numpy()
    windows = [x[end - window : end] for end in range(len(x) - few + 1, len(x) + 1)]

    @cache
    def before() -> np.ndarray:
        return _arch(x[-few - window : -few], model, errors).params.to_numpy()

    def ours() -> pd.DataFrame:
        return volatility.walk_forward(returns, window, model=model, errors=errors).volatility

    def warm() -> list[float]:
        guess, found = before(), []
        for part in windows:
            fit = _arch(part, model, errors, guess)
            guess = fit.params.to_numpy()
            found.append(fit.forecast(horizon=1).variance.iloc[-1, 0])
        return found

    def cold() -> list[float]:
        fits = (_arch(part, model, errors) for part in windows)
        return [fit.forecast(horizon=1).variance.iloc[-1, 0] for fit in fits]

    def multigarch() -> list[float]:
        from multigarch import GARCH

        fits = (GARCH(o=GJR[model], dist=errors, mean="constant").fit(part) for part in windows)
        return [fit.forecast(1)[0] for fit in fits]

    def statsforecast() -> list[float]:
        from statsforecast.models import GARCH

        fits = (GARCH(1, 1).fit(part - part.mean()) for part in windows)
        return [fit.predict(1)["sigma2"][0] for fit in fits]

    def agree(rtol: float, middle: bool = False) -> Callable[[pd.DataFrame, list[float]], None]:
        def compare(path: pd.DataFrame, variance: list[float]) -> None:
            apart = np.abs(np.sqrt(variance) / path["SPX"].to_numpy()[-few:] - 1.0)
            worst = np.median(apart) if middle else np.max(apart)
            assert worst < rtol, f"volatilities differ by up to {apart.max():.2%}"

        return compare

    share, scaled = few / refits, f"{few} refits, scaled"
    peers = [
        Peer("arch, warm-started", "arch", warm, agree(0.002), share, 3, scaled),
        Peer("arch, cold", "arch", cold, agree(0.002), share, 3, scaled),
        Peer(
            "multigarch, cold",
            "multigarch",
            multigarch,
            agree(0.03),
            share,
            3,
            f"{scaled}; mean and start-up from the sample",
        ),
    ]
    if (model, errors) == ("garch", "normal"):
        peers.append(
            Peer(
                "statsforecast, cold",
                "statsforecast",
                statsforecast,
                agree(0.03, middle=True),  # some of its fits stop early
                share,
                3,
                f"{scaled}; mean and start-up from the sample",
            )
        )
    size = f"{refits:,} refits, window {window:,}"
    return Case(f"{model}-{errors} walk-forward, daily", size, ours, tuple(peers))


def garch_normal_walk(tiny: bool = False) -> Case:
    """GARCH with normal errors."""
    return walk("garch", "normal", tiny)


def garch_t_walk(tiny: bool = False) -> Case:
    """GARCH with t errors."""
    return walk("garch", "t", tiny)


def gjr_t_walk(tiny: bool = False) -> Case:
    """GJR with t errors."""
    return walk("gjr", "t", tiny)


def garch_t_fit(tiny: bool = False) -> Case:
    """One fit from nothing."""
    returns = data.sp500(800 if tiny else 2500)["SPX"]
    x = returns.to_numpy()

    def ours() -> volatility.Fit:
        return volatility.fit(returns, errors="t")

    def multigarch() -> object:
        from multigarch import GARCH

        return GARCH(dist="t", mean="constant").fit(x)

    def as_likely(fit: volatility.Fit, other: object) -> None:
        np.testing.assert_allclose(fit.loglikelihood, other.loglikelihood, atol=0.01)

    def nearly(fit: volatility.Fit, other: object) -> None:
        np.testing.assert_allclose(fit.loglikelihood, other.loglik_, rtol=0.005)

    peers = (
        Peer("arch", "arch", lambda: _arch(x, "garch", "t"), as_likely),
        Peer(
            "multigarch",
            "multigarch",
            multigarch,
            nearly,
            remark="mean and start-up from the sample",
        ),
    )
    return Case("garch-t, one cold fit", f"{len(x):,} bars", ours, peers)


CASES = (garch_normal_walk, garch_t_walk, gjr_t_walk, garch_t_fit)
