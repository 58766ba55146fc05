"""Which thresholds: capital efficiency against bad debt, and a choice that history did not flatter.

The sweep scales the buffer of every threshold, ``1 − LT_i(λ) = λ·(1 − LT_i)``: λ 1 is the given
set, under 1 is looser.  The ratio of LTV to threshold stays, and borrowers draw against the
thresholds in force.  Settings with LT·(1 + LB) ≥ 1 or LTV > LT are shown and never chosen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.resampling import interval
from xcoll.estimators.tail.shortfall import drawn, historical
from xcoll.liquidation.cohorts import Study, compare
from xcoll.liquidation.outcomes import resampled

__all__ = [
    "Choice",
    "bearable",
    "choose",
    "chosen",
    "decide",
    "halves",
    "holdout",
    "pareto",
    "points",
    "scaled",
    "sure",
    "sweep",
    "tidy",
]

MEANS = [
    "capital_efficiency",
    "threshold",
    "bad_debt",
    "penalty",
    "premature",
    "premature_debt",
    "premature_penalty",
    "insufficient",
]


def bearable(parameters: RiskParameters, factors: Sequence[float]) -> list[float]:
    """`factors` as far as `scaled` can take them, each once.

    A larger one becomes the largest tenth that leaves every asset a threshold.
    """
    given = parameters.frame["threshold"]
    widest = 1.0 - given[given > 0].min()
    if not any(round(1.0 - factor * widest, 9) <= 0.0 for factor in factors):
        return list(factors)
    most = (math.ceil(round(10.0 / widest, 9)) - 1) / 10.0
    return list(dict.fromkeys(min(factor, most) for factor in factors))


def scaled(parameters: RiskParameters, factor: float | pd.Series) -> RiskParameters:
    """`parameters` with every buffer ``1 − LT`` multiplied by `factor`; zero thresholds stay zero.

    Parameters
    ----------
    factor : one for all assets, or by asset (1 where an asset is not named).

    Raises
    ------
    ParameterError
        A factor that is not positive, or that lowers a threshold to zero or under.
    """
    given = parameters.frame["threshold"]
    if isinstance(factor, pd.Series):
        by_asset = factor.reindex(given.index).fillna(1.0)
    else:
        by_asset = pd.Series(factor, given.index)
    for asset, value in by_asset.items():
        checks.positive(f"factor of {asset}", value)
    moved = (1 - by_asset * (1 - given)).where(given > 0, 0.0)
    gone = moved[(given > 0) & (moved <= 0)]
    if not gone.empty:
        asset = gone.index[0]
        raise ParameterError(
            f"a buffer of {by_asset[asset]:g} times today's leaves {asset} without a threshold; "
            "take a smaller factor"
        )
    return parameters.with_thresholds(moved)


def sweep(study: Study, factors: Sequence[float]) -> pd.DataFrame:
    """Outcomes of every weekly cohort of `study` at every setting.

    Returns
    -------
    DataFrame
        Columns ``factor`` and ``consistent`` (False for a setting that may not be recommended)
        before those of `Cohorts.outcomes`.

    Raises
    ------
    ParameterError
        No factor, or one twice.
    """
    if not len(factors) or len(set(factors)) < len(factors):
        raise ParameterError(f"factors are {list(factors)}; give distinct numbers above zero")
    cases = {x: replace(study.weekly, parameters=scaled(study.parameters, x)) for x in factors}
    swept = compare(cases, "factor")
    sound = {factor: not case.parameters.faults for factor, case in cases.items()}
    swept.insert(1, "consistent", swept["factor"].map(sound))
    return swept


def points(swept: pd.DataFrame, confidence: float = 0.95, by: str = "factor") -> pd.DataFrame:
    """One point a setting, over the cohorts in `swept`.

    Parameters
    ----------
    swept : outcomes of cohorts with the columns `by` and ``consistent`` (absent: all are).
    confidence : level of the expected shortfall over cohorts.

    Returns
    -------
    DataFrame
        Index `by`, ascending.  Means over cohorts of ``capital_efficiency``, ``threshold``,
        ``bad_debt`` (realised and still under water, a share of the debt), ``penalty``,
        ``premature``, ``premature_debt``, ``insufficient``; ``bad_debt_es`` and ``trough_es``: the
        mean of the worst ``1 − confidence`` of the cohorts; ``consistent``.
    """
    groups = swept.groupby(by, sort=True)
    table = groups[MEANS].mean()
    for name, column in (("bad_debt_es", "bad_debt"), ("trough_es", "trough")):
        table[name] = groups[column].agg(lambda x: historical(x, confidence).es)
    table["consistent"] = groups["consistent"].all() if "consistent" in swept else True
    return table


def pareto(
    table: pd.DataFrame, gain: str = "capital_efficiency", cost: str = "bad_debt_es"
) -> pd.Series:
    """Points that no other beats: none has as much `gain` at less `cost`, or more at as little."""
    gains, costs = table[gain].to_numpy(), table[cost].to_numpy()
    better = (gains >= gains[:, None]) & (costs <= costs[:, None])
    strictly = (gains > gains[:, None]) | (costs < costs[:, None])
    return pd.Series(~(better & strictly).any(axis=1), index=table.index, name="pareto")


def choose(table: pd.DataFrame, budget: float, cost: str = "bad_debt_es") -> float:
    """Factor of the highest capital efficiency whose `cost` is within `budget`.

    Only consistent settings count.

    Raises
    ------
    EstimationError
        No setting keeps within the budget.
    """
    checks.at_least("budget", budget, 0.0)
    allowed = table[table["consistent"] & (table[cost] <= budget)]
    if allowed.empty:
        raise EstimationError(
            f"no consistent setting keeps {cost} within {budget:g}; the least is "
            f"{table[cost].min():.6g}: widen the budget or sweep larger factors"
        )
    return float(allowed["capital_efficiency"].idxmax())


def sure(
    swept: pd.DataFrame,
    budget: float,
    rng: np.random.Generator,
    block: int,
    confidence: float = 0.95,
    replications: int = 1_000,
    level: float = 0.90,
) -> tuple[float, float]:
    """Interval of the factor that `choose` takes, by blocks of cohorts.

    Where no consistent setting of a draw keeps the budget, the strictest counts.

    Raises
    ------
    EstimationError
        Fewer cohorts than two blocks.
    """
    losses = swept.pivot_table("bad_debt", "factor", "start")
    power = swept.groupby("factor")["capital_efficiency"].mean()
    sound = swept.groupby("factor")["consistent"].all().to_numpy()
    table, factors = losses.to_numpy(), losses.index.to_numpy(dtype=float)
    found = []
    for pick in resampled(losses.shape[1], rng, replications, block):
        _, es, _ = drawn(table[:, pick], [confidence])[0]
        kept = sound & (es <= budget)
        best = power.where(kept, -1.0).to_numpy().argmax() if kept.any() else len(factors) - 1
        found.append(factors[best])
    low, high = interval(np.array(found)[:, None], level)
    return float(low[0]), float(high[0])


@dataclass(frozen=True)
class Choice:
    """A factor and what it rests on.

    Attributes
    ----------
    factor : the strictest of what the whole history and both of its halves allow.
    whole : what the whole history allows.
    points : one point a setting, with ``pareto`` and ``chosen``.
    halves : the table of `holdout`.
    """

    factor: float
    whole: float
    points: pd.DataFrame
    halves: pd.DataFrame


def decide(
    swept: pd.DataFrame,
    budget: float,
    window: str | pd.Timedelta = "30D",
    confidence: float = 0.95,
) -> Choice:
    """The setting that keeps the loss budget in the whole history and in each half of it."""
    table = points(swept, confidence)
    judged = holdout(swept, budget, window, confidence)
    whole = choose(table, budget)
    factor = max(whole, float(judged["factor"].max()))
    table["pareto"] = pareto(table)
    table["chosen"] = table.index == factor
    return Choice(factor, whole, table, judged)


def tidy(world: pd.DataFrame, low: pd.DataFrame) -> pd.DataFrame:
    """Points of both services under each other, with ``service``, ``pareto`` and ``chosen``."""
    bound = low.assign(pareto=pareto(low), chosen=False)
    return pd.concat({"world": world, "low": bound}, names=["service"]).reset_index()


def chosen(parameters: RiskParameters, factor: float) -> pd.DataFrame:
    """Thresholds and LTV at `factor` beside the given ones.

    Columns ``asset``, ``factor``, ``threshold_given``, ``ltv_given``, ``threshold``, ``ltv``.
    """
    given, moved = parameters.frame, scaled(parameters, factor).frame
    table = given[["threshold", "ltv"]].add_suffix("_given").join(moved[["threshold", "ltv"]])
    table.insert(0, "factor", float(factor))
    return table.rename_axis("asset").reset_index()


def halves(cohorts: pd.DataFrame, window: str | pd.Timedelta) -> dict[str, pd.DataFrame]:
    """Rows of the "first half" and the "second half" by their column ``start``.

    Cohorts of the first half whose window reaches into the second belong to neither.

    Raises
    ------
    EstimationError
        A half is empty.
    """
    starts = np.sort(cohorts["start"].unique())
    split = pd.Timestamp(starts[len(starts) // 2])
    parts = {
        "first half": cohorts[cohorts["start"] + checks.duration("window", window) < split],
        "second half": cohorts[cohorts["start"] >= split],
    }
    for name, part in parts.items():
        if part.empty:
            raise EstimationError(f"the {name} of the cohorts is empty; give a longer history")
    return parts


def holdout(
    swept: pd.DataFrame,
    budget: float,
    window: str | pd.Timedelta = "30D",
    confidence: float = 0.95,
    cost: str = "bad_debt_es",
) -> pd.DataFrame:
    """Choose on one half of the cohorts, judge on the other, and the reverse; see `halves`.

    Returns
    -------
    DataFrame
        Two rows: ``chosen_on``, ``judged_on`` ("first half", "second half"), ``start`` and ``end``
        of the openings chosen on, ``factor``, ``efficiency``, `cost` ``in_sample`` and
        ``out_of_sample``, ``optimism`` (out less in), ``within_budget`` (out of sample), and
        ``hindsight``: the factor that the judging half itself would have chosen.
    """
    parts = halves(swept, window)
    tables = {}
    for name, half in parts.items():
        tables[name] = points(half, confidence)
    rows = []
    for chosen_on, judged_on in (("first half", "second half"), ("second half", "first half")):
        factor = choose(tables[chosen_on], budget, cost)
        inside, outside = (float(tables[name].loc[factor, cost]) for name in (chosen_on, judged_on))
        rows.append(
            {
                "chosen_on": chosen_on,
                "judged_on": judged_on,
                "start": parts[chosen_on]["start"].min(),
                "end": parts[chosen_on]["start"].max(),
                "factor": factor,
                "efficiency": float(tables[chosen_on].loc[factor, "capital_efficiency"]),
                "in_sample": inside,
                "out_of_sample": outside,
                "optimism": outside - inside,
                "within_budget": outside <= budget,
                "hindsight": choose(tables[judged_on], budget, cost),
            }
        )
    return pd.DataFrame(rows)
