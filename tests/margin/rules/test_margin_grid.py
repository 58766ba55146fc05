"""Grids of scenarios: Derive's vector, plain twins of two venues, and what holds for any grid."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin import cases
from tests.margin.plain import deribit, legs, pmrm
from xcoll.margin.book import book
from xcoll.margin.instruments import Instruments, future, option, perpetual, spot
from xcoll.margin.market import quote
from xcoll.margin.rules.schema import Contingencies

seeds = st.integers(0, 2**32 - 1)
derandomized = settings(derandomize=True, deadline=None, max_examples=20)
SKEW = {"moves": [-0.5, 1.0], "weight": 0.4}
GAINS = {"factor": 0.95, "rate": 4.0, "add": 0.05}


def derive():
    return cases.bundled()["derive-portfolio"]


def summed(rule, given, quotes):
    """Maintenance of every position on its own, added up by account."""
    apart = rule.totals(given.apart(), quotes)
    return np.bincount(given.account, apart, len(given.accounts))


def test_derive_published_vector():
    expiry = cases.TIME + pd.Timedelta(seconds=500_400)
    years = 500_400 / (365 * 86_400)
    given, quotes = cases.single(
        option("ETH", expiry, 1_500.0, "call"),
        -1.0,
        spot=pd.Series({"ETH": 1_500.0}),
        surfaces={"ETH": cases.flat("ETH", 1.047884494)},
        carry=math.log(1_500.8333 / 1_500.0) / years,
        rate=0.03,
    )
    found = derive().requirement(given, quotes).accounts.loc["a"]
    equity = given.equity(quotes)["a"]
    assert equity == pytest.approx(-79.3716, abs=1e-4)
    assert equity - found["maintenance"] == pytest.approx(-301.7685, abs=1e-4)
    assert equity - found["initial"] == pytest.approx(-368.4876, abs=1e-4)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    seed=seeds,
    confidence=st.sampled_from([1.0, 0.6, 0.59, 0.0]),
    usdc=st.sampled_from([None, 1.0, 0.98, 0.9]),
    rate=st.sampled_from([-0.05, 0.0, 0.1]),
)
def test_derive_is_its_plain_twin(seed, confidence, usdc, rate):
    rng = np.random.default_rng(seed)
    market = replace(
        cases.drawn_market(rng),
        rate=rate,
        confidence=pd.Series({"BTC": confidence}),
        currencies={} if usdc is None else {"USDC": usdc},
    )
    quotes = quote(cases.listed(), market)
    given = cases.drawn_book(rng, accounts=2)
    found = derive().requirement(given, quotes).accounts
    for name in given.accounts:
        parts = [
            pmrm(legs(given, market, name, asset), market.spot[asset], rate, c, usdc or 1.0)
            for asset, c in (("BTC", confidence), ("ETH", 1.0))
        ]
        maintenance, initial = np.sum(parts, axis=0)
        assert found.loc[name, "maintenance"] == pytest.approx(maintenance, rel=1e-9)
        assert found.loc[name, "initial"] == pytest.approx(initial, rel=1e-9)


def test_derive_is_its_plain_twin_where_basis_binds():
    """Deep in the money against each other across expiries: the grid nets them."""
    call, put = option("BTC", cases.NEAR, 5_000, "call"), option("BTC", cases.FAR, 300_000, "put")
    market = cases.market()
    listed = Instruments.of([call, put])
    given = cases.held({call.name: -1.0, put.name: -1.0}, instruments=listed)
    found = derive().requirement(given, quote(listed, market))
    maintenance, initial = pmrm(legs(given, market, "a", "BTC"), 40_000.0, 0.04)
    assert found.binding["scenario"].tolist() == ["basis"]
    assert found.accounts.loc["a", "maintenance"] == pytest.approx(maintenance, rel=1e-9)
    assert found.accounts.loc["a", "initial"] == pytest.approx(initial, rel=1e-9)


@settings(derandomize=True, deadline=None, max_examples=30)
@given(seed=seeds, spreads=st.booleans())
def test_deribit_is_its_plain_twin(seed, spreads):
    rng = np.random.default_rng(seed)
    market = cases.drawn_market(rng)
    quotes = quote(cases.listed(), market)
    given = cases.drawn_spreads(rng) if spreads else cases.drawn_book(rng, accounts=2)
    found = cases.bundled()["deribit-portfolio"].requirement(given, quotes).accounts
    for name in given.accounts:
        parts = [
            deribit(legs(given, market, name, asset), market.spot[asset], width, up)
            for asset, width, up in (("BTC", 0.16, 0.5), ("ETH", 0.18, 0.4))
        ]
        maintenance, initial = np.sum(parts, axis=0)
        assert found.loc[name, "maintenance"] == pytest.approx(maintenance, rel=1e-9)
        assert found.loc[name, "initial"] == pytest.approx(initial, rel=1e-9)


def test_a_linear_position_by_hand():
    quotes = cases.quoted()
    # Derive: 15 % of the mark, 2 % of spot. Deribit: extended moves weigh like the range's end.
    for units in (3.0, -3.0):
        given = cases.held({"BTC-PERP": units})
        found = derive().requirement(given, quotes).accounts.loc["a"]
        assert found["loss"] == pytest.approx(3 * 0.15 * 40_040)
        assert found["contingency"] == pytest.approx(3 * 0.02 * 40_000)
        assert found["initial"] == pytest.approx(1.3 * (18_018 + 2_400))
        grid = cases.bundled()["deribit-portfolio"]
        assert grid.totals(given, quotes)[0] == pytest.approx(3 * 0.16 * 40_040)


def test_extended_moves_count_in_part_and_dampened():
    given, quotes = cases.single(perpetual("ETH"), -10.0, premium=pd.Series(dtype=float))
    extended = {"moves": [0.45], "weight": 0.5}
    rule = cases.plain_grid(extended=extended)
    # loss at +45 %: 10·2,000·0.45 = 9,000, of which half; the grid's end has 3,000
    assert rule.totals(given, quotes)[0] == pytest.approx(4_500.0)
    dampened = cases.plain_grid(extended=extended | {"dampener": 400.0})
    # three ranges: two beyond the first, 800 forgiven
    assert dampened.totals(given, quotes)[0] == pytest.approx(3_700.0)
    forgiven = cases.plain_grid(extended=extended | {"dampener": 1e9})
    assert forgiven.totals(given, quotes)[0] == pytest.approx(3_000.0)
    assert dampened.requirement(given, quotes).binding["scenario"][0] == (
        "+45% extended, volatility up"
    )


def test_the_floor_lifts_low_volatility_in_the_up_state_alone():
    # A short call with a volatility of 10 %: at the floor of 50 % it costs what one of 50 % does.
    shock = {"up": 0.0, "down": 0.0, "short": 0.3, "long": 0.13, "floor": 0.5}
    rule = cases.plain_grid(range=0.001, steps=1, volatility=shock)
    one = option("BTC", cases.FAR, 40_000, "call")
    low, quotes = cases.single(one, -1.0, surfaces={"BTC": cases.flat("BTC", 0.1)}, carry=0.0)
    high, dearer = cases.single(one, -1.0, surfaces={"BTC": cases.flat("BTC", 0.5)}, carry=0.0)
    premium, needed = quotes.mark[0], rule.totals(low, quotes)[0]
    assert premium + needed == pytest.approx(dearer.moved(0.001).mark[0], rel=1e-9)
    held = low.holding([1.0])  # the floor is no gain that lifts a loss: the worst is the fall
    assert rule.totals(held, quotes)[0] == pytest.approx(premium - quotes.moved(-0.001).mark[0])
    assert rule.totals(high, dearer)[0] == pytest.approx(
        dearer.moved(0.001).mark[0] - dearer.mark[0]
    )


def test_the_volatility_shock_by_hand():
    near, far, last = (
        option("BTC", cases.TIME + pd.Timedelta(days=days), 4e4, "put") for days in (7.5, 40, 0.25)
    )
    listed = Instruments.of([near, far, last])
    quotes = quote(listed, cases.market(surfaces={"BTC": cases.flat("BTC", 0.5)}))
    states = derive().grid(quotes)
    factor, state = states.scenarios.factor, states.steps[2]
    for place, tau in ((0, 4**0.3), (1, 0.75**0.13), (2, 30**0.3)):
        row = listed.group[place]
        np.testing.assert_allclose(factor[row, state == "up"], 1 + 0.45 * tau)
        np.testing.assert_allclose(factor[row, state == "down"], max(1 - 0.3 * tau, 0.0))
        assert (factor[row, state == "same"] == 1.0).all()
    assert 1 - 0.3 * 30**0.3 > 0.0
    steep = cases.plain_grid(volatility={"up": 9.0, "down": 9.0, "short": 0.3, "long": 0.13})
    assert steep.grid(quotes).scenarios.factor.min() == 0.0


def test_gains_are_discounted_at_a_rate_that_is_never_negative():
    """Derive caps the rate at zero; else a discount of a long life would be above one."""
    one = option("BTC", cases.TIME + pd.Timedelta(days=3 * 365), 40_000, "call")
    surfaces = {"BTC": cases.flat("BTC", 0.6)}
    rule = cases.plain_grid(gains=GAINS, volatility=None)
    found = {}
    for rate in (-0.10, 0.0, 0.10):
        given, quotes = cases.single(one, 1.0, surfaces=surfaces, carry=0.0, rate=rate)
        found[rate] = rule.totals(given, quotes)[0]
        kept = 0.95 * math.exp(-3 * (4 * max(rate, 0.0) + 0.05))
        worst = kept * quotes.moved(-0.15).mark[0]
        assert found[rate] == pytest.approx(quotes.mark[0] - worst, rel=1e-9)
    assert found[-0.10] == found[0.0] < found[0.10]


def test_basis_binds_where_expiries_hide_each_other():
    """Long one expiry, short the other: the grid nets them, the basis scenario does not."""
    rule = cases.plain_grid(
        range=0.0001,
        steps=1,
        volatility=None,
        contingencies={"basis": {"move": 0.05, "add": 0.25, "slope": 0.01}},
    )
    quotes = cases.quoted()
    given = cases.held({"BTC-12JAN24-32000-C": 1.0, "BTC-28JUN24-32000-C": -1.0})
    found = rule.requirement(given, quotes)
    near, far = given.instrument
    down, up = quotes.moved(-0.05), quotes.moved(0.05)
    losses = [quotes.mark[near] - down.mark[near], up.mark[far] - quotes.mark[far]]
    scale = [0.25 + 0.01 * 11 / 365, 0.25 + 0.01 * 179 / 365]
    assert found.accounts.loc["a", "loss"] == pytest.approx(np.dot(losses, scale), rel=1e-9)
    assert found.binding["scenario"].tolist() == ["basis"]
    np.testing.assert_allclose(found.positions, np.multiply(losses, scale), rtol=1e-9)


@pytest.mark.parametrize(
    ("positions", "naked"),
    [
        ({"BTC-12JAN24-40000-C": -2.0}, 2.0),
        ({"BTC-12JAN24-40000-C": 2.0}, 0.0),
        ({"BTC-12JAN24-40000-C": -2.0, "BTC-12JAN24-40000-P": 0.5}, 1.5),  # net at the strike
        ({"BTC-12JAN24-40000-C": -2.0, "BTC-12JAN24-40000-P": -1.0}, 3.0),
        ({"BTC-12JAN24-40000-C": -2.0, "BTC-12JAN24-50000-C": 2.0}, 2.0),  # no other strike helps
        ({"BTC-12JAN24-40000-C": -2.0, "BTC-28JUN24-40000-C": 2.0}, 2.0),  # nor another expiry
        ({"BTC-12JAN24-40000-C": -2.0, "BTC-PERP": 2.0, "ETH-12JAN24-2000-P": 9.0}, 2.0),
    ],
)
def test_naked_options_are_net_at_strike_and_expiry(positions, naked):
    rule = cases.plain_grid(contingencies={"option": 0.01})
    found = rule.requirement(cases.held(positions), cases.quoted())
    assert found.accounts.loc["a", "contingency"] == pytest.approx(naked * 400.0, abs=1e-9)


@pytest.mark.parametrize(
    ("positions", "dollars"),
    [
        ({"BTC-PERP": 2.0, "BTC-12JAN24": -3.0}, 2 * 40_000.0),
        ({"BTC-PERP": 2.0, "BTC-12JAN24": -3.0, "BTC-28JUN24": -1.0}, 2 * 40_000.0),
        ({"BTC": 1.0, "BTC-PERP": 2.0, "BTC-12JAN24": -5.0}, 3 * 40_000.0),
        ({"BTC-PERP": 2.0, "ETH-PERP": -9.0}, 0.0),
        ({"BTC-PERP": 1.0, "BTC-12JAN24-40000-C": -5.0}, 0.0),
        ({"BTC-PERP": 1.0, "BTC": -1.0, "ETH-12JAN24": 5.0, "ETH": -2.0}, 40_000.0 + 2 * 2_000.0),
    ],
)
def test_linear_positions_offset_each_other_in_units_of_one_asset(positions, dollars):
    given, quotes = cases.held(positions), cases.quoted()
    for together in ((), [list(cases.SPOT)]):
        rule = cases.plain_grid(contingencies={"offset": 0.01}, together=together)
        found = rule.requirement(given, quotes)
        assert found.accounts.loc["a", "contingency"] == pytest.approx(0.01 * dollars, abs=1e-9)


def test_an_offset_is_shared_by_size_among_those_that_offset_each_other():
    rule = cases.plain_grid(range=1e-9, contingencies={"offset": 0.01})
    given = cases.held({"BTC-PERP": 2.0, "BTC-12JAN24": -3.0, "ETH-PERP": 7.0})
    shares = rule.requirement(given, cases.quoted()).positions
    np.testing.assert_allclose(shares, [320.0, 480.0, 0.0], atol=0.01)


def test_confidence_is_asked_on_the_initial_margin_alone():
    rule = cases.plain_grid(contingencies={"confidence": {"least": 0.6, "factor": 0.5}})
    given = cases.held(
        {"BTC": 1.0, "BTC-PERP": -2.0, "BTC-12JAN24": 4.0, "ETH-12JAN24-2000-C": 8.0}
    )
    sure, unsure = cases.quoted(), cases.quoted(confidence=pd.Series({"BTC": 0.2, "ETH": 0.6}))
    one, two = (rule.requirement(given, quotes).accounts.loc["a"] for quotes in (sure, unsure))
    assert two["maintenance"] == one["maintenance"]
    assert two["initial"] - one["initial"] == pytest.approx(0.8 * 0.5 * 3 * 40_000)


@pytest.mark.parametrize(("price", "factor"), [(None, 1.3), (1.1, 1.3), (0.98, 1.3), (0.9, 1.46)])
def test_a_stablecoin_under_its_peg_raises_the_initial_factor(price, factor):
    currencies = {} if price is None else {"USDC": price}
    assert derive().factor(cases.quoted(currencies=currencies)) == pytest.approx(factor)


def test_scenarios_are_named_as_they_bind():
    quotes = cases.quoted()
    given = cases.held({"BTC-PERP": 1.0, "ETH-12JAN24-2000-C": -1.0})
    binding = derive().requirement(given, quotes).binding
    assert binding["account"].tolist() == ["a", "a"]
    assert binding["unit"].tolist() == ["BTC", "ETH"]
    assert binding["scenario"].str.split(",").str[0].tolist() == ["-15%", "+15%"]
    assert binding["scenario"][1] == "+15%, volatility up"
    box = cases.plain_grid().requirement(cases.held({"BTC": 0.0}), quotes).binding
    assert box["scenario"].tolist() == ["none"]
    assert not np.signbit(box["loss"][0])


def test_a_grid_of_prices_alone():
    rule = cases.plain_grid(volatility=None, range=0.1, steps=2)
    given, quotes = cases.held({"BTC-PERP": -1.0}), cases.quoted()
    states = rule.grid(quotes)
    assert [states.name(n, 0.1) for n in range(7)] == [
        *(f"{move}%, volatility same" for move in ("-10", "-5", "+0", "+5", "+10")),
        "basis",
        "none",
    ]
    assert rule.totals(given, quotes)[0] == pytest.approx(4_004.0)


@derandomized
@given(seed=seeds, gains=st.booleans(), extended=st.booleans(), together=st.booleans())
def test_a_book_needs_no_more_than_its_parts(seed, gains, extended, together):
    rng = np.random.default_rng(seed)
    rule = cases.plain_grid(
        gains=GAINS if gains else None,
        extended=SKEW if extended else None,
        together=[list(cases.SPOT)] if together else (),
    )
    quotes = quote(cases.listed(), cases.drawn_market(rng))
    given = cases.drawn_book(rng, accounts=3, legs=12)
    needed, apart = rule.totals(given, quotes), summed(rule, given, quotes)
    assert (needed <= apart * (1 + 1e-12)).all()


@derandomized
@given(seed=seeds)
def test_neither_do_books_under_derives_contingencies(seed):
    rng = np.random.default_rng(seed)
    quotes = quote(cases.listed(), cases.drawn_market(rng))
    given = cases.drawn_book(rng, accounts=3, legs=12)
    needed = derive().totals(given, quotes)
    assert (needed <= summed(derive(), given, quotes) * (1 + 1e-12)).all()


def test_an_offset_contingency_and_a_dampener_are_not_subadditive():
    quotes = cases.quoted(carry=0.0, premium=pd.Series(dtype=float))
    hedged = cases.held({"BTC-PERP": 1.0, "BTC-12JAN24": -1.0})
    costly = cases.plain_grid(range=0.001, contingencies={"offset": 0.01})
    assert costly.totals(hedged, quotes)[0] > summed(costly, hedged, quotes)[0]
    extended = {"moves": [0.45], "weight": 1.0, "dampener": 300.0}
    dampened = cases.plain_grid(extended=extended)
    pair = cases.held({"ETH-PERP": -1.0, "ETH-12JAN24": -1.0})
    assert dampened.totals(pair, quotes)[0] > summed(dampened, pair, quotes)[0]


@derandomized
@given(seed=seeds, times=st.integers(2, 4))
def test_a_wider_range_with_the_same_moves_inside_needs_no_less(seed, times):
    rng = np.random.default_rng(seed)
    quotes = quote(cases.listed(), cases.drawn_market(rng))
    given = cases.drawn_book(rng, accounts=3, legs=12)
    narrow = cases.plain_grid(range=0.12, steps=2)
    wide = cases.plain_grid(range=0.12 * times, steps=2 * times)
    least = narrow.totals(given, quotes)
    assert (wide.totals(given, quotes) >= least * (1 - 1e-12)).all()


def test_a_wider_range_can_need_less_where_its_moves_miss_the_worst_price():
    """Short a butterfly around 44,000, which is worst 10 % up: a move of one grid alone."""
    listed = Instruments.of([option("BTC", cases.NEAR, k, "call") for k in (42e3, 44e3, 46e3)])
    flat = {"BTC": cases.flat("BTC", 0.05)}
    quotes = quote(listed, cases.market(surfaces=flat, carry=0.0))
    units = (-1.0, 2.0, -1.0)
    given = cases.held(dict(zip(listed.frame.index, units, strict=True)), instruments=listed)
    hit, missed = (
        cases.plain_grid(range=width, volatility=None).totals(given, quotes)[0]
        for width in (0.15, 0.20)
    )
    assert hit > 1_500.0 > 800.0 > missed


@derandomized
@given(place=st.integers(0, 31), side=st.sampled_from([-1.0, 1.0]), width=st.floats(0.01, 0.8))
def test_the_margin_of_one_position_rises_with_the_range(place, side, width):
    quotes = cases.quoted()
    given = cases.held({cases.listed().frame.index[place]: side})
    needed = [
        cases.plain_grid(range=one).totals(given, quotes)[0] for one in (width, 1.1 * width, 0.95)
    ]
    assert needed == sorted(needed)
    assert needed[0] > 0.0


def box(units, asset="BTC", expiry="28JUN24", low=32_000, high=50_000):
    """Long call and short put at the low strike, the opposite at the high one."""
    name = f"{asset}-{expiry}"
    return {
        f"{name}-{low}-C": units,
        f"{name}-{low}-P": -units,
        f"{name}-{high}-C": -units,
        f"{name}-{high}-P": units,
    }


@pytest.mark.parametrize("units", [1.0, -1.0, 100.0])
def test_a_box_has_no_market_risk(units):
    given, quotes = cases.held(box(units)), cases.quoted()
    worth = given.equity(quotes)["a"]
    assert worth == pytest.approx(units * 18_000.0, rel=1e-12)
    for rule in (cases.plain_grid(), cases.plain_grid(extended=SKEW, together=[["BTC", "ETH"]])):
        assert rule.totals(given, quotes)[0] == pytest.approx(0.0, abs=1e-9 * abs(worth))


def test_what_a_box_gains_is_discounted():
    given, quotes = cases.held(box(1.0)), cases.quoted(rate=0.04)
    rule = cases.plain_grid(gains=GAINS)
    kept = 0.95 * math.exp(-179 / 365 * (4 * 0.04 + 0.05))
    assert rule.totals(given, quotes)[0] == pytest.approx(18_000 * (1 - kept), rel=1e-9)
    owed = cases.held(box(-1.0))
    assert rule.totals(owed, quotes)[0] == pytest.approx(0.0, abs=1e-6)


@derandomized
@given(seed=seeds, scale=st.floats(1e-3, 1e3))
def test_a_grid_without_dampener_is_homogeneous(seed, scale):
    rng = np.random.default_rng(seed)
    quotes = quote(cases.listed(), cases.drawn_market(rng))
    given = cases.drawn_book(rng, accounts=2)
    for rule in (derive(), cases.plain_grid(extended=SKEW, contingencies={"offset": 0.01})):
        once = rule.totals(given, quotes)
        found = rule.totals(given.holding(scale * given.quantity), quotes)
        np.testing.assert_allclose(found, scale * once, rtol=1e-9)


@derandomized
@given(seed=seeds, gains=st.booleans())
def test_assets_that_move_together_need_no_more_than_apart(seed, gains):
    rng = np.random.default_rng(seed)
    quotes = quote(cases.listed(), cases.drawn_market(rng))
    given = cases.drawn_book(rng, accounts=3, legs=12)
    fields = {
        "gains": GAINS if gains else None,
        "contingencies": {"option": 0.01, "perpetual": 0.02, "offset": 0.01},
    }
    apart, together = (
        cases.plain_grid(together=sets, **fields).totals(given, quotes)
        for sets in ((), [list(cases.SPOT)])
    )
    assert (together <= apart * (1 + 1e-12)).all()


def test_a_hedge_across_assets_counts_where_they_move_together():
    given, quotes = cases.held({"BTC-PERP": 1.0, "ETH-PERP": -20.0}), cases.quoted()
    marks = 40_040.0, 20 * 1_996.0
    apart, together = (cases.plain_grid(together=sets) for sets in ((), [["ETH", "BTC"]]))
    assert apart.totals(given, quotes)[0] == pytest.approx(0.15 * sum(marks))
    found = together.requirement(given, quotes)
    assert found.accounts.loc["a", "loss"] == pytest.approx(0.15 * (marks[0] - marks[1]))
    assert found.binding["unit"].tolist() == ["ETH + BTC"]


def test_a_range_of_its_own_for_each_asset():
    rule = cases.plain_grid(range={"ETH": 0.3, "other": 0.1})
    given, quotes = cases.held({"BTC": 1.0, "ETH": 1.0}), cases.quoted()
    found = rule.requirement(given, quotes).binding.set_index("unit")["loss"]
    assert found["BTC"] == pytest.approx(4_000.0)
    assert found["ETH"] == pytest.approx(600.0)


def test_contingencies_by_kind():
    rule = cases.plain_grid(contingencies={"perpetual": 0.02, "future": 0.03, "spot": 0.04})
    positions = {"BTC": -1.0, "BTC-PERP": 1.0, "BTC-12JAN24": 2.0, "BTC-12JAN24-40000-C": 5.0}
    found = rule.requirement(cases.held(positions), cases.quoted()).accounts
    assert found.loc["a", "contingency"] == pytest.approx(40_000 * (0.04 + 0.02 + 2 * 0.03))
    assert Contingencies().basis is None


def test_huge_and_tiny_books():
    quotes = cases.quoted()
    for units in (1e-12, 1e12):
        given = cases.held({"BTC-PERP": units, "BTC-12JAN24-40000-C": -units})
        one = cases.held({"BTC-PERP": 1.0, "BTC-12JAN24-40000-C": -1.0})
        expected = units * derive().totals(one, quotes)[0]
        assert derive().totals(given, quotes)[0] == pytest.approx(expected, rel=1e-9)


def test_spot_alone_and_futures_alone():
    listed = Instruments.of([spot("BTC"), future("BTC", cases.NEAR)])
    quotes = quote(listed, cases.market(surfaces={}))
    given = book(listed, cases.rows(("a", "BTC", 1.0), ("b", "BTC-12JAN24", 1.0)))
    found = derive().totals(given, quotes)
    np.testing.assert_allclose(found, [0.17 * 40_000, 0.15 * quotes.mark[1]])
