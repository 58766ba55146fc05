"""Every test of every forecast in one table, on all bars and again on picked ones.

Overlapping windows make hits dependent: forecasts over h bars are judged at every h-th bar, that
is on windows that do not overlap.  Methods are compared on the bars that all of them forecast.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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

__all__ = ["ALL", "CASE", "SUCCESSIVE", "TESTS", "Sample", "coverage", "judge", "rates", "samples"]

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
    for sample in samples(forecasts, picked):
        n, level = len(sample.losses), sample.case["confidence"]
        if n < 2 and sample.name == ALL:
            raise EstimationError(
                f"{sample.case['asset']}, {sample.case['loss']}: {n} forecasts that all methods "
                "made have a realised loss, two are needed; shorten the window"
            )
        if n < 2:
            continue
        if (n, level) not in nulls:
            nulls[n, level] = null(n, share(level), rng, replications)
        for m, method in enumerate(sample.methods):
            series = sample.losses, sample.var[:, m], sample.es[:, m]
            found = judge(*series, level, nulls[n, level], rng, successive=sample.name == ALL)
            rows.append({"sample": sample.name} | sample.case | {"method": method} | found)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Sample:
    """The bars on which the methods of one asset, loss, level and horizon are compared.

    Attributes
    ----------
    name : "all bars" or that of a pick.
    case : the asset, loss, confidence and bars.
    methods : their names.
    times : when the forecasts were made, ascending; windows of several bars do not overlap.
    losses : realised, one a bar.
    var, es : bar × method.
    """

    name: str
    case: dict[str, object]
    methods: list[str]
    times: pd.Index
    losses: np.ndarray
    var: np.ndarray
    es: np.ndarray


def samples(
    forecasts: pd.DataFrame, picked: Mapping[str, pd.DataFrame] | None = None
) -> Iterator[Sample]:
    """Every case of a forecast table, on all bars and on the picked ones.

    Raises
    ------
    DataError : no rows, a column that is missing, or two forecasts of one method for one bar.
    """
    absent = [column for column in _COLUMNS if column not in forecasts]
    if absent or forecasts.empty:
        raise DataError(
            f"the forecast table has {len(forecasts)} rows and lacks {absent}; give tail.forecasts"
        )
    bar, times = pd.factorize(forecasts["time"], sort=True)
    kind, names = pd.factorize(forecasts["method"])
    values = forecasts[["realised", "var", "es"]].to_numpy(float)
    # Whole numbers group much faster than text.
    codes = pd.DataFrame({column: pd.factorize(forecasts[column])[0] for column in CASE})
    for row in codes.groupby(CASE, sort=False).indices.values():
        case = forecasts.iloc[row[0]][CASE].to_dict()
        kinds, column = np.unique(kind[row], return_inverse=True)
        if len(np.unique(bar[row] * len(kinds) + column)) < len(row):
            raise DataError(f"{case}: two forecasts of one method for one bar; keep one")
        table = np.full((len(times), len(kinds), 3), np.nan)
        table[bar[row], column] = values[row]
        place = np.flatnonzero(np.isfinite(table).all(axis=(1, 2)))
        # Non-overlapping windows: every h-th bar from the first common forecast on.
        place = place[(place - place[:1]) % case["bars"] == 0]
        methods = [str(name) for name in names[kinds]]
        picks = {ALL: np.ones(len(place), bool)}
        for name, only in (picked or {}).items():
            wanted = only[case["asset"]].reindex(times[place], fill_value=False)
            picks[name] = wanted.to_numpy(bool)
        for name, kept in picks.items():
            some = table[place[kept]]
            losses, var, es = some[:, 0, 0], some[..., 1], some[..., 2]
            yield Sample(name, case, methods, times[place[kept]], losses, var, es)


def rates(
    forecasts: pd.DataFrame, picked: Mapping[str, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Exceedances and ES of all assets together, with p-values that know that assets fall together.

    The one test that a handful of bars an asset can carry: the assets of a date are one
    observation, `Σ_t S_t / √(Σ_t S_t²)` with S_t the sum over the date's assets, by N(0, 1)
    (a score test with clusters, Liang and Zeger 1986).

    Returns
    -------
    Table: sample, loss, confidence, bars, method, n, dates, exceedances, rate, rate_p (two-sided),
    es_ratio (`Σ L 1[L > VaR]/ES` over n p, above one where the ES was too low), es_p (one-sided),
    fz0.  NaN p-values where fewer than ten dates are left, or nothing exceeds.
    """
    parts: dict[tuple, list[Sample]] = {}
    for sample in samples(forecasts, picked):
        key = sample.name, *(sample.case[name] for name in CASE[1:])
        parts.setdefault(key, []).append(sample)
    rows = []
    for key, group in parts.items():
        p = share(key[2])
        for method in dict.fromkeys(m for sample in group for m in sample.methods):
            kept = [(s, s.methods.index(method)) for s in group if method in s.methods]
            L = np.concatenate([s.losses for s, _ in kept])
            v = np.concatenate([s.var[:, m] for s, m in kept])
            e = np.concatenate([s.es[:, m] for s, m in kept])
            if not len(L):
                continue
            when, dates = pd.factorize(np.concatenate([s.times.to_numpy() for s, _ in kept]))
            hit, ratio = v < L, (v < L) * L / e / p
            # One observation a date.
            z_rate, z_es = (
                off.sum() / np.sqrt((off**2).sum())
                for off in (np.bincount(when, hit - p), np.bincount(when, ratio - 1.0))
            )
            few = len(dates) < 10 or not hit.any()
            rows.append(
                dict(zip(["sample", *CASE[1:]], key, strict=True))
                | {
                    "method": method,
                    "n": len(L),
                    "dates": len(dates),
                    "exceedances": int(hit.sum()),
                    "rate": float(hit.mean()),
                    "rate_p": np.nan if few else float(2.0 * ndtr(-abs(z_rate))),
                    "es_ratio": float(ratio.mean()),
                    "es_p": np.nan if few else float(ndtr(-z_es)),
                    "fz0": float(scores.fz0(L, v, e, key[2]).mean()),
                }
            )
    return pd.DataFrame(rows)
