"""The trial: what plays a new asset knows nothing else, and nothing of what comes later."""

import numpy as np
import pandas as pd
import pytest

from tests.collateral.test_new_assets import CLASS, OF, world
from xcoll.collateral.haircuts.market import long_run
from xcoll.collateral.history import History
from xcoll.collateral.new_assets import trial
from xcoll.errors import DataError, EstimationError
from xcoll.estimators import volatility

KNOWN = world(bars=1000, draws=1)
LIKE = {"N": CLASS, "A": CLASS, "ETH": CLASS}
DATES = KNOWN.log_returns.index[[450, 600]]
SAID = ["procedure", "shrunk", "naive", "class", "whole"]


@pytest.fixture(scope="module")
def tried():
    return trial.trial(KNOWN, trial.cases(KNOWN, LIKE, DATES, ["30D", "90D"]), LIKE, OF)


def changed(history, after, factor):
    """All that comes after a date made so many times larger."""
    scale = np.where(history.log_returns.index > after, factor, 1.0)
    frames = (history.log_returns, history.volatility, *history.lows)
    returns, sigma, *lows = (frame.mul(scale, axis=0) for frame in frames)
    return History(returns, tuple(lows), sigma)


def test_cases_are_every_asset_date_and_age_that_there_is():
    late = KNOWN.log_returns.copy()
    late.loc[: DATES[0] - pd.Timedelta("50D"), "N"] = np.nan
    late.loc[DATES[1] :, "A"] = np.nan
    lows = tuple(low.where(late.notna()) for low in KNOWN.lows)
    history = History(late, lows, KNOWN.volatility)
    found = trial.cases(history, ["N", "A", "ETH"], DATES, ["30D", "90D"])
    counts = found.groupby(["asset", "as_of"]).size().unstack(fill_value=0)
    assert counts.loc["N"].tolist() == [1, 2]  # fifty days old on the first date
    assert counts.loc["A"].tolist() == [2, 0]  # delisted before the second
    spans = (found["as_of"] - found["listed"]) / pd.Timedelta("1D") + 1
    assert set(spans) == {30, 90}
    with pytest.raises(DataError, match="no asset has so many bars"):
        trial.cases(history, ["N"], DATES[:1], ["900D"])


def test_a_listed_asset_has_its_own_bars_and_the_volatility_of_those():
    first = KNOWN.log_returns.index[-40]
    found = trial.listed(KNOWN, ["N", "A"], first)
    assert len(found.log_returns) == 40
    pd.testing.assert_frame_equal(
        found.volatility, volatility.ewma(KNOWN.log_returns.loc[first:, ["N", "A"]], minimum=10)
    )
    fall = found.log_returns.clip(upper=0.0)
    pd.testing.assert_frame_equal(found.lows[0].iloc[:10], fall.iloc[:10])
    day = 25
    excess = (fall.iloc[day] - KNOWN.lows[0].loc[fall.index[day], ["N", "A"]]) / (
        KNOWN.volatility.loc[fall.index[day - 1], ["N", "A"]]
    )
    expected = fall.iloc[day] - excess * found.volatility.iloc[day - 1]
    np.testing.assert_allclose(found.lows[0].iloc[day], expected, rtol=1e-12)


def test_nothing_that_was_said_moves_when_the_future_does(tried):
    for place, as_of in enumerate(DATES):
        other = trial.trial(
            changed(KNOWN, as_of, 3.0), trial.cases(KNOWN, LIKE, [as_of], ["30D", "90D"]), LIKE, OF
        )
        same = tried[tried["as_of"] == DATES[place]].reset_index(drop=True)
        pd.testing.assert_frame_equal(other[SAID], same[SAID])
        assert (other["later"] > same["later"]).all()
        assert (other["beyond_naive"] >= same["beyond_naive"]).all()


def test_what_came_is_counted_as_it_came(tried):
    row = tried[(tried["asset"] == "N") & (tried["as_of"] == DATES[0])].iloc[0]
    after = KNOWN.log_returns.index[451 : 451 + 365]
    year = KNOWN.of(["N"]).since(DATES[0]).until(after[-1])  # the first loss is decided that day
    assert row["later"] == long_run(year, OF)["N"]
    assert row["whole"] == long_run(KNOWN.until(DATES[0]), OF)["N"]
    lost = -np.expm1(KNOWN.lows[0]["N"].iloc[451 : 451 + 90])
    assert row["days"] == 90
    assert row["beyond_naive"] == (lost > row["naive"]).sum()
    assert row["beyond_procedure"] == (lost > row["procedure"]).sum()
    # the class of A does not hold A itself
    known = KNOWN.until(DATES[0])
    mine = tried[(tried["asset"] == "A") & (tried["as_of"] == DATES[0])].iloc[0]
    assert mine["class"] == pytest.approx(long_run(known, OF)[["B", "C", "D"]].mean())


def test_a_date_without_a_year_after_it_has_no_later_figure():
    last = KNOWN.log_returns.index[-31]
    found = trial.trial(KNOWN, trial.cases(KNOWN, ["N"], [last], ["30D"]), LIKE, OF)
    assert np.isnan(found.loc[0, "later"])
    assert found.loc[0, "days"] == 30
    with pytest.raises(EstimationError, match="no case has 365D after it"):
        trial.summary(found)


def test_the_summary_counts_each_way():
    rows = pd.DataFrame(
        {
            "age": [30.0, 30.0, 30.0],
            "whole": [0.2, 0.4, 0.4],
            "later": [0.1, 0.3, np.nan],
            "procedure": [0.4, 0.4, 9.0],
            "naive": [0.05, 0.2, 9.0],
            "class": [0.2, 0.2, 9.0],
            "shrunk": [0.2, 0.4, 9.0],
            "beyond_procedure": [0.0, 1.0, 9.0],
            "beyond_naive": [5.0, 6.0, 9.0],
            "beyond_class": [2.0, 2.0, 9.0],
            "days": [90, 90, 90],
        }
    )
    found = trial.summary(rows).loc[30.0]
    assert found["cases"].tolist() == [2, 2, 2, 2]
    assert found.loc["procedure", "bias"] == pytest.approx(np.log(2.0) / 2)
    assert found.loc["procedure", "error"] == pytest.approx(np.log(2.0) / 2**0.5)
    assert found["covered"].to_dict() == {
        "procedure": 1.0,
        "naive": 0.0,
        "class": 0.5,
        "shrunk": 1.0,
    }
    assert found["assured"].tolist() == [1.0, 0.0, 0.5, 1.0]
    assert found.loc["naive", "beyond"] == 11.0
    assert found.loc["class", "held"] == pytest.approx(0.2)
    assert np.isnan(found.loc["shrunk", "beyond"])


def test_a_trial_needs_cases_and_classes():
    played = trial.cases(KNOWN, ["N"], DATES[:1], ["30D"])
    with pytest.raises(DataError, match="N has no class"):
        trial.trial(KNOWN, played, {"A": CLASS}, OF)
    with pytest.raises(EstimationError, match="no case to try"):
        trial.trial(KNOWN, played.iloc[:0], LIKE, OF)


def test_dates_leave_a_year_at_the_end_and_a_past_at_the_start():
    found = trial.dates(KNOWN, "91D")
    index = KNOWN.log_returns.index
    assert found[0] == index[456]
    assert (np.diff(found) == np.timedelta64(91, "D")).all()
    assert found[-1] < index[len(index) - 365]
    assert trial.dates(KNOWN.until(index[700]), "91D").empty
    assert trial.dates(KNOWN.until(index[200]), "91D").empty
    with pytest.raises(DataError, match="on any of the dates; give later dates"):
        trial.cases(KNOWN, ["ETH"], [])


def test_assets_are_played_among_the_others_or_not_at_all(tried):
    among = trial.played(KNOWN, [*CLASS, "N", "ETH"], OF, "120D", ["30D"])
    assert set(among["asset"]) == {*CLASS, "N", "ETH"}
    assert list(among) == list(tried) == list(trial.KINDS)
    for nothing in (
        trial.played(KNOWN, CLASS[:2], OF, "120D"),
        trial.played(KNOWN.until(KNOWN.log_returns.index[700]), [*CLASS, "N"], OF, "120D"),
    ):
        assert nothing.empty
        assert list(nothing) == list(trial.KINDS)
