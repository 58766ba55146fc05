"""DCC re-estimated as time went on: over history by `walk_forward`, bar by bar by `Monitor`."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll._jit import own
from xcoll.errors import DataError, EstimationError
from xcoll.estimators.correlation import dcc, likelihood
from xcoll.estimators.correlation.paths import LEAST_BARS, pairs, several

__all__ = ["Monitor", "Walk", "monitor", "walk_forward"]

TOLERANCE = 1e-5  # of log-likelihood in a re-estimate: parameters within 0.5 % of a standard error
FRESH = 25  # re-estimates after which one starts afresh too, for short samples have local maxima
LOW = 0.7  # b under which they always do
NUDGE = 0.01  # log-likelihood that one Newton step of a monitor may promise


@dataclass(frozen=True)
class Walk:
    """Correlations of a DCC that was re-estimated as time went on.

    Attributes
    ----------
    correlation : DataFrame
        time × pair, R stamped t for the bar after t by what was known at t.
    params : DataFrame
        time, a, b, nu (infinite under the normal law): in force from that bar on.
    record : DataFrame
        One row a re-estimate: time, assets, bars, converged, on_bound, loglikelihood, message.
    """

    errors: str
    correlation: pd.DataFrame
    params: pd.DataFrame
    record: pd.DataFrame


def walk_forward(
    residuals: pd.DataFrame,
    window: int,
    refit_every: int = 1,
    errors: str = "normal",
    composite: str | None = None,
    expanding: bool = False,
    minimum: int = 250,
) -> Walk:
    """Re-estimate (a, b[, ν]) and Q̄ every `refit_every` bars, warm from the last parameters.

    Every `FRESH` re-estimates, and wherever the warm one ends on a bound or with little memory,
    the search starts afresh as well and the higher of the two maxima is taken.

    An asset takes part from `minimum` bars after its listing until its delisting.  (a, b, ν) rest
    on the assets that have all bars of the sample, the last `window` or, where `expanding`, as
    many as the second-longest asset has; the others' Q̄ and path as `dcc` has them.

    Parameters
    ----------
    residuals : DataFrame
        time × asset, standardised by forecasts that were made before; NaN before the first
        forecast and after delisting.
    window, minimum : int
        Bars; a sample shorter than `window` grows from `minimum` on.
    errors, composite : str
        As of `dcc.fit`.

    Returns
    -------
    Walk
        A re-estimate that does not converge leaves the parameters of the last one that did, and
        its message says so.

    Raises
    ------
    EstimationError
        No two assets have `minimum` common bars, or no re-estimate converged.
    """
    frame = several(residuals)
    least = checks.whole("minimum", minimum, LEAST_BARS)
    window = checks.whole("window", window, least)
    every = checks.whole("refit_every", refit_every)
    dcc.check_errors(errors)
    dcc.likelihood_of(composite, frame.shape[1])
    z = frame.to_numpy()
    known = np.isfinite(z)
    count = known.cumsum(axis=0) * known
    enough = (count >= least).sum(axis=1) >= 2
    if not enough.any():
        raise EstimationError(
            f"no two assets have {least} bars in common; take a smaller minimum or other assets"
        )
    names = pairs(list(frame.columns))
    column = np.zeros((z.shape[1], z.shape[1]), dtype=int)
    column[np.triu_indices(z.shape[1], 1)] = np.arange(len(names))
    path = np.full((len(frame), len(names)), np.nan)
    params, record = [], []
    theta = None
    start = int(enough.argmax())
    for t in range(start, len(frame), every):
        stop = min(t + every, len(frame))
        now = np.flatnonzero(count[t] >= least)
        if len(now) < 2:
            continue
        longest = np.sort(count[t, now])[-2]
        bars = int(longest if expanding else min(window, longest))
        core = now[count[t, now] >= bars]
        sample = own(z[t + 1 - bars : t + 1, core])
        target = likelihood.second_moment(sample)
        _, which = dcc.likelihood_of(composite, len(core))
        found = _maximum(sample, target, errors, which, theta, len(record) % FRESH == 0)
        message = found.message
        if found.converged:
            theta = found.params
        else:
            message += "; no path yet" if theta is None else "; the last parameters kept"
        record.append(
            {
                "time": frame.index[t],
                "assets": len(core),
                "bars": bars,
                "converged": found.converged,
                "on_bound": found.on_bound,
                "loglikelihood": found.loglikelihood,
                "message": message,
            }
        )
        if theta is None:
            continue
        a, b, nu = (*theta, math.inf)[:3]
        params.append({"time": frame.index[t], "a": a, "b": b, "nu": nu})
        i, j = np.triu_indices(len(now), 1)
        at = column[now[i], now[j]]
        if len(core) == len(now) and found.converged and found.state is not None and stop == t + 1:
            path[t, at] = dcc.correlation_of(target + a * found.state)[i, j]
        else:
            span = z[t + 1 - bars : stop, now]
            everyone = target if len(core) == len(now) else dcc.target_of(span[:bars])
            rows, _ = dcc.path_of(span, everyone, a, b)
            path[t:stop, at] = rows[bars - 1 :]
    if theta is None:
        raise EstimationError(
            f"none of {len(record)} re-estimates converged, the last: {record[-1]['message']};"
            " use exponential weights"
        )
    return Walk(
        errors=errors,
        correlation=pd.DataFrame(path, frame.index, names, copy=False),
        params=pd.DataFrame(params),
        record=pd.DataFrame(record),
    )


@dataclass(frozen=True)
class Monitor:
    """A DCC that goes on bar by bar; each update is a new one, the old one stays as it was.

    Attributes
    ----------
    assets : tuple
        Order of the columns everywhere.
    params : ndarray
        (a, b) or (a, b, ν).
    matrix : ndarray
        R of the next bar, asset × asset.
    converged : bool
        Of the last re-estimate.
    sample, target, state : ndarray
        The trailing window (bar × asset), its Q̄, and S of the next bar.
    """

    assets: tuple[str, ...]
    errors: str
    composite: str
    params: np.ndarray
    matrix: np.ndarray
    converged: bool
    message: str
    sample: np.ndarray = field(repr=False)
    target: np.ndarray = field(repr=False)
    state: np.ndarray = field(repr=False)

    @property
    def correlation(self) -> pd.DataFrame:
        """`matrix` with its assets' names."""
        return pd.DataFrame(self.matrix, list(self.assets), list(self.assets))

    def update(self, row: np.ndarray | pd.Series, refit: bool = False) -> "Monitor":
        """Take in one bar of standardised residuals.

        Without `refit` the recursion makes one step at fixed parameters and Q̄.  With it the
        window moves by one bar, Q̄ is taken anew, and (a, b[, ν]) take one Newton step over the
        whole window; where that promises more than `NUDGE` of log-likelihood, or ends on a bound
        or with little memory, they are estimated as by `dcc.fit`.  Where that does not converge
        the last parameters stay, and `converged` and `message` say so.

        Raises
        ------
        DataError
            `row` lacks an asset, or holds NaN or an infinity.
        """
        z = row.reindex(self.assets).to_numpy(float) if isinstance(row, pd.Series) else row
        z = np.asarray(z, dtype=float)
        if z.shape != (len(self.assets),) or not np.isfinite(z).all():
            raise DataError(
                f"the bar's residuals are {z}; give {len(self.assets)} finite numbers, for "
                f"{', '.join(map(str, self.assets))}"
            )
        sample = np.concatenate([self.sample[1:], z[None]])
        if refit:
            return _estimated(replace(self, sample=sample))
        a, b = self.params[:2]
        state = np.outer(z, z) - self.target + b * self.state
        matrix = dcc.correlation_of(self.target + a * state)
        return replace(self, sample=sample, state=state, matrix=matrix)


def monitor(
    residuals: pd.DataFrame, window: int, errors: str = "normal", composite: str | None = None
) -> Monitor:
    """A `Monitor` that stands after the last bar of `residuals`.

    Parameters
    ----------
    residuals : DataFrame
        time × asset, standardised, all assets listed for the last `window` bars.
    window : int
        Bars of the trailing sample.
    errors, composite : str
        As of `dcc.fit`.

    Raises
    ------
    EstimationError
        Fewer than `window` bars that all have, or a first estimate that does not converge.
    """
    frame = several(residuals)
    window = checks.whole("window", window, LEAST_BARS)
    dcc.check_errors(errors)
    name, _ = dcc.likelihood_of(composite, frame.shape[1])
    sample = own(frame.to_numpy()[-window:])
    if len(sample) < window or not np.isfinite(sample).all():
        raise EstimationError(
            f"not all assets have the last {window} bars; take a shorter window or fewer assets"
        )
    n = frame.shape[1]
    empty = Monitor(
        assets=tuple(frame.columns),
        errors=errors,
        composite=name,
        params=np.empty(0),
        matrix=np.eye(n),
        converged=False,
        message="",
        sample=sample,
        target=np.eye(n),
        state=np.zeros((n, n)),
    )
    made = _estimated(empty)
    if not made.converged:
        raise EstimationError(f"the first estimate did not converge: {made.message}")
    return made


def _estimated(moved: Monitor) -> Monitor:
    target = likelihood.second_moment(moved.sample)
    _, which = dcc.likelihood_of(moved.composite, len(moved.assets))
    guess = moved.params if len(moved.params) else None
    params, gain = np.zeros(2), np.inf
    if guess is not None:
        params, gain = likelihood.nudge(moved.sample, target, guess, which)
    inside = params[0] > 0.0 and params[1] >= LOW and params[:2].sum() < likelihood.MOST
    if inside and gain < NUDGE:
        converged, message = True, f"a Newton step, {gain:.1e} of log-likelihood"
    else:
        found = _maximum(moved.sample, target, moved.errors, which, guess, fresh=False)
        params = found.params if found.converged or guess is None else guess
        converged, message = found.converged, found.message
    weights = params[1] ** np.arange(len(moved.sample))[::-1]  # S = Σ b^k (z z' − Q̄)
    state = (weights[:, None] * moved.sample).T @ moved.sample - weights.sum() * target
    return replace(
        moved,
        params=params,
        matrix=dcc.correlation_of(target + params[0] * state),
        converged=converged,
        message=message,
        target=target,
        state=state,
    )


def _maximum(
    z: np.ndarray,
    target: np.ndarray,
    errors: str,
    which: likelihood.Pairs | None,
    guess: np.ndarray | None,
    fresh: bool,
) -> likelihood.Maximum:
    found = likelihood.maximise(z, target, errors, which, guess, TOLERANCE)
    doubtful = found.on_bound or found.params[1] < LOW or not found.converged
    if guess is None or not (fresh or doubtful):
        return found
    other = likelihood.maximise(z, target, errors, which, None, TOLERANCE)
    higher = other.loglikelihood > found.loglikelihood or not found.converged
    return other if other.converged and higher else found
