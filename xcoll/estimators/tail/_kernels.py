# ruff: noqa: ANN001, ANN202  (numba takes the types from the call)
"""Compiled loops of the tail methods: sorted windows, maximum likelihood by date, joint paths.

Arrays are float64 and C-contiguous, whole numbers int64.  Each has a plain twin in the tests.
"""

import math

import numpy as np

from xcoll._jit import kernel

__all__ = [
    "aged",
    "copula_picks",
    "gpd",
    "gpd_walk",
    "joint",
    "rolling_worst",
    "two_piece",
    "warm_up",
]

# Ends of the parameters: a window without tails runs to the normal, one without variance to ν 2.
LEAST_NU, MOST_NU, MOST_SKEW = 2.05, 200.0, 0.98
# Under a shape of -1/2 the likelihood of the GPD is not regular (Smith 1985).
LEAST_SHAPE = -0.5
AGAIN = 20  # dates between searches from all starts
LANE = 256  # paths taken together: their state stays in the cache


@kernel
def place(line, count, x):
    """Number of the first `count` sorted values that are under `x`."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if line[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def slide(line, when, count, oldest, old, x, t):
    """Put `x` of time t into the sorted `line`; once it is full the value `old` leaves."""
    if count < len(line):
        to = place(line, count, x)
        at = count
    else:
        at = place(line, count, old)
        while when[at] != oldest:
            at += 1
        to = place(line, count, x)
        if to > at:
            to -= 1
    while at > to:
        line[at], when[at] = line[at - 1], when[at - 1]
        at -= 1
    while at < to:
        line[at], when[at] = line[at + 1], when[at + 1]
        at += 1
    line[to], when[to] = x, t


@kernel
def rolling_worst(values, window, worst):
    """Fill time × depth with the largest of the last `window` values, largest first.

    A NaN starts the window anew; rows whose window is not full stay as they are.
    """
    line, when, count = np.empty(window), np.empty(window, np.int64), 0
    depth = worst.shape[1]
    for t in range(len(values)):
        if math.isnan(values[t]):
            count = 0
            continue
        slide(line, when, count, t - window, values[t - window], values[t], t)
        count = min(count + 1, window)
        if count == window:
            for i in range(depth):
                worst[t, i] = line[window - 1 - i]


@kernel
def aged(values, window, weights, levels, var, es):
    """VaR and ES, level × time, where a loss of age k weighs `weights[k]` (they sum to one)."""
    line, when, count = np.empty(window), np.empty(window, np.int64), 0
    for t in range(len(values)):
        if math.isnan(values[t]):
            count = 0
            continue
        slide(line, when, count, t - window, values[t - window], values[t], t)
        count = min(count + 1, window)
        if count < window:
            continue
        for j in range(len(levels)):
            rest, total, i = 1.0 - levels[j], 0.0, window - 1
            weight = weights[t - when[i]]
            # The tolerance is for rounding: a weight that fills the share exactly is inside it.
            while i > 0 and weight <= rest + 1e-12:
                rest -= weight
                total += weight * line[i]
                i -= 1
                weight = weights[t - when[i]]
            var[j, t] = line[i]
            es[j, t] = (total + max(rest, 0.0) * line[i]) / (1.0 - levels[j])


@kernel
def polygamma(x):
    """Digamma and trigamma of x > 0: the recurrence up to 8, then the asymptotic series."""
    digamma, trigamma = 0.0, 0.0
    while x < 8.0:
        digamma -= 1.0 / x
        trigamma += 1.0 / (x * x)
        x += 1.0
    v = 1.0 / (x * x)
    series = v * (1 / 12 - v * (1 / 120 - v * (1 / 252 - v * (1 / 240 - v / 132))))
    digamma += math.log(x) - 0.5 / x - series
    bernoulli = 1 / 6 - v * (1 / 30 - v * (1 / 42 - v * (1 / 30 - v * 5 / 66)))
    trigamma += 1.0 / x + 0.5 * v + v / x * bernoulli
    return digamma, trigamma


@kernel
def two_piece_score(x, m, s, nu, skew, score):
    """Log-likelihood of the two-piece t; its gradient in (m, log s, ν, skew) goes to `score`."""
    by_m, by_s, by_skew, logs, product = 0.0, 0.0, 0.0, 0.0, 1.0
    left, right = 1.0 / (s * (1.0 - skew)), 1.0 / (s * (1.0 + skew))
    ratio = 0.0
    for i in range(len(x)):
        d = x[i] - m
        scale = right if d > 0.0 else left
        u = d * scale
        square = u * u
        w = (nu + 1.0) / (nu + square)
        by_m += w * u * scale
        by_s += w * square
        by_skew += w * square * scale if d > 0.0 else -w * square * scale
        ratio += square / (nu + square)
        # One logarithm for many factors; each stays far under the largest float.
        product *= 1.0 + square / nu
        if product > 1e150:
            logs += math.log(product)
            product = 1.0
    logs += math.log(product)
    n = len(x)
    upper, _ = polygamma(0.5 * (nu + 1.0))
    lower, _ = polygamma(0.5 * nu)
    score[0] = by_m
    score[1] = by_s - n
    score[2] = 0.5 * (n * (upper - lower - 1.0 / nu) - logs + (nu + 1.0) / nu * ratio)
    score[3] = by_skew * s
    level = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu) - 0.5 * math.log(nu * math.pi)
    return n * (level - math.log(s)) - 0.5 * (nu + 1.0) * logs


@kernel
def two_piece_step(m, s, nu, skew, n, free, score, step):
    """Fisher scoring step in (m, log s, log(ν - 2), skew) and the gain that it promises."""
    g = math.exp(math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu)) / math.sqrt(math.pi)
    inside = 1.0 - skew * skew
    mm = n * (nu + 1.0) / (nu + 3.0) / (s * s * inside)
    step[0], step[3] = score[0] / mm, 0.0
    if free and not (abs(skew) >= MOST_SKEW and skew * score[3] > 0.0):
        kk = n * 3.0 * (nu + 1.0) / (nu + 3.0) / inside
        mk = n * 4.0 * (nu + 1.0) / ((nu + 3.0) * math.sqrt(nu)) * g / (s * inside)
        det = mm * kk - mk * mk
        step[0] = (kk * score[0] - mk * score[3]) / det
        step[3] = (mm * score[3] - mk * score[0]) / det
    ss = n * 2.0 * nu / (nu + 3.0)
    sv = -n * 2.0 / ((nu + 1.0) * (nu + 3.0))
    _, upper = polygamma(0.5 * (nu + 1.0))
    _, lower = polygamma(0.5 * nu)
    vv = 0.25 * (lower - upper) - 0.5 * (nu + 5.0) / (nu * (nu + 1.0) * (nu + 3.0))
    by_tail = score[2] * (nu - 2.0)
    sv *= nu - 2.0
    vv = n * max(vv, 1e-12) * (nu - 2.0) ** 2
    step[1], step[2] = score[1] / ss, 0.0
    held = (nu >= MOST_NU and by_tail > 0.0) or (nu <= LEAST_NU and by_tail < 0.0)
    if not held:
        det = ss * vv - sv * sv
        step[1] = (vv * score[1] - sv * by_tail) / det
        step[2] = (ss * by_tail - sv * score[1]) / det
    return score[0] * step[0] + score[1] * step[1] + by_tail * step[2] + score[3] * step[3]


@kernel
def two_piece_fit(x, free, found):
    """Maximise from `found` = (m, s, ν, skew) on; returns 1 if it converged."""
    score, tried, step = np.empty(4), np.empty(4), np.empty(4)
    m, s, nu, skew = found[0], found[1], found[2], found[3]
    value = two_piece_score(x, m, s, nu, skew, score)
    for _ in range(200):
        gain = two_piece_step(m, s, nu, skew, len(x), free, score, step)
        if gain < 1e-8:
            found[0], found[1], found[2], found[3] = m, s, nu, skew
            return 1
        length = 1.0
        # A step that leaves the range of a float's exponent is cut before it is tried.
        if max(abs(step[1]), abs(step[2])) > 2.0:
            length = 2.0 / max(abs(step[1]), abs(step[2]))
        better = False
        while length > 1e-6 and not better:
            new_m = m + length * step[0]
            new_s = s * math.exp(length * step[1])
            new_nu = 2.0 + (nu - 2.0) * math.exp(length * step[2])
            new_nu = min(max(new_nu, LEAST_NU), MOST_NU)
            new_skew = min(max(skew + length * step[3], -MOST_SKEW), MOST_SKEW)
            new = two_piece_score(x, new_m, new_s, new_nu, new_skew, tried)
            better = new > value
            if not better:
                length *= 0.5
        if not better:
            break
        m, s, nu, skew, value = new_m, new_s, new_nu, new_skew, new
        score[:] = tried
    found[0], found[1], found[2], found[3] = m, s, nu, skew
    # A promise of a ten-thousandth of a likelihood unit moves no quantile.
    return 1 if gain < 1e-4 else 0


@kernel
def two_piece(values, window, free, found, converged):
    """Fit every full window of `values`, each from the last one's optimum; time × (m, s, ν, skew).

    `free` is 0 for the symmetric t.  A window whose middle half is one value is left as it is.
    """
    count = 0
    guess, trial, score = np.zeros(4), np.empty(4), np.empty(4)
    line, when = np.empty(window), np.empty(window, np.int64)
    warm, since = False, 0
    for t in range(len(values)):
        if math.isnan(values[t]):
            count, warm = 0, False
            continue
        slide(line, when, count, t - window, values[t - window], values[t], t)
        count = min(count + 1, window)
        if count < window:
            continue
        spread = line[(3 * window) // 4] - line[window // 4]
        if spread <= 0.0:
            warm = False
            continue
        x = values[t - window + 1 : t + 1]
        done, best = 0, -np.inf
        if warm:
            done = two_piece_fit(x, free, guess)
            best = two_piece_score(x, guess[0], guess[1], guess[2], guess[3], trial)
        since = 0 if done == 0 else since + 1
        # A skewed sample may have two maxima, the mode at either end of it: now and then all
        # starts are tried again.
        if done == 0 or (free and since % AGAIN == 0):
            for start in range(3 if free else 1):
                skew = (0.0, 0.95, -0.95)[start]
                edge = (window // 2, window // 50, window - 1 - window // 50)[start]
                trial[0], trial[1], trial[2], trial[3] = line[edge], spread / 1.4, 6.0, skew
                end = two_piece_fit(x, free, trial)
                value = two_piece_score(x, trial[0], trial[1], trial[2], trial[3], score)
                if end >= done and (end > done or value > best):
                    guess[:], done, best = trial, end, value
        warm = done == 1
        found[t] = guess
        converged[t] = done


@kernel
def gpd_score(y, shape, scale, score):
    """Log-likelihood of excesses y, -inf outside the support; gradient in (shape, log scale)."""
    logs, ratio = 0.0, 0.0
    for i in range(len(y)):
        z = shape * y[i] / scale
        if z <= -1.0:
            return -np.inf
        logs += math.log1p(z)
        ratio += y[i] / scale / (1.0 + z)
    n = len(y)
    if abs(shape) < 1e-6:
        # Expansion at the exponential: log(1 + ξx)/ξ = x - ξx²/2.
        first, second = 0.0, 0.0
        for i in range(len(y)):
            x = y[i] / scale
            first += x
            second += x * x
        score[0] = 0.5 * second - first
        score[1] = first - n - shape * (second - first)
        return -n * math.log(scale) - first - shape * first + 0.5 * shape * second
    score[0] = logs / (shape * shape) - (1.0 + 1.0 / shape) * ratio
    score[1] = (1.0 + shape) * ratio - n
    return -n * math.log(scale) - (1.0 + 1.0 / shape) * logs


@kernel
def gpd_step(shape, n, score, step):
    """Fisher scoring step in (shape, log scale) and the gain that it promises."""
    k = max(shape, -0.45)
    step[0] = ((1.0 + k) * score[0] - score[1]) * (1.0 + k) / n
    step[1] = (2.0 * score[1] - score[0]) * (1.0 + k) / n
    if shape <= LEAST_SHAPE and step[0] < 0.0:
        step[0], step[1] = 0.0, score[1] * (1.0 + 2.0 * k) / n
    return score[0] * step[0] + score[1] * step[1]


@kernel
def gpd(y, found):
    """Maximise over (shape, scale) from `found` on by Fisher scoring; returns 1 if it converged."""
    score, tried, step, other = np.empty(2), np.empty(2), np.empty(2), np.empty(2)
    shape, scale, n = found[0], found[1], len(y)
    value = gpd_score(y, shape, scale, score)
    if not value > -np.inf:
        return 0
    gain = gpd_step(shape, n, score, step)
    for _ in range(200):
        length = min(1.0, 1.0 / max(abs(step[0]), abs(step[1]), 1e-300))
        better = False
        while gain > 1e-18 * n and length > 1e-9 and not better:
            new_shape = max(shape + length * step[0], LEAST_SHAPE)
            new_scale = scale * math.exp(length * step[1])
            new = gpd_score(y, new_shape, new_scale, tried)
            # The likelihood is flat to half the digits of its maximum: the last ones come from
            # the gradient.
            if gain > 1e-8:
                better = new > value
            else:
                better = new > -np.inf and gpd_step(new_shape, n, tried, other) < gain
            if not better:
                length *= 0.5
        if not better:
            break
        shape, scale, value = new_shape, new_scale, new
        score[:] = tried
        gain = gpd_step(shape, n, score, step)
    found[0], found[1] = shape, scale
    return 1 if gain < 1e-6 else 0


@kernel
def gpd_walk(worst, found, converged):
    """Fit each date's excesses over its last column, from the last optimum; time × (ξ, β)."""
    k = worst.shape[1] - 1
    y, guess = np.empty(k), np.empty(2)
    warm = False
    for t in range(len(worst)):
        if math.isnan(worst[t, 0]):
            warm = False
            continue
        mean = 0.0
        for i in range(k):
            y[i] = worst[t, i] - worst[t, k]
            mean += y[i] / k
        if mean <= 0.0:
            warm = False
            continue
        done = 0
        if warm:
            done = gpd(y, guess)
        if done == 0:
            guess[0], guess[1] = 0.1, mean
            done = gpd(y, guess)
        found[t] = guess
        converged[t] = done
        warm = done == 1


@kernel
def joint(score, low, picks, sigma, recursion, weights, least, travelled, account):
    """Drawn bars through a variance recursion: where prices end, how low they came, the portfolio.

    score, low : asset × bar; picks : 1 or asset × horizon × path; recursion : (ω, α, γ, β) ×
    asset; weights : by asset.  Fills asset × path in logarithms, `least` on the way and
    `travelled` at the end, and account, 2 × path, the portfolio's close-out and end loss.  A short
    leg's high is not known: it is hurt at the bar's close or start.
    """
    assets, bars, paths = len(sigma), picks.shape[1], picks.shape[2]
    variance, adverse = np.empty(LANE), np.empty(LANE)
    held, ended = np.empty((bars, LANE)), np.empty(LANE)
    for start in range(0, paths, LANE):
        width = min(LANE, paths - start)
        held[:] = 0.0
        ended[:] = 0.0
        for a in range(assets):
            x, lows, k = score[a], low[a], min(a, len(picks) - 1)
            omega, alpha, gamma, beta = recursion[:, a]
            weight = weights[a]
            end, bottom = travelled[a, start : start + width], least[a, start : start + width]
            variance[:] = sigma[a] * sigma[a]
            end[:] = 0.0
            bottom[:] = np.inf
            for s in range(bars):
                drawn = picks[k, s, start : start + width]
                for i in range(width):
                    scale = math.sqrt(variance[i])
                    r = x[drawn[i]] * scale
                    down = end[i] + lows[drawn[i]] * scale
                    adverse[i] = down if weight > 0.0 else end[i] + (r if r > 0.0 else 0.0)
                    bottom[i] = down if down < bottom[i] else bottom[i]
                    end[i] += r
                    shock = alpha + gamma if r < 0.0 else alpha
                    variance[i] = omega + shock * r * r + beta * variance[i]
                if weight != 0.0:
                    for i in range(width):
                        held[s, i] += weight * (1.0 - math.exp(adverse[i]))
            if weight != 0.0:
                for i in range(width):
                    ended[i] += weight * (1.0 - math.exp(end[i]))
        for i in range(width):
            most = held[0, i]
            for s in range(1, bars):
                most = max(most, held[s, i])
            account[0, start + i], account[1, start + i] = most, ended[i]


@kernel
def cholesky(matrix, lower):
    """Lower factor of the correlation matrix of `matrix`; returns 0 where it has none."""
    n = len(matrix)
    for i in range(n):
        for j in range(i + 1):
            total = matrix[i, j] / math.sqrt(matrix[i, i] * matrix[j, j])
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i == j:
                if total <= 0.0:
                    return 0
                lower[i, i] = math.sqrt(total)
            else:
                lower[i, j] = total / lower[j, j]
    return 1


@kernel
def copula_picks(normals, scale, first, target, a, b, edges, score, picks):
    """Drawn ranks, asset × horizon × path, of a t copula whose correlation follows DCC(1,1).

    normals : path × horizon × asset; scale : path × horizon, what turns normal into t; edges : the
    copula's quantiles between ranks; score : asset × rank, drives the correlation.  Returns 0 where
    a correlation is not positive definite.
    """
    paths, bars, n = normals.shape
    lower, opening = np.zeros((n, n)), np.zeros((n, n))
    q, z = np.empty((n, n)), np.empty(n)
    if cholesky(first, opening) == 0:
        return 0
    for p in range(paths):
        q[:] = first
        lower[:] = opening
        for s in range(bars):
            if s > 0:
                for i in range(n):
                    for j in range(n):
                        q[i, j] = (1.0 - a - b) * target[i, j] + a * z[i] * z[j] + b * q[i, j]
                if cholesky(q, lower) == 0:
                    return 0
            for i in range(n):
                y = 0.0
                for j in range(i + 1):
                    y += lower[i, j] * normals[p, s, j]
                rank = place(edges, len(edges), y * scale[p, s])
                picks[i, s, p] = rank
                z[i] = score[i, rank]
    return 1


def warm_up() -> None:
    """Compile this module for the types that it is called with."""
    line = np.linspace(0.0, 1.0, 8)
    one, two = np.zeros(1), np.zeros((1, 8))
    rolling_worst(line, 4, np.zeros((8, 2)))
    aged(line, 4, np.full(4, 0.25), np.array([0.9]), two, two.copy())
    two_piece(line, 4, 0, np.zeros((8, 4)), np.zeros(8, np.int64))
    gpd(line, np.array([0.1, 1.0]))
    gpd_walk(np.zeros((1, 3)), np.zeros((1, 2)), np.zeros(1, np.int64))
    table, picks = np.zeros((1, 2)), np.zeros((1, 1, 1), np.int64)
    joint(table, table, picks, one, np.zeros((4, 1)), one, *np.zeros((2, 1, 1)), np.zeros((2, 1)))
    eye = np.eye(1)
    copula_picks(np.zeros((1, 1, 1)), np.ones((1, 1)), eye, eye, 0.0, 0.0, one, table, picks)
