"""Dynamic conditional correlation, DCC(1,1) of Engle (2002), from standardised residuals.

    Q_t = (1 − a − b) Q̄ + a z_{t−1} z'_{t−1} + b Q_{t−1},   Q_1 = Q̄ = Σ z_t z'_t / T,
    R_t = diag(Q_t)^{-½} Q_t diag(Q_t)^{-½}

The second of two steps: the margins, their volatility and so z, come from
`estimators.volatility`.  Assets of unequal histories are understood: (a, b, ν) are estimated on
the bars that all have, Q̄ of a later asset rests on its regression on the earlier ones over its
own bars (Stambaugh 1997), and its path starts when it is listed, at what is expected of it given
the others.  So every R_t is positive semidefinite.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll._jit import own
from xcoll.errors import EstimationError
from xcoll.estimators.correlation import _kernels, likelihood
from xcoll.estimators.correlation.paths import LEAST_BARS, pairs, several

__all__ = [
    "COMPOSITES",
    "MANY",
    "Dcc",
    "check_errors",
    "correlation_of",
    "fit",
    "likelihood_of",
    "path_of",
    "target_of",
]

MANY = 30  # assets from which the likelihood is composite if not told
LEAST_SQUARE = 0.02  # mean square under which a column is returns rather than residuals


def _joint(_: int) -> None:
    return None


def _contiguous(assets: int) -> likelihood.Pairs:
    return np.arange(assets - 1), np.arange(1, assets)


def _all(assets: int) -> likelihood.Pairs:
    return np.triu_indices(assets, k=1)


COMPOSITES: dict[str, Callable[[int], likelihood.Pairs | None]] = {
    "all": _all,
    "contiguous": _contiguous,
    "joint": _joint,
}


@dataclass(frozen=True)
class Dcc:
    """One fitted DCC.

    Attributes
    ----------
    a, b, nu : float
        ν is infinite under the normal law.
    target : DataFrame
        Q̄, asset × asset.
    correlation : DataFrame
        time × pair, R stamped t for the bar after t; NaN before both are listed and after one is
        delisted.
    last : DataFrame
        R of the bar after the last, of the assets that are still there.
    loglikelihood : float
        Of the residuals on the bars that all have; the mean over pairs where it is composite.
    composite : str
        "joint", "contiguous" or "all".
    bars : int
        That all assets have.
    scores, hessian : DataFrame
        bar × parameter and parameter × parameter, of (a, b[, ν]).
    state : DataFrame
        S of the bar after the last, Q = Q̄ + aS, as `last` has it.
    """

    errors: str
    composite: str
    a: float
    b: float
    nu: float
    target: pd.DataFrame
    correlation: pd.DataFrame = field(repr=False)
    last: pd.DataFrame
    loglikelihood: float
    bars: int
    converged: bool
    on_bound: bool
    message: str
    scores: pd.DataFrame = field(repr=False)
    hessian: pd.DataFrame = field(repr=False)
    state: pd.DataFrame = field(repr=False)

    def std_errors(self, kind: str = "robust") -> pd.Series:
        """Standard errors of (a, b[, ν]) with the margins and Q̄ taken as known.

        "robust" is the sandwich H⁻¹ (Σ s_t s'_t) H⁻¹ (White 1982; of Godambe where the likelihood
        is composite, for which the other two are not errors), "hessian" −H⁻¹, "opg" (Σ s s')⁻¹.
        The first step's uncertainty is left out.  NaN where the matrix is no covariance.
        """
        H, OPG = self.hessian.to_numpy(), self.scores.to_numpy().T @ self.scores.to_numpy()
        makers = {
            "hessian": lambda: np.linalg.inv(-H),
            "opg": lambda: np.linalg.inv(OPG),
            "robust": lambda: np.linalg.inv(H) @ OPG @ np.linalg.inv(H),
        }
        maker = makers[checks.one_of("kind", kind, makers)]
        try:
            variance = np.diag(maker())
        except np.linalg.LinAlgError:
            variance = np.full(len(H), np.nan)
        known = np.where(variance > 0.0, variance, np.nan)
        return pd.Series(np.sqrt(known), index=self.hessian.index, name=kind)

    def simulate(self, bars: int, paths: int, rng: np.random.Generator) -> np.ndarray:
        """Standardised residuals of the next `bars` bars, path × bar × asset of `last`.

        Unit variance on average: multiply by σ once.  Raises `EstimationError` where R is
        singular.
        """
        checks.whole("bars", bars)
        checks.whole("paths", paths)
        mixing = np.ones((paths, bars))
        shocks = rng.standard_normal((paths, bars, len(self.last)))
        if math.isfinite(self.nu):
            mixing = np.sqrt((self.nu - 2.0) / rng.chisquare(self.nu, (paths, bars)))
        target = self.target.loc[self.last.index, self.last.index].to_numpy()
        made = np.empty_like(shocks)
        state, target = own(self.state.to_numpy()), own(target)
        if not _kernels.simulated(shocks, mixing, target, self.a, self.b, state, made):
            raise EstimationError("the correlation is singular; leave out an asset that repeats")
        return made


def fit(residuals: pd.DataFrame, errors: str = "normal", composite: str | None = None) -> Dcc:
    """DCC(1,1) by quasi-likelihood.

    Parameters
    ----------
    residuals : DataFrame
        time × asset, standardised; NaN before listing and after delisting.
    errors : str
        "normal", or "t": the multivariate Student t with unit variances, ν estimated.
    composite : str, optional
        "joint": the likelihood of all assets at once; "contiguous": the mean over the pairs of
        neighbouring columns; "all": over all pairs.  Default: joint, and contiguous pairs from
        `MANY` assets up (Pakel, Shephard, Sheppard and Engle 2021).

    Raises
    ------
    EstimationError
        Fewer than `LEAST_BARS` bars that all assets have, a column that is not standardised, or
        assets that repeat one another.  An optimiser that does not converge is no error here:
        `converged` is False and `message` says why.
    """
    check_errors(errors)
    frame = several(residuals)
    z = own(frame.to_numpy())
    small = frame.columns[np.nanmean(z**2, axis=0) < LEAST_SQUARE]
    if len(small):
        raise EstimationError(
            f"{small[0]}: mean square under {LEAST_SQUARE:g}; give standardised residuals,"
            " not returns"
        )
    common = z[np.isfinite(z).all(axis=1)]
    if len(common) < LEAST_BARS:
        raise EstimationError(
            f"{len(common)} bars that all assets have; {LEAST_BARS} are needed,"
            " leave the latest or the delisted asset out"
        )
    name, which = likelihood_of(composite, z.shape[1])
    target = target_of(z)
    if which is None:
        _regular(target, frame.columns)
    moment = likelihood.second_moment(common)
    found = likelihood.maximise(common, moment, errors, which)
    a, b = (float(value) for value in found.params[:2])
    path, state = path_of(z, target, a, b)
    living = frame.columns[np.isfinite(z[-1])]
    at = np.flatnonzero(np.isfinite(z[-1]))
    names = ["a", "b", "nu"][: len(found.params)]
    dates = frame.index[np.isfinite(z).all(axis=1)]
    labels = {"index": living, "columns": living}
    return Dcc(
        errors=errors,
        composite=name,
        a=a,
        b=b,
        nu=found.nu,
        target=pd.DataFrame(target, frame.columns, frame.columns),
        correlation=pd.DataFrame(path, frame.index, pairs(list(frame.columns)), copy=False),
        last=pd.DataFrame(correlation_of(target[np.ix_(at, at)] + a * state), **labels),
        loglikelihood=found.loglikelihood,
        bars=len(common),
        converged=found.converged,
        on_bound=found.on_bound,
        message=found.message,
        scores=pd.DataFrame(found.scores, dates, names),
        hessian=pd.DataFrame(found.hessian, names, names),
        state=pd.DataFrame(state, **labels),
    )


def likelihood_of(composite: str | None, assets: int) -> tuple[str, likelihood.Pairs | None]:
    """Name and pairs of the likelihood that `composite` asks for; no pairs where it is joint."""
    if composite is None:
        composite = "joint" if assets < MANY else "contiguous"
    return composite, COMPOSITES[checks.one_of("composite", composite, COMPOSITES)](assets)


def correlation_of(Q: np.ndarray) -> np.ndarray:
    """diag(Q)^{-½} Q diag(Q)^{-½} with an exact unit diagonal."""
    scale = 1.0 / np.sqrt(np.diag(Q))
    R = Q * scale[:, None] * scale
    np.fill_diagonal(R, 1.0)
    return R


def target_of(z: np.ndarray) -> np.ndarray:
    """Q̄ of bar × asset residuals, NaN before listing and after delisting.

    The earliest assets by their second moment over the bars that they all have; a later group B
    by its regression on the earlier assets A over the bars that A and B have, residual second
    moment Σ: Q̄_BA = β Q̄_AA, Q̄_BB = β Q̄_AA β' + Σ (Stambaugh 1997), positive semidefinite.
    """
    known = np.isfinite(z)
    if known.all():
        return likelihood.second_moment(z)
    first = known.argmax(axis=0)
    target = np.zeros((z.shape[1], z.shape[1]))
    early = np.empty(0, dtype=int)
    for start in np.unique(first):
        late = np.flatnonzero(first == start)
        both = np.concatenate([early, late])
        x = z[known[:, both].all(axis=1)]
        if len(x) < max(LEAST_BARS, len(both) + 1):
            raise EstimationError(
                f"{len(x)} bars in common from bar {start} on, {max(LEAST_BARS, len(both) + 1)}"
                " are needed; leave the latest or the delisted asset out"
            )
        moment = likelihood.second_moment(x[:, both])
        k = len(early)
        if k:
            beta = np.linalg.solve(moment[:k, :k], moment[:k, k:]).T
            known_part = target[np.ix_(early, early)]
            rest = moment[k:, k:] - beta @ moment[:k, k:]
            target[np.ix_(late, early)] = beta @ known_part
            target[np.ix_(early, late)] = known_part @ beta.T
            target[np.ix_(late, late)] = beta @ known_part @ beta.T + rest
        else:
            target[np.ix_(late, late)] = moment
        early = both
    return (target + target.T) / 2.0


def path_of(z: np.ndarray, target: np.ndarray, a: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    """R of the bar after each bar (bar × pair), and S of the assets that the last bar has.

    An asset listed at u gets S_BA = β S_AA, S_BB = β S_AA β' with β = Q̄_BA Q̄_AA⁻¹: the update
    that is expected given the assets there were.
    """
    bars, n = z.shape
    known = np.isfinite(z)
    path = np.full((bars, n * (n - 1) // 2), np.nan)
    column = np.zeros((n, n), dtype=int)
    column[np.triu_indices(n, 1)] = np.arange(path.shape[1])
    changes = np.flatnonzero((known[1:] != known[:-1]).any(axis=1)) + 1
    edges = [0, *changes.tolist(), bars]
    held, state = np.empty(0, dtype=int), np.zeros((0, 0))
    for u, v in pairwise(edges):
        now = np.flatnonzero(known[u])
        S = np.zeros((n, n))
        S[np.ix_(held, held)] = state
        stays, new = np.intersect1d(held, now), np.setdiff1d(now, held)
        if len(stays) and len(new):
            old = S[np.ix_(stays, stays)]
            beta = np.linalg.solve(target[np.ix_(stays, stays)], target[np.ix_(stays, new)]).T
            S[np.ix_(new, stays)] = beta @ old
            S[np.ix_(stays, new)] = old @ beta.T
            S[np.ix_(new, new)] = beta @ old @ beta.T
        held, state = now, np.ascontiguousarray(S[np.ix_(now, now)])
        if len(now) > 0:
            i, j = np.triu_indices(len(now), 1)
            every = len(now) == n
            rows = path[u:v] if every else np.empty((v - u, len(i)))
            part = np.ascontiguousarray(z[u:v, now])
            Q = np.ascontiguousarray(target[np.ix_(now, now)])
            _kernels.filtered(part, Q, a, b, state, rows)
            if not every:
                path[u:v, column[now[i], now[j]]] = rows
    return path, state


def _regular(target: np.ndarray, assets: pd.Index) -> None:
    R = correlation_of(target)
    values, vectors = np.linalg.eigh(R)
    if values[0] < 1e-10:
        named = assets[np.abs(vectors[:, 0]) > 0.1]
        raise EstimationError(
            f"{', '.join(map(str, named))} repeat one another: their correlation is singular;"
            " leave one out or take a composite likelihood"
        )


def check_errors(errors: str) -> None:
    """Refuse a law that is neither "normal" nor "t"."""
    checks.one_of("errors", errors, ("normal", "t"))
