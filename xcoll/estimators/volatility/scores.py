"""Scores of volatility forecasts, and how sure one can be that one forecast beats another.

A forecast stamped t is scored on the bar after t; scores are stamped by the bar that they were
scored on, so that they line up across models and horizons of one bar.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.estimators.evaluation.comparison import diebold_mariano

__all__ = [
    "LOSSES",
    "compare",
    "losses",
    "mse",
    "parkinson",
    "pooled",
    "qlike",
    "ranking",
    "table",
]


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
    """Mean loss of each model and its difference to the benchmark, on the bars all have.

    Parameters
    ----------
    forecasts : mapping
        Model to σ, time × asset, stamped t for the bar after t.
    proxy : DataFrame
        time × asset; assets without any value are left out.

    Returns
    -------
    DataFrame
        asset, model, bars, score (mean loss), difference (to the benchmark, negative is better),
        low, high (interval of the difference at `confidence`), p_value; NaN for the benchmark.
    """
    checks.one_of("benchmark", benchmark, forecasts)
    scored = {model: losses(sigma, proxy, loss) for model, sigma in forecasts.items()}
    rows = []
    for asset in proxy.columns[proxy.notna().any()]:
        common = pd.DataFrame({model: frame[asset] for model, frame in scored.items()}).dropna()
        for model in forecasts:
            row = {
                "asset": asset,
                "model": model,
                "bars": len(common),
                "score": common[model].mean(),
            }
            if model != benchmark:
                test = diebold_mariano(common[model], common[benchmark])
                low, high = test.interval(confidence)
                row |= {"difference": test.difference, "low": low, "high": high}
                row |= {"p_value": test.p_value}
            rows.append(row)
    columns = ["asset", "model", "bars", "score", "difference", "low", "high", "p_value"]
    return pd.DataFrame(rows, columns=columns)


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
    """Each model against the benchmark, on the mean difference over the assets of each bar.

    The assets are the columns of `proxy`.  They fall on the same days: the mean of a day counts
    it once, where a test for each asset counts it as often as there are assets.

    Returns
    -------
    DataFrame
        model, bars, difference (negative is better), low, high, p_value.
    """
    scored = {
        model: losses(sigma[proxy.columns], proxy, loss) for model, sigma in forecasts.items()
    }
    base = scored.pop(checks.one_of("benchmark", benchmark, forecasts))
    rows = []
    for model, frame in scored.items():
        gap = (frame - base).mean(axis=1)
        test = diebold_mariano(gap, 0.0 * gap)
        interval = test.interval(confidence)
        rows.append([model, test.bars, test.difference, *interval, test.p_value])
    return pd.DataFrame(rows, columns=["model", "bars", "difference", "low", "high", "p_value"])


def ranking(
    forecasts: Mapping[str, pd.DataFrame], proxy: pd.DataFrame, loss: str = "qlike"
) -> pd.DataFrame:
    """The model with the least mean loss by asset, tested against the next best.

    Returns
    -------
    DataFrame
        asset, best, rival (second in mean loss), difference (best less rival), p_value
        (two-sided; picking the best first makes it too small, so read it as a lower bound), bars,
        verdict ("clear" where p is under 1 %, "likely" under 10 %, else "open").
    """
    scored = {model: losses(sigma, proxy, loss) for model, sigma in forecasts.items()}
    rows = []
    for asset in proxy.columns[proxy.notna().any()]:
        common = pd.DataFrame({model: frame[asset] for model, frame in scored.items()}).dropna()
        best, rival = common.mean().sort_values(kind="stable").index[:2]
        test = diebold_mariano(common[best], common[rival])
        verdict = "clear" if test.p_value < 0.01 else "likely" if test.p_value < 0.1 else "open"
        rows.append([asset, best, rival, test.difference, test.p_value, test.bars, verdict])
    columns = ["asset", "best", "rival", "difference", "p_value", "bars", "verdict"]
    return pd.DataFrame(rows, columns=columns)
