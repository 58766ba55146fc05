"""One fit for each of many assets, in frames: the margins of a correlation model."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from xcoll._jit import own
from xcoll.errors import EstimationError
from xcoll.estimators.series import checked
from xcoll.estimators.volatility import _arch
from xcoll.estimators.volatility.garch import engine

__all__ = ["Panel", "fit_each"]


@dataclass(frozen=True)
class Panel:
    """Fits of the same model to each asset, in the unit of the returns.

    Attributes
    ----------
    volatility : DataFrame
        time × asset, σ for the bar after its stamp.
    residuals : DataFrame
        time × asset, standardised, (r_t − μ) / σ of bar t.
    params : DataFrame
        asset × parameter.
    record : DataFrame
        asset × (engine, converged, on_bound, loglikelihood, message), as `Fit` has them.
    """

    volatility: pd.DataFrame
    residuals: pd.DataFrame
    params: pd.DataFrame
    record: pd.DataFrame


def fit_each(
    returns: pd.DataFrame, model: str = "garch", errors: str = "t", start: str = "backcast"
) -> Panel:
    """`fit` of every column over its own listing.

    Parameters
    ----------
    returns : DataFrame
        time × asset; NaN before listing and after delisting.
    model, errors, start : str
        As in `fit`.

    Raises
    ------
    EstimationError
        As `fit` does, for the first asset that cannot be fitted.
    """
    maximise = engine(model, errors, start)
    frame = checked(returns)
    values = frame.to_numpy()
    volatility, residuals = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    params, record = [], []
    for column, asset in enumerate(frame.columns):
        known = np.flatnonzero(np.isfinite(values[:, column]))
        listing = slice(known[0], known[-1] + 1)
        x = own(values[listing, column])
        reason = _arch.unfit(x)
        if reason:
            raise EstimationError(f"{asset}: {reason}; {model.upper()} cannot be fitted")
        found = maximise(x, model, errors, start)
        sigma = np.sqrt(found.variance)
        volatility[listing, column] = sigma[1:]
        residuals[listing, column] = (x - found.params[0]) / sigma[:-1]
        params.append(found.params)
        record.append(
            (found.engine, found.converged, found.on_bound, found.loglikelihood, found.message)
        )
    labels = {"index": frame.index, "columns": frame.columns, "copy": False}
    said = ["engine", "converged", "on_bound", "loglikelihood", "message"]
    return Panel(
        volatility=pd.DataFrame(volatility, **labels),
        residuals=pd.DataFrame(residuals, **labels),
        params=pd.DataFrame(params, frame.columns, _arch.names(model, errors)),
        record=pd.DataFrame(record, frame.columns, said),
    )
