"""Which method to use: scores compared, tests counted, and a rule that says why.

A method *passes* where neither its coverage nor its ES is rejected for more assets than chance
allows: at 5 % and eleven independent true models two or more rejections happen once in ten times,
so what is counted is compared with the upper 95 % point of that binomial law.  Assets fall
together, so the count is rougher than the law says.

The method in use, the incumbent, stays as long as it passes and its FZ0 is not shown to be worse
than the best of those that pass (Diebold–Mariano on the mean over assets): a change within the
error is not recommended.  Else the best score of those that pass is used; if none passes, the best
score of all, and the table says so.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import binom

from xcoll import checks
from xcoll.errors import DataError
from xcoll.estimators.evaluation import scores
from xcoll.estimators.evaluation.comparison import (
    LEAST_BARS,
    confidence_set,
    diebold_mariano,
)
from xcoll.estimators.evaluation.table import ALL, samples

__all__ = ["POOLED", "compare", "ranking"]

POOLED = "pooled"  # the mean over the assets of a date, in the place of an asset
COVERAGE_TEST, ES_TEST = "conditional_mc", "z2_mc"
_KEYS = ["loss", "confidence", "bars"]


def compare(
    forecasts: pd.DataFrame,
    picked: Mapping[str, pd.DataFrame] | None = None,
    score: str = "fz0",
    size: float = 0.10,
    seed: int = 0,
    replications: int = 500,
) -> pd.DataFrame:
    """Mean score of each method, Diebold–Mariano against the best, and the confidence set.

    Parameters
    ----------
    forecasts, picked : as in `coverage`.
    score : "fz0" or "tick".
    size, seed, replications : of the confidence set (Hansen, Lunde and Nason 2011).

    Returns
    -------
    Table: sample, asset (and "pooled": the mean over the assets of a
    date that every method forecasts), loss, confidence,
    bars, method, n, score, difference (to the best of the sample), dm_p (two-sided; NaN for the
    best itself), mcs_p, included.  Samples of fewer than 30 bars are left out: a HAC error and a
    bootstrap have nothing to go by.  One best is picked from the same data, so a dm_p is too
    small by that choice; the confidence set is not.
    """
    kind = scores.SCORES[checks.one_of("score", score, scores.SCORES)]
    charged: dict[tuple, list[pd.DataFrame]] = {}
    for sample in samples(forecasts, picked):
        level = sample.case["confidence"]
        series = [
            kind(sample.losses, sample.var[:, m], sample.es[:, m], level)
            for m in range(len(sample.methods))
        ]
        frame = pd.DataFrame(np.column_stack(series), sample.times, sample.methods)
        key = (sample.name, *(sample.case[name] for name in ("loss", "confidence", "bars")))
        charged.setdefault((*key, sample.case["asset"]), []).append(frame)
    for key, frames in list(charged.items()):
        charged.setdefault((*key[:4], POOLED), []).extend(frames)
    rows = []
    for (name, loss, confidence, bars, asset), frames in charged.items():
        losses = frames[0]
        if asset == POOLED:
            # Assets that some method lacks would be scored by the others only.
            every = set().union(*frames)
            whole = [frame for frame in frames if set(frame) == every]
            losses = pd.concat(whole).groupby(level=0).mean() if whole else pd.DataFrame()
        if len(losses) < LEAST_BARS or losses.shape[1] < 2:
            continue
        found = confidence_set(losses, size, seed, replications)
        best = found["model"].iloc[0]
        for row in found.itertuples():
            same = np.ptp(losses[row.model] - losses[best]) == 0.0
            test = None if same else diebold_mariano(losses[row.model], losses[best])
            rows.append(
                {
                    "sample": name,
                    "asset": asset,
                    "loss": loss,
                    "confidence": confidence,
                    "bars": bars,
                    "method": row.model,
                    "n": len(losses),
                    "score": row.score,
                    "difference": row.score - found["score"].iloc[0],
                    "dm_p": np.nan if test is None else test.p_value,
                    "mcs_p": row.p_value,
                    "included": bool(row.included),
                }
            )
    columns = ["sample", "asset", *_KEYS, "method", "n", "score", "difference", "dm_p", "mcs_p"]
    return pd.DataFrame(rows, columns=[*columns, "included"])


def ranking(
    table: pd.DataFrame,
    compared: pd.DataFrame | None = None,
    rated: pd.DataFrame | None = None,
    incumbent: str | None = None,
    size: float = 0.05,
) -> pd.DataFrame:
    """Methods best first within each loss, level and horizon, which one is used, and why.

    Parameters
    ----------
    table : of `coverage`.
    compared : of `compare`, optional.
    rated : of `rates` on picked bars, optional; a single pick.
    incumbent : the method in use, which stays unless it fails or is shown to be worse; where it
        has no forecasts, or is not given, the best score decides.
    size : of the tests that are counted, by their Monte Carlo p-values, and of the comparison.

    Returns
    -------
    Table of the assets that every method forecasts: loss, confidence, bars, method, assets (how
    many), rejected (conditional coverage), rejected_es
    (Z2), allowed (what chance allows of either), hit_ratio (exceedances over expected), es_ratio
    (mean of 1 - Z2: above one where the ES was too low), fz0 (mean over assets), dm_p (pooled,
    against the best score), in_set (assets whose confidence set holds it), fall_ratio, fall_p,
    fall_es_p, fall_fz0 (the picked bars, all assets), rank (by fz0), used, why.  NaN where
    `compared` or `rated` has nothing to say.
    """
    checks.fraction("size", size)
    lacking = {COVERAGE_TEST, ES_TEST, "fz0", "sample"} - set(table)
    if lacking:
        raise DataError(f"the table lacks {sorted(lacking)}; give the one of coverage")
    rows = table[table["sample"] == ALL]
    methods = rows.groupby([*_KEYS, "asset"])["method"].transform("nunique")
    shared = rows[methods == rows.groupby(_KEYS)["method"].transform("nunique")]
    if shared.empty:
        raise DataError("no asset was forecast by every method; compare fewer methods")
    ranked = (
        shared.assign(
            rejected=lambda kept: kept[COVERAGE_TEST] < size,
            rejected_es=lambda kept: kept[ES_TEST] < size,
            es_ratio=lambda kept: 1.0 - kept["z2"],
        )
        .groupby([*_KEYS, "method"], as_index=False, sort=False)
        .agg(
            assets=("asset", "nunique"),
            rejected=("rejected", "sum"),
            rejected_es=("rejected_es", "sum"),
            exceedances=("exceedances", "sum"),
            expected=("expected", "sum"),
            es_ratio=("es_ratio", "mean"),
            fz0=("fz0", "mean"),
        )
    )
    ranked["hit_ratio"] = ranked["exceedances"] / ranked["expected"]
    ranked["allowed"] = binom.ppf(0.95, ranked["assets"], size).astype(int)
    ranked = _joined(ranked, shared, compared, rated)
    ranked["rank"] = ranked.groupby(_KEYS)["fz0"].rank(method="first").astype(int)
    ranked = ranked.sort_values([*_KEYS, "rank"], ignore_index=True)
    ranked["passes"] = ranked[["rejected", "rejected_es"]].max(axis=1) <= ranked["allowed"]
    ranked["used"] = False
    ranked["why"] = ""
    for _, case in ranked.groupby(_KEYS):
        asked = case[case["passes"]] if case["passes"].any() else case
        stays = (asked["method"] == incumbent) & ~(asked["dm_p"] < size)
        used = asked.index[stays.argmax()]  # the first, and best, where nothing stays
        ranked.loc[used, "used"] = True
        for row in case.itertuples():
            ranked.loc[row.Index, "why"] = _why(row, row.Index == used, stays.any(), size)
    columns = ["method", "assets", "rejected", "rejected_es", "allowed", "hit_ratio", "es_ratio"]
    columns += ["fz0", "dm_p", "in_set", "fall_ratio", "fall_p", "fall_es_p", "fall_fz0"]
    return ranked[[*_KEYS, *columns, "rank", "used", "why"]]


def _joined(
    ranked: pd.DataFrame,
    shared: pd.DataFrame,
    compared: pd.DataFrame | None,
    rated: pd.DataFrame | None,
) -> pd.DataFrame:
    keys = [*_KEYS, "method"]
    extra = pd.DataFrame(columns=[*keys, "dm_p", "in_set"])
    if compared is not None:
        every = compared[compared["sample"] == ALL]
        pooled = every["asset"] == POOLED
        extra = every[pooled].set_index(keys)[["dm_p"]]
        counted = every[~pooled].merge(shared[[*keys, "asset"]], on=[*keys, "asset"])
        extra["in_set"] = counted.groupby(keys)["included"].sum().astype(float)
        extra = extra.reset_index()
    fell = pd.DataFrame(columns=[*keys, "fall_ratio", "fall_p", "fall_es_p", "fall_fz0"])
    if rated is not None:
        after = rated[rated["sample"] != ALL]
        fell = after[keys].assign(
            fall_ratio=after["rate"] / (1.0 - after["confidence"]),
            fall_p=after["rate_p"],
            fall_es_p=after["es_p"],
            fall_fz0=after["fz0"],
        )
    for more in (extra, fell):
        same = more.astype({"confidence": float, "bars": int}) if len(more) else more
        kinds = {key: ranked[key].dtype for key in keys}
        ranked = ranked.merge(same.astype(kinds), on=keys, how="left")
    return ranked.astype(dict.fromkeys(["dm_p", "in_set", *fell.columns[4:]], float))


def _why(row: tuple, used: bool, stays: bool, size: float) -> str:
    counts = (("coverage", row.rejected), ("ES", row.rejected_es))
    failed = [f"{name} rejected {k:.0f} of {row.assets}" for name, k in counts if k > row.allowed]
    if used and failed:
        return "none passes: " + ", ".join(failed)
    if used:
        return "in use, passes, none scores better beyond chance" if stays else "best that passes"
    if failed:
        return ", ".join(failed)
    return "passes, scores worse" if row.dm_p < size else "passes, no better beyond chance"
