"""Every test of every forecast in one table, on all bars and again on picked ones.

Overlapping windows make hits dependent: forecasts over h bars are judged at every h-th bar, that
is on windows that do not overlap.  Methods are compared on the bars that all of them forecast.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy.special import ndtr

from xcoll.errors import DataError, EstimationError
from xcoll.estimators.evaluation import regression, scores, shortfall_tests
from xcoll.estimators.evaluation.hits import (
    conditional_coverage,
    first_failure,
    independence,
    kupiec,
    traffic_light,
)
from xcoll.estimators.evaluation.inputs import Result, aligned, missing, sequence, share
from xcoll.estimators.evaluation.montecarlo import Null, monte_carlo_p_value, null
from xcoll.estimators.evaluation.quantile import dynamic_quantile
from xcoll.estimators.evaluation.waits import duration

__all__ = ["ALL", "CASE", "SUCCESSIVE", "TESTS", "coverage", "judge", "rates", "samples"]

ALL = "all bars"
CASE = ["asset", "loss", "confidence", "bars"]
# Tests that need bars one after the other.
SUCCESSIVE = ("first_failure", "independence", "conditional", "duration", "dynamic_quantile")
SHORTFALL = ("mcneil_frey", "z1", "z2", "costanzino_curran", "nolde_ziegel")
REGRESSIONS = ("es_regression", "es_intercept")
TESTS = ("kupiec", *SUCCESSIVE, *SHORTFALL, *REGRESSIONS)
_COLUMNS = [*CASE, "time", "method", "var", "es", "realised"]


def judge(
    losses: np.ndarray,
    var: np.ndarray,
    es: np.ndarray,
    confidence: float,
    truth: Null,
    rng: np.random.Generator,
    successive: bool = True,
) -> dict[str, float | int | str]:
    """Every test and the mean scores of one series of forecasts, in time order.

    Returns
    -------
    n, exceedances, expected; for each of `TESTS` its statistic under its own name, `_p` the
    asymptotic and `_mc` the Monte Carlo p-value (the regressions have none) against `truth`, the
    `null` of that length and level; traffic_light, fz0, tick; and `reason`, why tests that a
    sparse sample cannot carry are NaN.  Where the bars are not `successive` the tests that need
    them so are left out.

    Raises
    ------
    EstimationError : series that `inputs.aligned` refuses, or a `truth` of another length or level.
    """
    L, v, e = aligned(losses, var, es)
    p, n = share(confidence), len(L)
    if truth.hits.observations != n or truth.probability != p:
        raise EstimationError(
            f"the null has {truth.hits.observations} bars at {truth.probability:g}, the series {n} "
            f"at {p:g}; simulate a null of its own"
        )
    hits = sequence(v < L)
    x = int(hits.sum())
    found: dict[str, Result] = {"kupiec": kupiec(x, n, p)}
    simulated = dict(truth.statistics)
    if successive:
        found["first_failure"] = (
            first_failure(int(hits.argmax()) + 1, p) if x else missing("no exceedance")
        )
        found["independence"] = independence(hits)
        found["conditional"] = conditional_coverage(hits, p)
        found["duration"] = duration(hits)
        found["dynamic_quantile"] = dynamic_quantile(hits, v, p)
        if not found["dynamic_quantile"].reason:
            simulated["dynamic_quantile"] = truth.dynamic_quantile(v)
    residuals = shortfall_tests.exceedance_residuals(L, v, e)
    found["mcneil_frey"] = shortfall_tests.mcneil_frey(residuals)
    found["z1"] = shortfall_tests.z1(L, v, e)
    found["z2"] = shortfall_tests.z2(L, v, e, confidence)
    chance = shortfall_tests.tail_chance(L, v, e, confidence)
    found["costanzino_curran"] = shortfall_tests.costanzino_curran(chance, confidence)
    found["nolde_ziegel"] = shortfall_tests.nolde_ziegel(L, v, e, confidence)
    # Each in the direction in which it rejects.
    rank = {name: result.statistic for name, result in found.items()}
    rank |= {"z1": -rank["z1"], "z2": -rank["z2"]}
    rank["costanzino_curran"] = float(np.maximum(1.0 - chance / p, 0.0).sum())
    beyond = truth.shortfall(v, e)
    simulated |= {"z1": -beyond["z1"], "z2": -beyond["z2"], "nolde_ziegel": beyond["nolde_ziegel"]}
    simulated["costanzino_curran"] = truth.tail_coverage
    exact = {
        name: monte_carlo_p_value(rank[name], simulated[name], rng)
        for name in found
        if name in simulated
    }
    rows = len(truth.hits.count)
    exact["mcneil_frey"] = shortfall_tests.mcneil_frey_bootstrap(residuals, rng, rows)
    found["es_regression"] = regression.es_regression(L, v, e, confidence)
    found["es_intercept"] = regression.es_intercept(L, v, e, confidence)
    row: dict[str, float | int | str] = {"n": n, "exceedances": x, "expected": n * p}
    for name in TESTS:
        result = found.get(name, missing(""))
        row |= {name: result.statistic, f"{name}_p": result.p_value}
        if name not in REGRESSIONS:
            row[f"{name}_mc"] = exact.get(name, np.nan)
    reasons = dict.fromkeys(result.reason for result in found.values() if result.reason)
    if not successive:
        reasons["bars that do not follow one another"] = None
    return row | {
        "traffic_light": traffic_light(x, n, p).zone,
        "fz0": float(scores.fz0(L, v, e, confidence).mean()),
        "tick": float(scores.tick(L, v, confidence).mean()),
        "reason": "; ".join(reasons),
    }


def coverage(
    forecasts: pd.DataFrame,
    rng: np.random.Generator,
    replications: int = 999,
    picked: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """`judge` for every asset, method, loss, level and horizon of a forecast table, a row each.

    Parameters
    ----------
    forecasts : long frame of `tail.forecasts`: time, asset, method, loss, confidence, bars, var,
        es, realised.  Rows without a finite VaR, ES and realised loss are not judged, nor are the
        same bars of other methods.
    rng, replications : for the Monte Carlo p-values.
    picked : name → time × asset booleans, bars that are judged once more by themselves.  They
        are not successive: the tests of `SUCCESSIVE` are then missing, and so are assets that
        have fewer than two such bars.

    Returns
    -------
    Table: sample ("all bars", or the name of a pick), asset, loss, confidence, bars, method, and
    what `judge` gives.

    Raises
    ------
    DataError : a column that is missing, or two forecasts of one method for the same bar.
    EstimationError : fewer than two forecasts with a realised loss, common to all methods.
    """
    nulls: dict[tuple[int, float], Null] = {}
    rows = []
    for name, label, realised, var, es in samples(forecasts, picked):
        if len(realised) < 2:
            if name == ALL:
                raise EstimationError(
                    f"{label['asset']}, {label['loss']}: {len(realised)} forecasts that all "
                    "methods made have a realised loss, two are needed; shorten the window"
                )
            continue
        level = label["confidence"]
        size = len(realised), level
        if size not in nulls:
            nulls[size] = null(size[0], share(level), rng, replications)
        for method in var:
            series = realised.to_numpy(), var[method].to_numpy(), es[method].to_numpy()
            found = judge(*series, level, nulls[size], rng, successive=name == ALL)
            rows.append({"sample": name} | label | {"method": method} | found)
    return pd.DataFrame(rows)


def samples(
    forecasts: pd.DataFrame, picked: Mapping[str, pd.DataFrame] | None = None
) -> Iterator[tuple[str, dict[str, object], pd.Series, pd.DataFrame, pd.DataFrame]]:
    """The bars on which the methods of each asset, loss, level and horizon are compared.

    Yields the name of the sample, the case, the realised losses by time, and VaR and ES, time ×
    method.  Windows of several bars do not overlap.
    """
    absent = [column for column in _COLUMNS if column not in forecasts]
    if absent or forecasts.empty:
        raise DataError(
            f"the forecast table has {len(forecasts)} rows and lacks {absent}; give tail.forecasts"
        )
    if forecasts.duplicated([*CASE, "method", "time"]).any():
        raise DataError("two forecasts of one method for the same asset, case and bar; keep one")
    bar = pd.Index(np.sort(forecasts["time"].unique()))
    methods = list(dict.fromkeys(forecasts["method"]))
    for key, group in forecasts.groupby(CASE, sort=False):
        label = dict(zip(CASE, key, strict=True))
        present = [method for method in methods if (group["method"] == method).any()]
        known = group[np.isfinite(group[["var", "es", "realised"]].to_numpy()).all(axis=1)]
        wide = known.set_index(["time", "method"])[["var", "es", "realised"]].unstack()  # noqa: PD010
        wide = wide.reindex(
            columns=pd.MultiIndex.from_product([["var", "es", "realised"], present])
        )
        wide = wide[wide.notna().all(axis=1)]
        # Non-overlapping windows: every h-th bar from the first common forecast on.
        place = bar.get_indexer(wide.index)
        wide = wide[(place - place[:1]) % label["bars"] == 0]
        realised, var, es = wide["realised"].iloc[:, 0], wide["var"], wide["es"]
        yield ALL, label, realised, var, es
        for name, only in (picked or {}).items():
            wanted = only[label["asset"]].reindex(realised.index, fill_value=False)
            kept = wanted.to_numpy(bool)
            yield name, label, realised[kept], var[kept], es[kept]


def rates(
    forecasts: pd.DataFrame, picked: Mapping[str, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Exceedances and ES of all assets together, with p-values that know that assets fall together.

    The one test that a handful of bars a asset can carry: the assets of a date are one
    observation, `Σ_t S_t / √(Σ_t S_t²)` with S_t the sum over the date's assets, by N(0, 1)
    (a score test with clusters, Liang and Zeger 1986).

    Returns
    -------
    Table: sample, loss, confidence, bars, method, n, dates, exceedances, rate, rate_p (two-sided),
    es_ratio (`Σ L 1[L > VaR]/ES` over n p, above one where the ES was too low), es_p (one-sided),
    fz0.  NaN p-values where fewer than ten dates are left.
    """
    parts: dict[tuple, list[pd.DataFrame]] = {}
    for name, label, realised, var, es in samples(forecasts, picked):
        p = share(label["confidence"])
        for method in var:
            L, v, e = realised.to_numpy(), var[method].to_numpy(), es[method].to_numpy()
            hit = v < L
            frame = {"hit": hit, "ratio": hit * L / e / p}
            frame["fz0"] = scores.fz0(L, v, e, label["confidence"])
            key = (name, label["loss"], label["confidence"], label["bars"], method)
            parts.setdefault(key, []).append(pd.DataFrame(frame, index=realised.index))
    rows = []
    for key, frames in parts.items():
        every = pd.concat(frames)
        p = share(key[2])
        if every.empty:
            continue
        off = pd.DataFrame({"rate": every["hit"] - p, "es": every["ratio"] - 1.0})
        dates = off.groupby(level=0).sum()
        z = dates.sum() / np.sqrt((dates**2).sum())
        few = len(dates) < 10 or not every["hit"].any()
        rows.append(
            dict(zip(["sample", "loss", "confidence", "bars", "method"], key, strict=True))
            | {
                "n": len(every),
                "dates": len(dates),
                "exceedances": int(every["hit"].sum()),
                "rate": float(every["hit"].mean()),
                "rate_p": np.nan if few else float(2.0 * ndtr(-abs(z["rate"]))),
                "es_ratio": float(every["ratio"].mean()),
                "es_p": np.nan if few else float(ndtr(-z["es"])),
                "fz0": float(every["fz0"].mean()),
            }
        )
    return pd.DataFrame(rows)
