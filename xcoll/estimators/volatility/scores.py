"""Scores of volatility forecasts, and how sure one can be that one forecast beats another.

A forecast stamped t is scored on the bar after t; scores are stamped by the bar that they were
scored on, so that they line up across models and horizons of one bar.  Three answers to "how sure":
the interval of a difference to a benchmark, a test against the best model, and the set of models
that the data cannot tell from the best.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.estimators.evaluation.comparison import confidence_set, diebold_mariano

__all__ = [
    "LOSSES",
    "compare",
    "losses",
    "mse",
    "parkinson",
    "pooled",
    "qlike",
    "ranking",
    "standing",
    "table",
]

TESTS = ["difference", "low", "high", "p_value", "p_best", "p_set", "included"]
COLUMNS = ["model", "bars", "score", *TESTS]


def qlike(variance: pd.DataFrame, proxy: pd.DataFrame) -> pd.DataFrame:
    """`ln h + σ̂²/h`: least in mean at the true variance for any unbiased proxy (Patton 2011)."""
    return np.log(variance) + proxy / variance


def mse(variance: pd.DataFrame, proxy: pd.DataFrame) -> pd.DataFrame:
    """`(σ̂² − h)²`: robust to a noisy proxy as well, but ruled by the few largest days."""
    return (proxy - variance) ** 2


LOSSES: dict[str, Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]] = {
    "qlike": qlike,
    "mse": mse,
}


def parkinson(high: pd.DataFrame, low: pd.DataFrame) -> pd.DataFrame:
    """Variance of a bar from its range, `(ln H/L)² / (4 ln 2)` (Parkinson 1980).

    Unbiased for a Brownian path without drift; NaN where a bar has no range.
    """
    return np.log(high / low) ** 2 / (4.0 * np.log(2.0))


def losses(volatility: pd.DataFrame, proxy: pd.DataFrame, loss: str = "qlike") -> pd.DataFrame:
    """Loss of each forecast on the bar that it was for.

    Parameters
    ----------
    volatility : DataFrame
        time × asset, σ stamped t for the bar after t.
    proxy : DataFrame
        time × asset, variance seen in bar t: squared returns, or `parkinson`.

    Returns
    -------
    DataFrame
        time × asset, stamped by the bar scored; NaN where forecast or proxy is missing.
    """
    return LOSSES[checks.one_of("loss", loss, LOSSES)](volatility.shift(1) ** 2, proxy)


def compare(
    forecasts: Mapping[str, pd.DataFrame],
    proxy: pd.DataFrame,
    loss: str = "qlike",
    benchmark: str = "ewma",
    confidence: float = 0.9,
) -> pd.DataFrame:
    """Mean loss of each model, its difference to the benchmark and its place, on common bars.

    Parameters
    ----------
    forecasts : mapping
        Model to σ, time × asset, stamped t for the bar after t.
    proxy : DataFrame
        time × asset; assets without any value are left out.
    confidence : float
        Of the interval of the difference, and of the set of models that may be the best.

    Returns
    -------
    DataFrame
        asset, model, bars, score (mean loss), difference (to the benchmark, negative is better),
        low, high (its interval) and p_value (Diebold–Mariano), NaN for the benchmark; p_best
        (Diebold–Mariano against the best score, NaN for the best: the best was picked first,
        which makes it too small); p_set and included (model confidence set).

    Raises
    ------
    EstimationError
        Fewer than 30 common bars of an asset, or two models whose losses never differ.
    """
    checks.one_of("benchmark", benchmark, forecasts)
    scored = {model: losses(sigma, proxy, loss) for model, sigma in forecasts.items()}
    parts = []
    for asset in proxy.columns[proxy.notna().any()]:
        by_model = pd.DataFrame({model: frame[asset] for model, frame in scored.items()})
        parts.append(_judged(by_model, benchmark, confidence).assign(asset=asset))
    columns = ["asset", *COLUMNS]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def table(
    forecasts: Mapping[str, pd.DataFrame],
    proxies: Mapping[str, pd.DataFrame],
    benchmark: str = "ewma",
    confidence: float = 0.9,
) -> pd.DataFrame:
    """`compare` for every loss and every proxy (name to frame), with columns proxy and loss.

    A proxy without any value has no rows.
    """
    parts = [
        compare(forecasts, proxy, loss, benchmark, confidence).assign(proxy=name, loss=loss)
        for name, proxy in proxies.items()
        for loss in LOSSES
    ]
    together = pd.concat([part for part in parts if len(part)], ignore_index=True)
    first = ["asset", "model", "proxy", "loss"]
    rest = [column for column in together if column not in first]
    return together[[*first, *rest]].astype(dict.fromkeys(first, "str"))


def pooled(
    forecasts: Mapping[str, pd.DataFrame],
    proxy: pd.DataFrame,
    loss: str = "qlike",
    benchmark: str = "ewma",
    confidence: float = 0.9,
) -> pd.DataFrame:
    """`compare` on the mean loss over the assets of each bar; the best model first.

    The assets are the columns of `proxy`; each counts on the bars that all models forecast.  They
    fall on the same days: the mean of a day counts it once, where a test for each asset counts it
    as often as there are assets.

    Returns
    -------
    DataFrame
        The columns of `compare` without asset.
    """
    checks.one_of("benchmark", benchmark, forecasts)
    scored = {
        model: losses(sigma[proxy.columns], proxy, loss) for model, sigma in forecasts.items()
    }
    known = np.logical_and.reduce([frame.notna() for frame in scored.values()])
    of_bar = {model: frame.where(known).mean(axis=1) for model, frame in scored.items()}
    judged = _judged(pd.DataFrame(of_bar), benchmark, confidence)
    return judged.sort_values("score", kind="stable", ignore_index=True)


def ranking(compared: pd.DataFrame) -> pd.DataFrame:
    """The model with the least mean loss by asset, and how sure that is.

    Parameters
    ----------
    compared : DataFrame
        Of `compare`, or of `table` for one loss and one proxy.

    Returns
    -------
    DataFrame
        asset, best, rival (second in mean loss), difference (best less rival), p_value
        (two-sided, against the rival; a lower bound, for the best was picked first), survivors
        (models in the confidence set), survive (their names, the best first), bars, verdict:
        "clear" where the best survives alone, "likely" where it beats the rival at 10 %, "open".
    """
    rows = []
    for asset, group in compared.groupby("asset", sort=False):
        placed = group.sort_values("score", kind="stable")
        best, rival = placed.iloc[0], placed.iloc[1]
        alive = placed.loc[placed["included"].astype(bool), "model"].tolist()
        verdict = "likely" if rival["p_best"] < 0.10 else "open"
        rows.append(
            {
                "asset": asset,
                "best": best["model"],
                "rival": rival["model"],
                "difference": best["score"] - rival["score"],
                "p_value": rival["p_best"],
                "survivors": len(alive),
                "survive": ", ".join(alive),
                "bars": best["bars"],
                "verdict": "clear" if alive == [best["model"]] else verdict,
            }
        )
    columns = ["asset", "best", "rival", "difference", "p_value", "survivors", "survive", "bars"]
    return pd.DataFrame(rows, columns=[*columns, "verdict"])


def standing(table: pd.DataFrame) -> pd.DataFrame:
    """Who wins how often, and how surely, by proxy and loss of a `table`.

    Returns
    -------
    DataFrame
        proxy, loss, assets, most_often (the model that is best on most assets), wins (on how
        many), alone (assets whose best survives alone), survivors (median number of models in the
        confidence set).
    """
    rows = []
    for (proxy, loss), group in table.groupby(["proxy", "loss"], sort=False):
        best = ranking(group)
        wins = best["best"].value_counts()
        alive = best["survivors"]
        rows.append([proxy, loss, len(best), wins.index[0], wins.iloc[0]])
        rows[-1] += [int((alive == 1).sum()), alive.median()]
    columns = ["proxy", "loss", "assets", "most_often", "wins", "alone", "survivors"]
    return pd.DataFrame(rows, columns=columns)


def _judged(by_model: pd.DataFrame, benchmark: str, confidence: float) -> pd.DataFrame:
    common = by_model.dropna()
    size = round(1.0 - checks.fraction("confidence", confidence), 12)
    places = confidence_set(common, size).set_index("model")
    rows = []
    for model in common:
        row = {"model": model, "bars": len(common)} | places.loc[model].to_dict()
        row["p_set"] = row.pop("p_value")
        if model != benchmark:
            test = diebold_mariano(common[model], common[benchmark])
            low, high = test.interval(confidence)
            row |= {"difference": test.difference, "low": low, "high": high}
            row |= {"p_value": test.p_value}
        if model != places.index[0]:
            row["p_best"] = diebold_mariano(common[model], common[places.index[0]]).p_value
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS).astype({"included": bool})
