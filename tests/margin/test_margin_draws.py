"""Draws of joint moves against plain loops, and what they make of instruments."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.margin.traded import LISTED, NOW, PRICES, TIME, held, market
from xcoll.errors import DataError, ParameterError
from xcoll.margin import scenarios as engine
from xcoll.margin.draws import Basis, Draws, draw
from xcoll.margin.market import quote
from xcoll.margin.modelled import Implied
from xcoll.margin.options import black

DAY = pd.Timedelta("1D")
INDEX = pd.date_range("2021-01-01", periods=40)
NAMES = ["BTC", "ETH"]
RNG = np.random.default_rng(5)
SCORE = pd.DataFrame(RNG.standard_normal((40, 2)) @ [[1.0, 0.6], [0.0, 0.8]], INDEX, NAMES)
CHANGE = pd.DataFrame(RNG.normal(0.0, 0.05, (40, 2)), INDEX, NAMES)
SIGMA, LONG = pd.Series({"BTC": 0.04, "ETH": 0.06}), pd.Series({"BTC": 0.03, "ETH": 0.07})


def drawn(**given):
    usual = {
        "score": SCORE,
        "change": CHANGE,
        "sigma": SIGMA,
        "long_run": LONG,
        "bars": 1,
        "bar": DAY,
        "paths": 40,
        "rng": np.random.default_rng(7),
    }
    return draw(**(usual | given))


def test_one_bar_is_history_in_units_of_todays_volatility():
    found = drawn()
    assert found.assets == ("BTC", "ETH")
    np.testing.assert_array_equal(found.price, np.expm1(SCORE.to_numpy() * SIGMA.to_numpy()))
    np.testing.assert_allclose(found.variance, np.exp(2.0 * CHANGE.to_numpy()), rtol=1e-14)
    np.testing.assert_allclose(found.level, (SIGMA / LONG) ** 2, rtol=1e-14)
    assert found.times.equals(INDEX)
    assert found.elapsed == 1.0 / 365.0


@pytest.mark.parametrize(("paths", "times"), [(1, 1), (40, 1), (41, 2), (100, 3), (120, 3)])
def test_one_bar_takes_every_bar_equally_often(paths, times):
    found = drawn(paths=paths)
    assert len(found) == 40 * times
    assert (found.times.value_counts() == times).all()
    once = np.expm1(SCORE.to_numpy() * SIGMA.to_numpy())
    taken = np.sort(np.repeat(once, times, axis=0), axis=0)
    np.testing.assert_array_equal(np.sort(found.price, axis=0), taken)


def test_assets_move_together_as_their_scores_did():
    found = drawn(sigma=SIGMA[::-1])  # in the order of sigma
    assert found.assets == ("ETH", "BTC")
    correlation = np.corrcoef(np.log1p(found.price).T)[0, 1]
    assert correlation == pytest.approx(SCORE.corr().loc["BTC", "ETH"], rel=1e-12)
    assert correlation > 0.3


@settings(derandomize=True, deadline=None, max_examples=20)
@given(st.integers(2, 6), st.integers(1, 30), st.integers(0, 1000))
def test_several_bars_against_a_plain_loop(bars, paths, seed):
    found = drawn(bars=bars, paths=paths, rng=np.random.default_rng(seed))
    picks = np.random.default_rng(seed).integers(0, 40, (paths, bars))
    assert len(found) == paths
    for n in range(paths):
        for a, asset in enumerate(NAMES):
            scale, travelled = SIGMA[asset], 0.0
            for b in range(bars):  # the volatility that a bar leaves is that of the next
                travelled += SCORE.iloc[picks[n, b], a] * scale
                scale *= np.exp(CHANGE.iloc[picks[n, b], a])
            assert found.price[n, a] == pytest.approx(np.expm1(travelled), rel=1e-12, abs=1e-14)
            assert found.variance[n, a] == pytest.approx((scale / SIGMA[asset]) ** 2, rel=1e-12)
        assert found.times[n] == INDEX[picks[n, 0]]
    assert found.elapsed == pytest.approx(bars / 365.0)


def test_only_bars_that_all_assets_have_are_drawn():
    score, change = SCORE.copy(), CHANGE.copy()
    score.iloc[3, 0], score.iloc[4, 1], change.iloc[5, 1] = np.nan, np.inf, np.nan
    found = drawn(score=score, change=change, paths=1)
    assert found.times.equals(INDEX.delete([3, 4, 5]))
    assert len(drawn(score=score.assign(X=np.nan), change=change, paths=1)) == 37


@pytest.mark.parametrize(("bars", "bar"), [(1, "1D"), (1, "4h"), (9, "1D")])
def test_basis_moves_are_t_of_the_stated_deviation(bars, bar):
    rng = np.random.default_rng(3)
    found = drawn(bars=bars, bar=bar, basis=Basis(0.05, 0.002), rng=rng)
    days = bars * (pd.Timedelta(bar) / DAY)
    rng = np.random.default_rng(3)
    if bars > 1:
        rng.integers(0, 40, (40, bars))
    unit = np.sqrt(days) / stats.t(4).std()  # a deviation of one a day, growing with the root
    carry, premium = rng.standard_t(4.0, (2, 40, 2)) * unit
    np.testing.assert_allclose(found.carry, 0.05 * carry, rtol=1e-13)
    np.testing.assert_allclose(found.premium, 0.002 * premium, rtol=1e-13)


def test_without_basis_there_is_no_other_move():
    found = drawn(basis=Basis(0.0, 0.0))
    assert not found.carry.any()
    assert not found.premium.any()
    moves = found.scenarios(NOW).move
    lines = LISTED.group_line
    for asset in NAMES:
        mine = moves[LISTED.group_asset == asset]
        np.testing.assert_allclose(mine, np.tile(mine[0], (len(mine), 1)), rtol=1e-13)
    assert set(lines) == {"spot", "perpetual", "dated"}


def test_the_same_seed_gives_the_same_draws():
    for bars in (1, 3):
        one, two = (drawn(bars=bars) for _ in range(2))
        for name in ("price", "variance", "carry", "premium"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("bars", [1, 3])
def test_a_draw_values_instruments_as_a_new_market_would(bars):
    carry, premium = pd.Series({"BTC": 0.08, "ETH": -0.05}), pd.Series({"BTC": 0.01, "ETH": -0.02})
    quotes = quote(LISTED, market(carry=carry, premium=premium), NOW.sigma)
    draws = drawn(bars=bars, basis=Basis(0.3, 0.01), implied=Implied(half_life="10D"))
    values = engine.values(quotes, draws.scenarios(quotes))
    h = draws.elapsed
    later = TIME + bars * DAY
    years = np.where(LISTED.is_option, quotes.years[LISTED.group], 1.0)
    for n in (0, 7, 39):
        level, after = (SIGMA / LONG) ** 2, draws.variance[n] * (SIGMA / LONG) ** 2
        place = LISTED.asset
        ratio = draws.implied.at_the_money(after.to_numpy()[place], 1.0, years - h)
        ratio /= draws.implied.at_the_money(level.to_numpy()[place], 1.0, years)
        there = replace(
            quotes.market,
            time=later,
            spot=PRICES * (1.0 + draws.price[n]),
            carry=carry + draws.carry[n],
            premium=premium + draws.premium[n],
        )
        expected = quote(LISTED, there, quotes.sigma * ratio).mark
        np.testing.assert_allclose(values[:, n], expected, rtol=1e-11, atol=1e-9)


def still(elapsed, **given):
    """One draw in which nothing moves but time."""
    none = np.zeros((1, 2))
    usual = {
        "assets": ("BTC", "ETH"),
        "price": none,
        "variance": none + 1.0,
        "level": np.ones(2),
        "carry": none,
        "premium": none,
        "elapsed": elapsed,
    }
    return Draws(**(usual | given))


def test_time_alone_takes_value_from_options_and_from_nothing_else():
    values = [engine.values(NOW, still(days / 365.0).scenarios(NOW))[:, 0] for days in (0, 1, 5)]
    options = LISTED.is_option
    np.testing.assert_allclose(values[0], NOW.mark, rtol=1e-12)
    for early, late in ((0, 1), (1, 2)):
        assert (values[late][options] < values[early][options]).all()
        np.testing.assert_allclose(values[late][~options], NOW.mark[~options], rtol=1e-14)
    theta = black.greeks(*(x for x in NOW._black(options))).theta
    step = (engine.values(NOW, still(1e-6).scenarios(NOW))[:, 0] - NOW.mark)[options] / 1e-6
    np.testing.assert_allclose(step, theta, rtol=1e-3)


def test_what_expires_within_the_horizon_is_worth_its_payoff():
    up = np.array([[0.25, 0.0]])
    values = engine.values(NOW, still(40.0 / 365.0, price=up).scenarios(NOW))[:, 0]
    found = dict(zip(LISTED.frame.index, values, strict=True))
    assert found["BTC-31JAN23-44000-C"] == pytest.approx(6_000.0, rel=1e-12)
    assert found["BTC-31JAN23-44000-P"] == pytest.approx(0.0, abs=1e-9)
    assert found["BTC-31JAN23"] == pytest.approx(50_000.0, rel=1e-12)
    assert found["BTC-01APR23-44000-C"] > 6_000.0


def test_a_higher_level_comes_back_so_that_far_options_move_less():
    wild = still(0.0, variance=np.full((1, 2), 4.0))
    factor = wild.scenarios(NOW).factor[:, 0]
    years = NOW.years
    near, far = (factor[years == t][0] for t in (30 / 365, 90 / 365))
    assert 1.0 < far < near < 2.0
    assert factor[LISTED.group_line == "spot"][0] == pytest.approx(2.0)


def test_funding_is_paid_by_the_long_where_the_rate_is_above_zero():
    legs = {"BTC-PERP": 2.0, "ETH-PERP": 3.0, "BTC": 1.0, "BTC-31JAN23": 1.0}
    made, _ = held({"long": legs, "short": {name: -q for name, q in legs.items()}})
    rates = pd.Series({"BTC": 0.1, "ETH": -0.2})
    quotes = quote(LISTED, market(funding=rates, premium=pd.Series({"BTC": 0.01})), NOW.sigma)
    draws = drawn(bars=2)
    paid = draws.funding(made, quotes)
    expected = [2.0 * 40_400.0 * 0.1 * 2 / 365, -3.0 * 2_000.0 * 0.2 * 2 / 365, 0.0, 0.0]
    np.testing.assert_allclose(paid[:4], expected, rtol=1e-12)
    np.testing.assert_array_equal(paid[4:], -paid[:4])
    assert not draws.funding(made, NOW).any()


def test_an_asset_without_draws_is_named():
    one = drawn(sigma=SIGMA[:1], long_run=LONG)
    with pytest.raises(DataError, match="no draws of ETH; give its returns too"):
        one.scenarios(NOW)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"change": CHANGE[1:]}, "differ in times; cut both alike"),
        ({"score": SCORE[["BTC"]]}, "the scores lack ETH; give every asset of sigma"),
        ({"change": CHANGE[["BTC"]]}, "the changes lack ETH; give every asset of sigma"),
        ({"sigma": pd.concat([SIGMA, SIGMA])}, "sigma have BTC twice; keep one"),
        ({"score": pd.concat([SCORE, SCORE], axis=1)}, "scores have BTC twice; keep one"),
        ({"sigma": SIGMA * [1.0, 0.0]}, "no volatility of ETH; leave the asset out"),
        ({"sigma": SIGMA * -1.0}, "no volatility of BTC"),
        ({"sigma": SIGMA * np.nan}, "no volatility of BTC"),
        ({"sigma": SIGMA * np.inf}, "no volatility of BTC"),
        ({"sigma": pd.Series({"BTC": "x"})}, "no volatility of BTC"),
        ({"long_run": LONG[:1]}, "no long-run volatility of ETH; leave the asset out"),
        ({"score": SCORE * np.nan}, "no bar that all of BTC, ETH have; leave the youngest out"),
        ({"score": SCORE[:0], "change": CHANGE[:0]}, "no bar that all of BTC, ETH have"),
    ],
)
def test_histories_that_cannot_be_drawn_from_are_named(given, said):
    with pytest.raises(DataError, match=said):
        drawn(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bars": 0}, "bars is 0; give a whole number of at least 1"),
        ({"bars": 1.5}, "bars is 1.5"),
        ({"paths": 0}, "paths is 0; give a whole number of at least 1"),
        ({"paths": "x"}, "paths is 'x'"),
        ({"bar": 1}, "bar is 1; give a duration with its unit"),
        ({"bar": -DAY}, "bar is .*; give a duration above zero"),
        ({"bar": "x"}, "bar is 'x'; give a duration"),
    ],
)
def test_counts_and_spans_that_are_none_are_named(given, said):
    with pytest.raises(ParameterError, match=said):
        drawn(**given)


@pytest.mark.parametrize("given", [{"carry": -0.1}, {"premium": np.nan}, {"carry": "x"}])
def test_basis_that_is_none_is_named(given):
    with pytest.raises(ParameterError, match=f"{next(iter(given))} is"):
        Basis(**given)


def test_one_bar_of_history_and_moves_that_take_all():
    one = drawn(score=SCORE[:1], change=CHANGE[:1], paths=3)
    assert len(one) == 3
    assert len(np.unique(one.price[:, 0])) == 1
    gone = drawn(score=SCORE * 0.0 - 1e6)  # a price of nothing
    with pytest.raises(ParameterError, match="a move of a price is -1; give finite"):
        gone.scenarios(NOW)
