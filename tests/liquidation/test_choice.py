"""All thresholds at once against one at a time, held against every setting there is."""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.studies import market, parameters, study
from xcoll.collateral.accounts import Shape
from xcoll.errors import EstimationError, ParameterError
from xcoll.estimators.tail.shortfall import historical
from xcoll.liquidation import choice, cohorts
from xcoll.liquidation.frontier import halves, scaled
from xcoll.liquidation.replay import Conduct

FACTORS = (0.4, 0.8, 1.2)
TWO = ["BTC", "ETH"]
LEVEL = 0.8
# Served at the low, whoever draws more loses more: what the search takes for granted.
CONDUCT = Conduct(fill="low")


def small(assets=TWO, seed=0, mix=None, **changes):
    names = [*assets, "USDC"]
    close, low = market(200, seed, volatility=0.07)
    low = (low * [0.9, 0.9, 0.9, 1.0])[names]
    close = close[names]
    lt, bonus = pd.Series({"BTC": 0.8, "ETH": 0.74}), pd.Series({"BTC": 0.05, "ETH": 0.06})
    given = {
        "shape": Shape(names, mix or dict.fromkeys(assets, 1.0), stable=["USDC"]),
        "parameters": parameters(lt[assets], 0.9 * lt[assets], bonus[assets]),
        "universe": close.notna(),
        "conduct": CONDUCT,
    }
    return study(close, low, 100, **given | changes)


@pytest.fixture(scope="module")
def two():
    return small()


def every(case):
    """Outcomes of all nine settings."""
    return {
        places: cohorts.run(
            replace(case, parameters=scaled(case.parameters, pd.Series(factors, TWO)))
        ).outcomes
        for places in product(range(3), repeat=2)
        for factors in [[FACTORS[place] for place in places]]
    }


@pytest.fixture(scope="module")
def whole(two):
    return every(two)


@pytest.fixture(scope="module")
def by_half(two):
    parts = halves(two.calendar, "30D")
    return {name: every(replace(two, calendar=rows)) for name, rows in parts.items()}


def es(outcomes):
    return historical(outcomes["bad_debt"].to_numpy(), LEVEL).es


def power(outcomes):
    return outcomes["capital_efficiency"].mean()


def test_a_trial_knows_every_setting(two, whole):
    trial = choice.Trial(two, FACTORS, LEVEL)
    assert (trial.assets, trial.loosest, trial.strictest) == (TWO, (0, 0), (2, 2))
    fewer = 0
    for places, outcomes in whole.items():
        assert trial.es(places) == pytest.approx(es(outcomes), abs=1e-15)
        fewer += len(trial.known[places]) < len(outcomes)
        drawable = outcomes["capital_efficiency"]
        np.testing.assert_allclose(trial.efficiency(places), drawable, rtol=1e-14)
        np.testing.assert_allclose(trial.bad_debt(places), outcomes["bad_debt"], atol=1e-15)
        assert trial.named(places).to_dict() == dict(
            zip(TWO, [FACTORS[place] for place in places], strict=True)
        )
    assert fewer > 2
    table = trial.ladder([(2, 2), (0, 1)])
    assert table.factors.to_numpy().tolist() == [[1.2, 1.2], [0.4, 0.8]]
    assert table.bad_debt[1].tolist() == pytest.approx(whole[0, 1]["bad_debt"].tolist(), abs=1e-15)


def test_no_setting_beats_a_rung_of_the_joint_ladder():
    case = small(seed=2)
    trial = choice.Trial(case, FACTORS, LEVEL)
    found = {places: (es(table), power(table)) for places, table in every(case).items()}
    rungs = choice.jointly(trial)
    assert len(rungs) > 4
    assert rungs[0] == trial.strictest
    for rung in rungs[1:]:
        lost, gained = found[rung]
        better = [p for p, (a, b) in found.items() if a <= lost and b >= gained and p != rung]
        assert not better, (rung, better)
    for one, other in pairwise(rungs[1:]):
        assert found[one][0] < found[other][0]
        assert found[one][1] < found[other][1]


class Table:
    """A trial whose settings are written down: ES and efficiency by setting."""

    def __init__(self, lost, gained):
        self.lost, self.gained = lost, gained
        self.loosest = (0,) * lost.ndim
        self.strictest = tuple(size - 1 for size in lost.shape)
        self.factors = range(lost.shape[0])

    def es(self, places):
        return float(self.lost[places])

    def efficiency(self, places):
        return np.array([self.gained[places]])


def test_one_at_a_time_by_hand():
    lost = np.array([[9.0, 8.0, 5.0], [4.0, 2.5, 2.0], [3.0, 1.0, 0.0]])
    trial = Table(lost, np.zeros((3, 3)))
    # The first alone loses 5, 2, 0; the second alone 3, 1, 0; each takes what it may lose.
    assert choice.one_at_a_time(trial) == [(2, 2), (2, 1), (1, 1), (1, 0), (0, 0)]
    flat = Table(np.array([[2.0, 1.0], [0.0, 0.0]]), np.zeros((2, 2)))
    assert choice.one_at_a_time(flat) == [(1, 1), (1, 0), (0, 0)]


tables = st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(0, 10**6))


@settings(deadline=None)
@given(tables)
def test_both_ways_on_written_tables(drawn):
    assets, sizes, seed = drawn
    rng = np.random.default_rng(seed)
    shape = (sizes,) * assets
    place = np.indices(shape).sum(axis=0)
    lost = rng.random(shape) * rng.choice([0.1, 1.0]) - 0.2 * place
    trial = Table(lost, 0.1 * rng.random(shape) - place)
    steps = choice.greedy(trial)
    assert (steps[0], steps[-1]) == (trial.strictest, trial.loosest)
    assert all(sum(a) == sum(b) + 1 for a, b in pairwise(steps))
    joint, single = choice.jointly(trial), choice.one_at_a_time(trial)
    assert single[0] == joint[0] == trial.strictest
    for rung in single:  # whatever one at a time may spend, jointly brings as much
        assert any(
            trial.es(one) <= trial.es(rung) and trial.gained[one] >= trial.gained[rung]
            for one in joint
        )


@settings(deadline=None)
@given(tables)
def test_greedy_is_best_where_assets_add_up_and_steps_bring_less_and_less(drawn):
    assets, sizes, seed = drawn
    rng = np.random.default_rng(seed)
    lost = gained = np.zeros(())
    for _ in range(assets):
        saved = np.sort(rng.uniform(0.1, 1.0, sizes - 1))[::-1]
        cost = np.full(sizes - 1, rng.uniform(0.5, 2.0))
        lost = np.add.outer(lost, np.append(0.0, -saved.cumsum()))
        gained = np.add.outer(gained, np.append(0.0, -cost.cumsum()))
    for rung in choice.greedy(Table(lost, gained)):
        better = (lost < lost[rung] - 1e-9) & (gained > gained[rung] - 1e-9)
        better |= (lost < lost[rung] + 1e-9) & (gained > gained[rung] + 1e-9)
        assert not better.any()


def test_an_asset_that_nobody_holds_costs_nothing(two):
    lt = pd.Series({"BTC": 0.8, "ETH": 0.74, "USDC": 0.9})
    more = parameters(lt, 0.9 * lt, pd.Series({"BTC": 0.05, "ETH": 0.06, "USDC": 0.04}))
    trial = choice.Trial(replace(two, parameters=more), FACTORS, LEVEL)
    plain = choice.Trial(two, FACTORS, LEVEL)
    assert [rung[:2] for rung in choice.greedy(trial)][:5] == choice.greedy(plain)


def test_reading_a_ladder_by_hand():
    lost = np.array([[0.01, 0.0], [0.0, 0.03], [0.02, 0.0], [0.05, 0.01]])
    gained = np.array([[0.4, 0.6], [0.5, 0.7], [0.7, 0.7], [0.9, 0.9]])
    ladder = choice.Ladder(pd.DataFrame(), lost, gained)
    both = np.array([0, 1])
    # The worst of two loses 0.01, 0.03, 0.02, 0.05; efficiency 0.5, 0.6, 0.7, 0.9.
    asked = np.array([0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
    read = ladder.read(asked, both, 0.5)
    assert read.tolist() == pytest.approx([0.5, 0.5, 0.55, 0.7, 0.8, 0.9, 0.9])
    twice = ladder.read(np.array([0.0, 0.025]), np.array([1, 1]), 0.5)
    assert twice.tolist() == pytest.approx([0.6, 0.6 + 0.1 * 25 / 30])


@pytest.fixture(scope="module")
def compared(two):
    return choice.compare(two, FACTORS, 0.02, np.random.default_rng(1), 4, LEVEL, replications=60)


def test_choices_are_those_of_the_full_search(compared, by_half):
    picked = compared.factors.set_index(["chosen_on", "way", "asset"])["factor"]
    choices = compared.choices.set_index(["chosen_on", "way"])
    assert len(choices) == 4
    for (half, way), row in choices.iterrows():
        places = tuple(FACTORS.index(picked[half, way, asset]) for asset in TWO)
        here, there = by_half[half][places], by_half[row["judged_on"]][places]
        assert row["judged_on"] != half
        assert row["efficiency"] == pytest.approx(power(here))
        assert row["in_sample"] == pytest.approx(es(here))
        assert row["in_sample"] <= 0.02
        assert row["out_of_sample"] == pytest.approx(es(there))
        assert row["within_budget"] == (es(there) <= 0.02)
    for half, found in by_half.items():
        most = max(power(table) for table in found.values() if es(table) <= 0.02)
        ways = choices.loc[half, "efficiency"]
        assert ways["one at a time"] <= ways["jointly"] <= most + 1e-12


def test_gains_are_read_on_the_other_half(compared, by_half, two):
    table = compared.gains
    assert table["es"].tolist() == pytest.approx([0.002, 0.005, 0.01, 0.02] * 3)
    assert table["gain"].to_numpy() == pytest.approx(table["jointly"] - table["one_at_a_time"])
    assert (table["low"] <= table["high"]).all()
    assert (table["is_gain"] == (table["low"] > 0)).all()
    both = table[table["chosen_on"] == "both"]
    mean = table[table["chosen_on"] != "both"].groupby("es")["gain"].mean()
    assert both["gain"].tolist() == pytest.approx(mean.tolist())
    parts = halves(two.calendar, "30D")
    for half, other in (("first half", "second half"), ("second half", "first half")):
        trial = choice.Trial(replace(two, calendar=parts[half]), FACTORS, LEVEL)
        read = table[table["chosen_on"] == half]
        for way, climb in choice.WAYS.items():
            rungs = [by_half[other][rung] for rung in climb(trial)]
            climbed = np.maximum.accumulate([es(rung) for rung in rungs])
            keep = np.append(np.diff(climbed) > 0, True)  # the last of equals
            line = np.interp(read["es"], climbed[keep], np.array([*map(power, rungs)])[keep])
            assert read[way.replace(" ", "_")].tolist() == pytest.approx(line.tolist())


def test_with_one_asset_there_is_nothing_to_gain():
    alone = small(["ETH"], seed=2)
    made = choice.compare(alone, FACTORS, 0.05, np.random.default_rng(1), 4, LEVEL, replications=40)
    assert (made.gains[["gain", "low", "high"]] == 0.0).all(axis=None)
    assert not made.gains["is_gain"].any()
    assert made.gains["jointly"].max() > made.gains["jointly"].min()


def test_what_cannot_be_tried(two):
    for factors in ([1.0], [1.0, 0.5], [0.5, 0.5]):
        with pytest.raises(ParameterError, match="two or more ascending"):
            choice.Trial(two, factors)
    with pytest.raises(ParameterError, match=r"no factor gives BTC a threshold"):
        choice.Trial(two, [0.01, 0.02])
    trial = choice.Trial(two, [0.22, 0.4, 1.2])  # 0.956·1.05 is above 1
    assert trial.loosest == (1, 0)
    rng = np.random.default_rng(1)
    with pytest.raises(EstimationError, match=r"strictest setting loses .* of the first half"):
        choice.compare(two, (0.4, 0.5), 1e-5, rng, 4)
    with pytest.raises(EstimationError, match="fewer than two blocks of 7"):
        choice.compare(two, FACTORS, 0.02, rng, 7)
    with pytest.raises(ParameterError, match="budget"):
        choice.compare(two, FACTORS, 0.0, rng, 4)
