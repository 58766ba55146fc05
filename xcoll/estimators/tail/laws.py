"""Laws of a standardised loss: fitted in every window, their quantiles and expected shortfalls.

A score s is a bar's adverse log move over its forecast σ, positive for a loss; the loss itself is
`1 - exp(-σ s)`, so

    VaR_α = 1 - exp(-σ q_α)          ES_α = 1 - E[exp(-σ s) | s > q_α]

The expectation is taken over the law, by closed form or quadrature: a log loss is never read as a
simple one.  It is finite for every law, however heavy its tail, because nothing falls below zero.

    normal          mean and standard deviation
    t               location, scale and ν by maximum likelihood
    skewed_t        Hansen (1994): a t whose halves have scales in the ratio (1+λ) : (1-λ)
    cornish_fisher  third-order expansion of the quantile (Cornish and Fisher 1938), its two
                    parameters solved from the sample's skewness and kurtosis (Maillard 2012)
    evt             generalised Pareto law over a threshold (McNeil and Frey 2000)
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import ndtr, ndtri, stdtrit

from xcoll._jit import own
from xcoll.errors import ParameterError
from xcoll.estimators.tail import _kernels

__all__ = ["EXCESSES", "FINE", "LAWS", "LEAST", "MOVED", "NONE", "NOTES", "SHARE", "Law", "inside"]

FINE, MOVED, NONE = 0, 1, 2
NOTES = np.array(["", "moved into the domain", "no fit"])

SHARE = 0.10  # of a window that lies over the threshold of `evt` (McNeil and Frey 2000)
EXCESSES = 20  # fewest excesses that two parameters are fitted to
LEAST = round(EXCESSES / SHARE)  # bars of the shortest window of `evt`

# Gauss-Legendre on (0, 1); 64 points give the integrals below to 1e-10 (tested against quad).
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)
_NODES, _WEIGHTS = 0.5 * (_NODES + 1.0), 0.5 * _WEIGHTS
_RAY = _NODES / (1.0 - _NODES)  # (0, 1) onto (0, ∞)
_RAY_WEIGHTS = _WEIGHTS / (1.0 - _NODES) ** 2

# Moments up to the twelfth power of a normal variable are exact with 16 points.
_Z, _P = np.polynomial.hermite_e.hermegauss(16)
_P = _P / _P.sum()


@dataclass(frozen=True)
class Law:
    """One family.

    Attributes
    ----------
    fit : scores (time,), window → parameters (time × p, NaN until a window is full) and one of
        `NOTES` by time.
    quantile : parameters (n × p), levels (m,) → n × m; NaN under the threshold of `evt`.
    shrunk : parameters (n × p), levels (m,), quantiles (n × m), σ (n,) → `E[exp(-σ s) | s > q]`.
    """

    fit: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
    quantile: Callable[[np.ndarray, np.ndarray], np.ndarray]
    shrunk: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def inside(skew: np.ndarray, kurtosis: np.ndarray) -> np.ndarray:
    """Whether the Cornish–Fisher quantile rises everywhere, by its two parameters.

    Its slope is a quadratic in z, `A z² + S z/3 + C` with `A = K/8 - S²/6` and
    `C = 1 - K/8 + 5 S²/36`, and has no root where `S²/9 <= 4 A C` (Maillard 2012).
    """
    a, c = kurtosis / 8.0 - skew**2 / 6.0, 1.0 - kurtosis / 8.0 + 5.0 * skew**2 / 36.0
    return (a >= 0.0) & (c > 0.0) & (skew**2 / 9.0 <= 4.0 * a * c)


def _moments(scores: np.ndarray, window: int) -> tuple[np.ndarray, ...]:
    """Mean, standard deviation, skewness and excess kurtosis of every window; NaN until full."""
    found = np.full((4, len(scores)), np.nan)
    if len(scores) >= window:
        windows = sliding_window_view(scores, window)
        mean = windows.mean(axis=1)
        centred = windows - mean[:, None]
        square = centred**2
        variance = square.mean(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):  # a still window has no shape
            skew = (square * centred).mean(axis=1) / variance**1.5
            kurtosis = (square**2).mean(axis=1) / variance**2 - 3.0
        found[:, window - 1 :] = mean, np.sqrt(variance), skew, kurtosis
    return tuple(found)


def _unfit(params: np.ndarray, converged: np.ndarray) -> np.ndarray:
    """Notes; parameters that did not converge become NaN."""
    params[~converged] = np.nan
    return np.where(converged, FINE, NONE)


def _normal_fit(scores: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    mean, deviation, _, _ = _moments(scores, window)
    params = np.column_stack([mean, deviation])
    return params, _unfit(params, deviation > 0.0)


def _normal_quantile(params: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return params[:, :1] + params[:, 1:] * ndtri(levels)


def _normal_shrunk(
    params: np.ndarray, levels: np.ndarray, quantiles: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    mean, spread = params[:, 0] * sigma, params[:, 1] * sigma
    mass = ndtr(-(ndtri(levels) + spread[:, None]))
    return np.exp(0.5 * spread**2 - mean)[:, None] * mass / (1.0 - levels)


def _two_piece(free: int) -> Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]:
    def fit(scores: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
        params, converged = np.full((len(scores), 4), np.nan), np.zeros(len(scores), np.int64)
        _kernels.two_piece(own(scores), window, free, params, converged)
        return params, _unfit(params, converged == 1)

    return fit


def _two_piece_quantile(params: np.ndarray, levels: np.ndarray) -> np.ndarray:
    mode, scale, nu, skew = (column[:, None] for column in params.T)
    side = np.where(levels > 0.5 * (1.0 - skew), 1.0 + skew, 1.0 - skew)
    level = np.where(side == 1.0 + skew, (levels + skew) / side, levels / side)
    return mode + scale * side * stdtrit(nu, level)


def _two_piece_shrunk(
    params: np.ndarray, levels: np.ndarray, quantiles: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    mode, scale, nu, skew = (column[:, None, None] for column in params.T)
    wide = scale * (1.0 + skew)
    s = quantiles[..., None] + wide * _RAY
    side = np.where(s > mode, wide, scale * (1.0 - skew))
    density = (1.0 + ((s - mode) / side) ** 2 / nu) ** (-0.5 * (nu + 1.0))
    # The constant is that of the quadrature itself: both integrals share their error.
    above = np.exp(-sigma[:, None, None] * s) * density
    return (above @ _RAY_WEIGHTS) / (density @ _RAY_WEIGHTS)


def _expansion(skew: np.ndarray, kurtosis: np.ndarray, z: np.ndarray) -> np.ndarray:
    """`w = z + (z² - 1) S/6 + (z³ - 3z) K/24 - (2z³ - 5z) S²/36`."""
    cube = z**3
    return (
        z
        + (z**2 - 1.0) * skew / 6.0
        + (cube - 3.0 * z) * kurtosis / 24.0
        - (2.0 * cube - 5.0 * z) * skew**2 / 36.0
    )


def _shape(skew: np.ndarray, kurtosis: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard deviation, skewness and excess kurtosis of the expansion (its mean is zero)."""
    w = _expansion(skew[:, None], kurtosis[:, None], _Z)
    square = w * w
    variance = square @ _P
    third, fourth = (square * w) @ _P, (square * square) @ _P
    return np.sqrt(variance), third / variance**1.5, fourth / variance**2 - 3.0


def _solved(skew: np.ndarray, kurtosis: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parameters whose expansion has these moments (Newton), and whether they are in the domain."""
    damp = 1.0 + kurtosis.clip(0.0) / 4.0
    s, k = skew / damp, kurtosis / damp
    met = np.zeros(len(s), bool)
    step = 1e-6
    for _ in range(25):
        left = np.flatnonzero(~met)
        if not left.size:
            break
        here, there = s[left], k[left]
        _, m3, m4 = _shape(here, there)
        _, m3_s, m4_s = _shape(here + step, there)
        _, m3_k, m4_k = _shape(here, there + step)
        a, b, c, d = (m3_s - m3) / step, (m3_k - m3) / step, (m4_s - m4) / step, (m4_k - m4) / step
        e, f = skew[left] - m3, kurtosis[left] - m4
        met[left] = (np.abs(e) < 1e-8) & (np.abs(f) < 1e-7)
        det = a * d - b * c
        det = np.where(np.abs(det) < 1e-9, 1e-9, det)
        s[left] = here + ((d * e - b * f) / det).clip(-0.3, 0.3)
        k[left] = there + ((a * f - c * e) / det).clip(-1.0, 1.0)
    return s, k, met & inside(s, k)


def _cornish_fisher_fit(scores: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    mean, deviation, skew, kurtosis = _moments(scores, window)
    params = np.full((len(scores), 4), np.nan)
    notes = np.full(len(scores), NONE)
    rows = np.flatnonzero(deviation > 0.0)
    if rows.size:
        wanted = skew[rows], kurtosis[rows]
        s, k, valid = _solved(*wanted)
        notes[rows] = np.where(valid, FINE, MOVED)
        # Outside, the moments shrink towards the normal's until the domain has them: the law
        # nearest on that ray takes their place, and the note says so.
        low, high = np.zeros(len(rows)), np.ones(len(rows))
        s, k = np.where(valid, s, 0.0), np.where(valid, k, 0.0)
        out = np.flatnonzero(~valid)
        for _ in range(12 if out.size else 0):
            middle = 0.5 * (low[out] + high[out])
            s_try, k_try, fits = _solved(wanted[0][out] * middle, wanted[1][out] * middle)
            s[out], k[out] = np.where(fits, s_try, s[out]), np.where(fits, k_try, k[out])
            low[out], high[out] = (
                np.where(fits, middle, low[out]),
                np.where(fits, high[out], middle),
            )
        scale = deviation[rows] / _shape(s, k)[0]
        params[rows] = np.column_stack([mean[rows], scale, s, k])
    return params, notes


def _cornish_fisher_quantile(params: np.ndarray, levels: np.ndarray) -> np.ndarray:
    mean, scale, skew, kurtosis = (column[:, None] for column in params.T)
    return mean + scale * _expansion(skew, kurtosis, ndtri(levels))


def _cornish_fisher_shrunk(
    params: np.ndarray, levels: np.ndarray, quantiles: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    z = ndtri(levels)[:, None] + _RAY
    mean, scale, skew, kurtosis = (column[:, None, None] for column in params.T)
    w = mean + scale * _expansion(skew, kurtosis, z)
    mass = np.exp(-0.5 * z**2) * _RAY_WEIGHTS
    return (np.exp(-sigma[:, None, None] * w) * mass).sum(axis=-1) / mass.sum(axis=-1)


def _evt_fit(scores: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    count = int(SHARE * window + 1e-9)
    if count < EXCESSES:
        raise ParameterError(
            f"evt fits {SHARE:.0%} of a window, {EXCESSES} losses at least, and {window} bars give "
            f"{count}; take a window of {LEAST} bars or the method t or fhs"
        )
    worst = np.full((len(scores), count + 1), np.nan)
    _kernels.rolling_worst(own(scores), window, worst)
    found, converged = np.full((len(scores), 2), np.nan), np.zeros(len(scores), np.int64)
    _kernels.gpd_walk(worst, found, converged)
    params = np.column_stack([worst[:, -1], found, np.full(len(scores), count / window)])
    return params, _unfit(params, converged == 1)


def _excess(shape: np.ndarray, scale: np.ndarray, survival: np.ndarray) -> np.ndarray:
    """What a GPD exceeds with probability `survival`: `β/ξ (v^-ξ - 1)`."""
    log = -np.log(survival)
    # expm1(ξ x)/ξ is x where ξ is nothing.
    tiny = np.abs(shape) < 1e-9
    safe = np.where(tiny, 1.0, shape)
    return scale * np.where(tiny, log, np.expm1(safe * log) / safe)


def _evt_quantile(params: np.ndarray, levels: np.ndarray) -> np.ndarray:
    threshold, shape, scale, share = (column[:, None] for column in params.T)
    survival = (1.0 - levels) / share
    # A level at the threshold itself may come out a rounding error under it.
    over = threshold + _excess(shape, scale, np.minimum(survival, 1.0))
    return np.where(survival <= 1.0 + 1e-9, over, np.nan)


def _evt_shrunk(
    params: np.ndarray, levels: np.ndarray, quantiles: np.ndarray, sigma: np.ndarray
) -> np.ndarray:
    threshold, shape, scale, _ = (column[:, None, None] for column in params.T)
    q = quantiles[..., None]
    # Over a higher threshold the law is a GPD of the same shape (McNeil and Frey 2000).
    beyond = q + _excess(shape, scale + shape * (q - threshold), _NODES**3)
    return np.exp(-sigma[:, None, None] * beyond) @ (3.0 * _NODES**2 * _WEIGHTS)


LAWS = {
    "cornish_fisher": Law(_cornish_fisher_fit, _cornish_fisher_quantile, _cornish_fisher_shrunk),
    "evt": Law(_evt_fit, _evt_quantile, _evt_shrunk),
    "normal": Law(_normal_fit, _normal_quantile, _normal_shrunk),
    "skewed_t": Law(_two_piece(1), _two_piece_quantile, _two_piece_shrunk),
    "t": Law(_two_piece(0), _two_piece_quantile, _two_piece_shrunk),
}
