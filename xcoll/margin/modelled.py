"""Implied volatility without quotes: a surface that is assumed from the forecast of volatility.

The price files have no options.  At the money a volatility is the forecast over the option's life,
whose variance comes back to its long run, times a premium; around it stands the smile of Gatheral
and Jacquier (2014).

    σ²(T) = premium²·(v∞ + (v − v∞)·(1 − e^{−κT})/(κT))      κ = ln 2 / half-life

v and v∞ are the variance a year of the next bar and of the long run.  Everything priced by it is
modelled, and says so.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import DataError, ParameterError
from xcoll.margin.instruments import YEAR
from xcoll.margin.options.surface import Surface, ssvi

__all__ = ["Implied"]


@dataclass(frozen=True)
class Implied:
    """Assumptions of a modelled surface.

    Attributes
    ----------
    premium : implied over forecast volatility.
    half_life : of a departure of variance from its long run.
    rho, eta, gamma : skew and size of the smile, as in `surface.ssvi`.
    tenors : expiries of the surface, durations.

    Raises
    ------
    ParameterError : names the assumption and its range.
    """

    premium: float = 1.1
    half_life: str = "30D"
    rho: float = -0.1
    eta: float = 1.0
    gamma: float = 0.5
    tenors: tuple[str, ...] = ("7D", "30D", "90D", "180D", "365D")

    def __post_init__(self) -> None:
        checks.positive("premium", self.premium)
        checks.duration("half_life", self.half_life)
        ssvi(0.0, 1.0, self.rho, self.eta, self.gamma)
        for tenor in self.tenors:
            checks.duration("tenor", tenor)

    def at_the_money(
        self, variance: np.ndarray | float, long_run: np.ndarray | float, years: np.ndarray | float
    ) -> np.ndarray:
        """Volatility a year for `years`, from variances a year; broadcasts, NaN gives NaN."""
        if any(np.any(np.less(given, 0.0)) for given in (variance, long_run, years)):
            raise ParameterError("a variance or a time is under zero; give 0 or more")
        x = np.log(2.0) * np.asarray(years, float) * (YEAR / pd.Timedelta(self.half_life))
        left = -np.expm1(-x) / np.where(x > 0.0, x, 1.0)
        left = np.where(x > 0.0, left, 1.0)
        return self.premium * np.sqrt(long_run + (variance - long_run) * left)

    def sigma(
        self,
        variance: np.ndarray | float,
        long_run: np.ndarray | float,
        years: np.ndarray | float,
        k: np.ndarray | float,
    ) -> np.ndarray:
        """Volatility a year for `years` at log-moneyness `k`, from variances a year; broadcasts."""
        theta = self.at_the_money(variance, long_run, years) ** 2 * years
        return np.sqrt(ssvi(k, theta, self.rho, self.eta, self.gamma) / years)

    def surfaces(self, variance: pd.Series, long_run: pd.Series) -> dict[str, Surface]:
        """The surface of every asset of `variance` at one moment, both variances a year.

        Raises
        ------
        DataError : an asset without a long-run variance, or with one that is not above zero.
        """
        for name, values in (("variance", variance), ("long-run variance", long_run)):
            good = values.reindex(variance.index) > 0.0
            if not good.all():
                raise DataError(f"no {name} of {good.idxmin()} above zero; leave the asset out")
        years = np.array([pd.Timedelta(tenor) / YEAR for tenor in self.tenors])
        return {
            asset: Surface.from_ssvi(
                asset,
                years,
                self.at_the_money(variance[asset], long_run[asset], years),
                self.rho,
                self.eta,
                self.gamma,
            )
            for asset in variance.index
        }
