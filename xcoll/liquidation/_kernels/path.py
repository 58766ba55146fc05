# ruff: noqa: ANN001  (numba takes the types from the call)
"""Prices inside the bars, and what an oracle shows of them."""

from xcoll._jit import bare_kernel

__all__ = ["inside", "observe"]


@bare_kernel
def inside(close, low, steps, down, up) -> None:
    """Prices inside the bars, step × asset: `down` for collateral, `up` for what is owed.

    Collateral runs at a constant log rate from the last close to the low at half time and on to
    the close; what is owed runs straight from close to close.
    """
    bars, assets = close.shape
    half = steps // 2
    for a in range(assets):
        down[0, a], up[0, a] = close[0, a], close[0, a]
    for t in range(1, bars):
        for a in range(assets):
            opening, least, last = close[t - 1, a], low[t, a], close[t, a]
            fall = (least / opening) ** (1.0 / half)
            rise = (last / least) ** (1.0 / (steps - half))
            drift = (last / opening) ** (1.0 / steps)
            s = (t - 1) * steps
            for x in range(1, steps):
                rate = fall if x <= half else rise
                down[s + x, a] = max(least, down[s + x - 1, a] * rate)
                up[s + x, a] = up[s + x - 1, a] * drift
                if x == half:
                    down[s + x, a] = least
            down[s + steps, a], up[s + steps, a] = last, last


@bare_kernel
def observe(price, lag, deviation, heartbeat, seen) -> None:
    """Twin of `Oracle.observe`: what a feed shows of `price` (step × asset), into `seen`."""
    steps, assets = price.shape
    for a in range(assets):
        posted, at = price[0, a], 0
        for s in range(min(lag, steps)):
            seen[s, a] = price[0, a]
        for s in range(steps):
            if abs(price[s, a] - posted) >= deviation * posted or s - at >= heartbeat:
                posted, at = price[s, a], s
            if s + lag < steps:
                seen[s + lag, a] = posted
