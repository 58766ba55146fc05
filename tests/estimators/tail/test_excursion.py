"""Excursions: the donor formula by hand, the bridge's law, preference, no foresight."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from xcoll.errors import DataError, EstimationError, ParameterError
from xcoll.estimators.tail import excursion

BARS = 150


def market(seed=0):
    rng = np.random.default_rng(seed)
    index = pd.date_range("2021-01-01", periods=BARS, freq="D")
    common = rng.standard_t(4, BARS)
    columns = ["D", "A", "S"]
    returns = pd.DataFrame(
        {name: 0.03 * (common + rng.normal(size=BARS)) for name in columns}, index
    )
    volatility = pd.DataFrame(0.04 * np.exp(rng.normal(0, 0.3, (BARS, 3))), index, columns)
    low = returns["D"].clip(upper=0) - 0.02 * rng.exponential(size=BARS)
    return returns, volatility, low


def donor_of(returns, volatility, low):
    return excursion.Donor("D", returns["D"], volatility["D"], low)


def run(returns, volatility, low, method="donor", seed=1, own=True, **options):
    lows = low.to_frame("D") if own else None
    donor = donor_of(returns, volatility, low)
    rng = np.random.default_rng(seed)
    return excursion.excursions(returns, volatility, lows, donor, method, rng, **options)


def test_donor_formula_by_hand():
    returns, volatility, low = market()
    found = run(returns, volatility, low)
    t = 40
    e = (min(returns["D"].iloc[t], 0) - low.iloc[t]) / volatility["D"].iloc[t - 1]
    expected = min(returns["A"].iloc[t], 0) - e * volatility["A"].iloc[t - 1]
    assert found.low["A"].iloc[t] == pytest.approx(expected)
    assert found.source["A"].iloc[t] == "donor"
    assert found.low["D"].iloc[t] == low.iloc[t]
    assert found.source["D"].iloc[t] == "own"


def test_donor_gives_its_own_low_back_to_itself():
    returns, volatility, low = market()
    found = run(returns, volatility, low, own=False)
    assert found.low["D"].iloc[1:].to_numpy() == pytest.approx(low.iloc[1:].to_numpy())


def test_order_of_preference():
    returns, volatility, low = market()
    low.iloc[100:] = np.nan
    volatility.iloc[:3] = np.nan
    found = run(returns, volatility, low, no_donor=["S"])
    assert (found.source["S"] == "close").all()
    assert (found.source["A"].iloc[:4] == "close").all()
    assert (found.source["A"].iloc[4:100] == "donor").all()
    assert (found.source["A"].iloc[100:] == "matched").all()
    assert (found.source["D"].iloc[:100] == "own").all()
    assert (found.low["S"] == returns["S"].clip(upper=0)).all()


@pytest.mark.parametrize("method", excursion.METHODS)
def test_low_is_never_above_the_close_or_the_start(method):
    returns, volatility, low = market()
    found = run(returns, volatility, low, method)
    gap = (found.low - returns.clip(upper=0)).to_numpy()
    known = np.isfinite(gap)
    assert known.any()
    assert (gap[known] <= 1e-12).all()
    assert (found.source.notna() == found.low.notna()).all().all()
    assert set(found.source.to_numpy()[known]) <= set(excursion.METHODS)


def test_matched_draw_takes_one_of_the_nearest_earlier_donor_bars():
    returns, volatility, low = market()
    found = run(returns, volatility, low, "matched", own=False, neighbours=5)
    donor = donor_of(returns, volatility, low)
    for t in (10, 60, 149):
        target = returns["A"].iloc[t] / volatility["A"].iloc[t - 1]
        earlier = pd.DataFrame({"z": donor.score, "e": donor.excess}).iloc[:t].dropna()
        nearest = earlier.loc[(earlier["z"] - target).abs().sort_values().index[:5], "e"]
        drawn = (returns["A"].clip(upper=0).iloc[t] - found.low["A"].iloc[t]) / volatility[
            "A"
        ].iloc[t - 1]
        assert np.isclose(nearest, drawn).any()
    assert (found.source["A"].iloc[:6] == "close").all()  # fewer than five earlier donor bars
    assert found.source["A"].iloc[6] == "matched"


def test_one_draw_a_bar_ranks_all_assets():
    returns, volatility, low = market()
    returns["A"], volatility["A"] = returns["S"], volatility["S"]
    found = run(returns, volatility, low, "matched")
    pd.testing.assert_series_equal(found.low["A"], found.low["S"], check_names=False)


@pytest.mark.parametrize("method", ["donor", "matched", "bridge", "close", "own"])
def test_planted_jump_moves_no_earlier_excursion(method):
    returns, volatility, low = market()
    low.iloc[60:80] = np.nan  # so that `donor` draws matched bars too
    before = run(returns, volatility, low, method)
    at = 70
    returns.iloc[at:], volatility.iloc[at:], low.iloc[at:] = -1.0, 3.0, -2.0
    after = run(returns, volatility, low, method)
    pd.testing.assert_frame_equal(before.low.iloc[:at], after.low.iloc[:at])
    pd.testing.assert_frame_equal(before.source.iloc[:at], after.source.iloc[:at])
    assert not before.low.iloc[at:].equals(after.low.iloc[at:])


def test_matched_draw_does_not_see_its_own_bar():
    returns, volatility, low = market()
    at = 70
    before = run(returns, volatility, low, "matched", own=False)
    low.iloc[at] = -5.0
    after = run(returns, volatility, low, "matched", own=False)
    assert before.low.iloc[at].equals(after.low.iloc[at])


def test_no_donor_day_after_the_bar_is_needed():
    returns, volatility, low = market()
    full = run(returns, volatility, low, "matched")
    cut = 90
    short = run(returns.iloc[:cut], volatility.iloc[:cut], low.iloc[:cut], "matched")
    pd.testing.assert_frame_equal(full.low.iloc[:cut], short.low)


@given(st.floats(-0.3, 0.3), st.floats(0.005, 0.3), st.floats(1e-6, 1.0))
@settings(max_examples=100)
def test_bridge_inverts_its_distribution(log_return, sigma, uniform):
    minimum = excursion.bridge_minimum(np.array(log_return), np.array(sigma), np.array(uniform))
    assert minimum <= min(log_return, 0.0) + 1e-12
    law = np.exp(-2 * minimum * (minimum - log_return) / sigma**2)
    assert law == pytest.approx(uniform, rel=1e-6)


def test_bridge_against_simulated_bridges():
    rng = np.random.default_rng(0)
    steps, paths, sigma, end = 2000, 2000, 0.05, -0.03
    walk = rng.normal(0, sigma / np.sqrt(steps), (paths, steps)).cumsum(axis=1)
    time = np.arange(1, steps + 1) / steps
    bridges = walk + (end - walk[:, -1:]) * time
    # discrete observation misses 0.5826 σ √Δt of the minimum (Broadie, Glasserman and Kou 1997)
    simulated = bridges.min(axis=1) - 0.5826 * sigma / np.sqrt(steps)
    test = kstest(
        simulated, lambda m: np.exp(-2 * m * (m - end) / sigma**2) * (m < end) + (m >= end)
    )
    assert test.pvalue > 0.01


def test_corrected_lifts_matched_bars_only():
    returns, volatility, low = market()
    low.iloc[100:] = np.nan
    found = run(returns, volatility, low)
    lifted = excursion.corrected(found)
    assert (lifted["A"].iloc[:100] == found.low["A"].iloc[:100]).all()
    assert lifted["A"].iloc[100:].to_numpy() == pytest.approx(
        found.low["A"].iloc[100:].to_numpy() / 0.9
    )


def test_owed_asset_is_the_mirror():
    """Highs over the last close, by the same formula on the mirrored price."""
    returns, volatility, _ = market()
    high = returns["D"].clip(lower=0) + 0.01
    mirrored = excursion.Donor("D", -returns["D"], volatility["D"], -high)
    found = excursion.excursions(
        -returns, volatility, None, mirrored, "donor", np.random.default_rng(0)
    )
    t = 40
    e = (high.iloc[t] - max(returns["D"].iloc[t], 0)) / volatility["D"].iloc[t - 1]
    expected = max(returns["A"].iloc[t], 0) + e * volatility["A"].iloc[t - 1]
    assert -found.low["A"].iloc[t] == pytest.approx(expected)


def test_log_low_starts_at_the_last_close_and_ends_at_the_close():
    index = pd.date_range("2022-01-01", periods=4, freq="D")
    close = pd.DataFrame({"A": [100.0, 90.0, 120.0, 110.0]}, index)
    low = pd.DataFrame({"A": [99.0, 80.0, 110.0, 110.2]}, index)
    found = excursion.log_low(low, close)["A"]
    assert np.isnan(found.iloc[0])
    assert found.iloc[1:].tolist() == pytest.approx([np.log(0.8), 0.0, np.log(110 / 120)])
    low.iloc[1] = 95.0
    with pytest.raises(DataError, match="2022-01-02"):
        excursion.log_low(low, close)


def test_donor_of_wide_frames():
    returns, volatility, low = market()
    donor = excursion.Donor.of("D", returns, volatility, low.to_frame("D"))
    assert donor.excess.equals(donor_of(returns, volatility, low).excess)
    assert donor.span == "01 January 2021 to 30 May 2021"
    assert excursion.Donor("D", returns["D"], volatility["D"], low * np.nan).span == "none"
    with pytest.raises(ParameterError, match="'D'"):
        excursion.Donor.of("A", returns, volatility, low.to_frame("D"))


def test_every_choice_and_its_sources():
    returns, volatility, low = market()
    lows, donor = low.to_frame("D"), donor_of(returns, volatility, low)
    rng = np.random.default_rng(0)
    found = excursion.every_choice(returns, volatility, lows, donor, rng, ["S"])
    assert list(found) == ["close", "bridge", "matched", "donor"]
    counts = excursion.sources(found["donor"].source).set_index("asset")
    assert counts.loc["D", "own"] == BARS
    assert counts.loc["A"].sum() == BARS
    assert counts.loc["S", "close"] == BARS


def test_bad_arguments():
    returns, volatility, low = market()
    rng = np.random.default_rng(0)
    with pytest.raises(ParameterError, match="choose one of"):
        run(returns, volatility, low, "magic")
    with pytest.raises(ParameterError, match="needs a donor"):
        excursion.excursions(returns, volatility, method="donor", rng=rng)
    with pytest.raises(ParameterError, match="rng"):
        excursion.excursions(returns, volatility, method="bridge")
    with pytest.raises(DataError, match="volatility"):
        excursion.excursions(returns, volatility.iloc[1:], method="close")
    with pytest.raises(EstimationError, match="positive or infinite"):
        run(returns, volatility, -low)
    with pytest.raises(DataError, match="empty"):
        excursion.excursions(returns.iloc[:0], volatility.iloc[:0], method="close")
    holed = returns.copy()
    holed.iloc[50, 1] = np.nan
    with pytest.raises(EstimationError, match="A"):
        run(holed, volatility, low)


def test_draws_put_side_by_side_come_apart_again():
    index = pd.date_range("2022-01-01", periods=3, freq="D")
    lows = [
        pd.DataFrame({"A": [-0.1, -0.2, np.nan], "B~C": [0.0, -0.3, -0.4]}, index) * k
        for k in (1, 2)
    ]
    source = pd.DataFrame({"A": ["own", "matched", None], "B~C": ["close"] * 3}, index)
    draws = [excursion.Excursions(low, source) for low in lows]
    found = excursion.apart(excursion.together(draws))
    assert len(found) == 2
    for low, draw in zip(found, draws, strict=True):
        pd.testing.assert_frame_equal(low, excursion.corrected(draw))
    assert found[1].loc[index[1], "A"] == pytest.approx(-0.4 / excursion.MATCHED_REACH)
