"""The donor judged by its other half: no leak from the judged half, known ratios."""

import numpy as np
import pandas as pd
import pytest

from xcoll.errors import EstimationError
from xcoll.estimators.tail import excursion, excursion_truth


def donor(bars=400, seed=0, excess=lambda rng, n: rng.exponential(0.5, n)):
    rng = np.random.default_rng(seed)
    index = pd.date_range("2020-01-01", periods=bars, freq="D")
    returns = pd.Series(rng.standard_t(5, bars) * 0.03, index)
    volatility = pd.Series(0.04, index)
    low = returns.clip(upper=0) - 0.04 * excess(rng, bars)
    return excursion.Donor("D", returns, volatility, low)


def test_constant_excess_is_found_exactly():
    """Where the wick is always half a σ, a matched draw cannot miss."""
    steady = donor(excess=lambda rng, n: np.full(n, 0.5))
    pairs = excursion_truth.cross_validated(steady, "matched", np.random.default_rng(0))
    # the first bar of a half has no σ before it
    inner = pairs.groupby("half").apply(lambda half: half.iloc[1:]).droplevel(0)
    assert inner["estimate"].to_numpy() == pytest.approx(inner["truth"].to_numpy())
    table = excursion_truth.against_truth(steady, 0.975, np.random.default_rng(0), 2, 100)
    ratio = table.set_index(["choice", "half"])["ratio"]
    assert ratio["matched"].to_numpy() == pytest.approx(1.0)
    assert (ratio["close"] < 0.95).all()
    assert (ratio["matched, corrected"] > 1.05).all()


@pytest.mark.parametrize("method", ["matched", "bridge", "close"])
def test_judged_half_does_not_teach(method):
    one = donor()
    spoiled = one.low.copy()
    spoiled.iloc[200:] = -3.0
    other = excursion.Donor("D", one.log_returns, one.volatility, spoiled)
    before, after = (
        excursion_truth.cross_validated(d, method, np.random.default_rng(3)) for d in (one, other)
    )
    judged = before["half"] == 2
    assert (before.loc[judged, "estimate"] == after.loc[judged, "estimate"]).all()
    assert (after.loc[judged, "truth"] > 0.9).all()
    if method == "matched":  # the first half learns from the spoiled one
        assert (after.loc[~judged, "estimate"] > before.loc[~judged, "estimate"]).mean() > 0.9


def test_halves_split_the_known_bars_by_time():
    one = donor()
    one.low.iloc[:100] = np.nan
    one.low.iloc[150] = np.nan
    pairs = excursion_truth.cross_validated(one, "close", np.random.default_rng(0))
    first, second = (pairs[pairs["half"] == half].index for half in (1, 2))
    assert first.max() < second.min()
    assert first.min() == one.low.index[101]
    assert one.low.index[150] not in pairs.index
    assert (pairs["truth"] >= pairs["estimate"]).all()


def test_too_few_known_lows():
    one = donor()
    one.low.iloc[50:] = np.nan
    with pytest.raises(EstimationError, match="50 known lows"):
        excursion_truth.cross_validated(one, "close", np.random.default_rng(0))
    table = excursion_truth.against_truth(one, 0.99, np.random.default_rng(0))
    assert table.empty
    full = excursion_truth.against_truth(donor(), 0.99, np.random.default_rng(0), 1, 20)
    assert table.dtypes.to_dict() == full.dtypes.to_dict()


def test_table_shape_and_seed():
    tables = [
        excursion_truth.against_truth(donor(), 0.99, np.random.default_rng(5), 2, 50)
        for _ in range(2)
    ]
    pd.testing.assert_frame_equal(*tables)
    table = tables[0]
    assert len(table) == 2 * len(excursion_truth.CHOICES)
    assert (table["confidence"] == 0.975).all()  # 200 bars do not carry 99 %
    assert (table["low"] <= table["high"]).all()
