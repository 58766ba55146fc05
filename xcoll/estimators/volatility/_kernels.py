# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Compiled maximum likelihood of GARCH(1,1) and GJR; `likelihood` is its public face.

    h_t = ω + a_{t−1} ε²_{t−1} + β h_{t−1},    a = α⁺ where ε ≥ 0, else α⁻;    p = (α⁺ + α⁻)/2 + β

A point is (μ, ω, α⁺, α⁻, β, ν).  Series come at unit variance.  The climb is Fisher scoring with
Levenberg's damping in the coordinates μ, ln ω, logit p, ln(ν − 2) and the shares that α⁺, α⁻ and β
have in p; the largest share is what the others leave, and a share at zero whose score points
outward is held there.  Converged means that the score weighed by the information, over what is
not held, has no more likelihood to give than the tolerance.
"""

import math

import numpy as np

from xcoll._jit import kernel

__all__ = ["SIZE", "climb", "evaluate", "filtered", "forecasts", "refits", "search", "warm_up"]

SIZE = 6  # μ, ω, α⁺, α⁻, β, ν
MU, OMEGA, PLUS, MINUS, BETA, NU = range(SIZE)

LOG_OMEGA = (-23.0, 4.6)  # ω from 1e-10 to 100 of the sample's variance
LOGIT = (-9.0, 18.5)  # p from 1e-4 to 1 − 1e-8
LOG_NU = (math.log(0.05), math.log(498.0))  # ν from 2.05 to 500, as arch has it
STEP = 3.0  # longest step in a logarithm or logit

CLIMBS = 60  # steps of a climb before it has failed
BLOCK = 128  # bars whose derivatives are kept at a time
FAR = 4.0  # standard deviations


@kernel
def _trigamma(x):
    """ψ'(x) for x > 0 by recurrence and the asymptotic series (Abramowitz and Stegun 6.4.12)."""
    total = 0.0
    while x < 12.0:
        total += 1.0 / (x * x)
        x += 1.0
    i = 1.0 / (x * x)
    series = 1.0 / 6.0 - i * (1.0 / 30.0 - i * (1.0 / 42.0 - i * (1.0 / 30.0 - i * 5.0 / 66.0)))
    return total + 1.0 / x + i / 2.0 + i / x * series


@kernel
def _digamma(x):
    """ψ(x) for x > 0 by recurrence and the asymptotic series (Abramowitz and Stegun 6.3.18)."""
    total = 0.0
    while x < 12.0:
        total -= 1.0 / x
        x += 1.0
    i = 1.0 / (x * x)
    series = 1.0 / 12.0 - i * (1.0 / 120.0 - i * (1.0 / 252.0 - i * (1.0 / 240.0 - i / 132.0)))
    return total + math.log(x) - 0.5 / x - i * series


@kernel
def _initial(y, mu, backcast):
    """ε² before the first bar, and how it moves with μ; a backcast of NaN takes the mean of ε²."""
    if not math.isnan(backcast):
        return backcast, 0.0
    square, total = 0.0, 0.0
    for t in range(len(y)):
        square += (y[t] - mu) ** 2
        total += y[t] - mu
    return square / len(y), -2.0 * total / len(y)


@kernel
def _constant(n, nu, student):
    """What the log-likelihood of n bars has beside their variances and residuals."""
    if not student:
        return -0.5 * n * math.log(2.0 * math.pi)
    half = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu)
    return n * (half - 0.5 * math.log(math.pi * (nu - 2.0)))


@kernel
def likelihood(y, theta, backcast, student):
    """Log-likelihood at a point."""
    mu, omega, plus, minus, beta, nu = theta
    start, _ = _initial(y, mu, backcast)
    h = omega + (0.5 * (plus + minus) + beta) * start
    squares, log_h, log_q = 0.0, 0.0, 0.0
    product_h, product_q = 1.0, 1.0
    spread = 1.0 / (nu - 2.0)
    for t in range(len(y)):
        e = y[t] - mu
        e2 = e * e
        z2 = e2 / h
        product_h *= h
        if student:
            product_q *= 1.0 + z2 * spread
        else:
            squares += z2
        if t & 7 == 7:  # one logarithm for eight bars
            log_h += math.log(product_h)
            log_q += math.log(product_q)
            product_h, product_q = 1.0, 1.0
        h = omega + (minus if e < 0.0 else plus) * e2 + beta * h
    log_h += math.log(product_h)
    log_q += math.log(product_q)
    return _constant(len(y), nu, student) - 0.5 * (log_h + squares + (nu + 1.0) * log_q)


@kernel
def _products(rows, size, tied, sums):
    """Adds the products of five columns of `rows` with all six, and the five's own sums."""
    for i in range(5):
        if tied and i == MINUS:
            continue
        a, b, c, d, e, f, g = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(size):
            u = rows[k, i]
            a += u * rows[k, 0]
            b += u * rows[k, 1]
            c += u * rows[k, 2]
            d += u * rows[k, 3]
            e += u * rows[k, 4]
            f += u * rows[k, 5]
            g += u
        sums[i, 0] += a
        sums[i, 1] += b
        sums[i, 2] += c
        sums[i, 3] += d
        sums[i, 4] += e
        sums[i, 5] += f
        sums[i, 6] += g


@kernel
def _slopes(rows, size, sums):
    """Adds the products of five columns of `rows` with the sixth."""
    a, b, c, d, e = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(size):
        u = rows[k, 5]
        a += u * rows[k, 0]
        b += u * rows[k, 1]
        c += u * rows[k, 2]
        d += u * rows[k, 3]
        e += u * rows[k, 4]
    sums[0, 5] += a
    sums[1, 5] += b
    sums[2, 5] += c
    sums[3, 5] += d
    sums[4, 5] += e


@kernel
def evaluate(y, theta, backcast, tied, student, full, score, information):
    """Log-likelihood at a point; fills its score and, if `full`, Fisher's information.

    Where α⁺ and α⁻ are tied, the place of α⁺ holds the derivatives in both and that of α⁻ none.

    `backcast` is the ε² before the first bar; NaN takes the mean of ε² at μ, which moves with it.
    The derivatives of ln h are kept for a block of bars, and then their products are summed.
    """
    n = len(y)
    mu, omega, plus, minus, beta, nu = theta
    start, slope = _initial(y, mu, backcast)
    p = 0.5 * (plus + minus) + beta
    h = omega + p * start
    d0, d1, d2, d3, d4 = p * slope, 1.0, 0.5 * start, 0.5 * start, start
    if tied:
        d2, d3 = start, 0.0
    rows = np.empty((BLOCK, 6))  # derivatives of ln h in the five, score of ln h
    sums = np.zeros((5, 7))
    direct, precision, squares, weighted = 0.0, 0.0, 0.0, 0.0
    log_h, log_q = 0.0, 0.0
    product_h, product_q = 1.0, 1.0
    w, spread = 1.0, 1.0 / (nu - 2.0)
    for begin in range(0, n, BLOCK):
        size = min(BLOCK, n - begin)
        for k in range(size):
            e = y[begin + k] - mu
            e2 = e * e
            inverse = 1.0 / h
            z2 = e2 * inverse
            product_h *= h
            if student:
                q = 1.0 + z2 * spread
                product_q *= q
                w = (nu + 1.0) * spread / q
                weighted += w * z2
            else:
                squares += z2
            if k & 7 == 7:  # one logarithm for eight bars
                log_h += math.log(product_h)
                log_q += math.log(product_q)
                product_h, product_q = 1.0, 1.0
            direct += w * e * inverse
            precision += inverse
            rows[k, 0], rows[k, 1], rows[k, 2] = d0 * inverse, d1 * inverse, d2 * inverse
            rows[k, 3], rows[k, 4] = d3 * inverse, d4 * inverse
            rows[k, 5] = 0.5 * (w * z2 - 1.0)
            up, down = (0.0, e2) if e < 0.0 and not tied else (e2, 0.0)
            a = minus if e < 0.0 else plus
            d0 = beta * d0 - 2.0 * a * e
            d1 = 1.0 + beta * d1
            d2 = up + beta * d2
            d3 = down + beta * d3
            d4 = h + beta * d4
            h = omega + a * e2 + beta * h
        if full:
            _products(rows, size, tied, sums)
        else:
            _slopes(rows, size, sums)
    log_h += math.log(product_h)
    log_q += math.log(product_q)
    value = _constant(n, nu, student) - 0.5 * (log_h + squares + (nu + 1.0) * log_q)

    # Information of ln h, of μ, and of ν with its cross term (Lange, Little and Taylor 1989).
    of_h, of_mu, cross, of_nu, score_nu = 0.5, 1.0, 0.0, 1.0, 0.0
    if student:
        of_h = 0.5 * nu / (nu + 3.0)
        of_mu = (nu + 1.0) * nu / ((nu + 3.0) * (nu - 2.0))
        k = 2.0 / (nu * (nu - 2.0))
        cross = k * of_h - 1.0 / ((nu + 1.0) * (nu + 3.0))
        of_nu = 0.25 * (_trigamma(0.5 * nu) - _trigamma(0.5 * (nu + 1.0)))
        of_nu -= 0.5 * (nu + 5.0) / (nu * (nu + 1.0) * (nu + 3.0))
        of_nu += k * (cross - 1.0 / ((nu + 1.0) * (nu + 3.0)))
        score_nu = 0.5 * n * (_digamma(0.5 * (nu + 1.0)) - _digamma(0.5 * nu))
        score_nu += 0.5 * (weighted - n) * spread - 0.5 * log_q
    for i in range(5):
        score[i] = sums[i, 5]
        for j in range(i, 5):
            information[i, j] = of_h * sums[i, j]
            information[j, i] = information[i, j]
        information[i, 5] = cross * sums[i, 6]
        information[5, i] = information[i, 5]
    score[0] += direct
    score[5] = score_nu
    information[0, 0] += of_mu * precision
    information[5, 5] = of_nu * n
    return value


@kernel
def _solve(matrix, scale, damping, right, out):
    """`out` = (matrix + damping · diagonal(scale))⁻¹ right by Cholesky; whether every pivot held.

    What has no pivot is left where it is.
    """
    m = len(right)
    low = np.zeros((m, m))
    whole = True
    for i in range(m):
        for j in range(i + 1):
            total = matrix[i, j]
            if i == j:
                total += damping * scale[i, i]
            for k in range(j):
                total -= low[i, k] * low[j, k]
            if i > j:
                low[i, j] = total / low[j, j] if low[j, j] > 0.0 else 0.0
            elif total > 1e-11 * abs(matrix[i, i]):
                low[i, i] = math.sqrt(total)
            else:
                whole = False
    for i in range(m):
        total = right[i]
        for k in range(i):
            total -= low[i, k] * out[k]
        out[i] = total / low[i, i] if low[i, i] > 0.0 else 0.0
    for i in range(m - 1, -1, -1):
        total = out[i]
        for k in range(i + 1, m):
            total -= low[k, i] * out[k]
        out[i] = total / low[i, i] if low[i, i] > 0.0 else 0.0
    return whole


@kernel
def _coordinates(theta, tied, point):
    """Point to coordinates: μ, ln ω, logit p, ln(ν − 2), and the shares of α⁺, α⁻, β in p."""
    p = 0.5 * (theta[2] + theta[3]) + theta[4]
    p = min(max(p, 1.0 / (1.0 + math.exp(-LOGIT[0]))), 1.0 / (1.0 + math.exp(-LOGIT[1])))
    point[0] = theta[0]
    point[1] = min(max(math.log(max(theta[1], 1e-300)), LOG_OMEGA[0]), LOG_OMEGA[1])
    point[2] = math.log(p / (1.0 - p))
    point[3] = min(max(math.log(max(theta[5] - 2.0, 1e-300)), LOG_NU[0]), LOG_NU[1])
    point[4], point[5] = 0.5 * theta[2] / p, 0.5 * theta[3] / p
    if tied:
        point[4], point[5] = point[4] + point[5], 0.0
    scale = max(point[4] + point[5], 1.0)
    point[4] /= scale
    point[5] /= scale
    point[6] = 1.0 - point[4] - point[5]


@kernel
def _natural(point, tied, theta):
    """Coordinates to the point."""
    p = 1.0 / (1.0 + math.exp(-point[2]))
    theta[0], theta[1], theta[5] = point[0], math.exp(point[1]), 2.0 + math.exp(point[3])
    theta[2], theta[3] = 2.0 * p * point[4], 2.0 * p * point[5]
    if tied:
        theta[2] = p * point[4]
        theta[3] = theta[2]
    theta[4] = p * point[6]


@kernel
def _column(k, rest, theta, point, tied, column):
    """Derivative of the point in coordinate k; the share `rest` gives what another one takes."""
    column[:] = 0.0
    p = 1.0 / (1.0 + math.exp(-point[2]))
    if k == 0:
        column[0] = 1.0
    elif k == 1:
        column[1] = theta[1]
    elif k == 2:
        for j in range(2, 5):
            column[j] = theta[j] * (1.0 - p)
    elif k == 3:
        column[5] = theta[5] - 2.0
    else:
        for one, sign in ((k, 1.0), (rest, -1.0)):
            if one == 6:
                column[4] = sign * p
            elif tied:
                column[2], column[3] = sign * p, sign * p
            else:
                column[one - 2] = sign * 2.0 * p


@kernel
def _bounds(k):
    """Lowest and highest value of coordinate k."""
    if k == 1:
        return LOG_OMEGA
    if k == 2:
        return LOGIT
    if k == 3:
        return LOG_NU
    return (0.0 if k > 3 else -math.inf), math.inf


@kernel
def _dot(first, second):
    total = 0.0
    for i in range(len(first)):
        total += first[i] * second[i]
    return total


@kernel
def _curvature(y, backcast, tied, student, point, rest, index, slope, matrix):
    """Minus the Hessian in the free coordinates, by differences of the score."""
    m = len(slope)
    there, theta, column = np.empty(7), np.empty(SIZE), np.empty(SIZE)
    score, information = np.empty(SIZE), np.empty((SIZE, SIZE))
    for i in range(m):
        step = 1e-6 if index[i] > 3 else 1e-5
        there[:] = point
        there[index[i]] += step
        if index[i] > 3:
            there[rest] -= step
        _natural(there, tied, theta)
        evaluate(y, theta, backcast, tied, student, False, score, information)
        for j in range(m):
            _column(index[j], rest, theta, there, tied, column)
            matrix[i, j] = (slope[j] - _dot(column, score)) / step
    for i in range(m):
        for j in range(i):
            matrix[i, j] = 0.5 * (matrix[i, j] + matrix[j, i])
            matrix[j, i] = matrix[i, j]


@kernel
def _moved(point, direction, index, rest, trial):
    """`trial` = point + direction, shortened where it is long and projected on the bounds."""
    length = 1.0
    for i in range(len(index)):
        if 1 <= index[i] <= 3 and abs(direction[i]) * length > STEP:
            length = STEP / abs(direction[i])
    trial[:] = point
    for i in range(len(index)):
        k = index[i]
        lowest, highest = _bounds(k)
        trial[k] = min(max(point[k] + length * direction[i], lowest), highest)
    # The rest keeps a tenth of what it has: another share takes its place next time.
    left = 1.0 - (trial[4] + trial[5] + trial[6] - trial[rest])
    least = 0.1 * point[rest]
    if left < least:
        for k in range(4, 7):
            if k != rest:
                trial[k] *= (1.0 - least) / (1.0 - left)
        left = least
    trial[rest] = left


@kernel
def _free(theta, point, score, tied, student, columns, index):
    """Which coordinates may move: fills their columns and numbers; the share at rest, how many."""
    rest = 4
    for k in range(5, 7):
        if point[k] > point[rest]:
            rest = k
    m = 0
    for k in range(7):
        if k == rest or (k == 3 and not student) or (k == 5 and tied):
            continue
        _column(k, rest, theta, point, tied, columns[m])
        slope = _dot(columns[m], score)
        lowest, highest = _bounds(k)
        if not ((point[k] <= lowest and slope <= 0.0) or (point[k] >= highest and slope >= 0.0)):
            index[m] = k
            m += 1
    return rest, m


@kernel
def _futile(point, near, gap, decrement, step):
    """Whether a climb with `gap` to go to a known maximum at `near` will end under it or there."""
    if step > 3 and 5.0 * decrement < gap:
        return True
    if gap > 5.0 or abs(decrement - gap) > 0.3 * gap + 5e-4:
        return False
    for k in range(7):
        if k != 3 and abs(point[k] - near[k]) > (0.5 if 1 <= k <= 2 else 0.05):
            return False
    return True


@kernel
def climb(y, theta, backcast, tied, student, tolerance, target, near):
    """Climb from `theta`, which is replaced; log-likelihood, steps, and whether it converged.

    Given up where it is on its way to no more than `target`, a maximum that is known and has the
    coordinates `near`.
    """
    point, trial, there = np.empty(7), np.empty(7), np.empty(SIZE)
    score, information = np.empty(SIZE), np.empty((SIZE, SIZE))
    next_score, next_information = np.empty(SIZE), np.empty((SIZE, SIZE))
    columns, kept = np.empty((SIZE, SIZE)), np.empty(SIZE, np.int64)
    _coordinates(theta, tied, point)
    _natural(point, tied, theta)
    value = evaluate(y, theta, backcast, tied, student, True, score, information)
    damping, before, slow = 0.0, math.inf, 0
    slack = 1e-12 * len(y)  # rounding of the sum
    for step in range(CLIMBS):
        rest, m = _free(theta, point, score, tied, student, columns, kept)
        index, slope, direction = kept[:m], np.empty(m), np.empty(m)
        fisher, matrix = np.empty((m, m)), np.empty((m, m))
        for i in range(m):
            slope[i] = _dot(columns[i], score)
            for j in range(i + 1):
                total = 0.0
                for a in range(SIZE):
                    if columns[i, a] != 0.0:
                        total += columns[i, a] * _dot(information[a], columns[j])
                fisher[i, j] = total
                fisher[j, i] = total
        _solve(fisher, fisher, 0.0, slope, direction)
        decrement = 0.5 * _dot(slope, direction)
        slow += decrement > 0.4 * before
        # Where Fisher's information is a poor likeness of the Hessian, the Hessian itself.
        newton = slow > 2
        matrix[:] = fisher
        if newton:
            _curvature(y, backcast, tied, student, point, rest, index, slope, matrix)
            if _solve(matrix, fisher, 0.0, slope, direction):
                decrement = max(decrement, 0.5 * _dot(slope, direction))
        # Below 1e-10 two likelihoods cannot be told apart: on while the decrement falls.
        if decrement <= tolerance or (decrement < 1e-10 and decrement >= before):
            return value, step, True
        before = decrement
        if value <= target and _futile(point, near, target - value, decrement, step):
            return value, step, False
        found, moved = value, False
        while damping < 1e8:
            if _solve(matrix, fisher, damping, slope, direction) or not newton:
                _moved(point, direction, index, rest, trial)
                _natural(trial, tied, there)
                found = evaluate(
                    y, there, backcast, tied, student, True, next_score, next_information
                )
                if found >= value - slack:
                    moved = True
                    break
            damping = max(8.0 * damping, 1e-2)
        if not moved:
            return value, step, decrement < 1e-6
        damping = damping / 8.0 if damping > 8e-3 else 0.0
        value = found
        point[:] = trial
        theta[:] = there
        score[:] = next_score
        information[:] = next_information
    return value, CLIMBS, False


@kernel
def measure(y, theta, backcast, tied, student, index, matrix):
    """Minus the Hessian at a point, for `follow`; the share at rest, how many coordinates move."""
    point, score, information = np.empty(7), np.empty(SIZE), np.empty((SIZE, SIZE))
    columns = np.empty((SIZE, SIZE))
    _coordinates(theta, tied, point)
    evaluate(y, theta, backcast, tied, student, False, score, information)
    rest, m = _free(theta, point, score, tied, student, columns, index)
    slope = np.empty(m)
    for i in range(m):
        slope[i] = _dot(columns[i], score)
    _curvature(y, backcast, tied, student, point, rest, index[:m], slope, matrix[:m, :m])
    return rest, m


@kernel
def follow(y, theta, backcast, tied, student, tolerance, rest, index, matrix):
    """Newton's steps at the curvature of a maximum nearby; log-likelihood and whether it converged.

    Needs the score alone, and no more than a few times.  It gives up, for `climb` to go on, where
    other coordinates are held, or a step does not bring the fifth of the one before.
    """
    m = len(index)
    point, trial, there = np.empty(7), np.empty(7), np.empty(SIZE)
    score, information = np.empty(SIZE), np.empty((SIZE, SIZE))
    columns, moving = np.empty((SIZE, SIZE)), np.empty(SIZE, np.int64)
    slope, direction = np.empty(m), np.empty(m)
    _coordinates(theta, tied, trial)
    before, value = math.inf, -math.inf
    for _ in range(8):
        _natural(trial, tied, there)
        found = evaluate(y, there, backcast, tied, student, False, score, information)
        now, count = _free(there, trial, score, tied, student, columns, moving)
        same = now == rest and count == m and found >= value
        for i in range(min(m, count)):
            same = same and moving[i] == index[i]
            slope[i] = _dot(columns[i], score)
        if not same or not _solve(matrix, matrix, 0.0, slope, direction):
            break
        value = found
        theta[:] = there
        decrement = 0.5 * _dot(slope, direction)
        if decrement <= tolerance:
            return value, True
        if not decrement < 0.2 * before or decrement > 2.0:
            break
        before = decrement
        point[:] = trial
        _moved(point, direction, index, rest, trial)
    return value, False


@kernel
def search(y, backcast, tied, student, tolerance, target, theta):
    """Climb from several points, from the best share of α for each p; fills the highest maximum.

    `theta` is left as it is where none is above `target`, its own log-likelihood.

    The last point has α at zero: a variance that runs on a line of its own from the start-up to
    its level, which on a trending sample is the highest of several maxima.
    """
    point, first, near = np.zeros(SIZE), np.empty(SIZE), np.full(7, math.inf)
    best, converged, steps = target, target > -math.inf, 0
    if converged:
        _coordinates(theta, tied, near)
    for p in (0.97, 0.9, 0.995, 0.5, 0.0):
        top = -math.inf
        for share in (0.03, 0.1, 0.3):
            for lean in (1.0, 1.9):
                if p > 0.0 and (lean == 1.0 or not tied):
                    point[1], point[5] = max(1.0 - p, 0.002), 5.0
                    point[2], point[3] = p * share * (2.0 - lean), p * share * lean
                    point[4] = p * (1.0 - share)
                    value = likelihood(y, point, backcast, student)
                    if value > top:
                        top = value
                        first[:] = point
        if p == 0.0:
            first[:] = 0.0
            first[1], first[4], first[5] = 0.005, 0.99, 5.0
        known = best if converged else -math.inf
        value, used, done = climb(y, first, backcast, tied, student, tolerance, known, near)
        steps += used
        if value > best or (done and not converged and value > best - 1e-4):
            best, converged = value, done
            theta[:] = first
            _coordinates(theta, tied, near)
    return best, steps, converged


@kernel
def _backcast(x, mean):
    """Exponentially weighted mean of the first 75 squares around `mean`."""
    weight, total, weights = 1.0, 0.0, 0.0
    for t in range(min(75, len(x))):
        total += weight * (x[t] - mean) ** 2
        weights += weight
        weight *= 0.94
    return total / weights


@kernel
def refits(x, ends, window, sample, tied, student, tolerance, afresh):
    """Maxima of the windows of `window` bars (0: all bars) before each of `ends`.

    Each climbs from the last.  One that does not converge, one that a bar far out has entered or
    left, and one `afresh` bars after the last search is searched for as well, the higher one kept.
    Returns the points in the unit of `x` (mean and scale of the window taken out inside),
    log-likelihoods, and for each whether it converged and whether the grid found more.
    """
    count = len(ends)
    points, values = np.empty((count, SIZE)), np.empty(count)
    converged, fresh = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    theta, other, nowhere = np.empty(SIZE), np.empty(SIZE), np.full(7, math.inf)
    warm, shaken, searched, reach, left = False, False, 0, 0, 0
    index, matrix, rest, m = np.empty(SIZE, np.int64), np.empty((SIZE, SIZE)), 0, 0
    for r in range(count):
        end = ends[r]
        begin = 0 if window == 0 else max(0, end - window)
        n = end - begin
        mean, square = 0.0, 0.0
        for t in range(begin, end):
            mean += x[t]
        mean /= n
        for t in range(begin, end):
            square += (x[t] - mean) ** 2
        scale = math.sqrt(square / n)
        if not scale > 1e-12 * abs(mean):
            points[r] = math.nan
            values[r] = math.nan
            warm, m = False, 0
            continue
        y = (x[begin:end] - mean) / scale
        backcast = math.nan if sample else _backcast(y, 0.0)
        best, done = -math.inf, False
        if warm:
            theta[:] = points[r - 1]
            theta[0] = (theta[0] - mean) / scale
            theta[1] /= scale**2
            if m > 0:
                best, done = follow(
                    y, theta, backcast, tied, student, tolerance, rest, index[:m], matrix[:m, :m]
                )
            if not done:
                m = 0
                best, _, done = climb(
                    y, theta, backcast, tied, student, tolerance, -math.inf, nowhere
                )
        # A bar far out that came or went may have moved the highest of several maxima.
        for t in range(max(reach, begin), end):
            shaken = shaken or abs(x[t] - mean) > FAR * scale
        for t in range(left, begin):
            shaken = shaken or abs(x[t] - mean) > FAR * scale
        reach, left = end, begin
        if not done or shaken or end - searched >= afresh:
            known = best + 1e-6 if done else -math.inf
            other[:] = theta
            value, _, found = search(y, backcast, tied, student, tolerance, known, other)
            searched, shaken = end, False
            if value > known:
                fresh[r] = warm
                best, done, m = value, found, 0
                theta[:] = other
        if done and m == 0:
            rest, m = measure(y, theta, backcast, tied, student, index, matrix)
        points[r] = theta
        points[r, 0] = mean + scale * theta[0]
        points[r, 1] = theta[1] * scale**2
        values[r] = best - n * math.log(scale)
        converged[r] = done
        warm = done
    return points, values, converged, fresh


@kernel
def filtered(x, theta, start, out):
    """Variances of bars 1 … n + 1 at a point, from ε² = `start` before the first bar."""
    mu, omega, plus, minus, beta = theta[0], theta[1], theta[2], theta[3], theta[4]
    h = omega + (0.5 * (plus + minus) + beta) * start
    for t in range(len(x)):
        out[t] = h
        e = x[t] - mu
        h = omega + (minus if e < 0.0 else plus) * e * e + beta * h
    out[len(x)] = h


@kernel
def forecasts(x, ends, window, sample, points, out):
    """Variance forecasts between refits: each point from the last bar of its window to the next's.

    The start-up is that of the window it was fitted to; a point of NaN leaves its bars as they are.
    """
    path = np.empty(len(x) + 1)
    for r in range(len(ends)):
        end = ends[r]
        stop = ends[r + 1] - 1 if r + 1 < len(ends) else len(x)
        begin = 0 if window == 0 else max(0, end - window)
        theta = points[r]
        if math.isnan(theta[0]):
            continue
        start = 0.0
        if sample:
            for t in range(begin, end):
                start += (x[t] - theta[0]) ** 2
            start /= end - begin
        else:
            mean = 0.0
            for t in range(begin, end):
                mean += x[t]
            start = _backcast(x[begin:end], mean / (end - begin))
        filtered(x[begin:stop], theta, start, path)
        for t in range(end - 1, stop):
            out[t] = path[t - begin + 1]


def warm_up() -> None:
    """Compile every kernel for the types that `likelihood` calls it with."""
    x = np.sin(np.arange(80.0) ** 2)
    theta = np.empty(SIZE)
    search(x, 1.0, True, True, 1e-7, -math.inf, theta)
    climb(x, theta, 1.0, True, True, 1e-7, -math.inf, np.full(7, math.inf))
    evaluate(x, theta, 1.0, True, True, True, np.empty(SIZE), np.empty((SIZE, SIZE)))
    points, _, _, _ = refits(x, np.array([70, 80]), 60, False, True, True, 1e-7, 20)
    filtered(x, theta, 1.0, np.empty(81))
    forecasts(x, np.array([70, 80]), 60, False, points, np.empty(80))
