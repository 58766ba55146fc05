"""Prices as the plain replay sees them: inside the bars, and as an oracle shows them."""

import math

import numpy as np
import pandas as pd

__all__ = ["inside", "path_of", "shown", "whole_steps"]


def inside(opening, low, close, steps, x):
    """Prices of collateral and of debt at step x of a bar."""
    if steps == 1:
        return close, close
    half = steps // 2
    if x <= half:
        down = opening * (low / opening) ** (x / half)
    else:
        down = low * (close / low) ** ((x - half) / (steps - half))
    return down, opening * (close / opening) ** (x / steps)


def path_of(close, low, steps):
    """Prices of collateral and of debt, step × asset, from the opening on."""
    rows = [(close[0], close[0])]
    for t in range(1, len(close)):
        rows += [inside(close[t - 1], low[t], close[t], steps, x) for x in range(1, steps + 1)]
    return np.array([down for down, _ in rows]), np.array([up for _, up in rows])


def whole_steps(duration, step):
    return 0 if duration is None else math.ceil(round(pd.Timedelta(duration) / step, 3))


def shown(prices, oracle, step):
    """What a feed shows of prices, step × asset."""
    if oracle.lag is None and oracle.deviation == 0:
        return prices
    lag, beat = whole_steps(oracle.lag, step), whole_steps(oracle.heartbeat, step)
    seen = np.empty_like(prices)
    for a in range(prices.shape[1]):
        posts, updated = [prices[0, a]], 0
        for s in range(1, len(prices)):
            moved = abs(prices[s, a] - posts[-1]) >= oracle.deviation * posts[-1]
            if moved or (oracle.heartbeat is not None and s - updated >= beat):
                posts.append(prices[s, a])
                updated = s
            else:
                posts.append(posts[-1])
        seen[:, a] = [posts[max(0, s - lag)] for s in range(len(prices))]
    return seen
