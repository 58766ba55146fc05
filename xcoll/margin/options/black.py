"""European options on a forward: Black's price and its derivatives.

    call = D·(F·N(d₁) − K·N(d₂))     put = D·(K·N(−d₂) − F·N(−d₁))     d₁,₂ = ln(F/K)/(σ√T) ± σ√T/2

Black (1976).  The option that is out of the money is computed by a form of this in which nothing
cancels (see the kernels); the other is worth its intrinsic value ``D·|F − K|`` more, which is
put-call parity.

Forward, strike and price are in one currency, volatility σ is a fraction a year, the discount D is
the price of 1 paid at expiry.  All arguments broadcast, NaN gives NaN, numbers give a number.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from xcoll._jit import own
from xcoll.errors import ParameterError
from xcoll.margin.options import _kernels

__all__ = ["Greeks", "entry", "greeks", "log_moneyness", "price", "terms"]

MOST = 1e100  # computes as infinite volatility, and 1/MOST as none

# What an argument may be, and what a message asks for.
RULES = {
    "forward": (lambda v: (v > 0.0) & (v < np.inf), "a finite number above zero"),
    "strike": (lambda v: (v > 0.0) & (v < np.inf), "a finite number above zero"),
    "years": (
        lambda v: (v >= 0.0) & (v < np.inf),
        "finite years to expiry, and drop what has its expiry in the past",
    ),
    "discount": (lambda v: (v > 0.0) & (v < np.inf), "a finite number above zero"),
    "sigma": (lambda v: v >= 0.0, "zero or more"),
    "price": (lambda v: v >= 0.0, "zero or more"),
}


@dataclass(frozen=True)
class Greeks:
    """Derivatives of the price, arrays of one shape; gamma to volga are the same for call and put.

    Attributes
    ----------
    delta : by the forward.
    gamma : of delta by the forward.
    vega : by volatility, per 1.00.
    theta : by time that passes, a year, at the same forward and discount: −½σ²F²·gamma.
    vanna : of delta by volatility, per 1.00.
    volga : of vega by volatility, per 1.00.
    rho : by the rate r of ``D = exp(−rT)`` at the same forward, per 1.00: −T·price.
    """

    delta: np.ndarray
    gamma: np.ndarray
    vega: np.ndarray
    theta: np.ndarray
    vanna: np.ndarray
    volga: np.ndarray
    rho: np.ndarray


def price(
    forward: ArrayLike,
    strike: ArrayLike,
    sigma: ArrayLike,
    years: ArrayLike,
    call: ArrayLike,
    discount: ArrayLike = 1.0,
) -> np.ndarray:
    """Price of calls, where `call` is True, and of puts.

    It is the discounted intrinsic value where volatility or time is 0, and the upper bound (``D·F``
    of a call, ``D·K`` of a put) where volatility is infinite.

    Raises
    ------
    ParameterError
        Names the argument and its first bad entry: forward, strike or discount that is not above
        zero or infinite, years that are negative (an expiry in the past) or infinite, negative
        volatility, `call` that is not boolean; shapes that do not broadcast, forward and strike
        that are worlds apart.
    """
    F, K, T, D, call, sigma = terms(forward, strike, years, call, discount, sigma=sigma)
    return _price(F, K, np.minimum(sigma, MOST) * np.sqrt(T), call, D)


def greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    sigma: ArrayLike,
    years: ArrayLike,
    call: ArrayLike,
    discount: ArrayLike = 1.0,
) -> Greeks:
    """Greeks of calls, where `call` is True, and of puts; arguments and errors as in `price`.

    Where volatility or time is 0, delta is that of the intrinsic value, half of it at the strike,
    and gamma, vega, theta, vanna and volga are 0.  At the strike itself that is a convention, for
    gamma and theta have no limit there.
    """
    F, K, T, D, call, sigma = terms(forward, strike, years, call, discount, sigma=sigma)
    sigma = np.minimum(sigma, MOST)
    s = sigma * np.sqrt(T)
    x = np.copysign(log_moneyness(F, K), F - K)
    flat = s < 1.0 / MOST
    w = np.where(flat, 1.0, s)
    d1 = np.where(flat, MOST * np.sign(x), x / w + 0.5 * w)
    d2 = d1 - s
    density = ~flat * D * np.exp(-0.5 * d1 * d1) / _kernels.ROOT
    sign = np.where(call, 1.0, -1.0)
    return Greeks(
        delta=sign * D * ndtr(sign * d1),
        gamma=density / (F * w),
        vega=F * density * np.sqrt(T),
        theta=-0.5 * sigma * sigma * F * density / w,
        vanna=-density * d2 * np.sqrt(T) / w,
        volga=F * density * d1 * d2 * T / w,
        rho=-T * _price(F, K, s, call, D),
    )


def log_moneyness(F: np.ndarray, K: np.ndarray) -> np.ndarray:
    """``|ln(F/K)|`` to the last digits, also where forward and strike nearly agree.

    Raises
    ------
    ParameterError
        A ratio beyond the largest float.
    """
    with np.errstate(over="ignore"):
        above = np.abs(F - K) / np.minimum(F, K)
    beyond = np.isinf(above)
    if beyond.any():
        place, which = entry("strike", beyond)
        raise ParameterError(
            f"{which} is {K[place]:g} at a forward of {F[place]:g}, beyond the range of floats; "
            "give both in one currency"
        )
    return np.log1p(above)


def terms(
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    call: ArrayLike,
    discount: ArrayLike,
    **other: ArrayLike,
) -> tuple[np.ndarray, ...]:
    """Checked terms of options as arrays of one shape: F, K, T, D, call and the `other` one.

    Raises
    ------
    ParameterError
        As in `price`.
    """
    given = {"forward": forward, "strike": strike, "years": years, "discount": discount}
    arrays = [_checked(name, values) for name, values in (given | other).items()]
    call = np.asarray(call)
    if call.dtype != bool:
        raise ParameterError(f"call is of type {call.dtype}; give True for calls, False for puts")
    arrays.insert(4, call)
    try:
        return np.broadcast_arrays(*arrays)
    except ValueError as error:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ParameterError(
            f"{', '.join(given)}, call and {', '.join(other)} have the shapes {shapes}; give one "
            "number, or as many as options, of each"
        ) from error


def _checked(name: str, values: ArrayLike) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise ParameterError(f"{name} is of type {array.dtype}; give numbers")
    good, wanted = RULES[name]
    bad = ~(good(array) | np.isnan(array))
    if bad.any():
        place, which = entry(name, bad)
        raise ParameterError(f"{which} is {array[place]:g}; give {wanted}")
    return array.astype(float, copy=False)


def entry(name: str, bad: np.ndarray) -> tuple[tuple[int, ...], str]:
    """Index of the first entry that is `bad`, and what to call it."""
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    return place, f"{name}[{', '.join(map(str, place))}]" if place else name


def _price(
    F: np.ndarray, K: np.ndarray, s: np.ndarray, call: np.ndarray, D: np.ndarray
) -> np.ndarray:
    B = np.empty(s.shape)
    _kernels.normalised(own(log_moneyness(F, K)).ravel(), own(s).ravel(), B.reshape(-1))
    return D * (np.maximum(np.where(call, F - K, K - F), 0.0) + np.minimum(F, K) * B)
