"""Outcomes of a cohort, who bears them, and their averages."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.studies import parameters
from xcoll.collateral.accounts import Book
from xcoll.errors import EstimationError, ParameterError
from xcoll.liquidation import account_types, outcomes
from xcoll.liquidation._kernels import ACCOUNT, BARS, UNITS
from xcoll.liquidation.replay import Replay

RATES = parameters(pd.Series({"ETH": 0.8, "USDC": 0.0}), pd.Series({"ETH": 0.6, "USDC": 0.0}))
# Dollars at the opening: three borrowers, and one account without debt.
BOOK = Book(
    ["ETH", "USDC"],
    np.array([[10_000.0, 0.0], [4_000.0, 0.0], [3_000.0, 0.0], [2_000.0, 1_000.0]]),
    np.array([[0.0, 6_000.0], [0.0, 3_000.0], [500.0, 500.0], [0.0, 0.0]]),
    np.arange(4),
)
ROWS = [  # closed too late; closed early, by a threshold; never closed; untouched
    {"repaid": 5_000, "seized": 10_000, "fee": 40, "deficit": 1_000, "covered": 200, "calls": 2},
    {"repaid": 1_000, "seized": 1_100, "credit": 30, "calls": 1, "premature": 1, "lowered": 1},
    {"under": 300, "added": 50},
    {"lowered": 1},
]
BY_BAR = [
    {"liquidated": 1_100, "paper": 100, "waiting": 700},
    {"liquidated": 10_000, "deficit": 1_000, "paper": 450, "waiting": 2_500},
    {"paper": 200, "waiting": 900},
]


def filled(rows, names):
    return pd.DataFrame(rows, columns=list(names)).fillna(0.0).to_numpy(dtype=float)


def replayed(rows=ROWS, by_bar=BY_BAR, book=BOOK):
    times = pd.date_range("2022-01-02", periods=len(by_bar), freq="D")
    units = np.zeros((len(UNITS), 2))
    step, parts = pd.Timedelta("1h"), (filled(rows, ACCOUNT), units, filled(by_bar, BARS))
    return Replay(book, times, step, *parts, book.collateral, book.debt)


def started(book=BOOK):
    return outcomes.opening(book, RATES, RATES.frame["threshold"])


def test_opening():
    start = started()
    assert (start.debt, start.collateral, start.borrowers) == (10_000, 20_000, 3)
    assert start.capital_efficiency == pytest.approx(0.6 * 19 / 20)
    assert start.threshold == pytest.approx(0.8 * 19 / 20)
    stricter = outcomes.opening(BOOK, RATES, pd.Series({"ETH": 0.4}))
    assert stricter.capital_efficiency == pytest.approx(0.3 * 19 / 20)  # LTV keeps its ratio


def test_every_column_by_hand():
    assert outcomes.measure(started(), replayed()) == pytest.approx(
        {
            "debt": 10_000,
            "collateral": 20_000,
            "bad_debt": 0.13,
            "realised": 0.10,
            "under_water": 0.03,
            "trough": 0.145,  # in the second bar: 1,000 written off and 450 missing
            "repaid": 0.60,
            "premature_debt": 0.10,
            "penalty": 0.507,  # 5,000 of the first account, 1,100 − 1,000 − 30 of the second
            "premature_penalty": 0.007,
            "fee": 0.004,
            "covered": 0.02,
            "added": 0.005,
            "waiting": 0.25,
            "liquidated": 11_100 / 20_000,
            "closed": 2 / 3,
            "premature": 1 / 3,
            "insufficient": 2 / 3,
            "lowered": 1 / 3,  # the last account was never closed
            "capital_efficiency": 0.57,
            "threshold": 0.76,
        },
        rel=1e-12,
    )


def test_the_trough_is_no_less_than_what_is_lost_in_the_end():
    calm = [{"deficit": 1_000}, {"paper": 0}]
    assert outcomes.measure(started(), replayed(by_bar=calm))["trough"] == pytest.approx(0.13)


def test_classes_begin_at_their_lower_bound():
    worth = np.array([1_999.0, 2e3, 2e4, 2e5, 2e6])
    held = np.zeros((5, 6))
    for row, count in enumerate((1, 2, 3, 4, 5)):
        held[row, :count] = worth[row] / count
    owed = np.zeros((5, 6))
    health = np.array([1.25, 1.1, 1.0999, 2.0, np.inf])
    moving = np.array([0.0, 0.004, 0.005, 0.5, 0.5])
    total = np.where(np.isfinite(health), 0.5 * worth / health, 0.0)
    owed[:, 0], owed[:, 5] = total * moving, total * (1 - moving)
    book = Book([*"ABCDE", "USDC"], held, owed, np.arange(5))
    made = account_types.types_of(book, np.full(6, 0.5))
    assert made["collateral, $"].tolist() == [0, 1, 2, 3, 4]
    assert made["collaterals"].tolist() == [0, 1, 2, 2, 3]
    assert made["health at the opening"].tolist() == [2, 1, 0, 4, 4]
    assert made["debt"].tolist() == [0, 0, 1, 2, 0]  # who owes nothing owes nothing that moves
    table = account_types.classes()
    for name, (bounds, names) in account_types.TYPES.items():
        assert len(names) == len(bounds) + 1
        assert table.loc[table["type"] == name, "class"].tolist() == list(names)


def test_types_bear_what_all_bear():
    types = account_types.types_of(BOOK, np.array([0.8, 0.0]))
    made = pd.DataFrame(account_types.by_type(replayed(), types, np.arange(4)))
    sums = made.groupby(account_types.classes()["type"], sort=False).sum()
    assert len(sums) == 4
    for _, row in sums.iterrows():
        assert row.tolist() == pytest.approx([1_300, 5_070, 70, 6_000])
    stable, partly, mostly = made[account_types.classes()["type"] == "debt"].to_numpy()
    assert stable.tolist() == pytest.approx([1_000, 5_070, 70, 6_000])
    assert mostly.tolist() == [300, 0, 0, 0]  # half of it moves
    assert not partly.any()
    swapped = account_types.by_type(replayed(), types, np.array([0, 0, 0, 3]))
    single = swapped[(account_types.classes()["type"] == "collateral, $").to_numpy()]
    assert single[1].tolist() == pytest.approx([1_300, 5_070, 70, 6_000])


def shortfall(values, confidence):
    """VaR and ES the slow way: every loss stands for 1/n."""
    ranked = sorted(values, reverse=True)
    left = tail = round(len(ranked) * (1 - confidence), 9)
    total = 0.0
    for value in ranked:
        total += min(left, 1.0) * value
        left = max(0.0, left - 1.0)
    return ranked[int(tail)], total / tail


@settings(deadline=None)
@given(
    st.integers(2, 8),
    st.integers(1, 9),
    st.integers(1, 4),
    st.sampled_from([0.5, 0.8, 0.95]),
    st.integers(0, 99),
)
def test_tail_of_windows_that_do_not_overlap(cohorts, bars, block, confidence, seed):
    rng = np.random.default_rng(seed)
    losses = rng.exponential(0.01, (2 * block * cohorts, 10)) * (rng.random((1, 10)) < 0.7)
    made = outcomes.loss_tail(losses, bars, confidence, rng, block, 30)
    sums = [sum(row[n : n + bars]) for row in losses for n in range(0, 11 - bars, bars)]
    assert made["windows"] == len(sums)
    assert (made["var"], made["es"]) == pytest.approx(shortfall(sums, confidence), abs=1e-14)
    assert min(sums) - 1e-12 <= made["var_low"] <= made["var_high"] <= max(sums) + 1e-12
    assert made["var_low"] <= made["es_high"]
    assert made["es_low"] <= made["es_high"] <= max(sums) + 1e-12


def test_tail_of_equal_cohorts_is_known_exactly():
    made = outcomes.loss_tail(np.full((20, 9), 0.01), 4, 0.9, np.random.default_rng(1), 5, 50)
    assert made.pop("windows") == 40
    assert list(made.values()) == pytest.approx([0.04] * 6)


@pytest.mark.parametrize(
    ("bars", "block", "word"), [(10, 2, "hold no window"), (3, 6, "fewer than two blocks")]
)
def test_tail_needs_a_window_and_two_blocks(bars, block, word):
    with pytest.raises(EstimationError, match=word):
        outcomes.loss_tail(np.zeros((11, 9)), bars, 0.9, np.random.default_rng(1), block)


def waits(hours, repaid):
    table = {"wait": pd.to_timedelta(np.asarray(hours, float), unit="h"), "repaid": repaid}
    return pd.DataFrame(table)


def test_wait_of_a_share_of_the_debt():
    table = waits([1, 400, 2, 5], [60.0, 0.5, 30.0, 9.5])  # the longest wait is for small change
    for confidence, hours in ((0.5, 1), (0.6, 1), (0.7, 2), (0.99, 5), (0.996, 400)):
        assert outcomes.wait_quantile(table, confidence) == pd.Timedelta(hours=hours)
    one = waits([7], [3.0])
    assert {outcomes.wait_quantile(one, q) for q in (0.01, 0.5, 0.99)} == {pd.Timedelta("7h")}


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 50)), min_size=1, max_size=12),
    st.floats(0.001, 0.999),
)
def test_wait_is_the_shortest_within_which_the_share_was_repaid(rows, confidence):
    hours, repaid = np.array(rows).T
    table = waits(hours, repaid.astype(float))
    if not repaid.sum():
        with pytest.raises(EstimationError, match="nobody was served"):
            outcomes.wait_quantile(table, confidence)
        return
    share = {h: repaid[hours <= h].sum() / repaid.sum() for h in set(hours.tolist())}
    wanted = min(h for h, there in share.items() if there >= confidence - 1e-12)
    assert outcomes.wait_quantile(table, confidence) == pd.Timedelta(hours=wanted)


def test_a_wait_needs_somebody_served_and_a_fraction():
    with pytest.raises(EstimationError, match="nobody was served"):
        outcomes.wait_quantile(waits([], []), 0.99)
    with pytest.raises(ParameterError, match="did you mean"):
        outcomes.wait_quantile(waits([1], [1.0]), 99.0)


def test_time_to_liquidate():
    table = outcomes.time_to_liquidate(
        {
            "slow": waits(range(101), np.r_[np.full(100, 1.0), 900.0]),
            "quick": waits([1, 2], [1.0, 1.0]),
            "nobody": waits([], np.array([])),
        },
        pd.Timedelta("1D"),
    ).set_index("service")
    assert table.columns.tolist() == [
        "served", "median_hours", "p99_hours", "p99_debt_hours", "longest_hours", "hidden",
    ]  # fmt: skip
    assert table.loc["slow"].tolist() == [101, 50.0, 99.0, 100.0, 100.0, False]
    assert table["hidden"].tolist() == [False, True, True]
    assert table.loc["nobody", "served"] == 0
    assert table.loc["nobody"].iloc[1:5].isna().all()
