import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xcoll.collateral import liquidity
from xcoll.errors import ParameterError

# WETH, aggregator quotes of 2023-11-20: upper size of each bucket and mean impact
QUOTES = liquidity.DepthTable((1e5, 5e5, 1e6, 2e6, 5e6), (0.0006, 0.0006, 0.0011, 0.0015, 0.0023))
# Binance cross margin, BTC, 2024-09-11; OKX, BETH, 2024-07-18
BINANCE = liquidity.Tiers((1e8, 1.2e8, 1.5e8, 1.8e8, 2e8), (1.0, 0.975, 0.95, 0.90, 0.85))
OKX = liquidity.Tiers((2e6, 4e6, 8e6), (0.95, 0.85, 0.5))
MODELS = {
    "square root": liquidity.SquareRoot(0.04, 6e8),
    "linear": liquidity.Linear(1e8),
    "pool": liquidity.ConstantProduct(5e7, 0.003),
    "free pool": liquidity.ConstantProduct(5e7),
    "tiers": OKX,
    "tiers from all": BINANCE,
    "quotes": QUOTES,
}
every = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
SIZES = st.just(0.0) | st.floats(1e-6, 5e6)
SLACK = 1e-12  # rounding of a ratio near 1


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


# Uniswap v2, swap cases of the pair's published tests: sold, reserve of it, other reserve, bought
@pytest.mark.parametrize(
    ("sold", "x", "y", "bought"),
    [
        (1, 5, 10, "1662497915624478906"),
        (1, 10, 5, "453305446940074565"),
        (2, 5, 10, "2851015155847869602"),
        (2, 10, 5, "831248957812239453"),
        (1, 10, 10, "906610893880149131"),
        (1, 100, 100, "987158034397061298"),
        (1, 1000, 1000, "996006981039903216"),
    ],
)
def test_the_pool_pays_what_uniswap_pays(sold, x, y, bought):
    # in units of y: the pool holds y on either side, and what is sold is worth sold·y/x
    worth = sold * y / x
    paid = worth * (1 - liquidity.ConstantProduct(y, 0.003).impact(worth))
    assert paid == pytest.approx(int(bought) / 1e18, rel=1e-14)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 99))
def test_a_pool_that_is_not_refilled_pays_the_same_for_a_split_sale(first, second, fee):
    x = y = Fraction(10**6)
    kept, held, got = 1 - Fraction(fee, 100), x, Fraction(0)
    for sold in (first, second):
        into = kept * sold
        paid = y * into / (held + into)
        held, y, got = held + into, y - paid, got + paid
    model = liquidity.ConstantProduct(1e6, fee / 100)
    assert (first + second) * (1 - model.impact(first + second)) == pytest.approx(float(got))


def test_binance_counts_what_it_publishes():
    assert BINANCE.counted(1.2e8) == pytest.approx(119.5e6, abs=1e-6)
    assert BINANCE.impact(1.2e8) == pytest.approx(0.5 / 120, rel=1e-9)
    assert BINANCE.impact(1e8) == 0.0
    assert BINANCE.largest(0.0) == pytest.approx(1e8)
    assert BINANCE.largest(0.5 / 120) == pytest.approx(1.2e8)
    # 119.5 + 28.5 + 27 + 17 = 192 of 200 count, and nothing beyond
    assert BINANCE.counted(2e8) == pytest.approx(192e6)
    assert BINANCE.counted(5e8) == BINANCE.counted(2e8)
    assert BINANCE.largest(0.5) == pytest.approx(384e6)


def test_okx_counts_no_position_in_full():
    assert OKX.impact(0.0) == pytest.approx(0.05)
    assert OKX.largest(0.04) == 0.0
    assert OKX.counted(8e6) == pytest.approx(1.9e6 + 1.7e6 + 2e6)


def test_depth_table_interpolates_and_holds_the_first_quote():
    assert QUOTES.impact(0.0) == 0.0006
    assert QUOTES.impact(5e4) == 0.0006
    assert QUOTES.impact(2e6) == 0.0015
    assert QUOTES.impact(1.5e6) == pytest.approx(0.0013)


def test_quotes_end():
    assert QUOTES.largest(0.5) == 5e6
    assert QUOTES.largest(0.0023) == 5e6
    assert QUOTES.largest(0.0005) == 0.0
    assert QUOTES.largest(0.0006) == 5e5  # the whole flat piece
    with pytest.raises(ParameterError, match="beyond the largest quote"):
        QUOTES.impact(6e6)


def test_a_larger_size_that_was_quoted_cheaper_counts_as_the_dearest_before_it():
    # sfrxETH, 2023-11-20: 0.62 % to half a million, 0.59 % to one
    quotes = liquidity.DepthTable((1e5, 5e5, 1e6, 2e6), (0.0045, 0.0062, 0.0059, 0.0069))
    assert quotes.impact(1e6) == 0.0062
    assert quotes.largest(0.0062) == 1e6
    assert quotes.impacts[2] == 0.0059


@every
@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(SIZES, min_size=2, max_size=2), depth=st.floats(0.1, 1.0))
def test_impact_grows_with_size_and_with_less_depth(model, sizes, depth):
    small, large = sorted(sizes)
    assert -SLACK <= model.impact(small) <= model.impact(large) + SLACK
    assert model.impact(large) < 1.0
    if large <= 5e6 * depth:
        assert model.stressed(depth).impact(large) >= model.impact(large) - SLACK


@every
@settings(max_examples=40, deadline=None)
@given(size=SIZES, depth=st.floats(0.1, 1.0))
def test_depth_scales_the_size(model, size, depth):
    q = size * depth
    assert model.stressed(depth).impact(q) == pytest.approx(
        model.impact(min(q / depth, 5e6)), rel=1e-9, abs=SLACK
    )


@every
@settings(max_examples=60, deadline=None)
@given(loss=st.floats(0.0, 0.999))
def test_the_inverse_is_the_largest_size_that_loses_no_more(model, loss):
    q = model.largest(loss)
    assert q >= 0.0
    if q > 0.0:
        assert model.impact(q) <= loss + SLACK
    else:  # the smallest sale costs more, or as much
        assert model.impact(1e-6) >= loss - SLACK
    if not (isinstance(model, liquidity.DepthTable) and q == model.sizes_usd[-1]):
        assert model.impact(1.001 * q + 1.0) >= loss - SLACK


@every
@settings(max_examples=40, deadline=None)
@given(size=st.floats(1.0, 5e6))
def test_the_size_comes_back_where_the_impact_rises(model, size):
    loss = model.impact(size)
    back = model.largest(loss)
    if model.impact(max(size * (1 - 1e-6), 0.0)) < loss - 1e-9:
        assert back == pytest.approx(size, rel=1e-6)
    assert model.impact(back) == pytest.approx(loss, rel=1e-9, abs=SLACK) or back == 0.0


@every
@settings(max_examples=40, deadline=None)
@given(first=st.floats(0.0, 2.5e6), second=st.floats(0.0, 2.5e6))
def test_a_sale_that_is_split_over_markets_never_costs_more(model, first, second):
    together = (first + second) * model.impact(first + second)
    split = first * model.impact(first) + second * model.impact(second)
    assert split <= together * (1 + 1e-9) + 1e-5  # dollars: rounding of 5M


def test_two_halves_cost_what_the_law_says():
    law, line = liquidity.SquareRoot(0.05, 1e8), liquidity.Linear(1e8)
    assert law.impact(1e6) / law.impact(5e5) == pytest.approx(math.sqrt(2))
    assert line.impact(1e6) / line.impact(5e5) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: liquidity.SquareRoot(0.05, 0.0), "daily volume is 0; give a number above zero"),
        (lambda: liquidity.Linear(0.0), "depth is 0; give a number above zero"),
        (lambda: liquidity.ConstantProduct(0.0), "reserve of the pool is 0"),
        (lambda: liquidity.ConstantProduct(1e6, -0.003), "fee is -0.003"),
        (lambda: liquidity.ConstantProduct(1e6, 1.0), "a pool with a fee of 1"),
        (lambda: liquidity.DepthTable((0.0, 1.0), (0.0, 0.1)), "first size of the depth table is"),
        (lambda: liquidity.Tiers((0.0, 1.0), (1.0, 0.5)), "first size of the schedule is 0"),
        (lambda: liquidity.Tiers((1.0, 2.0), (0.5, 0.6)), "must descend"),
        (lambda: liquidity.Tiers((1.0,), (0.0,)), "must descend from above 0"),
        (lambda: liquidity.Tiers((1.0,), (-0.1,)), "value of the schedule is -0.1"),
        (lambda: liquidity.SquareRoot(math.nan, 1e8), "daily volatility is nan"),
        (lambda: liquidity.SquareRoot(0.05, math.inf), "volume is inf"),
        (lambda: liquidity.Linear(1e6).impact(2e6), "takes the whole value"),
        (lambda: liquidity.SquareRoot(1.0, 1e6).impact(1e6), "takes the whole value"),
        (lambda: liquidity.DepthTable((), ()), "0 sizes"),
        (lambda: liquidity.DepthTable((1.0, 2.0), (0.1,)), "2 sizes and 1 values"),
        (lambda: liquidity.DepthTable((2.0, 1.0), (0.1, 0.2)), "must ascend"),
        (lambda: liquidity.DepthTable((1.0, 2.0), (0.1, 6.0)), r"depth table is 6.*0\.06"),
        (lambda: liquidity.DepthTable((1.0, 2.0), (0.1, 1.0)), "takes the whole value"),
    ],
)
def test_bad_markets_are_named(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


@every
def test_every_model_refuses_the_same_arguments(model):
    for size, words in ((-1.0, "size is -1"), (math.nan, "size is nan")):
        with pytest.raises(ParameterError, match=words):
            model.impact(size)
    for depth, words in ((0.0, "depth is 0"), (-1.0, "depth is -1")):
        with pytest.raises(ParameterError, match=words):
            model.stressed(depth)
    for loss, words in ((1.0, "loss is 1"), (-0.1, "loss is -0.1"), (5.0, r"loss is 5.*0\.05")):
        with pytest.raises(ParameterError, match=words):
            model.largest(loss)


def test_tiers_by_a_plain_twin():
    bounds, ratios = (2.0, 5.0, 9.0), (0.9, 0.6, 0.1)
    model = liquidity.Tiers(bounds, ratios)
    for q in np.linspace(0.01, 20, 100):
        counted, below = 0.0, 0.0
        for bound, ratio in zip(bounds, ratios, strict=True):
            if q > below:
                counted += ratio * (min(q, bound) - below)
            below = bound
        assert model.counted(q) == pytest.approx(counted, rel=1e-14)
    # the largest by trying: a grid of sizes
    grid = np.linspace(0.0, 60.0, 600_001)[1:]
    impacts = 1 - np.array([model.counted(q) for q in grid[::100]]) / grid[::100]
    for loss in (0.05, 0.1001, 0.2, 0.4, 0.7, 0.9):
        below = grid[::100][impacts <= loss]
        expected = below.max() if len(below) else 0.0
        assert model.largest(loss) == pytest.approx(expected, abs=0.011)


def test_the_order_of_models_follows_their_depth():
    for shallow, deep in itertools.pairwise([1e6, 1e7, 1e8]):
        pools = [liquidity.ConstantProduct(depth, 0.003).impact(1e5) for depth in (shallow, deep)]
        assert pools[0] > pools[1]
