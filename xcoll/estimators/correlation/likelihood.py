"""Likelihood of the DCC(1,1) at array level: its value, scores and Hessian, and its maximum.

    Q_t = (1 − a − b) Q̄ + a z_{t−1} z'_{t−1} + b Q_{t−1},   Q_1 = Q̄,
    R_t = diag(Q_t)^{-½} Q_t diag(Q_t)^{-½}

Engle (2002), second step, at a given Q̄.  z_t is normal or multivariate Student t with unit
variances and ν degrees of freedom.  The joint likelihood takes all assets at once; the composite
one (Pakel, Shephard, Sheppard and Engle 2021) is the mean over pairs of bivariate likelihoods.
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import optimize, special

from xcoll._jit import own
from xcoll.errors import EstimationError
from xcoll.estimators.correlation import _kernels

__all__ = ["Maximum", "Pairs", "evaluate", "maximise", "nudge", "second_moment"]

Pairs = tuple[np.ndarray, np.ndarray]  # positions of the first and of the second asset

MOST = 1.0 - 1e-6  # of a + b
NU = 2.01, 1e4  # of the degrees of freedom; at the upper end the law is normal to 1e-4
STARTS = ((0.05, 0.90), (0.02, 0.96), (0.10, 0.70), (0.02, 0.50))
SINGULAR = (
    "the residuals' correlation is singular: an asset repeats others, or there are fewer bars than"
    " assets; leave one out or take a composite likelihood"
)
FEW = 4  # pairs, then assets, that lead to the start of the joint likelihood
MEMORIES = (0.0, 0.5, 0.8, 0.95)  # b at which a maximum at a = 0 is asked whether a might rise
STEPS = 50  # of Newton, before it gives up


@dataclass(frozen=True)
class Maximum:
    """Where the likelihood of (a, b[, ν]) is highest.

    Attributes
    ----------
    params : ndarray
        (a, b) or (a, b, ν).
    loglikelihood : float
        Joint, or the mean over pairs where it is composite.
    scores, hessian : ndarray
        bar × parameter and parameter × parameter, in the parameters themselves.
    state : ndarray or None
        S of the bar after the last, Q = Q̄ + aS; None where the likelihood is composite.
    converged, on_bound : bool
    message : str
        Which way led there, or why none did.
    """

    params: np.ndarray
    loglikelihood: float
    scores: np.ndarray
    hessian: np.ndarray
    state: np.ndarray | None
    converged: bool
    on_bound: bool
    message: str

    @property
    def nu(self) -> float:
        """Degrees of freedom; infinite under the normal law."""
        return float(self.params[2]) if len(self.params) == 3 else math.inf


def second_moment(z: np.ndarray) -> np.ndarray:
    """Q̄ = Σ z_t z'_t / T, not centred (Engle and Sheppard 2001)."""
    made = z.T @ z / len(z)
    return (made + made.T) / 2.0


def evaluate(
    z: np.ndarray, target: np.ndarray, params: np.ndarray, pairs: Pairs | None = None
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray | None]:
    """Log-likelihood, scores by bar, Hessian and last state at `params`, (a, b) or (a, b, ν).

    The value is NaN where some Q_t is not positive definite.
    """
    z, target = own(z), own(target)
    bars, n = z.shape
    count = len(params)
    a, b, nu = (*params, math.inf) if count == 2 else params
    scores, hessian = np.zeros((bars, 3)), np.zeros((3, 3))
    if pairs is None:
        state = np.zeros((n, n))
        value = _kernels.full(z, target, a, b, nu, state, scores, hessian)
        c, c1, c2 = _constant(nu, n)
    else:
        state = None
        value = _kernels.composite(z, target, *pairs, a, b, nu, scores, hessian)
        c, c1, c2 = _constant(nu, 2)
    scores[:, 2] += c1
    hessian[2, 2] += bars * c2
    return value + bars * c, scores[:, :count], hessian[:count, :count], state


def maximise(
    z: np.ndarray,
    target: np.ndarray,
    errors: str = "normal",
    pairs: Pairs | None = None,
    guess: np.ndarray | None = None,
    tolerance: float = 1e-6,
) -> Maximum:
    """Newton's method inside a, b ≥ 0, a + b < 1, with an active set.

    Each step maximises the quadratic model over the feasible set; where the Hessian is not
    negative definite, its eigenvalues change sign.  Converged means that the next such step
    promises less than `tolerance` of log-likelihood (1e-6: parameters within 0.2 % of a standard
    error).  Without a `guess` the joint likelihood of many assets starts near where that of a few
    is highest.  Where Newton stalls, scipy's SLSQP goes on, and the message says so.

    Raises
    ------
    EstimationError
        A singular Q̄.
    """
    if guess is None:
        guess = _start(z, target, errors, pairs)
    found = _climb(z, target, guess, pairs, tolerance)
    if found.params[0] > 0.0:
        return found
    # At a = 0 b does not matter; with another b a might rise.
    rises = []
    for b in MEMORIES:
        at = np.array([0.0, b, *found.params[2:]])
        rises.append(evaluate(z, target, at, pairs)[1][:, 0].sum())
    if max(rises) <= 0.0:
        return found
    up = np.array([1e-3, MEMORIES[int(np.argmax(rises))], *found.params[2:]])
    other = _climb(z, target, up, pairs, tolerance)
    return other if other.converged and other.loglikelihood > found.loglikelihood else found


def nudge(
    z: np.ndarray, target: np.ndarray, params: np.ndarray, pairs: Pairs | None = None
) -> tuple[np.ndarray, float]:
    """One feasible Newton step from `params`, and the log-likelihood that it promises.

    From a maximum of nearly the same sample that is all there is to do: what a step from a gain g
    leaves is of the order of g^{3/2}.
    """
    C, c = _feasible(len(params))
    x = _to_inner(params)
    _, scores, hessian, _ = _inner(z, target, x, pairs)
    move, gain = _step(scores.sum(axis=0), hessian, C, _room(C, c, x))
    x = x + move
    x[:2] = np.where(np.abs(x[:2]) < 1e-12, 0.0, x[:2])
    return _from_inner(x), gain


def _feasible(count: int) -> tuple[np.ndarray, np.ndarray]:
    """C x ≤ c: a and b not negative, a + b < 1, ln(ν − 2) between its ends."""
    lower, upper = (math.log(nu - 2.0) for nu in NU)
    C = np.array([[-1.0, 0, 0], [0, -1.0, 0], [1.0, 1.0, 0], [0, 0, 1.0], [0, 0, -1.0]])
    C = C[: 3 if count == 2 else 5, :count]
    return C, np.array([0.0, 0.0, MOST, upper, -lower])[: len(C)]


def _room(C: np.ndarray, c: np.ndarray, x: np.ndarray) -> np.ndarray:
    """What a step may take of each constraint; ln(ν − 2) moves by one at most."""
    room = c - C @ x
    room[3:] = np.minimum(room[3:], 1.0)
    return room


def _climb(
    z: np.ndarray, target: np.ndarray, guess: np.ndarray, pairs: Pairs | None, tolerance: float
) -> Maximum:
    C, c = _feasible(len(guess))

    def at(x: np.ndarray) -> tuple:
        return _inner(z, target, x, pairs)

    x = _to_inner(guess)
    found, steps, gain = at(x), 0, np.inf
    if not np.isfinite(found[0]):
        raise EstimationError(SINGULAR)
    while steps < STEPS:
        value, scores, hessian, _ = found
        score = scores.sum(axis=0)
        move, gain = _step(score, hessian, C, _room(C, c, x))
        if gain < tolerance:
            break
        length = 1.0
        while length > 1e-6:
            trial = at(x + length * move)
            if trial[0] >= value + 1e-4 * length * (score @ move):
                break
            length /= 2.0
        else:
            break
        x, found, steps = x + length * move, trial, steps + 1
        x[:2] = np.where(np.abs(x[:2]) < 1e-12, 0.0, x[:2])
    message = f"Newton, {steps} step{'s' * (steps != 1)}"
    if not gain < tolerance:
        x, words = _fallback(at, x, C, c)
        found = at(x)
        gain = _step(found[1].sum(axis=0), found[2], C, c - C @ x)[1]
        message = f"SLSQP ({words}) after Newton stalled at step {steps}"
    params = _from_inner(x)
    value, scores, hessian, state = found
    if len(params) == 3:  # back from ln(ν − 2) to ν
        v = params[2] - 2.0
        hessian[2, 2] -= scores[:, 2].sum()
        scores[:, 2] /= v
        hessian[2] /= v
        hessian[:, 2] /= v
    held = C @ x >= c - 1e-12
    if held[0]:
        message += "; a is zero: the correlation is constant and b is not identified"
    return Maximum(
        params=params,
        loglikelihood=float(value),
        scores=scores,
        hessian=hessian,
        state=state,
        converged=bool(gain < max(tolerance, 1e-6)),
        on_bound=bool(held.any()),
        message=message,
    )


def _start(z: np.ndarray, target: np.ndarray, errors: str, pairs: Pairs | None) -> np.ndarray:
    """The best of `STARTS` by a few pairs; then the maximum over a few assets, if it is inside."""
    few = np.arange(0, z.shape[1] - 1, -(-(z.shape[1] - 1) // FEW))
    tail = (8.0,) if errors == "t" else ()
    tried = [np.array([*start, *tail]) for start in STARTS]
    values = [evaluate(z, target, start, (few, few + 1))[0] for start in tried]
    if not np.isfinite(values).any():
        raise EstimationError(SINGULAR)
    best = tried[int(np.nanargmax(values))]
    if pairs is not None or z.shape[1] < 2 * FEW:
        return best
    some = np.ix_(few, few)
    near = maximise(own(z[:, few]), own(target[some]), errors, None, best, 1e-2).params
    return near if near[0] > 0.005 else best


def _to_inner(params: np.ndarray) -> np.ndarray:
    x = np.array(params, dtype=float)
    x[2:] = np.log(x[2:] - 2.0)
    return x


def _from_inner(x: np.ndarray) -> np.ndarray:
    params = np.array(x)
    params[2:] = 2.0 + np.exp(params[2:])
    return params


def _inner(
    z: np.ndarray, target: np.ndarray, x: np.ndarray, pairs: Pairs | None
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray | None]:
    """`evaluate` with ln(ν − 2) in the place of ν."""
    value, scores, hessian, state = evaluate(z, target, _from_inner(x), pairs)
    if len(x) == 3:
        v = math.exp(x[2])
        scores[:, 2] *= v
        hessian[2] *= v
        hessian[:, 2] *= v
        hessian[2, 2] += scores[:, 2].sum()
    return value, scores, hessian, state


def _step(
    score: np.ndarray, hessian: np.ndarray, C: np.ndarray, room: np.ndarray
) -> tuple[np.ndarray, float]:
    """The step d that maximises score'd − ½ d'A d over C d ≤ room, and what it promises.

    A is −Hessian with the absolute values of its eigenvalues, so that it leads uphill anywhere.
    Few constraints: active sets are tried by size, and the first one whose step is feasible with
    multipliers that are not negative is the solution, for the problem is concave.
    """
    values, vectors = np.linalg.eigh(-hessian)
    sizes = np.abs(values)
    A = (vectors * np.maximum(sizes, 1e-10 * sizes.max())) @ vectors.T
    n = len(score)
    for size in range(n + 1):
        for held in combinations(range(len(C)), size):
            H = C[list(held)]
            K = np.block([[A, H.T], [H, np.zeros((size, size))]]) if size else A
            try:
                solved = np.linalg.solve(K, np.r_[score, room[list(held)]])
            except np.linalg.LinAlgError:
                continue  # these constraints contradict or repeat one another
            move = solved[:n]
            if (C @ move <= room + 1e-13).all() and (solved[n:] >= 0.0).all():
                return move, float(score @ move - 0.5 * move @ A @ move)
    return np.zeros(n), np.inf


def _fallback(at: object, x: np.ndarray, C: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, str]:
    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, scores, _, _ = at(x)
        return (-value, -scores.sum(axis=0)) if np.isfinite(value) else (1e300, np.zeros(len(x)))

    inside = {"type": "ineq", "fun": lambda x: c - C @ x, "jac": lambda _: -C}
    made = optimize.minimize(objective, x, jac=True, method="SLSQP", constraints=[inside])
    return (made.x if (C @ made.x <= c).all() else x), made.message


def _constant(nu: float, n: int) -> tuple[float, float, float]:
    """Constant of the log density in n dimensions, and its two derivatives by ν."""
    if math.isinf(nu):
        return -0.5 * n * math.log(2.0 * math.pi), 0.0, 0.0
    v = nu - 2.0
    c = math.lgamma((nu + n) / 2) - math.lgamma(nu / 2) - n / 2 * math.log(math.pi * v)
    digamma, trigamma = special.digamma, lambda x: special.polygamma(1, x)
    c1 = 0.5 * (digamma((nu + n) / 2) - digamma(nu / 2)) - n / (2 * v)
    c2 = 0.25 * (trigamma((nu + n) / 2) - trigamma(nu / 2)) + n / (2 * v**2)
    return c, float(c1), float(c2)
