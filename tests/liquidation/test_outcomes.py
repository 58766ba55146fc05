"""Outcomes of a cohort, and their averages."""

import numpy as np
import pandas as pd
import pytest

from xcoll.collateral.accounts import Book
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import EstimationError
from xcoll.liquidation import outcomes
from xcoll.liquidation.replay import Conduct, replay

RATES = RiskParameters(
    pd.DataFrame(
        {"ltv": [0.7425], "threshold": [0.825], "bonus": [0.05], "protocol_fee": [0.1]},
        index=["ETH"],
    )
)
# In dollars at an opening price of 1: WETH of the methods twice, and one account without debt.
BOOK = Book(
    ["ETH", "USDC"],
    np.array([[10_000.0, 0.0], [10_000.0, 0.0], [10_000.0, 0.0]]),
    np.array([[0.0, 7_500.0], [0.0, 2_500.0], [0.0, 0.0]]),
    np.arange(3),
)


def measured(closes, lows=None, conduct=None):
    index = pd.date_range("2022-01-01", periods=len(closes), freq="D")
    close = pd.DataFrame({"ETH": np.asarray(closes, dtype=float), "USDC": 1.0}, index)
    low = np.minimum(close, close.shift(1)).fillna(close)
    if lows is not None:
        low["ETH"] = lows
    start = outcomes.opening(BOOK, RATES)
    return outcomes.measure(start, replay(BOOK, close, low, RATES, conduct or Conduct("low")))


def test_opening():
    start = outcomes.opening(BOOK, RATES)
    assert (start.debt, start.collateral, start.borrowers) == (10_000, 30_000, 2)
    assert (start.capital_efficiency, start.threshold) == pytest.approx((0.7425, 0.825))


def test_the_three_readings_of_bad_debt():
    closed = measured([1.0, 0.5, 0.5])
    assert closed["realised"] == pytest.approx(0.2738095238)
    assert closed["under_water"] == 0
    assert closed["trough"] == pytest.approx(closed["realised"])

    waiting = measured([1.0, 0.7, 0.95], [1.0, 0.6, 0.7], Conduct(delay="3D"))
    assert waiting["realised"] == waiting["under_water"] == 0
    assert waiting["trough"] == pytest.approx((7_500 - 6_000) / 10_000)

    stranded = measured([1.0, 0.7], None, Conduct(delay="3D"))
    assert stranded["bad_debt"] == stranded["under_water"]
    assert stranded["under_water"] == pytest.approx(500 / 10_000)
    assert stranded["insufficient"] == pytest.approx(1 / 2)


def test_penalty_fee_and_liquidated_value():
    made = measured([1.0, 0.9])
    assert made["repaid"] == pytest.approx(0.375)
    assert made["penalty"] == pytest.approx(0.375 * 0.05)
    assert made["fee"] == pytest.approx(0.1 * made["penalty"])
    assert made["liquidated"] == pytest.approx(3_750 * 1.05 / 30_000)
    assert made["closed"] == 1 / 2  # of the two that borrow
    assert made["insufficient"] == 0


def test_premature_by_count_and_by_value():
    back = measured([1.0, 0.9, 1.0])
    assert (back["premature"], back["premature_debt"]) == (1 / 2, 0.375)
    gone = measured([1.0, 0.9, 0.9])
    assert (gone["premature"], gone["premature_debt"]) == (0.0, 0.0)


def test_average_covers_the_mean_of_overlapping_cohorts():
    """Moving averages of five: blocks cover about as promised, single draws far too seldom."""
    rng = np.random.default_rng(4)
    hits = {5: 0, 1: 0}
    for _ in range(120):
        series = np.convolve(rng.exponential(1, 154), np.ones(5) / 5, mode="valid")
        frame = pd.DataFrame({"x": series})
        for block in hits:
            row = outcomes.average(frame, ["x"], rng, block * 2 if block > 1 else 1, 200).loc["x"]
            hits[block] += bool(row["low"] <= 1 <= row["high"])
    assert hits[5] / 120 > 0.78
    assert hits[1] / 120 < 0.65


def test_average_columns_and_seed():
    frame = pd.DataFrame({"x": np.arange(50.0), "y": 1.0})
    first = outcomes.average(frame, ["x", "y"], np.random.default_rng(1))
    again = outcomes.average(frame, ["x", "y"], np.random.default_rng(1))
    pd.testing.assert_frame_equal(first, again)
    assert first.loc["y"].eq(1).all()
    assert first.loc["x", ["mean", "median", "worst"]].tolist() == [24.5, 24.5, 49]
    assert first.loc["x", "low"] < 24.5 < first.loc["x", "high"]


def test_average_needs_two_blocks():
    with pytest.raises(EstimationError, match="two blocks"):
        outcomes.average(pd.DataFrame({"x": np.ones(9)}), ["x"], np.random.default_rng(1))


def test_time_to_liquidate():
    waits = {
        "slow": pd.Series(pd.to_timedelta(range(101), unit="h")),
        "quick": pd.Series(pd.to_timedelta([1, 2], unit="h")),
        "nobody": pd.Series([], dtype="timedelta64[ns]"),
    }
    table = outcomes.time_to_liquidate(waits, pd.Timedelta("1D")).set_index("service")
    assert table.loc["slow"].tolist() == [101, 50.0, 99.0, 100.0, False]
    assert table["hidden"].tolist() == [False, True, True]
    assert table.loc["nobody", "served"] == 0
    assert np.isnan(table.loc["nobody", "p99_hours"])


def test_before_crises_puts_both_bad_debts_side_by_side():
    rows = [("weekly", 0, "2022-01-01"), ("B", 7, "2022-03-01"), ("A", 1, "2022-02-01")]
    frame = pd.DataFrame(rows * 2, columns=["kind", "days_before", "start"])
    frame["service"] = ["path"] * 3 + ["low"] * 3
    frame["bad_debt"] = np.arange(6) / 10
    for name in ("closed", "premature", "insufficient", "repaid", "penalty"):
        frame[name] = 0.5
    table = outcomes.before_crises(frame)
    assert table.columns[:3].tolist() == ["crisis", "days_before", "closed"]
    assert table["crisis"].tolist() == ["A", "B"]
    assert table[["bad_debt", "bad_debt_at_low"]].to_numpy().tolist() == [[0.2, 0.5], [0.1, 0.4]]


def test_readings_by_service():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"service": ["path"] * 20 + ["low"] * 20})
    names = ["realised", "under_water", "trough", "penalty", "closed", "premature", "insufficient"]
    for place, name in enumerate(names):
        frame[name] = place + (frame["service"] == "low") * 10.0
    table = outcomes.readings(frame, rng, 5).set_index(["service", "outcome"])
    assert table.loc[("path", "trough"), "mean"] == 2
    assert table.loc[("low", "penalty"), "high"] == 13
