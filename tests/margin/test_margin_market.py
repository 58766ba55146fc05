"""The market at one moment: marks in closed form, greeks by differences, and bad input."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.margin import cases
from tests.margin.plain import black
from xcoll.errors import DataError, ParameterError
from xcoll.margin.instruments import Instruments, future, option, perpetual, spot
from xcoll.margin.market import Market, by_name, quote

YEAR_ON = "2024-12-31 08:00"  # 365 days after the moment


def at(quotes, name):
    return quotes.mark[quotes.instruments.places([name])[0]]


def test_marks_by_hand():
    quotes = cases.quoted(carry=0.1)
    years = 11 / 365
    forward = 40_000 * math.exp(0.1 * years)
    assert at(quotes, "BTC") == 40_000.0
    assert at(quotes, "BTC-PERP") == pytest.approx(40_040.0, rel=1e-15)
    assert at(quotes, "ETH-PERP") == pytest.approx(1_996.0, rel=1e-15)
    assert at(quotes, "BTC-12JAN24") == pytest.approx(forward, rel=1e-15)
    sigma = float(cases.skewed("BTC").sigma(years, math.log(32_000 / forward)))
    for right, name in (("call", "C"), ("put", "P")):
        expected = black(forward, 32_000, sigma, years, right)
        assert at(quotes, f"BTC-12JAN24-32000-{name}") == pytest.approx(expected, rel=1e-12)


def test_call_less_put_is_forward_less_strike():
    quotes = cases.quoted()
    for asset, strikes in cases.STRIKES.items():
        for expiry in ("12JAN24", "28JUN24"):
            forward = at(quotes, f"{asset}-{expiry}")
            for strike in strikes:
                call, put = (at(quotes, f"{asset}-{expiry}-{strike}-{right}") for right in "CP")
                assert call - put == pytest.approx(forward - strike, abs=1e-12 * forward)


def test_the_surface_is_read_at_the_log_of_strike_over_forward():
    quotes = cases.quoted()
    frame = quotes.frame()
    options = frame[frame["kind"] == "option"]
    for row in options.itertuples():
        expected = cases.skewed(row.asset).sigma(row.years, math.log(row.strike / row.forward))
        assert row.sigma == pytest.approx(float(expected), rel=1e-13)
    assert options["sigma"].nunique() == len(options) / 2  # calls and puts of one strike agree
    assert frame.loc[frame["kind"] != "option", "sigma"].isna().all()


def test_carry_is_one_number_or_by_asset_or_by_years():
    listed = Instruments.of([future("BTC", "2024-04-01 14:00"), future("ETH", YEAR_ON)])
    years = 91.25 / 365  # a quarter

    def forwards(carry):
        return quote(listed, cases.market(carry=carry)).mark / [40_000, 2_000]

    np.testing.assert_allclose(forwards(0.1), np.exp([0.1 * years, 0.1]), rtol=1e-14)
    by_asset = pd.Series({"ETH": -0.2})  # none of BTC
    np.testing.assert_allclose(forwards(by_asset), [1.0, math.exp(-0.2)], rtol=1e-14)
    by_years = pd.DataFrame({"BTC": [0.0, 0.1], "ETH": [0.3, 0.4]}, index=[0.0, 0.5])
    expected = [math.exp(0.05 * years), math.exp(0.4)]  # halfway between rows; flat behind them
    np.testing.assert_allclose(forwards(by_years), expected, rtol=1e-14)


def test_a_strike_in_another_currency_is_turned_into_dollars():
    sigma = {"BTC": cases.flat("BTC", 0.6)}
    dollars = Instruments.of([option("BTC", YEAR_ON, 44_000, "put")])
    euros = Instruments.of([option("BTC", YEAR_ON, 40_000, "put", "EUR")])
    one = quote(dollars, cases.market(surfaces=sigma))
    two = quote(euros, cases.market(surfaces=sigma, currencies={"EUR": 1.1}))
    assert two.strike[0] == pytest.approx(44_000)
    assert two.mark[0] == pytest.approx(one.mark[0], rel=1e-14)


def test_quotes_that_move_keep_each_options_volatility():
    quotes = cases.quoted()
    moved = quotes.moved({"BTC": 0.1}, 1.2)
    which = quotes.instruments.is_option
    np.testing.assert_array_equal(moved.sigma[which], 1.2 * quotes.sigma[which])
    btc = quotes.instruments.frame["asset"].to_numpy() == "BTC"
    linear = ~which
    np.testing.assert_allclose(moved.mark[btc & linear], 1.1 * quotes.mark[btc & linear])
    np.testing.assert_array_equal(moved.mark[~btc & linear], quotes.mark[~btc & linear])
    np.testing.assert_array_equal(
        quotes.moved(-0.5).forward, quote(quotes.instruments, cases.market()).forward * 0.5
    )
    again = quote(quotes.instruments, quotes.market.moved({"BTC": 0.1}), quotes)
    np.testing.assert_array_equal(again.sigma, quotes.sigma)


def test_a_market_that_moves_by_nothing_is_the_same():
    market = cases.market()
    for moves in ({}, 0.0, {"BTC": 0.0}):
        pd.testing.assert_series_equal(market.moved(moves).spot, market.spot)


def test_delta_and_the_greeks_are_those_of_the_mark():
    quotes, h = cases.quoted(), 1e-5
    up, down = (quotes.moved(step) for step in (h, -h))
    forward = quotes.forward[quotes.instruments.group]
    slope = (up.mark - down.mark) / (2 * h * forward)
    np.testing.assert_allclose(quotes.delta, slope, atol=1e-8)
    frame = quotes.frame()
    np.testing.assert_array_equal(frame["delta"], quotes.delta)
    bend = (up.mark - 2 * quotes.mark + down.mark) / (h * forward) ** 2
    np.testing.assert_allclose(frame["gamma"] * forward, bend * forward, atol=1e-3)
    wider, lower = (quotes.moved(0.0, 1.0 + step) for step in (h, -h))
    vega = (wider.mark - lower.mark) / (2 * h * np.nan_to_num(quotes.sigma, nan=1.0))
    np.testing.assert_allclose(frame["vega"], vega, rtol=1e-6, atol=1e-4)
    linear = frame["kind"] != "option"
    assert (frame.loc[linear, ["gamma", "vega", "theta"]] == 0.0).all(axis=None)
    assert (frame.loc[~linear, "theta"] < 0.0).all()


def test_instruments_without_options_need_no_surface():
    listed = Instruments.of([spot("BTC"), perpetual("BTC"), future("BTC", YEAR_ON)])
    quotes = quote(listed, Market(cases.TIME, pd.Series({"BTC": 100.0}), carry=0.0))
    np.testing.assert_array_equal(quotes.mark, [100.0] * 3)
    np.testing.assert_array_equal(quotes.delta, [1.0] * 3)
    assert quotes.frame()["sigma"].isna().all()


def test_volatility_of_zero_leaves_the_payoff():
    quotes = quote(cases.listed(), cases.market(), np.zeros(len(cases.listed())))
    frame = quotes.frame()
    intrinsic = np.maximum(
        np.where(frame["right"] == "call", 1, -1) * (frame["forward"] - frame["strike"]), 0.0
    )
    options = frame["kind"] == "option"
    np.testing.assert_allclose(frame.loc[options, "mark"], intrinsic[options], rtol=1e-15)


def test_by_name_is_a_reindex():
    values = pd.Series({"BTC": 1.0, "ETH": 2.0})
    names = ["ETH", "SOL", "BTC", "ETH"]
    np.testing.assert_array_equal(by_name(values, names), values.reindex(names))
    np.testing.assert_array_equal(by_name(values, names, 0.0), values.reindex(names).fillna(0.0))


@settings(derandomize=True, deadline=None, max_examples=15)
@given(scale=st.floats(1e-6, 1e6), sigma=st.floats(0.01, 5.0))
def test_a_price_in_other_units_is_the_same_price(scale, sigma):
    one = Instruments.of([option("X", YEAR_ON, 100.0, "call")])
    two = Instruments.of([option("X", YEAR_ON, 100.0 * scale, "call")])
    markets = [
        Market(cases.TIME, pd.Series({"X": price}), {"X": cases.flat("X", 0.5).scaled(2 * sigma)})
        for price in (90.0, 90.0 * scale)
    ]
    first, second = (quote(*pair).mark[0] for pair in zip((one, two), markets, strict=True))
    assert second == pytest.approx(scale * first, rel=1e-10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spot": pd.Series({"BTC": 0.0})}, "spot price of BTC is 0.0 at 2024-01-01"),
        ({"spot": pd.Series({"BTC": -1.0})}, "spot price of BTC is -1.0"),
        ({"spot": pd.Series({"BTC": math.nan})}, "spot price of BTC is nan"),
        ({"spot": pd.Series({"BTC": math.inf})}, "spot price of BTC is inf"),
        ({"spot": pd.Series({"BTC": "dear"})}, "spot price of BTC is dear"),
        ({"spot": pd.Series([1.0, 2.0], ["BTC", "BTC"])}, "spot price of BTC twice"),
        ({"currencies": {"EUR": 0.0}}, "currency of EUR is 0.0"),
        ({"currencies": {"EUR": "one"}}, "currency of EUR is one"),
        ({"currencies": {"EUR": None}}, "currency of EUR is None"),
        ({"premium": pd.Series({"BTC": -1.0})}, "premium of BTC is -1.0"),
        ({"funding": pd.Series({"BTC": math.inf})}, "funding of BTC is inf"),
        ({"confidence": pd.Series({"BTC": 1.01})}, "confidence of BTC is 1.01"),
        ({"haircut": pd.Series({"BTC": -0.1})}, "haircut of BTC is -0.1"),
        ({"carry": pd.Series({"BTC": math.nan})}, "carry at 2024-01-01 .* not finite everywhere"),
        ({"carry": pd.Series({"BTC": "x"})}, "carry at 2024-01-01 .* not finite everywhere"),
        ({"carry": pd.DataFrame({"BTC": [0.1, math.inf]}, [0.1, 0.2])}, "not finite everywhere"),
        ({"carry": pd.DataFrame({"BTC": [0.1, 0.2]}, [0.5, 0.1])}, "no ascending years"),
        ({"carry": pd.DataFrame({"BTC": [0.1, 0.2]}, [0.5, 0.5])}, "no ascending years"),
        ({"carry": pd.DataFrame({"BTC": []})}, "no ascending years"),
    ],
)
def test_a_market_out_of_range_is_named(changes, message):
    with pytest.raises(DataError, match=message):
        cases.market(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rate": math.nan}, "rate is nan; give a finite number"),
        ({"rate": "low"}, "rate is 'low'"),
        ({"carry": math.inf}, "carry is inf"),
        ({"carry": "x"}, "carry is 'x'"),
        ({"time": "2024-01-01"}, "time is '2024-01-01'; give a Timestamp in UTC"),
        ({"time": pd.NaT}, "time is NaT; give a Timestamp"),
        ({"time": cases.TIME.tz_localize("UTC")}, "without a zone"),
    ],
)
def test_a_parameter_of_a_market_that_is_none_is_named(changes, message):
    with pytest.raises(ParameterError, match=message):
        cases.market(**changes)


OPTION = Instruments.of([option("BTC", YEAR_ON, 40_000, "put"), spot("BTC")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: quote(OPTION, cases.market(spot=pd.Series(dtype=float))), "no spot price of BTC"),
        (lambda: quote(OPTION, cases.market(surfaces={})), "no volatility surface of BTC at 2024"),
        (
            lambda: quote(Instruments.of([future("BTC", "2023-12-29")]), cases.market()),
            r"BTC-29DEC23 expired at .*; settle the book first \(margin.settlement.settle\)",
        ),
        (
            lambda: quote(Instruments.of([future("BTC", cases.TIME)]), cases.market()),
            "BTC-01JAN24 expired at",
        ),
        (
            lambda: quote(
                Instruments.of([option("BTC", YEAR_ON, 1.0, "put", "EUR")]), cases.market()
            ),
            r"no rate of EUR at 2024.*; add it to currencies \(known: USD\)",
        ),
        (
            lambda: quote(OPTION, cases.market(carry=pd.DataFrame({"ETH": [0.1]}, [0.1]))),
            "no carry of BTC at 2024.*; add its column",
        ),
        (
            lambda: quote(OPTION, cases.market(carry=1e6)),
            "forward of BTC is inf at .* mend its carry",
        ),
        (lambda: quote(OPTION, cases.market(carry=-1e6)), "forward of BTC is 0 at"),
        (lambda: quote(OPTION, cases.market(), np.array([-0.1, 0.5])), "40000-P is -0.1; give one"),
        (
            lambda: quote(OPTION, cases.market(), np.array([np.nan, 0.5])),
            "40000-P is nan; give one",
        ),
        (
            lambda: quote(OPTION, cases.market(), np.array([np.inf, 0.5])),
            "40000-P is inf; give one",
        ),
        (lambda: quote(OPTION, cases.market(), np.array([0.5])), r"\(1,\) volatilities for 2"),
        (
            lambda: quote(OPTION, cases.market()).moved(0.0, -1.0),
            "is -0.6.*; give one of 0 or more",
        ),
        (lambda: cases.market().moved(-1.0), "spot price of BTC is 0.0"),
        (lambda: cases.market().moved({"ETH": math.nan}), "spot price of ETH is nan"),
        (lambda: cases.market().moved(math.nan), "spot price of BTC is nan"),
        (lambda: cases.market().moved({"SOL": 0.1}), "a move of SOL, which has no spot price"),
    ],
)
def test_what_cannot_be_quoted_is_named(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_a_market_is_not_touched_by_its_moves():
    market = cases.market()
    before = market.spot.copy()
    quotes = quote(cases.listed(), market)
    marks = quotes.mark.copy()
    quotes.moved(0.3)
    replace(market, rate=0.5)
    pd.testing.assert_series_equal(market.spot, before)
    np.testing.assert_array_equal(quotes.mark, marks)
