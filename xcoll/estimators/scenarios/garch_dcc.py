"""Paths of the fitted process: GARCH volatilities, DCC correlation, joint t shocks, common jumps.

    r_t = σ_t ∘ z_t,   z_t = L_t w_t,   L_t L_t' = R_t = diag(Q_t)^{-½} Q_t diag(Q_t)^{-½}
    σ²_{t+1} = ω + (α + γ 1[r_t < 0]) r²_t + β σ²_t
    Q_{t+1} = (1 − a − b) Q̄ + a z_t z_t' + b Q_t

(Bollerslev 1986; Glosten, Jagannathan and Runkle 1993; Engle 2002.)  w has mean 0 and the unit
covariance: normals under one χ² mixing variable a bar, so that the assets share their extremes, and
the jumps of `jumps`.  L is the factor of the correlation, and σ is applied once, after it.

The mean of a log return is zero: that of a daily bar is a twentieth of its σ and cannot be told
from zero.  Where γ is not zero, skewed shocks weigh more in the variance than symmetric ones, and
jumps lift it a little above what the same recursion gives without them.  Where a fit ends on the
persistence bound there is no long-run variance, and with few degrees of freedom a path in a
thousand leaves every measure: read quantiles of such paths rather than means.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators.correlation import dcc
from xcoll.estimators.correlation.paths import several
from xcoll.estimators.scenarios.excess import Excess
from xcoll.estimators.scenarios.jumps import Jumps
from xcoll.estimators.scenarios.paths import Paths, history
from xcoll.estimators.tail.simulation import Recursion
from xcoll.estimators.volatility import fit_each
from xcoll.market.prices import bar_length

__all__ = ["GARCH", "GarchDcc"]

GARCH = ("omega", "alpha", "gamma", "beta")
MODELS = ("garch", "gjr")
DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class GarchDcc:
    """The process as of today.

    Attributes
    ----------
    garch : DataFrame, asset × (omega, alpha, gamma, beta)
        Two assets or more; in the unit of log returns; α + γ/2 + β at most 1.
    sigma_now : Series
        σ of the first simulated bar by asset, above 0.
    a, b : float
        At least 0, together under 1.
    nu : float
        Degrees of freedom of the shocks, above 2; infinite: normal.
    Q_bar, Q_now : DataFrame, asset × asset
        Q̄, and Q of the first simulated bar; positive definite.
    jumps : Jumps, optional
        Without: none.
    excess : Excess, optional
        How far lows reach under the closes; without, the close is taken for the low.
    bar : Timedelta
        Length of a bar.

    Raises
    ------
    DataError
        A part that has other assets than `garch`, or lacks a column.
    ParameterError
        A parameter outside the ranges above.
    EstimationError
        One asset, or jumps that take more than the whole variance of the common shock.
    """

    garch: pd.DataFrame
    sigma_now: pd.Series
    a: float
    b: float
    nu: float
    Q_bar: pd.DataFrame
    Q_now: pd.DataFrame
    jumps: Jumps | None = None
    excess: Excess | None = None
    bar: pd.Timedelta = DAY

    def __post_init__(self) -> None:
        if len(self.garch) < 2:
            raise EstimationError(f"a joint simulation needs two assets, not {len(self.garch)}")
        self._same_assets()
        if checks.at_least("a", self.a, 0.0) + checks.at_least("b", self.b, 0.0) >= 1.0:
            raise ParameterError(f"a + b is {self.a + self.b:g}; the recursion needs less than 1")
        if not self.nu > 2.0:
            raise ParameterError(f"nu is {self.nu!r}; give more than 2, or inf for the normal")
        for asset, sigma in self.sigma_now.items():
            checks.positive(f"sigma_now of {asset}", sigma)
        self.recursion.table(len(self.garch))
        steady = self.garch.eval("alpha + gamma / 2 + beta")
        reach = (steady > 1.0 + 1e-9) | ~(self.garch.eval("alpha + gamma") >= 0.0)
        if reach.any():
            asset = reach.idxmax()
            raise ParameterError(
                f"{asset}: α + γ/2 + β is {steady[asset]:g}; give at most 1, and α + γ not under 0"
            )
        for name in ("Q_bar", "Q_now"):
            _positive_definite(name, getattr(self, name).to_numpy(float))
        if self.jumps is not None and not self.share < 1.0:
            raise EstimationError(
                f"jumps take {self.share:.0%} of the variance of the shock along their loadings; "
                "take a lower intensity, smaller loadings or the Q_bar of the same residuals"
            )

    def _same_assets(self) -> None:
        missing = [name for name in GARCH if name not in self.garch]
        if missing:
            raise DataError(f"garch lacks the column {missing[0]}; it has {', '.join(GARCH)}")
        given = {"sigma_now": self.sigma_now.index}
        for name in ("Q_bar", "Q_now"):
            matrix = getattr(self, name)
            given |= {f"rows of {name}": matrix.index, f"columns of {name}": matrix.columns}
        if self.jumps is not None:
            given["loadings of jumps"] = self.jumps.loadings.index
        if self.excess is not None:
            given["excess"] = self.excess.score.columns
        for name, index in given.items():
            if not index.equals(self.garch.index):
                raise DataError(f"{name} and garch differ in assets or their order; align them")

    @classmethod
    def fit(
        cls,
        log_returns: pd.DataFrame,
        low: pd.DataFrame | None = None,
        *,
        model: str = "garch",
        jump_quantile: float | None = 0.005,
        neighbours: int = 20,
    ) -> "GarchDcc":
        """The process as of the last bar, from all bars given.

        Margins by maximum likelihood with t errors, each over its own listing; correlation by DCC
        with joint t errors; jumps from its residuals, with ν as it is: the t law has seen the jump
        bars too, so tails lie on the heavy side.

        Parameters
        ----------
        log_returns : DataFrame
            time × asset; NaN before listing.
        low : DataFrame, optional
            Log excursions ``ln(L_t / P_{t−1}) ≤ min(r_t, 0)``; without, the close is the low.
        model : str
            "garch" or "gjr".
        jump_quantile : float, optional
            Of the mean residual, at or under which a bar is a jump; None: no jumps.
        neighbours : int
            Historical bars that the low of a simulated bar is chosen from.

        Raises
        ------
        DataError, EstimationError
            As `history`, `volatility.fit_each`, `correlation.dcc.fit`, `Jumps.fit` and `Excess` do;
            an asset that has no return at the last bar; a fit that does not converge.
        """
        checks.one_of("model", model, MODELS)
        given = history(several(log_returns), low)
        returns = given.log_returns
        gone = returns.columns[returns.iloc[-1].isna()]
        if len(gone):
            raise EstimationError(f"{gone[0]} has no return at the last bar; leave it out")
        margins = fit_each(returns, model)
        failed = margins.record[~margins.record["converged"].astype(bool)]
        if len(failed):
            raise EstimationError(
                f"{failed.index[0]}: {failed['message'].iloc[0]}; leave the asset out or give its "
                "parameters"
            )
        joint = dcc.fit(margins.residuals, "t")
        if not joint.converged:
            raise EstimationError(f"DCC did not converge ({joint.message}); give its parameters")
        jumps = None if jump_quantile is None else Jumps.fit(margins.residuals, jump_quantile)
        known = None
        if low is not None:
            known = Excess.of(returns, margins.volatility, given.low, neighbours)
        return cls(
            margins.params.assign(gamma=margins.params.get("gamma", 0.0))[list(GARCH)],
            margins.volatility.iloc[-1],
            joint.a,
            joint.b,
            joint.nu,
            joint.target,
            joint.target + joint.a * joint.state,
            jumps,
            known,
            bar_length(returns.index),
        )

    @property
    def assets(self) -> list[str]:
        """Symbols, in the order of `garch`."""
        return self.garch.index.tolist()

    @cached_property
    def recursion(self) -> Recursion:
        """How σ² goes on."""
        return Recursion(**{name: self.garch[name].to_numpy(float) for name in GARCH})

    @cached_property
    def share(self) -> float:
        """η, the jumps' share in the variance of the common shock; 0 without jumps."""
        if self.jumps is None:
            return 0.0
        return self.jumps.share(dcc.correlation_of(self.Q_bar.to_numpy(float)))

    def simulate(self, paths: int, bars: int, rng: np.random.Generator) -> Paths:
        """Paths of `bars` bars from today; path i is the same for any number of paths.

        Raises
        ------
        EstimationError
            A correlation that has become singular.
        """
        shape = checks.whole("paths", paths), checks.whole("bars", bars)
        normals, mixing, jumping, wicks = rng.spawn(4)
        x = normals.standard_normal((*shape, len(self.garch)))
        if np.isfinite(self.nu):
            x *= np.sqrt((self.nu - 2.0) / mixing.chisquare(self.nu, shape))[..., None]
        J = np.zeros(shape) if self.jumps is None else self.jumps.draw(*shape, jumping)
        sigma, z = self._recursion(x, J)
        returns = sigma * z
        low = np.minimum(returns, 0.0)
        if self.excess is not None:
            low -= sigma * self.excess.draw(z, wicks.random(shape))
        return Paths.of(returns, low, self.assets, self.bar)

    def _recursion(self, x: np.ndarray, J: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """σ and z of every bar, each paths × bars × assets."""
        a, b, Q_bar = self.a, self.b, self.Q_bar.to_numpy(float)
        Q = np.broadcast_to(self.Q_now.to_numpy(float), (len(x), *Q_bar.shape))
        variance = np.broadcast_to(self.sigma_now.to_numpy(float) ** 2, x[:, 0].shape)
        sigma, z = np.empty_like(x), np.empty_like(x)
        for s in range(x.shape[1]):
            L = _factor(Q)
            w = x[:, s]
            if self.jumps is not None:
                w = self.jumps.into(w, J[:, s], L, self.share)
            sigma[:, s] = np.sqrt(variance)
            z[:, s] = (L @ w[..., None])[..., 0]
            variance = self.recursion.step(variance, sigma[:, s] * z[:, s])
            Q = (1.0 - a - b) * Q_bar + a * z[:, s, :, None] * z[:, s, None, :] + b * Q
        return sigma, z


def _factor(Q: np.ndarray) -> np.ndarray:
    """Cholesky factors of the correlations of paths × asset × asset Q."""
    scale = np.sqrt(np.diagonal(Q, axis1=1, axis2=2))
    try:
        return np.linalg.cholesky(Q) / scale[..., None]
    except np.linalg.LinAlgError as error:
        raise EstimationError("the correlation is singular; leave out an asset") from error


def _positive_definite(name: str, Q: np.ndarray) -> None:
    if not (np.isfinite(Q).all() and np.allclose(Q, Q.T) and np.linalg.eigvalsh(Q)[0] > 1e-10):
        raise ParameterError(
            f"{name} is no positive definite matrix; leave out an asset that repeats, or repair it "
            "with correlation.nearest"
        )
