"""Full collateral in closed form, and by a search over all prices."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin import cases
from xcoll.margin.instruments import option
from xcoll.margin.market import quote
from xcoll.margin.rules.covered import Covered

seeds = st.integers(0, 2**32 - 1)
S = 40_000.0
LOW, MID, HIGH = (f"BTC-28JUN24-{strike}" for strike in (32_000, 40_000, 50_000))


def marks(quotes, *names):
    return (quotes.mark[place] for place in quotes.instruments.places(names))


def needed(positions, **changes):
    quotes = cases.quoted(**changes)
    return Covered().totals(cases.held(positions), quotes)[0], quotes


def test_a_covered_call_needs_its_units():
    """Held in kind, so that not a cent of cash is needed: equity is the unit less the call."""
    found, quotes = needed({"BTC": 1.0, f"{HIGH}-C": -1.0})
    (call,) = marks(quotes, f"{HIGH}-C")
    assert found == pytest.approx(S - call)
    covered = cases.held({"BTC": 1.0, f"{HIGH}-C": -1.0})
    assert cases.excess(Covered(), covered, quotes)[0] == pytest.approx(0.0, abs=1e-9)
    half = cases.held({"BTC": 0.5, f"{HIGH}-C": -1.0})
    assert cases.excess(Covered(), half, quotes)[0] == pytest.approx(-0.5 * S)


def test_a_naked_call_needs_the_price_of_its_units():
    found, quotes = needed({f"{HIGH}-C": -2.0})
    assert found == pytest.approx(2 * (S - next(marks(quotes, f"{HIGH}-C"))))


def test_a_cash_secured_put_needs_its_strike_less_premium():
    found, quotes = needed({f"{MID}-P": -1.0})
    (put,) = marks(quotes, f"{MID}-P")
    assert found == pytest.approx(40_000 - put)
    secured = cases.held({f"{MID}-P": -1.0}, cash=40_000.0)
    assert cases.excess(Covered(), secured, quotes)[0] == pytest.approx(0.0, abs=1e-9)


def test_a_long_option_needs_its_premium():
    for name in (f"{LOW}-C", f"{HIGH}-C", f"{MID}-P"):
        found, quotes = needed({name: 3.0})
        assert found == pytest.approx(3 * next(marks(quotes, name)))


def test_a_short_straddle_needs_unit_and_strike():
    found, quotes = needed({f"{MID}-C": -1.0, f"{MID}-P": -1.0})
    call, put = marks(quotes, f"{MID}-C", f"{MID}-P")
    assert found == pytest.approx(S + 40_000 - call - put)
    held, _ = needed({"BTC": 1.0, f"{MID}-C": -1.0, f"{MID}-P": -1.0})
    assert held == pytest.approx(found)  # the unit is there: only the strike is asked in cash


def test_a_short_strangle_needs_unit_and_the_strike_of_its_put():
    found, quotes = needed({f"{HIGH}-C": -1.0, f"{LOW}-P": -1.0})
    call, put = marks(quotes, f"{HIGH}-C", f"{LOW}-P")
    assert found == pytest.approx(S + 32_000 - call - put)


def test_a_short_spread_needs_its_width():
    found, quotes = needed({f"{LOW}-C": -1.0, f"{HIGH}-C": 1.0})
    low, high = marks(quotes, f"{LOW}-C", f"{HIGH}-C")
    assert found == pytest.approx(18_000 - low + high)
    found, quotes = needed({f"{LOW}-P": 1.0, f"{HIGH}-P": -1.0})
    low, high = marks(quotes, f"{LOW}-P", f"{HIGH}-P")
    assert found == pytest.approx(18_000 + low - high)


def test_a_long_spread_needs_its_premium():
    found, quotes = needed({f"{LOW}-C": 1.0, f"{HIGH}-C": -1.0})
    low, high = marks(quotes, f"{LOW}-C", f"{HIGH}-C")
    assert found == pytest.approx(low - high)


def test_a_ratio_spread_needs_the_units_that_are_naked():
    """+1 at 32,000, −3 at 50,000: two units; with them nothing is lost at any price."""
    found, quotes = needed({f"{LOW}-C": 1.0, f"{HIGH}-C": -3.0})
    low, high = marks(quotes, f"{LOW}-C", f"{HIGH}-C")
    assert found == pytest.approx(2 * S + low - 3 * high)


def test_a_butterfly_needs_what_it_costs():
    found, quotes = needed({f"{LOW}-C": 1.0, f"{MID}-C": -2.0, f"{HIGH}-C": 1.0})
    low, mid, high = marks(quotes, f"{LOW}-C", f"{MID}-C", f"{HIGH}-C")
    # at or above 50,000 it pays 18,000 − 2·10,000 = −2,000
    assert found == pytest.approx(2_000 + low - 2 * mid + high)


def test_a_box_needs_its_value_and_a_short_one_nothing_beyond_it():
    long = {f"{LOW}-C": 1.0, f"{LOW}-P": -1.0, f"{HIGH}-C": -1.0, f"{HIGH}-P": 1.0}
    found, quotes = needed(long)
    assert found == pytest.approx(18_000)
    owed = {name: -units for name, units in long.items()}
    assert needed(owed)[0] == pytest.approx(0.0, abs=1e-8)
    secured = cases.held(owed, cash=18_000.0)
    assert cases.excess(Covered(), secured, quotes)[0] == pytest.approx(0.0, abs=1e-8)


def test_expiries_are_covered_apart():
    calendar = {f"{MID}-C": 1.0, "BTC-12JAN24-40000-C": -1.0}
    found, quotes = needed(calendar)
    far, near = marks(quotes, *calendar)
    assert found == pytest.approx(S + far - near)


@pytest.mark.parametrize("line", ["BTC", "BTC-PERP", "BTC-12JAN24"])
@pytest.mark.parametrize("units", [2.0, -2.0])
def test_linear_positions_need_the_price_of_their_units(line, units):
    assert needed({line: units})[0] == pytest.approx(2 * S)


def test_what_is_held_covers_what_is_owed():
    assert needed({"BTC": 1.0, "BTC-PERP": -1.0})[0] == pytest.approx(S)
    assert needed({"BTC": 3.0, "BTC-PERP": -1.0})[0] == pytest.approx(3 * S)
    assert needed({"BTC": 1.0, "BTC-PERP": -3.0})[0] == pytest.approx(3 * S)
    assert needed({"BTC": 1.0, "ETH": -1.0})[0] == pytest.approx(S + 2_000)
    found, quotes = needed({"BTC": 2.0, "BTC-PERP": -1.0, f"{HIGH}-C": -1.0})
    (call,) = marks(quotes, f"{HIGH}-C")
    assert found == pytest.approx(2 * S - call)


def test_a_call_that_is_worth_more_than_its_unit_needs_nothing_more():
    """Undiscounted, a call on a dear forward may be above spot: the requirement stays at zero."""
    deep = option("BTC", "2024-12-31 08:00", 1.0, "call")
    given, quotes = cases.single(deep, -1.0, carry=0.3)
    assert quotes.mark[0] > S
    found = Covered().requirement(given, quotes)
    assert found.accounts.loc["a", "maintenance"] == 0.0
    assert found.positions.tolist() == [0.0]


def test_what_is_worst_is_named():
    given = cases.held({f"{LOW}-P": -1.0, f"{MID}-C": -1.0, "BTC-12JAN24-32000-C": -1.0,
                        "BTC-12JAN24-50000-C": 1.0, "ETH": 1.0})  # fmt: skip
    found = Covered().requirement(given, cases.quoted()).binding
    assert found["unit"].tolist() == ["BTC", "ETH"]
    assert found["scenario"].tolist() == ["12Jan24 at 50000; 28Jun24 at 0", "none"]


def covers(given, quotes, account):
    """The same by a search: units for what falls without end, cash for the worst of all prices."""
    frame = given.frame()
    mine = frame[frame["account"] == account].join(given.instruments.frame, on="instrument")
    total = 0.0
    for asset, legs in mine.groupby("asset"):
        spot = quotes.market.spot[asset]
        linear = legs.loc[legs["kind"] != "option", "quantity"]
        units, cash, worth = -linear[linear < 0.0].sum(), 0.0, 0.0
        for _, options in legs[legs["kind"] == "option"].groupby("expiry"):
            calls = options.loc[options["right"] == "call", "quantity"].sum()
            need = max(-calls, 0.0)
            prices = np.append(np.linspace(0.0, 10 * spot, 401), options["strike"])
            payoff = need * prices
            for leg in options.itertuples():
                side = 1.0 if leg.right == "call" else -1.0
                payoff = payoff + leg.quantity * np.maximum(side * (prices - leg.strike), 0.0)
                worth += leg.quantity * quotes.mark[quotes.instruments.places([leg.instrument])[0]]
            units, cash = units + need, cash + max(-payoff.min(), 0.0)
        total += max(max(linear[linear > 0.0].sum(), units) * spot + cash + worth, 0.0)
    return total


@settings(derandomize=True, deadline=None, max_examples=15)
@given(seed=seeds, spreads=st.booleans())
def test_it_is_what_a_search_over_prices_finds(seed, spreads):
    rng = np.random.default_rng(seed)
    quotes = quote(cases.listed(), cases.drawn_market(rng))
    book = cases.drawn_spreads(rng) if spreads else cases.drawn_book(rng, accounts=2, legs=12)
    found = Covered().requirement(book, quotes).accounts
    for name in book.accounts:
        assert found.loc[name, "maintenance"] == pytest.approx(covers(book, quotes, name), rel=1e-9)
    np.testing.assert_array_equal(found["initial"], found["maintenance"])


@settings(derandomize=True, deadline=None, max_examples=15)
@given(seed=seeds, at=st.floats(0.0, 5.0))
def test_a_covered_account_is_never_under_water_at_the_expiry(seed, at):
    """Units are bought with what is asked; then any price leaves the account at zero or more."""
    rng = np.random.default_rng(seed)
    quotes = cases.quoted(carry=0.0)
    names = [f"BTC-12JAN24-{k}-{right}" for k in cases.STRIKES["BTC"] for right in "CP"]
    units = rng.normal(size=len(names))
    book = cases.held(dict(zip(names, units, strict=True)))
    calls = sum(q for name, q in zip(names, units, strict=True) if name.endswith("C"))
    need = max(-calls, 0.0)
    cash = Covered().totals(book, quotes)[0] - units @ np.array(list(marks(quotes, *names)))
    price = at * S
    paid = sum(
        q * max((1 if name.endswith("C") else -1) * (price - float(name.split("-")[2])), 0.0)
        for name, q in zip(names, units, strict=True)
    )
    assert cash - need * S + need * price + paid >= -1e-9 * S


@settings(derandomize=True, deadline=None, max_examples=20)
@given(seed=seeds, scale=st.floats(1e-3, 1e3))
def test_it_is_homogeneous_and_its_parts_need_no_less(seed, scale):
    rng = np.random.default_rng(seed)
    quotes, book = cases.quoted(), cases.drawn_book(rng, accounts=2, legs=10)
    once = Covered().totals(book, quotes)
    more = Covered().totals(book.holding(scale * book.quantity), quotes)
    np.testing.assert_allclose(more, scale * once, rtol=1e-9, atol=1e-6 * scale)
    apart = np.bincount(book.account, Covered().totals(book.apart(), quotes), 2)
    assert (once <= apart + 1e-9 * math.fsum(apart)).all()
