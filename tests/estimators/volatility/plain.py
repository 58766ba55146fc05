"""Synthetic GARCH returns and the plain recursion."""

import numpy as np


def simulate(n, seed, omega=2e-5, alpha=0.1, beta=0.85, mu=0.0005, nu=None, gamma=0.0):
    """Plain GARCH(1,1) or GJR returns around a daily σ of two percent."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal(n) if nu is None else rng.standard_t(nu, n) * np.sqrt((nu - 2) / nu)
    h, r = omega / (1 - alpha - gamma / 2 - beta), np.empty(n)
    for t in range(n):
        r[t] = mu + np.sqrt(h) * z[t]
        h = omega + (alpha + gamma * (z[t] < 0)) * (r[t] - mu) ** 2 + beta * h
    return r


def plain_path(x, mu, omega, alpha, beta, initial, gamma=0.0):
    """The recursion, one bar at a time."""
    h = [omega + (alpha + gamma / 2 + beta) * initial]
    for r in x:
        h.append(omega + (alpha + gamma * (r < mu)) * (r - mu) ** 2 + beta * h[-1])
    return np.array(h)


def holed(frame, at):
    """`frame` without the returns of one bar."""
    holed = frame.copy()
    holed.iloc[at] = np.nan
    return holed
