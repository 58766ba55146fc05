"""The sweep over thresholds, the Pareto set, and the choice judged out of sample."""

import numpy as np
import pandas as pd
import pytest

from xcoll.collateral.accounts import Shape, draw
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import EstimationError, ParameterError
from xcoll.liquidation import cohorts, frontier
from xcoll.liquidation.replay import Conduct

RATES = RiskParameters(
    pd.DataFrame(
        {
            "ltv": [0.64, 0.0],
            "threshold": [0.80, 0.0],
            "bonus": [0.05, 0.0],
            "protocol_fee": [0.1, 0.0],
        },
        index=["ETH", "USDT"],
    )
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
    with pytest.raises(ParameterError, match="above zero"):
        frontier.scaled(RATES, 0.0)


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
    table = frontier.holdout(swept(0.0, 0.0), budget=0.01, window="30D")
    assert table["end"].iloc[0] + pd.Timedelta("30D") < table["start"].iloc[1]


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
    assert table.iloc[0, 2:].tolist() == pytest.approx([0.80, 0.64, 0.90, 0.72])
    choice = frontier.decide(swept(0.0, 0.04), budget=0.045)
    both = frontier.tidy(choice.points, frontier.points(swept(0.1, 0.1)))
    assert both["service"].tolist() == ["path", "path", "low", "low"]
    assert both["chosen"].tolist() == [True, False, False, False]
    assert both["pareto"].all()


def test_sweep_over_real_cohorts():
    rng = np.random.default_rng(8)
    index = pd.date_range("2022-01-01", periods=100, freq="D")
    close = pd.DataFrame(
        {"ETH": 100 * np.exp(rng.normal(-0.005, 0.06, 100).cumsum()), "USDT": 1.0}, index
    )
    low = np.minimum(close, close.shift(1)) * [0.9, 1.0]
    shape = Shape(["ETH", "USDT"], {"ETH": 1.0}, stable=["USDT"])
    study = cohorts.Study(
        close,
        low,
        cohorts.calendar(index, crises={"fall": "2022-02-20"}),
        draw(shape, 200, rng),
        shape,
        RATES,
        cohorts.listed(close),
        Conduct(delay="2h"),
    )
    made = frontier.sweep(study, [0.2, 0.6, 1.0])
    table = frontier.points(made)
    assert len(made) == 3 * len(study.weekly.calendar)
    assert table["capital_efficiency"].tolist() == pytest.approx([0.768, 0.704, 0.64])
    assert table["bad_debt"].is_monotonic_decreasing
    assert table["bad_debt"].iloc[0] > 0
    assert table["consistent"].tolist() == [False, True, True]


@pytest.mark.parametrize("factors", [[], [1.0, 1.0]])
def test_factors_are_checked(factors):
    with pytest.raises(ParameterError, match="factors"):
        frontier.sweep(None, factors)
