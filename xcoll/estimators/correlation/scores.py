"""Losses of correlation forecasts on the next bar, to be compared by `evaluation.comparison`.

Both rank forecasts by what is seen, though the true correlation is not (Patton and Sheppard 2009;
Laurent, Rombouts and Violante 2013).
"""

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError
from xcoll.estimators.correlation.paths import matrices
from xcoll.estimators.evaluation.comparison import confidence_set, diebold_mariano

__all__ = ["compare", "likelihood_loss", "minimum_variance_loss"]


def compare(
    paths: dict[str, pd.DataFrame],
    residuals: pd.DataFrame,
    volatility: pd.DataFrame,
    returns: pd.DataFrame,
    confidence: float = 0.9,
) -> pd.DataFrame:
    """Rival paths by both losses, on the bars that all of them forecast.

    Parameters
    ----------
    paths : dict
        Name to path, time × pair, stamped t for the bar after t.
    residuals, volatility, returns : DataFrame
        time × asset, as of the two losses; the columns of `returns` are scored.

    Returns
    -------
    DataFrame
        loss ("likelihood", "least variance"), model, bars, score (mean loss), difference to the
        best with its Diebold–Mariano interval low … high (NaN for the best), p_value and included
        of the model confidence set; within a loss the best first.
    """
    checks.fraction("confidence", confidence)
    assets = list(returns.columns)
    kinds = {
        "likelihood": lambda path: likelihood_loss(path, residuals[assets]),
        "least variance": lambda path: minimum_variance_loss(path, volatility, returns),
    }
    tables = []
    for kind, loss in kinds.items():
        losses = pd.DataFrame({name: loss(path) for name, path in paths.items()}).dropna()
        table = confidence_set(losses, 1.0 - confidence).assign(loss=kind, bars=len(losses))
        best = losses[table["model"].iloc[0]]
        tests = [diebold_mariano(losses[name], best) for name in table["model"].iloc[1:]]
        table["difference"] = [np.nan, *(test.difference for test in tests)]
        bounds = [(np.nan, np.nan), *(test.interval(confidence) for test in tests)]
        table[["low", "high"]] = bounds
        tables.append(table.astype({"loss": "str", "model": "str"}))
    columns = ["loss", "model", "bars", "score", "difference", "low", "high", "p_value", "included"]
    return pd.concat(tables, ignore_index=True)[columns]


def likelihood_loss(path: pd.DataFrame, residuals: pd.DataFrame) -> pd.Series:
    """Minus twice the normal log-likelihood of a bar under the bar before's forecast.

        ℓ_t = ln|R_{t−1}| + z'_t R⁻¹_{t−1} z_t

    Parameters
    ----------
    path : DataFrame
        time × pair, stamped t for the bar after t.
    residuals : DataFrame
        time × asset, standardised; its columns are the assets that are scored.

    Returns
    -------
    Series
        By the bar that was forecast; NaN where a forecast or a residual is missing.

    Raises
    ------
    EstimationError
        A forecast that is not positive definite.
    """
    z, R, known = _aligned(path, residuals)
    L = _factor(R[known], residuals.index[known])
    inner = np.linalg.solve(L, z[known][:, :, None])[:, :, 0]
    logdet = 2.0 * np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1)
    return _series(logdet + (inner**2).sum(axis=1), known, residuals.index)


def minimum_variance_loss(
    path: pd.DataFrame, volatility: pd.DataFrame, returns: pd.DataFrame
) -> pd.Series:
    """Squared return of the portfolio of least variance under the bar before's forecast.

    Weights H⁻¹1 / 1'H⁻¹1 of H = diag(σ) R diag(σ), both forecasts of the bar before: the better
    the correlation, the smaller the variance that is had (Engle and Colacito 2006).

    Parameters
    ----------
    path, volatility : DataFrame
        time × pair and time × asset, stamped t for the bar after t.
    returns : DataFrame
        time × asset; its columns are the assets that are scored.

    Returns
    -------
    Series
        By the bar that was forecast, in squared units of `returns`; NaN where something misses.
    """
    r, R, known = _aligned(path, returns)
    sigma = volatility[returns.columns].reindex(returns.index).shift(1).to_numpy()
    known &= np.isfinite(sigma).all(axis=1)
    L = _factor(R[known], returns.index[known])
    inverse = 1.0 / sigma[known]
    half = np.linalg.solve(L, inverse[:, :, None])
    weights = np.linalg.solve(L.transpose(0, 2, 1), half)[:, :, 0] * inverse
    weights /= weights.sum(axis=1, keepdims=True)
    return _series((weights * r[known]).sum(axis=1) ** 2, known, returns.index)


def _aligned(path: pd.DataFrame, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, the bar before's matrices, and the bars that have both."""
    R = matrices(path.reindex(frame.index).shift(1), list(frame.columns))
    values = frame.to_numpy(dtype=float)
    return values, R, np.isfinite(values).all(axis=1) & np.isfinite(R).all(axis=(1, 2))


def _factor(R: np.ndarray, bars: pd.Index) -> np.ndarray:
    try:
        return np.linalg.cholesky(R)
    except np.linalg.LinAlgError as error:
        worst = bars[int(np.linalg.eigvalsh(R)[:, 0].argmin())]
        raise EstimationError(
            f"the correlation that forecasts {worst} is not positive definite;"
            " take a longer window or fewer assets"
        ) from error


def _series(values: np.ndarray, known: np.ndarray, bars: pd.Index) -> pd.Series:
    loss = pd.Series(np.nan, index=bars)
    loss[known] = values
    return loss
