# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Compiled Black (1976) prices in normalised form and their inversion, for `black` and `implied`.

With L the lower of forward and strike, k = |ln(F/K)| and s = σ√T, the option that is out of the
money, call or put, is worth B(k, s) discounted L.  With d = s/2 − k/s and D = s/2 + k/s,

    B = N(d) − e^k N(−D) = φ(d)·(m(−d) − m(D))        1 − B = φ(d)·(m(d) + m(D))

where m(y) = N(−y)/φ(y) is Mills' ratio.  1/m, the hazard rate of the normal, is y + r(y) with an
excess r that falls like 1/y, so that far out of the money nothing cancels in

    m(−d) − m(D) = (s + r(D) − r(−d))·m(−d)·m(D)

B has the slope φ(d) in s, and an inflection point at s² = 2k, where d = 0.
"""

import math

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import erfcx

from xcoll._jit import kernel

__all__ = ["normalised", "solved", "total_volatility", "warm_up"]

PIECES, DEGREE = 64, 6
ROOT = math.sqrt(2.0 * math.pi)
FLAT = 0.05  # total volatility below which m(−d) − m(D) is a Taylor series
CLOSE = 1e-5  # a relative step of fourth order after which less than rounding is left
STEPS = 100  # two do; more would be bisections, and NaN says that none did


def table() -> np.ndarray:
    """r(y)/u on equal pieces of u = 4/(4 + y): polynomials in −1 to 1, piece × power.

    From erfcx below y = 1, from Laplace's continued fraction r = 1/(y + 2/(y + 3/(y + …))) above.
    """
    nodes = chebyshev.chebpts1(DEGREE + 1)
    u = (np.arange(PIECES)[:, None] + 0.5 + 0.5 * nodes) / PIECES
    y = 4.0 / u - 4.0
    above = np.zeros_like(y)
    for n in range(600, 0, -1):
        above = n / (np.maximum(y, 1.0) + above)
    below = math.sqrt(2.0 / math.pi) / erfcx(y / math.sqrt(2.0)) - y
    r = np.where(y < 1.0, below, above)
    return np.array([chebyshev.cheb2poly(c) for c in chebyshev.chebfit(nodes, (r / u).T, DEGREE).T])


TABLE = table()


@kernel
def excess(y):
    """r(y) for y ≥ 0, to 2e-15 of itself."""
    u = 4.0 / (4.0 + y)
    i = min(int(PIECES * u), PIECES - 1)
    w = 2.0 * (PIECES * u - i) - 1.0
    p = TABLE[i, DEGREE]
    for j in range(DEGREE - 1, -1, -1):
        p = p * w + TABLE[i, j]
    return u * p


@kernel
def apart(a, t):
    """m(a − t) − m(a + t)."""
    if 2.0 * t < FLAT:
        # derivatives of m(a) are ∓Iₙ = ∫ uⁿ exp(−au − u²/2) du, u > 0: Iₙ₊₁ = n·Iₙ₋₁ − a·Iₙ
        r = excess(a)
        m = 1.0 / (a + r)
        i1, i2 = r * m, (1.0 - a * r) * m
        i3 = 2.0 * i1 - a * i2
        i4 = 3.0 * i2 - a * i3
        i5 = 4.0 * i3 - a * i4
        i6 = 5.0 * i4 - a * i5
        i7 = 6.0 * i5 - a * i6
        q = t * t
        return 2.0 * t * (i1 + q * (i3 / 6.0 + q * (i5 / 120.0 + q * i7 / 5040.0)))
    near, far = a - t, a + t
    q = excess(far)
    if near >= 0.0:
        r = excess(near)
        return (2.0 * t + (q - r)) / ((near + r) * (far + q))
    return ROOT * math.exp(0.5 * near * near) - 1.0 / (excess(-near) - near) - 1.0 / (far + q)


@kernel
def together(a, t):
    """m(t − a) + m(t + a) for t ≥ a."""
    near, far = t - a, t + a
    return 1.0 / (near + excess(near)) + 1.0 / (far + excess(far))


@kernel
def black(k, s):
    """B for k ≥ 0 and s ≥ 0; NaN where one of them is."""
    if not (s > 0.0 and k >= 0.0):
        return s + 0.0 * k
    a, t = k / s, 0.5 * s
    d = t - a
    density = math.exp(-0.5 * d * d) / ROOT
    if d > 0.0 and s >= FLAT:
        return 1.0 - density * together(a, t)
    return density * apart(a, t)


@kernel
def normalised(k, s, found):
    """Fill `found` with B."""
    for i in range(len(k)):
        found[i] = black(k[i], s[i])


@kernel
def far_below(k, goal):
    """Guess for s far below the inflection point: ln φ(d) + ln(m(−d) − m(D)) = goal − ln √2π.

    With v = −d, m(v) − m(D) ≈ s/(0.8 + 0.45(v + D) + vD); a fixed point, then a Newton step.
    """
    v, D = 1.0, math.sqrt(1.0 + 2.0 * k)
    for refined in range(2):
        w = 0.8 + 0.45 * (v + D) + v * D
        miss = 0.5 * v * v + goal - math.log(2.0 * k / ((v + D) * w))
        if refined:
            v -= miss / (v + 1.0 / D + (0.45 * (1.0 + v / D) + D + v * v / D) / w)
        else:
            v = math.sqrt(max(v * v - 2.0 * miss, 1.0))
        v = max(v, 0.5)
        D = math.sqrt(v * v + 2.0 * k)
    return 2.0 * k / (v + D)


@kernel
def around(k, rise, start, z):
    """Guess for s around the inflection point, the lower of two.

    Brenner and Subrahmanyam's line with the quadratic term of Corrado and Miller (1996), close
    where k is small; and the cubic at the inflection point, `z` being (B − B_c)·√2π.
    """
    b = rise + 0.5 * ROOT * k
    return min(
        0.5 * (b + math.sqrt(max(b * b - 2.0 * k * k, 0.0))), start + z * (1.0 + z * z / 6.0)
    )


@kernel
def far_above(k, C):
    """Guess for s where B > 1/2, from 1 − B = N(−d)·(1 + m(D)/m(d)).

    The normal quantile is Abramowitz and Stegun's 26.2.22.
    """
    u = math.sqrt(-2.0 * math.log(C / (1.0 + 1.0 / (1.0 + 0.43 * math.sqrt(k)))))
    d = max(u - (2.30753 + 0.27061 * u) / (1.0 + u * (0.99229 + 0.04481 * u)), 0.0)
    return d + math.sqrt(d * d + 2.0 * k)


@kernel
def solved(k, B, C):
    """Total volatility s with B(k, s) = B = 1 − C, for B, C > 0, and the steps that it took.

    Householder's third-order steps on ln B below the inflection point, on B from there to 1/2,
    on ln(1 − B) above; a step that leaves the bracket is a bisection instead.
    """
    start = math.sqrt(2.0 * k)
    rise = ROOT * B
    bend = apart(0.5 * start, 0.5 * start)
    under, over = rise <= bend, B >= 0.5
    # the least float has d > −40, and B < 1/2 has N(−d) > 1/4
    d = 40.0 if under or over else 0.6745
    widest = d + math.sqrt(d * d + 2.0 * k)
    if under:
        low, high, goal = 2.0 * k / widest, start, math.log(rise)
        s = around(k, rise, start, rise - bend)
        if not k / s - 0.5 * s < 0.9:
            s = far_below(k, goal)
    elif over:
        low, high, goal = start, widest, math.log(ROOT * C)
        s = far_above(k, C)
    else:
        low, high, goal = start, widest, rise
        s = around(k, rise, start, rise - bend)
    for n in range(1, STEPS + 1):
        if not low <= s <= high:
            s = 0.5 * (low + high)
        a, t = k / s, 0.5 * s
        half = 0.5 * (t - a) * (t - a)
        # of f, which is B or a logarithm: v is Newton's step, f″/f′ = B″/B′ − q
        if over:
            m = together(a, t)
            q, v = -1.0 / m, (math.log(m) - half - goal) * m
        elif under:
            m = apart(a, t)
            q, v = 1.0 / m, (goal + half - math.log(m)) * m
        else:
            q, v = 0.0, goal * math.exp(half) - apart(a, t)
        h = (a * a - t * t) / s  # B″/B′
        h2 = h - q
        h3 = h * h - 3.0 * (a / s) ** 2 - 0.25 - 3.0 * q * h + 2.0 * q * q
        step = v * (1.0 + 0.5 * h2 * v) / (1.0 + v * (h2 + h3 * v / 6.0))
        if abs(step) < CLOSE * s:
            return s + step, n
        if v > 0.0:
            low = s
        else:
            high = s
        s += step
    return math.nan, STEPS


@kernel
def total_volatility(k, B, C, found):
    """Fill `found` with s; 0 where B is 0, NaN where one of them is."""
    for i in range(len(k)):
        if B[i] > 0.0 and C[i] > 0.0:
            found[i] = solved(k[i], B[i], C[i])[0]
        else:
            found[i] = 0.0 * (k[i] + B[i] + C[i])


def warm_up() -> None:
    """Compile this module for the types that it is called with."""
    k, s, B = np.array([0.1]), np.array([0.5]), np.empty(1)
    normalised(k, s, B)
    total_volatility(k, B, 1.0 - B, s)
