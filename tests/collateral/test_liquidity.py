import datetime
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral import liquidity
from xcoll.collateral.facts import Stress
from xcoll.collateral.universe import Asset
from xcoll.errors import ParameterError

# WETH, aggregator quotes of 2023-11-20: upper size of each bucket and mean impact
QUOTES = liquidity.DepthTable((1e5, 5e5, 1e6, 2e6, 5e6), (0.0006, 0.0006, 0.0011, 0.0015, 0.0023))
MODELS = (liquidity.SquareRoot(0.04, 6e8), liquidity.Linear(1e8), QUOTES)


def test_square_root_is_the_formula():
    # Y σ √(q/ADV) = 1 · 0.05 · √(1/100)
    assert liquidity.SquareRoot(0.05, 1e8).impact(1e6) == pytest.approx(0.005, rel=1e-15)
    assert liquidity.SquareRoot(0.05, 1e8, Y=0.5).impact(1e6) == pytest.approx(0.0025, rel=1e-15)


def test_linear_loses_half_the_last_price_move():
    depth, size = 1e7, 1e6
    # a flat book of `depth` dollars a unit of relative price, sold in many slices
    sold = np.linspace(0.0, size, 100_001)
    average = np.mean(0.5 * (sold[1:] + sold[:-1]) / depth)
    assert liquidity.Linear(depth).impact(size) == pytest.approx(average, rel=1e-12)


def test_depth_table_interpolates_and_holds_the_first_quote():
    assert QUOTES.impact(0.0) == 0.0006
    assert QUOTES.impact(5e4) == 0.0006
    assert QUOTES.impact(2e6) == 0.0015
    assert QUOTES.impact(1.5e6) == pytest.approx(0.0013)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.floats(0.0, 2e6), min_size=2, max_size=2), depth=st.floats(0.5, 1.0))
def test_impact_grows_with_size_and_with_less_depth(model, sizes, depth):
    small, large = sorted(sizes)
    assert 0.0 <= model.impact(small) <= model.impact(large) < 1.0
    assert model.stressed(depth).impact(large) >= model.impact(large)


def test_half_the_depth_is_twice_the_size():
    for model in MODELS:
        assert model.stressed(0.5).impact(1e6) == pytest.approx(model.impact(2e6), rel=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: liquidity.SquareRoot(0.05, 0.0),
        lambda: liquidity.Linear(0.0),
        lambda: liquidity.DepthTable((0.0, 1.0), (0.0, 0.1)),
        lambda: liquidity.SquareRoot(0.05, 1e8).stressed(0.0),
        lambda: QUOTES.stressed(0.0),
        lambda: liquidity.clearing_time(1e6, 0.0, 0.1),
        lambda: liquidity.clearing_time(1e6, 1e8, 0.0),
    ],
)
def test_zero_depth_is_refused(make):
    with pytest.raises(ParameterError, match="above zero"):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: liquidity.SquareRoot(math.nan, 1e8), "daily volatility is nan"),
        (lambda: liquidity.SquareRoot(0.05, math.inf), "volume is inf"),
        (lambda: liquidity.Linear(1e6).impact(-1.0), "size is -1"),
        (lambda: liquidity.Linear(1e6).impact(2e6), "takes the whole value"),
        (lambda: liquidity.SquareRoot(1.0, 1e6).impact(1e6), "takes the whole value"),
        (lambda: QUOTES.impact(6e6), "beyond the largest quote"),
        (lambda: liquidity.DepthTable((), ()), "0 sizes"),
        (lambda: liquidity.DepthTable((1.0, 2.0), (0.1,)), "2 sizes and 1 impacts"),
        (lambda: liquidity.DepthTable((2.0, 1.0), (0.1, 0.2)), "must ascend"),
        (lambda: liquidity.DepthTable((1.0, 2.0), (0.1, 6.0)), r"quoted impact is 6.*0\.06"),
        (lambda: liquidity.DepthTable((1.0, 2.0), (0.1, 1.0)), "takes the whole value"),
    ],
)
def test_bad_markets_and_sizes_are_named(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_close_out_is_the_sum_of_its_parts():
    plan = liquidity.close_out(1e7, 6e8, 0.1, pd.Timedelta("1h"), pd.Timedelta("15min"))
    assert plan.position_usd == 1e7
    assert plan.queue == pd.Timedelta("4h")
    assert plan.total == pd.Timedelta("5h15min")
    assert plan.horizon == "24h"


def test_close_out_caps_the_position_at_what_clears_in_a_day():
    plan = liquidity.close_out(1e7, 6.5e6, 0.1, pd.Timedelta("1h"), pd.Timedelta("3.3s"))
    assert plan.position_usd == pytest.approx(0.65e6 * (23 - 3.3 / 3600) / 24)
    assert plan.total == pd.Timedelta("24h")
    assert plan.horizon == "24h"
    with pytest.raises(ParameterError, match="leave no time to sell"):
        liquidity.close_out(1e7, 6.5e6, 0.1, pd.Timedelta("12h"), pd.Timedelta("12h"))


def test_the_horizon_is_the_smallest_that_covers():
    assert liquidity.covering_horizon(pd.Timedelta("1min")) == "1h"
    assert liquidity.covering_horizon(pd.Timedelta("4h")) == "4h"
    assert liquidity.covering_horizon(pd.Timedelta("4h1s")) == "24h"
    with pytest.raises(ParameterError, match="longer than 24h"):
        liquidity.covering_horizon(pd.Timedelta("25h"))


def asset(**blocks):
    facts = {"source": "made up for a test", "date": datetime.date(2023, 12, 31)}
    feed = {"feed": "test", "deviation": 0.005, "heartbeat": "1h", **facts}
    known = {
        "liquidity": {"venue": "test", "adv_usd": 1e8, "adv_p5_usd": 4e7, **facts},
        "depth": {"token": "T", "size_usd": (1e6, 1e7), "impact": (0.01, 0.05), **facts},
    }
    return Asset(
        symbol="T", name="Test", kind="native", chain="test", roles=("debt",), column="T-USD",
        oracle=feed, **{name: known[name] for name in blocks},
    )  # fmt: skip


def test_quotes_come_before_the_square_root_law():
    stress = Stress(
        dex_depth=0.5, cex_depth=0.3, replenishment=0.2, replenishment_time="5min",
        source="made up for a test", date=datetime.date(2023, 12, 31),
    )  # fmt: skip
    quoted = liquidity.stressed_market(asset(depth=True, liquidity=True), 0.05, stress)
    assert quoted.impact(5e6) == 0.05  # half the depth: the quote of twice the size
    law = liquidity.stressed_market(asset(liquidity=True), 0.05, stress)
    assert law.impact(1e7) == pytest.approx(0.05 * math.sqrt(1e7 / 4e7))
    with pytest.raises(ParameterError, match="T has neither depth nor liquidity"):
        liquidity.stressed_market(asset(), 0.05, stress)


def test_what_clears_in_the_time_left_takes_that_time():
    size = liquidity.largest_clearing(pd.Timedelta("5h"), 6.5e6, 0.1)
    assert liquidity.clearing_time(size, 6.5e6, 0.1) == pd.Timedelta("5h")
    with pytest.raises(ParameterError, match="time left"):
        liquidity.largest_clearing(pd.Timedelta("-1h"), 6.5e6, 0.1)
