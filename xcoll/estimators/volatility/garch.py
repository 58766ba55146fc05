"""Volatility: exponential weights and GARCH(1,1), fitted once or walked forward.

    h_t = ω + α (r_{t−1} − μ)² + β h_{t−1},      r_t = μ + √h_t z_t

Everything stamped t is known at the close of t: a volatility stamped t is the forecast for the
bar after t.  The returns' unit does not matter, for they are scaled to unit variance before they
are fitted and the parameters are scaled back.  The maximisation is in `_arch`.
"""

from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.series import checked, listed
from xcoll.estimators.volatility import _arch

__all__ = ["Fit", "WalkForward", "ewma", "fit", "residuals", "variance_path", "walk_forward"]


@dataclass(frozen=True)
class Fit:
    """One GARCH fit, in the unit of the returns that it was given.

    Attributes
    ----------
    params : Series
        mu, omega, alpha, beta and, with t errors, nu.
    loglikelihood : float
        Of the returns as given, at the start-up named by `start`.
    volatility : Series
        σ for the bar after its stamp; the last one is the forecast out of the sample.
    residuals : Series
        Standardised, (r_t − μ) / σ of bar t; the first one uses the start-up variance.
    converged : bool
        The optimiser's own word; `message` adds when it stopped on the persistence bound.
    covariance : dict
        Parameter covariance by kind, "hessian" and "robust" (Bollerslev–Wooldridge).
    """

    asset: str
    model: str
    errors: str
    start: str
    params: pd.Series
    loglikelihood: float
    volatility: pd.Series
    residuals: pd.Series
    converged: bool
    on_bound: bool
    message: str
    covariance: dict[str, pd.DataFrame] = field(repr=False)
    returns: pd.Series = field(repr=False)

    def std_errors(self, kind: str = "robust") -> pd.Series:
        """Standard errors, `kind` "hessian" or "robust"; NaN where the matrix is no covariance."""
        variance = np.diag(self.covariance[checks.one_of("kind", kind, self.covariance)])
        known = np.where(variance >= 0.0, variance, np.nan)
        return pd.Series(np.sqrt(known), index=self.params.index, name=kind)

    def forecast(self, bars: int) -> pd.Series:
        """σ of each of the next `bars` bars, index 1 … bars (not the σ of their sum)."""
        step = np.arange(checks.whole("bars", bars))
        omega, persistence = self.params["omega"], self.params["alpha"] + self.params["beta"]
        ahead = persistence**step
        drift = np.concatenate([[0.0], np.cumsum(ahead)[:-1]])
        variance = ahead * self.volatility.iloc[-1] ** 2 + omega * drift
        return pd.Series(np.sqrt(variance), index=pd.RangeIndex(1, bars + 1), name=self.asset)

    def interval(self, confidence: float = 0.9, kind: str = "robust") -> tuple[float, float]:
        """Bounds of the last volatility from the parameters' uncertainty (delta method on ln σ).

        NaN where the parameter covariance is not positive, as on a bound.
        """
        checks.fraction("confidence", confidence)
        theta = self.params.to_numpy()
        x, initial = self.returns.to_numpy(), _arch.STARTS[self.start]

        def log_sigma(at: np.ndarray) -> float:
            return 0.5 * np.log(variance_path(x, at, initial(x, at[0]))[-1])

        step = 1e-5 * np.array([x.std(), 10.0 * theta[1], 1.0, 1.0, 1.0])[: len(theta)]
        slope = np.array(
            [(log_sigma(theta + d) - log_sigma(theta - d)) / (2 * d.sum()) for d in np.diag(step)]
        )
        variance = slope @ self.covariance[kind].to_numpy() @ slope
        if not variance >= 0.0:
            return np.nan, np.nan
        width = NormalDist().inv_cdf(0.5 + confidence / 2) * np.sqrt(variance)
        return tuple(float(self.volatility.iloc[-1] * np.exp(side * width)) for side in (-1, 1))


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
        Long, one row a refit: time, asset, bars (used), converged, on_bound, loglikelihood,
        message (which start worked; which earlier parameters were kept where none did).
    """

    model: str
    errors: str
    volatility: pd.DataFrame
    mean: pd.DataFrame
    residuals: pd.DataFrame
    params: pd.DataFrame
    record: pd.DataFrame


def ewma(returns: pd.DataFrame, decay: float = 0.94, minimum: int = 30) -> pd.DataFrame:
    """RiskMetrics volatility with weights that sum to one over the bars there are.

        σ²_t = Σ λ^i r²_{t−i} / Σ λ^i,      i = 0 … bars since listing

    Parameters
    ----------
    returns : DataFrame
        time × asset, zero mean assumed; NaN before listing and after delisting.
    decay : float
        λ in (0, 1); RiskMetrics Technical Document (1996) has 0.94 for days.
    minimum : int
        Bars of an asset before its first forecast; NaN until then.

    Returns
    -------
    DataFrame
        time × asset, σ a bar, stamped t for the bar after t.

    Raises
    ------
    EstimationError
        NaN inside a listing, or an infinity.
    """
    checks.fraction("decay", decay)
    frame = checked(returns)
    least = checks.whole("minimum", minimum)
    squares = (frame**2).ewm(alpha=1.0 - decay, adjust=True, min_periods=least).mean()
    return np.sqrt(squares).where(frame.notna())


def residuals(
    returns: pd.DataFrame, volatility: pd.DataFrame, mean: pd.DataFrame | float = 0.0
) -> pd.DataFrame:
    """Standardised returns (r_t − mean_{t−1}) / volatility_{t−1}; NaN without a forecast."""
    expected = mean.shift(1) if isinstance(mean, pd.DataFrame) else mean
    return (returns - expected) / volatility.shift(1)


def variance_path(returns: np.ndarray, params: np.ndarray, initial: float) -> np.ndarray:
    """Variances of bars 1 … n + 1 at fixed (μ, ω, α, β), where bar 1 has ω + (α + β)·initial."""
    mu, omega, alpha, beta = params[:4]
    shocks = np.concatenate([[initial], (returns - mu) ** 2])
    return lfilter([1.0], [1.0, -beta], omega + alpha * shocks, zi=[beta * initial])[0]


def fit(
    returns: pd.Series, model: str = "garch", errors: str = "t", start: str = "backcast"
) -> Fit:
    """GARCH(1,1) with constant mean by maximum likelihood.

    Parameters
    ----------
    returns : Series
        One asset; NaN before its listing and after its delisting.
    model, errors : str
        "garch"; "normal" or "t" (standardised Student).
    start : str
        Variance before the first bar: "sample", the mean of ε² at the estimated mean, or
        "backcast", arch's exponential backcast.

    Raises
    ------
    EstimationError
        Constant or too short a series, or NaN inside it.  An optimiser that does not converge is
        no error here: `converged` is False and `message` says why.
    """
    _arch.check(model, errors, start)
    series = listed(returns)
    asset = str(returns.name)
    x = series.to_numpy()
    reason = _arch.unfit(x)
    if reason:
        raise EstimationError(f"{asset}: {reason}; GARCH cannot be fitted")
    estimate = _arch.estimate(x, model, errors, start)
    theta, names = estimate.params, _arch.NAMES[errors]
    variance = variance_path(x, theta, _arch.STARTS[start](x, theta[0]))
    return Fit(
        asset=asset,
        model=model,
        errors=errors,
        start=start,
        params=pd.Series(theta, index=names, name=asset),
        loglikelihood=estimate.loglikelihood,
        volatility=pd.Series(np.sqrt(variance[1:]), index=series.index, name=asset),
        residuals=pd.Series((x - theta[0]) / np.sqrt(variance[:-1]), series.index, name=asset),
        converged=estimate.converged,
        on_bound=estimate.on_bound,
        message=estimate.message,
        covariance={
            kind: pd.DataFrame(matrix, index=names, columns=names)
            for kind, matrix in estimate.covariance().items()
        },
        returns=series,
    )


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
    frame = checked(returns)
    window = checks.whole("window", window, _arch.LEAST_BARS)
    least = window if minimum is None else checks.whole("minimum", minimum, _arch.LEAST_BARS)
    schedule = _Schedule(window, min(least, window), checks.whole("refit_every", refit_every))
    _arch.check(model, errors, start)

    volatility, mean = (pd.DataFrame(np.nan, frame.index, frame.columns) for _ in range(2))
    params, record = [], []
    for asset in frame:
        series = listed(frame[asset])
        walk = _walk(series, schedule, model, errors, start, expanding)
        volatility.loc[series.index, asset] = walk.volatility
        mean.loc[series.index, asset] = walk.mean
        params += walk.params
        record += walk.record
    return WalkForward(
        model=model,
        errors=errors,
        volatility=volatility,
        mean=mean,
        residuals=residuals(frame, volatility, mean),
        params=pd.DataFrame(params, columns=["time", "asset", "parameter", "value"]),
        record=pd.DataFrame(record),
    )


@dataclass(frozen=True)
class _Schedule:
    window: int
    minimum: int
    refit_every: int


@dataclass(frozen=True)
class _Walk:
    volatility: np.ndarray
    mean: np.ndarray
    params: list[tuple[object, str, str, float]]
    record: list[dict[str, object]]


def _walk(
    series: pd.Series, schedule: _Schedule, model: str, errors: str, start: str, expanding: bool
) -> _Walk:
    x, n, asset = series.to_numpy(), len(series), str(series.name)
    if n < schedule.minimum:
        raise EstimationError(
            f"{asset}: {n} bars, the first refit needs {schedule.minimum};"
            " take a smaller minimum or leave the asset out"
        )
    volatility, mean = np.full(n, np.nan), np.full(n, np.nan)
    params, record = [], []
    theta, since = None, None
    for t in range(schedule.minimum - 1, n, schedule.refit_every):
        begin = 0 if expanding else max(0, t + 1 - schedule.window)
        sample, now = x[begin : t + 1], series.index[t]
        estimate = _arch.refit(sample, model, errors, start, theta)
        message = estimate.message
        if estimate.converged:
            theta, since = estimate.params, now
            params += [
                (now, asset, name, value)
                for name, value in zip(_arch.NAMES[errors], theta, strict=True)
            ]
        else:
            kept = "no forecast yet" if since is None else f"parameters of {since} kept"
            message += f"; {kept.replace(' 00:00:00', '')}"
        record.append(
            {
                "time": now,
                "asset": asset,
                "bars": len(sample),
                "converged": estimate.converged,
                "on_bound": estimate.on_bound,
                "loglikelihood": estimate.loglikelihood,
                "message": message,
            }
        )
        if theta is not None:
            stop = min(t + schedule.refit_every, n)
            path = variance_path(x[begin:stop], theta, _arch.STARTS[start](sample, theta[0]))
            volatility[t:stop] = np.sqrt(path[t - begin + 1 :])
            mean[t:stop] = theta[0]
    if theta is None:
        raise EstimationError(
            f"{asset}: none of {len(record)} refits converged, the last: {record[-1]['message']};"
            " use EWMA for this asset"
        )
    return _Walk(volatility, mean, params, record)
