"""Volatility walked forward: refitted every so many bars, filtered in between, nothing foreseen."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.series import checked, listed
from xcoll.estimators.volatility import _arch, likelihood
from xcoll.estimators.volatility.garch import engine
from xcoll.estimators.volatility.likelihood import Refits

__all__ = ["WalkForward", "residuals", "walk_forward"]


@dataclass(frozen=True)
class WalkForward:
    """Forecasts of a model that was refitted as time went on, and how each refit ended.

    Attributes
    ----------
    volatility, mean : DataFrame
        time × asset; stamped t for the bar after t.  NaN until the first refit that converged.
    residuals : DataFrame
        time × asset; (r_t − mean_{t−1}) / volatility_{t−1}.
    params : DataFrame
        Long: time, asset, parameter, value; one set for each refit that converged.
    record : DataFrame
        Long, one row a refit: time, asset, bars (used), engine ("xcoll", or "arch" where that was
        fallen back on), converged, on_bound, loglikelihood, message (empty where there is nothing
        to say; which earlier parameters were kept where a refit did not converge).
    """

    model: str
    errors: str
    volatility: pd.DataFrame
    mean: pd.DataFrame
    residuals: pd.DataFrame
    params: pd.DataFrame
    record: pd.DataFrame


def residuals(
    returns: pd.DataFrame, volatility: pd.DataFrame, mean: pd.DataFrame | float = 0.0
) -> pd.DataFrame:
    """Standardised returns (r_t − mean_{t−1}) / volatility_{t−1}; NaN without a forecast."""
    expected = mean.shift(1) if isinstance(mean, pd.DataFrame) else mean
    return (returns - expected) / volatility.shift(1)


def walk_forward(
    returns: pd.DataFrame,
    window: int,
    refit_every: int = 1,
    model: str = "garch",
    errors: str = "t",
    expanding: bool = False,
    minimum: int | None = None,
    start: str = "backcast",
) -> WalkForward:
    """Refit every `refit_every` bars from the last parameters, filter with them in between.

    Parameters
    ----------
    returns : DataFrame
        time × asset; NaN before listing and after delisting.
    window : int
        Bars in a refit.  Where `expanding`, all bars since listing are used instead and `window`
        is only the number before the first refit.
    model, errors, start : str
        As in `fit`.  EGARCH, FIGARCH and the skewed t go through arch, some fifty milliseconds
        a refit and more; GARCH and GJR with normal or t errors take less than one.
    minimum : int, optional
        Bars of an asset before its first refit, at most `window` (default: `window`); from then
        on the sample grows until it reaches `window`.

    Returns
    -------
    WalkForward
        A refit that does not converge leaves the parameters of the last one that did, and a row
        in the record that says so.

    Raises
    ------
    EstimationError
        An asset with fewer bars than `minimum`, NaN inside a listing, or no refit that converged.
    """
    engine(model, errors, start)
    frame = checked(returns)
    window = checks.whole("window", window, _arch.LEAST_BARS)
    least = window if minimum is None else checks.whole("minimum", minimum, _arch.LEAST_BARS)
    every = checks.whole("refit_every", refit_every)
    refit = likelihood.refit if (model, errors) in likelihood.FAST else _refit_by_arch
    volatility, mean = (pd.DataFrame(np.nan, frame.index, frame.columns) for _ in range(2))
    params, record = [], []
    for asset in frame:
        series = listed(frame[asset])
        if len(series) < min(least, window):
            raise EstimationError(
                f"{asset}: {len(series)} bars, the first refit needs {min(least, window)};"
                " take a smaller minimum or leave the asset out"
            )
        ends = np.arange(min(least, window), len(series) + 1, every)
        span = 0 if expanding else window
        done = refit(series.to_numpy(), ends, span, model, errors, start)
        if not done.converged.any():
            raise EstimationError(
                f"{asset}: none of {len(ends)} refits converged, the last: {done.message[-1]};"
                " use EWMA for this asset"
            )
        volatility.loc[series.index, asset] = done.volatility
        mean.loc[series.index, asset] = done.mean
        times = series.index[ends - 1]
        bars = np.minimum(ends, window) if not expanding else ends
        params.append(_params(done, times, asset, _arch.names(model, errors)))
        record.append(_record(done, times, asset, bars))
    return WalkForward(
        model=model,
        errors=errors,
        volatility=volatility,
        mean=mean,
        residuals=residuals(frame, volatility, mean),
        params=pd.concat(params, ignore_index=True),
        record=pd.concat(record, ignore_index=True),
    )


def _params(done: Refits, times: pd.Index, asset: str, names: list[str]) -> pd.DataFrame:
    good = np.flatnonzero(done.converged)
    return pd.DataFrame(
        {
            "time": times[good].repeat(len(names)),
            "asset": pd.Series(np.full(len(good) * len(names), asset), dtype="str"),
            "parameter": pd.Series(np.tile(names, len(good)), dtype="str"),
            "value": done.params[good].ravel(),
        }
    )


def _record(done: Refits, times: pd.Index, asset: str, bars: np.ndarray) -> pd.DataFrame:
    message = done.message.copy()
    since = None
    for r in np.flatnonzero(~done.converged):
        earlier = np.flatnonzero(done.converged[:r])
        since = times[earlier[-1]] if len(earlier) else None
        kept = "no forecast yet" if since is None else f"parameters of {since} kept"
        message[r] = f"{message[r]}; {kept.replace(' 00:00:00', '')}"
    return pd.DataFrame(
        {
            "time": times,
            "asset": pd.Series(np.full(len(times), asset), dtype="str"),
            "bars": bars,
            "engine": pd.Series(done.engine, dtype="str"),
            "converged": done.converged,
            "on_bound": done.on_bound,
            "loglikelihood": done.loglikelihood,
            "message": pd.Series(message, dtype="str"),
        }
    )


def _refit_by_arch(
    x: np.ndarray, ends: np.ndarray, window: int, model: str, errors: str, start: str
) -> Refits:
    """`likelihood.refit` for what arch alone can fit, an estimate at a time.

    Between two refits each bar is filtered by itself, so that the start-up never sees ahead.
    """
    size, count = len(_arch.names(model, errors)), len(ends)
    params, values = np.full((count, size), np.nan), np.full(count, np.nan)
    converged, on_bound = np.zeros(count, bool), np.zeros(count, bool)
    message = np.full(count, "", object)
    volatility, mean = np.full(len(x), np.nan), np.full(len(x), np.nan)
    last = None
    for r, end in enumerate(ends):
        begin = max(0, end - window) if window else 0
        guess = None if last is None else last.params
        done = _arch.estimate(x[begin:end], model, errors, start, guess)
        message[r], converged[r], on_bound[r] = done.message, done.converged, done.on_bound
        values[r] = done.loglikelihood
        if done.converged:
            last, params[r] = done, done.params
        if last is None:
            continue
        stop = ends[r + 1] if r + 1 < count else len(x) + 1
        for until in range(end, stop):
            path = _arch.path(x[begin:until], last.params, model, errors, start)
            volatility[until - 1] = np.sqrt(path[-1])
        mean[end - 1 : stop - 1] = last.params[0]
    engines = np.full(count, "arch", object)
    return Refits(params, values, converged, on_bound, engines, message, volatility, mean)
