"""The sweep over thresholds, the Pareto set, and the choice judged out of sample."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.liquidation.studies import market, parameters, study
from xcoll.errors import EstimationError, ParameterError
from xcoll.liquidation import cohorts, frontier
from xcoll.liquidation.replay import Conduct
from xcoll.liquidation.world import Oracle, World

RATES = parameters(
    pd.Series({"ETH": 0.80, "BTC": 0.90, "USDT": 0.0}),
    pd.Series({"ETH": 0.64, "BTC": 0.72, "USDT": 0.0}),
)


def points():
    return pd.DataFrame(
        {
            "capital_efficiency": [0.9, 0.8, 0.7, 0.6, 0.5],
            "bad_debt_es": [0.05, 0.02, 0.02, 0.0, 0.0],
            "consistent": [False, True, True, True, True],
        },
        index=pd.Index([0.2, 0.5, 0.7, 1.0, 1.3], name="factor"),
    )


def swept(first, second):
    """Twenty weekly cohorts at two factors; bad debt of the loose one differs by half."""
    starts = pd.date_range("2022-01-01", periods=20, freq="7D")
    rows = []
    for factor, losses, efficiency in (
        (0.5, np.r_[np.full(10, first), np.full(10, second)], 0.8),
        (1.0, np.zeros(20), 0.6),
    ):
        rows.append(
            pd.DataFrame(
                {
                    "factor": factor,
                    "consistent": True,
                    "start": starts,
                    "bad_debt": losses,
                    "trough": losses * 2,
                    "penalty": 0.01,
                    "premature": 0.1,
                    "premature_debt": 0.1,
                    "premature_penalty": losses / 4,
                    "threshold": 0.9,
                    "insufficient": 0.0,
                    "capital_efficiency": efficiency,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def test_scaling_moves_the_buffer_and_keeps_the_ratio():
    looser = frontier.scaled(RATES, 0.5).frame
    assert looser.loc["ETH", "threshold"] == pytest.approx(0.90)
    assert looser.loc["ETH", "ltv"] == pytest.approx(0.72)
    assert looser.loc["USDT", "threshold"] == 0
    assert looser.loc["ETH", "bonus"] == 0.05


def test_scaling_to_nothing_is_refused():
    with pytest.raises(ParameterError, match="leaves ETH without"):
        frontier.scaled(RATES, 6.0)
    with pytest.raises(ParameterError, match="factor of ETH is 0; give a number above zero"):
        frontier.scaled(RATES, 0.0)
    with pytest.raises(ParameterError, match="leaves BTC without"):
        frontier.scaled(RATES, pd.Series({"BTC": 11.0}))


@pytest.mark.parametrize(
    ("factors", "kept"),
    [
        ([0.4, 1.0, 4.9], [0.4, 1.0, 4.9]),
        ([1.0, 5.0], [1.0, 4.9]),  # five times a buffer of 20 % is everything
        ([1.0, 4.9, 6.0, 9.0], [1.0, 4.9]),
    ],
)
def test_factors_as_far_as_they_leave_a_threshold(factors, kept):
    assert frontier.bearable(RATES, factors) == kept
    for factor in kept:
        frontier.scaled(RATES, factor)


def test_scaling_by_asset():
    made = frontier.scaled(RATES, pd.Series({"BTC": 2.0, "USDT": 3.0, "unknown": 0.5})).frame
    assert made["threshold"].to_dict() == pytest.approx({"ETH": 0.80, "BTC": 0.80, "USDT": 0.0})
    assert made["ltv"].to_dict() == pytest.approx({"ETH": 0.64, "BTC": 0.64, "USDT": 0.0})
    alike = frontier.scaled(RATES, pd.Series(0.5, ["ETH", "BTC"])).frame
    pd.testing.assert_frame_equal(alike, frontier.scaled(RATES, 0.5).frame)
    tight = frontier.scaled(RATES, pd.Series({"BTC": 0.2}))  # 0.98·1.05 is above 1
    assert not tight.recommended
    assert [fault.split(":")[0] for fault in tight.faults] == ["BTC"]


def test_pareto_set_by_hand():
    assert frontier.pareto(points()).tolist() == [True, True, False, True, False]


def test_pareto_keeps_ties():
    twins = pd.DataFrame({"capital_efficiency": [1.0, 1.0], "bad_debt_es": [0.1, 0.1]})
    assert frontier.pareto(twins).all()


def test_choice_is_the_most_efficient_within_the_budget():
    assert frontier.choose(points(), 0.02) == 0.5
    assert frontier.choose(points(), 0.019) == 1.0
    assert frontier.choose(points(), 0.10) == 0.5  # 0.2 is not consistent


def test_no_setting_within_the_budget():
    table = points().assign(bad_debt_es=0.3)
    with pytest.raises(EstimationError, match=r"the least is 0\.3"):
        frontier.choose(table, 0.01)


def test_points_average_the_cohorts():
    table = frontier.points(swept(0.04, 0.0), confidence=0.95)
    assert table.index.tolist() == [0.5, 1.0]
    assert table.loc[0.5, "bad_debt"] == pytest.approx(0.02)
    assert table.loc[0.5, ["bad_debt_es", "trough_es"]].tolist() == pytest.approx([0.04, 0.08])
    assert table.loc[0.5, "premature_penalty"] == pytest.approx(0.005)
    assert table.loc[1.0, "bad_debt_es"] == 0


def test_holdout_reports_the_optimism():
    table = frontier.holdout(swept(0.0, 0.04), budget=0.01)
    calm, stress = table.iloc[0], table.iloc[1]
    assert (calm["factor"], calm["in_sample"], calm["out_of_sample"]) == (0.5, 0.0, 0.04)
    assert calm["optimism"] == pytest.approx(0.04)
    assert not calm["within_budget"]
    assert calm["hindsight"] == 1.0
    assert (stress["factor"], stress["optimism"], stress["within_budget"]) == (1.0, 0.0, True)


def test_halves_do_not_share_a_day():
    rows = swept(0.0, 0.0)
    parts = frontier.halves(rows, "30D")
    assert list(parts) == ["first half", "second half"]
    first, second = parts.values()
    split = rows["start"].unique()[10]
    assert second["start"].min() == split
    assert len(second) == 20
    assert first["start"].max() == split - pd.Timedelta("35D")  # 28 days would reach into it
    assert len(first) == 2 * 6
    exact = frontier.halves(rows, "7D")["first half"]["start"].max()
    assert exact == split - pd.Timedelta("14D")  # a window that ends at the split has seen it
    table = frontier.holdout(rows, budget=0.01, window="30D")
    assert table["end"].iloc[0] + pd.Timedelta("30D") < table["start"].iloc[1]


def test_a_history_of_one_window_has_no_halves():
    with pytest.raises(EstimationError, match="first half of the cohorts is empty"):
        frontier.halves(swept(0.0, 0.0), "80D")


def test_the_strictest_of_whole_and_halves_is_chosen():
    choice = frontier.decide(swept(0.0, 0.04), budget=0.045)
    assert (choice.whole, choice.factor) == (0.5, 0.5)
    mild = swept(0.0, 0.04)
    # One bad cohort in the second half: the whole history averages it away, the half does not.
    mild.loc[(mild["factor"] == 0.5) & (mild["start"] > mild["start"].unique()[10]), "bad_debt"] = 0
    choice = frontier.decide(mild, budget=0.015, confidence=0.8)
    assert (choice.whole, choice.factor) == (0.5, 1.0)
    assert choice.points["chosen"].tolist() == [False, True]
    assert choice.points["pareto"].tolist() == [True, True]


def test_tables_for_the_report():
    table = frontier.chosen(RATES, 0.5)
    assert table.columns.tolist() == [
        "asset", "factor", "threshold_given", "ltv_given", "threshold", "ltv",
    ]  # fmt: skip
    assert table.iloc[0, 1:].tolist() == pytest.approx([0.5, 0.80, 0.64, 0.90, 0.72])
    choice = frontier.decide(swept(0.0, 0.04), budget=0.045)
    both = frontier.tidy(choice.points, frontier.points(swept(0.1, 0.1)))
    assert both["service"].tolist() == ["world", "world", "low", "low"]
    assert both["chosen"].tolist() == [True, False, False, False]
    assert both["pareto"].all()


def test_sweep_over_real_cohorts():
    close, low = market(100)
    case = study(
        close,
        low,
        calendar=cohorts.calendar(close.index, crises={"fall": "2022-02-20"}),
        conduct=Conduct(world=World(Oracle("2h"))),
    )
    made = frontier.sweep(case, [0.2, 0.6, 1.0])
    assert made.columns[:2].tolist() == ["factor", "consistent"]
    assert len(made) == 3 * len(case.weekly.calendar)
    table = frontier.points(made)
    assert table["consistent"].tolist() == [False, True, True]
    assert table["capital_efficiency"].is_monotonic_decreasing
    assert table["bad_debt"].is_monotonic_decreasing
    assert table["bad_debt"].iloc[0] > 0
    at = cohorts.run(replace(case.weekly, parameters=frontier.scaled(case.parameters, 0.6)))
    rows = made[made["factor"] == 0.6].drop(columns=["factor", "consistent"])
    pd.testing.assert_frame_equal(rows.reset_index(drop=True), at.outcomes)


@pytest.mark.parametrize("factors", [[], [1.0, 1.0]])
def test_factors_are_checked(factors):
    with pytest.raises(ParameterError, match="factors"):
        frontier.sweep(None, factors)


def test_the_interval_of_a_choice():
    rng = np.random.default_rng(1)
    both = swept(0.0, 0.0)
    assert frontier.sure(both, 0.01, rng, 2) == (0.5, 0.5)  # every draw allows the loose one
    # Half of the cohorts lose: the loose one is chosen only where hardly any of them is drawn.
    assert frontier.sure(swept(0.0, 0.04), 0.01, rng, 2) == (1.0, 1.0)
    few = swept(0.0, 0.0)
    few.loc[few.index[4], "bad_debt"] = 0.04  # one cohort of twenty, absent from a third of draws
    assert frontier.sure(few, 0.01, rng, 2) == (0.5, 1.0)
    with pytest.raises(EstimationError, match="two blocks"):
        frontier.sure(few, 0.01, rng, 11)
