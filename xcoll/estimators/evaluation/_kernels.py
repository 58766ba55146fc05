# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Compiled statistics of many hit sequences; `waits` and `quantile` are their public faces.

Sequences come as in `inputs.Hits`: int64 bars of the hits, row after row, and int64 offsets.
"""

import numpy as np

from xcoll._jit import kernel

__all__ = ["HIGHEST", "LOWEST", "dynamic_quantile", "warm_up", "weibull"]

LOWEST, HIGHEST = 0.02, 20.0  # of the Weibull shape: the maximum can lie at infinity


@kernel
def weibull(bars, offsets, n):
    """Likelihood ratio of a free Weibull shape against one, for the durations of each row."""
    rows = len(offsets) - 1
    statistic = np.full(rows, np.nan)
    z = np.empty(n + 1)
    for r in range(rows):
        start, stop = offsets[r], offsets[r + 1]
        m = stop - start - 1
        if m < 1:
            continue
        # Whole durations first; the first and the last are cut off by the sample's ends.
        size, known = 0, 0.0
        for i in range(start + 1, stop):
            z[size] = np.log(float(bars[i] - bars[i - 1]))
            known += z[size]
            size += 1
        if bars[start] > 0:
            z[size] = np.log(float(bars[start] + 1))
            size += 1
        if bars[stop - 1] < n - 1:
            z[size] = np.log(float(n - 1 - bars[stop - 1]))
            size += 1
        if size < 2:
            continue
        top = z[0]
        for i in range(1, size):
            top = max(top, z[i])
        low, high, b = LOWEST, HIGHEST, 1.0
        s, free, flat = 0.0, 0.0, 0.0
        for step in range(60):
            s, s1, s2 = 0.0, 0.0, 0.0
            for i in range(size):
                d = z[i] - top
                w = np.exp(b * d)
                s += w
                s1 += w * d
                s2 += w * d * d
            free = m * (np.log(b) - np.log(s) - b * top) + (b - 1.0) * known
            if step == 0:
                flat = free
            slope = m / b + known - m * (s1 / s + top)
            if slope > 0.0:
                low = b
            else:
                high = b
            curve = -m / (b * b) - m * (s2 / s - (s1 / s) ** 2)
            following = b - slope / curve
            if following <= low or following >= high:
                following = 0.5 * (low + high)
            if abs(following - b) <= 1e-10 * b:
                break
            b = following
        statistic[r] = max(2.0 * (free - flat), 0.0)
    return statistic


@kernel
def dynamic_quantile(bars, offsets, n, w, p, lags):
    """Explained sum of squares of hits on one, lagged hits and `w`, over p(1-p), and the rank.

    `w` (one a bar) is centred on the bars from `lags` on; columns that add nothing are skipped.
    """
    rows = len(offsets) - 1
    statistic, rank = np.empty(rows), np.empty(rows)
    size = lags + 2
    hit = np.zeros(n, np.bool_)
    G, V = np.zeros((lags + 1, lags + 1)), np.zeros(lags + 1)
    A, c = np.zeros((size, size)), np.zeros(size)
    total = 0.0
    for t in range(lags, n):
        total += w[t] * w[t]
    for r in range(rows):
        start, stop = offsets[r], offsets[r + 1]
        G[:] = 0.0
        V[:] = 0.0
        for i in range(start, stop):
            hit[bars[i]] = True
        # G[a, b]: bars t with hits at t - a and t - b;  V[a]: sum of w at bars with a hit at t - a.
        for i in range(start, stop):
            for a in range(lags + 1):
                t = bars[i] + a
                if lags <= t < n:
                    V[a] += w[t]
                    for b in range(a, lags + 1):
                        if hit[t - b]:
                            G[a, b] += 1.0
        for i in range(start, stop):
            hit[bars[i]] = False
        A[0, 0] = n - lags
        c[0] = G[0, 0] - p * (n - lags)
        for a in range(1, lags + 1):
            A[a, 0] = G[a, a]
            c[a] = G[0, a] - p * G[a, a]
            for b in range(1, a + 1):
                A[a, b] = G[b, a]
            A[lags + 1, a] = V[a]
        A[lags + 1, 0] = 0.0
        A[lags + 1, lags + 1] = total
        c[lags + 1] = V[0]
        # Cholesky and forward substitution; a column without a pivot of its own is left out.
        explained, used = 0.0, 0
        for i in range(size):
            diagonal = A[i, i]
            for k in range(i):
                A[i, i] -= A[i, k] * A[i, k]
                c[i] -= A[i, k] * c[k]
            if A[i, i] <= 1e-10 * diagonal or diagonal <= 0.0:
                A[i, i] = 0.0
                c[i] = 0.0
                for j in range(i + 1, size):
                    A[j, i] = 0.0
                continue
            A[i, i] = np.sqrt(A[i, i])
            c[i] /= A[i, i]
            explained += c[i] * c[i]
            used += 1
            for j in range(i + 1, size):
                for k in range(i):
                    A[j, i] -= A[j, k] * A[i, k]
                A[j, i] /= A[i, i]
        statistic[r] = explained / (p * (1.0 - p))
        rank[r] = used
    return statistic, rank


def warm_up() -> None:
    """Compile every kernel with the types that it is called with."""
    bars, offsets = np.array([1, 3], np.int64), np.array([0, 2], np.int64)
    weibull(bars, offsets, 6)
    dynamic_quantile(bars, offsets, 6, np.zeros(6), 0.05, 1)
