"""Implied volatility: the σ at which Black's price is the one that is given.

The option's time value, over the discounted lower of forward and strike, is the normalised price
B(k, s) of the kernels; s = σ√T solves it by Householder steps of fourth order on ln B below the
inflection point s² = 2k, on B above it, on ln(1 − B) where B > 1/2.  The normalised form and the
choice of objectives are Jäckel's (2015, "Let's be rational"); the guesses, within 10 % of the
answer, are Corrado and Miller's (1996) and the asymptotes of both tails.  Two steps do.
"""

import numpy as np
from numpy.typing import ArrayLike

from xcoll._jit import own
from xcoll.errors import EstimationError, ParameterError
from xcoll.margin.options import _kernels, black

__all__ = ["implied_volatility"]

ROUNDING = 4.0 * np.finfo(float).eps


def implied_volatility(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    call: ArrayLike,
    discount: ArrayLike = 1.0,
) -> np.ndarray:
    """Volatility a year at which `black.price` is `price`, of calls where `call` is True, and puts.

    0 where the price is the discounted intrinsic value to within its rounding, or where the time
    value over the discounted lower of forward and strike is less than the least float (under
    1e-308 that ratio has few digits, and the answer no more).  Repriced, an option out of the money
    is right to 1e-12 of its price, one in the money as far as the rounding of its price allows.
    All arguments broadcast, NaN gives NaN, numbers give a number.

    Raises
    ------
    ParameterError
        Prices outside the bounds: below the discounted intrinsic value, or not below ``D·F`` of a
        call, ``D·K`` of a put; their number, the first and its bounds are named.  Years of zero,
        and arguments that `black.price` refuses.
    EstimationError
        The search ended without an answer, which no price is known to do.
    """
    F, K, T, D, call, P = black.terms(forward, strike, years, call, discount, price=price)
    if (T == 0.0).any():
        _, which = black.entry("years", T == 0.0)
        raise ParameterError(
            f"{which} is 0; drop what has its expiry now or in the past, which has no volatility"
        )
    upper = D * np.where(call, F, K)
    intrinsic = D * np.maximum(np.where(call, F - K, K - F), 0.0)
    value = P - intrinsic
    outside = (value < -ROUNDING * upper) | (upper <= P)
    if outside.any():
        place, which = black.entry("price", outside)
        raise ParameterError(
            f"{outside.sum()} of {outside.size} prices are outside their bounds; the first, {which}"
            f" = {P[place]:.10g}, must be at least {intrinsic[place]:.10g} (intrinsic value) and "
            f"below {upper[place]:.10g}; drop these quotes or mend the price"
        )
    unit = D * np.minimum(F, K)
    B = np.where(value <= ROUNDING * intrinsic, 0.0, value / unit)
    C = (upper - P) / unit
    k, s = black.log_moneyness(F, K), np.empty(P.shape)
    _kernels.total_volatility(own(k).ravel(), own(B).ravel(), own(C).ravel(), s.reshape(-1))
    lost = np.isnan(s) & ~np.isnan(B + C + T)
    if lost.any():
        place, which = black.entry("price", lost)
        raise EstimationError(
            f"no volatility found for {which} = {P[place]:.10g} at forward {F[place]:g} and strike "
            f"{K[place]:g}; drop this quote"
        )
    return s / np.sqrt(T)
