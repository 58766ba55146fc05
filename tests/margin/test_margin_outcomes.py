"""What a backtest says, by hand: hits and their tests, how margins move, a floor, bad tables."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.margin.outcomes import floored, judge, procyclicality


def table(margins, losses, book="a", rule="r"):
    times = pd.date_range("2021-01-01", periods=len(margins))
    return pd.DataFrame(
        {"time": times, "book": book, "rule": rule, "margin": margins, "loss": losses}
    )


def test_hits_and_their_tests_by_hand():
    n, at = 40, [3, 4, 20]
    losses = np.full(n, 50.0)
    losses[at] = [130.0, 250.0, 100.02]
    losses[30] = 100.005  # within a cent
    found = judge(table(np.full(n, 100.0), losses), 0.05).iloc[0]
    assert (found["book"], found["rule"], found["dates"]) == ("a", "r", 40)
    assert found["hits"] == 3
    assert found["expected"] == pytest.approx(2.0)
    assert found["worst"] == pytest.approx(1.5)
    assert found["margin"] == 100.0
    x, p, share = 3, 0.05, 3 / 40
    pof = -2.0 * ((n - x) * math.log((1 - p) / (1 - share)) + x * math.log(p / share))
    assert found["kupiec_p"] == pytest.approx(stats.chi2.sf(pof, 1), rel=1e-10)
    # of 39 steps: 2 into a hit and 34 into none from none, 1 and 2 from a hit
    chain = 2 * math.log(2 / 36) + 34 * math.log(34 / 36) + math.log(1 / 3) + 2 * math.log(2 / 3)
    alone = 3 * math.log(3 / 39) + 36 * math.log(36 / 39)
    both = pof + 2.0 * (chain - alone)
    assert found["conditional_p"] == pytest.approx(stats.chi2.sf(both, 2), rel=1e-10)


def test_a_book_without_risk_is_never_passed():
    found = judge(table(np.zeros(10), np.full(10, 1e-10))).iloc[0]
    assert found["hits"] == 0
    assert found["margin"] == 0.0
    assert np.isnan(found["worst"])


def test_every_book_and_rule_is_judged_in_order():
    made = pd.concat([table([1.0, 2.0], [0.0, 9.0], book, rule)
                      for book, rule in (("b", "y"), ("a", "y"), ("b", "x"))])  # fmt: skip
    found = judge(made, 0.5)
    assert list(zip(found["book"], found["rule"], strict=True)) == [
        ("b", "y"),
        ("a", "y"),
        ("b", "x"),
    ]
    assert (found["worst"] == 7.0 / 1.5).all()


def test_procyclicality_by_hand():
    made = pd.concat(
        [
            table([100.0, 120.0, 300.0, 280.0, 150.0], np.zeros(5), "b"),
            table([10.0, 10.0, 10.0, 10.0, 10.0], np.zeros(5), "a"),
            table([4.0, 1.0, 2.0, 3.0, 8.0], np.zeros(5), "b", "other"),
        ]
    )
    found = procyclicality(made, {"day": 1, "two days": 2}).set_index(["rule", "book"])
    assert list(found.index) == [("r", "b"), ("r", "a"), ("other", "b")]
    assert list(found.loc[("r", "b")]) == pytest.approx([3.0, 180.0 / 190.0, 200.0 / 190.0])
    assert list(found.loc[("r", "a")]) == [1.0, 0.0, 0.0]
    assert list(found.loc[("other", "b")]) == pytest.approx([8.0, 5.0 / 3.6, 6.0 / 3.6])


def test_a_floor_is_the_larger_margin_of_each_date_and_book():
    made = pd.concat([
        table([1.0, 5.0], [7.0, 8.0], "a", "fast"), table([3.0, 3.0], [7.0, 8.0], "a", "slow"),
        table([9.0, 2.0], [1.0, 2.0], "b", "fast"), table([3.0, 3.0], [1.0, 2.0], "b", "slow"),
    ])  # fmt: skip
    found = floored(made, "fast", "slow", "both")
    pd.testing.assert_frame_equal(found.iloc[:8], made.reset_index(drop=True))
    added = found.iloc[8:]
    assert list(added["margin"]) == [3.0, 5.0, 9.0, 3.0]
    assert list(added["loss"]) == [7.0, 8.0, 1.0, 2.0]
    assert set(added["rule"]) == {"both"}
    for rule, floor in (("x", "slow"), ("fast", "x")):
        with pytest.raises(ParameterError, match=r"is 'x'; choose one of 'fast', 'slow'"):
            floored(made, rule, floor, "both")


GOOD = table([1.0, 2.0], [0.0, 0.0])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (GOOD[:0], "a table without rows; give what `run` returns"),
        (GOOD.drop(columns=["loss", "rule"]), "a table without rule, loss; give what"),
        (pd.concat([GOOD, GOOD]), "a under r is there twice at 2021-01-01"),
        (GOOD.assign(margin=[1.0, np.nan]), "a under r has no number at 2021-01-02"),
        (GOOD.assign(loss=np.inf), "a under r has no number at 2021-01-01"),
    ],
)
def test_tables_that_are_none_of_run_are_named(given, said):
    for call in (judge, lambda f: procyclicality(f, {"a": 1}), lambda f: floored(f, "r", "r", "x")):
        with pytest.raises(DataError, match=said):
            call(given)


def test_a_single_date_cannot_be_judged():
    with pytest.raises(EstimationError, match="book a has one date under r; judge two or more"):
        judge(GOOD[:1])


@pytest.mark.parametrize("probability", [0.0, 1.0, 5.0, np.nan, "x"])
def test_a_bad_probability_is_named(probability):
    with pytest.raises(ParameterError, match="probability is"):
        judge(GOOD, probability)


def test_bars_of_a_rise_that_are_none_are_named():
    with pytest.raises(ParameterError, match="bars is 0"):
        procyclicality(GOOD, {"a": 0})
