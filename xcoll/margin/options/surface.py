"""Implied volatility of one asset as a surface of total variance w(k, T) = σ²T at k = ln(K/F).

    in strike     `Smile`: a natural cubic spline of w with straight wings
    in time       w is linear in T at fixed k between two quoted expiries (Gatheral 2004)
    outside       σ is that of the first or last expiry T* at the same k/√T:
                  w(k, T) = (T/T*) w(k √(T*/T), T*)

Between two expiries w grows with T wherever it grows from one to the next.  Outside it grows
where k w' ≤ 2 w, which holds for a smile without butterflies (Fukasawa 2012); before the first
expiry Durrleman's g only gains.  Slopes in k grow as √(T/T*) after the last one, so that far
behind it the wings are too steep: check there what is used there.

Surfaces that are modelled rather than quoted are made by the power-law SSVI of Gatheral and
Jacquier (2014):

    w(k, θ) = θ/2 (1 + ρφk + √((φk + ρ)² + 1 − ρ²)),    φ(θ) = η θ^(−γ) (1 + θ)^(γ−1)

with θ = σ²T at the money.  Without arbitrage for θ not falling in T, 0 < γ ≤ 1/2, η(1 + |ρ|) ≤ 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import factorial, perm

import numpy as np
from scipy.optimize.elementwise import bracket_root, find_root
from scipy.special import ndtr, ndtri

from xcoll import checks
from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.margin.options.smile import Smile

__all__ = ["DEVIATIONS", "Smile", "Surface", "ssvi"]

# The cubics are within 0.01 % of SSVI's volatility up to ±6 where |rho| ≤ 0.7, 0.2 % up to 0.95.
DEVIATIONS = tuple(np.linspace(-8.0, 8.0, 65))


@dataclass(frozen=True, eq=False)
class Surface:
    """Implied volatility of one asset at every expiry and strike, as the module says.

    Attributes
    ----------
    asset : str
    smiles : tuple of Smile
        In ascending years, one or more.

    Raises
    ------
    DataError
        No smile, or expiries that do not ascend.
    """

    asset: str
    smiles: tuple[Smile, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "smiles", tuple(self.smiles))
        if not self.smiles or not all(isinstance(one, Smile) for one in self.smiles):
            raise DataError(f"the surface of {self.asset} has no smiles; give one or more `Smile`")
        for one, two in pairwise(self.smiles):
            if two.years <= one.years:
                raise DataError(
                    f"smiles of {self.asset}: {two.years:g} years come after {one.years:g}; give "
                    "each expiry once, in ascending order"
                )

    @classmethod
    def from_ssvi(
        cls,
        asset: str,
        years: Sequence[float] | np.ndarray,
        atm_sigmas: Sequence[float] | np.ndarray,
        rho: float,
        eta: float,
        gamma: float,
        deviations: Sequence[float] | np.ndarray = DEVIATIONS,
    ) -> "Surface":
        """Modelled surface: power-law SSVI through volatilities at the money.

        Parameters
        ----------
        asset : str
        years, atm_sigmas : array (m,)
            Expiries, ascending, and the volatility at k = 0 of each, or one for all.
        rho, eta, gamma : float
            As in `ssvi`.
        deviations : array (n,)
            k/√θ of the strikes of each smile, ascending.

        Raises
        ------
        ParameterError
            As `ssvi`.
        DataError
            As `Smile`; θ = σ²T that falls from one expiry to the next.
        """
        T, sigma = np.atleast_1d(_places("years", years)), _places("atm_sigmas", atm_sigmas)
        if T.ndim != 1 or sigma.shape not in (T.shape, ()):
            raise DataError(
                f"years have the shape {T.shape} and atm_sigmas {sigma.shape}; give one row of "
                "years, and a volatility for each or one for all"
            )
        flat = [
            Smile(t, [0.0], [s]) for t, s in zip(T, np.broadcast_to(sigma, T.shape), strict=True)
        ]
        theta = np.array([one.sigma[0] ** 2 * one.years for one in flat])
        falls = np.flatnonzero(np.diff(theta) < 0.0)
        if len(falls):
            i = falls[0]
            raise DataError(
                f"total variance at the money of {asset} falls from {theta[i]:g} at {T[i]:g} years "
                f"to {theta[i + 1]:g} at {T[i + 1]:g}; raise the later volatility"
            )
        k = np.sqrt(theta)[:, None] * _places("deviations", deviations)
        w = ssvi(k, theta[:, None], rho, eta, gamma)
        return cls(asset, tuple(map(Smile, T, k, np.sqrt(w / T[:, None]))))

    def sigma(self, years: float | np.ndarray, k: float | np.ndarray) -> np.ndarray:
        """Yearly volatility at `years` to expiry and k = ln(K/F), broadcast against each other.

        Raises
        ------
        ParameterError
            Years not above zero, anything NaN or infinite.
        """
        return np.sqrt(self.variance(years, k) / np.asarray(years, dtype=float))

    def variance(
        self, years: float | np.ndarray, k: float | np.ndarray, derivative: int = 0
    ) -> np.ndarray:
        """Total variance w(k, T), or its first or second derivative in k; as `sigma`."""
        return self._variance(_places("years", years, 0.0), _places("k", k), derivative)

    def delta(self, years: float | np.ndarray, k: float | np.ndarray) -> np.ndarray:
        """Undiscounted forward delta N(d1) of the call at k, as `sigma`; the put's is 1 less."""
        return ndtr(self._d1(_places("years", years, 0.0), _places("k", k)))

    def k_of_delta(self, years: float | np.ndarray, delta: float | np.ndarray) -> np.ndarray:
        """ln(K/F) where the call has the undiscounted forward `delta`, broadcast with `years`.

        The inverse of `delta`, which falls in k where there is no arbitrage; elsewhere it is one
        of the solutions.

        Raises
        ------
        ParameterError
            Delta outside (0, 1), years not above zero, anything NaN or infinite.
        EstimationError
            No strike has the delta: a wing of slope 2 keeps all its calls at half a delta or more.
        """
        z = ndtri(_places("delta", delta, 0.0, 1.0))
        T, z = np.broadcast_arrays(_places("years", years, 0.0), z)
        step = np.sqrt(self._variance(T, np.zeros(())))
        guess = step * (step / 2.0 - z)

        def above(k: np.ndarray, T: np.ndarray, z: np.ndarray) -> np.ndarray:
            return self._d1(T, k) - z

        found = bracket_root(above, guess - step / 2.0, guess + step / 2.0, args=(T, z), maxiter=60)
        if not np.all(found.success):
            place = np.unravel_index(np.argmin(found.success), T.shape)
            raise EstimationError(
                f"no strike of {self.asset} at {T[place]:g} years has a delta of "
                f"{ndtr(z[place]):g}; a wing is too steep, mend its last quotes"
            )
        return np.asarray(find_root(above, found.bracket, args=(T, z)).x)

    def scaled(self, factor: float) -> "Surface":
        """The surface with every volatility times `factor` at its k."""
        factor = checks.positive("factor", factor)
        moved = (Smile(one.years, one.k, one.sigma * factor) for one in self.smiles)
        return Surface(self.asset, tuple(moved))

    @cached_property
    def _pieces(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Years, strikes of all smiles, where their pieces start, cubics: power × piece × smile."""
        knots = np.unique(np.concatenate([one.k for one in self.smiles]))
        start = np.concatenate([knots[:1] - 1.0, knots])
        curves = [one.curve for one in self.smiles]
        c = [np.column_stack([f(start, p) for f in curves]) / factorial(p) for p in range(4)]
        return np.array([one.years for one in self.smiles]), knots, start, np.array(c)

    def _variance(self, years: np.ndarray, k: np.ndarray, derivative: int = 0) -> np.ndarray:
        T, knots, start, c = self._pieces
        t = np.clip(years, T[0], T[-1])
        stretch = np.sqrt(t / years)
        x = k * stretch
        share = np.interp(t, T, np.arange(len(T)))
        early = share.astype(np.intp)
        share = share - early
        piece = np.searchsorted(knots, x, side="right")
        x = x - start[piece]
        one = piece * len(T) + early
        two = one + (share > 0.0)
        w = np.zeros(())
        for p in range(3, derivative - 1, -1):
            before, after = c[p].take(one), c[p].take(two)
            w = w * x + perm(p, derivative) * (before + share * (after - before))
        return w * stretch ** (derivative - 2)

    def _d1(self, years: np.ndarray, k: np.ndarray) -> np.ndarray:
        w = self._variance(years, k)
        return (w / 2.0 - k) / np.sqrt(w)


def ssvi(
    k: float | np.ndarray, theta: float | np.ndarray, rho: float, eta: float, gamma: float
) -> np.ndarray:
    """Total variance w(k, θ) of the power-law SSVI (Gatheral and Jacquier 2014).

    Parameters
    ----------
    k : array
        ln(K/F); broadcast with `theta`.
    theta : array
        Total variance at the money, above zero.
    rho : float
        In (−1, 1); below 0 low strikes have the higher volatility.
    eta : float
        Above zero: how far the smile bends, at most 2/(1 + |ρ|).
    gamma : float
        In (0, 1/2]: how fast it flattens in θ.

    Raises
    ------
    ParameterError
        A parameter outside its range, η(1 + |ρ|) > 2 among them.
    """
    rho, eta = checks.number("rho", rho), checks.positive("eta", eta)
    gamma = checks.positive("gamma", gamma)
    if abs(rho) >= 1.0:
        raise ParameterError(f"rho is {rho:g}; give a correlation in (−1, 1)")
    if gamma > 0.5:
        raise ParameterError(f"gamma is {gamma:g}; give at most 1/2, or there may be arbitrage")
    most = 2.0 / (1.0 + abs(rho))
    if eta > most:
        raise ParameterError(
            f"eta is {eta:g}, so that eta (1 + |rho|) is above 2 and there may be arbitrage; give "
            f"at most {most:.4g}"
        )
    theta, k = _places("theta", theta, 0.0), _places("k", k)
    p = eta * theta**-gamma * (1.0 + theta) ** (gamma - 1.0) * k
    return theta / 2.0 * (1.0 + rho * p + np.sqrt((p + rho) ** 2 + 1.0 - rho**2))


def _places(
    name: str, values: float | np.ndarray, low: float = -np.inf, high: float = np.inf
) -> np.ndarray:
    """`values` as floats, all between `low` and `high`."""
    values = np.asarray(values)
    if values.dtype.kind not in "fiu":
        raise ParameterError(f"{name} is {values!r}; give numbers")
    values = values.astype(float, copy=False)
    good = (values > low) & (values < high)
    if not good.all():
        i = int(np.argmin(good))
        raise ParameterError(
            f"{name}: element {i} is {values.flat[i]:g}; give numbers in ({low:g}, {high:g})"
        )
    return values
