"""All thresholds at once under a loss budget, against one at a time.

Published practice tunes one asset after the other, each with the rest held fixed.  Here both ways
spend the same budget on the same buffers, ``1 − LT_i = λ_i·(1 − LT_i of the study)``, and make a
ladder of settings from strict to loose:

one at a time   every asset takes the loosest λ_i at which it loses no more than b while all the
                others stay at their strictest; b climbs.
jointly         from the loosest setting, always the step that takes most bad debt away for the
                borrowing power that it costs; scores are kept until they reach the top (lazy
                greedy, Minoux 1978), for a step rarely gets better when others were made.  Settings
                of the other ladder stay where they are better, for a greedy walk is no optimum.

Both begin with the strictest setting, beaten or not: what loses nothing on one half may lose much
on the other, where a ladder without its foot could not be read at a small loss.

A setting is judged by the borrowing power a dollar of collateral, and by the expected shortfall of
bad debt over cohorts.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from xcoll import checks
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.resampling import interval
from xcoll.estimators.tail.shortfall import drawn, historical
from xcoll.liquidation.cohorts import Study, bad_debt, efficiency, windows
from xcoll.liquidation.frontier import halves, pareto, scaled
from xcoll.liquidation.outcomes import resampled

__all__ = ["Comparison", "Ladder", "Trial", "compare", "greedy", "jointly", "one_at_a_time"]


@dataclass(frozen=True)
class Ladder:
    """Settings from strict to loose on the cohorts of a trial.

    Attributes
    ----------
    factors : rung × asset, λ.
    bad_debt : rung × cohort, a share of the debt.
    efficiency : rung × cohort, borrowing power a dollar of collateral.
    """

    factors: pd.DataFrame
    bad_debt: np.ndarray
    efficiency: np.ndarray

    def read(self, es: np.ndarray, cohorts: np.ndarray, confidence: float) -> np.ndarray:
        """Efficiency where the expected shortfall of bad debt first reaches each of `es`.

        Linear between rungs; over `cohorts`, one of them as often as it is named.  The loosest rung
        where none loses so much, the strictest where all lose more.
        """
        _, lost, _ = drawn(self.bad_debt[:, cohorts], [confidence])[0]
        power = self.efficiency[:, cohorts].mean(axis=1)
        climbed = np.maximum.accumulate(lost)
        found = np.empty(len(es))
        for n, at in enumerate(es):
            place = int(np.searchsorted(climbed, at, side="right"))
            if place in (0, len(climbed)):
                found[n] = power[min(place, len(climbed) - 1)]
                continue
            share = (at - climbed[place - 1]) / (climbed[place] - climbed[place - 1])
            found[n] = power[place - 1] + share * (power[place] - power[place - 1])
        return found


@dataclass
class Trial:
    """Evaluates settings of `study`, its weekly cohorts, and remembers them.

    To find the expected shortfall, no setting is taken to lose more in a cohort than the loosest of
    all does there, so that a cohort is replayed only where its loss may count; what is judged is
    replayed throughout.

    Attributes
    ----------
    study : its thresholds are those at λ 1; borrowers draw against the thresholds in force.
    factors : λ to choose from, ascending.
    confidence : of the expected shortfall.
    """

    study: Study
    factors: Sequence[float]
    confidence: float = 0.95
    known: dict[tuple[int, ...], dict[int, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if list(self.factors) != sorted(set(self.factors)) or len(self.factors) < 2:
            raise ParameterError(
                f"factors are {list(self.factors)}; give two or more ascending numbers above zero"
            )
        checks.fraction("confidence", self.confidence)
        if self.study.thresholds is not None or self.study.baskets is not None:
            raise ParameterError(
                "a choice is among constant thresholds; give a study without others"
            )
        self.study = self.study.weekly
        self.prices = windows(self.study)
        frame = self.study.parameters.frame
        self.assets = frame.index[frame["threshold"] > 0.0].tolist()
        # The loosest place of each asset that may be recommended.
        self.loosest = tuple(self._loosest(asset) for asset in self.assets)
        self.strictest = (len(self.factors) - 1,) * len(self.assets)
        cohorts = np.arange(len(self.study.calendar))
        self._base = efficiency(self._set(self.strictest))
        self._parts = np.zeros((len(self._base), len(self.assets), len(self.factors)))
        for n, loosest in enumerate(self.loosest):
            for place in range(loosest, len(self.factors) - 1):
                one = (*self.strictest[:n], place, *self.strictest[n + 1 :])
                self._parts[:, n, place] = efficiency(self._set(one)) - self._base
        self.most = self._replayed(self.loosest, cohorts)
        self.order = np.argsort(-self.most, kind="stable")
        self.known[self.loosest] = dict(zip(cohorts.tolist(), self.most.tolist(), strict=True))

    def _loosest(self, asset: str) -> int:
        for place, factor in enumerate(self.factors):
            one = replace(self.study.parameters, recommended=False)
            moved = scaled(one, pd.Series({asset: factor}))
            if not any(fault.startswith(f"{asset}:") for fault in moved.faults):
                return place
        raise ParameterError(f"no factor gives {asset} a threshold with LT·(1 + LB) < 1")

    def named(self, places: tuple[int, ...]) -> pd.Series:
        """λ by asset."""
        return pd.Series([self.factors[place] for place in places], self.assets)

    def _set(self, places: tuple[int, ...]) -> Study:
        return replace(self.study, parameters=scaled(self.study.parameters, self.named(places)))

    def _replayed(self, places: tuple[int, ...], cohorts: np.ndarray) -> np.ndarray:
        return bad_debt(self._set(places), [self.prices[n] for n in cohorts])

    def _losses(self, places: tuple[int, ...], cohorts: np.ndarray) -> np.ndarray:
        known = self.known.setdefault(places, {})
        fresh = np.array([n for n in cohorts.tolist() if n not in known], dtype=int)
        if fresh.size:
            known.update(zip(fresh.tolist(), self._replayed(places, fresh), strict=True))
        return np.array([known[n] for n in cohorts.tolist()])

    def bad_debt(self, places: tuple[int, ...]) -> np.ndarray:
        """Bad debt by cohort, a share of the debt."""
        return self._losses(places, np.arange(len(self.most)))

    def es(self, places: tuple[int, ...]) -> float:
        """Expected shortfall of the bad debt over cohorts, from as few of them as settle it."""
        count = len(self.most)
        tail = max(1, math.ceil((1.0 - self.confidence) * count))
        first = 2 * tail
        while True:
            losses = np.zeros(count)
            rows = self.order[:first]
            losses[rows] = self._losses(places, rows)
            beyond = self.most[self.order[first]] if first < count else 0.0
            if np.sort(losses)[-tail] >= beyond:
                return historical(losses, self.confidence).es
            first = min(count, 2 * first)

    def efficiency(self, places: tuple[int, ...]) -> np.ndarray:
        """Borrowing power a dollar of collateral by cohort; it takes no replay.

        A sum over assets, of which each depends on its own λ alone.
        """
        parts = self._parts[:, np.arange(len(places)), list(places)]
        return self._base + parts.sum(axis=1)

    def ladder(self, rungs: Sequence[tuple[int, ...]]) -> Ladder:
        """`rungs` with what they do."""
        return Ladder(
            pd.DataFrame([self.named(rung) for rung in rungs]).reset_index(drop=True),
            np.array([self.bad_debt(rung) for rung in rungs]),
            np.array([self.efficiency(rung) for rung in rungs]),
        )


def one_at_a_time(trial: Trial) -> list[tuple[int, ...]]:
    """Rungs of published practice, from the strictest to the loosest setting."""
    rows = []
    for n, loosest in enumerate(trial.loosest):
        for place in range(loosest, len(trial.factors)):
            changed = (*trial.strictest[:n], place, *trial.strictest[n + 1 :])
            rows.append((trial.es(changed), n, place))
    rungs = [trial.strictest]
    for b in sorted({es for es, _, _ in rows}):
        rung = tuple(
            min((place for es, m, place in rows if m == n and es <= b), default=strictest)
            for n, strictest in enumerate(trial.strictest)
        )
        if rung != rungs[-1]:
            rungs.append(rung)
    return rungs


def jointly(trial: Trial) -> list[tuple[int, ...]]:
    """The strictest setting, and those that no other beats among both ways' rungs."""
    rungs = sorted({*greedy(trial), *one_at_a_time(trial)})
    table = pd.DataFrame(
        {
            "bad_debt_es": [trial.es(rung) for rung in rungs],
            "capital_efficiency": [float(trial.efficiency(rung).mean()) for rung in rungs],
        }
    )
    best = table[pareto(table)].sort_values(["bad_debt_es", "capital_efficiency"])
    climbed = [rungs[n] for n in best.index if rungs[n] != trial.strictest]
    return [trial.strictest, *climbed]


def greedy(trial: Trial) -> list[tuple[int, ...]]:
    """Rungs of the lazy greedy, from the strictest to the loosest setting."""
    here = trial.loosest
    rungs = [here]
    last = len(trial.factors) - 1

    def score(n: int) -> tuple[float, float]:
        stricter = (*here[:n], here[n] + 1, *here[n + 1 :])
        cost = float((trial.efficiency(here) - trial.efficiency(stricter)).mean())
        if cost <= 0.0:
            return -math.inf, cost  # nobody holds it
        return -(trial.es(here) - trial.es(stricter)) / cost, cost

    queue = [(*score(n), n, 1) for n in range(len(here)) if here[n] < last]
    heapq.heapify(queue)
    while queue:
        *_, n, made_at = heapq.heappop(queue)
        if made_at < len(rungs):
            heapq.heappush(queue, (*score(n), n, len(rungs)))
            continue
        here = (*here[:n], here[n] + 1, *here[n + 1 :])
        rungs.append(here)
        if here[n] < last:
            heapq.heappush(queue, (*score(n), n, len(rungs)))
    return rungs[::-1]


WAYS = {"one at a time": one_at_a_time, "jointly": jointly}


@dataclass(frozen=True)
class Comparison:
    """Both ways, chosen on each half of history and judged on the other.

    Attributes
    ----------
    gains : ``chosen_on``, ``judged_on`` ("both": the mean of the two), ``es`` (out of sample, the
        same for both ways), ``one_at_a_time``, ``jointly`` (efficiency there), ``gain``, ``low``,
        ``high``, ``is_gain`` (the interval lies above zero).
    choices : ``chosen_on``, ``judged_on``, ``way``, ``efficiency``, ``in_sample`` and
        ``out_of_sample`` (bad-debt ES), ``within_budget`` (out of sample).
    factors : ``chosen_on``, ``way``, ``asset``, ``factor`` of the choices.
    """

    gains: pd.DataFrame
    choices: pd.DataFrame
    factors: pd.DataFrame


def compare(
    study: Study,
    factors: Sequence[float],
    budget: float,
    rng: np.random.Generator,
    block: int,
    confidence: float = 0.95,
    shares: Sequence[float] = (0.1, 0.25, 0.5, 1.0),
    replications: int = 1_000,
    level: float = 0.90,
) -> Comparison:
    """Spend `budget` both ways on each half of history, and judge on the other half.

    The ladder of a way is made on one half; on the other it is read where its bad-debt ES reaches
    a share of the budget, so that both ways lose the same there.  Ladders stay as they were made
    while the cohorts that judge are drawn in blocks.  Intervals are quantiles of these draws: where
    one crisis of a half decides, the estimate from the whole half may lie at their end.

    Parameters
    ----------
    factors, confidence : see `Trial`.
    budget : bad-debt ES over cohorts, a share of the debt.
    block : cohorts a block of the bootstrap.
    shares : of the budget, at which the ladders are read.

    Raises
    ------
    EstimationError
        A half whose strictest setting breaks the budget, or one with fewer than two blocks.
    """
    checks.positive("budget", budget)
    parts = halves(study.weekly.calendar, study.window)
    trials = {
        name: Trial(replace(study, calendar=rows), factors, confidence)
        for name, rows in parts.items()
    }
    levels = budget * np.asarray(shares)
    rows, picked, choices, differences = [], [], [], []
    for chosen_on, judged_on in (("first half", "second half"), ("second half", "first half")):
        here, there = trials[chosen_on], trials[judged_on]
        ladders = {}
        for way, climb in WAYS.items():
            climbed = climb(here)
            place = _within([here.es(rung) for rung in climbed], budget, chosen_on)
            ladder = ladders[way] = there.ladder(climbed)
            lost = historical(ladder.bad_debt[place], confidence).es
            choices.append(
                {
                    "chosen_on": chosen_on,
                    "judged_on": judged_on,
                    "way": way,
                    "efficiency": float(here.efficiency(climbed[place]).mean()),
                    "in_sample": here.es(climbed[place]),
                    "out_of_sample": lost,
                    "within_budget": lost <= budget,
                }
            )
            named = ladder.factors.iloc[place].rename_axis("asset").rename("factor")
            picked.append(named.reset_index().assign(chosen_on=chosen_on, way=way))
        count = len(there.most)
        picks = resampled(count, rng, replications, block, f"cohorts of the {judged_on}")
        everyone = np.arange(count)
        powers = {way: ladder.read(levels, everyone, confidence) for way, ladder in ladders.items()}
        draws = np.array(
            [
                ladders["jointly"].read(levels, pick, confidence)
                - ladders["one at a time"].read(levels, pick, confidence)
                for pick in picks
            ]
        )
        differences.append(draws)
        rows.append(_gains(chosen_on, judged_on, levels, powers, draws, level))
    both = {
        way: (rows[0][name] + rows[1][name]).to_numpy() / 2.0
        for way, name in (("one at a time", "one_at_a_time"), ("jointly", "jointly"))
    }
    rows.append(
        _gains("both", "both", levels, both, (differences[0] + differences[1]) / 2.0, level)
    )
    return Comparison(
        pd.concat(rows, ignore_index=True),
        pd.DataFrame(choices),
        pd.concat(picked, ignore_index=True)[["chosen_on", "way", "asset", "factor"]],
    )


def _within(es: list[float], budget: float, where: str) -> int:
    """The last rung within the budget."""
    kept = [n for n, loss in enumerate(es) if loss <= budget]
    if not kept:
        raise EstimationError(
            f"the strictest setting loses {es[0]:.6g} of the debt in the worst cohorts of the "
            f"{where}, more than the budget of {budget:g}: widen the budget or try larger factors"
        )
    return kept[-1]


def _gains(
    chosen_on: str,
    judged_on: str,
    levels: np.ndarray,
    powers: dict[str, np.ndarray],
    draws: np.ndarray,
    level: float,
) -> pd.DataFrame:
    low, high = interval(draws, level)
    return pd.DataFrame(
        {
            "chosen_on": chosen_on,
            "judged_on": judged_on,
            "es": levels,
            "one_at_a_time": powers["one at a time"],
            "jointly": powers["jointly"],
            "gain": powers["jointly"] - powers["one at a time"],
            "low": low,
            "high": high,
            "is_gain": low > 0.0,
        }
    )
