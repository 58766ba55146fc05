"""The close-out horizon fed back: parameters between horizons, and the shortest that fits."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidation.studies import market, parameters, study
from xcoll.collateral.accounts import Shape
from xcoll.collateral.liquidity import Linear
from xcoll.errors import EstimationError, ParameterError
from xcoll.liquidation import cohorts, feedback, outcomes
from xcoll.liquidation.depth import Depth
from xcoll.liquidation.replay import Conduct
from xcoll.liquidation.world import Oracle, World

NAMES = ["BTC", "ETH", "USDC"]
HOURS = [1.0, 4.0, 24.0]
LT = {"BTC": [0.90, 0.86, 0.75], "ETH": [0.87, 0.82, 0.68]}
TABLE = pd.DataFrame(
    {"asset": asset, "horizon": f"{h:g}h", "threshold": lt, "bonus": 0.04 + h / 1e3}
    for asset, values in LT.items()
    for h, lt in zip(HOURS, values, strict=True)
).assign(protocol_fee=0.1, ltv=lambda table: 0.9 * table["threshold"])


def hourly(depth=3e6, **changes):
    """Hourly bars, each a single price: bars shorter than any horizon of the table."""
    close, low = (frame[NAMES] for frame in market(960, 1, "h", 0.011, -0.0003))
    order_books = Depth.of(dict.fromkeys(NAMES, Linear(depth)), replenish=0.01)
    world = World(Oracle("1h"), depth=order_books)
    shape = Shape(NAMES, {"BTC": 0.5, "ETH": 0.5}, stable=["USDC"], size_spread=0.5)
    given = {
        "calendar": cohorts.calendar(close.index, "2D", "3D", crises={}),
        "shape": shape,
        "parameters": parameters(pd.Series({"BTC": 0.8, "ETH": 0.7}), 0.6),
        "universe": close.notna(),
        "window": "3D",
        "venue_usd": 5e7,
        "conduct": Conduct(world=world, steps=1, within="1D"),
    }
    return study(close, low, 1_000, **given | changes)


def at(hours):
    return feedback.parameters_at(TABLE, pd.Timedelta(hours=hours), list(LT)).frame


def test_parameters_are_exact_at_the_horizons_of_the_table():
    for place, hours in enumerate(HOURS):
        found = at(hours)
        assert found["threshold"].to_dict() == {asset: LT[asset][place] for asset in LT}
        assert found["ltv"].tolist() == pytest.approx([0.9 * LT[asset][place] for asset in LT])
        assert found["bonus"].tolist() == pytest.approx([0.04 + hours / 1e3] * 2)
    assert at(0.25).equals(at(1.0))  # shorter ones take the shortest
    shuffled = TABLE.sample(frac=1.0, random_state=1)
    again = feedback.parameters_at(shuffled, "3h", ["ETH"])
    assert again.frame.loc["ETH"].equals(at(3.0).loc["ETH"])
    assert again.assets == ["ETH"]


def test_between_horizons_they_are_linear_in_the_root_of_time():
    assert at(2.25)["threshold"].tolist() == pytest.approx([0.88, 0.845])  # √2.25 is halfway
    share = (3.0 - 2.0) / (np.sqrt(24.0) - 2.0)
    assert at(9.0).loc["ETH", "threshold"] == pytest.approx(0.82 - 0.14 * share)


@settings(max_examples=50, deadline=None)
@given(st.tuples(st.floats(0.1, 24.0), st.floats(0.1, 24.0)).map(sorted))
def test_longer_horizons_have_lower_thresholds(hours):
    short, long = (at(h) for h in hours)
    for column, sign in (("threshold", 1), ("ltv", 1), ("bonus", -1)):
        assert (sign * (short[column] - long[column]) >= -1e-12).all()


def test_horizons_and_assets_are_checked():
    with pytest.raises(ParameterError, match=r"25\.0 hours is beyond the longest .* 24 hours"):
        feedback.parameters_at(TABLE, "25h", ["ETH"])
    with pytest.raises(ParameterError, match="LINK has 0 rows"):
        feedback.parameters_at(TABLE, "4h", ["ETH", "LINK"])
    with pytest.raises(ParameterError, match="duration with its unit"):
        feedback.parameters_at(TABLE, "4", ["ETH"])
    twice = pd.concat([TABLE, TABLE.iloc[:1]])
    with pytest.raises(ParameterError, match="BTC has 4 rows"):
        feedback.parameters_at(twice, "4h", ["BTC"])


@pytest.fixture(scope="module")
def rounds():
    return feedback.agree(hourly(), TABLE, "30min")


def test_the_answer_fits_agrees_and_nothing_shorter_that_was_tried_fits(rounds):
    answer = rounds.iloc[-1]
    assert answer["fits"]
    assert answer["agrees"]
    assert 0.0 <= answer["horizon_hours"] - answer["needed_hours"] <= 0.5
    shorter = rounds[rounds["horizon_hours"] < answer["horizon_hours"]]
    assert len(shorter) >= 2
    assert not shorter["fits"].any()
    assert answer["horizon_hours"] - shorter["horizon_hours"].max() <= 0.5
    assert rounds["horizon_hours"].is_unique
    assert rounds["horizon_hours"].iloc[:2].tolist() == [1.0, 24.0]
    # An hour of oracle and half an hour of settlement are on top of what was measured.
    assert (rounds["needed_hours"] - rounds["wait_hours"]).to_numpy() == pytest.approx(1.5)


def test_a_finer_bracket_comes_to_the_same_time(rounds):
    finer = feedback.agree(hourly(), TABLE, "30min", tolerance="10min").iloc[-1]
    assert finer["horizon_hours"] <= rounds["horizon_hours"].iloc[-1]
    assert rounds["horizon_hours"].iloc[-1] - finer["horizon_hours"] <= 0.5


def test_the_measured_time_is_that_of_the_replay_at_the_horizon(rounds):
    case = hourly()
    for _, row in rounds.iloc[[0, -1]].iterrows():
        horizon = pd.Timedelta(hours=row["horizon_hours"])
        found = feedback.parameters_at(TABLE, horizon, ["BTC", "ETH"])
        waits = cohorts.run(replace(case, parameters=found)).waits
        wait = outcomes.wait_quantile(waits, 0.99) / pd.Timedelta("1h")
        assert row["wait_hours"] == pytest.approx(wait)
        assert row["served"] == len(waits) > 50
        assert row["threshold"] == pytest.approx(found.frame["threshold"].mean())


def test_where_the_shortest_horizon_fits_nothing_else_is_tried():
    prompt = hourly(conduct=Conduct(steps=1, within="1D"))
    quick = feedback.agree(prompt, TABLE, "1min")
    assert quick["horizon_hours"].tolist() == [1.0]
    assert quick["fits"].all()


def test_deep_markets_take_the_oracle_a_bar_and_the_settlement():
    deep = feedback.agree(hourly(depth=1e12), TABLE, "30min").iloc[-1]
    assert 1.5 < deep["needed_hours"] <= 2.5  # a breach lies inside the bar that shows it
    assert deep["agrees"]


def test_where_the_longest_horizon_is_too_short_it_says_so():
    table = feedback.agree(hourly(depth=1e5), TABLE, "12h")
    assert table["horizon_hours"].tolist() == [1.0, 24.0]
    last = table.iloc[-1]
    assert last["horizon_hours"] == 24.0 < last["needed_hours"]
    assert not last["fits"]


def test_nobody_served_has_no_time():
    case = hourly()
    safe = hourly(shape=replace(case.shape, health_median=50.0, health_spread=0.1))
    with pytest.raises(EstimationError, match="nobody was served"):
        feedback.agree(safe, TABLE, "30min")
