"""Volatility forecasts of several models side by side: one to hand over, and how each was made."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from xcoll.errors import EstimationError
from xcoll.estimators import volatility
from xcoll.estimators.volatility import WalkForward
from xcoll.market.prices import bar_length
from xcoll.market.returns import bars_in

__all__ = [
    "DAILY",
    "KINDS",
    "against",
    "convergence",
    "current",
    "handed_over",
    "likelihoods",
    "long",
    "means",
    "parameters",
    "record",
    "spliced",
    "walked",
]

# Models, by name: those that can be fitted anew after every bar, and those that are set against
# each other on one sample.
DAILY = {
    "garch-normal": ("garch", "normal"),
    "garch-t": ("garch", "t"),
    "gjr-t": ("gjr", "t"),
}
KINDS = {
    "garch-t": ("garch", "t"),
    "gjr-t": ("gjr", "t"),
    "garch-skewt": ("garch", "skewt"),
    "egarch-t": ("egarch", "t"),
    "figarch-t": ("figarch", "t"),
}


def walked(
    returns: pd.DataFrame,
    window: int,
    refit_every: int,
    minimum: int,
    models: Mapping[str, tuple[str, str]] = DAILY,
) -> dict[str, WalkForward]:
    """Each of `models` (name to model and errors) walked forward over all assets."""
    return {
        name: volatility.walk_forward(
            returns, window, refit_every, model=model, errors=errors, minimum=minimum
        )
        for name, (model, errors) in models.items()
    }


def spliced(
    forecasts: Mapping[str, pd.DataFrame], default: str, fallback: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The `default` model where it has a forecast, `fallback` where it has none yet.

    Parameters
    ----------
    forecasts : mapping
        Model to σ, time × asset, stamped t for the bar after t.

    Returns
    -------
    DataFrame
        σ, time × asset.
    DataFrame
        Which model stands where: asset, source, start, end, in order of start.
    """
    chosen, other = forecasts[default], forecasts[fallback]
    sigma = chosen.fillna(other)
    known = [(default, chosen.notna()), (fallback, sigma.notna() & chosen.isna())]
    rows = [
        [asset, model, here.index[here[asset]][0], here.index[here[asset]][-1]]
        for asset in sigma
        for model, here in known
        if here[asset].any()
    ]
    sources = pd.DataFrame(rows, columns=["asset", "source", "start", "end"])
    sources = sources.astype({"asset": "str", "source": "str"})
    return sigma, sources.sort_values(["start", "asset"], ignore_index=True)


def handed_over(
    returns: pd.DataFrame,
    model: str = "garch-t",
    window: str = "730D",
    minimum: str = "250D",
    seed: str = "30D",
) -> pd.DataFrame:
    """One model of `DAILY` refitted every bar, exponential weights before its first fit.

    Parameters
    ----------
    returns : DataFrame
        time × asset; an asset with fewer bars than the minimum has exponential weights throughout.
    window, minimum, seed : str
        Longest sample of a fit, history before the first one, and history before the first
        exponentially weighted forecast; durations.

    Returns
    -------
    DataFrame
        σ, time × asset, stamped t for the bar after t.
    """
    bar = bar_length(returns.index)
    longest, least, first = (bars_in(span, bar) for span in (window, minimum, seed))
    smooth = volatility.ewma(returns, minimum=first)
    enough = returns.columns[returns.count() >= least]
    if not len(enough):
        return smooth
    walk = walked(returns[enough], longest, 1, least, {model: DAILY[model]})[model]
    return walk.volatility.reindex_like(returns).fillna(smooth)


def long(forecasts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """All forecasts as rows: time, asset, model, volatility; missing ones are left out."""
    parts = [
        frame.rename_axis("time")
        .reset_index()
        .melt("time", var_name="asset", value_name="volatility")
        .assign(model=model)
        for model, frame in forecasts.items()
    ]
    together = pd.concat(parts).dropna()[["time", "asset", "model", "volatility"]]
    return together.astype({"asset": "str", "model": "str"}).reset_index(drop=True)


def means(walks: Mapping[str, WalkForward], default: str, sigma: pd.DataFrame) -> pd.DataFrame:
    """Mean forecast that belongs to a spliced `sigma`: the `default` model's, 0 where it has none.

    time × asset like `sigma`, NaN where that is; all 0 where `default` is no walk-forward.
    """
    mean = walks[default].mean if default in walks else 0.0 * sigma
    return mean.reindex_like(sigma).fillna(0.0).where(sigma.notna())


def record(walks: Mapping[str, WalkForward]) -> pd.DataFrame:
    """How every refit of every model ended: time, asset, model and the rest of their records."""
    return _together(walks, "record", "message")


def parameters(walks: Mapping[str, WalkForward]) -> pd.DataFrame:
    """Every parameter of every refit that converged: time, asset, model, parameter, value."""
    return _together(walks, "params", "parameter")


def convergence(record: pd.DataFrame) -> pd.DataFrame:
    """Refits of each asset over all models, those on the bound most often first.

    Returns
    -------
    DataFrame
        asset, fits, and the shares that converged, that ended on the persistence bound, and that
        were left to arch.
    """
    counted = record.assign(arch=record["engine"] == "arch")
    shares = counted.groupby("asset", sort=False).agg(
        fits=("converged", "size"),
        converged=("converged", "mean"),
        on_bound=("on_bound", "mean"),
        by_arch=("arch", "mean"),
    )
    return shares.sort_values("on_bound", ascending=False, kind="stable").reset_index()


def likelihoods(
    returns: pd.DataFrame, window: int, kinds: Mapping[str, tuple[str, str]] = KINDS
) -> pd.DataFrame:
    """Fits of `kinds` (name to model and errors) to the last `window` bars of each listed asset.

    Returns
    -------
    DataFrame
        asset, model, bars, parameters (how many), loglikelihood, aic (2·parameters −
        2·loglikelihood, Akaike 1974), on_bound, converged.

    Raises
    ------
    EstimationError
        No asset has a return in the last bar, or one of them cannot be fitted.
    """
    rows = []
    for asset in _listed_now(returns):
        sample = returns[asset].dropna().tail(window)
        for name, (model, errors) in kinds.items():
            fit = volatility.fit(sample, model=model, errors=errors)
            size, value = len(fit.params), fit.loglikelihood
            rows.append([asset, name, len(sample), size, value, 2.0 * (size - value)])
            rows[-1] += [fit.on_bound, fit.converged]
    columns = ["asset", "model", "bars", "parameters", "loglikelihood", "aic"]
    table = pd.DataFrame(rows, columns=[*columns, "on_bound", "converged"])
    return table.astype({"asset": "str", "model": "str"})


def against(fitted: pd.DataFrame, base: str) -> pd.DataFrame:
    """AIC of each model of `likelihoods` less that of `base`: asset, then a column a model."""
    wide = fitted.pivot_table("aic", "asset", "model", sort=False)
    return wide.sub(wide.pop(base), axis=0).rename_axis(columns=None).reset_index()


def current(
    returns: pd.DataFrame, window: int, confidence: float = 0.9, errors: str = "t"
) -> pd.DataFrame:
    """Fresh GARCH fit of the last `window` bars of each asset that is still listed.

    Parameters
    ----------
    returns : DataFrame
        time × asset.

    Returns
    -------
    DataFrame
        asset, volatility (σ of the next bar), low, high (its interval), persistence (α + β),
        persistence_error (robust), on_bound, converged; the most volatile first.

    Raises
    ------
    EstimationError
        No asset has a return in the last bar, or one of them cannot be fitted.
    """
    rows = []
    for asset in _listed_now(returns):
        fit = volatility.fit(returns[asset].dropna().tail(window), errors=errors)
        low, high = fit.interval(confidence)
        pair = ["alpha", "beta"]
        variance = float(fit.covariance["robust"].loc[pair, pair].to_numpy().sum())
        error = np.sqrt(variance) if variance >= 0.0 else np.nan
        persistence = float(fit.params[pair].sum())
        rows.append([asset, fit.volatility.iloc[-1], low, high, persistence, error])
        rows[-1] += [fit.on_bound, fit.converged]
    columns = ["asset", "volatility", "low", "high", "persistence", "persistence_error"]
    table = pd.DataFrame(rows, columns=[*columns, "on_bound", "converged"])
    return table.astype({"asset": "str"}).sort_values(
        "volatility", ascending=False, ignore_index=True
    )


def _listed_now(returns: pd.DataFrame) -> list[str]:
    assets = list(returns.columns[returns.iloc[-1].notna()])
    if not assets:
        raise EstimationError("no asset has a return in the last bar; nothing is current")
    return assets


def _together(walks: Mapping[str, WalkForward], part: str, text: str) -> pd.DataFrame:
    frames = [getattr(walk, part).assign(model=model) for model, walk in walks.items()]
    together = pd.concat(frames, ignore_index=True)
    rest = [column for column in together if column not in ("time", "asset", "model")]
    return together[["time", "asset", "model", *rest]].astype(
        {"asset": "str", "model": "str", text: "str"}
    )
