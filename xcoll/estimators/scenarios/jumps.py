"""Compound Poisson jumps that all assets share, each with its own loading.

    Y_t = Σ ξ_k over N_t jumps,   N_t ~ Poisson(λ),   ξ drawn from the sizes of past jumps
    z_t = L_t w_t,   L_t L_t' = R_t,   w_t = x_t + v (√(1−η) − 1) v'x_t + v √η J_t
    v ∝ L_t⁻¹ ℓ, |v| = 1,   J_t = (Y_t − λ E ξ) / √(λ E ξ²),   η = λ E ξ² · ℓ' R̄⁻¹ ℓ

Without jumps the shocks x_t have mean 0 and the unit matrix as covariance.  Jumps take a share η
of the variance of the one shock that moves the assets along their loadings ℓ, and the rest of that
shock is scaled down to √(1−η), so w_t has the unit covariance still: σ and ρ stay what the model
says, bar by bar.  At the long-run correlation R̄ a jump moves asset i by ℓ_i ξ standard deviations;
where correlation is higher, and with it the common shock, by more.  The mean stays 0: between jumps
the assets rise a little.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError, EstimationError
from xcoll.estimators.series import checked

__all__ = ["LEAST_JUMPS", "Jumps"]

LEAST_JUMPS = 3  # past bars that a loading is the mean of


@dataclass(frozen=True)
class Jumps:
    """Jumps in units of the bar's own σ.

    Attributes
    ----------
    intensity : float
        λ, expected jumps a bar, above 0.
    sizes : ndarray
        Common sizes ξ of the past jumps, drawn with equal probability.
    loadings : Series
        ℓ by asset, in standard deviations a jump of size one; negative where it falls.

    Raises
    ------
    ParameterError
        An intensity that is not above zero.
    DataError
        Sizes or loadings that are missing, infinite or all zero.
    """

    intensity: float
    sizes: np.ndarray
    loadings: pd.Series

    def __post_init__(self) -> None:
        checks.positive("intensity", self.intensity)
        for name, values in (("sizes", self.sizes), ("loadings", self.loadings)):
            values = np.asarray(values, float)
            if not (np.isfinite(values).all() and values.any()):
                raise DataError(f"{name} of jumps are missing, infinite or all zero; give numbers")

    @classmethod
    def fit(cls, residuals: pd.DataFrame, quantile: float = 0.005) -> "Jumps":
        """Jumps are the bars on which the mean residual is at or under its `quantile`.

        λ is their frequency, ξ_k the mean residual of all assets on the k-th over its mean on all
        of them, and ℓ_i the mean residual of asset i on them weighted by size, Σ ξ_k z_ik / Σ ξ²_k,
        which explains most of their squares.  Residuals are in units of their root mean square, as
        simulated ones are, so that λ E ξ² ℓℓ' never exceeds their second moment.

        Parameters
        ----------
        residuals : DataFrame
            time × asset, standardised; bars that not all assets have are left out.

        Raises
        ------
        EstimationError
            Fewer than `LEAST_JUMPS` jumps, or as `series.checked` does.
        """
        known = checked(residuals).dropna()
        known = known / np.sqrt((known**2).mean())
        common = known.mean(axis=1)
        fell = known[common <= common.quantile(checks.fraction("quantile", quantile))]
        if len(fell) < LEAST_JUMPS:
            raise EstimationError(
                f"{len(known)} bars that all assets have hold {len(fell)} jumps, {LEAST_JUMPS} are "
                "needed; take a higher quantile or a longer history"
            )
        size = common[fell.index] / common[fell.index].mean()
        loadings = fell.mul(size, axis=0).sum() / (size**2).sum()
        return cls(len(fell) / len(known), size.to_numpy(), loadings.rename("loading"))

    def share(self, R: np.ndarray) -> float:
        """η: their share in the variance of the shock along the loadings at correlation `R`."""
        loading = self.loadings.to_numpy(float)
        return float(
            self.intensity * np.mean(self.sizes**2) * (loading @ np.linalg.solve(R, loading))
        )

    def draw(self, paths: int, bars: int, rng: np.random.Generator) -> np.ndarray:
        """J, paths × bars: mean 0 and variance 1."""
        numbers, picks = rng.spawn(2)
        counts = numbers.poisson(self.intensity, (paths, bars)).ravel()
        drawn = np.asarray(self.sizes)[picks.integers(0, len(self.sizes), counts.sum())]
        cell = np.repeat(np.arange(counts.size), counts)
        total = np.bincount(cell, drawn, counts.size).reshape(paths, bars)
        spread = np.sqrt(self.intensity * np.mean(self.sizes**2))
        return (total - self.intensity * np.mean(self.sizes)) / spread

    def into(self, x: np.ndarray, J: np.ndarray, L: np.ndarray, share: float) -> np.ndarray:
        """The shocks w of one bar: x paths × assets, J paths, L paths × assets × assets."""
        along = np.linalg.solve(L, self.loadings.to_numpy(float)[:, None])[..., 0]
        v = along / np.linalg.norm(along, axis=-1, keepdims=True)
        common = (v * x).sum(axis=-1)
        moved = (np.sqrt(1.0 - share) - 1.0) * common + np.sqrt(share) * J
        return x + v * moved[:, None]
