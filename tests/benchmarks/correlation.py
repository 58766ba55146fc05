"""Rolling correlation, shrinkage, and dynamic conditional correlation."""

import numba
import numpy as np
import pandas as pd

from tests.benchmarks import data
from tests.benchmarks.measure import Case, Peer
from xcoll.estimators import correlation, volatility
from xcoll.estimators.correlation import dcc


def rolling(tiny: bool = False) -> Case:
    """All pairs of assets over a moving window."""
    bars, assets, window = (200, 4, 30) if tiny else (2500, 50, 90)
    returns = data.simulated(bars, assets)
    first, second = np.triu_indices(assets, 1)
    x = np.ascontiguousarray(returns.to_numpy().T)
    left, right = x[first], x[second]

    def ours() -> pd.DataFrame:
        return correlation.rolling(returns, window)

    def numbagg(threads: int) -> np.ndarray:
        from numbagg import move_corr

        numba.set_num_threads(threads)
        found = move_corr(left, right, window=window)
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
        return found

    def pandas() -> pd.DataFrame:
        return returns.rolling(window).corr()

    def as_pairs(path: pd.DataFrame, found: np.ndarray) -> None:
        np.testing.assert_allclose(path.to_numpy()[window - 1 :], found.T[window - 1 :], atol=1e-9)

    def as_matrices(path: pd.DataFrame, found: pd.DataFrame) -> None:
        stack = found.to_numpy().reshape(bars, assets, assets)[window - 1 :, first, second]
        np.testing.assert_allclose(path.to_numpy()[window - 1 :], stack, atol=1e-9)

    prepared = "from and to an array of pairs, prepared outside"
    peers = (
        Peer("numbagg", "numbagg", lambda: numbagg(1), as_pairs, remark=prepared),
        Peer(
            "numbagg, all threads",
            "numbagg",
            lambda: numbagg(numba.config.NUMBA_NUM_THREADS),
            as_pairs,
            remark=prepared,
        ),
        Peer("pandas", "pandas", pandas, as_matrices, runs=2),
    )
    size = f"{bars:,} simulated bars × {assets} assets, window {window}"
    return Case("rolling correlation", size, ours, peers)


def shrinkage(tiny: bool = False) -> Case:
    """Ledoit and Wolf (2004), towards the identity."""
    returns = data.simulated(200 if tiny else 2500, 4 if tiny else 50)

    def ours() -> correlation.Shrunk:
        return correlation.ledoit_wolf(returns, "identity")

    def sklearn() -> np.ndarray:
        from sklearn.covariance import LedoitWolf

        return LedoitWolf().fit(returns.to_numpy()).covariance_

    def agree(shrunk: correlation.Shrunk, found: np.ndarray) -> None:
        np.testing.assert_allclose(shrunk.covariance, found, rtol=1e-9)

    size = f"{len(returns):,} simulated bars × {returns.shape[1]} assets"
    peer = Peer("scikit-learn", "scikit-learn", sklearn, agree)
    return Case("Ledoit–Wolf shrinkage", size, ours, (peer,))


def _residuals(returns: pd.DataFrame) -> pd.DataFrame:
    return volatility.fit_each(returns, errors="normal").residuals


def _dynamic(bars: int, assets: int, composite: bool, runs: int) -> Case:
    """Margins and correlation from returns; peers by the same likelihood where they have it."""
    returns = data.simulated(bars, assets)
    x = returns.to_numpy()

    def ours() -> dcc.Dcc:
        kind = "contiguous" if composite else "joint"
        return dcc.fit(_residuals(returns), composite=kind)

    def multigarch(threads: int) -> tuple[float, float]:
        from multigarch import DCC

        method = "cl" if composite else "full"
        fit = DCC(n_jobs=threads, mean="constant", method=method, low_memory=True).fit(x)
        return fit.a, fit.b

    def multiarch() -> tuple[float, float]:
        from multiarch import DCC

        kind = "composite" if composite else "full"
        return tuple(DCC(x, estimator=kind, pairs="adjacent").fit(se=None).params.loc["corr"])

    def pymgarch() -> tuple[float, float]:
        from pymgarch import DCC

        kind = "composite" if composite else "full"
        return tuple(DCC().fit(returns, compute_se=False, method=kind).psi)

    def agree(fit: dcc.Dcc, found: tuple[float, float]) -> None:
        np.testing.assert_allclose((fit.a, fit.b), found, atol=0.01 if bars < 1000 else 0.005)

    last = "keeps the last matrix only; mean and start-up from the sample"
    peers = (
        Peer("multigarch", "multigarch", lambda: multigarch(1), agree, 1.0, runs, last),
        Peer(
            "multigarch, all threads",
            "multigarch",
            lambda: multigarch(-1),
            agree,
            1.0,
            runs,
            last,
        ),
        Peer("multiarch", "multiarch", multiarch, agree, 1.0, runs),
        Peer("pymgarch", "pymgarch", pymgarch, agree, 1.0, min(runs, 2), "margins by arch"),
    )
    law = "composite likelihood" if composite else "joint likelihood"
    return Case(
        f"DCC with margins, {law}", f"{bars:,} simulated bars × {assets} assets", ours, peers
    )


def dynamic(tiny: bool = False) -> Case:
    """Few assets, the whole likelihood."""
    return _dynamic(*((700, 3) if tiny else (2500, 10)), composite=False, runs=3)


def dynamic_many(tiny: bool = False) -> Case:
    """Many assets, pairs of neighbours (Engle, Shephard and Sheppard 2008)."""
    return _dynamic(*((700, 4) if tiny else (2500, 100)), composite=True, runs=1)


def _monitored(tiny: bool) -> tuple[np.ndarray, correlation.Monitor, str]:
    window, assets = (400, 3) if tiny else (500, 10)
    returns = data.simulated(window + 1, assets)
    residuals = returns / returns.std()
    made = correlation.monitor(residuals.iloc[:-1], window)
    return residuals.to_numpy(), made, f"{window:,} simulated bars × {assets} assets"


def monitoring(tiny: bool = False) -> Case:
    """One more bar at the parameters that there are."""
    z, before, size = _monitored(tiny)

    def ours() -> np.ndarray:
        return before.update(z[-1]).matrix

    def pymgarch() -> np.ndarray:
        from pymgarch.correlation import cov2cor, dcc_path, one_step_q

        a, b = before.params[:2]
        path = dcc_path(z, a, b, 0.0, before.target, None)
        return cov2cor(one_step_q(path.q_last, z[-1], a, b, 0.0, before.target, None))

    def agree(matrix: np.ndarray, found: np.ndarray) -> None:
        np.testing.assert_allclose(matrix, found, rtol=1e-9)

    peer = Peer("pymgarch", "pymgarch", pymgarch, agree, remark="filters the window again")
    return Case("DCC, one new bar, parameters kept", size, ours, (peer,))


def reestimation(tiny: bool = False) -> Case:
    """One more bar: the window moves, and Q̄, a and b are estimated again."""
    z, before, size = _monitored(tiny)

    def ours() -> np.ndarray:
        return before.update(z[-1], refit=True).params[:2]

    def pymgarch() -> object:
        from pymgarch.estimation import ParamLayout, fit_stage2

        return fit_stage2(z[1:], ParamLayout(asymmetric=False, studentt=False))

    def agree(params: np.ndarray, found: object) -> None:
        # Not by (a, b): where correlations hardly move the likelihood is flat.
        mine, theirs = (found.objective_llt(at, z[1:]).sum() for at in (params, found.params))
        np.testing.assert_allclose(mine, theirs, atol=0.02, rtol=0.0)

    peer = Peer("pymgarch", "pymgarch", pymgarch, agree, runs=2, remark="starts from nothing")
    return Case("DCC, one new bar, estimated again", size, ours, (peer,))


CASES = (rolling, shrinkage, dynamic, dynamic_many, monitoring, reestimation)
