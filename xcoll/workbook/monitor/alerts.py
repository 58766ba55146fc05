"""Alerts: what of a run's artifacts has to be looked at, each with its value and its threshold.

    correlation     a pair or the first factor left its own past since the entry before (03)
    coverage        the method in use is rejected by more than chance allows (04)
    toxic frontier  a liquidation may feed on itself (07, synthetic books)
    lag             what is in force lends more than its target, and the steps need too long
    data            a finding on the prices that is new (01)

A name is the same at every date as long as its cause is, so that what still stands is told apart
from what is new.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binom

from xcoll.collateral.calibration.policy import Policy
from xcoll.collateral.recalibration.proposal import RISKIER
from xcoll.estimators.evaluation.table import ALL
from xcoll.workbook.monitor.rules import Rules
from xcoll.workbook.tables import percent

__all__ = ["KINDS", "Alert", "correlation", "coverage", "data", "lag", "toxic"]

KINDS = ("correlation", "coverage", "toxic frontier", "lag", "data")
LIGHTS = ("yellow", "red")


@dataclass(frozen=True)
class Alert:
    """One thing to look at.

    Attributes
    ----------
    kind : one of `KINDS`.
    name : what it is about.
    value, threshold : what was measured, and the limit that it passed; NaN where there is none.
    said : in words.
    """

    kind: str
    name: str
    value: float
    threshold: float
    said: str


def correlation(found: pd.DataFrame, after: pd.Timestamp) -> list[Alert]:
    """Alerts of 03 later than `after`; each bar on which a pair or the factor rose is a new one.

    `found` has time, kind ("pair" or "factor"), name, value and threshold.
    """
    words = {
        "pair": "a correlation of {0.value:.2f}, above {0.threshold:.2f}, what its past let expect",
        "factor": (
            "the first factor's share rose by {1:.1f} points in a bar, its past let expect {2:.1f}"
        ),
    }
    return [
        Alert(
            "correlation",
            f"{row.name.replace('_', ' ')} on {row.time:%Y-%m-%d}",
            row.value,
            row.threshold,
            words[row.kind].format(row, 100.0 * row.value, 100.0 * row.threshold),
        )
        for row in found[found["time"] > after].itertuples()
    ]


def coverage(
    ranking: pd.DataFrame,
    tests: pd.DataFrame,
    rates: pd.DataFrame,
    policy: Policy,
    day: int,
    rules: Rules,
) -> list[Alert]:
    """Rejections of the method in use, at its level, over the `day` bars of a day.

    Series by series: how many are rejected (conditional coverage, ES) or are not green, against the
    upper 95 % point of the binomial law, as the ranking counts them; a red light of any.  Pooled
    over the assets, all bars and after a fall: too many exceedances or too low an ES, by Holm.

    Parameters
    ----------
    ranking, tests, rates : DataFrame
        `tail_ranking`, `coverage` and `coverage_rates` of 04.
    """
    tail, method = policy.tail, policy.method

    def of(table: pd.DataFrame) -> pd.DataFrame:
        level = np.isclose(table["confidence"], tail.confidence, rtol=0.0, atol=1e-12)
        same = (table["loss"] == tail.loss) & (table["bars"] == day) & (table["method"] == method)
        return table[level & same]

    ranked, tested, rated = of(ranking), of(tests), of(rates)
    if ranked.empty or tested.empty:
        said = f"no coverage test of {method} at {percent(tail.confidence)}: nothing guards it"
        return [Alert("coverage", f"{method} is untested", math.nan, math.nan, said)]
    alerts = []
    row = ranked.iloc[0]
    for column, name in (("rejected", "conditional coverage"), ("rejected_es", "ES (Z2)")):
        if row[column] > row["allowed"]:
            said = (
                f"rejected for {row[column]} of {row['assets']} series, chance allows "
                f"{row['allowed']}"
            )
            alerts.append(_counted(f"{name} of {method}", row[column], row["allowed"], said))
    lights = tested[tested["sample"] == ALL].set_index("asset")["traffic_light"]
    bad, allowed = lights[lights.isin(LIGHTS)], int(binom.ppf(0.95, len(lights), 0.05))
    if len(bad) > allowed:
        said = f"{len(bad)} of {len(lights)} series are not green, chance allows {allowed}"
        alerts.append(_counted(f"traffic lights of {method}", len(bad), allowed, said))
    for asset in bad.index[bad == "red"]:
        exceedances = tested[tested["sample"] == ALL].set_index("asset").loc[asset]
        said = f"{exceedances['exceedances']} exceedances, {exceedances['expected']:.1f} promised"
        alerts.append(
            Alert(
                "coverage",
                f"red light of {asset}",
                float(exceedances["exceedances"]),
                float(exceedances["expected"]),
                said,
            )
        )
    return alerts + _pooled(rated, tail.confidence, rules.significance.value)


def toxic(pairs: pd.DataFrame) -> list[Alert]:
    """Collaterals of a venue with an alarm of 07, each by its nearest pair.

    The value is the fall at which a seizure, or the sales that it sets off, begins to do harm, and
    the threshold the expected shortfall that reaches it; of an alarm by the gain alone the gain.
    """
    alarmed = pairs[(pairs["alarm"] != "") & (pairs["venue"] != "all")].copy()
    alarmed["reach"] = alarmed[["distance", "tipping"]].min(axis=1)
    nearest = alarmed.sort_values("reach", kind="stable").drop_duplicates(["venue", "collateral"])
    alerts = []
    for row in nearest.sort_values(["venue", "collateral"]).itertuples():
        expected = max(row.shortfall, 0.0)
        value = (row.reach, expected) if row.reach <= expected else (row.gain, math.nan)
        alerts.append(
            Alert("toxic frontier", f"{row.collateral} at {row.venue}", *value, row.alarm)
        )
    return alerts


def lag(proposed: pd.DataFrame, rules: Rules) -> list[Alert]:
    """Parameters on the riskier side of their target for longer than the patience.

    `proposed` is of `proposal.propose`; value and threshold are days.
    """
    patience = pd.Timedelta(rules.patience.value) / pd.Timedelta("1D")
    alerts = []
    for (asset, parameter), row in proposed[proposed["under_way"]].iterrows():
        lax = RISKIER[parameter] * (row["value"] - row["target"]) > 0.0
        if lax and row["days"] > patience:
            gap = 100.0 * abs(row["value"] - row["target"])
            far = f"{gap:.1f} points" if parameter != "cap" else "its cap"
            said = f"{far} from its target: the steps need {row['days']:.0f} days"
            alerts.append(Alert("lag", f"{asset} {parameter}", row["days"], patience, said))
    return alerts


def data(quality: pd.DataFrame, after: pd.Timestamp, rules: Rules) -> list[Alert]:
    """Findings of the checks that `rules` names, that reach beyond `after`; NaN has no threshold.

    `quality` is of 01: asset, check, start, end, value and action.
    """
    bad = quality[quality["check"].isin(rules.findings.checks) & (quality["end"] > after)]
    return [
        Alert(
            "data",
            f"{row.asset}: {row.check} from {row.start:%Y-%m-%d}",
            row.value,
            math.nan,
            row.action,
        )
        for row in bad.itertuples()
    ]


def _counted(name: str, value: float, threshold: float, said: str) -> Alert:
    return Alert("coverage", name, float(value), float(threshold), said)


def _pooled(rated: pd.DataFrame, confidence: float, significance: float) -> list[Alert]:
    """Rates that are too high and ES that is too low, by Holm's steps over all of these tests."""
    tests: Mapping[str, tuple[float, str]] = {}
    for row in rated.itertuples():
        times = row.rate / (1.0 - confidence)
        high = row.rate_p if times > 1.0 else 1.0  # two-sided: too few exceedances are no alert
        tests |= {
            f"rate of exceedances, {row.sample}": (high, f"{times:.2f} times the promised rate"),
            f"pooled ES, {row.sample}": (row.es_p, f"ES ratio {row.es_ratio:.2f}"),
        }
    known = sorted((p, name) for name, (p, _) in tests.items() if not math.isnan(p))
    alerts = []
    for place, (p, name) in enumerate(known):
        level = significance / (len(known) - place)
        if p >= level:
            break
        said = f"{tests[name][1]} (p {p:.3g}, Holm's level {level:.3g})"
        alerts.append(Alert("coverage", name, p, level, said))
    return alerts
