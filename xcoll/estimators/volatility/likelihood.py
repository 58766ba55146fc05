"""Maximum likelihood of GARCH(1,1) and GJR with normal or t errors: the compiled climb, in letters.

    GARCH    h_t = ω + α ε²_{t−1} + β h_{t−1}
    GJR      h_t = ω + (α + γ 1[ε_{t−1} < 0]) ε²_{t−1} + β h_{t−1},      α ≥ 0, α + γ ≥ 0

(Bollerslev 1986; Glosten, Jagannathan and Runkle 1993), stationary: α + γ/2 + β < 1.  Where the
climb does not converge the package arch is asked, and its answer says so.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from scipy.signal import lfilter
from scipy.special import digamma

from xcoll import checks
from xcoll._jit import own
from xcoll.estimators.volatility import _arch, _kernels
from xcoll.estimators.volatility._arch import STARTS

__all__ = ["FAST", "Maximum", "Refits", "contributions", "maximise", "refit"]

BOUND = 1e-6  # a persistence nearer to one than this is the bound, not an estimate
TIGHT, LOOSE = 1e-16, 1e-7  # log-likelihood that a fit and a refit may leave
AFRESH = 20  # bars from one search for other maxima to the next

# Letters to the kernels' point (μ, ω, α⁺, α⁻, β, ν), without ν.
POINTS = {
    "garch": np.array(
        [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]], float
    ),
    "gjr": np.array(
        [
            [1, 0, 0, 0, 0],
            [0, 1, 0, 0, 0],
            [0, 0, 1, 0, 0],
            [0, 0, 1, 1, 0],
            [0, 0, 0, 0, 1],
        ],
        float,
    ),
}
FAST = frozenset((model, errors) for model in POINTS for errors in ("normal", "t"))


def _to_point(params: np.ndarray, model: str) -> np.ndarray:
    """Letters to the kernels' point; ν of normal errors is not looked at."""
    size = POINTS[model].shape[1]
    nu = params[..., size:] if params.shape[-1] > size else np.full((*params.shape[:-1], 1), 5.0)
    return np.concatenate([params[..., :size] @ POINTS[model].T, nu], axis=-1)


def _to_letters(points: np.ndarray, model: str, errors: str) -> np.ndarray:
    """The kernels' points, one a row, to letters."""
    columns = [points[..., 0], points[..., 1], points[..., 2]]
    if model == "gjr":
        columns.append(points[..., 3] - points[..., 2])
    columns.append(points[..., 4])
    if errors == "t":
        columns.append(points[..., 5])
    return np.stack(columns, axis=-1)


def _on_bound(points: np.ndarray) -> np.ndarray:
    return 0.5 * (points[..., 2] + points[..., 3]) + points[..., 4] > 1.0 - BOUND


@dataclass(frozen=True)
class Maximum:
    """A maximum of the likelihood, in the unit of the returns.

    Attributes
    ----------
    params : ndarray
        In the order of `names`: mu, omega, alpha, gamma (GJR), beta, nu (t errors).
    on_bound : bool
        α + γ/2 + β is one.
    message : str
        How the climb ended.
    variance : ndarray
        h of each bar and, last, the forecast of the next: n + 1.
    """

    engine: ClassVar[str] = "xcoll"

    params: np.ndarray
    names: list[str]
    loglikelihood: float
    converged: bool
    on_bound: bool
    message: str
    variance: np.ndarray
    x: np.ndarray = field(repr=False)
    model: str
    errors: str
    start: str

    def path(self, params: np.ndarray) -> np.ndarray:
        """Variances of the n bars and the next one at any parameters."""
        out = np.empty(len(self.x) + 1)
        initial = STARTS[self.start](self.x, params[0])
        _kernels.filtered(self.x, _to_point(np.asarray(params), self.model), initial, out)
        return out

    def covariance(self) -> dict[str, np.ndarray]:
        """Covariance of the parameters by kind, in the unit of the returns.

        "hessian" `H⁻¹`, "opg" `(S'S)⁻¹`, and "robust" `H⁻¹ S'S H⁻¹` (Bollerslev and Wooldridge
        1992), with S the score by bar and H minus the Hessian, by differences of the score.
        A parameter that is held at zero, or ν at its limit, is taken as known: its entries are
        NaN.  All are NaN where a matrix has no inverse.
        """
        mean, scale = self.x.mean(), self.x.std()
        y = (self.x - mean) / scale
        unit = np.ones(len(self.params))
        unit[0], unit[1] = scale, scale**2
        params = self.params / unit
        params[0] -= mean / scale
        point = _to_point(params, self.model)
        limits = np.exp(_kernels.LOG_NU) + 2.0
        held = np.isclose(point, 0.0, atol=1e-9)
        held[:2] = False
        held[5] = np.isclose(point[5], limits, rtol=1e-6).any()
        # In the letters α and β, and for GJR α⁺, α⁻ and β, so that what is held is a coordinate.
        tied = self.model == "garch"
        spread = np.eye(6)[:, [0, 1, 2, 4, 5] if tied else range(6)]
        if tied:
            spread[3, 2] = 1.0
        if self.errors == "normal":
            spread = spread[:, :-1]
        free = [k for k in range(spread.shape[1]) if not held[spread[:, k] > 0].all()]
        spread = spread[:, free]

        def score(at: np.ndarray) -> np.ndarray:
            return contributions(y, at, self.start, self.errors).sum(axis=0) @ spread

        sizes = np.maximum(point, 1e-2)
        sizes[0], sizes[1], sizes[5] = 1.0, point[1], point[5] - 2.0
        steps = [1e-5 * sizes[column > 0].min() for column in spread.T]
        hessian = np.array(
            [
                (score(point - step * way) - score(point + step * way)) / (2.0 * step)
                for step, way in zip(steps, spread.T, strict=True)
            ]
        )
        hessian = (hessian + hessian.T) / 2.0
        scores = contributions(y, point, self.start, self.errors) @ spread
        outer = scores.T @ scores
        letters = _to_letters(spread.T, self.model, self.errors).T
        unknown = ~letters.any(axis=1)
        found = {}
        for kind, (left, middle) in {
            "hessian": (hessian, hessian),
            "opg": (outer, outer),
            "robust": (hessian, outer),
        }.items():
            if np.linalg.cond(left) < 1e14:
                inverse = np.linalg.inv(left)
                matrix = letters @ inverse @ middle @ inverse @ letters.T
            else:  # a flat likelihood has no inverse: no interval either
                matrix = np.full((len(letters), len(letters)), np.nan)
            matrix[unknown] = np.nan
            matrix[:, unknown] = np.nan
            found[kind] = matrix * np.outer(unit, unit)
        return found

    def forecast_variance(self, bars: int) -> np.ndarray:
        """Mean of h in each of the next `bars` bars: `ω + p E h` from one to the next."""
        point = _to_point(self.params, self.model)
        p = 0.5 * (point[2] + point[3]) + point[4]
        ahead = p ** np.arange(checks.whole("bars", bars))
        drift = np.concatenate([[0.0], np.cumsum(ahead)[:-1]])
        return ahead * self.variance[-1] + point[1] * drift

    def simulate(
        self, bars: int, paths: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns and variances of the next bars, each paths × bars."""
        shape = checks.whole("paths", paths), checks.whole("bars", bars)
        if self.errors == "t":
            nu = self.params[-1]
            z = rng.standard_t(nu, shape) * np.sqrt((nu - 2.0) / nu)
        else:
            z = rng.standard_normal(shape)
        mu, omega, plus, minus, beta, _ = _to_point(self.params, self.model)
        shocks, variance = np.empty(shape), np.empty(shape)
        h = np.full(shape[0], self.variance[-1])
        for s in range(shape[1]):
            variance[:, s] = h
            shocks[:, s] = np.sqrt(h) * z[:, s]
            h = omega + np.where(z[:, s] < 0.0, minus, plus) * shocks[:, s] ** 2 + beta * h
        return mu + shocks, variance


def contributions(x: np.ndarray, point: np.ndarray, start: str, errors: str) -> np.ndarray:
    """Score of each bar in μ, ω, α⁺, α⁻, β, ν: n × 6; the last column is zero for normal errors.

    The derivatives of h follow the recursion of h itself, a linear filter with weight β:

        ∂h_t = ∂ω + ∂α ε²_{t−1} + ∂β h_{t−1} − 2 a ε_{t−1} ∂μ + β ∂h_{t−1}
    """
    mu, omega, plus, minus, beta, nu = point
    e = x - mu
    p = 0.5 * (plus + minus) + beta
    initial = STARTS[start](x, mu)
    moves = -2.0 * e.mean() if start == "sample" else 0.0  # ∂ of the initial ε² in μ
    a = np.where(e < 0.0, minus, plus)
    h = lfilter([1.0], [1.0, -beta], omega + np.r_[p * initial, (a * e**2)[:-1]])
    direct = np.ones((len(x), 5))
    direct[0] = [p * moves, 1.0, 0.5 * initial, 0.5 * initial, initial]
    direct[1:, 0] = (-2.0 * a * e)[:-1]
    direct[1:, 2] = np.where(e >= 0.0, e**2, 0.0)[:-1]
    direct[1:, 3] = np.where(e < 0.0, e**2, 0.0)[:-1]
    direct[1:, 4] = h[:-1]
    of_h = lfilter([1.0], [1.0, -beta], direct, axis=0)
    z2 = e**2 / h
    weight = (nu + 1.0) / (nu - 2.0 + z2) if errors == "t" else np.ones_like(z2)
    score = np.zeros((len(x), 6))
    score[:, :5] = (0.5 * (weight * z2 - 1.0) / h)[:, None] * of_h
    score[:, 0] += weight * e / h
    if errors == "t":
        score[:, 5] = 0.5 * (
            digamma(0.5 * (nu + 1.0))
            - digamma(0.5 * nu)
            + (weight * z2 - 1.0) / (nu - 2.0)
            - np.log1p(z2 / (nu - 2.0))
        )
    return score


def maximise(
    x: np.ndarray, model: str, errors: str, start: str, guess: np.ndarray | None = None
) -> Maximum | _arch.Estimate:
    """The highest maximum found from a grid of points and from `guess`.

    Parameters
    ----------
    x : ndarray
        Returns in any unit; mean and scale are taken out inside.
    model, errors : str
        A pair of `FAST`.
    start : str
        Of `STARTS`.
    guess : ndarray, optional
        Parameters in the unit of `x`.

    Returns
    -------
    Maximum, or arch's Estimate where the climb did not converge and arch did.  Where neither did,
    `converged` is False and `message` says why; NaN where `x` cannot be fitted at all.
    """
    names = _arch.names(model, errors)
    reason = _arch.unfit(x)
    if reason:
        nothing = np.full(len(names), np.nan), names, np.nan, False, False, reason
        return Maximum(*nothing, np.full(len(x) + 1, np.nan), x, model, errors, start)
    x = own(x)
    mean, scale = x.mean(), x.std()
    y = (x - mean) / scale
    initial = np.nan if start == "sample" else STARTS[start](y, 0.0)
    kind = model == "garch", errors == "t"
    point = np.empty(_kernels.SIZE)
    value, steps, _ = _kernels.search(y, initial, *kind, LOOSE, -np.inf, point)
    nowhere = np.full(7, np.inf)
    if guess is not None:
        other = _to_point(np.asarray(guess, float), model)
        other[0], other[1] = (other[0] - mean) / scale, other[1] / scale**2
        found, more, _ = _kernels.climb(y, other, initial, *kind, LOOSE, value, nowhere)
        steps += more
        if found > value:
            point = other
    value, more, converged = _kernels.climb(y, point, initial, *kind, TIGHT, -np.inf, nowhere)
    steps += more
    point[0], point[1] = mean + scale * point[0], point[1] * scale**2
    on_bound = bool(_on_bound(point))
    said = f"{'converged' if converged else 'did not converge'} in {steps} steps"
    said += " on the persistence bound" if on_bound else ""
    params = _to_letters(point, model, errors)
    value -= len(x) * np.log(scale)
    variance = np.empty(len(x) + 1)
    _kernels.filtered(x, point, STARTS[start](x, point[0]), variance)
    ours = Maximum(
        params, names, value, converged, on_bound, said, variance, x, model, errors, start
    )
    if converged:
        return ours
    theirs = _arch.estimate(x, model, errors, start)
    if theirs.converged and theirs.loglikelihood >= value:
        return replace(theirs, message=f"{said}; arch: {theirs.message}")
    return replace(ours, message=f"{said}; arch: {theirs.message}, not higher")


@dataclass(frozen=True)
class Refits:
    """How the refits of one asset ended, one row each, in the unit of the returns.

    `params` refits × letters, NaN where a refit did not converge; `engine` "xcoll" or "arch";
    `volatility` and `mean` by bar, NaN before the first refit that converged.
    """

    params: np.ndarray
    loglikelihood: np.ndarray
    converged: np.ndarray
    on_bound: np.ndarray
    engine: np.ndarray
    message: np.ndarray
    volatility: np.ndarray
    mean: np.ndarray


def refit(
    x: np.ndarray, ends: np.ndarray, window: int, model: str, errors: str, start: str
) -> Refits:
    """Refit to the `window` bars (0: all) before each of `ends`, filter with it until the next.

    Each refit climbs from the one before it; every 20 bars, and where a bar beyond four standard
    deviations has entered or left, it is searched for from a grid as well.  One that does not
    converge is left to arch, and where that does not either, the parameters before it stay.
    """
    x = own(x)
    sample, kind = start == "sample", (model == "garch", errors == "t")
    points, values, converged, fresh = _kernels.refits(
        x, ends, window, sample, *kind, LOOSE, AFRESH
    )
    engine = np.full(len(ends), "xcoll", object)
    message = np.where(fresh, "searched afresh: more than from the refit before", "")
    message = message.astype(object)
    for r in np.flatnonzero(~converged):
        end = ends[r]
        past = x[max(0, end - window) if window else 0 : end]
        reason = _arch.unfit(past)
        points[r] = np.nan
        if reason:
            message[r] = reason
            continue
        theirs = _arch.estimate(past, model, errors, start)
        message[r] = f"did not converge; arch: {theirs.message}"
        if theirs.converged:
            points[r] = _to_point(theirs.params, model)
            values[r], converged[r], engine[r] = theirs.loglikelihood, True, "arch"
    on_bound = _on_bound(points)
    params = _to_letters(points, model, errors)
    inforce = _last(points)
    variance = np.full(len(x), np.nan)
    _kernels.forecasts(x, ends, window, sample, inforce, variance)
    mean = np.full(len(x), np.nan)
    mean[ends[0] - 1 :] = np.repeat(inforce[:, 0], np.diff(np.append(ends, len(x) + 1)))
    return Refits(params, values, converged, on_bound, engine, message, np.sqrt(variance), mean)


def _last(points: np.ndarray) -> np.ndarray:
    """Each row that is NaN replaced by the last one that is not."""
    known = ~np.isnan(points[:, 0])
    rows = np.maximum.accumulate(np.where(known, np.arange(len(points)), 0))
    return points[rows]
