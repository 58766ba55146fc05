"""Order books of levels: what they cost, what still sells, and how they fill up again."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xcoll.collateral.liquidity import ConstantProduct, DepthTable, Linear, SquareRoot, Tiers
from xcoll.errors import ParameterError
from xcoll.liquidation.depth import LARGEST, REPLENISH, SMALLEST, Depth

MODELS = {
    "square root": SquareRoot(0.04, 6e7),
    "linear": Linear(1e7),
    "pool": ConstantProduct(5e6, 0.003),
    "tiers": Tiers((2e6, 4e6, 8e6), (0.95, 0.85, 0.5)),
    "quotes": DepthTable((1e5, 5e5, 1e6, 2e6), (0.0006, 0.0011, 0.0015, 0.0023)),
}
DEPTH = Depth.of(MODELS)
STEEP = Depth(["X"], np.array([100.0, 300.0]), np.array([[0.1, 0.4]]))
every = pytest.mark.parametrize("market", MODELS)
dollars = st.floats(1.0, 1e8)


def marginal(market):
    """Loss of a dollar in each level that the model reaches."""
    model, size = MODELS[market], DEPTH.size
    inside = size[size <= model.largest(0.999)]
    cost = np.array([q * model.impact(q) for q in inside])
    return inside, cost, np.diff(cost, prepend=0.0) / np.diff(inside, prepend=0.0)


@every
def test_levels_cost_what_the_model_does_at_their_bounds(market):
    """Where a dollar more never costs less; what would fall is held, and costs more."""
    inside, cost, loss = marginal(market)
    assert len(inside) > 50
    mine = np.array([DEPTH.cost(market, q) for q in inside])
    sells = np.logical_and.accumulate(loss <= 1.0)
    rises = sells & np.logical_and.accumulate(np.diff(loss, prepend=0.0) >= -1e-12)
    np.testing.assert_allclose(mine[rises], cost[rises], rtol=1e-9)
    assert (mine[sells] >= cost[sells] * (1 - 1e-9)).all()
    assert rises.sum() > 20


@every
def test_nobody_buys_beyond_the_end_of_a_model(market):
    inside, *_ = marginal(market)
    row = DEPTH.loss[DEPTH.assets.index(market)]
    assert (row[len(inside) :] == 1.0).all()
    end = inside[-1]
    assert DEPTH.cost(market, 1e6, sold=end) == pytest.approx(1e6, rel=1e-9)


def test_a_worked_book():
    """$100 at 10 %, $200 at 40 %, nobody beyond."""
    assert STEEP.cost("X", 50.0) == pytest.approx(5.0)
    assert STEEP.cost("X", 200.0) == pytest.approx(10 + 40)
    assert STEEP.cost("X", 400.0) == pytest.approx(10 + 80 + 100)
    assert STEEP.cost("X", 100.0, sold=50.0) == pytest.approx(5 + 20)
    assert STEEP.cost("X", 200.0, depth=0.5) == pytest.approx(5 + 40 + 50)
    assert STEEP.room("X", 0.1) == 0.0  # a marginal loss under 10 %: none
    assert STEEP.room("X", 0.2) == 100.0
    assert STEEP.room("X", 0.5) == 300.0
    assert STEEP.room("X", 0.5, sold=120.0, depth=2.0) == 480.0
    assert STEEP.room("X", 0.2, sold=120.0) == 0.0


@every
@given(first=dollars, second=dollars, sold=st.floats(0, 1e7), depth=st.floats(0.01, 10))
def test_a_split_sale_costs_what_the_whole_does(market, first, second, sold, depth):
    split = DEPTH.cost(market, first, sold, depth) + DEPTH.cost(market, second, sold + first, depth)
    whole = DEPTH.cost(market, first + second, sold, depth)
    assert split == pytest.approx(whole, rel=1e-9, abs=1e-9 * (first + second))


@every
@given(q=dollars, more=dollars, sold=st.floats(0, 1e7), depth=st.floats(0.01, 10))
def test_costs_rise_with_the_size_and_never_exceed_it(market, q, more, sold, depth):
    cost = DEPTH.cost(market, q, sold, depth)
    assert 0 <= cost <= q
    slack = 1e-12 * (q + more + sold)
    assert DEPTH.cost(market, q + more, sold, depth) >= cost - slack
    assert DEPTH.cost(market, q, sold + more, depth) >= cost - slack
    assert DEPTH.cost(market, q, sold, 2 * depth) <= cost + slack


@every
@given(most=st.floats(0.001, 0.999), sold=st.floats(0, 1e6), depth=st.floats(0.1, 10))
def test_room_ends_where_the_next_dollar_loses_too_much(market, most, sold, depth):
    room = DEPTH.room(market, most, sold, depth)
    assert room >= 0
    step = 1e-6 * (sold + room + 100 * depth)
    beyond = DEPTH.cost(market, step, sold + room, depth)
    if room > 2 * step:
        within = DEPTH.cost(market, step, sold + room - 2 * step, depth)
        assert within < most * step * (1 + 1e-6)
    assert beyond >= most * step * (1 - 1e-6)


def test_what_was_sold_is_absorbed_at_the_stated_rate():
    steady = Depth.of(MODELS, replenish=0.2, every=pd.Timedelta("5min"))
    assert steady.absorbed(pd.Timedelta("5min")) == pytest.approx(0.2)
    assert steady.absorbed(pd.Timedelta("10min")) == pytest.approx(1 - 0.8**2)
    assert steady.absorbed(pd.Timedelta("1min")) == pytest.approx(1 - 0.8**0.2)
    assert Depth.of(MODELS, replenish=0.0).absorbed(pd.Timedelta("1D")) == 0.0
    assert Depth.of(MODELS, replenish=1.0).absorbed(pd.Timedelta("1s")) == 1.0
    assert Depth.of(MODELS).replenish == REPLENISH


def test_levels_in_the_order_of_a_book_and_nobody_in_what_has_no_market():
    table = DEPTH.levels(["linear", "nobody's", "pool"])
    assert np.array_equal(table[0], DEPTH.loss[DEPTH.assets.index("linear")])
    assert (table[1] == 1.0).all()
    assert np.array_equal(table[2], DEPTH.loss[DEPTH.assets.index("pool")])
    assert (DEPTH.size[0], DEPTH.size[-1]) == pytest.approx((SMALLEST, LARGEST))


def test_a_path_holds_from_the_bar_after_its_time():
    times = pd.date_range("2022-01-01", periods=5)
    path = pd.DataFrame({"linear": [0.5, 2.0]}, times[[1, 3]])
    table = Depth.of(MODELS, path=path).by_bar(times, ["pool", "linear"])
    assert table[:, 0].tolist() == [1.0] * 5
    assert table[:, 1].tolist() == [1.0, 1.0, 0.5, 0.5, 2.0]
    assert (DEPTH.by_bar(times, ["pool"]) == 1.0).all()


def test_a_path_may_begin_before_the_replay():
    times = pd.date_range("2022-01-01", periods=3)
    path = pd.DataFrame({"linear": [0.25]}, [pd.Timestamp("2021-01-01")])
    table = Depth.of(MODELS, path=path).by_bar(times, ["linear"])
    assert table[:, 0].tolist() == [0.25] * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": np.array([[0.1]])}, r"shape \(1, 1\); give \(1, 2\)"),
        ({"loss": np.array([[0.4, 0.1]])}, "must ascend"),
        ({"loss": np.array([[0.4, 1.1]])}, r"inside \[0, 1\]"),
        ({"loss": np.array([[np.nan, 1.0]])}, r"inside \[0, 1\]"),
        ({"size": np.array([0.0, 1.0])}, "from above zero"),
        ({"size": np.array([2.0, 2.0])}, "ascend"),
        ({"replenish": 1.5}, "replenish is 1.5"),
        ({"every": 5}, "every is 5"),
        ({"path": pd.DataFrame({"X": [0.0]})}, "path of depth"),
    ],
)
def test_bad_books_are_refused(changes, message):
    good = {"assets": ["X"], "size": STEEP.size, "loss": STEEP.loss}
    with pytest.raises(ParameterError, match=message):
        Depth(**{**good, **changes})


def test_no_markets_are_refused():
    with pytest.raises(ParameterError, match="no markets"):
        Depth.of({})
