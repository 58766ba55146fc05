"""Implied volatility: round trips over all prices, a plain twin, published numbers, bad quotes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import erfinv, log_ndtr

from xcoll.errors import EstimationError, ParameterError
from xcoll.margin.options import _kernels, black
from xcoll.margin.options.implied import implied_volatility

EPS = np.finfo(float).eps
F, T, D = 1234.5, 0.37, 0.93
MONEYNESS = np.array([0.0, 1e-12, 1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1, 2, 4, 7, 11, 20])


def volatility(k, d):
    """s at the moneyness d = s/2 − k/s."""
    D = np.sqrt(d * d + 2.0 * k)
    return np.where(d > 0.0, d + D, 2.0 * k / (D - np.minimum(d, 0.0)))


def grid():
    """k, s and B where B is between 1e-290 and 1 − 1e-14: even steps in ln s, and in d."""
    d = np.concatenate([np.linspace(-36.0, 7.5, 180), [-1e-3, -1e-6, 0.0, 1e-6, 1e-3]])
    by_s = np.meshgrid(MONEYNESS, np.geomspace(1e-4, 8.0, 160))
    k, d = np.meshgrid(MONEYNESS[1:], d)
    k, s = (
        np.concatenate(pair, axis=None) for pair in zip(by_s, (k, volatility(k, d)), strict=True)
    )
    B = np.empty(len(k))
    _kernels.normalised(k, s, B)
    kept = (B > 1e-290) & (B < 1.0 - 1e-14)
    return k[kept], s[kept], B[kept]


def slope(k, s):
    """dB/ds."""
    return np.exp(-0.5 * (0.5 * s - k / s) ** 2) / np.sqrt(2 * np.pi)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_round_trip_of_every_price_out_of_the_money(side):
    k, s, _ = grid()
    assert len(k) > 4000
    K, call = F * np.exp(side * k), np.full(len(k), side > 0.0)
    given = black.price(F, K, s / np.sqrt(T), T, call, D)
    found = implied_volatility(given, F, K, T, call, D)
    again = black.price(F, K, found, T, call, D)
    np.testing.assert_allclose(again, given, rtol=1e-12, atol=0.0)
    # the price's own error, which grows with its logarithm, times the condition number
    B, k = given / (D * np.minimum(F, K)), black.log_moneyness(F, K)
    price_error = 5e-14 - 1e-15 * np.log(B)
    error = np.abs(found * np.sqrt(T) / s - 1.0)
    np.testing.assert_array_less(error, 8.0 * EPS + price_error * B / (s * slope(k, s)))


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_round_trip_in_the_money_is_as_good_as_the_rounding_of_the_price(side):
    k, s, _ = grid()
    K, call = F * np.exp(side * k), np.full(len(k), side < 0.0)
    given = black.price(F, K, s / np.sqrt(T), T, call, D)
    below = given < D * np.where(call, F, K)
    given, K, call, s = given[below], K[below], call[below], s[below]
    found = implied_volatility(given, F, K, T, call, D)
    again = black.price(F, K, found, T, call, D)
    np.testing.assert_allclose(again, given, rtol=1e-12, atol=0.0)
    unit, k = D * np.minimum(F, K), black.log_moneyness(F, K)
    rounding, B = 4.0 * EPS * given / unit, (given - D * np.abs(F - K)) / unit
    clear = 1e3 * rounding < B
    assert clear.sum() > 2000
    price_error = rounding + (5e-14 - 1e-15 * np.log(np.where(clear, B, 1.0))) * B
    error = np.abs(found * np.sqrt(T) / s - 1.0) - 8.0 * EPS
    np.testing.assert_array_less(error[clear], (price_error / (s * slope(k, s)))[clear])


def test_two_steps_do_everywhere():
    k, _, B = grid()
    steps = [_kernels.solved(*row)[1] for row in zip(k, B, 1.0 - B, strict=True)]
    assert max(steps) == 2


@pytest.mark.parametrize("guess", [1e-9, 1e-3, 0.1, 3.0, 40.0])
@pytest.mark.parametrize(
    ("k", "s"), [(0.0, 0.3), (0.01, 0.02), (0.01, 0.5), (2.0, 0.3), (2.0, 5.0)]
)
def test_bad_guesses_are_caught_by_the_bracket(monkeypatch, guess, k, s):
    for name in ("around", "far_below", "far_above"):
        monkeypatch.setattr(_kernels, name, lambda *_: guess)
    B = _kernels.black(k, s)
    found, steps = _kernels.solved.py_func(k, B, 1.0 - B)
    assert found == pytest.approx(s, rel=1e-12)
    assert 2 <= steps < 30


def twin(price, F, K, T, D):
    """Bracketed search on the logarithm of the textbook's formula, out of the money."""
    k, goal = abs(np.log(F / K)), np.log(price / (D * min(F, K)))

    def miss(log_s):
        s = np.exp(log_s)
        gain, loss = log_ndtr(0.5 * s - k / s), k + log_ndtr(-0.5 * s - k / s)
        return gain + np.log(-np.expm1(loss - gain)) - goal

    return np.exp(brentq(miss, np.log(0.02), np.log(15.0), xtol=1e-14, rtol=1e-14)) / np.sqrt(T)


def test_plain_twin():
    rng = np.random.default_rng(3)
    K = F * np.exp(rng.normal(0.0, 0.6, 300))
    sigma, years = rng.uniform(0.3, 2.0, 300), rng.uniform(0.05, 2.0, 300)
    call = K > F
    given = black.price(F, K, sigma, years, call, D)
    plain = [twin(*row, D) for row in zip(given, np.full(300, F), K, years, strict=True)]
    np.testing.assert_allclose(implied_volatility(given, F, K, years, call, D), plain, rtol=1e-11)


def test_at_the_money_it_is_the_inverse_error_function():
    B = np.array([1e-12, 1e-6, 0.01, 0.3, 0.5, 0.7, 0.99])
    found = implied_volatility(D * F * B, F, F, 4.0, True, D)
    np.testing.assert_allclose(found, np.sqrt(2.0) * erfinv(B), rtol=1e-13)


@pytest.mark.parametrize(
    ("price", "forward", "strike", "years", "call", "r", "expected", "near"),
    [
        # Hull, Options, Futures, and Other Derivatives: a stock at 21, and Black's futures put
        (1.875, 21.0 * np.exp(0.025), 20.0, 0.25, True, 0.1, 0.235, 5e-4),
        (1.12, 20.0, 20.0, 4 / 12, False, 0.09, 0.25, 1.2e-3),
        # Haug, The Complete Guide to Option Pricing Formulas: Brent futures
        (1.7011, 19.0, 19.0, 0.75, True, 0.1, 0.28, 1e-5),
        # Derive's margin example: undiscounted mark of a call with 500,400 seconds to go
        (79.3716, 1500.8333, 1500.0, 500_400 / 31_536_000, True, 0.0, 1.047884494, 1e-6),
    ],
)
def test_published_volatilities(price, forward, strike, years, call, r, expected, near):
    found = implied_volatility(price, forward, strike, years, call, np.exp(-r * years))
    assert found == pytest.approx(expected, abs=near)


@given(st.floats(-1.0, 1.0), st.floats(0.3, 3.0), st.floats(0.1, 3.0), st.floats(0.5, 1.2))
@settings(derandomize=True, deadline=None)
def test_higher_prices_have_higher_volatility(x, sigma, years, discount):
    K, call = F * np.exp(x), x > 0.0
    prices = black.price(F, K, sigma, years, call, discount) * np.array(
        [1.0 - 1e-9, 1.0, 1.0 + 1e-9]
    )
    low, middle, high = implied_volatility(prices, F, K, years, call, discount)
    assert low < middle < high
    assert implied_volatility(3 * prices, 3 * F, 3 * K, years, call, discount) == pytest.approx(
        [low, middle, high], rel=1e-12
    )


def test_intrinsic_value_has_no_volatility():
    K = np.array([80.0, 100.0, 125.0])
    for call in (True, False):
        intrinsic = 0.9 * np.maximum((100.0 - K) * (1.0 if call else -1.0), 0.0)
        assert implied_volatility(intrinsic, 100.0, K, 1.0, call, 0.9).tolist() == [0.0, 0.0, 0.0]
    # rounded on either side of it
    forward, strike = 60_123.45, 123.4
    intrinsic = 0.97 * forward - 0.97 * strike
    for price in (np.nextafter(intrinsic, 0.0), intrinsic, np.nextafter(intrinsic, 1e9)):
        assert implied_volatility(price, forward, strike, 1.0, True, 0.97) == 0.0


def test_prices_at_the_ends_of_the_floats():
    least = np.array([1e-300, 1e-307, 5e-324])
    found = implied_volatility(least, 1.0, 1.5, 1.0, True)
    again = black.price(1.0, 1.5, found, 1.0, True)
    np.testing.assert_allclose(again[:2], least[:2], rtol=1e-12)
    assert 0.0 < found[2] < found[1] < found[0]
    most = np.nextafter(1.0, 0.0)
    high = implied_volatility(most, 1.0, [1.0, 1.5, 1e6], 1.0, True)
    np.testing.assert_allclose(black.price(1.0, [1.0, 1.5, 1e6], high, 1.0, True), most, rtol=EPS)
    assert implied_volatility(5e-324, 1e9, 2e9, 1.0, True) == 0.0  # under the smallest float


def test_nan_stays_where_it_is():
    for place in range(5):
        terms = [np.array([value, value]) for value in (12.0, 100.0, 101.0, 1.0, 0.9)]
        terms[place][0] = np.nan
        *first, discount = terms
        found = implied_volatility(*first, True, discount)
        assert np.isnan(found).tolist() == [True, False]


def test_shapes():
    K = np.array([[90.0], [110.0]])
    given = black.price(100.0, K, [0.3, 0.5, 0.9], 1.0, K > 100.0)
    found = implied_volatility(given, 100.0, K, 1.0, K > 100.0)
    np.testing.assert_allclose(found, [[0.3, 0.5, 0.9]] * 2, rtol=1e-13)
    assert implied_volatility([], 100.0, 90.0, 1.0, True).shape == (0,)
    assert np.ndim(implied_volatility(20, 100, 90, 1, True)) == 0


GOOD = {"price": 15.0, "forward": 100.0, "strike": 90.0, "years": 1.0, "call": True}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"price": -1.0}, "price is -1; give zero or more"),
        ({"price": [15.0, np.nan, 9.99, 100.0, 8.0]}, r"3 of 5 prices are outside their bounds; "),
        (
            {"price": [15.0, 9.99]},
            r"price\[1\] = 9.99, must be at least 10 \(intrinsic value\) and ",
        ),
        ({"price": 100.0}, "price = 100, .* below 100; drop these quotes or mend the price"),
        ({"price": np.inf}, "price = inf, .* below 100;"),
        ({"price": 90.0, "call": False}, "below 90;"),
        ({"price": [[1.0, 20.0]], "strike": 120.0, "call": False, "discount": 0.9}, "at least 18 "),
        ({"price": 95.0, "discount": 0.9}, "at least 9 .* below 90;"),
        ({"years": 0.0}, "years is 0; drop what has its expiry now or in the past"),
        ({"years": [1.0, -0.5]}, r"years\[1\] is -0.5; .*expiry in the past"),
        ({"forward": [-100.0, 1.0]}, r"forward\[0\] is -100;"),
        ({"strike": 0.0}, "strike is 0;"),
        ({"price": 5e-201, "forward": 1e200, "strike": 1e-200, "call": False}, "range of floats"),
        ({"discount": -1.0}, "discount is -1;"),
        ({"call": "C"}, "call is of type"),
        ({"price": "15"}, "price is of type"),
        ({"price": [1.0, 2.0], "strike": [1.0, 2.0, 3.0]}, r"\(3,\).*\(2,\)"),
    ],
)
def test_bad_quotes_are_named(wrong, message):
    with pytest.raises(ParameterError, match=message):
        implied_volatility(**(GOOD | wrong))


def test_a_search_without_an_answer_is_an_error(monkeypatch):
    monkeypatch.setattr(_kernels, "total_volatility", lambda k, B, C, found: found.fill(np.nan))
    with pytest.raises(
        EstimationError, match=r"no volatility found for price\[1\] = 15 at forward"
    ):
        implied_volatility([np.nan, 15.0], 100.0, 90.0, 1.0, True)
