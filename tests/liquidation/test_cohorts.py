"""Rolling cohorts: calendar, universe as of each date, and the run over both."""

import numpy as np
import pandas as pd
import pytest

from xcoll.collateral.accounts import Shape, dollars, draw, settle
from xcoll.collateral.thresholds import RiskParameters
from xcoll.errors import DataError, ParameterError
from xcoll.liquidation import _kernels, cohorts
from xcoll.liquidation.replay import Conduct, replay

ASSETS = ["BTC", "ETH", "NEW", "USDC"]
RATES = RiskParameters(
    pd.DataFrame(
        {
            "ltv": [0.75, 0.7, 0.6],
            "threshold": [0.85, 0.83, 0.7],
            "bonus": 0.05,
            "protocol_fee": 0.1,
        },
        index=["BTC", "ETH", "NEW"],
    )
)
SHAPE = Shape(ASSETS, {"BTC": 0.4, "ETH": 0.4, "NEW": 0.2}, stable=["USDC"])


def market(days=120, seed=1):
    rng = np.random.default_rng(seed)
    index = pd.date_range("2022-01-01", periods=days, freq="D")
    steps = rng.normal(-0.002, 0.05, (days, 4)) * [1, 1.2, 1.5, 0.01]
    close = pd.DataFrame(100 * np.exp(steps.cumsum(axis=0)), index, ASSETS)
    close.iloc[:40, 2] = np.nan
    low = np.minimum(close, close.shift(1)) * 0.97
    return close, low


def study(close, low, **changes):
    settings = {
        "calendar": cohorts.calendar(close.index, crises={}),
        "draws": draw(SHAPE, 300, np.random.default_rng(2)),
        "shape": SHAPE,
        "parameters": RATES,
        "universe": cohorts.listed(close),
    }
    return cohorts.Study(close, low, **(settings | changes))


def run(close, low, **changes):
    return cohorts.run(study(close, low, **changes))


def test_weekly_cohorts_live_inside_the_prices():
    index = pd.date_range("2020-01-01", "2023-12-31", freq="D")
    made = cohorts.calendar(index)
    weekly = made[made["kind"] == "weekly"]
    assert (weekly["start"].diff().dropna() == pd.Timedelta("7D")).all()
    assert weekly["start"].iloc[0] == index[0]
    assert weekly["start"].iloc[-1] + pd.Timedelta("30D") <= index[-1]
    assert len(weekly) == 205


def test_every_crisis_has_three_cohorts():
    made = cohorts.calendar(pd.date_range("2020-01-01", "2023-12-31", freq="D"))
    crises = made[made["kind"] != "weekly"]
    days = crises.groupby("kind")["days_before"].apply(list).to_dict()
    assert days == {crisis: [1, 7, 30] for crisis in cohorts.CRISES}
    first = crises[(crises["kind"] == "COVID crash") & (crises["days_before"] == 1)]
    assert first["start"].item() == pd.Timestamp("2020-03-11")


def test_a_crisis_outside_the_prices_has_no_cohort():
    made = cohorts.calendar(pd.date_range("2021-01-01", "2021-06-30", freq="D"))
    assert set(made["kind"]) == {"weekly", "May 2021"}


def test_calendar_of_hourly_bars():
    made = cohorts.calendar(pd.date_range("2022-01-01", "2022-03-01", freq="h"))
    assert (made["start"].diff().dropna() == pd.Timedelta("7D")).all()


def test_too_short_a_history_is_refused():
    with pytest.raises(ParameterError, match="no window"):
        cohorts.calendar(pd.date_range("2022-01-01", periods=20, freq="D"))


def test_an_asset_is_listed_after_its_history_and_goes_for_good():
    close, _ = market(200)
    fallen = close.copy()
    fallen.iloc[100:, 1] *= 0.01
    listed = cohorts.listed(fallen, "30D", 0.9)
    assert listed["NEW"].idxmax() == close.index[69]
    assert listed["BTC"].all()
    assert listed["ETH"].iloc[:100].all()
    assert not listed["ETH"].iloc[100:].any()


def test_listing_uses_nothing_that_comes_later():
    close, _ = market(200)
    planted = close.copy()
    planted.iloc[120:] *= [0.001, 1, 1, 1]
    before, after = cohorts.listed(close), cohorts.listed(planted)
    pd.testing.assert_frame_equal(before.iloc[:120], after.iloc[:120])
    assert not after["BTC"].iloc[120:].any()


def test_a_cohort_is_the_replay_of_its_book_in_units():
    close, low = market()
    made = run(close, low, conduct=Conduct(delay="2h")).outcomes
    draws = draw(SHAPE, 300, np.random.default_rng(2))
    listed = cohorts.listed(close)
    for row in (0, 9, 12):
        first = close.index.get_loc(made["start"].iloc[row])
        here = listed.columns[listed.iloc[first]]
        sides = dollars(draws, SHAPE, RATES.frame["threshold"], here)
        book = settle(SHAPE, *sides, close.iloc[first])
        window = slice(first, first + 38)
        result = replay(
            book, close.iloc[window], low.iloc[window], RATES, Conduct(delay="2h"), bars=30
        )
        owed = (book.debt * book.prices(close.iloc[first])).sum()
        held = (book.collateral * book.prices(close.iloc[first])).sum()
        assert made["debt"].iloc[row] == pytest.approx(owed)
        for name, value in (
            ("realised", result.accounts["deficit"].sum() / owed),
            ("repaid", result.accounts["repaid"].sum() / owed),
            ("liquidated", result.accounts["seized"].sum() / held),
            ("closed", (result.accounts["calls"] > 0).mean()),
            ("premature", result.accounts["premature"].mean()),
        ):
            assert made[name].iloc[row] == pytest.approx(value, rel=1e-9, abs=1e-12), name


def test_one_specialisation_serves_every_layout_of_the_prices():
    close, low = market()
    _kernels.warm_up()
    run(close, low)
    run(pd.DataFrame(np.asfortranarray(close.to_numpy()), close.index, ASSETS), low.astype(float))
    assert len(_kernels.replay.signatures) == 1


def test_unlisted_assets_have_no_weight():
    close, low = market()
    early = run(close, low).outcomes.iloc[0]
    without = run(close, low, universe=cohorts.listed(close).assign(NEW=False)).outcomes.iloc[0]
    late = run(close, low).outcomes.iloc[-1]
    assert early["capital_efficiency"] == without["capital_efficiency"]
    assert late["capital_efficiency"] != early["capital_efficiency"]


def test_waits_are_those_of_weekly_cohorts():
    close, low = market()
    calendar = cohorts.calendar(close.index, crises={"fall": "2022-02-20"})
    whole = run(close, low, calendar=calendar)
    weekly = run(close, low)
    assert len(whole.outcomes) == len(weekly.outcomes) + 3
    assert len(whole.waits) == len(weekly.waits) > 100
    assert whole.waits.max() <= pd.Timedelta("1h")


def test_a_price_missing_inside_a_window_is_named():
    close, low = market()
    close.iloc[90, 1] = np.nan
    with pytest.raises(DataError, match="ETH was listed"):
        run(close, low)


def test_a_calendar_of_other_prices_is_refused():
    close, low = market()
    other = cohorts.calendar(close.index + pd.Timedelta("300D"), crises={})
    with pytest.raises(ParameterError, match="outside the prices"):
        run(close, low, calendar=other)


def test_compare_names_its_cases_and_weekly_drops_the_crises():
    close, low = market()
    calendar = cohorts.calendar(close.index, crises={"fall": "2022-02-20"})
    whole = study(close, low, calendar=calendar)
    made = cohorts.compare({"a": whole, "b": whole.weekly}, by="case")
    assert made["case"].value_counts().to_dict() == {"a": len(calendar), "b": len(calendar) - 3}
    weekly = made[made["kind"] == "weekly"].set_index("case")
    first, second = (weekly.loc[name].reset_index(drop=True) for name in "ab")
    pd.testing.assert_frame_equal(first, second)
