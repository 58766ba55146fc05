"""Do the forecasts hold?  Tests of VaR exceedances and a joint score of VaR and ES.

    POF            -2 ln[ p^x (1-p)^(n-x) / (x/n)^x (1-x/n)^(n-x) ]    χ²(1), Kupiec 1995
    first failure  -2 ln[ p (1-p)^(v-1) / (1/v) (1-1/v)^(v-1) ]        χ²(1), Kupiec 1995
    independence   a first-order Markov chain against one rate         χ²(1), Christoffersen 1998
    conditional    POF + independence                                  χ²(2), Christoffersen 1998

A hit is a loss above its VaR.  The χ² laws are poor at few hits (at n 250 and 1 % POF rejects
9.5 % of true models at 5 %), so Monte Carlo p-values stand beside them (Dufour 2006).
Overlapping windows make hits dependent: forecasts over h bars are judged at every h-th bar only.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import xlogy
from scipy.stats import binom, chi2

from xcoll import checks
from xcoll.errors import EstimationError

__all__ = [
    "LikelihoodRatio",
    "Null",
    "TrafficLight",
    "conditional_coverage",
    "coverage",
    "first_failure",
    "fz0",
    "independence",
    "judge",
    "kupiec",
    "monte_carlo_p_value",
    "null",
    "ranking",
    "rates",
    "traffic_light",
]

# Basel Committee, MAR32 (2019): multiplier by the exceedances of 250 days at 99 %.
MULTIPLIERS = (1.50, 1.50, 1.50, 1.50, 1.50, 1.70, 1.76, 1.83, 1.88, 1.92, 2.00)
_SUCCESSIVE = ["independence_p", "conditional_p", "independence_mc", "conditional_mc"]
_SUCCESSIVE += ["first_failure_p"]
YELLOW, RED = 0.95, 0.9999  # a zone begins where the binomial distribution reaches this


@dataclass(frozen=True)
class LikelihoodRatio:
    """A likelihood-ratio statistic and its asymptotic p-value."""

    statistic: float
    p_value: float


@dataclass(frozen=True)
class TrafficLight:
    """Zone (green, yellow, red), `P(X <= x)`, and the multiplier (NaN but for 250 bars, 99 %)."""

    zone: str
    cumulative: float
    multiplier: float


@dataclass(frozen=True)
class Null:
    """Statistics of simulated hit sequences of a true model, one value a replication."""

    pof: np.ndarray
    independence: np.ndarray
    conditional: np.ndarray


def kupiec(exceedances: int, observations: int, probability: float) -> LikelihoodRatio:
    """Proportion of failures: is the share of hits the `probability` promised (0.01 at 99 %)?"""
    x, n, p = _counts(exceedances, observations, probability)
    statistic = float(_pof(x, n, p))
    return LikelihoodRatio(statistic, float(chi2.sf(statistic, 1)))


def first_failure(bar: int, probability: float) -> LikelihoodRatio:
    """Time to first failure: does the first hit, at the `bar`-th bar (from 1), come in its time?"""
    v = checks.whole("bar", bar)
    p = checks.fraction("probability", probability)
    expected = np.log(p) + xlogy(v - 1, 1.0 - p)
    seen = -np.log(v) + xlogy(v - 1, 1.0 - 1.0 / v)
    statistic = float(max(-2.0 * (expected - seen), 0.0))
    return LikelihoodRatio(statistic, float(chi2.sf(statistic, 1)))


def independence(hits: np.ndarray) -> LikelihoodRatio:
    """Does a hit make the next one likelier?  `hits` is a sequence of booleans in time order."""
    statistic = float(_independence(_sequence(hits)))
    return LikelihoodRatio(statistic, float(chi2.sf(statistic, 1)))


def conditional_coverage(hits: np.ndarray, probability: float) -> LikelihoodRatio:
    """The right share of hits, and independent ones: the sum of the two statistics."""
    sequence = _sequence(hits)
    n, p = len(sequence), checks.fraction("probability", probability)
    statistic = float(_pof(sequence.sum(), n, p) + _independence(sequence))
    return LikelihoodRatio(statistic, float(chi2.sf(statistic, 2)))


def traffic_light(
    exceedances: int, observations: int = 250, probability: float = 0.01
) -> TrafficLight:
    """Basel zone of x exceedances by the binomial distribution, for any number of bars."""
    x, n, p = _counts(exceedances, observations, probability)
    cumulative = float(binom.cdf(x, n, p))
    zone = "green" if cumulative < YELLOW else "yellow" if cumulative < RED else "red"
    basel = n == 250 and np.isclose(p, 0.01)
    multiplier = MULTIPLIERS[min(x, len(MULTIPLIERS) - 1)] if basel else np.nan
    return TrafficLight(zone, cumulative, multiplier)


def null(
    observations: int, probability: float, rng: np.random.Generator, replications: int = 999
) -> Null:
    """Statistics under a true model: independent hits with `probability`, simulated."""
    n, p = checks.whole("observations", observations, least=2), probability
    p = checks.fraction("probability", p)
    hits = rng.random((checks.whole("replications", replications), n)) < p
    pof, dependence = _pof(hits.sum(axis=1), n, p), _independence(hits)
    return Null(pof, dependence, pof + dependence)


def monte_carlo_p_value(statistic: float, simulated: np.ndarray, rng: np.random.Generator) -> float:
    """Exact p-value of Dufour (2006): rank among the simulated, ties broken at random.

    The statistics are discrete and ties are common; without the uniform draws that break them
    the test would be conservative.
    """
    ties = np.isclose(simulated, statistic, rtol=1e-9, atol=1e-12)
    above = (simulated > statistic) & ~ties
    tied = rng.random(int(ties.sum())) >= rng.random()
    return float((1 + above.sum() + tied.sum()) / (len(simulated) + 1))


def fz0(losses: np.ndarray, var: np.ndarray, es: np.ndarray, confidence: float) -> np.ndarray:
    """Fissler–Ziegel score FZ0 of joint VaR and ES forecasts, one a bar; lower is better.

    `1[L > v] (L - v) / ((1-α) e) + v/e + ln e - 1` (Patton, Ziegel and Chen 2019, in losses).

    Raises
    ------
    EstimationError : an ES that is not positive, for which the score is not defined.
    """
    share = _share(confidence)
    if not (np.asarray(es) > 0.0).all():
        raise EstimationError("FZ0 needs ES forecasts above zero")
    return np.maximum(losses - var, 0.0) / (share * es) + var / es + np.log(es) - 1.0


def judge(
    losses: np.ndarray,
    var: np.ndarray,
    es: np.ndarray,
    confidence: float,
    truth: Null,
    rng: np.random.Generator,
) -> dict[str, float | int | str]:
    """Every test and the mean score of one series of forecasts, successive and in time order.

    `_p` are asymptotic p-values, `_mc` Monte Carlo ones against `truth` (`null` of that length and
    level).  `first_failure_p` is missing where nothing failed.
    """
    hits = _sequence(np.asarray(losses) > np.asarray(var))
    n, x, p = len(hits), int(hits.sum()), _share(confidence)
    tests = {
        "kupiec": (kupiec(x, n, p), truth.pof),
        "independence": (independence(hits), truth.independence),
        "conditional": (conditional_coverage(hits, p), truth.conditional),
    }
    return {
        "n": n,
        "exceedances": x,
        "expected": n * p,
        **{f"{name}_p": test.p_value for name, (test, _) in tests.items()},
        **{
            f"{name}_mc": monte_carlo_p_value(test.statistic, simulated, rng)
            for name, (test, simulated) in tests.items()
        },
        "first_failure_p": first_failure(int(hits.argmax()) + 1, p).p_value if x else np.nan,
        "traffic_light": traffic_light(x, n, p).zone,
        "fz0": float(fz0(losses, var, es, confidence).mean()),
    }


def coverage(
    forecasts: pd.DataFrame,
    rng: np.random.Generator,
    replications: int = 999,
    picked: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """`judge` for every asset, method, loss, level and horizon of a forecast table, a row each.

    Methods are compared on the bars that all of them forecast.

    Parameters
    ----------
    forecasts : long frame of `tail.forecasts`: time, asset, method, loss, confidence, bars, var,
        es, realised.
    rng, replications : for the Monte Carlo p-values.
    picked : name → time × asset booleans, bars that are judged once more by themselves.  They
        are not successive: independence, conditional coverage and first failure are then missing,
        and so are assets that have fewer than two such bars.

    Returns
    -------
    Table: sample ("all bars", or the name of a pick), asset, loss, confidence, bars, method, and
    what `judge` gives.

    Raises
    ------
    EstimationError : fewer than two forecasts with a realised loss.
    """
    case = ["asset", "loss", "confidence", "bars"]
    methods = forecasts.groupby([*case, "time"])["method"].transform("nunique")
    shared = forecasts[methods == forecasts["method"].nunique()].dropna(subset=["realised"])
    bar = pd.Index(np.sort(forecasts["time"].unique()))
    nulls: dict[tuple[int, float], Null] = {}
    rows = []
    for key, group in shared.groupby([*case, "method"], sort=False):
        label = dict(zip([*case, "method"], key, strict=True))
        # Non-overlapping windows: every h-th bar from the first forecast on.
        place = bar.get_indexer(group["time"])
        apart = group[(place - place[:1]) % label["bars"] == 0].sort_values("time")
        if len(apart) < 2:
            raise EstimationError(
                f"{label['asset']}, {label['method']}: {len(apart)} forecasts have a realised "
                "loss, two are needed; shorten the window"
            )
        samples = {"all bars": apart}
        for name, only in (picked or {}).items():
            wanted = only[label["asset"]].reindex(apart["time"], fill_value=False)
            samples[name] = apart[wanted.to_numpy(bool)]
        for name, table in samples.items():
            if len(table) < 2:
                continue
            size = len(table), label["confidence"]
            if size not in nulls:
                nulls[size] = null(size[0], _share(size[1]), rng, replications)
            series = (table[column].to_numpy() for column in ("realised", "var", "es"))
            found = judge(*series, label["confidence"], nulls[size], rng)
            if name != "all bars":
                found |= dict.fromkeys(_SUCCESSIVE, np.nan)
            rows.append({"sample": name} | label | found)
    return pd.DataFrame(rows)


def rates(table: pd.DataFrame) -> pd.DataFrame:
    """Exceedances of a `coverage` table over all assets, by sample, loss and method: n, rate.

    Assets fall together: the rate is no better known than that of a few of them.
    """
    keys = ["sample", "loss", "method"]
    counts = table.groupby(keys, as_index=False, sort=False)[["n", "exceedances"]].sum()
    return counts.assign(rate=counts["exceedances"] / counts["n"])


def ranking(table: pd.DataFrame, size: float = 0.05) -> pd.DataFrame:
    """Methods of a `coverage` table, best first within each loss, confidence and horizon.

    A method ranks by its mean FZ0 score among those that no test rejects more often than by
    chance; columns: loss, confidence, bars, method, assets, rejected (assets whose conditional
    coverage is rejected at `size`, Monte Carlo), hit_ratio (exceedances over expected), fz0, rank.
    """
    checks.fraction("size", size)
    keys = ["loss", "confidence", "bars"]
    ranked = (
        table[table["sample"] == "all bars"]
        .assign(rejected=lambda kept: kept["conditional_mc"] < size)
        .groupby([*keys, "method"], as_index=False, sort=False)
        .agg(
            assets=("asset", "nunique"),
            rejected=("rejected", "sum"),
            exceedances=("exceedances", "sum"),
            expected=("expected", "sum"),
            fz0=("fz0", "mean"),
        )
    )
    ranked["hit_ratio"] = ranked["exceedances"] / ranked["expected"]
    ranked["rank"] = ranked.groupby(keys)["fz0"].rank(method="first").astype(int)
    ranked = ranked.sort_values([*keys, "rank"], ignore_index=True)
    columns = ["method", "assets", "rejected", "hit_ratio", "fz0", "rank"]
    return ranked[[*keys, *columns]]


def _share(confidence: float) -> float:
    # 1 - 0.95 is 0.05, not 0.050000000000000044.
    return round(1.0 - checks.fraction("confidence", confidence), 12)


def _counts(exceedances: int, observations: int, probability: float) -> tuple[int, int, float]:
    x = checks.whole("exceedances", exceedances, least=0)
    n = checks.whole("observations", observations)
    if x > n:
        raise EstimationError(f"{x} exceedances in {n} observations; swap the two?")
    return x, n, checks.fraction("probability", probability)


def _sequence(hits: np.ndarray) -> np.ndarray:
    sequence = np.asarray(hits)
    if sequence.ndim != 1 or len(sequence) < 2 or sequence.dtype != bool:
        raise EstimationError("hits are one row of at least two booleans, in time order")
    return sequence


def _pof(x: np.ndarray, n: int, p: float) -> np.ndarray:
    expected = xlogy(n - x, 1.0 - p) + xlogy(x, p)
    seen = xlogy(n - x, 1.0 - x / n) + xlogy(x, x / n)
    return np.maximum(2.0 * (seen - expected), 0.0)


def _independence(hits: np.ndarray) -> np.ndarray:
    """The Markov statistic along the last axis; zero where there is no hit to follow."""
    before, after = hits[..., :-1], hits[..., 1:]
    n11 = (before & after).sum(axis=-1)
    n10 = (before & ~after).sum(axis=-1)
    n01 = (~before & after).sum(axis=-1)
    n00 = (~before & ~after).sum(axis=-1)
    chain = _bernoulli(n01, n00) + _bernoulli(n11, n10)
    return np.maximum(2.0 * (chain - _bernoulli(n01 + n11, n00 + n10)), 0.0)


def _bernoulli(hit: np.ndarray, miss: np.ndarray) -> np.ndarray:
    """Maximised log-likelihood of independent trials; zero of none."""
    total = np.maximum(hit + miss, 1)
    return xlogy(hit, hit / total) + xlogy(miss, miss / total)
