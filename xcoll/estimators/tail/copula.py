"""Draws from a t copula whose correlation follows DCC, for methods that simulate assets jointly.

    y = L n √(ν / χ²_ν),   L L' = R_t           ranks of y pick standardised bars of each asset
    Q' = (1 - a - b) Q̄ + a z z' + b Q           within the horizon, from Q = R_t on

(Engle 2002; the t copula as in Demarta and McNeil 2005.)  Margins are those of the window, bar by
bar: bars are ranked by the adverse move of the loss that is asked for, and a picked rank brings
both the return and the low of the asset's bar of that rank.  The correlation is that of returns:
wicks that assets share beyond it are lost, and `fhs`, which keeps whole days, holds more of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.special import chdtri, ndtri, stdtrit

from xcoll import checks
from xcoll._jit import own
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators.tail import _kernels

__all__ = ["Dependence", "Draws"]


@dataclass(frozen=True)
class Dependence:
    """How assets move together, date by date.

    Attributes
    ----------
    correlation : time × pair ("BTC~ETH"), stamped t = correlation of bar t+1.
    target : Q̄, asset × asset.
    a, b : of the DCC recursion, which acts within a horizon of several bars only.
    nu : degrees of freedom of the copula, inf for the normal one.
    """

    correlation: pd.DataFrame
    target: pd.DataFrame
    a: float = 0.0
    b: float = 0.0
    nu: float = np.inf

    def of(self, times: pd.Index, assets: Sequence[str]) -> "Dependence":
        """The same of these times and assets; NaN where it knows no correlation of a pair."""
        known = {}
        for one, two in combinations(assets, 2):
            pair = self._pair(one, two)
            known[f"{one}~{two}"] = np.nan if pair is None else self.correlation[pair]
        path = pd.DataFrame(known, self.correlation.index, dtype=float)
        return replace(self, correlation=path.reindex(times))

    def on(self, log_returns: pd.DataFrame) -> "Path":
        """The same as arrays on the times and assets of `log_returns`, checked.

        Raises
        ------
        DataError : other times, a pair or an asset that is missing, a correlation outside [-1, 1].
        ParameterError : a or b negative, both summing to one or more, ν of two or less.
        """
        assets = list(log_returns.columns)
        if not self.correlation.index.equals(log_returns.index):
            raise DataError("correlation and log_returns have different times; align them")
        matrices = np.ones((len(log_returns), len(assets), len(assets)))
        for one, name in enumerate(assets):
            for two in range(one):
                pair = self._pair(name, assets[two])
                if pair is None:
                    raise DataError(
                        f"correlation lacks the pair {name}~{assets[two]}; fit it with both assets"
                    )
                path = self.correlation[pair].to_numpy(float)
                matrices[:, one, two] = matrices[:, two, one] = path
        if (np.abs(matrices) > 1.0 + 1e-9).any():
            raise DataError("correlation holds a value outside [-1, 1]; give correlations")
        for asset in assets:
            if asset not in self.target.index or asset not in self.target.columns:
                raise DataError(f"the target of dependence lacks {asset}; fit it with that asset")
        a, b = checks.at_least("a", self.a, 0.0), checks.at_least("b", self.b, 0.0)
        if a + b >= 1.0:
            raise ParameterError(f"a + b is {a + b:g}; the recursion needs less than 1")
        if not self.nu > 2.0:
            raise ParameterError(f"nu is {self.nu!r}; give more than 2, or inf for the normal")
        target = self.target.loc[assets, assets].to_numpy(float)
        return Path(log_returns.index, matrices, target, a, b, float(self.nu))

    def _pair(self, one: str, two: str) -> str | None:
        names = (f"{one}~{two}", f"{two}~{one}")
        return next((name for name in names if name in self.correlation), None)


@dataclass(frozen=True)
class Path:
    """`Dependence` as arrays: matrices are time × asset × asset."""

    times: pd.Index
    matrices: np.ndarray
    target: np.ndarray
    a: float
    b: float
    nu: float

    def known(self, t: int, assets: np.ndarray) -> np.ndarray:
        """Those of `assets` that have a correlation with another one at row t, or are alone."""
        if len(assets) < 2:
            return assets
        some = np.isfinite(self.matrices[t][np.ix_(assets, assets)]).sum(axis=1) > 1
        return assets[some]

    def edges(self, ranks: int) -> np.ndarray:
        """The copula's quantiles that lie between so many equally likely ranks."""
        levels = np.arange(1, ranks) / ranks
        return ndtri(levels) if np.isinf(self.nu) else stdtrit(self.nu, levels)


@dataclass(frozen=True)
class Draws:
    """Random numbers that serve every date: forecasts differ by their windows, not by their luck.

    Attributes
    ----------
    normals : path × horizon × asset.
    scale : path × horizon, what turns a normal vector into one of the t law: `√(ν / χ²_ν)`.
    """

    normals: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, rng: np.random.Generator, paths: int, bars: int, assets: int, nu: float) -> "Draws":
        """Draw them; normal where ν is infinite."""
        normals, uniforms = rng.standard_normal((paths, bars, assets)), rng.random((paths, bars))
        normal = np.isinf(nu)
        scale = np.ones((paths, bars)) if normal else np.sqrt(nu / chdtri(nu, 1.0 - uniforms))
        return cls(normals, scale)

    def picks(
        self, path: Path, t: int, assets: np.ndarray, score: np.ndarray, edges: np.ndarray
    ) -> np.ndarray:
        """Ranks drawn at row t, asset × horizon × path, in 0 … len(edges).

        Raises
        ------
        EstimationError : a correlation matrix that is not positive definite.
        """
        among = np.ix_(assets, assets)
        found = np.empty((len(assets), *self.scale.T.shape), np.int64)
        done = _kernels.copula_picks(
            own(self.normals[..., assets]),
            self.scale,
            own(path.matrices[t][among]),
            own(path.target[among]),
            path.a,
            path.b,
            edges,
            score,
            found,
        )
        if not done:
            raise EstimationError(
                f"the correlation at {path.times[t]} is no positive definite matrix; "
                "repair the correlation path or leave an asset out"
            )
        return found
