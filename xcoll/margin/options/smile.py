"""Implied volatility of one expiry: total variance w(k) = σ²T at k = ln(K/F), through its quotes.

    between quotes    the natural cubic spline of w
    beyond them       w runs on with its slope at the last quote, outwards held in [0, 2]

The spline has w'' = 0 at its last quotes, so that with its straight wings w is twice continuously
differentiable: the density has no atoms and no jumps, while every kink of a linear w is an atom,
and a negative one wherever the slope falls.  Through five or nine deltas of SSVI smiles it is
nearer to them than linear interpolation or PCHIP; through noisy quotes it has fewer butterflies
than PCHIP, modified Akima or the not-a-knot spline.  A flat volatility beyond the last quote would
be such a kink.  Lee (2004): far out |w'| is at most 2, or there is no price; a steeper end is bent
to 2, and a smile that falls outwards goes on flat.  `arbitrage.checks` judges the slope before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import CubicSpline, PPoly
from scipy.special import ndtri

from xcoll import checks
from xcoll.errors import DataError, ParameterError

__all__ = ["CONVENTIONS", "LEE", "Smile"]

LEE = 2.0  # Lee (2004), theorems 3.2 and 3.4: lim sup w/|k|

# What a quoted delta is as a forward delta of the call with the same strike.
CONVENTIONS = {
    "call": lambda delta: delta,
    "signed": lambda delta: np.where(delta < 0.0, 1.0 + delta, delta),
}


@dataclass(frozen=True, eq=False)
class Smile:
    """Implied volatility of one expiry.

    Attributes
    ----------
    years : float
        T > 0, to expiry.
    k : array (n,)
        ln(K/F) of the quotes, ascending; a single one makes a flat smile.
    sigma : array (n,)
        Yearly volatility at k as a fraction (0.65 for 65 %), above zero.

    Raises
    ------
    ParameterError
        Years that are not above zero.
    DataError
        No quote, k that does not ascend, volatility not above zero, anything NaN or infinite;
        quotes so uneven that the spline between them falls to zero.
    """

    years: float
    k: np.ndarray
    sigma: np.ndarray

    def __post_init__(self) -> None:
        years, k = _ahead(self.years), _row("k", self.k)
        sigma = _volatility(years, self.sigma, len(k))
        steps = np.flatnonzero(~(np.diff(k) > 0.0))
        if len(steps):
            i = steps[0]
            raise DataError(
                f"smile of {years:g} years: k[{i + 1}] = {k[i + 1]:g} comes after {k[i]:g}; give "
                "each strike once, in ascending order"
            )
        for name, value in (("years", years), ("k", k), ("sigma", sigma)):
            object.__setattr__(self, name, value)
        turns = self._spline.derivative().roots(discontinuity=False, extrapolate=False)
        low = [turn for turn in turns if np.isfinite(turn) and self._spline(turn) <= 0.0]
        if low:
            raise DataError(
                f"smile of {years:g} years: the spline of the total variance falls to "
                f"{float(self._spline(low[0])):.3g} at k = {low[0]:.4g}; mend the quotes beside it"
            )

    @classmethod
    def by_strike(
        cls,
        years: float,
        forward: float,
        strikes: Sequence[float] | np.ndarray,
        sigmas: Sequence[float] | np.ndarray,
    ) -> "Smile":
        """Smile of quotes by ascending strike, in the unit of the `forward` to the same expiry."""
        forward, strikes = checks.positive("forward", forward), _row("strikes", strikes)
        bad = np.flatnonzero(strikes <= 0.0)
        if len(bad):
            raise DataError(f"strikes[{bad[0]}] is {strikes[bad[0]]:g}; give strikes above zero")
        return cls(years, np.log(strikes / forward), sigmas)

    @classmethod
    def by_delta(
        cls,
        years: float,
        deltas: Sequence[float] | np.ndarray,
        sigmas: Sequence[float] | np.ndarray,
        convention: str = "call",
    ) -> "Smile":
        """Smile of quotes by undiscounted forward delta N(d1), from the lowest strike upwards.

            k = σ²T/2 − σ√T N⁻¹(Δ),    Δ of the call

        Parameters
        ----------
        years, sigmas
            As the smile's.
        deltas : array (n,)
            As ``0.9, 0.75, 0.5, 0.25, 0.1`` under ``call``: of the call at each strike; as ``−0.1,
            −0.25, 0.5, 0.25, 0.1`` under ``signed``: a put's is negative, and Δ = 1 + Δput.  0.5
            is the strike of the straddle without delta.
        convention : str
            One of `CONVENTIONS`.

        Raises
        ------
        DataError
            Also a delta outside its range, and volatilities that put strikes out of order.
        """
        years, given = _ahead(years), _row("deltas", deltas)
        delta = CONVENTIONS[checks.one_of("convention", convention, CONVENTIONS)](given)
        bad = np.flatnonzero(~((delta > 0.0) & (delta < 1.0)))
        if len(bad):
            raise DataError(
                f"deltas[{bad[0]}] is {given[bad[0]]:g}; give deltas of calls in (0, 1), and of "
                'puts in (−1, 0) with the convention "signed"'
            )
        sigma = _volatility(years, sigmas, len(delta))
        steps = np.flatnonzero(~(np.diff(delta) < 0.0))
        if len(steps):
            i = steps[0]
            raise DataError(
                f"deltas[{i + 1}] = {given[i + 1]:g} comes after {given[i]:g}; give each once, "
                "from the lowest strike to the highest, so that deltas of calls fall"
            )
        k = sigma**2 * years / 2.0 - sigma * np.sqrt(years) * ndtri(delta)
        steps = np.flatnonzero(~(np.diff(k) > 0.0))
        if len(steps):
            i = steps[0]
            raise DataError(
                f"deltas {given[i]:g} and {given[i + 1]:g} at volatilities {sigma[i]:g} and "
                f"{sigma[i + 1]:g} have strikes out of order, k = {k[i]:g} and {k[i + 1]:g}; mend "
                "the volatilities"
            )
        return cls(years, k, sigma)

    @property
    def slopes(self) -> tuple[float, float]:
        """Slopes of w outwards at the lowest and the highest quote, before they are bent."""
        left, right = self._spline(self.k[[0, -1]], 1)
        return -float(left), float(right)

    @cached_property
    def curve(self) -> PPoly:
        """Total variance w(k) with its wings; the outer pieces hold however far out."""
        spline, (left, right) = self._spline, np.clip(self.slopes, 0.0, LEE)
        first = [0.0, 0.0, -left, spline(self.k[0]) + left]
        last = [0.0, 0.0, right, spline(self.k[-1])]
        c = np.column_stack([first, spline.c[:, : len(self.k) - 1], last])
        return PPoly(c, np.concatenate([self.k[:1] - 1.0, self.k, self.k[-1:] + 1.0]))

    @cached_property
    def _spline(self) -> PPoly:
        w = self.sigma**2 * self.years
        if len(w) == 1:
            return PPoly(np.vstack([np.zeros((3, 1)), w]), [self.k[0], self.k[0] + 1.0])
        return CubicSpline(self.k, w, bc_type="natural")


def _ahead(years: float) -> float:
    years = checks.number("years to expiry", years)
    if years <= 0.0:
        raise ParameterError(f"a smile of {years:g} years has expired; leave it out")
    return years


def _volatility(years: float, sigma: Sequence[float] | np.ndarray, n: int) -> np.ndarray:
    """Checked volatilities of n ≥ 1 quotes."""
    sigma = _row("sigma", sigma)
    if len(sigma) != n or not n:
        raise DataError(
            f"smile of {years:g} years: {n} strikes and {len(sigma)} volatilities; give one or "
            "more, as many of each"
        )
    with np.errstate(over="ignore"):
        w = sigma**2 * years
    bad = np.flatnonzero(~((sigma > 0.0) & (w > 0.0) & np.isfinite(w)))
    if len(bad):
        raise DataError(
            f"smile of {years:g} years: sigma[{bad[0]}] is {sigma[bad[0]]:g}; give volatilities "
            "above zero, 0.65 for 65 %"
        )
    return sigma


def _row(name: str, values: Sequence[float] | np.ndarray) -> np.ndarray:
    """A read-only copy of `values`, one row of finite numbers."""
    row = np.array(values)
    if row.ndim != 1 or row.dtype.kind not in "fiu":
        raise DataError(f"{name} is {values!r}; give one row of numbers")
    row = row.astype(float)
    bad = np.flatnonzero(~np.isfinite(row))
    if len(bad):
        raise DataError(f"{name}[{bad[0]}] is {row[bad[0]]:g}; give finite numbers")
    row.flags.writeable = False
    return row
