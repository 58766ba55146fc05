# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Compiled sliding correlation and DCC recursions; `paths`, `likelihood` and `dcc` call them.

Arrays are float64 and C-contiguous; returns and residuals are time × asset, pairs in the order of
`numpy.triu_indices`.
"""

import math

import numpy as np

from xcoll._jit import kernel

__all__ = ["composite", "filtered", "full", "law", "rolling", "simulated", "warm_up"]

CANCELLED = 100.0  # sums this many times the variance that is left are taken afresh
DATES = 32  # dates worked side by side: the inner loops run over them, contiguous, as c


@kernel
def rolling(x, window, out):
    """Pearson correlation of all pairs over `window` bars, into `out` (time × pair, NaN before).

    Sums slide about a centre that is the window's own mean, and are taken afresh every `window`
    bars and where a variance has fallen so far under the sums that rounding would show.
    """
    bars, n = x.shape
    centre, total, top = np.zeros(n), np.zeros(n), np.zeros(n)
    new, old, scale = np.zeros(n), np.zeros(n), np.zeros(n)
    run, same = np.zeros(n), np.zeros(n)
    cross = np.zeros((n, n))
    since = window
    for t in range(bars):
        for i in range(n):
            known = x[t, i] == x[t, i]
            run[i] = run[i] + 1.0 if known else 0.0
            same[i] = same[i] + 1.0 if t > 0 and x[t, i] == x[t - 1, i] else 1.0
        if t < window - 1:
            continue
        since += 1
        stale = since >= window
        if not stale:
            for i in range(n):
                new[i] = x[t, i] - centre[i] if x[t, i] == x[t, i] else 0.0
                gone = x[t - window, i]
                old[i] = gone - centre[i] if gone == gone else 0.0
                total[i] += new[i] - old[i]
            for i in range(n):
                row, come, leave = cross[i], new[i], old[i]
                for j in range(i, n):
                    row[j] += come * new[j] - leave * old[j]
            for i in range(n):
                top[i] = max(top[i], cross[i, i])
                left = cross[i, i] - total[i] * total[i] / window
                if run[i] >= window and same[i] < window and not top[i] < CANCELLED * left:
                    stale = True
        if stale:
            since = 0
            for i in range(n):
                added, count = 0.0, 0
                for s in range(t - window + 1, t + 1):
                    if x[s, i] == x[s, i]:
                        added += x[s, i]
                        count += 1
                centre[i] = added / count if count else 0.0
            cross[:] = 0.0
            total[:] = 0.0
            for s in range(t - window + 1, t + 1):
                for i in range(n):
                    new[i] = x[s, i] - centre[i] if x[s, i] == x[s, i] else 0.0
                    total[i] += new[i]
                for i in range(n):
                    row, come = cross[i], new[i]
                    for j in range(i, n):
                        row[j] += come * new[j]
            for i in range(n):
                top[i] = cross[i, i]
        for i in range(n):
            left = cross[i, i] - total[i] * total[i] / window
            usable = run[i] >= window and same[i] < window and left > 0.0
            scale[i] = 1.0 / math.sqrt(left) if usable else np.nan
        row_out, start = out[t], 0
        for i in range(n):
            row, mean, inverse = cross[i], total[i] / window, scale[i]
            part = row_out[start : start + n - i - 1]
            for k in range(n - i - 1):
                j = i + 1 + k
                rho = (row[j] - mean * total[j]) * (inverse * scale[j])
                part[k] = -1.0 if rho < -1.0 else (1.0 if rho > 1.0 else rho)
            start += n - i - 1


@kernel
def law(m, nu, n):
    """f(m) of a log density −½ ln|R| + f(m) in n dimensions, m = z'R⁻¹z, without its constant.

    Returns f, f_m, f_mm, f_ν, f_νν, f_mν; normal where ν is infinite.
    """
    if math.isinf(nu):
        return -0.5 * m, -0.5, 0.0, 0.0, 0.0, 0.0
    v = nu - 2.0
    h = v + m
    c = 0.5 * (nu + n)
    grown = math.log1p(m / v)
    f_nu = c * m / (v * h) - 0.5 * grown
    f_nunu = m / (v * h) - c * m * (h + v) / (v * h * v * h)
    return -c * grown, -c / h, c / (h * h), f_nu, f_nunu, c / (h * h) - 0.5 / h


@kernel
def full(z, target, a, b, nu, state, scores, hessian):
    """Joint log-likelihood without the law's constant, its scores by date and its Hessian.

    Q_t = Q̄ + a S_t, S_{t+1} = z_t z'_t − Q̄ + b S_t from S_1 = `state`, which is overwritten by
    S of the bar after the last.  With D = dS/db and E = dD/db, dQ/da = S and dQ/db = aD.
    Parameters are (a, b, ν).  NaN where some Q_t has no Cholesky factor.
    """
    bars, n = z.shape
    D0, E0 = np.zeros((n, n)), np.zeros((n, n))
    S, D, E = np.zeros((n, n, DATES)), np.zeros((n, n, DATES)), np.zeros((n, n, DATES))
    Q, M, P = np.zeros((n, n, DATES)), np.zeros((n, n, DATES)), np.zeros((n, n, DATES))
    U, V, W = np.zeros((n, DATES)), np.zeros((n, n, DATES)), np.zeros((n, n, DATES))
    zl, q, y, u = (
        np.zeros((n, DATES)),
        np.zeros((n, DATES)),
        np.zeros((n, DATES)),
        np.zeros((n, DATES)),
    )
    ea, eb, work, logdet = (
        np.zeros((n, DATES)),
        np.zeros((n, DATES)),
        np.zeros(DATES),
        np.zeros(DATES),
    )
    # traces of PS, PD, PE, PSPS, PSPD, PDPD and the quadratic forms of each date
    T = np.zeros((18, DATES))
    value = 0.0
    hessian[:] = 0.0
    for first in range(0, bars, DATES):
        m = min(DATES, bars - first)
        for i in range(n):
            for c in range(m):
                zl[i, c] = z[first + c, i]
        for i in range(n):
            for j in range(i + 1):
                s, d, e, mean = state[i, j], D0[i, j], E0[i, j], target[i, j]
                for c in range(m):
                    S[i, j, c], D[i, j, c], E[i, j, c] = s, d, e
                    Q[i, j, c] = mean + a * s
                    e = 2.0 * d + b * e
                    d = s + b * d
                    s = zl[i, c] * zl[j, c] - mean + b * s
                state[i, j], D0[i, j], E0[i, j] = s, d, e
                state[j, i] = s
                if i != j:
                    S[j, i, :m] = S[i, j, :m]
                    D[j, i, :m] = D[i, j, :m]
        T[:] = 0.0
        for i in range(n):
            q[i] = Q[i, i]
        # Q = L L' (in place), M = L⁻¹, P = Q⁻¹
        logdet[:] = 0.0
        work[:] = 1.0
        for j in range(n):
            inverse, pivot, own = U[j], Q[j, j], q[j]
            for c in range(m):
                if not pivot[c] > 0.0:
                    return np.nan
            for c in range(m):
                inverse[c] = 1.0 / math.sqrt(pivot[c])
                work[c] *= pivot[c] / own[c]
            if j % 8 == 7 or j == n - 1:  # a logarithm of eight pivots costs that of one
                for c in range(m):
                    logdet[c] += math.log(work[c])
                    work[c] = 1.0
            for i in range(j + 1, n):
                below = Q[i, j]
                for c in range(m):
                    below[c] *= inverse[c]
            for i in range(j + 1, n):
                left = Q[i, j]
                for k in range(j + 1, i + 1):
                    over, into = Q[k, j], Q[i, k]
                    for c in range(m):
                        into[c] -= left[c] * over[c]
        for j in range(n):
            M[j, j, :m] = U[j, :m]
            for i in range(j + 1, n):
                work[:] = 0.0
                for k in range(j, i):
                    left, over = Q[i, k], M[k, j]
                    for c in range(m):
                        work[c] += left[c] * over[c]
                into, inverse = M[i, j], U[i]
                for c in range(m):
                    into[c] = -inverse[c] * work[c]
        for i in range(n):
            for j in range(i + 1):
                into = P[i, j]
                into[:] = 0.0
                for k in range(i, n):
                    left, over = M[k, i], M[k, j]
                    for c in range(m):
                        into[c] += left[c] * over[c]
        # W_S = M S M' and W_D = M D M': traces of products of P with S and D are their products
        one, two = T[16], T[17]
        for i in range(n):
            for r in range(n):
                one[:] = 0.0
                two[:] = 0.0
                k = 0
                while k + 1 <= i:
                    l0, l1 = M[i, k], M[i, k + 1]
                    s0, s1, d0, d1 = S[k, r], S[k + 1, r], D[k, r], D[k + 1, r]
                    for c in range(m):
                        one[c] += l0[c] * s0[c] + l1[c] * s1[c]
                        two[c] += l0[c] * d0[c] + l1[c] * d1[c]
                    k += 2
                if k == i:
                    l0, s0, d0 = M[i, k], S[k, r], D[k, r]
                    for c in range(m):
                        one[c] += l0[c] * s0[c]
                        two[c] += l0[c] * d0[c]
                for j in range(r, i + 1):
                    left, into, onto = M[j, r], V[i, j], W[i, j]
                    if r == 0:
                        for c in range(m):
                            into[c] = one[c] * left[c]
                            onto[c] = two[c] * left[c]
                    else:
                        for c in range(m):
                            into[c] += one[c] * left[c]
                            onto[c] += two[c] * left[c]
        for i in range(n):
            for j in range(i + 1):
                weight = 1.0 if i == j else 2.0
                vs, wd, pe, ee = V[i, j], W[i, j], P[i, j], E[i, j]
                for c in range(m):
                    T[2, c] += weight * pe[c] * ee[c]
                    T[3, c] += weight * vs[c] * vs[c]
                    T[4, c] += weight * vs[c] * wd[c]
                    T[5, c] += weight * wd[c] * wd[c]
            for c in range(m):
                T[0, c] += V[i, i, c]
                T[1, c] += W[i, i, c]
        # y = √q z, u = P y, e_S = dy/da − S u, e_D the same for D
        for i in range(n):
            for c in range(m):
                y[i, c] = math.sqrt(q[i, c]) * zl[i, c]
        for i in range(n):
            u[i] = 0.0
            for j in range(n):
                left = P[i, j] if j <= i else P[j, i]
                for c in range(m):
                    u[i, c] += left[c] * y[j, c]
        for i in range(n):
            for c in range(m):
                half = 0.5 * y[i, c] / q[i, c]
                s, d = S[i, i, c], D[i, i, c]
                ea[i, c], eb[i, c] = half * s, half * d
                T[6, c] += u[i, c] * y[i, c]
                T[7, c] += u[i, c] * half * s
                T[8, c] += u[i, c] * half * d
                bent = 2.0 * u[i, c] * half
                T[9, c] -= 0.5 * bent * s * s / q[i, c]
                T[10, c] += bent * (d - 0.5 * a * s * d / q[i, c])
                T[11, c] += bent * (a * E[i, i, c] - 0.5 * a * a * d * d / q[i, c])
                T[0, c] -= s / q[i, c]
                T[1, c] -= d / q[i, c]
                T[2, c] -= E[i, i, c] / q[i, c]
                T[3, c] -= s * s / q[i, c] ** 2
                T[4, c] -= s * d / q[i, c] ** 2
                T[5, c] -= d * d / q[i, c] ** 2
        for i in range(n):
            for j in range(n):
                left, over, ue = S[i, j], D[i, j], E[i, j] if j <= i else E[j, i]
                for c in range(m):
                    ea[i, c] -= left[c] * u[j, c]
                    eb[i, c] -= over[c] * u[j, c]
                    T[12, c] += u[i, c] * over[c] * u[j, c]
                    T[13, c] += u[i, c] * ue[c] * u[j, c]
            for c in range(m):
                T[7, c] += u[i, c] * ea[i, c]
                T[8, c] += u[i, c] * eb[i, c]
        for i in range(n):
            T[14] = 0.0
            T[15] = 0.0
            for j in range(i + 1):
                left = M[i, j]
                for c in range(m):
                    T[14, c] += left[c] * ea[j, c]
                    T[15, c] += left[c] * eb[j, c]
            for c in range(m):
                T[9, c] += 2.0 * T[14, c] * T[14, c]
                T[10, c] += 2.0 * a * T[14, c] * T[15, c]
                T[11, c] += 2.0 * a * a * T[15, c] * T[15, c]
        for c in range(m):
            f, f_m, f_mm, f_nu, f_nunu, f_mnu = law(T[6, c], nu, n)
            m_a, m_b = T[7, c], a * T[8, c]
            m_ab, m_bb = T[10, c] - T[12, c], T[11, c] - a * T[13, c]
            value += f - 0.5 * logdet[c]
            scores[first + c, 0] = f_m * m_a - 0.5 * T[0, c]
            scores[first + c, 1] = f_m * m_b - 0.5 * a * T[1, c]
            scores[first + c, 2] = f_nu
            hessian[0, 0] += f_mm * m_a * m_a + f_m * T[9, c] + 0.5 * T[3, c]
            hessian[0, 1] += f_mm * m_a * m_b + f_m * m_ab - 0.5 * (T[1, c] - a * T[4, c])
            hessian[1, 1] += f_mm * m_b * m_b + f_m * m_bb - 0.5 * a * (T[2, c] - a * T[5, c])
            hessian[0, 2] += f_mnu * m_a
            hessian[1, 2] += f_mnu * m_b
            hessian[2, 2] += f_nunu
    hessian[1, 0], hessian[2, 0], hessian[2, 1] = hessian[0, 1], hessian[0, 2], hessian[1, 2]
    return value


@kernel
def composite(z, target, first, second, a, b, nu, scores, hessian):
    """Mean over pairs of the bivariate log-likelihoods, without the law's constant.

    Pair k is (first[k], second[k]).  Scores by date and Hessian as `full` has them.
    """
    bars, count = len(z), len(first)
    value = 0.0
    scores[:] = 0.0
    hessian[:] = 0.0
    h = np.zeros(6)
    for k in range(count):
        i, j = first[k], second[k]
        c1, c2, c12 = target[i, i], target[j, j], target[i, j]
        s1, s2, s12, d1, d2, d12, e1, e2, e12 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(bars):
            x, y = z[t, i], z[t, j]
            q1, q2 = 1.0 / (c1 + a * s1), 1.0 / (c2 + a * s2)
            root = math.sqrt(q1 * q2)
            rho = (c12 + a * s12) * root
            left = 1.0 - rho * rho
            if not left > 0.0 or not q1 > 0.0 or not q2 > 0.0:
                return np.nan
            # derivatives of ρ: e_x = q12_x/√(q1 q2), k_x = (q1_x/q1 + q2_x/q2)/2
            ea, eb = s12 * root, a * d12 * root
            sa1, sa2, sb1, sb2 = s1 * q1, s2 * q2, a * d1 * q1, a * d2 * q2
            ka, kb = 0.5 * (sa1 + sa2), 0.5 * (sb1 + sb2)
            ra, rb = ea - rho * ka, eb - rho * kb
            kaa = -0.5 * (sa1 * sa1 + sa2 * sa2)
            kab = 0.5 * (d1 * q1 + d2 * q2 - sa1 * sb1 - sa2 * sb2)
            kbb = 0.5 * (a * (e1 * q1 + e2 * q2) - sb1 * sb1 - sb2 * sb2)
            raa = -ea * ka - ra * ka - rho * kaa
            rab = d12 * root - ea * kb - rb * ka - rho * kab
            rbb = a * e12 * root - eb * kb - rb * kb - rho * kbb
            # derivatives of −½ ln(1 − ρ²) + f(m) by ρ
            over = 1.0 / left
            m = (x * x + y * y - 2.0 * rho * x * y) * over
            m1 = 2.0 * (rho * m - x * y) * over
            m2 = (2.0 * m + 4.0 * rho * m1) * over
            f, f_m, f_mm, f_nu, f_nunu, f_mnu = law(m, nu, 2)
            one = rho * over + f_m * m1
            two = (1.0 + rho * rho) * over * over + f_mm * m1 * m1 + f_m * m2
            value += f - 0.5 * math.log(left)
            scores[t, 0] += one * ra
            scores[t, 1] += one * rb
            scores[t, 2] += f_nu
            h[0] += two * ra * ra + one * raa
            h[1] += two * ra * rb + one * rab
            h[2] += two * rb * rb + one * rbb
            h[3] += f_mnu * m1 * ra
            h[4] += f_mnu * m1 * rb
            h[5] += f_nunu
            e1, e2, e12 = 2.0 * d1 + b * e1, 2.0 * d2 + b * e2, 2.0 * d12 + b * e12
            d1, d2, d12 = s1 + b * d1, s2 + b * d2, s12 + b * d12
            s1, s2 = x * x - c1 + b * s1, y * y - c2 + b * s2
            s12 = x * y - c12 + b * s12
    scores /= count
    h /= count
    hessian[0, 0], hessian[1, 1], hessian[2, 2] = h[0], h[2], h[5]
    hessian[0, 1], hessian[0, 2], hessian[1, 2] = h[1], h[3], h[4]
    hessian[1, 0], hessian[2, 0], hessian[2, 1] = h[1], h[3], h[4]
    return value / count


@kernel
def filtered(z, target, a, b, state, out):
    """R of the bar after each bar, by pair, into `out`; `state` goes from S_1 to the last S."""
    bars, n = z.shape
    scale = np.zeros(n)
    for t in range(bars):
        for i in range(n):
            row, mean, x = state[i], target[i], z[t, i]
            for j in range(n):
                row[j] = x * z[t, j] - mean[j] + b * row[j]
            scale[i] = 1.0 / math.sqrt(mean[i] + a * row[i])
        k = 0
        for i in range(n):
            for j in range(i + 1, n):
                rho = (target[i, j] + a * state[i, j]) * scale[i] * scale[j]
                out[t, k] = min(1.0, max(-1.0, rho))
                k += 1


@kernel
def simulated(shocks, mixing, target, a, b, state, out):
    """Residuals z = mixing · chol(R) shocks of paths that start at S = `state`.

    Arrays are path × bar × asset.  Returns whether every Q had a Cholesky factor.
    """
    paths, bars, n = shocks.shape
    S, L, scale = np.zeros((n, n)), np.zeros((n, n)), np.zeros(n)
    for p in range(paths):
        S[:] = state
        for t in range(bars):
            z = out[p, t]
            for j in range(n):
                for i in range(j, n):
                    total = target[i, j] + a * S[i, j]
                    if i == j:
                        scale[i] = mixing[p, t] / math.sqrt(total)
                    for k in range(j):
                        total -= L[i, k] * L[j, k]
                    if i == j:
                        if not total > 0.0:
                            return False
                        L[j, j] = math.sqrt(total)
                    else:
                        L[i, j] = total / L[j, j]
            for i in range(n):
                total = 0.0
                for k in range(i + 1):
                    total += L[i, k] * shocks[p, t, k]
                z[i] = scale[i] * total
            for i in range(n):
                for j in range(i + 1):
                    S[i, j] = z[i] * z[j] - target[i, j] + b * S[i, j]
    return True


def warm_up() -> None:
    """Compile every kernel for the types that it is called with."""
    z = np.array([[1.0, -1.0], [0.5, 1.0], [-1.5, 0.2]])
    target, state, scores, hessian = np.eye(2), np.zeros((2, 2)), np.zeros((3, 3)), np.zeros((3, 3))
    first, second = np.array([0]), np.array([1])
    rolling(z, 3, np.zeros((3, 1)))
    full(z, target, 0.05, 0.9, 5.0, state, scores, hessian)
    composite(z, target, first, second, 0.05, 0.9, 5.0, scores, hessian)
    filtered(z, target, 0.05, 0.9, state, np.zeros((3, 1)))
    simulated(np.zeros((1, 2, 2)), np.ones((1, 2)), target, 0.05, 0.9, state, np.zeros((1, 2, 2)))
